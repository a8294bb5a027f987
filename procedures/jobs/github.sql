-- GitHub: one repository: run it in a worksheet as ACCOUNTADMIN, after install.sql. What it loads, and into
-- which tables, is told in the README of the jobs.
--
-- Put your own in:
--   ALTER SECRET SNOWCAT.CODE.GITHUB_TOKEN SET SECRET_STRING = 'github_pat_...';

USE ROLE ACCOUNTADMIN;

CREATE SECRET IF NOT EXISTS SNOWCAT.CODE.GITHUB_TOKEN
  TYPE = GENERIC_STRING
  SECRET_STRING = 'your-token';

CREATE NETWORK RULE IF NOT EXISTS SNOWCAT.CODE.GITHUB_HOSTS
  TYPE = HOST_PORT
  MODE = EGRESS
  VALUE_LIST = ('api.github.com:443');

CREATE EXTERNAL ACCESS INTEGRATION IF NOT EXISTS SNOWCAT_GITHUB
  ALLOWED_NETWORK_RULES = (SNOWCAT.CODE.GITHUB_HOSTS)
  ALLOWED_AUTHENTICATION_SECRETS = (SNOWCAT.CODE.GITHUB_TOKEN)
  ENABLED = TRUE;

GRANT READ ON SECRET SNOWCAT.CODE.GITHUB_TOKEN TO ROLE SNOWCAT_OWNER;
GRANT USAGE ON INTEGRATION SNOWCAT_GITHUB TO ROLE SNOWCAT_OWNER;

USE ROLE SNOWCAT_OWNER;
USE WAREHOUSE SNOWCAT_WH;

CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_LOAD_GITHUB(
    SETTINGS VARIANT,
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
    '@SNOWCAT.CODE.FILES/github.json'
  )
  HANDLER = 'snowcat_procedure.load_github'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_GITHUB)
  SECRETS = ('github_token' = SNOWCAT.CODE.GITHUB_TOKEN)
  COMMENT = 'Loads a repository of GitHub'
  EXECUTE AS OWNER;

GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD_GITHUB(VARIANT, VARCHAR, VARCHAR, BOOLEAN) TO ROLE SNOWCAT_CALLER;

-- CALL SNOWCAT.CODE.P_LOAD_GITHUB('{"owner": "octo-org", "repository": "octo-repo"}');
