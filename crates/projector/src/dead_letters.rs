//! Events that cannot be folded: how they look on the dead-letter topic, how they get there, and when there are too many.

pub mod format;
mod limit;
mod publisher;

pub use format::DeadLetter;
pub use limit::TooManyDeadLetters;
pub(crate) use limit::{Limit, Window};
pub(crate) use publisher::Publisher;
