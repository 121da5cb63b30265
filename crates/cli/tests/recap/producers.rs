//! What real producers published, recorded by the scripts of `deploy/mappings`, through every real part: Apache Kafka, a projector, PostgreSQL, the query
//! service, a rebuild. Whatever the order, the repetitions and the encoding, the answers are the same.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use recap_mapping::examples::OwnedRecord;
use recap_projector::RunningProjector;
use recap_query::RunningServer;
use recap_testing::{
    LIMIT, Record, World,
    clerk::{LocalClerk, Session},
};
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    RECAP,
    services::{start_projector, start_query_service},
};

const MAPPINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/mappings");

/// The records of an example.
fn recorded(mapping: &str, example: &str) -> Result<Vec<OwnedRecord>> {
    let path = Path::new(MAPPINGS).join(format!("{mapping}.examples/{example}.records.ndjson"));
    let lines = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    OwnedRecord::read_lines(&lines).map_err(anyhow::Error::msg)
}

/// Each record three times, in an order that the seed decides.
fn shuffled(records: &[OwnedRecord], seed: u64) -> Vec<OwnedRecord> {
    let mut thrice = [records, records, records].concat();
    thrice.shuffle(&mut StdRng::seed_from_u64(seed));
    thrice
}

/// A topic that is mapped, and dashboards that ask what became of it.
struct Dashboards {
    world: World<'static>,
    folder: TempDir,
    projector: RunningProjector,
    clerk: LocalClerk,
    query: RunningServer,
}

impl Dashboards {
    async fn start(mapping: &str) -> Result<Self> {
        let world = World::builder("producers").partitions(2).build().await;
        let folder = tempfile::tempdir()?;
        let program = Path::new(MAPPINGS).join(format!("{mapping}.jq"));
        let topic = world.log.name("recap.messages");
        fs::copy(program, folder.path().join(format!("{topic}.jq")))?;
        let projector = start_projector(&world, &[&format!("--mappings={}", folder.path().display())]).await?;
        let clerk = LocalClerk::start().await?;
        let query = start_query_service(&world, &clerk).await?;
        Ok(Self {
            world,
            folder,
            projector,
            clerk,
            query,
        })
    }

    /// Publishes records with the timestamps that they were recorded with, and waits until they are in the database.
    async fn publish(&self, records: &[OwnedRecord]) -> Result<()> {
        let topic = self.world.log.name("recap.messages");
        let record = |record: &OwnedRecord| Record {
            topic: topic.clone(),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
            timestamp: record.timestamp,
            partition: None,
        };
        let records: Vec<Record> = records.iter().map(record).collect();
        self.world.log.kafka().publish(&records).await?;
        self.world.caught_up(LIMIT).await;
        Ok(())
    }

