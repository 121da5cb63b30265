//! Lists that are too wide for memory: their conversations a few at a time, a conversation that is too wide alone item by item.

use futures::TryStreamExt as _;
use recap_store::{ByteLimit, Include, OutlineEntry, ReadError, Row, Snapshot};

use super::list::List;
use crate::{
    fields::{Cut, csv_row, csv_row_cut, json_conversation_cut, json_feedback, json_row, json_tool_call},
    http::{
        negotiation::MediaType,
        streamed_body::{BodyWriter, SendError},
    },
    parameters::Excluded,
};

/// Conversations whose weight is asked for at a time.
const WEIGHED: usize = 200;
/// Bytes that are read at a time, about.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes that are sent at a time.
const SENT_BYTES: usize = 64 * 1024;

/// Why a stream ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Aborted {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Send(#[from] SendError),
}

/// Writes an outlined list into a body.
pub(super) struct Wide<'a> {
    snapshot: &'a mut Snapshot,
    list: &'a mut List,
    body: &'a mut BodyWriter,
    out: Vec<u8>,
    /// Of nested conversations, how deep the last one is inside others.
    depth: Option<u32>,
}

impl<'a> Wide<'a> {
    /// `out` is sent before.
    pub(super) fn new(snapshot: &'a mut Snapshot, list: &'a mut List, body: &'a mut BodyWriter, out: Vec<u8>) -> Self {
        Self {
            snapshot,
            list,
            body,
            out,
            depth: None,
        }
    }

    /// Reads and sends these conversations.
    pub(super) async fn send(mut self, entries: &[OutlineEntry]) -> Result<(), Aborted> {
        self.list.begin(&mut self.out);
        // What is read at a time is weighed before.
        self.snapshot.limit_memory(ByteLimit(usize::MAX));
        let include = self.list.include();
        for group in entries.chunks(WEIGHED) {
            let weights = self.snapshot.weights(&ids(group), include).await?;
            let (mut rest, mut weights) = (group, &weights[..]);
            while !rest.is_empty() {
                let count = fitting(weights).min(rest.len());
                let (piece, after) = rest.split_at(count.max(1));
                if count == 0 {
                    self.send_alone(&piece[0], include).await?;
                } else {
                    self.send_together(piece, include).await?;
                }
                rest = after;
                weights = weights.get(piece.len()..).unwrap_or_default();
            }
        }
        self.close(0);
        self.flush(0).await
    }

    /// Conversations that fit into memory together.
    async fn send_together(&mut self, entries: &[OutlineEntry], include: Include) -> Result<(), Aborted> {
        let rows = self.snapshot.rows_of(&ids(entries), include).await?;
        for (entry, row) in entries.iter().zip(&rows) {
            self.open(entry.depth);
            match self.list.media_type {
                MediaType::Json => self.write_nested(row),
                MediaType::NdJson => {
                    json_row(&mut self.out, row, self.list.exclude);
                    self.out.push(b'\n');
                }
                MediaType::Csv => csv_row(&mut self.out, row, self.list.exclude),
            }
        }
        self.flush(SENT_BYTES).await
    }

    fn write_nested(&mut self, row: &Row) {
        json_row(&mut self.out, row, self.list.exclude);
        // In place of the object's end come the conversations inside it.
        self.out.pop();
        self.out.extend_from_slice(b",\"subConversations\":[");
    }

    /// One conversation whose tool calls or feedback do not fit.
    async fn send_alone(&mut self, entry: &OutlineEntry, include: Include) -> Result<(), Aborted> {
        let bare = Include {
            tool_calls: false,
            feedback: false,
            ..include
        };
        let Some(row) = self.snapshot.rows_of(&[&entry.conversation_id], bare).await?.pop() else {
            return Ok(());
        };
        self.open(entry.depth);
        let mut text = Vec::new();
        let exclude = self.list.exclude;
        let cuts = match self.list.media_type {
            MediaType::Csv => csv_row_cut(&mut text, &row, exclude),
            MediaType::Json | MediaType::NdJson => json_conversation_cut(&mut text, &row, exclude),
        };
        match self.list.media_type {
            MediaType::Json => text.extend_from_slice(b",\"subConversations\":["),
            MediaType::NdJson => text.extend_from_slice(b"}\n"),
            MediaType::Csv => {}
        }
        let mut written = 0;
        for Cut { at, items } in cuts {
            self.out.extend_from_slice(&text[written..at]);
            written = at;
            self.send_items(&entry.conversation_id, items).await?;
        }
        self.out.extend_from_slice(&text[written..]);
        self.flush(SENT_BYTES).await
    }

    async fn send_items(&mut self, conversation_id: &str, items: Excluded) -> Result<(), Aborted> {
        let mut item = Vec::new();
        let mut first = true;
        macro_rules! send_each {
            ($stream:expr, $write:expr) => {{
                let mut stream = $stream?;
                while let Some(read) = stream.try_next().await? {
                    $write(&mut item, &read);
                    push_item(&mut self.out, &mut item, &mut first, self.list.media_type);
                    if self.out.len() >= SENT_BYTES {
                        self.body.send(&self.out).await?;
                        self.out.clear();
                    }
                }
            }};
        }
        match items {
            Excluded::ToolCalls => send_each!(self.snapshot.tool_calls_of(conversation_id), json_tool_call),
            Excluded::FeedbackData => send_each!(self.snapshot.feedback_of(conversation_id), json_feedback),
            Excluded::FirstMessageText => {}
        }
        Ok(())
    }

    /// Writes what comes between the last conversation and one at `depth`.
    fn open(&mut self, depth: u32) {
        if self.list.media_type != MediaType::Json || self.depth.is_none() || depth == 0 {
            self.close(0);
            self.list.separate(&mut self.out);
        } else if self.depth.is_some_and(|last| last >= depth) {
            self.close(depth);
            self.out.push(b',');
        }
        self.depth = Some(depth);
    }

    /// Ends nested conversations down to those at `depth`.
    fn close(&mut self, depth: u32) {
        if self.list.media_type == MediaType::Json
            && let Some(last) = self.depth.take()
        {
            for _ in depth..=last {
                self.out.extend_from_slice(b"]}");
            }
        }
    }

    /// Sends what is written, when it is more than `least`.
    async fn flush(&mut self, least: usize) -> Result<(), Aborted> {
        if self.out.len() > least {
            self.body.send(&self.out).await?;
            self.out.clear();
        }
        Ok(())
    }
}

/// How many of the first fit into one piece.
fn fitting(weights: &[usize]) -> usize {
    let mut total = 0_usize;
    let fits = |weight: &&usize| {
        total = total.saturating_add(**weight);
        total <= PIECE_BYTES
    };
    weights.iter().take_while(fits).count()
}

fn ids(entries: &[OutlineEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.conversation_id.as_str()).collect()
}

/// Moves an item behind those before it.
fn push_item(out: &mut Vec<u8>, item: &mut Vec<u8>, first: &mut bool, media_type: MediaType) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
    if media_type == MediaType::Csv {
        for byte in item.drain(..) {
            if byte == b'"' {
                out.push(b'"');
            }
            out.push(byte);
        }
    } else {
        out.append(item);
    }
}
