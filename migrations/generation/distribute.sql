-- On a Citus cluster the tables of a generation are distributed by organization, all of them alike and like those of the other generations: what an
-- organization has is on one node, and generations are joined there. Elsewhere nothing is done, nor with what is distributed already.
DO $$
DECLARE
    t text;
    beside text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus') THEN
        RETURN;
    END IF;
    SELECT coalesce(min(format('%I.%I', n.nspname, c.relname)), 'none') INTO beside
        FROM pg_catalog.pg_dist_partition p
        JOIN pg_catalog.pg_class c ON c.oid = p.logicalrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE p.partmethod = 'h' AND n.nspname ~ '^recap_g[0-9]+$';
    FOREACH t IN ARRAY ARRAY['conversation_summary', 'conversation_state_part', 'tool_call', 'feedback',
                             'user_profile', 'user_metadata_token', 'agent_profile'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_catalog.pg_dist_partition WHERE logicalrelid = t::regclass);
        -- It is for projectors of layout 1, which cannot write to a cluster; nor can triggers be distributed.
        EXECUTE format('DROP TRIGGER IF EXISTS unlist ON %I', t);
        PERFORM pg_catalog.create_distributed_table(t::regclass, 'org_id', colocate_with => beside);
        IF beside = 'none' THEN
            beside := format('%I.%I', current_schema(), t);
        END IF;
    END LOOP;
END
$$;
