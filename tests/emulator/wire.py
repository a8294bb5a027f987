"""Values in the driver protocol: Arrow for the Python connector, strings for the others."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.arrow import to_sf_schema

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def arrow(table: pa.Table, rowtype: list[dict]) -> pa.Table:
    """The table with the physical types and the metadata that the connector expects."""
    columns = [_column(column.combine_chunks()) for column in table.columns]
    plain = pa.schema([field.with_type(c.type) for field, c in zip(table.schema, columns, strict=True)])
    return pa.Table.from_arrays(columns, schema=to_sf_schema(plain, rowtype))


def text(value: Any, kind: str) -> str | None:
    """A value in a JSON row set."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dict) and set(value) == {"_tz_at", "_tz_minutes"}:
        return f"{text(value['_tz_at'], '')} {value['_tz_minutes'] + 1440}"
    if isinstance(value, dt.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        since = aware - EPOCH
        micros = (since.days * 86400 + since.seconds) * 10**6 + since.microseconds
        shown = f"{micros // 10**6}.{micros % 10**6:06d}000"
        return f"{shown} 1440" if kind == "timestamp_tz" else shown
    if isinstance(value, dt.date):
        return str((value - EPOCH.date()).days)
    if isinstance(value, dt.time):
        return f"{value.hour * 3600 + value.minute * 60 + value.second}.{value.microsecond:06d}000"
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    return str(value)


def _column(column: pa.Array) -> pa.Array:
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    if pa.types.is_time(column.type):
        return pc.multiply(column.cast(pa.time64("us")).cast(pa.int64()), 1000)
    offsets = pa.array([1440] * len(column), pa.int32())
    if pa.types.is_struct(column.type) and {f.name for f in column.type} == {"_tz_at", "_tz_minutes"}:
        offsets = pc.fill_null(pc.add(pc.struct_field(column, "_tz_minutes"), 1440), 1440).cast(pa.int32())
        column = pc.struct_field(column, "_tz_at")
    if not pa.types.is_timestamp(column.type):
        return column
    zone = column.type.tz is not None
    micros = column.cast(pa.timestamp("us", "UTC" if zone else None)).cast(pa.int64())
    nulls = pc.is_null(column)
    filled = pc.fill_null(micros, 0)
    # Seconds rounded down, so that the fraction is never negative.
    toward_zero = pc.divide(filled, 10**6)
    below = pc.less(pc.subtract(filled, pc.multiply(toward_zero, 10**6)), 0)
    seconds = pc.subtract(toward_zero, pc.cast(below, pa.int64()))
    fraction = pc.multiply(pc.subtract(filled, pc.multiply(seconds, 10**6)), 1000)
    arrays = [seconds, pc.cast(fraction, pa.int32())]
    names = ["epoch", "fraction"]
    if zone:
        arrays.append(offsets)
        names.append("timezone")
    fields = [pa.field(n, a.type, nullable=False) for n, a in zip(names, arrays, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=fields, mask=nulls)
