//! A query string taken apart: each known name at most once, nothing empty that may not be, no U+0000.

use super::{Name, Parameter, Value};
use crate::http::problem::Problem;

/// How much of an unknown name a refusal repeats.
const SHOWN_CHARACTERS: usize = 64;

/// Decoded pairs of known names.
#[derive(Debug)]
pub(crate) struct QueryString(Vec<(&'static str, String)>);

impl QueryString {
    /// Reads the pairs; `find` knows the names that may be there.
    pub(super) fn parse(query: &str, find: impl Fn(&str) -> Option<Name>) -> Result<Self, Problem> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name =
                decode(name).ok_or_else(|| Problem::bad_request("The query string is not percent-encoded UTF-8."))?;
            let Some(Name {
                text: name,
                may_be_empty,
                may_be_repeated,
            }) = find(&name)
            else {
                return Err(unknown(&name));
            };
            let value = decode(value).ok_or_else(|| refuse(name, "is not percent-encoded UTF-8"))?;
            if value.is_empty() && !may_be_empty {
                return Err(refuse(name, "is empty"));
            }
            if value.contains('\0') {
                return Err(refuse(name, "holds U+0000"));
            }
            match pairs.iter_mut().find(|(given, _)| *given == name) {
                None => pairs.push((name, value)),
                Some((_, before)) if may_be_repeated => {
                    before.push(',');
                    before.push_str(&value);
                }
                Some(_) => return Err(refuse(name, "is given more than once")),
            }
        }
        Ok(Self(pairs))
    }

    /// Takes a parameter out.
    pub(crate) fn take<P: Parameter>(&mut self, name: &'static str) -> Result<P, Problem> {
        let at = self.0.iter().position(|(given, _)| *given == name);
        let text = at.map(|at| self.0.swap_remove(at).1);
        let value = text.as_deref().map(P::Value::read).transpose();
        let value = value.map_err(|mistake| refuse(name, &mistake))?;
        P::from_given(value).ok_or_else(|| refuse(name, "is required"))
    }
}

fn refuse(name: &str, mistake: &str) -> Problem {
    Problem::parameter(name, format!("{name} {mistake}."))
}

fn unknown(name: &str) -> Problem {
    let shown = name.chars().take(SHOWN_CHARACTERS);
    let shown: String = shown.map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    refuse(&shown, "is not a parameter of this endpoint")
}

/// `application/x-www-form-urlencoded`, but strict: a broken escape or bytes that are not UTF-8 are refused.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Percent-encodes all but the unreserved characters (RFC 3986, 2.3).
pub(super) fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from(b"0123456789ABCDEF"[usize::from(nibble)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_strict() {
        assert_eq!(decode("a+b%2Bc%C3%A9").unwrap(), "a b+cé");
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decode(bad), None);
        }
    }

    proptest! {
        #[test]
        fn encoding_is_undone_by_decoding(text in ".*") {
            let mut encoded = String::new();
            encode(&mut encoded, &text);
            prop_assert_eq!(decode(&encoded).unwrap(), text);
        }
    }
}
