//! Which conversations a statement is about.
//!
//! Every statement that is put together from a [`Scope`] has the same parameters, used or not: `$1` organization, `$2` and `$3` range, `$4`
//! listed users, `$5` metadata tokens, `$6` agent, `$7` and `$8` the place in the list after which to read, `$9` how many rows, `$10` how far
//! to walk, `$11` listed conversations, `$12` model, `$13` tool.

use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};

use super::{
    arm::Arm,
    few::{self, Few},
    filter::{FeedbackFilter, Filter, RangeOn},
    sort::{Position, Sort, negated_milliseconds},
    users::{self, Users},
};
use crate::sql::sql;

/// Everything a statement depends on.
pub(crate) struct Scope<'a> {
    pub(crate) schema: &'a str,
    pub(crate) org_id: &'a str,
    pub(crate) filter: &'a Filter,
    pub(crate) resolved: &'a Resolved,
}

/// What had to be asked before a list can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The users that the filter means.
    pub(crate) users: Users,
    /// Few conversations, among which are all that match.
    pub(crate) few: Few,
    /// Whether the model that is asked for is an agent's, which stands in where a conversation has none.
    pub(crate) model_of_agent: bool,
}

/// Asks at most once about each of the filter's conditions.
pub(crate) async fn resolve(
    connection: &mut PgConnection,
    schema: &str,
    org_id: &str,
    filter: &Filter,
) -> Result<Resolved, sqlx::Error> {
    let users = users::resolve(connection, schema, org_id, filter).await?;
    let few = few::resolve(connection, schema, org_id, filter).await?;
    let model_of_agent = match &filter.model {
        Some(model) => {
            let of_agent =
                format!("SELECT EXISTS (SELECT FROM {schema}.agent_profile WHERE org_id = $1 AND model = $2)");
            sqlx::query_scalar(sql(of_agent))
                .bind(org_id)
                .bind(model)
                .fetch_one(connection)
                .await?
        }
        None => false,
    };
    Ok(Resolved {
        users,
        few,
        model_of_agent,
    })
}

/// How the range is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Range {
    /// An index on it may be used.
    Indexed,
    /// It is checked row by row: `IS TRUE` keeps the planner from preferring its index.
    Checked,
}

