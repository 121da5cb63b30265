//! Flags and environment variables, and their validation: every mistake is named at once.

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use http::HeaderValue;
use jsonwebtoken::DecodingKey;
use recap_service::config::{
    Given, InvalidConfig, Mistakes, Reader, address, bytes, duration, flag, http_url, list, number, or_nothing, text,
};
use recap_store::DatabaseUrl;

use super::{
    CacheConfig, Changes, ClerkConfig, Config, KeySource, Limits, Timeouts,
    console::ConsoleArgs,
    values::{origin, public_key},
};

/// Shorter time limits would let nothing happen.
const SHORTEST: Duration = Duration::from_millis(1);

/// More connections of one pool are more than a PostgreSQL server has.
const MOST_CONNECTIONS: u32 = 1_000;
/// More requests in progress, or connections, are more than a process has file descriptors for.
const MOST_REQUESTS: u32 = 100_000;
/// More is no limit: nobody asks so often.
const HIGHEST_RATE: u32 = 100_000;
/// Less would leave a user no room for one streamed answer.
const LEAST_MEMORY: usize = 16 << 20;
/// More does not fit into a machine.
const LARGEST_CACHE: usize = 256 << 30;

/// Everything that can be set for `recap-query`.
#[derive(Debug, Clone, Args)]
pub struct QueryArgs {
    /// PostgreSQL to read from (postgres://…). A read replica is fine; the cache then keeps answers by age alone.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", value_parser = Reader::new(DatabaseUrl::parse))]
    database_url: Option<Given<DatabaseUrl>>,
    /// File that holds that URL, in place of it; read again when a password is refused.
    #[arg(long, env = "DATABASE_URL_FILE", value_name = "FILE", value_parser = Reader::new(DatabaseUrl::in_file))]
    database_url_file: Option<Given<DatabaseUrl>>,
    /// The primary, from which changes are heard of, or `off` [default: the same database].
    #[arg(long, env = "RECAP_CHANGES_DATABASE_URL", hide_env_values = true, value_name = "URL", value_parser = Reader::new(changes))]
    changes_database_url: Option<Given<Changes>>,
    /// A read replica that is further behind makes `/readyz` say 503.
    #[arg(long, env = "RECAP_MAX_REPLAY_LAG", value_name = "DURATION", default_value = "30s", value_parser = duration())]
    max_replay_lag: Given<Duration>,
    #[command(flatten)]
    clerk: ClerkArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    console: ConsoleArgs,
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
    #[arg(long, env = "CLERK_ISSUER", value_name = "URL", hide_env_values = true, value_parser = http_url())]
    clerk_issuer: Option<Given<String>>,
    /// Where its keys are [default: CLERK_ISSUER/.well-known/jwks.json].
    #[arg(long, env = "CLERK_JWKS_URL", value_name = "URL", hide_env_values = true, value_parser = or_nothing(http_url()))]
    clerk_jwks_url: Option<Given<Option<String>>>,
    /// Its public key as PEM; no network is used then.
    #[arg(long, env = "CLERK_JWT_KEY", value_name = "PEM", hide_env_values = true, value_parser = or_nothing(public_key()))]
    clerk_jwt_key: Option<Given<Option<DecodingKey>>>,
    /// Comma list of the origins whose tokens (`azp`) are accepted; empty accepts any.
    #[arg(long, env = "CLERK_AUTHORIZED_PARTIES", value_name = "ORIGINS", default_value = "", value_parser = list(text()))]
    clerk_authorized_parties: Given<Vec<String>>,
    /// `true` accepts Clerk's `__session` cookie where there is no Authorization header. Needs authorized parties: without them any page
    /// of the same site could use the cookie.
    #[arg(long, env = "RECAP_SESSION_COOKIE", value_name = "BOOL", default_value = "false", value_parser = flag())]
    session_cookie: Given<bool>,
}

/// How it is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
struct HttpArgs {
    /// Address to listen on.
    #[arg(long, env = "RECAP_HTTP_ADDR", value_name = "ADDR", default_value = "0.0.0.0:8080", value_parser = address())]
    http_addr: Given<SocketAddr>,
    /// Address of `/livez`, `/readyz` and `/metrics`, which are nowhere else: not for the public.
    #[arg(long, env = "RECAP_ADMIN_ADDR", value_name = "ADDR", default_value = "0.0.0.0:9092", value_parser = address())]
    admin_addr: Given<SocketAddr>,
    /// Comma list of origins that browsers may call from.
    #[arg(long, env = "RECAP_CORS_ORIGINS", value_name = "ORIGINS", default_value = "", value_parser = list(origin()))]
    cors_origins: Given<Vec<HeaderValue>>,
    /// How long a request may take to its answer's first byte.
    #[arg(long, env = "RECAP_REQUEST_TIMEOUT", value_name = "DURATION", default_value = "15s", value_parser = duration().at_least(SHORTEST))]
    request_timeout: Given<Duration>,
    /// How long to keep answering after /readyz says 503, before connections close: until every proxy has heard of it.
    #[arg(long, env = "RECAP_DRAIN_DELAY", value_name = "DURATION", default_value = "5s", value_parser = duration())]
    drain_delay: Given<Duration>,
    /// How long open requests may take to finish at shutdown.
    #[arg(long, env = "RECAP_SHUTDOWN_TIMEOUT", value_name = "DURATION", default_value = "25s", value_parser = duration())]
    shutdown_timeout: Given<Duration>,
}

