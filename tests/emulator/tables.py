"""CREATE, ALTER and DROP of tables and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from . import dialect
from .answer import Answer
from .catalog import Column, Table, Type, type_of_duck
from .engine import HISTORY
from .errors import SqlError, exists, missing, not_emulated, syntax
from .text import Name, Reader, full, quote, unquote

if TYPE_CHECKING:
    from .session import Session


def run(session: Session, verb: str, kind: str, text: str) -> Answer:
    """One statement about a table or a view."""
    if kind == "VIEW":
        return _view(session, verb, text)
    return {"CREATE": _create_table, "ALTER": _alter_table, "DROP": _drop_table}[verb](session, text)


def _status(text: str) -> Answer:
    return Answer.status(text)


def _column(definition: exp.ColumnDef, session: Session) -> Column:
    if definition.kind is None:
        raise syntax(f"column {definition.name} has no type")
    column = Column(session.fold(definition.this), Type.of(definition.kind))
    for constraint in definition.constraints:
        kind = constraint.kind
        if isinstance(kind, exp.NotNullColumnConstraint):
            column.nullable = bool(kind.args.get("allow_null"))
        elif isinstance(kind, exp.PrimaryKeyColumnConstraint):
            column.nullable = False
        elif isinstance(kind, exp.CommentColumnConstraint):
            column.comment = kind.this.name
        elif isinstance(kind, exp.DefaultColumnConstraint):
            column.default = session.duck_sql(kind.this)
        elif not isinstance(kind, exp.UniqueColumnConstraint):
            raise not_emulated(f"the constraint {kind.sql('snowflake')}")
    return column


def _clustering(node: exp.Expression | None) -> str | None:
    if node is None:
        return None
    keys = [e.sql("snowflake").replace('"', "") for e in node.expressions]
    return f"LINEAR({', '.join(keys)})"


def _create_table(session: Session, text: str) -> Answer:
    e = dialect.parse(text)
    if not isinstance(e, exp.Create):
        raise not_emulated(f"the statement {text[:60]!r}")
    properties = e.args["properties"].expressions if e.args.get("properties") else []
    temporary = any(isinstance(p, exp.TemporaryProperty) for p in properties)
    name = session.name_of(e.this)
    engine, roles = session.engine, session.account.roles
    engine.catalog.schema(*name[:2])
    if not temporary:
        roles.require_create(session.role, "TABLE", name)
    if name in engine.catalog.tables:
        if temporary or engine.catalog.tables[name].temporary:
            raise not_emulated("a temporary table that has the name of another table")
        if e.args.get("exists"):
            return _status(f"{name[2]} already exists, statement succeeded.")
        if not e.args.get("replace"):
            raise exists(".".join(name))
        roles.require_table(session.role, "OWNERSHIP", engine.catalog.tables[name])
    engine.catalog.check_case(
        "table", name[2], [n[2] for n in engine.catalog.tables if n[:2] == name[:2] and n != name]
    )
    owner = session.role if temporary else roles.owner_of_new("TABLE", name, session.role)
    table = Table(name, owner=owner, temporary=session.id if temporary else None)
    for p in properties:
        if isinstance(p, exp.TemporaryProperty):
            continue
        if isinstance(p, exp.TransientProperty):
            table.transient = True
        elif isinstance(p, exp.Property) and p.name.upper() == "DATA_RETENTION_TIME_IN_DAYS":
            continue  # time travel is not emulated
        elif isinstance(p, exp.SchemaCommentProperty):
            table.comment = p.this.name
        elif isinstance(p, (exp.Cluster, exp.ClusterProperty)):
            table.clustering = _clustering(p)
        elif isinstance(p, exp.LikeProperty):
            table.columns = [c.copied() for c in engine.catalog.table(session.name_of(p.this)).columns]
        else:
            raise not_emulated(f"CREATE TABLE with {p.sql('snowflake')}")
    source = None
    if e.args.get("clone"):
        original = engine.catalog.table(session.name_of(e.args["clone"].this))
        table.columns = [c.copied() for c in original.columns]
        source = f"SELECT * FROM {full(original.name)}"
    elif e.expression:
        session.check_tables(e.expression)
        source = session.duck_sql(e.expression)
        described = session.duck.execute(f"DESCRIBE {source}").fetchall()
        table.columns = [Column(row[0], type_of_duck(row[1])) for row in described]
    elif isinstance(e.this, exp.Schema):
        _declared(session, table, e.this.expressions)
    if not table.columns:
        raise syntax("a table needs columns")
    _materialise(session, table, bool(e.args.get("replace")), source)
    return _status(f"Table {name[2]} successfully created.")


def _declared(session: Session, table: Table, definitions: list[exp.Expression]) -> None:
    for definition in definitions:
        if isinstance(definition, exp.ColumnDef):
            column = _column(definition, session)
            if any(c.name == column.name for c in table.columns):
                raise SqlError(2025, "42S21", f"SQL compilation error:\nduplicate column name '{column.name}'")
            table.columns.append(column)
        elif isinstance(definition, (exp.PrimaryKey, exp.Constraint)):
            for key in definition.find_all(exp.PrimaryKey):
                for column in key.expressions:
                    table.column(session.fold(column)).nullable = False
        elif not isinstance(definition, exp.UniqueColumnConstraint):
            raise not_emulated(f"{definition.sql('snowflake')} in CREATE TABLE")


def _materialise(session: Session, table: Table, replace: bool, source: str | None) -> None:
    engine = session.engine
    names = [c.name for c in table.columns]
    for name in names:
        engine.catalog.check_case("column", name, names)
    if replace:
        session.duck.execute(f"DROP TABLE IF EXISTS {full(table.name)}")
    create_in_duck(session.duck, table)
    if source is not None:
        session.duck.execute(f"INSERT INTO {full(table.name)} {source}")
    _forget_loads(session, table.name)
    table.born = session.account.statements()
    engine.catalog.tables[table.name] = table


def create_in_duck(duck: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Create the empty table in DuckDB, as it is declared."""
    duck.execute(f"CREATE TABLE {full(table.name)} ({', '.join(_duck_column(c) for c in table.columns)})")


