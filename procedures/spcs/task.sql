-- Jira every night, in a container. Run after container_install.sql, as ACCOUNTADMIN, when the image is pushed; the
-- task runs as SNOWCAT_OWNER. It replaces the task of task.sql: do not run both.
--
-- The task has no warehouse: the statement waits for the container, and the load's statements run in QUERY_WAREHOUSE.
-- The job service is synchronous, otherwise the task would succeed before the load. It has no name: a name of
-- Snowflake's own is unique, and a fixed one would collide with the finished job of the run before.
-- The order of the clauses is fixed: the pool, the properties, the specification.

USE ROLE ACCOUNTADMIN;
GRANT EXECUTE TASK ON ACCOUNT TO ROLE SNOWCAT_OWNER;
GRANT EXECUTE MANAGED TASK ON ACCOUNT TO ROLE SNOWCAT_OWNER;

USE ROLE SNOWCAT_OWNER;
-- Replace your-site. A run that would overlap the one before it is skipped.
CREATE OR REPLACE TASK SNOWCAT.CODE.T_LOAD_JIRA_CONTAINER
  SCHEDULE = 'USING CRON 17 2 * * * UTC'
  ALLOW_OVERLAPPING_EXECUTION = FALSE
  USER_TASK_TIMEOUT_MS = 14400000
  TASK_AUTO_RETRY_ATTEMPTS = 1
  COMMENT = 'Loads Jira into RAW by a job service'
AS
  EXECUTE JOB SERVICE
    IN COMPUTE POOL SNOWCAT_POOL
    QUERY_WAREHOUSE = SNOWCAT_WH
    EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
    FROM SPECIFICATION $$
{{specification}}$$;

ALTER TASK SNOWCAT.CODE.T_LOAD_JIRA_CONTAINER RESUME;

-- To run it now:     EXECUTE TASK SNOWCAT.CODE.T_LOAD_JIRA_CONTAINER;
-- To stop it:        ALTER TASK SNOWCAT.CODE.T_LOAD_JIRA_CONTAINER SUSPEND;
-- The job services:  SHOW JOB SERVICES IN SCHEMA SNOWCAT.CODE;
-- The log of one:    SELECT SYSTEM$GET_SERVICE_LOGS('SNOWCAT.CODE.<name>', 0, 'load', 1000);
