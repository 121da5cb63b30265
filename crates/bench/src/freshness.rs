//! How long an acknowledged event takes to be visible through the API, while others arrive, and what that costs. The database holds the log already and the traffic
//! goes on where the log ended: from an empty one a quarter of the first writes are births of conversations, and each user's profile is new.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use recap_generator::Record;
use recap_log::{Lag, Publisher, Topic};
use recap_service::clock;
use recap_testing::clerk::{LocalClerk, Session};

use super::{
    backlog::{prepare, projector_variables},
    cpu,
    http::Client,
    load::Target,
    samples::Samples,
    service::Service,
    stack::{Broker, Database, Databases},
    tables::{Cost, Tables},
    traffic::Traffic,
};

/// The organization of the probes.
pub const ORGANIZATION: &str = "org_fresh";
/// One event that takes longer has failed.
const VISIBLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two requests for a probe, and so how much too long its time may be. Requests take from the cores that the projector has.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);
/// Between two probes, so that they do not meet the same flush.
const PAUSE: Duration = Duration::from_millis(37);

/// A query service that is answering.
pub struct Query {
    pub service: Service,
    pub target: Target,
    /// Host and port of health and metrics.
    pub admin: String,
    _clerk: LocalClerk,
}

/// What the query service is given of PostgreSQL, which runs on this machine too: two connections a core (`deploy/sizing.md`).
pub fn connections() -> usize {
    2 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Starts a query service over the database, without a rate limit; the token is an administrator's.
pub async fn start_query(database: &Database, organization: &str, variables: &[(&str, &str)]) -> anyhow::Result<Query> {
    let clerk = LocalClerk::start().await?;
    let session = Session {
        lifetime: Duration::from_hours(12),
        ..Session::admin(organization, "user_bench")
    };
    let token = clerk.token(&session)?;
    let host = format!("127.0.0.1:{}", recap_testing::port::free_port()?);
    let admin = format!("127.0.0.1:{}", recap_testing::port::free_port()?);
    let (issuer, keys) = (clerk.issuer(), clerk.jwks_url());
    let connections = connections().to_string();
    let mut all = vec![
        ("DATABASE_URL", database.url.as_str()),
        ("CLERK_ISSUER", &issuer),
        ("CLERK_JWKS_URL", &keys),
        ("RECAP_HTTP_ADDR", &host),
        ("RECAP_ADMIN_ADDR", &admin),
        ("RECAP_RATE_LIMIT", "0"),
        ("RECAP_DATABASE_CONNECTIONS", &connections),
    ];
    all.extend_from_slice(variables);
    let mut service = Service::start("recap-query", &all)?;
    let begun = Instant::now();
    loop {
        service.check()?;
        if let Ok(mut client) = Client::connect(&admin, &token).await
            && client.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
        {
            break;
        }
        ensure!(
            begun.elapsed() < VISIBLE_TIMEOUT,
            "the query service does not get ready"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(Query {
        service,
        target: Target { host, token },
        admin,
        _clerk: clerk,
    })
}

/// How fresh, and at what cost.
#[derive(Debug, Default)]
pub struct Live {
    /// Milliseconds from the acknowledgement to the answer that shows the row.
    pub latency: Samples,
    /// Cores that the projector used.
    pub projector_cores: f64,
    /// Cores that PostgreSQL used, for the probes' requests too.
    pub postgresql_cores: f64,
    /// Of an event of the traffic.
    pub cost: Cost,
}

/// Live traffic from its event of number `from` on, `rate` a second, for that long. The live figures, and how many events it were.
pub async fn run(
    broker: &Broker,
    databases: &Databases,
    from: u64,
    rate: f64,
    time: Duration,
) -> anyhow::Result<(Live, u64)> {
    let database = prepare(databases, None).await?;
    let group = format!("bench-freshness-{from}");
    let mut projector = Service::start("recap-projector", &projector_variables(broker, &database, &group))?;
    caught_up(&broker.log(&group), &mut projector).await?;
    let query = start_query(&database, ORGANIZATION, &[]).await?;
    let mut probes = Probes::connect(broker, &query.target, from).await?;
    probes.one().await?;
    let traffic = Traffic::start(broker.cluster(), from, rate).await?;
    let live = measure(&mut probes, time, (&traffic, &database), &mut projector).await;
    let published = traffic.stop().await?;
    query.service.stop()?;
    projector.stop()?;
    databases.drop(database).await?;
    Ok((live?, published))
}

/// Probes for `time`, after a fifth of it to warm up.
async fn measure(
    probes: &mut Probes,
    time: Duration,
    (traffic, database): (&Traffic, &Database),
    projector: &mut Service,
) -> anyhow::Result<Live> {
    probes.until(Instant::now() + time / 5).await?;
    let (began, before, published) = (Instant::now(), Usage::of(projector), traffic.published());
    let tables = Tables::of(database).await?;
    let latency = probes.until(began + time).await?;
    projector.check()?;
    let (projector_cores, postgresql_cores) = Usage::of(projector).cores_since(before, began.elapsed());
    let events = traffic.published() - published;
    Ok(Live {
        latency,
        projector_cores,
        postgresql_cores,
        cost: Tables::of(database).await?.cost_since(&tables, events),
    })
}

/// Seconds of processor time that the two have used.
#[derive(Clone, Copy)]
pub struct Usage {
    projector: f64,
    postgresql: f64,
}

impl Usage {
    pub fn of(projector: &Service) -> Self {
        Self {
            projector: projector.cpu(),
            postgresql: cpu::of_name("postgres"),
        }
    }

    /// Cores of the projector and of PostgreSQL, in the time since.
    pub fn cores_since(self, before: Self, time: Duration) -> (f64, f64) {
        let seconds = time.as_secs_f64().max(1e-9);
        let (projector, postgresql) = (self.projector - before.projector, self.postgresql - before.postgresql);
        (projector / seconds, postgresql / seconds)
    }
}

/// Waits until the projector has read what the log holds.
pub async fn caught_up(log: &recap_log::Log, projector: &mut Service) -> anyhow::Result<()> {
    let lag = Lag::of_finished(log)?;
    while lag.now()? > 0 {
        projector.check()?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Markers, each awaited before the next.
pub struct Probes {
    /// Before the number, in the ids of this run's conversations.
    run: u64,
    client: Client,
    publisher: Publisher,
    number: u32,
}

impl Probes {
    pub async fn connect(broker: &Broker, target: &Target, run: u64) -> anyhow::Result<Self> {
        Ok(Self {
            run,
            client: Client::connect(&target.host, &target.token).await?,
            publisher: Publisher::connect(&broker.cluster())?,
            number: 0,
        })
    }

    /// From one marker's acknowledgement until it is seen.
    pub async fn one(&mut self) -> anyhow::Result<Duration> {
        let created_at = clock::now();
        let id = format!("fresh-{}-{}", self.run, self.number);
        let marker = marker(&id, created_at);
        self.publisher.send(marker.topic.name(), &marker.key, &marker.value)?;
        tokio::task::block_in_place(|| self.publisher.flush())?;
        let acknowledged = Instant::now();
        see(&mut self.client, &id, created_at, acknowledged).await?;
        self.number += 1;
        Ok(acknowledged.elapsed())
    }

    /// Markers one after the other until that moment, at least one.
    pub async fn until(&mut self, end: Instant) -> anyhow::Result<Samples> {
        let mut latency = Samples::default();
        loop {
            latency.add_millis(self.one().await?);
            tokio::time::sleep(PAUSE).await;
            if Instant::now() >= end {
                return Ok(latency);
            }
        }
    }
}

/// A message that begins a conversation of its own.
fn marker(id: &str, created_at: DateTime<Utc>) -> Record {
    let time = created_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let value = format!(
        r#"{{"specversion":"1.0","id":"{id}-{time}","source":"/bench","type":"message.upserted","time":"{time}","data":{{"orgId":"{ORGANIZATION}","conversationId":"{id}","messageId":"1","role":"user","createdAt":"{time}","text":"here"}}}}"#
    );
    Record {
        topic: Topic::Messages,
        key: id.as_bytes().to_vec(),
        value: value.into_bytes(),
        time: created_at.timestamp_micros(),
        invalid: false,
    }
}

/// Asks until the conversation is in the answer.
async fn see(client: &mut Client, id: &str, created_at: DateTime<Utc>, acknowledged: Instant) -> anyhow::Result<()> {
    let at = created_at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let path = format!("/api/dashboard/getInteractions?from={at}&to={at}&allInOrg=true&limit=10");
    let wanted = format!("\"{id}\"");
    loop {
        client.get_ok(&path).await?;
        let text = std::str::from_utf8(&client.body).context("the answer is not UTF-8")?;
        if text.contains(&wanted) {
            return Ok(());
        }
        ensure!(
            acknowledged.elapsed() < VISIBLE_TIMEOUT,
            "conversation {wanted} does not appear"
        );
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}
