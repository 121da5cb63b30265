//! One test's topics, database, projectors, query service and `recap` processes, on the shared servers.

use std::{
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Parser;
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
};
use recap_events::{Decoded, decode};
use recap_generator::{Config, Log, Record};
use recap_projector::{Projector, ProjectorArgs, RunningProjector};
use recap_query::config::ClerkConfig;
use recap_store::{Batch, BatchBuilder, Difference, Store, StoreOptions, Target};
use recap_telemetry::MetricsRegistry;
use recap_testing::{
    KafkaServer, PostgresServer, TestLog,
    clerk::{LocalClerk, Session},
};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
};

/// How long anything may take; only a failure waits that long.
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(20);
const PARTITIONS: i32 = 2;

/// A log with disorder, duplicates, revisions and deletions.
pub fn log(seed: u64, events: u64) -> Vec<Record> {
    let config = Config {
        in_flight: 200,
        ..Config::small(seed, events)
    };
    Log::new(config).iter().collect()
}

/// What a process wrote, for messages and assertions.
pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub struct World {
    kafka: &'static KafkaServer,
    log: TestLog<'static>,
    database_url: String,
    pool: PgPool,
    projectors: Vec<RunningProjector>,
}

/// A projector's flags, as its binary reads them.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: ProjectorArgs,
}

impl World {
    pub async fn new(test: &str) -> Result<Self> {
        let kafka = KafkaServer::shared().await?;
        let log = TestLog::create(kafka, test, PARTITIONS).await?;
        let database_url = PostgresServer::shared().await?.create_database().await?;
        let pool = PgPool::connect(&database_url).await?;
        store(&database_url)?.migrate().await?;
        Ok(Self {
            kafka,
            log,
            database_url,
            pool,
            projectors: Vec::new(),
        })
    }

    pub fn topic(&self, name: &str) -> String {
        self.log.name(name)
    }

    fn topics(&self) -> Vec<String> {
        self.log.topics()
    }

    pub async fn publish(&self, records: &[Record]) -> Result<()> {
        Ok(self.log.publish(records).await?)
    }

    pub async fn start_projector(&mut self, name: &str) -> Result<()> {
        let flags = Flags::try_parse_from([
            "recap-projector".to_owned(),
            format!("--database-url={}", self.database_url),
            format!("--kafka-bootstrap-servers={}", self.kafka.bootstrap()),
            format!("--topics={}", self.topics().join(",")),
            format!("--dead-letter-topic={}", self.log.dead_letters()),
            format!("--consumer-group={}", self.log.group()),
            format!("--group-instance-id={name}"),
            "--session-timeout=6s".to_owned(),
            "--drain-timeout=4s".to_owned(),
            "--offset-commit-interval=50ms".to_owned(),
            "--admin-addr=127.0.0.1:0".to_owned(),
            "--workers=2".to_owned(),
        ])?;
        let settings = flags.config.settings()?;
        let projector = Projector::start(settings, &MetricsRegistry::new()?).await?;
        self.projectors.push(projector);
        Ok(())
    }

    /// Ends the projectors without any leave-taking.
    pub fn kill_projectors(&mut self) {
        self.projectors.clear();
    }

    /// Until the live group has committed everything published.
    pub async fn level(&self) -> Result<()> {
        self.until("the projector is level", async || {
            Ok(self.log.lag(self.log.group()).await? == 0)
        })
        .await
    }

