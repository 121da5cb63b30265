//! The consumer without a broker: membership, offsets, draining, joining again.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use rdkafka::{
    TopicPartitionList,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::OwnedMessage,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{callbacks::ClientEvent, keeper_link::KeeperLink, *};
use crate::{
    books::durable_offsets::ChunkId,
    intake::{
        Report,
        chunk::{Buffers, Chunk},
    },
    progress::{Answer, Request},
    tests,
};

const TOPIC: &str = "recap.messages";
const LIMIT: Duration = Duration::from_secs(10);

/// A Kafka that does what a test scripts, and writes down what it is asked.
#[derive(Default)]
struct Script {
    polls: VecDeque<KafkaResult<OwnedMessage>>,
    events: Vec<ClientEvent>,
    commits_fail: bool,
    calls: Vec<String>,
}

#[derive(Clone, Default)]
struct ScriptedClient(Arc<Mutex<Script>>);

impl ScriptedClient {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    fn call(&self, name: &str, partitions: &TopicPartitionList) {
        let named =
            |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match element.offset().to_raw() {
                Some(offset) if offset >= 0 => format!("{}@{offset}", element.partition()),
                _ => element.partition().to_string(),
            };
        let partitions: Vec<_> = partitions.elements().iter().map(named).collect();
        self.script().calls.push(format!("{name} {}", partitions.join(",")));
    }

    fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.script().calls)
    }
}

impl GroupClient for ScriptedClient {
    type Record<'a> = OwnedMessage;

    fn poll(&self, _timeout: Duration) -> Option<KafkaResult<OwnedMessage>> {
        self.script().polls.pop_front()
    }

    fn take_events(&self) -> Vec<ClientEvent> {
        std::mem::take(&mut self.script().events)
    }

    fn subscribe(&self, topics: &[&str]) -> KafkaResult<()> {
        self.script().calls.push(format!("subscribe {}", topics.len()));
        Ok(())
    }

    fn unsubscribe(&self) {
        self.script().calls.push("unsubscribe".to_owned());
    }

    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.call("assign", partitions);
        Ok(())
    }

    fn restart(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.call("restart", partitions);
        Ok(())
    }

    fn unassign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.call("unassign", partitions);
        Ok(())
    }

    fn pause(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.call("pause", partitions);
        Ok(())
    }

    fn resume(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.call("resume", partitions);
        Ok(())
    }

    fn store_offsets(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        self.call("store", offsets);
        Ok(())
    }

    fn commit(&self, offsets: &TopicPartitionList) -> KafkaResult<()> {
        self.call("commit", offsets);
        if self.script().commits_fail {
            return Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::RebalanceInProgress));
        }
        Ok(())
    }
}

/// A consumer with one worker, which the test plays.
struct Setting {
    thread: ConsumerThread<ScriptedClient>,
    client: ScriptedClient,
    chunks: UnboundedReceiver<Chunk>,
    reports: mpsc::Sender<Report>,
    rejoin: mpsc::Sender<RejoinTarget>,
    stop: CancellationToken,
    hard_stop: CancellationToken,
}

impl Setting {
    fn new(arguments: &[&str]) -> Self {
        let settings = Arc::new(tests::settings(
            &[&["--offset-commit-interval=10ms"], arguments].concat(),
        ));
        let (metrics, health) = (tests::metrics(), tests::health(&settings));
        let (input, chunks) = unbounded_channel();
        let (reports, received) = mpsc::channel();
        let (rejoin, rejoin_requests) = mpsc::channel();
        let (stop, hard_stop) = (CancellationToken::new(), CancellationToken::new());
        let (requests, asked) = unbounded_channel();
        let (answers, answered) = mpsc::channel();
        std::thread::spawn(move || keep(asked, &answers));
        let membership = Membership::new(
            &settings,
            vec![input],
            received,
            KeeperLink::new(requests, answered, settings.commit_interval),
            hard_stop.clone(),
            metrics.clone(),
            Arc::clone(&health),
        );
        let client = ScriptedClient::default();
        let again = client.clone();
        let thread = ConsumerThread {
            client: client.clone(),
            // The same script: a test sees what both clients were asked.
            join: Box::new(move || Ok(again.clone())),
            state: State::Polling,
            membership,
            errors: ErrorLog::new(metrics.clone(), Arc::clone(&health)),
            metrics,
            health,
            settings,
            rejoin_requests,
            stop: stop.clone(),
            fenced_at: None,
        };
        Self {
            thread,
            client,
            chunks,
            reports,
            rejoin,
            stop,
            hard_stop,
        }
    }

