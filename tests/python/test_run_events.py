"""The events of `snowcat run --json` and `--log json`, compared with a golden file (`UPDATE_EXPECT=1` writes it)."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess

import pytest
from command import PROGRAM, Account, opened

GOLDEN = pathlib.Path(__file__).parents[1] / "data/events/run.jsonl"
BOOK = pathlib.Path(__file__).parents[2] / "procedures/docs/src/command-line.md"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
QUERY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Files are uploaded by several threads, in any order.
UPLOADS = ("put", "upload")


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("jobs")) as account:
        yield account


def events(text: str) -> list[dict]:
    found = [json.loads(line) for line in text.splitlines()]
    assert all(INSTANT.fullmatch(event.pop("at")) for event in found)
    return found


def stable(account: Account, event: dict) -> str:
    """An event without what differs between runs."""
    for key in ("seconds", "version", "timings"):
        if key in event:
            event[key] = "*"
    if event.get("query_id"):
        assert QUERY.fullmatch(event["query_id"]), event
        event["query_id"] = "*"
    if event["event"] == "upload":
        event["bytes"] = "*"
    if "report" in event:
        event["report"]["files"] = len(event["report"]["files"])
    if "sql" in event:
        event["sql"] = event["sql"][:40]
    text = json.dumps(event)
    return text.replace(account.address, "http://source/").replace(str(account.lab.server.port), "PORT")


def test_events_of_a_load(account):
    faults = account.lab.server.faults
    faults.add("status", "query", match="^create schema", headers={"Retry-After": "0"})
    faults.add("code", "query", match="^begin", code=390112)
    done = account.run(account.dataset(), 1)
    faults.clear()
    assert done.returncode == 0, done.stderr
    assert "tester" not in done.stdout and "tester" not in done.stderr
    found = events(done.stdout)
    ids = {statement.query_id for statement in account.lab.server.statements.all()}
    assert all(event["query_id"] in ids for event in found if event["event"] == "statement")
    report = next(event for event in found if event["event"] == "finished")
    assert report["report"]["load-id"] and {table["name"] for table in report["tables"]} > {"orders", "events"}
    late = [stable(account, e) for e in found if e["event"] in UPLOADS or e.get("kind") in UPLOADS]
    lines = [stable(account, e) for e in found if e["event"] not in UPLOADS and e.get("kind") not in UPLOADS]
    text = "\n".join([*lines, *sorted(late), ""])
    if os.environ.get("UPDATE_EXPECT"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_the_book_lists_every_event_with_its_keys(account):
    book = BOOK.read_text()
    for line in GOLDEN.read_text().splitlines():
        event = json.loads(line)
        row = next(row for row in book.splitlines() if row.startswith(f"| `{event['event']}` |"))
        for key in set(event) - {"event", "at"}:
            assert f"`{key}`" in row, (event["event"], key)


@pytest.mark.parametrize(
    ("change", "code", "kind"),
    [({"nothing": 1}, 1, "job"), ({"database": "NOWHERE"}, 4, "destination"), ("{", 2, "usage")],
)
def test_last_event_of_a_load_that_fails(account, tmp_path, change, code, kind):
    process = account.begin(account.dataset(), 1)
    process.communicate()
    place = pathlib.Path(process.args[2])
    job = change if isinstance(change, str) else json.dumps(json.loads(place.read_text()) | change)
    place.write_text(job)
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **account.variables()}
    done = subprocess.run([PROGRAM, "run", place, "--json"], capture_output=True, text=True, env=environment)
    last = events(done.stdout)[-1]
    assert (done.returncode, last["event"], last["kind"], last["exit_code"]) == (code, "failed", kind, code)
    assert last["message"] and last["message"] in done.stderr


def test_log_in_json(account):
    process = account.begin(account.dataset(), 1, "--log", "json")
    _, err = process.communicate()
    lines = events(err)
    assert process.returncode == 0
    assert {"started", "request", "statement", "committed", "finished"} <= {line["message"] for line in lines}
    assert all(line["level"] in ("info", "warn", "error") for line in lines)


def test_closed_output_does_not_end_a_load(account):
    dataset = account.dataset()
    process = account.begin(dataset, 1)
    process.stdout.close()
    process.stdout = None
    process.communicate(timeout=60)
    assert process.returncode == 0 and account.loads(dataset) == 1
