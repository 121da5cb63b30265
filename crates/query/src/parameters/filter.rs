//! The filter: which conversations an endpoint of the dashboards is asked about.
//!
//! A new filter is one declaration here and one line in [`FilterParameters::filter`].

use recap_store::{FeedbackFilter, Filter, MetadataFilter, RangeOn};

use super::{
    choice::OneOf,
    query_parameters,
    values::{AgentId, Text, Time},
};
use crate::http::problem::Problem;

/// Bytes of a text that a filter may look for.
const MAX_TEXT_BYTES: usize = 1024;

query_parameters! {
    /// Which conversations: what every endpoint of the dashboards takes.
    pub(crate) struct FilterParameters checked by Self::check_together {
        /// Conversations created (or as `rangeOn` says) at this moment or later: RFC 3339 with any offset, cut to milliseconds.
        "from" example "2024-03-01T00:00:00Z" => from: Time,
        /// Conversations created (or as `rangeOn` says) at this moment or earlier. Not before `from`.
        "to" example "2024-03-31T23:59:59.999Z" => to: Time,
        /// Which of a conversation's times the range is about; `createdAt` where it is not given.
        "rangeOn" => range_on: Option<OneOf<RangeOn>>,
        /// Every user of the organization instead of the caller. Needs the role `org:admin`.
        "allInOrg" => all_in_org: Option<bool>,
        /// One user. Another's id needs `org:admin` and `allInOrg=true`.
        "userId" example "user_2aLin" => user_id: Option<Text<1, MAX_TEXT_BYTES>>,
        /// Users whose public metadata has this key: a literal top-level key, else a dotted path through objects.
        "metadataKey" example "office.city" => metadata_key: Option<Text<1, MAX_TEXT_BYTES>>,
        /// Users with this value, at that key or, without one, at any key and depth. Numbers match numerically, `true`, `false` and
        /// `null` as JSON, arrays by any element. May be empty.
        "metadataValue" example "London" => metadata_value: Option<Text<0, MAX_TEXT_BYTES>>,
        /// One agent.
        "agentId" example 7 => agent_id: Option<AgentId>,
        /// Conversations whose `agentModel` is this.
        "model" example "gpt-4-turbo" => model: Option<Text<1, MAX_TEXT_BYTES>>,
        /// Conversations that show a call of this tool.
        "toolName" example "sql_query" => tool_name: Option<Text<1, MAX_TEXT_BYTES>>,
        /// Conversations with at least one such feedback; `none`: without any.
        "feedback" => feedback: Option<OneOf<FeedbackFilter>>,
        /// `true`: conversations with a call that shows an `error`; `false`: without one.
        "toolError" => tool_error: Option<bool>,
    }
}

impl FilterParameters {
    /// The store's filter. Who may see whose rows is decided by [`crate::scope::Scope`], which gives `user_id`.
    pub(crate) fn filter(&self, user_id: Option<String>) -> Filter {
        let key = self.metadata_key.clone().map(String::from);
        let value = self.metadata_value.clone().map(String::from);
        Filter {
            from: self.from.into(),
            to: self.to.into(),
            range_on: self.range_on.map_or(RangeOn::CreatedAt, |range_on| range_on.0),
            user_id,
            metadata: (key.is_some() || value.is_some()).then_some(MetadataFilter { key, value }),
            agent_id: self.agent_id.map(i64::from),
            model: self.model.clone().map(String::from),
            tool_name: self.tool_name.clone().map(String::from),
            feedback: self.feedback.map(|feedback| feedback.0),
            tool_error: self.tool_error,
        }
    }

    /// One spelling for what means the same.
    pub(crate) fn canonical(self) -> Self {
        Self {
            range_on: self.range_on.filter(|range_on| range_on.0 != RangeOn::CreatedAt),
            ..self
        }
    }

    fn check_together(&self) -> Result<(), Problem> {
        if self.from > self.to {
            return Err(Problem::parameter("from", "from is after to."));
        }
        Ok(())
    }
}
