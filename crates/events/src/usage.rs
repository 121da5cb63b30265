//! The tokens of one message: which counts there are and how they are read.

use crate::{
    json::Scan,
    reader::{Reader, Slot},
};

/// Token counts of one message, each at most 2^31−1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: Option<u32>,
    /// Tokens written.
    pub output_tokens: Option<u32>,
    /// All tokens, as the producer counts them.
    pub total_tokens: Option<u32>,
}

/// The fields of `usage` while it is read.
#[derive(Debug, Default)]
pub(crate) struct UsageSlots {
    input: Slot<u32>,
    output: Slot<u32>,
    total: Slot<u32>,
}

impl UsageSlots {
    pub fn field(r: &mut Reader<'_>, key: &str, slots: &mut Self) -> Scan<()> {
        match key {
            "inputTokens" => r.count(key, &mut slots.input),
            "outputTokens" => r.count(key, &mut slots.output),
            "totalTokens" => r.count(key, &mut slots.total),
            _ => r.skip(),
        }
    }

    pub fn finish(self) -> Usage {
        Usage {
            input_tokens: self.input.take(),
            output_tokens: self.output.take(),
            total_tokens: self.total.take(),
        }
    }
}
