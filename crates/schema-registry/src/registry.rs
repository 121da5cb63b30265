//! Schemas by their ids: kept once they are known, waited for until then.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use futures::stream::{self, StreamExt as _};
use moka::future::Cache;
use recap_mapping::{Lookup, Schemas};
use recap_service::backoff::Backoff;
use recap_telemetry::{Meter, SchemaRegistryMetrics};
use tokio::runtime::Handle;

use crate::client::{Answer, RegistryAddress, RegistryClient, Unanswered};

/// Bytes of the texts of all schemas that are kept; what is made of them takes some times as much.
const KEPT_BYTES: u64 = 16 << 20;
/// What a schema counts for beside its texts.
const KEPT_EACH: usize = 256;
/// Lookups at once.
const CONCURRENCY: usize = 8;

/// A schema registry. Clones share what is known.
#[derive(Clone)]
pub struct SchemaRegistry(Arc<Registry>);

struct Registry {
    client: RegistryClient,
    known: Cache<u32, Kept>,
    /// Why it does not answer, and how many lookups wait for it.
    trouble: Mutex<(Option<String>, usize)>,
    metrics: OnceLock<SchemaRegistryMetrics>,
}

#[derive(Clone)]
struct Kept {
    lookup: Arc<Lookup>,
    size: u32,
}

impl fmt::Debug for SchemaRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SchemaRegistry").field(&self.0.client.url()).finish()
    }
}

impl SchemaRegistry {
    /// A registry; it is not asked before a schema is needed.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn at(address: RegistryAddress) -> reqwest::Result<Self> {
        let known = Cache::builder()
            .max_capacity(KEPT_BYTES)
            .weigher(|_, kept: &Kept| kept.size)
            .build();
        Ok(Self(Arc::new(Registry {
            client: RegistryClient::new(address)?,
            known,
            trouble: Mutex::default(),
            metrics: OnceLock::new(),
        })))
    }

    /// Counts from now on, once.
    pub fn observe(&self, meter: &Meter) {
        self.0.metrics.get_or_init(|| SchemaRegistryMetrics::new(meter));
    }

    /// Why lookups wait, while some do.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The schemas of these ids. Waits for as long as the registry is away: whoever has less time drops it.
    pub async fn schemas(&self, ids: impl IntoIterator<Item = u32>) -> Schemas {
        let ids: BTreeSet<u32> = ids.into_iter().collect();
        let lookups = stream::iter(ids).map(|id| async move { (id, self.lookup(id).await) });
        let mut schemas = Schemas::default();
        let mut lookups = lookups.buffer_unordered(CONCURRENCY);
        while let Some((id, lookup)) = lookups.next().await {
            schemas.insert(id, lookup);
        }
        schemas
    }

    /// The same for a thread that may block, with its runtime's help.
    pub fn schemas_blocking(&self, runtime: &Handle, ids: impl IntoIterator<Item = u32>) -> Schemas {
        runtime.block_on(self.schemas(ids))
    }

    async fn lookup(&self, id: u32) -> Arc<Lookup> {
        if let Some(kept) = self.0.known.get(&id).await {
            return kept.lookup;
        }
        // One that is not there may be there later; what is there does not change.
        let missing = Mutex::new(Lookup::missing());
        let found = self.0.known.optionally_get_with(id, async {
            match self.0.fetch(id).await {
                Answer::Schema(text) => Some(Kept {
                    lookup: Arc::new(Lookup::read(&text)),
                    size: u32::try_from(text.size() + KEPT_EACH).unwrap_or(u32::MAX),
                }),
                Answer::TooLarge => Some(Kept {
                    lookup: Arc::new(Lookup::Unusable(
                        "cannot be used: it is larger, or refers to more schemas, than recap reads".to_owned(),
                    )),
                    size: u32::try_from(KEPT_EACH).unwrap_or(u32::MAX),
                }),
                Answer::Missing(why) => {
                    *missing.lock().unwrap_or_else(PoisonError::into_inner) = Lookup::Unusable(why);
                    None
                }
            }
        });
        match found.await {
            Some(kept) => kept.lookup,
            None => Arc::new(missing.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl Registry {
    /// What the registry says, which is asked until it says something.
    async fn fetch(&self, id: u32) -> Answer {
        let mut backoff = Backoff::new();
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            let Unanswered { outcome, why, pause } = match self.client.schema(id).await {
                Ok(answer) => {
                    let outcome = if matches!(answer, Answer::Missing(_)) {
                        "missing"
                    } else {
                        "found"
                    };
                    self.count(outcome);
                    return answer;
                }
                Err(unanswered) => unanswered,
            };
            self.count(outcome);
            tracing::warn!(
                registry = self.client.url(),
                schema = id,
                "the schema registry {why}; asking again, and the records wait"
            );
            waiting.get_or_insert_with(|| Waiting::begin(self)).because(why);
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => backoff.wait().await,
            }
        }
    }

    fn count(&self, outcome: &'static str) {
        if let Some(metrics) = self.metrics.get() {
            metrics.answered(outcome);
        }
    }
}

/// A lookup that waits; over when this is dropped.
struct Waiting<'r>(&'r Registry);

impl<'r> Waiting<'r> {
    fn begin(registry: &'r Registry) -> Self {
        registry.trouble.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
        if let Some(metrics) = registry.metrics.get() {
            metrics.waiting(1);
        }
        Self(registry)
    }

    fn because(&self, why: String) {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(why);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.1 -= 1;
        if trouble.1 == 0 {
            trouble.0 = None;
        }
        if let Some(metrics) = self.0.metrics.get() {
            metrics.waiting(-1);
        }
    }
}
