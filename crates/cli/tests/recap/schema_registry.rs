//! Values of a schema registry's through every real part: Confluent's serializers, Apicurio Registry, Apache Kafka, a projector, PostgreSQL, the query
//! service, a rebuild. What cannot be decoded is dead-lettered; while the registry is away everything waits.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use recap_projector::RunningProjector;
use recap_testing::{
    LIMIT, Record, SchemaRegistryServer, TcpProxy, World,
    clerk::{LocalClerk, Session},
    eventually,
};
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    RECAP,
    example_producers::{run, with_python},
    services::{start_projector, start_query_service},
};

const MAPPINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/mappings");

struct Registered {
    world: World<'static>,
    folder: TempDir,
    registry: &'static SchemaRegistryServer,
    /// Between the registry and recap.
    proxy: TcpProxy,
    url: String,
}

impl Registered {
    async fn start(test: &str) -> Result<Self> {
        let world = World::builder(test).partitions(2).build().await;
        let registry = SchemaRegistryServer::shared().await?;
        let port = Url::parse(registry.url())?.port().context("a port")?;
        let proxy = TcpProxy::to(port).await;
        let folder = tempfile::tempdir()?;
        let program = Path::new(MAPPINGS).join("schema-registry.jq");
        let topic = world.log.name("recap.messages");
        fs::copy(program, folder.path().join(format!("{topic}.jq")))?;
        let url = proxy.in_url(registry.url(), port);
        Ok(Self {
            world,
            folder,
            registry,
            proxy,
            url,
        })
    }

    fn topic(&self) -> String {
        self.world.log.name("recap.messages")
    }

    /// What is published by Confluent's own serializers.
    async fn publish(&self, formats: &[&str]) -> Result<()> {
        let folder = with_python("schema-registry", Path::new(MAPPINGS).join("schema-registry")).await?;
        for format in formats {
            let mut producer = Command::new(folder.join("venv/bin/python"));
            producer
                .arg(folder.join("producer.py"))
                .arg(format)
                .env("KAFKA_BOOTSTRAP_SERVERS", self.world.log.kafka().bootstrap())
                .env("SCHEMA_REGISTRY_URL", self.registry.url())
                .env("TOPIC", self.topic());
            tokio::task::spawn_blocking(move || run(&mut producer)).await??;
        }
        Ok(())
    }

    async fn projector(&self) -> Result<RunningProjector> {
        let flags = [
            format!("--mappings={}", self.folder.path().display()),
            format!("--schema-registry-url={}", self.url),
            "--drain-timeout=1s".to_owned(),
        ];
        start_projector(&self.world, &flags.each_ref().map(String::as_str)).await
    }

    fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = self.world.command(RECAP);
        command
            .env("RECAP_MAPPINGS", self.folder.path())
            .env("RECAP_SCHEMA_REGISTRY_URL", &self.url)
            .args(arguments);
        command
    }

    async fn recap(&self, arguments: &[&str]) -> Result<String> {
        let output = tokio::time::timeout(LIMIT, self.command(arguments).output()).await??;
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(output.status.success(), "{said}");
        Ok(said)
    }

    /// Runs `recap` while the registry is away, which is back as soon as it says that it waits for it.
    async fn recap_waits(&self, arguments: &[&str]) -> Result<()> {
        self.proxy.cut();
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut said = BufReader::new(child.stderr.take().context("standard error")?).lines();
        let waiting = async {
            while let Some(line) = said.next_line().await? {
                if line.contains("the schema registry does not answer") {
                    return Ok(());
                }
            }
            bail!("{arguments:?} did not wait")
        };
        tokio::time::timeout(LIMIT, waiting).await??;
        self.back()?;
        let ended = async {
            while said.next_line().await?.is_some() {}
            child.wait().await
        };
        let status = tokio::time::timeout(LIMIT, ended).await??;
        ensure!(status.success(), "{arguments:?}: {status}");
        Ok(())
    }

    fn back(&self) -> Result<()> {
        let port = Url::parse(self.registry.url())?.port().context("a port")?;
        self.proxy.lead_to(port);
        Ok(())
    }
}

async fn interactions(world: &World<'_>, org: &str) -> Result<Vec<Value>> {
    let clerk = LocalClerk::start().await?;
    let query = start_query_service(world, &clerk).await?;
    let url = format!(
        "http://{}/api/dashboard/getInteractions?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z&allInOrg=true&sort=createdAt",
        query.addr
    );
    let token = clerk.token(&Session::admin(org, "user_boss"))?;
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status}: {body}");
    Ok(serde_json::from_str(&body)?)
}

