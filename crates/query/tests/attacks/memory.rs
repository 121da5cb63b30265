//! Memory: answers that nobody takes, and answers that are too wide.

use std::time::{Duration, Instant};

use futures::future::join_all;
use recap_testing::http2::Connection;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpSocket};

use super::{alone, program::Attacked};
use crate::world::{LIST, ORG, RANGE, World, child, conversation, event, event_of};

/// What the program may take more, in MiB.
const MOST: u64 = 300;
/// The organization of those who mean well.
const GOOD: &str = "org_good";

/// A thousand conversations with long texts, and one of somebody else's.
async fn attacked(flags: &[&str]) -> Attacked {
    let world = World::start().await;
    let text = "recap ".repeat(2700);
    for part in 0..4 {
        let events: Vec<_> = (part * 250..(part + 1) * 250)
            .map(|n| {
                let time = format!("2024-03-01T10:{:02}:{:02}Z", n / 60, n % 60);
                let data = json!({ "conversationId": format!("c{n:04}"), "messageId": "m", "role": "user", "createdAt": time,
                    "text": text, "userId": "ada" });
                event("message.upserted", &time, data)
            })
            .collect();
        world.publish(&events).await;
    }
    let time = "2024-03-01T10:00:00Z";
    let data = json!({ "conversationId": "g", "userId": "gil", "createdAt": time });
    world
        .publish(&[event_of(GOOD, "conversation.upserted", time, data)])
        .await;
    Attacked::start(world, flags).await
}

/// A page of 16 MB that nobody asked for before.
fn page(number: usize) -> String {
    format!("{LIST}?from=2000-01-01T00:00:00.{number:03}Z&to=2099-01-01T00:00:00Z&limit=1000&allInOrg=true")
}

