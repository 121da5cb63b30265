//! A Kafka with access control: what is not allowed is named, in readiness and by the tool, and what `deploy/kafka/acls.txt` lists is
//! enough.

use anyhow::{Context as _, Result, ensure};
use recap_generator::{Config, Log, Record};
use recap_projector::RunningProjector;
use recap_testing::{
    Acl,
    AclOperation::{Read, Write},
    AclResource::{self, Group, Topic},
    KafkaAccess, LIMIT, PASSWORD, eventually,
};

use crate::{RECAP, secured::Secured, services::start_projector};

async fn readiness(projector: &RunningProjector, expected: impl Fn(Option<&str>) -> bool) {
    let ask = async || projector.health().not_ready();
    eventually("readiness", LIMIT, ask, |said| expected(said.as_deref())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_named_until_it_is() -> Result<()> {
    let secured = Secured::shared().await?;
    let world = secured.world("rights").await;
    let kafka = &secured.kafka;
    kafka.topic(&world.log.dead_letters(), 1).await?;
    let prefix = world.log.name("");
    let rule = |user: &'static str, operation, resource: AclResource, prefix: &'static str| Acl {
        user,
        operation,
        resource,
        prefix,
    };
    // From now on only who is named may.
    let prefix: &'static str = prefix.leak();
    let dead_letters: &'static str = world.log.dead_letters().leak();
    kafka.allow(rule("other", Read, Topic, prefix)).await?;
    kafka.allow(rule("other", Read, Group, prefix)).await?;

    let records: Vec<Record> = Log::new(Config::small(33, 300)).iter().collect();
    world.publish(&records).await;
    let files = secured.files()?;
    let options = format!(
        "security.protocol=SASL_SSL,ssl.ca.location={},sasl.mechanism=PLAIN,sasl.username=recap,sasl.password=\"{}\"",
        files.path().join("ca.pem").display(),
        PASSWORD.replace('"', "\\\"")
    );
    let servers = kafka.listener(KafkaAccess::SASL_SSL).context("listener")?;
    let flags = [
        format!("--kafka-options={options}"),
        format!("--kafka-bootstrap-servers={servers}"),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut projector = start_projector(&world, &flags).await?;
    let messages = world.log.name("recap.messages");
    let topic = format!("READ on topic `{messages}` is not allowed");
    let group = format!("READ on group `{}` is not allowed", world.log.group());
    let letters = format!("WRITE on topic `{dead_letters}` is not allowed");
    let says = |said: Option<&str>, words: &str| said.is_some_and(|said| said.contains(words));
    readiness(&projector, |said| says(said, &topic) && says(said, &group)).await;

    let tool = async |arguments: &[&str]| {
        let mut command = world.command(RECAP);
        command
            .env("KAFKA_BOOTSTRAP_SERVERS", &servers)
            .env("RECAP_KAFKA_OPTIONS", &options)
            .args(arguments);
        tokio::time::timeout(LIMIT, command.output()).await
    };
    let archive = tempfile::tempdir()?;
    let directory = archive.path().display().to_string();
    for (arguments, words) in [
        (&["archive", &directory][..], "READ on topic"),
        (&["dead-letters", "list"], "READ on topic"),
        (&["rebuild"], "READ on topic"),
    ] {
        let output = tool(arguments).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success() && said.contains(words),
            "{arguments:?}: {said}"
        );
    }

    kafka.allow(rule("recap", Read, Topic, prefix)).await?;
    readiness(&projector, |said| says(said, &group) && !says(said, &topic)).await;
    kafka.allow(rule("recap", Read, Group, prefix)).await?;
    world.caught_up(LIMIT).await;
    world.database.assert_equals_fold(&records).await;
    readiness(&projector, |said| said.is_none()).await;

    let bad = recap_testing::Record::new(&messages, "k", "not an event");
    kafka.publish(&[bad]).await?;
    readiness(&projector, |said| says(said, &letters)).await;
    ensure!(world.lag().await > 0, "the offset moved over a letter that nobody has");
    kafka.allow(rule("recap", Write, Topic, dead_letters)).await?;
    world.caught_up(LIMIT).await;
    readiness(&projector, |said| said.is_none()).await;
    let output = tool(&["rebuild"]).await??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    projector.stop();
    projector.wait().await?;
    Ok(())
}
