-- Jobs in a container of Snowflake: run from top to bottom in a worksheet, as ACCOUNTADMIN, after install.sql.
-- It uses the secrets, the integration and the roles of install.sql. Running this again replaces nothing.
--
--   SNOWCAT.CODE.IMAGES   the image repository
--   SNOWCAT_POOL          the compute pool

USE ROLE ACCOUNTADMIN;

CREATE IMAGE REPOSITORY IF NOT EXISTS SNOWCAT.CODE.IMAGES;

-- A load uses one node, and the smallest is enough. A node is billed by the second while it is active, idle or stopping.
CREATE COMPUTE POOL IF NOT EXISTS SNOWCAT_POOL
  MIN_NODES = 1
  MAX_NODES = 1
  INSTANCE_FAMILY = CPU_X64_XS
  AUTO_RESUME = TRUE
  INITIALLY_SUSPENDED = TRUE
  AUTO_SUSPEND_SECS = 60
  COMMENT = 'Snowcat: job services';

-- Where the containers may go: JIRA_HOST, by the integration of install.sql. Snowflake itself needs no rule: a
-- container reaches the host in SNOWFLAKE_HOST without an integration. If an upload to a stage does not reach its
-- host, allow it: the query returns it, and the rule belongs into the integration.
--   SELECT VALUE:host || ':' || VALUE:port FROM TABLE(FLATTEN(PARSE_JSON(SYSTEM$ALLOWLIST()))) WHERE VALUE:type = 'STAGE';
--   CREATE NETWORK RULE SNOWCAT.CODE.STAGE_HOST TYPE = HOST_PORT MODE = EGRESS VALUE_LIST = ('..:443');
--   ALTER EXTERNAL ACCESS INTEGRATION SNOWCAT_JIRA
--     SET ALLOWED_NETWORK_RULES = (SNOWCAT.CODE.JIRA_HOST, SNOWCAT.CODE.STAGE_HOST);

-- A container logs in as the owner of its job service, which cannot be ACCOUNTADMIN. SNOWCAT_OWNER has the other
-- privileges by install.sql: the integration, the secrets, the code stage, the warehouse, the database.
GRANT READ ON IMAGE REPOSITORY SNOWCAT.CODE.IMAGES TO ROLE SNOWCAT_OWNER;
GRANT USAGE ON COMPUTE POOL SNOWCAT_POOL TO ROLE SNOWCAT_OWNER;
GRANT MONITOR ON COMPUTE POOL SNOWCAT_POOL TO ROLE SNOWCAT_OWNER;
GRANT CREATE SERVICE ON SCHEMA SNOWCAT.CODE TO ROLE SNOWCAT_OWNER;

-- The repository's address, for `skopeo copy`:
--   SHOW IMAGE REPOSITORIES LIKE 'IMAGES' IN SCHEMA SNOWCAT.CODE;
