-- Oldest release that can live with it: 0.1.0 (whose checkpoints name no topic ids: a rollback from them cannot tell that a topic was created anew)

-- The id of the topic whose offset it is; NULL where the brokers have none, and in checkpoints of earlier releases.
ALTER TABLE recap.generation_offset ADD COLUMN topic_id uuid;
-- How many offsets behind next_offset the live generation has read of topics of that name that are deleted by now.
ALTER TABLE recap.generation_offset ADD COLUMN gone bigint NOT NULL DEFAULT 0;
