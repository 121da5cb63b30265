//! Tokens: of one message, as bytes, and summed.
//!
//! Another count is a field of each type here, and a flag above those of `codec/records.rs` for its bytes.

use std::ops::AddAssign;

use recap_events::Usage;

use crate::{
    StateError,
    bytes::{Reader, Writer},
};

/// Tokens of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tokens {
    input: u32,
    output: u32,
    /// `None` when it is their sum.
    total: Option<u32>,
}

const HAS_INPUT_OR_OUTPUT: u16 = 1 << 9;
const HAS_TOTAL: u16 = 1 << 10;

impl From<&Usage> for Tokens {
    fn from(usage: &Usage) -> Self {
        Self::new(
            usage.input_tokens.unwrap_or(0),
            usage.output_tokens.unwrap_or(0),
            usage.total_tokens,
        )
    }
}

impl Tokens {
    /// The format version that has all of them.
    pub const VERSION: u8 = 1;

    /// Those of a message's flags that are about tokens.
    pub const FLAGS: u16 = HAS_INPUT_OR_OUTPUT | HAS_TOTAL;

    fn new(input: u32, output: u32, total: Option<u32>) -> Self {
        let sum = u64::from(input) + u64::from(output);
        Self {
            input,
            output,
            total: total.filter(|total| u64::from(*total) != sum),
        }
    }

    /// The message's flags that say what [`Self::write`] writes.
    #[inline]
    pub fn flags(self) -> u16 {
        let flag = |there: bool, flag: u16| if there { flag } else { 0 };
        flag(self.input > 0 || self.output > 0, HAS_INPUT_OR_OUTPUT) | flag(self.total.is_some(), HAS_TOTAL)
    }

    #[inline]
    pub fn write(self, writer: &mut Writer) {
        if self.input > 0 || self.output > 0 {
            writer.number(self.input.into());
            writer.number(self.output.into());
        }
        if let Some(total) = self.total {
            writer.number(total.into());
        }
    }

    /// Reads what [`Self::write`] wrote under these flags.
    #[inline]
    pub fn read(reader: &mut Reader<'_>, flags: u16) -> Result<Self, StateError> {
        let (input, output) = if flags & HAS_INPUT_OR_OUTPUT != 0 {
            (reader.count()?, reader.count()?)
        } else {
            (0, 0)
        };
        let total = (flags & HAS_TOTAL != 0).then(|| reader.count()).transpose()?;
        Ok(Self::new(input, output, total))
    }
}

/// Tokens of messages, summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenSums {
    /// Of each message its `totalTokens`, else input and output.
    pub total: i64,
    /// Tokens read.
    pub input: i64,
    /// Tokens written.
    pub output: i64,
}

impl AddAssign<Tokens> for TokenSums {
    #[inline]
    fn add_assign(&mut self, tokens: Tokens) {
        let (input, output) = (i64::from(tokens.input), i64::from(tokens.output));
        self.total += tokens.total.map_or(input + output, i64::from);
        self.input += input;
        self.output += output;
    }
}

impl AddAssign for TokenSums {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.input += other.input;
        self.output += other.output;
    }
}
