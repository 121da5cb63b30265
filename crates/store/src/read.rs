//! The read side: answers for one organization out of one consistent snapshot.

mod arm;
mod attach;
mod few;
mod figures;
mod filter;
mod items;
mod lent;
mod memory;
mod outline;
mod page;
mod places;
mod plan;
mod replication;
mod row;
mod scope;
mod select;
mod sort;
mod stats;
mod users;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::DateTime;
use futures::TryStreamExt as _;
use sqlx::{
    PgConnection, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use tracing::{Instrument as _, debug_span};

pub use self::{
    figures::{Breakdown, Bucket, Figures, Group, GroupBy, Groups},
    filter::{FeedbackFilter, Filter, Include, MetadataFilter, RangeOn},
    items::{Feedback, ToolCall},
    memory::{ByteLimit, Memory},
    outline::{Outline, OutlineEntry},
    page::{Node, Page},
    replication::{LogPosition, Replication},
    row::Row,
    sort::{Position, Sort},
    stats::Stats,
};
use self::{
    lent::Lent,
    plan::{Next, Probe, Source},
    scope::{Resolved, Scope},
};
use crate::{
    GenerationId, ReadError, SchemaError, StoreOptions,
    connect::Pool,
    error::DatabaseError,
    generation,
    lease::{BRIEF, within},
    placement::ON_CLUSTER,
};

/// What the planner is told on every connection of a [`Reader`], for whoever wants to see its plans or to time its
/// statements elsewhere.
pub const READER_SETTINGS: [(&str, &str); 7] = [
    // A statement says itself how it is to be done (`select.rs`), whatever its parameters: it is planned once
    // a connection. Lists are walked in their index's order; where there is no such order the sort stays.
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    // One of many concurrent requests.
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    // The users of a large organization are counted, and large ranges sorted, in memory.
    ("work_mem", "16MB"),
];

/// The statements that read a page of a range that ends now, for whoever wants to see their plans or to time them elsewhere.
#[derive(Clone, Debug)]
pub struct PageStatements {
    /// Its parameters: `$1` the organization, `$2` and `$3` the range, `$4` `'{}'::text[]`, `$5` `'{}'::uuid[]`,
    /// `$6` `NULL::bigint`, `$7` and `$8` the place to begin after (`-9223372036854775807` and `''`), `$9` the limit,
    /// `$10` four times the limit and 200, `$11` `'{}'::text[]`, `$12` and `$13` `NULL::text`.
    pub page: String,
    /// `$1` the organization, `$2` the conversations found, `$3` how many bytes there may be.
    pub tool_calls: String,
    /// As for the tool calls.
    pub feedback: String,
}

impl PageStatements {
    /// In that generation.
    #[must_use]
    pub fn of(generation: GenerationId) -> Self {
        let schema = generation.schema();
        let filter = Filter::created(DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
        let scope = Scope {
            schema: &schema,
            org_id: "",
            filter: &filter,
            resolved: &Resolved::default(),
        };
        Self {
            page: scope.page(Source::Window(0), Sort::default(), true),
            tool_calls: items::tool_calls(&schema),
            feedback: items::feedback(&schema),
        }
    }
}

/// A database, perhaps a replica, as dashboards see it: every connection takes on the role `recap_query`, which can read and
/// nothing else.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: Pool,
    answer_timeout: Duration,
    /// Every node of a cluster has answered, once: a role that may not log in there is found at the start, and a node that goes away later takes
    /// its own organizations with it alone.
    nodes_answered: Arc<AtomicBool>,
}

impl Reader {
    /// Prepares to connect, which it does when it is first used: the database may be away. Fails when `database_url` is no URL
    /// of PostgreSQL.
    pub fn new(options: &StoreOptions) -> Result<Self, DatabaseError> {
        let timeout = options.statement_timeout();
        let own = [
            ("default_transaction_read_only", "on"),
            ("statement_timeout", timeout.as_str()),
            // A client that hangs up closes the connection; the server notices within this time.
            ("client_connection_check_interval", "500ms"),
        ];
        let settings = [&own[..], &READER_SETTINGS].concat();
        let pool = options.pool(options.max_connections, &settings, "SET ROLE recap_query; ", ON_CLUSTER)?;
        Ok(Self {
            pool,
            answer_timeout: options.answer_timeout(),
            nodes_answered: Arc::default(),
        })
    }

    /// Whether the database is there and is what this program was built for.
    pub async fn check_schema(&self) -> Result<(), SchemaError> {
        if !self.pool.has_sessions().await? {
            return Err(SchemaError::NoSessions);
        }
        let mut lease = self.pool.lease().await?;
        let live = generation::check_schema(lease.get()?).await?;
        if !self.nodes_answered.load(Ordering::Relaxed) {
            let schema = live.schema();
            let asking = self.pool.placement().ask_nodes(lease.get()?, &schema);
            within(BRIEF, asking).await?;
            self.nodes_answered.store(true, Ordering::Relaxed);
        }
        lease.give_back();
        Ok(())
    }

    /// How a standby follows its primary; `None` on a primary.
    pub async fn replication(&self) -> Result<Option<Replication>, ReadError> {
        let mut lease = self.pool.lease().await?;
        let standby = replication::standby(lease.get()?);
        let standby = within(BRIEF, standby).await?;
        lease.give_back();
        Ok(standby)
    }

    /// Connections open, and of those the idle ones.
    #[must_use]
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.connections.size(), self.pool.connections.num_idle())
    }

    /// Closes all connections once they are given back.
    pub async fn close(&self) {
        self.pool.connections.close().await;
    }

    /// Everything read from it is of one moment, one generation and one organization. The organization
    /// is the caller's: row-level security shows nothing else, whatever is asked.
    pub async fn snapshot(&self, org_id: &str) -> Result<Snapshot, ReadError> {
        let span = debug_span!("store.snapshot", db.system.name = "postgresql");
        async {
            let waited = debug_span!("store.acquire", db.system.name = "postgresql");
            let mut connection = Lent::new(self.pool.lease().instrument(waited).await?);
            let begin = sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(connection.get()?);
            within(self.answer_timeout, begin).await?;
            let row = sqlx::query("SELECT generation, set_config('recap.org_id', $1, true) FROM recap.live")
                .bind(org_id)
                .fetch_one(connection.get()?);
            let row = within(self.answer_timeout, row).await?;
            let generation = GenerationId::new(row.try_get(0)?);
            // Beside the organization, all but how plans are kept.
            let settings = [&READER_SETTINGS[1..], &[("recap.org_id", org_id)]].concat();
            let telling = self.pool.placement().tell_nodes(connection.get()?, &settings);
            within(self.answer_timeout, telling).await?;
            Ok(Snapshot {
                connection,
                answer_timeout: self.answer_timeout,
                org_id: org_id.to_owned(),
                generation,
                schema: generation.schema(),
                resolved: None,
                memory: Box::new(ByteLimit(usize::MAX)),
            })
        }
        .instrument(span)
        .await
    }
}

