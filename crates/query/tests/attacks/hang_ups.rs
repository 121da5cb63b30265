//! Clients that take their requests back.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use recap_testing::http2::{Connection, Kind};
use tokio::task::JoinSet;

use super::{alone, ask_beside};
use crate::world::{LIST, RANGE, World, conversation};

/// Sessions that the service has opened since the server started: PostgreSQL counts them.
async fn sessions(world: &World) -> i64 {
    // Written by each session at its end, and by the reading one now.
    sqlx::query_scalar("SELECT sessions FROM pg_stat_database WHERE datname = current_database()")
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

async fn world() -> World {
    let world = World::start_with(|config| config.limits.connections = 8).await;
    let events: Vec<_> = (0..400)
        .map(|n| {
            conversation(
                &format!("c{n:03}"),
                "ada",
                &format!("2024-03-01T10:{:02}:{:02}Z", n / 60, n % 60),
            )
        })
        .collect();
    world.publish(&events).await;
    world
}

/// A page that nobody asked for before.
fn page(number: u32) -> String {
    format!("{LIST}?from=2000-01-01T00:00:00.{number:03}Z&to=2099-01-01T00:00:00Z&limit=50&allInOrg=true")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_request_costs_no_connection() {
    let _alone = alone().await;
    let world = world().await;
    let boss = world.boss();
    assert_eq!(world.get(&boss, &page(999)).await.status, 200);
    let before = sessions(&world).await;
    let number = AtomicU32::new(0);
    let attack = async {
        let started = Instant::now();
        let mut connection = Connection::open(world.server.addr, 65_535).await.unwrap();
        let mut cancelled = 0;
        while started.elapsed() < Duration::from_secs(3) {
            let path = page(number.fetch_add(1, Ordering::Relaxed) % 900);
            let stream = connection.ask(&path, Some(&boss)).await.unwrap();
            // In the middle of it, more or less.
            tokio::time::sleep(Duration::from_millis(2)).await;
            connection.reset(stream).await.unwrap();
            cancelled += 1;
        }
        cancelled
    };
    let (beside, cancelled) = ask_beside(&world, &format!("{LIST}?{RANGE}&limit=20&allInOrg=true"), 20, attack).await;
    let opened = sessions(&world).await - before;
    println!("{cancelled} cancelled requests opened {opened} sessions");
    assert!(cancelled > 100, "{cancelled}");
    // The pool's own, and few beside them.
    assert!(
        opened <= 8 + cancelled / 50,
        "{opened} sessions for {cancelled} cancelled requests"
    );
    beside.assert_good("cancelled requests");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_resets_leaves_the_neighbours_on_the_connection_alone() {
    let _alone = alone().await;
    let world = world().await;
    let boss = world.boss();
    let mut attacks = JoinSet::new();
    for _ in 0..4 {
        let (addr, boss) = (world.server.addr, boss.clone());
        attacks.spawn(async move {
            let mut connection = Connection::open(addr, 65_535).await.unwrap();
            let mut answered = 0;
            for round in 0..20 {
                // 50 of one client, taken back at once, and one of a neighbour behind the same proxy.
                for n in 0..50 {
                    let stream = connection.ask(&page(n), Some(&boss)).await.unwrap();
                    connection.reset(stream).await.unwrap();
                }
                let neighbour = connection.ask(&page(900 + round), Some(&boss)).await.unwrap();
                loop {
                    let frame = connection.next().await.unwrap();
                    assert_ne!(frame.kind, Kind::GoAway, "after {round} bursts");
                    if frame.stream == neighbour && frame.ends_stream() {
                        break;
                    }
                    assert!(frame.stream != neighbour || frame.kind != Kind::ResetStream);
                }
                answered += 1;
            }
            answered
        });
    }
    let path = format!("{LIST}?{RANGE}&limit=20&allInOrg=true");
    let (beside, answered) = ask_beside(&world, &path, 20, attacks.join_all()).await;
    assert_eq!(answered, [20; 4]);
    beside.assert_good("bursts of resets");
}
