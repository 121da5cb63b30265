//! The bridge as a process, Svix's deliveries to it, and what recap shows in the end.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use recap_service::clock;
use recap_testing::{LIMIT, Program, World, eventually, port::free_port};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use super::{
    stand_in::{Change, Profiles, SECRET_KEY, StandIn},
    svix::Svix,
};
use crate::RECAP;

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const NEXT_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A running `recap clerk serve`.
pub struct Bridge {
    pub program: Program,
    admin: String,
    pub url: String,
    pub client: Client,
}

/// `recap clerk COMMAND` in this world.
pub fn command(world: &World<'_>, stand_in: &StandIn, arguments: &[&str]) -> Command {
    let mut command = Command::new(RECAP);
    command
        .arg("clerk")
        .args(arguments)
        .env("KAFKA_BOOTSTRAP_SERVERS", world.log.kafka().bootstrap())
        .env("RECAP_USERS_TOPIC", world.log.name("recap.users"))
        .env("CLERK_SECRET_KEY", SECRET_KEY)
        .env("CLERK_API_URL", format!("http://{}", stand_in.addr))
        .env("CLERK_WEBHOOK_SECRETS", format!("{SECRET},{NEXT_SECRET}"))
        .stdin(Stdio::null());
    command
}

impl Bridge {
    /// Starts one and waits until it is ready.
    pub async fn start(world: &World<'_>, stand_in: &StandIn, metadata: &str) -> Result<Self> {
        let bridge = Self::spawn(world, stand_in, &[("RECAP_CLERK_METADATA", metadata)])?;
        bridge.becomes_ready().await;
        Ok(bridge)
    }

    /// Starts one with more in its environment.
    pub fn spawn(world: &World<'_>, stand_in: &StandIn, more: &[(&str, &str)]) -> Result<Self> {
        let (http, admin) = (free_port()?, free_port()?);
        let admin = format!("127.0.0.1:{admin}");
        let mut command = command(world, stand_in, &["serve"]);
        command
            .envs(more.iter().copied())
            .env("RECAP_HTTP_ADDR", format!("127.0.0.1:{http}"))
            .env("RECAP_ADMIN_ADDR", &admin);
        Ok(Self {
            program: Program::start(command, admin.clone()),
            admin,
            url: format!("http://127.0.0.1:{http}/webhooks/clerk"),
            client: Client::new(),
        })
    }

    pub async fn becomes_ready(&self) {
        let url = format!("http://{}/readyz", self.admin);
        let ready = async || self.client.get(&url).send().await.ok().map(|answer| answer.status());
        eventually("a ready bridge", LIMIT, ready, |status| *status == Some(StatusCode::OK)).await;
    }

    /// Waits until `/readyz` refuses with these words.
    pub async fn refuses(&self, words: &str) {
        let says = |said: &Option<String>| said.as_ref().is_some_and(|said| said.contains(words));
        eventually(words, LIMIT, async || self.program.not_ready().await, says).await;
    }

    /// One attempt of Svix's.
    pub async fn attempt(&self, change: &Change, secret: &str, seconds_ago: i64) -> Result<Response> {
        let seconds = clock::unix_millis() / 1_000 - seconds_ago;
        let signature = Svix::shared()?.sign(secret, &change.id, seconds, &change.body)?;
        let request = self.client.post(&self.url).body(change.body.clone());
        let request = request
            .header("content-type", "application/json")
            .header("svix-id", &change.id)
            .header("svix-timestamp", seconds.to_string())
            .header("svix-signature", signature);
        Ok(request.send().await?)
    }

    /// Until it is taken, as Svix does; only a bridge that is away is not.
    pub async fn deliver(&self, change: &Change) -> Result<()> {
        let attempt = async || match self.attempt(change, SECRET, 0).await {
            Ok(answer) => Some(answer.status()),
            Err(_) => None,
        };
        let is_final =
            |status: &Option<StatusCode>| status.is_some_and(|status| status != StatusCode::SERVICE_UNAVAILABLE);
        let status = eventually("a webhook taken", LIMIT, attempt, is_final).await;
        ensure!(status == Some(StatusCode::NO_CONTENT), "{status:?} for {}", change.body);
        Ok(())
    }

    /// All of these, in this order.
    pub async fn deliver_all(&self, changes: &[Change]) -> Result<()> {
        for change in changes {
            self.deliver(change).await?;
        }
        Ok(())
    }
}

/// The profiles that recap shows now.
pub async fn shown(world: &World<'_>) -> Result<Profiles> {
    type Row = (
        String,
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let sql = "SELECT org_id, user_id, email, first_name, last_name, public_metadata FROM recap_g1.user_profile WHERE NOT deleted";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&world.database.pool).await?;
    let mut profiles = Profiles::new();
    for (org_id, user_id, email, first_name, last_name, metadata) in rows {
        let metadata: Value = match metadata {
            Some(text) => serde_json::from_str(&text).context("metadata")?,
            None => json!({}),
        };
        profiles.insert((org_id, user_id), (email, first_name, last_name, metadata));
    }
    Ok(profiles)
}

/// Waits until the projectors have everything, and compares.
pub async fn assert_shows(world: &World<'_>, expected: &Profiles) -> Result<()> {
    world.caught_up(LIMIT).await;
    let shown = shown(world).await?;
    let differing = expected
        .iter()
        .filter(|(key, profile)| shown.get(*key) != Some(profile));
    let differing: Vec<_> = differing
        .map(|(key, profile)| (key, profile, shown.get(key)))
        .take(5)
        .collect();
    let over: Vec<_> = shown
        .keys()
        .filter(|key| !expected.contains_key(*key))
        .take(5)
        .collect();
    ensure!(
        differing.is_empty() && over.is_empty(),
        "of {} profiles differ {differing:?}; {} are shown, too many {over:?}",
        expected.len(),
        shown.len()
    );
    Ok(())
}
