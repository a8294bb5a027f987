-- Microsoft Graph: run it in a worksheet as ACCOUNTADMIN, after install.sql. What it loads, and into
-- which tables, is told in the README of the jobs.
--
-- Put your own in:
--   ALTER SECRET SNOWCAT.CODE.GRAPH_CLIENT SET USERNAME = 'the client id' PASSWORD = 'the client secret';

USE ROLE ACCOUNTADMIN;

CREATE SECRET IF NOT EXISTS SNOWCAT.CODE.GRAPH_CLIENT
  TYPE = PASSWORD
  USERNAME = 'your-client-id'
  PASSWORD = 'your-client-secret';

CREATE NETWORK RULE IF NOT EXISTS SNOWCAT.CODE.GRAPH_HOSTS
  TYPE = HOST_PORT
  MODE = EGRESS
  VALUE_LIST = ('graph.microsoft.com:443', 'login.microsoftonline.com:443');

CREATE EXTERNAL ACCESS INTEGRATION IF NOT EXISTS SNOWCAT_GRAPH
  ALLOWED_NETWORK_RULES = (SNOWCAT.CODE.GRAPH_HOSTS)
  ALLOWED_AUTHENTICATION_SECRETS = (SNOWCAT.CODE.GRAPH_CLIENT)
  ENABLED = TRUE;

GRANT READ ON SECRET SNOWCAT.CODE.GRAPH_CLIENT TO ROLE SNOWCAT_OWNER;
GRANT USAGE ON INTEGRATION SNOWCAT_GRAPH TO ROLE SNOWCAT_OWNER;

USE ROLE SNOWCAT_OWNER;
USE WAREHOUSE SNOWCAT_WH;

CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_LOAD_GRAPH(
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
    '@SNOWCAT.CODE.FILES/graph.json'
  )
  HANDLER = 'snowcat_procedure.load_graph'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_GRAPH)
  SECRETS = ('graph_client' = SNOWCAT.CODE.GRAPH_CLIENT)
  COMMENT = 'Loads Microsoft Graph'
  EXECUTE AS OWNER;

GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P_LOAD_GRAPH(VARIANT, VARCHAR, VARCHAR, BOOLEAN) TO ROLE SNOWCAT_CALLER;

-- CALL SNOWCAT.CODE.P_LOAD_GRAPH('{"tenant": "contoso.onmicrosoft.com"}');
