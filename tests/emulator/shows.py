"""SHOW COLUMNS, SHOW TABLES and SHOW GRANTS of a schema, with the service's columns."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from fakesnow import statement_type

from .answer import Answer
from .catalog import DEFAULT_LENGTH, Column, Table
from .errors import missing, not_emulated
from .text import Reader, full, unquote

if TYPE_CHECKING:
    from .session import Session

# A SHOW returns no more rows, without a notice.
MOST_ROWS = 10_000
COLUMNS = [
    "table_name",
    "schema_name",
    "column_name",
    "data_type",
    "null?",
    "default",
    "kind",
    "expression",
    "comment",
    "database_name",
    "autoincrement",
    "schema_evolution_record",
]
TABLES = [
    "created_on",
    "name",
    "database_name",
    "schema_name",
    "kind",
    "comment",
    "cluster_by",
    "rows",
    "bytes",
    "owner",
    "retention_time",
    "automatic_clustering",
    "change_tracking",
    "is_external",
    "enable_schema_evolution",
    "owner_role_type",
    "is_event",
    "is_hybrid",
    "is_iceberg",
    "is_dynamic",
    "is_immutable",
]
GRANTS = ["created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name", "grant_option", "granted_by"]
FUTURE_GRANTS = ["created_on", "privilege", "grant_on", "name", "grant_to", "grantee_name", "grant_option"]


def show(session: Session, text: str) -> Answer | None:
    """SHOW of these kinds; `None` for the rest."""
    r = Reader(text)
    if not r.accept("SHOW"):
        return None
    if re.match(r"SHOW\s+(FUTURE\s+)?GRANTS\s+(ON|IN)\s+SCHEMA\b", text, re.I):
        return _grants(session, r)
    terse = r.accept("TERSE")
    kind = r.peek()
    if terse or kind not in ("COLUMNS", "TABLES"):
        return None
    r.next()
    pattern = None
    if r.accept("LIKE"):
        pattern = re.compile(re.escape(unquote(r.next().text)).replace("%", ".*").replace("_", "."), re.I)
    tables = _scope(session, r)
    if not r.done():
        raise not_emulated(f"SHOW {kind} ... {r.rest()[:40]}")
    if kind == "COLUMNS":
        rows = [
            _column(table, column)
            for table in tables
            for column in table.columns
            if pattern is None or pattern.fullmatch(column.name)
        ]
        return Answer.of(COLUMNS, rows[:MOST_ROWS], statement_type.SHOW)
    found = [t for t in tables if t.kind != "VIEW" and (pattern is None or pattern.fullmatch(t.name[2]))]
    return Answer.of(TABLES, [_table(session, t) for t in found[:MOST_ROWS]], statement_type.SHOW)


def _grants(session: Session, r: Reader) -> Answer:
    """The privileges on a schema, and who gets ownership of what is made in it."""
    roles, future = session.account.roles, r.accept("FUTURE")
    for _ in range(3):
        r.next()
    parts = r.parts()
    name = tuple(parts) if len(parts) == 2 else (str(session.database), *parts)
    schema = session.engine.catalog.schema(name[0], name[1])
    shown = ".".join(name)
    if future:
        rows: list[tuple] = [
            (str(schema.created), "OWNERSHIP", kind, f"{shown}.<{kind}>", "ROLE", role, "false")
            for (kind, place), role in sorted(roles.future_owners.items())
            if place == name
        ]
        return Answer.of(FUTURE_GRANTS, rows, statement_type.SHOW)
    owner = roles.owners.get(("SCHEMA", name), schema.owner)
    granted = [("OWNERSHIP", owner)]
    granted += sorted(
        (g.privilege, g.role) for g in roles.grants if (g.kind, g.name, g.future) == ("SCHEMA", name, False)
    )
    rows = [
        (str(schema.created), privilege, "SCHEMA", shown, "ROLE", role, "false", owner) for privilege, role in granted
    ]
    return Answer.of(GRANTS, rows, statement_type.SHOW)


def _scope(session: Session, r: Reader) -> list[Table]:
    """The tables in the scope that the role may see, by name."""
    catalog, roles = session.engine.catalog, session.account.roles
    place: tuple[str | None, ...] = tuple(p for p in (session.database, session.schema) if p is not None)
    if r.accept("IN"):
        if r.accept("ACCOUNT"):
            place = ()
        elif r.accept("DATABASE"):
            place = (session.database,) if r.done() else tuple(r.parts())
        elif r.accept("SCHEMA"):
            parts = [str(session.schema)] if r.done() else r.parts()
            place = tuple(parts) if len(parts) == 2 else (session.database, *parts)
        else:
            r.accept("TABLE")
            table = catalog.table(session.complete(r.parts()))
            if not roles.sees_table(session.role, table):
                raise missing("Object", ".".join(table.name))
            return [table]
    if place and place[0] not in catalog.databases:
        raise missing("Database", str(place[0]))
    if len(place) == 2:
        catalog.schema(str(place[0]), str(place[1]))
    return [
        t
        for n, t in sorted(catalog.tables.items())
        if n[: len(place)] == place and t.temporary in (None, session.id) and roles.sees_table(session.role, t)
    ]


def _column(table: Table, column: Column) -> tuple:
    return (
        table.name[2],
        table.name[1],
        column.name,
        json.dumps(_type(column), separators=(",", ":")),
        "true" if column.nullable else "false",
        column.default or "",
        "COLUMN",
        "",
        column.comment or "",
        table.name[0],
        "",
        None,
    )


def _type(column: Column) -> dict:
    family, first = column.type.family, column.type.first
    if family == "NUMBER":
        return {"type": "FIXED", "precision": first, "scale": column.type.second, "nullable": column.nullable}
    if family == "TEXT":
        size = min((first or 0) * 4, max(DEFAULT_LENGTH["TEXT"], first or 0))
        return {"type": "TEXT", "length": first, "byteLength": size, "nullable": column.nullable, "fixed": False}
    if family == "BINARY":
        return {"type": "BINARY", "length": first, "byteLength": first, "nullable": column.nullable, "fixed": True}
    if family.startswith("TIME"):
        return {"type": family, "precision": 0, "scale": first, "nullable": column.nullable}
    return {"type": "REAL" if family == "FLOAT" else family, "nullable": column.nullable}


def _table(session: Session, table: Table) -> tuple:
    with session.engine.duck.cursor() as duck:
        count = duck.execute(f"SELECT COUNT(*) FROM {full(table.name)}").fetchall()[0][0]
    kind = "TEMPORARY" if table.temporary else "TRANSIENT" if table.transient else "TABLE"
    return (
        str(table.created),
        table.name[2],
        table.name[0],
        table.name[1],
        kind,
        table.comment or "",
        table.clustering or "",
        count,
        0,
        table.owner,
        "0" if table.transient else "1",
        "ON" if table.clustering else "OFF",
        "OFF",
        "N",
        "N",
        "ROLE",
        "N",
        "N",
        "N",
        "N",
        "N",
    )
