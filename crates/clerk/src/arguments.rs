//! What an operator may set, and how it becomes settings: every mistake is named at once.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use recap_log::{Cluster, KafkaArgs, Topic, is_topic_name};
use recap_service::{
    config::{Given, InvalidConfig, Mistakes, Reader, address, http_url, number, text},
    secret::Secret,
};
use secrecy::SecretString;

use crate::{
    metadata::MetadataSource,
    profile_event::{MAX_REVISION, Shape},
    signature::SigningSecrets,
};

/// What both commands need.
#[derive(Debug, Clone, Args)]
struct CommonArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Topic of the users' events, one of the projectors' `RECAP_TOPICS`
    #[arg(long, env = "RECAP_USERS_TOPIC", value_name = "NAME", default_value = Topic::Users.name(), value_parser = topic(), help_heading = "Kafka")]
    users_topic: Given<String>,
    /// Secret key of the Clerk instance, `sk_…`: users and memberships are read with it
    #[arg(long, env = "CLERK_SECRET_KEY", hide_env_values = true, value_name = "KEY", value_parser = Reader::new(given), help_heading = "Clerk")]
    clerk_secret_key: Option<Given<Option<Secret>>>,
    /// File that holds that key, in place of it; read at each request
    #[arg(long, env = "CLERK_SECRET_KEY_FILE", value_name = "FILE", value_parser = file(|_| Ok(())), help_heading = "Clerk")]
    clerk_secret_key_file: Option<Given<Option<Secret>>>,
    /// Clerk's Backend API
    #[arg(long, env = "CLERK_API_URL", value_name = "URL", default_value = "https://api.clerk.com", value_parser = http_url(), help_heading = "Clerk")]
    clerk_api_url: Given<String>,
    /// Whose public metadata a profile shows: `membership` is what one organization says of a person and never shown in another, `user` is the
    /// same in all of them, `merged` is both, where of equal keys the membership's counts
    #[arg(long, env = "RECAP_CLERK_METADATA", value_name = "WHOSE", default_value = "membership", value_parser = Reader::new(MetadataSource::parse), help_heading = "Profiles")]
    clerk_metadata: Given<MetadataSource>,
    /// To be raised by one when the setting above changes, before a backfill: the profiles of users who did not change are published anew
    #[arg(long, env = "RECAP_CLERK_REVISION", value_name = "NUMBER", default_value = "0", value_parser = number::<u16>().at_most(MAX_REVISION), help_heading = "Profiles")]
    clerk_revision: Given<u16>,
}

/// Everything that can be set for `recap clerk serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Signing secrets of the webhook endpoint, `whsec_…`, comma separated: the old and the new one while they are rotated
    #[arg(long, env = "CLERK_WEBHOOK_SECRETS", hide_env_values = true, value_name = "SECRETS", value_parser = Reader::new(signing_secrets), help_heading = "Clerk")]
    clerk_webhook_secrets: Option<Given<Option<Secret>>>,
    /// File that holds them, in place of them, one a line; read at each webhook
    #[arg(long, env = "CLERK_WEBHOOK_SECRETS_FILE", value_name = "FILE", value_parser = file(SigningSecrets::check), help_heading = "Clerk")]
    clerk_webhook_secrets_file: Option<Given<Option<Secret>>>,
    #[command(flatten)]
    common: CommonArgs,
    /// Address of `/webhooks/clerk`
    #[arg(long, env = "RECAP_HTTP_ADDR", value_name = "ADDR", default_value = "0.0.0.0:8081", value_parser = address(), help_heading = "HTTP")]
    http_addr: Given<SocketAddr>,
    /// Address of `/livez`, `/readyz` and `/metrics`, which are nowhere else
    #[arg(long, env = "RECAP_ADMIN_ADDR", value_name = "ADDR", default_value = "0.0.0.0:9093", value_parser = address(), help_heading = "HTTP")]
    admin_addr: Given<SocketAddr>,
}

/// Everything that can be set for `recap clerk backfill`.
#[derive(Debug, Clone, Args)]
pub struct BackfillArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Remembers how far the backfill is, so that one that was interrupted goes on there; removed at the end
    #[arg(long, env = "RECAP_CLERK_STATE", value_name = "FILE", default_value = "recap-clerk-backfill.json", value_parser = text())]
    state: Given<String>,
    /// Also erase more than a tenth of the profiles, where they are no members of this instance
    #[arg(long)]
    erase_many: bool,
}

/// What both commands work with.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub cluster: Cluster,
    pub topic: String,
    pub secret_key: Secret,
    pub api_url: String,
    pub shape: Shape,
}

/// The settings of `recap clerk serve`, all of them valid.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    pub(crate) common: Common,
    pub(crate) secrets: SigningSecrets,
    pub(crate) http_addr: SocketAddr,
    pub(crate) admin_addr: SocketAddr,
}

/// The settings of `recap clerk backfill`, all of them valid.
#[derive(Debug, Clone)]
pub struct BackfillSettings {
    pub(crate) common: Common,
    pub(crate) state: PathBuf,
    pub(crate) erase_many: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "a reader may refuse")]
fn given(text: &str) -> Result<Option<Secret>, String> {
    Ok((!text.is_empty()).then(|| Secret::Given(text.into())))
}

fn signing_secrets(text: &str) -> Result<Option<Secret>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    SigningSecrets::check(text)?;
    given(text)
}

