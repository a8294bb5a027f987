"""Reads Parquet files with readers of other projects, and compares types and values.

python parquet_read_back.py DIRECTORY

The directory has `NAME.parquet` and, for each, `NAME.json` with the expectation. The tests of the guest write both
there if SNOWCAT_READ_BACK names the directory.
"""

import json
import struct
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

# DuckDB's range of dates and timestamps is smaller than that of the numbers, and has infinities.
DUCKDB_MICROS = 2**62
DUCKDB_DAYS = 2**21


def arrow_type(column):
    """The type that pyarrow must see."""
    if column["type"] == "decimal":
        return pa.decimal128(column["precision"], column["scale"])
    return {
        "bigint": pa.int64(),
        "binary": pa.binary(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "double": pa.float64(),
        "json": pa.string(),
        "text": pa.string(),
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us", "UTC" if column["timezone"] else None),
    }[column["type"]]


def arrow_values(column, values):
    """The values that pyarrow found, in the form of the expectation."""
    kind = column["type"]
    if kind in ("timestamp", "time"):
        values = values.cast(pa.int64())
    elif kind == "date":
        values = values.cast(pa.int32())
    convert = {
        "bigint": str,
        "binary": bytes.hex,
        "decimal": unscaled,
        "double": lambda value: struct.pack(">d", value).hex(),
        "time": str,
        "timestamp": str,
    }.get(kind, lambda value: value)
    return [None if value is None else convert(value) for value in values.to_pylist()]


def unscaled(value):
    sign, digits, _ = value.as_tuple()
    return str((-1) ** sign * int("".join(map(str, digits))))


def check_pyarrow(path, expect):
    file = pq.ParquetFile(path)
    assert file.metadata.created_by.startswith("snowcat version "), file.metadata.created_by
    groups = [file.metadata.row_group(at).num_rows for at in range(file.metadata.num_row_groups)]
    assert groups == expect["row_groups"], groups
    # With Arrow's schema in the metadata, and with Parquet's own types only.
    for table in (file.read(), without_arrow_schema(path)):
        assert table.column_names == [column["name"] for column in expect["columns"]]
        for column, values in zip(expect["columns"], table.columns, strict=True):
            assert values.type == arrow_type(column), (column["name"], values.type)
            values.validate(full=True)
            compare(column, arrow_values(column, values.combine_chunks()), column["values"])
    check_statistics(file, expect)


def without_arrow_schema(path):
    """The table as a reader without support for Arrow's schema sees it."""
    data = path.read_bytes().replace(b"ARROW:schema", b"arrow_schema")
    return pq.ParquetFile(pa.BufferReader(data)).read()


def check_statistics(file, expect):
    """The statistics must bound the values, because readers skip pages by them."""
    start = 0
    for at, rows in enumerate(expect["row_groups"]):
        for number, column in enumerate(expect["columns"]):
            values = [v for v in column["values"][start : start + rows] if v is not None]
            statistics = file.metadata.row_group(at).column(number).statistics
            assert statistics.null_count == rows - len(values), column["name"]
            if column["type"] == "bigint" and values:
                numbers = [int(value) for value in values]
                assert statistics.has_min_max, column["name"]
                assert (statistics.min, statistics.max) == (min(numbers), max(numbers))
        start += rows


def duckdb_type(column):
    """The type that DuckDB must see."""
    return {
        "bigint": "BIGINT",
        "binary": "BLOB",
        "bool": "BOOLEAN",
        "date": "DATE",
        "decimal": f"DECIMAL({column['precision']},{column['scale']})",
        "double": "DOUBLE",
        "json": "VARCHAR",
        "text": "VARCHAR",
        "time": "TIME",
        "timestamp": "TIMESTAMP WITH TIME ZONE" if column["timezone"] else "TIMESTAMP",
    }[column["type"]]


def check_duckdb(path, expect):
    relation = f"read_parquet('{path}', file_row_number = true)"
    types = duckdb.sql(f"DESCRIBE SELECT * EXCLUDE file_row_number FROM {relation}").fetchall()
    found = [(name, kind) for name, kind, *_ in types]
    assert found == [(c["name"], duckdb_type(c)) for c in expect["columns"]], found
    for column in expect["columns"]:
        name, kind = f'"{column["name"]}"', column["type"]
        numbers, limit = kind in ("timestamp", "date"), DUCKDB_MICROS
        expression = name
        if kind == "timestamp":
            expression = f"epoch_us({name})"
        elif kind == "time":
            expression = f"date_diff('microsecond', TIME '00:00:00', {name})"
        elif kind == "date":
            expression, limit = f"{name} - DATE '1970-01-01'", DUCKDB_DAYS
        elif kind == "binary":
            expression = f"lower(hex({name}))"
        elif kind == "decimal":
            expression = f"replace({name}::VARCHAR, '.', '')"
        wanted = column["values"]
        rows = range(len(wanted))
        where = ""
        if numbers:
            rows = [row for row in rows if wanted[row] is None or abs(int(wanted[row])) < limit]
            where = f"WHERE file_row_number IN (SELECT unnest({rows}))" if rows else "WHERE false"
        query = f"SELECT {expression} FROM {relation} {where} ORDER BY file_row_number"
        values = [value for (value,) in duckdb.sql(query).fetchall()]
        convert = {
            "bigint": str,
            "decimal": lambda value: str(int(value)),
            "double": lambda value: struct.pack(">d", value).hex(),
            "time": str,
            "timestamp": str,
        }.get(kind, lambda value: value)
        values = [None if value is None else convert(value) for value in values]
        compare(column, values, [wanted[row] for row in rows])


def compare(column, found, expect):
    assert len(found) == len(expect), (column["name"], len(found), len(expect))
    for row, pair in enumerate(zip(found, expect, strict=True)):
        assert pair[0] == pair[1], f"{column['name']} ({column['type']}), row {row}: {pair}"


def main(directory):
    files = sorted(Path(directory).glob("*.parquet"))
    if not files:
        sys.exit(f"expected Parquet files in {directory}, found none")
    for path in files:
        expect = json.loads(path.with_suffix(".json").read_text())
        check_pyarrow(path, expect)
        check_duckdb(path, expect)
        print(f"{path.name}: {sum(expect['row_groups'])} rows, {len(expect['columns'])} columns")


if __name__ == "__main__":
    main(*sys.argv[1:])
