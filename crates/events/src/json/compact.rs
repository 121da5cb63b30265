//! The canonical text of a value that is kept as text.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};

use super::{scanner::Scanner, string::plain_until};

/// Copies a JSON value without the whitespace outside its strings. The text must be valid JSON and hold no `\u0000`.
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
            b'"' => at = string_end(bytes, at),
            _ => at += 1,
        }
    }
    compacted.push_str(&text[run..]);
    compacted
}

/// The same with `\ufffd` for every `\u0000`. Of two keys of one object that become equal by that, the last stays.
pub(crate) fn compact_without_nul(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut objects = Objects::default();
    let mut compacted = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'"' => string_end(bytes, at),
            _ => at + 1,
        };
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'"' => {
                let from = compacted.len();
                let sent = &text[at..end];
                let had_nul = push_without_nul(&mut compacted, sent);
                objects.string(from..compacted.len(), had_nul.then_some(sent));
            }
            b'{' | b'[' => {
                objects.open(*byte == b'{', compacted.len());
                compacted.push(char::from(*byte));
            }
            b'}' | b']' => {
                objects.close(&mut compacted);
                compacted.push(char::from(*byte));
            }
            b',' => {
                objects.next(compacted.len());
                compacted.push(',');
            }
            _ => compacted.push_str(&text[at..end]),
        }
        at = end;
    }
    compacted
}

/// The offset after the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = plain_until(bytes, at + 1);
    while bytes.get(at) == Some(&b'\\') {
        at = plain_until(bytes, at + 2);
    }
    at + 1
}

/// Appends a string with its quotes; whether it held `\u0000`.
fn push_without_nul(out: &mut String, string: &str) -> bool {
    let bytes = string.as_bytes();
    let (mut run, mut had_nul) = (0, false);
    let mut at = plain_until(bytes, 1);
    while bytes.get(at) == Some(&b'\\') {
        if bytes[at..].starts_with(b"\\u0000") {
            out.push_str(&string[run..at]);
            out.push_str("\\ufffd");
            at += 6;
            run = at;
            had_nul = true;
        } else {
            at += 2;
        }
        at = plain_until(bytes, at);
    }
    out.push_str(&string[run..]);
    had_nul
}

/// A member of an object, by its bytes in the compacted text.
struct Member<'a> {
    key: Range<usize>,
    /// The key as it was sent, if it held U+0000.
    with_nul: Option<&'a str>,
    end: usize,
}

/// An object or array that is open. Arrays have no members.
struct Open<'a> {
    is_object: bool,
    members: Vec<Member<'a>>,
    /// Where the next member begins; `Some` while its key is still to come.
    next: Option<usize>,
}

/// The objects and arrays around the current position; a stack, for depth is unbounded.
#[derive(Default)]
struct Objects<'a>(Vec<Open<'a>>);

impl<'a> Objects<'a> {
    fn open(&mut self, is_object: bool, at: usize) {
        self.0.push(Open {
            is_object,
            members: Vec::new(),
            next: is_object.then_some(at + 1),
        });
    }

    /// A string: a key when one is to come.
    fn string(&mut self, at: Range<usize>, with_nul: Option<&'a str>) {
        if let Some(open) = self.0.last_mut()
            && open.next.take().is_some()
        {
            let end = at.end;
            open.members.push(Member { key: at, with_nul, end });
        }
    }

    /// A comma.
    fn next(&mut self, at: usize) {
        if let Some(open) = self.0.last_mut()
            && open.is_object
        {
            if let Some(member) = open.members.last_mut() {
                member.end = at;
            }
            open.next = Some(at + 1);
        }
    }

    /// The end of an object or array; takes out the members that a later one replaces.
    fn close(&mut self, compacted: &mut String) {
        let Some(Open { mut members, .. }) = self.0.pop() else {
            return;
        };
        if let Some(member) = members.last_mut() {
            member.end = compacted.len();
        }
        let Some(first) = members.first().map(|member| member.key.start) else {
            return;
        };
        let kept = kept(&members, compacted);
        if kept.len() == members.len() {
            return;
        }
        let text: Vec<&str> = kept
            .iter()
            .map(|&index| &compacted[members[index].key.start..members[index].end])
            .collect();
        let text = text.join(",");
        compacted.truncate(first);
        compacted.push_str(&text);
    }
}

/// The members that stay: all but those whose key is shown as that of a later one, and was sent as another.
fn kept(members: &[Member<'_>], text: &str) -> Vec<usize> {
    if members.iter().all(|member| member.with_nul.is_none()) {
        return (0..members.len()).collect();
    }
    // The keys as they are shown, each with how later members sent it: `None` when they differ.
    let mut later: HashMap<Cow<'_, str>, Option<Cow<'_, str>>> = HashMap::new();
    let mut kept = Vec::new();
    for (index, member) in members.iter().enumerate().rev() {
        let shown = decoded(&text[member.key.clone()]);
        let sent = member.with_nul.map_or_else(|| shown.clone(), decoded);
        match later.entry(shown) {
            Entry::Vacant(entry) => {
                entry.insert(Some(sent));
                kept.push(index);
            }
            Entry::Occupied(entry) if entry.get().as_ref() == Some(&sent) => kept.push(index),
            Entry::Occupied(mut entry) => *entry.get_mut() = None,
        }
    }
    kept.reverse();
    kept
}

/// What a string with its quotes says; its own text where that cannot be read, which valid JSON rules out.
fn decoded(string: &str) -> Cow<'_, str> {
    Scanner::new(string)
        .string()
        .map_or(Cow::Borrowed(string), |text| text.value)
}
