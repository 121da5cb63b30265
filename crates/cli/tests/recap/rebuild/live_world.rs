//! Projectors in a world of their own, `recap rebuild` on it, and dashboards that ask meanwhile.

use std::{process::Output, time::Duration};

use anyhow::{Context as _, Result, ensure};
use rdkafka::{
    Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
};
use recap_generator::{Config, Log, Record};
use recap_projector::RunningProjector;
use recap_testing::{
    LIMIT, World,
    clerk::{LocalClerk, Session},
    eventually, metrics,
};
use sqlx::AssertSqlSafe;
use tokio::{process::Child, sync::oneshot};

use crate::{
    RECAP,
    services::{start_projector, start_query_service},
};

const PARTITIONS: i32 = 2;
/// Before the next request when the last one was over the rate limit.
const RATE_LIMIT_PAUSE: Duration = Duration::from_millis(20);

/// A log with disorder, duplicates, revisions and deletions.
pub fn log(seed: u64, events: u64) -> Vec<Record> {
    let config = Config {
        in_flight: 200,
        ..Config::small(seed, events)
    };
    Log::new(config).iter().collect()
}

/// What a process wrote, for messages and assertions.
pub fn output_text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A world with projectors at work in the test's process.
pub struct LiveWorld {
    world: World<'static>,
    partitions: i32,
    projectors: Vec<RunningProjector>,
}

impl LiveWorld {
    pub async fn new(test: &str) -> Result<Self> {
        Self::with_partitions(test, PARTITIONS).await
    }

    /// So many of each topic.
    pub async fn with_partitions(test: &str, partitions: i32) -> Result<Self> {
        Ok(Self {
            world: World::builder(test).partitions(partitions).build().await,
            partitions,
            projectors: Vec::new(),
        })
    }

    /// The first column of the first row.
    pub async fn number(&self, statement: &'static str) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(statement).fetch_one(&self.world.database.pool).await
    }

    /// A connection that locks a table of generation 2 against indexes, but not against rows, until it is dropped.
    pub async fn hold_back_indexes(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        let mut transaction = self.world.database.pool.begin().await?;
        sqlx::raw_sql("LOCK TABLE recap_g2.conversation_summary IN ROW EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }

    /// This test's name of a topic.
    pub fn log_name(&self, topic: &str) -> String {
        self.world.log.name(topic)
    }

    pub async fn publish(&self, records: &[Record]) {
        self.world.publish(records).await;
    }

    /// Publishes in one transaction, which is committed or aborted.
    pub async fn publish_in_transaction(&self, records: &[Record], commit: bool) -> Result<()> {
        Ok(self.world.log.publish_in_transaction(records, commit).await?)
    }

    /// Offsets that the live group has not committed, those without a record included.
    pub async fn lag_of_offsets(&self) -> u64 {
        self.world.lag().await
    }

    /// Until the first projector says that nothing is left to read.
    pub async fn lag_metric_becomes_zero(&self) -> Result<()> {
        let projector = self.projectors.first().context("a projector")?;
        let url = format!("http://{}/metrics", projector.admin_addr());
        let lag = async || {
            let text = reqwest::get(&url).await.ok()?.text().await.ok()?;
            metrics::sum(&text, "recap_projector_lag_records", &[])
        };
        eventually("the lag", LIMIT, lag, |lag| *lag == Some(0)).await;
        Ok(())
    }

    pub async fn start_projector(&mut self, name: &str) -> Result<()> {
        let member = format!("--group-instance-id={name}");
        let projector = start_projector(&self.world, &[&member]).await?;
        self.projectors.push(projector);
        Ok(())
    }

    /// Ends the projectors without letting them leave their group.
    pub fn kill_projectors(&mut self) {
        self.projectors.clear();
    }

    /// Until the live group has committed everything published.
    pub async fn caught_up(&self) {
        self.world.caught_up(LIMIT).await;
    }

    /// Starts `recap rebuild`.
    pub fn spawn_rebuild(&self, flags: &[&str]) -> Result<Child> {
        Ok(self.world.command(RECAP).arg("rebuild").args(flags).spawn()?)
    }

    pub async fn rebuild(&self, flags: &[&str]) -> Output {
        self.recap(&[&["rebuild"], flags].concat()).await
    }

    pub async fn recap(&self, arguments: &[&str]) -> Output {
        self.world.run(RECAP, arguments).await
    }

    /// The number of the live generation.
    pub async fn live(&self) -> i32 {
        self.world.database.live().await.number()
    }

    /// Waits until a rebuild has made the tables of generation 2.
    pub async fn generation_2_is_begun(&self) -> Result<(), sqlx::Error> {
        let rows = async || self.rows_of(2).await;
        eventually("rows of generation 2", LIMIT, rows, Result::is_ok).await?;
        Ok(())
    }

    pub async fn rows_of(&self, generation: i32) -> Result<i64, sqlx::Error> {
        let statement = format!("SELECT count(*) FROM recap_g{generation}.conversation_summary");
        sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&self.world.database.pool)
            .await
    }

    /// The columns of a generation that hold these bytes anywhere.
    pub async fn columns_with(&self, generation: i32, text: &str) -> Result<Vec<String>> {
        let generations = self.world.database.store.generations().await?;
        let found = generations.iter().find(|found| found.id.number() == generation);
        let generation = found.with_context(|| format!("generation {generation}"))?;
        Ok(self.world.database.columns_with(generation.id, text).await)
    }

    /// Deletes a topic and creates it anew.
    pub async fn create_anew(&self, topic: &str) -> Result<()> {
        let kafka = self.world.log.kafka();
        kafka.delete_topic(&self.log_name(topic)).await?;
        Ok(kafka.topic(&self.log_name(topic), self.partitions).await?)
    }

    pub async fn execute(&self, statement: &'static str) -> Result<()> {
        sqlx::raw_sql(statement).execute(&self.world.database.pool).await?;
        Ok(())
    }

    pub async fn some_organization(&self) -> Result<String> {
        let live = self.world.database.live().await;
        let statement = format!("SELECT min(org_id) FROM {}.conversation_summary", live.schema());
        Ok(sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&self.world.database.pool)
            .await?)
    }