fn good_page() -> String {
    format!("{LIST}?{RANGE}&limit=20")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_a_closed_window_keeps_back_are_bounded() {
    let _alone = alone().await;
    let attacked = attacked(&["--database-connections=8"]).await;
    let good = attacked.world.member(GOOD, "gil");
    let boss = attacked.world.boss();
    let attack = async {
        let mut connections = Vec::new();
        for number in 0..2 {
            let mut connection = Connection::open(attacked.addr, 0).await.unwrap();
            for n in 0..60 {
                connection.ask(&page(number * 60 + n), Some(&boss)).await.unwrap();
            }
            connections.push(connection);
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
    };
    let (seen, ()) = attacked.beside(&good, &good_page(), attack).await;
    seen.assert_good("120 pages of 16 MB behind closed windows", MOST);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_nobody_reads_are_bounded() {
    let _alone = alone().await;
    let attacked = attacked(&["--database-connections=8"]).await;
    let good = attacked.world.member(GOOD, "gil");
    let boss = attacked.world.boss();
    let attack = async {
        let mut clients = Vec::new();
        for n in 0..100 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(64 * 1024).unwrap();
            let mut client = socket.connect(attacked.addr).await.unwrap();
            let request = format!(
                "GET {} HTTP/1.1\r\nHost: recap\r\nAuthorization: Bearer {boss}\r\n\r\n",
                page(n)
            );
            client.write_all(request.as_bytes()).await.unwrap();
            clients.push(client);
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
    };
    let (seen, ()) = attacked.beside(&good, &good_page(), attack).await;
    seen.assert_good("100 pages of 16 MB that nobody reads", MOST);
}

/// Conversations with large tool results, one of them with many, and feedback.
async fn wide(world: &World) {
    let time = "2024-03-01T10:00:00Z";
    let mut events = Vec::new();
    for n in 0..20 {
        let id = format!("w{n:02}");
        events.push(conversation(&id, "ada", time));
        for call in 0..(if n == 7 { 40 } else { 6 }) {
            let data = json!({ "conversationId": id, "toolCallId": format!("t{call:02}"), "toolName": "search",
                "result": { "text": "recap \"quoted\" ".repeat(8_000) }, "messageId": "m", "finishedAt": time });
            events.push(event("tool_call.finished", time, data));
        }
        let data = json!({ "conversationId": id, "feedbackId": "f", "helpful": true, "comment": "so, so", "userId": "ada", "createdAt": time });
        events.push(event("feedback.submitted", time, data));
    }
    for (id, parent) in [("w30", "w07"), ("w31", "w30"), ("w32", "w07"), ("w33", "w01")] {
        events.push(child(id, parent, "ada", time));
    }
    for part in events.chunks(20) {
        world.publish(part).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_too_wide_for_memory_is_streamed_and_says_the_same() {
    let _alone = alone().await;
    let world = World::start_with(|config| {
        config.limits.answer_bytes = 1 << 30;
        config.limits.page_bytes = 256 << 20;
    })
    .await;
    wide(&world).await;
    let boss = world.boss();
    let flags = ["--answer-memory=64MiB", "--page-bytes=4MiB", "--queue-timeout=30s"];
    let attacked = Attacked::start(world, &flags).await;
    let list = format!("{LIST}?{RANGE}&allInOrg=true");
    let ask = async |path: &str, accept: &str| {
        let whole = attacked.world.request(&boss, path).header("accept", accept);
        let streamed = attacked.world.client.get(attacked.url(path)).bearer_auth(&boss);
        let streamed = streamed.header("accept", accept);
        tokio::join!(crate::world::send(whole), crate::world::send(streamed))
    };
    for (paging, accept) in [
        ("&limit=100", "application/json"),
        ("&limit=7", "application/json"),
        ("", "application/json"),
        ("&limit=100", "application/x-ndjson"),
        ("&limit=100&exclude=toolCalls", "application/json"),
        ("", "text/csv"),
    ] {
        let (whole, streamed) = ask(&format!("{list}{paging}"), accept).await;
        assert_eq!((whole.status, streamed.status), (200, 200), "{}", streamed.text().len());
        assert!(
            whole.body == streamed.body,
            "{paging} {accept}: {} bytes and {}",
            whole.body.len(),
            streamed.body.len()
        );
        assert_eq!(whole.header("link"), streamed.header("link"));
        let is_wide = !paging.contains("exclude");
        assert_eq!(streamed.header("etag").is_empty(), is_wide, "{paging} {accept}");
        assert!(!is_wide || whole.body.len() > 4 << 20, "{}", whole.body.len());
    }

    let path = format!("{list}&limit=100");
    let attack = join_all((0..16).map(|_| attacked.get(&boss, &path)));
    let good = attacked.world.member(ORG, "ben");
    let (seen, answers) = attacked.beside(&good, &good_page(), attack).await;
    let bytes = answers[0].body.len();
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 && answer.body.len() == bytes)
    );
    seen.assert_good(&format!("16 callers of a page of {} MB", bytes >> 20), 150);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tens_of_thousands_of_conversations_below_one_are_bounded() {
    let _alone = alone().await;
    let world = World::start().await;
    let time = "2024-03-01T10:00:00Z";
    let boss = world.boss();
    let attacked = Attacked::start(world, &["--answer-memory=64MiB", "--queue-timeout=30s"]).await;
    let path = format!("{LIST}?{RANGE}&allInOrg=true&limit=10");
    // Its statements are planned while the tables are empty, and nothing but the flushes makes statistics.
    for query in [path.clone(), format!("{LIST}?{RANGE}&allInOrg=true")] {
        assert_eq!(attacked.get(&boss, &query).await.ids(), [""; 0]);
    }
    let world = &attacked.world;
    world.publish(&[conversation("p", "ada", time)]).await;
    for part in 0..20 {
        let events: Vec<Value> = (part * 1000..(part + 1) * 1000)
            .map(|n| child(&format!("s{n:05}"), "p", "ada", time))
            .collect();
        world.publish(&events).await;
    }
    let started = Instant::now();
    let first = attacked.get(&boss, &path).await;
    assert_eq!(first.status, 200, "{}", first.text());
    println!("a page of 20,000 conversations below one took {:?}", started.elapsed());
    let others: Vec<String> = (0..4).map(|n| page(n).replace("limit=1000", "limit=10")).collect();
    let attack = join_all(others.iter().map(|path| attacked.get(&boss, path)));
    let good = attacked.world.member(ORG, "ben");
    let (seen, answers) = attacked.beside(&good, &good_page(), attack).await;
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let below = answer.json()[0]["subConversations"].as_array().map_or(0, Vec::len);
        assert_eq!(below, 20_000);
    }
    seen.assert_good("20,000 conversations below one", 150);
}
