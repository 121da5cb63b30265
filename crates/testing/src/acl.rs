//! Rules of access control, made in Kafka's own protocol: librdkafka's binding cannot make any.

use std::io;

use crate::wire::{ask, check, string};

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclResource {
    /// A topic.
    Topic = 2,
    /// A consumer group.
    Group = 3,
}

/// What a rule allows. Reading and writing contain describing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AclOperation {
    /// Reading records, or joining a group and committing.
    Read = 3,
    /// Writing records.
    Write = 4,
}

/// Allows a principal an operation on everything whose name begins so.
#[derive(Debug, Clone, Copy)]
pub struct Acl<'a> {
    /// Who, as `recap`.
    pub user: &'a str,
    /// What.
    pub operation: AclOperation,
    /// On what.
    pub resource: AclResource,
    /// The beginning of its name.
    pub prefix: &'a str,
}

impl Acl<'_> {
    /// Makes the rule at a listener where its maker may do everything.
    pub(crate) async fn create(&self, broker: &str) -> io::Result<()> {
        // CreateAcls, version 1, correlation id, no client id; one rule.
        let mut request = vec![0, 30, 0, 1, 0, 0, 0, 1, 255, 255, 0, 0, 0, 1];
        request.push(self.resource as u8);
        string(&mut request, self.prefix);
        // Prefixed.
        request.push(4);
        string(&mut request, &format!("User:{}", self.user));
        string(&mut request, "*");
        request.push(self.operation as u8);
        // Allowed.
        request.push(3);
        // Correlation id, throttle time, one result: its error code.
        check(&ask(broker, &request).await?, 4 + 4 + 4)
    }
}
