//! The fault harness: a seeded stream goes through Kafka while projectors, brokers and the database are struck; at the end every row of every
//! table equals the fold in memory, and every invalid event is in the dead letters.
//!
//! `RECAP_FAULT_SEED`, `RECAP_FAULT_EVENTS`, `RECAP_FAULT_ROUNDS` (times every fault strikes), `RECAP_FAULTS` (comma list of the names in [`FAULTS`];
//! default all, mixed), `RECAP_FAULT_LONG` (seconds of a long outage), `RECAP_FAULT_HOSTILE` (share of hostile events), `RECAP_FAULT_TRANSACTIONS` (share of the
//! events published in transactions, some of which are aborted first), `RECAP_FAULT_PROTOCOL`
//! (`classic` or `consumer`; default by the seed, odd or even), `RECAP_FAULT_UNREAD` (seconds that no partition may stand still with records unread; there are no transactions
//! then), `RECAP_FAULT_MAPPED` (topics whose records a mapping makes into events; default `recap.messages,recap.tool-calls`) and `RECAP_FAULT_PROJECTOR` (another build of
//! the projector) choose what happens; `deploy/soak.sh` repeats it with new seeds. A server that is given (`RECAP_TEST_DATABASE_URL`) is struck by whoever
//! gave it: `RECAP_FAULTS` then names others than `postgres-restart` and `postgres-away`, and on a Citus cluster, which takes no triggers, than `sqlstate`.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "projector/hostile_events.rs"]
mod hostile_events;

#[path = "faults/mapped.rs"]
mod mapped;

#[path = "faults/sprinkle.rs"]
mod sprinkle;

#[path = "faults/standstill.rs"]
mod standstill;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use mapped::Mapped;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use recap_generator::{Config, Log, Record};
use recap_testing::{KafkaOptions, KafkaServer, PostgresOptions, PostgresServer, Program, World, eventually};
use sprinkle::sprinkle;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

const PROJECTOR: &str = env!("CARGO_BIN_EXE_recap-projector");
/// Longer than the projectors' session timeout.
const FREEZE: Duration = Duration::from_secs(8);
/// Longer than any outage with what follows it.
const STANDSTILL: Duration = Duration::from_mins(3);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What is raised by a trigger: deadlock, serialization failure, disk full, out of memory, query cancelled, shutdown.
const SQLSTATES: [&str; 6] = ["40P01", "40001", "53100", "53200", "57014", "57P01"];

/// Every fault and the part it strikes.
const FAULTS: [(&str, Part); 16] = [
    ("kill", Part::Projector),
    ("join", Part::Projector),
    ("leave", Part::Projector),
    ("freeze", Part::Projector),
    ("replace", Part::Projector),
    ("postgres-restart", Part::Database),
    ("postgres-away", Part::Database),
    ("cut", Part::Database),
    ("sqlstate", Part::Database),
    ("read-only", Part::Database),
    ("locked", Part::Database),
    ("broker-restart", Part::Broker),
    ("broker-away", Part::Broker),
    ("broker-freeze", Part::Broker),
    ("partitions", Part::Broker),
    ("recreate", Part::Broker),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Projector,
    Database,
    Broker,
}

/// With KIP-848 the broker knows the session timeout, not the member.
const SESSIONS: [(&str, &str); 4] = [
    ("group.consumer.session.timeout.ms", "6000"),
    ("group.consumer.min.session.timeout.ms", "6000"),
    ("group.consumer.heartbeat.interval.ms", "1000"),
    ("group.consumer.min.heartbeat.interval.ms", "1000"),
];

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} cannot be read"))
    })
}

struct Harness<'a> {
    world: World<'a>,
    kafka: &'a KafkaServer,
    postgres: &'a PostgresServer,
    long: Duration,
    protocol: String,
    flush_max_events: String,
    /// Whether members have static ids.
    is_static: bool,
    mappings: TempDir,
    /// Share of the events that are published in transactions.
    transactions: f64,
    struck: Mutex<BTreeMap<&'static str, usize>>,
    planned: usize,
    /// Held while something is published.
    publishing: RwLock<()>,
}

