//! What this member of the group has in hand: the books of its partitions and the records on their way to the workers.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use rdkafka::{Statistics, TopicPartitionList, statistics};
use recap_log::{Offsets, Partition};
use recap_service::clock::unix_millis;
use recap_telemetry::ProjectorMetrics;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    callbacks::ClientEvent,
    client::GroupClient,
    keeper_link::{KeeperLink, names},
};
use crate::{
    Settings,
    books::{Books, BrokerOffsets, durable_offsets::PartitionIndex},
    health::Health,
    intake::{
        Intake, Report,
        chunk::{Chunk, KafkaRecord, ReadingRules},
    },
    progress::Answer,
};

/// How late a hard stop is noticed while waiting for the workers.
const SLICE: Duration = Duration::from_millis(50);
/// How long giving partitions up waits until the database keeps their offsets, once everything is written.
const SAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The partitions of this member, and everything received from them that is not durable yet.
#[derive(Debug)]
pub(crate) struct Membership {
    books: Books,
    intake: Intake,
    reports: mpsc::Receiver<Report>,
    keeper: KeeperLink,
    /// Ends every wait for the workers.
    hard_stop: CancellationToken,
    drain_timeout: Duration,
    metrics: ProjectorMetrics,
    health: Arc<Health>,
    /// Partitions were assigned since all were last paused.
    assigned_since_pause: bool,
}

impl Membership {
    pub fn new(
        settings: &Settings,
        workers: Vec<UnboundedSender<Chunk>>,
        reports: mpsc::Receiver<Report>,
        keeper: KeeperLink,
        hard_stop: CancellationToken,
        metrics: ProjectorMetrics,
        health: Arc<Health>,
    ) -> Self {
        Self {
            books: Books::new(Arc::clone(&settings.topics)),
            intake: Intake::new(ReadingRules::of(settings), workers),
            reports,
            keeper,
            hard_stop,
            drain_timeout: settings.drain_timeout,
            metrics,
            health,
            assigned_since_pause: false,
        }
    }

    /// Takes a record in; `false` when its partition was never assigned.
    pub fn receive(&mut self, record: &impl KafkaRecord) -> bool {
        let Some((topic, partition)) = self.books.locate(record.topic(), record.partition()) else {
            return false;
        };
        let chunk = self.intake.receive(topic, record);
        let produced = record.timestamp().to_millis();
        self.books.received(chunk, partition, record.offset(), produced);
        true
    }

    /// Hands the workers every chunk begun, and takes note of what they reported.
    pub fn exchange(&mut self) {
        self.intake.dispatch_all();
        while let Ok(report) = self.reports.try_recv() {
            self.note(report);
        }
    }

    /// The same, waiting up to `timeout` for a report.
    pub fn exchange_within(&mut self, timeout: Duration) {
        self.intake.dispatch_all();
        if let Ok(report) = self.reports.recv_timeout(timeout) {
            self.note(report);
        }
        self.exchange();
    }

    fn note(&mut self, report: Report) {
        match report {
            Report::Folded(bytes, buffers) => self.intake.folded(bytes, buffers),
            Report::Durable(chunks) => {
                for (chunk, bytes) in chunks {
                    self.intake.durable(bytes);
                    self.books.finish(chunk);
                }
            }
        }
    }

