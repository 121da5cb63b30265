//! Media types (RFC 9110, section 8.3.1), as far as they tell how a record is to be read.

/// What a content type says of a record or of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// `application/cloudevents+json`: the value is one event.
    Event,
    /// `application/cloudevents-batch+…`: the value is several events.
    Batch,
    /// `application/cloudevents+…`: one event in another format than JSON.
    OtherEventFormat,
    /// `application/json`, `text/json` or `…+json`.
    Json,
    /// Anything else.
    Other,
}

impl MediaType {
    /// Reads a content type. Case and parameters do not matter.
    pub fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if let Some(format) = without_prefix(essence, "application/cloudevents") {
            return match format {
                _ if format.is_empty() || format.eq_ignore_ascii_case("+json") => Self::Event,
                _ if format.starts_with('+') => Self::OtherEventFormat,
                _ if without_prefix(format, "-batch").is_some() => Self::Batch,
                _ => Self::Other,
            };
        }
        let (kind, subtype) = essence.split_once('/').unwrap_or_default();
        let is_kind = |name: &str| kind.eq_ignore_ascii_case(name);
        let suffix = subtype.rsplit_once('+');
        if subtype.eq_ignore_ascii_case("json") && (is_kind("application") || is_kind("text"))
            || !kind.is_empty()
                && suffix.is_some_and(|(name, end)| !name.is_empty() && end.eq_ignore_ascii_case("json"))
        {
            Self::Json
        } else {
            Self::Other
        }
    }
}

/// What follows `prefix`, which stands in either case. Every record with a content type comes here, so nothing is copied.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_content_type_says() {
        for (content_type, says) in [
            ("application/cloudevents+json", MediaType::Event),
            (" Application/CloudEvents+JSON ; charset=UTF-8", MediaType::Event),
            ("application/cloudevents", MediaType::Event),
            ("application/cloudevents-batch+json", MediaType::Batch),
            ("application/cloudevents+avro", MediaType::OtherEventFormat),
            ("application/cloudevents+protobuf;x", MediaType::OtherEventFormat),
            ("application/cloudeventsx", MediaType::Other),
            ("application/json", MediaType::Json),
            ("TEXT/JSON;charset=utf-8", MediaType::Json),
            ("application/vnd.acme.order+json", MediaType::Json),
            ("image/json", MediaType::Other),
            ("application/+json", MediaType::Other),
            ("application/jsonl", MediaType::Other),
            ("text/plain", MediaType::Other),
            ("json", MediaType::Other),
            ("", MediaType::Other),
        ] {
            assert_eq!(MediaType::of(content_type), says, "{content_type}");
        }
    }
}
