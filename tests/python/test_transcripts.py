"""The same job and the same replies result in the same run under the Python host, byte by byte.

`tests/rust/tests/transcripts.rs` does the same for the component under the Rust host and for the library. The runs were
recorded with the emulator; `make record-transcripts` records them again.
"""

from __future__ import annotations

import base64
import json
import pathlib
from types import SimpleNamespace

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

import snowcat_credentials
import snowcat_procedure
from jira import TOKEN, USER, Jira
from snowcat_engine import to_plain
from snowcat_fault import Failed

from emulator import Lab

RUNS = ROOT / "tests/data/transcripts"
JOB = ROOT / "procedures/jobs/jira.json"
DAY = "2024-01-{:02d}T00:00:00.000+0000"
TIMES = ["2026-01-01T00:00:00.5+00:00", "2026-01-02T00:00:00+00:00", "2026-01-03T00:00:00.25+01:00"]


class Recorded:
    """Answers from a transcript, and reports the first difference."""

    def __init__(self, lines: list[str]) -> None:
        self.replies = [json.loads(line)["reply"] for line in lines if line.startswith('{"reply"')][1:]

    def _next(self) -> dict:
        reply = self.replies.pop(0)
        if isinstance(reply, dict) and "failed" in reply:
            failure = reply["failed"]
            raise Failed(failure["code"], failure["message"], failure["transient"])
        return reply

    def sql(self, statements: list[str]) -> list[tuple]:
        return [(o["affected"], o["rows"]) for o in self._next()["outcomes"]]

    def fetch(self, requests: list[dict]) -> list[tuple]:
        return [next(iter(answer.items())) for answer in self._next()["responses"]]

    def upload(self, stage: str, path: str, data: bytes) -> None:
        assert self._next() == "done"

    def wait(self, seconds: float) -> None:
        assert self._next() == "done"


def perform(component, job: str, now: str, warehouse: object) -> list[str]:
    """One run. Returns the lines of its transcript."""
    lines: list[str] = []
    guest = snowcat_procedure.Guest(str(component.parent))
    try:
        snowcat_procedure.run(guest, job, now, warehouse, lines.append)
    except snowcat_procedure.LoadError as error:
        assert error.details["kind"] != "internal", error
    return lines


def live(site: Jira) -> tuple[dict, snowcat_procedure.Http]:
    """The reference job for the small Jira, and a client with its secret."""
    job = json.loads(JOB.read_text().replace("{{jira_subdomain}}", "x"))
    job["client"]["base_url"] = f"http://{site.address}/"
    job["credentials"]["jira"]["hosts"] = [site.address]
    return job, snowcat_procedure.Http(job["credentials"])


def record(component: pathlib.Path) -> None:
    """Record against the emulator: a load, one that finds changes, and one whose credential is rejected."""
    password = [TOKEN]
    snowcat_credentials.secret = lambda getter, alias: SimpleNamespace(username=USER, password=password[0])
    with Jira() as site, Lab() as lab:
        for number in range(1, 6):
            site.put(number, DAY.format(number), summary=f"s{number} é", labels=["a", "b"], customfield_10003={"n": 1})
        for name, now in zip(("first_load", "second_load", "refused"), TIMES, strict=True):
            if name == "second_load":
                site.put(2, DAY.format(9), summary="new", labels=["c"], customfield_10016=1.5)
            if name == "refused":
                password[0] = "wrong"
            job, client = live(site)
            text = json.dumps(job)
            lines = perform(component, text, now, snowcat_procedure.Snowflake(lab.session, client))
            folder = RUNS / name
            folder.mkdir(parents=True, exist_ok=True)
            for file, content in (("job.json", text), ("now.txt", now), ("transcript.jsonl", "\n".join(lines))):
                (folder / file).write_text(content + "\n", encoding="utf-8")


def test_nothing_passed_to_the_component_has_the_secret(component, monkeypatch):
    """The component's memory has what the host passed to it, and nothing else can get there."""
    entered: list[str] = []

    export = snowcat_procedure.Guest._export

    def watched(guest: object, name: str) -> object:
        function = export(guest, name)

        def call(*arguments: object) -> object:
            entered.append(repr([shown(a) for a in arguments]))
            return function(*arguments)

        return call

    def shown(value: object) -> object:
        return to_plain(getattr(value, "payload", value))

    monkeypatch.setattr(snowcat_procedure.Guest, "_export", watched)
    monkeypatch.setattr(
        snowcat_credentials, "secret", lambda getter, alias: SimpleNamespace(username=USER, password=TOKEN)
    )
    with Jira() as site, Lab() as lab:
        site.put(1, DAY.format(1), summary="first words")
        job, client = live(site)
        lines = perform(component, json.dumps(job), TIMES[0], snowcat_procedure.Snowflake(lab.session, client))
    reported = "".join([*entered, *lines])
    assert "first words" in reported
    for hidden in (TOKEN, base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()):
        assert hidden not in reported


@pytest.mark.parametrize("run", sorted(path.name for path in RUNS.iterdir()))
def test_python_host_repeats_the_recorded_transcript(component, run):
    read = lambda name: (RUNS / run / name).read_text(encoding="utf-8")
    recorded = read("transcript.jsonl").splitlines()
    said = perform(component, read("job.json"), read("now.txt").strip(), Recorded(recorded))
    for number, (ours, theirs) in enumerate(zip(said, recorded, strict=True), 1):
        assert ours == theirs, f"line {number}"


if __name__ == "__main__":
    record(ROOT / "target/component/snowcat.wasm")
