//! An Apache Kafka that wants to know who asks, as managed ones do: every way in, from every program.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use recap_generator::{Config, Log, Record};
use recap_testing::{KafkaAccess, LIMIT, OidcProvider, PASSWORD, SCRAM_PASSWORD};
use tempfile::{NamedTempFile, TempDir};

use crate::{RECAP, secured::Secured, services::start_projector};

fn records(seed: u64) -> Vec<Record> {
    Log::new(Config::small(seed, 300)).iter().collect()
}

fn properties(text: &str) -> Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// A projector at this listener with these flags makes the rows that the events are.
async fn projects(secured: &'static Secured, listener: &str, flags: &[String]) -> Result<()> {
    let world = secured.world("secured").await;
    let records = records(31);
    world.publish(&records).await;
    let servers = secured.kafka.listener(listener).context("listener")?;
    let servers = format!("--kafka-bootstrap-servers={servers}");
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain([servers.as_str()]).collect();
    let mut projector = start_projector(&world, &flags).await?;
    world.caught_up(LIMIT).await;
    world.database.assert_equals_fold(&records).await;
    projector.stop();
    projector.wait().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn by_password_in_plain() -> Result<()> {
    let secured = Secured::shared().await?;
    let files = secured.files()?;
    let password = PASSWORD.replace('"', "\\\"");
    let options = format!(
        "--kafka-options=security.protocol=SASL_SSL,ssl.ca.location={},sasl.mechanism=PLAIN,sasl.username=recap,sasl.password=\"{password}\"",
        files.path().join("ca.pem").display()
    );
    projects(secured, KafkaAccess::SASL_SSL, &[options]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn by_scram_as_javas_own_tools_are_configured() -> Result<()> {
    let secured = Secured::shared().await?;
    let files = secured.files()?;
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let file = properties(&format!(
            "# As for kafka-topics.sh --command-config\nsecurity.protocol=SASL_SSL\nsasl.mechanism={mechanism}\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n  username=\"recap\" \\\n  \
             password='{SCRAM_PASSWORD}';\nssl.truststore.type=PEM\nssl.truststore.location={}\n",
            files.path().join("ca.pem").display()
        ))?;
        let flag = format!("--kafka-options-file={}", file.path().display());
        projects(secured, KafkaAccess::SASL_SSL, &[flag]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_certificate_of_the_clients_own() -> Result<()> {
    let secured = Secured::shared().await?;
    let files = secured.files()?;
    let path = |name: &str| files.path().join(name).display().to_string();
    let native = format!(
        "security.protocol=SSL\nssl.ca.location={}\nssl.certificate.location={}\nssl.key.location={}\n",
        path("ca.pem"),
        path("client.pem"),
        path("client.key")
    );
    let java = format!(
        "security.protocol=SSL\nssl.truststore.location={}\nssl.keystore.type=PEM\nssl.keystore.location={}\n",
        path("ca.pem"),
        path("both.pem")
    );
    for text in [native, java] {
        let file = properties(&text)?;
        let flag = format!("--kafka-options-file={}", file.path().display());
        projects(secured, KafkaAccess::SSL, &[flag]).await?;
    }
    Ok(())
}

fn oauth(secured: &Secured, files: &TempDir, secret: &str) -> String {
    format!(
        "security.protocol=SASL_SSL\nssl.ca.location={}\nsasl.mechanism=OAUTHBEARER\nsasl.oauthbearer.method=oidc\n\
         sasl.oauthbearer.client.id={}\nsasl.oauthbearer.client.secret={secret}\nsasl.oauthbearer.scope=kafka\n\
         sasl.oauthbearer.token.endpoint.url={}\n",
        files.path().join("ca.pem").display(),
        OidcProvider::CLIENT_ID,
        secured.access.oidc.token_url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tokens_of_a_provider() -> Result<()> {
    let secured = Secured::shared().await?;
    let files = secured.files()?;
    let file = properties(&oauth(secured, &files, OidcProvider::CLIENT_SECRET))?;
    let flag = format!("--kafka-options-file={}", file.path().display());
    let before = secured.access.oidc.tokens();
    projects(secured, KafkaAccess::OAUTH, &[flag]).await?;
    ensure!(secured.access.oidc.tokens() > before, "nobody asked for a token");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_tool() -> Result<()> {
    let secured = Secured::shared().await?;
    let files = secured.files()?;
    let file = properties(&format!(
        "security.protocol=SASL_SSL\nssl.ca.location={}\nsasl.mechanism=SCRAM-SHA-512\nsasl.username=recap\nsasl.password={SCRAM_PASSWORD}\n",
        files.path().join("ca.pem").display()
    ))?;
    let world = secured.world("tool").await;
    let records = records(32);
    world.publish(&records).await;
    let flag = format!("--kafka-options-file={}", file.path().display());
    let servers = secured.kafka.listener(KafkaAccess::SASL_SSL).context("listener")?;
    let mut projector = start_projector(&world, &[&flag, &format!("--kafka-bootstrap-servers={servers}")]).await?;
    world.caught_up(LIMIT).await;
    let archive = tempfile::tempdir()?;
    let archive = archive.path().display().to_string();
    for arguments in [
        &["events", "--to=kafka", "--events=10"][..],
        &["archive", &archive],
        &["rebuild"],
        &["dead-letters", "list"],
    ] {
        let mut command = world.command(RECAP);
        command
            .env("KAFKA_BOOTSTRAP_SERVERS", &servers)
            .env("RECAP_KAFKA_OPTIONS_FILE", file.path())
            .args(arguments);
        let output = tokio::time::timeout(LIMIT, command.output()).await??;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
    }
    world.database.assert_equals_fold(&records).await;
    projector.stop();
    projector.wait().await?;
    Ok(())
}

/// A connection that is refused says so, and shows no secret.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_hears_why() -> Result<()> {
    let secured = Secured::shared().await?;
    let files = secured.files()?;
    let ca = files.path().join("ca.pem");
    let ca = ca.display();
    let scram =
        |more: &str| format!("security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\nsasl.username=recap\n{more}");
    for (listener, options, words) in [
        (
            KafkaAccess::SASL_SSL,
            scram(&format!("sasl.password=hunter2\nssl.ca.location={ca}\n")),
            "Authentication failed",
        ),
        (
            KafkaAccess::SASL_SSL,
            scram(&format!("sasl.password={SCRAM_PASSWORD}\n")),
            "certificate verify failed",
        ),
        (
            KafkaAccess::SSL,
            format!("security.protocol=SSL\nssl.ca.location={ca}\n"),
            "bad certificate",
        ),
        (KafkaAccess::OAUTH, oauth(secured, &files, "hunter2"), "401"),
    ] {
        let world = secured.world("refused").await;
        let file = properties(&options)?;
        let mut command = world.command(RECAP);
        command
            .env(
                "KAFKA_BOOTSTRAP_SERVERS",
                secured.kafka.listener(listener).context("listener")?,
            )
            .env("RECAP_KAFKA_OPTIONS_FILE", file.path())
            .args(["dead-letters", "list"]);
        let output = tokio::time::timeout(LIMIT, command.output()).await??;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(!output.status.success(), "{options}");
        ensure!(errors.contains(words), "{words} is not in: {errors}");
        ensure!(
            !errors.contains("hunter2") && !errors.contains(SCRAM_PASSWORD),
            "{errors}"
        );
    }
    Ok(())
}
