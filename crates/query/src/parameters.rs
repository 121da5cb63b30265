//! Query parameters, read strictly: an unknown, repeated or empty one is a 400 that names it, because a mistyped filter must not
//! widen the answer.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::problem::Problem;

/// Ids are 1–255 bytes.
const MAX_ID_BYTES: usize = 255;
/// `agentId` lies within ±(2^53 − 1).
const MAX_AGENT_ID: i64 = (1 << 53) - 1;
/// The most top-level conversations of one page.
const MAX_LIMIT: u32 = 1000;

/// The parameters both endpoints share, as the caller gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) all_in_org: bool,
    pub(crate) user_id: Option<String>,
    pub(crate) metadata_key: Option<String>,
    pub(crate) metadata_value: Option<String>,
    pub(crate) agent_id: Option<i64>,
}

/// Keys to leave out of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Exclude {
    /// `toolCalls`
    pub tool_calls: bool,
    /// `feedbackData`
    pub feedback_data: bool,
    /// `firstMessageText`
    pub first_message_text: bool,
}

/// The parameters of `getInteractions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InteractionsQuery {
    pub(crate) filters: Filters,
    pub(crate) exclude: Exclude,
    pub(crate) limit: Option<u32>,
    pub(crate) cursor: Option<String>,
}

impl InteractionsQuery {
    /// Reads the query string of `getInteractions`.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        const NAMES: [&str; 9] = [
            "from",
            "to",
            "allInOrg",
            "userId",
            "metadataKey",
            "metadataValue",
            "limit",
            "cursor",
            "exclude",
        ];
        let mut pairs = Pairs::read(query, &NAMES)?;
        let filters = pairs.filters()?;
        let limit = pairs.take("limit").map(|text| limit(&text)).transpose()?;
        let cursor = pairs.take("cursor");
        if cursor.is_some() && limit.is_none() {
            return Err(Problem::parameter(
                "cursor",
                "cursor continues a paged answer: it needs limit beside it.",
            ));
        }
        Ok(Self {
            filters,
            exclude: pairs.exclude()?,
            limit,
            cursor,
        })
    }
}

/// Reads the query string of `getStats`. `exclude` is checked and changes nothing: there is nothing to leave out.
pub(crate) fn parse_stats(query: Option<&str>) -> Result<Filters, Problem> {
    const NAMES: [&str; 8] = [
        "from",
        "to",
        "allInOrg",
        "userId",
        "metadataKey",
        "metadataValue",
        "exclude",
        "agentId",
    ];
    let mut pairs = Pairs::read(query, &NAMES)?;
    let filters = pairs.filters()?;
    pairs.exclude()?;
    Ok(filters)
}

