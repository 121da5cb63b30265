-- The roles of recap where each program has its own, as managed services have them: run once by whoever may create roles and databases,
--
--     psql -v owner_password=… -v projector_password=… -v query_password=… -f roles.sql
--
-- then DATABASE_URL is, of `recap migrate`, `recap rebuild` and `recap archive` that of recap_owner; of the projector that of recap_projector_login; of
-- the query service that of recap_query_login. None of them is a superuser or may create roles.

-- What a projector may do, and what the query service may do. Neither logs in, but for recap_query on a Citus cluster: LOGIN there. `recap migrate` gives them their rights.
CREATE ROLE recap_projector NOLOGIN;
CREATE ROLE recap_query NOLOGIN;

CREATE ROLE recap_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE recap_projector_login LOGIN PASSWORD :'projector_password' IN ROLE recap_projector;
CREATE ROLE recap_query_login LOGIN PASSWORD :'query_password' IN ROLE recap_query;

-- Other encodings cannot hold every text.
CREATE DATABASE recap OWNER recap_owner ENCODING 'UTF8' TEMPLATE template0;
