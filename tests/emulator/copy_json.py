"""JSON files of COPY INTO: one object per line, keys matched to columns by name."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from .catalog import SEMI, Column
from .dml import coerce
from .errors import SqlError, not_emulated

if TYPE_CHECKING:
    from .stages import File

OPTIONS = ("TYPE", "BINARY_FORMAT", "COMPRESSION")


def reading(form: dict, match: str, transforming: bool) -> dict:
    """The options of a COPY from JSON, checked."""
    for key in form:
        if str(key).upper() not in OPTIONS:
            raise not_emulated(f"FILE_FORMAT option {key} of JSON")
    if transforming or match == "NONE":
        raise not_emulated("COPY from JSON without MATCH_BY_COLUMN_NAME")
    return {"json": True, "match": match, "base64": str(form.get("BINARY_FORMAT", "HEX")).upper() == "BASE64"}


def query(file: File, columns: list[Column], options: dict) -> tuple[list[Column], str]:
    """The columns for which the file has values, and the query over it."""
    with open(file.place, "rb") as opened:
        packed = opened.read(2) == b"\x1f\x8b"
    names: dict[str, None] = {}
    with (gzip.open if packed else open)(file.place, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line) if line.strip() else {}
            except ValueError as error:
                raise SqlError(
                    100069, "22P02", f"Error parsing JSON: {error}\n  File '{file.shown()}', line {number}"
                ) from error
            if not isinstance(row, dict):
                raise not_emulated("COPY from JSON that is not one object a line")
            names |= dict.fromkeys(row)
    fold = str.upper if options["match"] == "CASE_INSENSITIVE" else str
    by_name = {fold(name): name for name in names}
    found = [c for c in columns if fold(c.name) in by_name]
    values = ", ".join(_value(by_name[fold(c.name)], c, options) for c in found)
    place = file.place.replace("'", "''")
    kind = "gzip" if packed else "none"
    scan = f"read_ndjson_objects('{place}', compression = '{kind}', maximum_object_size = 134217728) AS f(j)"
    return found, f"SELECT {values} FROM {scan}"


def _value(key: str, column: Column, options: dict) -> str:
    path = "'$.\"" + key.replace('"', '\\"').replace("'", "''") + "\"'"
    if column.type.family in SEMI:
        return f"(j -> {path})"
    text = f"(j ->> {path})"
    if column.type.family == "BINARY":
        return f"from_base64({text})" if options["base64"] else f"unhex({text})"
    return coerce(text, "VARCHAR", column)
