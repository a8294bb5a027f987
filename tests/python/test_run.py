"""`snowcat run`: the same tables, state and statements as the procedure's loop, statement for statement."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import subprocess
from types import SimpleNamespace
from typing import Any

import fakes
import local_jobs
import pytest
import snowcat_credentials
from fakes import FakeJira
from local_jobs import JOBS, Local, job, secrets

from emulator import Lab

PROGRAM = os.environ.get("SNOWCAT_PLAN", pathlib.Path(__file__).resolve().parents[2] / "target/debug/snowcat")
KEYS = pathlib.Path(__file__).resolve().parents[2] / "host/tests/integration/snowflake/keys"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def environment(lab: Lab, **more: str) -> dict[str, str]:
    """A user's environment: the connection, and the secrets of the jobs."""
    secrets = {"SNOWCAT_JIRA_CREDS_USERNAME": fakes.USER, "SNOWCAT_JIRA_CREDS_PASSWORD": fakes.TOKEN}
    for secret in (known.secret for known in fakes.JOBS.values() if known.secret):
        parts = {"TOKEN": secret.string, "USERNAME": secret.username, "PASSWORD": secret.password}
        secrets |= {f"SNOWCAT_{secret.name.upper()}_{part}": text for part, text in parts.items() if text}
    connection = {
        "ACCOUNT": "emulator",
        "HOST": "127.0.0.1",
        "PORT": str(lab.server.port),
        "PROTOCOL": "http",
        "USER": "tester",
        "PASSWORD": "tester",
    }
    named = {f"SNOWFLAKE_{key}": value for key, value in connection.items()}
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **secrets, **named, **more}


def jira(address: str) -> dict[str, Any]:
    """The job of the procedure P_LOAD_JIRA, for a service at this address."""
    text = (JOBS / "jira.json").read_text("utf-8")
    known = "{{jira_subdomain}}.atlassian.net"
    text = text.replace(f"https://{known}", f"http://{address}").replace(f'"{known}"', f'"{address}"')
    return json.loads(text) | {"dataset": "d"}


def secret(_: str, alias: str) -> Any:
    """In place of `snowcat_credentials.secret`."""
    if alias == "jira_creds":
        return SimpleNamespace(username=fakes.USER, password=fakes.TOKEN)
    return secrets(_, alias)


def run(
    folder: pathlib.Path, made: dict, now: dt.datetime, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """One load by the command."""
    (folder / "job.json").write_text(json.dumps(made))
    command = [PROGRAM, "run", "job.json", "--json", "--now", now.isoformat()]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=variables, timeout=300)


def said(lab: Lab, begun: int) -> list[str]:
    """The statements since then, without those that request an upload."""
    return [entry.sql for entry in lab.trace[begun:] if not entry.sql.upper().startswith("PUT")]


def tables(lab: Lab) -> dict[str, list[str]]:
    """Every row of every table of the dataset, dlt's own included."""
    names = lab.sql("SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'D' ORDER BY 1")
    rows = {name: lab.sql(f'SELECT * FROM RAW."D"."{name}"') for (name,) in names}
    return {name: sorted(repr(row.as_dict()) for row in found) for name, found in rows.items()}


@pytest.mark.parametrize("name", ["jira", "github"])
def test_a_job_leaves_what_the_procedure_leaves(name, guest, tmp_path, monkeypatch):
    monkeypatch.setattr(snowcat_credentials, "secret", secret)
    monkeypatch.setattr(local_jobs, "LARGEST", 100 << 20)
    source = FakeJira(issues=60) if name == "jira" else fakes.fake(name)
    with source, Local(guest) as procedure, Lab() as lab:
        made = jira(source.address) if name == "jira" else job(name, source.address, 100)
        for days in range(2):
            now = START + dt.timedelta(days=days)
            begun = len(procedure.lab.trace), len(lab.trace)
            expected = procedure.run_job(made)
            sessions = len(lab.account.sessions)
            done = run(tmp_path, made, now, environment(lab))
            assert done.returncode == 0, done.stderr
            assert len(lab.account.sessions) == sessions
            report = json.loads(done.stdout.splitlines()[-1])["report"]
            assert report["load-id"] == expected["load-id"]
            assert said(lab, begun[1]) == said(procedure.lab, begun[0])
            assert tables(lab) == tables(procedure.lab)
            assert sum(table["rows"] for table in report["tables"]) > 0
            source.advance()


