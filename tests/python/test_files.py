"""Files on a stage, from the procedure's call to the tables; and how the handler decodes them."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import io
import json
import pathlib
import time

import planning
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowcat_input
import snowcat_text
from conformance.direct import install

from emulator import Lab

PLUS_ONE = dt.timezone(dt.timedelta(hours=1))
TABLE = pa.table(
    {
        "n": pa.array([1, 2**64 - 1, None], pa.uint64()),
        "d": pa.array([decimal.Decimal("12345678901234567890.10"), None, None], pa.decimal128(38, 2)),
        "at": pa.array(
            [dt.datetime(2024, 1, 2, 3, 4, 5, 6, PLUS_ONE), None, None], pa.timestamp("ns", "Europe/Berlin")
        ),
        "wall": pa.array([dt.datetime(2024, 1, 2), None, None], pa.timestamp("us")),
        "day": pa.array([dt.date(2024, 1, 2), None, None]),
        "b": pa.array([b"\0\xff", None, None], pa.binary()),
        "l": pa.array([[{"x": 1.5}, None], [], None], pa.list_(pa.struct([("x", pa.float64())]))),
        "m": pa.array([[("k", 1)], None, None], pa.map_(pa.string(), pa.int64())),
        "s": pa.array(['é"', "a", None]).dictionary_encode(),
        "f": pa.array([float("nan"), 1e300, -0.0]),
    }
)
ROWS = [
    [
        "1",
        "12345678901234567890.10",
        "2024-01-02T02:04:05.000006+00:00",
        "2024-01-02T00:00:00",
        "2024-01-02",
        "00ff",
        '[{"x":1.5},null]',
        '[{"key":"k","value":1}]',
        'é"',
        "NaN",
    ],
    ["18446744073709551615", "\\N", "\\N", "\\N", "\\N", "\\N", "[]", "\\N", "a", "1e+300"],
    ["\\N"] * 9 + ["-0.0"],
]


def written(kind: str) -> bytes:
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(TABLE, out, row_group_size=2)
    else:
        with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(out, TABLE.schema) as writer:
            writer.write_table(TABLE)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "content"), [("parquet", "parquet"), ("file", "arrow"), ("stream", "arrow")])
def test_rows_become_cells(kind, content):
    columns, *pages = snowcat_input.pages(io.BytesIO(written(kind)), content)
    assert [column["name"] for column in columns] == TABLE.schema.names
    assert "".join(pages) == "".join("\t".join(row) + "\n" for row in ROWS)


NESTED = pa.table(
    {
        "t": pa.array(
            [[{"x": 1_999, "y": None}], [None], None, []],
            pa.list_(pa.struct([("x", pa.timestamp("ns", "Europe/Berlin")), ("y", pa.string())])),
        ),
        "m": pa.array(
            [[("a", [1, None]), ("b", None)], None, [], [("c", [])]], pa.map_(pa.string(), pa.list_(pa.int16()))
        ),
        "s": pa.array(
            [{"a": {"b": [[1], None, []]}}, {"a": None}, None, {"a": {"b": None}}],
            pa.struct([("a", pa.struct([("b", pa.list_(pa.large_list(pa.int8())))]))]),
        ),
        "f": pa.array([[1, 2], None, [3, None], [0, 0]], pa.list_(pa.int8(), 2)),
        "c": pa.array([["x"], None, ["y", None], []], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        "u": pa.array([b"0123456789abcdef", None, b"\xff" * 16, b"\0" * 16], pa.uuid()),
        "j": pa.array(['{"a": 1}', None, "[]", "1"], pa.json_()),
        # By a cast: older releases need numpy to convert Python's numbers.
        "h": pa.array([1.5, None, float("inf"), 2], pa.float32()).cast(pa.float16()),
        "g": pa.array([0.1, None, 1e-5, 3e38], pa.float32()),
        "e": pa.array([1e-4, 1.5e-5, 1e15, 1e16]),
        "i": pa.array([-(2**63), 2**63 - 1, 0, None]),
        "b": pa.array([True, None, False, True]),
        "k": pa.array([b"", b"a", None, b"\xf0" * 300], pa.large_binary()),
        "o": pa.array([b"ab", None, b"\0\1", b"zz"], pa.binary(2)),
        "z": pa.array([0, -1, None, 253402300799], pa.timestamp("s", "+05:30")),
        "w": pa.array([0, -1, None, 1], pa.timestamp("ms")),
        "d": pa.array([0, -719162, None, 2932896], pa.date32()),
        "q": pa.array([0, 86_400_000, None, -86_400_000], pa.date64()),
        "r": pa.array([0, 86_399, None, 3_600], pa.time32("s")),
        "v": pa.array([0, 1_999, None, 86_399_999_999_999], pa.time64("ns")),
        "l": pa.array([0, 1_500, None, -1_000], pa.duration("ms")),
        "p": pa.array(
            [decimal.Decimal("-0.05"), None, decimal.Decimal("0.00"), decimal.Decimal("9" * 58 + ".99")],
            pa.decimal256(60, 2),
        ),
        "y": pa.nulls(4),
        'ugly "name"\n': pa.array(["\x00\x1f\x7f\u2028", "\\/", None, "\t\r\b\f"], pa.large_string()),
    }
)
# Parquet has half floats only recently, and the Rust host's library does not support them.
KNOWN = NESTED.drop_columns(["h"])
EMPTY = KNOWN.slice(0, 0)
LONG = pa.table(
    {"n": range(20_000), "s": [f"row {n % 700}" for n in range(20_000)], "l": [[n] * (n % 4) for n in range(20_000)]}
)


def parquet(table: pa.Table, **options) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def arrow(table: pa.Table, new=pa.ipc.new_file, codec: str | None = None, **options) -> bytes:
    out = io.BytesIO()
    with new(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table, **options)
    return out.getvalue()


FILES = {
    **{f"{codec}.parquet": parquet(TABLE, compression=codec) for codec in ("none", "snappy", "gzip", "zstd", "lz4")},
    **{
        f"nested-{version}.parquet": parquet(KNOWN, data_page_version=version, row_group_size=3)
        for version in ("1.0", "2.0")
    },
    "plain.parquet": parquet(KNOWN, use_dictionary=False, compression="zstd", data_page_version="2.0"),
    # As other programs write it: without Arrow's types. Only Arrow has durations.
    "others.parquet": parquet(KNOWN.drop_columns(["l", "y"]), store_schema=False),
    "int96.parquet": parquet(TABLE, use_deprecated_int96_timestamps=True),
    "old.parquet": parquet(TABLE, version="1.0", compression="gzip"),
    "empty.parquet": parquet(EMPTY),
    "long.parquet": parquet(LONG, row_group_size=7_000, data_page_size=1_000, dictionary_pagesize_limit=2_000),
    "packed.parquet.gz": gzip.compress(parquet(KNOWN)),
    "packed.parquet.zst": pa.compress(parquet(KNOWN), "zstd", asbytes=True),
    **{f"{codec}.arrow": arrow(NESTED, codec=codec) for codec in (None, "lz4", "zstd")},
    "stream.arrows": arrow(NESTED, pa.ipc.new_stream),
    "batches.feather": arrow(LONG, codec="lz4", max_chunksize=3_000),
    "table.arrow": arrow(TABLE),
    "empty.arrow": arrow(EMPTY),
}


def test_both_hosts_decode_files_equally(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    found = planning.files(tmp_path, *FILES)
    assert list(found) == list(FILES)
    for name, text in found.items():
        content = "parquet" if ".parquet" in name else "arrow"
        columns, *pages = snowcat_input.pages(io.BytesIO(FILES[name]), content)
        assert planning.columns(tmp_path)[name] == columns, name
        assert text.split("\n") == "".join(pages).split("\n"), name
        assert (text == "") == name.startswith("empty"), name


@pytest.mark.parametrize("name", ["snappy.parquet", "nested-2.0.parquet", "lz4.arrow", "stream.arrows"])
def test_damaged_files_are_errors(name, tmp_path):
    whole = FILES[name]

    def check(data: bytes) -> bool:
        (tmp_path / name).write_bytes(data)
        try:
            planning.files(tmp_path, name)
        except planning.Refused as error:
            assert name in str(error)
            return True
        return False

    assert all(check(whole[:length]) for length in (0, len(whole) // 2))
    for at in range(5, len(whole), len(whole) // 3):
        # Not everything has a checksum; a read returns an error of the file, or none.
        check(whole[:at] + bytes(byte ^ 0x55 for byte in whole[at : at + 8]) + whole[at + 8 :])


@pytest.mark.parametrize(
    "compress",
    [
        bytes,
        gzip.compress,
        lambda data: pa.compress(data, "zstd", asbytes=True),
        lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    ],
)
def test_texts_are_decompressed(monkeypatch, compress):
    monkeypatch.setattr(snowcat_input, "PAGE", 10)
    text = 'a,é\r\n1,"😀"\n' * 9
    pages = list(snowcat_input.pages(io.BytesIO(compress(text.encode())), "text"))
    assert "".join(pages) == text and max(map(len, pages)) <= 10
    assert list(snowcat_input.pages(io.BytesIO(b""), "text")) == []


NAMES = json.loads((pathlib.Path(__file__).parents[2] / "procedures/jobs/job.schema.json").read_text())
ENCODINGS = NAMES["definitions"]["resource"]["properties"]["encoding"]["enum"]


def test_encodings_of_jobs_are_those_of_the_host():
    assert sorted(ENCODINGS) == sorted(snowcat_text.CODECS)


def test_both_hosts_decode_encodings_equally(tmp_path, monkeypatch):
    every = bytes(byte for byte in range(256) if byte not in b'\r\n"')
    wide = "aé日本語ｶﾅ😀".encode
    texts = dict.fromkeys(ENCODINGS, b'"' + every + b'"\n') | {
        "utf-8": wide() + every + "é".encode()[:1],
        "shift_jis": "日本語ｶﾅ～①髙".encode("cp932") + b"\xa0\xfd.\x81",
        "utf-16": wide("utf-16") + b"\x3d\xd8a\0\x3d",
        "utf-16le": wide("utf-16-le") + b"\x3d\xd8a\0\x3d",
        "utf-16be": wide("utf-16-be") + b"\xd8\x3d\0a\xd8",
    }
    monkeypatch.setattr(snowcat_input, "PAGE", 7)
    for name, data in texts.items():
        (tmp_path / "a.jsonl").write_bytes(data)
        expect = "".join(snowcat_input.pages(io.BytesIO(data), "text", name))
        assert planning.text(tmp_path, "a.jsonl", encoding=name) == expect, name
        # Every undecodable byte has a mark, and nothing is lost.
        assert (snowcat_text.MARK in expect) == (name not in WHOLE), name


WHOLE = (
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-15",
    "iso-8859-16",
    "windows-1256",
    "koi8-r",
    "ibm866",
    "macintosh",
)


def test_unknown_encoding_is_an_error():
    with pytest.raises(ValueError, match="that this host knows, found 'rot13'"):
        list(snowcat_input.pages(io.BytesIO(b"a"), "text", "rot13"))


def test_gzip_of_many_members_takes_linear_time():
    packed = gzip.compress(b"") * 100_000 + b"\0" * 99 + gzip.compress(b"x") + b"\0" * 100_000
    started = time.process_time()
    assert list(snowcat_input.pages(io.BytesIO(packed), "text")) == ["x"]
    assert time.process_time() - started < 10
    for broken in (packed + b"junk", packed[:-100_001], packed[:-100_009]):
        with pytest.raises(snowcat_input.ERRORS):
            list(snowcat_input.pages(io.BytesIO(broken), "text"))


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


def call(lab: Lab, *resources: dict, kill_after: int | None = None, **more) -> dict:
    job = {"pipeline": "p", "database": "RAW", "dataset": "files", "resources": list(resources), **more}
    text = json.dumps(job).replace("\\", "\\\\").replace("'", "''")
    return lab.call(f"CALL SNOWCAT.CODE.P_LOAD(PARSE_JSON('{text}'))", role="SNOWCAT_AUTHOR", kill_after=kill_after)


def rows(lab: Lab, table: str, columns: str) -> list[tuple]:
    return sorted(tuple(row) for row in lab.sql(f"SELECT {columns} FROM RAW.FILES.{table}"))


def test_files_of_a_stage_become_rows(lab):
    put = lambda name, data: lab.put("@RAW.IN_.LANDING", name, data)
    put("a/1.csv", b"id,v\n1,x\n2,\n")
    put("a/2.csv", b'id,v\n3\n4,"y\n"\n')
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
    with pytest.raises(Exception, match=r"expected files at @raw\.in_\.landing/none, found none"):
        call(lab, {"name": "a", "files": "@raw.in_.landing/none", "format": "csv"})


def test_files_in_an_encoding_with_undecodable_bytes(lab):
    lab.put("@RAW.IN_.LANDING", "a.csv", "id,v\n1,caf\u00e9\n2,\u20ac\n".encode("windows-1252"))
    lab.put("@RAW.IN_.LANDING", "b.csv", b"id,v\n1,ok\n2,caf\xe9\n3,ok\n")
    text = {"name": "a", "files": "@raw.in_.landing/a.csv", "encoding": "windows-1252"}
    call(lab, text, {"name": "b", "files": "@raw.in_.landing/b.csv", "on_bad_record": "reject"})
    assert rows(lab, "A", "ID, V") == [("1", "caf\u00e9"), ("2", "\u20ac")]
    assert rows(lab, "B", "ID, V") == [("1", "ok"), ("3", "ok")]
    why = 'expected text in UTF-8, found the byte 0xE9 ("encoding" says what else a file is written in)'
    assert rows(lab, "_REJECTED", "FILE, LINE, REASON, RECORD") == [("b.csv", 3, why, "2,caf\ufffd")]
    with pytest.raises(Exception, match=r'found the byte 0xE9 .*"file b.csv", "line 3"'):
        call(lab, {"name": "b", "files": "@raw.in_.landing/b.csv"})


def test_killed_load_in_parts_resumes(lab, monkeypatch):
    monkeypatch.setattr(snowcat_input, "PAGE", 40)
    for n in range(3):
        lab.put("@RAW.IN_.LANDING", f"p/{n}.csv", b"id,v\n" + b"".join(b"%d,%d\n" % (10 * n + i, i) for i in range(10)))
    resource = {
        "name": "p",
        "files": "@raw.in_.landing/p/",
        "format": "csv",
        "checkpoint": {"pages": 1},
        "write_disposition": "merge",
        "primary_key": "id",
    }
    with pytest.raises(Exception):  # noqa: B017, PT011
        call(lab, resource, kill_after=45)
    begun = rows(lab, "P", "COUNT(*)")[0][0]
    assert 0 < begun < 30
    result = call(lab, resource)
    assert "resource p: goes on where a load was interrupted" in result["warnings"]
    assert rows(lab, "P", "ID, V") == sorted((str(i), str(i % 10)) for i in range(30))
    # The window of the cursor is read again, and nothing else.
    lab.sql("DELETE FROM RAW.FILES.P")
    window = {"cursor_path": "id", "initial_value": "10", "end_value": "13"}
    call(lab, resource | {"incremental": window})
    assert rows(lab, "P", "ID") == [("10",), ("11",), ("12",)]
    # A forced full load reads everything.
    call(lab, resource | {"incremental": {"cursor_path": "id"}}, force_full_load=True)
    assert rows(lab, "P", "COUNT(*)") == [(30,)]
