//! The service as a process of its own, whose memory is nobody else's.

use std::{
    net::SocketAddr,
    process::Command,
    time::{Duration, Instant},
};

use recap_testing::{Program, port::free_port};
use sqlx::ConnectOptions as _;

use super::{Waits, send_again};
use crate::world::{Reply, World, eventually, send};

const PROGRAM: &str = env!("CARGO_BIN_EXE_recap-query");

/// A world, and the program beside its service: on the same database, with the same tokens.
pub struct Attacked {
    pub world: World,
    pub addr: SocketAddr,
    program: Program,
}

impl Attacked {
    /// Starts the program with these flags.
    pub async fn start(world: World, flags: &[&str]) -> Self {
        Self::start_as(Command::new(PROGRAM), world, flags).await
    }

    /// Starts it with so many files to open.
    pub async fn with_files(world: World, files: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files.to_string(), PROGRAM]);
        Self::start_as(shell, world, &[]).await
    }

    async fn start_as(mut command: Command, world: World, flags: &[&str]) -> Self {
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
        let admin = format!("127.0.0.1:{}", free_port().unwrap());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("RUST_LOG", "error")
            .env("DATABASE_URL", world.pool.connect_options().to_url_lossy().as_str())
            .env("CLERK_ISSUER", world.clerk.issuer())
            .env("CLERK_JWKS_URL", world.clerk.jwks_url())
            .env("RECAP_HTTP_ADDR", addr.to_string())
            .env("RECAP_ADMIN_ADDR", &admin)
            .env("RECAP_RATE_LIMIT", "0")
            .args(flags);
        let program = Program::start(command, admin);
        let attacked = Self { world, addr, program };
        let ready = async || attacked.world.client.get(attacked.url("/docs")).send().await.is_ok();
        eventually(ready, |ready| *ready).await;
        attacked
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub async fn get(&self, token: &str, path: &str) -> Reply {
        send(self.world.client.get(self.url(path)).bearer_auth(token)).await
    }

    /// Resident set in MiB.
    pub fn resident(&self) -> u64 {
        self.program.resident() >> 20
    }

    /// A good client asks for `path` every few milliseconds while `attack` runs: the status and the time of each, and by how many MiB the resident
    /// set grew meanwhile.
    pub async fn beside<T>(&self, token: &str, path: &str, attack: impl Future<Output = T>) -> (Seen, T) {
        let before = self.resident();
        let mut seen = Seen::default();
        let mut attack = std::pin::pin!(attack);
        let result = loop {
            let ask = async {
                let started = Instant::now();
                let request = self.world.client.get(self.url(path)).bearer_auth(token);
                let reply = send_again(request).await;
                (reply.status, started.elapsed())
            };
            tokio::pin!(ask);
            let mut done = None;
            let answer = loop {
                tokio::select! {
                    answer = &mut ask => break answer,
                    result = &mut attack, if done.is_none() => done = Some(result),
                }
            };
            seen.answers.push(answer);
            seen.grown = seen.grown.max(self.resident().saturating_sub(before));
            if let Some(result) = done {
                break result;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
                result = &mut attack => break result,
            }
        };
        (seen, result)
    }
}

/// What a good client saw.
#[derive(Debug, Default)]
pub struct Seen {
    answers: Vec<(u16, Duration)>,
    /// MiB that the program took more than before, at most.
    pub grown: u64,
}

impl Seen {
    /// Says what was seen, and fails when an answer was refused or slow, or the program took more than `most` MiB.
    pub fn assert_good(self, attack: &str, most: u64) {
        let refused = self.answers.iter().filter(|(status, _)| *status != 200).count();
        println!("{attack}: {} MiB more, {refused} good requests refused", self.grown);
        // A machine that does other things meanwhile may let one wait too long.
        assert!(refused <= 1, "{attack}: {refused} of {}", self.answers.len());
        assert!(self.grown < most, "{attack}: {} MiB", self.grown);
        Waits(self.answers.into_iter().map(|(_, took)| took).collect()).assert_good(attack);
    }
}
