//! What can be asked about a user's public metadata, as 128-bit tokens: one rule for writing and asking.
//!
//! A user has a token for each addressable key, for each pair of addressable key and scalar, and for
//! each scalar anywhere. A filter is the few tokens of which a user must have one. Tokens are BLAKE3
//! cut to 128 bits, so a collision is out of reach even for one who looks for it.

mod json;

use std::collections::{BTreeSet, HashSet};

use uuid::Uuid;

use self::json::{NodeId, ROOT, Scalar, Tree, Value, parse_number};
use crate::MetadataFilter;

/// A key as a chain of hashes over its dot-separated components: a literal `a.b` and a path a → b
/// are addressed by the same text, so they have the same chain.
type KeyHash = [u8; 16];

const NO_KEY: KeyHash = [0; 16];

#[derive(Clone, Copy)]
#[repr(u8)]
enum Domain {
    Component = 1,
    Key = 2,
    KeyValue = 3,
    Value = 4,
}

/// The tokens of a user with this public metadata (a JSON object), sorted.
pub(crate) fn tokens_of(public_metadata: &str) -> Vec<Uuid> {
    let mut tokens = BTreeSet::new();
    let Some(tree) = Tree::parse(public_metadata) else {
        return Vec::new();
    };
    for scalar in tree.scalars() {
        tokens.insert(value_token(scalar));
    }
    for (key, value) in addressable(&tree) {
        tokens.insert(key_token(key));
        for scalar in tree.elements(value) {
            tokens.insert(key_value_token(key, scalar));
        }
    }
    tokens.into_iter().collect()
}

/// The tokens that answer a filter: a user matches who has any of them.
pub(crate) fn tokens_for(filter: &MetadataFilter) -> Vec<Uuid> {
    let key = filter.key.as_deref().map(key_hash);
    match (key, filter.value.as_deref()) {
        (None, None) => Vec::new(),
        (Some(key), None) => vec![key_token(key)],
        (None, Some(value)) => readings(value).iter().map(value_token).collect(),
        (Some(key), Some(value)) => readings(value)
            .iter()
            .map(|scalar| key_value_token(key, scalar))
            .collect(),
    }
}

/// The scalars a parameter may mean: `3` is the string and the number.
fn readings(parameter: &str) -> Vec<Scalar<'_>> {
    let mut readings = vec![Scalar::String(parameter.into())];
    match parameter {
        "true" => readings.push(Scalar::Bool(true)),
        "false" => readings.push(Scalar::Bool(false)),
        "null" => readings.push(Scalar::Null),
        number => readings.extend(parse_number(number).map(Scalar::Number)),
    }
    readings
}

/// Every key a filter can name, with its value: each top-level key literally, and each path through
/// objects whose components hold no dot, unless a literal top-level key reads the same.
fn addressable(tree: &Tree<'_>) -> Vec<(KeyHash, NodeId)> {
    let Value::Object(top) = tree.value(ROOT) else {
        return Vec::new();
    };
    let mut found: Vec<(KeyHash, NodeId)> = top.iter().map(|(key, value)| (key_hash(key), *value)).collect();
    let literal: HashSet<KeyHash> = found.iter().map(|(key, _)| *key).collect();
    let mut objects: Vec<(KeyHash, NodeId)> = top
        .iter()
        .filter(|(key, _)| !key.contains('.'))
        .map(|(key, value)| (key_hash(key), *value))
        .collect();
    while let Some((path, id)) = objects.pop() {
        let Value::Object(fields) = tree.value(id) else {
            continue;
        };
        for (key, value) in fields.iter().filter(|(key, _)| !key.contains('.')) {
            let path = component(path, key);
            if !literal.contains(&path) {
                found.push((path, *value));
            }
            objects.push((path, *value));
        }
    }
    found
}

fn key_hash(key: &str) -> KeyHash {
    key.split('.').fold(NO_KEY, component)
}

fn component(path: KeyHash, component: &str) -> KeyHash {
    hash(Domain::Component, &path, component.as_bytes())
}

fn key_token(key: KeyHash) -> Uuid {
    Uuid::from_bytes(hash(Domain::Key, &key, &[]))
}

fn key_value_token(key: KeyHash, scalar: &Scalar<'_>) -> Uuid {
    Uuid::from_bytes(hash(Domain::KeyValue, &key, &canonical(scalar)))
}

