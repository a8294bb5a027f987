"""Corpora: one function each, what dlt's makes of many texts. Checked as loads, so that the component can be asked too.

    naming.json      {in, <convention>, <convention>_40, snake_path, snake_path_40, snake_tables_path_255}
    shorten.json     {fragments, max, out}: parts of a path, joined and shortened
    timestamps.json  {in, infer, timestamp, date, time}: the type of a first value, and values as each type
    coerce.json      {in, from, to, out | variant | raises}: a JSON value for a column of another type
    infer.json       {in, type}: the type of a first value
    rowhash.json     {row, pk, json, _dlt_id} and {parent, table, idx, _dlt_id}

Where Snowcat differs on purpose it does so by rule: what makes dlt fail is a variant or text, no digit is lost.
"""

from __future__ import annotations

import decimal
import json
import re
from typing import TYPE_CHECKING, Any

from . import canonical
from .dry_run import dry_run
from .job import CASE_SENSITIVE

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from .guests import Component, Library

CONVENTIONS = ("snake_case", "sql_cs_v1", "sql_ci_v1", "duck_case", "direct")
TYPES = {
    "VARCHAR": "text",
    "NUMBER(19,0)": "bigint",
    "NUMBER(38,0)": "wei",
    "FLOAT": "double",
    "BOOLEAN": "bool",
    "TIMESTAMP_LTZ": "timestamp",
    "VARIANT": "json",
    "DATE": "date",
    "TIME": "time",
    "BINARY": "binary",
    "NUMBER(38,9)": "decimal",
}
AT_ONCE = 250


def check(file: pathlib.Path, guest: Component | Library) -> tuple[int, list[str]]:
    """The number of entries of a corpus, and every difference."""
    entries = json.loads(file.read_text(encoding="utf-8"))
    return len(entries), [f"{file.name}: {line}" for line in CHECKS[file.stem](entries, guest)]


def names(entries: list[dict], guest: Component | Library) -> Iterator[str]:
    """An identifier is tested as the dataset's name, in the statement that reads the catalogue; a path as a record's
    key.
    """
    for entry in entries:
        for key, wanted in entry.items():
            convention = key.removesuffix("_40")
            # A blank identifier is an error rather than a dataset.
            if convention not in CONVENTIONS or not isinstance(wanted, str) or not wanted:
                continue
            job = _job({"naming": convention, "max_identifier_length": 40 if key.endswith("_40") else 255})
            if len(wanted) > 255:
                continue
            # Where names keep their case, the load first checks that the account supports this.
            steps = 2 if convention in CASE_SENSITIVE else 1
            statement = dry_run(guest, {**job, "dataset": entry["in"]}, steps=steps).statements[-1]
            found = re.search(r"IN \('((?:[^']|'')*)', '", statement)[1].replace("''", "'")
            expected = wanted if convention in CASE_SENSITIVE else wanted.upper()
            if found.replace("\\\\", "\\") != expected:
                yield f"{entry['in']!r} as {key}: expected {expected!r}, found {found!r}"
    for key, length in (("snake_path_40", 40), ("snake_tables_path_255", 255)):
        # Keys with one name have separate columns within a load, so each load has one of them.
        loads: list[dict[str, str]] = []
        for entry in entries:
            wanted = entry[key].upper() if isinstance(entry[key], str) and entry[key] else "_EMPTY"
            load = next((load for load in loads if wanted not in load), None)
            if load is None:
                loads.append(load := {})
            load[wanted] = entry["in"]
        job = _job({"max_identifier_length": length})
        for load in loads:
            records = [{given: n} for n, given in enumerate(load.values())]
            rows = dry_run(guest, job, [_page(records)]).rows()
            for n, ((wanted, given), row) in enumerate(zip(load.items(), rows, strict=True)):
                found = next((c for c, value in row.items() if value == n and not c.startswith("_DLT_")), None)
                if found != wanted:
                    yield f"{given!r} as {key}: expected {wanted!r}, found {found!r}"


