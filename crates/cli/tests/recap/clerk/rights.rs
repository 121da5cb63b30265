//! What `deploy/kafka/acls.txt` lists for `clerk` is needed, named where it is missing, and enough.

use anyhow::{Context as _, Result, ensure};
use recap_testing::{
    Acl,
    AclOperation::{Read, Write},
    AclResource::Topic,
    KafkaAccess, PASSWORD,
};
use reqwest::StatusCode;
use serde_json::json;

use super::{
    bridge::{Bridge, SECRET},
    stand_in::StandIn,
};
use crate::secured::Secured;

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_names_the_right_that_it_lacks() -> Result<()> {
    let secured = Secured::shared().await?;
    let world = secured.world("bridge").await;
    let topic: &'static str = world.log.name("recap.users").leak();
    let rule = |user, operation| Acl {
        user,
        operation,
        resource: Topic,
        prefix: topic,
    };
    // From now on only who is named may.
    secured.kafka.allow(rule("other", Read)).await?;
    let files = secured.files()?;
    let options = format!(
        "security.protocol=SASL_SSL,ssl.ca.location={},sasl.mechanism=PLAIN,sasl.username=recap,sasl.password=\"{}\"",
        files.path().join("ca.pem").display(),
        PASSWORD.replace('"', "\\\"")
    );
    let servers = secured.kafka.listener(KafkaAccess::SASL_SSL).context("listener")?;
    let clerk = StandIn::start().await?;
    let environment = [
        ("RECAP_KAFKA_OPTIONS", options.as_str()),
        ("KAFKA_BOOTSTRAP_SERVERS", servers.as_str()),
    ];
    let bridge = Bridge::spawn(&world, &clerk, &environment)?;
    bridge.refuses(&format!("READ on topic `{topic}` is not allowed")).await;
    secured.kafka.allow(rule("recap", Read)).await?;
    bridge.becomes_ready().await;
    clerk.put_user("user_1", None, None, json!({}));
    let joined = clerk.put_membership("org_1", "user_1", json!({}));
    let answer = bridge.attempt(&joined, SECRET, 0).await?;
    ensure!(
        answer.status() == StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.status()
    );
    bridge
        .refuses(&format!("WRITE on topic `{topic}` is not allowed"))
        .await;
    secured.kafka.allow(rule("recap", Write)).await?;
    bridge.deliver(&joined).await?;
    bridge.becomes_ready().await;
    Ok(())
}