    /// Every organization that has a conversation or a profile.
    pub async fn organizations(&self) -> Result<Vec<String>> {
        let schema = self.world.database.live().await.schema();
        let statement =
            format!("SELECT org_id FROM {schema}.conversation_summary UNION SELECT org_id FROM {schema}.user_profile");
        Ok(sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_all(&self.world.database.pool)
            .await?)
    }

    /// The live generation is what these records fold to, in every row of every table.
    pub async fn assert_equals_fold(&self, records: &[Record]) {
        self.world.database.assert_equals_fold(records).await;
    }

    /// The same, as soon as it is so: what is committed of a topic that was created anew may be of the old one.
    pub async fn becomes_equal_to_fold(&self, records: &[Record]) {
        let differing = async || {
            let comparison = self.world.database.compare_with_fold(records).await;
            comparison.missing.len() + comparison.wrong.len()
        };
        eventually("rows that differ from the fold", LIMIT, differing, |rows| *rows == 0).await;
    }

    /// Until a projector has kept how much of a deleted topic only the live generation has.
    pub async fn loss_is_noticed(&self) {
        let gone = async || {
            let gone = sqlx::query_scalar("SELECT COALESCE(sum(gone), 0)::bigint FROM recap.generation_offset");
            gone.fetch_one(&self.world.database.pool).await.unwrap_or(0_i64)
        };
        eventually("offsets that are gone", LIMIT, gone, |gone| *gone > 0).await;
    }

    /// So is this organization, and no other.
    pub async fn assert_organization_alone_equals_fold(&self, org_id: &str, records: &[Record]) -> Result<()> {
        let comparison = self.world.database.compare_with_fold(records).await;
        let wrong: Vec<_> = comparison.missing.iter().chain(&comparison.wrong).collect();
        ensure!(wrong.iter().all(|row| row.org_id != org_id), "{wrong:?}");
        ensure!(!wrong.is_empty(), "other organizations were recomputed too");
        Ok(())
    }

    /// Removes the oldest records of every partition, all but the newest `kept` of the whole log at most.
    pub async fn delete_records_before_those(&self, kept: usize) -> Result<()> {
        let consumer: BaseConsumer = self.world.log.kafka().client().create()?;
        let mut offsets = TopicPartitionList::new();
        for topic in self.world.log.topics() {
            for partition in 0..self.partitions {
                let (low, high) = consumer.fetch_watermarks(&topic, partition, LIMIT)?;
                // Never more than what was published last, which no archive has.
                let before = (high - i64::try_from(kept)?).max(low + i64::from(kept > 0 && high > low));
                let before = if kept == 0 { high } else { before.min(high) };
                offsets.add_partition_offset(&topic, partition, Offset::Offset(before))?;
            }
        }
        let admin: AdminClient<DefaultClientContext> = self.world.log.kafka().client().create()?;
        for result in admin.delete_records(&offsets, &AdminOptions::new()).await?.elements() {
            result.error()?;
        }
        Ok(())
    }

    /// Changes a topic's configuration.
    pub async fn configure(&self, topic: &str, name: &str, value: &str) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.world.log.kafka().client().create()?;
        let topic = self.log_name(topic);
        let change = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set(name, value);
        for result in admin.alter_configs([&change], &AdminOptions::new()).await? {
            result.map_err(|(_, code)| code)?;
        }
        Ok(())
    }

    /// Asks both endpoints in a loop, uncached, until it is stopped.
    pub async fn ask_until_stopped(&self) -> Result<Asking> {
        let clerk = LocalClerk::start().await?;
        let server = start_query_service(&self.world, &clerk).await?;
        let org = self.some_organization().await?;
        let token = clerk.token(&Session::admin(&org, "user_boss"))?;
        let (stop, mut stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let http = reqwest::Client::builder().timeout(LIMIT).build()?;
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
                    tokio::time::sleep(RATE_LIMIT_PAUSE).await;
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
