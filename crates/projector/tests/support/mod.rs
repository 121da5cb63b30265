//! What the tests stand on: real servers, the projector as a real process, and the fold in memory to compare with.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

pub mod hostile;

use std::{
    collections::BTreeSet,
    future::Future,
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use recap_events::{Decoded, decode};
use recap_store::{Batch, BatchBuilder, Store, StoreOptions, Target};
use recap_testing::{KafkaServer, TestLog, port::free_port};
use sqlx::{AssertSqlSafe, PgPool, Row};

/// The tables of a generation, each with the columns that hold no content: what a write was guarded by, and the state's own encoding.
const TABLES: [(&str, &[&str]); 6] = [
    (
        "conversation_summary",
        &["revision", "base_revision", "text_kept", "state", "part_count"],
    ),
    ("tool_call", &[]),
    ("feedback", &[]),
    ("user_profile", &[]),
    ("user_metadata_token", &[]),
    ("agent_profile", &[]),
];

/// A consumer group, its topics and its database, apart from those of every other test.
pub struct Place<'k> {
    pub kafka: &'k KafkaServer,
    pub log: TestLog<'k>,
    pub database_url: String,
}

impl<'k> Place<'k> {
    /// A migrated database, and topics with this many partitions (0: none yet).
    pub async fn new(kafka: &'k KafkaServer, test: &str, database_url: String, partitions: i32) -> Self {
        migrate(&database_url).await;
        let place = Self {
            kafka,
            log: TestLog::named(kafka, test),
            database_url,
        };
        if partitions > 0 {
            place.create_topics(partitions).await;
        }
        place
    }

    /// Creates every topic, also while brokers come and go.
    pub async fn create_topics(&self, partitions: i32) {
        for topic in self.log.topics() {
            let created = || async { self.kafka.topic(&topic, partitions).await.is_ok() };
            assert!(
                eventually(Duration::from_mins(1), created).await,
                "{topic} cannot be created"
            );
        }
    }

    pub fn topic(&self, name: &str) -> String {
        self.log.name(name)
    }

    pub fn dead_letter_topic(&self) -> String {
        self.log.dead_letters()
    }

    pub async fn publish(&self, records: &[recap_generator::Record]) {
        self.log.publish(records).await.unwrap();
    }