impl Harness<'_> {
    /// The faults of one part in a random order, `rounds` times.
    fn plan(part: Part, seed: u64, rounds: usize) -> Vec<&'static str> {
        let chosen = std::env::var("RECAP_FAULTS").unwrap_or_default();
        let chosen: HashSet<&str> = chosen.split(',').filter(|name| !name.is_empty()).collect();
        let unknown: Vec<_> = chosen
            .iter()
            .filter(|name| FAULTS.iter().all(|(known, _)| known != *name))
            .collect();
        assert!(unknown.is_empty(), "no such fault: {unknown:?}");
        let wanted = FAULTS
            .iter()
            .filter(|(name, of)| *of == part && (chosen.is_empty() || chosen.contains(name)));
        let mut plan: Vec<_> = wanted.map(|(name, _)| *name).collect::<Vec<_>>().repeat(rounds);
        plan.shuffle(&mut StdRng::seed_from_u64(seed ^ part as u64));
        plan
    }

    fn struck(&self, fault: &'static str) {
        let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        *struck.entry(fault).or_default() += 1;
    }

    fn strikes(&self) -> BTreeMap<&'static str, usize> {
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A member of the group.
    fn start(&self, serial: u32) -> (u32, Program) {
        let protocol = format!("--group-protocol={}", self.protocol);
        let member = format!("--group-instance-id=member-{serial}");
        let mappings = format!("--mappings={}", self.mappings.path().display());
        let mut arguments = vec![
            protocol.as_str(),
            &mappings,
            &self.flush_max_events,
            "--dead-letter-max-ratio=1",
            // Hostile times are up to the last that there is.
            "--max-time-ahead=off",
        ];
        if self.is_static {
            arguments.push(&member);
        }
        let program = setting("RECAP_FAULT_PROJECTOR", PROJECTOR.to_owned());
        (serial, self.world.projector(&program, &arguments))
    }

    async fn strike_projectors(&self, plan: Vec<&'static str>, mut random: StdRng) -> Vec<Program> {
        let mut serials = 2..;
        let mut next = || self.start(serials.next().unwrap());
        let mut projectors = vec![self.start(1)];
        for fault in plan {
            self.some_progress(&mut random).await;
            let chosen = random.random_range(0..projectors.len());
            println!("fault: {fault}");
            match fault {
                "kill" => {
                    let (serial, mut killed) = projectors.swap_remove(chosen);
                    killed.kill().await;
                    projectors.push(self.start(serial));
                }
                "join" => projectors.push(next()),
                "leave" => {
                    let code = projectors.swap_remove(chosen).1.stop().await;
                    // None: the signal came before it could listen to signals.
                    assert!(
                        matches!(code, None | Some(0 | 4)),
                        "a projector that was asked to stop ended with {code:?}"
                    );
                    if projectors.is_empty() {
                        projectors.push(next());
                    }
                }
                "replace" => {
                    let (_, mut replaced) = projectors.swap_remove(chosen);
                    projectors.push(next());
                    let code = replaced.stop().await;
                    assert!(
                        matches!(code, None | Some(0 | 4)),
                        "a projector that was replaced ended with {code:?}"
                    );
                }
                "freeze" => {
                    projectors[chosen].1.signal("STOP");
                    tokio::time::sleep(FREEZE).await;
                    projectors[chosen].1.signal("CONT");
                }
                other => unreachable!("{other} has no arm here"),
            }
            self.struck(fault);
        }
        projectors.into_iter().map(|(_, process)| process).collect()
    }

    async fn strike_database(&self, plan: Vec<&'static str>, mut random: StdRng) {
        for fault in plan {
            self.some_progress(&mut random).await;
            println!("fault: {fault}");
            match fault {
                "postgres-restart" => {
                    self.postgres.stop_immediate().await;
                    self.postgres.start_again().await.unwrap();
                }
                "postgres-away" => {
                    self.postgres.stop_fast().await;
                    tokio::time::sleep(self.long).await;
                    self.postgres.start_again().await.unwrap();
                }
                "cut" => self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recap-projector'").await,
                "locked" => self.hold_the_table().await,
                "sqlstate" => self.raise(SQLSTATES[random.random_range(0..SQLSTATES.len())]).await,
                "read-only" => {
                    let writable = "SET default_transaction_read_only = off";
                    let on = "ALTER SYSTEM SET default_transaction_read_only = on";
                    let off = "ALTER SYSTEM RESET default_transaction_read_only";
                    let reload = "SELECT pg_reload_conf()";
                    self.statements(&[writable, on, reload]).await;
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    self.statements(&[writable, off, reload]).await;
                }
                other => unreachable!("{other} has no arm here"),
            }
            self.struck(fault);
        }
    }

    /// No flush gets on for longer than the session timeout.
    async fn hold_the_table(&self) {
        let seconds = FREEZE.as_secs();
        self.sql(&format!(
            "BEGIN; LOCK TABLE recap_g1.conversation_summary; SELECT pg_sleep({seconds}); COMMIT"
        ))
        .await;
    }

    /// For a while one write in some hundred fails in the middle of its transaction.
    async fn raise(&self, sqlstate: &str) {
        println!("SQLSTATE {sqlstate}");
        self.sql(&format!(
            "CREATE OR REPLACE FUNCTION recap_g1.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF random() < 0.003 THEN RAISE EXCEPTION 'struck' USING ERRCODE = '{sqlstate}'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON recap_g1.conversation_summary FOR EACH ROW EXECUTE FUNCTION recap_g1.fail()"
        ))
        .await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        self.sql("DROP TRIGGER fail ON recap_g1.conversation_summary").await;
    }

    async fn sql(&self, sql: &str) {
        self.statements(&[sql]).await;
    }

    /// In one session, each on its own; all again until all are done.
    async fn statements(&self, statements: &[&str]) {
        let run = async || {
            let mut session = PgConnection::connect(&self.world.database.url).await?;
            for sql in statements {
                session.execute(AssertSqlSafe((*sql).to_owned())).await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        let done = eventually(&statements.join("; "), Duration::from_mins(1), run, Result::is_ok).await;
        assert!(done.is_ok(), "never done: {statements:?}");
    }

    async fn strike_broker(&self, plan: Vec<&'static str>, mut random: StdRng) {
        let mut partitions = 2;
        for fault in plan {
            self.some_progress(&mut random).await;
            println!("fault: {fault}");
            match fault {
                "broker-restart" => {
                    self.kafka.kill().await;
                    self.kafka.start_again().await.unwrap();
                }
                "broker-freeze" => {
                    self.kafka.signal("STOP").unwrap();
                    tokio::time::sleep(FREEZE).await;
                    self.kafka.signal("CONT").unwrap();
                }
                "broker-away" => {
                    self.kafka.stop().await;
                    tokio::time::sleep(self.long).await;
                    self.kafka.start_again().await.unwrap();
                }
                "recreate" => self.create_anew(partitions, &mut random).await,
                "partitions" => {
                    partitions += 1;
                    for topic in self.world.log.topics() {
                        let add = async || self.kafka.add_partitions(&topic, partitions).await;
                        let added = eventually(&topic, Duration::from_mins(1), add, Result::is_ok).await;
                        assert!(added.is_ok(), "{topic} never had {partitions} partitions");
                    }
                }
                other => unreachable!("{other} has no arm here"),
            }
            self.struck(fault);
        }
    }

    /// Deletes a topic that is read to its end, and creates it anew. What is not read by then nobody could give back.
    async fn create_anew(&self, partitions: i32, random: &mut StdRng) {
        let _nothing_new = self.publishing.write().await;
        self.caught_up().await;
        let topics = self.world.log.topics();
        let topic = &topics[random.random_range(0..topics.len())];
        self.kafka.delete_topic(topic).await.unwrap();
        let create = async || self.kafka.topic(topic, partitions).await;
        let created = eventually(topic, Duration::from_mins(1), create, Result::is_ok).await;
        assert!(created.is_ok(), "{topic} was never created anew");
    }

    /// Lets the projectors work undisturbed for a moment, or for a few.
    async fn some_progress(&self, random: &mut StdRng) {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..3_000))).await;
    }

    /// Publishes as the faults strike, so that each finds events under way. The topics come when the projector is there already.
    async fn publish(&self, records: &[Record], mut random: StdRng) {
        {
            let _publishing = self.publishing.read().await;
            self.world.create_topics(2).await;
        }
        let step = records.len().div_ceil(self.planned + 1).max(1);
        for (number, slice) in records.chunks(step).enumerate() {
            let strikes = async || self.strikes().values().sum::<usize>();
            eventually("faults", Duration::from_mins(5), strikes, |done| *done >= number).await;
            for slice in slice.chunks(5_000) {
                let _publishing = self.publishing.read().await;
                if random.random_bool(self.transactions) {
                    self.publish_in_transactions(slice, random.random_bool(0.3)).await;
                } else {
                    self.world.publish(slice).await;
                }
            }
        }
    }

    /// In a transaction that is committed in the end, whatever strikes it; perhaps after one that is aborted.
    async fn publish_in_transactions(&self, records: &[Record], abort_first: bool) {
        if abort_first {
            // Struck or aborted, none of it counts.
            let _aborted = self.world.log.publish_in_transaction(records, false).await;
        }
        let commit = async || self.world.log.publish_in_transaction(records, true).await;
        let done = eventually("a transaction", Duration::from_mins(5), commit, Result::is_ok).await;
        assert!(done.is_ok(), "never committed");
    }

    /// Until the database holds everything, by its own word: what the group has committed may be of a topic that was deleted. However much that is,
    /// some of it is always on its way.
    async fn caught_up(&self) {
        let (mut last, mut since) = (None, Instant::now());
        while last != Some(0) {
            let left = self.records_not_held().await;
            if left.is_some() && left != last {
                (last, since) = (left, Instant::now());
            }
            assert!(since.elapsed() < STANDSTILL, "stands still, records not held: {last:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// `None` when the brokers or the database do not answer, for they are struck.
    async fn records_not_held(&self) -> Option<u64> {
        let held = self.world.database.store.holdings().await.ok()?;
        self.world.log.records_not_held(held.offsets).await.ok()
    }
}

/// A server with room for the rows of millions of events, unless one is given.
async fn roomy_postgres() -> PostgresServer {
    let settings = [("shared_buffers", "1GB"), ("max_wal_size", "4GB")];
    let options = PostgresOptions {
        settings: settings.map(|(name, value)| (name.into(), value.into())).to_vec(),
        ..PostgresOptions::default()
    };
    PostgresServer::given_or(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strikes_the_rows_end_as_the_fold_and_no_invalid_event_is_lost() {
    let seed = setting("RECAP_FAULT_SEED", 1_u64);
    let events = setting("RECAP_FAULT_EVENTS", 200_000_u64);
    let rounds = setting("RECAP_FAULT_ROUNDS", 1_usize);
    let long = Duration::from_secs(setting("RECAP_FAULT_LONG", 8_u64));
    let hostile_share = setting("RECAP_FAULT_HOSTILE", 0.01_f64);
    let unread = Duration::from_secs(setting("RECAP_FAULT_UNREAD", 0_u64));
    let by_seed = if seed % 2 == 1 { "classic" } else { "consumer" };
    let protocol = setting("RECAP_FAULT_PROTOCOL", by_seed.to_owned());
    println!("seed {seed}, protocol {protocol}, {events} events, {rounds} rounds");
    let mut records: Vec<Record> = Log::new(Config {
        in_flight: 2_000,
        invalid_share: 0.001,
        ..Config::small(seed, events)
    })
    .iter()
    .collect();
    sprinkle(&mut records, hostile_share, seed);
    let mapped = setting("RECAP_FAULT_MAPPED", "recap.messages,recap.tool-calls".to_owned());
    let mapped = Mapped::of(&mapped);
    let published = mapped.publish(&records);
    let options = KafkaOptions {
        settings: SESSIONS.map(|(name, value)| (name.into(), value.into())).to_vec(),
        ..KafkaOptions::default()
    };
    let (kafka, postgres) = (KafkaServer::start_with(options).await.unwrap(), roomy_postgres().await);
    let world = World::builder("faults")
        .partitions(0)
        .kafka(&kafka)
        .postgres(&postgres)
        .build()
        .await;
    let mappings = mapped.folder(&world);
    let plans = [Part::Projector, Part::Database, Part::Broker].map(|part| Harness::plan(part, seed, rounds));
    let planned = plans.iter().map(Vec::len).sum();
    let harness = Harness {
        world,
        kafka: &kafka,
        postgres: &postgres,
        long,
        is_static: protocol == "classic" && seed % 4 == 3,
        mappings,
        transactions: setting(
            "RECAP_FAULT_TRANSACTIONS",
            if unread > Duration::ZERO { 0.0 } else { 0.2_f64 },
        ),
        protocol,
        // Some hundred flushes, and few enough row versions for millions of events.
        flush_max_events: format!("--flush-max-events={}", (events / 100).clamp(2_000, 20_000)),
        struck: Mutex::default(),
        planned,
        publishing: RwLock::new(()),
    };
    let random = |part: u64| StdRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(part));
    let [projector, database, broker] = plans;
    let started = Instant::now();
    let done = CancellationToken::new();
    let (projectors, longest) = tokio::join!(
        async {
            let (projectors, (), (), ()) = tokio::join!(
                harness.strike_projectors(projector, random(0)),
                harness.strike_database(database, random(1)),
                harness.strike_broker(broker, random(2)),
                harness.publish(&published.records, random(3)),
            );
            println!(
                "{planned} faults and all events published after {:?}",
                started.elapsed()
            );
            harness.caught_up().await;
            done.cancel();
            projectors
        },
        standstill::watch(&harness.world, unread, &done),
    );
    longest.assert_below(unread);
    for mut projector in projectors {
        assert_eq!(projector.stop().await, Some(0));
    }
    let rows = harness.world.database.assert_equals_fold(&records).await;
    let letters = kafka.read_all(&harness.world.log.dead_letters()).await.unwrap();
    let found: HashSet<_> = letters.iter().filter_map(|letter| letter.value.as_deref()).collect();
    let invalid: Vec<_> = records.iter().filter(|record| record.invalid).collect();
    let lost = invalid
        .iter()
        .filter(|record| !found.contains(&record.value[..]))
        .count();
    assert_eq!(lost, 0, "of {} invalid events", invalid.len());
    println!(
        "seed {seed}: protocol {}, faults {:?}, {} events, {rows} rows equal, {} events mapped, {} invalid events in {} dead letters, {:?}",
        harness.protocol,
        harness.strikes(),
        records.len(),
        published.mapped,
        invalid.len(),
        letters.len(),
        started.elapsed()
    );
}