def paths(entries: list[dict], guest: Component | Library) -> Iterator[str]:
    """Fragments are nested keys, in the convention that leaves them unchanged."""
    by_length: dict[int, list[dict]] = {}
    for entry in entries:
        plain = all(re.fullmatch(r"[^_\s\"]+(_[^_\s\"]+)*", fragment) for fragment in entry["fragments"])
        if plain and 10 <= entry["max"] <= 255:
            by_length.setdefault(entry["max"], []).append(entry)
    for length, of_length in by_length.items():
        records = []
        for n, entry in enumerate(of_length):
            record: Any = n
            for fragment in reversed(entry["fragments"]):
                record = {fragment: record}
            records.append(record)
        job = _job({"naming": "duck_case", "max_identifier_length": length})
        for n, row in enumerate(dry_run(guest, job, [_page(records)]).rows()):
            wanted = of_length[n]["out"]
            found = next(
                (column for column, value in row.items() if value == n and not column.startswith("_dlt_")), None
            )
            if found != wanted:
                yield f"{of_length[n]['fragments']} in {length}: expected {wanted!r}, found {found!r}"


def timestamps(entries: list[dict], guest: Component | Library) -> Iterator[str]:
    """Each text as a first value, and for timestamp, date and time columns."""
    columns = {name: {"data_type": name} for name in ("timestamp", "date", "time")}
    for first in range(0, len(entries), AT_ONCE):
        chunk = entries[first : first + AT_ONCE]
        records = [{"n": n, f"i{n}": e["in"], **dict.fromkeys(columns, e["in"])} for n, e in enumerate(chunk)]
        sent = dry_run(guest, _job({}, columns=columns), [_page(records)])
        types = sent.types()
        for entry, row in zip(chunk, sorted(sent.rows(), key=lambda row: row["N"]), strict=True):
            # dlt infers a timestamp, and then fails: a text here.
            infer = "text" if "$err" in entry["timestamp"] else entry["infer"]
            found = TYPES[types[f"I{row['N']}"]]
            if found != infer:
                yield f"{entry['in']!r}: expected {infer} to be inferred, found {found}"
            for name in columns:
                wanted = None if "$err" in entry[name] else entry[name]
                value = row[name.upper()]
                shown = None if value is None else canonical.value(value, name, {})
                if shown != wanted:
                    yield f"{entry['in']!r} as {name}: expected {entry[name]}, found {shown}"
                variants = [c for c, v in row.items() if c.startswith(f"{name.upper()}__V_") and v is not None]
                if (value is None) != (len(variants) == 1):
                    yield f"{entry['in']!r} as {name}: expected it in one column, found {value} and {variants}"


def infer(entries: list[dict], guest: Component | Library) -> Iterator[str]:
    """Each value as the first of a separate column."""
    for first in range(0, len(entries), AT_ONCE):
        chunk = entries[first : first + AT_ONCE]
        page = "\n".join(f'{{"i{n}": {e["in"]}}}' for n, e in enumerate(chunk))
        types = dry_run(guest, _job({}, max_table_nesting=0), [page]).types()
        for n, entry in enumerate(chunk):
            wanted = entry["type"]
            if _is_big(entry["in"]):
                # No digit is lost; a number with too many digits is a text.
                wanted = "wei" if len(entry["in"].lstrip("-")) <= 38 else "text"
            found = TYPES.get(types.get(f"I{n}", ""), types.get(f"I{n}"))
            if found != (None if entry["in"] == "null" else wanted):
                yield f"{entry['in']}: expected {wanted}, found {found}"


