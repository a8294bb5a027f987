-- Snowcat in Snowflake: run from top to bottom in a worksheet, as ACCOUNTADMIN.
-- A trial account has no external access, and fails at CREATE EXTERNAL ACCESS INTEGRATION.
--
-- Before it, run `put.sql` of the package (it makes the code stage and puts the files there), or
-- make the stage below and upload the package's files to it. Running this again replaces the
-- procedures and nothing else: existing secrets, network rules and grants stay as they are.
--
--   SNOWCAT.CODE       the code stage, the secrets, the procedures, the task
--   RAW                where P_LOAD_JIRA writes if no other database is given
--   SNOWCAT_OWNER      owns the procedures, and the schemas they make in RAW
--   SNOWCAT_AUTHOR     may run jobs of its own, within policy.json, and approve them for others
--   SNOWCAT_CALLER     may run approved and ready-made jobs, and nothing else
-- What each may do, and what policy.json says: roles.md.

USE ROLE ACCOUNTADMIN;

CREATE DATABASE IF NOT EXISTS SNOWCAT COMMENT = 'Snowcat: code and secrets';
CREATE SCHEMA IF NOT EXISTS SNOWCAT.CODE;
CREATE STAGE IF NOT EXISTS SNOWCAT.CODE.FILES ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE');
CREATE DATABASE IF NOT EXISTS RAW;
-- The procedure uses one node of a warehouse, so the smallest is enough. A new warehouse is of generation 2,
-- which costs more by the hour, and has query acceleration, which costs extra: neither makes a load faster.
CREATE WAREHOUSE IF NOT EXISTS SNOWCAT_WH
  WAREHOUSE_SIZE = 'XSMALL'
  GENERATION = '1'
  ENABLE_QUERY_ACCELERATION = FALSE
  STATEMENT_TIMEOUT_IN_SECONDS = 14400
  AUTO_SUSPEND = 60
  AUTO_RESUME = TRUE
  INITIALLY_SUSPENDED = TRUE;

-- Where the procedures may go, and as whom. Put your own site and token in:
--   ALTER SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN SET SECRET_STRING = 'your-site';
--   ALTER SECRET SNOWCAT.CODE.JIRA_CREDS SET USERNAME = 'you@example.com' PASSWORD = '...';
--   ALTER NETWORK RULE SNOWCAT.CODE.JIRA_HOST SET VALUE_LIST = ('your-site.atlassian.net:443');
-- A colon is not allowed in the user name or password of a secret.
-- IF NOT EXISTS, and not CREATE OR ALTER: this script must not put the placeholder over your own host.

CREATE SECRET IF NOT EXISTS SNOWCAT.CODE.JIRA_SUBDOMAIN
  TYPE = GENERIC_STRING
  SECRET_STRING = 'your-site';

CREATE SECRET IF NOT EXISTS SNOWCAT.CODE.JIRA_CREDS
  TYPE = PASSWORD
  USERNAME = 'you@example.com'
  PASSWORD = 'your-api-token';

CREATE NETWORK RULE IF NOT EXISTS SNOWCAT.CODE.JIRA_HOST
  TYPE = HOST_PORT
  MODE = EGRESS
  VALUE_LIST = ('your-site.atlassian.net:443');

CREATE EXTERNAL ACCESS INTEGRATION IF NOT EXISTS SNOWCAT_JIRA
  ALLOWED_NETWORK_RULES = (SNOWCAT.CODE.JIRA_HOST)
  ALLOWED_AUTHENTICATION_SECRETS = (SNOWCAT.CODE.JIRA_SUBDOMAIN, SNOWCAT.CODE.JIRA_CREDS)
  ENABLED = TRUE;

-- The owner: what the procedures need, and no more. It owns the schemas that it makes in RAW: one for the
-- dataset, and one for staging whose name ends in _STAGING.
--
-- If dlt, or another role, has made these schemas, SNOWCAT_OWNER needs privileges on both. The simplest is to
-- give them to it, with their tables (only the owner of a table may add a column):
--   GRANT OWNERSHIP ON SCHEMA RAW.JIRA TO ROLE SNOWCAT_OWNER COPY CURRENT GRANTS;
--   GRANT OWNERSHIP ON SCHEMA RAW.JIRA_STAGING TO ROLE SNOWCAT_OWNER COPY CURRENT GRANTS;
--   GRANT OWNERSHIP ON ALL TABLES IN SCHEMA RAW.JIRA TO ROLE SNOWCAT_OWNER COPY CURRENT GRANTS;
--   GRANT OWNERSHIP ON ALL TABLES IN SCHEMA RAW.JIRA_STAGING TO ROLE SNOWCAT_OWNER COPY CURRENT GRANTS;
-- If the schemas keep their owner, these in the place of the first two:
--   GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA RAW.JIRA TO ROLE SNOWCAT_OWNER;
--   GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA RAW.JIRA_STAGING TO ROLE SNOWCAT_OWNER;
-- A future grant of ownership gives each new table to another role, and the next load fails. There must be none:
--   SHOW FUTURE GRANTS IN SCHEMA RAW.JIRA;    SHOW FUTURE GRANTS IN DATABASE RAW;
--   REVOKE OWNERSHIP ON FUTURE TABLES IN SCHEMA RAW.JIRA FROM ROLE ..;
-- Who shall read what is loaded, for example a role ANALYST:
--   GRANT USAGE ON DATABASE RAW TO ROLE ANALYST;
--   GRANT USAGE ON FUTURE SCHEMAS IN DATABASE RAW TO ROLE ANALYST;
--   GRANT SELECT ON FUTURE TABLES IN DATABASE RAW TO ROLE ANALYST;

