"""Reads the files of a stage as pages: of text, or of the cells of Parquet and Arrow."""

import base64
import datetime
import decimal
import io
import json
import math
import uuid
import zlib

from snowcat_text import Chained, Gzip, reader

# The size of a page: of text in characters, of Parquet and Arrow in rows.
PAGE = 4 << 20
ROWS = 4096
# The exceptions of reading a file that is not valid.
ERRORS = (OSError, EOFError, UnicodeError, zlib.error, ValueError)


def pages(file, content, encoding=None):
    """The pages of a file, decompressed. Parquet and Arrow begin with their columns (a list)."""
    file = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
    head = file.read(4)
    file = Chained(head, file)
    if head.startswith(b"\x1f\x8b"):
        file = Gzip(io.BufferedReader(file))
    elif head == b"\x28\xb5\x2f\xfd":
        import pyarrow as pa

        file = pa.input_stream(io.BufferedReader(file), compression="zstd")
    if content != "text":
        yield from _rows(file, content)
        return
    read = reader(io.BufferedReader(file, 1 << 20), encoding or "utf-8")
    while page := read(PAGE):
        yield page


def _rows(file, content):
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.BufferReader(
        (io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file).read()
    )
    if content == "parquet":
        reader = pq.ParquetFile(data)
        schema, batches = reader.schema_arrow, reader.iter_batches(ROWS)
    elif data.read(6) == b"ARROW1":
        reader = pa.ipc.open_file(data)
        schema, batches = (
            reader.schema,
            (reader.get_batch(number) for number in range(reader.num_record_batches)),
        )
    else:
        data.seek(0)
        batches = pa.ipc.open_stream(data)
        schema = batches.schema
    yield [_column(field) for field in schema]
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            cells = map(_cells, batch.slice(start, ROWS).columns)
            yield "".join([f"{line}\n" for line in map("\t".join, zip(*cells, strict=True))])


def _column(field):
    """A column of the interface (`column` in `wit/loads.wit`). The Rust host returns the same."""
    native, kind, precision, scale = _kind(field.type)
    return {
        "name": field.name,
        "native": native,
        "kind": kind,
        "precision": precision,
        "scale": scale,
        "nullable": field.nullable,
    }


