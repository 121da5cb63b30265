-- The secondary indexes of a generation, apart from its tables so that a rebuild can make them last.
-- Each one serves a read that has no other way; every read leaves out deleted conversations.

-- The list: newest first, cut by keyset. created_at is along so that range probes stay in the index.
CREATE INDEX IF NOT EXISTS conversation_summary_by_update
    ON conversation_summary (org_id, recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL;

-- Ranges that are not the newest, and the statistics: both of them without a look at the rows, which are twenty times as wide.
CREATE INDEX IF NOT EXISTS conversation_summary_by_creation
    ON conversation_summary (org_id, created_at)
    INCLUDE (recency, conversation_id, user_id, agent_id, total_message_count, tool_call_count, total_tokens, input_tokens,
        output_tokens, total_feedback, total_helpful, total_not_helpful)
    WHERE deleted_at IS NULL;

-- A member's own list, and the users a metadata filter found.
CREATE INDEX IF NOT EXISTS conversation_summary_by_user
    ON conversation_summary (org_id, user_id, recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL AND user_id IS NOT NULL;

-- Sub-conversations of a parent.
CREATE INDEX IF NOT EXISTS conversation_summary_by_parent
    ON conversation_summary (org_id, upstream_conversation_id)
    WHERE deleted_at IS NULL AND upstream_conversation_id IS NOT NULL;

-- Users that a metadata filter means.
CREATE INDEX IF NOT EXISTS user_metadata_token_by_token
    ON user_metadata_token (org_id, token, user_id);
