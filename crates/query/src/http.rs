//! HTTP itself, whatever is asked: connections, media types and codings, refusals, conditional requests, limits.

pub(crate) mod answer;
pub(crate) mod compression;
pub(crate) mod headers;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod negotiation;
pub(crate) mod problem;
pub(crate) mod problem_code;
mod stall_timeout;
pub(crate) mod streamed_body;