    pub async fn until(&self, what: &str, is_so: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let start = Instant::now();
        while !is_so().await? {
            ensure!(start.elapsed() < PATIENCE, "waited in vain: {what}");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Starts `recap rebuild`.
    pub fn spawn_rebuild(&self, flags: &[&str]) -> Result<Child> {
        let mut command = self.command();
        command.arg("rebuild").args(flags);
        Ok(command.spawn()?)
    }

    pub async fn rebuild(&self, flags: &[&str]) -> Result<Output> {
        self.recap(&[&["rebuild"], flags].concat()).await
    }

    pub async fn recap(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(arguments);
        Ok(tokio::time::timeout(PATIENCE, command.output()).await??)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recap"));
        command
            .env("DATABASE_URL", &self.database_url)
            .env("KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap())
            .env("RECAP_TOPICS", self.topics().join(","))
            .env("RECAP_CONSUMER_GROUP", self.log.group())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub async fn live(&self) -> Result<i32> {
        Ok(store(&self.database_url)?.live_generation().await?.number())
    }

    pub async fn rows_of(&self, generation: i32) -> Result<i64> {
        let statement = format!("SELECT count(*) FROM recap_g{generation}.conversation_summary");
        Ok(sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&self.pool)
            .await?)
    }

    pub async fn execute(&self, statement: &'static str) -> Result<()> {
        sqlx::raw_sql(statement).execute(&self.pool).await?;
        Ok(())
    }

    pub async fn some_organization(&self) -> Result<String> {
        let live = store(&self.database_url)?.live_generation().await?;
        let statement = format!("SELECT min(org_id) FROM {}.conversation_summary", live.schema());
        Ok(sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&self.pool)
            .await?)
    }

    /// Removes the oldest records of every partition, all but the newest `kept` of the whole log at most.
    pub async fn delete_records_before_those(&self, kept: usize) -> Result<()> {
        let consumer: BaseConsumer = self.kafka.client().create()?;
        let mut offsets = TopicPartitionList::new();
        for topic in self.topics() {
            for partition in 0..PARTITIONS {
                let (low, high) = consumer.fetch_watermarks(&topic, partition, PATIENCE)?;
                // Never more than what was published last, which no archive has.
                let before = (high - i64::try_from(kept)?).max(low + i64::from(kept > 0 && high > low));
                let before = if kept == 0 { high } else { before.min(high) };
                offsets.add_partition_offset(&topic, partition, Offset::Offset(before))?;
            }
        }
        let admin: AdminClient<DefaultClientContext> = self.kafka.client().create()?;
        for result in admin.delete_records(&offsets, &AdminOptions::new()).await?.elements() {
            result.error()?;
        }
        Ok(())
    }

    /// Changes a topic's configuration.
    pub async fn configure(&self, topic: &str, name: &str, value: &str) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.kafka.client().create()?;
        let topic = self.topic(topic);
        let change = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set(name, value);
        for result in admin.alter_configs([&change], &AdminOptions::new()).await? {
            result.map_err(|(_, code)| code)?;
        }
        Ok(())
    }

    /// What is live is what these records fold to, in every compared column of every table.
    pub async fn assert_is_fold_of(&self, records: &[Record]) -> Result<()> {
        let differences = self.differences(records).await?;
        ensure!(
            differences.is_empty(),
            "{} rows differ from the fold: {:?}",
            differences.len(),
            &differences[..differences.len().min(5)]
        );
        Ok(())
    }

    pub async fn assert_organization_is_fold_of(&self, org_id: &str, records: &[Record]) -> Result<()> {
        let differences = self.differences(records).await?;
        ensure!(
            differences.iter().all(|difference| difference.org_id != org_id),
            "{differences:?}"
        );
        ensure!(!differences.is_empty(), "other organizations were recomputed too");
        Ok(())
    }

    async fn differences(&self, records: &[Record]) -> Result<Vec<Difference>> {
        let store = store(&self.database_url)?;
        let live = store.live_generation().await?;
        let reference = store.create_generation().await?;
        store.flush(Target::Building(reference), &mut fold(records)).await?;
        let comparison = store.compare(live, reference).await?;
        let organizations = comparison.organizations().await?;
        let differences = comparison.rows(&organizations, 1_000).await?;
        store.discard_generation(reference).await?;
        store.close().await;
        Ok(differences)
    }

    /// Asks both endpoints in a loop, uncached, until told to stop.
    pub async fn ask_all_along(&self) -> Result<Asking> {
        let clerk = LocalClerk::start().await?;
        let keys = ClerkConfig::fetched(clerk.issuer(), clerk.jwks_url());
        let config = recap_query::Config::local(&self.database_url, keys);
        let server = recap_query::serve(config, MetricsRegistry::new()?).await?;
        let org = self.some_organization().await?;
        let token = clerk.token(&Session::admin(&org, "user_boss"))?;
        let (stop, mut stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
            let (mut asked, mut failed) = (0_u64, Vec::new());
            while stopped.try_recv().is_err() {
                asked += 1;
                let path = if asked.is_multiple_of(2) {
                    "getStats"
                } else {
                    "getInteractions"
                };
                let limit = if asked.is_multiple_of(2) { "" } else { "&limit=20" };
                // Another range each time: no answer comes from the cache.
                let url = format!(
                    "http://{}/api/dashboard/{path}?from=1970-01-01T00:00:00Z&to=2100-01-01T00:{:02}:{:02}Z&allInOrg=true{limit}",
                    server.addr,
                    asked / 60 % 60,
                    asked % 60
                );
                let answer = http.get(url).bearer_auth(&token).send().await?;
                let status = answer.status();
                let body = answer.text().await?;
                if status == reqwest::StatusCode::TOO_MANY_REQUESTS {
                    tokio::time::sleep(POLL).await;
                } else if !status.is_success() {
                    failed.push(format!("{status}: {body}"));
                }
            }
            drop((clerk, server));
            Ok((asked, failed))
        });
        Ok(Asking { stop, task })
    }
}

type Asked = (u64, Vec<String>);

pub struct Asking {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<Asked>>,
}

impl Asking {
    /// How many requests were made, and what those that failed got.
    pub async fn stop(self) -> Result<Asked> {
        // Gone when the requests ended early; the task says why.
        let _ended = self.stop.send(());
        self.task.await?
    }
}

fn store(database_url: &str) -> Result<Store> {
    Ok(Store::new(&StoreOptions::new(database_url, "rebuild-test"))?)
}

fn fold(records: &[Record]) -> Batch {
    let mut builder = BatchBuilder::default();
    for record in records {
        if let Decoded::Event(event) = decode(Some(&record.value), std::iter::empty()) {
            builder.add(&event);
        }
    }
    builder.build()
}
