//! What cannot be folded is dead-lettered whole, and blocks nothing around it.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{collections::BTreeMap, time::Duration};

use rand::{Rng as _, SeedableRng as _, distr::Alphanumeric, rngs::StdRng};
use recap_events::Reason;
use recap_testing::{KafkaServer, RawRecord, Received, Record, World, eventually};
use sqlx::Executor;

use crate::PROJECTOR;

const LIMIT: Duration = Duration::from_mins(1);

fn message(id: &str, conversation: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"test","type":"message.upserted","time":"2026-01-01T00:00:00Z",
        "data":{{"orgId":"org","conversationId":"{conversation}","messageId":"{id}","role":"user","createdAt":"2026-01-01T00:00:00Z","text":"hello"}}}}"#
    )
}

/// One record for each rule, by the reason it must be given.
fn invalid() -> Vec<(Reason, Vec<u8>)> {
    let good = message("m", "c");
    let instead = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1).into_bytes()
    };
    let mut not_utf8 = good.clone().into_bytes();
    let position = good.find("hello").unwrap();
    not_utf8[position] = 0xff;
    vec![
        (Reason::NotUtf8, not_utf8),
        (Reason::NotJson, b"{\"half\":".to_vec()),
        (Reason::Batch, format!("[{good}]").into_bytes()),
        (Reason::UnsupportedFormat, b"Obj\x01".to_vec()),
        (Reason::UnsupportedDataType, instead("\"data\"", "\"datacontenttype\":\"text/csv\",\"data\"")),
        (Reason::NotBase64, instead("\"data\":", "\"data_base64\":\"!\",\"was\":")),
        (Reason::LoneSurrogate, instead("hello", "\\ud800")),
        (Reason::DuplicateField, instead("\"role\":\"user\"", "\"role\":\"user\",\"role\":\"user\"")),
        (Reason::MissingField, instead("\"role\":\"user\",", "")),
        (Reason::WrongType, instead("\"hello\"", "5")),
        (Reason::BadId, instead("\"conversationId\":\"c\"", "\"conversationId\":\"\"")),
        (Reason::EmptyString, instead("\"role\":\"user\"", "\"role\":\"\"")),
        (Reason::OutOfRange, instead("\"text\"", "\"attachmentCount\":-1,\"text\"")),
        (Reason::BadTime, instead("2026-01-01T00:00:00Z", "yesterday")),
        // Years after its record.
        (Reason::TimeAhead, good.clone().into_bytes()),
        (
            Reason::MetadataNotObject,
            br#"{"specversion":"1.0","id":"u","source":"test","type":"user.upserted","time":"2026-01-01T00:00:00Z","data":{"orgId":"org","userId":"u","publicMetadata":[1]}}"#.to_vec(),
        ),
    ]
}

/// The content type that a record is refused for.
fn content_type(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Batch => Some("application/cloudevents-batch+json"),
        Reason::UnsupportedFormat => Some("application/cloudevents+avro"),
        _ => None,
    }
}

