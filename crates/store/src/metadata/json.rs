//! A JSON value as a flat tree, for metadata of any depth: no recursion to build, walk or drop it.

use std::{borrow::Cow, collections::BTreeMap};

/// A value's place in its [`Tree`].
pub(crate) type NodeId = usize;

/// The whole value's place.
pub(crate) const ROOT: NodeId = 0;

/// One value.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    /// Of two equal keys the last wins, as everywhere JSON is parsed.
    Object(BTreeMap<Cow<'a, str>, NodeId>),
    Array(Vec<NodeId>),
    Scalar(Scalar<'a>),
}

/// A value without parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    String(Cow<'a, str>),
    /// As an IEEE double; what is too large for one is infinite.
    Number(f64),
    Bool(bool),
    Null,
}

/// All values of one JSON text.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    nodes: Vec<Value<'a>>,
}

impl<'a> Tree<'a> {
    /// Reads a valid JSON text; `None` when it is not one.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut nodes: Vec<Value<'a>> = Vec::new();
        let mut open: Vec<(NodeId, Option<Cow<'a, str>>)> = Vec::new();
        let mut rest = text.trim_ascii_start();
        while let Some(first) = rest.bytes().next() {
            match first {
                b'}' | b']' => {
                    open.pop()?;
                    rest = &rest[1..];
                }
                b',' | b':' => rest = &rest[1..],
                b'"' => {
                    let (string, after) = take_string(rest)?;
                    rest = after;
                    match open.last_mut() {
                        Some((id, key @ None)) if matches!(nodes[*id], Value::Object(_)) => {
                            *key = Some(string);
                        }
                        _ => {
                            attach(&mut nodes, &mut open, Value::Scalar(Scalar::String(string)))?;
                        }
                    }
                }
                b'{' | b'[' => {
                    let value = if first == b'{' {
                        Value::Object(BTreeMap::new())
                    } else {
                        Value::Array(Vec::new())
                    };
                    let id = attach(&mut nodes, &mut open, value)?;
                    open.push((id, None));
                    rest = &rest[1..];
                }
                _ => {
                    let end = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
                    let (literal, after) = rest.split_at(end);
                    attach(&mut nodes, &mut open, Value::Scalar(scalar(literal)?))?;
                    rest = after;
                }
            }
            rest = rest.trim_ascii_start();
        }
        (!nodes.is_empty() && open.is_empty()).then_some(Self { nodes })
    }

    /// The value at a place.
    pub(crate) fn value(&self, id: NodeId) -> &Value<'a> {
        &self.nodes[id]
    }

    /// Every scalar that is reachable; an overwritten key's is not.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = &Scalar<'a>> {
        self.below(ROOT, true)
    }

    /// The scalars that are the value at `id`: itself, or elements of arrays at any depth, not of objects.
    pub(crate) fn elements(&self, id: NodeId) -> impl Iterator<Item = &Scalar<'a>> {
        self.below(id, false)
    }

    fn below(&self, id: NodeId, through_objects: bool) -> impl Iterator<Item = &Scalar<'a>> {
        let mut left = vec![id];
        std::iter::from_fn(move || {
            while let Some(id) = left.pop() {
                match &self.nodes[id] {
                    Value::Scalar(scalar) => return Some(scalar),
                    Value::Array(items) => left.extend(items),
                    Value::Object(fields) if through_objects => left.extend(fields.values()),
                    Value::Object(_) => {}
                }
            }
            None
        })
    }
}

/// Adds a value to whatever is open.
fn attach<'a>(
    nodes: &mut Vec<Value<'a>>,
    open: &mut [(NodeId, Option<Cow<'a, str>>)],
    value: Value<'a>,
) -> Option<NodeId> {
    let id = nodes.len();
    nodes.push(value);
    match open.last_mut() {
        None if id == 0 => {}
        None => return None,
        Some((parent, key)) => match &mut nodes[*parent] {
            Value::Object(fields) => {
                fields.insert(key.take()?, id);
            }
            Value::Array(items) => items.push(id),
            Value::Scalar(_) => return None,
        },
    }
    Some(id)
}

fn take_string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut escaped = false;
    let mut position = 1;
    loop {
        match text.as_bytes().get(position)? {
            b'"' => break,
            b'\\' => {
                escaped = true;
                position += 2;
            }
            _ => position += 1,
        }
    }
    let (literal, rest) = text.split_at(position + 1);
    let string = if escaped {
        Cow::Owned(serde_json::from_str(literal).ok()?)
    } else {
        Cow::Borrowed(&literal[1..position])
    };
    Some((string, rest))
}

fn scalar(literal: &str) -> Option<Scalar<'static>> {
    match literal {
        "true" => Some(Scalar::Bool(true)),
        "false" => Some(Scalar::Bool(false)),
        "null" => Some(Scalar::Null),
        number => parse_number(number).map(Scalar::Number),
    }
}

/// The number a text is by the JSON grammar (RFC 8259, section 6), as an IEEE double.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (integer, fraction) = match mantissa.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (mantissa, None),
    };
    let valid = digits(integer)
        && (integer.len() == 1 || !integer.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    valid.then(|| text.parse().ok()).flatten()
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Scalar, Tree, parse_number};

    fn scalars(text: &str) -> Option<Vec<String>> {
        let tree = Tree::parse(text)?;
        let mut all: Vec<String> = tree.scalars().map(|s| format!("{s:?}")).collect();
        all.sort();
        Some(all)
    }

    #[test]
    fn the_last_of_two_equal_keys_wins() {
        assert_eq!(
            scalars(r#"{"a":1,"\u0061":[true,{"b":null}]}"#),
            Some(vec!["Bool(true)".into(), "Null".into()])
        );
    }

    #[test]
    fn strings_may_hold_structure() {
        assert_eq!(scalars(r#"{"k\"{":"],:\\"}"#), Some(vec![r#"String("],:\\")"#.into()]));
    }

    #[test]
    fn depth_is_unbounded() {
        let text = format!("{{\"a\":{}7{}}}", "[".repeat(200_000), "]".repeat(200_000));
        let tree = Tree::parse(&text);
        let found: Vec<Scalar<'_>> = tree
            .iter()
            .flat_map(|tree| tree.scalars().cloned().collect::<Vec<_>>())
            .collect();
        assert_eq!(found, [Scalar::Number(7.0)]);
    }

    #[test]
    fn numbers_follow_the_json_grammar() {
        assert_eq!(parse_number("-0.50e+1"), Some(-5.0));
        assert_eq!(parse_number("1e999"), Some(f64::INFINITY));
        for bad in ["", "-", "+1", "01", "1.", ".5", "1e", "0x1", "inf", "NaN", " 1", "1 "] {
            assert_eq!(parse_number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_json_is_no_tree() {
        for bad in ["", "{", "[1", "}", "\"", "1 2", "{\"a\"}x"] {
            assert!(Tree::parse(bad).is_none(), "{bad:?}");
        }
    }
}
