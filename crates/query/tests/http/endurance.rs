//! Slow databases, slow readers, clients that hang up, answers that break, and a service that stops.

use std::time::Duration;

use serde_json::json;
use sqlx::{Postgres, Transaction};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::world::{LIST, ORG, RANGE, STATS, World, conversation, event, eventually};

fn stats() -> String {
    format!("{STATS}?{RANGE}&allInOrg=true")
}

/// Makes every reading wait until the transaction ends.
async fn block(world: &World) -> Transaction<'static, Postgres> {
    let generation: i32 = sqlx::query_scalar("SELECT generation FROM recap.live")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    let mut transaction = world.pool.begin().await.unwrap();
    let lock = format!("LOCK TABLE recap_g{generation}.conversation_summary IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction
}

async fn backends(world: &World, condition: &str) -> i64 {
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'recap-query' AND {condition}"
    );
    sqlx::query_scalar(sqlx::AssertSqlSafe(count))
        .fetch_one(&world.pool)
        .await
        .unwrap()
}

const WAITING: &str = "wait_event_type = 'Lock'";
const READING: &str = "state = 'idle in transaction'";

/// A client that has read the headers of an answer and then stopped, with little room in its socket.
struct SlowReader(TcpStream);

impl SlowReader {
    async fn open(world: &World, path: &str, accept: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Set by hand, it does not grow by itself.
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut client = socket.connect(world.server.addr).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: recap\r\nAccept: {accept}\r\nAuthorization: Bearer {}\r\n\r\n",
            world.boss()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 200");
        Self(client)
    }

    /// Reads what is left; whether the last chunk (RFC 9112, 7.1) is missing from it.
    async fn ends_cut_off(mut self) -> bool {
        let mut rest = Vec::new();
        // A reset is as good an end as any other.
        let _ = self.0.read_to_end(&mut rest).await;
        !rest.ends_with(b"0\r\n\r\n")
    }
}

/// More than the buffers between the service and a client that does not read.
async fn many(world: &World) {
    let text = "recap ".repeat(1000);
    let events: Vec<_> = (0..3000)
        .map(|n| {
            let time = format!("2024-03-01T10:{:02}:{:02}Z", n / 60, n % 60);
            let data = json!({ "conversationId": format!("c{n:04}"), "messageId": "m", "role": "user", "createdAt": time, "text": text, "userId": "ada" });
            event("message.upserted", &time, data)
        })
        .collect();
    world.publish(&events).await;
}

