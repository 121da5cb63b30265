//! Conversations on their way into an answer's bytes, held in memory or streamed.

pub(crate) mod list;
pub(crate) mod stream;
mod wide;
