//! Figures over everything that matches a filter: of all of it, by time, and by what conversations have in common.

use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow};
use tracing::{Instrument as _, debug_span};

use super::{
    Snapshot,
    arm::Arm,
    few::Few,
    filter::{Filter, RangeOn},
    scope::{Range, Scope},
    sort::Sort,
    stats::Stats,
    users::Users,
};
use crate::{ReadError, lease::within};

/// What conversations are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupBy {
    /// Their agent.
    AgentId,
    /// The model they show.
    AgentModel,
    /// Their user.
    UserId,
    /// Their last finish reason.
    LastFinishReason,
    /// Each tool that they show a call of.
    ToolName,
}

/// What conversations of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// There are no groups.
    All,
    /// This number, or none.
    Integer(Option<i64>),
    /// This text, or none.
    Text(Option<String>),
    /// They are in none of the other groups.
    Other,
}

/// The figures of some conversations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Conversations.
    pub conversation_count: i64,
    /// Messages of every role.
    pub message_count: i64,
    /// Tool calls; in a group of a tool those of that tool.
    pub tool_calls: i64,
    /// All tokens.
    pub total_tokens: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Distinct users.
    pub unique_users: i64,
    /// Feedback not withdrawn.
    pub total_feedback: i64,
    /// Of it, helpful.
    pub total_helpful: i64,
    /// Of it, not helpful.
    pub total_not_helpful: i64,
    /// The median of their durations (nearest rank), in milliseconds; `None` of no conversations.
    pub duration_p50_ms: Option<i64>,
    /// The 95th percentile.
    pub duration_p95_ms: Option<i64>,
}

/// The figures of one group in one bucket of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Which bucket, from 0.
    pub index: usize,
    /// Which of [`Breakdown::groups`].
    pub group: usize,
    /// Of conversations there are; buckets without any are left out.
    pub figures: Figures,
}

/// How conversations are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// By what.
    pub by: GroupBy,
    /// How many groups have figures of their own; the rest are [`Group::Other`].
    pub most: u16,
}

/// Figures by bucket and group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// Those with most conversations first, of equal ones the least value first and none last; then [`Group::Other`], if there is a rest.
    pub groups: Vec<Group>,
    /// In no order.
    pub buckets: Vec<Bucket>,
}

impl Snapshot {
    /// Sums over everything that matches.
    pub async fn stats(&mut self, filter: &Filter) -> Result<Stats, ReadError> {
        let span = debug_span!("store.stats", db.system.name = "postgresql");
        let answer_timeout = self.answer_timeout;
        let reading = async {
            let filter = filter.whole_milliseconds();
            let resolved = self.resolve(&filter).await?;
            let scope = Scope {
                schema: &self.schema,
                org_id: &self.org_id,
                filter: &filter,
                resolved: &resolved,
            };
            if scope.is_empty() {
                return Ok(Stats::default());
            }
            let query = scope.bind(scope.stats(), Sort::default(), None, 0, 0);
            let row = query.fetch_one(self.connection.get()?).await?;
            Ok(Stats::read(&row)?)
        };
        within(answer_timeout, reading).instrument(span).await
    }

    /// Figures over everything that matches. `starts` are the ascending first moments of the buckets, of which the first is not after the range's
    /// beginning; a bucket ends where the next one starts.
    pub async fn breakdown(
        &mut self,
        filter: &Filter,
        starts: &[DateTime<Utc>],
        groups: Option<Groups>,
    ) -> Result<Breakdown, ReadError> {
        let span = debug_span!("store.breakdown", db.system.name = "postgresql");
        let answer_timeout = self.answer_timeout;
        let reading = async {
            let filter = filter.whole_milliseconds();
            let resolved = self.resolve(&filter).await?;
            let scope = Scope {
                schema: &self.schema,
                org_id: &self.org_id,
                filter: &filter,
                resolved: &resolved,
            };
            if scope.is_empty() {
                return Ok(Breakdown::default());
            }
            let statement = scope.breakdown(groups.map(|groups| groups.by));
            let most = groups.map_or(0, |groups| u32::from(groups.most));
            let milliseconds: Vec<i64> = starts.iter().map(DateTime::timestamp_millis).collect();
            let query = scope.bind(statement, Sort::default(), None, most, 0);
            let query = query.bind(starts).bind(milliseconds);
            let connection = self.connection.get()?;
            sqlx::raw_sql(HASHED).execute(&mut *connection).await?;
            let rows = query.fetch_all(&mut *connection).await?;
            sqlx::raw_sql(NOT_HASHED).execute(connection).await?;
            Ok(Breakdown::read(&rows, groups)?)
        };
        within(answer_timeout, reading).instrument(span).await
    }
}

