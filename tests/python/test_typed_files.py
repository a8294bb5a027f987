"""The types of Parquet and Arrow: how both hosts report them, and the resulting columns of tables."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json

import planning
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowcat_input
from conformance.direct import install
from test_files import call

from emulator import Lab

D = decimal.Decimal
NULL = "\\N"
# Values; their column: native type, kind, precision, scale; and their cells.
CASES = {
    "int8": (pa.array([-128, None], pa.int8()), ("int", "bigint"), ["-128", NULL]),
    "int64": (pa.array([-(2**63), 2**63 - 1]), ("int", "bigint"), ["-9223372036854775808", "9223372036854775807"]),
    "uint32": (pa.array([2**32 - 1], pa.uint32()), ("uint", "bigint"), ["4294967295"]),
    "uint64": (pa.array([2**64 - 1], pa.uint64()), ("uint", "decimal", 20, 0), ["18446744073709551615"]),
    "bool": (pa.array([True, False, None]), ("bool", "bool"), ["t", "f", NULL]),
    "float": (pa.array([0.1, None], pa.float32()), ("float", "double"), ["0.10000000149011612", NULL]),
    "double": (
        pa.array([1.0, 1e16, -0.0, 5e-324, float("nan"), float("inf"), float("-inf")]),
        ("float", "double"),
        ["1.0", "1e+16", "-0.0", "5e-324", "NaN", "Infinity", "-Infinity"],
    ),
    "decimal": (
        pa.array([D("12345678901234567890.12"), D("-0.05"), D("0.00"), None], pa.decimal128(38, 2)),
        ("decimal(38,2)", "decimal", 38, 2),
        ["12345678901234567890.12", "-0.05", "0.00", NULL],
    ),
    "decimal_small": (pa.array([D("1E-9")], pa.decimal128(9, 9)), ("decimal(9,9)", "decimal", 9, 9), ["0.000000001"]),
    "decimal_large": (
        pa.array([D("9" * 58 + ".99")], pa.decimal256(60, 2)),
        ("decimal(60,2)", "text"),
        ["9" * 58 + ".99"],
    ),
    "date": (
        pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
        ("date", "date"),
        ["0001-01-01", "9999-12-31", NULL],
    ),
    "date64": (pa.array([86_400_000], pa.date64()), ("date", "date"), ["1970-01-02"]),
    "time_s": (pa.array([86_399], pa.time32("s")), ("time", "time"), ["23:59:59"]),
    "time_us": (pa.array([1], pa.time64("us")), ("time", "time"), ["00:00:00.000001"]),
    "time_ns": (pa.array([1, 1000], pa.time64("ns")), ("time", "time", 9), ["00:00:00.000000001", "00:00:00.000001"]),
    "wall_ms": (
        pa.array([-1, None], pa.timestamp("ms")),
        ("timestamp", "timestamp_ntz"),
        ["1969-12-31T23:59:59.999000", NULL],
    ),
    "wall_us": (
        pa.array([0, 1], pa.timestamp("us")),
        ("timestamp", "timestamp_ntz"),
        ["1970-01-01T00:00:00", "1970-01-01T00:00:00.000001"],
    ),
    "wall_ns": (
        pa.array([-1, 1_999], pa.timestamp("ns")),
        ("timestamp", "timestamp_ntz", 9),
        ["1969-12-31T23:59:59.999999999", "1970-01-01T00:00:00.000001999"],
    ),
    "instant_us": (
        pa.array([1], pa.timestamp("us", "Europe/Berlin")),
        ("timestamp with time zone", "timestamp"),
        ["1970-01-01T00:00:00.000001+00:00"],
    ),
    "instant_ns": (
        pa.array([1, None], pa.timestamp("ns", "UTC")),
        ("timestamp with time zone", "timestamp", 9),
        ["1970-01-01T00:00:00.000000001+00:00", NULL],
    ),
    "duration": (
        pa.array([-1, 1_500], pa.duration("ns")),
        ("duration", "decimal", 19, 9),
        ["-0.000000001", "0.000001500"],
    ),
    "string": (
        pa.array(["", "\\N", "a\tb\nc\\d\r", "2024-01-01T00:00:00Z", None]),
        ("string", "text"),
        ["", "\\\\N", "a\\tb\\nc\\\\d\r", "2024-01-01T00:00:00Z", NULL],
    ),
    "category": (pa.array(["x", None]).dictionary_encode(), ("string", "text"), ["x", NULL]),
    "binary": (pa.array([b"", b"\0\xffZ", None], pa.binary()), ("binary", "binary"), ["", "00ff5a", NULL]),
    "fixed": (pa.array([b"ab"], pa.binary(2)), ("binary", "binary"), ["6162"]),
    "uuid": (pa.array([b"0123456789abcdef"], pa.uuid()), ("uuid", "text"), ["30313233-3435-3637-3839-616263646566"]),
    "null": (pa.nulls(2), ("null", "text"), [NULL, NULL]),
    "list": (pa.array([[1, None], [], None]), ("list", "json"), ["[1,null]", "[]", NULL]),
    "struct": (
        pa.array([{"s": 'a\n"', "d": D("1.50")}, None]),
        ("struct", "json"),
        ['{"s":"a\\\\n\\\\"","d":1.50}', NULL],
    ),
    "map": (
        pa.array([[("k", b"\xff")], None], pa.map_(pa.string(), pa.binary())),
        ("map", "json"),
        ['[{"key":"k","value":"/w=="}]', NULL],
    ),
}


def written(table: pa.Table, kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out)
    else:
        with pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
    return out.getvalue()


def test_both_hosts_report_the_same_types(tmp_path):
    files = {
        f"{name}.{kind}": written(pa.table({"c": values}), kind)
        for name, (values, *_) in CASES.items()
        for kind in ("parquet", "arrow")
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    of_rust = planning.files(tmp_path, *files)
    columns_of_rust = planning.columns(tmp_path)
    for name, data in files.items():
        _, said, cells = CASES[name.split(".")[0]]
        native, kind, precision, scale = (*said, None, None)[:4]
        column = {"name": "c", "native": native, "kind": kind, "precision": precision, "scale": scale, "nullable": True}
        columns, *pages = snowcat_input.pages(io.BytesIO(data), name.split(".")[1])
        assert (columns, "".join(pages)) == ([column], "".join(f"{cell}\n" for cell in cells)), name
        assert (columns_of_rust[name], of_rust[name]) == (columns, "".join(pages)), name


@pytest.fixture
def lab(built_package):
    with Lab() as made:
        install(made, built_package)
        made.script(
            "CREATE SCHEMA RAW.IN_; CREATE STAGE RAW.IN_.LANDING; GRANT USAGE ON SCHEMA RAW.IN_ TO ROLE SNOWCAT_OWNER; "
            "GRANT READ ON STAGE RAW.IN_.LANDING TO ROLE SNOWCAT_OWNER;"
        )
        policy = {"jobs": {"schemas": ["RAW.FILES"], "stages": ["@RAW.IN_.LANDING"]}}
        made.put("@SNOWCAT.CODE.FILES", "policy.json", json.dumps(policy).encode())
        yield made


def put(lab: Lab, name: str, table: pa.Table) -> None:
    lab.put("@RAW.IN_.LANDING", name, written(table, "parquet"))


def types(lab: Lab, table: str) -> dict[str, str]:
    found = lab.sql(
        "SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE FROM RAW.INFORMATION_SCHEMA.COLUMNS "
        f"WHERE TABLE_SCHEMA = 'FILES' AND TABLE_NAME = '{table}' ORDER BY ORDINAL_POSITION"
    )
    number = lambda kind, digits, scale: f"NUMBER({digits},{scale})" if kind == "NUMBER" else kind
    return {name: number(*rest) for name, *rest in found if not name.startswith("_DLT")}


def test_types_of_files_become_types_of_columns(lab):
    put(
        lab,
        "t.parquet",
        pa.table(
            {
                "amount": pa.array([D("12345678901234567890.12"), D("0.10")], pa.decimal128(38, 2)),
                "day": pa.array([dt.date(2024, 1, 31), None]),
                "at": pa.array([dt.time(10, 0, 1), None], pa.time64("us")),
                "blob": pa.array([b"\0\xff", None]),
                "wall": pa.array([1, 1_001], pa.timestamp("us")),
                "wall_fine": pa.array([None, 1_001], pa.timestamp("ns")),
                "fine": pa.array([1, 1_704_164_645_000_006_007], pa.timestamp("ns", "UTC")),
                "clock": pa.array([None, 36_001_000_001_001], pa.time64("ns")),
                "big": pa.array([2**64 - 1, None], pa.uint64()),
                "text": pa.array(["2024-01-01T00:00:00Z", None]),
                "items": pa.array([[{"n": 1}, {"n": 2}], []]),
            }
        ),
    )
    resource = {"name": "t", "files": "@raw.in_.landing/t.parquet"}
    call(lab, resource)
    assert types(lab, "T") == {
        "AMOUNT": "NUMBER(38,2)",
        "DAY": "DATE",
        "AT": "TIME",
        "BLOB": "BINARY",
        "WALL": "TIMESTAMP_NTZ",
        "WALL_FINE": "TIMESTAMP_NTZ",
        "FINE": "TIMESTAMP_LTZ",
        "CLOCK": "TIME",
        "BIG": "NUMBER(20,0)",
        "TEXT": "TEXT",
    }
    found = lab.sql('SELECT AMOUNT, "DAY", "AT", BLOB, BIG, TEXT FROM RAW.FILES.T ORDER BY AMOUNT DESC')
    assert [tuple(row) for row in found] == [
        (
            D("12345678901234567890.12"),
            dt.date(2024, 1, 31),
            dt.time(10, 0, 1),
            b"\0\xff",
            2**64 - 1,
            "2024-01-01T00:00:00Z",
        ),
        (D("0.10"), None, None, None, None, None),
    ]
    # The emulator has microseconds only; the service runs the statement that converts nanoseconds.
    found = lab.sql('SELECT FINE, "CLOCK", WALL_FINE FROM RAW.FILES.T ORDER BY FINE')
    assert [(fine.astimezone(dt.UTC), *rest) for fine, *rest in found] == [
        (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), None, None),
        (dt.datetime(2024, 1, 2, 3, 4, 5, 6, dt.UTC), dt.time(10, 0, 1, 1), dt.datetime(1970, 1, 1, 0, 0, 0, 1)),
    ]
    assert sorted(row[0] for row in lab.sql("SELECT N FROM RAW.FILES.T__ITEMS")) == [1, 2]


def test_files_with_different_types_lose_nothing(lab):
    put(lab, "d/a.parquet", pa.table({"id": [1], "v": pa.array([1], pa.int64())}))
    put(lab, "d/b.parquet", pa.table({"id": [2, 3], "v": pa.array([D("2.50"), D("3.00")], pa.decimal128(38, 2))}))
    put(lab, "d/c.parquet", pa.table({"id": [4], "v": pa.array([dt.date(2024, 1, 31)])}))
    call(lab, {"name": "d", "files": "@raw.in_.landing/d/", "format": "parquet"})
    assert types(lab, "D") == {
        "ID": "NUMBER(19,0)",
        "V": "NUMBER(19,0)",
        "V__V_DECIMAL": "NUMBER(38,2)",
        "V__V_DATE": "DATE",
    }
    found = lab.sql("SELECT ID, V, V__V_DECIMAL, V__V_DATE FROM RAW.FILES.D ORDER BY ID")
    assert [tuple(row) for row in found] == [
        (1, 1, None, None),
        (2, None, D("2.50"), None),
        (3, 3, None, None),
        (4, None, None, dt.date(2024, 1, 31)),
    ]


def test_types_of_the_job_take_precedence(lab):
    put(
        lab,
        "w.parquet",
        pa.table({"amount": pa.array([D("1.50")], pa.decimal128(38, 2)), "at": pa.array([1], pa.timestamp("us"))}),
    )
    columns = {"amount": {"data_type": "double"}, "at": {"data_type": "date"}}
    call(lab, {"name": "w", "files": "@raw.in_.landing/w.parquet", "columns": columns})
    assert types(lab, "W") == {"AMOUNT": "FLOAT", "AT": "DATE"}
    assert [tuple(row) for row in lab.sql('SELECT AMOUNT, "AT" FROM RAW.FILES.W')] == [(1.5, dt.date(1970, 1, 1))]
