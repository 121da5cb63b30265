//! librdkafka's options as an operator writes them: `RECAP_KAFKA_OPTIONS` and `RECAP_KAFKA_OPTIONS_FILE`.

mod check;
mod file;
mod java;
mod variable;

use std::{collections::BTreeMap, fmt, path::Path};

use secrecy::SecretString;

/// Options that recap sets itself, with what an operator sets instead, if anything. They decide which records are read, and
/// when an offset is committed.
const RESERVED: [(&str, Option<&str>); 15] = [
    ("auto.commit.interval.ms", Some("RECAP_OFFSET_COMMIT_INTERVAL")),
    ("auto.offset.reset", None),
    ("bootstrap.servers", Some("KAFKA_BOOTSTRAP_SERVERS")),
    ("enable.auto.commit", None),
    ("enable.auto.offset.store", None),
    ("enable.idempotence", None),
    ("enable.partition.eof", None),
    ("group.id", Some("RECAP_CONSUMER_GROUP")),
    ("group.instance.id", Some("RECAP_GROUP_INSTANCE_ID")),
    ("group.protocol", Some("RECAP_GROUP_PROTOCOL")),
    ("isolation.level", None),
    ("metadata.broker.list", Some("KAFKA_BOOTSTRAP_SERVERS")),
    ("partition.assignment.strategy", None),
    ("session.timeout.ms", Some("RECAP_SESSION_TIMEOUT")),
    ("transactional.id", None),
];

/// Options by name; values may be secret.
pub(crate) type Options = BTreeMap<String, SecretString>;

/// Where an option was written, for messages. It never shows a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// Which entry of the variable, from 1. Its name is not shown unless it is one that librdkafka has: a password with a comma
    /// in it that nobody quoted ends up as names.
    Variable(usize),
    /// The name in the file.
    File(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(entry) => write!(f, "{}: entry {entry}", variable::NAME),
            Self::File(name) => write!(f, "{}: `{name}`", java::NAME),
        }
    }
}

/// One option as it was written.
struct Entry {
    origin: Origin,
    key: String,
    value: SecretString,
}

/// The options of the file, then those of the variable, which count more. Every mistake is added to `mistakes`, and no value is
/// quoted in one.
pub(crate) fn read(file: Option<&Path>, variable: Option<&SecretString>, mistakes: &mut Vec<String>) -> Options {
    let mut entries = file.map_or_else(Vec::new, |path| file::read(path, mistakes));
    entries.extend(variable.map_or_else(Vec::new, |text| variable::parse(text, mistakes)));
    let mut options = Options::new();
    for entry in entries {
        match reserved(&entry).or_else(|| check::mistake(&entry)) {
            Some(mistake) => mistakes.push(mistake),
            None => {
                options.insert(entry.key, entry.value);
            }
        }
    }
    // Together they may still ask for what the build cannot do.
    if mistakes.is_empty() {
        mistakes.extend(check::together(&options));
    }
    options
}

fn reserved(Entry { origin, key, .. }: &Entry) -> Option<String> {
    let (_, variable) = RESERVED.iter().find(|(reserved, _)| reserved == key)?;
    let source = match origin {
        Origin::Variable(_) => variable::NAME,
        Origin::File(_) => java::NAME,
    };
    Some(match variable {
        Some(variable) => format!("{source}: `{key}` cannot be set here; set {variable}"),
        None => format!("{source}: `{key}` cannot be set; recap depends on its own value"),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let mut mistakes = Vec::new();
        let options = super::read(None, Some(&text.to_owned().into()), &mut mistakes);
        let values = options.into_iter();
        let values = values.map(|(key, value)| (key, value.expose_secret().to_owned()));
        (values.collect(), mistakes)
    }

    #[test]
    fn every_reserved_option_is_refused_by_name_and_no_value_is_shown() {
        for (key, _) in RESERVED {
            let (options, mistakes) = read(&format!("{key}=hunter2"));
            assert!(options.is_empty(), "{key}");
            assert!(mistakes.len() == 1 && mistakes[0].contains(key), "{key}: {mistakes:?}");
            assert!(!mistakes[0].contains("hunter2"), "{mistakes:?}");
        }
    }

    #[test]
    fn the_variable_counts_more_than_the_file() {
        let file = tempfile::NamedTempFile::new().and_then(|file| {
            std::fs::write(file.path(), "linger.ms=5\nclient.rack=a")?;
            Ok(file)
        });
        let mut mistakes = Vec::new();
        let text = "linger.ms=7".to_owned().into();
        let path = file.as_ref().ok().map(tempfile::NamedTempFile::path);
        let options = super::read(path, Some(&text), &mut mistakes);
        assert_eq!(options["linger.ms"].expose_secret(), "7");
        assert_eq!(options["client.rack"].expose_secret(), "a");
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn what_this_build_has_is_taken_and_what_it_has_not_is_refused_without_the_value() {
        for taken in [
            "security.protocol=SSL",
            "security.protocol=SASL_SSL,sasl.mechanism=PLAIN,sasl.username=u,sasl.password=hunter2",
            "security.protocol=sasl_ssl,sasl.mechanism=SCRAM-SHA-256,sasl.username=u,sasl.password=hunter2",
            "security.protocol=SASL_SSL,sasl.mechanism=SCRAM-SHA-512,sasl.username=u,sasl.password=hunter2",
            "security.protocol=SASL_SSL,sasl.mechanism=OAUTHBEARER,sasl.oauthbearer.method=oidc,sasl.oauthbearer.client.id=u,\
             sasl.oauthbearer.client.secret=hunter2,sasl.oauthbearer.token.endpoint.url=https://idp.example/token",
        ] {
            assert_eq!(read(taken).1, [] as [&str; 0], "{taken}");
        }
        for (refused, named) in [
            ("security.protocol=SASL_SSL,sasl.mechanism=NTLM", "NTLM"),
            ("security.protocol=SASL_SSL,sasl.mechanism=GSSAPI", "GSSAPI"),
            ("security.protocol=hunter2", "security.protocol"),
            ("ssl.ca.location=/no/such/file,security.protocol=SSL", "ssl.ca.location"),
            ("linger.ms=hunter2", "linger.ms"),
        ] {
            let (_, mistakes) = read(refused);
            assert!(
                mistakes.len() == 1 && mistakes[0].contains(named),
                "{refused}: {mistakes:?}"
            );
            assert!(!mistakes[0].contains("hunter2"), "{mistakes:?}");
        }
    }

    #[test]
    fn a_name_that_librdkafka_does_not_have_may_be_a_piece_of_a_password() {
        let (_, mistakes) = read("client.rack=a,hunter2=b");
        assert_eq!(
            mistakes,
            [
                "RECAP_KAFKA_OPTIONS: entry 2 names no option of librdkafka; a value with a comma stands in quotes: `key=\"a,b\"`"
            ]
        );
    }
}
