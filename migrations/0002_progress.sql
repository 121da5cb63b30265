-- Oldest release that can live with it: 0.1.0 (which writes no offsets: what it reads is read once more by the release after it)

-- What the projection holds of the log, and what its writers were told is committed. A failover to an asynchronous standby, or a
-- restore, takes these rows back together with the conversations: so a projector sees it, and reads again what is gone.

-- Everything of the topic with this id before next_offset is in the live generation. Written after the rows it covers.
CREATE TABLE recap.projected_offset (
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    -- NULL where the brokers have no topic ids (before Kafka 2.8).
    topic_id    uuid,
    next_offset bigint  NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- One row a flush at a time of each projector: the attempt that was committed last.
CREATE TABLE recap.writer (
    id      uuid        PRIMARY KEY,
    attempt bigint      NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- A database that was filled before there were offsets beside the rows takes over what the consumer group has committed, once a partition.
ALTER TABLE recap.live ADD COLUMN adopts_group_offsets boolean NOT NULL DEFAULT false;
UPDATE recap.live SET adopts_group_offsets = true;

-- The change feed of the query service reads which flushes were committed.
GRANT SELECT ON recap.writer, recap.projected_offset TO recap_query;
