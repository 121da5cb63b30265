//! What can be asked for, one file an endpoint: its parameters, its answer's fields and its handler.

pub(crate) mod changes;
pub(crate) mod console;
pub(crate) mod docs;
pub(crate) mod get_breakdown;
pub(crate) mod get_interaction;
pub(crate) mod get_interactions;
pub(crate) mod get_stats;
pub(crate) mod get_time_series;
pub(crate) mod health;
mod kept;
