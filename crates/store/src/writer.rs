//! Batches become rows.
//!
//! A flush is one transaction:
//!
//! 1. It holds the generation lock shared and makes sure that its generation is live.
//! 2. Entries with an unknown base are merged into what is stored. Those that add nothing are done: a
//!    replay costs reads only.
//! 3. The others are written by one statement per chunk, each row only if it still has the revision its
//!    entry is based on. The statement locks the other rows too.
//! 4. Those others were changed by another writer meanwhile. They are read again (nobody can change
//!    them any more), merged and written. Merging loses nothing, so no update is ever lost.
//! 5. Payloads are written for rows just written, when current in the state just written: so a row that
//!    has a stamp in its state always has that stamp's payload beside it.
//!
//! Entries are changed in place on the way, but only by merging in what others have committed. So after
//! any failure, a lost answer to the commit included, the same batch can be flushed again.

use std::{sync::Mutex, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{
    AssertSqlSafe, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tracing::{Instrument as _, debug_span};

use crate::{
    Base, Batch, Entry, FlushError, GenerationId, OrgBuckets, SchemaError, changes,
    generation::{self, GENERATION_LOCK},
    load::{self, Stored},
    payloads, profiles, schema,
    upsert::{self, Prepared},
};

/// Rows of one statement; beyond this they gain nothing.
const CHUNK_ROWS: usize = 1_000;
/// Bytes of one statement, about: a few conversations with huge texts are a chunk too.
const CHUNK_BYTES: usize = 2 << 20;
/// States read at a time.
const LOAD_ROWS: usize = 2_000;

/// How a [`Writer`] connects.
#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Where: the primary, as the owner of the tables.
    pub database_url: SecretString,
    /// The most connections open at a time; a flush takes one.
    pub max_connections: u32,
    /// How long to wait for a connection.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
}

/// Writes batches. Any number of writers may work on the same conversations at once.
#[derive(Debug)]
pub struct Writer {
    pub(crate) pool: PgPool,
    random: Mutex<StdRng>,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlushReport {
    /// Conversation rows written.
    pub written: u64,
    /// Conversations that needed no write: the row knew everything.
    pub unchanged: u64,
    /// Stored states read before writing.
    pub loaded: u64,
    /// Rows that another writer had changed meanwhile, and were merged.
    pub conflicts: u64,
    /// Tool call and feedback rows written.
    pub payloads: u64,
    /// User and agent profiles written.
    pub profiles: u64,
}

impl Writer {
    /// Prepares a pool of its own. It connects when first used. `seed` makes the revisions, which must
    /// differ between processes and runs: take it from the operating system.
    pub fn new(options: &WriterOptions, seed: [u8; 32]) -> Result<Self, FlushError> {
        let timeout = format!("{}ms", options.statement_timeout.as_millis());
        let connect = options
            .database_url
            .expose_secret()
            .parse::<PgConnectOptions>()?
            .application_name("recap-projector")
            .options([
                ("statement_timeout", timeout.as_str()),
                // A projector that is stopped in a transaction must not hold its rows for ever.
                ("idle_in_transaction_session_timeout", "10s"),
                ("jit", "off"),
                // Lookups by primary key, however young the table's statistics are.
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.max_connections)
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connect);
        Ok(Self {
            pool,
            random: Mutex::new(StdRng::from_seed(seed)),
        })
    }

    /// Whether the database is there and is what this program was built for.
    pub async fn check_schema(&self) -> Result<(), SchemaError> {
        schema::check_schema(&self.pool).await
    }

    /// The live generation.
    pub async fn live_generation(&self) -> Result<GenerationId, FlushError> {
        let mut connection = self.pool.acquire().await?;
        Ok(generation::live(&mut connection).await?)
    }

    /// Connections open, and of those the idle ones.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Closes all connections once they are given back.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Commits a batch to the live generation, which must be `generation`.
    ///
    /// Afterwards the entries are sorted by key, clean, without payloads and based on their rows, and the
    /// profiles are gone from the batch. After an error nothing is written and the batch can be
    /// flushed again.
    pub async fn flush(&self, generation: GenerationId, batch: &mut Batch) -> Result<FlushReport, FlushError> {
        let span = debug_span!(
            "store.flush",
            db.system.name = "postgresql",
            db.operation.batch.size = batch.conversations.len(),
        );
        self.flush_into(generation, Mode::Live, batch).instrument(span).await
    }

    /// Like [`Self::flush`], and writes every row and payload of the batch anew, changed or not.
    pub async fn rewrite(&self, generation: GenerationId, batch: &mut Batch) -> Result<FlushReport, FlushError> {
        let span = debug_span!("store.rewrite", db.system.name = "postgresql");
        self.flush_into(generation, Mode::Rewrite, batch).instrument(span).await
    }

    /// Commits a batch to a generation that is being built.
    pub async fn flush_building(&self, generation: GenerationId, batch: &mut Batch) -> Result<FlushReport, FlushError> {
        let span = debug_span!("store.flush_building", db.system.name = "postgresql");
        self.flush_into(generation, Mode::Building, batch)
            .instrument(span)
            .await
    }

    async fn flush_into(
        &self,
        generation: GenerationId,
        mode: Mode,
        batch: &mut Batch,
    ) -> Result<FlushReport, FlushError> {
        unite_by_key(&mut batch.conversations);
        let begin = format!("BEGIN; SELECT pg_advisory_xact_lock_shared({GENERATION_LOCK})");
        let mut transaction = self.pool.begin_with(AssertSqlSafe(begin)).await?;
        let live = generation::live(&mut transaction).await?;
        if mode != Mode::Building && live != generation {
            return Err(FlushError::GenerationChanged { live });
        }
        let mut flush = Flush {
            mode,
            connection: &mut transaction,
            schema: generation.schema(),
            revisions: vec![None; batch.conversations.len()],
            touched: OrgBuckets::none(),
            report: FlushReport::default(),
            random: self.random(),
        };
        flush.load_unknown(&mut batch.conversations).await?;
        flush.write_conversations(&mut batch.conversations).await?;
        flush.write_profiles(generation, batch).await?;
        let Flush {
            revisions,
            touched,
            report,
            ..
        } = flush;
        if live == generation && !touched.is_empty() {
            changes::notify_organizations(&mut transaction, &touched).await?;
        }
        transaction
            .commit()
            .instrument(debug_span!("store.commit", db.system.name = "postgresql"))
            .await?;
        settle(batch, &revisions);
        Ok(report)
    }

    pub(crate) fn random(&self) -> StdRng {
        let mut random = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        StdRng::from_rng(&mut *random)
    }
}

/// Sorts by key. Should a key be there twice, its deltas become one, based on nothing known.
fn unite_by_key(entries: &mut Vec<Entry>) {
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries.dedup_by(|later, kept| {
        let same = later.key == kept.key;
        if same {
            kept.delta.merge(std::mem::take(&mut later.delta));
            kept.base = Base::Unknown;
        }
        same
    });
}

/// Makes the entries what their committed rows are.
fn settle(batch: &mut Batch, revisions: &[Option<i64>]) {
    for (entry, revision) in batch.conversations.iter_mut().zip(revisions) {
        if let Some(revision) = revision {
            entry.base = Base::Revision(*revision);
        }
        entry.delta.state.mark_clean();
        entry.delta.payloads.clear();
    }
    batch.users.clear();
    batch.agents.clear();
}

/// Where a flush goes and what it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// What changes, into the live generation.
    Live,
    /// Everything, into the live generation.
    Rewrite,
    /// What changes, into any generation.
    Building,
}

/// A flush under way.
struct Flush<'t> {
    mode: Mode,
    connection: &'t mut PgConnection,
    schema: String,
    /// The revision written for each entry, if any.
    revisions: Vec<Option<i64>>,
    touched: OrgBuckets,
    report: FlushReport,
    random: StdRng,
}

