//! Where the conversations of a list stand, in its order: read from indexes alone, and of the busy ones from their rows.

use super::{
    arm::Arm,
    few::Few,
    filter::{FeedbackFilter, RangeOn},
    plan::{NARROW, Source},
    scope::{Range, Scope, with_feedback},
    sort::{Sort, negated_milliseconds},
    users::Users,
};

/// The list's own index, or one that holds only what a condition of the filter lets pass.
#[derive(Clone, Copy)]
enum Walk {
    All,
    User,
    Feedback(FeedbackFilter),
    Agent,
    Model,
}

impl Walk {
    /// What the index holds, as a condition on a conversation `c` behind another.
    fn condition(self, arm: Arm) -> String {
        match self {
            Self::All => String::new(),
            Self::User => " AND c.user_id = ($4::text[])[1]".to_owned(),
            Self::Feedback(feedback) => format!(" AND {}", with_feedback(feedback, "c", arm)),
            Self::Agent => " AND c.agent_id = $6".to_owned(),
            Self::Model => format!(" AND {} = $12", arm.column("c", "agent_model")),
        }
    }
}

impl Scope<'_> {
    /// The source to begin a page with.
    pub(crate) fn first_source(&self, sort: Sort, window: i64) -> Source {
        match (&self.resolved.few, &self.resolved.users, sort) {
            (Few::Listed(_), ..) => Source::EachListed,
            (_, Users::Listed(users), Sort::UpdatedAt) if users.len() == 1 => Source::Window(window),
            (_, Users::Listed(_), _) => Source::EachUser,
            (.., Sort::UpdatedAt) => Source::Window(window),
            _ => Source::Range,
        }
    }

    /// `place` and `conversation_id` of conversations of the range, after the place, in the order of the list. Not all match.
    pub(crate) fn places(&self, source: Source, sort: Sort) -> String {
        const AFTER: &str = "(k.place, k.conversation_id) > ($7, $8)";
        const ORDER: &str = "ORDER BY k.place, k.conversation_id";
        let schema = self.schema;
        match source {
            Source::Window(_) => {
                let in_range = match self.filter.range_on {
                    RangeOn::CreatedAt => " WHERE k.created_at BETWEEN $2 AND $3",
                    RangeOn::UpdatedAt => "",
                };
                let both = Arm::both(|arm| self.ahead(arm, "LIMIT $10"));
                format!(
                    "SELECT k.place, k.conversation_id FROM ({both} ORDER BY place, conversation_id LIMIT $10) k{in_range} {ORDER}"
                )
            }
            // The fences keep the range's rows from being reached by walking.
            Source::Range => {
                let both = Arm::both(|arm| {
                    let (place, is, range) = (sort.place(arm, "c"), arm.condition(), self.in_arm(arm));
                    let walk = self.walk().condition(arm);
                    format!(
                        "SELECT {place} AS place, c.conversation_id FROM {schema}.conversation_summary c \
                         WHERE c.org_id = $1 AND c.deleted_at IS NULL AND {is}{walk} AND {range} OFFSET 0"
                    )
                });
                format!("SELECT k.place, k.conversation_id FROM ({both}) k WHERE {AFTER} {ORDER} OFFSET 0")
            }
            Source::EachUser => {
                let both = Arm::both(|arm| {
                    let (place, is) = (sort.place(arm, "c"), arm.condition());
                    let range = self.in_range("c", arm, Range::Checked);
                    format!(
                        "SELECT {place} AS place, c.conversation_id FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
                         AND c.deleted_at IS NULL AND c.user_id = u.user_id AND {is} AND {range} OFFSET 0"
                    )
                });
                format!(
                    "SELECT k.place, k.conversation_id FROM UNNEST($4::text[]) AS u(user_id) CROSS JOIN LATERAL ({both}) k \
                     WHERE {AFTER} {ORDER} OFFSET 0"
                )
            }
            Source::EachListed => {
                let place = sort.place(Arm::Row, "c");
                let matches = self.matches_by_key("c");
                format!(
                    "SELECT k.place, k.conversation_id FROM UNNEST($11::text[]) AS i(id) CROSS JOIN LATERAL ( \
                     SELECT {place} AS place, c.conversation_id FROM {schema}.conversation_summary c \
                     WHERE {matches} AND c.conversation_id = i.id LIMIT 1) k WHERE {AFTER} {ORDER} OFFSET 0"
                )
            }
        }
    }

    /// How many conversations are ahead, up to one more than the walk saw of those that are listed, and when there are so many, how many
    /// listed ones the range holds; see [`super::plan`].
    pub(crate) fn probe(&self) -> String {
        let schema = self.schema;
        let ahead = |arm, limit| format!("(SELECT count(*) FROM ({}) k)", self.ahead(arm, limit));
        let (listed, busy) = (ahead(Arm::Listed, "LIMIT $10 + 1"), ahead(Arm::Row, ""));
        let range = self.in_range("c", Arm::Listed, Range::Indexed);
        format!(
            "SELECT ahead.n, CASE WHEN ahead.n > $10 THEN (SELECT count(*) FROM ( \
               SELECT FROM {schema}.conversation_summary c WHERE c.org_id = $1 \
               AND c.deleted_at IS NULL AND {range} LIMIT {NARROW} + 1) s) ELSE 0 END \
             FROM (SELECT {listed} + {busy} AS n OFFSET 0) ahead"
        )
    }

    /// The conversations of one arm after the place, newest first.
    fn ahead(&self, arm: Arm, limit: &str) -> String {
        let schema = self.schema;
        let place = arm.column("c", "recency");
        let walk = self.walk().condition(arm);
        let busy = match arm {
            Arm::Listed => "",
            Arm::Row => " AND c.listed_recency IS NULL",
        };
        let oldest = match self.filter.range_on {
            RangeOn::CreatedAt => String::new(),
            RangeOn::UpdatedAt => format!(" AND {place} <= {}", negated_milliseconds("$2")),
        };
        // Without a limit, `OFFSET 0` keeps the order from being taken apart.
        let limit = if arm == Arm::Listed { limit } else { "OFFSET 0" };
        format!(
            "SELECT {place} AS place, c.conversation_id, c.created_at FROM {schema}.conversation_summary c \
             WHERE c.org_id = $1 AND c.deleted_at IS NULL{busy}{walk}{oldest} AND ({place}, c.conversation_id) > ($7, $8) \
             ORDER BY {place}, c.conversation_id {limit}"
        )
    }

    /// The range, by its index where the arm has one.
    pub(crate) fn in_arm(&self, arm: Arm) -> String {
        let range = match arm {
            Arm::Listed => Range::Indexed,
            Arm::Row => Range::Checked,
        };
        self.in_range("c", arm, range)
    }

    fn walk(&self) -> Walk {
        let filter = self.filter;
        match (&self.resolved.users, filter.feedback) {
            (Users::Listed(users), _) if users.len() == 1 => Walk::User,
            (_, Some(feedback)) if feedback != FeedbackFilter::None => Walk::Feedback(feedback),
            _ if filter.agent_id.is_some() => Walk::Agent,
            _ if filter.model.is_some() && !self.resolved.model_of_agent => Walk::Model,
            _ => Walk::All,
        }
    }
}
