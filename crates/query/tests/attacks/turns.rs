//! Streams that nobody reads, and who has to wait for them.

use std::time::{Duration, Instant};

use recap_testing::http2::{Connection, Kind};
use serde_json::json;

use super::{alone, ask_beside};
use crate::world::{LIST, RANGE, World, event_of};

/// Organizations with long lists.
const ORGS: [&str; 3] = ["org_a", "org_b", "org_c"];

async fn world() -> World {
    let world = World::start_with(|config| {
        config.limits.streams = 8;
        config.limits.streams_per_organization = 4;
        config.timeouts.queue = Duration::from_secs(4);
    })
    .await;
    let text = "recap ".repeat(500);
    for org in ORGS {
        let events: Vec<_> = (0..1000)
            .map(|n| {
                let time = format!("2024-03-01T10:{:02}:{:02}Z", n / 60, n % 60);
                let data = json!({ "conversationId": format!("c{n:04}"), "messageId": "m", "role": "user", "createdAt": time,
                    "text": text, "userId": "ada" });
                event_of(org, "message.upserted", &time, data)
            })
            .collect();
        world.publish(&events).await;
    }
    world
}

/// Opens `streams` unpaged answers that it never takes.
async fn occupy(world: &World, org: &str, streams: usize) -> Connection {
    let token = world.admin(org, "boss");
    let mut connection = Connection::open(world.server.addr, 0).await.unwrap();
    for _ in 0..streams {
        let path = format!("{LIST}?{RANGE}&allInOrg=true");
        connection.ask(&path, Some(&token)).await.unwrap();
    }
    let mut begun = 0;
    while begun < streams {
        let frame = connection.next().await.unwrap();
        begun += usize::from(frame.kind == Kind::Headers);
    }
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_keeps_nobody_waiting() {
    let _alone = alone().await;
    let world = world().await;
    let _first = occupy(&world, ORGS[0], 4).await;
    let _second = occupy(&world, ORGS[1], 4).await;
    // Short answers need no turn, whosoever they are.
    let short = format!("{LIST}?{RANGE}&userId=user_boss");
    let long = format!("{LIST}?{RANGE}&allInOrg=true");
    let token = world.admin(ORGS[2], "boss");
    let third = async {
        let mut took = Vec::new();
        for _ in 0..5 {
            let started = Instant::now();
            let reply = world.get(&token, &long).await;
            assert_eq!(reply.ids().len(), 1000);
            took.push(started.elapsed());
        }
        took
    };
    let (beside, took) = ask_beside(&world, &short, 20, third).await;
    println!("a third organization's whole list took {took:?}");
    assert!(took.iter().all(|took| *took < Duration::from_secs(3)), "{took:?}");
    beside.assert_good("eight streams that nobody reads");

    // In one organization too, where four slow exports are all there may be.
    let _again = occupy(&world, ORGS[0], 3).await;
    let token = world.admin(ORGS[0], "other");
    let started = Instant::now();
    assert_eq!(
        world.get(&token, &short.replace("user_boss", "other")).await.status,
        200
    );
    assert!(started.elapsed() < super::BOUND, "{:?}", started.elapsed());
    assert_eq!(world.get(&token, &long).await.ids().len(), 1000);
}

#[tokio::test]
async fn a_stream_whose_bytes_are_not_taken_is_reset() {
    let _alone = alone().await;
    let world = World::start_with(|config| config.timeouts.write = Duration::from_millis(300)).await;
    let text = "recap ".repeat(50);
    let events: Vec<_> = (0..50)
        .map(|n| {
            let time = format!("2024-03-01T10:00:{n:02}Z");
            let data = json!({ "conversationId": format!("c{n}"), "messageId": "m", "role": "user", "createdAt": time, "text": text,
                "userId": "ada" });
            event_of("org_acme", "message.upserted", &time, data)
        })
        .collect();
    world.publish(&events).await;
    let boss = world.boss();
    // A page, an unpaged answer, and one whose last bytes alone are kept back.
    for (path, window) in [("&limit=50", 0), ("", 0), ("&limit=50", 20_000)] {
        let mut connection = Connection::open(world.server.addr, window).await.unwrap();
        let path = format!("{LIST}?{RANGE}&allInOrg=true{path}");
        let stream = connection.ask(&path, Some(&boss)).await.unwrap();
        let mut taken = 0;
        let reset = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let frame = connection.next().await.unwrap();
                if frame.stream == stream && frame.kind == Kind::Data {
                    taken += frame.payload.len();
                }
                if frame.stream == stream && frame.kind == Kind::ResetStream {
                    return;
                }
            }
        });
        assert!(
            reset.await.is_ok(),
            "{path} with a window of {window}: the stream lives"
        );
        assert_eq!(taken, window as usize);
        // The connection lives: its other streams are no worse for it.
        let other = connection.ask("/livez", None).await.unwrap();
        while connection.next().await.unwrap().stream != other {}
    }
}
