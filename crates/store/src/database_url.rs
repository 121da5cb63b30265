//! Where PostgreSQL is: a URL as libpq reads it, with one host or several, or a file that holds one.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnectOptions;

/// Parameters of a URL that mean something here.
const PARAMETERS: [&str; 13] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];
/// Ours, beside sqlx's.
const TARGET: &str = "target_session_attrs";
/// Where systems keep the certificates that they trust.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A database's URL, or the file that it is read from again when a password is refused or the database moved.
#[derive(Clone)]
pub struct DatabaseUrl(Source);

#[derive(Clone)]
enum Source {
    Text(SecretString),
    File(PathBuf),
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self(Source::Text(SecretString::default()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Text(_) => f.write_str("DatabaseUrl(…)"),
            Source::File(path) => write!(f, "DatabaseUrl(in {})", path.display()),
        }
    }
}

impl<T: Into<String>> From<T> for DatabaseUrl {
    fn from(text: T) -> Self {
        Self(Source::Text(text.into().into()))
    }
}

impl DatabaseUrl {
    /// Reads a URL. An error says what is wrong, without repeating a secret.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Self::from(text);
        url.servers()?;
        Ok(url)
    }

    /// Reads the URL in a file, as orchestrators mount secrets.
    pub fn in_file(path: &str) -> Result<Self, String> {
        let url = Self(Source::File(path.into()));
        url.servers()?;
        Ok(url)
    }

    /// The URL as it is now.
    pub fn text(&self) -> Result<SecretString, String> {
        match &self.0 {
            Source::Text(text) => Ok(text.clone()),
            Source::File(path) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim().into()),
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
        }
    }

    /// The servers it names, in their order, with passwords and certificates as they are now.
    pub(crate) fn servers(&self) -> Result<Servers, String> {
        Servers::parse(self.text()?.expose_secret())
    }
}

/// Which of several servers is wanted (libpq's `target_session_attrs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Target {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "read-write" => Ok(Self::ReadWrite),
            "read-only" => Ok(Self::ReadOnly),
            "primary" => Ok(Self::Primary),
            "standby" => Ok(Self::Standby),
            "prefer-standby" => Ok(Self::PreferStandby),
            _ => Err(format!(
                "{TARGET} must be any, read-write, read-only, primary, standby or prefer-standby"
            )),
        }
    }
}

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub options: PgConnectOptions,
    /// Host and port, or the socket's directory.
    pub name: String,
}

/// Every server that a URL names.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    pub all: Vec<Server>,
    pub target: Target,
}

impl Servers {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("is required: postgres://user@host/database".to_owned());
        }
        if text.starts_with("jdbc:") {
            return Err(
                "begins with `jdbc:`, as Java has it; it is to be postgres://user:password@host/database".to_owned(),
            );
        }
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or("must begin with postgres:// or postgresql://")?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let mut parameters = Vec::new();
        if !database.is_empty() {
            parameters.push(("dbname", decode(database)?));
        }
        let (user, password) = user
            .split_once(':')
            .map_or((user, None), |(user, password)| (user, Some(password)));
        if !user.is_empty() {
            parameters.push(("user", decode(user)?));
        }
        if let Some(password) = password {
            parameters.push(("password", decode(password)?));
        }
        let mut places = hosts_of(hosts)?;
        let mut target = Target::Any;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| format!("has a parameter without a value: {pair}"))?;
            let value = decode(value)?;
            let known = PARAMETERS.iter().find(|known| **known == name);
            match (name, known) {
                (TARGET, _) => target = value.parse()?,
                ("host" | "hostaddr", _) => set_hosts(&mut places, &value),
                ("port", _) => set_ports(&mut places, &value)?,
                (_, Some(known)) => parameters.push((known, value)),
                (_, None) => {
                    let known = PARAMETERS.join(", ");
                    return Err(format!(
                        "has the parameter {name:?}, which is not known: {TARGET}, {known}"
                    ));
                }
            }
        }
        let trust = certificates(&mut parameters)?;
        let all = places.iter().map(|place| server(place, &parameters, trust.as_ref()));
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
            target,
        })
    }
}

/// A host, which may be a socket's directory, and a port; the defaults are libpq's.
type Place = (Option<String>, Option<u16>);

fn hosts_of(authority: &str) -> Result<Vec<Place>, String> {
    authority.split(',').map(place_of).collect()
}

fn place_of(text: &str) -> Result<Place, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("has a `[` without its `]`")?;
            (host, after.strip_prefix(':'))
        }
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let host = decode(host)?;
    let port = port.filter(|port| !port.is_empty()).map(port_of).transpose()?;
    Ok(((!host.is_empty()).then_some(host), port))
}

fn port_of(text: &str) -> Result<u16, String> {
    text.parse()
        .map_err(|_| format!("has the port {text:?}, which is none"))
}

fn set_hosts(places: &mut Vec<Place>, hosts: &str) {
    let ports: Vec<Option<u16>> = places.iter().map(|(_, port)| *port).collect();
    let hosts = hosts.split(',').enumerate();
    *places = hosts
        .map(|(index, host)| (Some(host.to_owned()), ports.get(index).copied().flatten()))
        .collect();
}

fn set_ports(places: &mut [Place], ports: &str) -> Result<(), String> {
    let ports = ports.split(',').map(port_of).collect::<Result<Vec<_>, _>>()?;
    if ports.len() != 1 && ports.len() != places.len() {
        return Err("has another number of ports than of hosts".to_owned());
    }
    for (index, place) in places.iter_mut().enumerate() {
        place.1 = ports.get(index).or(ports.first()).copied();
    }
    Ok(())
}

