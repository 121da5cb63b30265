//! `RECAP_KAFKA_OPTIONS`: librdkafka's options as an operator writes them.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

/// The variable, for messages.
pub(crate) const VARIABLE: &str = "RECAP_KAFKA_OPTIONS";

/// Options that recap sets itself, with what an operator sets instead, if anything. They decide which records are read, and
/// when an offset is committed.
const RESERVED: [(&str, Option<&str>); 12] = [
    ("auto.commit.interval.ms", Some("RECAP_OFFSET_COMMIT_INTERVAL")),
    ("auto.offset.reset", None),
    ("bootstrap.servers", Some("KAFKA_BOOTSTRAP_SERVERS")),
    ("enable.auto.commit", None),
    ("enable.auto.offset.store", None),
    ("enable.partition.eof", None),
    ("group.id", Some("RECAP_CONSUMER_GROUP")),
    ("group.instance.id", Some("RECAP_GROUP_INSTANCE_ID")),
    ("group.protocol", Some("RECAP_GROUP_PROTOCOL")),
    ("isolation.level", None),
    ("partition.assignment.strategy", None),
    ("session.timeout.ms", Some("RECAP_SESSION_TIMEOUT")),
];

/// Options by name; values may be secret.
pub(crate) type Options = BTreeMap<String, SecretString>;

/// Reads `key=value,…`; every mistake is added to `mistakes`, and no value is quoted in one.
pub(crate) fn parse(text: &SecretString, mistakes: &mut Vec<String>) -> Options {
    let mut options = Options::new();
    for (index, option) in text.expose_secret().split(',').enumerate() {
        if option.trim().is_empty() {
            continue;
        }
        match option.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some((key, value)) if !key.is_empty() => match reserved(key) {
                Some(mistake) => mistakes.push(mistake),
                None => {
                    options.insert(key.to_owned(), value.to_owned().into());
                }
            },
            // The text may be a piece of a password.
            _ => mistakes.push(format!("{VARIABLE}: entry {} is not `key=value`", index + 1)),
        }
    }
    options
}

fn reserved(key: &str) -> Option<String> {
    let (_, variable) = RESERVED.iter().find(|(reserved, _)| *reserved == key)?;
    Some(match variable {
        Some(variable) => format!("{VARIABLE}: `{key}` cannot be set here; set {variable}"),
        None => format!("{VARIABLE}: `{key}` cannot be set; recap depends on its own value"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Options, Vec<String>) {
        let mut mistakes = Vec::new();
        (parse(&text.to_owned().into(), &mut mistakes), mistakes)
    }

    #[test]
    fn options_are_keys_with_values_and_spaces_around_them_do_not_count() {
        let (options, mistakes) = read(" security.protocol = ssl ,,sasl.password=a=b,");
        let values: Vec<_> = options
            .iter()
            .map(|(key, value)| (&**key, value.expose_secret()))
            .collect();
        assert_eq!(values, [("sasl.password", "a=b"), ("security.protocol", "ssl")]);
        assert!(mistakes.is_empty(), "{mistakes:?}");
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
    fn every_entry_that_is_no_option_is_counted_and_not_quoted() {
        let (_, mistakes) = read("hunter2,a=b,=hunter2");
        assert_eq!(
            mistakes,
            [
                "RECAP_KAFKA_OPTIONS: entry 1 is not `key=value`",
                "RECAP_KAFKA_OPTIONS: entry 3 is not `key=value`"
            ]
        );
    }
}
