"""Statements that change rows: INSERT, UPDATE, DELETE and TRUNCATE; MERGE and COPY INTO have separate files.

Each is prepared once and returns functions: the rows that it would change, its effect on this snapshot, and its
execution. `transactions` calls them in the order that the modes of locks and snapshots require.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from . import merge, rebase, zones
from .catalog import SEMI, Column, Table
from .engine import HISTORY_NAME, Outcome
from .errors import SqlError, not_emulated
from .text import Name, full, quote

if TYPE_CHECKING:
    from .session import Session

Run = Callable[[], Outcome]


@dataclass
class Plan:
    """The effect of a statement on one snapshot: the rows that it would change, its result, and the rows that it
    would insert.
    """

    rows: list[int]
    outcome: Outcome
    inserts: list[tuple[list[str], pa.Table]] = field(default_factory=list)


def _no_plan() -> Plan:
    raise AssertionError("only a statement that takes locks has a plan")


def _no_late(_: Plan) -> None:
    raise AssertionError("only a statement that takes locks has a plan")


@dataclass
class Prepared:
    """A prepared statement.

    `exclusive` statements take locks. `hits` returns the rows that it would change, by table; `plan` its effect on the
    present snapshot, and `late` applies that on a newer one.
    """

    table: Name
    run: Run
    exclusive: bool
    verbs: tuple[str, ...]
    hits: Callable[[], dict[Name, list[int]]]
    plan: Callable[[], Plan] = _no_plan
    late: Callable[[Plan], None] = _no_late


def prepare(session: Session, expression: exp.Expression, params: list | None) -> Prepared:
    """Check the statement as far as possible without running it."""
    if isinstance(expression, exp.Insert):
        return _insert(session, expression, params)
    if isinstance(expression, exp.Merge):
        return merge.prepare(session, expression)
    if isinstance(expression, exp.TruncateTable):
        return _truncate(session, expression)
    if isinstance(expression, (exp.Update, exp.Delete)):
        return _change(session, expression, params)
    raise not_emulated(type(expression).__name__)


def coerce(value: str, duck: str, column: Column) -> str:
    """`value` (of DuckDB type `duck`) converted for the column; rejects what Snowflake rejects."""
    family = column.type.family
    if family in SEMI:
        if duck not in ("JSON", '"NULL"'):
            kind = {"VARCHAR": "VARCHAR(16777216)", "DOUBLE": "FLOAT"}.get(duck, duck)
            raise SqlError(
                2023,
                "22000",
                "SQL compilation error:\nExpression type does not match column data type, expecting "
                f"{family} but got {kind} for column {column.name}",
            )
        return f"_emulator_fits_lob({value})" if duck == "JSON" else value
    if duck == "JSON":
        value = f"({value} ->> '$')"
    if family == "TIMESTAMP_TZ":
        return zones.taken(f"CAST({value} AS TIMESTAMPTZ)" if duck == '"NULL"' else value, family)
    if zones.is_zoned(duck):
        value = zones.taken(value, family)
    if family == "BINARY":
        binary = f"unhex({value})" if duck == "VARCHAR" else f"CAST({value} AS BLOB)"
        return f"_emulator_fits_binary({binary}, {column.type.first})"
    cast = f"CAST({value} AS {column.type.duck()})"
    return f"_emulator_fits({cast}, {column.type.first})" if family == "TEXT" else cast


def describe(session: Session, select: str, params: list | None = None) -> list[str]:
    """The DuckDB types of a query's columns."""
    return [row[1] for row in session.duck.execute(f"DESCRIBE {select}", params).fetchall()]


def projected(session: Session, select: str, columns: list[Column], params: list | None = None) -> str:
    """The query with every column converted for the target."""
    types = describe(session, select, params)
    if len(types) != len(columns):
        raise SqlError(
            2057,
            "42601",
            "SQL compilation error:\nInsert value list does not match column list expecting "
            f"{len(columns)} but got {len(types)}",
        )
    names = [f'"c{i}"' for i in range(len(types))]
    values = ", ".join(coerce(f"q.{n}", t, c) for n, t, c in zip(names, types, columns, strict=True))
    return f"SELECT {values} FROM ({select}) AS q({', '.join(names)})"


def targets(table: Table, names: list[str]) -> list[Column]:
    """The columns of a column list; all of them when there is none."""
    return [table.column(name) for name in names] if names else list(table.columns)


def _insert(session: Session, e: exp.Insert, params: list | None) -> Prepared:
    target = e.this.this if isinstance(e.this, exp.Schema) else e.this
    name = session.name_of(target)
    table = session.engine.catalog.table(name)
    names = [session.fold(c) for c in e.this.expressions] if isinstance(e.this, exp.Schema) else []
    columns = targets(table, names)
    source = e.expression
    if isinstance(source, exp.Values) and source.find(exp.ParseJSON):
        found = source.find(exp.ParseJSON).sql("snowflake")
        raise SqlError(2014, "22000", f"SQL compilation error:\nInvalid expression [{found}] in VALUES clause")
    session.check_tables(source)
    select = session.duck_sql(source)
    if isinstance(source, exp.Values):
        select = f"SELECT * FROM ({select})"
    listed = ", ".join(quote(c.name) for c in columns)

    def inserted() -> Outcome:
        values = projected(session, select, columns, params)
        count = session.duck.execute(f"INSERT INTO {full(name)} ({listed}) {values}", params).fetchall()[0][0]
        return Outcome(["number of rows inserted"], [(count,)], count)

    if not e.args.get("overwrite"):
        return Prepared(name, inserted, False, ("INSERT",), lambda: {name: []})

    def run() -> Outcome:
        session.duck.execute(f"DELETE FROM {full(name)}")
        return inserted()

    def plan() -> Plan:
        rows = rebase.read(session, projected(session, select, columns, params))
        found = Outcome(["number of rows inserted"], [(rows.num_rows,)], rows.num_rows)
        return Plan(_all(session, name), found, [([c.name for c in columns], rows)])

    def late(planned: Plan) -> None:
        _delete_late(session, name, planned)
        for names_, rows in planned.inserts:
            rebase.insert(session, name, names_, rows)

    return Prepared(name, run, True, ("INSERT",), lambda: {name: _all(session, name)}, plan, late)


