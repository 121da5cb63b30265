//! `recap dead-letters` beside a living projector: found by reason, type and time, shown whole, replayed to where they came from.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use chrono::{SecondsFormat, Utc};
use clap::Parser;
use recap_projector::{Projector, ProjectorArgs, RunningProjector};
use recap_telemetry::MetricsRegistry;
use recap_testing::{KafkaServer, PostgresServer, RawRecord, Record, kafka::unique_prefix};
use serde_json::Value;
use sqlx::{Executor as _, PgPool};
use tokio::process::Command;

/// How long anything may take; only a failure waits that long.
const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);

/// A projector's flags, as its binary reads them.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: ProjectorArgs,
}

struct World {
    kafka: &'static KafkaServer,
    prefix: String,
    pool: PgPool,
    projector: RunningProjector,
}

fn message(conversation: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e-{conversation}","source":"test","type":"message.upserted","time":"2026-01-01T00:00:00Z",
        "data":{{"orgId":"org","conversationId":"{conversation}","messageId":"m","role":"user","createdAt":"2026-01-01T00:00:00Z"}}}}"#
    )
}

impl World {
    /// A projector whose database refuses the conversation `refused`.
    async fn start() -> Result<Self> {
        let kafka = KafkaServer::shared().await?;
        let prefix = unique_prefix("letters");
        let topic = format!("{prefix}messages");
        kafka.topic(&topic, 1).await?;
        let database_url = PostgresServer::shared().await?.create_database().await?;
        let pool = PgPool::connect(&database_url).await?;
        recap_store::Store::new(&recap_store::StoreOptions::new(&*database_url, "dead-letters-test"))?
            .migrate()
            .await?;
        pool.execute(
            "ALTER TABLE recap_g1.conversation_summary ADD CONSTRAINT refuse CHECK (conversation_id <> 'refused')",
        )
        .await?;
        let flags = Flags::try_parse_from([
            "recap-projector".to_owned(),
            format!("--database-url={database_url}"),
            format!("--kafka-bootstrap-servers={}", kafka.bootstrap()),
            format!("--topics={topic}"),
            format!("--dead-letter-topic={prefix}dead"),
            format!("--consumer-group={prefix}"),
            "--offset-commit-interval=50ms".to_owned(),
            "--admin-addr=127.0.0.1:0".to_owned(),
        ])?;
        let settings = flags.config.settings()?;
        let projector = Projector::start(settings, &MetricsRegistry::new()?).await?;
        Ok(Self {
            kafka,
            prefix,
            pool,
            projector,
        })
    }

    fn topic(&self) -> String {
        format!("{}messages", self.prefix)
    }

    async fn publish(&self, key: &str, value: &str) -> Result<()> {
        let record = Record::new(self.topic(), key, value).header("tenant", "t");
        Ok(self.kafka.publish(&[record]).await?)
    }

    async fn recap(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recap"));
        command
            .arg("dead-letters")
            .args(arguments)
            .arg(format!("--bootstrap-servers={}", self.kafka.bootstrap()))
            .arg(format!("--dead-letter-topic={}dead", self.prefix));
        Ok(command.output().await?)
    }

    /// Standard output of a command that has to succeed.
    async fn says(&self, arguments: &[&str]) -> Result<String> {
        let output = self.recap(arguments).await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {errors}");
        ensure!(!errors.contains("panicked"), "{arguments:?}: {errors}");
        Ok(String::from_utf8(output.stdout)?)
    }

