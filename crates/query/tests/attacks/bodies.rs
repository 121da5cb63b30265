//! Requests whose bodies never come, and floods of probes.

use std::{sync::Arc, time::Instant};

use futures::{StreamExt, stream};
use recap_testing::http2::{self, Connection, Kind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{BOUND, alone, ask_beside, stats};
use crate::world::{LIST, RANGE, STATS, World, eventually, send};

/// Connections of the attack at one time, four times what the service serves at a time in these tests.
const AT_ONCE: usize = 128;
/// Connections of the attack, each with a body that never comes.
const CONNECTIONS: usize = 2048;

/// A service that few requests at a time would fill, and its cache warm.
async fn world() -> Arc<World> {
    let world = World::start_with(|config| config.limits.requests = 32).await;
    assert_eq!(world.get(&world.boss(), &format!("{STATS}?{RANGE}")).await.status, 200);
    Arc::new(world)
}

/// Sends the beginning of a request and reads until the service ends the connection: nobody reads the body that it would go on behind.
async fn stranger(world: Arc<World>, head: String) -> String {
    let mut stream = TcpStream::connect(world.server.addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_never_come_occupy_nothing() {
    let _alone = alone().await;
    let world = world().await;
    let attack = async {
        let attackers = (0..CONNECTIONS).map(|n| {
            let length = if n % 2 == 0 {
                "Content-Length: 10\r\n"
            } else {
                "Transfer-Encoding: chunked\r\n"
            };
            let head = format!("GET {LIST}?{RANGE} HTTP/1.1\r\nHost: recap\r\n{length}\r\n");
            stranger(Arc::clone(&world), head)
        });
        stream::iter(attackers)
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await
    };
    let (beside, answers) = ask_beside(&world, &stats(), 20, attack).await;
    for answer in &answers {
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    beside.assert_good("bodies that never come");
}

#[tokio::test]
async fn a_body_is_not_waited_for_behind_a_good_token_either() {
    let _alone = alone().await;
    let world = Arc::new(World::start().await);
    let boss = world.boss();
    for body in [
        "Content-Length: 10\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let head = format!("GET {STATS}?{RANGE} HTTP/1.1\r\nHost: recap\r\nAuthorization: Bearer {boss}\r\n{body}");
        let started = Instant::now();
        let answer = stranger(Arc::clone(&world), head).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    }
    // Without a body the connection goes on.
    let reply = send(world.request(&boss, &format!("{STATS}?{RANGE}"))).await;
    assert_eq!((reply.status, reply.header("connection")), (200, ""));
}

/// Opens `streams` requests whose bodies never come on one connection; how many were answered.
async fn requests_without_bodies(world: &World, streams: u32) -> usize {
    let mut connection = Connection::open(world.server.addr, 65_535).await.unwrap();
    let path = format!("{LIST}?{RANGE}");
    for _ in 0..streams {
        let stream = connection.reserve();
        connection
            .send(&http2::request(stream, &path, None, false))
            .await
            .unwrap();
    }
    let mut answered = 0;
    while answered < streams as usize {
        let frame = connection.next().await.unwrap();
        assert_ne!(frame.kind, Kind::GoAway, "{frame:?}");
        answered += usize::from(frame.kind == Kind::Headers);
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_they_on_http_2() {
    let _alone = alone().await;
    let world = world().await;
    let attack = async {
        let mut connections = JoinSet::new();
        for _ in 0..16 {
            let world = Arc::clone(&world);
            connections.spawn(async move { requests_without_bodies(&world, 16).await });
        }
        connections.join_all().await
    };
    let (beside, answered) = ask_beside(&world, &stats(), 20, attack).await;
    assert_eq!(answered, [16; 16]);
    beside.assert_good("bodies that never come on HTTP/2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_probes_shares_one_check() {
    let _alone = alone().await;
    let world = world().await;
    // PostgreSQL's own count of how often the table of migrations was read.
    let reads = async || {
        let sql = "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'migration'";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&world.pool).await.unwrap()
    };
    let before = reads().await;
    let started = Instant::now();
    let probes = stream::iter((0..CONNECTIONS).map(|_| async {
        let asked = Instant::now();
        (world.probe("/readyz").await.status, asked.elapsed())
    }));
    let attack = probes.buffer_unordered(AT_ONCE).collect::<Vec<_>>();
    let (beside, answers) = ask_beside(&world, &stats(), 20, attack).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    let seconds = i64::try_from(started.elapsed().as_secs()).unwrap();
    let checks = eventually(reads, |reads| *reads > before).await - before;
    assert!(checks <= seconds + 4, "{checks} checks in {seconds} s");
    let slowest_probe = answers.iter().map(|(_, took)| *took).max().unwrap();
    println!(
        "{} probes, {checks} checks, the slowest {slowest_probe:?}",
        answers.len()
    );
    beside.assert_good("a flood of probes");
}