impl Scope<'_> {
    /// Nobody is listed, so nothing matches.
    pub(crate) fn is_empty(&self) -> bool {
        let nobody = matches!(&self.resolved.users, Users::Listed(users) if users.is_empty());
        nobody || matches!(&self.resolved.few, Few::Listed(ids) if ids.is_empty())
    }

    /// Binds the parameters that every statement has, those of `places.rs` for a list in the order of `sort`.
    pub(crate) fn bind<'q>(
        &self,
        statement: String,
        sort: Sort,
        after: Option<&Position>,
        limit: u32,
        window: i64,
    ) -> Query<'q, Postgres, PgArguments> {
        let (listed, tokens) = match &self.resolved.users {
            Users::Any => (&[][..], &[][..]),
            Users::Listed(users) => (users.as_slice(), &[][..]),
            Users::ByToken(tokens) => (&[][..], tokens.as_slice()),
        };
        let few = match &self.resolved.few {
            Few::Listed(ids) => ids.as_slice(),
            Few::Unknown => &[],
        };
        let (place, id) = self.begin(sort, after);
        sqlx::query(sql(statement))
            .bind(self.org_id)
            .bind(self.filter.from)
            .bind(self.filter.to)
            .bind(listed)
            .bind(tokens)
            .bind(self.filter.agent_id)
            .bind(place)
            .bind(id)
            .bind(i64::from(limit))
            .bind(window)
            .bind(few)
            .bind(self.filter.model.as_deref())
            .bind(self.filter.tool_name.as_deref())
    }

    /// The place after which to read.
    pub(crate) fn begin<'p>(&self, sort: Sort, after: Option<&'p Position>) -> (i64, &'p str) {
        let after = after.map(|position| (-position.value, position.conversation_id.as_str()));
        // Ids are not empty, so what was last updated at the range's end comes after this.
        let first = match (sort, self.filter.range_on) {
            (Sort::UpdatedAt, RangeOn::UpdatedAt) => (-self.filter.to.timestamp_millis(), ""),
            _ => (i64::MIN, ""),
        };
        after.map_or(first, |after| after.max(first))
    }

    /// The whole filter on the conversation `alias`.
    pub(crate) fn matches(&self, alias: &str, arm: Arm, range: Range) -> String {
        let conditions = self.conditions(alias, arm, range);
        format!("{alias}.org_id = $1 AND {alias}.deleted_at IS NULL AND {conditions}")
    }

    /// The same on one that is looked up by its key. Said so that no partial index fits: where there are no statistics yet, the planner takes the
    /// list's, which has the id as its third column, for as good as the key's, and reads all of the organization for each look-up.
    pub(crate) fn matches_by_key(&self, alias: &str) -> String {
        let conditions = self.conditions(alias, Arm::Row, Range::Checked);
        format!("{alias}.org_id = $1 AND coalesce({alias}.deleted_at, 'infinity') = 'infinity' AND {conditions}")
    }

    fn conditions(&self, alias: &str, arm: Arm, range: Range) -> String {
        let Self { schema, filter, .. } = self;
        let mut conditions = vec![self.in_range(alias, arm, range)];
        match self.resolved.users {
            Users::Any => {}
            Users::Listed(_) => conditions.push(format!(
                "{alias}.user_id IS NOT NULL AND {alias}.user_id = ANY($4::text[])"
            )),
            Users::ByToken(_) => conditions.push(format!(
                "EXISTS (SELECT FROM {schema}.user_metadata_token m WHERE m.org_id = $1 \
                 AND m.user_id = {alias}.user_id AND m.token = ANY($5::uuid[]))"
            )),
        }
        if filter.agent_id.is_some() {
            conditions.push(format!("{alias}.agent_id = $6"));
        }
        if filter.model.is_some() {
            let own = arm.column(alias, "agent_model");
            conditions.push(if self.resolved.model_of_agent {
                format!(
                    "({own} = $12 OR ({own} IS NULL AND EXISTS (SELECT FROM {schema}.agent_profile m WHERE m.org_id = $1 \
                     AND m.agent_id = {alias}.agent_id AND m.model = $12)))"
                )
            } else {
                format!("{own} = $12")
            });
        }
        conditions.extend(filter.feedback.map(|feedback| with_feedback(feedback, alias, arm)));
        if filter.tool_name.is_some() {
            conditions.push(format!(
                "EXISTS (SELECT FROM {schema}.tool_call t WHERE t.org_id = $1 AND t.listed_tool_name = $13 \
                 AND t.conversation_id = {alias}.conversation_id)"
            ));
        }
        if let Some(failed) = filter.tool_error {
            let not = if failed { "" } else { "NOT " };
            conditions.push(format!(
                "{not}EXISTS (SELECT FROM {schema}.tool_call t WHERE t.org_id = $1 AND t.error IS NOT NULL \
                 AND t.conversation_id = {alias}.conversation_id)"
            ));
        }
        conditions.join(" AND ")
    }

    /// Whether the conversation `alias` is in the range.
    pub(crate) fn in_range(&self, alias: &str, arm: Arm, range: Range) -> String {
        let condition = match self.filter.range_on {
            RangeOn::CreatedAt => format!("{alias}.created_at BETWEEN $2 AND $3"),
            RangeOn::UpdatedAt => {
                let (newest, oldest) = (negated_milliseconds("$3"), negated_milliseconds("$2"));
                format!("{} BETWEEN {newest} AND {oldest}", arm.column(alias, "recency"))
            }
        };
        match range {
            Range::Indexed => condition,
            Range::Checked => format!("({condition}) IS TRUE"),
        }
    }
}

/// Whether the conversation `alias` has such feedback.
pub(crate) fn with_feedback(feedback: FeedbackFilter, alias: &str, arm: Arm) -> String {
    let count = |column| arm.column(alias, column);
    match feedback {
        FeedbackFilter::Any => format!("{} > 0", count("total_feedback")),
        FeedbackFilter::None => format!("{} = 0", count("total_feedback")),
        FeedbackFilter::Helpful => format!("{} > 0", count("total_helpful")),
        FeedbackFilter::NotHelpful => format!("{} > 0", count("total_not_helpful")),
    }
}
