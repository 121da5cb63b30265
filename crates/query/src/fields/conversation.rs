//! The fields of a conversation, its tool calls and its feedback, in the contract's order.
//!
//! A new column is one line here.

use recap_store::{Node, Row};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema, schema::ArrayBuilder},
};

use super::{
    Cut,
    Example::{Integer, Number, Text as Example},
    Field,
    Getter::{Array, Count, Flag, Json, MaybeAgent, MaybeText, MaybeTime, Object, Seconds, Text, Time},
    csv::{csv_line, csv_line_cut, csv_names},
    field,
    json::{json_array, json_members, json_members_cut, json_object},
    schema::schema_of,
};
use crate::parameters::{Exclude, Excluded};

/// Every field of a conversation but `subConversations`.
#[rustfmt::skip]
pub(super) const INTERACTION: &[Field<Row>] = &[
    field("id", "The conversation's id.", Text(|row: &Row| &row.id)).example(Example("7b0c1f52-6f0e-4c55-9a41-0f3f6f0f1a01")),
    field("agentId", "The agent.", MaybeAgent(|row: &Row| row.columns.agent_id)).example(Integer(7)),
    field("upstreamConversationId", "The parent conversation, whether it is shown or not.", MaybeText(|row| row.columns.upstream_conversation_id.as_deref())),
    field("createdAt", "When it began, in milliseconds.", Time(|row: &Row| Some(row.created_at()))).example(Example("2024-03-01T10:00:00.000Z")),
    field("updatedAt", "When something last happened in it, in milliseconds.", Time(|row: &Row| Some(row.updated_at()))).example(Example("2024-03-01T10:01:05.250Z")),
    field("agentName", "The agent's name now.", MaybeText(|row| row.agent_name.as_deref())),
    field("agentModel", "The model of the last assistant message that has one, else the agent's.", MaybeText(|row| row.columns.agent_model.as_deref())),
    field("agentLogoUrl", "The agent's picture now.", MaybeText(|row| row.agent_logo_url.as_deref())),
    field("userId", "The user.", MaybeText(|row| row.columns.user_id.as_deref())),
    field("userEmail", "The user's e-mail address now.", MaybeText(|row| row.user_email.as_deref())),
    field("userFirstName", "The user's first name now.", MaybeText(|row| row.user_first_name.as_deref())),
    field("userLastName", "The user's last name now.", MaybeText(|row| row.user_last_name.as_deref())),
    field("userPublicMetadata", "The user's public metadata now; `{}` when unknown.", Object(|row| row.user_public_metadata.as_deref().unwrap_or("{}"))),
    field("firstMessageText", "The text of the first message. Absent when excluded.", MaybeText(|row: &Row| row.first_message_text.as_deref())).unless(Excluded::FirstMessageText),
    field("userMessageCount", "Messages of role `user`.", Count(|row| row.columns.user_message_count)),
    field("assistantMessageCount", "Messages of role `assistant`.", Count(|row| row.columns.assistant_message_count)),
    field("totalMessageCount", "Messages of every role.", Count(|row| row.columns.total_message_count)),
    field("duration", "Seconds from the first message to the last, a multiple of 0.001.", Seconds(|row: &Row| row.columns.duration_ms)).example(Number(65.25)),
    field("totalTokens", "All tokens.", Count(|row| row.columns.tokens.total)),
    field("inputTokens", "Tokens read.", Count(|row| row.columns.tokens.input)),
    field("outputTokens", "Tokens written.", Count(|row| row.columns.tokens.output)),
    field("attachmentCount", "Attachments of all messages.", Count(|row| row.columns.attachment_count)),
    field("toolCalls", "By `(startedAt, toolCallId)`. Absent when excluded.", Array("ToolCall", |out, row: &Row| json_array(out, &row.tool_calls, json_tool_call))).unless(Excluded::ToolCalls),
    field("lastFinishReason", "Why the last message that says so ended.", MaybeText(|row| row.columns.last_finish_reason.as_deref())),
    field("totalFeedback", "Feedback not withdrawn.", Count(|row| row.columns.total_feedback)),
    field("totalHelpful", "Of it, helpful.", Count(|row| row.columns.total_helpful)),
    field("totalNotHelpful", "Of it, not helpful.", Count(|row| row.columns.total_not_helpful)),
    field("feedbackData", "By `(createdAt, feedbackId)`. Absent when excluded.", Array("Feedback", |out, row: &Row| json_array(out, &row.feedback, json_feedback))).unless(Excluded::FeedbackData),
];

