//! A list on its way into bytes, piece by piece: the same code writes a page and an unpaged answer.

use recap_store::{Filter, Include, Outline, Position, ReadError, Row, Snapshot};

use crate::{
    fields::{csv_header, csv_row, json_conversation, json_row},
    http::negotiation::MediaType,
    parameters::{Exclude, Excluded},
};

/// Bytes that are written before others have a turn on the processor.
const YIELD_BYTES: usize = 128 * 1024;

/// What of the list has been written.
pub(super) struct List {
    pub(super) media_type: MediaType,
    pub(super) exclude: Exclude,
    byte_order_mark: bool,
    begun: bool,
    rows: u64,
    /// Bytes of this piece that were written when others had their turn last.
    yielded: usize,
}

impl List {
    /// Nothing yet. `byte_order_mark` is for CSV alone.
    pub(super) fn new(media_type: MediaType, exclude: Exclude, byte_order_mark: bool) -> Self {
        Self {
            media_type,
            exclude,
            byte_order_mark,
            begun: false,
            rows: 0,
            yielded: 0,
        }
    }

    /// Conversations written at the top level.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads up to `limit` conversations after a position and writes them. Gives the position of the last one if there are more.
    pub(super) async fn read(
        &mut self,
        snapshot: &mut Snapshot,
        filter: &Filter,
        after: Option<&Position>,
        limit: u32,
        out: &mut Vec<u8>,
    ) -> Result<Option<Position>, ReadError> {
        self.begin(out);
        self.yielded = out.len();
        if self.media_type == MediaType::Json {
            let page = snapshot.page(filter, self.include(), after, limit).await?;
            for node in &page.top {
                self.separate(out);
                json_conversation(out, node, self.exclude);
                self.let_others_run(out).await;
            }
            return Ok(page.next);
        }
        // One more than asked tells whether there is more.
        let mut rows = snapshot.rows(filter, self.include(), after, limit + 1).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        for row in &rows {
            self.separate(out);
            if self.media_type == MediaType::Csv {
                csv_row(out, row, self.exclude);
            } else {
                json_row(out, row, self.exclude);
                out.push(b'\n');
            }
            self.let_others_run(out).await;
        }
        Ok(rows.last().filter(|_| more).map(Row::position))
    }

    /// Rendering megabytes takes longer than others should wait for their turn on the processor.
    async fn let_others_run(&mut self, out: &[u8]) {
        if out.len() >= self.yielded + YIELD_BYTES {
            tokio::task::yield_now().await;
            self.yielded = out.len();
        }
    }

    /// What [`List::read`] would write, where that is too much at once.
    pub(super) async fn outline(
        &self,
        snapshot: &mut Snapshot,
        filter: &Filter,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Outline, ReadError> {
        if self.media_type == MediaType::Json {
            snapshot.page_outline(filter, after, limit).await
        } else {
            snapshot.rows_outline(filter, after, limit).await
        }
    }

    /// Writes what comes after the last conversation.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        if self.media_type == MediaType::Json {
            out.push(b']');
        }
    }

    /// Writes what comes before the first conversation.
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            match self.media_type {
                MediaType::Json => out.push(b'['),
                MediaType::Csv => {
                    if self.byte_order_mark {
                        out.extend_from_slice("\u{feff}".as_bytes());
                    }
                    csv_header(out, self.exclude);
                }
                MediaType::NdJson => {}
            }
        }
    }

    /// Writes what comes before a conversation of the top level.
    pub(super) fn separate(&mut self, out: &mut Vec<u8>) {
        if self.media_type == MediaType::Json && self.rows > 0 {
            out.push(b',');
        }
        self.rows += 1;
    }

    /// What is read of each conversation.
    pub(super) fn include(&self) -> Include {
        Include {
            tool_calls: !self.exclude.contains(Excluded::ToolCalls),
            feedback: !self.exclude.contains(Excluded::FeedbackData),
            first_message_text: !self.exclude.contains(Excluded::FirstMessageText),
        }
    }
}
