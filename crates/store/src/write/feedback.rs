//! Rows of the table `feedback`.

use recap_summary::FeedbackRow;
use sqlx::PgConnection;

use crate::{
    ConversationKey,
    sql::sql,
    table::{self, Column, Table, Value},
};

/// What a row has beside its texts, about.
const ROW_BYTES: usize = 256;

/// The table `feedback`.
pub(crate) struct FeedbackRows;

/// A feedback to be written.
pub(crate) struct Feedback<'a> {
    key: &'a ConversationKey,
    id: &'a str,
    /// `None` when it was withdrawn.
    row: Option<&'a FeedbackRow>,
}

impl Table for FeedbackRows {
    const NAME: &'static str = "feedback";

    type Row<'a> = Feedback<'a>;

    fn columns() -> impl Iterator<Item = &'static Column<Self>> {
        FEEDBACK_KEY.iter().chain(FEEDBACK)
    }
}

static FEEDBACK_KEY: &[Column<FeedbackRows>] = &[
    Column::new("org_id", Value::Text(|feedback| Some(&feedback.key.org_id))),
    Column::new(
        "conversation_id",
        Value::Text(|feedback| Some(&feedback.key.conversation_id)),
    ),
    Column::new("feedback_id", Value::Text(|feedback| Some(feedback.id))),
];

/// The columns beside the key.
static FEEDBACK: &[Column<FeedbackRows>] = &[
    Column::new("withdrawn", Value::Flag(|feedback| Some(feedback.row.is_none()))),
    Column::new("helpful", Value::Flag(|feedback| Some(feedback.row?.helpful))),
    Column::new("comment", Value::Text(|feedback| feedback.row?.comment.as_deref())),
    Column::new(
        "message_id",
        Value::Text(|feedback| feedback.row?.message_id.as_deref()),
    ),
    Column::new("user_id", Value::Text(|feedback| feedback.row?.user_id.as_deref())),
    Column::new("created_at", Value::Time(|feedback| Some(feedback.row?.created_at))),
];

impl<'a> Feedback<'a> {
    /// `row` is `None` when it was withdrawn.
    pub(crate) fn new(key: &'a ConversationKey, id: &'a str, row: Option<&'a FeedbackRow>) -> Self {
        Self { key, id, row }
    }

    /// About what the row takes in a statement.
    pub(crate) fn bytes(&self) -> usize {
        let comment = self.row.and_then(|row| row.comment.as_ref());
        ROW_BYTES + comment.map_or(0, String::len)
    }
}

/// Writes feedback.
pub(crate) async fn write(
    connection: &mut PgConnection,
    schema: &str,
    rows: &[Feedback<'_>],
) -> Result<(), sqlx::Error> {
    let set: Vec<String> = FEEDBACK
        .iter()
        .map(|column| format!("{0} = EXCLUDED.{0}", column.name))
        .collect();
    let statement = format!(
        "{} ON CONFLICT (org_id, conversation_id, feedback_id) DO UPDATE SET {}",
        table::insert::<FeedbackRows>(schema),
        set.join(", ")
    );
    let bytes = rows.iter().map(Feedback::bytes).sum();
    sqlx::query_with(sql(statement), table::arrays::<FeedbackRows>(rows, bytes)?)
        .execute(connection)
        .await?;
    Ok(())
}
