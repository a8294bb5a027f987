"""The options of `delivery`: files of every format and compression leave the same rows."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
import snowcat_procedure as host
from conformance.emulated import Holding

from emulator import Lab

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
# Values of every type, and those that a format could confuse: NULL and an empty text, separators, digits beyond
# those of a float.
COLUMNS = {
    "big": {"data_type": "bigint"},
    "exact": {"data_type": "decimal", "precision": 38, "scale": 2},
    "small": {"data_type": "decimal", "precision": 10, "scale": 2},
    "whole": {"data_type": "decimal", "precision": 38, "scale": 0},
    "bytes": {"data_type": "binary"},
    "day": {"data_type": "date"},
    "clock": {"data_type": "time"},
    "instant": {"data_type": "timestamp"},
    "local": {"data_type": "timestamp", "timezone": False},
    "fine": {"data_type": "timestamp", "precision": 9},
    "document": {"data_type": "json"},
}
RECORDS = [
    {
        "id": 1,
        "text": 'a"b,c\n\\N\t\\',
        "big": -(2**63),
        "exact": "123456789012345678901234567890123456.78",
        "small": "-0.05",
        "whole": "12345678901234567890123456789012345678",
        "number": 0.1,
        "flag": True,
        "bytes": "AP9a",
        "day": "1969-12-31",
        "clock": "23:59:59.999999",
        "instant": "1969-12-31T23:59:59.999999Z",
        "local": "2024-02-29T12:00:00.000001",
        "fine": "2024-02-29T12:00:00.123456789Z",
        "document": {"a": [1, 'x,"y', None], "b": 1.50},
        "items": [{"n": 1, "s": ""}, {"n": 2, "s": None}],
    },
    {"id": 2, "text": "", "bytes": "", "flag": False, "number": -1e300, "day": "2024-02-29", "clock": "00:00:00"},
    {"id": 3, "text": "\\N", "number": 5e-324, "document": "null", "instant": "9999-12-31T00:00:00Z"},
    # A column that the first files do not have.
    {"id": 4, "text": "NULL", "late": "x", "big": 0},
    {"id": 5},
]
DELIVERIES = {
    "append": [
        {"compression": "gzip", "max_rows": 1},
        {"format": "jsonl", "compression": "none"},
        {"format": "jsonl", "max_rows": 1},
        {"format": "csv", "compression": "none"},
        {"format": "csv", "max_rows": 1},
    ],
    "merge": [{"format": "jsonl"}, {"format": "csv"}],
}
RESOURCES = {
    "append": {"write_disposition": "append"},
    "merge": {"write_disposition": "merge", "primary_key": "id"},
}


def loaded(guest, resource: dict[str, Any], delivery: dict[str, Any]) -> dict[str, list]:
    """The rows of each table after two loads into an empty account, without the ids of loads."""
    with Lab() as lab:
        job = {"pipeline": "p", "database": "RAW", "dataset": "d", "delivery": delivery}
        job["resources"] = [{"name": "t", "source": "pull", "columns": COLUMNS, **resource}]
        for number in (0, 1):
            now = START + dt.timedelta(days=number)
            lines = "\n".join(json.dumps(record) for record in RECORDS[number:])
            host.run(guest, json.dumps(job), now.isoformat(), Holding(lab.session, [lines]))
        found = {}
        for table in ("T", "T__ITEMS"):
            rows = lab.session.sql(f"SELECT * FROM RAW.D.{table}").collect()
            names = [name for name in rows[0].as_dict() if not name.startswith("_DLT")]
            found[table] = sorted(repr([row[name] for name in names]) for row in rows)
        return found


@pytest.mark.parametrize("disposition", RESOURCES)
def test_every_delivery_leaves_the_same_rows(guest, disposition):
    expected = loaded(guest, RESOURCES[disposition], {})
    assert len(expected["T"]) == (9 if disposition == "append" else 5)
    assert any(r"'a\"b,c" in row or 'a"b,c' in row for row in expected["T"])
    for delivery in DELIVERIES[disposition]:
        assert loaded(guest, RESOURCES[disposition], delivery) == expected, delivery
