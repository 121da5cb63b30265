//! Flags and environment variables as given, and their validation: every mistake is named at once.

use std::{net::SocketAddr, time::Duration};

use clap::Args;

use super::{
    CacheConfig, ClerkConfig, Config, KeySource, Limits, Timeouts,
    values::{bytes, database_url, duration, is_http_url, list, origins, public_key},
};

/// Everything that can be set for `recap-query`, as text.
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
    #[arg(long, env = "CLERK_JWT_KEY", default_value = "", hide_env_values = true)]
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
    /// How long a client may take to send a request's headers, and again its body.
    #[arg(long, env = "RECAP_HEADER_TIMEOUT", default_value = "10s")]
    header_timeout: String,
    /// How long a client may take nothing of its answer.
    #[arg(long, env = "RECAP_WRITE_TIMEOUT", default_value = "30s")]
    write_timeout: String,
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
    /// Database connections for pages and statistics: two or three for each core that PostgreSQL has for them; with more its processes
    /// only wait for each other.
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
            database_url: found.take("DATABASE_URL", database_url(&self.database_url)).into(),
            clerk: self.clerk.validate(&mut found),
            http_addr: http_addr.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
            cors_origins: found.take("RECAP_CORS_ORIGINS", origins(&http.cors_origins)),
            cache: CacheConfig {
                max_staleness: found.duration("RECAP_CACHE_MAX_STALENESS", &self.cache.cache_max_staleness),
                bytes: found.take("RECAP_CACHE_SIZE", bytes(&self.cache.cache_size)),
            },
            timeouts: Timeouts {
                headers: found.duration("RECAP_HEADER_TIMEOUT", &http.header_timeout),
                write: found.duration("RECAP_WRITE_TIMEOUT", &http.write_timeout),
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
                connections: found.number("RECAP_DATABASE_CONNECTIONS", &limits.database_connections, 1),
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
            ("RECAP_WRITE_TIMEOUT", config.timeouts.write),
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
            found
                .0
                .push("CLERK_ISSUER is required: the Frontend API URL of the Clerk instance".to_owned());
        } else if !is_http_url(issuer) {
            found.0.push(format!("CLERK_ISSUER must be an http(s) URL: {issuer:?}"));
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
                found.0.push(format!("CLERK_JWKS_URL must be an http(s) URL: {url:?}"));
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
            authorized_parties: list(&self.clerk_authorized_parties).map(str::to_owned).collect(),
            cool_down: found.duration("RECAP_JWKS_COOLDOWN", &self.jwks_cooldown),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;

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
