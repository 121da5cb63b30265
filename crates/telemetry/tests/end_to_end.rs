//! Traces through all of recap: from a producer over Kafka's headers to the commit, and from HTTP over the cache to SQL. And nothing personal in
//! anything exported.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(dead_code, reason = "the receiver has accessors that other tests use")]

#[path = "otlp/receiver.rs"]
mod receiver;

use clap::Parser;
use opentelemetry_proto::tonic::trace::v1::Span;
use recap_projector::{Projector, ProjectorArgs, RunningProjector};
use recap_query::{Config, RunningServer, config::ClerkConfig};
use recap_telemetry::{
    LogFormat, LogOutput, Service, Telemetry, TelemetryConfig,
    propagation::{inject, inject_span},
};
use recap_testing::{
    LIMIT, Record, World,
    clerk::{LocalClerk, Session},
    eventually,
};
use receiver::{Receiver, ServiceSpan, attribute};
use serde_json::{Value, json};

const ORG: &str = "org_traced";
const LIST: &str =
    "/api/dashboard/getInteractions?from=2000-01-01T00:00:00Z&to=2099-01-01T00:00:00Z&allInOrg=true&limit=10";

/// What must never leave by telemetry, whatever part of recap touches it.
const SECRETS: [&str; 8] = [
    "secret-text-of-a-message",
    "secret.mail@example.com",
    "Secretfirst",
    "secret-metadata",
    "secret-arguments",
    "secret-comment",
    "secret-in-a-broken-event",
    "secret-parameter",
];

#[derive(Parser)]
struct ProjectorCommand {
    #[command(flatten)]
    config: ProjectorArgs,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_trace_spans_producer_and_commit_another_http_and_sql_and_nothing_personal_is_exported() {
    let receiver = Receiver::start().await.unwrap();
    let service = Service {
        name: "recap-traced",
        version: "0",
        logs: LogOutput::Stderr,
    };
    let telemetry = Telemetry::start(&exporting_to(&receiver), service).unwrap();
    let recap = Recap::start(&telemetry).await;
    recap.publish().await;
    recap.ask_until_whole().await;
    recap.ask_what_is_refused().await;
    let token = recap.stop().await;
    tokio::task::spawn_blocking(move || drop(telemetry)).await.unwrap();

    let exported = receiver.received();
    let spans = exported.spans();
    the_producers_trace_reaches_the_commit(&spans);
    the_requests_trace_reaches_sql(&spans);
    assert!(!exported.log_records().is_empty(), "the dead letters were logged");
    let metrics = exported.metric_names();
    for metric in [
        "recap.projector.freshness.produce_time",
        "http.server.request.duration",
        "db.client.operation.duration",
    ] {
        assert!(metrics.iter().any(|name| name == metric), "{metric} not in {metrics:?}");
    }
    let signature = token.rsplit('.').next().unwrap();
    for secret in SECRETS.into_iter().chain([token.as_str(), signature]) {
        assert!(!exported.mentions(secret), "{secret} was exported");
    }
}

fn the_producers_trace_reaches_the_commit(spans: &[ServiceSpan]) {
    let publish = one(spans, "publish");
    let in_trace = |name: &str| {
        let found = spans
            .iter()
            .map(|span| &span.span)
            .find(|span| span.trace_id == publish.trace_id && span.name == name);
        found.unwrap_or_else(|| panic!("no {name} in the producer's trace: {:?}", names(spans)))
    };
    let flush = in_trace("flush");
    assert_eq!(flush.parent_span_id, publish.span_id);
    assert!(flush.links.iter().any(|link| link.span_id == publish.span_id));
    let path = path_to_root(spans, in_trace("store.commit"));
    assert_eq!(path, ["store.commit", "store.flush", "flush", "publish"]);
}

fn the_requests_trace_reaches_sql(spans: &[ServiceSpan]) {
    let page = one(spans, "store.page");
    let path = path_to_root(spans, &page);
    assert_eq!(
        path,
        [
            "store.page",
            "cache.lookup",
            "GET /api/dashboard/getInteractions",
            "dashboard"
        ]
    );
    assert_eq!(
        attribute(&page.attributes, "db.system.name").as_deref(),
        Some("postgresql")
    );
}

/// Projector and query service on real servers.
struct Recap {
    world: World<'static>,
    projector: RunningProjector,
    query: RunningServer,
    /// Its keys are there as long as it is.
    clerk: LocalClerk,
    url: String,
    token: String,
    client: reqwest::Client,
}

impl Recap {
    async fn start(telemetry: &Telemetry) -> Self {
        let world = World::builder("traced").build().await;
        let flags = world.projector_flags(&["--admin-addr=127.0.0.1:0"]);
        let command = ProjectorCommand::parse_from([String::from("test")].into_iter().chain(flags));
        let settings = command.config.settings().unwrap();
        let projector = Projector::start(settings, telemetry.registry()).await.unwrap();
        let clerk = LocalClerk::start().await.unwrap();
        let issuer = ClerkConfig::fetched(clerk.issuer(), clerk.jwks_url());
        let config = Config::local(&world.database.url, issuer);
        let query = recap_query::serve(config, telemetry.registry().clone()).await.unwrap();
        let token = clerk.token(&Session::admin(ORG, "user_boss")).unwrap();
        let url = format!("http://{}{LIST}", query.addr);
        let client = reqwest::Client::new();
        Self {
            world,
            projector,
            query,
            clerk,
            url,
            token,
            client,
        }
    }

