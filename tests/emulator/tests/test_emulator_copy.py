"""COPY INTO of the emulator: Parquet and JSON, by a transformation or by column name."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import time

import pyarrow as pa
import pytest
from emulating import FORMAT, STAGE, T, put, refused, rows


def everything() -> pa.Table:
    at = dt.datetime(2024, 1, 2, 3, 4, 5, 678901)
    return pa.table(
        {
            "ID": pa.array([1, 2], pa.int64()),
            "L": pa.array([at.replace(tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
            "NT": pa.array([at, None], pa.timestamp("us")),
            "DOC": ['{"a": [1]}', None],
            "F": [0.5, float("nan")],
            "B": [True, None],
            "D": pa.array([at.date(), None]),
            "TI": pa.array([at.time(), None], pa.time64("us")),
            "BI": [b"\x00\xff", b""],
            "DEC": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(38, 9)),
            "S": ["é", ""],
        }
    )


COLUMNS = {
    "ID": "NUMBER(19,0)",
    "L": "TIMESTAMP_LTZ(6)",
    "NT": "TIMESTAMP_NTZ(6)",
    "DOC": "VARIANT",
    "F": "FLOAT",
    "B": "BOOLEAN",
    "D": "DATE",
    "TI": "TIME",
    "BI": "BINARY",
    "DEC": "NUMBER(38,9)",
    "S": "VARCHAR",
    "NEW": "VARCHAR",
}


def copy(path: str, columns: dict[str, str] = COLUMNS, table: str = T) -> str:
    def item(name: str, kind: str) -> str:
        return f'PARSE_JSON($1:"{name}"::VARCHAR)' if kind == "VARIANT" else f'$1:"{name}"::{kind}'

    listed = ", ".join(f'"{c}"' for c in columns)
    items = ", ".join(item(c, k) for c, k in columns.items())
    return f"COPY INTO {table} ({listed}) FROM (SELECT {items} FROM @{STAGE}/{path}) {FORMAT}"


@pytest.fixture
def staged(lab):
    """The table of `COLUMNS`, a stage, and one file on it."""
    lab.sql(f"CREATE TABLE {T} ({', '.join(f'{chr(34)}{c}{chr(34)} {k}' for c, k in COLUMNS.items())})")
    lab.sql(f"CREATE OR REPLACE STAGE {STAGE} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    put(lab, "1.5/T/a.parquet", everything())
    return lab


def test_copy_with_a_transformation(staged):
    (result,) = rows(staged.session, copy("1.5/T/"))
    assert result == ("snowcat/1.5/T/a.parquet", "LOADED", 2, 2, 1, 0, None, None, None, None)
    first, second = rows(staged.session, f'SELECT * FROM {T} ORDER BY "ID"')
    at = dt.datetime(2024, 1, 2, 3, 4, 5, 678901)
    assert first[1].astimezone(dt.UTC) == at.replace(tzinfo=dt.UTC)
    assert (first[0], *first[2:]) == (
        1,
        at,
        '{"a":[1]}',
        0.5,
        True,
        at.date(),
        at.time(),
        b"\x00\xff",
        decimal.Decimal("1.5"),
        "é",
        None,
    )
    assert (
        second[:4] == (2, None, None, None)
        and second[4] != second[4]
        and second[5:] == (None, None, None, b"", None, "", None)
    )
    assert rows(staged.session, f'SELECT "DOC":"a"[0]::NUMBER(19,0) FROM {T} WHERE "ID" = 1') == [(1,)]


def test_copy_loads_a_file_once_unless_rolled_back(staged):
    session = staged.session
    for statement in ("BEGIN TRANSACTION", copy("1.5/T/"), "ROLLBACK"):
        session.sql(statement).collect()
    assert rows(session, f"SELECT COUNT(*) FROM {T}") == [(0,)]
    assert [r[1] for r in rows(session, copy("1.5/T/")) + rows(session, copy("1.5/T/"))] == ["LOADED", "LOAD_SKIPPED"]
    session.sql(f"TRUNCATE TABLE {T}").collect()
    assert rows(session, copy("1.5/T/"))[0][1] == "LOADED"
    assert rows(session, copy("none/")) == [("Copy executed with 0 files processed.",)]


def test_text_stays_text_in_a_variant(staged):
    staged.sql('CREATE TABLE "RAW"."J"."V" ("DOC" VARIANT)')
    into = '"RAW"."J"."V"'
    staged.sql(f'COPY INTO {into} ("DOC") FROM (SELECT $1:"DOC" FROM @{STAGE}/1.5/T/) {FORMAT}')
    shown = json.dumps('{"a": [1]}')
    assert rows(staged.session, f'SELECT "DOC", "DOC":"a" FROM {into}') == [(shown, None), (None, None)]


def test_copy_by_column_name(staged):
    statement = f"COPY INTO {T} FROM @{STAGE}/1.5/ {FORMAT} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    assert rows(staged.session, statement)[0][1:4] == ("LOADED", 2, 2)
    assert rows(staged.session, f'SELECT "S", "DOC" FROM {T} WHERE "ID" = 1') == [("é", json.dumps('{"a": [1]}'))]


def test_a_bad_value_fails_the_whole_copy(staged):
    put(staged, "bad/a.parquet", pa.table({"S": ["1", "2"]}))
    put(staged, "bad/b.parquet", pa.table({"S": ["3", "x"]}))
    staged.sql('CREATE TABLE "RAW"."J"."N" ("S" NUMBER(19,0))')
    assert refused(staged.session, copy("bad/", {"S": "NUMBER(19,0)"}, '"RAW"."J"."N"')).startswith("100038 (22018)")
    assert rows(staged.session, 'SELECT COUNT(*) FROM "RAW"."J"."N"') == [(0,)]
    staged.put("@RAW.J.SNOWCAT", "junk/a.parquet", b"PAR1 not")
    assert refused(staged.session, copy("junk/")).startswith("100084 (22000)")


def test_copy_of_hundreds_of_columns(lab):
    columns = {f"C{i}": "VARCHAR" for i in range(400)}
    lab.sql(f"CREATE TABLE {T} ({', '.join(f'{chr(34)}{c}{chr(34)} {k}' for c, k in columns.items())})")
    lab.sql(f"CREATE STAGE {STAGE}")
    for n in range(3):
        put(lab, f"w/{n}.parquet", pa.table({c: [str(n)] for c in columns}))
    begun = time.monotonic()
    assert [r[3] for r in rows(lab.session, copy("w/", columns))] == [1, 1, 1]
    assert time.monotonic() - begun < 10


def test_files_are_dropped_with_their_stage(staged):
    assert staged.files(f"@{STAGE}") == ["1.5/T/a.parquet"]
    (found,) = rows(staged.session, f"LIST @{STAGE}/1.5/")
    assert found[0] == "snowcat/1.5/T/a.parquet" and found[1] > 0
    staged.sql(f"CREATE OR REPLACE STAGE {STAGE} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    assert staged.files(f"@{STAGE}") == []
    put(staged, "x", everything())
    put(staged, "x", everything().slice(1))  # a second upload to the same path overwrites
    assert rows(staged.session, copy("x"))[0][3] == 1
    staged.sql(f"DROP STAGE IF EXISTS {STAGE}")
    staged.sql(f"DROP STAGE IF EXISTS {STAGE}")
    assert refused(staged.session, f"DROP STAGE {STAGE}").startswith("002003 (02000)")
    staged.sql(f"CREATE STAGE {STAGE}")
    assert staged.files(f"@{STAGE}") == []
