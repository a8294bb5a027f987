"""The doctor: on the emulated account every check that can be performed holds, and each difference of an account
appears in its check.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import snowcat_doctor_host as host
import snowcat_procedure as loads
from conformance.direct import install

from emulator import Lab
from emulator.text import split_script

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Compiled in milliseconds from the package: each CALL would compile the interpreter again.
ARGUMENTS = "'RAW', 'JIRA', WAIT_SECONDS => 0, ENGINE => 'default'"
# Checks that only a caller or an account can perform: P_DOCTOR alone skips them.
SITE = "your-site.atlassian.net"
NOW = "2026-11-28T07:08:09.123456+00:00"
NEVER = {
    "parameters.not_visible",
    "sessions.lock_waits",
    "sessions.merge_waits",
    "engine.default",
    "engine.limited",
    "engine.pulley64",
    "memory.rwx",
    "memory.rx",
    "memory.file",
    "call.argument",
    "call.null",
    "call.error",
    "call.result",
    "call.task",
}
# Parts that the emulator does not implement.
UNKNOWN = {"session.region"}


class Site(BaseHTTPRequestHandler):
    """Returns 404 for everything, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response_only(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def installed(lab: Lab, package: pathlib.Path) -> None:
    install(lab, package)
    session = lab.connect()
    for statement in split_script((package / "doctor.sql").read_text()):
        session.sql(statement).collect()
    session.close()


def examine(lab: Lab, arguments: str = ARGUMENTS, procedure: str = "P_DOCTOR", session=None) -> dict[str, dict]:
    """The checks of a CALL by name; in this session, or as the owner."""
    caller = session or lab.connect("SNOWCAT_OWNER")
    caller.sql("USE WAREHOUSE SNOWCAT_WH").collect()
    rows = json.loads(caller.sql(f"CALL SNOWCAT.CODE.{procedure}({arguments})").collect()[0][0])
    if session is None:
        caller.close()
    assert all(sorted(row) == ["ASSUMED", "NAME", "REMEDY", "RESULT", "SEEN"] for row in rows)
    assert len({row["NAME"] for row in rows}) == len(rows)
    return {row["NAME"]: row for row in rows}


def schemas(lab: Lab) -> list[str]:
    return sorted(lab.account.engine.catalog.databases["RAW"])


def with_result(rows: dict[str, dict], result: str) -> set[str]:
    return {name for name, row in rows.items() if row["RESULT"] == result}


@pytest.fixture(scope="module")
def default(built_package):
    """An account with our own dataset, and the doctor's checks of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Lab() as lab:
        installed(lab, built_package)
        lab.hosts.map(f"{SITE}:443", f"127.0.0.1:{server.server_port}")
        lab.script(
            "USE ROLE SNOWCAT_OWNER; CREATE SCHEMA RAW.JIRA; CREATE TABLE RAW.JIRA.ISSUES (ID VARCHAR); "
            "INSERT INTO RAW.JIRA.ISSUES SELECT 'kept'; USE ROLE ACCOUNTADMIN"
        )
        yield lab, examine(lab, f"{ARGUMENTS}, HOSTS => '{SITE}, nowhere.example'")
    server.shutdown()
    server.server_close()


def test_all_checks_hold_on_the_emulator(default):
    _, rows = default
    assert {name: rows[name]["SEEN"] for name in with_result(rows, "does not hold") - {"network.nowhere.example"}} == {}
    assert with_result(rows, "not tried") - NEVER <= UNKNOWN, {
        n: rows[n] for n in with_result(rows, "not tried") - NEVER
    }
    assert NEVER <= with_result(rows, "not tried")
    assert all(row["REMEDY"] for name, row in rows.items() if name in NEVER)


def test_account_is_unchanged(default):
    lab, _ = default
    assert schemas(lab) == ["JIRA", "PUBLIC"]
    assert [tuple(row) for row in lab.sql("SELECT ID FROM RAW.JIRA.ISSUES")] == [("kept",)]
    assert [name for (name,) in lab.sql("SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES")] == ["ISSUES"]
    assert lab.sql("SELECT STAGE_NAME FROM RAW.INFORMATION_SCHEMA.STAGES") == []
    changed = [
        e.sql for e in lab.trace if e.procedure == "P_DOCTOR" and not e.sql.startswith(("SELECT", "SHOW", "LIST"))
    ]
    outside = [
        sql for sql in changed if "JIRA_SNOWCAT_DOCTOR" not in sql and " " in sql and not sql.startswith("BEGIN")
    ]
    assert outside == []


def test_secrets_are_reported_by_type_and_length_only(default):
    lab, rows = default
    properties = lab.secrets["JIRA_CREDS"].properties
    seen = rows["secrets.jira_creds"]["SEEN"]
    assert f"password of {len(properties['PASSWORD'])} characters" in seen
    for secret in (properties["PASSWORD"], properties["USERNAME"]):
        assert secret not in repr(rows)


def test_reachable_and_unreachable_hosts(default):
    _, rows = default
    assert rows[f"network.{SITE}"]["RESULT"] == "holds" and "8 GET: 404" in rows[f"network.{SITE}"]["SEEN"]
    for name in ("network.nowhere.example", "network.other_host"):
        assert "Device or resource busy" in rows[name]["SEEN"]


def test_time_is_measured_by_kind(default):
    _, rows = default
    seen = rows["time.statements"]["SEEN"]
    assert "COPY " in seen and "CREATE TABLE " in seen and "upload of 12 MiB 1," in seen


def test_every_check_of_the_host_is_reported_in_the_documentation():
    text = (ROOT / "procedures/docs/src/doctor.md").read_text("utf-8")
    for name, (assumed, remedy) in host.RULES.items():
        assert f"| `{name}` | {assumed} |" in text, name
        assert remedy in text, name


# --- rights --------------------------------------------------------------------------


@pytest.fixture
def plain(built_package):
    with Lab() as lab:
        installed(lab, built_package)
        yield lab


def test_sql_checks_need_the_right_to_create_schemas(plain):
    plain.sql("REVOKE CREATE SCHEMA ON DATABASE RAW FROM ROLE SNOWCAT_OWNER")
    rows = examine(plain)
    assert with_result(rows, "does not hold") == {"rights.create_schema"}
    assert "GRANT USAGE, CREATE SCHEMA ON DATABASE" in rows["rights.create_schema"]["REMEDY"]
    assert "there is no scratch schema" in rows["copy.values"]["SEEN"]


def test_schemas_of_others_are_not_dropped(plain):
    plain.sql("CREATE SCHEMA RAW.JIRA_SNOWCAT_DOCTOR")
    plain.sql("GRANT USAGE ON SCHEMA RAW.JIRA_SNOWCAT_DOCTOR TO ROLE SNOWCAT_OWNER")
    rows = examine(plain)
    assert rows["rights.create_schema"]["RESULT"] == "not tried"
    assert "JIRA_SNOWCAT_DOCTOR" in schemas(plain)


def test_schemas_of_a_killed_examination_are_dropped_by_the_next(plain, built_package):
    with pytest.raises(Exception, match="killed after operation 60"):
        plain.call(f"CALL SNOWCAT.CODE.P_DOCTOR({ARGUMENTS})", role="SNOWCAT_OWNER", kill_after=60)
    assert "JIRA_SNOWCAT_DOCTOR" in schemas(plain)
    assert failing(ask(built_package, plain.connect(role="SNOWCAT_OWNER"), "lock")) == set()
    assert schemas(plain) == ["PUBLIC"]


# --- accounts that differ -------------------------------------------------------------


class Direct(loads.Snowflake):
    """The session of a test: without a procedure, and without long waits."""

    def __init__(self, session) -> None:
        super().__init__(session, loads.Http({}))

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.25))


def ask(package: pathlib.Path, session, *subjects: str, **options) -> dict[str, dict]:
    """The component's checks of these subjects by name."""
    guest = loads.Guest(str(package))
    options = {"database": "RAW", "dataset": "JIRA", **options} | ({"subjects": subjects} if subjects else {})
    found, _ = loads.run(guest, json.dumps(options), NOW, Direct(session), start=guest.start_doctor)
    return {check["name"]: check for check in found["checks"]}


# Without a procedure REMOVE is allowed, `get_stream` is a GET, which the emulator lacks, and no warehouse is needed.
OF_PROCEDURES = {"stage.remove", "stage.read", "session.warehouse"}


def failing(rows: dict[str, dict]) -> set[str]:
    return {name for name, check in rows.items() if check["verdict"] == "fails"} - OF_PROCEDURES


PARAMETERS = ("session", "parameters", "types")


@pytest.mark.parametrize(
    ("parameters", "subjects", "fails", "remedy"),
    [
        ({"ROWS_PER_RESULTSET": 1000}, PARAMETERS, {"parameters.rows_per_resultset"}, "ROWS_PER_RESULTSET = 0"),
        ({"AUTOCOMMIT": False}, PARAMETERS, {"parameters.autocommit"}, "AUTOCOMMIT = TRUE"),
        ({"ERROR_ON_NONDETERMINISTIC_MERGE": False}, PARAMETERS, {"parameters.nondeterministic_merge"}, "MERGE = TRUE"),
        ({"TIMEZONE": "Asia/Kolkata"}, PARAMETERS, set(), ""),
    ],
)
def test_parameters_of_the_caller(built_package, parameters, subjects, fails, remedy):
    with Lab() as lab:
        rows = ask(built_package, lab.connect(parameters=parameters), *subjects)
        assert failing(rows) == fails
        assert all(remedy in rows[name]["remedy"] for name in fails)
        assert schemas(lab) == ["PUBLIC"]


@pytest.mark.parametrize(
    ("modes", "subjects", "fails", "remedy"),
    [
        (
            {"quoted_identifiers_ignore_case": True},
            ("parameters", "stage", "copy"),
            {"parameters.quoted_identifiers"},
            "QUOTED_IDENTIFIERS_IGNORE_CASE = FALSE",
        ),
        ({"unquoted_stage_paths": "plain"}, ("stage", "copy", "load"), {"copy.bare_stage"}, "None"),
        ({"text_limit": 1 << 20}, ("copy", "ddl", "load"), {"copy.json_17_mib"}, "16 MiB"),
        ({"tri_secret_secure": True}, (), {"stage.encryption_sse"}, "SNOWFLAKE_FULL"),
        (
            {"information_schema": "refuses"},
            ("rights", "catalogue", "types", "load"),
            {"catalogue.dataset"},
            "SHOW COLUMNS",
        ),
        ({"information_schema": "lags"}, ("catalogue", "load"), {"catalogue.at_once"}, "one load"),
    ],
)
def test_accounts_that_differ(built_package, modes, subjects, fails, remedy):
    with Lab(**modes) as lab:
        rows = ask(built_package, lab.session, *subjects, wait_seconds=0)
        assert failing(rows) == fails, {name: rows[name]["seen"] for name in failing(rows)}
        assert all(remedy in rows[name]["remedy"] for name in fails)
        assert schemas(lab) == ["PUBLIC"]


def test_a_transaction_of_the_caller(plain):
    plain.sql("BEGIN")
    try:
        rows = examine(plain, session=plain.session)
    finally:
        plain.sql("ROLLBACK")
    assert with_result(rows, "does not hold") == {"session.no_open_transaction"}
    assert "COMMIT or ROLLBACK" in rows["session.no_open_transaction"]["REMEDY"]


def test_objects_of_other_owners_are_named(plain, built_package):
    plain.script(
        "CREATE SCHEMA RAW.JIRA; CREATE TABLE RAW.JIRA.ISSUES (AT TIMESTAMP_TZ); CREATE VIEW RAW.JIRA.V AS SELECT 1 AS A; "
        "GRANT USAGE ON SCHEMA RAW.JIRA TO ROLE SNOWCAT_OWNER; GRANT SELECT ON TABLE RAW.JIRA.ISSUES TO ROLE SNOWCAT_OWNER; "
        "GRANT SELECT ON VIEW RAW.JIRA.V TO ROLE SNOWCAT_OWNER"
    )
    rows = ask(built_package, plain.connect(role="SNOWCAT_OWNER"), "rights", "types")
    assert rows["rights.tables"]["verdict"] == rows["rights.views"]["verdict"] == "fails"
    assert "JIRA.ISSUES (ACCOUNTADMIN)" in rows["rights.tables"]["seen"] and "JIRA.V" in rows["rights.views"]["seen"]
    assert rows["rights.schemas"]["verdict"] != "holds"
    assert "ISSUES.AT" in rows["types.existing_offsets"]["seen"]


# --- two sessions -----------------------------------------------------------------------


def two_sessions(package: pathlib.Path, parameters: dict | None = None, **modes) -> dict[str, dict]:
    """The checks of both sessions; the second has these parameters."""
    with Lab(**modes) as lab:
        found: list[dict] = []
        second = lab.connect(parameters=parameters or {})
        thread = threading.Thread(target=lambda: found.append(ask(package, second, role="second")))
        thread.start()
        first = ask(package, lab.session, "sessions")
        thread.join(60)
        assert schemas(lab) == ["PUBLIC"]
        rows = first | found[0]
        return {
            name.removeprefix("sessions."): check["verdict"]
            for name, check in rows.items()
            if name.startswith("sessions.")
        }


KIND = {
    "lock_waits": "holds",
    "merge_waits": "holds",
    "check_sees_commit": "holds",
    "insert_sees_commit": "holds",
    "merge_sees_commit": "holds",
    "read_sees_commit": "holds",
    "lock_timeout": "untried",
}
MERGE_IS_NO_LOCK = {"merge_waits": "fails", "merge_sees_commit": "fails"}


@pytest.mark.parametrize(
    ("modes", "differs"),
    [
        ({}, {}),
        # The load's own protocol holds in each; the previous one does not.
        ({"snapshot": "before_wait"}, {"merge_sees_commit": "fails"}),
        ({"merge_without_match_locks": False}, MERGE_IS_NO_LOCK),
        ({"lock_unit": "rows"}, MERGE_IS_NO_LOCK),
        ({"snapshot": "before_wait", "lock_unit": "rows", "merge_without_match_locks": False}, MERGE_IS_NO_LOCK),
        ({"most_waiters": 0}, {"lock_timeout": "holds"}),
        ({"parameters": {"LOCK_TIMEOUT": 0.3}}, {"lock_timeout": "holds"}),
    ],
)
def test_two_sessions(built_package, modes, differs):
    assert two_sessions(built_package, **modes) == KIND | differs


def test_lagging_read_is_reported(built_package):
    found = two_sessions(built_package, read_consistency="session")
    assert {**found, "read_sees_commit": ""} == {**KIND, "read_sees_commit": ""}


def test_two_calls(built_package):
    """The same with the procedures, the second first."""
    with Lab(longest_nap=0.25) as lab:
        installed(lab, built_package)
        found: list[dict] = []
        call = "'RAW', 'JIRA', ENGINE => 'default'"
        thread = threading.Thread(target=lambda: found.append(examine(lab, call, "P_DOCTOR_SECOND")))
        thread.start()
        first = examine(lab, call)
        thread.join(60)
        assert first["sessions.lock_waits"]["RESULT"] == found[0]["sessions.check_sees_commit"]["RESULT"] == "holds"
        assert schemas(lab) == ["PUBLIC"]


# --- probes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "name", "seen"),
    [
        ("'engine default'", "engine.default.component", "its first step is sql"),
        ("'engine default'", "engine.default.precompiled", "by bytes in"),
        ("'engine default'", "engine.default.trap", "unreachable"),
        ("'engine pulley64'", "engine.pulley64.growth", "64 MiB"),
        ("'memory rwx'", "memory.rwx", "mapped"),
        ("'memory rx'", "memory.rx", "made executable"),
        ("'memory file'", "memory.file", "bytes"),
        ("""'argument', PARSE_JSON('{"b": 1.5, "a": [null]}')""", "call.argument", "b: float 1.5"),
        ("'argument', NULL", "call.null", "NoneType"),
        ("'result', TO_VARIANT(20)", "call.result", "x" * 20),
    ],
)
def test_probes(default, arguments, name, seen):
    lab, _ = default
    rows = examine(lab, arguments, "P_DOCTOR_PROBE")
    assert rows[name]["RESULT"] == "holds" and seen in rows[name]["SEEN"], rows


