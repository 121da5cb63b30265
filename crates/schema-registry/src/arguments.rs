//! The flags and variables that say where the schema registry is, the same for every program that maps.

use std::{fs, path::PathBuf};

use clap::Args;
use http::Uri;
use recap_service::secret::Secret;
use secrecy::SecretString;

use crate::{
    client::{Credentials, RegistryAddress},
    registry::SchemaRegistry,
};

/// Where the schema registry is, and what it wants to see. The same for all programs that map.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Schema registry")]
#[expect(clippy::struct_field_names, reason = "clap names the flags after them")]
pub struct SchemaRegistryArgs {
    /// Registry with Confluent's API, by whose schemas values of mapped topics are decoded, as `https://registry:8081`
    #[arg(long, env = "RECAP_SCHEMA_REGISTRY_URL", value_name = "URL")]
    schema_registry_url: Option<String>,

    /// User for basic authentication
    #[arg(long, env = "RECAP_SCHEMA_REGISTRY_USERNAME", value_name = "NAME")]
    schema_registry_username: Option<String>,

    /// Password of that user
    #[arg(
        long,
        env = "RECAP_SCHEMA_REGISTRY_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    schema_registry_password: Option<SecretString>,

    /// File that holds that password, in place of it; read at each request
    #[arg(long, env = "RECAP_SCHEMA_REGISTRY_PASSWORD_FILE", value_name = "FILE")]
    schema_registry_password_file: Option<PathBuf>,

    /// Token for bearer authentication
    #[arg(
        long,
        env = "RECAP_SCHEMA_REGISTRY_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    schema_registry_token: Option<SecretString>,

    /// File that holds that token, in place of it; read at each request
    #[arg(long, env = "RECAP_SCHEMA_REGISTRY_TOKEN_FILE", value_name = "FILE")]
    schema_registry_token_file: Option<PathBuf>,

    /// File of the certificates (PEM) that the registry's is checked against, in place of the system's
    #[arg(long, env = "RECAP_SCHEMA_REGISTRY_CA_FILE", value_name = "FILE")]
    schema_registry_ca_file: Option<PathBuf>,
}

impl SchemaRegistryArgs {
    /// The registry, if there is one; every mistake is added to `mistakes`, and the value is of use only when there is none.
    pub fn read(&self, mistakes: &mut Vec<String>) -> Option<SchemaRegistry> {
        // A variable that is set to nothing is not set.
        let url = self
            .schema_registry_url
            .as_deref()
            .map(str::trim)
            .filter(|url| !url.is_empty());
        let credentials = self.credentials(mistakes);
        let certificates = self.certificates(mistakes);
        let Some(url) = url else {
            if !matches!(credentials, Credentials::None) || certificates.is_some() {
                mistakes.push(
                    "RECAP_SCHEMA_REGISTRY_URL: is required where its credentials or certificates are given".to_owned(),
                );
            }
            return None;
        };
        if let Err(mistake) = check_url(url) {
            mistakes.push(format!("RECAP_SCHEMA_REGISTRY_URL: {mistake}"));
            return None;
        }
        let address = RegistryAddress {
            url: url.trim_end_matches('/').to_owned(),
            credentials,
            certificates,
        };
        match SchemaRegistry::at(address) {
            Ok(registry) => Some(registry),
            Err(error) => {
                mistakes.push(format!("RECAP_SCHEMA_REGISTRY_CA_FILE: {error}"));
                None
            }
        }
    }

    fn credentials(&self, mistakes: &mut Vec<String>) -> Credentials {
        let user = self
            .schema_registry_username
            .as_deref()
            .map(str::trim)
            .filter(|user| !user.is_empty());
        let password = one_of(
            "RECAP_SCHEMA_REGISTRY_PASSWORD",
            self.schema_registry_password.as_ref(),
            self.schema_registry_password_file.as_ref(),
            mistakes,
        );
        let token = one_of(
            "RECAP_SCHEMA_REGISTRY_TOKEN",
            self.schema_registry_token.as_ref(),
            self.schema_registry_token_file.as_ref(),
            mistakes,
        );
        match (user, password, token) {
            (None, None, None) => Credentials::None,
            (Some(user), Some(password), None) => Credentials::Basic(user.to_owned(), password),
            (None, None, Some(token)) => Credentials::Bearer(token),
            (_, _, Some(_)) => {
                mistakes.push(
                    "RECAP_SCHEMA_REGISTRY_TOKEN: is given beside a user or a password: one is enough".to_owned(),
                );
                Credentials::None
            }
            (None, Some(_), None) => {
                mistakes.push("RECAP_SCHEMA_REGISTRY_USERNAME: is required where a password is given".to_owned());
                Credentials::None
            }
            (Some(_), None, None) => {
                mistakes.push("RECAP_SCHEMA_REGISTRY_PASSWORD: is required where a user is given".to_owned());
                Credentials::None
            }
        }
    }

