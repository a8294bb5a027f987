"""`CALL P_LOAD_JIRA` by a role without other rights: the component, the handler and `install.sql` together."""

from __future__ import annotations

import json
import threading
import time

import pytest
from conformance.direct import install
from jira import TOKEN, USER, Jira
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab

CALL = "CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW', '[\"issues\"]')"
SITE = "your-site.atlassian.net:443"
DAY = "2024-01-{:02d}T00:00:00.000+0000"


@pytest.fixture
def site():
    with Jira() as jira:
        for number in range(1, 6):
            jira.put(
                number, DAY.format(number), summary=f"s{number}", labels=["a", "b"], customfield_10003={"n": number}
            )
        yield jira


@pytest.fixture
def lab(built_package, site):
    with Lab(databases=()) as made:
        install(made, built_package, task=True)
        made.hosts.map(SITE, site.address)
        yield made


def call(lab: Lab, statement: str = CALL, **more) -> dict:
    return lab.call(statement, role="SNOWCAT_CALLER", **more)


def tables(lab: Lab) -> dict[str, list[tuple]]:
    """Every row of the dataset, without columns that differ between runs."""
    found = {}
    for (name,) in lab.sql("SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'JIRA'"):
        if name.startswith("_DLT"):
            continue
        columns = lab.sql(
            "SELECT COLUMN_NAME FROM RAW.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'JIRA' "
            f"AND TABLE_NAME = '{name}' ORDER BY ORDINAL_POSITION"
        )
        kept = [c for (c,) in columns if not c.startswith("_DLT") or c == "_DLT_LIST_IDX"]
        rows = lab.sql(f"SELECT {', '.join(f'{chr(34)}{c}{chr(34)}' for c in kept)} FROM RAW.JIRA.{name}")
        found[name] = sorted((tuple(r) for r in rows), key=repr)
    return found


def test_first_and_second_load(lab, site):
    first = call(lab)
    assert (first["status"], first["endpoints_loaded"], first["rows"]["issues"]) == ("success", ["issues"], 5)
    assert (
        (first["engine"], first["component_by"]) == ("default", "file")
        and first["schema"] == "jira"
        and first["database"] == "RAW"
    )
    assert {j["status"] for j in first["load_info"]["jobs_detail"]} == {"completed"}
    assert all(j["elapsed_ms"] > 0 for j in first["load_info"]["jobs_detail"])
    site.put(2, DAY.format(9), summary="new", labels=["c"])
    asked = len(site.asked)
    second = call(lab)
    assert 'updated >= "2024-01-05 00:00"' in site.asked[asked][1]["jql"]
    assert second["rows"]["issues"] <= 2
    shown = lab.sql(
        'SELECT "KEY", "FIELDS__SUMMARY", "FIELDS__CUSTOMFIELD_10003":"n"::VARCHAR FROM RAW.JIRA.ISSUES ORDER BY 1'
    )
    assert [tuple(r) for r in shown] == [
        ("K-1", "s1", "1"),
        ("K-2", "new", None),
        ("K-3", "s3", "3"),
        ("K-4", "s4", "4"),
        ("K-5", "s5", "5"),
    ]
    assert len(tables(lab)["ISSUES__FIELDS__LABELS"]) == 9
    assert [tuple(r) for r in lab.sql("SELECT COUNT(*), MAX(STATUS) FROM RAW.JIRA._DLT_LOADS")] == [(2, 0)]


def test_full_load_starts_at_the_initial_value(lab, site):
    call(lab)
    asked = len(site.asked)
    assert call(lab, "CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW', '[\"issues\"]', TRUE)")["rows"]["issues"] == 5
    assert 'updated >= "1970-01-01 00:00"' in site.asked[asked][1]["jql"]


def test_all_endpoints_and_the_task(lab, site):
    lab.sql("EXECUTE TASK SNOWCAT.CODE.T_LOAD_JIRA")
    assert [tuple(r) for r in lab.sql('SELECT "KEY" FROM RAW.JIRA.PROJECTS')] == [("K",)]
    assert len(tables(lab)["ISSUES"]) == 5


def test_secret_is_stored_nowhere(lab, site):
    def everything() -> str:
        data = [
            lab.sql(f"SELECT * FROM RAW.JIRA.{t}")
            for (t,) in lab.sql("SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'JIRA'")
        ]
        statements = [e.sql for e in lab.trace if not e.sql.startswith(("CREATE SECRET", "ALTER SECRET"))]
        return repr([data, statements, [e.error for e in lab.trace]])

    result = call(lab)
    lab.sql("ALTER SECRET SNOWCAT.CODE.JIRA_CREDS SET PASSWORD = 'wrong-token'")
    with pytest.raises(SnowparkSQLException) as caught:
        call(lab)
    assert "401" in str(caught.value)
    reported = everything() + json.dumps(result) + str(caught.value)
    for secret in (TOKEN, "wrong-token", USER):
        assert secret not in reported


