//! Lists that are too wide to be held: first which conversations there are and how they nest, then their rows in pieces.

use std::collections::HashMap;

use futures::stream::{BoxStream, StreamExt as _};
use sqlx::{Row as _, postgres::PgRow};
use tracing::{Instrument as _, debug_span};

use super::{
    Shape, Snapshot, attach,
    filter::{Filter, Include},
    items::{self, Feedback, ToolCall},
    row::{self, Row},
    sort::{Position, Sort},
};
use crate::{ReadError, lease::within, sql::sql};

/// Bytes that an entry takes in memory, with its id.
pub(super) const ENTRY_BYTES: usize = 160;

/// The conversations of a list in the order in which it is written: each before those inside it.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// The conversations.
    pub entries: Vec<OutlineEntry>,
    /// Where the next page begins: after this. `None` when there is none.
    pub next: Option<Position>,
}

/// One conversation of an outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlineEntry {
    /// Its id.
    pub conversation_id: String,
    /// How many conversations it is inside of.
    pub depth: u32,
}

/// A conversation and its place, as the database has it.
struct Found {
    conversation_id: String,
    place: i64,
    parent: Option<String>,
}

impl Found {
    fn read(row: &PgRow, first: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            conversation_id: row.try_get(first)?,
            place: row.try_get(first + 1)?,
            parent: row.try_get(first + 2)?,
        })
    }

    fn position(&self) -> Position {
        Position {
            value: -self.place,
            conversation_id: self.conversation_id.clone(),
        }
    }
}

impl Snapshot {
    /// The outline of what [`Snapshot::page`] gives.
    pub async fn page_outline(
        &mut self,
        filter: &Filter,
        sort: Sort,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Outline, ReadError> {
        let span = debug_span!("store.outline", db.system.name = "postgresql", limit);
        let answer_timeout = self.answer_timeout;
        let read = self.list(Shape::PageOutline, filter, Include::ALL, sort, after, limit);
        let found = within(answer_timeout, read).instrument(span).await?;
        Ok(nested(&found)?)
    }

    /// The outline of what [`Snapshot::one`] gives.
    pub async fn one_outline(&mut self, conversation_id: &str, user_id: Option<&str>) -> Result<Outline, ReadError> {
        let span = debug_span!("store.outline", db.system.name = "postgresql");
        let answer_timeout = self.answer_timeout;
        let read = self.below_one(Shape::PageOutline, conversation_id, user_id, Include::ALL);
        let found = within(answer_timeout, read).instrument(span).await?;
        Ok(nested(&found)?)
    }

    /// The outline of what [`Snapshot::rows`] gives; `next` is where the rows after `limit` begin.
    pub async fn rows_outline(
        &mut self,
        filter: &Filter,
        sort: Sort,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Outline, ReadError> {
        let span = debug_span!("store.outline", db.system.name = "postgresql", limit);
        // One more than asked tells whether there is more.
        let answer_timeout = self.answer_timeout;
        let read = self.list(Shape::RowsOutline, filter, Include::ALL, sort, after, limit + 1);
        let found = within(answer_timeout, read).instrument(span).await?;
        let more = found.len() > limit as usize;
        let found: Vec<Found> = found
            .iter()
            .take(limit as usize)
            .map(|row| Found::read(row, 0))
            .collect::<Result<_, _>>()?;
        let next = found.last().filter(|_| more).map(Found::position);
        let entry = |found: Found| OutlineEntry {
            conversation_id: found.conversation_id,
            depth: 0,
        };
        Ok(Outline {
            entries: found.into_iter().map(entry).collect(),
            next,
        })
    }

    /// About how much memory each of these conversations takes with everything that is asked for, in their order.
    pub async fn weights(&mut self, ids: &[&str], include: Include) -> Result<Vec<usize>, ReadError> {
        let joins = row::joins(&self.schema);
        let weight = row::weight(include.first_message_text);
        let items = items::weight(&self.schema, include);
        let statement = self.of_ids(&format!("({weight} + {items})::bigint FROM found c {joins}"));
        let reading = sqlx::query_scalar(sql(statement))
            .bind(&self.org_id)
            .bind(ids)
            .fetch_all(self.connection.get()?);
        let weights: Vec<i64> = within(self.answer_timeout, reading).await?;
        Ok(weights
            .into_iter()
            .map(|weight| usize::try_from(weight).unwrap_or(usize::MAX))
            .collect())
    }

    /// These conversations in their order, with the tool calls and the feedback that are asked for.
    pub async fn rows_of(&mut self, ids: &[&str], include: Include) -> Result<Vec<Row>, ReadError> {
        let columns = row::select_list(include.first_message_text);
        let joins = row::joins(&self.schema);
        let statement = self.of_ids(&format!("{columns} FROM found c {joins}"));
        let reading = sqlx::query(sql(statement))
            .bind(&self.org_id)
            .bind(ids)
            .fetch_all(self.connection.get()?);
        let found = within(self.answer_timeout, reading).await?;
        let mut rows: Vec<Row> = found.iter().map(|row| Row::read(row, 0)).collect::<Result<_, _>>()?;
        let connection = self.connection.get()?;
        let attaching = attach::attach(
            connection,
            &self.schema,
            &self.org_id,
            include,
            &mut rows,
            &mut *self.memory,
        );
        within(self.answer_timeout, attaching).await?;
        Ok(rows)
    }

    /// The tool calls of one conversation in their order, one at a time.
    pub fn tool_calls_of(
        &mut self,
        conversation_id: &str,
    ) -> Result<BoxStream<'_, Result<ToolCall, ReadError>>, ReadError> {
        let stream = items::stream_tool_calls(self.connection.get()?, &self.schema, &self.org_id, conversation_id);
        Ok(stream.map(|item| Ok(item?)).boxed())
    }

    /// The feedback of one conversation in its order, one at a time.
    pub fn feedback_of(
        &mut self,
        conversation_id: &str,
    ) -> Result<BoxStream<'_, Result<Feedback, ReadError>>, ReadError> {
        let stream = items::stream_feedback(self.connection.get()?, &self.schema, &self.org_id, conversation_id);
        Ok(stream.map(|item| Ok(item?)).boxed())
    }