/// The conversations of one format, without its name in their ids.
fn of_format(conversations: &[Value], format: &str) -> Value {
    let shown = |conversation: &Value| {
        let id = conversation["id"].as_str()?.strip_prefix(&format!("{format}/"))?;
        Some(json!([
            id,
            conversation["userId"],
            conversation["firstMessageText"],
            conversation["userMessageCount"],
            conversation["assistantMessageCount"],
            conversation["createdAt"],
        ]))
    };
    conversations.iter().filter_map(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_confluents_serializers_publish_is_answered_alike_in_every_format() -> Result<()> {
    let registered = Registered::start("registered").await?;
    let mut projector = registered.projector().await?;
    registered.publish(&["avro", "json", "protobuf"]).await?;
    let log = &registered.world.log;
    registered.world.caught_up(LIMIT).await;
    let dead = log.kafka().read_all(&log.dead_letters()).await?;
    ensure!(dead.is_empty(), "dead letters: {dead:?}");

    let conversations = interactions(&registered.world, "org_a").await?;
    let avro = of_format(&conversations, "AVRO");
    let wanted = json!([
        ["c2", "user_2", "Thank you", 1, 0, "2026-01-05T10:00:00.002Z"],
        [
            "c1",
            "user_1",
            "Where is my order 4711?",
            1,
            1,
            "2026-01-05T10:00:00.000Z"
        ],
    ]);
    ensure!(avro == wanted, "{avro:#} of {conversations:#?}");
    for format in ["JSON", "PROTOBUF"] {
        let other = of_format(&conversations, format);
        ensure!(other == avro, "{format}: {other:#}");
    }

    let rebuilt = registered.recap(&["rebuild"]).await?;
    ensure!(
        !rebuilt.contains("differ") && !rebuilt.contains("have changed"),
        "{rebuilt}"
    );
    let mapped = registered.recap(&["map", &registered.topic(), "--last", "20"]).await?;
    ensure!(
        mapped.contains("records: 12, events: 12, refused records: 0"),
        "{mapped}"
    );
    projector.stop();
    Ok(projector.wait().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_is_waited_for_and_one_without_the_schema_is_believed() -> Result<()> {
    let registered = Registered::start("registry-away").await?;
    let log = &registered.world.log;
    registered.proxy.cut();
    let mut projector = registered.projector().await?;
    registered.publish(&["avro"]).await?;
    let not_ready = async || projector.health().not_ready();
    let waits = |why: &Option<String>| {
        why.as_ref()
            .is_some_and(|why| why.contains("the schema registry does not answer"))
    };
    eventually("a projector that waits", LIMIT, not_ready, waits).await;
    // It still polls, and ends as soon as it is asked to.
    ensure!(projector.health().not_alive().is_none());
    projector.stop();
    let ended = tokio::time::timeout(Duration::from_secs(30), projector.wait()).await?;
    ensure!(ended.is_err_and(|error| error.drain_timed_out()));
    let dead = log.kafka().read_all(&log.dead_letters()).await?;
    ensure!(dead.is_empty(), "dead letters: {dead:?}");

    let mut projector = registered.projector().await?;
    let not_ready = async || projector.health().not_ready();
    eventually("a projector that waits again", LIMIT, not_ready, waits).await;
    registered.back()?;
    registered.world.caught_up(LIMIT).await;
    ensure!(interactions(&registered.world, "org_a").await?.len() == 2);
    let not_ready = async || projector.health().not_ready();
    eventually("a projector that is ready", LIMIT, not_ready, Option::is_none).await;

    let topic = registered.topic();
    let unknown = [0, 0x7f, 0xff, 0xff, 0xff, 2];
    let record = Record {
        value: Some(unknown.to_vec()),
        ..Record::new(&topic, "k", "")
    };
    log.kafka().publish(&[record]).await?;
    registered.world.caught_up(LIMIT).await;
    let listed = registered
        .recap(&["dead-letters", "list", "--json", "--reason=schema"])
        .await?;
    ensure!(listed.contains("schema 2147483647 is not in the registry"), "{listed}");

    registered.recap_waits(&["map", &topic, "--last", "20"]).await?;
    registered.recap_waits(&["rebuild"]).await?;
    ensure!(interactions(&registered.world, "org_a").await?.len() == 2);
    projector.stop();
    Ok(projector.wait().await?)
}
