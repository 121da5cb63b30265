//! What happens between a rebuild and a rollback: content is erased, topics are created anew.

use anyhow::{Context as _, Result, ensure};
use recap_generator::Record;
use recap_log::Topic;
use serde_json::{Value, json};

use super::live_world::{LiveWorld, log, output_text};

const SECRET: &str = "Sesam-1001";

/// An event of one conversation or user, the `second`th of its hour.
fn event(topic: Topic, kind: &str, second: u32, more: &Value) -> Record {
    let mut data = json!({"orgId": "org", "conversationId": "redacted"});
    if let (Some(data), Some(more)) = (data.as_object_mut(), more.as_object()) {
        data.extend(more.clone());
    }
    let event = json!({
        "specversion": "1.0", "id": format!("{kind}-{second}"), "source": "/test", "type": kind,
        "time": format!("2026-03-01T12:00:{second:02}Z"), "data": data,
    });
    Record {
        topic,
        key: b"redacted".to_vec(),
        value: event.to_string().into_bytes(),
        time: 0,
        invalid: false,
    }
}

fn message(second: u32, id: &str, text: &str) -> Record {
    let created_at = "2026-03-01T12:00:00Z";
    let data = json!({"messageId": id, "role": "assistant", "createdAt": created_at, "text": text, "model": text});
    event(Topic::Messages, "message.upserted", second, &data)
}

/// Everything that can be erased, with the secret in it.
fn with_secret() -> Vec<Record> {
    let payload = json!({"q": SECRET});
    let call = |id: &str| json!({"toolCallId": id, "toolName": SECRET, "args": payload});
    let done = |id: &str| json!({"toolCallId": id, "result": payload, "error": payload});
    let comment = |id: &str| json!({"feedbackId": id, "helpful": true, "comment": SECRET});
    let user = |id: &str| json!({"userId": id, "firstName": SECRET, "publicMetadata": {"k": SECRET}});
    vec![
        message(1, "m1", SECRET),
        message(2, "m2", SECRET),
        event(Topic::ToolCalls, "tool_call.started", 3, &call("t1")),
        event(Topic::ToolCalls, "tool_call.finished", 4, &done("t1")),
        event(Topic::ToolCalls, "tool_call.started", 5, &call("t2")),
        event(Topic::ToolCalls, "tool_call.finished", 6, &done("t2")),
        event(Topic::Feedback, "feedback.submitted", 7, &comment("f1")),
        event(Topic::Feedback, "feedback.submitted", 8, &comment("f2")),
        event(Topic::Users, "user.upserted", 9, &user("u1")),
        event(Topic::Users, "user.upserted", 10, &user("u2")),
    ]
}

