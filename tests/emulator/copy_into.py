"""COPY INTO: Parquet from a stage, with a transformation or by column name; other formats: `copy_json`, `copy_text`."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from sqlglot import exp

from . import copy_json, copy_text, dialect
from .catalog import SEMI, Column
from .dml import Prepared, coerce, describe, targets
from .engine import HISTORY, HISTORY_NAME, Outcome
from .errors import SqlError, not_emulated
from .stages import File, Stage
from .text import Reader, full, identifier, quote, unquote

if TYPE_CHECKING:
    from .session import Session

COLUMNS = [
    "file",
    "status",
    "rows_parsed",
    "rows_loaded",
    "error_limit",
    "errors_seen",
    "first_error",
    "first_error_line",
    "first_error_character",
    "first_error_column_name",
]


def prepare(session: Session, sql: str) -> Prepared:
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
    reference = token.text if token.kind == "stage" else unquote(token.text)
    if select is not None:
        if r.accept("AS") or r.peek() != ")":
            r.next()
        r.expect(")")
    options = r.properties()
    stage, prefix = session.stage(reference, "READ")
    columns = targets(table, names)
    reading = _reading(options, select is not None)
    items = _items(copy_text.select(select, reading), columns) if select is not None else None
    pinned: list[list[File]] = []

    def run() -> Outcome:
        rows: list[tuple] = []
        total = 0
        if not pinned:  # repeated, it reads the same files, whatever happened to the stage
            pinned.append([session.engine.stages.pin(f) for f in _wanted(session, stage, prefix, options)])
        for file in pinned[0]:
            seen = session.duck.execute(
                f"SELECT COUNT(*) FROM {quote(name[0])}.{HISTORY} WHERE schema_name = ? AND table_name = ? "
                "AND stage = ? AND path = ? AND digest = ?",
                [name[1], name[2], stage.key, file.path, file.digest()],
            ).fetchall()[0][0]
            if seen and not options.get("FORCE"):
                rows.append((file.shown(), "LOAD_SKIPPED", 0, 0, None, 1, "File was loaded before.", None, None, None))
                continue
            with copy_text.converted(file, reading) as readable:
                found, query = _file_query(session, readable, items, columns, reading)
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
        return Outcome(COLUMNS, rows, total)

    history = (name[0], *HISTORY_NAME)
    return Prepared(name, run, False, ("INSERT",), lambda: {name: [], history: []})


KNOWN_OPTIONS = {"FILE_FORMAT", "ON_ERROR", "FORCE", "PURGE", "FILES", "PATTERN", "MATCH_BY_COLUMN_NAME"}


def _reading(options: dict, transforming: bool) -> dict:
    """The options of a COPY, checked; only Parquet, JSON, and CSV with a transformation are emulated."""
    for key in options:
        if key not in KNOWN_OPTIONS:
            raise not_emulated(f"COPY option {key}")
    form = options.get("FILE_FORMAT")
    match = str(options.get("MATCH_BY_COLUMN_NAME", "NONE")).upper()
    kind = str(form.get("TYPE", "")).upper() if isinstance(form, dict) else ""
    if transforming and kind in ("JSON", "CSV"):
        if str(options.get("ON_ERROR", "ABORT_STATEMENT")).upper() != "ABORT_STATEMENT":
            raise not_emulated("ON_ERROR other than ABORT_STATEMENT")
        return copy_text.reading(form)
    if kind == "JSON":
        return copy_json.reading(form, match, transforming)
    if not isinstance(form, dict) or str(form.get("TYPE", "")).upper() != "PARQUET":
        raise not_emulated("COPY from anything but FILE_FORMAT = (TYPE = PARQUET ...) or JSON")
    for key in form:
        if str(key).upper() not in (
            "TYPE",
            "USE_LOGICAL_TYPE",
            "BINARY_AS_TEXT",
            "USE_VECTORIZED_SCANNER",
            "COMPRESSION",
        ):
            raise not_emulated(f"FILE_FORMAT option {key}")
    if str(options.get("ON_ERROR", "ABORT_STATEMENT")).upper() != "ABORT_STATEMENT":
        raise not_emulated("ON_ERROR other than ABORT_STATEMENT")
    if transforming and match != "NONE":
        raise SqlError(
            2215, "0A000", "SQL compilation error:\nMATCH_BY_COLUMN_NAME cannot be used with a transformation."
        )
    if not transforming and match == "NONE":
        raise SqlError(
            2019,
            "0A000",
            "SQL compilation error:\nPARQUET file format can produce one and only one column of type variant, object, "
            "or array. Load data into separate columns using the MATCH_BY_COLUMN_NAME copy option or copy with "
            "transformation.",
        )
    scanner = form.get("USE_VECTORIZED_SCANNER") is True
    return {
        "logical": scanner or form.get("USE_LOGICAL_TYPE") is True,
        "binary_as_text": not scanner and form.get("BINARY_AS_TEXT", True) is True,
        "match": match,
    }


def _wanted(session: Session, stage: Stage, prefix: str, options: dict) -> list[File]:
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


def _items(select: str, columns: list[Column]) -> list[exp.Expression]:
    expression = dialect.parse(f"SELECT {select}")
    items = [i.this if isinstance(i, exp.Alias) else i for i in expression.expressions]
    if len(items) != len(columns):
        raise SqlError(
            2057,
            "42601",
            "SQL compilation error:\nInsert value list does not match column list expecting "
            f"{len(columns)} but got {len(items)}",
        )
    return items


def _file_query(
    session: Session, file: File, items: list[exp.Expression] | None, columns: list[Column], reading: dict
) -> tuple[list[Column], str]:
    """The target columns and the query over one file."""
    if "json" in reading:
        return copy_json.query(file, columns, reading)
    place = file.place.replace("'", "''")
    with open(file.place, "rb") as opened:
        try:
            schema = pq.ParquetFile(opened).schema_arrow
        except Exception as error:  # pyarrow raises many exceptions; the file is not Parquet
            raise SqlError(
                100084, "22000", f"Error parsing the parquet file: {error}\n  File '{file.shown()}'"
            ) from error
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
        """A path without a cast: a VARIANT, converted to the column's type."""
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

    # In one query, so that it is transformed and described once.
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
    keys = (
        [p for p in path.expressions if not isinstance(p, exp.JSONPathRoot)] if isinstance(path, exp.JSONPath) else []
    )
    if len(keys) != 1 or not isinstance(keys[0], exp.JSONPathKey):
        raise not_emulated(f"the path {node.sql('snowflake')} in a COPY transformation")
    return str(keys[0].this)
