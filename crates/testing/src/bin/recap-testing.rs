//! Starts one of the servers, prints its address and process id, and keeps it until standard input ends.

use std::io::Read;

use anyhow::bail;
use recap_testing::{KafkaServer, PostgresServer};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("kafka") => {
            let server = KafkaServer::start().await?;
            println!("{} {}", server.pid()?, server.bootstrap());
            wait_for_the_end_of_input().await;
            drop(server);
        }
        Some("postgres") => {
            let server = PostgresServer::start().await?;
            println!("{} {}", server.pid()?, server.url("postgres"));
            wait_for_the_end_of_input().await;
            drop(server);
        }
        _ => bail!("usage: recap-testing kafka|postgres"),
    }
    Ok(())
}

async fn wait_for_the_end_of_input() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    // However it ends, it is over.
    let _ = read.await;
}
