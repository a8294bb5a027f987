"""Statements that change rows: INSERT, UPDATE, DELETE, TRUNCATE and MERGE (COPY INTO has a file of its own).

Each is prepared once and gives a function that does it; the session runs that
function inside a transaction and may run it again when the snapshot it saw has
become old.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from .catalog import DEFAULT_LENGTH, SEMI, Column, Table
from .engine import HISTORY, Outcome
from .errors import SqlError, not_emulated, syntax
from .text import Name, quote

if TYPE_CHECKING:
    from .session import Session

Run = Callable[[], Outcome]


def full(name: Name) -> str:
    """A stored name as SQL."""
    return ".".join(quote(part) for part in name)


class Prepared:
    """A statement ready to run: what it changes, whether it locks it, and how."""

    def __init__(self, table: Name, run: Run, exclusive: bool, verbs: tuple[str, ...]) -> None:
        self.table = table
        self.run = run
        self.exclusive = exclusive
        self.verbs = verbs


def prepare(session: Session, expression: exp.Expression, params: list | None) -> Prepared:
    """The statement, checked, as far as it can be without running it."""
    if isinstance(expression, exp.Insert):
        return _insert(session, expression, params)
    if isinstance(expression, exp.Merge):
        return _merge(session, expression)
    if isinstance(expression, exp.TruncateTable):
        return _truncate(session, expression)
    if isinstance(expression, (exp.Update, exp.Delete)):
        return _change(session, expression, params)
    raise not_emulated(type(expression).__name__)


def coerce(value: str, duck: str, column: Column, wide: bool = True) -> str:
    """`value` (of DuckDB type `duck`) as the column takes it; refuses what Snowflake refuses."""
    family = column.type.family
    if family in SEMI:
        if duck not in ("JSON", '"NULL"'):
            kind = {"VARCHAR": "VARCHAR(16777216)", "DOUBLE": "FLOAT"}.get(duck, duck)
            raise SqlError(
                2023, "22000",
                "SQL compilation error:\nExpression type does not match column data type, expecting "
                f"{family} but got {kind} for column {column.name}",
            )  # fmt: skip
        return value
    if duck == "JSON":
        value = f"({value} ->> '$')"
    if family == "BINARY" and duck == "VARCHAR":
        return f"unhex({value})"
    cast = f"CAST({value} AS {column.type.duck()})"
    if family == "TEXT" and wide and (column.type.first or 0) < DEFAULT_LENGTH["TEXT"]:
        message = f"'String ''' || {cast} || ''' is too long and would be truncated'"
        return f"CASE WHEN length({cast}) > {column.type.first} THEN error({message}) ELSE {cast} END"
    return cast


def describe(session: Session, select: str, params: list | None = None) -> list[str]:
    """The DuckDB types of a query's columns."""
    return [row[1] for row in session.duck.execute(f"DESCRIBE {select}", params).fetchall()]


def projected(session: Session, select: str, columns: list[Column], params: list | None = None) -> str:
    """The query with every column as the target takes it."""
    types = describe(session, select, params)
    if len(types) != len(columns):
        raise SqlError(
            2057, "42601",
            "SQL compilation error:\nInsert value list does not match column list expecting "
            f"{len(columns)} but got {len(types)}",
        )  # fmt: skip
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

    def run() -> Outcome:
        if e.args.get("overwrite"):
            session.duck.execute(f"DELETE FROM {full(name)}")
        values = projected(session, select, columns, params)
        count = session.duck.execute(f"INSERT INTO {full(name)} ({listed}) {values}", params).fetchall()[0][0]
        return Outcome(["number of rows inserted"], [(count,)], count)

    return Prepared(name, run, bool(e.args.get("overwrite")), ("INSERT",))


def _change(session: Session, e: exp.Update | exp.Delete, params: list | None) -> Prepared:
    name = session.name_of(e.this)
    session.engine.catalog.table(name)
    session.check_tables(e)
    sql = session.duck_sql(e)
    update = isinstance(e, exp.Update)

    def run() -> Outcome:
        count = session.duck.execute(sql, params).fetchall()[0][0]
        if update:
            return Outcome(["number of rows updated", "number of multi-joined rows updated"], [(count, 0)], count)
        return Outcome(["number of rows deleted"], [(count,)], count)

    return Prepared(name, run, True, ("UPDATE",) if update else ("DELETE",))


def _truncate(session: Session, e: exp.TruncateTable) -> Prepared:
    name = session.name_of(e.expressions[0])
    there = name in session.engine.catalog.tables
    if not there and not e.args.get("exists"):
        session.engine.catalog.table(name)

    def run() -> Outcome:
        if there:
            session.duck.execute(f"DELETE FROM {full(name)}")
            session.duck.execute(
                f"DELETE FROM {quote(name[0])}.{HISTORY} WHERE schema_name = ? AND table_name = ?", list(name[1:])
            )
        return Outcome(["status"], [("Statement executed successfully.",)], 0)

    return Prepared(name, run, True, ("TRUNCATE",))


