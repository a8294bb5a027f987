"""A load without a database: the statements and files that the guest sends, parsed. Fast enough for one load per
text.
"""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import snowcat_procedure as host
from snowcat_engine import to_plain
from wasmtime.component import Record, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .guests import Component, Library

NOW = "2026-01-01T00:00:00+00:00"
COLUMN = re.compile(r'^"((?:[^"]|"")+)" ([A-Z_]+(?:\(\d+(?:,\d+)?\))?)', re.M)


@dataclass
class Sent:
    """The statements and files of a load."""

    statements: list[str] = field(default_factory=list)
    files: list[tuple[str, pa.Table]] = field(default_factory=list)

    def rows(self, of: str = "0.0.") -> list[dict[str, Any]]:
        """The rows of a table, by the directory of its files."""
        return [row for path, table in self.files if f"/{of}" in path for row in table.to_pylist()]

    def types(self) -> dict[str, str]:
        """The columns that were created, in any table, with the types they are declared with."""
        created = [s for s in self.statements if s.startswith("CREATE TABLE") and '"_DLT_ID" VARCHAR' in s]
        return {name.replace('""', '"'): kind for s in created for name, kind in COLUMN.findall(s)}


def dry_run(guest: Component | Library, job: dict[str, Any], pages: Iterable[str] = (), steps: int = 0) -> Sent:
    """Run a job on these pages; `steps` ends it early. A `LoadError` if it fails."""
    sent, held = Sent(), iter(pages)
    handle = _checked(guest.start(json.dumps(job), NOW))
    reply = Variant("start")
    taken = 0
    while True:
        step = _checked(guest.resume(handle, reply))
        taken += 1
        detail = to_plain(step.payload)
        if step.tag == "sql":
            sent.statements += detail["statements"]
        if step.tag == "finished" or taken == steps:
            return sent
        if step.tag == "pull":
            page = next(held, None)
            reply = Variant("end") if page is None else Variant("page", page)
        elif step.tag == "upload":
            data = base64.b64decode(_checked(guest.payload(handle)))
            sent.files.append((detail["path"], pq.read_table(io.BytesIO(data))))
            reply = Variant("done")
        else:
            reply = Variant("dry-run")


def _checked(result: Any) -> Any:
    if isinstance(result, Record):
        fault = to_plain(result)
        raise host.LoadError(fault["kind"], fault["message"], fault["context"])
    return result