    /// What an administrator of an organization is shown.
    async fn interactions(&self, org: &str) -> Result<Value> {
        let base = format!("http://{}/api/dashboard/getInteractions", self.query.addr);
        let always = [
            ("from", "2000-01-01T00:00:00Z"),
            ("to", "2100-01-01T00:00:00Z"),
            ("allInOrg", "true"),
            ("sort", "createdAt"),
        ];
        let token = self.clerk.token(&Session::admin(org, "user_boss"))?;
        let asked = reqwest::Client::new().get(Url::parse_with_params(&base, always)?);
        let answer = asked.bearer_auth(token).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    async fn answers(&self) -> Result<[Value; 2]> {
        Ok([self.interactions("org_a").await?, self.interactions("org_b").await?])
    }

    /// A rebuild finds every row equal, and no record was refused; then the projector ends.
    async fn end(mut self) -> Result<()> {
        let mut rebuild = self.world.command(RECAP);
        rebuild.env("RECAP_MAPPINGS", self.folder.path()).arg("rebuild");
        let output = tokio::time::timeout(LIMIT, rebuild.output()).await??;
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        ensure!(output.status.success() && !said.contains("differ"), "{said}");
        let log = &self.world.log;
        let dead = log.kafka().read_all(&log.dead_letters()).await?;
        ensure!(dead.is_empty(), "dead letters: {dead:?}");
        self.projector.stop();
        Ok(self.projector.wait().await?)
    }
}

/// The members of each conversation that do not change from one recording to the next.
fn fields(conversations: &Value, names: &[&str]) -> Value {
    let of = |conversation: &Value| -> Value { names.iter().map(|name| conversation[*name].clone()).collect() };
    conversations.as_array().into_iter().flatten().map(of).collect()
}

const SHOWN: [&str; 9] = [
    "id",
    "userId",
    "agentId",
    "firstMessageText",
    "userMessageCount",
    "assistantMessageCount",
    "inputTokens",
    "outputTokens",
    "lastFinishReason",
];

/// Names of the tools that a conversation shows, with what came of them.
fn tools(conversations: &Value) -> Value {
    let call = |call: &Value| json!([call["toolName"], call["args"], call["result"], call["error"].is_null()]);
    let of = |conversation: &Value| -> Value {
        let calls = conversation["toolCalls"].as_array().into_iter().flatten();
        calls.map(call).collect()
    };
    conversations.as_array().into_iter().flatten().map(of).collect()
}

/// A batch holds both organizations, several conversations, and spans that are nobody's; tools and answers come before the agent that called for them.
#[tokio::test(flavor = "multi_thread")]
async fn spans_of_agents_answer_in_either_encoding_and_any_order() -> Result<()> {
    let (as_json, as_protobuf) = (recorded("opentelemetry", "json")?, recorded("opentelemetry", "proto")?);
    let in_order = Dashboards::start("opentelemetry").await?;
    in_order.publish(&as_json).await?;
    let answers = in_order.answers().await?;
    let [org_a, org_b] = &answers;
    let wanted = json!([
        ["conv-2", "user_1", null, "And 404?", 2, 3, 2820, 56, "stop"],
        [
            "conv-1",
            "user_1",
            null,
            "Where is my order 4711?",
            2,
            3,
            1820,
            64,
            "stop"
        ],
    ]);
    ensure!(fields(org_a, &SHOWN) == wanted, "{org_a:#}");
    let wanted = json!([
        [
            ["track_order", {"order": 404}, null, false],
            ["track_order", {"order": 404}, "no such order", true],
        ],
        [["track_order", {"order": 4711}, {"order": 4711, "status": "shipped"}, true]],
    ]);
    ensure!(tools(org_a) == wanted, "{org_a:#}");
    let wanted = json!([
        ["conv-1", null, null, "Tell me a long story.", 2, 2, 60, 4, "error"],
        ["conv-3", "user_2", 1000, null, 0, 2, 660, 29, "stop"],
    ]);
    ensure!(fields(org_b, &SHOWN) == wanted, "{org_b:#}");
    ensure!(
        tools(org_b) == json!([[], [["send_invoice", null, null, true]]]),
        "{org_b:#}"
    );

    // The same spans once more, in the other encoding.
    in_order.publish(&shuffled(&as_protobuf, 1)).await?;
    ensure!(
        in_order.answers().await? == answers,
        "duplicates have changed something"
    );
    in_order.end().await?;

    for (records, seed) in [(&as_protobuf, 2), (&as_json, 3)] {
        let disordered = Dashboards::start("opentelemetry").await?;
        let children_first: Vec<_> = records.iter().rev().cloned().collect();
        disordered
            .publish(&[children_first, shuffled(records, seed)].concat())
            .await?;
        let other = disordered.answers().await?;
        ensure!(other == answers, "{other:#?} instead of {answers:#?}");
        disordered.end().await?;
    }
    Ok(())
}

/// It was killed before it had kept how far it was, and publishes once more what it had published since.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_begins_again_from_an_older_position_changes_nothing() -> Result<()> {
    let (published, restarted) = (
        recorded("debezium-chat", "chat")?,
        recorded("debezium-chat", "restarted")?,
    );
    let dashboards = Dashboards::start("debezium-chat").await?;
    dashboards.publish(&published).await?;
    let answers = dashboards.answers().await?;
    let [org_a, org_b] = &answers;
    let names = [
        "userId",
        "firstMessageText",
        "totalMessageCount",
        "attachmentCount",
        "totalFeedback",
    ];
    ensure!(
        fields(org_a, &names) == json!([["user_1", "Where is my order 4711?", 2, 0, 0]]),
        "{org_a:#}"
    );
    ensure!(
        fields(org_b, &names) == json!([["user_2", "What is this?", 1, 1, 0]]),
        "{org_b:#}"
    );

    let again: Vec<_> = restarted
        .iter()
        .filter(|record| !published.contains(record))
        .cloned()
        .collect();
    ensure!(
        again.len() > published.len() / 2,
        "only {} records came again",
        again.len()
    );
    ensure!(
        again.len() + published.len() == restarted.len(),
        "what was published is no longer there"
    );
    dashboards.publish(&again).await?;
    ensure!(
        dashboards.answers().await? == answers,
        "what came again has changed something"
    );
    dashboards.publish(&shuffled(&restarted, 4)).await?;
    ensure!(dashboards.answers().await? == answers, "disorder has changed something");
    dashboards.end().await
}

/// Mappings without an encoding or a restart of their own.
#[tokio::test(flavor = "multi_thread")]
async fn other_producers_records_answer_alike_in_any_order() -> Result<()> {
    for (mapping, example) in [
        ("debezium-chat", "restarted"),
        ("debezium-outbox", "outbox"),
        ("ai-sdk", "chat"),
    ] {
        let records = recorded(mapping, example)?;
        let in_order = Dashboards::start(mapping).await?;
        in_order.publish(&records).await?;
        let answers = in_order.answers().await?;
        ensure!(
            answers[0].as_array().is_some_and(|rows| !rows.is_empty()),
            "{mapping}: {answers:#?}"
        );
        in_order.end().await?;

        let disordered = Dashboards::start(mapping).await?;
        let reversed: Vec<_> = records.iter().rev().cloned().collect();
        disordered.publish(&[reversed, shuffled(&records, 5)].concat()).await?;
        let other = disordered.answers().await?;
        ensure!(other == answers, "{mapping}: {other:#?} instead of {answers:#?}");
        disordered.end().await?;
    }
    Ok(())
}