/// What is kept in memory.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cache")]
struct CacheArgs {
    /// A cached answer is never further than this behind what the projector has committed.
    #[arg(long, env = "RECAP_CACHE_MAX_STALENESS", value_name = "DURATION", default_value = "1s", value_parser = duration())]
    cache_max_staleness: Given<Duration>,
    /// Bytes of rendered answers to keep, at most 256GiB; 0 keeps none.
    #[arg(long, env = "RECAP_CACHE_SIZE", value_name = "BYTES", default_value = "64MiB", value_parser = bytes().at_most(LARGEST_CACHE))]
    cache_size: Given<usize>,
}

/// What one service, one organization and one caller may use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Requests a second for one user of one organization, at most 100000, four times as many at once after being quiet; 0 is no limit.
    #[arg(long, env = "RECAP_RATE_LIMIT", value_name = "COUNT", default_value = "50", value_parser = number::<u32>().at_most(HIGHEST_RATE))]
    rate_limit: Given<u32>,
    /// Connections of clients at one time, at most 100000, and no more than the process may open files: beyond it the one that has waited longest
    /// without a request is closed for a new one.
    #[arg(long, env = "RECAP_MAX_CONNECTIONS", value_name = "COUNT", default_value = "4096", value_parser = number::<u32>().at_least(1).at_most(MOST_REQUESTS))]
    max_connections: Given<u32>,
    /// The same for one address, at most 100000; 0 is no limit. Behind a proxy all clients have its address.
    #[arg(long, env = "RECAP_MAX_CONNECTIONS_PER_ADDRESS", value_name = "COUNT", default_value = "0", value_parser = number::<u32>().at_most(MOST_REQUESTS))]
    max_connections_per_address: Given<u32>,
    /// Requests in progress at one time, at most 100000; beyond it 503.
    #[arg(long, env = "RECAP_MAX_REQUESTS", value_name = "COUNT", default_value = "2048", value_parser = number::<u32>().at_least(1).at_most(MOST_REQUESTS))]
    max_requests: Given<u32>,
    /// Database connections for pages and statistics, at most 1000: two or three for each core that PostgreSQL has for them; with more its processes
    /// only wait for each other.
    #[arg(long, env = "RECAP_DATABASE_CONNECTIONS", value_name = "COUNT", default_value = "16", value_parser = number::<u32>().at_least(1).at_most(MOST_CONNECTIONS))]
    database_connections: Given<u32>,
    /// Bytes of answers in memory at one time, being made or on their way to clients, at least 16MiB and at most 256GiB: three quarters of it for
    /// one organization, half for one user; beyond it 503.
    #[arg(long, env = "RECAP_ANSWER_MEMORY", value_name = "BYTES", default_value = "128MiB", value_parser = bytes().at_least(LEAST_MEMORY).at_most(LARGEST_CACHE))]
    answer_memory: Given<usize>,
    /// Bytes of rows that one page may take in memory, at most 256GiB; a wider page is streamed.
    #[arg(long, env = "RECAP_PAGE_BYTES", value_name = "BYTES", default_value = "16MiB", value_parser = bytes().at_most(LARGEST_CACHE))]
    page_bytes: Given<usize>,
    /// Streamed answers at one time, each on a connection of its own; at most 1000.
    #[arg(long, env = "RECAP_STREAMS", value_name = "COUNT", default_value = "8", value_parser = number::<u32>().at_least(1).at_most(MOST_CONNECTIONS))]
    streams: Given<u32>,
    /// Streamed answers at one time for one organization, at most 1000.
    #[arg(long, env = "RECAP_STREAMS_PER_ORGANIZATION", value_name = "COUNT", default_value = "4", value_parser = number::<u32>().at_least(1).at_most(MOST_CONNECTIONS))]
    streams_per_organization: Given<u32>,
    /// Clients that wait for changes (`/api/dashboard/changes`) at one time, at most 100000: a quarter of them of one organization, 16 of one user.
    #[arg(long, env = "RECAP_MAX_WATCHERS", value_name = "COUNT", default_value = "1024", value_parser = number::<u32>().at_most(MOST_REQUESTS))]
    max_watchers: Given<u32>,
    /// How long a streamed answer may take to its last byte.
    #[arg(long, env = "RECAP_STREAM_TIMEOUT", value_name = "DURATION", default_value = "2m", value_parser = duration().at_least(SHORTEST))]
    stream_timeout: Given<Duration>,
    /// How long a request may wait for a database connection.
    #[arg(long, env = "RECAP_QUEUE_TIMEOUT", value_name = "DURATION", default_value = "2s", value_parser = duration())]
    queue_timeout: Given<Duration>,
    /// How long one statement may take.
    #[arg(long, env = "RECAP_STATEMENT_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = duration().at_least(SHORTEST))]
    statement_timeout: Given<Duration>,
}