#[rustfmt::skip]
const TOOL_CALL: &[Field<recap_store::ToolCall>] = &[
    field("toolCallId", "Unique within the conversation.", Text(|call| &call.id)),
    field("toolName", "The tool.", MaybeText(|call| call.name.as_deref())),
    field("args", "Any JSON, as it was sent.", Json(|call| call.args.as_deref())),
    field("result", "Any JSON, as it was sent.", Json(|call| call.result.as_deref())),
    field("error", "Any JSON, as it was sent.", Json(|call| call.error.as_deref())),
    field("messageId", "The message it belongs to.", MaybeText(|call| call.message_id.as_deref())),
    field("startedAt", "When it started.", MaybeTime(|call| call.started_at)),
    field("finishedAt", "When it finished.", MaybeTime(|call| call.finished_at)),
];

#[rustfmt::skip]
const FEEDBACK: &[Field<recap_store::Feedback>] = &[
    field("feedbackId", "Unique within the conversation.", Text(|feedback| &feedback.id)),
    field("helpful", "The verdict.", Flag(|feedback| feedback.helpful)),
    field("comment", "The words beside it.", MaybeText(|feedback| feedback.comment.as_deref())),
    field("messageId", "The message it is about.", MaybeText(|feedback| feedback.message_id.as_deref())),
    field("userId", "Who gave it.", MaybeText(|feedback| feedback.user_id.as_deref())),
    field("createdAt", "When it was given.", Time(|feedback| feedback.created_at)),
];

/// One conversation with its `subConversations`, as JSON.
pub fn json_conversation(out: &mut Vec<u8>, node: &Node, exclude: Exclude) {
    json_members(out, INTERACTION, &node.row, exclude);
    out.extend_from_slice(b",\"subConversations\":");
    // Nesting ends after 32 links.
    json_array(out, &node.children, |out, child| json_conversation(out, child, exclude));
    out.push(b'}');
}

/// One conversation without its last brace, cut where its tool calls and its feedback belong.
pub(crate) fn json_conversation_cut(out: &mut Vec<u8>, row: &Row, exclude: Exclude) -> Vec<Cut> {
    json_members_cut(out, INTERACTION, row, exclude)
}

/// One conversation as a line of CSV, cut where its tool calls and its feedback belong.
pub(crate) fn csv_row_cut(out: &mut Vec<u8>, row: &Row, exclude: Exclude) -> Vec<Cut> {
    csv_line_cut(out, INTERACTION, row, exclude)
}

/// One conversation as a flat JSON object.
pub(crate) fn json_row(out: &mut Vec<u8>, row: &Row, exclude: Exclude) {
    json_members(out, INTERACTION, row, exclude);
    out.push(b'}');
}

/// The header line of CSV.
pub(crate) fn csv_header(out: &mut Vec<u8>, exclude: Exclude) {
    csv_names(out, INTERACTION, exclude);
}

/// One conversation as a line of CSV.
pub(crate) fn csv_row(out: &mut Vec<u8>, row: &Row, exclude: Exclude) {
    csv_line(out, INTERACTION, row, exclude);
}

/// One tool call as JSON.
pub(crate) fn json_tool_call(out: &mut Vec<u8>, call: &recap_store::ToolCall) {
    json_object(out, TOOL_CALL, call);
}

/// One feedback as JSON.
pub(crate) fn json_feedback(out: &mut Vec<u8>, feedback: &recap_store::Feedback) {
    json_object(out, FEEDBACK, feedback);
}

/// A conversation, for the description.
pub(crate) struct Interaction;

impl PartialSchema for Interaction {
    fn schema() -> RefOr<Schema> {
        let below = ArrayBuilder::new()
            .description(Some(
                "The conversations below this one, of the same shape, at most 32 levels.",
            ))
            .items(Ref::from_schema_name(Self::name()));
        schema_of("One conversation with everything a dashboard shows of it.", INTERACTION)
            .property("subConversations", below)
            .required("subConversations")
            .into()
    }
}

impl ToSchema for Interaction {}

/// A tool call, for the description.
pub(crate) struct ToolCall;

impl PartialSchema for ToolCall {
    fn schema() -> RefOr<Schema> {
        schema_of("One tool call; a half that has not arrived shows `null`.", TOOL_CALL).into()
    }
}

impl ToSchema for ToolCall {}

/// A feedback, for the description.
pub(crate) struct Feedback;

impl PartialSchema for Feedback {
    fn schema() -> RefOr<Schema> {
        schema_of("One feedback.", FEEDBACK).into()
    }
}

impl ToSchema for Feedback {}
