//! Shares of the database's connections: whoever asks for much leaves some to the others.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shares::Shares;
use crate::auth::Caller;

/// Of all connections for pages and statistics: a caller's share, and an organization's.
const CALLER_SHARE: (usize, usize) = (3, 4);
const ORGANIZATION_SHARE: (usize, usize) = (7, 8);

/// Who may read now.
pub(crate) struct ReadingTurns {
    callers: Shares<(Arc<str>, Arc<str>), Semaphore>,
    organizations: Shares<Arc<str>, Semaphore>,
}

/// The right to a connection; dropping it gives it back.
pub(crate) struct ReadingTurn {
    _caller: OwnedSemaphorePermit,
    _organization: OwnedSemaphorePermit,
}

impl ReadingTurns {
    /// Of so many connections.
    pub(crate) fn new(connections: u32) -> Self {
        let share = |(part, of): (usize, usize)| {
            let connections = (connections as usize * part / of).max(1);
            move || Semaphore::new(connections)
        };
        Self {
            callers: Shares::new(share(CALLER_SHARE)),
            organizations: Shares::new(share(ORGANIZATION_SHARE)),
        }
    }

    /// Waits until the caller, and the organization, has a connection left, but no longer than `queue`.
    pub(crate) async fn turn(&self, caller: &Caller, queue: Duration) -> Option<ReadingTurn> {
        let key = (Arc::clone(caller.org_id()), Arc::clone(caller.user_id()));
        let both = async {
            let own = self.callers.of(&key).acquire_owned().await.ok()?;
            let organization = self.organizations.of(caller.org_id()).acquire_owned().await.ok()?;
            Some(ReadingTurn {
                _caller: own,
                _organization: organization,
            })
        };
        tokio::time::timeout(queue, both).await.ok().flatten()
    }
}
