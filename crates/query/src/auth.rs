//! Clerk session tokens: which keys verify them, what they must claim, and the extractor that hands a handler its caller.

mod caller;
mod claims;
mod keys;
mod verifier;

pub(crate) use caller::{Authentication, Caller};
pub(crate) use verifier::Verifier;
