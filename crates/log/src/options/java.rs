//! What Kafka's Java clients call by another name than librdkafka.

use std::collections::BTreeMap;

/// Where they come from.
pub(super) const NAME: &str = "RECAP_KAFKA_OPTIONS_FILE";

/// Properties by name.
pub(super) type Properties = BTreeMap<String, String>;

const LOGIN_MODULES: &str = "org.apache.kafka.common.security.";

/// Properties of Kafka's Java clients as librdkafka's. What says the same in both is left as it is; what has no counterpart is left
/// for librdkafka to refuse.
pub(super) fn translate(mut properties: Properties, mistakes: &mut Vec<String>) -> Properties {
    login(&mut properties, mistakes);
    trust_store(&mut properties, mistakes);
    key_store(&mut properties, mistakes);
    if let Some(algorithm) = properties.get_mut("ssl.endpoint.identification.algorithm")
        && algorithm.is_empty()
    {
        "none".clone_into(algorithm);
    }
    properties
}

/// `sasl.jaas.config`: `<module> required name="value" …;`
fn login(properties: &mut Properties, mistakes: &mut Vec<String>) {
    const HANDLER: &str = "sasl.login.callback.handler.class";
    if properties
        .get(HANDLER)
        .is_some_and(|class| class.ends_with(".OAuthBearerLoginCallbackHandler"))
    {
        properties.remove(HANDLER);
        set_default(properties, "sasl.oauthbearer.method", "oidc");
    }
    let Some(config) = properties.remove("sasl.jaas.config") else {
        return;
    };
    let Some((module, options)) = jaas(&config) else {
        mistakes.push(format!(
            "{NAME}: `sasl.jaas.config` is not `<login module> required name=\"value\" …;`"
        ));
        return;
    };
    let names: &[(&str, &str)] = match module.strip_prefix(LOGIN_MODULES) {
        Some("plain.PlainLoginModule" | "scram.ScramLoginModule") => {
            &[("username", "sasl.username"), ("password", "sasl.password")]
        }
        Some("oauthbearer.OAuthBearerLoginModule") => {
            set_default(properties, "sasl.oauthbearer.method", "oidc");
            &[
                ("clientId", "sasl.oauthbearer.client.id"),
                ("clientSecret", "sasl.oauthbearer.client.secret"),
                ("scope", "sasl.oauthbearer.scope"),
            ]
        }
        _ => {
            mistakes.push(format!(
                "{NAME}: `sasl.jaas.config` names the login module `{module}`; recap has PlainLoginModule, ScramLoginModule and \
                 OAuthBearerLoginModule"
            ));
            return;
        }
    };
    for (name, value) in options {
        if let Some((_, key)) = names.iter().find(|(java, _)| *java == name) {
            set_default(properties, key, &value);
        }
    }
}

fn trust_store(properties: &mut Properties, mistakes: &mut Vec<String>) {
    let kind = properties.remove("ssl.truststore.type");
    properties.remove("ssl.truststore.password");
    if let Some(certificates) = properties.remove("ssl.truststore.certificates") {
        set_default(properties, "ssl.ca.pem", &certificates);
    }
    let Some(location) = properties.remove("ssl.truststore.location") else {
        return;
    };
    if is_pem(kind.as_deref(), &location) {
        set_default(properties, "ssl.ca.location", &location);
    } else {
        mistakes.push(format!(
            "{NAME}: `ssl.truststore.location` is not PEM; export its certificates (`keytool -list -rfc -keystore FILE`) and name the PEM \
             file in `ssl.ca.location`"
        ));
    }
}

fn key_store(properties: &mut Properties, mistakes: &mut Vec<String>) {
    let kind = properties.remove("ssl.keystore.type");
    for (java, native) in [
        ("ssl.keystore.certificate.chain", "ssl.certificate.pem"),
        ("ssl.keystore.key", "ssl.key.pem"),
    ] {
        if let Some(value) = properties.remove(java) {
            set_default(properties, native, &value);
        }
    }
    let Some(location) = properties.get("ssl.keystore.location").cloned() else {
        return;
    };
    if is_pem(kind.as_deref(), &location) {
        // One file with both, as Java has it.
        properties.remove("ssl.keystore.location");
        set_default(properties, "ssl.certificate.location", &location);
        set_default(properties, "ssl.key.location", &location);
    } else if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("PKCS12")) {
        // Java's default is JKS, which librdkafka cannot read.
        mistakes.push(format!(
            "{NAME}: `ssl.keystore.location` is a Java key store; set `ssl.keystore.type=PKCS12` or `PEM` for a file of that kind, \
             or convert it (`keytool -importkeystore -deststoretype pkcs12`)"
        ));
    }
}