impl QueryArgs {
    /// The configuration, or every mistake in it.
    pub fn config(&self) -> Result<Config, InvalidConfig> {
        let mut found = Mistakes::default();
        let (http, limits) = (&self.http, &self.limits);
        let rate = found.take(&limits.rate_limit);
        let (url, file) = (&self.database_url, &self.database_url_file);
        let names = ["DATABASE_URL", "DATABASE_URL_FILE"];
        let database_url = found.one_of(names, "postgres://user@host/database", [url, file]);
        let changes = self.changes_database_url.as_ref();
        let clerk = self.clerk.config(&mut found);
        let config = Config {
            console: self.console.sign_in(&mut found, clerk.session_cookie),
            changes: changes.map_or_else(|| Changes::From(database_url.clone()), |given| found.take(given)),
            database_url,
            clerk,
            http_addr: found.take_or(&http.http_addr, ([127, 0, 0, 1], 0).into()),
            admin_addr: found.take_or(&http.admin_addr, ([127, 0, 0, 1], 0).into()),
            cors_origins: found.take(&http.cors_origins),
            cache: CacheConfig {
                max_staleness: found.take(&self.cache.cache_max_staleness),
                bytes: found.take(&self.cache.cache_size) as u64,
            },
            timeouts: Timeouts {
                request: found.take(&http.request_timeout),
                stream: found.take(&limits.stream_timeout),
                queue: found.take(&limits.queue_timeout),
                statement: found.take(&limits.statement_timeout),
                replay_lag: found.take(&self.max_replay_lag),
                drain_delay: found.take(&http.drain_delay),
                shutdown: found.take(&http.shutdown_timeout),
                ..Timeouts::default()
            },
            limits: Limits {
                rate,
                client_connections: found.take(&limits.max_connections),
                client_connections_per_address: found.take(&limits.max_connections_per_address),
                burst: rate.saturating_mul(Limits::BURST_OF_RATE),
                requests: found.take(&limits.max_requests),
                connections: found.take(&limits.database_connections),
                answer_bytes: found.take(&limits.answer_memory),
                page_bytes: found.take(&limits.page_bytes),
                streams: found.take(&limits.streams),
                streams_per_organization: found.take(&limits.streams_per_organization),
                watchers: found.take(&limits.max_watchers),
            },
        };
        found.check(config)
    }
}

/// `off`, or where the primary is.
fn changes(text: &str) -> Result<Changes, String> {
    match text {
        "off" => Ok(Changes::Off),
        url => DatabaseUrl::parse(url).map(Changes::From),
    }
}

