-- A backfill in slices, in eight containers at once. Run after container_install.sql, as ACCOUNTADMIN, when the image
-- is pushed and your job is on the code stage as backfill.json; its resource has "slices". The tasks run as
-- SNOWCAT_OWNER.
--
--   T_BACKFILL          stores the slices
--   T_BACKFILL_LOAD     loads them: replica 0 takes the slices 0, 8, 16 and so on
--   T_BACKFILL_FINISH   moves the cursor. It runs whatever the loads did, and fails while slices are open
--
-- A slice that failed stays open: run T_BACKFILL again, and only the open slices are loaded. The tasks have no
-- schedule. Replace the integration, the secrets and the number of replicas (two or more), and with it the nodes of the
-- pool.

USE ROLE ACCOUNTADMIN;
GRANT EXECUTE TASK ON ACCOUNT TO ROLE SNOWCAT_OWNER;
GRANT EXECUTE MANAGED TASK ON ACCOUNT TO ROLE SNOWCAT_OWNER;
ALTER COMPUTE POOL SNOWCAT_POOL SET MAX_NODES = 8;

USE ROLE SNOWCAT_OWNER;
CREATE OR REPLACE TASK SNOWCAT.CODE.T_BACKFILL
  ALLOW_OVERLAPPING_EXECUTION = FALSE
  USER_TASK_TIMEOUT_MS = 3600000
  COMMENT = 'Stores the slices of the backfill'
AS
  EXECUTE JOB SERVICE
    IN COMPUTE POOL SNOWCAT_POOL
    QUERY_WAREHOUSE = SNOWCAT_WH
    EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
    FROM SPECIFICATION $$
{{plan}}$$;

-- The replicas find their numbers in SNOWFLAKE_JOB_INDEX and SNOWFLAKE_JOBS_COUNT.
CREATE OR REPLACE TASK SNOWCAT.CODE.T_BACKFILL_LOAD
  USER_TASK_TIMEOUT_MS = 86400000
  COMMENT = 'Loads the slices of the backfill'
  AFTER SNOWCAT.CODE.T_BACKFILL
AS
  EXECUTE JOB SERVICE
    IN COMPUTE POOL SNOWCAT_POOL
    REPLICAS = 8
    QUERY_WAREHOUSE = SNOWCAT_WH
    EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
    FROM SPECIFICATION $$
{{load}}$$;

CREATE OR REPLACE TASK SNOWCAT.CODE.T_BACKFILL_FINISH
  USER_TASK_TIMEOUT_MS = 3600000
  COMMENT = 'Ends the backfill'
  FINALIZE = SNOWCAT.CODE.T_BACKFILL
AS
  EXECUTE JOB SERVICE
    IN COMPUTE POOL SNOWCAT_POOL
    QUERY_WAREHOUSE = SNOWCAT_WH
    EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
    FROM SPECIFICATION $$
{{finish}}$$;

-- The root task stays suspended, and runs when it is asked to.
ALTER TASK SNOWCAT.CODE.T_BACKFILL_FINISH RESUME;
ALTER TASK SNOWCAT.CODE.T_BACKFILL_LOAD RESUME;

-- To begin, and to repeat: EXECUTE TASK SNOWCAT.CODE.T_BACKFILL;
-- What is open:            SELECT * FROM <database>.<dataset>._SNOWCAT_SLICES WHERE LOAD_ID IS NULL;