    fn assigned(self, partitions: &[i32]) -> Self {
        self.client
            .script()
            .events
            .push(ClientEvent::Assigned(list(partitions)));
        let mut setting = self;
        setting.until("assign");
        setting.client.take_calls();
        setting
    }

    /// Rounds until the client's last call begins so; answers every call.
    fn until(&mut self, last: &str) -> Vec<String> {
        let started = Instant::now();
        loop {
            self.round();
            let script = self.client.script();
            if script.calls.last().is_some_and(|call| call.starts_with(last)) {
                return script.calls.clone();
            }
            assert!(started.elapsed() < LIMIT, "{last} did not come: {:?}", script.calls);
        }
    }

    fn receive(&mut self, offsets: std::ops::Range<i64>) {
        for offset in offsets {
            let record = tests::record(TOPIC, offset, "c");
            self.client.script().polls.push_back(Ok(record));
        }
        self.round();
    }

    fn revoke(&mut self, partitions: &[i32], lost: bool) {
        let partitions = list(partitions);
        self.client
            .script()
            .events
            .push(ClientEvent::Revoked { partitions, lost });
        self.round();
    }

    fn round(&mut self) {
        assert!(self.thread.round().unwrap().is_none(), "the consumer goes on");
    }

    /// The worker finishes the next chunk.
    fn finish_chunk(&mut self) {
        let chunk = self.chunks.try_recv().unwrap();
        finish(&self.reports, chunk);
    }
}

/// A database that keeps every offset at once, and holds nothing of partitions that are assigned.
fn keep(mut asked: UnboundedReceiver<Request>, answers: &mpsc::Sender<Answer>) {
    while let Some(request) = asked.blocking_recv() {
        let answer = match request {
            Request::Begin { partitions, .. } => Answer::Begin(partitions.into_iter().map(|name| (name, 4)).collect()),
            Request::Save(offsets) => Answer::Saved(offsets),
            Request::Forget(_) => continue,
        };
        if answers.send(answer).is_err() {
            return;
        }
    }
}

fn finish(reports: &mpsc::Sender<Report>, chunk: Chunk) {
    let (id, bytes): (ChunkId, usize) = (chunk.id, chunk.bytes());
    reports.send(Report::Folded(bytes, Buffers::from(chunk))).unwrap();
    reports.send(Report::Durable(vec![(id, bytes)])).unwrap();
}

fn list(partitions: &[i32]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(TOPIC, *partition);
    }
    list
}

#[test]
fn an_assignment_is_read_from_where_the_database_ends_and_records_of_other_partitions_are_not_received() {
    let mut setting = Setting::new(&[]);
    setting.receive(0..3);
    assert!(setting.chunks.try_recv().is_err(), "nothing is assigned");
    setting
        .client
        .script()
        .events
        .push(ClientEvent::Assigned(list(&[0, 1])));
    assert_eq!(setting.until("assign"), ["assign 0@4,1@4"]);
    setting.receive(3..6);
    assert_eq!(setting.chunks.try_recv().unwrap().records.len(), 3);
}

