"""The host contract (`tests/data/HOST.md`) for the Python handler: scripted components, and a session that counts.

`UPDATE_EXPECT=1` writes the expected transcripts again.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
from types import SimpleNamespace
from typing import Any

import pytest
import snowcat_http
import snowcat_procedure as host
from snowcat_engine import to_record
from snowflake.connector.errors import ProgrammingError
from snowflake.snowpark import Row
from wasmtime.component import Variant

FILE = pathlib.Path(__file__).parents[1] / "data/host/cases.json"
CASES = json.loads(FILE.read_text("utf-8"))
PAYLOAD = "AAEC"
REPORT = {
    "load_id": "1.5",
    "pipeline": "p",
    "database": "RAW",
    "dataset": "d",
    "statements": 0,
    "requests": 0,
    "pages": 0,
    "tables": [],
    "files": [],
    "cursors": [],
    "state": "{}",
    "warnings": [],
}


class Scripted:
    """A component that returns the steps of a case, regardless of the replies."""

    engine, load_ms = "scripted", 0.0

    def __init__(self, steps: list[dict]) -> None:
        self.steps = list(steps)

    def start(self, _job: str, _now: str) -> str:
        return "handle"

    def resume(self, _handle: str, _reply: Variant) -> Any:
        if not self.steps:
            return Variant("finished", to_record(REPORT))
        ((tag, detail),) = self.steps.pop(0).items()
        return to_record(detail) if tag == "fault" else Variant(tag, to_record(detail))

    def payload(self, _handle: str) -> str:
        return PAYLOAD


class World:
    """A Snowpark session that answers as the case states, and counts the calls."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.statements: list[str] = []
        self.puts: list[dict] = []
        self.waits: list[float] = []
        self.file = SimpleNamespace(put_stream=self._put)

    def sql(self, text: str) -> SimpleNamespace:
        return SimpleNamespace(collect=lambda: self._run(text))

    def _run(self, text: str) -> list[Row]:
        self.statements.append(text)
        self._fail(text)
        if (affected := self.given.get("affected", {}).get(text)) is not None:
            return [Row(**{"number of rows updated": affected})]
        return [Row(*row) for row in self.given.get("rows", {}).get(text, [])]

    def _put(self, data: Any, path: str, *, auto_compress: bool, overwrite: bool) -> None:
        assert not auto_compress
        self._fail(path)
        self.puts.append({"path": path, "base64": base64.b64encode(data.read()).decode(), "overwrite": overwrite})

    def _fail(self, what: str) -> None:
        if error := self.given.get("errors", {}).get(what):
            raise ProgrammingError(error["message"], errno=error["code"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_handler_keeps_the_contract(case, monkeypatch):
    world, lines, expected = World(case["world"]), [], case["expect"]
    monkeypatch.setattr(host.time, "sleep", world.waits.append)
    warehouse = host.Snowflake(world, snowcat_http.Http({}))
    try:
        host.run(Scripted(case["steps"]), "{}", "2026-01-01T00:00:00Z", warehouse, lines.append)
        ended = "finished"
    except host.LoadError as error:
        ended = error.details["kind"]
    for name in ("statements", "puts", "waits"):
        assert getattr(world, name) == expected.get(name, []), name
    assert ended == expected["ends"]
    if ended == "protocol":
        return  # the transcript of a rejected step is up to the host
    said = [json.loads(line) for line in lines]
    said = [line for line in said if line != {"reply": "start"} and "finished" not in line.get("step", {})]
    if os.environ.get("UPDATE_EXPECT"):
        expected["transcript"] = said
        FILE.write_text(json.dumps(CASES, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert said == expected["transcript"]
