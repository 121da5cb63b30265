-- The secondary indexes of a generation, apart from its tables so that a rebuild can make them last.
-- Each one serves a read that has no other way; every read leaves out deleted conversations. Of a busy conversation they hold one entry
-- with NULL in place of what is listed, which no write changes.

-- The list: newest first, cut by keyset; busy conversations of an organization are at its end. created_at is along so that range probes stay in the index.
CREATE INDEX IF NOT EXISTS conversation_summary_by_update
    ON conversation_summary (org_id, listed_recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL;

-- Ranges that are not the newest, other orders, and the statistics: all of them without a look at the rows, which are twenty times as wide.
CREATE INDEX IF NOT EXISTS conversation_summary_by_creation
    ON conversation_summary (org_id, created_at)
    INCLUDE (listed_recency, conversation_id, user_id, agent_id, listed_agent_model, listed_finish_reason, listed_messages, listed_duration_ms,
        listed_total_tokens, listed_input_tokens, listed_output_tokens, listed_tool_calls, listed_feedback, listed_helpful, listed_not_helpful)
    WHERE deleted_at IS NULL;

-- A member's own list, and the users a metadata filter found.
CREATE INDEX IF NOT EXISTS conversation_summary_by_user
    ON conversation_summary (org_id, user_id, listed_recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL AND user_id IS NOT NULL;

-- An agent's list.
CREATE INDEX IF NOT EXISTS conversation_summary_by_agent
    ON conversation_summary (org_id, agent_id, listed_recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL AND agent_id IS NOT NULL;

-- A model's list.
CREATE INDEX IF NOT EXISTS conversation_summary_by_model
    ON conversation_summary (org_id, listed_agent_model, listed_recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL AND listed_agent_model IS NOT NULL;

-- Conversations with feedback of a kind.
CREATE INDEX IF NOT EXISTS conversation_summary_with_feedback
    ON conversation_summary (org_id, listed_recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL AND listed_feedback > 0;
CREATE INDEX IF NOT EXISTS conversation_summary_helpful
    ON conversation_summary (org_id, listed_recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL AND listed_helpful > 0;
CREATE INDEX IF NOT EXISTS conversation_summary_not_helpful
    ON conversation_summary (org_id, listed_recency, conversation_id) INCLUDE (created_at)
    WHERE deleted_at IS NULL AND listed_not_helpful > 0;

-- Busy conversations of all organizations, for whoever lists them when they are quiet.
CREATE INDEX IF NOT EXISTS conversation_summary_busy
    ON conversation_summary (org_id, conversation_id)
    WHERE deleted_at IS NULL AND listed_recency IS NULL;

-- Sub-conversations of a parent.
CREATE INDEX IF NOT EXISTS conversation_summary_by_parent
    ON conversation_summary (org_id, upstream_conversation_id)
    WHERE deleted_at IS NULL AND upstream_conversation_id IS NOT NULL;

-- Conversations that show a call of a tool, and those that show a call that failed.
CREATE INDEX IF NOT EXISTS tool_call_by_name
    ON tool_call (org_id, listed_tool_name, conversation_id);
CREATE INDEX IF NOT EXISTS tool_call_failed
    ON tool_call (org_id, conversation_id)
    WHERE error IS NOT NULL;

-- Users that a metadata filter means.
CREATE INDEX IF NOT EXISTS user_metadata_token_by_token
    ON user_metadata_token (org_id, token, user_id);

-- Room on a page for the next version of one of its rows, or fewer and fewer are heap-only. As late as the indexes: what a rebuild copies is packed.
ALTER TABLE conversation_summary SET (fillfactor = 75);
