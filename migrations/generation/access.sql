-- Who may do what with a generation's tables: run for a new generation, and for every one by each `recap migrate`, since a restore without roles
-- leaves policies and grants behind. What is there already is left alone.
DO $$
DECLARE
    t text;
    has_projector boolean := EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'recap_projector');
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO recap_query', current_schema());
    IF has_projector THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO recap_projector', current_schema());
    END IF;
    FOREACH t IN ARRAY ARRAY['conversation_summary', 'conversation_state_part', 'tool_call', 'feedback',
                             'user_profile', 'user_metadata_token', 'agent_profile'] LOOP
        IF NOT (SELECT relrowsecurity FROM pg_catalog.pg_class WHERE oid = t::regclass) THEN
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        END IF;
        -- conversation_state_part is the writers' own: nobody else sees a row.
        IF t <> 'conversation_state_part' THEN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_policies WHERE schemaname = current_schema()
                           AND tablename = t AND policyname = 'organization' AND 'recap_query' = ANY (roles)) THEN
                EXECUTE format('DROP POLICY IF EXISTS organization ON %I', t);
                EXECUTE format('CREATE POLICY organization ON %I FOR SELECT TO recap_query '
                               'USING (org_id = current_setting(''recap.org_id'', true))', t);
            END IF;
            EXECUTE format('GRANT SELECT ON %I TO recap_query', t);
        END IF;
        -- A projector that is not the owner: row-level security would refuse each of its rows.
        IF has_projector THEN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_policies WHERE schemaname = current_schema()
                           AND tablename = t AND policyname = 'writer' AND 'recap_projector' = ANY (roles)) THEN
                EXECUTE format('DROP POLICY IF EXISTS writer ON %I', t);
                EXECUTE format('CREATE POLICY writer ON %I TO recap_projector USING (true) WITH CHECK (true)', t);
            END IF;
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO recap_projector', t);
        END IF;
    END LOOP;
END
$$;
