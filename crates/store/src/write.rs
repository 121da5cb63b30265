//! Batches become rows.
//!
//! A flush is one transaction:
//!
//! 1. It holds the generation lock shared and makes sure that its generation is live, and that the database lacks
//!    nothing that it had confirmed (`sessions`).
//! 2. Entries with an unknown base are merged into what is stored. Those that add nothing are done: a
//!    replay costs reads only.
//! 3. The others are written by one statement per chunk, each row only if it still has the revision its
//!    entry is based on. The statement locks the other rows too.
//! 4. Those others were changed by another writer meanwhile. They are read again (nobody can change
//!    them any more), merged and written. Merging loses nothing, so no update is ever lost.
//! 5. Payloads are written for rows just written, when current in the state just written: so a row that
//!    has a stamp in its state always has that stamp's payload beside it.
//!
//! What a flush into the live generation takes away is taken from the others, too (`erasure`).
//!
//! Entries are changed in place on the way, but only by merging in what others have committed. So after
//! any failure, a lost answer to the commit included, the same batch can be flushed again.

pub(crate) mod busy;
mod copy;
mod erasure;
pub(crate) mod feedback;
pub(crate) mod listing;
mod load;
pub(crate) mod parts;
mod payloads;
pub(crate) mod prepared;
mod profiles;
mod retry;
pub(crate) mod sessions;
mod target;
pub(crate) mod tool_calls;
mod upsert;

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tracing::{Instrument as _, debug_span};

use self::{
    busy::Busy,
    load::Stored,
    prepared::Prepared,
    profiles::Over,
    sessions::{Session, Sessions},
};
pub use self::{
    retry::{Attempt, BatchFlush},
    target::{FlushReport, Target},
};
use crate::{
    Base, Batch, Entry, FlushError, OrgBuckets, Store, generation, lease::within, placement::Placement,
    store::WRITER_SETTINGS,
};

/// Rows of one statement; beyond this they gain nothing.
const CHUNK_ROWS: usize = 1_000;
/// Bytes of one statement, about: a few conversations with huge texts are a chunk too.
const CHUNK_BYTES: usize = 2 << 20;
/// States read at a time.
const LOAD_ROWS: usize = 2_000;

impl Store {
    /// Commits a batch.
    ///
    /// Afterwards the entries are sorted by key, clean, without payloads and based on their rows, and the
    /// profiles are gone from the batch. After an error nothing is written and the batch can be
    /// flushed again.
    pub async fn flush(&self, target: Target, batch: &mut Batch) -> Result<FlushReport, FlushError> {
        let span = debug_span!(
            "store.flush",
            db.system.name = "postgresql",
            db.operation.name = target.operation(),
            db.operation.batch.size = batch.conversations.len(),
        );
        async {
            unite_by_key(&mut batch.conversations);
            let rows = batch.conversations.len();
            let mut lease = self.flushing().lease().await?;
            let answer_timeout = self.answer_timeout();
            let announce = |session: &Session<'_>, touched: &OrgBuckets| self.announce(session, touched);
            let shared = (self.sessions(), self.busy());
            let place = (self.flushing().placement(), target);
            let flushed = flush(lease.get()?, answer_timeout, shared, announce, place, batch).await;
            // What is built gets them when it is indexed.
            if flushed.is_ok() && target.is_live() {
                self.count_flushed(target.generation(), count(rows));
            }
            match &flushed {
                // Silent, or perhaps in the middle of a stream.
                Err(FlushError::Unavailable(error)) if error.is_read_only() => self.flushing().distrust(),
                Err(FlushError::Unavailable(_)) => {}
                Err(_) if target.copies() => {}
                Ok(_) | Err(_) => lease.give_back(),
            }
            flushed
        }
        .instrument(span)
        .await
    }
}

