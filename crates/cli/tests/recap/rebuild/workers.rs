//! `recap rebuild --workers N` and `--join`: one generation filled by several processes, whatever becomes of them.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use recap_generator::Record;
use recap_testing::{LIMIT, eventually};
use tokio::process::Child;

use super::live_world::{LiveWorld, log, output_text};

const PARTITIONS: i32 = 6;
/// Shares that a worker holds or has filled.
const BEGUN: &str = "SELECT count(*) FROM recap.rebuild_share WHERE holder IS NOT NULL";
/// Shares whose worker was not heard of for longer than a lease.
const EXPIRED: &str =
    "SELECT count(*) FROM recap.rebuild_share WHERE NOT filled AND heard_of_at < clock_timestamp() - interval '15 s'";

async fn world(test: &str, seed: u64, events: u64) -> Result<(LiveWorld, Vec<Record>)> {
    let mut world = LiveWorld::with_partitions(test, PARTITIONS).await?;
    let records = log(seed, events);
    world.publish(&records).await;
    world.start_projector("a").await?;
    world.caught_up().await;
    Ok((world, records))
}

/// The processes that a rebuild has started.
fn workers_of(rebuild: &Child) -> Result<Vec<u32>> {
    let parent = rebuild.id().context("the rebuild has ended")?;
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    let mut all: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    // Children are listed by the thread that made them.
    if let Ok(tasks) = std::fs::read_dir(format!("/proc/{parent}/task")) {
        for task in tasks.flatten() {
            let listed = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status()?;
    ensure!(sent.success(), "no signal {name} to {pid}");
    Ok(())
}

async fn wait_until_begun(world: &LiveWorld, shares: i64) -> Result<()> {
    eventually(
        "shares that are begun",
        LIMIT,
        async || world.number(BEGUN).await,
        |begun| begun.as_ref().is_ok_and(|begun| *begun >= shares),
    )
    .await?;
    Ok(())
}

async fn ends_well(rebuild: Child) -> Result<()> {
    let output = tokio::time::timeout(LIMIT, rebuild.wait_with_output()).await??;
    ensure!(output.status.success(), "{}", output_text(&output));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_fill_what_one_would() -> Result<()> {
    let (world, records) = world("three", 51, 6_000).await?;
    let rebuilt = world.rebuild(&["--workers=3"]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    ensure!(world.live().await == 2, "no switch");
    ensure!(
        world.number("SELECT count(*) FROM recap.rebuild_share").await? == 0,
        "shares are left"
    );
    world.assert_equals_fold(&records).await;
    let back = world.rebuild(&["--rollback"]).await;
    ensure!(back.status.success(), "{}", output_text(&back));
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_leaves_its_share_to_the_others() -> Result<()> {
    let (world, records) = world("workerkilled", 52, 12_000).await?;
    let rebuild = world.spawn_rebuild(&["--workers=3", "--memory=3"])?;
    wait_until_begun(&world, 3).await?;
    let workers = workers_of(&rebuild)?;
    signal(*workers.first().context("no worker")?, "-KILL")?;
    ends_well(rebuild).await?;
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_stopped_for_longer_than_its_lease_does_no_harm() -> Result<()> {
    let (world, records) = world("stopped", 53, 12_000).await?;
    let rebuild = world.spawn_rebuild(&["--workers=3", "--memory=3"])?;
    wait_until_begun(&world, 3).await?;
    let stopped = *workers_of(&rebuild)?.first().context("no worker")?;
    signal(stopped, "-STOP")?;
    let (expired, left) = eventually(
        "a share to be taken over, or none left",
        LIMIT,
        async || {
            let left = "SELECT count(*) FROM recap.rebuild_share WHERE NOT filled";
            (world.number(EXPIRED).await, world.number(left).await)
        },
        |(expired, left)| expired.as_ref().is_ok_and(|n| *n > 0) || left.as_ref().is_ok_and(|n| *n == 0),
    )
    .await;
    ensure!(expired? > 0 || left? == 0, "its share was never given up");
    signal(stopped, "-CONT")?;
    ends_well(rebuild).await?;
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_joins() -> Result<()> {
    let (world, records) = world("joined", 54, 12_000).await?;
    let refused = world.rebuild(&["--join"]).await;
    ensure!(
        !refused.status.success() && output_text(&refused).contains("--workers"),
        "{}",
        output_text(&refused)
    );
    let rebuild = world.spawn_rebuild(&["--workers=2", "--memory=3"])?;
    wait_until_begun(&world, 1).await?;
    let joined = world.rebuild(&["--join"]).await;
    ensure!(joined.status.success(), "{}", output_text(&joined));
    ends_well(rebuild).await?;
    world.assert_equals_fold(&records).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_workers_have_left_is_resumed_by_one_or_by_several() -> Result<()> {
    for (test, flags) in [
        ("resumedbyone", &["--resume"][..]),
        ("resumedbytwo", &["--resume", "--workers=2"]),
    ] {
        let (world, records) = world(test, 55, 12_000).await?;
        let mut rebuild = world.spawn_rebuild(&["--workers=3", "--memory=3"])?;
        wait_until_begun(&world, 2).await?;
        rebuild.kill().await?;
        ensure!(world.live().await == 1, "it was already done");
        let resumed = world.rebuild(flags).await;
        ensure!(resumed.status.success(), "{}", output_text(&resumed));
        world.assert_equals_fold(&records).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_replay_an_archive() -> Result<()> {
    let (world, records) = world("workersarchive", 56, 3_000).await?;
    let archive = tempfile::tempdir()?;
    let directory = archive.path().to_str().context("a path")?.to_owned();
    let output = world.recap(&["archive", &directory]).await;
    ensure!(output.status.success(), "{}", output_text(&output));
    world.delete_records_before_those(0).await?;
    let rebuilt = world.rebuild(&["--workers=2", &format!("--archive={directory}")]).await;
    ensure!(rebuilt.status.success(), "{}", output_text(&rebuilt));
    world.assert_equals_fold(&records).await;
    Ok(())
}
