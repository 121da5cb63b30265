//! The service under attack, with its default limits, and tokens for everybody.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::ensure;
use chrono::{DateTime, SecondsFormat, Utc};
use recap_testing::clerk::{LocalClerk, Session, SigningKey};

use super::extremes;
use crate::{
    http::Client,
    service::{Memory, Service},
    stack::Databases,
    stored::{self, Contents, LARGEST, Stored},
};

/// The service has to be ready within this.
const READY: Duration = Duration::from_mins(1);
/// Connections to the database, as deploy/sizing.md advises.
const CONNECTIONS_A_CORE: usize = 3;
const LIST: &str = "/api/dashboard/getInteractions?allInOrg=true";

/// A running service and who may ask it.
pub struct Attacked {
    service: Service,
    pub addr: SocketAddr,
    pub host: String,
    clerk: LocalClerk,
    other_key: SigningKey,
    now: DateTime<Utc>,
    kid: String,
}

impl Attacked {
    pub async fn start(databases: &Databases, conversations: i64, now: DateTime<Utc>) -> anyhow::Result<Self> {
        let database = databases.create().await?;
        let stored = Stored {
            conversations,
            users: 1_000,
            contents: Contents::Full,
        };
        stored::fill(&database, stored, now).await?;
        extremes::add(&database).await?;
        let clerk = LocalClerk::start().await?;
        let addr = SocketAddr::from(([127, 0, 0, 1], recap_testing::port::free_port()?));
        let admin = format!("127.0.0.1:{}", recap_testing::port::free_port()?);
        let host = addr.to_string();
        let (issuer, keys) = (clerk.issuer(), clerk.jwks_url());
        let connections =
            (CONNECTIONS_A_CORE * std::thread::available_parallelism().map_or(2, usize::from)).to_string();
        let mut service = Service::start(
            "recap-query",
            &[
                ("RECAP_DATABASE_CONNECTIONS", &connections),
                ("DATABASE_URL", database.url.as_str()),
                ("CLERK_ISSUER", &issuer),
                ("CLERK_JWKS_URL", &keys),
                ("RECAP_HTTP_ADDR", &host),
                ("RECAP_ADMIN_ADDR", &admin),
                ("RUST_LOG", "off"),
            ],
        )?;
        let begun = Instant::now();
        loop {
            service.check()?;
            if let Ok(mut client) = Client::connect(&admin, "").await
                && client.get("/readyz").await.is_ok_and(|answer| answer.status == 200)
            {
                break;
            }
            ensure!(begun.elapsed() < READY, "the query service does not get ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(Self {
            service,
            addr,
            host,
            kid: clerk.key().kid().to_owned(),
            clerk,
            other_key: SigningKey::generate()?,
            now,
        })
    }

    /// An administrator of the largest organization, or of the one with that number.
    pub fn token(&self, organization: u32, user: &str) -> anyhow::Result<String> {
        let org_id = LARGEST.replace('0', &organization.to_string());
        let session = Session {
            lifetime: Duration::from_hours(25),
            ..Session::admin(&org_id, user)
        };
        Ok(self.clerk.token(&session)?)
    }

    /// A token with a wrong signature, or with a key that does not exist.
    pub fn forged(&self, invented: Option<u32>) -> anyhow::Result<String> {
        let kid = invented.map_or_else(|| self.kid.clone(), |number| format!("invented-{number}"));
        let header = jsonwebtoken::Header {
            kid: Some(kid),
            ..jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256)
        };
        let claims = Session::member(LARGEST, "nobody").claims_v2(&self.clerk.issuer());
        Ok(self.other_key.sign_with(&header, &claims)?)
    }

    /// A list of a range that nobody asked for with another number.
    pub fn list(&self, number: u64) -> String {
        let milliseconds = i64::try_from(number % 1_000_000_000).unwrap_or(0);
        let from = self.now - chrono::Duration::days(800) - chrono::Duration::milliseconds(milliseconds);
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        format!("{LIST}&from={}&to={}", text(from), text(self.now))
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        self.service.memory()
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.service.stop()
    }
}