def _merge(session: Session, e: exp.Merge) -> Prepared:
    name = session.name_of(e.this)
    table = session.engine.catalog.table(name)
    session.check_tables(e)
    whens = e.args["whens"].expressions
    for when in whens:
        if when.args.get("source"):
            raise syntax("unexpected 'BY'")
        if not when.args.get("matched") and not isinstance(when.args["then"], exp.Insert):
            raise syntax("WHEN NOT MATCHED takes INSERT only")
    m = session.transformed(e)
    q = session.render
    target, source, on = q(m.this), q(m.args["using"]), q(m.args["on"])
    alias = quote(m.this.alias_or_name)
    clauses = m.args["whens"].expressions

    def values(items: list[exp.Expression], columns: list[Column]) -> list[str]:
        if not items:
            return []
        texts = [q(item) for item in items]
        probe = f"SELECT {', '.join(texts)} FROM {target} CROSS JOIN {source}"
        return [coerce(f"({t})", kind, c) for t, kind, c in zip(texts, describe(session, probe), columns, strict=True)]

    def run() -> Outcome:
        rendered, kinds = [], []
        for clause in clauses:
            then, matched = clause.args["then"], clause.args.get("matched")
            condition = f" AND ({q(clause.args['condition'])})" if clause.args.get("condition") else ""
            start = f"WHEN {'' if matched else 'NOT '}MATCHED{condition} THEN "
            if isinstance(then, exp.Update):
                names = [session.fold(eq.this.this if isinstance(eq.this, exp.Column) else eq.this)
                         for eq in then.expressions]  # fmt: skip
                new = values([eq.expression for eq in then.expressions], [table.column(n) for n in names])
                sets = ", ".join(f"{quote(n)} = {v}" for n, v in zip(names, new, strict=True))
                rendered.append(f"{start}UPDATE SET {sets}")
                kinds.append("UPDATE")
            elif isinstance(then, exp.Insert):
                names = [session.fold(c.this if isinstance(c, exp.Column) else c)
                         for c in (then.this.expressions if then.this else [])]  # fmt: skip
                columns = targets(table, names)
                items = then.expression.expressions
                if len(items) != len(columns):
                    raise SqlError(
                        2057, "42601",
                        "SQL compilation error:\nInsert value list does not match column list expecting "
                        f"{len(columns)} but got {len(items)}",
                    )  # fmt: skip
                listed = ", ".join(quote(c.name) for c in columns)
                rendered.append(f"{start}INSERT ({listed}) VALUES ({', '.join(values(items, columns))})")
                kinds.append("INSERT")
            else:
                rendered.append(f"{start}DELETE")
                kinds.append("DELETE")
        _refuse_duplicates(session, clauses, alias, target, source, on)
        sql = f"MERGE INTO {target} USING {source} ON {on} {' '.join(rendered)} RETURNING merge_action"
        actions = [row[0] for row in session.duck.execute(sql).fetchall()]
        names = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}
        used = [k for k in names if k in kinds]
        counts = [actions.count(k) for k in used]
        return Outcome([f"number of rows {names[k]}" for k in used], [tuple(counts)], sum(counts))

    verbs = {exp.Update: "UPDATE", exp.Insert: "INSERT"}
    wanted = tuple({verbs.get(type(w.args["then"]), "DELETE") for w in whens})
    return Prepared(name, run, True, wanted)


def _refuse_duplicates(
    session: Session, clauses: list[exp.Expression], alias: str, target: str, source: str, on: str
) -> None:
    """A target row that several source rows would update: error 100090, as by default."""
    matched = [c for c in clauses if c.args.get("matched")]
    if not any(isinstance(c.args["then"], exp.Update) for c in matched):
        return
    whens = []
    for clause in matched:
        condition = session.render(clause.args["condition"]) if clause.args.get("condition") else "TRUE"
        whens.append(f"WHEN {condition} THEN {1 if isinstance(clause.args['then'], exp.Update) else 0}")
    hits = (
        f"SELECT {alias}.rowid AS r, CASE {' '.join(whens)} END AS hit FROM {target} JOIN {source} ON {on}"
    )
    sql = (
        f"SELECT COUNT(*) FROM (SELECT r FROM ({hits}) WHERE hit IS NOT NULL "
        "GROUP BY r HAVING COUNT(*) > 1 AND MAX(hit) = 1)"
    )
    if session.duck.execute(sql).fetchall()[0][0]:
        raise SqlError(100090, "42P18", "Duplicate row detected during DML action\nRow Values: [...]")
