"""The ready-made jobs, as they are installed, against the fakes: a load, and another one after changes."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import fakes
import pytest
from conformance.direct import Direct, install
from fakes import SITE, FakeJira, fake
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab
from emulator.text import split_script

GITHUB = """CALL SNOWCAT.CODE.P_LOAD_GITHUB(PARSE_JSON('{"owner": "octo-org", "repository": "octo-repo"}'))"""
PAGERDUTY = """CALL SNOWCAT.CODE.P_LOAD_PAGERDUTY(PARSE_JSON('{"since": "2025-06-01T00:00:00Z"}'))"""
GRAPH = """CALL SNOWCAT.CODE.P_LOAD_GRAPH(PARSE_JSON('{"tenant": "contoso"}'))"""
JIRA = "CALL SNOWCAT.CODE.P_LOAD_JIRA_ALL('RAW')"


class Account:
    """An account with a ready-made job in it."""

    def __init__(self, lab: Lab, dataset: str) -> None:
        self.lab, self.dataset = lab, dataset

    def call(self, statement: str) -> dict:
        """A CALL by a role without other rights."""
        return self.lab.call(statement, role="SNOWCAT_CALLER")

    def rows(self, table: str, *columns: str) -> list[tuple]:
        """These columns of a table, in order."""
        listed = ", ".join(columns)
        found = (tuple(row) for row in self.lab.sql(f'SELECT {listed} FROM RAW."{self.dataset}"."{table}"'))
        # NULL sorts independently of values.
        return sorted(found, key=lambda row: [(value is not None, value) for value in row])

    def count(self, table: str) -> int:
        """The rows of a table."""
        return self.lab.sql(f'SELECT COUNT(*) FROM RAW."{self.dataset}"."{table}"')[0][0]


@pytest.fixture
def account(built_package) -> Iterator[Callable[..., Account]]:
    labs = []

    def made(name: str, hosts: dict[str, str]) -> Account:
        lab = Lab(databases=())
        labs.append(lab)
        lab.__enter__()
        install(lab, built_package)
        session = Direct(lab.account)
        for statement in split_script((pathlib.Path(built_package) / f"{name}.sql").read_text()):
            session.sql(statement).collect()
        session.close()
        for host, address in hosts.items():
            lab.hosts.map(host, address)
        return Account(lab, name.removesuffix("_all").upper())

    yield made
    for lab in labs:
        lab.__exit__(None, None, None)


def of(items: list[dict], *keys: str) -> list[tuple]:
    """The values at these paths (keys separated by dots), in order."""

    def value(item: Any, path: str) -> Any:
        for key in path.split("."):
            item = None if item is None else item.get(key)
        return item

    return sorted(tuple(value(item, key) for key in keys) for item in items)


@pytest.mark.parametrize("name", fakes.JOBS)
def test_ready_made_job_loads_everything_and_then_changes(account, name):
    """Installed by its worksheet and called by its role: no row is lost or duplicated."""
    with fake(name, 30) as site:
        job = fakes.JOBS[name]
        hosts = {f"{host}:443": site.address for host in job.hosts} or {SITE: site.address}
        made = account(name, hosts)
        settings = "" if job.uses else f"PARSE_JSON('{json.dumps(fakes.settings(name))}')"
        for turn in ("the first load", "the second, after something has changed"):
            made.call(f"CALL SNOWCAT.CODE.P_LOAD_{name.upper()}({settings})")
            for table, wanted in site.held("tables").items():
                found = made.rows(table, *(f'"{column}"' for column in wanted["columns"]))
                assert sorted(found, key=repr) == sorted(map(tuple, wanted["rows"]), key=repr), f"{turn}: {table}"
            assert "wrong" not in {request["credential"] for request in site.requests()}
            before = site.held("tables")
            assert site.advance()
            assert site.held("tables") != before, "an advance changes something"


def test_github(account):
    with fake("github", 110) as site:
        made = account("github", {"api.github.com:443": site.address})

        def check() -> None:
            issues = site.held("issues")
            assert made.rows("ISSUES", "ID", "STATE", "TITLE") == of(issues, "id", "state", "title")
            assert made.count("ISSUES__LABELS") == sum(len(issue["labels"]) for issue in issues)
            pulls = site.held("pulls")
            assert made.rows("PULL_REQUESTS", "ID", "STATE", "HEAD__SHA") == of(pulls, "id", "state", "head.sha")
            assert made.rows("COMMENTS", "ID", "BODY") == of(site.held("comments"), "id", "body")
            events = site.held("events")
            assert made.rows("ISSUE_EVENTS", "ID", "EVENT") == of(events, "id", "event")
            assert made.rows("STARGAZERS", "USER__ID") == of(site.held("stargazers"), "user.id")
            commits = site.held("commits")
            assert made.rows("COMMITS", "SHA", "COMMIT__MESSAGE") == of(commits, "sha", "commit.message")
            assert made.count("COMMITS__PARENTS") == len(commits) - 1

        first = made.call(GITHUB)
        check()
        assert first["rows"]["issues"] == 110
        asked = site.requests()
        assert {request["credential"] for request in asked} == {"right"}
        pages = [r["query"].get("page", "1") for r in asked if r["path"].endswith("/issues")]
        assert pages == ["1", "2"]
        done = site.advance()
        assert len(done["closed"]) == 2
        second = made.call(GITHUB)
        check()
        states = dict(made.rows("ISSUES", "NUMBER", "STATE"))
        assert {states[number] for number in done["closed"]} == {"closed"}
        asked = site.requests()
        # Unchanged data is not requested: one page of each list that supports it.
        assert second["rows"]["issues"] <= 4 and second["rows"]["issue_events"] <= 6, second["rows"]
        for name in ("issues", "pulls", "comments", "events"):
            assert len([r for r in asked if r["path"].endswith(f"/{name}")]) == 1, name
        assert any(r["query"].get("since", "").startswith("2025-") for r in asked if r["path"].endswith("/issues"))


def test_pagerduty(account):
    with fake("pagerduty", 105) as site:
        made = account("pagerduty", {"api.pagerduty.com:443": site.address})

        def check() -> None:
            incidents = site.held("incidents")
            assert made.rows("INCIDENTS", "ID", "STATUS", "TITLE") == of(incidents, "id", "status", "title")
            assert made.count("INCIDENTS__ASSIGNMENTS") == sum(len(i["assignments"]) for i in incidents)
            for table in ("USERS", "TEAMS", "SERVICES"):
                assert made.rows(table, "ID", "NAME") == of(site.held(table.lower()), "id", "name"), table
            assert made.rows("LOG_ENTRIES", "ID", "TYPE") == of(site.held("log_entries"), "id", "type")
            notes = site.held("notes")
            assert made.rows("INCIDENT_NOTES", "_INCIDENTS_ID", "ID", "CONTENT") == of(
                notes, "incident", "note.id", "note.content"
            )

        made.call(PAGERDUTY)
        check()
        offsets = [r["query"]["offset"] for r in site.requests() if r["path"] == "/incidents"]
        assert offsets == ["0", "100"]
        done = site.advance()
        made.call(PAGERDUTY)
        check()
        assert dict(made.rows("INCIDENTS", "ID", "STATUS"))[done["resolved"]] == "resolved"
        asked = {r["path"]: r["query"] for r in site.requests()}
        # Incidents of the last thirty days are read again, because nothing shows which have changed.
        assert asked["/incidents"]["since"].startswith("2025-10-")
        assert asked["/log_entries"]["since"].startswith("2025-11-01")


def test_graph(account):
    with fake("graph") as site:
        hosts = ("graph.microsoft.com:443", "login.microsoftonline.com:443")
        made = account("graph", dict.fromkeys(hosts, site.address))

        def check() -> None:
            assert made.rows("USERS", "ID", "DISPLAY_NAME", "JOB_TITLE") == of(
                site.held("users"), "id", "displayName", "jobTitle"
            )
            assert made.rows("GROUPS", "ID", "DISPLAY_NAME") == of(site.held("groups"), "id", "displayName")
            members = [(group, m["id"]) for group, inside in site.held("members").items() for m in inside]
            assert made.rows("GROUP_MEMBERS", "_GROUPS_ID", "ID") == sorted(members)
            assert made.rows("SIGN_INS", "ID", "USER_ID") == of(site.held("signIns"), "id", "userId")

        made.call(GRAPH)
        check()
        tokens = [r for r in site.requests() if r["path"].endswith("/oauth2/v2.0/token")]
        assert len(tokens) == 1
        done = site.advance()
        # The first token of this run is valid for three requests; then another one is needed.
        site.ask("/_control/tokens", {"uses": 3})
        second = made.call(GRAPH)
        check()
        assert second["rows"]["sign_ins"] <= 2
        assert dict(made.rows("USERS", "ID", "JOB_TITLE"))[done["promoted"]] == "Title of day 1"
        asked = site.requests()
        assert len([r for r in asked if r["path"].endswith("/oauth2/v2.0/token")]) >= 2
        reported = repr([second, made.lab.statements("P_LOAD_GRAPH")])
        assert "your-client-secret" not in reported and "fake.token" not in reported


def test_jira_with_all_resources(account):
    with FakeJira(issues=25, seed=6) as site:
        made = account("jira_all", {SITE: site.address})

        def check() -> None:
            issues = [site.held(f"issues/{number}") for number in site.ids()]
            assert made.rows("ISSUES", "ID", "FIELDS__SUMMARY") == of(issues, "id", "fields.summary")
            for table, part in (
                ("ISSUE_COMMENTS", lambda issue: issue["fields"]["comment"]["comments"]),
                ("ISSUE_WORKLOGS", lambda issue: issue["fields"]["worklog"]["worklogs"]),
            ):
                wanted = sorted((issue["id"], item["id"]) for issue in issues for item in part(issue))
                assert made.rows(table, "_ISSUES_ID", "ID") == wanted, table
            # A search returns only a part of a long changelog; the complete one is loaded in addition.
            long = [issue for issue in issues if issue["changelog"]["total"] > 40]
            histories = [(issue["id"], h) for issue in long for h in issue["changelog"]["histories"]]
            assert made.rows("ISSUE_CHANGELOGS", "_CHANGED_ISSUES_ID", "ID") == sorted(
                (i, h["id"]) for i, h in histories
            )
            assert made.count("ISSUE_CHANGELOGS__ITEMS") == sum(len(h["items"]) for _, h in histories)
            given = sum(min(40, issue["changelog"]["total"]) for issue in issues)
            assert made.count("ISSUES__CHANGELOG__HISTORIES") == given
            assert long, "no changelog is longer than what a search gives"

        made.call(JIRA)
        check()
        assert (made.count("USERS"), made.count("BOARDS"), made.count("SPRINTS")) == (120, 6, 120)
        boards = {board for (board,) in made.rows("SPRINTS", "_BOARDS_ID")}
        assert boards == {1, 2, 3, 4, 5}
        with_comments = [
            number for number in site.ids() if site.held(f"issues/{number}")["fields"]["comment"]["total"] > 0
        ]
        site.requests()
        longest = max(site.ids(), key=lambda number: site.held(f"issues/{number}")["changelog"]["total"])
        site.ask("/_control/edit", {"issues": sorted({*with_comments[:3], longest})})
        made.call(JIRA)
        check()
        edited = made.lab.sql(
            "SELECT COUNT(*) FROM RAW.JIRA.ISSUE_COMMENTS WHERE BODY::VARCHAR LIKE '%Changed by edit%'"
        )
        assert edited[0][0] >= 3
        asked = [r["path"] for r in site.requests() if r["path"].endswith("/comment")]
        assert 3 <= len(asked) <= 6, "only issues that changed are asked for theirs"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("{}", "'owner' is missing"),
        ('{"owner": "a/../b", "repository": "r"}', "letters, digits"),
        ('{"owner": "a", "repository": "r", "branch": "x"}', "has no setting 'branch'"),
        (
            '{"owner": "a", "repository": "r", "engine": "jit"}',
            "expected an engine of automatic, default, limited, pulley64",
        ),
        # The network rule allows a site that does not exist: by then the engine has run.
        ('{"owner": "a", "repository": "r", "engine": "pulley64"}', '"engine": "pulley64"'),
    ],
)
def test_invalid_settings_are_rejected(account, settings, words):
    made = account("github", {})
    with pytest.raises(SnowparkSQLException, match=words):
        made.call(f"CALL SNOWCAT.CODE.P_LOAD_GITHUB(PARSE_JSON('{settings}'))")
