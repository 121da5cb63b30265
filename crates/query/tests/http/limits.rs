//! How much of a request is taken, and how long a client is waited for.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::world::{LIST, RANGE, STATS, World, assert_problem, event, send};

/// Longer than any of these connections should live.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sends `bytes` and reads until the service closes the connection.
async fn exchange(world: &World, bytes: &[u8]) -> String {
    let mut client = TcpStream::connect(world.server.addr).await.unwrap();
    client.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(DEADLINE, client.read_to_end(&mut answer))
        .await
        .unwrap_or_else(|_| panic!("the connection stays open"))
        // A reset is as good an end as any other.
        .unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(world: &World, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "GET {STATS}?{RANGE} HTTP/1.1\r\nHost: recap\r\nAuthorization: Bearer {}\r\n{headers}\r\n{body}",
        world.boss()
    )
    .into_bytes()
}

#[tokio::test]
async fn no_body_is_read_and_one_announced_as_large_is_a_413() {
    let world = World::start().await;
    // Each ends the connection, behind whose body nobody knows the next request.
    for (headers, body, expected) in [
        ("Transfer-Encoding: chunked\r\n", "nonsense\r\n", "200"),
        ("Content-Length: 2\r\n", "{}", "200"),
        ("Content-Length: 16385\r\n", "", "413"),
        ("Content-Length: 1000000000\r\nExpect: 100-continue\r\n", "", "413"),
    ] {
        let answer = exchange(&world, &get(&world, headers, body)).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {expected} ")),
            "{headers}: {answer}"
        );
        assert!(head.contains("connection: close"), "{headers}: {answer}");
        let body: Value = serde_json::from_str(body).unwrap();
        if expected == "413" {
            assert!(head.contains("content-type: application/problem+json"), "{answer}");
            assert!(body["status"] == json!(413) && body["requestId"].is_string());
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_say_what_it_wants_is_let_go() {
    let world = World::start_with(|config| config.timeouts.headers = Duration::from_millis(300)).await;
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM", "GET /docs HTTP/1.1\r\nHost: re"] {
        let answer = exchange(&world, beginning.as_bytes()).await;
        assert_eq!(answer, "", "{beginning:?}");
    }
    // An idle connection is let go as well, after its answer.
    let answer = exchange(&world, b"GET /docs HTTP/1.1\r\nHost: recap\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.trim_end().ends_with("</html>"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_answer_is_let_go() {
    let world = World::start_with(|config| config.timeouts.write = Duration::from_millis(300)).await;
    let text = "recap ".repeat(2000);
    let events: Vec<_> = (0..1000)
        .map(|n| {
            let data = json!({ "conversationId": format!("c{n:04}"), "messageId": "m", "role": "user",
                "createdAt": "2024-03-01T10:00:00Z", "text": text, "userId": "ada" });
            event("message.upserted", "2024-03-01T10:00:00Z", data)
        })
        .collect();
    world.publish(&events).await;
    let mut clients = Vec::new();
    // A whole answer in memory, and a streamed one.
    for paging in ["&limit=1000", ""] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let mut client = socket.connect(world.server.addr).await.unwrap();
        let request = format!(
            "GET {LIST}?{RANGE}&allInOrg=true{paging} HTTP/1.1\r\nHost: recap\r\nAuthorization: Bearer {}\r\n\r\n",
            world.boss()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&status), "HTTP/1.1 200");
        clients.push(client);
    }
    // It stops once the last connection has ended, long before its own deadline: these two would never.
    assert!(world.server.stop().await);
    for mut client in clients {
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
        assert!(rest.len() < 12_000_000, "{}", rest.len());
    }
}

#[tokio::test]
async fn a_long_target_is_a_414_and_large_headers_are_a_431() {
    let world = World::start().await;
    let boss = world.boss();
    let with_key = async |bytes: usize| {
        let path = format!("{STATS}?{RANGE}&metadataKey={}", "k".repeat(bytes));
        world.get(&boss, &path).await
    };
    assert_eq!(with_key(1024).await.status, 200);
    assert_problem(&with_key(1025).await, 400);
    assert_problem(&with_key(10_000).await, 400);
    assert_problem(&with_key(20_000).await, 414);
    let nowhere = format!("/{}", "x".repeat(20_000));
    assert_problem(&world.plain(reqwest::Method::GET, &nowhere).await, 414);

    let with_cookie = async |bytes: usize| {
        let request = world.request(&boss, &format!("{STATS}?{RANGE}"));
        send(request.header("cookie", "c".repeat(bytes))).await
    };
    assert_eq!(with_cookie(20_000).await.status, 200);
    assert_problem(&with_cookie(40_000).await, 431);

    // Beyond what the server below takes there is a status, no body, and the end of the connection.
    let huge = format!("Cookie: {}\r\n", "c".repeat(200_000));
    let many = "X-Many: 1\r\n".repeat(101);
    for headers in [huge, many] {
        let answer = exchange(&world, &get(&world, &headers, "")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let target = format!("GET /{} HTTP/1.1\r\nHost: recap\r\n\r\n", "x".repeat(70_000));
    let answer = exchange(&world, target.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 414 "), "{answer}");
    assert_eq!(with_key(1).await.status, 200);
}
