-- The control schema: which generations of the projection exist and which one is live.
-- Everything a generation holds is in migrations/generation/.

CREATE TABLE recap.generation (
    id         integer     PRIMARY KEY,
    -- building: a rebuild fills it; live: served and written; kept: what was live before, for a rollback.
    status     text        NOT NULL CHECK (status IN ('building', 'live', 'kept')),
    -- The version of migrations/generation/ it was made from.
    layout     integer     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    live_since timestamptz
);

-- At most one generation is live and at most one is being built: two rebuilds at once are refused.
CREATE UNIQUE INDEX generation_live ON recap.generation (status) WHERE status = 'live';
CREATE UNIQUE INDEX generation_building ON recap.generation (status) WHERE status = 'building';

CREATE SEQUENCE recap.generation_id AS integer;

-- One row: the live generation, read by every flush and every request.
CREATE TABLE recap.live (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    generation integer NOT NULL REFERENCES recap.generation (id)
);

-- The offsets before which a generation is complete: of one being built, its checkpoint; of the live one,
-- from a switch until the rebuild has read past it; of a kept one, where a rollback starts.
CREATE TABLE recap.generation_offset (
    generation  integer NOT NULL REFERENCES recap.generation (id) ON DELETE CASCADE,
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL,
    PRIMARY KEY (generation, topic, partition)
);

-- The query service's role: reads and nothing else, under row-level security. The service's login
-- must be a member (GRANT recap_query TO <login>). Roles belong to the cluster, so another database
-- may have created it already, or be creating it at this moment.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'recap_query') THEN
        CREATE ROLE recap_query NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

GRANT USAGE ON SCHEMA recap TO recap_query;
GRANT SELECT ON recap.generation, recap.live, recap.migration TO recap_query;
