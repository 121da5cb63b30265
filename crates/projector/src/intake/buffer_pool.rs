//! The memory of chunks that are folded, kept for the chunks to come: new pages from the system cost page faults.

use super::chunk::{Buffers, CHUNK_BYTES};

/// The most memory kept, in bytes.
const MAX_BYTES: usize = 24 << 20;

/// Buffers that no chunk uses.
#[derive(Debug, Default)]
pub(super) struct BufferPool {
    buffers: Vec<Buffers>,
    bytes: usize,
}

impl BufferPool {
    /// Buffers of an earlier chunk, else new ones.
    pub fn get(&mut self) -> Buffers {
        let buffers = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffers.size();
        buffers
    }

    /// Keeps buffers that are worth it, as long as there is room.
    pub fn put(&mut self, buffers: Buffers) {
        let size = buffers.size();
        if size >= CHUNK_BYTES / 2 && self.bytes + size <= MAX_BYTES {
            self.bytes += size;
            self.buffers.push(buffers);
        }
    }
}