impl ClerkArgs {
    fn config(&self, found: &mut Mistakes) -> ClerkConfig {
        let what = "the Frontend API URL of the Clerk instance";
        let issuer = found.required("CLERK_ISSUER", what, self.clerk_issuer.as_ref());
        let pem = self.clerk_jwt_key.as_ref().and_then(|pem| found.take(pem));
        let url = self.clerk_jwks_url.as_ref().and_then(|url| found.take(url));
        let keys = match (pem, url) {
            (Some(key), _) => KeySource::Pem(key),
            (None, Some(url)) => KeySource::Jwks(url),
            (None, None) => KeySource::Jwks(format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/'))),
        };
        let authorized_parties = found.take(&self.clerk_authorized_parties);
        let session_cookie = found.take(&self.session_cookie);
        if session_cookie && authorized_parties.is_empty() {
            found.add("RECAP_SESSION_COOKIE needs CLERK_AUTHORIZED_PARTIES: without them any page of the same site could use the cookie");
        }
        ClerkConfig {
            keys,
            authorized_parties,
            session_cookie,
            ..ClerkConfig::fetched(issuer, String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        query: QueryArgs,
    }

    fn config(args: &[&str]) -> Result<Config, InvalidConfig> {
        let arguments = std::iter::once("recap-query").chain(args.iter().copied());
        Command::parse_from(arguments).query.config()
    }

    #[test]
    fn every_mistake_is_named_at_once_and_secrets_are_not() {
        let error = config(&[
            "--database-url=mysql://user:hunter2@host/db",
            "--clerk-issuer=nonsense",
            "--clerk-jwt-key=-----BEGIN PRIVATE KEY-----",
            "--http-addr=here",
            "--cors-origins=https://app.example.com/path",
            "--cache-max-staleness=soon",
            "--cache-size=257GiB",
            "--rate-limit=-1",
            "--max-connections=100001",
            "--max-connections-per-address=4294967295",
            "--streams=4294967295",
            "--database-connections=4294967295",
            "--max-requests=4294967295",
            "--streams-per-organization=0",
            "--statement-timeout=0s",
            "--queue-timeout=3",
        ])
        .unwrap_err();
        let mut names: Vec<_> = error
            .mistakes()
            .iter()
            .map(|mistake| mistake.split(' ').next().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "CLERK_ISSUER",
                "CLERK_JWT_KEY",
                "DATABASE_URL",
                "RECAP_CACHE_MAX_STALENESS",
                "RECAP_CACHE_SIZE",
                "RECAP_CORS_ORIGINS",
                "RECAP_DATABASE_CONNECTIONS",
                "RECAP_HTTP_ADDR",
                "RECAP_MAX_CONNECTIONS",
                "RECAP_MAX_CONNECTIONS_PER_ADDRESS",
                "RECAP_MAX_REQUESTS",
                "RECAP_QUEUE_TIMEOUT",
                "RECAP_RATE_LIMIT",
                "RECAP_STATEMENT_TIMEOUT",
                "RECAP_STREAMS",
                "RECAP_STREAMS_PER_ORGANIZATION",
            ]
        );
        assert!(!error.to_string().contains("hunter2"));
        assert!(!error.to_string().contains("BEGIN"));
    }

    #[test]
    fn every_number_has_a_maximum_and_says_it() {
        let command = Command::command();
        let numbers = command.get_arguments().filter(|argument| {
            let names = argument.get_value_names().unwrap_or_default();
            names.iter().any(|name| matches!(name.as_str(), "COUNT" | "BYTES"))
        });
        let mut found = 0;
        for argument in numbers {
            let name = argument.get_long().unwrap();
            let help = argument.get_long_help().or(argument.get_help()).unwrap().to_string();
            assert!(help.contains("at most"), "{name}: {help}");
            let value = format!("--{name}=18446744073709551615");
            let error = config(&[value.as_str()]).unwrap_err().to_string();
            let variable = argument.get_env().unwrap().to_string_lossy();
            assert!(error.contains(&*variable), "{name}: {error}");
            found += 1;
        }
        assert!(found >= 10, "{found}");
    }

    #[test]
    fn the_sessions_cookie_needs_parties() {
        let least = [
            "--database-url=postgres://localhost/recap",
            "--clerk-issuer=https://clerk.example.com",
            "--session-cookie=true",
        ];
        let error = config(&least).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("RECAP_SESSION_COOKIE needs CLERK_AUTHORIZED_PARTIES"),
            "{error}"
        );
        let parties = "--clerk-authorized-parties=https://app.example.com";
        let whole: Vec<&str> = least.into_iter().chain([parties]).collect();
        assert!(config(&whole).unwrap().clerk.session_cookie);
    }

    #[test]
    fn what_must_be_given_is_named() {
        let error = config(&[]).unwrap_err();
        for name in ["DATABASE_URL", "CLERK_ISSUER"] {
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn the_least_configuration_has_the_documented_defaults() {
        let config = config(&[
            "--database-url=postgres://localhost/recap",
            "--clerk-issuer=https://clerk.example.com",
        ])
        .unwrap();
        assert!(
            matches!(config.clerk.keys, KeySource::Jwks(url) if url == "https://clerk.example.com/.well-known/jwks.json")
        );
        assert_eq!(config.http_addr.to_string(), "0.0.0.0:8080");
        assert_eq!(config.admin_addr.to_string(), "0.0.0.0:9092");
        assert!(!config.clerk.session_cookie);
        assert_eq!(config.cache.max_staleness, Duration::from_secs(1));
        assert_eq!(config.cache.bytes, 64 << 20);
        assert!(matches!(config.changes, Changes::From(_)), "the same database");
        assert_eq!(config.limits.burst, 200);
        assert_eq!(
            config.timeouts.drain_delay,
            Duration::from_secs(5),
            "proxies learn of the end seconds late"
        );
    }
}
