//! Configuration: flags and environment variables as given ([`QueryArgs`]), and what they mean once all of them make sense ([`Config`]).

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use http::HeaderValue;
use jsonwebtoken::DecodingKey;
use secrecy::SecretString;

/// Everything `recap-query` can be told, as text.
#[derive(Debug, Clone, Args)]
pub struct QueryArgs {
    /// PostgreSQL to read from (postgres://…). A read replica is fine; the cache then keeps answers by age alone.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, default_value = "")]
    pub database_url: String,
    #[command(flatten)]
    clerk: ClerkArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    cache: CacheArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Whose session tokens are accepted.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Clerk")]
struct ClerkArgs {
    /// The instance's Frontend API URL, the `iss` of its tokens.
    #[arg(long, env = "CLERK_ISSUER", default_value = "")]
    clerk_issuer: String,
    /// Where its keys are [default: CLERK_ISSUER/.well-known/jwks.json].
    #[arg(long, env = "CLERK_JWKS_URL", default_value = "")]
    clerk_jwks_url: String,
    /// Its public key as PEM; no network is used then.
    #[arg(
        long,
        env = "CLERK_JWT_KEY",
        default_value = "",
        hide_env_values = true
    )]
    clerk_jwt_key: String,
    /// Comma list of the origins whose tokens (`azp`) are accepted; empty accepts any.
    #[arg(long, env = "CLERK_AUTHORIZED_PARTIES", default_value = "")]
    clerk_authorized_parties: String,
    /// Least time between two fetches of the keys.
    #[arg(long, env = "RECAP_JWKS_COOLDOWN", default_value = "5s")]
    jwks_cooldown: String,
}

/// How it is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
struct HttpArgs {
    /// Address to listen on.
    #[arg(long, env = "RECAP_HTTP_ADDR", default_value = "0.0.0.0:8080")]
    http_addr: String,
    /// Comma list of origins that browsers may call from.
    #[arg(long, env = "RECAP_CORS_ORIGINS", default_value = "")]
    cors_origins: String,
    /// How long a client may take to send a request's headers.
    #[arg(long, env = "RECAP_HEADER_TIMEOUT", default_value = "10s")]
    header_timeout: String,
    /// How long a request may take to its answer's first byte.
    #[arg(long, env = "RECAP_REQUEST_TIMEOUT", default_value = "15s")]
    request_timeout: String,
    /// How long to keep answering after /readyz says 503, before connections close.
    #[arg(long, env = "RECAP_DRAIN_DELAY", default_value = "0s")]
    drain_delay: String,
    /// How long open requests may take to finish at shutdown.
    #[arg(long, env = "RECAP_SHUTDOWN_TIMEOUT", default_value = "25s")]
    shutdown_timeout: String,
}

/// What is kept in memory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache")]
struct CacheArgs {
    /// A cached answer is never further than this behind what the projector has committed.
    #[arg(long, env = "RECAP_CACHE_MAX_STALENESS", default_value = "1s")]
    cache_max_staleness: String,
    /// Bytes of rendered answers to keep; 0 keeps none.
    #[arg(long, env = "RECAP_CACHE_SIZE", default_value = "128MiB")]
    cache_size: String,
}