impl Breakdown {
    /// Reads what [`Scope::breakdown`] selects.
    fn read(rows: &[PgRow], groups: Option<Groups>) -> Result<Self, sqlx::Error> {
        let mut found = Vec::new();
        for row in rows {
            let rank: Option<i64> = row.try_get(1)?;
            let group = match (groups, rank) {
                (None, _) => Group::All,
                (Some(_), None) => Group::Other,
                (Some(groups), Some(_)) => groups.by.read(row)?,
            };
            let index: i32 = row.try_get(0)?;
            // Those without a rank come last.
            let rank = rank.unwrap_or(i64::MAX);
            found.push((
                rank,
                group,
                usize::try_from(index - 1).unwrap_or_default(),
                Figures::read(row)?,
            ));
        }
        let mut ranked: Vec<(i64, Group)> = found.iter().map(|(rank, group, ..)| (*rank, group.clone())).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.dedup_by_key(|(rank, _)| *rank);
        let place = |rank: i64| {
            ranked
                .binary_search_by_key(&rank, |(rank, _)| *rank)
                .unwrap_or_default()
        };
        let buckets = found
            .into_iter()
            .map(|(rank, _, index, figures)| Bucket {
                index,
                group: place(rank),
                figures,
            })
            .collect();
        Ok(Self {
            groups: ranked.into_iter().map(|(_, group)| group).collect(),
            buckets,
        })
    }
}

impl Figures {
    /// Reads what [`FIGURES`] selects, after three columns.
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            conversation_count: row.try_get(3)?,
            message_count: row.try_get(4)?,
            total_tokens: row.try_get(5)?,
            input_tokens: row.try_get(6)?,
            output_tokens: row.try_get(7)?,
            unique_users: row.try_get(8)?,
            total_feedback: row.try_get(9)?,
            total_helpful: row.try_get(10)?,
            total_not_helpful: row.try_get(11)?,
            duration_p50_ms: row.try_get(12)?,
            duration_p95_ms: row.try_get(13)?,
            tool_calls: row.try_get(14)?,
        })
    }
}

/// What is joined here is no look-up by key, and the planner knows nothing of how much there is of either side: by its guess it
/// would compare each with each, or sort both.
pub(crate) const HASHED: &str = "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off";
const NOT_HASHED: &str = "SET LOCAL enable_nestloop = on; SET LOCAL enable_mergejoin = on";

/// The figures of `f`, but for the tool calls.
const FIGURES: &str = "count(*), sum(f.total_message_count)::bigint, sum(f.total_tokens)::bigint, sum(f.input_tokens)::bigint, \
     sum(f.output_tokens)::bigint, count(DISTINCT f.user_id), sum(f.total_feedback)::bigint, sum(f.total_helpful)::bigint, \
     sum(f.total_not_helpful)::bigint, percentile_disc(0.5) WITHIN GROUP (ORDER BY f.duration_ms), \
     percentile_disc(0.95) WITHIN GROUP (ORDER BY f.duration_ms)";

/// Columns that figures are made of.
const COUNTED: [&str; 11] = [
    "agent_model",
    "last_finish_reason",
    "total_message_count",
    "duration_ms",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "tool_call_count",
    "total_feedback",
    "total_helpful",
    "total_not_helpful",
];

