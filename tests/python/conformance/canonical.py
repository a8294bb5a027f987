"""The form in which results are compared: independent of ids, of the order of rows and of the database.

tables   {table: [row, ..]}; NULLs are omitted, and the system columns say what they point to:
         _dlt_id        an address: "orders:0", "orders:0/orders__items[1]"
         _dlt_parent_id, _dlt_root_id   the address of the parent, of the root; or the value of the root's row_key
         _dlt_list_idx  as it is; _dlt_load_id "L0", "L1", ..
         rows are in the order of their content, descendants included, children by list index
         values are tagged: $ts $ntz $date $time $dec $int $bin $json $f, and $boundary: the instant of load k
schema   {table: {parent, write_disposition, .., columns: [{name, data_type, nullable, ..}]}}, in dlt's order
loads    [{row_counts} or {error}]
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import re
from collections import defaultdict
from typing import Any

Row = dict[str, Any]

# Hints of columns that are notes: dlt's of its normalizer, comments, and Snowcat's of the key of a column.
NOT_COMPARED = ("x-normalizer", "description", "x-snowcat-key")
SYSTEM = ("_dlt_id", "_dlt_parent_id", "_dlt_root_id", "_dlt_list_idx", "_dlt_load_id")
TABLE_KEYS = ("parent", "write_disposition", "resource", "schema_contract", "table_format", "file_format", "references")


def value(given: Any, data_type: str | None, bounds: dict[dt.datetime, int]) -> Any:
    """A database's value with its type."""
    if isinstance(given, bool):
        return given
    if isinstance(given, int):
        return given if -(2**63) <= given < 2**63 else {"$int": str(given)}
    if isinstance(given, float):
        return given if math.isfinite(given) else {"$f": repr(given)}
    if isinstance(given, decimal.Decimal):
        return {"$dec": format(given, "f")}
    if isinstance(given, dt.datetime):
        if given.tzinfo is None:
            return {"$ntz": given.isoformat(timespec="microseconds")}
        instant = given.astimezone(dt.UTC)
        if instant in bounds:
            return {"$boundary": bounds[instant]}
        return {"$ts": instant.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"}
    if isinstance(given, dt.date):
        return {"$date": given.isoformat()}
    if isinstance(given, dt.time):
        return {"$time": given.isoformat(timespec="microseconds")}
    if isinstance(given, (bytes, bytearray, memoryview)):
        return {"$bin": bytes(given).hex()}
    if isinstance(given, str) and data_type == "json":
        return {"$json": json.loads(given)}
    if isinstance(given, (dict, list)):
        return {"$json": given}
    return given


def schema(tables: dict[str, Any], there: set[str]) -> dict[str, Any]:
    """The data tables of a dlt schema; `there` are those in the database."""
    shown = {}
    for name, table in tables.items():
        columns = []
        for column in table["columns"].values():
            hints = {k: v for k, v in column.items() if k not in NOT_COMPARED}
            hints.setdefault("nullable", True)
            columns.append(hints)
        shown[name] = {k: v for k, v in table.items() if k in TABLE_KEYS or k.startswith(("x-merge", "x-stage"))}
        shown[name] |= {"in_db": name in there, "columns": columns}
    return shown


def tables(
    raw: dict[str, list[Row]], schema: dict[str, Any], load_ids: list[str], raw_ids: bool = False
) -> dict[str, list[Row]]:
    """Rows in canonical form except the system columns, with addresses for ids."""
    return _Family(raw, schema, load_ids, raw_ids).shown()


class _Family:
    """All tables of a dataset, and the parents of their rows."""

    def __init__(self, raw: dict[str, list[Row]], schema: dict[str, Any], load_ids: list[str], raw_ids: bool) -> None:
        self.raw = raw
        self.raw_ids = raw_ids
        self.loads = {load_id: f"L{n}" for n, load_id in enumerate(load_ids)}
        self.roots = sorted(name for name in raw if not schema[name].get("parent"))
        self.children: dict[str, list[str]] = defaultdict(list)
        for name in sorted(schema):
            if schema[name].get("parent"):
                self.children[schema[name]["parent"]].append(name)
        self.by_parent: dict[str, dict[str, list[Row]]] = {}
        for name, rows in raw.items():
            found = self.by_parent[name] = defaultdict(list)
            for row in rows:
                found[row.get("_dlt_parent_id")].append(row)
        self.out: dict[str, list[Row]] = {name: [] for name in raw}
        self.seen: set[int] = set()
        self.root_ids: dict[str, str | None] = {}
        # Roots to which nested rows refer by another column.
        self.keyed = {n for n, t in schema.items() if any(_is_row_key(column) for column in t["columns"])}

    def shown(self) -> dict[str, list[Row]]:
        for name in self.roots:
            for number, row in enumerate(sorted(self.raw[name], key=lambda row: place(self._content(name, row)))):
                address = f"{name}:{number}"
                self.root_ids[address] = row.get("_dlt_id")
                self._emit(name, row, address, address, None)
        for name, rows in self.raw.items():
            for row in rows:
                if id(row) not in self.seen:
                    shown = _without_system(row) | {"_dlt_parent_id": "ORPHAN"}
                    if "_dlt_list_idx" in row:
                        shown["_dlt_list_idx"] = row["_dlt_list_idx"]
                    self.out[name].append(shown)
        return self.out

    def _load(self, row: Row) -> str | None:
        return self.loads.get(row.get("_dlt_load_id"), row.get("_dlt_load_id"))

    def _rows_of(self, child: str, row: Row) -> list[Row]:
        return self.by_parent.get(child, {}).get(row.get("_dlt_id"), [])

    def _content(self, name: str, row: Row) -> list:
        """The content of a row, independent of ids: it determines the order of rows."""
        body = {k: v for k, v in row.items() if k not in SYSTEM or k == "_dlt_list_idx"}
        body["_dlt_load_id"] = self._load(row)
        below = {}
        for child in self.children[name]:
            rows = self._rows_of(child, row)
            if rows:
                below[child] = sorted(text(self._content(child, x)) for x in rows)
        return [body, below]

    def _emit(self, name: str, row: Row, address: str, root: str, parent: str | None) -> None:
        shown = _without_system(row)
        if "_dlt_id" in row:
            shown["_dlt_id"] = address
            if self.raw_ids:
                shown["_dlt_id_raw"] = row["_dlt_id"]
        if "_dlt_parent_id" in row:
            shown["_dlt_parent_id"] = parent or "ORPHAN"
        if "_dlt_root_id" in row:
            found = row["_dlt_root_id"]
            unknown = found if parent and root.partition(":")[0] in self.keyed else "MISMATCH"
            shown["_dlt_root_id"] = root if found == self.root_ids.get(root) else unknown
        if "_dlt_list_idx" in row:
            shown["_dlt_list_idx"] = row["_dlt_list_idx"]
        if "_dlt_load_id" in row:
            shown["_dlt_load_id"] = self._load(row)
        self.out[name].append(shown)
        self.seen.add(id(row))
        for child in self.children[name]:
            rows = sorted(
                self._rows_of(child, row), key=lambda x: (x.get("_dlt_list_idx", 0), text(self._content(child, x)))
            )
            used: dict[Any, int] = defaultdict(int)
            for below in rows:
                index = below.get("_dlt_list_idx")
                again = f"#{used[index]}" if used[index] else ""
                used[index] += 1
                self._emit(child, below, f"{address}/{child}[{index}]{again}", root, address)


def _is_row_key(column: dict[str, Any]) -> bool:
    return bool(column.get("row_key")) and column["name"] not in SYSTEM


def _without_system(row: Row) -> Row:
    return {k: v for k, v in row.items() if k not in SYSTEM}


def place(content: Any) -> str:
    """The sort key of rows: minus zero equals zero, because a database may not store the sign of zero."""
    return re.sub(r"-0\.0(?=[,}\]])", "0.0", text(content))


def text(value: Any) -> str:
    """JSON that is equal for equal values, and different for `1`, `1.0` and `true`."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def written(result: dict[str, Any]) -> str:
    """A result as a file: one row, column or statement per line."""
    one = lambda x: json.dumps(x, ensure_ascii=False, default=str)
    head = [f" {one(key)}: {one(result[key])}," for key in ("reason", "dlt_version") if key in result]
    parts = []
    if "tables" in result:
        shown = [
            f"  {one(t)}: [" + ",".join(f"\n   {one(r)}" for r in rows) + ("\n  ]" if rows else "]")
            for t, rows in result["tables"].items()
        ]
        parts.append(' "tables": {\n' + ",\n".join(shown) + "\n }" if shown else ' "tables": {\n }')
    if "schema" in result:
        shown = []
        for name, table in result["schema"].items():
            first = {k: v for k, v in table.items() if k != "columns"}
            columns = ",\n   ".join(map(one, table["columns"]))
            shown.append(f'  {one(name)}: {one(first)[:-1]}{", " if first else ""}"columns": [\n   {columns}\n  ]}}')
        parts.append(' "schema": {\n' + ",\n".join(shown) + "\n }" if shown else ' "schema": {\n }')
    if "loads" in result:
        parts.append(' "loads": [\n' + ",\n".join("  " + one(x) for x in result["loads"]) + "\n ]")
    if "snowflake" in result:
        statements = json.dumps(result["snowflake"], indent=1, ensure_ascii=False).replace("\n", "\n ")
        parts.append(f' "snowflake": {statements}')
    return "\n".join(["{", *head, ",\n".join(parts), "}"]) + "\n"
