//! The statements that read conversations, put together from a few fragments.
//!
//! Every statement of this module has the same parameters, used or not:
//! `$1` organization, `$2` and `$3` range, `$4` listed users, `$5` metadata tokens, `$6` agent,
//! `$7` and `$8` the place in the list after which to read, `$9` how many rows, `$10` how far to walk.

use sqlx::{AssertSqlSafe, Postgres, postgres::PgArguments, query::Query};

use crate::{
    Filter, Include, Position,
    plan::{NARROW, WIDE_WINDOW},
    row,
    users::Users,
};

/// Ancestors up to which a conversation is shown inside its parent.
pub(crate) const MAX_LINKS: u32 = 32;

/// Where candidate rows come from, in the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The next so many conversations of the organization, or of the one listed user.
    Window(i64),
    /// All of the range, sorted.
    Range,
    /// Each listed user's own list, merged.
    EachUser,
}

/// Everything a statement depends on.
pub(crate) struct Scope<'a> {
    pub(crate) schema: &'a str,
    pub(crate) org_id: &'a str,
    pub(crate) filter: &'a Filter,
    pub(crate) users: &'a Users,
}

/// A statement as text. Only fixed fragments and a generation's schema name ever go into one.
pub(crate) fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
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
    /// [`row::columns`]. Unordered.
    pub(crate) fn page(&self, source: Source, include: Include) -> String {
        let schema = self.schema;
        let columns = row::columns(schema, include);
        let joins = row::joins(schema);
        let source = self.source(source);
        let links = self.links();
        let matches = self.matches("c", Range::Checked);
        // A cycle or an endless chain has no end to hang from: such rows start at the last depth.
        format!(
            "WITH RECURSIVE pick AS MATERIALIZED ( \
               SELECT c.conversation_id, c.recency, links.n FROM ({source}) c \
               CROSS JOIN LATERAL (SELECT CASE WHEN c.upstream_conversation_id IS NULL THEN 0 \
                 ELSE ({links}) END AS n OFFSET 0) links \
               WHERE links.n = 0 OR links.n > {MAX_LINKS} \
               ORDER BY c.recency, c.conversation_id LIMIT $9 + 1), \
             top AS (SELECT conversation_id, CASE WHEN n = 0 THEN 0 ELSE {MAX_LINKS} END AS depth \
               FROM pick ORDER BY recency, conversation_id LIMIT $9), \
             shown(conversation_id, depth, top) AS ( \
               SELECT conversation_id, depth, true FROM top \
               UNION ALL \
               SELECT c.conversation_id, s.depth + 1, false FROM shown s CROSS JOIN LATERAL ( \
                 SELECT c.conversation_id FROM {schema}.conversation_summary c \
                 WHERE {matches} AND c.upstream_conversation_id = s.conversation_id OFFSET 0) c \
               WHERE s.depth < {MAX_LINKS}) \
             SELECT shown.top, (SELECT count(*) FROM pick) > $9, {columns} FROM shown \
             CROSS JOIN LATERAL (SELECT * FROM {schema}.conversation_summary c \
               WHERE c.org_id = $1 AND c.conversation_id = shown.conversation_id LIMIT 1) c {joins}"
        )
    }

    /// Conversations one by one, whatever their parents. Columns as in [`row::columns`], in order.
    pub(crate) fn rows(&self, source: Source, include: Include) -> String {
        let schema = self.schema;
        let columns = row::columns(schema, include);
        let joins = row::joins(schema);
        let source = self.source(source);
        format!(
            "WITH pick AS MATERIALIZED (SELECT c.conversation_id, c.recency FROM ({source}) c \
               ORDER BY c.recency, c.conversation_id LIMIT $9) \
             SELECT {columns} FROM pick \
             CROSS JOIN LATERAL (SELECT * FROM {schema}.conversation_summary c \
               WHERE c.org_id = $1 AND c.conversation_id = pick.conversation_id LIMIT 1) c {joins} \
             ORDER BY pick.recency, pick.conversation_id"
        )
    }

    /// How many conversations are ahead and how many the range holds; see [`crate::plan`].
    pub(crate) fn probe(&self) -> String {
        let schema = self.schema;
        let user = self.one_user("c");
        format!(
            "WITH in_range AS MATERIALIZED (SELECT count(*) AS n FROM ( \
               SELECT FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
               AND c.deleted_at IS NULL AND c.created_at BETWEEN $2 AND $3 LIMIT {NARROW} + 1) s) \
             SELECT (SELECT count(*) FROM (SELECT FROM {schema}.conversation_summary c \
               WHERE c.org_id = $1 AND c.deleted_at IS NULL{user} \
               AND (c.recency, c.conversation_id) > ($7, $8) \
               ORDER BY c.recency, c.conversation_id \
               LIMIT CASE WHEN in_range.n > {NARROW} THEN {WIDE_WINDOW} ELSE $10 END + 1) s), \
             in_range.n FROM in_range"
        )
    }

    /// One row of sums over everything that matches.
    pub(crate) fn stats(&self) -> String {
        let schema = self.schema;
        let matches = self.matches("c", Range::Indexed);
        // Grouped first: hashing a few thousand users beats sorting a few hundred thousand rows.
        format!(
            "WITH part AS (SELECT c.user_id, c.agent_id, count(*) AS conversations, \
               sum(c.total_message_count) AS messages, sum(c.tool_call_count) AS tool_calls, \
               sum(c.total_tokens) AS total, sum(c.input_tokens) AS input, \
               sum(c.output_tokens) AS output, sum(c.total_feedback) AS feedback, \
               sum(c.total_helpful) AS helpful, sum(c.total_not_helpful) AS not_helpful \
               FROM {schema}.conversation_summary c WHERE {matches} GROUP BY c.user_id, c.agent_id) \
             SELECT coalesce(sum(conversations), 0)::bigint, coalesce(sum(messages), 0)::bigint, \
             coalesce(sum(tool_calls), 0)::bigint, coalesce(sum(total), 0)::bigint, \
             coalesce(sum(input), 0)::bigint, coalesce(sum(output), 0)::bigint, \
             count(DISTINCT user_id), count(DISTINCT agent_id), coalesce(sum(feedback), 0)::bigint, \
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

    /// Matching conversations after the place, in the order of the list.
    fn source(&self, source: Source) -> String {
        let schema = self.schema;
        let wanted = "c.conversation_id, c.recency, c.upstream_conversation_id";
        let after = "(c.recency, c.conversation_id) > ($7, $8)";
        let order = "ORDER BY c.recency, c.conversation_id";
        match source {
            Source::Window(_) => {
                let user = self.one_user("c");
                let others = self.conditions("c", Range::Checked);
                format!(
                    "SELECT {wanted} FROM (SELECT {wanted}, c.created_at, c.user_id, c.agent_id \
                     FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
                     AND c.deleted_at IS NULL{user} AND {after} {order} LIMIT $10) c \
                     WHERE {others} {order}"
                )
            }
            Source::Range => {
                let others = self.conditions("c", Range::Checked);
                // The fence keeps the range's rows from being reached by walking.
                format!(
                    "SELECT {wanted} FROM (WITH near AS MATERIALIZED (SELECT {wanted}, c.created_at, \
                     c.user_id, c.agent_id FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
                     AND c.deleted_at IS NULL AND c.created_at BETWEEN $2 AND $3) \
                     SELECT {wanted} FROM near c WHERE {after} AND {others} {order} OFFSET 0) c"
                )
            }
            Source::EachUser => {
                let others = self.conditions_of_listed("c");
                format!(
                    "SELECT {wanted} FROM UNNEST($4::text[]) AS u(user_id) CROSS JOIN LATERAL ( \
                     SELECT {wanted} FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
                     AND c.deleted_at IS NULL AND c.user_id = u.user_id AND {after} AND {others} \
                     {order}) c {order} OFFSET 0"
                )
            }
        }
    }

    /// How many matching ancestors the conversation `c` has, counted to one more than nest. A cycle
    /// counts that far too.
    fn links(&self) -> String {
        let schema = self.schema;
        let matches = self.matches("p", Range::Checked);
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
        let rest = self.range_and_agent(alias, range);
        format!("{rest}{users}")
    }

    fn conditions_of_listed(&self, alias: &str) -> String {
        self.range_and_agent(alias, Range::Checked)
    }

    fn range_and_agent(&self, alias: &str, range: Range) -> String {
        let agent = match self.filter.agent_id {
            Some(_) => format!(" AND {alias}.agent_id = $6"),
            None => String::new(),
        };
        match range {
            Range::Indexed => format!("{alias}.created_at BETWEEN $2 AND $3{agent}"),
            Range::Checked => format!("({alias}.created_at BETWEEN $2 AND $3) IS TRUE{agent}"),
        }
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