/// The certificates to trust where none are named, as `sslrootcert=system` names them; files that are not there are an error.
fn certificates(parameters: &mut Vec<(&'static str, String)>) -> Result<Option<Vec<u8>>, String> {
    for (name, value) in parameters
        .iter()
        .filter(|(name, _)| ["sslrootcert", "sslcert", "sslkey"].contains(name))
    {
        let is_system = *name == "sslrootcert" && value == "system";
        if !is_system && !Path::new(value).exists() {
            return Err(format!("{name}={value}: there is no such file"));
        }
    }
    let value_of = |wanted| {
        parameters
            .iter()
            .rev()
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value.as_str())
    };
    let verifies = matches!(value_of("sslmode"), Some("verify-ca" | "verify-full"));
    let is_system = value_of("sslrootcert") == Some("system");
    if !is_system && (!verifies || value_of("sslrootcert").is_some()) {
        return Ok(None);
    }
    parameters.retain(|(name, _)| *name != "sslrootcert");
    let given = std::env::var("SSL_CERT_FILE").ok();
    let files = given.iter().map(String::as_str).chain(SYSTEM_CERTIFICATES);
    let found = files.map(std::fs::read).find_map(Result::ok);
    // Without a system's bundle the one that is compiled in has to do.
    if found.is_none() && is_system {
        return Err("sslrootcert=system: this system has no bundle of certificates; set SSL_CERT_FILE".to_owned());
    }
    Ok(found)
}

/// What sqlx makes of one place; the file of passwords is read for it.
fn server(place: &Place, parameters: &[(&'static str, String)], trust: Option<&Vec<u8>>) -> Result<Server, String> {
    let (host, port) = place;
    let mut query: Vec<String> = parameters.iter().map(|(name, value)| pair(name, value)).collect();
    query.extend(host.iter().map(|host| pair("host", host)));
    query.extend(port.iter().map(|port| pair("port", &port.to_string())));
    let url = format!("postgres:///?{}", query.join("&"));
    let options: Result<PgConnectOptions, _> = url.parse();
    let mut options = options.map_err(|error| match error {
        sqlx::Error::Configuration(cause) => cause.to_string(),
        error => error.to_string(),
    })?;
    if let Some(pem) = trust {
        options = options.ssl_root_cert_from_pem(pem.clone());
    }
    let name = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    Ok(Server { options, name })
}

fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| "has a part that is not UTF-8 once it is decoded".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn names(url: &str) -> Vec<String> {
        let servers = DatabaseUrl::parse(url).unwrap().servers().unwrap();
        servers.all.into_iter().map(|server| server.name).collect()
    }

    #[test]
    fn hosts_ports_addresses_and_sockets_are_read_as_libpq_reads_them() {
        assert_eq!(names("postgres://u:p@a.example:5433/d"), ["a.example:5433"]);
        assert_eq!(
            names("postgresql://u@a,b:5433,[::1]:5434/d"),
            ["a:5432", "b:5433", "::1:5434"]
        );
        assert_eq!(names("postgres://u@[::1]/d"), ["::1:5432"]);
        assert_eq!(names("postgres:///d?host=a,b&port=1,2"), ["a:1", "b:2"]);
        assert_eq!(names("postgres://u@%2Fvar%2Frun/d"), ["/var/run"]);
        assert_eq!(names("postgres:///d?host=/var/run&user=u"), ["/var/run"]);
        let by_sqlx = "postgres://u:p@h:1/d?sslmode=disable&statement-cache-capacity=100";
        assert_eq!(names(by_sqlx), ["h:1"]);
    }

    #[test]
    fn what_is_in_a_url_arrives_decoded() {
        let url = "postgres://us%40er:p%2Fw%2B+%25@h/da%20ta?application_name=x%26y&target_session_attrs=read-write";
        let servers = DatabaseUrl::parse(url).unwrap().servers().unwrap();
        let options = &servers.all[0].options;
        assert_eq!(
            (options.get_username(), options.get_database()),
            ("us@er", Some("da ta"))
        );
        assert_eq!(options.get_application_name(), Some("x&y"));
        assert_eq!(servers.target, Target::ReadWrite);
        assert!(!format!("{:?}", DatabaseUrl::parse(url).unwrap()).contains("p/w"));
    }

    #[test]
    fn what_is_not_understood_is_named_and_no_secret_with_it() {
        for (url, named) in [
            ("", "is required"),
            ("jdbc:postgresql://h/d", "jdbc:"),
            ("mysql://u:hunter2@h/d", "postgres://"),
            ("postgres://u:hunter2@h/d?sslmod=require", "sslmod"),
            ("postgres://u:hunter2@h/d?pgbouncer=true", "pgbouncer"),
            ("postgres://u:hunter2@h:x/d", "port"),
            (
                "postgres://u:hunter2@h/d?target_session_attrs=master",
                "target_session_attrs",
            ),
            (
                "postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
                "/nowhere/ca.pem",
            ),
            ("postgres://u:hunter2@h/d?sslmode=always", "always"),
        ] {
            let error = DatabaseUrl::parse(url).unwrap_err();
            assert!(error.contains(named) && !error.contains("hunter2"), "{url}: {error}");
        }
        let error = DatabaseUrl::in_file("/nowhere/url").unwrap_err();
        assert!(error.contains("/nowhere/url"), "{error}");
    }
}