#[test]
fn offsets_move_once_what_is_before_them_is_durable_and_kept_in_the_database() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    setting.receive(5..8);
    assert_eq!(setting.until("store"), ["store 0@5"], "the first record is not durable");
    setting.client.take_calls();
    setting.finish_chunk();
    assert_eq!(setting.until("store"), ["store 0@8"]);
    setting.client.take_calls();
    setting.round();
    assert_eq!(setting.client.take_calls(), [""; 0], "and are stored once");
}

#[test]
fn a_revoked_partition_is_drained_and_committed_before_it_is_given_up() {
    let mut setting = Setting::new(&[]).assigned(&[0, 1]);
    setting.receive(5..8);
    setting.until("store");
    setting.client.take_calls();
    setting.finish_chunk();
    setting.revoke(&[0], false);
    let calls = setting.client.take_calls();
    assert_eq!(calls, ["store 0@8", "commit 0@8", "resume 0", "unassign 0"]);
    assert_eq!(setting.thread.membership.assignment(), list(&[1]));
}

#[test]
fn a_revoked_partition_that_does_not_drain_in_time_keeps_its_position() {
    let mut setting = Setting::new(&["--drain-timeout=100ms"]).assigned(&[0]);
    setting.receive(5..8);
    setting.until("store");
    setting.client.take_calls();
    setting.revoke(&[0], false);
    assert_eq!(setting.client.take_calls(), ["commit 0@5", "resume 0", "unassign 0"]);
    setting.finish_chunk();
    setting.round();
    assert_eq!(
        setting.client.take_calls(),
        [""; 0],
        "what finishes later moves nothing"
    );
}

#[test]
fn a_lost_partition_is_given_up_at_once_and_not_committed() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    setting.receive(5..8);
    setting.until("store");
    setting.client.take_calls();
    setting.revoke(&[0], true);
    assert_eq!(setting.client.take_calls(), ["resume 0", "unassign 0"]);
}

#[test]
fn a_partition_that_brokers_refuse_to_go_on_with_is_read_from_elsewhere_once_all_is_written() {
    let mut setting = Setting::new(&["--drain-timeout=10s"]).assigned(&[0, 1]);
    setting.receive(5..8);
    setting.until("store");
    setting.client.take_calls();
    setting.finish_chunk();
    let refused = KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset);
    setting.client.script().polls.push_back(Err(refused));
    assert_eq!(setting.until("restart"), ["store 0@8", "restart 0@4,1@4"]);
}

#[test]
fn positions_of_a_failed_commit_are_stored_again() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    setting.receive(5..6);
    setting.finish_chunk();
    setting.until("store 0@6");
    setting.client.take_calls();
    setting.client.script().commits_fail = true;
    setting.thread.membership.commit_all(true, &setting.client);
    assert_eq!(setting.until("store"), ["commit 0@6", "store 0@6"]);
}

#[test]
fn a_stop_waits_for_the_worker_and_commits() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    setting.receive(5..8);
    setting.until("store");
    setting.client.take_calls();
    setting.stop.cancel();
    let chunk = setting.chunks.try_recv().unwrap();
    let reports = setting.reports.clone();
    let worker = std::thread::spawn(move || finish(&reports, chunk));
    let mut result = None;
    setting.thread.run(|ended| result = Some(ended));
    worker.join().unwrap();
    assert!(matches!(result, Some(Ok(()))));
    assert_eq!(setting.client.take_calls(), ["pause 0", "store 0@8", "commit 0@8"]);
}

#[test]
fn what_the_group_assigns_before_it_is_known_where_to_begin_is_read_too() {
    let mut setting = Setting::new(&[]);
    for partitions in [[0], [1]] {
        let event = ClientEvent::Assigned(list(&partitions));
        setting.thread.membership.handle(event, &setting.client);
    }
    assert_eq!(setting.until("assign"), ["assign 0@4,1@4"]);
    assert_eq!(setting.thread.membership.assignment(), list(&[0, 1]));
}