fn is_pem(kind: Option<&str>, location: &str) -> bool {
    match kind {
        Some(kind) => kind.eq_ignore_ascii_case("PEM"),
        None => [".pem", ".crt", ".cer"].iter().any(|end| location.ends_with(end)),
    }
}

fn set_default(properties: &mut Properties, key: &str, value: &str) {
    properties.entry(key.to_owned()).or_insert_with(|| value.to_owned());
}

/// The login module and its options.
fn jaas(config: &str) -> Option<(&str, Vec<(String, String)>)> {
    let config = config.trim().strip_suffix(';')?;
    let (module, rest) = config.split_once(char::is_whitespace)?;
    let (flag, mut rest) = rest.trim_start().split_once(char::is_whitespace)?;
    if !["required", "requisite", "sufficient", "optional"].contains(&flag) {
        return None;
    }
    let mut options = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Some((module, options));
        }
        let (name, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => quoted(&value[1..], quote)?,
            None => match value.split_once(char::is_whitespace) {
                Some((value, after)) => (value.to_owned(), after),
                None => (value.to_owned(), ""),
            },
        };
        options.push((name.trim_end().to_owned(), value));
        rest = after;
    }
}

/// A string up to its closing quote, in which a backslash escapes, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, c) if c == quote => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(chars.next()?.1),
            (_, c) => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(properties: &[(&str, &str)]) -> Result<Vec<(String, String)>, Vec<String>> {
        let mut mistakes = Vec::new();
        let given = properties.iter();
        let given = given
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let options = translate(given, &mut mistakes);
        if mistakes.is_empty() {
            Ok(options.into_iter().collect())
        } else {
            Err(mistakes)
        }
    }

    fn same(java: &[(&str, &str)], native: &[(&str, &str)]) {
        let native: Vec<_> = native
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(translated(java), Ok(native));
    }

    #[test]
    fn a_jaas_configuration_is_a_user_and_a_password() {
        for module in ["plain.PlainLoginModule", "scram.ScramLoginModule"] {
            let config = format!("{LOGIN_MODULES}{module} required username='me' password=\"a,b;\\\"c\" ;");
            same(
                &[("sasl.jaas.config", &config), ("sasl.mechanism", "PLAIN")],
                &[
                    ("sasl.mechanism", "PLAIN"),
                    ("sasl.password", "a,b;\"c"),
                    ("sasl.username", "me"),
                ],
            );
        }
    }

    #[test]
    fn client_credentials_are_oidc() {
        let config = format!(
            "{LOGIN_MODULES}oauthbearer.OAuthBearerLoginModule required clientId=me clientSecret='s' scope=\"kafka\";"
        );
        same(
            &[
                ("sasl.jaas.config", &config),
                (
                    "sasl.login.callback.handler.class",
                    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
                ),
            ],
            &[
                ("sasl.oauthbearer.client.id", "me"),
                ("sasl.oauthbearer.client.secret", "s"),
                ("sasl.oauthbearer.method", "oidc"),
                ("sasl.oauthbearer.scope", "kafka"),
            ],
        );
    }

    #[test]
    fn pem_stores_are_files_and_other_stores_say_what_to_do() {
        same(
            &[
                ("ssl.truststore.type", "PEM"),
                ("ssl.truststore.location", "/ca"),
                ("ssl.keystore.type", "PEM"),
                ("ssl.keystore.location", "/both"),
                ("ssl.endpoint.identification.algorithm", ""),
            ],
            &[
                ("ssl.ca.location", "/ca"),
                ("ssl.certificate.location", "/both"),
                ("ssl.endpoint.identification.algorithm", "none"),
                ("ssl.key.location", "/both"),
            ],
        );
        same(
            &[("ssl.keystore.type", "PKCS12"), ("ssl.keystore.location", "/p12")],
            &[("ssl.keystore.location", "/p12")],
        );
        for store in ["ssl.truststore.location", "ssl.keystore.location"] {
            let mistakes = translated(&[(store, "/store.jks")]);
            assert!(mistakes.is_err_and(|mistakes| mistakes[0].contains(store) && mistakes[0].contains("keytool")));
        }
    }

    #[test]
    fn a_jaas_configuration_that_cannot_be_read_is_not_quoted() {
        for config in [
            "hunter2",
            "a required password='hunter2",
            "com.sun.security.auth.module.Krb5LoginModule required keyTab=hunter2;",
        ] {
            let mistakes = translated(&[("sasl.jaas.config", config)]);
            assert!(mistakes.is_err_and(|mistakes| mistakes[0].contains("sasl.jaas.config") && !mistakes[0].contains("hunter2")));
        }
    }
}
