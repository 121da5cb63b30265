//! What a log is made of.

/// The knobs of a log; the default is the log of deploy/benchmarks.md. A share is a part of 1 of the log's records.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Everything random follows from it.
    pub seed: u64,
    /// Records in the log, duplicates included. `u64::MAX` never ends.
    pub events: u64,
    /// Time of the first event in Unix microseconds.
    pub start: i64,
    /// Microseconds from one event to the next, on average.
    pub step: i64,
    /// Organizations, with a Zipf skew: the second has half the traffic of the first, the third a third.
    pub organizations: u32,
    /// Users of all organizations together, spread as the traffic is.
    pub users: u32,
    /// Agents of each organization.
    pub agents: u32,
    /// Conversations in flight at once.
    pub in_flight: u32,
    /// Average number of messages in a conversation.
    pub messages: u32,
    /// The most messages a conversation gets; few do.
    pub messages_max: u32,
    /// Least and greatest length of a message's text, in characters.
    pub text_chars: (u32, u32),
    /// Least and greatest size of a tool call's arguments, and of its result, in bytes.
    pub payload_bytes: (u32, u32),
    /// Records about tool calls, either half.
    pub tool_call_share: f64,
    /// Records about feedback.
    pub feedback_share: f64,
    /// Records delivered a second time.
    pub duplicate_share: f64,
    /// Records delivered after later ones.
    pub late_share: f64,
    /// Messages sent again with another content.
    pub revision_share: f64,
    /// Deletions and restorations of conversations.
    pub lifecycle_share: f64,
    /// Deletions of messages and tool calls; a revision brings back some of the messages.
    pub deletion_share: f64,
    /// Profiles sent again, changed; every user and agent has been sent once before.
    pub profile_share: f64,
    /// Part of the conversations that have a parent, up to 4 deep.
    pub sub_conversation_share: f64,
    /// Records that the projector must refuse.
    pub invalid_share: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            events: 1_000_000,
            start: 1_767_225_600_000_000,
            step: 1_000,
            organizations: 50,
            users: 5_000,
            agents: 4,
            in_flight: 20_000,
            messages: 20,
            messages_max: 2_000,
            text_chars: (40, 2_000),
            payload_bytes: (200, 4_000),
            tool_call_share: 0.10,
            feedback_share: 0.02,
            duplicate_share: 0.03,
            late_share: 0.05,
            revision_share: 0.001,
            lifecycle_share: 0.001,
            deletion_share: 0.0,
            profile_share: 0.002,
            sub_conversation_share: 0.05,
            invalid_share: 0.0,
        }
    }
}

impl Config {
    /// A short log for tests: few conversations, so that disorder, revisions and deletions meet each other often.
    #[must_use]
    pub fn small(seed: u64, events: u64) -> Self {
        Self {
            seed,
            events,
            organizations: 3,
            users: 12,
            agents: 2,
            in_flight: 20,
            messages: 8,
            messages_max: 60,
            text_chars: (1, 80),
            payload_bytes: (10, 200),
            tool_call_share: 0.2,
            feedback_share: 0.1,
            duplicate_share: 0.1,
            late_share: 0.2,
            revision_share: 0.1,
            lifecycle_share: 0.03,
            deletion_share: 0.05,
            profile_share: 0.05,
            sub_conversation_share: 0.2,
            ..Self::default()
        }
    }
}
