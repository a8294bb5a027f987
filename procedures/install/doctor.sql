-- The doctor: examines the account, the sandbox of procedures and what loads assume of both. Run it in a
-- worksheet as ACCOUNTADMIN, after install.sql. What each check means is in doctor.md.
--
--   CALL SNOWCAT.CODE.P_DOCTOR('RAW', 'JIRA');
--
-- It makes the schemas RAW.JIRA_SNOWCAT_DOCTOR and RAW.JIRA_SNOWCAT_DOCTOR_STAGING, drops them at the end, and
-- changes nothing else. The array that it returns, as rows:
--
--   SELECT F.VALUE:"NAME"::VARCHAR AS "NAME", F.VALUE:"RESULT"::VARCHAR AS "RESULT",
--     F.VALUE:"ASSUMED"::VARCHAR AS "ASSUMED", F.VALUE:"SEEN"::VARCHAR AS "SEEN", F.VALUE:"REMEDY"::VARCHAR AS "REMEDY"
--   FROM TABLE(RESULT_SCAN(LAST_QUERY_ID())) AS R, LATERAL FLATTEN(R.$1) AS F ORDER BY F.INDEX;

USE ROLE SNOWCAT_OWNER;
USE WAREHOUSE SNOWCAT_WH;

-- HOSTS and ALIASES are names separated by commas: hosts that the network rule names, and names of SECRETS below.
-- ENGINE is an interpreter: it cannot end the process where executable memory is forbidden.
CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_DOCTOR(
    TARGET_DATABASE VARCHAR,
    DATASET VARCHAR,
    HOSTS VARCHAR DEFAULT NULL,
    ALIASES VARCHAR DEFAULT 'jira_subdomain, jira_creds',
    WAIT_SECONDS NUMBER DEFAULT 60,
    ENGINE VARCHAR DEFAULT 'pulley64'
  )
  RETURNS VARIANT
  LANGUAGE PYTHON
{{runtime pyarrow snowcat_doctor.py snowcat_doctor_host.py}}
  HANDLER = 'snowcat_doctor.doctor'
  EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA)
  SECRETS = (
    'jira_subdomain' = SNOWCAT.CODE.JIRA_SUBDOMAIN,
    'jira_creds' = SNOWCAT.CODE.JIRA_CREDS
  )
  COMMENT = 'Examines the account: CALL SNOWCAT.CODE.P_DOCTOR(''RAW'', ''JIRA'')'
  EXECUTE AS OWNER;

-- The other session of the checks that need two: CALL it in another worksheet while P_DOCTOR runs.
CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_DOCTOR_SECOND(
    TARGET_DATABASE VARCHAR,
    DATASET VARCHAR,
    WAIT_SECONDS NUMBER DEFAULT 60,
    ENGINE VARCHAR DEFAULT 'pulley64'
  )
  RETURNS VARIANT
  LANGUAGE PYTHON
{{runtime pyarrow snowcat_doctor.py snowcat_doctor_host.py}}
  HANDLER = 'snowcat_doctor.second'
  COMMENT = 'The second session of P_DOCTOR'
  EXECUTE AS OWNER;

-- One check that may end its process or its CALL: P_DOCTOR names the probes.
CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P_DOCTOR_PROBE(
    PROBE VARCHAR,
    ARGUMENT VARIANT DEFAULT NULL
  )
  RETURNS VARIANT
  LANGUAGE PYTHON
{{runtime pyarrow snowcat_doctor.py snowcat_doctor_host.py}}
  HANDLER = 'snowcat_doctor.probe'
  COMMENT = 'One check of the doctor: CALL SNOWCAT.CODE.P_DOCTOR_PROBE(''engine default'')'
  EXECUTE AS OWNER;

-- They make and drop schemas, and reach hosts, as their caller says: for the owner and those who have its role.
-- Earlier releases had these grants.
REVOKE USAGE ON PROCEDURE SNOWCAT.CODE.P_DOCTOR(VARCHAR, VARCHAR, VARCHAR, VARCHAR, NUMBER, VARCHAR) FROM ROLE SNOWCAT_CALLER;
REVOKE USAGE ON PROCEDURE SNOWCAT.CODE.P_DOCTOR_SECOND(VARCHAR, VARCHAR, NUMBER, VARCHAR) FROM ROLE SNOWCAT_CALLER;
REVOKE USAGE ON PROCEDURE SNOWCAT.CODE.P_DOCTOR_PROBE(VARCHAR, VARIANT) FROM ROLE SNOWCAT_CALLER;
