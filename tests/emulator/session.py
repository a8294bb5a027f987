"""One session: what it is connected as, its transaction, and the way of a statement."""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from fakesnow import statement_type
from fakesnow.rowtype import describe_as_rowtype
from sqlglot import exp

from . import copy_into, ddl, dialect, dml
from .engine import Engine, Outcome, Transaction
from .errors import SqlError, missing, not_emulated, unsupported_in_procedure
from .stages import Stage
from .text import Name, Reader, head, quote, strip_comments

if TYPE_CHECKING:
    from .account import Account
    from .procedure import Frame

TYPE_IDS = {
    "INSERT": statement_type.INSERT, "UPDATE": statement_type.UPDATE, "DELETE": statement_type.DELETE,
    "MERGE": statement_type.MERGE, "COPY": statement_type.COPY, "SELECT": statement_type.SELECT,
    "WITH": statement_type.SELECT, "SHOW": statement_type.SHOW, "LIST": statement_type.SHOW, "LS": statement_type.SHOW,
    "DESCRIBE": statement_type.DESCRIBE, "DESC": statement_type.DESCRIBE, "BEGIN": statement_type.TCL,
    "COMMIT": statement_type.TCL, "ROLLBACK": statement_type.TCL, "START": statement_type.TCL, "CREATE": statement_type.DDL,
    "ALTER": statement_type.DDL, "DROP": statement_type.DDL, "TRUNCATE": statement_type.DDL, "GRANT": statement_type.DDL,
    "REVOKE": statement_type.DDL, "USE": statement_type.USE,
}  # fmt: skip
DATA = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"}
DDL_WORDS = {"CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT", "UNDROP"}
VIEWS = {"COLUMNS": "columns_view", "TABLES": "tables_view", "SCHEMATA": "schemata_view"}

TABLE_STAGE = r"@(?:(?:\"[^\"]*\"|\w+)\.)*\"?%"
# What an owner's-rights procedure may not run, and the type the server names.
FORBIDDEN: list[tuple[str, Callable[[re.Match], str]]] = [
    (
        r"create\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?(?:temp|temporary|volatile)\s+"
        r"(?:transient\s+)?(table|stage|file\s+format|view|sequence|function|procedure)",
        lambda m: "temporary " + re.sub(r"\s+", "_", m[1]).upper(),
    ),
    (r"(put|get)\s", lambda m: m[1].upper()),
    (r"(?:remove|rm)\s", lambda _: "REMOVE_FILES"),
    (r"use\s", lambda _: "USE"),
    (r"alter\s+session\b", lambda _: "ALTER_SESSION"),
    (r"(?:set|unset)\s+[\w(]", lambda _: "SET"),
    (r"show\s+(parameters|variables|locks|transactions)\b", lambda m: f"SHOW_{m[1].upper()}"),
    (r"begin\s+(?!work\b|transaction\b|name\b)\w", lambda _: "SCRIPTING_BLOCK"),
]


@dataclass
class Answer:
    """A result as it goes on the wire."""

    rowtype: list[dict]
    table: pa.Table
    type_id: int
    affected: int | None = None
    put: dict | None = None

    @staticmethod
    def of(columns: list[str], rows: list[tuple], type_id: int = 0, affected: int | None = None) -> Answer:
        """A small result made of texts, numbers and NULLs."""
        arrays, described = [], []
        for i, name in enumerate(columns):
            values = [row[i] for row in rows]
            number = any(isinstance(v, int) for v in values)
            arrays.append(pa.array(values, pa.int64() if number else pa.string()))
            described.append((name, "BIGINT" if number else "VARCHAR", None, None, None, None))
        table = pa.Table.from_arrays(arrays, names=columns) if columns else pa.table({})
        return Answer(describe_as_rowtype(described), table, type_id, affected)

    @staticmethod
    def status(text: str, type_id: int = statement_type.DDL) -> Answer:
        """One row, one column: what DDL says."""
        return Answer.of(["status"], [(text,)], type_id)


