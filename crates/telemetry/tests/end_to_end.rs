//! Traces through all of recap: from a producer over Kafka's headers to the commit, and from HTTP over the cache to SQL. And nothing personal in
//! anything exported.
#![expect(clippy::unwrap_used, reason = "a test")]

mod receiver;

use std::time::Duration;

use clap::Parser;
use opentelemetry_proto::tonic::trace::v1::Span;
use recap_projector::{Projector, ProjectorConfig};
use recap_query::Config;
use recap_query::config::ClerkConfig;
use recap_servers::clerk::{LocalClerk, Session};
use recap_servers::kafka::unique_prefix;
use recap_servers::{KafkaServer, PostgresServer, Record};
use recap_telemetry::propagation::{inject, inject_span};
use recap_telemetry::{LogFormat, LogOutput, Service, Telemetry, TelemetryConfig};
use serde_json::{Value, json};
use tokio::time::Instant;

use receiver::{Receiver, ServiceSpan, attribute};

const PATIENCE: Duration = Duration::from_secs(30);
const ORG: &str = "org_traced";
const LIST: &str = "/api/dashboard/getInteractions?from=2000-01-01T00:00:00Z&to=2099-01-01T00:00:00Z&allInOrg=true&limit=10";

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
    config: ProjectorConfig,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_trace_spans_producer_and_commit_another_http_and_sql_and_nothing_personal_is_exported()
{
    let receiver = Receiver::start().await.unwrap();
    let telemetry = Telemetry::start(
        &exporting_to(&receiver),
        Service {
            name: "recap-traced",
            version: "0",
            logs: LogOutput::Stderr,
        },
    )
    .unwrap();
    let kafka = KafkaServer::shared().await.unwrap();
    let database_url = PostgresServer::shared()
        .await
        .unwrap()
        .create_database()
        .await
        .unwrap();
    let pool = sqlx::PgPool::connect(&database_url).await.unwrap();
    recap_store::migrate(&pool).await.unwrap();
    let clerk = LocalClerk::start().await.unwrap();
    let prefix = unique_prefix("traced");
    let topic = format!("{prefix}.events");
    kafka.topic(&topic, 2).await.unwrap();
    kafka.topic(&format!("{prefix}.dead"), 1).await.unwrap();

    let projector = ProjectorCommand::parse_from([
        "test",
        &format!("--database-url={database_url}"),
        &format!("--kafka-bootstrap-servers={}", kafka.bootstrap()),
        &format!("--topics={topic}"),
        &format!("--consumer-group={prefix}"),
        &format!("--dead-letter-topic={prefix}.dead"),
        "--admin-addr=127.0.0.1:0",
    ]);
    let mut projector =
        Projector::start(projector.config.settings().unwrap(), telemetry.registry())
            .await
            .unwrap();
    let config = Config::local(
        &database_url,
        ClerkConfig::fetched(clerk.issuer(), clerk.jwks_url()),
    );
    let service = recap_query::serve(config, telemetry.registry().clone())
        .await
        .unwrap();
    let token = clerk.token(&Session::admin(ORG, "user_boss")).unwrap();
    let url = format!("http://{}{LIST}", service.addr);

    // The producer's side: one span, its context in every record's headers.
    let publishing = tracing::info_span!("publish");
    let headers = inject_span(&publishing);
    let records: Vec<Record> = events()
        .iter()
        .map(|value| {
            let record = Record::new(topic.clone(), "key", value.as_str());
            headers.iter().fold(record, |record, (key, value)| {
                record.header(*key, value.as_bytes())
            })
        })
        .collect();
    kafka.publish(&records).await.unwrap();
    drop(publishing);

    // The dashboard's side: asked until the row is whole.
    let client = reqwest::Client::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asking = tracing::info_span!("dashboard");
        let headers = asking.in_scope(inject);
        let request = client.get(&url).bearer_auth(&token);
        let request = headers
            .iter()
            .fold(request, |request, (key, value)| request.header(*key, value));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let rows: Value = answer.json().await.unwrap();
        if rows[0]["firstMessageText"] == SECRETS[0]
            && rows[0]["userEmail"] == SECRETS[1]
            && rows[0]["totalFeedback"] == 1
        {
            break;
        }
        assert!(Instant::now() < deadline, "never whole: {rows}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for refused in [
        format!("{url}&metadataKey={}&metadataKey=x", SECRETS[7]),
        format!("{url}&{}=1", SECRETS[7]),
    ] {
        assert_eq!(
            client
                .get(&refused)
                .bearer_auth(&token)
                .send()
                .await
                .unwrap()
                .status(),
            400
        );
    }
    assert_eq!(
        client
            .get(&url)
            .bearer_auth(format!("{token}x"))
            .send()
            .await
            .unwrap()
            .status(),
        401
    );

    projector.stop();
    projector.wait().await.unwrap();
    service.stop().await;
    tokio::task::spawn_blocking(move || drop(telemetry))
        .await
        .unwrap();
    let exported = receiver.received();
    let spans = exported.spans();

    let publish = one(&spans, "publish");
    let in_trace: Vec<&Span> = spans
        .iter()
        .map(|span| &span.span)
        .filter(|span| span.trace_id == publish.trace_id)
        .collect();
    let flush = in_trace
        .iter()
        .find(|span| span.name == "flush")
        .unwrap_or_else(|| panic!("no flush in the producer's trace: {:?}", names(&spans)));
    assert_eq!(flush.parent_span_id, publish.span_id);
    assert!(
        flush
            .links
            .iter()
            .any(|link| link.span_id == publish.span_id)
    );
    let stored = in_trace
        .iter()
        .find(|span| span.name == "store.flush")
        .unwrap();
    assert_eq!(stored.parent_span_id, flush.span_id);
    let commit = in_trace
        .iter()
        .find(|span| span.name == "store.commit")
        .unwrap();
    assert_eq!(commit.parent_span_id, stored.span_id);

    let page = one(&spans, "store.page");
    let path = path_to_root(&spans, &page);
    assert_eq!(
        path,
        [
            "store.page",
            "cache.lookup",
            "GET /api/dashboard/getInteractions",
            "dashboard"
        ],
        "{:?}",
        names(&spans)
    );
    assert_eq!(
        attribute(&page.attributes, "db.system.name").as_deref(),
        Some("postgresql")
    );

    assert!(
        !exported.log_records().is_empty(),
        "the dead letter and the refusals were logged"
    );
    let metrics = exported.metric_names();
    for metric in [
        "recap.projector.freshness.produce_time",
        "http.server.request.duration",
        "db.client.operation.duration",
    ] {
        assert!(
            metrics.iter().any(|name| name == metric),
            "{metric} not in {metrics:?}"
        );
    }
    for secret in SECRETS
        .iter()
        .copied()
        .chain([token.as_str(), token.rsplit('.').next().unwrap()])
    {
        assert!(!exported.mentions(secret), "{secret} was exported");
    }
    pool.close().await;
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
    while let Some(span) = spans
        .iter()
        .map(|span| &span.span)
        .find(|span| span.span_id == parent)
    {
        assert_eq!(span.trace_id, leaf.trace_id);
        path.push(span.name.clone());
        parent.clone_from(&span.parent_span_id);
    }
    path
}
