//! Tokens whose signature was verified a moment ago, and turns for those whose signature was not.
//!
//! A page asks with one token until it expires, a minute later. To verify it once leaves the processor to those whose tokens are new, and a flood
//! of wrong signatures occupies a part of it only.

use std::{sync::Arc, thread};

use moka::sync::Cache;
use recap_service::clock;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{claims::Identity, keys::Key};

/// Tokens that are remembered: some MB.
const REMEMBERED: u64 = 10_000;
/// Tokens that wait to be verified, each for some 50 µs.
const WAITING: usize = 1_024;

/// What is remembered is found by token and key: a key that is no longer published takes its tokens along.
type Digest = [u8; 32];

#[derive(Clone)]
struct Verified {
    identity: Identity,
    /// Unix seconds.
    expires: f64,
}

/// Tokens that have been verified.
pub(super) struct VerifiedTokens(Cache<Digest, Arc<Verified>>);

impl VerifiedTokens {
    pub(super) fn new() -> Self {
        Self(Cache::new(REMEMBERED))
    }

    /// Who this token speaks for, when it was verified with this key and has not expired more than `leeway` seconds ago.
    pub(super) fn identity(&self, token: &str, key: &Key, leeway: u32) -> Option<Identity> {
        let digest = digest(token, key);
        let verified = self.0.get(&digest)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of this age are exact in a double"
        )]
        let now = clock::unix_millis() as f64 / 1000.0;
        if now.floor() <= verified.expires + f64::from(leeway) {
            Some(verified.identity.clone())
        } else {
            self.0.invalidate(&digest);
            None
        }
    }

    /// Remembers a token with which everything is right.
    pub(super) fn keep(&self, token: &str, key: &Key, identity: &Identity, expires: f64) {
        let verified = Verified {
            identity: identity.clone(),
            expires,
        };
        self.0.insert(digest(token, key), Arc::new(verified));
    }
}

fn digest(token: &str, key: &Key) -> Digest {
    blake3::Hasher::new_keyed(&key.fingerprint)
        .update(token.as_bytes())
        .finalize()
        .into()
}

/// Bounds on verifying.
pub(super) struct Verifying {
    turns: Semaphore,
    waiting: Semaphore,
}

impl Verifying {
    /// As many at a time as leave half of the processors to others.
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self {
            turns: Semaphore::new((processors / 2).max(1)),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// Waits for its turn, first come, first served; none when too many do.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        let _waiting = self.waiting.try_acquire().ok()?;
        self.turns.acquire().await.ok()
    }
}
