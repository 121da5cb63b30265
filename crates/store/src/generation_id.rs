//! The identity of a generation.

use std::fmt;

/// The number of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationId(i32);

impl GenerationId {
    /// The generation of this number, whether it exists or not.
    #[must_use]
    pub fn new(number: i32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0
    }

    /// The PostgreSQL schema that holds the generation's tables; needs no quoting.
    #[must_use]
    pub fn schema(self) -> String {
        format!("recap_g{}", self.0)
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
