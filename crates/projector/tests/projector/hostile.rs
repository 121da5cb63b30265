//! Data that a well-meaning producer would not send, and some do.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::{Duration, Instant};

use recap_generator::{Config, Log, Record};
use recap_testing::World;
use serde_json::Value;

use crate::{
    PROJECTOR,
    hostile_events::{LOOK_ALIKES, TIMES, message, of_organization, tool_call},
};

const LIMIT: Duration = Duration::from_mins(3);

async fn ends_as_its_fold(test: &str, records: &[Record]) {
    let world = World::builder(test).partitions(2).build().await;
    let mut projector = world.projector(
        PROJECTOR,
        &[
            "--flush-max-events=2000",
            "--intake-bytes=16MiB",
            "--state-cache-bytes=16MiB",
            // Times up to the last that there is.
            "--max-time-ahead=off",
        ],
    );
    world.publish(&records[..1]).await;
    world.caught_up(LIMIT).await;
    let started = Instant::now();
    world.publish(records).await;
    world.caught_up(LIMIT).await;
    println!(
        "{test}: {} events, {:?} each",
        records.len(),
        started.elapsed() / u32::try_from(records.len()).unwrap()
    );
    let resident = projector.resident() >> 20;
    assert!(resident < 512, "{resident} MiB resident");
    assert_eq!(projector.stop().await, Some(0));
    world.database.assert_equals_fold(records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_conversation_of_100_000_messages_is_exact_and_bounded() {
    let records: Vec<Record> = (0..100_000)
        .map(|number| {
            let time = format!(
                "2026-01-{:02}T{:02}:{:02}:{:02}Z",
                1 + number / 86_400,
                number / 3_600 % 24,
                number / 60 % 60,
                number % 60
            );
            message(&format!("m-{number}"), &time, "giant", "hello")
        })
        .collect();
    ends_as_its_fold("giant", &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_texts_deep_json_many_tool_calls_and_look_alike_ids_are_exact() {
    let mut records = Vec::new();
    for (number, id) in LOOK_ALIKES.iter().enumerate() {
        records.push(message(&format!("look-{number}"), "2026-01-01T00:00:00Z", id, "alike"));
    }
    for (number, time) in TIMES.iter().enumerate() {
        records.push(message(&format!("time-{number}"), time, "times", "when"));
    }
    for number in 0..4 {
        let time = format!("2026-01-01T00:00:0{number}Z");
        let text = "x".repeat(900_000);
        records.push(message("huge", &time, "huge", &text));
    }
    records.push(message("null", "2026-01-01T00:00:00Z", "null", "a\\u0000b"));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let wide = format!("[{}1e400]", "{\"a\":[1,2.50,null]},".repeat(5_000));
    records.extend(tool_call(0, &deep));
    records.extend(tool_call(1, &wide));
    records.extend((2..5_000).flat_map(|number| tool_call(number, "{\"q\":\"\\u0000\"}")));
    ends_as_its_fold("hostile", &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_organizations_of_one_conversation_are_exact() {
    let records: Vec<Record> = (0..100_000).map(of_organization).collect();
    ends_as_its_fold("organizations", &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_one_conversation_id_is_as_exact_as_any() {
    let mut records: Vec<Record> = Log::new(Config::small(10, 20_000)).iter().collect();
    ends_as_its_fold("any", &records).await;
    for record in &mut records {
        let mut event: Value = serde_json::from_slice(&record.value).unwrap();
        if let Some(id) = event["data"].get_mut("conversationId") {
            *id = "one".into();
        }
        record.value = serde_json::to_vec(&event).unwrap();
    }
    ends_as_its_fold("one", &records).await;
}
