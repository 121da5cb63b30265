//! Topics that are deleted and created anew while a rebuild reads them.

use anyhow::{Result, ensure};
use recap_log::Topic;
use recap_testing::{LIMIT, eventually};

use super::live_world::{LiveWorld, log, output_text};

/// librdkafka's clients that knew the old topic refuse the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_created_anew_before_the_switch_is_read_past_it() -> Result<()> {
    let mut world = LiveWorld::new("anewmeanwhile").await?;
    let mut records = log(41, 6_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let rebuild = world.spawn_rebuild(&["--memory=1"])?;
    world.generation_2_is_begun().await?;
    let held = world.hold_back_indexes().await?;
    eventually(
        "an index that waits",
        LIMIT,
        async || {
            let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
                           WHERE NOT l.granted AND c.relname = 'conversation_summary'";
            world.number(waiting).await
        },
        |waiting| waiting.as_ref().is_ok_and(|waiting| *waiting > 0),
    )
    .await?;
    world.create_anew("recap.messages").await?;
    // More than the old one had, so that its offsets are all in range.
    let mut new = log(42, 24_000);
    new.retain(|record| record.topic == Topic::Messages);
    world.publish(&new).await;
    records.extend(new);
    world.becomes_equal_to_fold(&records).await;
    held.rollback().await?;
    let output = tokio::time::timeout(LIMIT, rebuild.wait_with_output()).await??;
    ensure!(output.status.success(), "{}", output_text(&output));
    ensure!(world.live().await == 2, "no switch");
    world.becomes_equal_to_fold(&records).await;
    Ok(())
}
