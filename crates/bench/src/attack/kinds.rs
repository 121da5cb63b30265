//! The kinds of attacks. Each goes on until it is aborted.

use std::{net::SocketAddr, time::Duration};

use recap_testing::http2::{self, Connection};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use super::{
    extremes::{NESTED, WIDE},
    target::Attacked,
};
use crate::http::Client;

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connections that say nothing.
    Silent,
    /// Requests whose bodies never come.
    Bodies,
    /// HTTP/2 frames that ask for nothing.
    Frames,
    /// Pages behind closed windows.
    Windows,
    /// Pages that nobody reads.
    Unread,
    /// Streams that nobody reads, of two organizations.
    Streams,
    /// Requests that are taken back in the middle.
    HangUps,
    /// Bursts of requests that are taken back at once.
    Resets,
    /// Wrong signatures.
    Signatures,
    /// Keys that do not exist.
    Kids,
    /// Long parameters, each another one.
    Parameters,
    /// Pages of a thousand, taken as fast as they come.
    Pages,
    /// Pages of 2 GB, taken as fast as they come.
    Wide,
    /// A conversation with 20,000 sub-conversations, taken as fast as it comes.
    Nested,
    /// Series and breakdowns of the largest organization's whole history.
    Figures,
    /// Streams of changes that nobody reads.
    Watchers,
}

impl Kind {
    pub const ALL: [Self; 16] = [
        Self::Silent,
        Self::Bodies,
        Self::Frames,
        Self::Windows,
        Self::Unread,
        Self::Streams,
        Self::HangUps,
        Self::Resets,
        Self::Signatures,
        Self::Kids,
        Self::Parameters,
        Self::Pages,
        Self::Wide,
        Self::Nested,
        Self::Figures,
        Self::Watchers,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Bodies => "bodies",
            Self::Frames => "frames",
            Self::Windows => "windows",
            Self::Unread => "unread",
            Self::Streams => "streams",
            Self::HangUps => "hang-ups",
            Self::Resets => "resets",
            Self::Signatures => "signatures",
            Self::Kids => "kids",
            Self::Parameters => "parameters",
            Self::Pages => "pages",
            Self::Wide => "wide",
            Self::Nested => "nested",
            Self::Figures => "figures",
            Self::Watchers => "watchers",
        }
    }

    /// Begins it. What goes wrong ends an attacker, who begins again: it is the service's right to be rid of it.
    pub fn begin(self, attacked: &Attacked, tasks: &mut JoinSet<()>) {
        let token = |organization, user: u32| {
            attacked
                .token(organization, &format!("attacker_{user}"))
                .unwrap_or_default()
        };
        let (addr, host) = (attacked.addr, attacked.host.clone());
        let lists =
            |first: u64, count: u64| -> Vec<String> { (first..first + count).map(|n| attacked.list(n)).collect() };
        match self {
            Self::Silent => repeat(tasks, 300, move |_| silent(addr)),
            Self::Bodies => repeat(tasks, 64, move |_| body(addr)),
            Self::Frames => repeat(tasks, 4, move |n| frames(addr, n)),
            Self::Windows => {
                let tokens = [token(0, 0), token(0, 1), token(1, 0)];
                let lists = lists(0, 180);
                repeat(tasks, 3, move |n| {
                    let paths = lists[60 * n..60 * (n + 1)].iter();
                    let paths = paths.map(|list| format!("{list}&limit=1000")).collect();
                    closed_window(addr, tokens[n].clone(), paths)
                });
            }
            Self::Unread => {
                let (tokens, lists) = ([token(0, 2), token(2, 0)], lists(1_000, 100));
                repeat(tasks, 100, move |n| {
                    unread(addr, tokens[n % 2].clone(), format!("{}&limit=1000", lists[n]))
                });
            }
            Self::Streams => {
                let (tokens, lists) = ([token(0, 3), token(3, 0)], lists(2_000, 2));
                repeat(tasks, 2, move |n| {
                    closed_window(addr, tokens[n].clone(), vec![lists[n].clone(); 4])
                });
            }
            Self::HangUps => {
                let (tokens, lists) = ([0, 1, 2, 3, 4, 5].map(|n| token(0, 10 + n)), lists(3_000, 10_000));
                repeat(tasks, 6, move |n| hang_ups(addr, tokens[n].clone(), lists.clone()));
            }
            Self::Resets => {
                let (tokens, lists) = ([token(0, 20), token(1, 20)], lists(20_000, 50));
                repeat(tasks, 2, move |n| resets(addr, tokens[n].clone(), lists.clone()));
            }
            Self::Signatures => {
                let token = attacked.forged(None).unwrap_or_default();
                let list = attacked.list(0);
                repeat(tasks, 16, move |_| {
                    ask(host.clone(), token.clone(), list.clone(), Duration::from_millis(5))
                });
            }
            Self::Kids => {
                let tokens: Vec<String> = (0..64).map(|n| attacked.forged(Some(n)).unwrap_or_default()).collect();
                let list = attacked.list(0);
                repeat(tasks, 64, move |n| {
                    ask(host.clone(), tokens[n].clone(), list.clone(), Duration::ZERO)
                });
            }
            Self::Parameters => {
                let (tokens, list) = ([0, 1, 2, 3].map(|n| token(0, 30 + n)), attacked.list(0));
                repeat(tasks, 4, move |n| {
                    parameters(host.clone(), tokens[n].clone(), list.clone(), n)
                });
            }
            Self::Pages => {
                let (tokens, lists) = ([0, 1, 2, 3].map(|n| token(0, 40 + n)), lists(40_000, 4));
                repeat(tasks, 4, move |n| {
                    let path = format!("{}&limit=1000", lists[n]);
                    ask(host.clone(), tokens[n].clone(), path, Duration::ZERO)
                });
            }
            Self::Wide => {
                let tokens: Vec<String> = (50..66).map(|user| token(WIDE, user)).collect();
                let lists = lists(50_000, 16);
                repeat(tasks, 16, move |n| {
                    taken(addr, tokens[n].clone(), format!("{}&limit=50", lists[n]))
                });
            }
            Self::Nested => {
                let tokens: Vec<String> = (70..74).map(|user| token(NESTED, user)).collect();
                let lists = lists(60_000, 4);
                repeat(tasks, 4, move |n| {
                    taken(addr, tokens[n].clone(), format!("{}&limit=1", lists[n]))
                });
            }
            Self::Figures => {
                let (tokens, lists) = ([0, 1, 2, 3].map(|n| token(0, 80 + n)), lists(70_000, 10_000));
                repeat(tasks, 4, move |n| {
                    figures(host.clone(), tokens[n].clone(), lists.clone(), n)
                });
            }
            Self::Watchers => {
                let tokens = [0, 1, 2, 3].map(|n| token(n, 90));
                repeat(tasks, 200, move |n| {
                    let path = "/api/dashboard/changes".to_owned();
                    unread(addr, tokens[n % 4].clone(), path)
                });
            }
        }
    }
}