class Session:
    """A connection to the account."""

    def __init__(
        self, account: Account, role: str, frame: Frame | None = None, user: str = "TESTER", json_results: bool = False
    ) -> None:
        self.account = account
        self.engine: Engine = account.engine
        self.id = uuid.uuid4().hex
        self.role = role
        self.user = user
        self.frame = frame
        self.json_results = json_results
        self.warehouse: str | None = None
        self.database: str | None = None
        self.schema: str | None = None
        self.transaction: Transaction | None = None
        self.autocommit = True
        self.timezone = account.timezone
        self.fakesnow = self.engine.fakesnow.connect()
        self.duck: duckdb.DuckDBPyConnection = self.fakesnow._duck_conn  # noqa: SLF001
        self.duck.execute(dialect.MACROS)
        self.duck.execute(f"SET TimeZone = '{account.timezone}'")

    # --- where we are --------------------------------------------------------

    def use(self, database: str | None, schema: str | None) -> None:
        """Make a database and a schema current; either may be unknown, as at login."""
        catalog = self.engine.catalog
        if database not in catalog.databases:
            return
        self.database, self.schema = database, schema if schema in catalog.databases[database] else None
        inner = self.schema or "main"
        self.duck.execute(f"SET schema = '{_literal(quote(database))}.{_literal(quote(inner))}'")
        self.fakesnow.database, self.fakesnow.database_set = database, True
        self.fakesnow._schema, self.fakesnow.schema_set = self.schema, self.schema is not None  # noqa: SLF001

    def set_timezone(self, name: str) -> None:
        """The session's TIMEZONE."""
        self.duck.execute(f"SET TimeZone = '{_literal(name)}'")
        self.timezone = name

    def fold(self, identifier: exp.Expression) -> str:
        """The stored name of a parsed identifier."""
        while not isinstance(identifier, exp.Identifier):
            identifier = identifier.this
        return identifier.this if identifier.quoted else identifier.this.upper()

    def name_of(self, table: exp.Expression) -> Name:
        """The full name of a parsed table reference."""
        if isinstance(table, exp.Schema):
            table = table.this
        parts = [table.args.get("catalog"), table.args.get("db"), table.this]
        return self.complete([self.fold(p) for p in parts if p is not None])

    def complete(self, parts: list[str]) -> Name:
        """A dotted name with what is missing taken from the session."""
        whole = [self.database, self.schema][: 3 - len(parts)] + parts
        if whole[0] is None or whole[1] is None:
            raise SqlError(
                90105, "22000",
                "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a "
                "qualified name.",
            )  # fmt: skip
        return str(whole[0]), str(whole[1]), str(whole[2])

    def stage(self, reference: str, privilege: str) -> tuple[Stage, str]:
        """A stage that the role may use this way, and a path under it."""
        stage, path = self.engine.stages.resolve(reference, self.database, self.schema)
        self.account.roles.require(self.role, privilege, "STAGE", stage.name, stage.owner)
        return stage, path

    # --- translation ---------------------------------------------------------

    def functions(self) -> dict[str, str | None]:
        """The functions that tell about the session."""
        return {
            "CURRENT_ROLE": self.frame.caller_role if self.frame else self.role, "INVOKER_ROLE": self.role,
            "CURRENT_DATABASE": self.database, "CURRENT_SCHEMA": self.schema, "CURRENT_WAREHOUSE": self.warehouse,
            "CURRENT_USER": self.user, "CURRENT_ACCOUNT": "EMULATOR", "CURRENT_SESSION": self.id,
        }  # fmt: skip

    def transformed(self, expression: exp.Expression) -> exp.Expression:
        """As DuckDB understands it (a copy)."""
        prepared = dialect.prepare(self._with_views(expression.copy()), self.functions())
        return self.fakesnow.cursor()._transform(prepared, None)  # noqa: SLF001

    def render(self, expression: exp.Expression) -> str:
        """DuckDB's text."""
        return expression.sql(dialect="duckdb")

    def duck_sql(self, expression: exp.Expression) -> str:
        """Both at once."""
        return self.render(self.transformed(expression))

    def check_tables(self, expression: exp.Expression) -> None:
        """Every table that is named exists and may be read."""
        aliases = {cte.alias_or_name.upper() for cte in expression.find_all(exp.CTE)}
        for table in expression.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier):
                continue
            if not table.args.get("db") and table.name.upper() in aliases:
                continue
            if table.db.upper() in ("INFORMATION_SCHEMA", "_EMULATOR"):
                continue
            found = self.engine.catalog.table(self.name_of(table))
            if found.temporary not in (None, self.id):
                raise missing("Object", ".".join(found.name))
            self.account.roles.require_table(self.role, "SELECT", found)

    def _with_views(self, expression: exp.Expression) -> exp.Expression:
        for table in list(expression.find_all(exp.Table)):
            if table.db.upper() != "INFORMATION_SCHEMA":
                continue
            database = self.fold(table.args["catalog"]) if table.args.get("catalog") else self.database
            if database not in self.engine.catalog.databases:
                raise missing("Database", str(database))
            view = table.name.upper()
            if view == "LOAD_HISTORY":
                place = f"{quote(database)}.\"_emulator\".\"loads\""
                sub = exp.maybe_parse(
                    f"(SELECT schema_name AS \"SCHEMA_NAME\", path AS \"FILE_NAME\", table_name AS \"TABLE_NAME\", "
                    f"loaded AS \"LAST_LOAD_TIME\", 'LOADED' AS \"STATUS\", row_count AS \"ROW_COUNT\" FROM {place})",
                    dialect="duckdb",
                )
                table.replace(exp.Subquery(this=sub.this, alias=table.args.get("alias") or exp.to_identifier(view)))
                continue
            if view not in VIEWS and view != "STAGES":
                raise not_emulated(f"INFORMATION_SCHEMA.{view}")
            local = f"_emulator_{view.lower()}_{database}"
            rows = self.engine.stages.view(database) if view == "STAGES" else getattr(self.engine.catalog, VIEWS[view])(database)
            self.duck.register(local, rows)
            alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(view, quoted=True))
            table.replace(exp.Table(this=exp.to_identifier(local, quoted=True), alias=alias))
        return expression

    # --- running -------------------------------------------------------------

    def execute(self, sql: str, params: list | None = None) -> Answer:
        """Run one statement; record it, whatever comes of it."""
        text = strip_comments(sql)
        if not text:
            raise SqlError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
        entry = self.account.record(self, text)
        started = time.monotonic()
        try:
            if self.frame is not None and self.frame.owners_rights:
                self._refuse(text)
            answer = self._execute(text, params)
            entry.affected = answer.affected
            return answer
        except duckdb.Error as error:
            translated = dialect.translate_error(error)
            entry.error = str(translated)
            raise translated from error
        except SqlError as error:
            entry.error = str(error)
            raise
        finally:
            entry.seconds = time.monotonic() - started

    def _refuse(self, text: str) -> None:
        if "@~" in text or re.match(rf"(?is)(copy|put|get|list|ls|remove|rm)\b.*{TABLE_STAGE}", text):
            raise SqlError(
                90239, "42601",
                "Stored procedure execution error: User stage file access is not allowed within an owner's rights SP",
            )  # fmt: skip
        for pattern, what in FORBIDDEN:
            match = re.match(pattern, text, re.I)
            if match and not (match[0].lower().startswith("put") and self.frame and self.frame.uploading):
                raise unsupported_in_procedure(what(match))

    def _execute(self, text: str, params: list | None) -> Answer:
        words = head(text)
        first = words[0] if words else ""
        if first in ("BEGIN", "START"):
            self.begin()
            return Answer.status("Statement executed successfully.", statement_type.TCL)
        if first in ("COMMIT", "ROLLBACK"):
            (self.commit if first == "COMMIT" else self.rollback)()
            return Answer.status("Statement executed successfully.", statement_type.TCL)
        if first in DATA:
            return self._data(first, text, params)
        if first == "PUT":
            return self._put(text)
        if first in ("LIST", "LS", "REMOVE", "RM"):
            return self._files(first, text)
        if first in ("CALL", "EXECUTE"):
            return self.account.procedures.run(self, text)
        if first == "USE":
            return ddl.use(self, text)
        if first in DDL_WORDS:
            if words[:2] == ["ALTER", "SESSION"]:
                return self._alter(text)
            self.commit()
            with self.engine.ddl:
                answer = ddl.run(self, text)
            if {"TABLE", "VIEW", "SCHEMA", "DATABASE"} & set(head(text, 5)):
                self.engine.committed()
            return answer
        if first in ("SHOW", "DESCRIBE", "DESC"):
            found = ddl.show(self, text)
            if found is not None:
                return found
        if re.match(r"(?i)select\s+system\$cancel_all_queries\b", text):  # a Snowpark session that closes
            return Answer.status("0 queries cancelled.", statement_type.SELECT)
        return self._query(text, params)

    def _alter(self, text: str) -> Answer:
        r = Reader(text)
        r.expect("ALTER", "SESSION")
        if r.accept("UNSET"):
            return Answer.status("Statement executed successfully.")
        r.expect("SET")
        for key, value in r.properties().items():
            if key == "AUTOCOMMIT":
                if self.transaction is not None:
                    raise not_emulated("AUTOCOMMIT inside a transaction")
                self.autocommit = str(value).upper() == "TRUE"
            elif key == "TIMEZONE":
                self.set_timezone(str(value))
            elif key != "QUERY_TAG":
                raise not_emulated(f"ALTER SESSION SET {key}")
        return Answer.status("Statement executed successfully.")

    def _data(self, first: str, text: str, params: list | None) -> Answer:
        if first == "COPY":
            prepared = copy_into.prepare(self, text)
        else:
            prepared = dml.prepare(self, dialect.parse(text), params)
        table = self.engine.catalog.tables.get(prepared.table)
        if table is not None:
            for verb in prepared.verbs:
                self.account.roles.require_table(self.role, verb, table)
        outcome = self._change(prepared)
        return Answer.of(outcome.columns, outcome.rows, TYPE_IDS[first], outcome.affected)

    def _change(self, prepared: dml.Prepared) -> Outcome:
        if self.transaction is None and not self.autocommit:
            self.begin()
        if self.transaction is not None:
            if prepared.exclusive:
                self.engine.locks.take(prepared.table, self)
            self.refresh()
            try:
                outcome = prepared.run()
            except BaseException:
                self._replay()
                raise
            self.transaction.done.append((prepared.run, outcome.affected))
            return outcome
        holder = object()
        try:
            if prepared.exclusive:
                self.engine.locks.take(prepared.table, holder)
            for attempt in (1, 2, 3):
                try:
                    self.duck.execute("BEGIN")
                    outcome = prepared.run()
                    self.duck.execute("COMMIT")
                    self.engine.committed()
                    return outcome
                except duckdb.TransactionException:
                    self._abandon()
                    if attempt == 3:
                        raise
                except BaseException:
                    self._abandon()
                    raise
            raise AssertionError("unreachable")
        finally:
            self.engine.locks.release(holder)

    def _query(self, text: str, params: list | None) -> Answer:
        expression = dialect.parse(text)
        if isinstance(expression, exp.Command):
            raise not_emulated(f"the statement {text[:60]!r}")
        self.check_tables(expression)
        self.refresh()
        cursor = self.fakesnow.cursor()
        try:
            prepared = dialect.prepare(self._with_views(expression), self.functions())
            cursor._execute(cursor._transform(prepared, params), params)  # noqa: SLF001
            rowtype = describe_as_rowtype(cursor._describe_last_sql())  # noqa: SLF001
        except Exception as error:
            if self.transaction is not None:
                self._replay()
            if isinstance(error.__cause__, duckdb.Error):
                raise dialect.translate_error(error.__cause__) from error
            if type(error).__module__.startswith("snowflake.connector"):
                raise SqlError(error.errno or 1003, error.sqlstate or "42000", error.raw_msg or str(error)) from error
            if isinstance(error, (duckdb.Error, SqlError)):
                raise
            raise SqlError(99999, "XX000", f"emulator: {type(error).__name__}: {error}") from error
        first = head(text)[:1]
        return Answer(rowtype, cursor._arrow_table, TYPE_IDS.get(first[0] if first else "", 0))  # noqa: SLF001

    # --- transactions --------------------------------------------------------

    def begin(self) -> None:
        """BEGIN; ignored when a transaction is open."""
        if self.transaction is None:
            self.transaction = Transaction(self.engine.commits)
            self.duck.execute("BEGIN")

    def commit(self) -> None:
        """COMMIT; nothing when no transaction is open."""
        if self.transaction is None:
            return
        try:
            self.refresh()
            try:
                self.duck.execute("COMMIT")
            except duckdb.TransactionException:
                self._replay()
                self.duck.execute("COMMIT")
            self.engine.committed()
        except BaseException:
            self._abandon()
            raise
        finally:
            self.transaction = None
            self.engine.locks.release(self)

    def rollback(self) -> None:
        """ROLLBACK; nothing when no transaction is open."""
        if self.transaction is not None:
            self._abandon()
            self.transaction = None
            self.engine.locks.release(self)

    def refresh(self) -> None:
        """READ COMMITTED: see what others have committed since this transaction last looked."""
        if self.transaction is not None and self.transaction.seen != self.engine.commits:
            self._replay()

    def _replay(self) -> None:
        assert self.transaction is not None
        self._abandon()
        self.transaction.seen = self.engine.commits
        self.duck.execute("BEGIN")
        for run, before in self.transaction.done:
            outcome = run()
            if outcome.affected != before:
                raise SqlError(
                    99999, "XX000",
                    "emulator: this interleaving cannot be reproduced: a statement of the open transaction touched "
                    f"{before} rows, and {outcome.affected} after another session committed",
                )  # fmt: skip

    def _abandon(self) -> None:
        try:
            self.duck.execute("ROLLBACK")
        except duckdb.TransactionException as error:
            if "no transaction is active" not in str(error):
                raise

    def close(self) -> None:
        """The connection is gone: what is open is rolled back."""
        self.rollback()
        self.engine.locks.release(self)
        for table in [t for t in self.engine.catalog.tables.values() if t.temporary == self.id]:
            self.duck.execute(f"DROP TABLE {dml.full(table.name)}")
            del self.engine.catalog.tables[table.name]
        self.duck.close()
        del self.duck, self.fakesnow  # DuckDB complains about connections that outlive the interpreter

    # --- files ---------------------------------------------------------------

    def _put(self, text: str) -> Answer:
        match = re.match(r"(?is)put\s+('(?:[^']|'')*'|\S+)\s+('(?:[^']|'')*'|@(?:\"[^\"]*\"|\S)+)(.*)$", text)
        if match is None:
            raise not_emulated(f"the statement {text[:60]!r}")
        source = match[1].strip("'").removeprefix("file://")
        stage, path = self.stage(match[2].strip("'"), "WRITE")
        options = Reader(match[3]).properties()
        name = source.replace("\\", "/").rsplit("/", 1)[-1]
        where = "/".join(p for p in (stage.key, path.strip("/"), name) if p)
        answer = Answer.status("Statement executed successfully.", 0)
        answer.put = {
            "command": "UPLOAD", "src_locations": [source], "parallel": 4, "overwrite": options.get("OVERWRITE") is True,
            "autoCompress": options.get("AUTO_COMPRESS") is not False, "sourceCompression": "auto_detect",
            "path": where, "stage": ".".join(stage.name),
        }  # fmt: skip
        return answer

    def _files(self, first: str, text: str) -> Answer:
        reference = text.split(None, 1)[1].strip().strip("'")
        listing = first in ("LIST", "LS")
        stage, prefix = self.stage(reference, "READ" if listing else "WRITE")
        files = self.engine.stages.files(stage, prefix)
        if listing:
            rows = [(f.shown(), os.path.getsize(f.place), f.digest(), "Sat, 21 Nov 2026 00:00:00 GMT") for f in files]
            return Answer.of(["name", "size", "md5", "last_modified"], rows, statement_type.SHOW)
        rows = [(f.shown(), "removed") for f in files]
        for file in files:
            os.remove(file.place)
        return Answer.of(["name", "result"], rows)


def _literal(text: str) -> str:
    return text.replace("'", "''")