/// Decoded pairs, each name at most once.
struct Pairs(Vec<(&'static str, String)>);

impl Pairs {
    fn read(query: Option<&str>, names: &[&'static str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(&'static str, String)> = Vec::with_capacity(names.len());
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name =
                decode(name).ok_or_else(|| Problem::bad_request("The query string is not percent-encoded UTF-8."))?;
            let Some(known) = names.iter().find(|known| **known == name) else {
                let shown: String = name
                    .chars()
                    .take(64)
                    .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                    .collect();
                return Err(Problem::parameter(
                    &shown,
                    format!("{shown} is not a parameter of this endpoint."),
                ));
            };
            let refuse = |what: &str| Problem::parameter(known, format!("{known} {what}."));
            let value = decode(value).ok_or_else(|| refuse("is not percent-encoded UTF-8"))?;
            if pairs.iter().any(|(name, _)| name == known) {
                return Err(refuse("is given more than once"));
            }
            if value.is_empty() && *known != "metadataValue" {
                return Err(refuse("is empty"));
            }
            if value.contains('\0') {
                return Err(refuse("holds U+0000"));
            }
            pairs.push((known, value));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn filters(&mut self) -> Result<Filters, Problem> {
        let from = self.time("from")?;
        let to = self.time("to")?;
        if from > to {
            return Err(Problem::parameter("from", "from is after to."));
        }
        let all_in_org = match self.take("allInOrg").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                return Err(Problem::parameter("allInOrg", "allInOrg must be true or false."));
            }
        };
        let user_id = self.take("userId");
        if user_id.as_ref().is_some_and(|id| id.len() > MAX_ID_BYTES) {
            return Err(Problem::parameter("userId", "userId is longer than 255 bytes."));
        }
        let agent_id = self.take("agentId").map(|text| agent_id(&text)).transpose()?;
        Ok(Filters {
            from,
            to,
            all_in_org,
            user_id,
            metadata_key: self.take("metadataKey"),
            metadata_value: self.take("metadataValue"),
            agent_id,
        })
    }

    fn time(&mut self, name: &'static str) -> Result<DateTime<Utc>, Problem> {
        let text = self
            .take(name)
            .ok_or_else(|| Problem::parameter(name, format!("{name} is required.")))?;
        time(&text).ok_or_else(|| {
            Problem::parameter(
                name,
                format!("{name} must be an RFC 3339 time, as 2024-01-31T00:00:00Z or 2024-01-31T01:00:00+01:00."),
            )
        })
    }

    fn exclude(&mut self) -> Result<Exclude, Problem> {
        let mut exclude = Exclude::default();
        let Some(text) = self.take("exclude") else {
            return Ok(exclude);
        };
        for item in text.split(',') {
            let key = match item {
                "toolCalls" => &mut exclude.tool_calls,
                "feedbackData" => &mut exclude.feedback_data,
                "firstMessageText" => &mut exclude.first_message_text,
                _ => {
                    return Err(Problem::parameter(
                        "exclude",
                        "exclude takes a comma list of toolCalls, feedbackData, firstMessageText.",
                    ));
                }
            };
            if std::mem::replace(key, true) {
                return Err(Problem::parameter("exclude", "exclude names a key more than once."));
            }
        }
        Ok(exclude)
    }
}

/// An RFC 3339 time, cut to the millisecond. An unencoded `+` before the offset arrives as a space and is read as the sign.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let offset = text.len().checked_sub(6)?;
    let bytes = text.as_bytes();
    // The library also takes a space between date and time, which here would be an encoded `+` that nobody meant.
    if !matches!(bytes.get(10)?, b'T' | b't') {
        return None;
    }
    let parsed = if bytes[offset] == b' ' {
        DateTime::parse_from_rfc3339(&format!("{}+{}", &text[..offset], &text[offset + 1..]))
    } else {
        DateTime::parse_from_rfc3339(text)
    };
    DateTime::from_timestamp_millis(parsed.ok()?.timestamp_millis())
}

fn agent_id(text: &str) -> Result<i64, Problem> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let id = text
        .parse::<i64>()
        .ok()
        .filter(|id| id.abs() <= MAX_AGENT_ID && digits.bytes().all(|b| b.is_ascii_digit()));
    id.ok_or_else(|| Problem::parameter("agentId", "agentId must be an integer within ±9007199254740991."))
}

fn limit(text: &str) -> Result<u32, Problem> {
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit) && text.bytes().all(|b| b.is_ascii_digit()));
    limit.ok_or_else(|| Problem::parameter("limit", "limit must be an integer from 1 to 1000."))
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
pub(crate) fn encode(out: &mut String, text: &str) {
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

/// The canonical text of a range's end: UTC, milliseconds.
pub(crate) fn canonical_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        time(text).map(canonical_time)
    }

    #[test]
    fn times_take_any_offset_and_are_cut_to_milliseconds() {
        assert_eq!(shown("2024-03-01T00:00:00Z").unwrap(), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown("2024-03-01t00:00:00.1239z").unwrap(), "2024-03-01T00:00:00.123Z");
        assert_eq!(shown("2024-03-01T01:00:00+01:00").unwrap(), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown("2024-03-01T01:00:00 01:00").unwrap(), "2024-03-01T00:00:00.000Z");
        assert_eq!(shown("2024-02-29T23:30:00-00:30").unwrap(), "2024-03-01T00:00:00.000Z");
        for bad in [
            "",
            "2024-03-01",
            "2024-03-01 00:00:00Z",
            "2024-03-01T00:00:00",
            "2024-02-30T00:00:00Z",
            "2024-03-01T00:00:00Z ",
            "now",
            "é2024-03-01T00:00:00",
        ] {
            assert_eq!(time(bad), None, "{bad:?}");
        }
    }

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

        #[test]
        fn no_query_string_panics(query in ".*") {
            let _ = InteractionsQuery::parse(Some(&query));
            let _ = parse_stats(Some(&query));
            let _ = time(&query);
        }
    }
}
