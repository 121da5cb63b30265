//! `recap dev`, as a newcomer starts it: sample conversations are in before it says that it runs, by librdkafka's own cluster, which does
//! less than brokers do.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use recap_testing::LIMIT;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::RECAP;

#[tokio::test(flavor = "multi_thread")]
async fn it_fills_itself_and_answers() -> Result<()> {
    let mut command = Command::new(RECAP);
    command
        .args([
            "dev",
            "--http-addr=127.0.0.1:0",
            "--admin-addr=127.0.0.1:0",
            "--conversations=100",
        ])
        .env_remove("DATABASE_URL")
        .env_remove("KAFKA_BOOTSTRAP_SERVERS")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let mut dev = command.spawn()?;
    let mut lines = BufReader::new(dev.stdout.take().context("standard output")?).lines();
    let said = async {
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await? {
            said.push(line);
            if said.last().is_some_and(|line| line.contains("recap is running at")) {
                break;
            }
        }
        anyhow::Ok(said)
    };
    let said = tokio::time::timeout(LIMIT, said)
        .await
        .context("it does not get ready")??;
    let first = said.iter().find(|line| !line.is_empty()).context("a line")?;
    let console = first.strip_prefix("open ").context("where the console is")?;
    let url = console.strip_suffix("/console").context("the console's address")?;
    let page = reqwest::get(console).await?.text().await?;
    ensure!(page.contains("content=\"dev\""), "{page}");
    let people: serde_json::Value = reqwest::get(format!("{console}/dev-session.json"))
        .await?
        .json()
        .await?;
    ensure!(
        people["people"].as_array().is_some_and(|people| people.len() == 3),
        "{people}"
    );
    let answer = reqwest::get(format!("{url}/api/dashboard/getStats")).await?;
    ensure!(
        answer.status() == reqwest::StatusCode::UNAUTHORIZED,
        "{}",
        answer.status()
    );
    Ok(())
}
