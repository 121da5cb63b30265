//! `recap rebuild` and `recap archive` as processes, beside a live projector and query service, on Apache Kafka and
//! PostgreSQL. What is live in the end is always the fold of the events.

mod live_world;
mod recreated;
mod rollback;
mod workers;

use anyhow::{Context, Result, ensure};
use live_world::{LiveWorld, log, output_text};
use recap_testing::{LIMIT, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn under_live_load_no_request_fails_and_nothing_is_lost() -> Result<()> {
    let mut world = LiveWorld::new("live").await?;
    let records = log(11, 12_000);
    let (before, meanwhile) = records.split_at(8_000);
    world.publish(before).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let requests = world.ask_until_stopped().await?;
    let rebuild = world.spawn_rebuild(&[])?;
    for few in meanwhile.chunks(200) {
        world.publish(few).await;
    }
    let output = rebuild.wait_with_output().await?;
    ensure!(output.status.success(), "{}", output_text(&output));
    let (asked, failed) = requests.stop().await?;
    ensure!(failed.is_empty(), "of {asked} requests failed: {failed:?}");
    ensure!(asked > 10, "only {asked} requests were made");
    ensure!(world.live().await == 2, "no switch: {}", output_text(&output));
    world.caught_up().await;
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_it_leaves_the_live_rows_alone_and_is_resumed() -> Result<()> {
    let mut world = LiveWorld::new("killed").await?;
    let records = log(12, 20_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let mut killed = world.spawn_rebuild(&["--memory=1"])?;
    eventually(
        "rows of generation 2",
        LIMIT,
        async || world.rows_of(2).await,
        |rows| rows.as_ref().is_ok_and(|rows| *rows > 0),
    )
    .await?;
    killed.kill().await?;
    ensure!(world.live().await == 1, "it was already done");
    let refused = world.rebuild(&[]).await;
    ensure!(!refused.status.success());
    ensure!(
        output_text(&refused).contains("half built"),
        "{}",
        output_text(&refused)
    );
    let resumed = world.rebuild(&["--resume"]).await;
    ensure!(resumed.status.success(), "{}", output_text(&resumed));
    ensure!(world.live().await > 1, "no switch");
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_projector_killed_at_the_switch_loses_nothing() -> Result<()> {
    let mut world = LiveWorld::new("atswitch").await?;
    let records = log(13, 9_000);
    let (before, meanwhile) = records.split_at(6_000);
    world.publish(before).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let rebuild = world.spawn_rebuild(&[])?;
    for few in meanwhile.chunks(100) {
        world.publish(few).await;
    }
    eventually(
        "the live generation",
        LIMIT,
        async || world.live().await,
        |live| *live == 2,
    )
    .await;
    world.kill_projectors();
    let output = rebuild.wait_with_output().await?;
    ensure!(output.status.success(), "{}", output_text(&output));
    world.start_projector("b").await?;
    world.caught_up().await;
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_projection_is_reported_then_accepted_then_rolled_back() -> Result<()> {
    let mut world = LiveWorld::new("changed").await?;
    let records = log(14, 3_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    // What the live rows would be under another projection.
    world
        .execute("UPDATE recap_g1.conversation_summary SET total_tokens = total_tokens + 7")
        .await?;
    let differs = world.rebuild(&[]).await;
    let said = output_text(&differs);
    ensure!(differs.status.code() == Some(3), "{said}");
    ensure!(said.contains("total_tokens"), "{said}");
    ensure!(said.contains("organization org_"), "{said}");
    ensure!(world.live().await == 1, "switched all the same");
    let accepted = world.rebuild(&["--resume", "--accept-differences"]).await;
    ensure!(accepted.status.success(), "{}", output_text(&accepted));
    ensure!(world.live().await == 2, "no switch");
    world.assert_equals_fold(&records).await;
    let more = log(15, 500);
    world.publish(&more).await;
    world.caught_up().await;
    let back = world.rebuild(&["--rollback"]).await;
    ensure!(back.status.success(), "{}", output_text(&back));
    ensure!(world.live().await == 1, "not rolled back");
    let discarded = world.rebuild(&["--discard"]).await;
    ensure!(discarded.status.success(), "{}", output_text(&discarded));
    ensure!(world.rows_of(2).await.is_err(), "generation 2 is still there");
    // One organization recomputed in place is right again; the rollback brought what was published since.
    let org = world.some_organization().await?;
    let scoped = world.rebuild(&["--org", &org]).await;
    ensure!(scoped.status.success(), "{}", output_text(&scoped));
    let all: Vec<_> = records.into_iter().chain(more).collect();
    world.assert_organization_alone_equals_fold(&org, &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_log_is_refused_unless_an_archive_has_the_rest() -> Result<()> {
    let mut world = LiveWorld::new("truncated").await?;
    let records = log(16, 4_000);
    let (archived, later) = records.split_at(3_000);
    world.publish(archived).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let archive = tempfile::tempdir()?;
    let directory = archive.path().to_str().context("a path")?.to_owned();
    for round in ["first", "again"] {
        let output = world.recap(&["archive", &directory]).await;
        ensure!(output.status.success(), "{round}: {}", output_text(&output));
    }
    world.publish(later).await;
    world.caught_up().await;
    world.delete_records_before_those(later.len()).await?;
    let refused = world.rebuild(&[]).await;
    let said = output_text(&refused);
    ensure!(!refused.status.success() && said.contains("no longer holds"), "{said}");
    ensure!(said.contains(&world.log_name("recap.messages")), "{said}");
    let flag = format!("--archive={directory}");
    let rebuilt = world.rebuild(&[&flag]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    ensure!(world.live().await == 2, "no switch");
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_is_refused_unless_something_stands_in_for_it() -> Result<()> {
    let mut world = LiveWorld::new("compacted").await?;
    let records = log(19, 1_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    // Nothing has been removed yet, and every first offset is still 0.
    world
        .configure("recap.feedback", "cleanup.policy", "compact,delete")
        .await?;
    let refused = world.rebuild(&[]).await;
    let said = output_text(&refused);
    ensure!(!refused.status.success() && said.contains("compacts"), "{said}");
    ensure!(said.contains(&world.log_name("recap.feedback")), "{said}");
    ensure!(!said.contains(&world.log_name("recap.messages")), "{said}");
    ensure!(world.rows_of(2).await.is_err(), "a generation was begun");
    let rebuilt = world.rebuild(&["--onto-current"]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_alone_is_enough() -> Result<()> {
    let mut world = LiveWorld::new("archive").await?;
    let records = log(17, 3_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let archive = tempfile::tempdir()?;
    let directory = archive.path().to_str().context("a path")?.to_owned();
    let output = world.recap(&["archive", &directory]).await;
    ensure!(output.status.success(), "{}", output_text(&output));
    world.delete_records_before_those(0).await?;
    let flag = format!("--archive={directory}");
    let rebuilt = world.rebuild(&[&flag]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_are_refused() -> Result<()> {
    let mut world = LiveWorld::new("two").await?;
    let records = log(18, 20_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let first = world.spawn_rebuild(&["--memory=1"])?;
    world.generation_2_is_begun().await?;
    let second = world.rebuild(&[]).await;
    let said = output_text(&second);
    ensure!(!second.status.success() && said.contains("another rebuild"), "{said}");
    let first = tokio::time::timeout(LIMIT, first.wait_with_output()).await??;
    ensure!(first.status.success(), "{}", output_text(&first));
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_over_events_that_are_gone_is_refused_unless_an_archive_has_them() -> Result<()> {
    let mut world = LiveWorld::new("gone").await?;
    let records = log(21, 4_000);
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
    world.delete_records_before_those(0).await?;
    let refused = world.rebuild(&["--rollback"]).await;
    let said = output_text(&refused);
    ensure!(!refused.status.success() && said.contains("no longer holds"), "{said}");
    ensure!(world.live().await == 2, "rolled back all the same");
    let back = world.rebuild(&["--rollback", &format!("--archive={directory}")]).await;
    ensure!(back.status.success(), "{}", output_text(&back));
    ensure!(world.live().await == 1, "not rolled back");
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_generation_is_kept() -> Result<()> {
    let mut world = LiveWorld::new("kept").await?;
    let records = log(22, 1_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    for generation in [2, 3] {
        let rebuilt = world.rebuild(&[]).await;
        ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
        ensure!(world.live().await == generation, "no switch");
    }
    ensure!(world.rows_of(1).await.is_err(), "generation 1 is still there");
    ensure!(world.rows_of(2).await.is_ok(), "nothing is kept");
    world.assert_equals_fold(&records).await;
    Ok(())
}

/// The markers of transactions take offsets that no group commits, and what is aborted is in no row.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_read_to_their_end_and_leave_nothing_behind() -> Result<()> {
    let mut world = LiveWorld::new("transactions").await?;
    let records = log(23, 1_000);
    let (committed, aborted) = records.split_at(900);
    world.publish_in_transaction(committed, true).await?;
    world.publish_in_transaction(aborted, false).await?;
    world.start_projector("a").await?;
    eventually(
        "rows",
        LIMIT,
        async || world.rows_of(1).await,
        |rows| rows.as_ref().is_ok_and(|rows| *rows > 0),
    )
    .await?;
    world.lag_metric_becomes_zero().await?;
    ensure!(world.lag_of_offsets().await > 0, "no transaction left a marker");
    let archive = tempfile::tempdir()?;
    let directory = archive.path().to_str().context("a path")?.to_owned();
    let archived = world.recap(&["archive", &directory]).await;
    let said = output_text(&archived);
    ensure!(archived.status.success() && said.contains(" 0 offsets left"), "{said}");
    ensure!(!said.contains("ERROR"), "{said}");
    let rebuilt = world.rebuild(&[]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world.assert_equals_fold(committed).await;
    // Only markers are left, and the archive covers them too.
    world.delete_records_before_those(0).await?;
    let from_archive = world.rebuild(&[&format!("--archive={directory}")]).await;
    ensure!(from_archive.status.success(), "{}", output_text(&from_archive));
    world.assert_equals_fold(committed).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mistyped_is_named() -> Result<()> {
    let mut world = LiveWorld::new("mistyped").await?;
    let records = log(24, 300);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    let parent = tempfile::tempdir()?;
    let typo = parent.path().join("typo");
    let archive = format!("--archive={}", typo.display());
    for (arguments, words) in [
        (&["rebuild", &archive][..], "there is no archive in"),
        (&["rebuild", "--org=nobody"], "no event in the log is in scope"),
        (&["rebuild", "--since=yesterday"], "2026-01-31T12:00:00Z"),
        (&["rebuild", "--conversation=c"], "--org"),
        (
            &["archive", "--topics=nothing.there", "/tmp"],
            "none of the topics exists: nothing.there",
        ),
        (&["dead-letters", "list", "--reason=not-jsn"], "not-json"),
        (&["dead-letters", "replay"], "--all"),
    ] {
        let output = world.recap(arguments).await;
        let said = output_text(&output);
        ensure!(!output.status.success(), "{arguments:?}: {said}");
        ensure!(said.contains(words), "{arguments:?}: {said}");
    }
    ensure!(!typo.exists(), "a directory was made of a mistake");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_profiles_and_metadata_are_seen_and_recomputed() -> Result<()> {
    let mut world = LiveWorld::new("damaged").await?;
    let records = log(25, 2_000);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    world
        .execute(
            "UPDATE recap_g1.user_profile SET email = 'wrong' WHERE (org_id, user_id) IN \
             (SELECT org_id, user_id FROM recap_g1.user_metadata_token ORDER BY org_id, user_id LIMIT 1); \
             DELETE FROM recap_g1.user_metadata_token t USING recap_g1.user_profile p \
             WHERE t.org_id = p.org_id AND t.user_id = p.user_id AND p.email = 'wrong'",
        )
        .await?;
    let differs = world.rebuild(&[]).await;
    let said = output_text(&differs);
    ensure!(differs.status.code() == Some(3), "{said}");
    ensure!(said.contains("user_metadata_token") && said.contains("email"), "{said}");
    let discarded = world.rebuild(&["--discard"]).await;
    ensure!(discarded.status.success(), "{}", output_text(&discarded));
    for org in world.organizations().await? {
        let scoped = world.rebuild(&["--org", &org]).await;
        ensure!(scoped.status.success(), "{}", output_text(&scoped));
    }
    let equal = world.rebuild(&[]).await;
    ensure!(equal.status.success(), "{}", output_text(&equal));
    world.assert_equals_fold(&records).await;
    Ok(())
}