    /// A statement about the conversations `found` of organization `$1` with the ids `$2`, in that order.
    fn of_ids(&self, selected: &str) -> String {
        let schema = &self.schema;
        let of_c = row::stored("c");
        format!(
            "WITH found AS (SELECT i.place, {of_c} FROM UNNEST($2::text[]) WITH ORDINALITY AS i(id, place) \
               CROSS JOIN LATERAL (SELECT {of_c} FROM {schema}.conversation_summary c \
                 WHERE c.org_id = $1 AND c.conversation_id = i.id LIMIT 1) c) \
             SELECT {selected} ORDER BY c.place"
        )
    }
}

/// The outline of a page's rows.
fn nested(found: &[PgRow]) -> Result<Outline, sqlx::Error> {
    let mut top = Vec::new();
    let mut below: HashMap<String, Vec<Found>> = HashMap::new();
    let more = found.first().map_or(Ok(false), |row| row.try_get(1))?;
    for row in found {
        let found = Found::read(row, 2)?;
        match (&found.parent, row.try_get(0)?) {
            (Some(parent), false) => below.entry(parent.clone()).or_default().push(found),
            _ => top.push(found),
        }
    }
    in_order(&mut top);
    let next = top.last().filter(|_| more).map(Found::position);
    let mut entries = Vec::with_capacity(found.len());
    // The conversations whose entries are to come, the next one last.
    let mut stack: Vec<(Found, u32)> = top.into_iter().rev().map(|found| (found, 0)).collect();
    while let Some((found, depth)) = stack.pop() {
        let mut children = below.remove(&found.conversation_id).unwrap_or_default();
        in_order(&mut children);
        stack.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
        entries.push(OutlineEntry {
            conversation_id: found.conversation_id,
            depth,
        });
    }
    Ok(Outline { entries, next })
}

fn in_order(found: &mut [Found]) {
    found.sort_unstable_by(|a, b| (a.place, &a.conversation_id).cmp(&(b.place, &b.conversation_id)));
}