CREATE ROLE IF NOT EXISTS SNOWCAT_OWNER;
GRANT ROLE SNOWCAT_OWNER TO ROLE SYSADMIN;
GRANT DATABASE ROLE SNOWFLAKE.PYPI_REPOSITORY_USER TO ROLE SNOWCAT_OWNER;
GRANT USAGE ON DATABASE SNOWCAT TO ROLE SNOWCAT_OWNER;
GRANT USAGE, CREATE PROCEDURE, CREATE TASK ON SCHEMA SNOWCAT.CODE TO ROLE SNOWCAT_OWNER;
GRANT READ ON STAGE SNOWCAT.CODE.FILES TO ROLE SNOWCAT_OWNER;
GRANT READ ON SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN TO ROLE SNOWCAT_OWNER;
GRANT READ ON SECRET SNOWCAT.CODE.JIRA_CREDS TO ROLE SNOWCAT_OWNER;
GRANT USAGE ON INTEGRATION SNOWCAT_JIRA TO ROLE SNOWCAT_OWNER;
GRANT USAGE ON WAREHOUSE SNOWCAT_WH TO ROLE SNOWCAT_OWNER;
GRANT USAGE, CREATE SCHEMA ON DATABASE RAW TO ROLE SNOWCAT_OWNER;

CREATE ROLE IF NOT EXISTS SNOWCAT_CALLER;
GRANT ROLE SNOWCAT_CALLER TO ROLE SYSADMIN;
GRANT USAGE ON DATABASE SNOWCAT TO ROLE SNOWCAT_CALLER;
GRANT USAGE ON SCHEMA SNOWCAT.CODE TO ROLE SNOWCAT_CALLER;
GRANT USAGE ON WAREHOUSE SNOWCAT_WH TO ROLE SNOWCAT_CALLER;

-- The jobs that P_RUN runs by name. Who writes to this table approves jobs for all who may call P_RUN.
CREATE TABLE IF NOT EXISTS SNOWCAT.CODE.JOBS (NAME VARCHAR NOT NULL PRIMARY KEY, JOB VARCHAR NOT NULL);
GRANT SELECT ON TABLE SNOWCAT.CODE.JOBS TO ROLE SNOWCAT_OWNER;

CREATE ROLE IF NOT EXISTS SNOWCAT_AUTHOR;
GRANT ROLE SNOWCAT_AUTHOR TO ROLE SYSADMIN;
GRANT ROLE SNOWCAT_CALLER TO ROLE SNOWCAT_AUTHOR;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE SNOWCAT.CODE.JOBS TO ROLE SNOWCAT_AUTHOR;

-- The procedures, owned by the owner role: whoever calls them gets its rights in them, not its role.
-- Whoever has USAGE on a procedure may be able to read the files that it imports: none holds a secret.
-- COPY GRANTS keeps the grants on a procedure that is replaced.

USE ROLE SNOWCAT_OWNER;
USE WAREHOUSE SNOWCAT_WH;

-- Any job, as far as policy.json and Jira's integration reach. For another source, make one more of these with
-- that source's integration and secrets. The job is given as text, P_LOAD($${..}$$): a VARCHAR becomes a VARIANT
-- that keeps the text as it is. As an object, P_LOAD(PARSE_JSON('{..}')), it loses the order of its keys, and its
-- decimals may become texts.
-- The packages are of the releases that the tests ran with. If pyarrow cannot be resolved, because the repository is
-- asked for an older platform than it is built for, 'pyarrow==20.0.0' is the last release for that.
CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_LOAD(JOB VARIANT)
  COPY GRANTS
  RETURNS VARIANT
  LANGUAGE PYTHON
{{runtime pyarrow policy.json}}
  HANDLER = 'snowcat_procedure.load'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
  SECRETS = ('jira_creds' = SNOWCAT.CODE.JIRA_CREDS)
  COMMENT = 'Runs a Snowcat job'
  EXECUTE AS OWNER;

-- A job of the table SNOWCAT.CODE.JOBS, by its name. The integration and the secrets are those of P_LOAD.
CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_RUN(NAME VARCHAR)
  COPY GRANTS
  RETURNS VARIANT
  LANGUAGE PYTHON
{{runtime pyarrow policy.json}}
  HANDLER = 'snowcat_procedure.run_approved'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
  SECRETS = ('jira_creds' = SNOWCAT.CODE.JIRA_CREDS)
  COMMENT = 'Runs an approved job: CALL SNOWCAT.CODE.P_RUN(''orders'')'
  EXECUTE AS OWNER;

CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_LOAD_JIRA(
    TARGET_DATABASE VARCHAR DEFAULT 'RAW',
    ENDPOINTS VARCHAR DEFAULT NULL,
    FORCE_FULL_LOAD BOOLEAN DEFAULT FALSE
  )
  COPY GRANTS
  RETURNS VARIANT
  LANGUAGE PYTHON
{{runtime policy.json jira.json}}
  HANDLER = 'snowcat_procedure.load_jira'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
  SECRETS = (
    'jira_subdomain' = SNOWCAT.CODE.JIRA_SUBDOMAIN,
    'jira_creds' = SNOWCAT.CODE.JIRA_CREDS
  )
  COMMENT = 'Loads Jira: CALL SNOWCAT.CODE.P_LOAD_JIRA(''RAW'', ''["issues"]'', FALSE)'
  EXECUTE AS OWNER;

-- Installations of before had this grant.
REVOKE USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD(VARIANT) FROM ROLE SNOWCAT_CALLER;
GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD(VARIANT) TO ROLE SNOWCAT_AUTHOR;
GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_RUN(VARCHAR) TO ROLE SNOWCAT_CALLER;
GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD_JIRA(VARCHAR, VARCHAR, BOOLEAN) TO ROLE SNOWCAT_CALLER;
