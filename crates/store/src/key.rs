//! The identity of a conversation.

use std::sync::Arc;

/// `(orgId, conversationId)`. Ordered by the bytes of the organization, then of the id: the order
/// in which every transaction locks rows, and the order of the tables' `COLLATE "C"` keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationKey {
    /// The organization.
    pub org_id: Arc<str>,
    /// The conversation's id, unique within its organization only.
    pub conversation_id: Arc<str>,
}

impl ConversationKey {
    /// A key of owned or shared strings.
    pub fn new(org_id: impl Into<Arc<str>>, conversation_id: impl Into<Arc<str>>) -> Self {
        Self {
            org_id: org_id.into(),
            conversation_id: conversation_id.into(),
        }
    }
}
