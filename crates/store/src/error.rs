//! What can go wrong, sorted by what the caller does about it.
//!
//! What the database said is a [`DatabaseError`], whose form is the store's own affair.

use std::borrow::Cow;

use recap_summary::StateError;

use crate::{ConversationKey, GenerationId, lease::NoAnswer, placement::Placement};

/// What the database, or the connection to it, answered.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DatabaseError(#[from] sqlx::Error);

impl DatabaseError {
    /// Whether the statement timeout, or an operator, cancelled the statement (SQLSTATE 57014), or no answer came in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        sqlstate(&self.0).as_deref() == Some("57014") || NoAnswer::is(&self.0)
    }
}

impl DatabaseError {
    /// Whether the server takes no writes: a standby, or a primary that was made one (SQLSTATE 25006).
    pub(crate) fn is_read_only(&self) -> bool {
        sqlstate(&self.0).as_deref() == Some("25006")
    }
}

/// Why a batch was not written. Nothing of it was: a flush is one transaction.
#[derive(Debug, thiserror::Error)]
pub enum FlushError {
    /// Another generation became live. Every state held in memory belongs to the old one.
    #[error("generation {live} is live now")]
    GenerationChanged {
        /// The generation that is live.
        live: GenerationId,
    },
    /// The database is back at an earlier state: states held in memory rest on commits that are gone.
    #[error("the database lacks what it had confirmed: a standby was promoted, or a backup restored")]
    CommitsLost,
    /// The database refuses the data; sending it again gives the same answer.
    #[error("the database refuses the batch: {0}")]
    Refused(#[source] DatabaseError),
    /// The database is away, busy or broken; the same batch can be flushed again.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] DatabaseError),
    /// The tables are not those this program was built for, or it may not use them.
    #[error("the database schema does not fit: {0}")]
    Schema(#[source] DatabaseError),
    /// A stored state cannot be read by this program.
    #[error("the stored state of conversation {} of organization {} cannot be read: {source}", key.conversation_id, key.org_id)]
    State {
        /// Whose state it is.
        key: ConversationKey,
        /// Why it cannot be read.
        source: StateError,
    },
}

impl FlushError {
    /// Whether a statement ran into its time limit: a smaller batch may be written.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Unavailable(error) if error.is_timeout())
    }
}

impl FlushError {
    /// Why rows were not copied. Citus says of a row that is there already only that the copy failed (SQLSTATE XX000).
    pub(crate) fn of_copy(error: sqlx::Error, placement: Placement) -> Self {
        if placement == Placement::Cluster && sqlstate(&error).as_deref() == Some("XX000") {
            return Self::Refused(error.into());
        }
        error.into()
    }
}

impl From<sqlx::Error> for FlushError {
    fn from(error: sqlx::Error) -> Self {
        let class = class_of(&error);
        let error = DatabaseError(error);
        match class {
            Class::Data => Self::Refused(error),
            Class::Schema => Self::Schema(error),
            Class::Unavailable => Self::Unavailable(error),
        }
    }
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No connection became free in time, or the database is away.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] DatabaseError),
    /// The statement ran into its time limit.
    #[error("the statement took too long")]
    TimedOut,
    /// The answer takes more memory than whoever asked has for it.
    #[error("the answer is larger than it may be in memory")]
    TooLarge,
    /// The database refuses the statement, or answers what this program does not understand.
    #[error("the statement failed: {0}")]
    Failed(#[source] DatabaseError),
}

impl ReadError {
    /// Whether a standby cancelled the statement to go on replaying (SQLSTATE 40001): asked again it may well be answered.
    #[must_use]
    pub fn is_recovery_conflict(&self) -> bool {
        matches!(self, Self::Unavailable(error) if sqlstate(&error.0).as_deref() == Some("40001"))
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        let class = class_of(&error);
        let error = DatabaseError(error);
        match class {
            _ if error.is_timeout() => Self::TimedOut,
            Class::Unavailable => Self::Unavailable(error),
            Class::Data | Class::Schema => Self::Failed(error),
        }
    }
}

enum Class {
    Data,
    Schema,
    Unavailable,
}

/// Sorts by SQLSTATE class (PostgreSQL documentation, appendix A). What is unknown counts as
/// unavailable: retrying for ever is visible and loses nothing, a wrong dead letter is neither.
fn class_of(error: &sqlx::Error) -> Class {
    if let Some(state) = sqlstate(error) {
        return match state.get(..2) {
            Some("22" | "23" | "54") => Class::Data,
            Some("0A" | "3F" | "42") => Class::Schema,
            _ => Class::Unavailable,
        };
    }
    match error {
        sqlx::Error::Encode(_) => Class::Data,
        sqlx::Error::RowNotFound
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_) => Class::Schema,
        _ => Class::Unavailable,
    }
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Cow::into_owned)
}