/// What one service, one organization and one caller may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Requests a second for one user of one organization; 0 is no limit.
    #[arg(long, env = "RECAP_RATE_LIMIT", default_value = "50")]
    rate_limit: String,
    /// Requests such a user may make at once after being quiet.
    #[arg(long, env = "RECAP_RATE_BURST", default_value = "200")]
    rate_burst: String,
    /// Requests in progress at one time; beyond it 503.
    #[arg(long, env = "RECAP_MAX_REQUESTS", default_value = "2048")]
    max_requests: String,
    /// Database connections for pages and statistics.
    #[arg(long, env = "RECAP_DATABASE_CONNECTIONS", default_value = "16")]
    database_connections: String,
    /// Unpaged answers at one time, each on a connection of its own.
    #[arg(long, env = "RECAP_STREAMS", default_value = "8")]
    streams: String,
    /// Unpaged answers at one time for one organization.
    #[arg(long, env = "RECAP_STREAMS_PER_ORGANIZATION", default_value = "4")]
    streams_per_organization: String,
    /// How long an unpaged answer may take to its last byte.
    #[arg(long, env = "RECAP_STREAM_TIMEOUT", default_value = "2m")]
    stream_timeout: String,
    /// How long a request may wait for a connection or a turn.
    #[arg(long, env = "RECAP_QUEUE_TIMEOUT", default_value = "2s")]
    queue_timeout: String,
    /// How long one statement may take.
    #[arg(long, env = "RECAP_STATEMENT_TIMEOUT", default_value = "10s")]
    statement_timeout: String,
}

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// PostgreSQL to read from.
    pub database_url: SecretString,
    /// Whose session tokens are accepted.
    pub clerk: ClerkConfig,
    /// Address to listen on; port 0 takes a free one.
    pub http_addr: SocketAddr,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<HeaderValue>,
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
    /// Until an answer's first byte.
    pub request: Duration,
    /// Until an unpaged answer's last byte.
    pub stream: Duration,
    /// Until a connection or a turn is free.
    pub queue: Duration,
    /// Of one statement.
    pub statement: Duration,
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
    /// Requests in progress.
    pub requests: u32,
    /// Connections for pages and statistics.
    pub connections: u32,
    /// Unpaged answers in progress.
    pub streams: u32,
    /// The same for one organization.
    pub streams_per_organization: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            request: Duration::from_secs(15),
            stream: Duration::from_mins(2),
            queue: Duration::from_secs(2),
            statement: Duration::from_secs(10),
            drain_delay: Duration::ZERO,
            shutdown: Duration::from_secs(25),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: 50,
            burst: 200,
            requests: 2048,
            connections: 16,
            streams: 8,
            streams_per_organization: 4,
        }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            max_staleness: Duration::from_secs(1),
            bytes: 128 << 20,
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
            cool_down: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// The defaults for a database and a Clerk instance, on a free local port.
    #[must_use]
    pub fn local(database_url: &str, clerk: ClerkConfig) -> Self {
        Self {
            database_url: database_url.into(),
            clerk,
            http_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            cors_origins: Vec::new(),
            cache: CacheConfig::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        }
    }
}

/// Every mistake in the configuration, at once.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} mistake(s):{}", .0.len(), .0.iter().flat_map(|mistake| ["\n  ", mistake.as_str()]).collect::<String>())]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// One sentence for each mistake, beginning with the variable's name.
    #[must_use]
    pub fn mistakes(&self) -> &[String] {
        &self.0
    }
}

/// Collects mistakes while values are read.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn take<T: Default>(&mut self, name: &str, value: Result<T, String>) -> T {
        value.unwrap_or_else(|mistake| {
            self.0.push(format!("{name} {mistake}"));
            T::default()
        })
    }

    fn duration(&mut self, name: &str, text: &str) -> Duration {
        self.take(name, duration(text))
    }

    fn number(&mut self, name: &str, text: &str, least: u32) -> u32 {
        let number = text.trim().parse().ok().filter(|number| *number >= least);
        let mistake = || format!("must be a whole number from {least} on: {text:?}");
        self.take(name, number.ok_or_else(mistake))
    }
}