    /// Starts a projector as a process, a dynamic member of its group unless told otherwise.
    pub fn projector(&self, more: &[&str]) -> Process {
        let admin = format!("127.0.0.1:{}", free_port().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_recap-projector"));
        if !more.iter().any(|argument| argument.starts_with("--group-instance-id")) {
            command.arg("--group-instance-id=");
        }
        command
            .arg(format!("--admin-addr={admin}"))
            .arg(format!("--database-url={}", self.database_url))
            .arg(format!("--kafka-bootstrap-servers={}", self.kafka.bootstrap()))
            .arg(format!("--topics={}", self.log.topics().join(",")))
            .arg(format!("--consumer-group={}", self.log.group()))
            .arg(format!("--dead-letter-topic={}", self.dead_letter_topic()))
            .args(["--topic-refresh=500ms", "--session-timeout=6s", "--drain-timeout=4s"])
            .args(["--offset-commit-interval=100ms", "--log=warn,recap_projector=info"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Process::start(command, admin)
    }

    pub async fn lag(&self) -> u64 {
        self.log.lag(self.log.group()).await.unwrap()
    }

    /// Waits until every record is committed.
    pub async fn caught_up(&self, limit: Duration) {
        let last = std::sync::atomic::AtomicU64::new(u64::MAX);
        let done = eventually(limit, || async {
            let lag = self.lag().await;
            last.store(lag, std::sync::atomic::Ordering::Relaxed);
            lag == 0
        })
        .await;
        assert!(done, "{} records are not committed after {limit:?}", last.into_inner());
    }

    pub async fn pool(&self) -> PgPool {
        PgPool::connect(&self.database_url).await.unwrap()
    }

    pub async fn count(&self, table: &str) -> i64 {
        let pool = self.pool().await;
        let sql = format!("SELECT count(*) FROM recap_g1.{table}");
        let count = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// Compares every row of every table with the fold of these records; returns how many rows there are.
    pub async fn assert_equals_fold(&self, records: &[recap_generator::Record], reference_url: &str) -> usize {
        write_fold(records, reference_url).await;
        let mut rows = 0;
        for (table, ignored) in TABLES {
            let (found, expected) = (
                dump(&self.database_url, table, ignored).await,
                dump(reference_url, table, ignored).await,
            );
            let missing: Vec<_> = expected.difference(&found).take(3).collect();
            let wrong: Vec<_> = found.difference(&expected).take(3).collect();
            assert!(
                missing.is_empty() && wrong.is_empty(),
                "{table}: {} rows instead of {}\nexpected {missing:#?}\nfound {wrong:#?}",
                found.len(),
                expected.len()
            );
            rows += found.len();
        }
        rows
    }
}

/// A projector process; killed when dropped.
pub struct Process {
    child: Child,
    output: Option<JoinHandle<String>>,
    admin: String,
}

impl Process {
    fn start(mut command: Command, admin: String) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // Shown with the output of a failed test; a full pipe would stop the projector.
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            let _ended = stdout.read_to_string(&mut text);
            let end = text.len().saturating_sub(20_000);
            println!("{}", text.get(end..).unwrap_or(&text));
            text
        });
        Self {
            child,
            output: Some(output),
            admin,
        }
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -s {name} {}", self.child.id()))
            .status()
            .unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Waits for the end.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {limit:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// SIGTERM, and the exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended(Duration::from_secs(30)).await.code()
    }

    /// What it wrote to standard output, once it has ended.
    pub fn output(&mut self) -> String {
        self.output.take().unwrap().join().unwrap()
    }

    /// What `/readyz` says against it, if anything.
    pub async fn not_ready(&self) -> Option<String> {
        let answer = reqwest::get(format!("http://{}/readyz", self.admin)).await.ok()?;
        let ready = answer.status().is_success();
        let text = answer.text().await.ok()?;
        (!ready).then_some(text)
    }

    /// The sum of a metric's series; `None` before it answers, or without one.
    pub async fn metric(&self, name: &str) -> Option<i64> {
        let answer = reqwest::get(format!("http://{}/metrics", self.admin)).await;
        let text = answer.ok()?.text().await.ok()?;
        let series = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
        });
        let values = series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<i64>().ok());
        values.reduce(|sum, value| sum + value)
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.signal("KILL");
        self.ended(Duration::from_secs(10)).await;
    }

    /// Resident set, in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap_or("0 kB");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        if let Some(output) = self.output.take() {
            let _shown = output.join();
        }
    }
}

/// Polls until it is so, or `limit` has passed.
pub async fn eventually<F: Future<Output = bool>>(limit: Duration, mut is_so: impl FnMut() -> F) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if is_so().await {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn migrate(database_url: &str) {
    let store = store(database_url);
    store.migrate().await.unwrap();
    store.close().await;
}

/// What a test uses of the store itself.
pub fn store(database_url: &str) -> Store {
    Store::new(&StoreOptions::new(database_url, "projector-test")).unwrap()
}

/// The valid events of these records, folded in memory alone.
fn fold(records: &[recap_generator::Record]) -> Batch {
    let mut builder = BatchBuilder::default();
    for record in records {
        if let Decoded::Event(event) = decode(Some(&record.value), std::iter::empty()) {
            builder.add(&event);
        }
    }
    builder.build()
}

/// Writes the fold into an empty database, in one transaction by one writer.
async fn write_fold(records: &[recap_generator::Record], database_url: &str) {
    migrate(database_url).await;
    let store = store(database_url);
    let generation = store.live_generation().await.unwrap();
    store.flush(Target::Live(generation), &mut fold(records)).await.unwrap();
    store.close().await;
}

async fn dump(database_url: &str, table: &str, ignored: &[&str]) -> BTreeSet<String> {
    let pool = PgPool::connect(database_url).await.unwrap();
    let minus = ignored
        .iter()
        .fold(String::new(), |minus, column| minus + " - '" + column + "'");
    let sql = format!("SELECT (to_jsonb(t){minus})::text FROM recap_g1.{table} t");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&pool).await.unwrap();
    pool.close().await;
    rows.iter().map(|row| row.get(0)).collect()
}