    /// Waits until everything received from these partitions is durable; `false` when `deadline` or a hard stop came first.
    fn drain(&mut self, partitions: &[PartitionIndex], deadline: Instant) -> bool {
        self.exchange();
        while !self.books.are_durable(partitions) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.hard_stop.is_cancelled() {
                return false;
            }
            self.exchange_within(left.min(SLICE));
        }
        true
    }

    /// Waits up to `timeout` until everything received is durable.
    pub fn drain_all(&mut self, timeout: Duration) -> bool {
        let assigned = self.books.assigned();
        self.drain(&assigned, Instant::now() + timeout)
    }

    /// Answers what happened to the member.
    pub fn handle(&mut self, event: ClientEvent, client: &impl GroupClient) {
        match event {
            ClientEvent::Assigned(partitions) => self.assign(&partitions, client),
            ClientEvent::Revoked { partitions, lost } => self.revoke(&partitions, lost, client),
            ClientEvent::Statistics(statistics) => self.measure_lag(&statistics),
        }
    }

    /// Asks where to begin before reading; librdkafka waits for that.
    fn assign(&mut self, partitions: &TopicPartitionList, client: &impl GroupClient) {
        if partitions.count() == 0 {
            self.read(partitions, client);
        } else {
            self.keeper.begin(partitions);
        }
    }

    fn read(&mut self, partitions: &TopicPartitionList, client: &impl GroupClient) {
        self.books.assign(partitions);
        if let Err(error) = client.assign(partitions) {
            tracing::warn!(%error, "assigned partitions cannot be read");
        }
        self.assigned_since_pause = true;
        self.health.assigned(self.books.assigned().len());
        tracing::info!(partitions = partitions.count(), "partitions assigned");
    }

    /// Accepts an assignment that nothing will be read of.
    pub fn abandon_assignment(&mut self, client: &impl GroupClient) {
        if let Some(partitions) = self.keeper.assigned.take()
            && let Err(error) = client.assign(&partitions)
        {
            tracing::debug!(%error, "assigned partitions not accepted");
        }
    }

    fn take_answers(&mut self, client: &impl GroupClient) {
        while let Some(answer) = self.keeper.next() {
            self.answered(answer, client);
        }
    }

    fn answered(&mut self, answer: Answer, client: &impl GroupClient) {
        match answer {
            Answer::Begin(offsets) => self.begin(&offsets, client),
            Answer::Saved(offsets) => self.store_offsets(&offsets, client),
        }
    }

    fn begin(&mut self, offsets: &Offsets, client: &impl GroupClient) {
        let is_answered = |assigned: &mut TopicPartitionList| names(assigned).iter().all(|name| offsets.contains(name));
        if let Some(assigned) = self.keeper.assigned.take_if(is_answered) {
            let next = |name: Partition| offsets.find(&name).map(|next| (name, next));
            let offsets: Offsets = names(&assigned).into_iter().filter_map(next).collect();
            if let Some(list) = to_list(&offsets) {
                self.read(&list, client);
            }
            return;
        }
        if self.keeper.assigned.is_some() {
            // librdkafka would take it for the answer that it waits for.
            return self.keeper.defer(Answer::Begin(offsets.clone()));
        }
        let restarting = &mut self.keeper.restarting;
        let offsets = offsets.iter().filter(|(partition, _)| restarting.remove(partition));
        let offsets: Offsets = offsets.map(|(partition, next)| (partition.clone(), next)).collect();
        let Some(list) = to_list(&offsets).filter(|list| list.count() > 0) else {
            return;
        };
        self.books.assign(&list);
        if let Err(error) = client.restart(&list) {
            tracing::warn!(%error, "partitions cannot be read from other offsets");
        }
        self.assigned_since_pause = true;
        tracing::info!(partitions = list.count(), "partitions are read from other offsets");
    }

    /// Brokers refuse to go on with a partition, and librdkafka does not say which: where to go on is asked of all.
    pub fn go_on_elsewhere(&mut self, client: &impl GroupClient) {
        if !self.keeper.restarting.is_empty() {
            return;
        }
        let assigned = self.books.assigned();
        let drained = self.drain(&assigned, Instant::now() + self.drain_timeout);
        self.save_all(drained, client);
        let partitions = self.names(&assigned);
        self.restart(partitions);
    }

    fn restart(&mut self, partitions: Vec<Partition>) {
        if partitions.is_empty() {
            return;
        }
        let numbers: Vec<_> = partitions
            .iter()
            .filter_map(|partition| self.books.number(&partition.topic, partition.number))
            .collect();
        self.forget(&numbers);
        self.keeper.forget_held(&partitions);
        self.keeper.restart(partitions);
    }

    fn names(&self, partitions: &[PartitionIndex]) -> Vec<Partition> {
        let name = |&partition: &PartitionIndex| {
            let (topic, number) = self.books.name(partition);
            Partition::new(Arc::clone(topic), number)
        };
        partitions.iter().map(name).collect()
    }

    /// Gives everything of these partitions time to become durable, commits, and gives them up.
    fn revoke(&mut self, revoked: &TopicPartitionList, lost: bool, client: &impl GroupClient) {
        let partitions = self.books.numbers(revoked);
        // Partitions that were lost belong to another member by now; waiting would only delay coming back.
        let drained = !lost && self.drain(&partitions, Instant::now() + self.drain_timeout);
        if !lost {
            self.save_all(drained, client);
            self.commit(&partitions, client);
        }
        // librdkafka keeps a partition paused until it is resumed, whoever had it meanwhile: one that comes back would never be read.
        if let Err(error) = client.resume(revoked) {
            tracing::warn!(%error, "revoked partitions not resumed");
        }
        self.forget(&partitions);
        self.keeper.forget(names(revoked));
        // librdkafka gives up only what it was told to read.
        let unread = self.keeper.take_assigned(revoked);
        if unread.count() > 0
            && let Err(error) = client.assign(&unread)
        {
            tracing::warn!(%error, "revoked partitions not accepted");
        }
        if let Err(error) = client.unassign(revoked) {
            tracing::warn!(%error, "revoked partitions not given up");
        }
        self.health.assigned(self.books.assigned().len());
        tracing::info!(partitions = revoked.count(), lost, drained, "partitions revoked");
    }

    fn forget(&mut self, partitions: &[PartitionIndex]) {
        for &partition in partitions {
            let (topic, number) = self.books.name(partition);
            self.metrics.lags.remove(topic, number);
        }
        self.books.revoke(partitions);
    }

    /// Forgets every partition, and hands over what was begun: it may as well be written.
    pub fn forget_all(&mut self) {
        self.intake.dispatch_all();
        let assigned = self.books.assigned();
        self.keeper.assigned = None;
        self.keeper.forget(self.names(&assigned));
        self.forget(&assigned);
    }

    fn measure_lag(&self, statistics: &Statistics) {
        for index in self.books.assigned() {
            let (topic, number) = self.books.name(index);
            let topics = statistics.topics.get(&**topic);
            let Some(partition) = topics
                .and_then(|topic| topic.partitions.get(&number))
                .filter(|partition| partition.hi_offset >= 0)
            else {
                continue;
            };
            let broker = broker_offsets(partition);
            self.metrics
                .lags
                .set(topic, number, self.books.lag(index, broker, unix_millis()));
        }
    }

    /// Has the positions that moved kept in the database, a save at a time.
    pub fn save_offsets(&mut self, client: &impl GroupClient) {
        self.take_answers(client);
        let now = Instant::now();
        if self.keeper.may_save(now)
            && let Some(offsets) = self.books.take_advanced()
        {
            self.keeper.save(offsets, now);
        }
    }

    /// Has every position kept in the database, and waits for that if everything received is written.
    fn save_all(&mut self, drained: bool, client: &impl GroupClient) {
        let timeout = if drained { SAVE_TIMEOUT } else { Duration::ZERO };
        let deadline = Instant::now() + timeout;
        loop {
            if !self.keeper.is_saving() {
                match self.books.take_advanced() {
                    Some(offsets) => self.keeper.save(offsets, Instant::now()),
                    None => return,
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.hard_stop.is_cancelled() {
                return;
            }
            match self.keeper.next_within(left.min(SLICE)) {
                Ok(Some(Answer::Saved(offsets))) => self.store_offsets(&offsets, client),
                // In the middle of a rebalance librdkafka would take it for an answer.
                Ok(Some(other)) => self.keeper.defer(other),
                Ok(None) => {}
                Err(_gone) => return,
            }
        }
    }

    /// Leaves offsets that are kept in the database to the client, which commits them. (An asynchronous commit of our own would fail unnoticed
    /// during a rebalance: rust-rdkafka never calls back for it.)
    fn store_offsets(&mut self, offsets: &Offsets, client: &impl GroupClient) {
        let assigned = offsets.iter();
        let assigned = assigned.filter(|(partition, _)| self.is_assigned(&partition.topic, partition.number));
        let assigned: Offsets = assigned.map(|(partition, next)| (partition.clone(), next)).collect();
        self.keeper.saved(&assigned);
        if let Some(list) = to_list(&assigned).filter(|list| list.count() > 0)
            && let Err(error) = client.store_offsets(&list)
        {
            tracing::warn!(%error, "offsets not committed yet");
            self.books.commit_failed(&list);
        }
    }

    /// Commits every position, so that the broker knows it before the group is left.
    pub fn commit_all(&mut self, drained: bool, client: &impl GroupClient) {
        self.save_all(drained, client);
        let assigned = self.books.assigned();
        self.commit(&assigned, client);
    }

    fn commit(&mut self, partitions: &[PartitionIndex], client: &impl GroupClient) {
        let held = self.keeper.held(&self.names(partitions));
        if let Some(list) = to_list(&held).filter(|list| list.count() > 0)
            && let Err(error) = client.commit(&list)
        {
            tracing::warn!(%error, "offsets not committed yet");
            self.books.commit_failed(&list);
        }
    }

    /// Whether this partition is assigned now.
    pub fn is_assigned(&self, topic: &str, partition: i32) -> bool {
        self.books.is_assigned(topic, partition)
    }

    /// Every assigned partition, for pausing and resuming.
    pub fn assignment(&self) -> TopicPartitionList {
        self.books.assignment()
    }

    /// Whether partitions were assigned since the last call: a pause does not cover them.
    pub fn take_assigned_since_pause(&mut self) -> bool {
        std::mem::take(&mut self.assigned_since_pause)
    }

    /// Bytes received and not folded yet.
    pub fn unfolded_bytes(&self) -> usize {
        self.intake.unfolded_bytes()
    }

    /// Bytes of the records handed over and not durable yet.
    pub fn unwritten_bytes(&self) -> usize {
        self.intake.unwritten_bytes()
    }

    /// Whether waiting for the workers is to end.
    pub fn is_stopped_hard(&self) -> bool {
        self.hard_stop.is_cancelled()
    }

    /// Exports what was received since the last call.
    pub fn report(&mut self, group: &Arc<str>) {
        self.metrics.intake_bytes.set(self.intake.unfolded_bytes());
        for (topic, records) in self.intake.take_received() {
            self.metrics.consumed(topic, group, records);
        }
    }
}

/// What the client's figures say of a partition. They are a second old at most, which is good enough to be looked at and no reason to commit.
fn broker_offsets(partition: &statistics::Partition) -> BrokerOffsets {
    let end = match partition.ls_offset {
        stable if stable >= 0 => stable,
        _ => partition.hi_offset,
    };
    BrokerOffsets {
        low: partition.lo_offset,
        end,
        read_to_end: partition.eof_offset == end && partition.next_offset == end && partition.fetchq_cnt == 0,
        committed: partition.committed_offset,
    }
}

fn to_list(offsets: &Offsets) -> Option<TopicPartitionList> {
    let list = offsets.to_list();
    list.inspect_err(|error| tracing::warn!(%error, "offsets that librdkafka does not take"))
        .ok()
}
