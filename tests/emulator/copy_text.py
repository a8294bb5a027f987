"""Text files of COPY INTO with a transformation: JSON, one object a line, and CSV.

A file is converted to Parquet with columns of strings, which the transformation then reads. A column of CSV is named by
its position.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import json
import re
import tempfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import SqlError, not_emulated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .stages import File

# The only values that are emulated.
SHARED = {"BINARY_FORMAT": "HEX", "TRIM_SPACE": False, "NULL_IF": []}
CSV = {
    "RECORD_DELIMITER": "\n",
    "FIELD_DELIMITER": ",",
    "FIELD_OPTIONALLY_ENCLOSED_BY": '"',
    "ESCAPE": "NONE",
    "ESCAPE_UNENCLOSED_FIELD": "NONE",
    "EMPTY_FIELD_AS_NULL": True,
    "SKIP_HEADER": "0",
    "ENCODING": "UTF8",
}
FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)')


def reading(form: dict) -> dict:
    """The options of a COPY from text with a transformation, checked: other values than these are not emulated."""
    kind = str(form["TYPE"]).upper()
    expected = SHARED | (CSV if kind == "CSV" else {})
    for key, value in expected.items():
        if form.get(key) != value:
            raise not_emulated(f"FILE_FORMAT option {key} = {form.get(key)!r} of {kind}")
    packed = str(form.get("COMPRESSION")).upper()
    if packed not in ("GZIP", "NONE"):
        raise not_emulated(f"COMPRESSION = {packed} of {kind}")
    if unknown := form.keys() - expected.keys() - {"TYPE", "COMPRESSION"}:
        raise not_emulated(f"FILE_FORMAT option {unknown} of {kind}")
    parquet = {"logical": True, "binary_as_text": False, "match": "NONE"}
    return parquet | {"text": kind, "gzip": packed == "GZIP"}


def select(text: str, options: dict) -> str:
    """The transformation: `$3` of CSV is the column named 3. The options get the columns that it names."""
    if "text" not in options:
        return text
    if options["text"] == "CSV":
        text = re.sub(r"\$(\d+)", r'$1:"\1"', text)
    options["columns"] = [name.replace('""', '"') for name in re.findall(r'\$1:"((?:[^"]|"")*)"', text)]
    return text


@contextlib.contextmanager
def converted(file: File, options: dict) -> Iterator[File]:
    """The file as Parquet, if it is text."""
    if "text" not in options:
        yield file
        return
    with open(file.place, "rb") as opened:
        data = opened.read()
    text = (gzip.decompress(data) if options["gzip"] else data).decode("utf-8")
    try:
        found = _objects(text) if options["text"] == "JSON" else _fields(text)
    except ValueError as error:
        raise SqlError(100069, "22P02", f"Error parsing {options['text']}: {error}\n  File '{file.shown()}'") from error
    # A column that the file does not have is NULL.
    names = dict.fromkeys([*options["columns"], *(name for row in found for name in row)])
    columns = {name: pa.array([row.get(name) for row in found], pa.string()) for name in names}
    with tempfile.NamedTemporaryFile(suffix=".parquet") as made:
        pq.write_table(pa.table(columns), made)
        made.flush()
        yield dataclasses.replace(file, place=made.name)


def _objects(text: str) -> list[dict[str, str | None]]:
    def shown(value: object) -> str | None:
        return value if isinstance(value, str | None) else json.dumps(value)

    rows = [json.loads(line) for line in text.split("\n") if line]
    return [{name: shown(value) for name, value in row.items()} for row in rows]


def _fields(text: str) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = []
    row: dict[str, str | None] = {}
    at = 0
    while at < len(text):
        field = FIELD.match(text, at)
        if field is None:
            raise ValueError(f"expected a field at character {at}")
        quoted, plain, end = field.groups()
        row[str(len(row) + 1)] = (plain or None) if quoted is None else quoted.replace('""', '"')
        at = field.end()
        if end == "\n":
            rows.append(row)
            row = {}
    return rows