    /// Everything under one span, whose context is in every record's headers.
    async fn publish(&self) {
        let publishing = tracing::info_span!("publish");
        let headers = inject_span(&publishing);
        let topic = self.world.log.name("recap.messages");
        let record = |value: &String| {
            let record = Record::new(topic.as_str(), "key", value.as_str());
            headers
                .iter()
                .fold(record, |record, (key, value)| record.header(*key, value.as_bytes()))
        };
        let records: Vec<Record> = events().iter().map(record).collect();
        self.world.log.kafka().publish(&records).await.unwrap();
    }

    /// Each request under a span of its own, as a dashboard that traces would.
    async fn ask_until_whole(&self) {
        let ask = async || {
            let headers = tracing::info_span!("dashboard").in_scope(inject);
            let request = self.client.get(&self.url).bearer_auth(&self.token);
            let request = headers
                .iter()
                .fold(request, |request, (key, value)| request.header(*key, value));
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.json::<Value>().await.unwrap()
        };
        let whole = |rows: &Value| {
            let row = &rows[0];
            row["firstMessageText"] == SECRETS[0] && row["userEmail"] == SECRETS[1] && row["totalFeedback"] == 1
        };
        eventually("the conversation", LIMIT, ask, whole).await;
    }

    async fn ask_what_is_refused(&self) {
        let status =
            async |url: &str, token: &str| self.client.get(url).bearer_auth(token).send().await.unwrap().status();
        let parameter = SECRETS[7];
        assert_eq!(
            status(
                &format!("{}&metadataKey={parameter}&metadataKey=x", self.url),
                &self.token
            )
            .await,
            400
        );
        assert_eq!(status(&format!("{}&{parameter}=1", self.url), &self.token).await, 400);
        assert_eq!(status(&self.url, &format!("{}x", self.token)).await, 401);
    }

    async fn stop(mut self) -> String {
        self.projector.stop();
        self.projector.wait().await.unwrap();
        self.query.stop().await;
        drop(self.clerk);
        self.token
    }
}

/// Everything on, logs at their most talkative.
fn exporting_to(receiver: &Receiver) -> TelemetryConfig {
    TelemetryConfig {
        log: "info,recap_projector=trace,recap_query=trace,recap_store=trace,sqlx=debug".into(),
        log_format: LogFormat::Json,
        otel_exporter_otlp_endpoint: Some(receiver.endpoint().into()),
        ..TelemetryConfig::default()
    }
}

fn events() -> Vec<String> {
    let event = |id: &str, kind: &str, data: Value| {
        json!({"specversion": "1.0", "id": id, "source": "/test", "type": kind, "time": "2026-01-05T10:00:00Z", "data": data}).to_string()
    };
    let at = "2026-01-05T10:00:00Z";
    vec![
        event(
            "e1",
            "user.upserted",
            json!({"orgId": ORG, "userId": "u1", "email": SECRETS[1], "firstName": SECRETS[2], "publicMetadata": {"a": SECRETS[3]}}),
        ),
        event(
            "e2",
            "message.upserted",
            json!({"orgId": ORG, "conversationId": "c1", "messageId": "m1", "role": "user", "createdAt": at, "text": SECRETS[0], "userId": "u1"}),
        ),
        event(
            "e3",
            "tool_call.started",
            json!({"orgId": ORG, "conversationId": "c1", "toolCallId": "t1", "toolName": "search", "args": {"q": SECRETS[4]}}),
        ),
        event(
            "e4",
            "feedback.submitted",
            json!({"orgId": ORG, "conversationId": "c1", "feedbackId": "f1", "helpful": true, "comment": SECRETS[5]}),
        ),
        event(
            "e5",
            "message.upserted",
            json!({"orgId": ORG, "conversationId": "c1", "messageId": "m2", "role": "user", "createdAt": SECRETS[6], "text": SECRETS[6]}),
        ),
        format!("{{\"{}", SECRETS[6]),
    ]
}

fn one(spans: &[ServiceSpan], name: &str) -> Span {
    spans
        .iter()
        .find(|span| span.span.name == name)
        .unwrap_or_else(|| panic!("no span {name} in {:?}", names(spans)))
        .span
        .clone()
}

fn names(spans: &[ServiceSpan]) -> Vec<&str> {
    spans.iter().map(|span| span.span.name.as_str()).collect()
}

fn path_to_root(spans: &[ServiceSpan], leaf: &Span) -> Vec<String> {
    let mut path = vec![leaf.name.clone()];
    let mut parent = leaf.parent_span_id.clone();
    while let Some(span) = spans.iter().map(|span| &span.span).find(|span| span.span_id == parent) {
        assert_eq!(span.trace_id, leaf.trace_id);
        path.push(span.name.clone());
        parent.clone_from(&span.parent_span_id);
    }
    path
}