def _kind(kind):
    """A type: the source's name, the load's name, precision and scale."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return (
            ("uuid", "text", None, None)
            if kind.extension_name == "arrow.uuid"
            else _kind(kind.storage_type)
        )
    if types.is_decimal(kind):
        native, digits, scale = (
            f"decimal({kind.precision},{kind.scale})",
            kind.precision,
            kind.scale,
        )
        # NUMBER has 38 digits; a text loses none.
        return (
            (native, "decimal", digits, scale)
            if digits <= 38 and 0 <= scale <= digits
            else (native, "text", None, None)
        )
    if types.is_uint64(kind):
        return "uint", "decimal", 20, 0
    if types.is_duration(kind):
        return "duration", "decimal", 19, DIGITS[kind.unit]
    if types.is_time(kind):
        return "time", "time", _finer(kind), None
    if types.is_timestamp(kind):
        names = (
            ("timestamp with time zone", "timestamp") if kind.tz else ("timestamp", "timestamp_ntz")
        )
        return *names, _finer(kind), None
    for native, name, is_kind in (
        ("null", "text", types.is_null),
        ("bool", "bool", types.is_boolean),
        ("int", "bigint", types.is_signed_integer),
        ("uint", "bigint", types.is_unsigned_integer),
        ("float", "double", types.is_floating),
        ("date", "date", types.is_date),
        ("string", "text", lambda kind: types.is_string(kind) or types.is_large_string(kind)),
        (
            "binary",
            "binary",
            lambda kind: (
                types.is_binary(kind)
                or types.is_large_binary(kind)
                or types.is_fixed_size_binary(kind)
            ),
        ),
        ("map", "json", types.is_map),
        ("struct", "json", types.is_struct),
        ("union", "json", types.is_union),
        ("list", "json", types.is_nested),
    ):
        if is_kind(kind):
            return native, name, None, None
    return "unknown", "text", None, None


# How many digits the fraction of a second has, by its unit.
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}


def _finer(kind):
    return 9 if kind.unit == "ns" else None


def _cells(column):
    """The cells of an Arrow column, with every digit; nested values are JSON."""
    import pyarrow as pa

    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        return _cells(column.dictionary_decode())
    if types.is_duration(kind):
        digits = DIGITS[kind.unit]
        return [
            NULL if n is None else _seconds(n, digits) for n in column.cast(pa.int64()).to_pylist()
        ]
    if (types.is_timestamp(kind) or types.is_time(kind)) and kind.unit == "ns":
        nanos = column.cast(pa.int64()).to_pylist()
        # A cast rounds instants before 1970 up, not down.
        micros = pa.array([None if n is None else n // 1000 for n in nanos], pa.int64()).cast(
            _plain(kind)
        )
        return [
            NULL if n is None else _fine(value, n % 1000)
            for value, n in zip(micros.to_pylist(), nanos, strict=True)
        ]
    plain = _plain(kind)
    values = (column if plain == kind else column.cast(plain, safe=False)).to_pylist()
    if types.is_nested(kind):
        return [NULL if value is None else _escaped(_json(value)) for value in values]
    return [NULL if value is None else _cell(value) for value in values]


NULL = "\\N"


def _cell(value):
    if isinstance(value, str):
        return _escaped(value)
    if value is True or value is False:
        return "t" if value else "f"
    if isinstance(value, float):
        return (
            repr(value)
            if math.isfinite(value)
            else "NaN"
            if math.isnan(value)
            else "Infinity"
            if value > 0
            else "-Infinity"
        )
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (datetime.date, datetime.time)):  # a datetime is a date
        return value.isoformat()
    return str(value)


def _escaped(text):
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _fine(value, nanos):
    """An instant or a time of day with microseconds, followed by nanoseconds."""
    if not nanos:
        return value.isoformat()
    plain = value.replace(tzinfo=None).isoformat(timespec="microseconds")
    return f"{plain}{nanos:03}{'+00:00' if value.tzinfo else ''}"


def _seconds(value, digits):
    return format(decimal.Decimal(value).scaleb(-digits), "f")


def _plain(kind):
    """The type with values that Python has: no nanoseconds, no zone but UTC, no half floats."""
    import pyarrow as pa

    types = pa.types
    if types.is_float16(kind):
        # Older releases of pyarrow end the process if numpy is not installed.
        return pa.float32()
    if types.is_timestamp(kind):
        return pa.timestamp("us" if kind.unit == "ns" else kind.unit, kind.tz and "UTC")
    if types.is_time64(kind):
        return pa.time64("us")
    if types.is_duration(kind):
        return pa.duration("us" if kind.unit == "ns" else kind.unit)
    if types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(number)) for number in range(kind.num_fields)])
    if types.is_map(kind):
        return pa.map_(_plain_field(kind.key_field), _plain_field(kind.item_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), kind.list_size)
    if types.is_large_list(kind):
        return pa.large_list(_plain_field(kind.value_field))
    if types.is_list(kind):
        return pa.list_(_plain_field(kind.value_field))
    return kind


def _plain_field(field):
    return field.with_type(_plain(field.type))


def _json(value):
    if value is None or value is True or value is False or isinstance(value, (int, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, uuid.UUID):
        return f'"{value}"'
    if isinstance(value, (datetime.date, datetime.time)):  # a datetime is a date
        return f'"{value.isoformat()}"'
    if isinstance(value, datetime.timedelta):
        return format(decimal.Decimal(value // datetime.timedelta(microseconds=1)).scaleb(-6), "f")
    if isinstance(value, dict):
        members = (
            f"{json.dumps(key, ensure_ascii=False)}:{_json(it)}" for key, it in value.items()
        )
        return f"{{{','.join(members)}}}"
    if isinstance(value, tuple):  # an entry of a map
        return _json(dict(zip(("key", "value"), value, strict=True)))
    return f"[{','.join(map(_json, value))}]"
