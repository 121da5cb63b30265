//! `recap clerk serve`.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use recap_testing::{KafkaServer, LIMIT, PostgresServer, World, eventually};
use reqwest::StatusCode;
use serde_json::json;

use super::{
    bridge::{Bridge, NEXT_SECRET, SECRET, assert_shows, shown},
    stand_in::{Change, StandIn},
};
use crate::services::start_projector;

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_clerk_is_shown_as_the_contract_says() -> Result<()> {
    let world = World::builder("clerk").build().await;
    let mut projector = start_projector(&world, &[]).await?;
    let clerk = StandIn::start().await?;
    let mut bridge = Bridge::start(&world, &clerk, "membership").await?;

    // The membership is told before its user.
    let created = clerk.put_user(
        "user_ada",
        Some("Ada"),
        Some("ada@example.com"),
        json!({"secret": "of another"}),
    );
    let joined = clerk.put_membership("org_a", "user_ada", json!({"team": "sales", "n": 1}));
    bridge.deliver_all(&[joined, created]).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;
    ensure!(shown(&world).await?.len() == 1);

    let joined = clerk.put_membership("org_b", "user_ada", json!({}));
    let promoted = clerk.put_membership("org_a", "user_ada", json!({"team": "support"}));
    bridge.deliver_all(&[promoted, joined.clone(), joined.clone()]).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;

    let moved = clerk.put_user("user_ada", Some("Ada"), Some("ada@new.example"), json!({}));
    bridge.deliver(&moved).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;

    // Who left stays away, whatever comes late.
    let left = clerk.end_membership("org_b", "user_ada").context("no membership")?;
    bridge.deliver(&left).await?;
    let renamed = clerk.put_user("user_ada", None, Some("ada@new.example"), json!({}));
    bridge.deliver_all(&[renamed, joined, moved]).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;
    let again = clerk.put_membership("org_b", "user_ada", json!({"back": true}));
    bridge.deliver_all(&[again, left]).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;
    ensure!(shown(&world).await?.len() == 2);

    let mut changes = Vec::new();
    for user in ["user_bob", "user_cy"] {
        changes.push(clerk.put_user(user, None, None, json!({})));
        changes.push(clerk.put_membership("org_a", user, json!({})));
    }
    bridge.deliver_all(&changes).await?;
    // Another bridge knows who is where from the topic alone.
    bridge.program.kill().await;
    let mut bridge = Bridge::start(&world, &clerk, "membership").await?;
    bridge.deliver(&clerk.delete_user("user_ada")).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;
    bridge.deliver(&clerk.delete_organization("org_a")).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;
    ensure!(shown(&world).await?.is_empty());
    bridge.deliver_all(&changes).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;
    let rows: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM recap_g1.user_profile WHERE email IS NOT NULL OR public_metadata IS NOT NULL",
    )
    .fetch_one(&world.database.pool)
    .await?;
    ensure!(rows == 0, "{rows} tombstones hold personal data");

    ensure!(bridge.program.stop().await == Some(0));
    projector.stop();
    projector.wait().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clerk_has_not_signed_just_now_is_refused_with_the_reason() -> Result<()> {
    let world = World::builder("unsigned").build().await;
    let clerk = StandIn::start().await?;
    let bridge = Bridge::start(&world, &clerk, "membership").await?;
    let change = clerk.put_user("user_1", None, None, json!({}));
    for secret in [SECRET, NEXT_SECRET] {
        ensure!(bridge.attempt(&change, secret, 0).await?.status() == StatusCode::NO_CONTENT);
    }
    let torn = Change {
        body: change.body.replace("user_1", "user_2"),
        ..change.clone()
    };
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let foreign = Change {
        id: "msg_2".to_owned(),
        body: r#"{"type": "user.updated", "data": {"id": "user_1"}}"#.to_owned(),
    };
    let other_type = Change {
        body: r#"{"type": "session.created", "data": {}}"#.to_owned(),
        ..foreign.clone()
    };
    for (change, secret, age, status, words) in [
        (&change, other, 0, 401, "none of the configured secrets"),
        (&change, SECRET, 400, 401, "more than five minutes ago"),
        (&change, SECRET, -400, 401, "ahead of this machine's clock"),
        (&foreign, SECRET, 0, 400, "user.updated"),
        (&other_type, SECRET, 0, 204, ""),
    ] {
        let answer = bridge.attempt(change, secret, age).await?;
        let (found, text) = (answer.status().as_u16(), answer.text().await?);
        ensure!(
            found == status && text.contains(words),
            "{found} {text}, not {status} {words}"
        );
    }
    let signed_for_another = bridge.attempt(&change, SECRET, 0).await?;
    ensure!(signed_for_another.status() == StatusCode::NO_CONTENT);
    let unsigned = bridge.client.post(&bridge.url).body(torn.body.clone()).send().await?;
    ensure!(unsigned.status() == StatusCode::BAD_REQUEST && unsigned.text().await?.contains("svix-id is missing"));
    ensure!(bridge.client.get(&bridge.url).send().await?.status() == StatusCode::METHOD_NOT_ALLOWED);
    let large = Change {
        body: format!("{{\"type\": \"{}\"}}", "x".repeat(2 << 20)),
        ..foreign
    };
    ensure!(bridge.attempt(&large, SECRET, 0).await?.status() == StatusCode::PAYLOAD_TOO_LARGE);
    bridge
        .program
        .metric_becomes("recap_clerk_webhooks_total", |count| count == 10)
        .await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_taken_only_when_kafka_has_acknowledged_it() -> Result<()> {
    let kafka = KafkaServer::start().await?;
    let world = World::builder("away")
        .kafka(&kafka)
        .postgres(PostgresServer::shared().await?)
        .build()
        .await;
    let mut projector = start_projector(&world, &[]).await?;
    let clerk = StandIn::start().await?;
    let bridge = Bridge::start(&world, &clerk, "membership").await?;
    bridge.deliver(&clerk.put_user("user_1", None, None, json!({}))).await?;
    kafka.kill().await;
    let joined = clerk.put_membership("org_1", "user_1", json!({}));
    for attempt in 0..3 {
        let answer = bridge.attempt(&joined, SECRET, 0).await?;
        let again = answer.headers().get("retry-after").cloned();
        ensure!(
            answer.status() == StatusCode::SERVICE_UNAVAILABLE,
            "{attempt}: {}",
            answer.status()
        );
        ensure!(again.is_some(), "no Retry-After");
    }
    eventually(
        "readiness",
        LIMIT,
        async || bridge.program.not_ready().await,
        |said| said.as_ref().is_some_and(|said| said.starts_with("Kafka: ")),
    )
    .await;
    kafka.start_again().await?;
    bridge.deliver(&joined).await?;
    assert_shows(&world, &clerk.profiles(false)).await?;
    ensure!(shown(&world).await?.len() == 1);
    eventually(
        "readiness",
        LIMIT,
        async || bridge.program.not_ready().await,
        Option::is_none,
    )
    .await;
    projector.stop();
    projector.wait().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_in_any_order_twice_and_at_once_end_in_what_clerk_has() -> Result<()> {
    let world = World::builder("disorder").build().await;
    let mut projector = start_projector(&world, &[]).await?;
    let clerk = StandIn::start().await?;
    let bridges = [
        Bridge::start(&world, &clerk, "merged").await?,
        Bridge::start(&world, &clerk, "merged").await?,
    ];
    let mut random = StdRng::seed_from_u64(7);
    let mut users: Vec<String> = (0..12).map(|number| format!("user_{number}")).collect();
    let mut changes: Vec<Change> = users
        .iter()
        .map(|user| clerk.put_user(user, None, None, json!({})))
        .collect();
    for round in 0..6 {
        for step in 0..60 {
            let (index, org) = (
                random.random_range(0..users.len()),
                format!("org_{}", random.random_range(0..4)),
            );
            let (user, text) = (users[index].clone(), format!("{round}.{step}"));
            let change = match random.random_range(0..20) {
                0..8 => Some(clerk.put_user(
                    &user,
                    Some(&text),
                    Some(&format!("{user}@{text}.example")),
                    json!({"u": step}),
                )),
                8..14 => Some(clerk.put_membership(&org, &user, json!({"m": step}))),
                14..18 => clerk.end_membership(&org, &user),
                18 => {
                    // Ids are not used again.
                    users[index] = format!("user_{text}");
                    changes.push(clerk.put_user(&users[index], None, None, json!({})));
                    Some(clerk.delete_user(&user))
                }
                _ => Some(clerk.put_user(&user, None, None, json!({}))),
            };
            changes.extend(change);
            // Deliveries overlap with what changes next.
            if step % 20 == 19 {
                deliver_at_once(&bridges, &mut changes, &mut random).await?;
            }
        }
        assert_shows(&world, &clerk.profiles(true))
            .await
            .with_context(|| format!("round {round}"))?;
    }
    projector.stop();
    projector.wait().await?;
    Ok(())
}

async fn deliver_at_once(bridges: &[Bridge; 2], changes: &mut Vec<Change>, random: &mut StdRng) -> Result<()> {
    let mut deliveries = std::mem::take(changes);
    deliveries.extend(deliveries.clone());
    deliveries.shuffle(random);
    let middle = deliveries.len() / 2;
    let (first, second) = deliveries.split_at(middle);
    let within = Duration::from_mins(1);
    let both = async { tokio::try_join!(bridges[0].deliver_all(first), bridges[1].deliver_all(second)) };
    tokio::time::timeout(within, both).await??;
    Ok(())
}
