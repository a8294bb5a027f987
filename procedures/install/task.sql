-- Jira every night. Run after install.sql, as ACCOUNTADMIN; it runs as SNOWCAT_OWNER.
-- A run that fails has changed no rows, and is tried once more. It is FAILED in TASK_HISTORY, whose ERROR_MESSAGE
-- says why; an ERROR_INTEGRATION tells somebody. After ten failures in a row Snowflake suspends the task
-- (SUSPEND_TASK_AFTER_NUM_FAILURES). A run that would overlap the one before it is skipped, which is how one
-- pipeline should run: once at a time.

USE ROLE ACCOUNTADMIN;
GRANT EXECUTE TASK ON ACCOUNT TO ROLE SNOWCAT_OWNER;

USE ROLE SNOWCAT_OWNER;
-- At an odd minute, when not everybody's tasks begin. Give each pipeline of one dataset a minute of its own: they
-- share the table of states, and publish one after another.
-- The parameters are those of the task's session. A load waits for a lock for 15 minutes, not for 12 hours; it sees
-- all rows of the catalogue; and a MERGE that would have to choose between two rows fails.
CREATE OR REPLACE TASK SNOWCAT.CODE.T_LOAD_JIRA
  WAREHOUSE = SNOWCAT_WH
  SCHEDULE = 'USING CRON 17 2 * * * UTC'
  USER_TASK_TIMEOUT_MS = 14400000
  TASK_AUTO_RETRY_ATTEMPTS = 1
  LOCK_TIMEOUT = 900,
  TIMEZONE = 'UTC',
  QUERY_TAG = 'snowcat',
  ROWS_PER_RESULTSET = 0,
  AUTOCOMMIT = TRUE,
  ERROR_ON_NONDETERMINISTIC_MERGE = TRUE
  COMMENT = 'Loads Jira into RAW, what has changed since the last run'
AS
  CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW', NULL, FALSE);

ALTER TASK SNOWCAT.CODE.T_LOAD_JIRA RESUME;

-- To run it now:    EXECUTE TASK SNOWCAT.CODE.T_LOAD_JIRA;
-- To stop it:       ALTER TASK SNOWCAT.CODE.T_LOAD_JIRA SUSPEND;
