"""One session: what it is connected as, its transaction, and the way of a statement."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import threading
import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb
from fakesnow import statement_type
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot import exp

from . import copy_into, ddl, dialect, dml, files, parameters, passes, policy, queries, transactions, views
from .answer import TYPE_IDS, Answer
from .engine import Engine, Transaction
from .errors import SqlError, cancelled, missing, not_emulated, timed_out
from .parameters import Parameters
from .stages import Stage
from .text import Name, full, head, literal, plain_paths, quote, strip_comments, upper_quoted

if TYPE_CHECKING:
    from .account import Account
    from .frame import Frame

DATA = {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"}
DDL_WORDS = {"CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT", "UNDROP"}


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
        self.smk_as_text = False  # whether the client reads the number of a stage's key as text
        self.warehouse: str | None = None
        self.database: str | None = None
        self.schema: str | None = None
        self.transaction: Transaction | None = None
        caller = frame.caller.parameters.of_a_procedure(frame.owners_rights) if frame is not None else None
        self.parameters = Parameters(account, caller)
        self.fakesnow = self.engine.fakesnow.connect()
        self.own_duck: duckdb.DuckDBPyConnection = self.fakesnow._duck_conn
        self.own_duck.execute(dialect.macros(account.modes.text_limit))
        self.own_duck.execute(f"SET TimeZone = '{literal(self.timezone)}'")
        self.reading: duckdb.DuckDBPyConnection | None = None  # an old snapshot, for one SELECT
        self.running = threading.RLock()
        self.aborted: int | None = None
        self.cancelling: threading.Event | None = None  # of the statement that runs
        self._settled = 0
        self._interrupting = threading.Lock()

    # --- where we are --------------------------------------------------------

    def use(self, database: str | None, schema: str | None) -> None:
        """Make a database and a schema current; either may be unknown, as at login."""
        catalog = self.engine.catalog
        if database not in catalog.databases:
            return
        self.database, self.schema = database, schema if schema in catalog.databases[database] else None
        inner = self.schema or "main"
        self.own_duck.execute(f"SET schema = '{literal(quote(database))}.{literal(quote(inner))}'")
        self.fakesnow.database, self.fakesnow.database_set = database, True
        self.fakesnow._schema, self.fakesnow.schema_set = self.schema, self.schema is not None

    @property
    def autocommit(self) -> bool:
        """Returns `True` if a statement outside of a transaction is one of its own."""
        return bool(self.parameters["AUTOCOMMIT"])

    @property
    def timezone(self) -> str:
        """The session's TIMEZONE."""
        return str(self.parameters["TIMEZONE"])

    @property
    def lock_timeout(self) -> float:
        """How long a statement waits for a lock, in seconds."""
        return float(min(self.parameters["LOCK_TIMEOUT"], self.parameters["STATEMENT_TIMEOUT_IN_SECONDS"]))

    def set_parameter(self, name: str, value: object | None) -> None:
        """ALTER SESSION SET or, with `None`, UNSET."""
        if name == "AUTOCOMMIT":
            transactions.commit(self)
        if value is None:
            self.parameters.unset(name)
        else:
            self.parameters.set(name, value)
        if name == "TIMEZONE":
            self.own_duck.execute(f"SET TimeZone = '{literal(self.timezone)}'")

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
                90105,
                "22000",
                "Cannot perform operation. This session does not have a current database. Call 'USE DATABASE', or use a "
                "qualified name.",
            )
        return str(whole[0]), str(whole[1]), str(whole[2])

    def stage(self, reference: str, privilege: str) -> tuple[Stage, str]:
        """A stage that the role may use this way, and a path under it."""
        fold = bool(self.parameters["QUOTED_IDENTIFIERS_IGNORE_CASE"])
        stage, path = self.engine.stages.resolve(reference, self.database, self.schema, fold=fold)
        self.account.roles.require(self.role, privilege, "STAGE", stage.name, stage.owner)
        return stage, path

    # --- translation ---------------------------------------------------------

    def functions(self) -> dict[str, str | None]:
        """The functions that tell about the session."""
        transaction = self.scope.transaction
        return {
            "CURRENT_ROLE": self.root().role,
            "INVOKER_ROLE": self.role,
            "CURRENT_DATABASE": self.database,
            "CURRENT_SCHEMA": self.schema,
            "CURRENT_WAREHOUSE": self.warehouse,
            "CURRENT_USER": self.user,
            "CURRENT_ACCOUNT": "EMULATOR",
            "CURRENT_SESSION": self.id,
            "CURRENT_TRANSACTION": str(transaction.id) if transaction is not None else None,
        }

    def transformed(self, expression: exp.Expression) -> exp.Expression:
        """As DuckDB understands it (a copy)."""
        zoned = self.has_zones(expression)
        prepared = dialect.prepare(views.substituted(self, expression.copy()), self.functions(), has_zones=zoned)
        return passes.translated(self.cursor(), prepared, None)

    def has_zones(self, expression: exp.Expression) -> bool:
        """Returns `True` if a table of the statement has a TIMESTAMP_TZ."""
        tables = self.engine.catalog.tables
        for table in expression.find_all(exp.Table):
            if isinstance(table.this, exp.Identifier) and (self.database or table.args.get("catalog")):
                parts = [table.args.get("catalog"), table.args.get("db"), table.this]
                name = [self.database, self.schema, None][: 3 - sum(p is not None for p in parts)]
                found = tables.get((*name, *(self.fold(p) for p in parts if p is not None)))  # type: ignore[arg-type]
                if found is not None and found.has_zones():
                    return True
        return False

    def cursor(self) -> FakeSnowflakeCursor:
        """A cursor of fakesnow's on the connection that a statement runs on."""
        return FakeSnowflakeCursor(self.fakesnow, self.duck)

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

    # --- running -------------------------------------------------------------

    def execute(self, sql: str, params: list | None = None, cancel: threading.Event | None = None) -> Answer:
        """Run one statement; record it, whatever comes of it. `cancel` is set by who cancels it."""
        text = strip_comments(sql)
        if not text:
            raise SqlError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
        entry = self.account.record(self, text)
        started = time.monotonic()
        try:
            if self.frame is not None and self.frame.owners_rights:
                policy.refuse(text, uploading=self.frame.uploading)
            if self.parameters["QUOTED_IDENTIFIERS_IGNORE_CASE"]:
                text = upper_quoted(text)
            if self.account.modes.unquoted_stage_paths == "plain" and head(text)[:1] in (["COPY"], ["LIST"], ["LS"]):
                text = strip_comments(plain_paths(text))
            with self.running, self._placed(), self._limited(), self._cancelled(cancel):
                self._tell_abort(text)
                answer = self._execute(text, params)
            entry.affected = answer.affected
            most = int(self.parameters["ROWS_PER_RESULTSET"])
            return dataclasses.replace(answer, table=answer.table.slice(0, most)) if most else answer
        except duckdb.Error as error:
            translated = dialect.translate_error(error)
            entry.error = str(translated)
            raise translated from error
        except SqlError as error:
            entry.error = str(error)
            raise
        finally:
            entry.seconds = time.monotonic() - started

    def _tell_abort(self, text: str) -> None:
        aborted, self.aborted = self.aborted, None
        if aborted is not None and head(text)[:1] != ["ROLLBACK"]:
            raise SqlError(615, "57014", f"Transaction '{aborted}' was aborted, SQL execution canceled.")

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """End a statement that takes longer than STATEMENT_TIMEOUT_IN_SECONDS."""
        seconds = self.parameters["STATEMENT_TIMEOUT_IN_SECONDS"]
        if seconds == parameters.NO_LIMIT or not seconds:
            yield
            return
        timer = threading.Timer(float(seconds), self.duck.interrupt)
        timer.daemon = True
        timer.start()
        begun = time.monotonic()
        try:
            yield
        except (SqlError, duckdb.Error) as error:
            if time.monotonic() - begun >= float(seconds):
                raise timed_out(int(seconds)) from error
            raise
        finally:
            timer.cancel()

    @contextlib.contextmanager
    def _cancelled(self, cancel: threading.Event | None) -> Iterator[None]:
        """Let `interrupt` end the statement."""
        if cancel is None:
            yield
            return
        self.cancelling = cancel
        try:
            if cancel.is_set():
                raise cancelled()
            yield
        except (SqlError, duckdb.Error) as error:
            if cancel.is_set():
                raise cancelled() from error
            raise
        finally:
            with self._interrupting:
                self.cancelling = None

    def interrupt(self, cancel: threading.Event) -> None:
        """Interrupt the statement that was given this event, if it runs; it may have to be asked again."""
        with self._interrupting:
            if self.cancelling is not cancel or self._settled:
                return
            for frame in list(self.account.procedures.frames.values()):
                if frame.caller is self:
                    frame.timeout = 1e-9  # a procedure ends at its next statement
            transaction = self.scope.transaction
            if transaction is not None:
                self.engine.locks.cancel(transaction)
            self.duck.interrupt()

    @contextlib.contextmanager
    def settled(self) -> Iterator[None]:
        """Meanwhile the statement that runs cannot be interrupted: it commits, or is undone."""
        with self._interrupting:
            self._settled += 1
        try:
            yield
        finally:
            self._settled -= 1

    @contextlib.contextmanager
    def _placed(self) -> Iterator[None]:
        """In the caller's transaction a procedure's names are still found in its own schema."""
        scope = self.scope
        if scope is self or self.database is None:
            yield
            return
        place = "SET schema = '{}.{}'"
        here = (quote(self.database), quote(self.schema or "main"))
        scope.own_duck.execute(place.format(*map(literal, here)))
        try:
            yield
        finally:
            if scope.database is not None and scope.transaction is not None:
                there = (quote(scope.database), quote(scope.schema or "main"))
                scope.own_duck.execute(place.format(*map(literal, there)))

    def _execute(self, text: str, params: list | None) -> Answer:
        words = head(text)
        first = words[0] if words else ""
        if first in ("BEGIN", "START"):
            transactions.begin(self)
            return Answer.status("Statement executed successfully.", statement_type.TCL)
        if first in ("COMMIT", "ROLLBACK"):
            if self.transaction is None:
                self._ends_scope()
            (transactions.commit if first == "COMMIT" else transactions.rollback)(self)
            return Answer.status("Statement executed successfully.", statement_type.TCL)
        if first in DATA:
            return self._data(first, text, params)
        if first == "PUT":
            return files.put(self, text)
        if first == "GET":
            return files.get(self, text)
        if first in ("LIST", "LS", "REMOVE", "RM"):
            return files.listed(self, first, text)
        if first in ("CALL", "EXECUTE") and not re.match(r"(?i)call\s+system\$", text):
            return self.account.procedures.run(self, text)
        if first == "USE":
            return ddl.use(self, text)
        if first in DDL_WORDS:
            if words[:2] == ["ALTER", "SESSION"]:
                return self._alter(text)
            self._ends_scope()
            with self.engine.ddl:
                answer = ddl.run(self, text)
            if {"TABLE", "VIEW", "SCHEMA", "DATABASE"} & set(head(text, 5)):
                self.engine.committed()
            return answer
        if asked := re.fullmatch(r"(?is)show\s+parameters(?:\s+like\s+'([^']*)')?(?:\s+(?:in|for)\s+session)?", text):
            return self.parameters.shown(asked[1])
        if first in ("SHOW", "DESCRIBE", "DESC"):
            found = ddl.show(self, text)
            if found is not None:
                return found
        if re.match(r"(?i)select\s+system\$cancel_all_queries\b", text):  # a Snowpark session that closes
            return Answer.status("0 queries cancelled.", statement_type.SELECT)
        if wait := re.fullmatch(r"(?i)(?:select|call)\s+system\$wait\s*\(\s*([\d.]+)\s*(?:,\s*'seconds'\s*)?\)", text):
            return self._wait(float(wait[1]))
        if abort := re.fullmatch(r"(?i)select\s+system\$abort_transaction\s*\(\s*(\d+)\s*\)", text):
            return Answer.status(self.account.abort(int(abort[1])), statement_type.SELECT)
        return queries.query(self, text, params)

    def _wait(self, seconds: float) -> Answer:
        cancel = self.cancelling
        if cancel is not None and cancel.wait(seconds):
            raise cancelled()
        if cancel is None:
            time.sleep(seconds)
        return Answer.status(f"waited {seconds:g} seconds", statement_type.SELECT)

    def _alter(self, text: str) -> Answer:
        for name, value in parameters.changes(text):
            self.set_parameter(name, value)
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
        outcome = transactions.change(self.scope, prepared)
        return Answer.of(outcome.columns, outcome.rows, TYPE_IDS[first], outcome.affected)

    # --- transactions --------------------------------------------------------

    @property
    def scope(self) -> Session:
        """The session whose transaction a statement belongs to: the caller's, where it was open when it called."""
        outer = self.frame.caller if self.frame is not None else None
        if outer is None or self.transaction is not None:
            return self
        scope = outer.scope
        return scope if scope.transaction is not None else self

    @property
    def duck(self) -> duckdb.DuckDBPyConnection:
        """The connection that a statement runs on."""
        return self.reading if self.reading is not None else self.scope.own_duck

    def root(self) -> Session:
        """The session of the client, from inside a procedure as well."""
        return self.frame.caller.root() if self.frame is not None else self

    def _ends_scope(self) -> None:
        """Commit what is open; a transaction of the caller cannot be ended from inside a procedure."""
        if self.frame is not None and self.frame.caller.scope.transaction is not None:
            raise SqlError(
                90236,
                "25000",
                "Stored procedure execution error: Modifying a transaction that has started at a different scope is not "
                "allowed.",
            )
        transactions.commit(self)

    def abort(self) -> None:
        """Another session aborts the open transaction; the next statement of this one fails."""
        transaction = self.transaction
        if transaction is None:
            return
        self.engine.locks.abort(transaction)
        if not self.running.acquire(timeout=10):
            raise not_emulated("SYSTEM$ABORT_TRANSACTION of a transaction whose session runs a long statement")
        try:
            if self.transaction is transaction:
                transactions.rollback(self)
            self.aborted = transaction.id
        finally:
            self.running.release()

    def close(self, *, keeps_locks: bool = False) -> None:
        """The connection is gone: what is open is rolled back. With `keeps_locks` its locks are left for later."""
        transaction = self.transaction
        if keeps_locks and transaction is not None:
            self.own_duck.execute("ROLLBACK")
            self.transaction = None
        transactions.rollback(self)
        for table in [t for t in self.engine.catalog.tables.values() if t.temporary == self.id]:
            self.own_duck.execute(f"DROP TABLE {full(table.name)}")
            del self.engine.catalog.tables[table.name]
        self.own_duck.close()
        del self.own_duck, self.fakesnow  # DuckDB complains about connections that outlive the interpreter