#[tokio::test]
async fn a_slow_statement_and_a_slow_request_are_503() {
    let world = World::start_with(|config| config.timeouts.statement = Duration::from_millis(200)).await;
    let blocked = block(&world).await;
    for path in [stats(), format!("{LIST}?{RANGE}&limit=5"), format!("{LIST}?{RANGE}")] {
        let reply = world.get(&world.boss(), &path).await;
        assert_eq!(
            (reply.status, reply.header("retry-after"), reply.header("content-type")),
            (503, "1", "application/problem+json")
        );
    }
    blocked.rollback().await.unwrap();
    assert_eq!(world.get(&world.boss(), &stats()).await.status, 200);

    let world = World::start_with(|config| config.timeouts.request = Duration::from_millis(300)).await;
    let blocked = block(&world).await;
    assert_eq!(world.get(&world.boss(), &stats()).await.status, 503);
    // Nobody waits for the statement any more, so it goes.
    eventually(async || backends(&world, WAITING).await, |count| *count == 0).await;
    blocked.rollback().await.unwrap();
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_statement() {
    let world = World::start().await;
    let blocked = block(&world).await;
    for path in [stats(), format!("{LIST}?{RANGE}&limit=5"), format!("{LIST}?{RANGE}")] {
        let mut client = TcpStream::connect(world.server.addr).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: recap\r\nAuthorization: Bearer {}\r\n\r\n",
            world.boss()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        eventually(async || backends(&world, WAITING).await, |count| *count == 1).await;
        drop(client);
        eventually(async || backends(&world, WAITING).await, |count| *count == 0).await;
    }
    blocked.rollback().await.unwrap();
    assert_eq!(world.get(&world.boss(), &stats()).await.status, 200);
}

#[tokio::test]
async fn a_stream_that_fails_after_its_headers_aborts_the_connection() {
    let world = World::start().await;
    many(&world).await;
    for format in ["application/json", "text/csv"] {
        let reader = SlowReader::open(&world, &format!("{LIST}?{RANGE}&allInOrg=true"), format).await;
        // The reader is slow, so the service is in the middle of it.
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'recap-query' \
            AND xact_start IS NOT NULL";
        let killed = async || {
            let count: i64 = sqlx::query_scalar(kill).fetch_one(&world.pool).await.unwrap();
            count
        };
        eventually(killed, |count| *count == 1).await;
        assert!(reader.ends_cut_off().await, "a cut-off answer looked whole");
    }
    assert_eq!(world.metric("recap_query_stream_aborts_total", &["failure"]), 2);
    assert_eq!(world.list("exclude=firstMessageText").await.ids().len(), 3000);
}

#[tokio::test]
async fn a_reader_that_stops_reading_holds_nothing_beyond_the_time_limit() {
    let world = World::start_with(|config| config.timeouts.stream = Duration::from_secs(1)).await;
    many(&world).await;
    let path = format!("{LIST}?{RANGE}&allInOrg=true");
    let reader = SlowReader::open(&world, &path, "*/*").await;
    eventually(
        async || world.metric("recap_query_stream_aborts_total", &["time"]),
        |count| *count == 1,
    )
    .await;
    eventually(async || backends(&world, READING).await, |count| *count == 0).await;
    assert!(reader.ends_cut_off().await, "a cut-off answer looked whole");
}

#[tokio::test]
async fn slow_unpaged_answers_give_way_and_starve_nobody() {
    let world = World::start_with(|config| config.timeouts.queue = Duration::from_secs(3)).await;
    many(&world).await;
    // Connecting takes its time and is not the matter here.
    assert_eq!(world.list("limit=1").await.status, 200);
    let nothing = world.list("userId=nobody");
    let (first, second) = tokio::join!(nothing, world.list("userId=nobody"));
    assert_eq!((first.status, second.status), (200, 200));
    let path = format!("{LIST}?{RANGE}&allInOrg=true");
    let mut slow = Vec::new();
    for _ in 0..2 {
        slow.push(SlowReader::open(&world, &path, "*/*").await);
    }
    // A short answer needs no turn.
    assert_eq!(world.list("userId=nobody").await.status, 200);
    // Pages and statistics have connections of their own.
    assert_eq!(
        world.get(&world.boss(), &format!("{path}&limit=5")).await.ids().len(),
        5
    );
    assert_eq!(world.get(&world.boss(), &stats()).await.status, 200);
    // A long one waits until a client proves slow, whose answer is cut off.
    let third = world.get(&world.boss(), &path).await;
    assert_eq!(third.ids().len(), 3000);
    assert_eq!(world.metric("recap_query_stream_aborts_total", &["slow"]), 1);
    let mut cut_off = 0;
    for reader in slow {
        cut_off += u32::from(reader.ends_cut_off().await);
    }
    assert_eq!(cut_off, 1);
}

#[tokio::test]
async fn requests_beyond_the_bound_are_turned_away_at_once() {
    let world = World::start_with(|config| config.limits.requests = 2).await;
    let blocked = block(&world).await;
    let (a, b) = (world.member(ORG, "ada"), world.member(ORG, "lin"));
    let path = format!("{STATS}?{RANGE}");
    let third = async {
        eventually(async || backends(&world, WAITING).await, |count| *count == 2).await;
        let reply = world.get(&world.boss(), &path).await;
        blocked.rollback().await.unwrap();
        reply
    };
    let (first, second, third) = tokio::join!(world.get(&a, &path), world.get(&b, &path), third);
    assert_eq!((first.status, second.status, third.status), (200, 200, 503));
    assert_eq!(third.header("retry-after"), "1");
}

#[tokio::test]
async fn open_requests_finish_at_shutdown() {
    let world = World::start().await;
    many(&world).await;
    let token = world.boss();
    let addr = world.server.addr;
    let mut response = world
        .request(&token, &format!("{LIST}?{RANGE}&allInOrg=true"))
        .send()
        .await
        .unwrap();
    let mut whole = response.chunk().await.unwrap().unwrap().to_vec();
    let stopping = tokio::spawn(world.server.stop());
    eventually(async || TcpStream::connect(addr).await.is_err(), |refused| *refused).await;
    while let Some(piece) = response.chunk().await.unwrap() {
        whole.extend_from_slice(&piece);
    }
    let answer: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(answer.as_array().unwrap().len(), 3000);
    assert!(stopping.await.unwrap());
}

#[tokio::test]
async fn a_database_that_is_away_is_a_503_and_comes_back() {
    let postgres = recap_testing::PostgresServer::start().await.unwrap();
    let world = World::on(&postgres, |config| {
        config.timeouts.queue = Duration::from_millis(500);
    })
    .await;
    world
        .publish(&[conversation("c1", "ada", "2024-03-01T10:00:00Z")])
        .await;
    assert_eq!(world.list("limit=5").await.ids(), ["c1"]);
    postgres.stop_fast().await;
    let away = eventually(async || world.list("limit=5").await, |reply| reply.status != 200).await;
    assert_eq!((away.status, away.header("retry-after")), (503, "1"));
    assert_eq!(
        eventually(async || world.probe("/readyz").await, |reply| reply.status == 503)
            .await
            .status,
        503
    );
    assert_eq!(world.probe("/livez").await.status, 200);
    postgres.start_again().await.unwrap();
    eventually(async || world.list("limit=5").await, |reply| reply.status == 200).await;
}