/// How many calls each conversation has of each tool, by the key of the name they show: counted in the order of the index, which has no names
/// that are too long for it.
fn calls_by_key(schema: &str) -> String {
    format!(
        "(SELECT t.conversation_id, '=' || t.listed_tool_name AS key, count(*) AS calls FROM {schema}.tool_call t \
         WHERE t.org_id = $1 AND t.listed_tool_name IS NOT NULL GROUP BY t.listed_tool_name, t.conversation_id) UNION ALL \
         (SELECT t.conversation_id, coalesce('=' || coalesce(t.started_tool_name, t.finished_tool_name), ''), count(*) \
         FROM {schema}.tool_call t WHERE t.org_id = $1 AND t.listed_tool_name IS NULL GROUP BY 1, 2)"
    )
}

impl GroupBy {
    /// A key that is never null, so that it can be joined on.
    fn key(self) -> &'static str {
        match self {
            Self::AgentId => "coalesce(f.agent_id, -9223372036854775808)",
            Self::AgentModel => "coalesce('=' || coalesce(f.agent_model, a.model), '')",
            Self::UserId => "coalesce('=' || f.user_id, '')",
            Self::LastFinishReason => "coalesce('=' || f.last_finish_reason, '')",
            Self::ToolName => "f.key",
        }
    }

    /// The key of those that have no value.
    fn no_value(self) -> &'static str {
        match self {
            Self::AgentId => "-9223372036854775808",
            Self::AgentModel | Self::UserId | Self::LastFinishReason | Self::ToolName => "''",
        }
    }

    /// The group with the key in column 2.
    fn read(self, row: &PgRow) -> Result<Group, sqlx::Error> {
        match self {
            Self::AgentId => {
                let key: i64 = row.try_get(2)?;
                Ok(Group::Integer(Some(key).filter(|key| *key != i64::MIN)))
            }
            Self::AgentModel | Self::UserId | Self::LastFinishReason | Self::ToolName => {
                let key: &str = row.try_get(2)?;
                Ok(Group::Text(key.strip_prefix('=').map(str::to_owned)))
            }
        }
    }
}

