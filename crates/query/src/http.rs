//! HTTP itself, whatever is asked: connections, media types and codings, refusals, conditional requests, limits.

pub(crate) mod answer;
pub(crate) mod compression;
pub(crate) mod headers;

pub(crate) mod listener;
pub(crate) mod memory;
pub(crate) mod negotiation;
pub(crate) mod paced_body;
pub(crate) mod pressure;
pub(crate) mod problem;
pub(crate) mod problem_code;
pub(crate) mod rate_limit;
pub(crate) mod reading_turns;
mod shares;
mod stall;
pub(crate) mod streamed_body;
mod taking;
pub(crate) mod turns;
pub(crate) mod watchers;
