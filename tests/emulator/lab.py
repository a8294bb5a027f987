"""`Lab`: an emulated Snowflake for a test."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, ClassVar

from . import drivers
from . import frame as frames
from .account import Account, Entry
from .frame import Frame
from .locks import Locks
from .modes import Modes
from .network import Authority
from .objects import Thing
from .parameters import parse
from .roles import ADMIN
from .saved import Saved
from .server import Server
from .text import split_script

if TYPE_CHECKING:
    from collections.abc import Callable


class Lab:
    """An account with a server in front of it.

    ```python
    with Lab() as lab:
        lab.install("target/package")
        lab.hosts.map("your-site.atlassian.net:443", "127.0.0.1:8080")
        report = lab.call("CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW')", role="SNOWCAT_CALLER")
    ```
    """

    def __init__(
        self,
        *,
        databases: tuple[str, ...] = ("RAW",),
        timezone: str = "America/Los_Angeles",
        lock_timeout: float = 10.0,
        port: int = 0,
        longest_nap: float | None = 0.02,
        **modes: Any,
    ) -> None:
        self.databases = databases
        self.folder = tempfile.mkdtemp(prefix="emulator_")
        for part in ("stages", "imports", "tls"):
            os.mkdir(os.path.join(self.folder, part))
        frames.install()
        authority = Authority(os.path.join(self.folder, "tls"))
        self.account = Account(
            os.path.join(self.folder, "stages"),
            os.path.join(self.folder, "imports"),
            authority,
            timezone,
            lock_timeout,
            Modes(**modes),
        )
        # The longest sleep of a procedure between attempts; None does not limit it.
        self.account.longest_nap = longest_nap
        self.server = Server(self.account, port)
        self.account.snowpark = self._snowpark
        self.account.forget = _forget
        self.ca = authority.path
        self._stack = contextlib.ExitStack()
        self._session: Any = None
        self._opened: list[Any] = []

    # --- life --------------------------------------------------------------------

    def __enter__(self) -> Lab:
        drivers.prepare()
        self.server.start()
        for database in self.databases:
            self.account.engine.create_database(database, ADMIN)
        self._stack.enter_context(_Variables({"SSL_CERT_FILE": self.ca, **drivers.ENVIRONMENT}))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        # Before the server stops: a driver tries for minutes to log out of a server that does not answer.
        for session in self._opened:
            _forget(session)
        self.server.stop()
        self.account.hosts.close()
        self.account.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- connections -----------------------------------------------------------------

    def parameters(
        self,
        role: str = ADMIN,
        database: str | None = None,
        schema: str = "PUBLIC",
        given: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The connection parameters of a driver; `given` are session parameters."""
        place = {"database": database, "schema": schema} if database else {}
        for name, value in (given or {}).items():
            parse(name, value)
        return {
            "user": "tester",
            "password": "tester",
            "account": "emulator",
            "host": "127.0.0.1",
            "port": self.server.port,
            "protocol": "http",
            "role": role,
            "login_timeout": 20,
            **place,
            "session_parameters": {"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False, **(given or {})},
        }

    def connect(
        self,
        role: str = ADMIN,
        database: str | None = None,
        schema: str = "PUBLIC",
        *,
        parameters: dict[str, Any] | None = None,
    ) -> Any:
        """A Snowpark session of its own, with these session parameters; close it with `session.close()`."""
        from snowflake.snowpark import Session

        first = self.databases[0] if self.databases else None
        session = Session.builder.configs(self.parameters(role, database or first, schema, parameters)).create()
        self._opened.append(session)
        return session

    @property
    def session(self) -> Any:
        """A Snowpark session as ACCOUNTADMIN."""
        if self._session is None:
            self._session = self.connect()
        return self._session

    def sql(self, query: str) -> list:
        """Run one statement as ACCOUNTADMIN. Returns its rows."""
        return self.session.sql(query).collect()

    def script(self, text: str) -> None:
        """Run a worksheet from top to bottom."""
        for statement in split_script(text):
            self.sql(statement)

    def install(self, package: str | os.PathLike, *, task: bool = False) -> None:
        """Run a package's `put.sql` and `install.sql` as they are (and `task.sql` if requested)."""
        folder = pathlib.Path(package).resolve()
        for name in ("put.sql", "install.sql", *(["task.sql"] if task else [])):
            session = self.connect()
            try:
                for statement in split_script((folder / name).read_text()):
                    # A client resolves `file://name` relative to its working directory.
                    text = re.sub(r"(?i)^(PUT file://)(?!/)", lambda m: f"{m[1]}{folder}/", statement)
                    session.sql(text).collect()
            finally:
                session.close()

    def call(
        self,
        statement: str,
        *,
        role: str | None = None,
        kill_after: int | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Any:
        """Run a CALL as the role, with these session parameters. Returns the procedure's result."""
        if kill_after is not None:
            self.kill_after(kill_after)
        own = role is not None or parameters is not None
        session = self.connect(role or ADMIN, parameters=parameters) if own else self.session
        try:
            value = session.sql(statement).collect()[0][0]
            return json.loads(value) if isinstance(value, str) and value[:1] in '{["' else value
        finally:
            self.account.procedures.kill_after = None
            if own:
                session.close()

    def kill_after(self, operations: int) -> None:
        """The next procedure dies right after its n-th SQL statement or upload: the reply is lost."""
        self.account.procedures.kill_after = operations

    # --- what there is ------------------------------------------------------------

    @property
    def hosts(self) -> Any:
        """The faked hosts: `lab.hosts.map("site.example:443", "127.0.0.1:8080")`."""
        return self.account.hosts

    @property
    def locks(self) -> Locks:
        """The holders and waiters: `lab.locks.wait_for_waiters(1)` before the other session commits."""
        return self.account.engine.locks

    @property
    def trace(self) -> list[Entry]:
        """Every statement of any session."""
        return self.account.trace

    def statements(self, procedure: str | None = None) -> list[str]:
        """The SQL of the trace, of one procedure or of all sessions, without the drivers' own statements."""
        own = re.compile(r"(?i)put\b|select\s+system\$cancel_all_queries\b")
        return [e.sql for e in self.trace if (procedure is None or e.procedure == procedure) and not own.match(e.sql)]

    def on_statement(self, hook: Callable[[Entry], None] | None) -> None:
        """Call this before every statement, so that a test can act at that point."""
        self.account.on_statement = hook

    @property
    def last_call(self) -> Frame | None:
        """The frame of the last CALL: its operations, and the hosts that it may reach."""
        return self.account.procedures.last

    @property
    def secrets(self) -> dict[str, Thing]:
        """The secrets, by name."""
        return self.account.objects.of("SECRET")

    def files(self, reference: str) -> list[str]:
        """The paths of the files on a stage."""
        stage, path = self.account.engine.stages.resolve(reference, None, None)
        return [f.path for f in self.account.engine.stages.files(stage, path)]

    def save(self, database: str, prefix: str) -> Saved:
        """The schemas of the database whose names begin so; `restore()` brings them back to what they are now."""
        return Saved(self.account.engine, database, prefix)

    def put(self, reference: str, name: str, data: bytes) -> None:
        """Put a file onto a stage, as a PUT statement would."""
        stage, path = self.account.engine.stages.resolve(reference, None, None)
        self.account.engine.stages.write(stage, "/".join(p for p in (path.strip("/"), name) if p), data)

    # --- inside ----------------------------------------------------------------------

    def _snowpark(self, frame: Frame) -> Any:
        from snowflake.snowpark import Session

        configs = self.parameters(frame.role)
        configs["session_parameters"] = {**configs["session_parameters"], "EMULATOR_FRAME": frame.token}
        return Session.builder.configs(configs).create()


def _forget(session: Any) -> None:
    """Close a client's session; the server may have dropped it already."""
    from snowflake.connector.errors import Error
    from snowflake.snowpark.exceptions import SnowparkClientException

    with contextlib.suppress(Error, SnowparkClientException):
        session.close()


class _Variables:
    """Variables of the process while an account is open. Accounts need not be closed in reverse order: the variables
    are those of the last one that is open.
    """

    before: ClassVar[dict[str, str | None]] = {}
    open: ClassVar[list[_Variables]] = []

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def __enter__(self) -> None:
        if not self.open:
            self.before.update({name: os.environ.get(name) for name in self.values})
        self.open.append(self)
        os.environ.update(self.values)

    def __exit__(self, *_: object) -> None:
        self.open.remove(self)
        for name in self.values:
            value = self.open[-1].values[name] if self.open else self.before[name]
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
