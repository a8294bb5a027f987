"""`snowcat status` and `snowcat logs`: what loads have stored, and the log of a job service."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import subprocess
from typing import Any

import pytest

from emulator import Lab

PROGRAM = os.environ.get("SNOWCAT_PLAN", pathlib.Path(__file__).resolve().parents[2] / "target/debug/snowcat")
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def run(lab: Lab, folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    connection = {"ACCOUNT": "emulator", "HOST": "127.0.0.1", "PORT": str(lab.server.port), "PROTOCOL": "http"}
    login = {"USER": "tester", "PASSWORD": "t3ster-x"}
    variables = {f"SNOWFLAKE_{name}": value for name, value in (connection | login).items()}
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
    done = subprocess.run(
        [PROGRAM, *arguments], cwd=folder, capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    assert "t3ster-x" not in done.stdout + done.stderr
    return done


def job(folder: pathlib.Path, pipeline: str) -> str:
    """A job with a cursor, which keeps rejected records."""
    (folder / "rows.jsonl").write_text('{"id": 1}\nnot JSON\n{"id": 7}\n')
    resource: dict[str, Any] = {"name": "a", "files": "rows.jsonl", "format": "jsonl", "on_bad_record": "reject"}
    resource |= {"incremental": {"cursor_path": "id"}, "write_disposition": "append"}
    made = {"pipeline": pipeline, "database": "RAW", "dataset": "d", "resources": [resource]}
    (folder / f"{pipeline}.json").write_text(json.dumps(made))
    return f"{pipeline}.json"


@pytest.fixture
def loaded(lab, tmp_path) -> Lab:
    """An account in which two pipelines have loaded."""
    for days, pipeline in enumerate(["p", "q"]):
        now = (START + dt.timedelta(days=days)).isoformat()
        done = run(lab, tmp_path, "run", job(tmp_path, pipeline), "--now", now)
        assert done.returncode == 0, done.stderr
    return lab


def test_what_is_stored_is_shown(loaded, tmp_path):
    def status(*arguments: str) -> dict[str, list[dict[str, str | None]]]:
        done = run(loaded, tmp_path, "status", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    begun, dataset = len(loaded.trace), ("--database", "RAW", "--dataset", "d")
    every = status(*dataset)
    assert every["cursors"] == [{"pipeline": name, "resource": "a", "path": "id", "value": "7"} for name in ("p", "q")]
    assert [state["pipeline"] for state in every["states"]] == ["p", "q"]
    assert [(load["schema"], load["status"], load["ended_at"]) for load in every["loads"]] == [
        ("q", "0", "2026-01-02T00:00:00Z"),
        ("p", "0", "2026-01-01T00:00:00Z"),
    ]
    assert {schema["schema"] for schema in every["schemas"]} == {"p", "q"}
    assert every["rejected"] == [{"resource": "a", "records": "2"}] and every["checkpoints"] == []
    # Of one pipeline, by its name or by its job.
    for one in (status("p", *dataset), status("p.json")):
        assert [(state["pipeline"], state["version"]) for state in one["states"]] == [("p", "1")]
        assert len(one["cursors"]) == 1
    assert {entry.sql.split()[0] for entry in loaded.trace[begun:]} == {"SELECT"}


def test_text_has_a_table_for_each_listing(loaded, tmp_path):
    done = run(loaded, tmp_path, "status", "q.json")
    assert done.returncode == 0, done.stderr
    assert "cursors\n  pipeline  resource  path  value\n  q         a         id    7\n" in done.stdout
    assert "checkpoints" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("status", "--database", "RAW", "--dataset", "d"), 0, "nothing is stored"),
        (("status",), 2, "expected a job, or --database and --dataset"),
        (("status", "none.json"), 2, "none.json"),
        (("status", "--database", "NOWHERE", "--dataset", "d"), 4, "NOWHERE"),
        (("logs", "x"), 1, "DATABASE.SCHEMA.NAME"),
    ],
)
def test_what_is_missing_is_named(lab, tmp_path, arguments, code, words):
    done = run(lab, tmp_path, *arguments)
    assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stderr


def test_the_log_of_a_job_service_is_read(lab, tmp_path):
    # The emulator runs no containers: the statement is what is checked.
    done = run(lab, tmp_path, "logs", "snowcat.code.j1", "--lines", "5")
    assert done.returncode == 4
    assert lab.trace[-1].sql == "SELECT SYSTEM$GET_SERVICE_LOGS('\"SNOWCAT\".\"CODE\".\"J1\"', '0', 'load', 5)"
    done = run(lab, tmp_path, "logs")
    assert lab.trace[-1].sql == 'SHOW JOB SERVICES IN SCHEMA "SNOWCAT"."CODE"'
