//! `recap clerk backfill`.

use std::{
    path::Path,
    process::{Child, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use recap_testing::{LIMIT, World, eventually};
use serde_json::json;

use super::{
    bridge::{Bridge, assert_shows, command, shown},
    stand_in::StandIn,
};
use crate::services::start_projector;

const USERS: usize = 10_000;
const ORGANIZATIONS: usize = 200;

/// A backfill as a process; killed when dropped.
struct Backfill(Child);

impl Backfill {
    fn start(world: &World<'_>, clerk: &StandIn, state: &Path, more: &[&str]) -> Result<Self> {
        let mut command = command(world, clerk, &[&["backfill"], more].concat());
        command
            .env("RECAP_CLERK_METADATA", "merged")
            .env("RECAP_CLERK_STATE", state)
            .stdout(Stdio::null());
        Ok(Self(command.spawn()?))
    }

    async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let mut found = None;
        tokio::time::timeout(limit, async {
            while found.is_none() {
                found = self.0.try_wait()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        })
        .await
        .context("the backfill still runs")??;
        found.context("status")
    }

    fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Backfill {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// How many memberships a backfill is through.
fn offset(state: &Path) -> u64 {
    let text = std::fs::read(state).unwrap_or_default();
    let state: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    state["offset"].as_u64().unwrap_or_default()
}

/// 10,000 users, each in one to three of 200 organizations, before the bridge is there: nobody hears of them.
fn populate(clerk: &StandIn, random: &mut StdRng) {
    for number in 0..USERS {
        let user = format!("user_{number}");
        let email = format!("{user}@example.com");
        clerk.put_user(
            &user,
            Some("First"),
            Some(&email),
            json!({"plan": number % 3, "of": "user"}),
        );
        for _ in 0..random.random_range(1..=3) {
            let org = format!("org_{}", random.random_range(0..ORGANIZATIONS));
            clerk.put_membership(&org, &user, json!({"team": number % 7, "of": "membership"}));
        }
    }
}

/// People change, join, leave and are deleted, each told by a webhook, until `stop`.
async fn keep_changing(clerk: StandIn, bridge: &Bridge, stop: &AtomicBool, told: &AtomicU64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(11);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let somebody = format!("user_{}", random.random_range(0..USERS));
        let org = format!("org_{}", random.random_range(0..ORGANIZATIONS));
        let any_member = || {
            let all = clerk.members();
            all[number * 7_919 % all.len()].clone()
        };
        let change = match random.random_range(0..10) {
            0..4 => {
                let (_, user) = any_member();
                Some(clerk.put_user(
                    &user,
                    Some("Other"),
                    Some(&format!("{user}@{number}.example")),
                    json!({"number": number}),
                ))
            }
            4..6 if clerk.exists(&somebody) => Some(clerk.put_membership(&org, &somebody, json!({"joined": number}))),
            6..9 => {
                let (org, user) = any_member();
                clerk.end_membership(&org, &user)
            }
            9 => Some(clerk.delete_user(&any_member().1)),
            _ => None,
        };
        if let Some(change) = change {
            bridge.deliver(&change).await?;
            told.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_is_killed_twice_while_webhooks_arrive_ends_in_what_clerk_has() -> Result<()> {
    let world = World::builder("backfill").build().await;
    let mut projector = start_projector(&world, &[]).await?;
    let clerk = StandIn::start().await?;
    populate(&clerk, &mut StdRng::seed_from_u64(3));
    let memberships = clerk.members().len() as u64;
    let bridge = Bridge::start(&world, &clerk, "merged").await?;
    let directory = tempfile::tempdir()?;
    let state = directory.path().join("state.json");
    let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));

    let backfilling = async {
        for part in [memberships / 4, memberships / 2] {
            let backfill = Backfill::start(&world, &clerk, &state, &[])?;
            eventually(
                "a part of the memberships",
                LIMIT,
                async || offset(&state),
                |offset| *offset >= part,
            )
            .await;
            backfill.kill()?;
            // Nobody hears of these: their profiles are there already.
            for (org, user) in clerk
                .members()
                .into_iter()
                .filter(|(_, user)| user.ends_with("77"))
                .take(10)
            {
                drop(clerk.end_membership(&org, &user));
            }
        }
        let interrupted_at = offset(&state);
        ensure!(interrupted_at < memberships, "it was through before it was killed");
        let before = told.load(Ordering::Relaxed);
        let mut backfill = Backfill::start(&world, &clerk, &state, &[])?;
        // Half a minute, and several where webhooks and backfill share a slow machine.
        let status = backfill.ended(5 * LIMIT).await?;
        ensure!(status.success(), "{status}");
        ensure!(!state.exists(), "the state is still there");
        ensure!(told.load(Ordering::Relaxed) > before, "no webhook came meanwhile");
        stop.store(true, Ordering::Relaxed);
        anyhow::Ok(())
    };
    tokio::try_join!(backfilling, keep_changing(clerk.clone(), &bridge, &stop, &told))?;
    let expected = clerk.profiles(true);
    ensure!(expected.len() > 15_000, "{} profiles", expected.len());
    assert_shows(&world, &expected).await?;
    println!(
        "{} profiles, {} webhooks, {} requests to the Backend API, {} of them refused with 429",
        expected.len(),
        told.load(Ordering::Relaxed),
        clerk.requests(),
        clerk.limited()
    );
    ensure!(clerk.limited() > 0, "no 429 came");
    projector.stop();
    projector.wait().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_another_instance_erases_nobody() -> Result<()> {
    let world = World::builder("other").build().await;
    let mut projector = start_projector(&world, &[]).await?;
    let clerk = StandIn::start().await?;
    for number in 0..150 {
        let user = format!("user_{number}");
        clerk.put_user(&user, None, None, json!({}));
        clerk.put_membership("org_1", &user, json!({}));
    }
    let directory = tempfile::tempdir()?;
    let state = directory.path().join("state.json");
    let succeeds = async |clerk: &StandIn, more: &[&str]| {
        let mut backfill = Backfill::start(&world, clerk, &state, more)?;
        anyhow::Ok(backfill.ended(LIMIT).await?.success())
    };
    ensure!(succeeds(&clerk, &[]).await?);
    assert_shows(&world, &clerk.profiles(true)).await?;
    let other = StandIn::start().await?;
    ensure!(!succeeds(&other, &[]).await?, "it erased everybody");
    assert_shows(&world, &clerk.profiles(true)).await?;
    // What is left of that one is not gone on with for another instance.
    ensure!(!succeeds(&clerk, &[]).await?);
    ensure!(succeeds(&other, &["--erase-many"]).await?);
    world.caught_up(LIMIT).await;
    ensure!(shown(&world).await?.is_empty());
    projector.stop();
    projector.wait().await?;
    Ok(())
}
