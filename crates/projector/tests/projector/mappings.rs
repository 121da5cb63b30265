//! Topics of an application's own records, mapped to events: the rows are those of the events, and what cannot be mapped stops nobody.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{collections::BTreeMap, fs, time::Duration};

use recap_generator::{Config, Log};
use recap_testing::{Record, World, eventually};
use tempfile::TempDir;

use crate::PROJECTOR;

const LIMIT: Duration = Duration::from_mins(1);

/// Several events in one record, as an application may publish them, and records that no program should be given.
const PROGRAM: &str = r#"
def endless: endless;
if .value.endless then endless
elif .value.huge then "a" * 1e12
elif .value.deep then def deep: 1 + deep; deep
else .value.batch[] end
"#;

/// A folder with the same program for each topic of a world.
fn folder(world: &World<'_>, program: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for topic in world.log.topics() {
        fs::write(folder.path().join(format!("{topic}.jq")), program).unwrap();
    }
    folder
}

/// The generator's events, a few to a record: the texts of the events are as they were.
fn batched(world: &World<'_>, records: &[recap_generator::Record]) -> Vec<Record> {
    let batches = records.chunk_by(|one, next| one.topic == next.topic);
    let batches = batches.flat_map(|batch| batch.chunks(3));
    batches
        .map(|batch| {
            let events: Vec<&str> = batch
                .iter()
                .map(|record| str::from_utf8(&record.value).unwrap())
                .collect();
            let value = format!("{{\"batch\": [{}]}}", events.join(","));
            Record::new(world.log.name(batch[0].topic.name()), batch[0].key.clone(), value)
        })
        .collect()
}

/// Events whose JSON is spelled as a mapping spells it: an escaped letter would come out as the letter.
fn events(seed: u64, count: u64) -> Vec<recap_generator::Record> {
    let is_plain = |record: &recap_generator::Record| !record.value.windows(2).any(|two| two == b"\\u");
    Log::new(Config::small(seed, count)).iter().filter(is_plain).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn mapped_records_are_the_events_they_hold_and_what_cannot_be_mapped_is_dead_lettered() {
    let world = World::builder("mapped").partitions(2).build().await;
    let folder = folder(&world, PROGRAM);
    let events = events(21, 6_000);
    let mut records = batched(&world, &events);
    let topic = world.log.name("recap.messages");
    let half = records.len() / 2;
    let bad = [
        ("endless", r#"{"endless": true}"#),
        ("huge", r#"{"huge": true}"#),
        ("deep", r#"{"deep": true}"#),
        ("text", "no JSON at all"),
        (
            "half-good",
            r#"{"batch": [{"type": "conversation.deleted", "data": {"orgId": "org", "conversationId": "never"}}, {"type": "conversation.deleted", "data": {"orgId": "org"}}]}"#,
        ),
    ];
    records.splice(half..half, bad.map(|(key, value)| Record::new(&topic, key, value)));
    let mut projector = world.projector(PROJECTOR, &[&format!("--mappings={}", folder.path().display())]);
    world.log.kafka().publish(&records).await.unwrap();
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));

    let rows = world.database.assert_equals_fold(&events).await;
    assert!(rows > 100, "{rows} rows");
    let read = async || world.log.kafka().read_all(&world.log.dead_letters()).await;
    let all = |letters: &Result<Vec<_>, _>| letters.as_ref().is_ok_and(|letters| letters.len() >= bad.len());
    let letters = eventually("dead letters", LIMIT, read, all).await.unwrap();
    let by_key: BTreeMap<String, (&str, &str)> = letters
        .iter()
        .map(|letter| {
            let key = String::from_utf8_lossy(letter.key.as_deref().unwrap()).into_owned();
            (
                key,
                (
                    letter.header("recap-reason").unwrap(),
                    letter.header("recap-error").unwrap(),
                ),
            )
        })
        .collect();
    assert_eq!(by_key.len(), bad.len());
    for (key, reason, error) in [
        ("endless", "mapping", "does not end"),
        ("huge", "mapping", "larger values"),
        ("deep", "mapping", "too deeply"),
        (
            "text",
            "mapping",
            ".jq, line 3, column 4, after 0 events: cannot index string with \"endless\"",
        ),
        ("half-good", "missing-field", "event 2 of "),
    ] {
        let (found, said) = by_key[key];
        assert_eq!(found, reason, "{key}");
        assert!(said.contains(error), "{key}: {said}");
    }
    assert!(
        !letters.iter().any(|letter| letter.value.is_none()),
        "a dead letter has its record's value"
    );
}

/// A topic without a mapping beside one that has it: each is read in its own way. Mistakes end the start, all named.
#[tokio::test(flavor = "multi_thread")]
async fn only_topics_with_a_mapping_are_mapped() {
    let world = World::builder("mixed").partitions(1).build().await;
    let events = events(22, 1_000);
    let folder = folder(&world, PROGRAM);
    let plain = world.log.name("recap.feedback");
    fs::remove_file(folder.path().join(format!("{plain}.jq"))).unwrap();
    let (as_they_are, to_map): (Vec<_>, Vec<_>) = events
        .iter()
        .cloned()
        .partition(|record| record.topic.name() == "recap.feedback");
    assert!(!as_they_are.is_empty());
    let mappings = format!("--mappings={}", folder.path().display());
    let mut projector = world.projector(PROJECTOR, &[&mappings]);
    world.publish(&as_they_are).await;
    world.log.kafka().publish(&batched(&world, &to_map)).await.unwrap();
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    world.database.assert_equals_fold(&events).await;

    let topics = world.log.topics();
    fs::write(folder.path().join(format!("{}.jq", topics[0])), "{").unwrap();
    fs::write(folder.path().join(format!("{}.jq", topics[1])), ".a | now").unwrap();
    let refused = std::process::Command::new(PROJECTOR)
        .args(world.projector_flags(&[&mappings]))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    for mistake in [
        format!("{}.jq: line 1, column 2: expected closing brace", topics[0]),
        format!("{}.jq: line 1, column 6: there is no filter `now`", topics[1]),
    ] {
        assert!(said.contains(&mistake), "{mistake} is not in {said}");
    }
}
