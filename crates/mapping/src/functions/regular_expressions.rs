//! `test`, `match`, `capture`, `scan`, `split`, `sub`: the three functions that the library builds them from.
//!
//! Matching takes time linear in the text, whatever the expression; expressions are compiled once a thread.

use std::{cell::RefCell, rc::Rc};

use indexmap::IndexMap;
use jaq_core::{
    Cv, Error, ValR,
    native::{bome, v},
};
use regex::{Captures, Regex, RegexBuilder};

use super::{Function, text};
use crate::{
    budget,
    jq::Jq,
    value::{Array, Object, Value},
};

/// Bytes of a compiled expression.
const COMPILED_MAX: usize = 256 * 1024;
/// Expressions that a thread keeps.
const KEPT: usize = 64;

type Kept = IndexMap<(Rc<str>, Rc<str>), Rc<Regex>>;

thread_local! {
    static COMPILED: RefCell<Kept> = RefCell::default();
}

pub(super) fn functions() -> Box<[Function]> {
    let two = || v(2);
    Box::new([
        ("matches", two(), |cv| bome(find(cv, Wanted::Matches))),
        ("split_matches", two(), |cv| bome(find(cv, Wanted::Both))),
        ("split_", two(), |cv| bome(find(cv, Wanted::Between))),
    ])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Matches,
    Between,
    Both,
}

fn find(mut cv: Cv<'_, Jq>, wanted: Wanted) -> ValR<Value> {
    let flags = cv.0.pop_var();
    let pattern = cv.0.pop_var();
    let (flags, pattern) = (as_text(&flags)?, as_text(&pattern)?);
    let text = text(&cv.1)?;
    let regex = compiled(&pattern, &flags)?;
    let (all, no_empty) = (flags.contains('g'), flags.contains('n'));
    let search = |from: usize| budget::work((text.len() - from).saturating_mul(1 + pattern.len() / 4));
    search(0);
    let (mut found, mut between) = (Array::default(), 0);
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        if no_empty && whole.is_empty() {
            continue;
        }
        if wanted != Wanted::Matches {
            found = with(found, Value::string(&text[between..whole.start()]));
            between = whole.end();
        }
        if wanted != Wanted::Between {
            found = with(found, groups(&regex, &captures, text));
        }
        if !all {
            break;
        }
        search(whole.end());
    }
    if wanted != Wanted::Matches {
        found = with(found, Value::string(&text[between..]));
    }
    Ok(Value::array(found))
}

fn with(mut array: Array, value: Value) -> Array {
    budget::allocate(size_of::<Value>());
    array.push(value);
    array
}

fn as_text(value: &Value) -> Result<Rc<str>, Error<Value>> {
    match value {
        Value::String(text) => Ok(Rc::clone(text)),
        Value::Null => Ok(Rc::from("")),
        other => Err(Error::typ(other.clone(), "string")),
    }
}

/// The whole match and its groups, each with its position in characters.
fn groups(regex: &Regex, captures: &Captures<'_>, text: &str) -> Value {
    let names = regex.capture_names();
    let group = |(group, name): (Option<regex::Match<'_>>, Option<&str>)| {
        let group = group?;
        budget::work(group.end());
        let member = |name: &str, value| (Rc::from(name), value);
        let place = [
            member("offset", Value::from(text[..group.start()].chars().count())),
            member("length", Value::from(group.as_str().chars().count())),
            member("string", Value::string(group.as_str())),
        ];
        let name = name.map(|name| member("name", Value::string(name)));
        Some(Value::object(place.into_iter().chain(name).collect::<Object>()))
    };
    captures.iter().zip(names).filter_map(group).collect()
}

fn compiled(pattern: &Rc<str>, flags: &Rc<str>) -> Result<Rc<Regex>, Error<Value>> {
    let key = (Rc::clone(pattern), Rc::clone(flags));
    if let Some(regex) = COMPILED.with_borrow(|kept| kept.get(&key).cloned()) {
        return Ok(regex);
    }
    budget::work(pattern.len() * 256);
    let mut builder = RegexBuilder::new(pattern);
    builder.size_limit(COMPILED_MAX).dfa_size_limit(COMPILED_MAX);
    for flag in flags.chars() {
        match flag {
            'g' | 'n' => &mut builder,
            'i' => builder.case_insensitive(true),
            'x' => builder.ignore_whitespace(true),
            's' => builder.dot_matches_new_line(true),
            'm' => builder.multi_line(true),
            'l' => builder.swap_greed(true),
            'p' => builder.multi_line(true).dot_matches_new_line(true),
            other => return Err(Error::str(format!("`{other}` is no flag of a regular expression"))),
        };
    }
    let regex = Rc::new(
        builder
            .build()
            .map_err(|error| Error::str(format!("not a regular expression: {}", one_line(&error))))?,
    );
    COMPILED.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.shift_remove_index(0);
        }
        kept.insert(key, Rc::clone(&regex));
    });
    Ok(regex)
}

/// The last line says what is wrong, those before draw the expression.
fn one_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim().to_owned()
}
