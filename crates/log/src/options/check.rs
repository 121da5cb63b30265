//! Whether librdkafka, as it is built here, takes the options.

use rdkafka::{ClientConfig, error::KafkaError, producer::BaseProducer, types::RDKafkaConfRes};
use secrecy::ExposeSecret as _;

use super::{Entry, Options, Origin, java, variable};

/// What librdkafka says to an option by itself. Its own words quote the value, so they are not passed on, except what the build lacks.
pub(super) fn mistake(Entry { origin, key, value }: &Entry) -> Option<String> {
    let refusal = ClientConfig::new()
        .set(key, value.expose_secret())
        .create_native_config();
    let Err(KafkaError::ClientConfig(result, words, ..)) = refusal else {
        return None;
    };
    if let Some((_, lacking)) = words.split_once("not supported in this build: ") {
        return Some(format!("{origin}: `{key}` is not supported in this build: {lacking}"));
    }
    Some(match (result, origin) {
        (RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, Origin::Variable(_)) => {
            format!("{origin} names no option of librdkafka; a value with a comma stands in quotes: `key=\"a,b\"`")
        }
        (RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, Origin::File(_)) => format!("{origin} is no option of librdkafka"),
        _ => format!("{origin}: the value of `{key}` is none that librdkafka takes"),
    })
}

/// What librdkafka says to all of them: a mechanism it lacks, a file that is not there, a key that does not fit its certificate.
pub(super) fn together(options: &Options) -> Option<String> {
    if options.is_empty() {
        return None;
    }
    let mut config = ClientConfig::new();
    for (key, value) in options {
        config.set(key, value.expose_secret());
    }
    // A client without brokers connects to nothing.
    let refusal = config.create::<BaseProducer>().err()?;
    let mut words = match refusal {
        KafkaError::ClientCreation(words) => words,
        other => other.to_string(),
    };
    for (key, value) in options {
        let value = value.expose_secret();
        if is_secret(key) && !value.is_empty() {
            words = words.replace(value, "…");
        }
    }
    Some(format!(
        "{}, {}: librdkafka refuses the options: {words}",
        variable::NAME,
        java::NAME
    ))
}

/// Everything but what a message needs: names, files and kinds.
fn is_secret(key: &str) -> bool {
    ["password", "secret", "pem", "username", "oauthbearer.config"]
        .iter()
        .any(|word| key.contains(word))
}
