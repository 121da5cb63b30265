//! `recap healthy`: asks one URL, for container health checks in an image without a shell.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Ask a health endpoint, for container health checks
///
/// Fails, with what was answered, unless the answer is 2xx within two seconds.
#[derive(Debug, Args)]
pub struct Options {
    /// What to ask, e.g. `http://127.0.0.1:8080/readyz`
    url: String,
}

/// Runs the command.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let client = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().build()?;
    let answer = client
        .get(&options.url)
        .send()
        .await
        .with_context(|| format!("{} does not answer", options.url))?;
    let status = answer.status();
    ensure!(
        status.is_success(),
        "{status}: {}",
        answer.text().await.unwrap_or_default()
    );
    Ok(())
}
