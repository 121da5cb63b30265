//! Which dead letters a command is about.

use chrono::{DateTime, Utc};
use clap::{Args, builder::PossibleValuesParser};
use recap_events::Reason;
use recap_projector::dead_letters::format;

use super::letter::DeadLetter;
use crate::time;

/// Takes the reasons there are: of another there would simply be no dead letter.
fn reason() -> PossibleValuesParser {
    let reasons = Reason::ALL.iter().map(|reason| reason.as_str());
    PossibleValuesParser::new(reasons.chain([
        recap_mapping::MAPPING,
        recap_mapping::SCHEMA,
        format::REFUSED,
        format::UNREADABLE_HEADERS,
    ]))
}

/// Conditions that all have to hold.
#[derive(Clone, Debug, Default, Args)]
pub struct Filter {
    /// Refused for this reason (`not-json`, `missing-field`, …)
    #[arg(long, value_name = "REASON", value_parser = reason())]
    pub reason: Option<String>,

    /// Events of this type (`message.upserted`, …)
    #[arg(long, value_name = "TYPE")]
    pub r#type: Option<String>,

    /// Refused at this time or later (RFC 3339, or a day)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub since: Option<DateTime<Utc>>,

    /// Refused before this time (RFC 3339, or a day)
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub until: Option<DateTime<Utc>>,
}

impl Filter {
    /// Whether it wants every dead letter.
    pub fn is_empty(&self) -> bool {
        self.reason.is_none() && self.r#type.is_none() && self.since.is_none() && self.until.is_none()
    }

    pub fn wants(&self, letter: &DeadLetter) -> bool {
        let matches =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        matches(&self.reason, letter.reason.as_deref())
            && matches(&self.r#type, letter.event_type.as_deref())
            && self.since.is_none_or(|since| letter.time >= since)
            && self.until.is_none_or(|until| letter.time < until)
    }
}
