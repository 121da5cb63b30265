//! Mapped topics through the operator's tool: rebuild, archive, dead letters, and `recap map` itself.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{fs, process::Output};

use anyhow::{Result, ensure};
use recap_projector::RunningProjector;
use recap_testing::{LIMIT, Record, World};
use tempfile::TempDir;

use crate::{RECAP, services::start_projector};

/// What an application publishes: no event of ours.
fn message(chat: &str, number: usize, text: &str) -> String {
    format!(
        r#"{{"tenant": "org_a", "chat": "{chat}", "no": {number}, "at": {}, "text": "{text}"}}"#,
        1_767_607_200_000_i64 + i64::try_from(number).unwrap_or_default()
    )
}

const PROGRAM: &str = r#"
.value
| (.at | time_of_millis) as $at
| {type: "message.upserted", time: $at, data: {
    orgId: .tenant, conversationId: .chat, messageId: "\(.chat)-\(.no)", role: "user", createdAt: $at, text: (.text | ascii_downcase)
  }}
"#;

struct MappedWorld {
    world: World<'static>,
    folder: TempDir,
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

impl MappedWorld {
    async fn new(test: &str) -> Result<Self> {
        let world = World::builder(test).partitions(2).build().await;
        let mapped = Self {
            world,
            folder: tempfile::tempdir()?,
        };
        mapped.map_by(PROGRAM)?;
        Ok(mapped)
    }

    fn topic(&self) -> String {
        self.world.log.name("recap.messages")
    }

    fn map_by(&self, program: &str) -> Result<()> {
        Ok(fs::write(
            self.folder.path().join(format!("{}.jq", self.topic())),
            program,
        )?)
    }

    async fn publish(&self, values: &[String]) -> Result<()> {
        let topic = self.topic();
        let records: Vec<Record> = values
            .iter()
            .enumerate()
            .map(|(at, value)| Record::new(&topic, format!("k{at}"), value.as_str()))
            .collect();
        Ok(self.world.log.kafka().publish(&records).await?)
    }

    async fn projector(&self) -> Result<RunningProjector> {
        start_projector(&self.world, &[&format!("--mappings={}", self.folder.path().display())]).await
    }

    async fn recap(&self, arguments: &[&str]) -> Output {
        let mut command = self.world.command(RECAP);
        command.env("RECAP_MAPPINGS", self.folder.path());
        let output = tokio::time::timeout(LIMIT, command.args(arguments).output());
        output.await.unwrap().unwrap()
    }