def _duck_column(column: Column) -> str:
    text = f"{quote(column.name)} {column.type.duck()}"
    if column.default is not None:
        text += f" DEFAULT {column.default}"
    return text if column.nullable else f"{text} NOT NULL"


def _forget_loads(session: Session, name: Name) -> None:
    session.duck.execute(
        f"DELETE FROM {quote(name[0])}.{HISTORY} WHERE schema_name = ? AND table_name = ?", list(name[1:])
    )


def _drop_table(session: Session, text: str) -> Answer:
    r = Reader(text)
    r.expect("DROP", "TABLE")
    condition = r.accept("IF", "EXISTS")
    name = session.complete(r.parts())
    tables = session.engine.catalog.tables
    if name not in tables:
        if condition:
            return _status("Drop statement executed successfully.")
        raise missing("Table", ".".join(name))
    session.account.roles.require_table(session.role, "OWNERSHIP", tables[name])
    session.duck.execute(f"DROP TABLE {full(name)}")
    _forget_loads(session, name)
    del tables[name]
    own_stage = (*name[:2], f"%{name[2]}")
    if own_stage in session.engine.stages.by_name:
        session.engine.stages.drop(own_stage)
    return _status(f"{name[2]} successfully dropped.")


def _alter_table(session: Session, text: str) -> Answer:
    r = Reader(text)
    r.expect("ALTER", "TABLE")
    condition = r.accept("IF", "EXISTS")
    name = session.complete(r.parts())
    if condition and name not in session.engine.catalog.tables:
        return _status("Statement executed successfully.")
    table = session.engine.catalog.table(name)
    session.account.roles.require_table(session.role, "OWNERSHIP", table)
    if r.peek() == "ADD" and r.peek(1) not in ("CONSTRAINT", "PRIMARY", "UNIQUE"):
        return _add_columns(session, table, r)
    if r.accept("CLUSTER", "BY"):
        if r.peek() != "(":
            raise syntax("CLUSTER BY takes a list in parentheses")
        table.clustering = _clustering(exp.Tuple(expressions=_keys(r.rest())))
        return _status("Statement executed successfully.")
    if r.accept("DROP", "CLUSTERING", "KEY"):
        table.clustering = None
        return _status("Statement executed successfully.")
    if r.accept("RENAME", "TO"):
        return _rename(session, table, session.complete(r.parts()))
    if r.accept("RENAME", "COLUMN"):
        column = table.column(r.parts()[0])
        r.expect("TO")
        new = r.parts()[0]
        session.duck.execute(f"ALTER TABLE {full(name)} RENAME COLUMN {quote(column.name)} TO {quote(new)}")
        column.name = new
        return _status("Statement executed successfully.")
    if r.accept("SWAP", "WITH"):
        return _swap(session, table, session.engine.catalog.table(session.complete(r.parts())))
    if r.accept("SET", "COMMENT"):
        r.expect("=")
        table.comment = unquote(r.next().text)
        return _status("Statement executed successfully.")
    if r.accept("DROP", "COLUMN") or (r.peek() == "DROP" and r.accept("DROP")):
        return _drop_columns(session, table, r)
    if r.peek() in ("ALTER", "MODIFY"):
        return _alter_columns(session, table, r)
    if r.peek() == "ADD":
        return _status("Statement executed successfully.")  # a constraint: neither enforced nor stored
    raise not_emulated(f"ALTER TABLE ... {r.rest()[:60]}")


