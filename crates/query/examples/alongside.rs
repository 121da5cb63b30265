//! Runs a command beside a living service: real PostgreSQL, a local Clerk instance, the contract's own example as data.
//!
//! `cargo run -p recap-query --example alongside -- COMMAND…` gives the command `RECAP_URL`, `RECAP_TOKEN` (an administrator's) and `RECAP_GOLDEN` (a
//! file with the golden requests, their tokens and their answers) and ends with its exit code. `deploy/test.sh` runs Schemathesis and generated
//! clients this way.

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
    let golden = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(golden.path(), golden_requests(&world).to_string()).unwrap();
    let status = Command::new(program)
        .args(arguments)
        .env("RECAP_URL", world.url(""))
        .env("RECAP_TOKEN", world.admin("org_2aCme", "user_boss"))
        .env("RECAP_GOLDEN", golden.path())
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

/// The contract's own requests, each with a token and the answer.
fn golden_requests(world: &World) -> Value {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/tests/golden/");
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(format!("{directory}{name}")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let lists = ["requests.json", "requests-1.1.json"];
    let mut requests: Vec<Value> = lists
        .iter()
        .flat_map(|list| read(list).as_array().unwrap().clone())
        .collect();
    // Those that are answered with something.
    requests.retain(|request| request["response"].is_string());
    for request in &mut requests {
        let text = |name: &str| request[name].as_str().unwrap();
        let token = match text("role") {
            "org:admin" => world.admin(text("orgId"), text("caller")),
            _ => world.member(text("orgId"), text("caller")),
        };
        let expected = read(text("response"));
        request["token"] = token.into();
        request["expected"] = expected;
    }
    requests.into()
}
