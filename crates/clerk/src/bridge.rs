//! What each webhook does: which objects are read, in which order, and which events become of them.
//!
//! | webhook | read | published |
//! | --- | --- | --- |
//! | `user.created`, `user.updated` | the memberships | the profile in each organization |
//! | `organizationMembership.created`, `.updated` | the user, then the memberships | the profile in that organization |
//! | `organizationMembership.deleted` | nothing | its erasure |
//! | `user.deleted`, `organization.deleted` | the topic of users to its end | the erasure of every profile it shows |
//!
//! A webhook is a hint that something changed; what there is now is asked for, so webhooks may come late, twice and in any order. The
//! answers are not cached: the order key tells the last state only when memberships are read after the webhook came.

use rdkafka::error::KafkaError;

use crate::{
    api::{Api, ApiError},
    directory::Known,
    follower::{Follower, NotCaughtUp},
    object::{Membership, User},
    profile_event::{Cause, NoTime, ProfileEvent, Shape},
    sender::{NotAcknowledged, Sender},
    webhook::Webhook,
};

/// Why a webhook has to come again, or is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BridgeError {
    #[error("Kafka: {0}")]
    Kafka(#[from] NotAcknowledged),
    #[error(transparent)]
    Directory(#[from] NotCaughtUp),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    NoTime(#[from] NoTime),
}

/// The parts that handle webhooks, and the repairs of a backfill.
pub(crate) struct Bridge {
    pub api: Api,
    pub sender: Sender,
    pub follower: Follower,
    pub shape: Shape,
}

/// A client that Kafka's options do not allow to be made.
#[derive(Debug, thiserror::Error)]
#[error("the Kafka client cannot be made: {0}")]
pub struct NoClient(#[from] pub KafkaError);

impl Bridge {
    /// Returns when Kafka has acknowledged everything that the webhook leads to; how many events that were.
    pub async fn handle(&self, cause: Cause<'_>, webhook: Webhook) -> Result<usize, BridgeError> {
        match webhook {
            Webhook::Ignored => Ok(0),
            Webhook::User(user) => self.publish_user(&user, None, cause).await,
            Webhook::Membership { org_id, user_id } => self.refresh(&user_id, Some(&org_id), cause).await,
            Webhook::MembershipDeleted { org_id, user_id, at } => {
                let erasure = ProfileEvent::deleted(&org_id, &user_id, at, cause)?;
                self.publish(vec![erasure]).await
            }
            Webhook::UserDeleted { user_id, at } => {
                self.follower.catch_up().await?;
                let known = self.follower.directory().of_user(&user_id);
                self.erase(&known, at, cause).await
            }
            Webhook::OrganizationDeleted { org_id, at } => {
                self.follower.catch_up().await?;
                let known = self.follower.directory().in_organization(&org_id);
                self.erase(&known, at, cause).await
            }
        }
    }

    /// Publishes the profile of a user as it is now, in one organization or in all; and erases what is there of memberships that are gone.
    pub async fn refresh(&self, user_id: &str, org_id: Option<&str>, cause: Cause<'_>) -> Result<usize, BridgeError> {
        match self.api.user(user_id).await? {
            Some(user) => self.publish_user(&user, org_id, cause).await,
            None => self.erase_ended(user_id, org_id, cause).await,
        }
    }

    async fn publish_user(&self, user: &User, org_id: Option<&str>, cause: Cause<'_>) -> Result<usize, BridgeError> {
        let memberships = self.api.memberships(&user.id).await?;
        let is_concerned = |id: &str| org_id.is_none_or(|org_id| org_id == id);
        let concerned = memberships
            .iter()
            .filter(|membership| is_concerned(&membership.organization.id));
        let profile = |membership: &Membership| ProfileEvent::upserted(user, membership, cause, self.shape);
        let events = concerned.map(profile).collect::<Result<Vec<_>, _>>()?;
        let known = self.follower.directory().of_user(&user.id);
        // A deletion looks for the profiles in the topic: one that came before this profile was there has not found it.
        let is_new = |event: &ProfileEvent| known.iter().all(|known| *known.org_id != *event.org_id);
        let has_ended = |known: &Known| events.iter().all(|event| *event.org_id != *known.org_id);
        let look_again = events.iter().any(is_new)
            || known
                .iter()
                .any(|known| is_concerned(&known.org_id) && has_ended(known));
        let published = self.publish(events).await?;
        if !look_again {
            return Ok(published);
        }
        Ok(published + self.erase_ended(&user.id, org_id, cause).await?)
    }

    /// Erases the profiles of a user that the bridge published and whose membership is over.
    pub async fn erase_ended(
        &self,
        user_id: &str,
        org_id: Option<&str>,
        cause: Cause<'_>,
    ) -> Result<usize, BridgeError> {
        self.follower.catch_up().await?;
        let mut known = self.follower.directory().of_user(user_id);
        known.retain(|known| known.ours && org_id.is_none_or(|org_id| org_id == &*known.org_id));
        if known.is_empty() {
            return Ok(0);
        }
        // Asked for after the topic was read: who has come back since then is erased at a time before that.
        let memberships = self.api.memberships(user_id).await?;
        let has_ended = |known: &&Known| {
            memberships
                .iter()
                .all(|membership| *membership.organization.id != *known.org_id)
        };
        let erasure = |known: &Known| ProfileEvent::deleted_after(&known.org_id, user_id, known.time, cause);
        let erasures = known.iter().filter(has_ended).map(erasure).collect::<Result<_, _>>()?;
        self.publish(erasures).await
    }

    async fn erase(&self, known: &[Known], at: i64, cause: Cause<'_>) -> Result<usize, BridgeError> {
        let erasure = |known: &Known| {
            // Another producer's clock may be ahead.
            let at = at.max(known.time.to_millis().0);
            ProfileEvent::deleted(&known.org_id, &known.user_id, at, cause)
        };
        self.publish(known.iter().map(erasure).collect::<Result<_, _>>()?).await
    }

    pub async fn publish(&self, events: Vec<ProfileEvent>) -> Result<usize, BridgeError> {
        self.sender.send(&events).await?;
        Ok(events.len())
    }
}
