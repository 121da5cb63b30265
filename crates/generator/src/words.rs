//! Words to fill texts with, already escaped for JSON, so that a text of any length is one copy.

use crate::random::{Random, derive};

const VOCABULARY: &[&str] = &[
    "the",
    "a",
    "to",
    "of",
    "and",
    "in",
    "for",
    "is",
    "it",
    "on",
    "that",
    "with",
    "as",
    "this",
    "be",
    "are",
    "can",
    "you",
    "we",
    "order",
    "invoice",
    "customer",
    "account",
    "please",
    "check",
    "status",
    "refund",
    "shipment",
    "yesterday",
    "report",
    "summary",
    "table",
    "deploy",
    "error",
    "server",
    "question",
    "answer",
    "thanks",
    "hello",
    "schedule",
    "meeting",
    "contract",
    "price",
    "update",
    "delivery",
    "address",
    "number",
    "found",
    "missing",
    "quarterly",
    "numbers",
    "look",
    "wrong",
    "again",
    "could",
    "show",
    "which",
    "region",
    "latency",
    "because",
    "database",
    "query",
    "between",
    "conversation",
    "message",
    "agent",
    "next",
    "step",
    "first",
    "second",
    "three",
    "über",
    "façade",
    "naïve",
    "日本語",
    "данные",
    "🙂",
    "\\\"quoted\\\"",
    "line\\nbreak",
    "tab\\there",
    "C:\\\\temp",
    "\\u00e9t\\u00e9",
    "café",
    "–",
    "§ 4.2",
    "100 %",
    "€ 12.50",
    "<b>",
    "a&b",
    "{}",
    "[0]",
];

/// Words in the stock; a text is a run of them.
const STOCK: usize = 16_384;

/// A long run of words and where each begins.
#[derive(Debug)]
pub struct Words {
    bytes: Vec<u8>,
    /// Where each word begins in `bytes`, and how many characters (unescaped) come before it.
    starts: Vec<(usize, usize)>,
}

impl Words {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(derive(seed, 0x77, 0));
        let mut bytes = Vec::with_capacity(STOCK * 7);
        let mut starts = Vec::with_capacity(STOCK + 1);
        let mut chars = 0;
        for _ in 0..STOCK {
            // Short words come first in the list and are drawn more often, as in any language.
            let word = VOCABULARY[random.index(VOCABULARY.len()).min(random.index(VOCABULARY.len()))];
            starts.push((bytes.len(), chars));
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(b' ');
            chars += unescaped_chars(word) + 1;
        }
        starts.push((bytes.len(), chars));
        Self { bytes, starts }
    }

    /// Appends a text of exactly `chars` characters, without its quotes.
    pub fn text(&self, random: &mut Random, chars: usize, out: &mut Vec<u8>) {
        let longest = self.starts[STOCK / 2].1;
        let mut left = chars;
        while left > 0 {
            let wanted = left.min(longest);
            let first = random.index(STOCK / 2);
            let (from, before) = self.starts[first];
            // The last word that begins within the text, so that what is cut off is never half an escape.
            // Every word and its space take two characters at least.
            let until = (first + wanted / 2 + 2).min(self.starts.len());
            let within = self.starts[first..until].partition_point(|&(_, start)| start <= before + wanted);
            let last = first + within - 1;
            let (to, reached) = self.starts[last];
            out.extend_from_slice(&self.bytes[from..to]);
            let padding = before + wanted - reached;
            out.extend(std::iter::repeat_n(b'.', padding));
            left -= wanted;
        }
    }
}

/// Characters a JSON string shows for this escaped text.
fn unescaped_chars(escaped: &str) -> usize {
    let mut chars = escaped.chars();
    let mut count = 0;
    while let Some(char) = chars.next() {
        if char == '\\' && chars.next() == Some('u') {
            chars.nth(3);
        }
        count += 1;
    }
    count
}
