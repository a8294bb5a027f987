"""Records the statements that dlt sends to Snowflake, without Snowflake.

`install` replaces the connector's `connect` with one that records every statement and has just enough of a catalogue
(schemas, tables, columns) to answer dlt's queries about it, so that dlt both creates and alters. It has no data.
"""

from __future__ import annotations

import re
from typing import Any

import snowflake.connector

LOG: list[tuple[str, str]] = []
SCHEMAS: set[str] = set()
TABLES: dict[tuple[str, ...], list[tuple]] = {}
COLUMN = re.compile(r'^"([^"]+)"\s+([A-Z_]+)(?:\((\d+)(?:,\s*(\d+))?\))?(.*)$', re.S)
NAME = r'((?:"[^"]+"\.?)+)'


def install() -> None:
    """From now on nothing is connected to, and the catalogue is empty."""
    snowflake.connector.connect = lambda **_: Connection()
    LOG.clear()
    SCHEMAS.clear()
    TABLES.clear()


def classified() -> dict[str, Any]:
    """The statements since the log was cleared, without those for dlt's own tables."""
    ddl: list[str] = []
    load: list[str] = []
    merge: list[dict[str, Any]] = []
    explicit = False
    for kind, text in LOG:
        if kind == "AUTOCOMMIT":
            explicit = text == "False"
        if kind != "SQL" or "INFORMATION_SCHEMA" in text or text.lstrip().upper().startswith("SELECT"):
            continue
        sent = [_without_ids(part.strip().rstrip(";")) for part in re.split(r";\s*\n", text.strip())]
        if re.search(r'"D(_STAGING)?"\."_DLT_', text) and not text.startswith("CREATE TABLE"):
            continue
        if any(
            s.startswith(("CREATE TABLE", "ALTER TABLE", "CREATE SCHEMA")) and " CLONE " not in s and " SWAP " not in s
            for s in sent
        ):
            ddl += [s for s in sent if '."_DLT_' not in s.split("(")[0]]
        elif sent[0].startswith(("PUT", "COPY")) or (
            sent[0].startswith("TRUNCATE") and "_STAGING" in text and "INSERT" not in text
        ):
            load += sent
        else:
            merge.append({"in_explicit_transaction": explicit, "statements": sent})
    return {"ddl": sorted(ddl), "load": sorted(load), "merge": sorted(merge, key=lambda job: job["statements"])}


class Connection:
    """The part of a connection that dlt uses."""

    def cursor(self, *_: Any, **__: Any) -> Cursor:
        """A cursor."""
        return Cursor()

    def autocommit(self, on: bool) -> None:
        """Recorded."""
        LOG.append(("AUTOCOMMIT", str(on)))

    def commit(self) -> None:
        """Recorded."""
        LOG.append(("COMMIT", ""))

    def rollback(self) -> None:
        """Recorded."""
        LOG.append(("ROLLBACK", ""))

    def close(self) -> None:
        """Nothing is open."""

    def is_closed(self) -> bool:
        """Never."""
        return False


class Cursor:
    """The part of a cursor that dlt uses."""

    description: list[tuple] | None = None
    rowcount = 0

    def __init__(self) -> None:
        self._rows: list[tuple] = []

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def close(self) -> None:
        """Nothing is open."""

    def execute(self, query: str, params: Any = None, **_: Any) -> Cursor:
        """Record the statement, and answer queries about the catalogue."""
        LOG.append(("SQL", query))
        self._rows, self.description = [], None
        given = list(params or ())
        text = query.strip()
        if "INFORMATION_SCHEMA.SCHEMATA" in text:
            self.description = [("1",)]
            self._rows = [(1,)] if any(name in SCHEMAS for name in given) else []
        elif "INFORMATION_SCHEMA.COLUMNS" in text:
            self.description = [("t",)]
            schema = next((name for name in given if name in SCHEMAS), None)
            self._rows = [
                (name[1], *column)
                for name, columns in sorted(TABLES.items())
                if name[0] == schema and (len(given) <= 2 or name[1] in given)
                for column in columns
            ]
        elif re.match(r"(?i)SELECT", text):
            asked = re.search(rf"FROM\s+{NAME}", text)
            if asked and _parts(asked[1]) not in TABLES:
                raise snowflake.connector.errors.ProgrammingError(
                    msg="does not exist or not authorized", errno=2003, sqlstate="42S02"
                )
            self.description = [("x",)]
        else:
            for statement in re.split(r";\s*\n", text):
                _follow(statement.strip().rstrip(";"))
        return self

    def fetchall(self) -> list[tuple]:
        """The remaining rows."""
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple | None:
        """The next row."""
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = 1) -> list[tuple]:
        """The next rows."""
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows


def _follow(statement: str) -> None:
    """Apply a statement to the catalogue."""
    if made := re.match(r"CREATE SCHEMA (.*)$", statement):
        SCHEMAS.add(_parts(made[1])[-1])
    if made := re.match(rf"CREATE TABLE(?: IF NOT EXISTS)? {NAME}\s*\((.*)\)[^)]*$", statement, re.S):
        TABLES[_parts(made[1])] = _columns(made[2])
    if made := re.match(rf"ALTER TABLE {NAME}\s*ADD COLUMN(.*)$", statement, re.S):
        TABLES[_parts(made[1])] += _columns(made[2])
    if made := re.match(rf"DROP TABLE IF EXISTS {NAME}", statement):
        TABLES.pop(_parts(made[1]), None)


def _columns(text: str) -> list[tuple]:
    found = []
    for line in text.split(",\n"):
        match = COLUMN.match(line.strip())
        if match is None:
            continue
        name, kind, precision, scale, rest = match.groups()
        nullable = "NO" if "NOT NULL" in rest else "YES"
        if kind in ("NUMBER", "DECIMAL"):
            found.append((name, "NUMBER", nullable, int(precision or 38), int(scale or 0)))
        else:
            found.append((name, "TEXT" if kind == "VARCHAR" else kind, nullable, None, None))
    return found


def _parts(name: str) -> tuple[str, ...]:
    return tuple(re.findall(r'"([^"]+)"', name))


def _without_ids(statement: str) -> str:
    statement = re.sub(r"_(delete|insert)_[0-9a-f]{32}", r"_\1_<UID>", statement)
    statement = re.sub(r"'file://[^']*/([^/']+)'", r"'file://<DIR>/\1'", statement)
    statement = re.sub(r"\.[0-9a-f]{10}\.(\d+)\.", r".<FID>.\1.", statement)
    statement = re.sub(r"\b\d{10}\.\d+", "<LOAD_ID>", statement)
    statement = re.sub(r"'20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00'", "<BOUNDARY>", statement)
    return re.sub(r"[ \t]+", " ", re.sub(r"\s*\n\s*", "\n", statement)).strip()
