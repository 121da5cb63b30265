//! JSON objects of conversations and statistics.

use recap_store::{Feedback, Node, Row, Stats, ToolCall};

use super::scalars::{integer, seconds, string, time};
use crate::parameters::Exclude;

/// One conversation with its `subConversations`.
pub fn json_conversation(out: &mut Vec<u8>, node: &Node, exclude: Exclude) {
    fields(out, &node.row, exclude);
    key(out, "subConversations");
    // Nesting ends after 32 links.
    array(out, &node.children, |out, child| {
        json_conversation(out, child, exclude);
    });
    out.push(b'}');
}

/// One conversation as a flat object.
pub(crate) fn json_row(out: &mut Vec<u8>, row: &Row, exclude: Exclude) {
    fields(out, row, exclude);
    out.push(b'}');
}

/// The object's opening brace and every field but `subConversations`.
fn fields(out: &mut Vec<u8>, row: &Row, exclude: Exclude) {
    out.extend_from_slice(b"{\"id\":");
    string(out, &row.id);
    key(out, "agentId");
    match row.agent_id {
        Some(agent_id) => integer(out, agent_id),
        None => null(out),
    }
    text(out, "upstreamConversationId", row.upstream_conversation_id.as_deref());
    moment(out, "createdAt", row.created_at);
    moment(out, "updatedAt", row.updated_at);
    text(out, "agentName", row.agent_name.as_deref());
    text(out, "agentModel", row.agent_model.as_deref());
    text(out, "agentLogoUrl", row.agent_logo_url.as_deref());
    text(out, "userId", row.user_id.as_deref());
    text(out, "userEmail", row.user_email.as_deref());
    text(out, "userFirstName", row.user_first_name.as_deref());
    text(out, "userLastName", row.user_last_name.as_deref());
    raw(out, "userPublicMetadata", &row.user_public_metadata);
    if !exclude.first_message_text {
        text(out, "firstMessageText", row.first_message_text.as_deref());
    }
    count(out, "userMessageCount", row.user_message_count);
    count(out, "assistantMessageCount", row.assistant_message_count);
    count(out, "totalMessageCount", row.total_message_count);
    key(out, "duration");
    seconds(out, row.duration_ms);
    count(out, "totalTokens", row.total_tokens);
    count(out, "inputTokens", row.input_tokens);
    count(out, "outputTokens", row.output_tokens);
    count(out, "attachmentCount", row.attachment_count);
    if !exclude.tool_calls {
        key(out, "toolCalls");
        json_tool_calls(out, &row.tool_calls);
    }
    text(out, "lastFinishReason", row.last_finish_reason.as_deref());
    count(out, "totalFeedback", row.total_feedback);
    count(out, "totalHelpful", row.total_helpful);
    count(out, "totalNotHelpful", row.total_not_helpful);
    if !exclude.feedback_data {
        key(out, "feedbackData");
        json_feedback(out, &row.feedback);
    }
}

/// The value of `toolCalls`.
pub(super) fn json_tool_calls(out: &mut Vec<u8>, calls: &[ToolCall]) {
    array(out, calls, |out, call| {
        out.extend_from_slice(b"{\"toolCallId\":");
        string(out, &call.id);
        text(out, "toolName", call.name.as_deref());
        for (name, json) in [("args", &call.args), ("result", &call.result), ("error", &call.error)] {
            raw(out, name, json.as_deref().unwrap_or("null"));
        }
        text(out, "messageId", call.message_id.as_deref());
        for (name, time) in [("startedAt", call.started_at), ("finishedAt", call.finished_at)] {
            maybe_moment(out, name, time);
        }
        out.push(b'}');
    });
}

/// The value of `feedbackData`.
pub(super) fn json_feedback(out: &mut Vec<u8>, feedback: &[Feedback]) {
    array(out, feedback, |out, feedback| {
        out.extend_from_slice(b"{\"feedbackId\":");
        string(out, &feedback.id);
        raw(out, "helpful", if feedback.helpful { "true" } else { "false" });
        text(out, "comment", feedback.comment.as_deref());
        text(out, "messageId", feedback.message_id.as_deref());
        text(out, "userId", feedback.user_id.as_deref());
        maybe_moment(out, "createdAt", feedback.created_at);
        out.push(b'}');
    });
}

fn array<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// The statistics, flat.
pub(crate) fn json_stats(out: &mut Vec<u8>, stats: &Stats) {
    let members = [
        ("conversationCount", stats.conversation_count),
        ("messageCount", stats.message_count),
        ("toolCalls", stats.tool_calls),
        ("totalTokens", stats.total_tokens),
        ("inputTokens", stats.input_tokens),
        ("outputTokens", stats.output_tokens),
        ("uniqueUsers", stats.unique_users),
        ("uniqueAgents", stats.unique_agents),
        ("totalFeedback", stats.total_feedback),
        ("totalHelpful", stats.total_helpful),
        ("totalNotHelpful", stats.total_not_helpful),
    ];
    for (index, (name, value)) in members.into_iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        string(out, name);
        out.push(b':');
        integer(out, value);
    }
    out.push(b'}');
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

fn text(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    key(out, name);
    match value {
        Some(value) => string(out, value),
        None => null(out),
    }
}

fn count(out: &mut Vec<u8>, name: &str, value: i64) {
    key(out, name);
    integer(out, value);
}

fn moment(out: &mut Vec<u8>, name: &str, value: chrono::DateTime<chrono::Utc>) {
    key(out, name);
    out.push(b'"');
    time(out, value);
    out.push(b'"');
}

fn maybe_moment(out: &mut Vec<u8>, name: &str, value: Option<chrono::DateTime<chrono::Utc>>) {
    match value {
        Some(value) => moment(out, name, value),
        None => raw(out, name, "null"),
    }
}

/// The store keeps JSON as the producer sent it; it is checked on arrival and copied on the way out.
fn raw(out: &mut Vec<u8>, name: &str, json: &str) {
    key(out, name);
    out.extend_from_slice(json.as_bytes());
}
