//! The Clerk bridge's instruments.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Meter},
};

use crate::{
    instruments::counter,
    names::{attribute as a, metric},
};

/// What became of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Kafka has acknowledged what it led to.
    Handled,
    /// No profile shows what it says.
    Ignored,
    /// No request of Clerk's looks like it.
    Malformed,
    /// Its signature is not Clerk's, or old.
    NotSigned,
    /// Kafka or the Backend API is away, and Clerk has to send it again.
    Later,
}

impl WebhookOutcome {
    /// The attribute's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Ignored => "ignored",
            Self::Malformed => "malformed",
            Self::NotSigned => "not-signed",
            Self::Later => "later",
        }
    }
}

/// Counts webhooks and requests to the Backend API.
#[derive(Debug, Clone)]
pub struct ClerkMetrics {
    webhooks: Counter<u64>,
    api_requests: Counter<u64>,
}

impl ClerkMetrics {
    /// Makes the instruments.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        Self {
            webhooks: counter(meter, &metric::CLERK_WEBHOOKS),
            api_requests: counter(meter, &metric::CLERK_API_REQUESTS),
        }
    }

    /// A webhook was answered. `event_type` is one of those that recap knows, `other`, or `unknown` where it was not read.
    pub fn webhook(&self, event_type: &'static str, outcome: WebhookOutcome) {
        let attributes = [
            KeyValue::new(a::EVENT_TYPE, event_type),
            KeyValue::new(a::OUTCOME, outcome.as_str()),
        ];
        self.webhooks.add(1, &attributes);
    }

    /// The Backend API was asked: `succeeded`, `limited` or `failed`.
    pub fn api_answered(&self, outcome: &'static str) {
        self.api_requests.add(1, &[KeyValue::new(a::OUTCOME, outcome)]);
    }
}
