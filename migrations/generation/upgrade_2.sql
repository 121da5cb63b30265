-- Layout 1 (recap 0.1) becomes layout 2, in the transaction that holds the generation lock: every row is listed, by new indexes. A
-- release that knows layout 1 alone refuses the generation afterwards.

ALTER TABLE conversation_summary
    ADD COLUMN listed_recency       bigint,
    ADD COLUMN listed_agent_model   text COLLATE "C",
    ADD COLUMN listed_finish_reason text COLLATE "C",
    ADD COLUMN listed_messages      bigint,
    ADD COLUMN listed_duration_ms   bigint,
    ADD COLUMN listed_total_tokens  bigint,
    ADD COLUMN listed_input_tokens  bigint,
    ADD COLUMN listed_output_tokens bigint,
    ADD COLUMN listed_tool_calls    bigint,
    ADD COLUMN listed_feedback      bigint,
    ADD COLUMN listed_helpful       bigint,
    ADD COLUMN listed_not_helpful   bigint;

DROP INDEX IF EXISTS conversation_summary_by_update, conversation_summary_by_creation, conversation_summary_by_user;

-- The longest texts that are listed: columns.rs.
UPDATE conversation_summary SET
    listed_recency = recency, listed_agent_model = agent_model, listed_finish_reason = last_finish_reason,
    listed_messages = total_message_count, listed_duration_ms = duration_ms, listed_total_tokens = total_tokens,
    listed_input_tokens = input_tokens, listed_output_tokens = output_tokens, listed_tool_calls = tool_call_count,
    listed_feedback = total_feedback, listed_helpful = total_helpful, listed_not_helpful = total_not_helpful
WHERE coalesce(octet_length(agent_model), 0) <= 512 AND coalesce(octet_length(last_finish_reason), 0) <= 512;

ALTER TABLE tool_call ADD COLUMN listed_tool_name text COLLATE "C" GENERATED ALWAYS AS (
    CASE WHEN octet_length(coalesce(started_tool_name, finished_tool_name)) <= 1024
         THEN coalesce(started_tool_name, finished_tool_name) END) STORED;

-- A projector of layout 1 that still runs writes nothing to the copies: what it writes is busy, so that it is read right until it is listed again.
CREATE FUNCTION unlist() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.listed_recency := NULL; NEW.listed_agent_model := NULL; NEW.listed_finish_reason := NULL; NEW.listed_messages := NULL;
    NEW.listed_duration_ms := NULL; NEW.listed_total_tokens := NULL; NEW.listed_input_tokens := NULL; NEW.listed_output_tokens := NULL;
    NEW.listed_tool_calls := NULL; NEW.listed_feedback := NULL; NEW.listed_helpful := NULL; NEW.listed_not_helpful := NULL;
    RETURN NEW;
END $$;

CREATE TRIGGER unlist BEFORE UPDATE ON conversation_summary FOR EACH ROW
    WHEN (NEW.listed_recency IS NOT NULL AND
        (NEW.listed_recency, NEW.listed_agent_model, NEW.listed_finish_reason, NEW.listed_messages, NEW.listed_duration_ms,
         NEW.listed_total_tokens, NEW.listed_input_tokens, NEW.listed_output_tokens, NEW.listed_tool_calls, NEW.listed_feedback,
         NEW.listed_helpful, NEW.listed_not_helpful)
        IS DISTINCT FROM
        (NEW.recency, NEW.agent_model, NEW.last_finish_reason, NEW.total_message_count, NEW.duration_ms,
         NEW.total_tokens, NEW.input_tokens, NEW.output_tokens, NEW.tool_call_count, NEW.total_feedback,
         NEW.total_helpful, NEW.total_not_helpful))
    EXECUTE FUNCTION unlist();