def _keys(text: str) -> list[exp.Expression]:
    parsed = dialect.parse(f"SELECT * FROM t ORDER BY {text.strip()[1:-1]}")
    return [ordered.this for ordered in parsed.args["order"].expressions]


def _add_columns(session: Session, table: Table, r: Reader) -> Answer:
    """`ADD [COLUMN] [IF NOT EXISTS] a T, [IF NOT EXISTS] b T`: COLUMN is written once."""
    r.expect("ADD")
    r.accept("COLUMN")
    while True:
        condition = r.accept("IF", "NOT", "EXISTS")
        begin = r.items[r.at].start
        depth, end = 0, begin
        while not r.done() and (depth or r.peek() != ","):
            token = r.next()
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            end = token.end
        definition = r.sql[begin:end]
        if definition.upper().startswith("COLUMN "):
            raise syntax("unexpected 'COLUMN': it is said once, after ADD")
        parsed = dialect.parse(f"CREATE TABLE t ({definition})")
        (columndef,) = parsed.this.expressions
        column = _column(columndef, session)
        names = [c.name for c in table.columns]
        if column.name in names:
            if not condition:
                raise SqlError(1430, "42601", f"SQL compilation error:\ncolumn '{column.name}' already exists")
        else:
            session.engine.catalog.check_case("column", column.name, names)
            _add_column(session, table, column)
        if not r.accept(","):
            break
        r.accept("ADD")
    return _status("Statement executed successfully.")


def _add_column(session: Session, table: Table, column: Column) -> None:
    filled = session.duck.execute(f"SELECT COUNT(*) FROM {full(table.name)}").fetchall()[0][0]
    if not column.nullable and column.default is None and filled:
        raise SqlError(
            2002,
            "42601",
            f"SQL compilation error:\nNon-nullable column '{column.name}' cannot be added to non-empty table "
            f"'{table.name[2]}' unless it has a non-null default value.",
        )
    loose = Column(column.name, column.type, True, column.comment, column.default)
    session.duck.execute(f"ALTER TABLE {full(table.name)} ADD COLUMN {_duck_column(loose)}")
    if not column.nullable:
        session.duck.execute(f"ALTER TABLE {full(table.name)} ALTER COLUMN {quote(column.name)} SET NOT NULL")
    column.born = session.account.statements()
    table.columns.append(column)


def _drop_columns(session: Session, table: Table, r: Reader) -> Answer:
    condition = r.accept("IF", "EXISTS")
    while True:
        (name,) = r.parts()
        if not condition or any(c.name == name for c in table.columns):
            column = table.column(name)
            session.duck.execute(f"ALTER TABLE {full(table.name)} DROP COLUMN {quote(name)}")
            table.columns.remove(column)
        if not r.accept(","):
            return _status("Statement executed successfully.")


