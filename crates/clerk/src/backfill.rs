//! Publishes every profile of a Clerk instance, then compares the topic of users with the instance and repairs what differs.
//!
//! Memberships are read in pages, the oldest first. Of each page the users are read, then the memberships again: the user comes before the
//! membership (see the crate's documentation). While pages are read people join and leave, so a page may miss some that moved; and some
//! left before the bridge was there. The comparison at the end finds both: who is a member without a profile, and who has one without
//! being a member.

mod reconcile;
mod state;

use std::{collections::HashMap, io, path::PathBuf};

use recap_service::{backoff::Backoff, random};
use recap_telemetry::{ClerkMetrics, MetricsRegistry};
use state::State;

use crate::{
    ApiError, BackfillSettings, ServeError,
    api::USERS_BY_ID,
    bridge::{Bridge, BridgeError},
    object::{Membership, User},
    profile_event::{NoTime, ProfileEvent},
    serve::bridge,
};

/// As many as there may be users in one question.
const PAGE: u32 = 100;
const _: () = assert!(PAGE as usize <= USERS_BY_ID);

/// Hears how a backfill gets on.
pub trait Observer {
    /// It goes on from this many memberships.
    fn resumed(&self, memberships: u64);
    /// This many of so many memberships are published.
    fn published(&self, memberships: u64, of: u64);
    /// The topic is compared with Clerk; so many profiles are repaired so far.
    fn comparing(&self, repaired: u64);
}

/// What a backfill did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Events that Kafka acknowledged, those of earlier attempts not included.
    pub events: u64,
    /// Members whose profile was missing and profiles that were no member's, after the pages.
    pub repaired: u64,
}

/// Why a backfill ended early. Starting it again goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    /// A client cannot be made.
    #[error(transparent)]
    Start(#[from] ServeError),
    /// The state file is of no use.
    #[error("RECAP_CLERK_STATE {path}: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The state file is of another backfill.
    #[error(
        "RECAP_CLERK_STATE {path} is of a backfill of {of}: finish that one, name another file, or remove it to begin anew"
    )]
    OtherState {
        /// The file.
        path: PathBuf,
        /// Which instance and topic it is of.
        of: String,
    },
    /// Clerk refuses.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Clerk has a time that recap cannot hold.
    #[error(transparent)]
    NoTime(#[from] NoTime),
    /// The comparison would erase much, as with the key of another instance.
    #[error(
        "{over} of {shown} profiles belong to no member of this instance and would be erased: is CLERK_SECRET_KEY the right instance's? \
         If they are to be erased, --erase-many does it"
    )]
    TooMuchToErase {
        /// Profiles without a membership.
        over: usize,
        /// Profiles that the bridge published.
        shown: usize,
    },
}

/// Reads everything. Kafka and Clerk are waited for.
pub async fn backfill(
    settings: &BackfillSettings,
    registry: &MetricsRegistry,
    observer: &dyn Observer,
) -> Result<Report, BackfillError> {
    let bridge = bridge(&settings.common, ClerkMetrics::new(&registry.meter()))?;
    let path = &settings.state;
    let failed = |source| BackfillError::State {
        path: path.clone(),
        source,
    };
    let of = format!("{} into {}", settings.common.api_url, settings.common.topic);
    let mut state = match state::load(path).map_err(failed)? {
        Some(state) if state.of != of => {
            return Err(BackfillError::OtherState {
                path: path.clone(),
                of: state.of,
            });
        }
        Some(state) => {
            observer.resumed(state.offset);
            state
        }
        None => State {
            name: format!("backfill-{}", random::sortable_id().simple()),
            of,
            offset: 0,
        },
    };
    // Before anything is read: a file that cannot be written is told at once.
    state::save(path, &state).map_err(failed)?;
    let mut report = Report::default();
    loop {
        let page = bridge.api.membership_page(state.offset, PAGE).await?;
        let Ok(read) = u64::try_from(page.data.len()) else {
            break;
        };
        if read == 0 {
            break;
        }
        report.events += publish_page(&bridge, &state, &page.data).await?;
        state.offset += read;
        state::save(path, &state).map_err(failed)?;
        observer.published(state.offset, page.total_count.max(state.offset));
    }
    reconcile::reconcile(&bridge, &state.name, settings.erase_many, &mut report, observer).await?;
    state::remove(path).map_err(failed)?;
    Ok(report)
}

/// Publishes the profiles of one page; how many.
async fn publish_page(bridge: &Bridge, state: &State, page: &[Membership]) -> Result<u64, BackfillError> {
    let mut ids: Vec<&str> = page.iter().filter_map(Membership::user_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let users = bridge.api.users(&ids).await?;
    let users: HashMap<&str, &User> = users.iter().map(|user| (user.id.as_str(), user)).collect();
    let again = bridge.api.membership_page(state.offset, PAGE).await?;
    let mut events = Vec::with_capacity(again.data.len());
    for membership in &again.data {
        // Who is missing was deleted, or moved here since the users were read: the comparison finds the latter.
        if let Some(user) = membership.user_id().and_then(|id| users.get(id)) {
            events.push(ProfileEvent::upserted(user, membership, &state.name, bridge.shape)?);
        }
    }
    let published = events.len() as u64;
    persist(async || bridge.publish(events.clone()).await).await?;
    Ok(published)
}

/// Tries for as long as Kafka is away.
async fn persist<T>(attempt: impl AsyncFn() -> Result<T, BridgeError>) -> Result<T, BackfillError> {
    let mut backoff = Backoff::new();
    loop {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(BridgeError::Api(error)) => return Err(error.into()),
            Err(BridgeError::NoTime(error)) => return Err(error.into()),
            Err(error @ (BridgeError::Kafka(_) | BridgeError::Directory(_))) => {
                tracing::warn!("{error}; trying again");
                backoff.wait().await;
            }
        }
    }
}
