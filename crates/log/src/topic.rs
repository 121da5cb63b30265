//! The topics of the event contract and their default names.

/// The topics that events are published to, in the order of the contract. Topics are configuration: an event's type, not
/// its topic, decides what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Creation, deletion and restoration of conversations.
    #[default]
    Conversations,
    /// Messages and their revisions.
    Messages,
    /// Feedback submitted and withdrawn.
    Feedback,
    /// Both halves of tool calls.
    ToolCalls,
    /// User profiles.
    Users,
    /// Agent profiles.
    Agents,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 6] = [
        Self::Conversations,
        Self::Messages,
        Self::Feedback,
        Self::ToolCalls,
        Self::Users,
        Self::Agents,
    ];

    /// The default name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conversations => "recap.conversations",
            Self::Messages => "recap.messages",
            Self::Feedback => "recap.feedback",
            Self::ToolCalls => "recap.tool-calls",
            Self::Users => "recap.users",
            Self::Agents => "recap.agents",
        }
    }

    /// The default names, separated by commas.
    #[must_use]
    pub fn default_names() -> String {
        Self::ALL.map(Self::name).join(",")
    }
}

/// Whether Kafka accepts this name for a topic.
#[must_use]
pub fn is_topic_name(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_name_is_what_kafka_accepts() {
        for name in ["recap.messages", "A_b-1", &"x".repeat(249)] {
            assert!(is_topic_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "a,b", "ä", &"x".repeat(250)] {
            assert!(!is_topic_name(name), "{name}");
        }
        assert!(Topic::ALL.iter().all(|topic| is_topic_name(topic.name())));
    }
}
