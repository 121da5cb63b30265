//! Tokens, e-mail addresses and what callers search for reach no log line and no span, at any level of detail. A program of its own, because
//! it listens to everything the process says.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(dead_code, reason = "the other tests use the rest of it")]

#[path = "http/world.rs"]
mod world;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::json;
use tracing_subscriber::fmt::format::FmtSpan;
use world::{LIST, RANGE, STATS, World, conversation, event};

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn secrets_stay_out_of_logs_and_spans() {
    let said = Said::default();
    let writer = said.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let world = World::start().await;
    let profile =
        json!({ "userId": "ada", "email": "ada@secret.example", "publicMetadata": { "mail": "ada@secret.example" } });
    let events = [
        conversation("c1", "ada", "2024-03-01T10:00:00Z"),
        event("user.upserted", "2024-03-01T00:00:00Z", profile),
    ];
    world.publish(&events).await;
    // Only what the query service says counts, from here on.
    said.0.lock().unwrap().clear();

    let token = world.boss();
    let search = "metadataKey=mail&metadataValue=ada@secret.example";
    for path in [
        format!("{LIST}?{RANGE}&allInOrg=true&limit=5&{search}"),
        format!("{LIST}?{RANGE}&allInOrg=true&{search}"),
        format!("{STATS}?{RANGE}&allInOrg=true&{search}"),
    ] {
        let reply = world.get(&token, &path).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let forged = format!("{}x", &token[..token.len() - 1]);
    let refused = world.get(&forged, &format!("{STATS}?{RANGE}&{search}")).await;
    assert_eq!(refused.status, 401);
    let mistaken = world
        .get(&token, &format!("{STATS}?{search}&ada@secret.example=1"))
        .await;
    assert_eq!(mistaken.status, 400);

    let said = String::from_utf8_lossy(&said.0.lock().unwrap()).into_owned();
    assert!(said.contains("http.request") && said.contains("/api/dashboard/getStats"));
    let signature = token.rsplit('.').next().unwrap();
    for secret in ["secret.example", &signature[..40], token.split('.').nth(1).unwrap()] {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
