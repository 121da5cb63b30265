//! Attacks by those who have no token, or one alone, beside clients who mean well.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::world::{LIST, RANGE, STATS, World, eventually, send};

/// No good client may wait longer beside an attack.
const BOUND: Duration = Duration::from_millis(500);
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

/// The slowest of a good client's requests, all of which must succeed, for as long as `attack` runs and `least` times.
async fn slowest_beside<T>(world: &World, least: usize, attack: impl Future<Output = T>) -> (Duration, usize, T) {
    let boss = world.boss();
    let path = format!("{STATS}?{RANGE}");
    let (mut slowest, mut asked) = (Duration::ZERO, 0);
    let mut attack = std::pin::pin!(attack);
    let mut result = None;
    while result.is_none() || asked < least {
        let request = async {
            let started = Instant::now();
            let reply = world.get(&boss, &path).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            started.elapsed()
        };
        tokio::pin!(request);
        let took = loop {
            tokio::select! {
                took = &mut request => break took,
                done = &mut attack, if result.is_none() => result = Some(done),
            }
        };
        slowest = slowest.max(took);
        asked += 1;
    }
    (slowest, asked, result.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_never_come_occupy_nothing() {
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
    let (slowest, asked, answers) = slowest_beside(&world, 20, attack).await;
    for answer in &answers {
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    assert!(slowest < BOUND, "the slowest of {asked} requests took {slowest:?}");
    println!(
        "{} strangers; the slowest of {asked} good requests took {slowest:?}",
        answers.len()
    );
}

#[tokio::test]
async fn a_body_is_not_waited_for_behind_a_good_token_either() {
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

/// HTTP/2 by hand (RFC 9113): what a client library would not send.
mod http2 {
    use super::{AsyncReadExt, AsyncWriteExt, LIST, RANGE, TcpStream, World};

    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const END_HEADERS: u8 = 4;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend_from_slice(&stream.to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    /// GET of the list without a token: fields by the static table (RFC 7541, A), texts as they are.
    fn fields() -> Vec<u8> {
        let mut fields = vec![0x82, 0x86];
        for (name, value) in [(4, format!("{LIST}?{RANGE}")), (1, "recap".to_owned())] {
            fields.extend_from_slice(&[name, u8::try_from(value.len()).unwrap()]);
            fields.extend_from_slice(value.as_bytes());
        }
        fields
    }

    /// Opens `streams` requests whose bodies never come on one connection; how many were answered.
    pub async fn requests_without_bodies(world: &World, streams: u32) -> usize {
        let mut stream = TcpStream::connect(world.server.addr).await.unwrap();
        let mut opening = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        opening.extend(frame(SETTINGS, 0, 0, &[]));
        for n in 0..streams {
            opening.extend(frame(HEADERS, END_HEADERS, 2 * n + 1, &fields()));
        }
        stream.write_all(&opening).await.unwrap();
        let mut answered = 0;
        while answered < streams as usize {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            stream.read_exact(&mut payload).await.unwrap();
            assert_ne!(head[3], GOAWAY, "{payload:?}");
            answered += usize::from(head[3] == HEADERS);
        }
        answered
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_they_on_http_2() {
    let world = world().await;
    let attack = async {
        let mut connections = JoinSet::new();
        for _ in 0..16 {
            let world = Arc::clone(&world);
            connections.spawn(async move { http2::requests_without_bodies(&world, 16).await });
        }
        connections.join_all().await
    };
    let (slowest, asked, answered) = slowest_beside(&world, 20, attack).await;
    assert_eq!(answered, [16; 16]);
    assert!(slowest < BOUND, "the slowest of {asked} requests took {slowest:?}");
    println!("16 connections; the slowest of {asked} good requests took {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_probes_shares_one_check() {
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
    let (slowest, asked, answers) = slowest_beside(&world, 20, attack).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    let seconds = i64::try_from(started.elapsed().as_secs()).unwrap();
    let checks = eventually(reads, |reads| *reads > before).await - before;
    assert!(checks <= seconds + 4, "{checks} checks in {seconds} s");
    assert!(slowest < BOUND, "the slowest of {asked} requests took {slowest:?}");
    let slowest_probe = answers.iter().map(|(_, took)| *took).max().unwrap();
    println!(
        "{} probes, {checks} checks, the slowest {slowest_probe:?}; the slowest of {asked} good requests took {slowest:?}",
        answers.len()
    );
}
