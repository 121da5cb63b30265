-- Oldest release that can live with it: 0.1.0 (which rebuilds in one process and leaves the table empty)

-- The shares of a generation that several processes fill at once: share n of `of` is every partition whose number leaves the remainder n. A share
-- without a holder, or whose holder has not been heard of for a while, is there to be taken. What is in here only says who reads what: how far a
-- generation is complete is in recap.generation_offset.
CREATE TABLE recap.rebuild_share (
    generation      integer  NOT NULL REFERENCES recap.generation (id) ON DELETE CASCADE,
    share           integer  NOT NULL,
    of              integer  NOT NULL,
    -- Whether an archive has still to be replayed, before the log.
    archive_pending boolean  NOT NULL,
    -- Made anew each time that the share is taken.
    holder          uuid,
    heard_of_at     timestamptz,
    filled          boolean  NOT NULL DEFAULT false,
    -- Read and folded so far, by all holders together.
    records         bigint   NOT NULL DEFAULT 0,
    events          bigint   NOT NULL DEFAULT 0,
    PRIMARY KEY (generation, share)
);
