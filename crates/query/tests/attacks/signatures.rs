//! Floods of tokens: wrong signatures, invented keys.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use jsonwebtoken::{Algorithm, Header};
use recap_testing::clerk::{Session, SigningKey};

use super::{LONGEST, Waits, alone, stats};
use crate::world::{ORG, World, send};

/// Tokens of this key under that name; requests with them over and over, until `done`. How many were sent, none of which may succeed.
async fn flood(world: &World, tokens: &[String], done: &AtomicBool) -> u64 {
    let sent = AtomicU64::new(0);
    let clients = tokens.iter().map(|token| {
        let sent = &sent;
        async move {
            while !done.load(Ordering::Relaxed) {
                let reply = world.get(token, &stats()).await;
                assert!(matches!(reply.status, 401 | 503), "{}", reply.status);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    join_all(clients).await;
    sent.into_inner()
}

fn signed(world: &World, key: &SigningKey, kid: &str) -> String {
    let header = Header {
        kid: Some(kid.to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    let claims = Session::member(ORG, "ada").claims_v2(&world.clerk.issuer());
    key.sign_with(&header, &claims).unwrap()
}

/// `count` requests, each with a token of its own.
async fn waits_of(world: &World, count: usize) -> Waits {
    let mut waits = Waits::default();
    for n in 0..count {
        let token = world.member(ORG, &format!("user_{n}"));
        let started = Instant::now();
        assert_eq!(world.get(&token, &stats()).await.status, 200);
        waits.0.push(started.elapsed());
    }
    waits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_signatures_leave_the_processor_to_others() {
    let _alone = alone().await;
    let world = World::start().await;
    let other = SigningKey::generate().unwrap();
    let kid = world.clerk.key().kid().to_owned();
    let tokens: Vec<String> = (0..64).map(|_| signed(&world, &other, &kid)).collect();
    // From the first moment on: the keys are not fetched yet.
    let done = AtomicBool::new(false);
    let good = async {
        let waits = waits_of(&world, 100).await;
        done.store(true, Ordering::Relaxed);
        waits
    };
    let (sent, waits) = tokio::join!(flood(&world, &tokens, &done), good);
    assert!(sent > 500, "{sent}");
    waits.assert_good(&format!("{sent} wrong signatures"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_seen_soon_under_invented_ones_and_a_known_one_never_waits() {
    let _alone = alone().await;
    let world = World::start().await;
    let before = world.member(ORG, "ada");
    assert_eq!(world.get(&before, &stats()).await.status, 200);
    let key = world.clerk.key();
    let tokens: Vec<String> = (0..64)
        .map(|n| signed(&world, &key, &format!("invented-{n}")))
        .collect();
    let done = AtomicBool::new(false);
    let good = async {
        // In the middle of the flood.
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.clerk.rotate().unwrap();
        let after = world.member(ORG, "lin");
        let rotated = Instant::now();
        let waits = async {
            while send(world.request(&after, &stats())).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            rotated.elapsed()
        };
        let (seen, known) = tokio::join!(waits, async {
            let mut waits = Waits::default();
            for _ in 0..100 {
                let started = Instant::now();
                assert_eq!(world.get(&before, &stats()).await.status, 200);
                waits.0.push(started.elapsed());
            }
            waits
        });
        done.store(true, Ordering::Relaxed);
        (seen, known)
    };
    let (sent, (seen, known)) = tokio::join!(flood(&world, &tokens, &done), good);
    println!("{sent} invented keys: a new key was seen after {seen:?}");
    assert!(seen < LONGEST, "{seen:?}");
    known.assert_good("a known key beside invented ones");
    // One a second and one at the start.
    assert!(world.clerk.fetches() <= 8, "{}", world.clerk.fetches());
}