/// Deletions and revisions of all of it.
fn erasing() -> Vec<Record> {
    vec![
        message(31, "m1", "[redacted]"),
        event(Topic::Messages, "message.deleted", 32, &json!({"messageId": "m2"})),
        event(Topic::ToolCalls, "tool_call.deleted", 33, &json!({"toolCallId": "t1"})),
        event(
            Topic::ToolCalls,
            "tool_call.started",
            34,
            &json!({"toolCallId": "t2", "toolName": "search", "args": {}}),
        ),
        event(
            Topic::ToolCalls,
            "tool_call.finished",
            35,
            &json!({"toolCallId": "t2", "result": {}}),
        ),
        event(Topic::Feedback, "feedback.withdrawn", 36, &json!({"feedbackId": "f1"})),
        event(
            Topic::Feedback,
            "feedback.submitted",
            37,
            &json!({"feedbackId": "f2", "helpful": false}),
        ),
        event(Topic::Users, "user.deleted", 38, &json!({"userId": "u1"})),
        event(
            Topic::Users,
            "user.upserted",
            39,
            &json!({"userId": "u2", "firstName": "Ada"}),
        ),
        event(Topic::Conversations, "conversation.deleted", 40, &json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_readable_in_no_generation() -> Result<()> {
    let mut world = LiveWorld::new("erased").await?;
    let mut records = [log(26, 2_000), with_secret()].concat();
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let rebuilt = world.rebuild(&[]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    for generation in [1, 2] {
        let columns = world.columns_with(generation, SECRET).await?;
        ensure!(columns.len() > 8, "generation {generation}: {columns:?}");
    }
    world.publish(&erasing()).await;
    records.extend(erasing());
    world.caught_up().await;
    for generation in [1, 2] {
        let columns = world.columns_with(generation, SECRET).await?;
        ensure!(columns.is_empty(), "generation {generation}: {columns:?}");
    }
    world.assert_equals_fold(&records).await;
    let back = world.rebuild(&["--rollback"]).await;
    ensure!(back.status.success(), "{}", output_text(&back));
    ensure!(world.live().await == 1, "not rolled back");
    world.assert_equals_fold(&records).await;
    ensure!(world.columns_with(1, SECRET).await?.is_empty());
    Ok(())
}

/// The operation that switches was faster than the projector, which then finds nothing to erase.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_projector_had_read_at_the_switch_is_erased_too() -> Result<()> {
    let mut world = LiveWorld::new("overtaken").await?;
    let records = [log(27, 500), with_secret()].concat();
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let rebuilt = world.rebuild(&[]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world.kill_projectors();
    world.publish(&erasing()).await;
    let back = world.rebuild(&["--rollback"]).await;
    ensure!(back.status.success(), "{}", output_text(&back));
    for generation in [1, 2] {
        let columns = world.columns_with(generation, SECRET).await?;
        ensure!(columns.is_empty(), "generation {generation}: {columns:?}");
    }
    world.start_projector("b").await?;
    world.caught_up().await;
    let forth = world.rebuild(&["--rollback"]).await;
    ensure!(forth.status.success(), "{}", output_text(&forth));
    ensure!(world.live().await == 2, "not rolled forth");
    world.assert_equals_fold(&[records, erasing()].concat()).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_a_topic_created_anew_is_there_after_a_rollback() -> Result<()> {
    let mut world = LiveWorld::new("anew").await?;
    let mut records = log(28, 2_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let rebuilt = world.rebuild(&[]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    let messages = |seed, events| {
        let mut records = log(seed, events);
        records.retain(|record| record.topic == Topic::Messages);
        records
    };
    // Few, so that every old offset is behind the new topic's end; then many, so that none is.
    for (seed, events, live) in [(29, 200, 1), (30, 6_000, 2)] {
        world.create_anew("recap.messages").await?;
        let new = messages(seed, events);
        ensure!(new.len() > 35);
        world.publish(&new).await;
        records.extend(new);
        world.becomes_equal_to_fold(&records).await;
        world.caught_up().await;
        let back = world.rebuild(&["--rollback"]).await;
        ensure!(back.status.success(), "{}", output_text(&back));
        ensure!(world.live().await == live, "not rolled back");
        world.assert_equals_fold(&records).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_over_events_that_went_with_their_topic_is_refused_unless_an_archive_has_them() -> Result<()> {
    let mut world = LiveWorld::new("went").await?;
    let records = log(31, 4_000);
    let (before, after) = records.split_at(3_000);
    world.publish(before).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let rebuilt = world.rebuild(&[]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world.publish(after).await;
    world.caught_up().await;
    let archive = tempfile::tempdir()?;
    let directory = archive.path().to_str().context("a path")?.to_owned();
    let archived = world.recap(&["archive", &directory]).await;
    ensure!(archived.status.success(), "{}", output_text(&archived));
    // Whether or not a projector has noticed.
    world.kill_projectors();
    world.create_anew("recap.messages").await?;
    for noticed in [false, true] {
        if noticed {
            world.start_projector("b").await?;
            world.publish(&records[..100]).await;
            world.loss_is_noticed().await;
        }
        let refused = world.rebuild(&["--rollback"]).await;
        let said = output_text(&refused);
        ensure!(!refused.status.success(), "noticed: {noticed}: {said}");
        ensure!(said.contains("went with the topic"), "noticed: {noticed}: {said}");
        ensure!(said.contains(&world.log_name("recap.messages")), "{said}");
        ensure!(!said.contains(&world.log_name("recap.users")), "{said}");
        ensure!(world.live().await == 2, "rolled back all the same");
    }
    let back = world.rebuild(&["--rollback", &format!("--archive={directory}")]).await;
    ensure!(back.status.success(), "{}", output_text(&back));
    ensure!(world.live().await == 1, "not rolled back");
    world.assert_equals_fold(&records).await;
    Ok(())
}

/// Checkpoints of release 0.1 have no ids: their offsets are taken for those of the topics that are there.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_without_topic_ids_is_read() -> Result<()> {
    let mut world = LiveWorld::new("without").await?;
    let records = log(32, 2_000);
    let (before, after) = records.split_at(1_500);
    world.publish(before).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let rebuilt = world.rebuild(&[]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world
        .execute("UPDATE recap.generation_offset SET topic_id = NULL")
        .await?;
    world.publish(after).await;
    world.caught_up().await;
    let back = world.rebuild(&["--rollback"]).await;
    ensure!(back.status.success(), "{}", output_text(&back));
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_holds_the_topic_from_before_and_the_one_created_anew() -> Result<()> {
    let mut world = LiveWorld::new("both").await?;
    let mut records = log(33, 2_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let archive = tempfile::tempdir()?;
    let directory = archive.path().to_str().context("a path")?.to_owned();
    // Fewer events than before, then more.
    for (seed, events) in [(34, 300), (35, 5_000)] {
        let archived = world.recap(&["archive", &directory]).await;
        ensure!(archived.status.success(), "{}", output_text(&archived));
        world.create_anew("recap.messages").await?;
        let mut new = log(seed, events);
        new.retain(|record| record.topic == Topic::Messages);
        world.publish(&new).await;
        records.extend(new);
        world.becomes_equal_to_fold(&records).await;
    }
    let archived = world.recap(&["archive", &directory]).await;
    ensure!(archived.status.success(), "{}", output_text(&archived));
    world.caught_up().await;
    world.delete_records_before_those(0).await?;
    let rebuilt = world.rebuild(&[&format!("--archive={directory}")]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world.assert_equals_fold(&records).await;
    Ok(())
}
