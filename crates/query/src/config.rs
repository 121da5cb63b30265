//! What a valid configuration is. How it is given as flags and environment variables is in [`QueryArgs`].

mod arguments;
mod console;
mod values;

use std::{fmt, net::SocketAddr, time::Duration};

pub use arguments::QueryArgs;
use http::HeaderValue;
use jsonwebtoken::DecodingKey;
use recap_console::SignIn;
use recap_store::DatabaseUrl;

/// Where the projector's commits are heard of: only the primary knows.
#[derive(Debug, Clone, Default)]
pub enum Changes {
    /// Nowhere: cached answers are kept by age alone.
    #[default]
    Off,
    /// From the primary.
    From(DatabaseUrl),
}

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// PostgreSQL to read from.
    pub database_url: DatabaseUrl,
    /// Where the projector's commits are heard of.
    pub changes: Changes,
    /// Whose session tokens are accepted.
    pub clerk: ClerkConfig,
    /// Address to listen on; port 0 takes a free one.
    pub http_addr: SocketAddr,
    /// Address of health and metrics; port 0 takes a free one.
    pub admin_addr: SocketAddr,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<HeaderValue>,
    /// The page at `/console` and how one signs in there; `None` serves none.
    pub console: Option<SignIn>,
    /// Cache bounds.
    pub cache: CacheConfig,
    /// Time bounds.
    pub timeouts: Timeouts,
    /// Bounds on use.
    pub limits: Limits,
}

/// Whose session tokens are accepted.
#[derive(Debug, Clone)]
pub struct ClerkConfig {
    /// The only accepted `iss`.
    pub issuer: String,
    /// Where public keys come from.
    pub keys: KeySource,
    /// Accepted `azp`; empty accepts any.
    pub authorized_parties: Vec<String>,
    /// Whether Clerk's `__session` cookie is accepted where there is no `Authorization` header.
    pub session_cookie: bool,
    /// Least time between two fetches.
    pub cool_down: Duration,
}

/// Where public keys come from.
#[derive(Clone)]
pub enum KeySource {
    /// A configured key.
    Pem(DecodingKey),
    /// A JWKS endpoint.
    Jwks(String),
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(_) => f.write_str("Pem"),
            Self::Jwks(url) => write!(f, "Jwks({url})"),
        }
    }
}

/// Cache bounds.
#[derive(Debug, Clone, Copy)]
pub struct CacheConfig {
    /// How far behind the projector's commits a cached answer may be.
    pub max_staleness: Duration,
    /// Bytes of rendered answers.
    pub bytes: u64,
}

/// Time bounds.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a request's headers are in.
    pub headers: Duration,
    /// Until a client that takes nothing of its answer is disconnected, or its HTTP/2 stream reset; a second while others wait for the memory.
    pub write: Duration,
    /// Until a connection without a request is closed, whatever else comes on it.
    pub idle: Duration,
    /// Until an answer's first byte.
    pub request: Duration,
    /// Until an unpaged answer's last byte.
    pub stream: Duration,
    /// Until a database connection is free.
    pub queue: Duration,
    /// Of one statement.
    pub statement: Duration,
    /// A standby that is further behind makes the service unready.
    pub replay_lag: Duration,
    /// Between "not ready" and closing at shutdown.
    pub drain_delay: Duration,
    /// Until open requests are cut off at shutdown.
    pub shutdown: Duration,
}

/// Bounds on use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests a second for one caller; 0 is no limit.
    pub rate: u32,
    /// Requests at once for one caller.
    pub burst: u32,
    /// Connections of clients.
    pub client_connections: u32,
    /// The same of one address; 0 is no limit.
    pub client_connections_per_address: u32,
    /// Requests in progress.
    pub requests: u32,
    /// Connections for pages and statistics.
    pub connections: u32,
    /// Bytes of answers in memory, being made or on their way to clients.
    pub answer_bytes: usize,
    /// Of these, what one page's rows may take; a wider one is streamed.
    pub page_bytes: usize,
    /// Streamed answers in progress.
    pub streams: u32,
    /// The same for one organization.
    pub streams_per_organization: u32,
    /// Clients that wait for changes.
    pub watchers: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            write: Duration::from_secs(30),
            idle: Duration::from_secs(90),
            request: Duration::from_secs(15),
            stream: Duration::from_mins(2),
            queue: Duration::from_secs(2),
            statement: Duration::from_secs(10),
            replay_lag: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            shutdown: Duration::from_secs(25),
        }
    }
}

impl Limits {
    /// Requests at once for one caller, as a multiple of those a second.
    pub(crate) const BURST_OF_RATE: u32 = 4;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: 50,
            burst: 50 * Self::BURST_OF_RATE,
            client_connections: 4096,
            client_connections_per_address: 0,
            requests: 2048,
            connections: 16,
            answer_bytes: 128 << 20,
            page_bytes: 16 << 20,
            streams: 8,
            streams_per_organization: 4,
            watchers: 1024,
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            max_staleness: Duration::from_secs(1),
            bytes: 64 << 20,
        }
    }
}

impl ClerkConfig {
    /// An instance whose keys are fetched from `jwks_url`.
    #[must_use]
    pub fn fetched(issuer: String, jwks_url: String) -> Self {
        Self {
            issuer,
            keys: KeySource::Jwks(jwks_url),
            authorized_parties: Vec::new(),
            session_cookie: false,
            cool_down: Duration::from_secs(1),
        }
    }
}

impl Config {
    /// The defaults for a database and a Clerk instance, on free local ports.
    #[must_use]
    pub fn local(database_url: &str, clerk: ClerkConfig) -> Self {
        Self {
            database_url: database_url.into(),
            changes: Changes::From(database_url.into()),
            clerk,
            http_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            cors_origins: Vec::new(),
            console: Some(SignIn::Token),
            cache: CacheConfig::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        }
    }
}
