//! Whether Kafka may have removed records from the middle of the log: of a compacted topic the first offset says nothing.

use std::time::Duration;

use rdkafka::{
    admin::{AdminClient, AdminOptions, OwnedResourceSpecifier, ResourceSpecifier},
    client::DefaultClientContext,
    error::RDKafkaErrorCode,
};
use recap_log::Log;

use crate::ReplayError;

const CLEANUP_POLICY: &str = "cleanup.policy";
const TIMEOUT: Duration = Duration::from_secs(10);

/// Refuses if a topic is compacted, unless an archive stands in for what is gone.
pub(super) async fn check(log: &Log, is_archived: bool) -> Result<(), ReplayError> {
    if is_archived {
        return Ok(());
    }
    let compacted = match compacted(log).await {
        Ok(compacted) => compacted,
        // Whoever may read a topic need not be allowed to read its configuration.
        Err(reason) => {
            tracing::warn!(reason, "cannot ask whether topics are compacted; assuming none is");
            return Ok(());
        }
    };
    if compacted.is_empty() {
        Ok(())
    } else {
        Err(ReplayError::Compacted(compacted))
    }
}

async fn compacted(log: &Log) -> Result<Vec<String>, String> {
    let admin: AdminClient<DefaultClientContext> = log.cluster.client().create().map_err(|error| error.to_string())?;
    let topics = log.topics.iter();
    let topics: Vec<ResourceSpecifier<'_>> = topics.map(|topic| ResourceSpecifier::Topic(topic)).collect();
    let options = AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT));
    let described = admin
        .describe_configs(&topics, &options)
        .await
        .map_err(|error| error.to_string())?;
    let mut compacted = Vec::new();
    for topic in described {
        let topic = match topic {
            Ok(topic) => topic,
            // A topic that does not exist has lost nothing.
            Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                continue;
            }
            Err(code) => return Err(code.to_string()),
        };
        let policy = topic.get(CLEANUP_POLICY).and_then(|entry| entry.value.as_deref());
        if let (OwnedResourceSpecifier::Topic(name), true) = (&topic.specifier, policy.is_some_and(compacts)) {
            compacted.push(name.clone());
        }
    }
    Ok(compacted)
}

/// `delete`, `compact`, or both.
fn compacts(policy: &str) -> bool {
    policy.split(',').any(|part| part.trim() == "compact")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_a_list() {
        for policy in ["compact", "compact,delete", "delete, compact"] {
            assert!(compacts(policy), "{policy}");
        }
        for policy in ["delete", "", "none"] {
            assert!(!compacts(policy), "{policy}");
        }
    }
}
