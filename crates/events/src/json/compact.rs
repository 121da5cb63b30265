//! The canonical text of a value that is kept as text.

use super::string::plain_until;

/// Copies a JSON value without the whitespace outside its strings and with `\ufffd` for `\u0000`.
/// The text must be valid JSON.
pub(crate) fn compact(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut compacted = String::with_capacity(text.len());
    let mut run = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {
                compacted.push_str(&text[run..at]);
                at += 1;
                run = at;
            }
            b'"' => {
                at = plain_until(bytes, at + 1);
                while bytes.get(at) == Some(&b'\\') {
                    if bytes[at..].starts_with(b"\\u0000") {
                        compacted.push_str(&text[run..at]);
                        compacted.push_str("\\ufffd");
                        at += 6;
                        run = at;
                    } else {
                        at += 2;
                    }
                    at = plain_until(bytes, at);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    compacted.push_str(&text[run..]);
    compacted
}