/// One transaction, on a connection that is in none.
async fn flush(
    connection: &mut PgConnection,
    answer_timeout: Duration,
    (sessions, busy): (&Sessions, &Busy),
    announce: impl FnOnce(&Session<'_>, &OrgBuckets) + Send,
    (placement, target): (Placement, Target),
    batch: &mut Batch,
) -> Result<FlushReport, FlushError> {
    let session = if target.is_live() {
        Some(within(answer_timeout, sessions.take(&mut *connection)).await?)
    } else {
        None
    };
    let mut transaction = within(
        answer_timeout,
        connection.begin_with(AssertSqlSafe(target.begin(placement))),
    )
    .await?;
    let generation = target.generation();
    let live = match &session {
        Some(session) => within(answer_timeout, session.begin(&mut transaction))
            .await?
            .ok_or(FlushError::CommitsLost)?,
        None => within(answer_timeout, generation::live(&mut transaction)).await?,
    };
    if target.is_live() && live != generation {
        return Err(FlushError::GenerationChanged { live });
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "revisions are random, and nothing a row shows depends on one"
    )]
    let random = StdRng::from_rng(&mut rand::rng());
    within(answer_timeout, placement.tell_nodes(&mut transaction, &WRITER_SETTINGS)).await?;
    let mut flush = Flush {
        target,
        placement,
        busy,
        connection: &mut transaction,
        answer_timeout,
        schema: generation.schema(),
        revisions: vec![None; batch.conversations.len()],
        touched: OrgBuckets::none(),
        report: FlushReport::default(),
        random,
    };
    if target.copies() {
        flush.copy_conversations(&mut batch.conversations).await?;
    } else {
        flush.load_unknown(&mut batch.conversations).await?;
        flush.write_conversations(&mut batch.conversations).await?;
    }
    flush.erase_elsewhere(&batch.conversations).await?;
    within(answer_timeout, flush.write_profiles(batch)).await?;
    let Flush {
        revisions,
        touched,
        report,
        ..
    } = flush;
    within(answer_timeout, transaction.commit())
        .instrument(debug_span!("store.commit", db.system.name = "postgresql"))
        .await?;
    mark_written(batch, &revisions);
    if let Some(session) = &session {
        session.confirm();
        announce(session, &touched);
    }
    Ok(report)
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
fn mark_written(batch: &mut Batch, revisions: &[Option<i64>]) {
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

/// A flush under way.
struct Flush<'t> {
    target: Target,
    placement: Placement,
    busy: &'t Busy,
    connection: &'t mut PgConnection,
    /// How long each step waits for an answer.
    answer_timeout: Duration,
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
            let loading = load::load(self.connection, self.placement, &self.schema, &keys, None);
            let found = within(self.answer_timeout, loading).await?;
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
        if self.target.rewrites() {
            entry.delta.state.merge(&stored.state);
            entry.delta.state.mark_dirty();
            entry.base = Base::Revision(stored.revision);
        } else {
            merge_into_stored(entry, stored);
        }
    }

    /// Copies conversations that have no row yet.
    async fn copy_conversations(&mut self, entries: &mut [Entry]) -> Result<(), FlushError> {
        for (entry, revision) in entries.iter_mut().zip(&mut self.revisions) {
            entry.delta.payloads.retain_current(&entry.delta.state);
            self.touched.insert(&entry.key.org_id);
            *revision = Some(new_revision(&mut self.random));
        }
        let copying = copy::copy(self.connection, &self.schema, entries, &self.revisions);
        let copied = within(self.answer_timeout, copying).await;
        self.report.payloads += copied.map_err(|error| FlushError::of_copy(error, self.placement))?;
        self.report.written += count(entries.len());
        Ok(())
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
            rest = within(self.answer_timeout, self.write_chunk(entries, rest)).await?;
        }
        Ok(())
    }

    /// Writes as many of these entries as fit a statement; returns the others.
    async fn write_chunk<'i>(&mut self, entries: &mut [Entry], dirty: &'i [usize]) -> Result<&'i [usize], FlushError> {
        let (chunk, rest, affected) = {
            let (rows, rest) = self.prepare(entries, dirty);
            let chunk = &dirty[..rows.len()];
            let affected = upsert::upsert(self.connection, self.placement, &self.schema, &rows).await?;
            if affected == count(rows.len()) {
                parts::upsert(self.connection, &self.schema, &rows).await?;
            }
            (chunk, rest, affected)
        };
        let mut written = chunk.to_vec();
        if affected < count(chunk.len()) {
            written = self.resolve_conflicts(entries, chunk).await?;
        }
        for index in &written {
            let entry = &mut entries[*index];
            entry.delta.payloads.retain_current(&entry.delta.state);
            self.touched.insert(&entry.key.org_id);
        }
        let with_payloads: Vec<&Entry> = written.iter().map(|index| &entries[*index]).collect();
        let payloads = payloads::write(self.connection, self.placement, &self.schema, &with_payloads).await?;
        self.report.payloads += payloads.rows;
        self.report.reused_ids += payloads.reused_ids;
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
            let revision = new_revision(&mut self.random);
            let is_busy = self.is_busy(&entries[*index]);
            let row = Prepared::changed(&entries[*index], revision, is_busy);
            bytes += row.bytes();
            self.revisions[*index] = Some(revision);
            rows.push(row);
        }
        let rest = &dirty[rows.len()..];
        (rows, rest)
    }

    /// Whether an entry's conversation is to be busy. Those of a generation that is being built are written once, as a rule.
    fn is_busy(&self, entry: &Entry) -> bool {
        let is_busy = self.target == Target::Live(self.target.generation()) && self.busy.allows(&entry.key);
        if is_busy && entry.base == Base::Absent {
            self.busy.born(&entry.key.org_id);
        }
        is_busy
    }

    /// Some rows of this chunk were changed by others; all are locked now. Merges those and writes them
    /// again, and the parts of all. Returns the entries that are written.
    async fn resolve_conflicts(&mut self, entries: &mut [Entry], chunk: &[usize]) -> Result<Vec<usize>, FlushError> {
        let revisions: Vec<i64> = chunk.iter().filter_map(|index| self.revisions[*index]).collect();
        let keys: Vec<_> = chunk.iter().map(|index| &entries[*index].key).collect();
        let conflicts = load::load(self.connection, self.placement, &self.schema, &keys, Some(&revisions)).await?;
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
            let affected = upsert::upsert(self.connection, self.placement, &self.schema, &rows).await?;
            if affected != count(rows.len()) {
                let message = "a locked row has changed".to_owned();
                return Err(sqlx::Error::Protocol(message).into());
            }
            parts::upsert(self.connection, &self.schema, &rows).await?;
            rest = after;
        }
        let mut written = [at_once, again].concat();
        written.sort_unstable();
        Ok(written)
    }

    async fn write_parts(&mut self, entries: &[Entry], indices: &[usize]) -> Result<(), FlushError> {
        let rows: Vec<Prepared<'_>> = indices
            .iter()
            .filter_map(|index| Some(Prepared::changed(&entries[*index], self.revisions[*index]?, false)))
            .collect();
        Ok(parts::upsert(self.connection, &self.schema, &rows).await?)
    }

    async fn write_profiles(&mut self, batch: &Batch) -> Result<(), FlushError> {
        let over = self.over();
        let placement = self.placement;
        let users = profiles::greatest(&batch.users);
        let agents = profiles::greatest(&batch.agents);
        let written_users = profiles::write_users(self.connection, placement, &self.schema, &users, over).await?;
        let written_agents = profiles::write_agents(self.connection, placement, &self.schema, &agents, over).await?;
        self.report.profiles += count(written_users.len() + written_agents.len());
        for user in &written_users {
            self.touched.insert(&user.write.org_id);
        }
        for agent in &written_agents {
            self.touched.insert(&agent.write.org_id);
        }
        self.replace_profiles_elsewhere(&users, &written_users, &written_agents)
            .await
    }

    const fn over(&self) -> Over {
        if self.target.rewrites() {
            Over::LesserOrSame
        } else {
            Over::Lesser
        }
    }
}

/// Any value but 0, which stands for "no row".
fn new_revision(random: &mut StdRng) -> i64 {
    loop {
        let revision = random.random();
        if revision != 0 {
            return revision;
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

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
