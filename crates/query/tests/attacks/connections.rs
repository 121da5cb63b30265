//! Connections: more than there may be, idle ones, floods of frames that ask for nothing, heads that a proxy would read otherwise.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use recap_testing::http2::{self, Connection, Kind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{Waits, alone, ask_beside, program::Attacked, send_again, stats};
use crate::world::{World, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_make_room_for_those_that_ask() {
    let _alone = alone().await;
    let world = World::start_with(|config| config.limits.client_connections = 64).await;
    let attack = async {
        let silent = (0..300).map(|_| async {
            let mut stream = TcpStream::connect(world.server.addr).await.unwrap();
            stream.write_all(b"GET / HT").await.unwrap();
            let mut rest = Vec::new();
            // The service ends it, long before the headers' own time limit.
            let started = Instant::now();
            let _ = stream.read_to_end(&mut rest).await;
            started.elapsed()
        });
        let silent = join_all(silent);
        tokio::time::timeout(Duration::from_secs(3), silent).await.is_err()
    };
    // Every request opens a connection of its own.
    let world = &world;
    let fresh = async {
        let mut waits = Waits::default();
        for _ in 0..50 {
            let client = reqwest::Client::new();
            let started = Instant::now();
            let request = client.get(world.url(&stats())).bearer_auth(world.boss());
            assert_eq!(send_again(request).await.status, 200);
            waits.0.push(started.elapsed());
        }
        waits
    };
    let (beside, (still_waiting, fresh)) = ask_beside(world, &stats(), 20, async { tokio::join!(attack, fresh) }).await;
    assert!(still_waiting, "the last 64 are not needed");
    fresh.assert_good("new connections beside 300 silent ones where 64 may be");
    beside.assert_good("silent connections");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_files_are_enough_for_those_that_ask() {
    let _alone = alone().await;
    let attacked = Attacked::with_files(World::start().await, 300).await;
    let boss = attacked.world.boss();
    let addr = attacked.addr;
    let attack = async {
        let mut silent = JoinSet::new();
        for _ in 0..500 {
            silent.spawn(async move {
                loop {
                    let mut stream = TcpStream::connect(addr).await.unwrap();
                    let _ = stream.write_all(b"GET / HT").await;
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                    // The files are what is scarce here, not the processor that a storm of connections takes.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        silent.shutdown().await;
    };
    let (seen, ()) = attacked.beside(&boss, &stats(), attack).await;
    seen.assert_good("more connections than there are files", 50);
    assert_eq!(attacked.get(&boss, &stats()).await.status, 200);
}

#[tokio::test]
async fn an_address_has_its_share_of_connections() {
    let _alone = alone().await;
    let world = World::start_with(|config| config.limits.client_connections_per_address = 3).await;
    let open = async || {
        let mut stream = TcpStream::connect(world.server.addr).await.unwrap();
        stream
            .write_all(b"GET /docs HTTP/1.1\r\nHost: recap\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 1];
        let read = stream.read(&mut first).await.unwrap_or(0);
        (stream, read)
    };
    let three = [open().await, open().await, open().await];
    assert!(three.iter().all(|(_, read)| *read == 1));
    assert_eq!(open().await.1, 0);
    assert!(world.metric("recap_query_limited_total", &["connections"]) >= 1);
    drop(three);
    eventually(async || open().await.1, |read| *read == 1).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_whatever_it_answers() {
    let _alone = alone().await;
    let world = World::start_with(|config| config.timeouts.idle = Duration::from_millis(400)).await;
    let mut connection = Connection::open(world.server.addr, 65_535).await.unwrap();
    let stream = connection.ask("/docs", None).await.unwrap();
    let started = Instant::now();
    let mut kinds = Vec::new();
    loop {
        tokio::select! {
            frame = connection.next() => match frame {
                Some(frame) => kinds.push(frame),
                None => break,
            },
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                let _ = connection.send(&http2::frame(Kind::Ping, 0, 0, &[7; 8])).await;
            }
        }
    }
    assert!(kinds.iter().any(|frame| frame.stream == stream && frame.ends_stream()));
    assert!(kinds.iter().any(|frame| frame.kind == Kind::GoAway));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// Sends `flood` for as long as the service takes it; whether it said GOAWAY.
async fn flood(addr: SocketAddr, flood: Vec<u8>) -> bool {
    let mut connection = Connection::open(addr, 65_535).await.unwrap();
    let stream = connection.reserve();
    connection
        .send(&http2::request(stream, "/docs", None, false))
        .await
        .unwrap();
    let started = Instant::now();
    while connection.send(&flood).await.is_ok() {
        assert!(started.elapsed() < Duration::from_secs(20), "the flood goes on");
        // What the service said before it stopped reading.
        if let Ok(Ok(frame)) = tokio::time::timeout(Duration::from_millis(1), connection.read()).await
            && frame.kind == Kind::GoAway
        {
            return true;
        }
    }
    connection.end().await.contains(&Kind::GoAway)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_frames_that_ask_for_nothing_end_in_goaway() {
    let _alone = alone().await;
    let world = World::start().await;
    let reset = 8_u32.to_be_bytes();
    let kinds: [(Kind, u8, u32, &[u8]); 7] = [
        (Kind::Settings, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]),
        (Kind::Ping, 0, 0, &[1; 8]),
        (Kind::ResetStream, 0, 1, &reset),
        (Kind::Priority, 0, 1, &[0, 0, 0, 0, 7]),
        (Kind::WindowUpdate, 0, 0, &[0, 0, 0, 1]),
        (Kind::Data, 0, 1, &[]),
        (Kind::Other, 0, 1, b"whatever"),
    ];
    for (kind, flags, stream, payload) in kinds {
        let frames = http2::frame(kind, flags, stream, payload).repeat(500);
        let attack = join_all((0..8).map(|_| flood(world.server.addr, frames.clone())));
        let (beside, ended) = ask_beside(&world, &stats(), 20, attack).await;
        // Written out, GOAWAY may be lost in the reset of a connection whose bytes nobody reads.
        assert!(ended.contains(&true), "{kind:?}: {ended:?}");
        beside.assert_good(&format!("a flood of {kind:?}"));
    }
}

#[tokio::test]
async fn a_request_names_one_host_and_ends_its_lines_as_the_standard_says() {
    let _alone = alone().await;
    let world = World::start().await;
    let status = async |head: &str| {
        let mut stream = TcpStream::connect(world.server.addr).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        if let Err(error) = stream.read_exact(&mut answer).await {
            return error.to_string();
        }
        String::from_utf8_lossy(&answer[9..]).into_owned()
    };
    for (head, expected) in [
        ("GET /docs HTTP/1.1\r\nHost: recap\r\n\r\n", "200"),
        ("GET /docs HTTP/1.0\r\n\r\n", "200"),
        ("GET /docs HTTP/1.1\r\n\r\n", "400"),
        ("GET /docs HTTP/1.1\r\nHost: recap\r\nHost: recap\r\n\r\n", "400"),
        ("GET /docs HTTP/1.0\r\nHost: recap\r\nHost: other\r\n\r\n", "400"),
        ("GET /docs HTTP/1.1\nHost: recap\r\n\r\n", "400"),
        ("GET /docs HTTP/1.1\r\nHost: recap\nX: y\r\n\r\n", "400"),
        // hyper has no answer to this one, and closes the connection.
        ("GET /docs HTTP/1.1\r\nHost: recap\r\n\n", "early eof"),
    ] {
        assert_eq!(status(head).await, expected, "{head:?}");
    }
}
