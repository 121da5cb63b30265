//! The consumer thread's end of the keeper of offsets: what was asked, and what is still to be answered.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::mpsc,
    time::{Duration, Instant},
};

use rdkafka::TopicPartitionList;
use recap_log::{Offsets, Partition};
use tokio::sync::mpsc::UnboundedSender;

use crate::progress::{Answer, Request};

/// The questions to the keeper, one save at a time.
#[derive(Debug)]
pub(crate) struct KeeperLink {
    requests: UnboundedSender<Request>,
    answers: mpsc::Receiver<Answer>,
    /// Answers for which it is too early.
    deferred: VecDeque<Answer>,
    /// The least time between two saves.
    interval: Duration,
    last_save: Option<Instant>,
    is_saving: bool,
    /// What the group assigned, and is not read yet.
    pub assigned: Option<TopicPartitionList>,
    /// Partitions that are to be read from other offsets.
    pub restarting: BTreeSet<Partition>,
    /// What the database holds of the partitions that are read.
    saved: Offsets,
}

impl KeeperLink {
    pub fn new(requests: UnboundedSender<Request>, answers: mpsc::Receiver<Answer>, interval: Duration) -> Self {
        Self {
            requests,
            answers,
            deferred: VecDeque::new(),
            interval,
            last_save: None,
            is_saving: false,
            assigned: None,
            restarting: BTreeSet::new(),
            saved: Offsets::default(),
        }
    }

    fn ask(&self, request: Request) {
        // The keeper ends only with the projector, or before it begins anew.
        let _unheard = self.requests.send(request);
    }

    /// Asks where to begin to read what the group assigns. It may assign more before that is known: when topics change, librdkafka joins again without
    /// waiting, and tells of what is new only. All of it is read at once.
    pub fn begin(&mut self, partitions: &TopicPartitionList) {
        let assigned = self.assigned.get_or_insert_default();
        for element in partitions.elements() {
            if assigned.find_partition(element.topic(), element.partition()).is_none() {
                assigned.add_partition(element.topic(), element.partition());
            }
        }
        let partitions = names(assigned);
        self.ask(Request::Begin {
            partitions,
            stopped: false,
        });
    }

    /// Those of these partitions that are assigned and not read yet. They will not be.
    pub fn take_assigned(&mut self, partitions: &TopicPartitionList) -> TopicPartitionList {
        let (mut taken, mut left) = (TopicPartitionList::new(), TopicPartitionList::new());
        for element in self.assigned.take().unwrap_or_default().elements() {
            let is_one = partitions
                .find_partition(element.topic(), element.partition())
                .is_some();
            let list = if is_one { &mut taken } else { &mut left };
            list.add_partition(element.topic(), element.partition());
        }
        self.assigned = Some(left).filter(|left| left.count() > 0);
        taken
    }

    /// Asks where to go on with partitions that are read: brokers refused to go on with one of them.
    pub fn restart(&mut self, partitions: Vec<Partition>) {
        self.restarting.extend(partitions.iter().cloned());
        self.ask(Request::Begin {
            partitions,
            stopped: true,
        });
    }

    pub fn is_saving(&self) -> bool {
        self.is_saving
    }

    /// Whether offsets may be saved now.
    pub fn may_save(&self, now: Instant) -> bool {
        !self.is_saving
            && self
                .last_save
                .is_none_or(|last| now.duration_since(last) >= self.interval)
    }

    pub fn save(&mut self, offsets: Offsets, now: Instant) {
        self.is_saving = true;
        self.last_save = Some(now);
        self.ask(Request::Save(offsets));
    }

    /// The keeper answered a save.
    pub fn saved(&mut self, offsets: &Offsets) {
        self.is_saving = false;
        for (partition, next) in offsets.iter() {
            self.saved.set(partition.clone(), next);
        }
    }

    /// What the database holds of these partitions.
    pub fn held(&self, partitions: &[Partition]) -> Offsets {
        let held = |partition: &Partition| Some((partition.clone(), self.saved.find(partition)?));
        partitions.iter().filter_map(held).collect()
    }

    /// Somebody else reads these partitions now.
    pub fn forget(&mut self, partitions: Vec<Partition>) {
        self.forget_held(&partitions);
        self.restarting.retain(|restarting| !partitions.contains(restarting));
        self.ask(Request::Forget(partitions));
    }

    /// What was saved of these partitions is of the past.
    pub fn forget_held(&mut self, partitions: &[Partition]) {
        let saved = std::mem::take(&mut self.saved);
        let others = saved.iter().filter(|(partition, _)| !partitions.contains(partition));
        self.saved = others.map(|(partition, next)| (partition.clone(), next)).collect();
    }

    /// The next answer, if there is one.
    pub fn next(&mut self) -> Option<Answer> {
        let early = if self.assigned.is_none() {
            self.deferred.pop_front()
        } else {
            None
        };
        early.or_else(|| self.answers.try_recv().ok())
    }

    /// The next answer within a time. Without a keeper there will be none.
    pub fn next_within(&mut self, timeout: Duration) -> Result<Option<Answer>, Unanswered> {
        match self.answers.recv_timeout(timeout) {
            Ok(answer) => Ok(Some(answer)),
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Unanswered),
        }
    }

    /// Keeps an answer for later.
    pub fn defer(&mut self, answer: Answer) {
        self.deferred.push_back(answer);
    }
}

/// The keeper is gone.
pub(crate) struct Unanswered;

/// The partitions of a list.
pub(crate) fn names(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    elements
        .iter()
        .map(|element| Partition::new(element.topic(), element.partition()))
        .collect()
}
