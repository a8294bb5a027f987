"""Stored forms of earlier versions still load: a dataset that another version left in the middle of a load in parts.

`tests/data/stored/<commit>.json` has the tables as that version left them. `python tests/python/test_stored.py NAME`
records them again with the component in SNOWCAT_COMPONENT.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]

import pytest
import snowcat_procedure
from conformance.emulated import Emulated

STORED = ROOT / "tests/data/stored"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RESOURCE = {"name": "events", "write_disposition": "append", "primary_key": "n", "checkpoint": {"pages": 1}}
RESOURCE["incremental"] = {"cursor_path": "at"}
JOB = json.dumps({"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [RESOURCE]})


def pages(first: int, last: int) -> list[str]:
    """One page per event."""
    day = "2024-01-{:02d}T00:00:00Z"
    return [json.dumps([{"n": n, "at": day.format(n), "list": [n], "extra": {"a": n}}]) for n in range(first, last + 1)]


def events(emulated: Emulated) -> list[int]:
    return sorted(int(n) for (n,) in emulated.lab.sql('SELECT "N" FROM RAW.D."EVENTS"'))


def dump(emulated: Emulated) -> dict[str, Any]:
    """Every table: its columns with their types, and its rows as strings."""
    found: dict[str, Any] = {}
    tables = emulated.lab.sql(
        "SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'D' ORDER BY TABLE_NAME"
    )
    for (table,) in tables:
        columns = [(r[0], r[1], r[3]) for r in emulated.lab.sql(f'DESCRIBE TABLE RAW.D."{table}"')]
        listed = ", ".join(f'"{name}"::VARCHAR' for name, *_ in columns)
        rows = [list(row) for row in emulated.lab.sql(f'SELECT {listed} FROM RAW.D."{table}"')]
        found[table] = {"columns": columns, "rows": sorted(rows, key=repr)}
    return found


def put(emulated: Emulated, stored: dict[str, Any]) -> None:
    """Create the tables as they were."""
    emulated.lab.sql("CREATE SCHEMA RAW.D")
    for table, found in stored.items():
        columns = ", ".join(
            f'"{name}" {kind}{"" if nullable == "Y" else " NOT NULL"}' for name, kind, nullable in found["columns"]
        )
        emulated.lab.sql(f'CREATE TABLE RAW.D."{table}" ({columns})')
        for row in found["rows"]:
            pairs = zip(row, found["columns"], strict=True)
            values = [
                f"NULL::{kind}" if value is None else f"{_literal(value)}::{kind}" for value, (_, kind, _) in pairs
            ]
            emulated.lab.sql(f'INSERT INTO RAW.D."{table}" SELECT {", ".join(values)}')


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


@pytest.mark.parametrize("file", sorted(STORED.glob("*.json")), ids=lambda file: file.stem)
def test_load_continues_from_the_state_of_another_version(guest, file):
    with Emulated() as emulated:
        put(emulated, json.loads(file.read_text()))
        before = events(emulated)
        assert before[:3] == [1, 2, 3] and len(before) < 9
        report = emulated.load(JOB, pages(4, 9), START + dt.timedelta(days=9), guest, None)
        assert events(emulated) == list(range(1, 10))
        assert any("goes on where a load was interrupted" in warning for warning in report["warnings"])
        # The cursor is stored, so that nothing is loaded twice.
        emulated.load(JOB, pages(4, 9), START + dt.timedelta(days=10), guest, None)
        assert events(emulated) == list(range(1, 10))


def record(name: str) -> None:
    """Run a load, then a load in parts that is killed after the third part."""
    from conformance.guests import Component

    guest = Component(pathlib.Path(os.environ.get("SNOWCAT_COMPONENT", ROOT / "target/component/snowcat.wasm")))
    with Emulated() as emulated:
        emulated.load(JOB, pages(1, 3), START, guest, None)
        seen: list[str] = []

        def count(entry: Any) -> None:
            if entry.sql == "COMMIT":
                seen.append(entry.sql)
            if len(seen) == 3 and entry.sql.startswith("BEGIN"):
                emulated.lab.account.procedures.last.kill_after = 0

        emulated.lab.on_statement(count)
        try:
            emulated.load(JOB, pages(4, 9), START + dt.timedelta(days=1), guest, None)
        except snowcat_procedure.LoadError as error:
            print(error)
        emulated.lab.on_statement(None)
        STORED.mkdir(exist_ok=True)
        (STORED / f"{name}.json").write_text(json.dumps(dump(emulated), indent=1, ensure_ascii=False) + "\n")
        print(events(emulated))


if __name__ == "__main__":
    record(sys.argv[1])
