//! Which dead letters a command is about.

use chrono::{DateTime, Utc};
use clap::Args;

use super::letter::DeadLetter;

/// Conditions that all have to hold.
#[derive(Clone, Debug, Default, Args)]
pub struct Filter {
    /// Refused for this reason (`not-json`, `missing-field`, …)
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,

    /// Events of this type (`message.upserted`, …)
    #[arg(long, value_name = "TYPE")]
    pub r#type: Option<String>,

    /// Refused at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,

    /// Refused before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,
}

impl Filter {
    pub fn wants(&self, letter: &DeadLetter) -> bool {
        let matches =
            |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|wanted| found == Some(wanted));
        matches(&self.reason, letter.reason.as_deref())
            && matches(&self.r#type, letter.event_type.as_deref())
            && self.since.is_none_or(|since| letter.time >= since)
            && self.until.is_none_or(|until| letter.time < until)
    }
}
