-- One generation of the projection. Runs with search_path set to the generation's schema.
-- Text keys compare by bytes (COLLATE "C"), every primary key begins with the organization and no
-- foreign key crosses it: the same tables distribute by org_id.

CREATE TABLE conversation_summary (
    org_id                  text        COLLATE "C" NOT NULL,
    conversation_id         text        COLLATE "C" NOT NULL,
    -- A random value set anew by every write; a write is guarded by the one it was based on.
    revision                bigint      NOT NULL,
    -- These two are the upsert's arguments (EXCLUDED carries only columns); their stored values mean nothing.
    base_revision           bigint      NOT NULL,
    text_kept               boolean     NOT NULL,
    part_count              smallint    NOT NULL,
    state                   bytea       NOT NULL,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    -- -updated_at in Unix milliseconds: ascending is newest first, so one row comparison with the id cuts a page.
    recency                 bigint      NOT NULL,
    deleted_at              timestamptz,
    user_id                 text        COLLATE "C",
    agent_id                bigint,
    upstream_conversation_id text       COLLATE "C",
    agent_model             text        COLLATE "C",
    last_finish_reason      text        COLLATE "C",
    user_message_count      bigint      NOT NULL,
    assistant_message_count bigint      NOT NULL,
    total_message_count     bigint      NOT NULL,
    duration_ms             bigint      NOT NULL,
    total_tokens            bigint      NOT NULL,
    input_tokens            bigint      NOT NULL,
    output_tokens           bigint      NOT NULL,
    attachment_count        bigint      NOT NULL,
    tool_call_count         bigint      NOT NULL,
    total_feedback          bigint      NOT NULL,
    total_helpful           bigint      NOT NULL,
    total_not_helpful       bigint      NOT NULL,
    first_message_text      text        COLLATE "C",
    -- What lists are walked and sums are taken by: copies of the columns above, all NULL while the conversation is busy. So its next
    -- write changes no indexed column and is heap-only; whoever reads a list reads the organization's busy rows beside it.
    listed_recency          bigint,
    listed_agent_model      text        COLLATE "C",
    listed_finish_reason    text        COLLATE "C",
    listed_messages         bigint,
    listed_duration_ms      bigint,
    listed_total_tokens     bigint,
    listed_input_tokens     bigint,
    listed_output_tokens    bigint,
    listed_tool_calls       bigint,
    listed_feedback         bigint,
    listed_helpful          bigint,
    listed_not_helpful      bigint,
    PRIMARY KEY (org_id, conversation_id)
) WITH (toast_tuple_target = 128);
-- A packed state does not compress, and parts are replaced whole.
ALTER TABLE conversation_summary ALTER COLUMN state SET STORAGE EXTERNAL;

-- The parts of a state too large for its row; only the changed ones are written.
CREATE TABLE conversation_state_part (
    org_id          text     COLLATE "C" NOT NULL,
    conversation_id text     COLLATE "C" NOT NULL,
    part            smallint NOT NULL,
    state           bytea    NOT NULL,
    PRIMARY KEY (org_id, conversation_id, part)
) WITH (toast_tuple_target = 128);
ALTER TABLE conversation_state_part ALTER COLUMN state SET STORAGE EXTERNAL;

-- JSON is kept as text: it comes back as it was sent, and json would refuse deep nesting.
CREATE TABLE tool_call (
    org_id              text    COLLATE "C" NOT NULL,
    conversation_id     text    COLLATE "C" NOT NULL,
    tool_call_id        text    COLLATE "C" NOT NULL,
    has_started         boolean NOT NULL,
    has_finished        boolean NOT NULL,
    started_tool_name   text    COLLATE "C",
    finished_tool_name  text    COLLATE "C",
    args                text    COLLATE "C",
    result              text    COLLATE "C",
    error               text    COLLATE "C",
    message_id          text    COLLATE "C",
    started_at          timestamptz,
    finished_at         timestamptz,
    finished_event_time timestamptz,
    -- The name that is shown, for its index; a longer one cannot be asked for. Not an expression of the index: under row-level security only
    -- leakproof functions may use one.
    listed_tool_name    text    COLLATE "C" GENERATED ALWAYS AS (
        CASE WHEN octet_length(coalesce(started_tool_name, finished_tool_name)) <= 1024
             THEN coalesce(started_tool_name, finished_tool_name) END) STORED,
    PRIMARY KEY (org_id, conversation_id, tool_call_id)
);

