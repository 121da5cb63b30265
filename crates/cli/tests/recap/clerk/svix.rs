//! Signatures made by Svix's own library for Node.js, which is fetched from npm once.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

const VERSION: &str = "2.5.0";

/// One JSON line in, one signature out.
const PROGRAM: &str = r#"
import { createInterface } from "node:readline";
import { Webhook } from "svix";
for await (const line of createInterface({ input: process.stdin })) {
  const { secret, id, seconds, body } = JSON.parse(line);
  console.log(new Webhook(secret).sign(id, new Date(seconds * 1000), body));
}
"#;

struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The library at work.
pub struct Svix(Mutex<Node>);

impl Svix {
    /// One for all tests.
    pub fn shared() -> Result<&'static Self> {
        static SVIX: OnceLock<Result<Svix, String>> = OnceLock::new();
        let svix = SVIX.get_or_init(|| Self::start().map_err(|error| format!("{error:#}")));
        svix.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn start() -> Result<Self> {
        let mut child = Command::new("node")
            .args(["--input-type=module", "--eval", PROGRAM])
            .current_dir(installed()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("install Node.js (Debian and Ubuntu: apt-get install npm)")?;
        let input = child.stdin.take().context("stdin")?;
        let output = BufReader::new(child.stdout.take().context("stdout")?);
        Ok(Self(Mutex::new(Node { child, input, output })))
    }

    /// The header `svix-signature` of a message.
    pub fn sign(&self, secret: &str, id: &str, seconds: i64, body: &str) -> Result<String> {
        let mut node = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = json!({"secret": secret, "id": id, "seconds": seconds, "body": body});
        writeln!(node.input, "{line}")?;
        let mut signature = String::new();
        node.output.read_line(&mut signature)?;
        ensure!(signature.starts_with("v1,"), "svix has not signed: {signature}");
        Ok(signature.trim().to_owned())
    }
}

/// The directory with the library in it.
fn installed() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let cache = cache.context("HOME is not set")?.join("recap");
    let directory = cache.join(format!("svix-{VERSION}"));
    if directory.join("node_modules/svix").is_dir() {
        return Ok(directory);
    }
    fs::create_dir_all(&cache)?;
    // Complete or not there: another test may be fetching it, too.
    let fetching = tempfile::Builder::new().prefix("svix-").tempdir_in(&cache)?;
    fs::write(
        fetching.path().join("package.json"),
        r#"{"private": true, "type": "module"}"#,
    )?;
    let output = Command::new("npm")
        .args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact"])
        .arg(format!("svix@{VERSION}"))
        .current_dir(fetching.path())
        .output()
        .context("install npm (Debian and Ubuntu: apt-get install npm)")?;
    ensure!(
        output.status.success(),
        "npm: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let fetched = fetching.keep();
    if fs::rename(&fetched, &directory).is_err() {
        fs::remove_dir_all(&fetched)?;
    }
    ensure!(
        directory.join("node_modules/svix").is_dir(),
        "svix is not in {}",
        directory.display()
    );
    Ok(directory)
}
