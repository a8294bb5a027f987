"""All differences of two results, with their paths."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .canonical import text

# Recorded parts that do not concern Snowcat: the files that dlt writes, and the types of its database.
NOT_OF_A_TABLE = ("columns", "file_format")
NOT_OF_A_COLUMN = ("db_type",)
SHOWN = 300


def differences(
    expected: dict[str, Any], found: dict[str, Any], parts: tuple[str, ...] = ("loads", "schema", "tables")
) -> list[str]:
    """One line each."""
    lines: list[str] = []
    for part in parts:
        {"loads": loads, "schema": schema, "tables": tables}[part](expected[part], found[part], lines)
    return lines


def loads(expected: list[dict], found: list[dict], lines: list[str]) -> None:
    """Compare the outcome of the loads, and their numbers of rows."""
    for wanted, got in zip(expected, found, strict=True):
        place = f"loads[{wanted['load']}]"
        failure = got.get("error")
        if failure and failure["kind"] in ("internal", "protocol"):
            lines.append(f"{place}: a defect: {shown(failure)}")
        elif failure and "is not supported by this version" in failure["message"]:
            lines.append(f"{place}: {shown(failure)}")
        elif failure and "error" not in wanted:
            lines.append(f"{place}: expected success, found {shown(failure)}")
        elif "error" in wanted and not failure:
            lines.append(f"{place}: expected a failure ({shown(wanted['error'])}), found success")
        elif not failure:
            values(f"{place}.row_counts", wanted["row_counts"], got["row_counts"], lines)


def schema(expected: dict[str, Any], found: dict[str, Any], lines: list[str]) -> None:
    """Compare tables with their hints, columns with theirs, and the order of the columns."""
    for name in expected.keys() | found.keys():
        place = f"schema.{name}"
        if name not in found or name not in expected:
            said = (shown(sorted(expected)), shown(sorted(found)))
            lines.append(
                f"{place}: expected {'it' if name in expected else 'no such table'} in {said[0]}, found {said[1]}"
            )
            continue
        hints = [{k: v for k, v in t.items() if k not in NOT_OF_A_TABLE} for t in (expected[name], found[name])]
        values(place, *hints, lines)
        columns = [{c["name"]: c for c in t["columns"]} for t in (expected[name], found[name])]
        for column in columns[0].keys() | columns[1].keys():
            if column not in columns[1]:
                lines.append(f"{place}.{column}: expected {shown(columns[0][column])}, found no such column")
            elif column not in columns[0]:
                lines.append(f"{place}.{column}: expected no such column, found {shown(columns[1][column])}")
            else:
                both = [{k: v for k, v in c[column].items() if k not in NOT_OF_A_COLUMN} for c in columns]
                values(f"{place}.{column}", *both, lines)
        orders = [[c for c in one if c in other] for one, other in (columns, columns[::-1])]
        if orders[0] != orders[1]:
            lines.append(f"{place}: expected the order {shown(orders[0])}, found {shown(orders[1])}")
    lines.sort()


def tables(expected: dict[str, list], found: dict[str, list], lines: list[str]) -> None:
    """Compare the rows; equal ones are removed first, so that one additional row is one difference."""
    for name in sorted(expected.keys() | found.keys()):
        if name not in found or name not in expected:
            lines.append(f"tables.{name}: expected {shown(expected.get(name))}, found {shown(found.get(name))}")
            continue
        both = Counter(map(text, expected[name])) & Counter(map(text, found[name]))
        missing, more = _rest(expected[name], both), _rest(found[name], both)
        for wanted, got in zip(missing, more, strict=False):
            values(f"tables.{name}[{wanted.get('_dlt_id', '?')}]", wanted, got, lines)
        lines += [f"tables.{name}: expected the row {shown(row)}" for row in missing[len(more) :]]
        lines += [f"tables.{name}: found the row {shown(row)}" for row in more[len(missing) :]]


def values(place: str, expected: Any, found: Any, lines: list[str]) -> None:
    """Two values, key by key."""
    if isinstance(expected, dict) and isinstance(found, dict) and not _tagged(expected):
        for key in sorted(expected.keys() | found.keys()):
            if key not in found or key not in expected:
                sides = [shown(side[key]) if key in side else "nothing" for side in (expected, found)]
                lines.append(f"{place}.{key}: expected {sides[0]}, found {sides[1]}")
            else:
                values(f"{place}.{key}", expected[key], found[key], lines)
    elif text(expected) != text(found):
        lines.append(f"{place}: expected {shown(expected)}, found {shown(found)}")


def shown(value: Any) -> str:
    """A value, shortened for a line."""
    said = text(value)
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}.."


def _rest(rows: list[dict], both: Counter) -> list[dict]:
    left = Counter(both)
    rest = []
    for row in rows:
        if left[text(row)]:
            left[text(row)] -= 1
        else:
            rest.append(row)
    return rest


def _tagged(value: dict) -> bool:
    return len(value) == 1 and next(iter(value)).startswith("$")
