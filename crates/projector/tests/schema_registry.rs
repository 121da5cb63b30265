//! Values of a schema registry's, recorded from Confluent's serializers, through Apicurio Registry, Apache Kafka, the projector as a process, and PostgreSQL.
//! While the registry is away they wait; what it does not have, or its schema does not decode, is dead-lettered.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{fs, path::Path};

use recap_mapping::{Schemas, examples::OwnedRecord};
use recap_testing::{LIMIT, Record, SchemaRegistryServer, TcpProxy, World, eventually};
use serde_json::Value;

const PROJECTOR: &str = env!("CARGO_BIN_EXE_recap-projector");
const MAPPINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/mappings");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(MAPPINGS).join(path)).unwrap()
}

/// Registers the schemas that the records name, and publishes the records with the ids that they have here.
async fn publish(world: &World<'_>, registry: &SchemaRegistryServer, formats: &[&str]) {
    let topic = world.log.name("recap.messages");
    let schemas = read("schema-registry.examples/schemas.ndjson");
    let schemas: Vec<Value> = schemas
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for format in formats {
        let lines = read(&format!("schema-registry.examples/{format}.records.ndjson"));
        let mut records = Vec::new();
        for record in OwnedRecord::read_lines(&lines).unwrap() {
            let mut value = record.value.unwrap();
            let id = Schemas::id(&value).unwrap();
            let schema = schemas.iter().find(|schema| schema["id"] == id).unwrap();
            let here = register(registry, &topic, format, schema).await;
            value[1..5].copy_from_slice(&here.to_be_bytes());
            records.push(Record {
                topic: topic.clone(),
                key: record.key,
                value: Some(value),
                headers: Vec::new(),
                timestamp: record.timestamp,
                partition: None,
            });
        }
        world.log.kafka().publish(&records).await.unwrap();
    }
}

async fn register(registry: &SchemaRegistryServer, topic: &str, format: &str, schema: &Value) -> u32 {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut references = Vec::new();
    for reference in schema["references"].as_array().unwrap() {
        let (name, schema) = (text(&reference["name"]), text(&reference["schema"]));
        let subject = format!("{topic}-{format}-{name}");
        registry
            .register(&subject, &format.to_uppercase(), &schema, &[])
            .await
            .unwrap();
        references.push((name, subject));
    }
    let references: Vec<(&str, &str, i64)> = references
        .iter()
        .map(|(name, subject)| (name.as_str(), subject.as_str(), 1))
        .collect();
    let (kind, schema) = (text(&schema["schemaType"]), text(&schema["schema"]));
    registry
        .register(&format!("{topic}-{format}-value"), &kind, &schema, &references)
        .await
        .unwrap()
}

type Row = (String, String, Option<String>, Option<String>, i64, i64);

async fn rows(world: &World<'_>) -> Vec<Row> {
    let live = world.database.live().await.schema();
    let statement = format!(
        "SELECT org_id, conversation_id, user_id, first_message_text, user_message_count, assistant_message_count \
         FROM {live}.conversation_summary ORDER BY 1, 2"
    );
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(statement)).fetch_all(&world.database.pool);
    rows.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_is_waited_for_and_then_every_format_gives_the_same_rows() {
    let world = World::builder("schemas").partitions(2).build().await;
    let registry = SchemaRegistryServer::shared().await.unwrap();
    let port: u16 = registry
        .url()
        .split(':')
        .nth(2)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let proxy = TcpProxy::to(port).await;
    let folder = tempfile::tempdir().unwrap();
    let topic = world.log.name("recap.messages");
    fs::write(folder.path().join(format!("{topic}.jq")), read("schema-registry.jq")).unwrap();
    let flags = [
        format!("--mappings={}", folder.path().display()),
        format!("--schema-registry-url={}", proxy.in_url(registry.url(), port)),
    ];
    let flags = flags.each_ref().map(String::as_str);

    publish(&world, registry, &["avro"]).await;
    proxy.cut();
    let mut projector = world.projector(PROJECTOR, &flags);
    let not_ready = async || projector.not_ready().await.unwrap_or_default();
    eventually("a projector that waits", LIMIT, not_ready, |why| {
        why.contains("the schema registry does not answer")
    })
    .await;
    assert!(projector.metric("recap_schema_registry_waiting").await.unwrap() > 0);
    // It polls on, and ends at its deadline with what it holds unwritten.
    assert_eq!(projector.stop().await, Some(4));
    assert!(rows(&world).await.is_empty());

    let mut projector = world.projector(PROJECTOR, &flags);
    projector
        .metric_becomes("recap_schema_registry_waiting", |waiting| waiting > 0)
        .await;
    proxy.lead_to(port);
    world.caught_up(LIMIT).await;
    publish(&world, registry, &["json", "protobuf"]).await;
    world.caught_up(LIMIT).await;
    let all = rows(&world).await;
    let of = |format: &str| -> Vec<Row> {
        let own = all.iter().filter(|row| row.1.starts_with(format));
        own.cloned()
            .map(|row| (row.0, row.1[format.len()..].to_owned(), row.2, row.3, row.4, row.5))
            .collect()
    };
    let row = |org: &str, chat: &str, user: &str, text: Option<&str>, users, assistants| {
        let text = text.map(str::to_owned);
        (
            org.to_owned(),
            chat.to_owned(),
            Some(user.to_owned()),
            text,
            users,
            assistants,
        )
    };
    let wanted = [
        row("org_a", "/c1", "user_1", Some("Where is my order 4711?"), 1, 1),
        row("org_a", "/c2", "user_2", Some("Thank you"), 1, 0),
        row("org_b", "/c1", "user_3", None, 1, 0),
    ];
    for format in ["AVRO", "JSON", "PROTOBUF"] {
        assert_eq!(of(format), wanted, "{format}");
    }

    let unknown = [0, 0x7f, 0xff, 0xff, 0xff, 2];
    let record = Record {
        value: Some(unknown.to_vec()),
        ..Record::new(&topic, "k", "")
    };
    world.log.kafka().publish(&[record]).await.unwrap();
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    let letters = world.log.kafka().read_all(&world.log.dead_letters()).await.unwrap();
    let said: Vec<_> = letters
        .iter()
        .map(|letter| (letter.header("recap-reason"), letter.header("recap-error")))
        .collect();
    assert_eq!(
        said,
        [(Some("schema"), Some("schema 2147483647 is not in the registry"))]
    );
}
