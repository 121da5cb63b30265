//! One of recap's programs as a process that a test signals, scrapes and awaits.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what a test cannot do with a process fails that test"
)]

use std::{
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{LIMIT, eventually, metrics};

const POLL: Duration = Duration::from_millis(20);
/// How long an orderly end may take.
const STOP: Duration = Duration::from_secs(30);
/// What a failed test shows of a program's output at most, in bytes from its end.
const SHOWN_OUTPUT: usize = 20_000;

/// A running program with health and metrics on a port of 127.0.0.1; killed when dropped.
pub struct Program {
    child: Child,
    output: Option<JoinHandle<String>>,
    admin: String,
}

impl Program {
    /// Starts `command`, which has to listen on the address `admin` for its health and metrics.
    #[must_use]
    pub fn start(mut command: Command, admin: String) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // Shown with the output of a failed test; a full pipe would stop the program.
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            let _ended = stdout.read_to_string(&mut text);
            let end = text.len().saturating_sub(SHOWN_OUTPUT);
            println!("{}", text.get(end..).unwrap_or(&text));
            text
        });
        Self {
            child,
            output: Some(output),
            admin,
        }
    }

    /// Sends a signal by its name without `SIG`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -s {name} {}", self.child.id()))
            .status()
            .unwrap();
        assert!(status.success(), "kill -s {name}");
    }

    /// Waits for the end.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "still running after {limit:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// SIGTERM, and the exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended(STOP).await.code()
    }

    /// SIGKILL.
    pub async fn kill(&mut self) {
        self.signal("KILL");
        self.ended(STOP).await;
    }

    /// What it wrote to standard output, once it has ended.
    #[must_use]
    pub fn output(&mut self) -> String {
        self.output.take().unwrap().join().unwrap()
    }

    /// Why `/readyz` refuses; `None` when it is ready or does not answer.
    pub async fn not_ready(&self) -> Option<String> {
        let answer = reqwest::get(format!("http://{}/readyz", self.admin)).await.ok()?;
        let ready = answer.status().is_success();
        let text = answer.text().await.ok()?;
        (!ready).then_some(text)
    }

    /// The sum of a metric's series; `None` before it answers, or without one.
    pub async fn metric(&self, name: &str) -> Option<i64> {
        let answer = reqwest::get(format!("http://{}/metrics", self.admin)).await;
        metrics::sum(&answer.ok()?.text().await.ok()?, name, &[])
    }

    /// Waits until a metric has a wanted value.
    pub async fn metric_becomes(&self, name: &str, wanted: impl Fn(i64) -> bool) {
        let is_wanted = |value: &Option<i64>| value.is_some_and(&wanted);
        eventually(name, LIMIT, async || self.metric(name).await, is_wanted).await;
    }

    /// Resident set, in bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap_or("0 kB");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        if let Some(output) = self.output.take() {
            let _shown = output.join();
        }
    }
}
