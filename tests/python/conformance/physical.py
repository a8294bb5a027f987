"""Checks that the database has the columns of the stored schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .job import DATABASE

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator import Lab

FAMILIES = {
    "text": "TEXT",
    "bigint": "NUMBER",
    "double": "FLOAT",
    "bool": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
    "decimal": "NUMBER",
    "wei": "NUMBER",
    "binary": "BINARY",
    "json": "VARIANT",
}


class Inconsistent(AssertionError):
    """The database and the stored schema differ, which is a defect whatever dlt does."""


def columns(lab: Lab, schema: str) -> dict[str, dict[str, Any]]:
    """The columns of every table of a database schema, in order."""
    found: dict[str, dict[str, Any]] = {}
    for row in lab.sql(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, IS_NULLABLE, NUMERIC_PRECISION, NUMERIC_SCALE "
        f"FROM {DATABASE}.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = '{schema}' ORDER BY TABLE_NAME, ORDINAL_POSITION"
    ):
        found.setdefault(row[0], {})[row[1]] = row[2:]
    return found


def check(known: dict[str, Any], found: dict[str, dict], fold: Callable[[str], str], runs: int) -> None:
    """Check that every column has the database type of its data type."""
    for name, table in known.items():
        complete = {fold(c["name"]): c for c in table["columns"].values() if "data_type" in c}
        there = found.get(fold(name))
        if there is None:
            continue
        if complete.keys() != there.keys():
            raise Inconsistent(f"{name}: the schema has {sorted(complete)}, the database {sorted(there)}")
        # Columns of later loads are at the end of a table, and may be NULL if the table had rows.
        if runs == 1 and list(complete) != list(there):
            raise Inconsistent(f"{name}: the schema has the order {list(complete)}, the database {list(there)}")
        for column, hints in complete.items():
            family, nullable, precision, scale = there[column]
            if (precision is not None and (precision, scale) != _number(hints)) or family != _family(hints):
                raise Inconsistent(f"{name}.{column}: {hints} is {family}({precision}, {scale}) in the database")
            must = hints.get("nullable", True) is False
            if (must and nullable == "YES" and runs == 1) or (not must and nullable == "NO"):
                raise Inconsistent(f"{name}.{column}: {hints} has IS_NULLABLE {nullable} in the database")


def _family(hints: dict) -> str:
    if hints["data_type"] == "timestamp":
        return "TIMESTAMP_NTZ" if hints.get("timezone") is False else "TIMESTAMP_LTZ"
    return FAMILIES[hints["data_type"]]


def _number(hints: dict) -> tuple[int, int]:
    if hints["data_type"] == "bigint":
        return 19, 0
    if hints["data_type"] == "wei":
        return hints.get("precision") or 38, hints.get("scale") or 0
    return hints.get("precision") or 38, hints.get("scale", 9)
