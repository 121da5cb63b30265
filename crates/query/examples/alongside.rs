//! Runs a command beside a living service: real PostgreSQL, a local Clerk instance, the contract's own example as data.
//!
//! `cargo run -p recap-query --example alongside -- COMMAND…` gives the command `RECAP_URL` and `RECAP_TOKEN` (an administrator's) and ends with
//! its exit code. `deploy/test.sh` runs Schemathesis this way.

#![expect(clippy::unwrap_used, reason = "a tool of the tests: what fails ends it")]
#![expect(dead_code, reason = "the tests use all of it")]

#[path = "../tests/http/world.rs"]
mod world;

use std::process::ExitCode;

use serde_json::Value;
use tokio::process::Command;
use world::World;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("alongside needs a command to run");
        return ExitCode::from(2);
    };
    let events = include_str!("../../events/tests/golden/events.ndjson");
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let world = World::start().await;
    world.publish(&events).await;
    let status = Command::new(program)
        .args(arguments)
        .env("RECAP_URL", world.url(""))
        .env("RECAP_TOKEN", world.admin("org_2aCme", "user_boss"))
        .status()
        .await;
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the command can't be run: {error}");
            ExitCode::FAILURE
        }
    }
}