    fn certificates(&self, mistakes: &mut Vec<String>) -> Option<Vec<u8>> {
        let file = self
            .schema_registry_ca_file
            .as_ref()
            .filter(|file| !file.as_os_str().is_empty())?;
        match fs::read(file) {
            Ok(pem) => Some(pem),
            Err(error) => {
                mistakes.push(format!(
                    "RECAP_SCHEMA_REGISTRY_CA_FILE: {} cannot be read: {error}",
                    file.display()
                ));
                None
            }
        }
    }
}

/// One of a secret and its file; an empty value is none.
fn one_of(
    name: &str,
    here: Option<&SecretString>,
    file: Option<&PathBuf>,
    mistakes: &mut Vec<String>,
) -> Option<Secret> {
    use secrecy::ExposeSecret as _;
    let here = here.filter(|secret| !secret.expose_secret().is_empty());
    let file = file.filter(|file| !file.as_os_str().is_empty());
    match (here, file) {
        (Some(_), Some(_)) => {
            mistakes.push(format!("{name}: {name}_FILE is given as well: one is enough"));
            None
        }
        (Some(secret), None) => Some(Secret::Given(secret.clone())),
        (None, Some(file)) => {
            let secret = Secret::File(file.clone());
            if let Err(mistake) = secret.check(|_| Ok(())) {
                mistakes.push(format!("{name}_FILE: {mistake}"));
            }
            Some(secret)
        }
        (None, None) => None,
    }
}

/// No message quotes the URL: it may hold a password.
fn check_url(url: &str) -> Result<(), &'static str> {
    let url: Uri = url.parse().map_err(|_| "must be an http(s) URL")?;
    let has_host = url.host().is_some_and(|host| !host.is_empty());
    if !matches!(url.scheme_str(), Some("http" | "https")) || !has_host {
        return Err("must be an http(s) URL");
    }
    if url
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err("must not hold credentials: RECAP_SCHEMA_REGISTRY_USERNAME and RECAP_SCHEMA_REGISTRY_PASSWORD do");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        registry: SchemaRegistryArgs,
    }

    fn read(arguments: &[&str]) -> Result<Option<SchemaRegistry>, Vec<String>> {
        let all = ["recap"].iter().chain(arguments);
        let mut mistakes = Vec::new();
        let registry = Command::try_parse_from(all).unwrap().registry.read(&mut mistakes);
        if mistakes.is_empty() {
            Ok(registry)
        } else {
            Err(mistakes)
        }
    }

    const URL: &str = "--schema-registry-url=https://registry:8081/apis/ccompat/v7/";

    #[test]
    fn a_registry_is_there_when_its_url_is() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&["--schema-registry-url="]).unwrap().is_none());
        let registry = read(&[
            URL,
            "--schema-registry-username=recap",
            "--schema-registry-password=hunter2",
        ]);
        let shown = format!("{:?}", registry.unwrap().unwrap());
        assert!(shown.contains("registry:8081") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn every_mistake_is_named_and_no_secret_is_shown() {
        for (arguments, named) in [
            (
                vec!["--schema-registry-token=hunter2"],
                "RECAP_SCHEMA_REGISTRY_URL: is required",
            ),
            (
                vec!["--schema-registry-url=https://a:hunter2@registry"],
                "RECAP_SCHEMA_REGISTRY_URL: must not hold",
            ),
            (
                vec!["--schema-registry-url=hunter2"],
                "RECAP_SCHEMA_REGISTRY_URL: must be",
            ),
            (
                vec![URL, "--schema-registry-username=a"],
                "RECAP_SCHEMA_REGISTRY_PASSWORD: is required",
            ),
            (
                vec![URL, "--schema-registry-password=hunter2"],
                "RECAP_SCHEMA_REGISTRY_USERNAME: is required",
            ),
            (
                vec![
                    URL,
                    "--schema-registry-token=hunter2",
                    "--schema-registry-token-file=/x",
                ],
                "RECAP_SCHEMA_REGISTRY_TOKEN: RECAP_SCHEMA_REGISTRY_TOKEN_FILE is given as well",
            ),
            (
                vec![
                    URL,
                    "--schema-registry-token=hunter2",
                    "--schema-registry-username=a",
                    "--schema-registry-password=b",
                ],
                "RECAP_SCHEMA_REGISTRY_TOKEN: is given beside",
            ),
            (
                vec![URL, "--schema-registry-token-file=/nowhere"],
                "RECAP_SCHEMA_REGISTRY_TOKEN_FILE: names a file",
            ),
            (
                vec![URL, "--schema-registry-ca-file=/nowhere"],
                "RECAP_SCHEMA_REGISTRY_CA_FILE: /nowhere cannot be read",
            ),
        ] {
            let mistakes = read(&arguments).unwrap_err().join("\n");
            assert!(mistakes.contains(named), "{named} is not in: {mistakes}");
            assert!(!mistakes.contains("hunter2"), "{mistakes}");
        }
    }
}