impl QueryArgs {
    /// Checks every value and names every mistake.
    pub fn validate(&self) -> Result<Config, ConfigError> {
        let mut found = Mistakes::default();
        let (http, limits) = (&self.http, &self.limits);
        let http_addr = http.http_addr.trim().parse();
        if http_addr.is_err() {
            found.0.push(format!(
                "RECAP_HTTP_ADDR must be an address and a port, as 0.0.0.0:8080: {:?}",
                http.http_addr
            ));
        }
        let config = Config {
            database_url: found
                .take("DATABASE_URL", database_url(&self.database_url))
                .into(),
            clerk: self.clerk.validate(&mut found),
            http_addr: http_addr.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
            cors_origins: found.take("RECAP_CORS_ORIGINS", origins(&http.cors_origins)),
            cache: CacheConfig {
                max_staleness: found
                    .duration("RECAP_CACHE_MAX_STALENESS", &self.cache.cache_max_staleness),
                bytes: found.take("RECAP_CACHE_SIZE", bytes(&self.cache.cache_size)),
            },
            timeouts: Timeouts {
                headers: found.duration("RECAP_HEADER_TIMEOUT", &http.header_timeout),
                request: found.duration("RECAP_REQUEST_TIMEOUT", &http.request_timeout),
                stream: found.duration("RECAP_STREAM_TIMEOUT", &limits.stream_timeout),
                queue: found.duration("RECAP_QUEUE_TIMEOUT", &limits.queue_timeout),
                statement: found.duration("RECAP_STATEMENT_TIMEOUT", &limits.statement_timeout),
                drain_delay: found.duration("RECAP_DRAIN_DELAY", &http.drain_delay),
                shutdown: found.duration("RECAP_SHUTDOWN_TIMEOUT", &http.shutdown_timeout),
            },
            limits: Limits {
                rate: found.number("RECAP_RATE_LIMIT", &limits.rate_limit, 0),
                burst: found.number("RECAP_RATE_BURST", &limits.rate_burst, 1),
                requests: found.number("RECAP_MAX_REQUESTS", &limits.max_requests, 1),
                connections: found.number(
                    "RECAP_DATABASE_CONNECTIONS",
                    &limits.database_connections,
                    1,
                ),
                streams: found.number("RECAP_STREAMS", &limits.streams, 1),
                streams_per_organization: found.number(
                    "RECAP_STREAMS_PER_ORGANIZATION",
                    &limits.streams_per_organization,
                    1,
                ),
            },
        };
        for (name, value) in [
            ("RECAP_HEADER_TIMEOUT", config.timeouts.headers),
            ("RECAP_REQUEST_TIMEOUT", config.timeouts.request),
            ("RECAP_STREAM_TIMEOUT", config.timeouts.stream),
            ("RECAP_STATEMENT_TIMEOUT", config.timeouts.statement),
        ] {
            if value.is_zero() && !found.0.iter().any(|mistake| mistake.starts_with(name)) {
                found.0.push(format!("{name} must be longer than nothing"));
            }
        }
        if found.0.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError(found.0))
        }
    }
}

impl ClerkArgs {
    fn validate(&self, found: &mut Mistakes) -> ClerkConfig {
        let issuer = self.clerk_issuer.trim();
        if issuer.is_empty() {
            found.0.push(
                "CLERK_ISSUER is required: the Frontend API URL of the Clerk instance".to_owned(),
            );
        } else if !is_http_url(issuer) {
            found
                .0
                .push(format!("CLERK_ISSUER must be an http(s) URL: {issuer:?}"));
        }
        let pem = self.clerk_jwt_key.trim();
        let url = self.clerk_jwks_url.trim();
        let keys = if pem.is_empty() {
            let url = if url.is_empty() {
                format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'))
            } else {
                url.to_owned()
            };
            if !issuer.is_empty() && !is_http_url(&url) {
                found
                    .0
                    .push(format!("CLERK_JWKS_URL must be an http(s) URL: {url:?}"));
            }
            KeySource::Jwks(url)
        } else {
            public_key(pem).map_or_else(
                |mistake| {
                    found.0.push(format!("CLERK_JWT_KEY {mistake}"));
                    KeySource::Jwks(String::new())
                },
                KeySource::Pem,
            )
        };
        ClerkConfig {
            issuer: issuer.to_owned(),
            keys,
            authorized_parties: list(&self.clerk_authorized_parties)
                .map(str::to_owned)
                .collect(),
            cool_down: found.duration("RECAP_JWKS_COOLDOWN", &self.jwks_cooldown),
        }
    }
}