def test_failing_and_unknown_probes(default):
    lab, _ = default
    with pytest.raises(Exception, match=r"begin x* end"):
        examine(lab, "'error', TO_VARIANT(200)", "P_DOCTOR_PROBE")
    (row,) = examine(lab, "'engine other'", "P_DOCTOR_PROBE").values()
    assert row["RESULT"] == "not tried" and "memory rwx" in row["REMEDY"]


BROKEN = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
sys._xoptions["snowflake_import_directory"] = sys.argv[1]
import json, snowcat_doctor
print(json.dumps(snowcat_doctor.doctor(None, "RAW", "JIRA", None, "", 0, "default")))
"""


def test_missing_runtime_is_reported(tmp_path):
    """As with the wheel of another platform: the package is there, and cannot be imported."""
    (tmp_path / "wasmtime").mkdir()
    (tmp_path / "wasmtime/__init__.py").write_text("raise OSError('no _libwasmtime.so')")
    done = subprocess.run(
        [sys.executable, "-c", BROKEN, str(tmp_path), str(ROOT / "procedures/handler")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    rows = {row["NAME"]: row for row in json.loads(done.stdout)} if done.stdout else done.stderr
    assert rows["runtime.wasmtime"]["RESULT"] == "does not hold"
    assert rows["runtime.component"]["RESULT"] == "not tried"
    assert (
        "no _libwasmtime.so" in rows["runtime.wasmtime"]["SEEN"]
        and "no _libwasmtime.so" in rows["runtime.component"]["SEEN"]
    )