async fn dead_letters(world: &World<'_>, count: usize) -> Vec<Received> {
    let topic = world.log.dead_letters();
    let read = async || world.log.kafka().read_all(&topic).await;
    let all = |records: &Result<Vec<_>, _>| records.as_ref().is_ok_and(|records| records.len() >= count);
    eventually("dead letters", LIMIT, read, all).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_invalid_event_is_dead_lettered_with_its_reason_while_the_good_ones_around_it_are_folded() {
    let world = World::builder("invalid").partitions(2).build().await;
    let topic = world.log.name("recap.messages");
    let invalid = invalid();
    assert_eq!(
        invalid.len(),
        Reason::ALL.len(),
        "a kind of invalid event is not tested"
    );
    let mut records = Vec::new();
    for (number, (reason, value)) in invalid.iter().enumerate() {
        records.push(Record::new(
            &topic,
            "good",
            message(&format!("good-{number}"), &format!("c-{number}")),
        ));
        let mut bad =
            Record::new(&topic, format!("key-{number}"), value.clone()).header("tenant", format!("t-{number}"));
        bad.headers.push(("empty".to_owned(), None));
        if let Some(content_type) = content_type(*reason) {
            bad = bad.header("content-type", content_type);
        }
        bad.timestamp = Some(1_700_000_000_000 + i64::try_from(number).unwrap());
        records.push(bad);
    }
    let unknown = message("later", "c").replace("message.upserted", "message.painted");
    records.push(Record::new(&topic, "unknown", unknown));
    records.push(Record {
        value: None,
        ..Record::new(&topic, "null", "")
    });
    let mut projector = world.projector(PROJECTOR, &[]);
    world.log.kafka().publish(&records).await.unwrap();
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));

    assert_eq!(
        world.database.count("conversation_summary").await,
        i64::try_from(invalid.len()).unwrap()
    );
    let letters = dead_letters(&world, invalid.len()).await;
    assert_eq!(
        letters.len(),
        invalid.len(),
        "an unknown type or a null value was dead-lettered"
    );
    let by_key: BTreeMap<_, _> = letters
        .iter()
        .map(|letter| (letter.key.clone().unwrap(), letter))
        .collect();
    for (number, (reason, value)) in invalid.iter().enumerate() {
        let letter = by_key[format!("key-{number}").as_bytes()];
        assert_eq!(letter.header("recap-reason"), Some(reason.as_str()));
        assert_eq!(letter.value.as_ref(), Some(value));
        assert_eq!(letter.header("tenant"), Some(format!("t-{number}").as_str()));
        assert!(letter.headers.contains(&("empty".to_owned(), None)));
        let original = 1_700_000_000_000 + i64::try_from(number).unwrap();
        assert_eq!(letter.header("recap-timestamp"), Some(original.to_string().as_str()));
        // Retention by age must not take a letter because its event is old.
        assert!(letter.timestamp.unwrap() > original + 1_000_000_000);
        assert_eq!(letter.header("recap-topic"), Some(topic.as_str()));
        assert!(letter.header("recap-offset").unwrap().parse::<i64>().is_ok());
        assert!(letter.header("recap-partition").unwrap().parse::<i32>().is_ok());
        assert!(letter.header("recap-error").is_some_and(|error| !error.is_empty()));
        assert_eq!(
            letter.header("recap-first-failure"),
            letter.header("recap-last-failure")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_database_refuses_is_found_and_dead_lettered_alone() {
    let world = World::builder("refused").partitions(1).build().await;
    let pool = &world.database.pool;
    pool.execute(
        "ALTER TABLE recap_g1.conversation_summary ADD CHECK (total_message_count < 3 OR conversation_id <> 'c-7')",
    )
    .await
    .unwrap();
    let topic = world.log.name("recap.messages");
    let records: Vec<Record> = (0..300)
        .map(|number| {
            let conversation = format!("c-{}", number % 100);
            Record::new(
                &topic,
                conversation.clone(),
                message(&format!("m-{number}"), &conversation),
            )
        })
        .collect();
    world.log.kafka().publish(&records).await.unwrap();
    let mut projector = world.projector(PROJECTOR, &[]);
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    let letters = dead_letters(&world, 1).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("recap-reason"), Some("database-refused"));
    assert_eq!(letters[0].header("recap-event-type"), Some("message.upserted"));
    assert_eq!(letters[0].key.as_deref(), Some(b"c-7".as_slice()));
    let sum: i64 = sqlx::query_scalar("SELECT sum(total_message_count)::bigint FROM recap_g1.conversation_summary")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(sum, 299);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_name_that_is_not_utf_8_makes_a_dead_letter_and_stops_nothing_around_it() {
    let world = World::builder("header").partitions(1).build().await;
    let topic = world.log.name("recap.messages");
    let good = |id: &str| Record::new(&topic, id, message(id, id));
    let mut projector = world.projector(PROJECTOR, &[]);
    world.log.kafka().publish(&[good("before")]).await.unwrap();
    let value = message("unreadable", "unreadable");
    let record = RawRecord {
        topic: &topic,
        partition: 0,
        key: b"unreadable",
        value: value.as_bytes(),
        headers: &[(b"tenant", b"t"), (b"caf\xe9", b"au lait")],
        timestamp: 1_700_000_000_000,
    };
    world.log.kafka().publish_raw(&record).await.unwrap();
    world.log.kafka().publish(&[good("after")]).await.unwrap();
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    assert_eq!(world.database.count("conversation_summary").await, 2);
    let letters = dead_letters(&world, 1).await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].header("recap-reason"), Some("unreadable-headers"));
    assert_eq!(letters[0].header("tenant"), Some("t"));
    assert_eq!(letters[0].key.as_deref(), Some(record.key));
    assert_eq!(letters[0].value.as_deref(), Some(record.value));
    assert_eq!(letters[0].header("recap-timestamp"), Some("1700000000000"));
    let unreadable = letters[0].headers.iter().filter(|(name, _)| name == "\u{fffd}");
    assert_eq!(unreadable.count(), 1, "the header itself is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_dead_letters_stop_the_projector_with_a_code_of_its_own() {
    let world = World::builder("limit").partitions(1).build().await;
    let topic = world.log.name("recap.messages");
    let records: Vec<Record> = (0..5_000).map(|_| Record::new(&topic, "k", "not an event")).collect();
    world.log.kafka().publish(&records).await.unwrap();
    let mut projector = world.projector(PROJECTOR, &[]);
    assert_eq!(projector.ended(LIMIT).await.code(), Some(3));
    assert!(world.lag().await > 0, "everything was drained into the dead letters");
}

/// A letter always fits: what is too large is left out part by part, and the partition goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_for_the_dead_letters_leaves_what_does_not_fit_and_stops_nothing() {
    let world = World::builder("large").partitions(1).build().await;
    let limit = [("max.message.bytes", "20000")];
    world
        .log
        .kafka()
        .topic_with(&world.log.dead_letters(), 1, &limit)
        .await
        .unwrap();
    let topic = world.log.name("recap.messages");
    let bad = |key: &str| Record::new(&topic, key, "not an event");
    // Nothing that compression makes small.
    let large: String = StdRng::seed_from_u64(1)
        .sample_iter(&Alphanumeric)
        .take(40_000)
        .map(char::from)
        .collect();
    let records = [
        Record::new(&topic, "value", large.clone()).header("tenant", "t"),
        bad("headers").header("tenant", large.as_str()),
        bad(&large)
            .header("tenant", large.as_str())
            .header("recap-first-failure", large.as_str()),
        Record::new(&topic, "after", message("after", "after")),
    ];
    world.log.kafka().publish(&records).await.unwrap();
    let mut projector = world.projector(PROJECTOR, &[]);
    world.caught_up(LIMIT).await;
    assert_eq!(projector.stop().await, Some(0));
    assert_eq!(world.database.count("conversation_summary").await, 1);
    let mut letters = dead_letters(&world, 3).await;
    letters.sort_by_key(|letter| letter.header("recap-offset").unwrap().to_owned());
    let omitted = |letter: &Received, part: &str| letter.header(&format!("recap-{part}-omitted")) == Some("true");
    for (number, (letter, parts)) in letters
        .iter()
        .zip([&["value"][..], &["value", "headers"], &["value", "headers", "key"]])
        .enumerate()
    {
        for part in ["value", "headers", "key"] {
            assert_eq!(omitted(letter, part), parts.contains(&part), "letter {number}: {part}");
        }
        assert_eq!(letter.header("recap-topic"), Some(topic.as_str()));
        assert_eq!(letter.header("recap-offset"), Some(number.to_string().as_str()));
        assert!(letter.header("recap-first-failure").unwrap().len() < 40);
    }
    assert_eq!(letters[0].key.as_deref(), Some(b"value".as_slice()));
    assert_eq!(letters[0].header("tenant"), Some("t"));
}

/// By a producer that knew the old topic, with later leader epochs than those of the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_dead_letters_created_anew_is_written_to() {
    let kafka = KafkaServer::start().await.unwrap();
    let world = World::builder("lettersanew").partitions(1).kafka(&kafka).build().await;
    let topic = world.log.name("recap.messages");
    let publish = async |value: &str| {
        kafka.publish(&[Record::new(&topic, "k", value)]).await.unwrap();
        world.caught_up(2 * LIMIT).await;
    };
    let mut projector = world.projector(PROJECTOR, &[]);
    publish("{\"of\": \"the old one\"").await;
    // A leader that was elected again has a later epoch than any of the new topic.
    kafka.kill().await;
    kafka.start_again().await.unwrap();
    publish("{\"of\": \"the old one, too\"").await;
    kafka.delete_topic(&world.log.dead_letters()).await.unwrap();
    publish("{\"of\": \"the new one\"").await;
    let letters = dead_letters(&world, 1).await;
    let values: Vec<_> = letters.iter().filter_map(|letter| letter.value.as_deref()).collect();
    assert_eq!(values, [b"{\"of\": \"the new one\""]);
    assert_eq!(projector.stop().await, Some(0));
}
