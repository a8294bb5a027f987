"""The reference job against the fake Jira: its cost, its completeness, and its failures."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
from conformance.direct import install
from fakes import SITE, FakeJira
from jira import Jira
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab

CASES = pathlib.Path(__file__).resolve().parents[1] / "data/conformance/cases"
CALL = "CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW')"
FULL = "CALL SNOWCAT.CODE.P_LOAD_JIRA('{}', NULL, TRUE)"


@pytest.fixture(scope="module")
def installed(built_package):
    with Lab(databases=()) as made:
        install(made, built_package)
        yield made


@pytest.fixture
def jira():
    with FakeJira(issues=260) as jira:
        yield jira


@pytest.fixture
def lab(installed, jira):
    """The installation, without a dataset."""
    for (name,) in installed.sql("SELECT SCHEMA_NAME FROM RAW.INFORMATION_SCHEMA.SCHEMATA"):
        if name.startswith("JIRA"):
            installed.sql(f"DROP SCHEMA RAW.{name} CASCADE")
    installed.hosts.map(SITE, jira.address)
    return installed


@pytest.fixture(scope="module")
def loaded(built_package):
    """An account with the rows of a load, and the Jira of these rows."""
    with FakeJira(issues=260) as jira, Lab(databases=()) as made:
        install(made, built_package)
        made.hosts.map(SITE, jira.address)
        call(made)
        yield made, jira


def call(lab: Lab, statement: str = CALL) -> dict:
    return lab.call(statement, role="SNOWCAT_CALLER")


def rows(lab: Lab, database: str = "RAW") -> dict[str, list[str]]:
    """Every row of every table. Ids that depend on the load are replaced by the rows that they refer to."""
    names = lab.sql(
        f"SELECT TABLE_NAME FROM {database}.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'JIRA' ORDER BY TABLE_NAME"
    )
    data, keys = {}, {}
    for (name,) in names:
        if name.startswith("_DLT"):
            continue
        data[name] = [r.as_dict() for r in lab.sql(f'SELECT * FROM {database}.JIRA."{name}"')]
    # A root row is identified by its key, a nested row by its parent and its index. By name, parents come first.
    for name, found in data.items():
        for row in found:
            parent = keys.get(row.get("_DLT_PARENT_ID"))
            keys[row["_DLT_ID"]] = (
                f"{name}:{row['ID']}" if parent is None else f"{parent}/{name}[{row['_DLT_LIST_IDX']}]"
            )
    shown = {}
    for name, found in data.items():
        for row in found:
            row.pop("_DLT_LOAD_ID", None)
            for link in ("_DLT_ID", "_DLT_PARENT_ID", "_DLT_ROOT_ID"):
                if link in row:
                    row[link] = keys[row[link]]
        shown[name] = sorted(repr(sorted(row.items())) for row in found)
    return shown


def test_steady_load_of_thirteen_tables_sends_few_statements(built_package):
    """dlt needs 77 statements for the issues with their 13 tables; the projects are one more."""
    with Jira() as site, Lab(databases=()) as lab:
        for line in (CASES / "jira_issues/input.ndjson").read_text().splitlines():
            issue = json.loads(line)
            site.issues[int(issue["id"])] = issue
        install(lab, built_package)
        lab.hosts.map(SITE, site.address)
        first = call(lab)
        assert len(first["rows"]) == 14
        for issue in site.issues.values():
            issue["fields"]["updated"] = "2026-01-01T00:00:00.000+0000"
        begun = len(lab.trace)
        second = call(lab)
        said = [e.sql for e in lab.trace[begun:] if e.procedure]
        said = [s for s in said if not re.match(r"(?i)put\b|select system\$cancel", s)]
        assert second["rows"]["issues"] == first["rows"]["issues"] == len(site.issues)
        assert second["statements"] == len(said) == 42, "\n".join(s[:120] for s in said)
        assert not [s for s in said if s.startswith(("ALTER", "CREATE TABLE", "CREATE SCHEMA"))]


def test_second_call_fetches_changes_and_loses_nothing(lab, jira):
    first = call(lab)
    issues = jira.ids()
    jira.ask("/_control/edit", {"issues": issues[3:8]})
    jira.ask("/_control/create", {"count": 4})
    second = call(lab)
    assert 9 <= second["rows"]["issues"] < first["rows"]["issues"] / 4
    assert second["requests"] < first["requests"]
    lab.sql("CREATE DATABASE FRESH")
    lab.put("@SNOWCAT.CODE.FILES", "policy.json", b'{"ready_made": {"schemas": ["RAW.*", "FRESH.JIRA"]}}')
    lab.sql("GRANT USAGE, CREATE SCHEMA ON DATABASE FRESH TO ROLE SNOWCAT_OWNER")
    call(lab, FULL.format("FRESH"))
    kept, fresh = rows(lab), rows(lab, "FRESH")
    assert kept.keys() == fresh.keys()
    for name in kept:
        assert kept[name] == fresh[name], name
    assert len(kept["ISSUES"]) == 264


def test_temporary_failures_of_the_source_are_retried(lab, jira):
    jira.faults("search/jql@1=status:503; search/jql@3=throttle:1; search/jql@5=drop; project/search@1=status:500")
    result = call(lab)
    assert result["rows"]["issues"] == 260
    assert result["requests"] == 3 + 1 + 3, result  # pages of issues and of projects, and failed requests
    jira.faults("")
    assert rows(lab)["ISSUES"] and len(rows(lab)["ISSUES"]) == 260


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ("search/jql@3-7=short", ["resource issues", "page 3", "breaks off", "5th attempt"]),
        ("search/jql@2=html", ["resource issues", "page 2", "text/html"]),
        ("search/jql@*=status:500", ["resource issues", "page 1", "500", "5th attempt"]),
        ("search/jql@2=status:400", ["page 2", "400"]),
        ("search/jql@1=redirect:https://evil.example/", ["redirect", "not followed"]),
        ("search/jql@2=garbled", ["page 2"]),
    ],
)
def test_failing_source_fails_the_call_and_changes_nothing(loaded, faults, words):
    lab, jira = loaded
    before = rows(lab)
    assert before["ISSUES"]
    # The existing rows are edited, so that a load has something to lose.
    jira.ask("/_control/edit", {"issues": jira.ids()})
    jira.ask("/_control/faults", {"faults": faults})
    with pytest.raises(SnowparkSQLException) as caught:
        call(lab)
    for word in [*words, '"status": "error"']:
        assert word in str(caught.value), str(caught.value)
    assert rows(lab) == before
    assert lab.sql("SELECT STAGE_NAME FROM RAW.INFORMATION_SCHEMA.STAGES") == []
