//! Nothing outlives the process that started it, not even when that one is killed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(20);

/// Starts a server in another process and answers that process, the server's and the server's directory.
fn start(server: &str) -> (Child, PathBuf, PathBuf) {
    let mut starter = Command::new(env!("CARGO_BIN_EXE_recap-testing"))
        .arg(server)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let output = starter.stdout.as_mut().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    let (pid, _) = line.split_once(' ').unwrap();
    let process = Path::new("/proc").join(pid);
    let arguments = std::fs::read_to_string(process.join("cmdline")).unwrap();
    let dir = arguments
        .split('\0')
        .map(Path::new)
        .filter(|argument| argument.is_absolute())
        .filter_map(Path::parent)
        .find(|dir| {
            let name = dir.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("recap-")
        })
        .unwrap();
    assert!(dir.is_dir());
    (starter, process, dir.to_path_buf())
}

fn wait_until_gone(path: &Path) {
    let start = Instant::now();
    while path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{} is still there",
            path.display()
        );
        std::thread::sleep(POLL);
    }
}

fn leaves_nothing(server: &str) {
    let (mut killed, process, dir) = start(server);
    killed.kill().unwrap();
    killed.wait().unwrap();
    wait_until_gone(&process);
    wait_until_gone(&dir);

    let (mut ended, process, dir) = start(server);
    drop(ended.stdin.take());
    assert!(ended.wait().unwrap().success());
    wait_until_gone(&process);
    wait_until_gone(&dir);
}

#[test]
fn a_killed_process_leaves_no_postgresql() {
    leaves_nothing("postgres");
}

#[test]
fn a_killed_process_leaves_no_kafka() {
    leaves_nothing("kafka");
}
