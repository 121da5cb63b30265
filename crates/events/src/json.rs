//! RFC 8259 over a borrowed text: one pass, no recursion, nothing copied that need not be.
//!
//! Hand-written because the contract asks for what general readers don't give together: duplicate
//! fields named, mistyped fields skipped and named, lone surrogates told from bad grammar, any depth,
//! and values kept as text. A property test holds its grammar to `serde_json`'s.

mod compact;
mod integer;
mod scanner;
mod skim;
mod string;

pub(crate) use compact::{compact, compact_without_nul};
pub(crate) use integer::{Integer, integer};
pub(crate) use scanner::{Broken, Kind, Scan, Scanner};
pub(crate) use skim::Skimmed;
pub(crate) use string::Text;
