//! What is asked for.

use chrono::{DateTime, SubsecRound as _, Utc};

/// Which conversations of an organization: all conditions hold at once, and none is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// At or after this moment (milliseconds count).
    pub from: DateTime<Utc>,
    /// At or before this moment (milliseconds count).
    pub to: DateTime<Utc>,
    /// Which of a conversation's times that is about.
    pub range_on: RangeOn,
    /// Of this user only.
    pub user_id: Option<String>,
    /// Of users with this metadata only.
    pub metadata: Option<MetadataFilter>,
    /// Of this agent only.
    pub agent_id: Option<i64>,
    /// Which show this model: their own, or without one their agent's.
    pub model: Option<String>,
    /// Which show a call of this tool.
    pub tool_name: Option<String>,
    /// With feedback of this kind.
    pub feedback: Option<FeedbackFilter>,
    /// `true`: which show a call that failed; `false`: which show none.
    pub tool_error: Option<bool>,
}

impl Filter {
    /// Every conversation: all times are between the years 0 and 9999.
    pub const ALWAYS: Self = Self::created(year_begins(-62_167_219_200), year_begins(253_402_300_800));

    /// Every conversation created from `from` to `to`, both inclusive.
    #[must_use]
    pub const fn created(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        Self {
            from,
            to,
            range_on: RangeOn::CreatedAt,
            user_id: None,
            metadata: None,
            agent_id: None,
            model: None,
            tool_name: None,
            feedback: None,
            tool_error: None,
        }
    }

    /// Stored times are whole milliseconds, so a range that is cut to them says the same.
    pub(super) fn whole_milliseconds(&self) -> Self {
        Self {
            from: self.from.trunc_subsecs(3),
            to: self.to.trunc_subsecs(3),
            ..self.clone()
        }
    }
}

const fn year_begins(unix_seconds: i64) -> DateTime<Utc> {
    match DateTime::from_timestamp(unix_seconds, 0) {
        Some(time) => time,
        None => DateTime::UNIX_EPOCH,
    }
}

/// Which of a conversation's times a range is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RangeOn {
    /// When it began.
    #[default]
    CreatedAt,
    /// When something last happened in it.
    UpdatedAt,
}

/// Feedback that a conversation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedbackFilter {
    /// At least one.
    Any,
    /// Not one.
    None,
    /// At least one that is helpful.
    Helpful,
    /// At least one that is not helpful.
    NotHelpful,
}

/// Users by their public metadata. With neither key nor value nobody matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataFilter {
    /// They have this key: a literal top-level key, else a dotted path through objects.
    pub key: Option<String>,
    /// They have this value, at the key or, without one, anywhere.
    pub value: Option<String>,
}

/// Which of the costly fields a row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Include {
    /// `toolCalls`
    pub tool_calls: bool,
    /// `feedbackData`
    pub feedback: bool,
    /// `firstMessageText`
    pub first_message_text: bool,
}

impl Include {
    /// Everything.
    pub const ALL: Self = Self {
        tool_calls: true,
        feedback: true,
        first_message_text: true,
    };
}