def coerce(entries: list[dict], guest: Component | Library) -> Iterator[str]:
    """Each value for a declared column; nested ones are not unnested."""
    by_type: dict[str, list[dict]] = {}
    for entry in entries:
        by_type.setdefault(entry["to"], []).append(entry)
    for to, of_type in by_type.items():
        page = "\n".join(f'{{"n": {n}, "c": {e["in"]}}}' for n, e in enumerate(of_type))
        job = _job({}, max_table_nesting=0, columns={"c": {"data_type": to}})
        for row in dry_run(guest, job, [page]).rows():
            entry = of_type[row["N"]]
            wanted = _coerced(entry)
            found = row.get("C")
            shown = None if found is None else canonical.value(found, to, {})
            if not _same(shown, wanted):
                yield f"{entry}: expected {wanted!r}, found {shown!r}"
            variants = [column for column, value in row.items() if column.startswith("C__V_") and value is not None]
            named = f"C{entry['variant'].upper()}" if "variant" in entry and not _is_big(entry["in"]) else None
            nothing = "out" in entry and entry["out"] is None
            if len(variants) != (found is None and not nothing) or (named is not None and variants != [named]):
                yield f"{entry}: expected {named or 'one column'}, found {found} and {variants}"


def rows(entries: list[dict], guest: Component | Library) -> Iterator[str]:
    """Ids made of keys, and of a parent's id, a table's name and a position."""
    for entry in entries:
        if "json" in entry:
            disposition = {"disposition": "merge", "strategy": "upsert"}
            job = _job({"naming": "direct"}, write_disposition=disposition, primary_key=entry["pk"])
            found = dry_run(guest, job, [entry["json"]]).rows()[0]
        elif "parent" in entry:
            table, _, key = entry["table"].partition("__")
            record = {"_dlt_id": entry["parent"], key: list(range(entry["idx"] + 1))}
            job = _job({"naming": "duck_case"}, name=table)
            found = dry_run(guest, job, [_page([record])]).rows("0.1.")[-1]
        else:
            continue
        if found["_dlt_id"] != entry["_dlt_id"]:
            yield f"{entry}: expected {entry['_dlt_id']}, found {found['_dlt_id']}"


CHECKS = {
    "naming": names,
    "shorten": paths,
    "timestamps": timestamps,
    "coerce": coerce,
    "infer": infer,
    "rowhash": rows,
}


def _job(more: dict[str, Any], **resource: Any) -> dict[str, Any]:
    return {
        "pipeline": "p",
        "database": "D",
        "dataset": "d",
        **more,
        "resources": [{"name": "t", "source": "pull", **resource}],
    }


def _page(records: list[Any]) -> str:
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records)


def _is_big(text: str) -> bool:
    """Whether it is an integer of more than 64 bits: neither a bigint nor a double, which would lose digits."""
    return re.fullmatch(r"-?\d+", text) is not None and not -(2**63) <= int(text) < 2**63


def _coerced(entry: dict[str, Any]) -> Any:
    """The expected value of a column: dlt's value, except for deliberate differences. None is a variant."""
    if entry.get("out") is None:
        return None
    to, out, given = entry["to"], entry["out"], entry["in"]
    number = entry["from"] in ("bigint", "double")
    if to == "bigint":
        return out if isinstance(out, int) and -(2**63) <= out < 2**63 else None
    if to == "text" and re.fullmatch(r"-?\d+", given):
        return given
    if to in ("decimal", "wei"):
        if not isinstance(out, dict):
            return None  # dlt calls a str a decimal
        scale = 9 if to == "decimal" else 0
        with decimal.localcontext(prec=400):
            exact = decimal.Decimal(given if number else out["$dec"])
            if not exact.is_finite():
                return None  # outside the range of NUMBER: it goes to a separate column
            if abs(exact) >= 10 ** (38 - scale) or exact != exact.quantize(decimal.Decimal(1).scaleb(-scale)):
                return None
            return {"$dec": format(exact.quantize(decimal.Decimal(1).scaleb(-scale)), "f")}
    if to == "json":
        return out if isinstance(out, dict) and "$json" in out else {"$json": out}
    return out


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, float) and isinstance(wanted, (int, float)) and not isinstance(wanted, bool):
        return found == wanted
    if isinstance(found, dict) and found.keys() == {"$dec"} and isinstance(wanted, dict):
        return decimal.Decimal(found["$dec"]) == decimal.Decimal(wanted.get("$dec", "NaN"))
    return canonical.text(found) == canonical.text(wanted)
