//! The state of a conversation: a join-semilattice that events are folded into.
//!
//! [`Conversation::merge`] is idempotent, commutative and associative, and applying an event is merging the
//! state of that one event, so duplicates, order, batches, writers and replays can't change the outcome. The
//! columns of a conversation's row are a function of its state. Nothing here does I/O, reads a clock or knows
//! of SQL; what is too large for the state ([`Payload`]) is handed out to be written beside it.
//!
//! Start with [`Conversation`]; a projector works with [`Delta`].

mod bytes;
mod codec;
mod columns;
mod conversation;
mod delta;
mod erased;
mod first_text;
mod id;
mod part;
mod payload;
mod record;
mod register;
mod sorted;
mod stamp;
mod state_error;
mod symbols;
mod tokens;
mod totals;

pub use codec::Encoded;
pub use columns::Columns;
pub use conversation::{Conversation, FirstText, ShownHalves};
pub use delta::Delta;
pub use id::Id;
pub use payload::{FeedbackRow, Payload, PayloadKind, Payloads};
pub use stamp::Stamp;
pub use state_error::StateError;
pub use tokens::TokenSums;
