//! `recap dead-letters` beside a living projector: found by reason, type and time, shown whole, replayed to where they came from.

use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use recap_projector::RunningProjector;
use recap_service::clock;
use recap_testing::{LIMIT, RawRecord, Record, World};
use serde_json::Value;
use sqlx::Executor as _;

use crate::{RECAP, services::start_projector};

/// A world whose database refuses the conversation `refused`.
struct Refusing {
    world: World<'static>,
    projector: RunningProjector,
}

fn message(conversation: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"e-{conversation}","source":"test","type":"message.upserted","time":"2026-01-01T00:00:00Z",
        "data":{{"orgId":"org","conversationId":"{conversation}","messageId":"m","role":"user","createdAt":"2026-01-01T00:00:00Z"}}}}"#
    )
}

impl Refusing {
    async fn start() -> Result<Self> {
        let world = World::builder("letters").partitions(1).build().await;
        world
            .database
            .pool
            .execute(
                "ALTER TABLE recap_g1.conversation_summary ADD CONSTRAINT refuse CHECK (conversation_id <> 'refused')",
            )
            .await?;
        let projector = start_projector(&world, &[]).await?;
        Ok(Self { world, projector })
    }

    fn topic(&self) -> String {
        self.world.log.name("recap.messages")
    }

    async fn publish(&self, key: &str, value: &str) -> Result<()> {
        let record = Record::new(self.topic(), key, value).header("tenant", "t");
        Ok(self.world.log.kafka().publish(&[record]).await?)
    }

    async fn recap(&self, arguments: &[&str]) -> Output {
        self.world.run(RECAP, &[&["dead-letters"], arguments].concat()).await
    }

    /// Standard output of a command that has to succeed.
    async fn says(&self, arguments: &[&str]) -> Result<String> {
        let output = self.recap(arguments).await;
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

    async fn caught_up(&self) {
        self.world.caught_up(LIMIT).await;
    }

    /// Ids of the stored conversations, sorted.
    async fn stored(&self) -> Result<Vec<String>> {
        let sql = "SELECT conversation_id FROM recap_g1.conversation_summary ORDER BY 1";
        Ok(sqlx::query_scalar(sql).fetch_all(&self.world.database.pool).await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_found_shown_and_replayed() -> Result<()> {
    let mut letters = Refusing::start().await?;
    letters.publish("torn", "{\"half\":").await?;
    letters
        .publish("roleless", &message("c").replace("\"role\":\"user\",", ""))
        .await?;
    letters.caught_up().await;
    let between = clock::rfc3339_now();
    let raw = message("header");
    let unreadable = RawRecord {
        topic: &letters.topic(),
        partition: 0,
        key: b"header",
        value: raw.as_bytes(),
        headers: &[(b"caf\xe9", b"au lait"), (b"tenant", b"t")],
        timestamp: 1_767_225_600_000,
    };
    letters.world.log.kafka().publish_raw(&unreadable).await?;
    letters.publish("refused", &message("refused")).await?;
    letters.publish("good", &message("good")).await?;
    letters.caught_up().await;
    ensure!(letters.stored().await? == ["good"]);

    let all = ["database-refused", "missing-field", "not-json", "unreadable-headers"];
    ensure!(letters.reasons(&[]).await? == all);
    ensure!(letters.reasons(&["--reason=not-json"]).await? == ["not-json"]);
    let of_type = letters.reasons(&["--type=message.upserted"]).await?;
    ensure!(of_type == ["database-refused", "missing-field"]);
    let (since, until) = (format!("--since={between}"), format!("--until={between}"));
    ensure!(letters.reasons(&[&since]).await? == ["database-refused", "unreadable-headers"]);
    ensure!(letters.reasons(&[&until]).await? == ["missing-field", "not-json"]);
    ensure!(letters.reasons(&[&since, "--type=message.upserted"]).await? == ["database-refused"]);
    ensure!(letters.list(&["--limit=2"]).await?.len() == 2);

    let torn = letters.list(&["--reason=not-json"]).await?.remove(0);
    let location = torn["location"].as_str().context("location")?;
    ensure!(torn["originTopic"] == letters.topic().as_str() && torn["key"] == "torn");
    let page = letters.says(&["show", location]).await?;
    for line in ["not-json", "tenant: t", "{\"half\":"] {
        ensure!(page.contains(line), "{line} is not in {page}");
    }
    ensure!(letters.says(&["show", location, "--value"]).await? == "{\"half\":");
    let header = letters.list(&["--reason=unreadable-headers"]).await?.remove(0);
    let page = letters
        .says(&["show", header["location"].as_str().context("location")?])
        .await?;
    ensure!(page.contains("1 with names that are not UTF-8"), "{page}");

    let sent = letters.says(&["replay", "--all", "--dry-run"]).await?;
    ensure!(sent.lines().count() == 4, "{sent}");
    letters.caught_up().await;
    ensure!(letters.reasons(&[]).await?.len() == 4, "a dry run was none");

    letters
        .world
        .database
        .pool
        .execute("ALTER TABLE recap_g1.conversation_summary DROP CONSTRAINT refuse")
        .await?;
    letters.says(&["replay", "--reason=database-refused"]).await?;
    letters.says(&["replay", "--since", &between]).await?;
    letters.says(&["replay", location]).await?;
    letters.caught_up().await;
    ensure!(letters.stored().await? == ["good", "header", "refused"]);
    let again = letters.list(&["--reason=not-json"]).await?;
    ensure!(again.len() == 2 && again[1]["firstFailure"] == torn["firstFailure"]);
    ensure!(again[1]["time"] != again[0]["time"]);
    let missing = letters.recap(&["replay", "0:999"]).await;
    ensure!(!missing.status.success());

    letters.projector.stop();
    letters.projector.wait().await?;
    Ok(())
}
