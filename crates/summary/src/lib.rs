//! The state of a conversation: a join-semilattice that events are folded into.
//!
//! [`Conversation::merge`] is idempotent, commutative and associative, and applying an event is merging the
//! state of that one event, so duplicates, order, batches, writers and replays can't change the outcome. The
//! columns of a conversation's row are a function of its state. Nothing here does I/O, reads a clock or knows
//! of SQL; what is too large for the state ([`Payload`]) is handed out to be written beside it.
//!
//! Start with [`Conversation`]; a projector works with [`Delta`].

mod columns;
mod conversation;
mod delta;
mod id;
mod payload;
mod stamp;

pub use columns::Columns;
pub use conversation::{Conversation, Encoded, FirstText, StateError};
pub use delta::Delta;
pub use id::Id;
pub use payload::{FeedbackRow, Payload, PayloadKind, Payloads};
pub use stamp::Stamp;