#[test]
fn a_partition_that_is_revoked_before_it_is_known_where_to_begin_is_accepted_and_given_up() {
    let mut setting = Setting::new(&[]);
    let (assigned, partitions) = (list(&[0, 1]), list(&[0]));
    for event in [
        ClientEvent::Assigned(assigned),
        ClientEvent::Revoked {
            partitions,
            lost: false,
        },
    ] {
        setting.thread.membership.handle(event, &setting.client);
    }
    let calls = setting.client.take_calls();
    assert_eq!(calls, ["resume 0", "assign 0", "unassign 0"]);
    assert_eq!(setting.until("assign"), ["assign 1@4"]);
    assert_eq!(setting.thread.membership.assignment(), list(&[1]));
}

#[test]
fn a_stop_before_it_is_known_where_to_begin_accepts_the_assignment_and_reads_nothing() {
    let mut setting = Setting::new(&[]);
    setting.stop.cancel();
    setting
        .thread
        .membership
        .handle(ClientEvent::Assigned(list(&[0])), &setting.client);
    let mut result = None;
    setting.thread.run(|ended| result = Some(ended));
    assert!(matches!(result, Some(Ok(()))));
    assert_eq!(setting.client.take_calls(), ["assign 0", "pause "]);
}

#[test]
fn a_hard_stop_says_what_is_not_written() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    setting.receive(5..8);
    setting.until("store");
    setting.client.take_calls();
    setting.stop.cancel();
    setting.hard_stop.cancel();
    let mut result = None;
    setting.thread.run(|ended| result = Some(ended));
    let Some(Err(ConsumerError::DrainTimedOut { bytes })) = result else {
        panic!("{result:?}");
    };
    assert!(bytes > 0);
    assert_eq!(setting.client.take_calls(), ["pause 0", "commit 0@5"]);
}

#[test]
fn only_the_owner_joins_again_when_partitions_go_unread() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    let owner_of = |partition| RejoinTarget::OwnerOf((TOPIC.into(), partition));
    setting.rejoin.send(owner_of(1)).unwrap();
    setting.round();
    assert_eq!(setting.client.take_calls(), [""; 0]);
    setting.rejoin.send(owner_of(0)).unwrap();
    setting.round();
    assert_eq!(setting.client.take_calls(), ["unsubscribe", "subscribe 6"]);
}

#[test]
fn a_fenced_member_joins_again_once_within_a_session() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    let fenced = || Err(KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId));
    setting.receive(5..6);
    setting.until("store");
    setting.client.take_calls();
    setting.client.script().polls.extend([fenced(), fenced()]);
    let mut result = None;
    setting.thread.run(|ended| result = Some(ended));
    assert!(
        matches!(result, Some(Err(ConsumerError::Fatal(_)))),
        "the second time another member has its id"
    );
    assert_eq!(
        setting.client.take_calls(),
        [""; 0],
        "nothing of the first membership is committed"
    );
}

#[test]
fn a_client_that_has_forgotten_every_broker_is_replaced_as_often_as_that_happens() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    let joined = Arc::new(AtomicUsize::new(0));
    let (counted, again) = (Arc::clone(&joined), setting.client.clone());
    setting.thread.join = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(again.clone())
    });
    for times in 1..3 {
        let no_broker = ClientEvent::Statistics(Box::default());
        setting.client.script().events.push(no_broker);
        let error = setting.thread.round().unwrap_err();
        assert!(matches!(error, ConsumerError::BrokersForgotten) && setting.thread.may_rejoin(&error));
        setting.thread = setting.thread.rejoin(&error).unwrap();
        assert_eq!(joined.load(Ordering::Relaxed), times);
    }
}

#[test]
fn errors_that_pass_are_outlived() {
    let mut setting = Setting::new(&[]).assigned(&[0]);
    let passing = KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown);
    setting.client.script().polls.push_back(Err(passing));
    setting.receive(0..1);
    assert_eq!(setting.chunks.try_recv().unwrap().records.len(), 1);
}