    async fn list(&self, filter: &[&str]) -> Result<Vec<Value>> {
        let lines = self.says(&[&["list", "--json"], filter].concat()).await?;
        lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// The reasons of the dead letters this filter finds, sorted.
    async fn reasons(&self, filter: &[&str]) -> Result<Vec<String>> {
        let letters = self.list(filter).await?;
        let reason = |letter: &Value| Some(letter["reason"].as_str()?.to_owned());
        let mut reasons: Vec<_> = letters.iter().filter_map(reason).collect();
        reasons.sort();
        Ok(reasons)
    }

    async fn level(&self) -> Result<()> {
        let start = Instant::now();
        let topic = self.topic();
        while self.kafka.consumer_lag(&self.prefix, &[&topic]).await? > 0 {
            ensure!(start.elapsed() < PATIENCE, "the projector is not level");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Ids of the stored conversations, sorted.
    async fn stored(&self) -> Result<Vec<String>> {
        let sql = "SELECT conversation_id FROM recap_g1.conversation_summary ORDER BY 1";
        Ok(sqlx::query_scalar(sql).fetch_all(&self.pool).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_found_shown_and_replayed() -> Result<()> {
    let mut world = World::start().await?;
    world.publish("torn", "{\"half\":").await?;
    world
        .publish("roleless", &message("c").replace("\"role\":\"user\",", ""))
        .await?;
    world.level().await?;
    let between = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let raw = message("header");
    let unreadable = RawRecord {
        topic: &world.topic(),
        partition: 0,
        key: b"header",
        value: raw.as_bytes(),
        headers: &[(b"caf\xe9", b"au lait"), (b"tenant", b"t")],
        timestamp: 1_700_000_000_000,
    };
    world.kafka.publish_raw(&unreadable).await?;
    world.publish("refused", &message("refused")).await?;
    world.publish("good", &message("good")).await?;
    world.level().await?;
    ensure!(world.stored().await? == ["good"]);

    let all = ["database-refused", "missing-field", "not-json", "unreadable-headers"];
    ensure!(world.reasons(&[]).await? == all);
    ensure!(world.reasons(&["--reason=not-json"]).await? == ["not-json"]);
    let of_type = world.reasons(&["--type=message.upserted"]).await?;
    ensure!(of_type == ["database-refused", "missing-field"]);
    let (since, until) = (format!("--since={between}"), format!("--until={between}"));
    ensure!(world.reasons(&[&since]).await? == ["database-refused", "unreadable-headers"]);
    ensure!(world.reasons(&[&until]).await? == ["missing-field", "not-json"]);
    ensure!(world.reasons(&[&since, "--type=message.upserted"]).await? == ["database-refused"]);
    ensure!(world.list(&["--limit=2"]).await?.len() == 2);

    let torn = world.list(&["--reason=not-json"]).await?.remove(0);
    let place = torn["place"].as_str().context("place")?;
    ensure!(torn["originTopic"] == world.topic().as_str() && torn["key"] == "torn");
    let page = world.says(&["show", place]).await?;
    for line in ["not-json", "tenant: t", "{\"half\":"] {
        ensure!(page.contains(line), "{line} is not in {page}");
    }
    ensure!(world.says(&["show", place, "--value"]).await? == "{\"half\":");
    let header = world.list(&["--reason=unreadable-headers"]).await?.remove(0);
    let page = world
        .says(&["show", header["place"].as_str().context("place")?])
        .await?;
    ensure!(page.contains("1 with names that are not UTF-8"), "{page}");

    let sent = world.says(&["replay", "--all", "--dry-run"]).await?;
    ensure!(sent.lines().count() == 4, "{sent}");
    world.level().await?;
    ensure!(world.reasons(&[]).await?.len() == 4, "a dry run was none");

    world
        .pool
        .execute("ALTER TABLE recap_g1.conversation_summary DROP CONSTRAINT refuse")
        .await?;
    world.says(&["replay", "--reason=database-refused"]).await?;
    world.says(&["replay", "--since", &between]).await?;
    world.says(&["replay", place]).await?;
    world.level().await?;
    ensure!(world.stored().await? == ["good", "header", "refused"]);
    let again = world.list(&["--reason=not-json"]).await?;
    ensure!(again.len() == 2 && again[1]["firstFailure"] == torn["firstFailure"]);
    ensure!(again[1]["time"] != again[0]["time"]);
    let missing = world.recap(&["replay", "0:999"]).await?;
    ensure!(!missing.status.success());

    world.projector.stop();
    world.projector.wait().await?;
    Ok(())
}
