//! A list on its way into bytes, piece by piece: the same code writes a page and an unpaged answer.

use recap_store::{Filter, Position, ReadError, Snapshot};

use crate::{
    negotiation::MediaType,
    parameters::Exclude,
    render::{csv_header, csv_row, json_conversation, json_row},
};

/// What of the list has been written.
pub(crate) struct List {
    media_type: MediaType,
    exclude: Exclude,
    begun: bool,
    rows: u64,
}

impl List {
    /// Nothing yet.
    pub(crate) fn new(media_type: MediaType, exclude: Exclude) -> Self {
        Self {
            media_type,
            exclude,
            begun: false,
            rows: 0,
        }
    }

    /// Conversations written at the top level.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Reads up to `limit` conversations after a place, writes them and tells where to go on.
    pub(crate) async fn read(
        &mut self,
        snapshot: &mut Snapshot,
        filter: &Filter,
        after: Option<&Position>,
        limit: u32,
        out: &mut Vec<u8>,
    ) -> Result<Option<Position>, ReadError> {
        self.begin(out);
        if self.media_type == MediaType::Json {
            let page = snapshot.page(filter, self.exclude.into(), after, limit).await?;
            for node in &page.top {
                self.separate(out);
                json_conversation(out, node, self.exclude);
            }
            return Ok(page.next);
        }
        // One more than asked tells whether there is more.
        let mut rows = snapshot.rows(filter, self.exclude.into(), after, limit + 1).await?;
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
        }
        Ok(if more {
            rows.last().map(recap_store::Row::position)
        } else {
            None
        })
    }

    /// Writes what comes after the last conversation.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        if self.media_type == MediaType::Json {
            out.push(b']');
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            match self.media_type {
                MediaType::Json => out.push(b'['),
                MediaType::Csv => csv_header(out, self.exclude),
                MediaType::NdJson => {}
            }
        }
    }

    fn separate(&mut self, out: &mut Vec<u8>) {
        if self.media_type == MediaType::Json && self.rows > 0 {
            out.push(b',');
        }
        self.rows += 1;
    }
}