def _all(session: Session, name: Name) -> list[int]:
    return [row[0] for row in session.duck.execute(f"SELECT rowid FROM {full(name)}").fetchall()]


def _delete_late(session: Session, name: Name, plan: Plan) -> None:
    """Delete the planned rows, and every matching row of this transaction."""
    rows = rebase.numbers(rebase.committed(plan.rows))
    session.duck.execute(f"DELETE FROM {full(name)} WHERE rowid IN ({rows}) OR rowid >= {rebase.LOCAL}")


def _change(session: Session, e: exp.Update | exp.Delete, params: list | None) -> Prepared:
    name = session.name_of(e.this)
    table = session.engine.catalog.table(name)
    session.check_tables(e)
    changed = session.transformed(e)
    update = isinstance(e, exp.Update)
    for assigned in changed.expressions if update else ():
        target = session.fold(assigned.this.this if isinstance(assigned.this, exp.Column) else assigned.this)
        assigned.set("expression", _assigned(assigned.expression, table.column(target)))
    sql = session.render(changed)
    row = f"{quote(changed.this.alias_or_name)}.rowid"
    sources = _sources(changed)
    where = changed.args.get("where")
    condition = session.render(where.this) if where is not None else "TRUE"
    beside = [session.render(source) for source in sources]
    behind = sum(len(list(node.find_all(exp.Placeholder))) for node in (*sources, *([where] if where else [])))
    last = params[len(params) - behind :] if params and behind else None

    def hits() -> list[int]:
        found = f"SELECT DISTINCT {row} FROM {', '.join([session.render(changed.this), *beside])} WHERE {condition}"
        return [r[0] for r in session.duck.execute(found, last).fetchall()]

    def outcome(count: int) -> Outcome:
        if update:
            return Outcome(["number of rows updated", "number of multi-joined rows updated"], [(count, 0)], count)
        return Outcome(["number of rows deleted"], [(count,)], count)

    def run() -> Outcome:
        return outcome(session.duck.execute(sql, params).fetchall()[0][0])

    def plan() -> Plan:
        rows = hits()
        return Plan(rows, outcome(len(rows)))

    def late(planned: Plan) -> None:
        """Update the planned rows in their current version, and rows of this transaction by the condition."""
        rows = f"{row} IN ({rebase.numbers(rebase.committed(planned.rows))})"
        own = f"{row} >= {rebase.LOCAL}"
        # With other tables the condition is a join, so it is evaluated again.
        narrowed = f"({condition}) AND ({rows} OR {own})" if beside else f"{rows} OR ({own} AND ({condition}))"
        bare = changed.copy()
        bare.set("where", None)
        session.duck.execute(f"{session.render(bare)} WHERE {narrowed}", params)

    verbs = ("UPDATE",) if update else ("DELETE",)
    return Prepared(name, run, True, verbs, lambda: {name: hits()}, plan, late)


def _assigned(value: exp.Expression, column: Column) -> exp.Expression:
    """The assignments of UPDATE, converted for the columns."""
    family = column.type.family
    if isinstance(value, (exp.Null, exp.Placeholder)):
        return value
    if family == "TEXT":
        text = exp.cast(value.copy(), exp.DataType.Type.VARCHAR)
        return zones.call("_emulator_fits", text, exp.Literal.number(column.type.first or 0))
    macro = {"TIMESTAMP_TZ": "_emulator_tz", "TIMESTAMP_LTZ": "_emulator_instant", "DATE": "_emulator_wall"}.get(family)
    return zones.call(macro, value.copy()) if macro is not None else value


def _sources(e: exp.Expression) -> list[exp.Expression]:
    """The other tables of an UPDATE (FROM) or a DELETE (USING)."""
    joined = e.args.get("from_") or e.args.get("from")
    if joined is not None:
        return [joined.this, *(joined.this.args.get("joins") or [])] if joined.this else []
    return list(e.args.get("using") or [])


def _truncate(session: Session, e: exp.TruncateTable) -> Prepared:
    name = session.name_of(e.expressions[0])
    there = name in session.engine.catalog.tables
    if not there and not e.args.get("exists"):
        session.engine.catalog.table(name)

    result = Outcome(["status"], [("Statement executed successfully.",)], 0)
    history: Name = (name[0], *HISTORY_NAME)
    loads = "schema_name = ? AND table_name = ?"

    def forget() -> None:
        session.duck.execute(f"DELETE FROM {full(history)} WHERE {loads}", list(name[1:]))

    def run() -> Outcome:
        if there:
            session.duck.execute(f"DELETE FROM {full(name)}")
            forget()
        return result

    def hits() -> dict[Name, list[int]]:
        if not there:
            return {}
        found = session.duck.execute(f"SELECT rowid FROM {full(history)} WHERE {loads}", list(name[1:])).fetchall()
        return {name: _all(session, name), history: [row[0] for row in found]}

    def late(planned: Plan) -> None:
        _delete_late(session, name, planned)
        forget()

    return Prepared(name, run, there, ("TRUNCATE",), hits, lambda: Plan(_all(session, name), result), late)
