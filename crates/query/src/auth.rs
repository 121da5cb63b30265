//! Clerk session tokens: which keys verify them, what they must claim, where a request carries one, and who its caller is.

mod caller;
mod claims;
mod credentials;
mod keys;
mod verified;
mod verifier;

pub(crate) use caller::{Authentication, Caller};
pub(crate) use credentials::Cookies;
pub(crate) use verifier::Verifier;
