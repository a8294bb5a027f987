"""The installation of a package in the emulator: rights, secrets, network and tasks."""

from __future__ import annotations

import threading

import package
import pytest
from emulating import STAGE, T, procedure, refused
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab


@pytest.fixture
def installed(hollow_package):
    """The real `put.sql`, `install.sql` and `task.sql`, run as they are."""
    with Lab(databases=()) as made:
        made.install(hollow_package, task=True)
        yield made


@pytest.fixture(scope="module")
def shared(hollow_package):
    """The same for tests that change nothing of it, or replace only a procedure of their own."""
    with Lab(databases=()) as made:
        made.install(hollow_package, task=True)
        yield made


def test_the_installation_runs_unchanged_and_again(installed, hollow_package):
    jobs = [f"{name}.json" for name in (*package.READY_MADE, "policy")]
    handler = [file.name for file in (package.PROCEDURES / "handler").glob("snowcat_*.py")]
    assert installed.files("@SNOWCAT.CODE.FILES") == sorted(
        [
            "container_job.yaml",
            "engine.txt",
            *jobs,
            "snowcat.aarch64.default.cwasm",
            "snowcat.aarch64.limited.cwasm",
            "snowcat.pulley64.cwasm",
            "snowcat.wasm",
            "snowcat.x86_64.default.cwasm",
            "snowcat.x86_64.limited.cwasm",
            *handler,
        ]
    )
    installed.sql("ALTER SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN SET SECRET_STRING = 'mine'")
    installed.install(hollow_package, task=True)
    assert installed.secrets["JIRA_SUBDOMAIN"].properties["SECRET_STRING"] == "mine"
    things = installed.account.objects.things
    assert things["PROCEDURE", ("SNOWCAT", "CODE", "P_LOAD_JIRA")].owner == "SNOWCAT_OWNER"
    assert things["TASK", ("SNOWCAT", "CODE", "T_LOAD_JIRA")].properties["STATE"] == "started"


def test_copy_grants_keeps_grants_on_a_procedure(installed, hollow_package):
    create = (
        "CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P() {} RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        "PACKAGES = ('snowflake-snowpark-python') HANDLER = 'f' AS $$\ndef f(session):\n    return 'x'\n$$"
    )
    installed.sql(create.format(""))
    installed.sql("GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P() TO ROLE SNOWCAT_CALLER")
    installed.sql(create.format("COPY GRANTS"))
    assert installed.call("CALL SNOWCAT.CODE.P()", role="SNOWCAT_CALLER") == "x"
    installed.sql(create.format(""))
    session = installed.connect("SNOWCAT_CALLER")
    assert "does not exist or not authorized" in refused(session, "CALL SNOWCAT.CODE.P()")
    session.close()
    # Repeated installation keeps the rights of callers.
    installed.sql("CREATE ROLE LOADER")
    for grant in ("DATABASE SNOWCAT", "SCHEMA SNOWCAT.CODE", "PROCEDURE SNOWCAT.CODE.P_LOAD(VARIANT)"):
        installed.sql(f"GRANT USAGE ON {grant} TO ROLE LOADER")
    installed.install(hollow_package)
    session = installed.connect("LOADER")
    # The call fails, because the package's component is empty.
    assert "Python Interpreter Error" in refused(session, "CALL SNOWCAT.CODE.P_LOAD('{}')")
    session.close()


@pytest.mark.parametrize(
    ("role", "sql", "error"),
    [
        ("SNOWCAT_CALLER", "CREATE SCHEMA RAW.X", "Database 'RAW' does not exist or not authorized"),
        ("SNOWCAT_CALLER", "LIST @SNOWCAT.CODE.FILES", "Stage 'SNOWCAT.CODE.FILES' does not exist or not authorized"),
        (
            "SNOWCAT_CALLER",
            "CREATE TABLE SNOWCAT.CODE.X (A VARCHAR)",
            "Insufficient privileges to operate on schema 'CODE'",
        ),
        ("SNOWCAT_CALLER", "EXECUTE TASK SNOWCAT.CODE.T_LOAD_JIRA", "does not exist or not authorized"),
        ("SNOWCAT_OWNER", "CREATE DATABASE X", "Insufficient privileges to operate on account"),
        (
            "SNOWCAT_OWNER",
            "CREATE TABLE SNOWCAT.CODE.X (A VARCHAR)",
            "Insufficient privileges to operate on schema 'CODE'",
        ),
        (
            "SNOWCAT_OWNER",
            "CREATE TABLE RAW.PUBLIC.X (A VARCHAR)",
            "Schema 'RAW.PUBLIC' does not exist or not authorized",
        ),
        ("SNOWCAT_OWNER", "DROP STAGE SNOWCAT.CODE.FILES", "Insufficient privileges to operate on stage 'FILES'"),
        ("SNOWCAT_OWNER", "ALTER SECRET SNOWCAT.CODE.JIRA_CREDS SET PASSWORD = 'x'", "Insufficient privileges"),
    ],
)
def test_roles_have_only_the_necessary_rights(shared, role, sql, error):
    session = shared.connect(role)
    assert error in refused(session, sql)
    session.close()


def test_owner_may_create_schemas(installed):
    session = installed.connect("SNOWCAT_OWNER")
    for statement in ('CREATE SCHEMA "RAW"."J"', f'CREATE TABLE {T} ("A" VARCHAR)', f"CREATE STAGE {STAGE}"):
        session.sql(statement).collect()
    assert "does not exist" in refused(installed.connect("SNOWCAT_CALLER"), f"SELECT * FROM {T}")
    session.close()


