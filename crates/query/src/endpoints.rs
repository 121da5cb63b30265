//! What can be asked for, one file an endpoint: its parameters, its answer's fields and its handler.

pub(crate) mod docs;
pub(crate) mod get_interactions;
pub(crate) mod get_stats;
pub(crate) mod health;
