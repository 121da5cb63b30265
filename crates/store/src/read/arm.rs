//! Where an organization's conversations are found: those that are listed by the indexes, and beside them those that are busy.

use crate::columns::COPIES;

/// One of the two, and the columns that say there what a conversation is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// In the indexes, with copies of the columns.
    Listed,
    /// In the row itself: right for every conversation.
    Row,
}

impl Arm {
    /// The column of the conversation `alias`, or its copy.
    pub(crate) fn column(self, alias: &str, column: &str) -> String {
        let copy = COPIES.iter().find(|(_, source)| *source == column);
        match (self, copy) {
            (Self::Listed, Some((copy, _))) => format!("{alias}.{copy}"),
            _ => format!("{alias}.{column}"),
        }
    }

    /// What is true of the conversations `c` of this arm alone.
    pub(crate) const fn condition(self) -> &'static str {
        match self {
            Self::Listed => "c.listed_recency IS NOT NULL",
            Self::Row => "c.listed_recency IS NULL",
        }
    }

    /// Both arms of a relation, one after the other.
    pub(crate) fn both(relation: impl Fn(Self) -> String) -> String {
        format!("({}) UNION ALL ({})", relation(Self::Listed), relation(Self::Row))
    }
}
