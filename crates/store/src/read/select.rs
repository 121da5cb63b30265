//! The statements that read conversations, put together from a few fragments.
//!
//! Every statement of this module has the same parameters, used or not:
//! `$1` organization, `$2` and `$3` range, `$4` listed users, `$5` metadata tokens, `$6` agent,
//! `$7` and `$8` the place in the list after which to read, `$9` how many rows, `$10` how far to walk.

use sqlx::{Postgres, postgres::PgArguments, query::Query};

use super::{
    filter::{Filter, Position},
    plan::{NARROW, Source},
    row,
    users::Users,
};
use crate::sql::sql;

/// Ancestors up to which a conversation is shown inside its parent.
pub(crate) const MAX_LINKS: u32 = 32;

/// What an outline says of a conversation.
const OUTLINE: &str = "c.conversation_id, c.recency, c.upstream_conversation_id";

/// Everything a statement depends on.
pub(crate) struct Scope<'a> {
    pub(crate) schema: &'a str,
    pub(crate) org_id: &'a str,
    pub(crate) filter: &'a Filter,
    pub(crate) users: &'a Users,
}

impl Scope<'_> {
    /// Nobody is listed, so nothing matches.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.users, Users::Listed(users) if users.is_empty())
    }

    /// The source to begin a page with.
    pub(crate) fn first_source(&self, window: i64) -> Source {
        match self.users {
            Users::Listed(users) if users.len() > 1 => Source::EachUser,
            _ => Source::Window(window),
        }
    }

    /// A page of top-level conversations with their descendants. Columns: `top`, `more`, then those of
    /// [`row::select_list`]. Unordered.
    pub(crate) fn page(&self, source: Source, first_message_text: bool) -> String {
        let columns = row::select_list(first_message_text);
        let joins = row::joins(self.schema);
        self.shown(source, &format!("{columns} FROM shown c {joins}"))
    }

    /// The same page without what its rows say. Columns: `top`, `more`, then those of [`OUTLINE`].
    pub(crate) fn page_outline(&self, source: Source) -> String {
        self.shown(source, &format!("{OUTLINE} FROM shown c"))
    }

    /// A page's statement that ends with `selected`, said of `shown c`.
    fn shown(&self, source: Source, selected: &str) -> String {
        let (of_c, of_t, names) = (row::stored("c"), row::stored("t"), row::stored_names());
        let (candidates, links) = (self.candidates(source), self.links());
        let matches = self.matches("c", Range::Checked);
        let schema = self.schema;
        // A cycle or an endless chain has no end to hang from: such rows start at the last depth.
        format!(
            "WITH RECURSIVE pick AS MATERIALIZED ( \
               SELECT {of_c}, links.n FROM {candidates} \
               CROSS JOIN LATERAL (SELECT CASE WHEN c.upstream_conversation_id IS NULL THEN 0 \
                 ELSE ({links}) END AS n OFFSET 0) links \
               WHERE links.n = 0 OR links.n > {MAX_LINKS} \
               ORDER BY k.recency, k.conversation_id LIMIT $9 + 1), \
             shown(top, depth, {names}) AS ( \
               SELECT true, CASE WHEN t.n = 0 THEN 0 ELSE {MAX_LINKS} END, {of_t} \
               FROM (SELECT * FROM pick ORDER BY recency, conversation_id LIMIT $9) t \
               UNION ALL \
               SELECT false, s.depth + 1, {of_c} FROM shown s CROSS JOIN LATERAL ( \
                 SELECT {of_c} FROM {schema}.conversation_summary c \
                 WHERE {matches} AND c.upstream_conversation_id = s.conversation_id OFFSET 0) c \
               WHERE s.depth < {MAX_LINKS}) \
             SELECT c.top, (SELECT count(*) FROM pick) > $9, {selected}"
        )
    }

    /// Conversations one by one, whatever their parents. Columns as in [`row::select_list`], in order.
    pub(crate) fn rows(&self, source: Source, first_message_text: bool) -> String {
        let columns = row::select_list(first_message_text);
        let joins = row::joins(self.schema);
        let of_c = row::stored("c");
        let candidates = self.candidates(source);
        format!(
            "WITH pick AS MATERIALIZED (SELECT {of_c} FROM {candidates} \
               ORDER BY k.recency, k.conversation_id LIMIT $9) \
             SELECT {columns} FROM pick c {joins} ORDER BY c.recency, c.conversation_id"
        )
    }

    /// The same without what the rows say. Columns: those of [`OUTLINE`], in order.
    pub(crate) fn rows_outline(&self, source: Source) -> String {
        let candidates = self.candidates(source);
        format!("SELECT {OUTLINE} FROM {candidates} ORDER BY k.recency, k.conversation_id LIMIT $9")
    }

    /// How many conversations are ahead, up to one more than the walk saw, and when there are so many, how
    /// many the range holds; see [`crate::plan`].
    pub(crate) fn probe(&self) -> String {
        let schema = self.schema;
        let user = self.one_user("c");
        format!(
            "SELECT ahead.n, CASE WHEN ahead.n > $10 THEN (SELECT count(*) FROM ( \
               SELECT FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
               AND c.deleted_at IS NULL AND c.created_at BETWEEN $2 AND $3 LIMIT {NARROW} + 1) s) ELSE 0 END \
             FROM (SELECT count(*) AS n FROM (SELECT FROM {schema}.conversation_summary c \
               WHERE c.org_id = $1 AND c.deleted_at IS NULL{user} \
               AND (c.recency, c.conversation_id) > ($7, $8) \
               ORDER BY c.recency, c.conversation_id LIMIT $10 + 1) s OFFSET 0) ahead"
        )
    }

    /// One row of sums over everything that matches.
    pub(crate) fn stats(&self) -> String {
        let schema = self.schema;
        let range = match self.users {
            Users::Listed(_) => Range::Checked,
            Users::Any | Users::ByToken(_) => Range::Indexed,
        };
        let matches = self.matches("c", range);
        // Agents are few, so that grouping by them costs little; users are not, and are only counted.
        format!(
            "WITH part AS (SELECT c.agent_id, count(*) AS conversations, \
               sum(c.total_message_count) AS messages, sum(c.tool_call_count) AS tool_calls, \
               sum(c.total_tokens) AS total, sum(c.input_tokens) AS input, \
               sum(c.output_tokens) AS output, sum(c.total_feedback) AS feedback, \
               sum(c.total_helpful) AS helpful, sum(c.total_not_helpful) AS not_helpful \
               FROM {schema}.conversation_summary c WHERE {matches} GROUP BY c.agent_id) \
             SELECT coalesce(sum(conversations), 0)::bigint, coalesce(sum(messages), 0)::bigint, \
             coalesce(sum(tool_calls), 0)::bigint, coalesce(sum(total), 0)::bigint, \
             coalesce(sum(input), 0)::bigint, coalesce(sum(output), 0)::bigint, \
             (SELECT count(u.user_id) FROM (SELECT c.user_id FROM {schema}.conversation_summary c \
               WHERE {matches} GROUP BY c.user_id) u), \
             count(agent_id), coalesce(sum(feedback), 0)::bigint, \
             coalesce(sum(helpful), 0)::bigint, coalesce(sum(not_helpful), 0)::bigint FROM part"
        )
    }

    /// Binds the parameters every statement has.
    pub(crate) fn bind<'q>(
        &self,
        statement: String,
        after: Option<&Position>,
        limit: u32,
        window: i64,
    ) -> Query<'q, Postgres, PgArguments> {
        let (listed, tokens) = match self.users {
            Users::Any => (&[][..], &[][..]),
            Users::Listed(users) => (users.as_slice(), &[][..]),
            Users::ByToken(tokens) => (&[][..], tokens.as_slice()),
        };
        let (recency, id) = after.map_or((i64::MIN, ""), |position| {
            (-position.updated_at_ms, position.conversation_id.as_str())
        });
        sqlx::query(sql(statement))
            .bind(self.org_id)
            .bind(self.filter.from)
            .bind(self.filter.to)
            .bind(listed)
            .bind(tokens)
            .bind(self.filter.agent_id)
            .bind(recency)
            .bind(id)
            .bind(i64::from(limit))
            .bind(window)
    }

    /// Matching conversations `c` after the place, and `k`, their places in the list, in its order.
    /// The places come out of an index alone; rows are fetched for those only that the page gets to.
    fn candidates(&self, source: Source) -> String {
        let schema = self.schema;
        let (of_c, places) = (row::stored("c"), self.places(source));
        let matches = self.matches_by_key("c");
        format!(
            "({places}) k CROSS JOIN LATERAL (SELECT {of_c} FROM {schema}.conversation_summary c \
             WHERE {matches} AND c.conversation_id = k.conversation_id OFFSET 0) c"
        )
    }

    /// Where conversations of the range stand, after the place, in the order of the list.
    fn places(&self, source: Source) -> String {
        let schema = self.schema;
        let place = "c.conversation_id, c.recency";
        let after = "(c.recency, c.conversation_id) > ($7, $8)";
        let order = "ORDER BY c.recency, c.conversation_id";
        let user = self.one_user("c");
        match source {
            Source::Window(_) => format!(
                "SELECT {place} FROM (SELECT {place}, c.created_at FROM {schema}.conversation_summary c \
                 WHERE c.org_id = $1 AND c.deleted_at IS NULL{user} AND {after} {order} LIMIT $10) c \
                 WHERE c.created_at BETWEEN $2 AND $3 {order}"
            ),
            // The fence keeps the range's rows from being reached by walking.
            Source::Range => format!(
                "SELECT {place} FROM (SELECT {place} FROM {schema}.conversation_summary c \
                 WHERE c.org_id = $1 AND c.deleted_at IS NULL{user} AND c.created_at BETWEEN $2 AND $3 \
                 OFFSET 0) c WHERE {after} {order} OFFSET 0"
            ),
            Source::EachUser => format!(
                "SELECT {place} FROM UNNEST($4::text[]) AS u(user_id) CROSS JOIN LATERAL ( \
                 SELECT {place} FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
                 AND c.deleted_at IS NULL AND c.user_id = u.user_id AND {after} \
                 AND (c.created_at BETWEEN $2 AND $3) IS TRUE {order}) c {order} OFFSET 0"
            ),
        }
    }

    /// How many matching ancestors the conversation `c` has, counted to one more than nest. A cycle
    /// counts that far too.
    fn links(&self) -> String {
        let schema = self.schema;
        let matches = self.matches_by_key("p");
        format!(
            "WITH RECURSIVE up(parent, n) AS ( \
               SELECT c.upstream_conversation_id, 0 \
               UNION ALL \
               SELECT p.upstream_conversation_id, up.n + 1 FROM up CROSS JOIN LATERAL ( \
                 SELECT p.upstream_conversation_id FROM {schema}.conversation_summary p \
                 WHERE {matches} AND p.conversation_id = up.parent OFFSET 0) p \
               WHERE up.n <= {MAX_LINKS}) \
             SELECT max(n) FROM up"
        )
    }

    /// The whole filter on the conversation `alias`.
    fn matches(&self, alias: &str, range: Range) -> String {
        let conditions = self.conditions(alias, range);
        format!("{alias}.org_id = $1 AND {alias}.deleted_at IS NULL AND {conditions}")
    }

    /// The same on one that is looked up by its key. Said so that no partial index fits: where there are no statistics yet, the planner takes the
    /// list's, which has the id as its third column, for as good as the key's, and reads all of the organization for each look-up.
    fn matches_by_key(&self, alias: &str) -> String {
        let conditions = self.conditions(alias, Range::Checked);
        format!("{alias}.org_id = $1 AND coalesce({alias}.deleted_at, 'infinity') = 'infinity' AND {conditions}")
    }

    fn conditions(&self, alias: &str, range: Range) -> String {
        let schema = self.schema;
        let users = match self.users {
            Users::Any => String::new(),
            Users::Listed(_) => {
                format!(" AND {alias}.user_id IS NOT NULL AND {alias}.user_id = ANY($4::text[])")
            }
            Users::ByToken(_) => format!(
                " AND EXISTS (SELECT FROM {schema}.user_metadata_token m WHERE m.org_id = $1 \
                 AND m.user_id = {alias}.user_id AND m.token = ANY($5::uuid[]))"
            ),
        };
        let agent = match self.filter.agent_id {
            Some(_) => format!(" AND {alias}.agent_id = $6"),
            None => String::new(),
        };
        let range = match range {
            Range::Indexed => format!("{alias}.created_at BETWEEN $2 AND $3"),
            Range::Checked => format!("({alias}.created_at BETWEEN $2 AND $3) IS TRUE"),
        };
        format!("{range}{agent}{users}")
    }

    /// Lets a walk follow the one listed user's own index.
    fn one_user(&self, alias: &str) -> String {
        match self.users {
            Users::Listed(_) => format!(" AND {alias}.user_id = ($4::text[])[1]"),
            Users::Any | Users::ByToken(_) => String::new(),
        }
    }
}

/// How the range on `created_at` is asked for.
#[derive(Clone, Copy)]
enum Range {
    /// An index on it may be used.
    Indexed,
    /// It is checked row by row: `IS TRUE` keeps the planner from preferring its index.
    Checked,
}
