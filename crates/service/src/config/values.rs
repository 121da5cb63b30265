//! How single values are written: one rule for every variable of every program.

use std::{any::type_name, net::SocketAddr, str::FromStr, time::Duration};

use http::Uri;
use secrecy::SecretString;

use super::mistakes::Reader;

/// The longest duration: longer than any bound here can mean, and adding it to a clock cannot overflow.
const LONGEST: Duration = Duration::from_hours(24);

/// A duration: a whole number and its unit, `250ms`, `45s`, `2m` or `1h`, at most a day. The unit is required, so that nobody has to
/// guess it.
#[must_use]
pub fn duration() -> Reader<Duration> {
    Reader::new(|text| {
        let (number, unit) = split(text);
        let milliseconds = match unit {
            "ms" => Some(1),
            "s" => Some(1_000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        milliseconds
            .and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit))
            .map(Duration::from_millis)
            .filter(|duration| *duration <= LONGEST)
            .ok_or_else(|| "must be a time of at most a day with its unit, as 250ms, 45s, 2m or 1h".to_owned())
    })
}

/// A number of bytes: `65536`, `64KiB`, `96MiB`, `1GiB`.
#[must_use]
pub fn bytes() -> Reader<usize> {
    Reader::new(|text| {
        let (number, unit) = split(text);
        let scale = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => Some(1),
            "kib" => Some(1 << 10),
            "mib" => Some(1 << 20),
            "gib" => Some(1 << 30),
            _ => None,
        };
        scale
            .and_then(|scale| number.parse::<usize>().ok()?.checked_mul(scale))
            .ok_or_else(|| "must be a size, as 65536, 64KiB, 96MiB or 1GiB".to_owned())
    })
}

/// A number: whole, or with a fraction where `T` has one.
#[must_use]
pub fn number<T: FromStr + 'static>() -> Reader<T> {
    let kind = if type_name::<T>().starts_with('f') {
        "a number"
    } else {
        "a whole number"
    };
    Reader::new(move |text| text.parse().map_err(|_| format!("must be {kind}")))
}

/// Any text but the empty one.
#[must_use]
pub fn text() -> Reader<String> {
    Reader::new(|text| {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        Ok(text.to_owned())
    })
}

/// `true` or `false`.
#[must_use]
pub fn flag() -> Reader<bool> {
    Reader::new(|text| text.parse().map_err(|_| "must be true or false".to_owned()))
}

/// An address to listen on, with its port; port 0 is a free one.
#[must_use]
pub fn address() -> Reader<SocketAddr> {
    Reader::new(|text| {
        text.parse()
            .map_err(|_| "must be an address and a port, as 0.0.0.0:8080".to_owned())
    })
}

/// An `http` or `https` URL with a host.
#[must_use]
pub fn http_url() -> Reader<String> {
    Reader::new(|text| {
        let url = text.parse::<Uri>().ok();
        let valid = url.is_some_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
        });
        if valid {
            Ok(text.to_owned())
        } else {
            Err("must be an http(s) URL".to_owned())
        }
    })
}

/// PostgreSQL's URL, which may hold a password.
#[must_use]
pub fn database_url() -> Reader<SecretString> {
    Reader::new(|text| {
        if text.is_empty() {
            return Err("is required: postgres://user@host/database".to_owned());
        }
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err("must begin with postgres:// or postgresql://".to_owned());
        }
        Ok(SecretString::from(text))
    })
}

/// A value, or nothing where the text is empty.
#[must_use]
pub fn or_nothing<T: 'static>(value: Reader<T>) -> Reader<Option<T>> {
    Reader::new(move |text| {
        if text.is_empty() {
            return Ok(None);
        }
        value.read(text).map(Some)
    })
}

/// Comma list of values; spaces around one and empty ones do not count.
#[must_use]
pub fn list<T: 'static>(item: Reader<T>) -> Reader<Vec<T>> {
    Reader::new(move |text| {
        let items = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        items.map(|text| item.read(text)).collect()
    })
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit_and_is_at_most_a_day() {
        let duration = duration();
        assert_eq!(duration.read("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration.read("2 m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration.read("0s"), Ok(Duration::ZERO));
        assert_eq!(duration.read("24h"), Ok(Duration::from_hours(24)));
        for wrong in [
            "3",
            "s",
            "-1s",
            "1.5s",
            "1d",
            "",
            "86401s",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(duration.read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_is_bytes_unless_it_says_otherwise() {
        let bytes = bytes();
        assert_eq!(bytes.read("64MiB"), Ok(64 << 20));
        assert_eq!(bytes.read("1gib"), Ok(1 << 30));
        assert_eq!(bytes.read("1000"), Ok(1000));
        assert_eq!(bytes.read("0"), Ok(0));
        for wrong in ["", "MiB", "1MB", "1TiB", "x", "-1", "99999999999999999999"] {
            assert!(bytes.read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        let url = http_url();
        for right in ["https://clerk.example.com", "http://127.0.0.1:8080/keys"] {
            assert!(url.read(right).is_ok(), "{right}");
        }
        for wrong in ["", "nonsense", "clerk.example.com/x", "ftp://host", "https://"] {
            assert!(url.read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_has_only_valid_items() {
        let numbers = list(number::<u32>());
        assert_eq!(numbers.read(" 1, 2,,3 "), Ok(vec![1, 2, 3]));
        assert_eq!(numbers.read(""), Ok(Vec::new()));
        assert!(numbers.read("1,x").is_err());
    }
}