/// Environment files often hold a PEM on one line with `\n` spelled out.
fn public_key(pem: &str) -> Result<DecodingKey, String> {
    if pem.contains("PRIVATE KEY") {
        return Err("holds a private key; it takes the public one".to_owned());
    }
    DecodingKey::from_rsa_pem(pem.replace("\\n", "\n").as_bytes())
        .map_err(|_| "must be an RSA public key as PEM".to_owned())
}

/// The value may hold a password: a mistake in it is told without it.
fn database_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is required: postgres://user@host/database".to_owned());
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        Ok(text.to_owned())
    } else {
        Err("must begin with postgres:// or postgresql://".to_owned())
    }
}

fn is_http_url(text: &str) -> bool {
    reqwest::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    let origin = |origin: &str| {
        let is_origin = is_http_url(origin)
            && reqwest::Url::parse(origin)
                .is_ok_and(|url| url.origin().ascii_serialization() == origin);
        match HeaderValue::from_str(origin) {
            Ok(value) if is_origin => Ok(value),
            _ => Err(format!(
                "must list origins as https://app.example.com: {origin:?}"
            )),
        }
    };
    list(text).map(origin).collect()
}

/// `500ms`, `2s`, `1m`.
fn duration(text: &str) -> Result<Duration, String> {
    let mistake = || format!("must be a time as 500ms, 2s or 1m: {text:?}");
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| mistake())?;
    let milliseconds = match text[digits..].trim() {
        "ms" => Some(number),
        "s" | "" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    // A day is longer than any of these bounds can mean, and adding it to a clock can't overflow.
    milliseconds
        .filter(|ms| *ms <= 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(mistake)
}

/// `64MiB`, `1GiB`, `1000000`.
fn bytes(text: &str) -> Result<u64, String> {
    let mistake = || format!("must be a size as 64MiB: {text:?}");
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| mistake())?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        _ => return Err(mistake()),
    };
    number.checked_mul(unit).ok_or_else(mistake)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        query: QueryArgs,
    }

    fn args(args: &[&str]) -> QueryArgs {
        Command::parse_from(std::iter::once("recap-query").chain(args.iter().copied())).query
    }

    #[test]
    fn every_mistake_is_named_at_once_and_secrets_are_not() {
        let error = args(&[
            "--database-url=mysql://user:hunter2@host/db",
            "--clerk-issuer=nonsense",
            "--clerk-jwt-key=-----BEGIN PRIVATE KEY-----",
            "--http-addr=here",
            "--cors-origins=https://app.example.com/path",
            "--cache-max-staleness=soon",
            "--cache-size=lots",
            "--rate-limit=-1",
            "--streams=0",
            "--statement-timeout=0s",
        ])
        .validate()
        .unwrap_err();
        let names: Vec<_> = error
            .mistakes()
            .iter()
            .map(|mistake| mistake.split(' ').next().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "RECAP_HTTP_ADDR",
                "DATABASE_URL",
                "CLERK_ISSUER",
                "CLERK_JWT_KEY",
                "RECAP_CORS_ORIGINS",
                "RECAP_CACHE_MAX_STALENESS",
                "RECAP_CACHE_SIZE",
                "RECAP_RATE_LIMIT",
                "RECAP_STREAMS",
                "RECAP_STATEMENT_TIMEOUT",
            ]
        );
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn the_least_configuration_has_the_documented_defaults() {
        let config = args(&[
            "--database-url=postgres://localhost/recap",
            "--clerk-issuer=https://clerk.example.com",
        ])
        .validate()
        .unwrap();
        assert!(
            matches!(config.clerk.keys, KeySource::Jwks(url) if url == "https://clerk.example.com/.well-known/jwks.json")
        );
        assert_eq!(config.http_addr.to_string(), "0.0.0.0:8080");
        assert_eq!(config.cache.max_staleness, Duration::from_secs(1));
        assert_eq!(config.cache.bytes, 128 << 20);
    }
}