/// One organization at one moment. Dropped before [`Snapshot::finish`], it cancels a statement that does not end by itself soon after.
pub struct Snapshot {
    connection: Lent,
    answer_timeout: Duration,
    org_id: String,
    generation: GenerationId,
    schema: String,
    /// What was asked for the last filter, for the next page of the same list.
    resolved: Option<(Filter, Resolved)>,
    /// What the next reading may hold.
    memory: Box<dyn Memory>,
}

impl Snapshot {
    /// The generation everything is read from.
    #[must_use]
    pub fn generation(&self) -> GenerationId {
        self.generation
    }

    /// Keeps `turn` until the connection is given back, which may be a little after the snapshot is dropped.
    pub fn keep(&mut self, turn: impl Send + 'static) {
        self.connection.keep(turn);
    }

    /// From now on a page, or rows, may hold no more than `memory` has, or are [`ReadError::TooLarge`].
    pub fn limit_memory(&mut self, memory: impl Memory + 'static) {
        self.memory = Box::new(memory);
    }

    /// Up to `limit` top-level conversations after a place, with their matching descendants.
    pub async fn page(
        &mut self,
        filter: &Filter,
        include: Include,
        sort: Sort,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Page, ReadError> {
        let span = debug_span!("store.page", db.system.name = "postgresql", limit);
        let answer_timeout = self.answer_timeout;
        let reading = async {
            let found = self.list(Shape::Page, filter, include, sort, after, limit).await?;
            self.nest(&found, include, sort).await
        };
        within(answer_timeout, reading).instrument(span).await
    }

    /// One conversation with everything below it, if it is of this user or none is named.
    pub async fn one(
        &mut self,
        conversation_id: &str,
        user_id: Option<&str>,
        include: Include,
    ) -> Result<Option<Node>, ReadError> {
        let span = debug_span!("store.one", db.system.name = "postgresql");
        let answer_timeout = self.answer_timeout;
        let reading = async {
            let found = self.below_one(Shape::Page, conversation_id, user_id, include).await?;
            let page = self.nest(&found, include, Sort::default()).await?;
            Ok(page.top.into_iter().next())
        };
        within(answer_timeout, reading).instrument(span).await
    }

    /// Up to `limit` conversations after a place, whatever their parents. Fewer than `limit` are the last.
    pub async fn rows(
        &mut self,
        filter: &Filter,
        include: Include,
        sort: Sort,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<Row>, ReadError> {
        let span = debug_span!("store.rows", db.system.name = "postgresql", limit);
        let answer_timeout = self.answer_timeout;
        let reading = async {
            let found = self.list(Shape::Rows, filter, include, sort, after, limit).await?;
            self.with_items(&found, 0, include).await
        };
        within(answer_timeout, reading).instrument(span).await
    }

    /// Gives the connection back.
    pub async fn finish(mut self) -> Result<(), ReadError> {
        let commit = sqlx::raw_sql("COMMIT").execute(self.connection.get()?);
        within(BRIEF, commit).await?;
        self.connection.give_back();
        Ok(())
    }

    /// Reads a list the way [`plan`] says: windows first, the range when they do not fill the page.
    async fn list(
        &mut self,
        shape: Shape,
        filter: &Filter,
        include: Include,
        sort: Sort,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<PgRow>, ReadError> {
        let filter = filter.whole_milliseconds();
        let resolved = self.resolve(&filter).await?;
        let scope = Scope {
            schema: &self.schema,
            org_id: &self.org_id,
            filter: &filter,
            resolved: &resolved,
        };
        if scope.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut source = scope.first_source(sort, plan::first_window(limit));
        loop {
            let window = match source {
                Source::Window(window) => window,
                Source::Range | Source::EachUser | Source::EachListed => 0,
            };
            let statement = shape.statement(&scope, source, sort, include);
            let query = scope.bind(statement, sort, after, limit, window);
            let (rows, held) = held(shape, query, self.connection.get()?, &mut *self.memory).await?;
            if window == 0 || shape.is_full(&rows, limit)? {
                return Ok(rows);
            }
            let counted = scope
                .bind(scope.probe(), sort, after, limit, window)
                .fetch_one(self.connection.get()?)
                .await?;
            let probe = Probe {
                ahead: counted.try_get(0)?,
                in_range: counted.try_get(1)?,
            };
            match plan::after_window(window, probe) {
                Next::Done => return Ok(rows),
                Next::Read(next) => {
                    self.memory.give(held);
                    source = next;
                }
            }
        }
    }

    /// Reads one conversation and what is below it, if it is of this user or none is named.
    async fn below_one(
        &mut self,
        shape: Shape,
        conversation_id: &str,
        user_id: Option<&str>,
        include: Include,
    ) -> Result<Vec<PgRow>, ReadError> {
        let filter = Filter {
            user_id: user_id.map(str::to_owned),
            ..Filter::ALWAYS
        };
        let resolved = self.resolve(&filter).await?;
        let scope = Scope {
            schema: &self.schema,
            org_id: &self.org_id,
            filter: &filter,
            resolved: &resolved,
        };
        let statement = match shape {
            Shape::PageOutline => scope.one_outline(),
            _ => scope.one(include.first_message_text),
        };
        // Its id goes where a list's place is.
        let at = Position {
            value: 0,
            conversation_id: conversation_id.to_owned(),
        };
        let query = scope.bind(statement, Sort::default(), Some(&at), 0, 0);
        let (rows, _) = held(shape, query, self.connection.get()?, &mut *self.memory).await?;
        Ok(rows)
    }

    /// Nests the rows of a page's statement.
    async fn nest(&mut self, found: &[PgRow], include: Include, sort: Sort) -> Result<Page, ReadError> {
        let Some(first) = found.first() else {
            return Ok(Page::EMPTY);
        };
        let more = first.try_get(1)?;
        let rows = self.with_items(found, 2, include).await?;
        let mut top = Vec::new();
        let mut below = Vec::new();
        for (row, found) in rows.into_iter().zip(found) {
            let at_top: bool = found.try_get(0)?;
            let place = if at_top { &mut top } else { &mut below };
            place.push(row);
        }
        Ok(Page::build(top, below, more, sort))
    }

    /// Rows from column `first` on, with the tool calls and the feedback that are asked for.
    async fn with_items(&mut self, found: &[PgRow], first: usize, include: Include) -> Result<Vec<Row>, ReadError> {
        let mut rows: Vec<Row> = found
            .iter()
            .map(|row| Row::read(row, first))
            .collect::<Result<_, _>>()?;
        let connection = self.connection.get()?;
        attach::attach(
            connection,
            &self.schema,
            &self.org_id,
            include,
            &mut rows,
            &mut *self.memory,
        )
        .await?;
        Ok(rows)
    }

    /// Asks what a list of this filter needs to know first.
    async fn resolve(&mut self, filter: &Filter) -> Result<Resolved, ReadError> {
        if let Some((asked, resolved)) = &self.resolved
            && asked == filter
        {
            return Ok(resolved.clone());
        }
        let resolved = scope::resolve(self.connection.get()?, &self.schema, &self.org_id, filter).await?;
        self.resolved = Some((filter.clone(), resolved.clone()));
        Ok(resolved)
    }
}

/// The rows of a statement, held within `memory`, and what they take of it.
async fn held(
    shape: Shape,
    query: Query<'_, Postgres, PgArguments>,
    connection: &mut PgConnection,
    memory: &mut dyn Memory,
) -> Result<(Vec<PgRow>, usize), ReadError> {
    let (mut rows, mut held) = (Vec::new(), 0);
    let mut answer = query.fetch(connection);
    while let Some(row) = answer.try_next().await? {
        let bytes = shape.bytes(&row)?;
        if !memory.take(bytes) {
            return Err(ReadError::TooLarge);
        }
        held += bytes;
        rows.push(row);
    }
    Ok((rows, held))
}

/// How a list is answered.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Page,
    PageOutline,
    Rows,
    RowsOutline,
}

impl Shape {
    fn statement(self, scope: &Scope<'_>, source: Source, sort: Sort, include: Include) -> String {
        let text = include.first_message_text;
        match self {
            Self::Page => scope.page(source, sort, text),
            Self::PageOutline => scope.page_outline(source, sort),
            Self::Rows => scope.rows(source, sort, text),
            Self::RowsOutline => scope.rows_outline(source, sort),
        }
    }

    /// About how much memory a row of the answer takes.
    fn bytes(self, row: &PgRow) -> Result<usize, sqlx::Error> {
        match self {
            Self::Page => row::bytes(row, 2),
            Self::Rows => row::bytes(row, 0),
            Self::PageOutline | Self::RowsOutline => Ok(outline::ENTRY_BYTES),
        }
    }

    fn is_full(self, rows: &[PgRow], limit: u32) -> Result<bool, sqlx::Error> {
        match self {
            Self::Page | Self::PageOutline => rows.first().map_or(Ok(false), |row| row.try_get(1)),
            Self::Rows | Self::RowsOutline => Ok(u32::try_from(rows.len()).is_ok_and(|count| count >= limit)),
        }
    }
}

#[cfg(test)]
mod plans;