@pytest.mark.parametrize("subdomain", ["your-site", "Acme"])
def test_rejected_placeholder_credential_names_the_secret(lab, site, subdomain):
    lab.hosts.map("acme.atlassian.net:443", site.address)
    lab.sql(
        "ALTER NETWORK RULE SNOWCAT.CODE.JIRA_HOST SET VALUE_LIST = ('your-site.atlassian.net', 'acme.atlassian.net')"
    )
    lab.sql(f"ALTER SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN SET SECRET_STRING = '{subdomain}'")
    assert call(lab)["status"] == "success"
    lab.sql("ALTER SECRET SNOWCAT.CODE.JIRA_CREDS SET PASSWORD = 'wrong-token'")
    with pytest.raises(SnowparkSQLException, match="401") as caught:
        call(lab)
    assert ("The secret JIRA_SUBDOMAIN still names 'your-site'" in str(caught.value)) == (subdomain == "your-site")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER NETWORK RULE SNOWCAT.CODE.JIRA_HOST SET VALUE_LIST = ('other.example')", "Device or resource busy"),
        (
            "ALTER SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN SET SECRET_STRING = 'evil.example/#'",
            "jira_subdomain is not the name",
        ),
        (
            "REVOKE CREATE SCHEMA ON DATABASE RAW FROM ROLE SNOWCAT_OWNER",
            "Insufficient privileges to operate on database 'RAW'",
        ),
    ],
)
def test_failures_fail_the_call(lab, change, words):
    lab.sql(change)
    with pytest.raises(SnowparkSQLException) as caught:
        call(lab)
    assert words in str(caught.value) and '"status": "error"' in str(caught.value)
    assert "ISSUES" not in tables(lab)


def test_endpoints_must_be_a_list_of_names(lab):
    for endpoints in ("issues", '["nothing"]', '{"a": 1}'):
        with pytest.raises(SnowparkSQLException, match='"kind": "config"'):
            call(lab, f"CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW', '{endpoints}')")


def test_call_killed_at_any_step_is_repaired_by_the_next(lab):
    """Any number of steps of a load, then a complete load, leave the same tables as one load."""
    call(lab)
    operations = lab.last_call.operations
    expected = tables(lab)
    assert len(expected["ISSUES"]) == 5 and operations > 10
    for died in range(1, operations + 1):
        for (schema,) in lab.sql(
            "SELECT SCHEMA_NAME FROM RAW.INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME LIKE 'JIRA%'"
        ):
            lab.sql(f"DROP SCHEMA RAW.{schema} CASCADE")
        assert tables(lab) == {}
        with pytest.raises(SnowparkSQLException, match=f"killed after operation {died}"):
            call(lab, kill_after=died)
        found = tables(lab).get("ISSUES", [])
        assert found in ([], expected["ISSUES"]), f"half a load after operation {died}"
        call(lab)
        assert tables(lab) == expected, f"after dying at operation {died}"


def test_of_two_concurrent_calls_one_fails_with_a_message(lab, site):
    outcomes: list[object] = []
    gate = threading.Barrier(2, timeout=20)
    site.after_request = lambda number: gate.wait() if number <= 2 else None

    def one() -> None:
        try:
            outcomes.append(call(lab)["status"])
        except SnowparkSQLException as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 2 and "success" in outcomes, [str(o) for o in outcomes]
    lost = [o for o in outcomes if o != "success"]
    assert len(lost) == 1 and '"kind": "destination"' in str(lost[0]), outcomes
    assert len(tables(lab)["ISSUES"]) == 5 and len(tables(lab)["ISSUES__FIELDS__LABELS"]) == 10
    assert [tuple(r) for r in lab.sql("SELECT COUNT(*) FROM RAW.JIRA._DLT_LOADS")] == [(1,)]


def test_of_two_calls_one_fails_wherever_the_second_begins(lab, site):
    """The second load begins after the first has staged its files and passed the fence."""
    outcomes: list[object] = []

    def one() -> None:
        try:
            outcomes.append(call(lab)["status"])
        except SnowparkSQLException as error:
            outcomes.append(error)

    second = threading.Thread(target=one)

    def hook(entry) -> None:
        if entry.procedure and entry.sql.startswith("COPY") and second.ident is None:
            second.start()
            deadline = time.monotonic() + 8
            while time.monotonic() < deadline and not any(
                e.session != entry.session and e.procedure and e.sql.startswith("MERGE") for e in lab.trace
            ):
                time.sleep(0.02)

    lab.on_statement(hook)
    one()
    second.join(60)
    lab.on_statement(None)
    assert sorted(outcome == "success" for outcome in outcomes) == [False, True], outcomes
    assert len(tables(lab)["ISSUES"]) == 5
