//! The contract's own example through every real part: a producer, Apache Kafka, projectors, PostgreSQL, the query
//! service, HTTP with signed tokens. Whatever the order, the repetitions and the number of projectors, each request
//! gets exactly its file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use recap_projector::RunningProjector;
use recap_query::RunningServer;
use recap_testing::{
    LIMIT, Record, World,
    clerk::{LocalClerk, Session},
    eventually,
};
use reqwest::{Response, Url};
use serde_json::Value;

use crate::services::{start_projector, start_query_service};

/// Who projects.
#[derive(Debug, Clone, Copy)]
enum Projectors {
    /// One, started when everything is published already.
    One,
    /// Two that share the partitions, at work before the first event.
    Sharing,
    /// Two in groups of their own: each writes everything, at the same time.
    Rivals,
}

#[tokio::test(flavor = "multi_thread")]
async fn in_file_order_by_one_projector() -> Result<()> {
    run(in_file_order(&events()?)?, Projectors::One).await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_file_order_by_two_projectors() -> Result<()> {
    run(in_file_order(&events()?)?, Projectors::Sharing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_file_order_by_two_rival_projectors() -> Result<()> {
    run(in_file_order(&events()?)?, Projectors::Rivals).await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_reverse_by_one_projector() -> Result<()> {
    run(in_reverse(&events()?)?, Projectors::One).await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_reverse_by_two_projectors() -> Result<()> {
    run(in_reverse(&events()?)?, Projectors::Sharing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_reverse_by_two_rival_projectors() -> Result<()> {
    run(in_reverse(&events()?)?, Projectors::Rivals).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shuffled_by_one_projector() -> Result<()> {
    run(shuffled(&events()?, 1)?, Projectors::One).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shuffled_by_two_projectors() -> Result<()> {
    run(shuffled(&events()?, 2)?, Projectors::Sharing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn shuffled_by_two_rival_projectors() -> Result<()> {
    run(shuffled(&events()?, 3)?, Projectors::Rivals).await
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_by_one_projector() -> Result<()> {
    run(twice(&events()?)?, Projectors::One).await
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_by_two_projectors() -> Result<()> {
    run(twice(&events()?)?, Projectors::Sharing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_by_two_rival_projectors() -> Result<()> {
    run(twice(&events()?)?, Projectors::Rivals).await
}

fn in_file_order(events: &[Value]) -> Result<Vec<Record>> {
    events.iter().map(structured).collect()
}

fn in_reverse(events: &[Value]) -> Result<Vec<Record>> {
    events.iter().rev().map(structured).collect()
}

fn shuffled(events: &[Value], seed: u64) -> Result<Vec<Record>> {
    let mut events = events.to_vec();
    events.shuffle(&mut StdRng::seed_from_u64(seed));
    events.iter().map(structured).collect()
}

/// Each event in both modes of the Kafka binding: structured in file order, then binary shuffled and without keys.
fn twice(events: &[Value]) -> Result<Vec<Record>> {
    let mut again: Vec<Record> = events.iter().map(binary).collect::<Result<_>>()?;
    again.shuffle(&mut StdRng::seed_from_u64(4));
    let mut records = in_file_order(events)?;
    records.extend(again);
    Ok(records)
}

fn structured(event: &Value) -> Result<Record> {
    let record = Record::new(topic(event)?, key(event)?, serde_json::to_vec(event)?);
    Ok(record.header("content-type", "application/cloudevents+json"))
}

fn binary(event: &Value) -> Result<Record> {
    let mut record = Record::keyless(topic(event)?, serde_json::to_vec(&event["data"])?);
    for attribute in ["id", "source", "type", "time", "specversion"] {
        record = record.header(format!("ce_{attribute}"), text(event, attribute)?);
    }
    Ok(record)
}

fn topic(event: &Value) -> Result<&'static str> {
    let (family, _) = text(event, "type")?.split_once('.').context("type")?;
    Ok(match family {
        "conversation" => "recap.conversations",
        "message" => "recap.messages",
        "feedback" => "recap.feedback",
        "tool_call" => "recap.tool-calls",
        "user" => "recap.users",
        "agent" => "recap.agents",
        other => anyhow::bail!("no topic for {other}"),
    })
}

fn key(event: &Value) -> Result<String> {
    let data = &event["data"];
    if let Ok(conversation) = text(data, "conversationId") {
        return Ok(conversation.to_owned());
    }
    let org = text(data, "orgId")?;
    match text(data, "userId") {
        Ok(user) => Ok(format!("{org}/{user}")),
        Err(_) => Ok(format!("{org}/{}", data["agentId"])),
    }
}

async fn run(records: Vec<Record>, projectors: Projectors) -> Result<()> {
    let dashboards = Dashboards::start().await?;
    let groups: &[&str] = match projectors {
        Projectors::One => &["recap-projector"],
        Projectors::Sharing => &["recap-projector", "recap-projector"],
        Projectors::Rivals => &["recap-projector", "rival"],
    };
    let mut running = Vec::new();
    if matches!(projectors, Projectors::One) {
        dashboards.publish(records).await?;
        running.push(dashboards.projector(groups[0], 0).await?);
    } else {
        for (number, group) in groups.iter().enumerate() {
            running.push(dashboards.projector(group, number).await?);
        }
        for projector in &running {
            dashboards.wait_until_ready(projector).await?;
        }
        dashboards.publish(records).await?;
    }
    for group in groups {
        dashboards.wait_until_caught_up(group).await?;
    }
    dashboards.check_requests().await?;
    for mut projector in running {
        projector.stop();
        projector.wait().await?;
    }
    let dead = dashboards
        .world
        .log
        .kafka()
        .read_all(&dashboards.world.log.dead_letters())
        .await?;
    ensure!(dead.is_empty(), "dead letters: {dead:?}");
    Ok(())
}

/// A world with a Clerk instance and a query service of its own.
struct Dashboards {
    world: World<'static>,
    clerk: LocalClerk,
    query: RunningServer,
    http: reqwest::Client,
}

impl Dashboards {
    async fn start() -> Result<Self> {
        let world = World::builder("golden").partitions(3).build().await;
        let clerk = LocalClerk::start().await?;
        let query = start_query_service(&world, &clerk).await?;
        let http = reqwest::Client::builder().timeout(LIMIT).build()?;
        Ok(Self {
            world,
            clerk,
            query,
            http,
        })
    }

    async fn publish(&self, mut records: Vec<Record>) -> Result<()> {
        for record in &mut records {
            record.topic = self.world.log.name(&record.topic);
        }
        Ok(self.world.log.kafka().publish(&records).await?)
    }

    async fn projector(&self, group: &str, number: usize) -> Result<RunningProjector> {
        let group = format!("--consumer-group={}", self.world.log.name(group));
        let member = format!("--group-instance-id=golden-{number}");
        start_projector(&self.world, &[&group, &member]).await
    }

    /// Until it is a member of its group and has reached the database.
    async fn wait_until_ready(&self, projector: &RunningProjector) -> Result<()> {
        let url = format!("http://{}/readyz", projector.admin_addr());
        let answer = async || self.http.get(&url).send().await;
        let ready = |answer: &Result<Response, _>| answer.as_ref().is_ok_and(|answer| answer.status().is_success());
        eventually("/readyz", LIMIT, answer, ready).await?;
        Ok(())
    }

    /// Until the group has committed everything that is published, which it does only after the database has it.
    async fn wait_until_caught_up(&self, group: &str) -> Result<()> {
        let group = self.world.log.name(group);
        let lag = async || self.world.log.lag(&group).await;
        eventually("the lag of the group", LIMIT, lag, |lag| matches!(lag, Ok(0) | Err(_))).await?;
        Ok(())
    }

    async fn check_requests(&self) -> Result<()> {
        let mut requests: Vec<Value> = serde_json::from_str(&golden("requests.json")?)?;
        requests.extend(serde_json::from_str::<Vec<Value>>(&golden("requests-1.1.json")?)?);
        ensure!(requests.len() == 6 + 17, "the contract's requests");
        // One is a 404, which has no file.
        for request in requests.iter().filter(|request| request["status"].is_null()) {
            let file = text(request, "response")?;
            let expected: Value = serde_json::from_str(&golden(file)?)?;
            let answer = self.ask(request).await.with_context(|| file.to_owned())?;
            ensure!(
                answer == expected,
                "this is not {file}: {answer:#}\nexpected: {expected:#}"
            );
        }
        Ok(())
    }

    async fn ask(&self, request: &Value) -> Result<Value> {
        let (org, caller) = (text(request, "orgId")?, text(request, "caller")?);
        let session = match text(request, "role")? {
            "org:admin" => Session::admin(org, caller),
            _ => Session::member(org, caller),
        };
        let query = request["query"].as_object().context("query")?;
        let pairs: Vec<(&String, &str)> = query
            .iter()
            .map(|(name, value)| (name, value.as_str().unwrap_or_default()))
            .collect();
        let base = format!("http://{}{}", self.query.addr, text(request, "path")?);
        let url = Url::parse_with_params(&base, pairs)?;
        let token = self.clerk.token(&session)?;
        let answer = self.http.get(url).bearer_auth(token).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }
}

fn events() -> Result<Vec<Value>> {
    let lines = golden("events.ndjson")?;
    let events: Vec<Value> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(events.len() == 40, "the contract's 40 lines");
    Ok(events)
}

fn golden(name: &str) -> Result<String> {
    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events/tests/golden");
    std::fs::read_to_string(directory.join(name)).with_context(|| name.to_owned())
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| field.to_owned())
}
