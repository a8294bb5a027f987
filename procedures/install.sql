-- Snowcat in Snowflake: run from top to bottom in a worksheet, as ACCOUNTADMIN.
--
-- Before it, run `put.sql` of the package (it makes the code stage and puts the files there), or
-- make the stage below and upload the package's files to it. Running this again changes nothing
-- but the procedures: secrets, rules and grants that are there stay as they are.
--
--   SNOWCAT.CODE       the code stage, the secrets, the procedures, the task
--   RAW                where P_LOAD_JIRA writes unless it is told otherwise
--   SNOWCAT_OWNER      owns the procedures, and the schemas they make in RAW
--   SNOWCAT_CALLER     may call the procedures, and nothing else

USE ROLE ACCOUNTADMIN;

CREATE DATABASE IF NOT EXISTS SNOWCAT COMMENT = 'Snowcat: code and secrets';
CREATE SCHEMA IF NOT EXISTS SNOWCAT.CODE;
CREATE STAGE IF NOT EXISTS SNOWCAT.CODE.FILES ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE');
CREATE DATABASE IF NOT EXISTS RAW;
CREATE WAREHOUSE IF NOT EXISTS SNOWCAT_WH
  WAREHOUSE_SIZE = 'XSMALL'
  AUTO_SUSPEND = 60
  AUTO_RESUME = TRUE
  INITIALLY_SUSPENDED = TRUE;

-- Where the procedures may go, and as whom. Put your own site and token in:
--   ALTER SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN SET SECRET_STRING = 'your-site';
--   ALTER SECRET SNOWCAT.CODE.JIRA_CREDS SET USERNAME = 'you@example.com' PASSWORD = '...';
--   ALTER NETWORK RULE SNOWCAT.CODE.JIRA_HOST SET VALUE_LIST = ('your-site.atlassian.net:443');
-- A colon is not allowed in the user name or password of a secret.

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

-- The owner: what the procedures need, and no more. It owns the schemas it makes in RAW. If a
-- schema of the dataset is there already, give it to this role, or grant it the same rights:
--   GRANT OWNERSHIP ON SCHEMA RAW.JIRA TO ROLE SNOWCAT_OWNER COPY CURRENT GRANTS;
--   GRANT OWNERSHIP ON ALL TABLES IN SCHEMA RAW.JIRA TO ROLE SNOWCAT_OWNER COPY CURRENT GRANTS;

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

-- The procedures, owned by the owner role: whoever calls them gets its rights in them, not its role.

USE ROLE SNOWCAT_OWNER;
USE WAREHOUSE SNOWCAT_WH;

-- Any job, as far as Jira's integration reaches. For another source, make one more of these with
-- that source's integration and secrets.
CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_LOAD(JOB VARIANT)
  RETURNS VARIANT
  LANGUAGE PYTHON
  RUNTIME_VERSION = '3.11'
  ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository
  PACKAGES = ('snowflake-snowpark-python', 'wasmtime==48.0.0', 'pyarrow')
  IMPORTS = (
    '@SNOWCAT.CODE.FILES/snowcat_procedure.py',
    '@SNOWCAT.CODE.FILES/snowcat_echo.py',
    '@SNOWCAT.CODE.FILES/snowcat_http.py',
    '@SNOWCAT.CODE.FILES/snowcat_input.py',
    '@SNOWCAT.CODE.FILES/snowcat_limits.py',
    '@SNOWCAT.CODE.FILES/snowcat_text.py',
    '@SNOWCAT.CODE.FILES/snowcat_wire.py',
    '@SNOWCAT.CODE.FILES/snowcat.wasm',
    '@SNOWCAT.CODE.FILES/snowcat.x86_64.cwasm'
  )
  HANDLER = 'snowcat_procedure.load'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
  SECRETS = ('jira_creds' = SNOWCAT.CODE.JIRA_CREDS)
  COMMENT = 'Runs a Snowcat job'
  EXECUTE AS OWNER;

CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_LOAD_JIRA(
    TARGET_DATABASE VARCHAR DEFAULT 'RAW',
    ENDPOINTS VARCHAR DEFAULT NULL,
    FORCE_FULL_LOAD BOOLEAN DEFAULT FALSE
  )
  RETURNS VARIANT
  LANGUAGE PYTHON
  RUNTIME_VERSION = '3.11'
  ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository
  PACKAGES = ('snowflake-snowpark-python', 'wasmtime==48.0.0')
  IMPORTS = (
    '@SNOWCAT.CODE.FILES/snowcat_procedure.py',
    '@SNOWCAT.CODE.FILES/snowcat_echo.py',
    '@SNOWCAT.CODE.FILES/snowcat_http.py',
    '@SNOWCAT.CODE.FILES/snowcat_input.py',
    '@SNOWCAT.CODE.FILES/snowcat_limits.py',
    '@SNOWCAT.CODE.FILES/snowcat_text.py',
    '@SNOWCAT.CODE.FILES/snowcat_wire.py',
    '@SNOWCAT.CODE.FILES/snowcat.wasm',
    '@SNOWCAT.CODE.FILES/snowcat.x86_64.cwasm',
    '@SNOWCAT.CODE.FILES/jira.json'
  )
  HANDLER = 'snowcat_procedure.load_jira'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
  SECRETS = (
    'jira_subdomain' = SNOWCAT.CODE.JIRA_SUBDOMAIN,
    'jira_creds' = SNOWCAT.CODE.JIRA_CREDS
  )
  COMMENT = 'Loads Jira: CALL SNOWCAT.CODE.P_LOAD_JIRA(''RAW'', ''["issues"]'', FALSE)'
  EXECUTE AS OWNER;

GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD(VARIANT) TO ROLE SNOWCAT_CALLER;
GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD_JIRA(VARCHAR, VARCHAR, BOOLEAN) TO ROLE SNOWCAT_CALLER;