impl Flush<'_> {
    /// Merges entries of unknown base into what is stored.
    async fn load_unknown(&mut self, entries: &mut [Entry]) -> Result<(), FlushError> {
        let unknown: Vec<usize> = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.base == Base::Unknown)
            .map(|(index, _)| index)
            .collect();
        for chunk in unknown.chunks(LOAD_ROWS) {
            let keys: Vec<_> = chunk.iter().map(|index| &entries[*index].key).collect();
            let found = load::load(self.connection, &self.schema, &keys, None).await?;
            for index in chunk {
                entries[*index].base = Base::Absent;
            }
            self.report.loaded += count(found.len());
            for stored in found {
                let index = chunk[stored.index];
                self.merge(&mut entries[index], stored);
            }
        }
        Ok(())
    }

    fn merge(&self, entry: &mut Entry, stored: Stored) {
        if self.mode == Mode::Rewrite {
            entry.delta.state.merge(&stored.state);
            entry.delta.state.mark_dirty();
            entry.base = Base::Revision(stored.revision);
        } else {
            merge_into_stored(entry, stored);
        }
    }

    async fn write_conversations(&mut self, entries: &mut [Entry]) -> Result<(), FlushError> {
        let dirty: Vec<usize> = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.delta.state.is_dirty())
            .map(|(index, _)| index)
            .collect();
        self.report.unchanged += count(entries.len() - dirty.len());
        let mut rest = dirty.as_slice();
        while !rest.is_empty() {
            rest = self.write_chunk(entries, rest).await?;
        }
        Ok(())
    }

    /// Writes as many of these entries as fit a statement; returns the others.
    async fn write_chunk<'i>(&mut self, entries: &mut [Entry], dirty: &'i [usize]) -> Result<&'i [usize], FlushError> {
        let (chunk, rest, affected) = {
            let (rows, rest) = self.prepare(entries, dirty);
            let chunk = &dirty[..rows.len()];
            let affected = upsert::upsert(self.connection, &self.schema, &rows).await?;
            if affected == count(rows.len()) {
                upsert::upsert_parts(self.connection, &self.schema, &rows).await?;
            }
            (chunk, rest, affected)
        };
        let mut written = chunk.to_vec();
        if affected < count(chunk.len()) {
            written = self.settle_conflicts(entries, chunk).await?;
        }
        for index in &written {
            let entry = &mut entries[*index];
            entry.delta.payloads.retain_current(&entry.delta.state);
            self.touched.insert(&entry.key.org_id);
        }
        let with_payloads: Vec<&Entry> = written.iter().map(|index| &entries[*index]).collect();
        self.report.payloads += payloads::write(self.connection, &self.schema, &with_payloads).await?;
        self.report.written += count(written.len());
        Ok(rest)
    }

    /// Encodes entries until a statement is full, giving each a new revision.
    fn prepare<'e, 'i>(&mut self, entries: &'e [Entry], dirty: &'i [usize]) -> (Vec<Prepared<'e>>, &'i [usize]) {
        let mut rows = Vec::new();
        let mut bytes = 0;
        for index in dirty.iter().take(CHUNK_ROWS) {
            if bytes >= CHUNK_BYTES {
                break;
            }
            let revision = self.new_revision();
            let row = Prepared::new(&entries[*index], revision);
            bytes += row.bytes();
            self.revisions[*index] = Some(revision);
            rows.push(row);
        }
        let rest = &dirty[rows.len()..];
        (rows, rest)
    }

    /// Some rows of this chunk were changed by others; all are locked now. Merges those and writes them
    /// again, and the parts of all. Returns the entries that are written.
    async fn settle_conflicts(&mut self, entries: &mut [Entry], chunk: &[usize]) -> Result<Vec<usize>, FlushError> {
        let revisions: Vec<i64> = chunk.iter().filter_map(|index| self.revisions[*index]).collect();
        let keys: Vec<_> = chunk.iter().map(|index| &entries[*index].key).collect();
        let conflicts = load::load(self.connection, &self.schema, &keys, Some(&revisions)).await?;
        self.report.conflicts += count(conflicts.len());
        let mut conflicting = Vec::with_capacity(conflicts.len());
        for stored in conflicts {
            let index = chunk[stored.index];
            self.merge(&mut entries[index], stored);
            self.revisions[index] = None;
            conflicting.push(index);
        }
        conflicting.sort_unstable();
        let at_once: Vec<usize> = chunk
            .iter()
            .copied()
            .filter(|index| self.revisions[*index].is_some())
            .collect();
        self.write_parts(entries, &at_once).await?;
        let again: Vec<usize> = conflicting
            .into_iter()
            .filter(|index| entries[*index].delta.state.is_dirty())
            .collect();
        self.report.unchanged += count(chunk.len() - at_once.len() - again.len());
        let mut rest = again.as_slice();
        while !rest.is_empty() {
            let (rows, after) = self.prepare(entries, rest);
            let affected = upsert::upsert(self.connection, &self.schema, &rows).await?;
            if affected != count(rows.len()) {
                let message = "a locked row has changed".to_owned();
                return Err(FlushError::Unavailable(sqlx::Error::Protocol(message)));
            }
            upsert::upsert_parts(self.connection, &self.schema, &rows).await?;
            rest = after;
        }
        let mut written = [at_once, again].concat();
        written.sort_unstable();
        Ok(written)
    }

    async fn write_parts(&mut self, entries: &[Entry], indices: &[usize]) -> Result<(), FlushError> {
        let rows: Vec<Prepared<'_>> = indices
            .iter()
            .filter_map(|index| Some(Prepared::new(&entries[*index], self.revisions[*index]?)))
            .collect();
        Ok(upsert::upsert_parts(self.connection, &self.schema, &rows).await?)
    }

    async fn write_profiles(&mut self, generation: GenerationId, batch: &Batch) -> Result<(), FlushError> {
        if !batch.users.is_empty() {
            let users = profiles::greatest(&batch.users);
            let written = profiles::write_users(self.connection, &self.schema, &users).await?;
            self.report.profiles += count(written.len());
            for user in written {
                self.touched.insert(&user.org_id);
            }
            let erased: Vec<_> = users.into_iter().filter(|user| user.profile.is_none()).collect();
            if !erased.is_empty() {
                // Erasure reaches every kept generation, not only the one that is read.
                for other in generation::generations(self.connection).await? {
                    if other.id != generation {
                        let schema = other.id.schema();
                        profiles::write_users(self.connection, &schema, &erased).await?;
                    }
                }
            }
        }
        if !batch.agents.is_empty() {
            let agents = profiles::greatest(&batch.agents);
            let written = profiles::write_agents(self.connection, &self.schema, &agents).await?;
            self.report.profiles += count(written.len());
            for org_id in written {
                self.touched.insert(&org_id);
            }
        }
        Ok(())
    }

    /// Any value but 0, which stands for "no row".
    fn new_revision(&mut self) -> i64 {
        loop {
            let revision = self.random.random();
            if revision != 0 {
                return revision;
            }
        }
    }
}

/// Makes the entry the join of itself and its row, dirty where the row lacks something.
fn merge_into_stored(entry: &mut Entry, stored: Stored) {
    let Stored {
        revision, mut state, ..
    } = stored;
    entry.delta.payloads.retain_unknown_to(&state);
    state.merge(&entry.delta.state);
    entry.delta.state = state;
    entry.base = Base::Revision(revision);
}

pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
