//! CSV (RFC 4180) of flat rows, safe to open in a spreadsheet.

use recap_store::Row;

use super::{
    json::{json_feedback, json_tool_calls},
    scalars::{integer, seconds, time},
};
use crate::parameters::Exclude;

/// The header line: the contract's columns without those that are left out.
pub(crate) fn csv_header(out: &mut Vec<u8>, exclude: Exclude) {
    let columns = [
        Some("id"),
        Some("agentId"),
        Some("upstreamConversationId"),
        Some("createdAt"),
        Some("updatedAt"),
        Some("agentName"),
        Some("agentModel"),
        Some("agentLogoUrl"),
        Some("userId"),
        Some("userEmail"),
        Some("userFirstName"),
        Some("userLastName"),
        Some("userPublicMetadata"),
        (!exclude.first_message_text).then_some("firstMessageText"),
        Some("userMessageCount"),
        Some("assistantMessageCount"),
        Some("totalMessageCount"),
        Some("duration"),
        Some("totalTokens"),
        Some("inputTokens"),
        Some("outputTokens"),
        Some("attachmentCount"),
        (!exclude.tool_calls).then_some("toolCalls"),
        Some("lastFinishReason"),
        Some("totalFeedback"),
        Some("totalHelpful"),
        Some("totalNotHelpful"),
        (!exclude.feedback_data).then_some("feedbackData"),
    ];
    let mut line = Line::new(out);
    for column in columns.into_iter().flatten() {
        line.text(Some(column));
    }
    line.end();
}

/// One conversation as a line.
pub(crate) fn csv_row(out: &mut Vec<u8>, row: &Row, exclude: Exclude) {
    let mut line = Line::new(out);
    line.text(Some(&row.id));
    line.number(row.agent_id);
    line.text(row.upstream_conversation_id.as_deref());
    line.written(|cell| time(cell, row.created_at));
    line.written(|cell| time(cell, row.updated_at));
    for text in [
        &row.agent_name,
        &row.agent_model,
        &row.agent_logo_url,
        &row.user_id,
        &row.user_email,
        &row.user_first_name,
        &row.user_last_name,
    ] {
        line.text(text.as_deref());
    }
    line.text(Some(&row.user_public_metadata));
    if !exclude.first_message_text {
        line.text(row.first_message_text.as_deref());
    }
    line.number(Some(row.user_message_count));
    line.number(Some(row.assistant_message_count));
    line.number(Some(row.total_message_count));
    line.written(|cell| seconds(cell, row.duration_ms));
    for count in [
        row.total_tokens,
        row.input_tokens,
        row.output_tokens,
        row.attachment_count,
    ] {
        line.number(Some(count));
    }
    if !exclude.tool_calls {
        line.json(|cell| json_tool_calls(cell, &row.tool_calls));
    }
    line.text(row.last_finish_reason.as_deref());
    for count in [row.total_feedback, row.total_helpful, row.total_not_helpful] {
        line.number(Some(count));
    }
    if !exclude.feedback_data {
        line.json(|cell| json_feedback(cell, &row.feedback));
    }
    line.end();
}

struct Line<'a> {
    out: &'a mut Vec<u8>,
    begun: bool,
}

impl<'a> Line<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, begun: false }
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            self.out.push(b',');
        }
    }

    /// Null is an empty cell. A cell that a spreadsheet would take for a formula gets a `'` before it (OWASP, CSV injection).
    fn text(&mut self, text: Option<&str>) {
        self.separate();
        let text = text.unwrap_or_default();
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let quoted = text.contains(['"', ',', '\r', '\n']);
        if quoted {
            self.out.push(b'"');
        }
        if formula {
            self.out.push(b'\'');
        }
        if quoted {
            self.out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
    }

    fn number(&mut self, number: Option<i64>) {
        match number {
            Some(number) if number < 0 => self.text(Some(&number.to_string())),
            Some(number) => self.written(|cell| integer(cell, number)),
            None => self.separate(),
        }
    }

    /// A cell of JSON.
    fn json(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut json = Vec::new();
        write(&mut json);
        self.text(Some(&String::from_utf8_lossy(&json)));
    }

    /// A cell that needs no quoting.
    fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.separate();
        write(self.out);
    }

    fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: &[Option<&str>]) -> String {
        let mut out = Vec::new();
        let mut line = Line::new(&mut out);
        for cell in cells {
            line.text(*cell);
        }
        line.end();
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn cells_are_quoted_when_they_must_be() {
        assert_eq!(
            line(&[Some("a"), None, Some("b,c"), Some("d\"e"), Some("f\r\ng")]),
            "a,,\"b,c\",\"d\"\"e\",\"f\r\ng\"\r\n"
        );
    }

    #[test]
    fn no_cell_starts_a_formula() {
        assert_eq!(
            line(&[
                Some("=1+1"),
                Some("+1"),
                Some("-1"),
                Some("@x"),
                Some("\tx"),
                Some("\rx"),
                Some("=a,b"),
                Some("a=b")
            ]),
            "'=1+1,'+1,'-1,'@x,'\tx,\"'\rx\",\"'=a,b\",a=b\r\n"
        );
    }
}