impl Scope<'_> {
    /// One row of sums over everything that matches.
    pub(crate) fn stats(&self) -> String {
        let counted = self.counted();
        // Agents are few, so that grouping by them costs little; users are not, and are only counted.
        format!(
            "WITH part AS (SELECT f.agent_id, count(*) AS conversations, \
               sum(f.total_message_count) AS messages, sum(f.tool_call_count) AS tool_calls, \
               sum(f.total_tokens) AS total, sum(f.input_tokens) AS input, \
               sum(f.output_tokens) AS output, sum(f.total_feedback) AS feedback, \
               sum(f.total_helpful) AS helpful, sum(f.total_not_helpful) AS not_helpful \
               FROM ({counted}) f GROUP BY f.agent_id) \
             SELECT coalesce(sum(conversations), 0)::bigint, coalesce(sum(messages), 0)::bigint, \
             coalesce(sum(tool_calls), 0)::bigint, coalesce(sum(total), 0)::bigint, \
             coalesce(sum(input), 0)::bigint, coalesce(sum(output), 0)::bigint, \
             (SELECT count(u.user_id) FROM (SELECT f.user_id FROM ({counted}) f GROUP BY f.user_id) u), \
             count(agent_id), coalesce(sum(feedback), 0)::bigint, \
             coalesce(sum(helpful), 0)::bigint, coalesce(sum(not_helpful), 0)::bigint FROM part"
        )
    }

    /// Figures by bucket and group: `bucket` from 1, the group's rank (null of the rest), its key, then [`FIGURES`] and the tool calls.
    /// `$9` is how many groups have a rank, `$14` the starts of the buckets and `$15` the same in Unix milliseconds.
    pub(crate) fn breakdown(&self, by: Option<GroupBy>) -> String {
        let counted = self.counted();
        let bucket = match self.filter.range_on {
            RangeOn::CreatedAt => "width_bucket(f.at, $14::timestamptz[])",
            RangeOn::UpdatedAt => "width_bucket(f.at, $15::bigint[])",
        };
        let Some(by) = by else {
            return format!(
                "SELECT {bucket}, NULL::bigint, NULL::text, {FIGURES}, sum(f.tool_call_count)::bigint FROM ({counted}) f GROUP BY 1"
            );
        };
        let (key, no_value) = (by.key(), by.no_value());
        // Only of so many first ones is there a rank.
        let ranked = |keys: &str| {
            format!(
                "SELECT r.key, row_number() OVER (ORDER BY r.n DESC, r.key = {no_value}, r.key COLLATE_C) AS rank \
                 FROM (SELECT key, count(*) AS n FROM ({keys}) k GROUP BY key) r ORDER BY rank LIMIT $9"
            )
            .replace(" COLLATE_C", if by == GroupBy::AgentId { "" } else { " COLLATE \"C\"" })
        };
        if by == GroupBy::ToolName {
            let (calls, ranks) = (calls_by_key(self.schema), ranked("SELECT key FROM called"));
            // Each conversation has a part in each of its tools, and one in the rest, however many of its tools are of that.
            return format!(
                "WITH counted AS MATERIALIZED ({counted}), \
                 called AS MATERIALIZED (SELECT f.*, t.key, t.calls FROM ({calls}) t JOIN counted f USING (conversation_id)), \
                 ranks AS MATERIALIZED ({ranks}), \
                 rest AS MATERIALIZED (SELECT c.conversation_id, sum(c.calls) AS calls FROM called c LEFT JOIN ranks r USING (key) \
                   WHERE r.rank IS NULL GROUP BY c.conversation_id) \
                 SELECT 1, r.rank, r.key, {FIGURES}, sum(f.calls)::bigint FROM called f JOIN ranks r USING (key) GROUP BY r.rank, r.key \
                 UNION ALL \
                 SELECT 1, NULL, NULL, {FIGURES}, sum(c.calls)::bigint FROM rest c JOIN counted f USING (conversation_id) HAVING count(*) > 0"
            );
        }
        let models = if by == GroupBy::AgentModel {
            let schema = self.schema;
            format!(" LEFT JOIN {schema}.agent_profile a ON a.org_id = $1 AND a.agent_id = f.agent_id")
        } else {
            String::new()
        };
        let ranks = ranked(&format!("SELECT {key} AS key FROM ({counted}) f{models}"));
        format!(
            "WITH ranks AS MATERIALIZED ({ranks}) \
             SELECT {bucket}, r.rank, r.key, {FIGURES}, sum(f.tool_call_count)::bigint \
             FROM ({counted}) f{models} LEFT JOIN ranks r ON r.key = {key} GROUP BY 1, 2, 3"
        )
    }

    /// What figures are made of, a row for each conversation that matches.
    fn counted(&self) -> String {
        let schema = self.schema;
        match (&self.resolved.few, &self.resolved.users) {
            (Few::Listed(_), _) => {
                let (columns, matches) = (self.counted_columns(Arm::Row), self.matches_by_key("c"));
                format!(
                    "SELECT f.* FROM UNNEST($11::text[]) AS i(id) CROSS JOIN LATERAL (SELECT {columns} \
                     FROM {schema}.conversation_summary c WHERE {matches} AND c.conversation_id = i.id LIMIT 1) f"
                )
            }
            (_, Users::Listed(_)) => {
                let (columns, matches) = (
                    self.counted_columns(Arm::Row),
                    self.matches("c", Arm::Row, Range::Checked),
                );
                format!("SELECT {columns} FROM {schema}.conversation_summary c WHERE {matches}")
            }
            _ => Arm::both(|arm| {
                let range = match arm {
                    Arm::Listed => Range::Indexed,
                    Arm::Row => Range::Checked,
                };
                let (columns, matches, is) = (
                    self.counted_columns(arm),
                    self.matches("c", arm, range),
                    arm.condition(),
                );
                format!("SELECT {columns} FROM {schema}.conversation_summary c WHERE {matches} AND {is}")
            }),
        }
    }

    fn counted_columns(&self, arm: Arm) -> String {
        let at = match self.filter.range_on {
            RangeOn::CreatedAt => "c.created_at".to_owned(),
            RangeOn::UpdatedAt => format!("-{}", arm.column("c", "recency")),
        };
        let copied = COUNTED.map(|column| format!("{} AS {column}", arm.column("c", column)));
        format!(
            "c.conversation_id, {at} AS at, c.user_id, c.agent_id, {}",
            copied.join(", ")
        )
    }
}