CREATE TABLE feedback (
    org_id          text        COLLATE "C" NOT NULL,
    conversation_id text        COLLATE "C" NOT NULL,
    feedback_id     text        COLLATE "C" NOT NULL,
    withdrawn       boolean     NOT NULL,
    helpful         boolean,
    comment         text        COLLATE "C",
    message_id      text        COLLATE "C",
    user_id         text        COLLATE "C",
    created_at      timestamptz,
    PRIMARY KEY (org_id, conversation_id, feedback_id)
);

-- lz4 compresses many times faster than PostgreSQL's own method; a server built without it keeps its own.
DO $$ BEGIN
    ALTER TABLE conversation_summary ALTER COLUMN first_message_text SET COMPRESSION lz4;
    ALTER TABLE tool_call
        ALTER COLUMN args SET COMPRESSION lz4,
        ALTER COLUMN result SET COMPRESSION lz4,
        ALTER COLUMN error SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;

-- event_time (µs), event_id and content are the order key: the greatest wins. A deleted profile
-- stays as a tombstone, so that a late older one does not come back.
CREATE TABLE user_profile (
    org_id          text    COLLATE "C" NOT NULL,
    user_id         text    COLLATE "C" NOT NULL,
    event_time      bigint  NOT NULL,
    event_id        text    COLLATE "C" NOT NULL,
    content         bigint  NOT NULL,
    deleted         boolean NOT NULL,
    email           text    COLLATE "C",
    first_name      text    COLLATE "C",
    last_name       text    COLLATE "C",
    public_metadata text    COLLATE "C",
    PRIMARY KEY (org_id, user_id)
);

-- What a metadata filter can ask about a user, hashed. An ordinary index, not GIN: under row-level
-- security only leakproof operators may use one.
CREATE TABLE user_metadata_token (
    org_id  text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    token   uuid NOT NULL,
    PRIMARY KEY (org_id, user_id, token)
);

CREATE TABLE agent_profile (
    org_id     text   COLLATE "C" NOT NULL,
    agent_id   bigint NOT NULL,
    event_time bigint NOT NULL,
    event_id   text   COLLATE "C" NOT NULL,
    content    bigint NOT NULL,
    name       text   COLLATE "C",
    model      text   COLLATE "C",
    logo_url   text   COLLATE "C",
    PRIMARY KEY (org_id, agent_id)
);

-- The second lock: the query service's role sees one organization, the one its transaction named.
ALTER TABLE conversation_summary ENABLE ROW LEVEL SECURITY;
ALTER TABLE conversation_state_part ENABLE ROW LEVEL SECURITY;
ALTER TABLE tool_call ENABLE ROW LEVEL SECURITY;
ALTER TABLE feedback ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_profile ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_metadata_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_profile ENABLE ROW LEVEL SECURITY;

CREATE POLICY organization ON conversation_summary FOR SELECT TO recap_query
    USING (org_id = current_setting('recap.org_id', true));
CREATE POLICY organization ON tool_call FOR SELECT TO recap_query
    USING (org_id = current_setting('recap.org_id', true));
CREATE POLICY organization ON feedback FOR SELECT TO recap_query
    USING (org_id = current_setting('recap.org_id', true));
CREATE POLICY organization ON user_profile FOR SELECT TO recap_query
    USING (org_id = current_setting('recap.org_id', true));
CREATE POLICY organization ON user_metadata_token FOR SELECT TO recap_query
    USING (org_id = current_setting('recap.org_id', true));
CREATE POLICY organization ON agent_profile FOR SELECT TO recap_query
    USING (org_id = current_setting('recap.org_id', true));

-- conversation_state_part is the projector's own: no policy and no grant, so nobody else sees a row.
GRANT SELECT ON conversation_summary, tool_call, feedback, user_profile, user_metadata_token, agent_profile
    TO recap_query;
