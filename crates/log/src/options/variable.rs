//! `RECAP_KAFKA_OPTIONS`: `key=value` separated by commas, values with a comma in quotes.

use std::{iter::Peekable, str::Chars};

use secrecy::{ExposeSecret as _, SecretString};

use super::{Entry, Origin};

pub(super) const NAME: &str = "RECAP_KAFKA_OPTIONS";

/// Reads `key=value,key="a,b",key='a"b'`. In double quotes a backslash makes the next character an ordinary one; in single
/// quotes everything is ordinary. Spaces around names and values do not count. Empty entries are left out.
pub(super) fn parse(text: &SecretString, mistakes: &mut Vec<String>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut rest = text.expose_secret().chars().peekable();
    for number in 1.. {
        if rest.peek().is_none() {
            break;
        }
        let name: String = take_until(&mut rest, |c| matches!(c, '=' | ','));
        let name = name.trim();
        if rest.next_if_eq(&'=').is_none() {
            rest.next();
            if !name.is_empty() {
                mistakes.push(not_an_option(number));
            }
            continue;
        }
        let value = match value(&mut rest) {
            Ok(value) => value,
            Err(what) => {
                mistakes.push(format!("{NAME}: entry {number}: {what}"));
                // What follows an unfinished quote is not worth a guess.
                break;
            }
        };
        if name.is_empty() {
            mistakes.push(not_an_option(number));
        } else {
            entries.push(Entry {
                origin: Origin::Variable(number),
                key: name.to_owned(),
                value: value.into(),
            });
        }
    }
    entries
}

// The text may be a piece of a password.
fn not_an_option(number: usize) -> String {
    format!("{NAME}: entry {number} is not `key=value`; a value with a comma stands in quotes: `key=\"a,b\"`")
}

/// The value up to and with its comma.
fn value(rest: &mut Peekable<Chars<'_>>) -> Result<String, &'static str> {
    take_until(rest, |c| !c.is_whitespace());
    let Some(quote) = rest.next_if(|c| matches!(c, '"' | '\'')) else {
        let value = take_until(rest, |c| c == ',');
        rest.next();
        return Ok(value.trim_end().to_owned());
    };
    let mut value = String::new();
    loop {
        match rest.next() {
            None => return Err("the quote is not closed"),
            Some(c) if c == quote => break,
            Some('\\') if quote == '"' => value.push(rest.next().ok_or("the quote is not closed")?),
            Some(c) => value.push(c),
        }
    }
    take_until(rest, |c| !c.is_whitespace());
    match rest.next() {
        None | Some(',') => Ok(value),
        Some(_) => Err("a comma is missing after the closing quote"),
    }
}

fn take_until(rest: &mut Peekable<Chars<'_>>, end: impl Fn(char) -> bool) -> String {
    std::iter::from_fn(|| rest.next_if(|c| !end(*c))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let mut mistakes = Vec::new();
        let entries = parse(&text.to_owned().into(), &mut mistakes).into_iter();
        let entries = entries.map(|entry| (entry.key, entry.value.expose_secret().to_owned()));
        (entries.collect(), mistakes)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn options_are_keys_with_values_and_spaces_around_them_do_not_count() {
        let (options, mistakes) = read(" security.protocol = ssl ,,sasl.password=a=b, x=");
        assert_eq!(
            options,
            pairs(&[("security.protocol", "ssl"), ("sasl.password", "a=b"), ("x", "")])
        );
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn a_quoted_value_may_hold_commas_quotes_and_spaces() {
        let (options, mistakes) = read(r#"a = "x,\"y\\ " , b='p,"q\',c=it's"#);
        assert_eq!(options, pairs(&[("a", "x,\"y\\ "), ("b", "p,\"q\\"), ("c", "it's")]));
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn every_entry_that_is_no_option_is_counted_and_not_quoted() {
        for (text, entries) in [
            ("hunter2,a=b,=hunter2", &[1, 3][..]),
            ("a=b,c=\"hunter2,d=e", &[2]),
            ("a=\"hunter2\"hunter2", &[1]),
        ] {
            let (_, mistakes) = read(text);
            assert_eq!(mistakes.len(), entries.len(), "{text}: {mistakes:?}");
            for (mistake, entry) in mistakes.iter().zip(entries) {
                let start = format!("RECAP_KAFKA_OPTIONS: entry {entry}");
                assert!(mistake.starts_with(&start), "{mistake}");
                assert!(!mistake.contains("hunter2"), "{mistake}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_can_be_written_in_quotes(values in prop::collection::vec(any::<String>(), 1..4)) {
            let quoted = values.iter().map(|value| {
                format!("k=\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
            });
            let (options, mistakes) = read(&quoted.collect::<Vec<_>>().join(","));
            prop_assert!(mistakes.is_empty());
            prop_assert_eq!(options.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), values);
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            read(&text);
        }
    }
}