def small(folder: pathlib.Path) -> dict[str, Any]:
    """A job that merges rows of a file."""
    (folder / "rows.jsonl").write_text("".join(f'{{"id": {n}, "items": [{{"n": {n}}}]}}\n' for n in range(20)))
    resource = {"name": "a", "files": "rows.jsonl", "format": "jsonl"}
    merged = {"write_disposition": "merge", "primary_key": "id"}
    return {"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [resource | merged]}


def identities(folder: pathlib.Path) -> dict[str, dict[str, str]]:
    """The variables of every way to log in as the user that `registered` describes."""
    for name, text in {"oauth": "o-token", "token": "c-token", "spcs_token": "s-token"}.items():
        (folder / name).write_text(text + "\n")
        (folder / name).chmod(0o600)
    by_key = {
        name: {"SNOWFLAKE_PRIVATE_KEY_RAW": (KEYS / f"{name}.pem").read_text(), **phrase}
        for name, phrase in [
            ("pkcs8", {}),
            ("pkcs1", {}),
            ("des3", {"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "hunter2"}),
            ("aes256", {"SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "hunter2"}),
        ]
    }
    inside = {"SNOWFLAKE_RUNNING_INSIDE_SPCS": "true", "SNOWFLAKE_TOKEN_FILE_PATH": str(folder / "token")}
    token = {"SNOWFLAKE_AUTHENTICATOR": "programmatic_access_token", "SNOWFLAKE_TOKEN": "p-token"}
    return {
        "password": {"SNOWFLAKE_PASSWORD": "p4ssword"},
        **by_key,
        "oauth": {"SNOWFLAKE_AUTHENTICATOR": "oauth", "SNOWFLAKE_TOKEN_FILE_PATH": str(folder / "oauth")},
        "access token": token,
        "container": {**inside, "SNOWFLAKE_USER": ""},
    }


def test_every_identity_loads(lab, tmp_path):
    registered = {
        "name": "LOADER",
        "password": "p4ssword",
        "public_key": (KEYS / "public.pem").read_text(),
        "oauth": ["o-token"],
        "access_tokens": ["p-token"],
        "service_tokens": ["c-token"],
    }
    lab.server.users.register(registered)
    lab.server.switches.set({"strict_login": True})
    made = small(tmp_path)
    for days, (name, variables) in enumerate(identities(tmp_path).items()):
        user = {"SNOWFLAKE_USER": "loader", "SNOWFLAKE_PASSWORD": ""}
        now = START + dt.timedelta(days=days)
        done = run(tmp_path, made, now, environment(lab, **{**user, **variables}))
        assert done.returncode == 0, f"{name}: {done.stderr}"
    assert lab.server.users.logins[-1] == {"authenticator": "OAUTH", "user": None, "spcs_token": "s-token"}
    assert lab.sql("SELECT COUNT(*) FROM RAW.D.A")[0][0] == 20


def every_third(lab: Lab, kind: str, **given: Any) -> None:
    """A fault at every third statement."""
    for nth in range(1, 100, 3):
        lab.server.faults.add(kind, "query", nth=nth, **given)


@pytest.mark.parametrize(
    ("kind", "given"),
    [("reset_after", {}), ("half_body", {}), ("status", {"status": 503}), ("code", {"code": "390112"})],
)
def test_no_fault_makes_a_statement_run_twice(lab, tmp_path, kind, given):
    made = small(tmp_path)
    with Lab() as calm:
        done = run(tmp_path, made, START, environment(calm))
        assert done.returncode == 0, done.stderr
        every_third(lab, kind, **given)
        begun = len(lab.trace)
        done = run(tmp_path, made, START, environment(lab))
        assert done.returncode == 0, done.stderr
        assert any(fault.hit for fault in lab.server.faults.table)
        lab.server.faults.clear()
        assert said(lab, begun) == said(calm, 0)
        assert tables(lab) == tables(calm)


def test_a_load_goes_on_when_tokens_expire_and_rows_come_in_files(lab, tmp_path):
    made = small(tmp_path)
    lab.server.switches.set(
        {"session_life": 1, "inline_bytes": 0, "chunk_bytes": 100, "answer_within": 0, "sticky": True}
    )
    for days in range(2):
        done = run(tmp_path, made, START + dt.timedelta(days=days), environment(lab))
        assert done.returncode == 0, done.stderr
    lab.server.switches.set({"session_life": 3600, "inline_bytes": 1000000, "answer_within": 45, "sticky": False})
    assert lab.sql("SELECT COUNT(*) FROM RAW.D.A__ITEMS")[0][0] == 20


@pytest.mark.parametrize(
    ("change", "variables", "code", "words"),
    [
        ({}, {"SNOWFLAKE_PORT": "1"}, 4, ["login at http://127.0.0.1:1"]),
        ({}, {"SNOWFLAKE_ROLE": "NOBODY"}, 4, ["390189", "NOBODY"]),
        ({}, {"SNOWFLAKE_ACCOUNT": "https://acme.snowflakecomputing.com"}, 1, ['such as "acme"']),
        ({}, {"SNOWFLAKE_PASSWORD": ""}, 1, ["expected password, private_key_file or token"]),
        ({"database": "NOWHERE"}, {}, 4, ["NOWHERE"]),
        ({"nothing": 1}, {}, 1, ["nothing"]),
        ({"resources": [{"name": "a", "files": "no.json", "format": "json"}]}, {}, 3, ["no.json"]),
        ({"resources": [{"name": "a", "files": "cut.jsonl", "format": "jsonl"}]}, {}, 5, ["cut.jsonl"]),
    ],
)
def test_the_exit_code_says_why_a_load_failed(lab, tmp_path, change, variables, code, words):
    (tmp_path / "rows.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "cut.jsonl").write_text('{"id": 1')
    resources = [{"name": "a", "files": "rows.jsonl", "format": "jsonl"}]
    made = {"pipeline": "p", "database": "RAW", "dataset": "d", "resources": resources} | change
    done = run(tmp_path, made, START, environment(lab, **variables))
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr
    assert "tester" not in done.stderr