def _alter_columns(session: Session, table: Table, r: Reader) -> Answer:
    r.next()
    r.accept("COLUMN")
    column = table.column(r.parts()[0])
    at = f"ALTER TABLE {full(table.name)} ALTER COLUMN {quote(column.name)}"
    if r.accept("DROP", "NOT", "NULL"):
        session.duck.execute(f"{at} DROP NOT NULL")
        column.nullable = True
    elif r.accept("SET", "NOT", "NULL"):
        session.duck.execute(f"{at} SET NOT NULL")
        column.nullable = False
    elif r.accept("COMMENT"):
        column.comment = unquote(r.next().text)
    elif r.accept("SET", "DATA", "TYPE") or r.accept("TYPE"):
        parsed = dialect.parse(f"CREATE TABLE t (c {r.rest()})")
        new = Type.of(parsed.this.expressions[0].kind)
        wider = new.family == column.type.family and (
            (new.family == "TEXT" and (new.first or 0) >= (column.type.first or 0))
            or (
                new.family == "NUMBER"
                and new.second == column.type.second
                and (new.first or 0) >= (column.type.first or 0)
            )
        )
        if not wider and new != column.type:
            raise SqlError(
                2108,
                "22000",
                f"SQL compilation error:\ncannot change column {column.name} from type {column.type.text()} to {new.text()}",
            )
        session.duck.execute(f"{at} SET DATA TYPE {new.duck()}")
        column.type = new
    else:
        raise not_emulated(f"ALTER COLUMN {r.rest()[:40]}")
    return _status("Statement executed successfully.")


def _rename(session: Session, table: Table, new: Name) -> Answer:
    if new in session.engine.catalog.tables:
        raise exists(".".join(new))
    if new[:2] != table.name[:2]:
        raise not_emulated("RENAME TO another schema")
    session.duck.execute(f"ALTER TABLE {full(table.name)} RENAME TO {quote(new[2])}")
    del session.engine.catalog.tables[table.name]
    table.name = new
    session.engine.catalog.tables[new] = table
    return _status("Statement executed successfully.")


def _swap(session: Session, one: Table, other: Table) -> Answer:
    first, second = one.name, other.name
    if first[:2] != second[:2]:
        raise not_emulated("SWAP WITH a table of another schema")
    rename = "ALTER TABLE {} RENAME TO {}"
    session.duck.execute(rename.format(full(first), quote("_emulator_swap")))
    session.duck.execute(rename.format(full(second), quote(first[2])))
    session.duck.execute(rename.format(full((*first[:2], "_emulator_swap")), quote(second[2])))
    one.name, other.name = second, first
    session.engine.catalog.tables.update({first: other, second: one})
    return _status("Statement executed successfully.")


def _view(session: Session, verb: str, text: str) -> Answer:
    e = dialect.parse(text)
    name = session.name_of(e.this)
    engine = session.engine
    engine.catalog.schema(*name[:2])
    if verb == "DROP":
        if name not in engine.catalog.tables and e.args.get("exists"):
            return _status("Drop statement executed successfully.")
        engine.catalog.table(name)
        session.duck.execute(f"DROP VIEW {full(name)}")
        del engine.catalog.tables[name]
        return _status(f"{name[2]} successfully dropped.")
    session.account.roles.require_create(session.role, "VIEW", name)
    session.check_tables(e.expression)
    source = session.duck_sql(e.expression)
    session.duck.execute(f"CREATE {'OR REPLACE ' if e.args.get('replace') else ''}VIEW {full(name)} AS {source}")
    described = session.duck.execute(f"DESCRIBE {source}").fetchall()
    engine.catalog.tables[name] = Table(
        name,
        [Column(row[0], type_of_duck(row[1])) for row in described],
        kind="VIEW",
        owner=session.account.roles.owner_of_new("VIEW", name, session.role),
    )
    return _status(f"View {name[2]} successfully created.")
