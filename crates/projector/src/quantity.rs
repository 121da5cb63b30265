//! Durations and sizes as operators write them: `250ms`, `45s`, `2m`, `1h`; `65536`, `64KiB`, `96MiB`, `1GiB`.

use std::time::Duration;

/// Reads a duration; the unit is required, so that nobody has to guess it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(milliseconds))
        .filter(|_| milliseconds > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is not a duration such as `250ms`, `45s`, `2m` or `1h`"))
}

/// Reads a number of bytes.
pub(crate) fn parse_bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(scale))
        .filter(|_| scale > 0)
        .ok_or_else(|| format!("`{text}` is not a size such as `65536`, `64KiB`, `96MiB` or `1GiB`"))
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_its_unit() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration(" 2 m "), Ok(Duration::from_mins(2)));
        for wrong in [
            "5",
            "s",
            "-1s",
            "1.5s",
            "",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_is_bytes_unless_it_says_otherwise() {
        assert_eq!(parse_bytes("96MiB"), Ok(96 << 20));
        assert_eq!(parse_bytes("0"), Ok(0));
        for wrong in ["1MB", "x", "", "-1"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }
}