SECRETS = "import _snowflake\n"
NETWORK = "EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA) SECRETS = ('creds' = SNOWCAT.CODE.JIRA_CREDS)"


@pytest.mark.parametrize(
    ("body", "extra", "outcome"),
    [
        ("return _snowflake.get_username_password('creds').username", NETWORK, "you@example.com"),
        ("return _snowflake.get_generic_secret_string('creds')", NETWORK, "Secret creds is not of type GENERIC_STRING"),
        ("return _snowflake.get_username_password('other')", NETWORK, "Secret other does not exist or not authorized"),
        ("return _snowflake.get_username_password('creds')", "", "Secret creds does not exist or not authorized"),
        (
            "import concurrent.futures as f\nwith f.ThreadPoolExecutor() as p: "
            "return p.submit(_snowflake.get_username_password, 'creds').result()",
            NETWORK,
            "only be accessed from the main thread",
        ),
        (
            "import socket\nsocket.create_connection(('example.com', 443))",
            NETWORK,
            "[Errno 16] Device or resource busy",
        ),
        (
            "import socket\nsocket.create_connection(('your-site.atlassian.net', 80))",
            NETWORK,
            "[Errno 16] Device or resou",
        ),
        ("import socket\nsocket.socket().connect(('127.0.0.1', 1))", NETWORK, "[Errno 16] Device or resource busy"),
        (
            "import socket\nsocket.create_connection(('your-site.atlassian.net', 443))",
            "",
            "[Errno 16] Device or resource ",
        ),
        (
            "import socket\nsocket.create_connection(('your-site.atlassian.net', 443))",
            NETWORK,
            "no fake for your-site",
        ),
    ],
)
def test_secrets_and_network(shared, body, extra, outcome):
    shared.sql("USE DATABASE RAW")
    procedure(shared, SECRETS + body, extra=extra)
    if "@" in outcome:
        assert shared.call("CALL RAW.PUBLIC.P()") == outcome
    else:
        assert outcome in refused(shared.session, "CALL RAW.PUBLIC.P()")


def test_a_secret_must_be_allowed_by_the_integration(installed):
    installed.sql("CREATE SECRET SNOWCAT.CODE.OTHER TYPE = GENERIC_STRING SECRET_STRING = 'x'")
    with pytest.raises(SnowparkSQLException, match="ALLOWED_AUTHENTICATION_SECRETS"):
        procedure(installed, "return 1", extra=NETWORK.replace("JIRA_CREDS", "OTHER"))


def test_an_oauth_secret_gives_access_tokens(installed):
    installed.sql("USE DATABASE RAW")
    installed.sql(
        "CREATE SECRET SNOWCAT.CODE.OAUTH TYPE = OAUTH2 API_AUTHENTICATION = SOME_INTEGRATION OAUTH_REFRESH_TOKEN = 'r'"
    )
    installed.sql(
        "ALTER EXTERNAL ACCESS INTEGRATION SNOWCAT_JIRA SET ALLOWED_AUTHENTICATION_SECRETS = (SNOWCAT.CODE.OAUTH)"
    )
    extra = NETWORK.replace("JIRA_CREDS", "OAUTH")
    procedure(installed, SECRETS + "return _snowflake.get_oauth_access_token('creds')", extra=extra)
    assert installed.call("CALL RAW.PUBLIC.P()") == "access-for-r"
    procedure(installed, SECRETS + "return _snowflake.get_generic_secret_string('creds')", extra=extra)
    assert "is not of type GENERIC_STRING" in refused(installed.session, "CALL RAW.PUBLIC.P()")


def test_a_mapped_host_is_reached_through_tls(installed):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    installed.hosts.map("your-site.atlassian.net:443", f"127.0.0.1:{server.server_port}")
    body = "import urllib.request\nreturn urllib.request.urlopen('https://your-site.atlassian.net/').read().decode()"
    installed.sql("USE DATABASE RAW")
    procedure(installed, body, extra=NETWORK)
    assert installed.call("CALL RAW.PUBLIC.P()") == "hello"
    installed.sql("ALTER NETWORK RULE SNOWCAT.CODE.JIRA_HOST SET VALUE_LIST = ('other.atlassian.net')")
    assert "Device or resource busy" in refused(installed.session, "CALL RAW.PUBLIC.P()")
    server.shutdown()


def test_a_task_runs_as_its_owner(lab):
    lab.script(
        "CREATE WAREHOUSE W; CREATE ROLE O; GRANT USAGE ON DATABASE RAW TO ROLE O; GRANT USAGE ON WAREHOUSE W TO ROLE O;"
        "GRANT USAGE, CREATE TASK ON SCHEMA RAW.PUBLIC TO ROLE O"
    )
    procedure(lab, "return session.sql('SELECT CURRENT_ROLE()').collect()[0][0]")
    session = lab.connect("O")
    session.sql(
        "CREATE TASK RAW.PUBLIC.K WAREHOUSE = W SCHEDULE = 'USING CRON 0 2 * * * UTC' AS CALL RAW.PUBLIC.P()"
    ).collect()
    assert "Insufficient privileges" in refused(session, "ALTER TASK RAW.PUBLIC.K RESUME")
    lab.sql("GRANT EXECUTE TASK ON ACCOUNT TO ROLE O")
    assert "does not exist or not authorized" in refused(session, "EXECUTE TASK RAW.PUBLIC.K")  # no USAGE on P
    lab.sql("GRANT USAGE ON PROCEDURE RAW.PUBLIC.P() TO ROLE O")
    session.sql("EXECUTE TASK RAW.PUBLIC.K").collect()
    assert lab.trace[-1].sql == "SELECT CURRENT_ROLE()" and lab.trace[-1].procedure == "P"
