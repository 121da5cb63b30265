//! Single values from their text; what is wrong with one is said in the rest of a sentence that begins with its name.

use std::time::Duration;

use http::HeaderValue;
use jsonwebtoken::DecodingKey;

/// Environment files often hold a PEM on one line with `\n` spelled out.
pub(super) fn public_key(pem: &str) -> Result<DecodingKey, String> {
    if pem.contains("PRIVATE KEY") {
        return Err("holds a private key; it takes the public one".to_owned());
    }
    DecodingKey::from_rsa_pem(pem.replace("\\n", "\n").as_bytes())
        .map_err(|_| "must be an RSA public key as PEM".to_owned())
}

/// The value may hold a password: a message about it does not quote it.
pub(super) fn database_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is required: postgres://user@host/database".to_owned());
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        Ok(text.to_owned())
    } else {
        Err("must begin with postgres:// or postgresql://".to_owned())
    }
}

pub(super) fn is_http_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

pub(super) fn origins(text: &str) -> Result<Vec<HeaderValue>, String> {
    let origin = |origin: &str| {
        let is_origin = is_http_url(origin)
            && reqwest::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == origin);
        match HeaderValue::from_str(origin) {
            Ok(value) if is_origin => Ok(value),
            _ => Err(format!("must list origins as https://app.example.com: {origin:?}")),
        }
    };
    list(text).map(origin).collect()
}

/// `500ms`, `2s`, `1m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let mistake = || format!("must be a time as 500ms, 2s or 1m: {text:?}");
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| mistake())?;
    let milliseconds = match text[digits..].trim() {
        "ms" => Some(number),
        "s" | "" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    // A day is longer than any of these bounds can mean, and adding it to a clock cannot overflow.
    milliseconds
        .filter(|ms| *ms <= 86_400_000)
        .map(Duration::from_millis)
        .ok_or_else(mistake)
}

/// `64MiB`, `1GiB`, `1000000`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let mistake = || format!("must be a size as 64MiB: {text:?}");
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().map_err(|_| mistake())?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        _ => return Err(mistake()),
    };
    number.checked_mul(unit).ok_or_else(mistake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2 m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("1000"), Ok(1000));
        for bad in ["", "s", "-1s", "1.5s", "1d", "99999999999999999999s", "86401s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "MiB", "1TiB", "99999999999999999999"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_have_no_path() {
        assert_eq!(
            origins("https://a.example, http://localhost:3000").map(|list| list.len()),
            Ok(2)
        );
        for bad in [
            "*",
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "ftp://a.example",
        ] {
            assert!(origins(bad).is_err(), "{bad}");
        }
    }
}