fn value_token(scalar: &Scalar<'_>) -> Uuid {
    Uuid::from_bytes(hash(Domain::Value, &NO_KEY, &canonical(scalar)))
}

fn hash(domain: Domain, key: &KeyHash, rest: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[domain as u8]).update(key).update(rest);
    let mut cut = [0; 16];
    hasher.finalize_xof().fill(&mut cut);
    cut
}

fn canonical(scalar: &Scalar<'_>) -> Vec<u8> {
    match scalar {
        Scalar::String(string) => [b"s", string.as_bytes()].concat(),
        // Zero has two doubles; adding zero leaves the positive one.
        Scalar::Number(number) => [&b"n"[..], &(number + 0.0).to_bits().to_le_bytes()].concat(),
        Scalar::Bool(true) => b"t".to_vec(),
        Scalar::Bool(false) => b"f".to_vec(),
        Scalar::Null => b"z".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::{tokens_for, tokens_of};
    use crate::MetadataFilter;

    fn matches(metadata: &str, key: Option<&str>, value: Option<&str>) -> bool {
        let filter = MetadataFilter {
            key: key.map(str::to_owned),
            value: value.map(str::to_owned),
        };
        let tokens = tokens_of(metadata);
        tokens_for(&filter)
            .iter()
            .any(|token| tokens.binary_search(token).is_ok())
    }

    #[test]
    fn a_key_is_literal_before_it_is_a_path() {
        let metadata = r#"{"a.b":1,"a":{"b":2,"c":{"d":3}},"x.y":{"z":4}}"#;
        assert!(matches(metadata, Some("a.b"), Some("1")));
        assert!(!matches(metadata, Some("a.b"), Some("2")));
        assert!(matches(metadata, Some("a.c.d"), Some("3")));
        assert!(!matches(metadata, Some("x.y.z"), None));
        assert!(matches(metadata, None, Some("4")));
        assert!(matches(metadata, Some("a"), None));
        assert!(!matches(metadata, Some("b"), None));
    }

    #[test]
    fn paths_go_through_objects_only() {
        let metadata = r#"{"a":[{"b":1}],"n":null,"":{"":5}}"#;
        assert!(!matches(metadata, Some("a.b"), None));
        assert!(!matches(metadata, Some("a.0"), None));
        assert!(matches(metadata, None, Some("1")));
        assert!(matches(metadata, Some("n"), None));
        assert!(matches(metadata, Some("."), Some("5")));
    }

    #[test]
    fn arrays_match_by_any_element_and_objects_never() {
        let metadata = r#"{"a":[[1,["x"]],{"b":"y"}],"o":{"p":"q"}}"#;
        assert!(matches(metadata, Some("a"), Some("x")));
        assert!(matches(metadata, Some("a"), Some("1")));
        assert!(!matches(metadata, Some("a"), Some("y")));
        assert!(!matches(metadata, Some("o"), Some("q")));
        assert!(matches(metadata, None, Some("y")));
        assert!(!matches(metadata, Some("o"), Some(r#"{"p":"q"}"#)));
    }

    #[test]
    fn numbers_compare_as_doubles_and_strings_exactly() {
        let metadata = r#"{"n":3.0,"s":"3","z":-0,"big":9007199254740993,"e":""}"#;
        assert!(matches(metadata, Some("n"), Some("3")));
        assert!(matches(metadata, Some("n"), Some("30e-1")));
        assert!(!matches(metadata, Some("n"), Some("+3")));
        assert!(matches(metadata, Some("s"), Some("3")));
        assert!(!matches(metadata, Some("s"), Some("3.0")));
        assert!(matches(metadata, Some("z"), Some("0")));
        assert!(matches(metadata, Some("big"), Some("9007199254740992")));
        assert!(matches(metadata, Some("e"), Some("")));
        assert!(!matches(metadata, Some("n"), Some("")));
    }

    #[test]
    fn booleans_and_null_match_their_text() {
        let metadata = r#"{"t":true,"s":"true","n":null}"#;
        assert!(matches(metadata, Some("t"), Some("true")));
        assert!(matches(metadata, Some("s"), Some("true")));
        assert!(matches(metadata, Some("n"), Some("null")));
        assert!(!matches(metadata, Some("t"), Some("false")));
        assert!(!matches(metadata, Some("t"), Some("True")));
    }
}
