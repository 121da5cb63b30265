//! A list on its way into bytes, piece by piece: the same code writes a page and an unpaged answer.

use recap_store::{Filter, Include, Node, Outline, Position, ReadError, Snapshot, Sort};

use crate::{
    fields::{csv_header, csv_row, json_conversation, json_row},
    http::negotiation::MediaType,
    parameters::{Exclude, Excluded},
};

/// Bytes that are written before others have a turn on the processor.
const YIELD_BYTES: usize = 128 * 1024;

/// What of the list has been written.
pub(crate) struct List {
    pub(crate) media_type: MediaType,
    pub(crate) exclude: Exclude,
    pub(crate) sort: Sort,
    /// It is one conversation, not an array of them.
    is_one: bool,
    byte_order_mark: bool,
    begun: bool,
    rows: u64,
    /// Bytes of this piece that were written when others had their turn last.
    yielded: usize,
}

impl List {
    /// Nothing yet. `byte_order_mark` is for CSV alone.
    pub(crate) fn new(media_type: MediaType, exclude: Exclude, sort: Sort, byte_order_mark: bool) -> Self {
        Self {
            media_type,
            exclude,
            sort,
            is_one: false,
            byte_order_mark,
            begun: false,
            rows: 0,
            yielded: 0,
        }
    }

    /// Nothing yet of a single conversation.
    pub(crate) fn of_one(exclude: Exclude) -> Self {
        Self {
            is_one: true,
            ..Self::new(MediaType::Json, exclude, Sort::default(), false)
        }
    }

    /// Conversations written at the top level.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads up to `limit` conversations after a position and writes them. Gives the position of the last one if there are more.
    pub(crate) async fn read(
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
            let page = snapshot.page(filter, self.include(), self.sort, after, limit).await?;
            for node in &page.top {
                self.write(node, out);
                self.let_others_run(out).await;
            }
            return Ok(page.next);
        }
        // One more than asked tells whether there is more.
        let mut rows = snapshot
            .rows(filter, self.include(), self.sort, after, limit + 1)
            .await?;
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
        let last = rows.last().filter(|_| more);
        Ok(last.map(|row| row.position(self.sort)))
    }

    /// Writes a conversation of the top level.
    pub(crate) fn write(&mut self, node: &Node, out: &mut Vec<u8>) {
        self.separate(out);
        json_conversation(out, node, self.exclude);
    }

    /// Rendering megabytes takes longer than others should wait for their turn on the processor.
    async fn let_others_run(&mut self, out: &[u8]) {
        if out.len() >= self.yielded + YIELD_BYTES {
            tokio::task::yield_now().await;
            self.yielded = out.len();
        }
    }

    /// What [`List::read`] would write, where that is too much at once.
    pub(crate) async fn outline(
        &self,
        snapshot: &mut Snapshot,
        filter: &Filter,
        after: Option<&Position>,
        limit: u32,
    ) -> Result<Outline, ReadError> {
        if self.media_type == MediaType::Json {
            snapshot.page_outline(filter, self.sort, after, limit).await
        } else {
            snapshot.rows_outline(filter, self.sort, after, limit).await
        }
    }

    /// Writes what comes after the last conversation.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        if self.media_type == MediaType::Json && !self.is_one {
            out.push(b']');
        }
    }

    /// Writes what comes before the first conversation.
    pub(crate) fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            match self.media_type {
                MediaType::Json if self.is_one => {}
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
    pub(crate) fn separate(&mut self, out: &mut Vec<u8>) {
        if self.media_type == MediaType::Json && self.rows > 0 {
            out.push(b',');
        }
        self.rows += 1;
    }

    /// What is read of each conversation.
    pub(crate) fn include(&self) -> Include {
        Include {
            tool_calls: !self.exclude.contains(Excluded::ToolCalls),
            feedback: !self.exclude.contains(Excluded::FeedbackData),
            first_message_text: !self.exclude.contains(Excluded::FirstMessageText),
        }
    }
}
