"""Files of a stage for Snowcat's host inside Snowflake: pages of text, or of the rows of Parquet and Arrow."""

import base64
import datetime
import decimal
import io
import json
import math
import uuid
import zlib

from snowcat_text import Chained, Gzip, reader

# Of text, in characters; of Parquet and Arrow, in rows.
PAGE = 4 << 20
ROWS = 4096
# What reading a file raises when it is not what it should be.
ERRORS = (OSError, EOFError, UnicodeError, zlib.error, ValueError)


def pages(file, content, encoding=None):
    """The file's text, page by page, decompressed; Parquet and Arrow as a JSON object a row."""
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

    data = pa.BufferReader((io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file).read())
    if content == "parquet":
        batches = pq.ParquetFile(data).iter_batches(ROWS)
    elif data.read(6) == b"ARROW1":
        reader = pa.ipc.open_file(data)
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        data.seek(0)
        batches = pa.ipc.open_stream(data)
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            part = batch.slice(start, ROWS)
            columns = [(json.dumps(name, ensure_ascii=False), _values(column))
                       for name, column in zip(part.schema.names, part.columns, strict=True)]  # fmt: skip
            rows = zip(*(values for _, values in columns), strict=True)
            names = [name for name, _ in columns]
            yield "".join("{%s}\n" % ",".join(map("%s:%s".__mod__, zip(names, row, strict=True))) for row in rows)  # noqa: UP031


def _values(column):
    """The values of an Arrow column as JSON texts; finer than microseconds is cut off, as in the tables."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return _values(column.dictionary_decode())
    kind = _told(column.type)
    if kind != column.type:
        column = column.cast(kind, safe=False)
    return [_json(value) for value in column.to_pylist()]


def _told(kind):
    """The type whose values Python can tell: no nanoseconds, however deep they are, no zones but UTC, no half floats."""
    import pyarrow as pa

    types = pa.types
    if types.is_float16(kind):
        # Older releases of pyarrow end the process where numpy is not installed.
        return pa.float32()
    if types.is_timestamp(kind):
        return pa.timestamp("us" if kind.unit == "ns" else kind.unit, kind.tz and "UTC")
    if types.is_time64(kind):
        return pa.time64("us")
    if types.is_duration(kind):
        return pa.duration("us" if kind.unit == "ns" else kind.unit)
    if types.is_struct(kind):
        return pa.struct([_told_field(kind.field(number)) for number in range(kind.num_fields)])
    if types.is_map(kind):
        return pa.map_(_told_field(kind.key_field), _told_field(kind.item_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_told_field(kind.value_field), kind.list_size)
    if types.is_large_list(kind):
        return pa.large_list(_told_field(kind.value_field))
    if types.is_list(kind):
        return pa.list_(_told_field(kind.value_field))
    return kind


def _told_field(field):
    return field.with_type(_told(field.type))


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
        return "{%s}" % ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_json(inner)}" for key, inner in value.items())  # noqa: UP031
    if isinstance(value, tuple):  # an entry of a map
        return _json(dict(zip(("key", "value"), value, strict=True)))
    return f"[{','.join(map(_json, value))}]"