/// `count` attackers, each beginning again when it has ended.
fn repeat<F>(tasks: &mut JoinSet<()>, count: usize, attack: impl Fn(usize) -> F + Clone + Send + 'static)
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    for number in 0..count {
        let attack = attack.clone();
        tasks.spawn(async move {
            loop {
                let _ended_by_the_service = attack(number).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
    }
}

async fn silent(addr: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(b"GET / HT").await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn body(addr: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    stream
        .write_all(b"GET /api/dashboard/getStats HTTP/1.1\r\nHost: recap\r\nContent-Length: 10\r\n\r\n")
        .await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn frames(addr: SocketAddr, number: usize) -> anyhow::Result<()> {
    let mut connection = Connection::open(addr, 65_535).await?;
    let flood = match number % 2 {
        0 => http2::frame(http2::Kind::Ping, 0, 0, &[1; 8]),
        _ => http2::frame(http2::Kind::Settings, 0, 0, &[0, 4, 0, 0, 0xff, 0xff]),
    };
    let flood = flood.repeat(500);
    loop {
        connection.send(&flood).await?;
    }
}

async fn closed_window(addr: SocketAddr, token: String, paths: Vec<String>) -> anyhow::Result<()> {
    let mut connection = Connection::open(addr, 0).await?;
    for path in &paths {
        connection.ask(path, Some(&token)).await?;
    }
    // Until nothing is left of it, and then anew.
    let mut left = paths.len();
    while left > 0 {
        let Some(frame) = connection.next().await else {
            break;
        };
        left -= usize::from(frame.kind == http2::Kind::ResetStream || frame.ends_stream());
    }
    Ok(())
}

async fn unread(addr: SocketAddr, token: String, path: String) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 * 1024)?;
    let mut stream = socket.connect(addr).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: recap\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    tokio::time::sleep(Duration::from_secs(40)).await;
    Ok(())
}

/// Takes an answer whole, and throws it away.
async fn taken(addr: SocketAddr, token: String, path: String) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: recap\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

/// Each of another range: none is in the cache.
async fn figures(host: String, token: String, lists: Vec<String>, number: usize) -> anyhow::Result<()> {
    let mut client = Client::connect(&host, &token).await?;
    for (turn, list) in lists.iter().skip(number).step_by(4).enumerate() {
        let path = match turn % 2 {
            0 => format!(
                "{}&interval=day&timeZone=Asia/Kolkata",
                list.replace("getInteractions", "getTimeSeries")
            ),
            _ => format!("{}&by=toolName", list.replace("getInteractions", "getBreakdown")),
        };
        client.get(&path).await?;
    }
    Ok(())
}

async fn hang_ups(addr: SocketAddr, token: String, lists: Vec<String>) -> anyhow::Result<()> {
    let mut connection = Connection::open(addr, 65_535).await?;
    for list in lists.iter().cycle() {
        let stream = connection.ask(&format!("{list}&limit=50"), Some(&token)).await?;
        tokio::time::sleep(Duration::from_millis(3)).await;
        connection.reset(stream).await?;
        tokio::time::sleep(Duration::from_millis(17)).await;
    }
    Ok(())
}

async fn resets(addr: SocketAddr, token: String, lists: Vec<String>) -> anyhow::Result<()> {
    let mut connection = Connection::open(addr, 65_535).await?;
    loop {
        for list in &lists {
            let stream = connection.ask(&format!("{list}&limit=50"), Some(&token)).await?;
            connection.reset(stream).await?;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn ask(host: String, token: String, path: String, pause: Duration) -> anyhow::Result<()> {
    let mut client = Client::connect(&host, &token).await?;
    loop {
        client.get(&path).await?;
        tokio::time::sleep(pause).await;
    }
}

async fn parameters(host: String, token: String, list: String, number: usize) -> anyhow::Result<()> {
    let mut client = Client::connect(&host, &token).await?;
    for turn in 0_u64.. {
        let value = format!("{number}-{turn}-{}", "x".repeat(900));
        client.get(&format!("{list}&limit=5&metadataValue={value}")).await?;
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    Ok(())
}
