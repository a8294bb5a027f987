"""Statements that change rows: INSERT, UPDATE, DELETE, TRUNCATE, MERGE and COPY INTO.

Each is prepared once and gives a function that does it; the session runs that
function inside a transaction and may run it again when the snapshot it saw has
become old.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from sqlglot import exp

from . import dialect
from .catalog import DEFAULT_LENGTH, SEMI, Column, Table
from .engine import HISTORY, Outcome
from .errors import SqlError, not_emulated, syntax
from .stages import File
from .text import Name, Reader, identifier, quote

if TYPE_CHECKING:
    from .session import Session

Run = Callable[[], Outcome]
COPY_COLUMNS = [
    "file", "status", "rows_parsed", "rows_loaded", "error_limit", "errors_seen", "first_error", "first_error_line",
    "first_error_character", "first_error_column_name",
]  # fmt: skip


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


def prepare(session: Session, sql: str, expression: exp.Expression | None, params: list | None) -> Prepared:
    """The statement, checked, as far as it can be without running it."""
    if expression is None:
        return _copy(session, sql)
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


def _targets(table: Table, names: list[str]) -> list[Column]:
    return [table.column(name) for name in names] if names else list(table.columns)


def _insert(session: Session, e: exp.Insert, params: list | None) -> Prepared:
    target = e.this.this if isinstance(e.this, exp.Schema) else e.this
    name = session.name_of(target)
    table = session.engine.catalog.table(name)
    names = [session.fold(c) for c in e.this.expressions] if isinstance(e.this, exp.Schema) else []
    columns = _targets(table, names)
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
                columns = _targets(table, names)
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


# --- COPY INTO ---------------------------------------------------------------


def _copy(session: Session, sql: str) -> Prepared:
    r = Reader(sql)
    r.expect("COPY", "INTO")
    if r.peek().startswith("@"):
        raise not_emulated("COPY INTO a location")
    name = session.complete(r.parts())
    table = session.engine.catalog.table(name)
    names: list[str] = []
    if r.accept("("):
        while not r.accept(")"):
            if not r.accept(","):
                names.append(identifier(r.next().text))
    r.expect("FROM")
    select = None
    if r.accept("("):
        r.expect("SELECT")
        begin = r.items[r.at].start
        depth = 0
        while depth or not (r.peek() == "FROM" and r.peek(1)[:1] in ("@", "'")):
            depth += {"(": 1, ")": -1}.get(r.next().text, 0)
        select = sql[begin : r.items[r.at].start]
        r.expect("FROM")
    token = r.next()
    reference = token.text if token.kind == "stage" else token.text.strip("'")
    if select is not None:
        if r.accept("AS") or r.peek() != ")":
            r.next()
        r.expect(")")
    options = r.properties()
    stage, prefix = session.stage(reference, "READ")
    columns = _targets(table, names)
    reading = _reading(options, select is not None)
    items = _items(session, select, columns) if select is not None else None

    def run() -> Outcome:
        rows: list[tuple] = []
        total = 0
        for file in _wanted(session, stage, prefix, options):
            seen = session.duck.execute(
                f"SELECT COUNT(*) FROM {quote(name[0])}.{HISTORY} WHERE schema_name = ? AND table_name = ? "
                "AND stage = ? AND path = ? AND digest = ?",
                [name[1], name[2], stage.key, file.path, file.digest()],
            ).fetchall()[0][0]
            if seen and not options.get("FORCE"):
                rows.append((file.shown(), "LOAD_SKIPPED", 0, 0, None, 1, "File was loaded before.", None, None, None))
                continue
            found, query = _file_query(session, file, items, columns, reading)
            listed = ", ".join(quote(c.name) for c in found)
            sql = f"INSERT INTO {full(name)} ({listed}) {query}"
            count = session.duck.execute(sql).fetchall()[0][0]
            session.duck.execute(
                f"INSERT INTO {quote(name[0])}.{HISTORY} VALUES (?, ?, ?, ?, ?, ?, ?)",
                [name[1], name[2], stage.key, file.path, file.digest(), count, dt.datetime.now(dt.UTC)],
            )
            total += count
            rows.append((file.shown(), "LOADED", count, count, 1, 0, None, None, None, None))
        if not rows:
            return Outcome(["status"], [("Copy executed with 0 files processed.",)], 0)
        return Outcome(COPY_COLUMNS, rows, total)

    return Prepared(name, run, False, ("INSERT",))


KNOWN_OPTIONS = {"FILE_FORMAT", "ON_ERROR", "FORCE", "PURGE", "FILES", "PATTERN", "MATCH_BY_COLUMN_NAME"}


def _reading(options: dict, transforming: bool) -> dict:
    """The options of a COPY, checked; only Parquet is emulated."""
    for key in options:
        if key not in KNOWN_OPTIONS:
            raise not_emulated(f"COPY option {key}")
    form = options.get("FILE_FORMAT")
    if not isinstance(form, dict) or str(form.get("TYPE", "")).upper() != "PARQUET":
        raise not_emulated("COPY from anything but FILE_FORMAT = (TYPE = PARQUET ...)")
    for key in form:
        if str(key).upper() not in ("TYPE", "USE_LOGICAL_TYPE", "BINARY_AS_TEXT", "USE_VECTORIZED_SCANNER", "COMPRESSION"):
            raise not_emulated(f"FILE_FORMAT option {key}")
    if str(options.get("ON_ERROR", "ABORT_STATEMENT")).upper() != "ABORT_STATEMENT":
        raise not_emulated("ON_ERROR other than ABORT_STATEMENT")
    match = str(options.get("MATCH_BY_COLUMN_NAME", "NONE")).upper()
    if transforming and match != "NONE":
        raise SqlError(2215, "0A000", "SQL compilation error:\nMATCH_BY_COLUMN_NAME cannot be used with a transformation.")
    if not transforming and match == "NONE":
        raise SqlError(
            2019, "0A000",
            "SQL compilation error:\nPARQUET file format can produce one and only one column of type variant, object, "
            "or array. Load data into separate columns using the MATCH_BY_COLUMN_NAME copy option or copy with "
            "transformation.",
        )  # fmt: skip
    scanner = form.get("USE_VECTORIZED_SCANNER") is True
    return {
        "logical": scanner or form.get("USE_LOGICAL_TYPE") is True,
        "binary_as_text": not scanner and form.get("BINARY_AS_TEXT", True) is True,
        "match": match,
    }


def _wanted(session: Session, stage, prefix: str, options: dict) -> list[File]:  # noqa: ANN001
    files = session.engine.stages.files(stage, prefix)
    if "PATTERN" in options:
        pattern = re.compile(str(options["PATTERN"]))
        files = [f for f in files if pattern.fullmatch(f.path)]
    if "FILES" in options:
        by_path = {f.path: f for f in files}
        files = []
        for item in options["FILES"]:
            if prefix + item not in by_path:
                raise SqlError(100016, "22000", f"Remote file '{prefix + item}' was not found.")
            files.append(by_path[prefix + item])
    return files


def _items(session: Session, select: str, columns: list[Column]) -> list[exp.Expression]:
    expression = dialect.parse(f"SELECT {select}")
    items = [i.this if isinstance(i, exp.Alias) else i for i in expression.expressions]
    if len(items) != len(columns):
        raise SqlError(
            2057, "42601",
            "SQL compilation error:\nInsert value list does not match column list expecting "
            f"{len(columns)} but got {len(items)}",
        )  # fmt: skip
    return items


def _file_query(
    session: Session, file: File, items: list[exp.Expression] | None, columns: list[Column], reading: dict
) -> tuple[list[Column], str]:
    """The target columns and the query over one Parquet file."""
    place = file.place.replace("'", "''")
    with open(file.place, "rb") as opened:
        try:
            schema = pq.ParquetFile(opened).schema_arrow
        except Exception as error:  # pyarrow's own hierarchy is wide; the file is simply not Parquet
            raise SqlError(100084, "22000", f"Error parsing the parquet file: {error}\n  File '{file.shown()}'") from error
    scan = f"read_parquet('{place}')"
    described = session.duck.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    types = {name: kind for name, (_, kind, *_) in zip(schema.names, described, strict=True)}
    duck_names = {name: row[0] for name, row in zip(schema.names, described, strict=True)}

    def column(name: str) -> str | None:
        """A column of the file as the scanner of these options gives it."""
        if name not in types:
            return None
        text = f"f.{quote(duck_names[name])}"
        if types[name] == "BLOB" and reading["binary_as_text"]:
            return f"decode({text})"
        if types[name].startswith("TIMESTAMP") and not reading["logical"]:
            raise not_emulated("a Parquet timestamp without USE_LOGICAL_TYPE or USE_VECTORIZED_SCANNER")
        return text

    def kind(name: str) -> str:
        return "VARCHAR" if types[name] == "BLOB" and reading["binary_as_text"] else types[name]

    def bare(name: str, target: Column) -> str:
        """A path with no cast: a VARIANT, converted to the column's type."""
        text = column(name)
        if text is None:
            return "NULL"
        if target.type.family in SEMI:
            return f"to_json({text})"
        return coerce(text, kind(name), target)

    if items is None:
        fold = str.upper if reading["match"] == "CASE_INSENSITIVE" else str
        by_name = {fold(n): n for n in schema.names}
        found = [c for c in columns if fold(c.name) in by_name]
        if not found:
            return columns, f"SELECT {', '.join('NULL' for _ in columns)} FROM {scan} AS f"
        return found, f"SELECT {', '.join(bare(by_name[fold(c.name)], c) for c in found)} FROM {scan} AS f"

    def put(node: exp.Expression) -> exp.Expression:
        key = _path(node)
        if key is None:
            return node
        text = column(key)
        if text is None:
            return exp.Null()
        inner: exp.Expression = exp.Column(
            this=exp.to_identifier(duck_names[key], quoted=True), table=exp.to_identifier("f", quoted=True)
        )
        if text.startswith("decode("):
            inner = exp.Anonymous(this="decode", expressions=[inner])
        parent = node.parent
        if isinstance(parent, exp.ParseJSON):
            return inner
        if isinstance(parent, (exp.Cast, exp.TryCast)):
            binary = parent.to.this in (exp.DataType.Type.BINARY, exp.DataType.Type.VARBINARY)
            return exp.Anonymous(this="unhex", expressions=[inner]) if binary and kind(key) == "VARCHAR" else inner
        return exp.Anonymous(this="to_json", expressions=[inner])

    # Everything in one query, so that it is transformed and described once.
    rest = [item for item in items if _path(item) is None]
    texts = iter(())
    if rest:
        query = session.transformed(exp.Select(expressions=[item.copy().transform(put) for item in rest]))
        rendered = [session.render(e) for e in query.expressions]
        texts = iter(zip(rendered, describe(session, f"SELECT {', '.join(rendered)} FROM {scan} AS f"), strict=True))
    casts: list[str] = []
    for item, target in zip(items, columns, strict=True):
        key = _path(item)
        if key is not None:
            casts.append(bare(key, target))
        else:
            text, found_kind = next(texts)
            casts.append(coerce(f"({text})", found_kind, target))
    return columns, f"SELECT {', '.join(casts)} FROM {scan} AS f"


def _path(node: exp.Expression) -> str | None:
    """The key of `$1:"key"`."""
    if not isinstance(node, exp.JSONExtract):
        return None
    base = node.this
    text = base.sql("snowflake")
    if not re.fullmatch(r"(\w+\.)?\$1", text):
        return None
    path = node.expression
    keys = [p for p in path.expressions if not isinstance(p, exp.JSONPathRoot)] if isinstance(path, exp.JSONPath) else []
    if len(keys) != 1 or not isinstance(keys[0], exp.JSONPathKey):
        raise not_emulated(f"the path {node.sql('snowflake')} in a COPY transformation")
    return str(keys[0].this)
