"""Files on a stage, from the procedure's call to the tables; and what the handler makes of their bytes."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowcat_input
from emulator import Lab

PLUS_ONE = dt.timezone(dt.timedelta(hours=1))
TABLE = pa.table({
    "n": pa.array([1, 2**64 - 1, None], pa.uint64()),
    "d": pa.array([decimal.Decimal("12345678901234567890.10"), None, None], pa.decimal128(38, 2)),
    "at": pa.array([dt.datetime(2024, 1, 2, 3, 4, 5, 6, PLUS_ONE), None, None], pa.timestamp("ns", "Europe/Berlin")),
    "wall": pa.array([dt.datetime(2024, 1, 2), None, None], pa.timestamp("us")),
    "day": pa.array([dt.date(2024, 1, 2), None, None]),
    "b": pa.array([b"\0\xff", None, None], pa.binary()),
    "l": pa.array([[{"x": 1.5}, None], [], None], pa.list_(pa.struct([("x", pa.float64())]))),
    "m": pa.array([[("k", 1)], None, None], pa.map_(pa.string(), pa.int64())),
    "s": pa.array(["é\"", "a", None]).dictionary_encode(),
    "f": pa.array([float("nan"), 1e300, -0.0]),
})  # fmt: skip
NOTHING = dict.fromkeys(TABLE.schema.names)
ROWS = [
    NOTHING | {"n": 1, "d": decimal.Decimal("12345678901234567890.10"), "at": "2024-01-02T03:04:05.000006+01:00",
               "wall": "2024-01-02T00:00:00", "day": "2024-01-02", "b": "AP8=", "l": [{"x": decimal.Decimal("1.5")}, None],
               "m": [{"key": "k", "value": 1}], "s": "é\""},
    NOTHING | {"n": 2**64 - 1, "l": [], "s": "a", "f": decimal.Decimal("1e+300")},
    NOTHING | {"f": decimal.Decimal("-0.0")},
]  # fmt: skip


def written(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(TABLE, out, row_group_size=2)
    else:
        with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(out, TABLE.schema) as writer:
            writer.write_table(TABLE)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "content"), [("parquet", "parquet"), ("file", "arrow"), ("stream", "arrow")])
def test_columns_become_objects(kind, content):
    text = "".join(snowcat_input.pages(io.BytesIO(written(kind)), content))
    assert [json.loads(line, parse_float=decimal.Decimal) for line in text.splitlines()] == ROWS


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True),
                                      lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])])  # fmt: skip
def test_texts_are_unpacked(monkeypatch, compress):
    monkeypatch.setattr(snowcat_input, "PAGE", 10)
    text = "a,é\r\n1,\"😀\"\n" * 9
    pages = list(snowcat_input.pages(io.BytesIO(compress(text.encode())), "text"))
    assert "".join(pages) == text and max(map(len, pages)) <= 10
    assert list(snowcat_input.pages(io.BytesIO(b""), "text")) == []


@pytest.fixture
def lab(built_package):
    with Lab() as made:
        made.install(built_package)
        made.script(
            "CREATE SCHEMA RAW.IN_; CREATE STAGE RAW.IN_.LANDING; GRANT USAGE ON SCHEMA RAW.IN_ TO ROLE SNOWCAT_OWNER; "
            "GRANT READ ON STAGE RAW.IN_.LANDING TO ROLE SNOWCAT_OWNER;"
        )
        yield made


def call(lab: Lab, *resources: dict, kill_after: int | None = None, **more) -> dict:
    job = {"pipeline": "p", "database": "RAW", "dataset": "files", "resources": list(resources), **more}
    text = json.dumps(job).replace("\\", "\\\\").replace("'", "''")
    return lab.call(f"CALL SNOWCAT.CODE.P_LOAD(PARSE_JSON('{text}'))", role="SNOWCAT_CALLER", kill_after=kill_after)


def rows(lab: Lab, table: str, columns: str) -> list[tuple]:
    return sorted(tuple(row) for row in lab.sql(f"SELECT {columns} FROM RAW.FILES.{table}"))


def test_files_of_a_stage_become_rows(lab):
    put = lambda name, data: lab.put("@RAW.IN_.LANDING", name, data)  # noqa: E731
    put("a/1.csv", b"id,v\n1,x\n2,\n")
    put("a/2.csv", b"id,v\n3\n4,\"y\n\"\n")
    put("b/rows.json.gz", gzip.compress(b'[{"id": 5}, {"id": 6, "l": [1, 2]}]'))
    put("c.parquet", written("parquet"))
    result = call(
        lab,
        {"name": "a", "files": "@raw.in_.landing/a/*.csv", "on_bad_record": "reject"},
        {"name": "b", "files": "@raw.in_.landing/**/*.json.gz", "columns": {"id": {"data_type": "bigint"}}},
        {"name": "c", "files": ["@raw.in_.landing/c.parquet"]},
    )
    assert rows(lab, "A", "ID, V") == [("1", "x"), ("2", None), ("4", "y\n")]
    assert rows(lab, "B", "ID") == [(5,), (6,)]
    assert rows(lab, "B__L", "VALUE") == [(1,), (2,)]
    assert rows(lab, "C", "COUNT(*)") == [(3,)]
    assert rows(lab, "_REJECTED", "RESOURCE, FILE, LINE, REASON, RECORD") == [
        ("a", "a/2.csv", 2, "expected 2 fields, found 1", "3")
    ]
    assert result["warnings"] == ["resource a: 1 record was rejected, see the table _rejected"]
    with pytest.raises(Exception, match="expected files at @raw.in_.landing/none, found none"):
        call(lab, {"name": "a", "files": "@raw.in_.landing/none", "format": "csv"})


def test_a_load_in_parts_survives_its_death(lab, monkeypatch):
    monkeypatch.setattr(snowcat_input, "PAGE", 40)
    for n in range(3):
        lab.put("@RAW.IN_.LANDING", f"p/{n}.csv", b"id,v\n" + b"".join(b"%d,%d\n" % (10 * n + i, i) for i in range(10)))
    resource = {"name": "p", "files": "@raw.in_.landing/p/", "format": "csv", "checkpoint": {"pages": 1},
                "write_disposition": "merge", "primary_key": "id"}  # fmt: skip
    with pytest.raises(Exception):  # noqa: B017, PT011
        call(lab, resource, kill_after=45)
    begun = rows(lab, "P", "COUNT(*)")[0][0]
    assert 0 < begun < 30
    result = call(lab, resource)
    assert "resource p: goes on where a load was interrupted" in result["warnings"]
    assert rows(lab, "P", "ID, V") == sorted((str(i), str(i % 10)) for i in range(30))
    # What a window says comes again, and nothing else.
    lab.sql("DELETE FROM RAW.FILES.P")
    window = {"cursor_path": "id", "initial_value": "10", "end_value": "13"}
    call(lab, resource | {"incremental": window})
    assert rows(lab, "P", "ID") == [("10",), ("11",), ("12",)]
    # And by force, everything.
    call(lab, resource | {"incremental": {"cursor_path": "id"}}, force_full_load=True)
    assert rows(lab, "P", "COUNT(*)") == [(30,)]