    /// First texts of the stored conversations, by their ids.
    async fn texts(&self) -> Result<Vec<(String, Option<String>)>> {
        let live = self.world.database.live().await.schema();
        let statement =
            format!("SELECT conversation_id, first_message_text FROM {live}.conversation_summary ORDER BY 1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .fetch_all(&self.world.database.pool)
            .await?)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_maps_as_the_projector_did_and_says_when_the_mapping_has_changed() -> Result<()> {
    let mapped = MappedWorld::new("remapped").await?;
    let values: Vec<String> = (0..400)
        .map(|number| message(&format!("c{}", number % 50), number, "Hello"))
        .collect();
    mapped.publish(&values).await?;
    let _projector = mapped.projector().await?;
    mapped.world.caught_up(LIMIT).await;
    ensure!(mapped.texts().await?.len() == 50);

    let archive = tempfile::tempdir()?;
    let folder = archive.path().to_string_lossy().into_owned();
    let archived = mapped.recap(&["archive", &folder]).await;
    ensure!(archived.status.success(), "{}", text(&archived));
    // What Kafka and the archive both hold is merged twice: the same ids, or the rows would differ.
    let same = mapped.recap(&["rebuild", "--archive", &folder]).await;
    ensure!(same.status.success(), "{}", text(&same));
    ensure!(
        !text(&same).contains("differ") && !text(&same).contains("have changed"),
        "{}",
        text(&same)
    );

    mapped.map_by(&PROGRAM.replace("ascii_downcase", "ascii_upcase"))?;
    let changed = mapped.recap(&["rebuild"]).await;
    let said = text(&changed);
    ensure!(changed.status.code() == Some(3), "{said}");
    ensure!(
        said.contains("the mappings have changed: ") && said.contains("50 rows differ"),
        "{said}"
    );
    ensure!(said.contains("first_message_text: \"hello\" -> \"HELLO\""), "{said}");
    let accepted = mapped.recap(&["rebuild", "--resume", "--accept-differences"]).await;
    ensure!(accepted.status.success(), "{}", text(&accepted));
    ensure!(
        mapped
            .texts()
            .await?
            .iter()
            .all(|(_, text)| text.as_deref() == Some("HELLO"))
    );

    mapped.map_by(PROGRAM)?;
    let differs = mapped.recap(&["rebuild"]).await;
    ensure!(differs.status.code() == Some(3), "{}", text(&differs));
    mapped.map_by(&PROGRAM.replace("ascii_downcase", "."))?;
    let refused = mapped.recap(&["rebuild", "--resume", "--accept-differences"]).await;
    ensure!(
        text(&refused).contains("was begun with other mappings"),
        "{}",
        text(&refused)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_replayed_once_its_mapping_is_mended() -> Result<()> {
    let mapped = MappedWorld::new("mended").await?;
    mapped.map_by(&PROGRAM.replace(
        ".text | ascii_downcase",
        ".text | if . == \"Bad\" then error(\"not this one\") else . end",
    ))?;
    let mut projector = mapped.projector().await?;
    mapped
        .publish(&[message("good", 1, "Good"), message("bad", 2, "Bad")])
        .await?;
    mapped.world.caught_up(LIMIT).await;
    ensure!(mapped.texts().await?.len() == 1);
    let listed = mapped
        .recap(&["dead-letters", "list", "--json", "--reason=mapping"])
        .await;
    let said = text(&listed);
    ensure!(
        said.lines().count() == 1 && said.contains("not this one") && said.contains(".jq, line "),
        "{said}"
    );
    projector.stop();
    projector.wait().await?;

    mapped.map_by(PROGRAM)?;
    let _projector = mapped.projector().await?;
    let replayed = mapped.recap(&["dead-letters", "replay", "--reason=mapping"]).await;
    ensure!(replayed.status.success(), "{}", text(&replayed));
    mapped.world.caught_up(LIMIT).await;
    let texts = mapped.texts().await?;
    ensure!(
        texts
            == [
                ("bad".to_owned(), Some("bad".to_owned())),
                ("good".to_owned(), Some("Good".to_owned()))
            ],
        "{texts:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn recap_map_shows_what_becomes_of_records() -> Result<()> {
    let mapped = MappedWorld::new("shown").await?;
    mapped
        .publish(&(0..20).map(|number| message("c", number, "Hello")).collect::<Vec<_>>())
        .await?;
    let topic = mapped.topic();
    let last = mapped.recap(&["map", &topic, "--last", "3"]).await;
    ensure!(last.status.success(), "{}", text(&last));
    let said = String::from_utf8_lossy(&last.stdout);
    ensure!(
        said.lines().count() == 3 && said.contains("\"text\":\"hello\"") && said.contains("\"offset\":"),
        "{said}"
    );
    ensure!(
        text(&last).contains("records: 3, events: 3, refused records: 0"),
        "{}",
        text(&last)
    );

    let file = mapped.folder.path().join("records.ndjson");
    fs::write(
        &file,
        format!(
            "{{\"value\": {}}}\n{{\"text\": \"no JSON\", \"offset\": 9}}\n",
            message("c", 1, "Hi")
        ),
    )?;
    let from_file = mapped.recap(&["map", &topic, "--file", &file.to_string_lossy()]).await;
    let said = text(&from_file);
    ensure!(
        said.contains("{\"partition\":0,\"offset\":9,\"refused\":\"mapping\",\"error\":\""),
        "{said}"
    );
    ensure!(
        said.contains("line 3, column 4") && said.contains("cannot index string with \\\"at\\\""),
        "{said}"
    );

    let unknown = mapped
        .recap(&["map", "another", "--file", &file.to_string_lossy()])
        .await;
    ensure!(
        !unknown.status.success() && text(&unknown).contains("another.jq is not there"),
        "{}",
        text(&unknown)
    );

    let examples = mapped.folder.path().join(format!("{topic}.examples"));
    fs::create_dir(&examples)?;
    fs::copy(&file, examples.join("few.records.ndjson"))?;
    let folder = mapped.folder.path().to_string_lossy().into_owned();
    let test = async |flags: &[&str]| mapped.recap(&[&["map", "--test", &folder], flags].concat()).await;
    ensure!(
        !test(&[]).await.status.success(),
        "there is nothing to compare with yet"
    );
    ensure!(test(&["--update"]).await.status.success());
    ensure!(test(&[]).await.status.success());
    mapped.map_by(&PROGRAM.replace("ascii_downcase", "ascii_upcase"))?;
    let failed = test(&[]).await;
    ensure!(
        !failed.status.success() && text(&failed).contains("wanted"),
        "{}",
        text(&failed)
    );
    Ok(())
}

/// Each was recorded from its real producer; `deploy/mappings` says how.
#[tokio::test(flavor = "multi_thread")]
async fn the_mappings_that_come_with_recap_do_what_their_examples_say() -> Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/mappings");
    let output = tokio::process::Command::new(RECAP)
        .args(["map", "--test", folder])
        .output()
        .await?;
    ensure!(output.status.success(), "{}", text(&output));
    let examples = text(&output);
    for program in fs::read_dir(folder)? {
        let path = program?.path();
        let topic = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_program = path.extension().is_some_and(|extension| extension == "jq");
        ensure!(
            !is_program || examples.contains(&format!("{topic}.examples/")),
            "{topic} has no examples: {examples}"
        );
    }
    ensure!(!examples.contains("refused"), "{examples}");
    Ok(())
}
