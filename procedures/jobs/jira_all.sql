-- Jira with everything there is a job for: run it in a worksheet as ACCOUNTADMIN, after install.sql,
-- whose secrets and network rule it uses. It writes the same tables as P_LOAD_JIRA and more.

USE ROLE SNOWCAT_OWNER;
USE WAREHOUSE SNOWCAT_WH;

CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_LOAD_JIRA_ALL(
    TARGET_DATABASE VARCHAR DEFAULT 'RAW',
    ENDPOINTS VARCHAR DEFAULT NULL,
    FORCE_FULL_LOAD BOOLEAN DEFAULT FALSE
  )
  COPY GRANTS
  RETURNS VARIANT
  LANGUAGE PYTHON
  RUNTIME_VERSION = '3.11'
  ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository
  PACKAGES = ('snowflake-snowpark-python==1.56.0', 'wasmtime==48.0.0')
  IMPORTS = (
    '@SNOWCAT.CODE.FILES/snowcat_procedure.py',
    '@SNOWCAT.CODE.FILES/snowcat_credentials.py',
    '@SNOWCAT.CODE.FILES/snowcat_driver.py',
    '@SNOWCAT.CODE.FILES/snowcat_echo.py',
    '@SNOWCAT.CODE.FILES/snowcat_engine.py',
    '@SNOWCAT.CODE.FILES/snowcat_fault.py',
    '@SNOWCAT.CODE.FILES/snowcat_http.py',
    '@SNOWCAT.CODE.FILES/snowcat_input.py',
    '@SNOWCAT.CODE.FILES/snowcat_job.py',
    '@SNOWCAT.CODE.FILES/snowcat_limits.py',
    '@SNOWCAT.CODE.FILES/snowcat_release.py',
    '@SNOWCAT.CODE.FILES/snowcat_runtime.py',
    '@SNOWCAT.CODE.FILES/snowcat_session.py',
    '@SNOWCAT.CODE.FILES/snowcat_text.py',
    '@SNOWCAT.CODE.FILES/snowcat_wire.py',
    '@SNOWCAT.CODE.FILES/snowcat.wasm',
    '@SNOWCAT.CODE.FILES/snowcat.x86_64.default.cwasm',
    '@SNOWCAT.CODE.FILES/snowcat.x86_64.limited.cwasm',
    '@SNOWCAT.CODE.FILES/snowcat.aarch64.default.cwasm',
    '@SNOWCAT.CODE.FILES/snowcat.aarch64.limited.cwasm',
    '@SNOWCAT.CODE.FILES/snowcat.pulley64.cwasm',
    '@SNOWCAT.CODE.FILES/engine.txt',
    '@SNOWCAT.CODE.FILES/policy.json',
    '@SNOWCAT.CODE.FILES/jira_all.json'
  )
  HANDLER = 'snowcat_procedure.load_jira_all'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
  SECRETS = (
    'jira_subdomain' = SNOWCAT.CODE.JIRA_SUBDOMAIN,
    'jira_creds' = SNOWCAT.CODE.JIRA_CREDS
  )
  COMMENT = 'Loads Jira with changelogs, comments, work logs, users, boards and sprints'
  EXECUTE AS OWNER;

GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD_JIRA_ALL(VARCHAR, VARCHAR, BOOLEAN) TO ROLE SNOWCAT_CALLER;
