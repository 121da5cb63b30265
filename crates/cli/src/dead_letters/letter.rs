//! A dead letter as it is read back.

use std::{fmt, fmt::Write as _, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _, OwnedHeaders};
use recap_log::headers;
use recap_projector::dead_letters::format;
use recap_service::one_line::OneLine;
use serde::{Serialize, Serializer};

/// Where in the dead-letter topic it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    pub partition: i32,
    pub offset: i64,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split_once(':')
            .and_then(|(partition, offset)| {
                Some(Self {
                    partition: partition.parse().ok()?,
                    offset: offset.parse().ok()?,
                })
            })
            .ok_or_else(|| String::from("a dead letter is named PARTITION:OFFSET, as 0:17"))
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One dead letter.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    pub location: Location,
    /// When it was refused last.
    pub time: DateTime<Utc>,
    pub first_failure: Option<String>,
    pub reason: Option<String>,
    pub error: Option<String>,
    pub event_type: Option<String>,
    pub origin_topic: Option<String>,
    pub origin_partition: Option<i32>,
    pub origin_offset: Option<i64>,
    /// What was too large for the dead-letter topic, of `value`, `headers` and `key`: it is where the record came from.
    pub omitted: Vec<&'static str>,
    #[serde(serialize_with = "as_text", skip_serializing_if = "Option::is_none")]
    pub key: Option<Vec<u8>>,
    #[serde(skip)]
    pub value: Option<Vec<u8>>,
    #[serde(skip)]
    pub headers: OwnedHeaders,
    #[serde(skip)]
    pub timestamp: Option<i64>,
}

#[expect(clippy::ref_option, reason = "serde asks with a reference to the field")]
fn as_text<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()))
}

impl DeadLetter {
    pub fn from_message(message: &BorrowedMessage<'_>) -> Self {
        let header = |name: &str| -> Option<String> {
            let (_, value) = headers(message.headers()).flatten().find(|(found, _)| *found == name)?;
            Some(String::from_utf8_lossy(value?).into_owned())
        };
        let refused = header(format::LAST_FAILURE).and_then(|time| DateTime::parse_from_rfc3339(&time).ok());
        let time = refused.map_or_else(
            || DateTime::from_timestamp_millis(message.timestamp().to_millis().unwrap_or(0)).unwrap_or_default(),
            |time| time.to_utc(),
        );
        Self {
            location: Location {
                partition: message.partition(),
                offset: message.offset(),
            },
            time,
            first_failure: header(format::FIRST_FAILURE),
            reason: header(format::REASON),
            error: header(format::ERROR),
            event_type: header(format::EVENT_TYPE),
            origin_topic: header(format::TOPIC),
            origin_partition: header(format::PARTITION).and_then(|text| text.parse().ok()),
            origin_offset: header(format::OFFSET).and_then(|text| text.parse().ok()),
            omitted: [
                ("value", format::VALUE_OMITTED),
                ("headers", format::HEADERS_OMITTED),
                ("key", format::KEY_OMITTED),
            ]
            .into_iter()
            .filter_map(|(part, name)| header(name).map(|_| part))
            .collect(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message
                .headers()
                .map_or_else(OwnedHeaders::new, rdkafka::message::BorrowedHeaders::detach),
            timestamp: header(format::TIMESTAMP)
                .and_then(|text| text.parse().ok())
                // Letters of release 0.1 carry it themselves.
                .or_else(|| message.timestamp().to_millis()),
        }
    }

    /// The same without its value and headers: a list of many must not hold them all.
    pub fn without_content(mut self) -> Self {
        self.value = None;
        self.headers = OwnedHeaders::new();
        self
    }

    /// One line for a list.
    pub fn line(&self) -> String {
        format!(
            "{:<12} {}  {:<20} {:<22} {}",
            self.location.to_string(),
            self.time.to_rfc3339_opts(SecondsFormat::Secs, true),
            self.reason.as_deref().unwrap_or("?"),
            OneLine(self.event_type.as_deref().unwrap_or("?")).to_string(),
            OneLine(self.error.as_deref().unwrap_or_default()),
        )
    }

    /// Everything about it.
    pub fn page(&self) -> String {
        let origin = match (&self.origin_topic, self.origin_partition, self.origin_offset) {
            (Some(topic), Some(partition), Some(offset)) => {
                format!("{topic}, partition {partition}, offset {offset}")
            }
            _ => String::from("unknown"),
        };
        let text = |bytes: Option<&[u8]>| {
            bytes.map_or_else(
                || String::from("none"),
                |bytes| String::from_utf8_lossy(bytes).into_owned(),
            )
        };
        let mut page = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(page, "{name:<14} {value}");
        };
        line("location", &self.location.to_string());
        line("reason", self.reason.as_deref().unwrap_or("unknown"));
        line("error", self.error.as_deref().unwrap_or_default());
        line("event type", self.event_type.as_deref().unwrap_or("unreadable"));
        line("came from", &origin);
        line("first refused", self.first_failure.as_deref().unwrap_or("unknown"));
        line("last refused", &self.time.to_rfc3339_opts(SecondsFormat::Millis, true));
        line("key", &text(self.key.as_deref()));
        let readable: Vec<_> = headers(Some(&self.headers)).flatten().collect();
        for (name, value) in readable.iter().filter(|(name, _)| !name.starts_with(format::PREFIX)) {
            line("header", &format!("{name}: {}", text(*value)));
        }
        let unreadable = self.headers.count() - readable.len();
        if unreadable > 0 {
            line("header", &format!("{unreadable} with names that are not UTF-8"));
        }
        line("value", &text(self.value.as_deref()));
        if !self.omitted.is_empty() {
            let parts = self.omitted.join(", ");
            line(
                "left out",
                &format!("{parts}: too large for the dead-letter topic; where the record came from"),
            );
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::Location;

    #[test]
    fn a_location_is_written_as_it_is_read() {
        let location: Result<Location, _> = "3:1700".parse();
        assert_eq!(
            location.map(|location| location.to_string()),
            Ok(String::from("3:1700"))
        );
        assert!("3".parse::<Location>().is_err());
        assert!("a:b".parse::<Location>().is_err());
    }
}