fn file(check: fn(&str) -> Result<(), String>) -> Reader<Option<Secret>> {
    Reader::new(move |path| {
        if path.is_empty() {
            return Ok(None);
        }
        let secret = Secret::File(path.into());
        secret.check(check)?;
        Ok(Some(secret))
    })
}

fn topic() -> Reader<String> {
    Reader::new(|name| {
        if is_topic_name(name) {
            Ok(name.to_owned())
        } else {
            Err("must be the name of a topic".to_owned())
        }
    })
}

/// One of a secret and its file; an empty value is none.
fn one_of(mistakes: &mut Mistakes, name: &str, what: &str, given: [Option<&Given<Option<Secret>>>; 2]) -> Secret {
    let [here, file] = given.map(|given| given.and_then(|given| mistakes.take(given)));
    match (here, file) {
        (Some(_), Some(_)) => mistakes.add(format!("{name} and {name}_FILE are both given: one is enough")),
        (Some(secret), None) | (None, Some(secret)) => return secret,
        // One that is given and wrong is a mistake already.
        (None, None) if given_wrong(given) => {}
        (None, None) => mistakes.add(format!("{name} is required: {what}")),
    }
    Secret::Given(SecretString::default())
}

fn given_wrong(given: [Option<&Given<Option<Secret>>>; 2]) -> bool {
    given.iter().flatten().any(|given| matches!(given, Given::Mistake(_)))
}

impl CommonArgs {
    fn read(&self, found: &mut Mistakes) -> Common {
        let key = [&self.clerk_secret_key, &self.clerk_secret_key_file].map(Option::as_ref);
        Common {
            cluster: self.kafka.read(found.list()),
            topic: found.take(&self.users_topic),
            secret_key: one_of(found, "CLERK_SECRET_KEY", "the instance's secret key, sk_…", key),
            api_url: found.take(&self.clerk_api_url),
            shape: Shape {
                metadata: found.take(&self.clerk_metadata),
                revision: found.take(&self.clerk_revision),
            },
        }
    }
}

impl ServeArgs {
    /// The settings.
    ///
    /// # Errors
    /// All mistakes, each with the name of its variable.
    pub fn settings(&self) -> Result<ServeSettings, InvalidConfig> {
        let mut found = Mistakes::default();
        let secrets = [&self.clerk_webhook_secrets, &self.clerk_webhook_secrets_file].map(Option::as_ref);
        let what = "the endpoint's signing secret, whsec_…";
        let settings = ServeSettings {
            secrets: SigningSecrets::new(one_of(&mut found, "CLERK_WEBHOOK_SECRETS", what, secrets)),
            common: self.common.read(&mut found),
            http_addr: found.take_or(&self.http_addr, ([0, 0, 0, 0], 0).into()),
            admin_addr: found.take_or(&self.admin_addr, ([0, 0, 0, 0], 0).into()),
        };
        found.check(settings)
    }
}

impl BackfillArgs {
    /// The settings.
    ///
    /// # Errors
    /// All mistakes, each with the name of its variable.
    pub fn settings(&self) -> Result<BackfillSettings, InvalidConfig> {
        let mut found = Mistakes::default();
        let settings = BackfillSettings {
            common: self.common.read(&mut found),
            state: found.take(&self.state).into(),
            erase_many: self.erase_many,
        };
        found.check(settings)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn read(arguments: &[&str]) -> Result<ServeSettings, InvalidConfig> {
        let all = ["serve"].iter().chain(arguments);
        Command::try_parse_from(all).unwrap().serve.settings()
    }

    #[test]
    fn every_mistake_is_named_at_once_and_no_secret_is_shown() {
        let error = read(&[
            "--clerk-webhook-secrets=whsec_hunter2!",
            "--clerk-api-url=clerk",
            "--clerk-metadata=both",
            "--clerk-revision=999",
            "--users-topic=a b",
            "--admin-addr=here",
        ]);
        let error = error.unwrap_err().to_string();
        for name in [
            "CLERK_WEBHOOK_SECRETS",
            "CLERK_SECRET_KEY is required",
            "CLERK_API_URL",
            "RECAP_CLERK_METADATA",
            "RECAP_CLERK_REVISION",
            "RECAP_USERS_TOPIC",
            "RECAP_ADMIN_ADDR",
            "KAFKA_BOOTSTRAP_SERVERS",
        ] {
            assert!(error.contains(name), "{name} is not in: {error}");
        }
        assert!(
            !error.contains("hunter2") && !error.contains("SECRETS is required"),
            "{error}"
        );
    }

    #[test]
    fn a_secret_is_given_here_or_in_a_file_and_not_in_both() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n").unwrap();
        let file = format!("--clerk-webhook-secrets-file={}", file.path().display());
        let rest = ["--kafka-bootstrap-servers=k:1", "--clerk-secret-key=sk_test_1"];
        assert!(read(&[&rest[..], &[&file]].concat()).is_ok());
        let both = ["--clerk-webhook-secrets=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", &file];
        let error = read(&[&rest[..], &both].concat()).unwrap_err();
        assert!(error.to_string().contains("both given"), "{error}");
        let error = read(&[&rest[..], &["--clerk-webhook-secrets-file=/nowhere"]].concat()).unwrap_err();
        assert_eq!(error.mistakes().len(), 1, "{error}");
    }
}
