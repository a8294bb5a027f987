"""CALL: a procedure's handler, run in a thread of the server as the service would run it.

The handler gets a real Snowpark session, connected to this same server as the
procedure's owner; what an owner's-rights procedure may not do is refused by
the server, whatever way the statement came.
"""

from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import importlib
import json
import os
import stat
import sys
import tempfile
import threading
import time
import traceback
import types
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from fakesnow.rowtype import describe_as_rowtype
from snowflake.connector.errors import ProgrammingError

from . import network
from .answer import Answer
from .errors import SqlError, missing, not_emulated, timed_out
from .objects import Argument, Thing, names, resolve
from .text import Reader, tokens

if TYPE_CHECKING:
    from .account import Account
    from .session import Session
    from .stages import File

_importing = threading.Lock()
TYPES_NUMBER = ("NUMBER", "INT", "INTEGER", "BIGINT")


class Killed(BaseException):
    """The procedure's process is gone. Not an `Exception`: no handler may catch it."""


class TimedOut(Killed):
    """It is gone because the CALL took longer than STATEMENT_TIMEOUT_IN_SECONDS."""


@dataclass
class Frame:
    """One call that is running."""

    account: Account
    procedure: Thing
    owners_rights: bool
    role: str
    caller: Session
    database: str | None
    schema: str | None
    warehouse: str | None
    import_directory: str
    allowed: set[str] = field(default_factory=set)
    secrets: dict[str, Thing] = field(default_factory=dict)
    kill_after: int | None = None
    operations: int = 0
    uploading: bool = False
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    main_thread: int = field(default_factory=threading.get_ident)
    session: Session | None = None
    opened: set[tuple[str, int]] = field(default_factory=set)
    slept: float = 0.0
    napped: float = 0.0
    timeout: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    def in_time(self) -> None:
        """End the process if the CALL has taken too long; a shortened sleep counts in full."""
        if self.timeout and time.monotonic() - self.begun + self.slept - self.napped > self.timeout:
            raise TimedOut

    def counted(self) -> None:
        """One more operation of the session is done; here the process may die."""
        self.in_time()
        self.operations += 1
        if self.kill_after is not None and self.operations >= self.kill_after:
            raise Killed

    def nap(self, seconds: float) -> float:
        """How long a sleep of this many seconds takes here; what it should have taken is kept in `slept`."""
        self.slept += seconds
        longest = self.account.longest_nap
        short = seconds if longest is None else min(seconds, longest)
        self.napped += short
        return short

    def route(self, host: str, port: int) -> tuple[str, int]:
        """Where `host:port` is, if the procedure may go there."""
        if (host, port) == self.account.server_address:
            return (host, port)
        place = f"{host.lower()}:{port}"
        if place not in self.allowed:
            raise OSError(16, "Device or resource busy")
        found = self.account.hosts.route(place)
        if found is None:
            raise OSError(-2, f"Name or service not known (the emulator has no stand-in for {place})")
        self.opened.add(found)
        return found

    def check(self, address: tuple) -> None:
        """A connection is about to be made to this address."""
        place = (str(address[0]), int(address[1]))
        if place != self.account.server_address and place not in self.opened:
            raise OSError(16, "Device or resource busy")


class ImportOptions(dict):
    """`sys._xoptions`, with the import directory of the call this thread belongs to."""

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        frame = network.current()
        if key == "snowflake_import_directory" and frame is not None:
            return frame.import_directory
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
        try:
            return self[key]
        except KeyError:
            return default


def _secret(alias: str, kind: str) -> Thing:
    frame = network.current()
    if frame is None:
        raise ValueError("Secrets can only be accessed inside a procedure.")
    if threading.get_ident() != frame.main_thread:
        raise ValueError("Secrets can only be accessed from the main thread.")
    if alias not in frame.secrets:
        raise ValueError(f"Secret {alias} does not exist or not authorized.")
    secret = frame.secrets[alias]
    if secret.properties["TYPE"] != kind:
        raise ValueError(f"Secret {alias} is not of type {kind}.")
    return secret


def _snowflake_module() -> types.ModuleType:
    """The module through which a handler reads its secrets."""
    module = types.ModuleType("_snowflake")

    def get_generic_secret_string(name: str) -> str:
        return str(_secret(name, "GENERIC_STRING").properties["SECRET_STRING"])

    def get_username_password(name: str) -> types.SimpleNamespace:
        given = _secret(name, "PASSWORD").properties
        return types.SimpleNamespace(username=given["USERNAME"], password=given["PASSWORD"])

    def get_oauth_access_token(name: str) -> str:
        # Snowflake gets one from the integration's server; here it is known by what it was got with.
        return f"access-for-{_secret(name, 'OAUTH2').properties['OAUTH_REFRESH_TOKEN']}"

    def get_secret_type(name: str) -> str:
        frame = network.current()
        if frame is None or name not in frame.secrets:
            raise ValueError(f"Secret {name} does not exist or not authorized.")
        return str(frame.secrets[name].properties["TYPE"])

    module.get_generic_secret_string = get_generic_secret_string  # type: ignore[attr-defined]
    module.get_username_password = get_username_password  # type: ignore[attr-defined]
    module.get_oauth_access_token = get_oauth_access_token  # type: ignore[attr-defined]
    module.get_secret_type = get_secret_type  # type: ignore[attr-defined]
    return module


def install() -> None:
    """Make this process fit to run handlers. A second call does nothing."""
    network.Guard.install()
    sys.modules.setdefault("_snowflake", _snowflake_module())
    if not isinstance(sys._xoptions, ImportOptions):  # noqa: SLF001
        sys._xoptions = ImportOptions(sys._xoptions)  # noqa: SLF001


class Statement:
    """What `session.sql` gives a handler."""

    def __init__(self, frame: Frame, frame_session: Any, query: str, params: Any) -> None:  # noqa: ANN401
        self._frame = frame
        self._frame_session = frame_session
        self._query = query
        self._params = params

    def collect(self, **_: Any) -> list:  # noqa: ANN401
        """Run it and give its rows."""
        try:
            rows = self._frame_session.sql(self._query, params=self._params).collect()
        except Exception:
            self._frame.counted()
            raise
        self._frame.counted()
        return rows


class Files:
    """What `session.file` gives a handler."""

    def __init__(self, frame: Frame, inner: Any) -> None:  # noqa: ANN401
        self._frame = frame
        self._inner = inner

    def put_stream(self, input_stream: Any, stage_location: str, **options: Any) -> Any:  # noqa: ANN401
        """Upload a stream: the one way to a stage from inside a procedure."""
        self._frame.uploading = True
        try:
            result = self._inner.file.put_stream(input_stream, stage_location, **options)
        finally:
            self._frame.uploading = False
        self._frame.counted()
        return result


    def get_stream(self, stage_location: str, **options: Any) -> Any:  # noqa: ANN401
        """Download a file as a stream."""
        if options.get("decompress"):
            raise NotImplementedError("emulator: get_stream decompresses nothing")
        stage, path = self._frame.session.stage(stage_location, "READ")
        found = [f for f in self._frame.session.engine.stages.files(stage, path) if f.path == path]
        self._frame.counted()
        if not found:
            raise ProgrammingError(f"Remote file '{stage_location}' was not found.", errno=253006)
        return open(found[0].place, "rb")


class HandlerSession:
    """The part of `snowflake.snowpark.Session` that Snowcat's handler may use; the rest is not there."""

    def __init__(self, frame: Frame, inner: Any) -> None:  # noqa: ANN401
        self._frame = frame
        self._inner = inner
        self.file = Files(frame, inner)

    def sql(self, query: str, params: Any = None) -> Statement:  # noqa: ANN401
        """A statement, not yet run."""
        return Statement(self._frame, self._inner, query, params)

    def close(self) -> None:
        """Nothing, as in a procedure."""


class Procedures:
    """Runs CALL and EXECUTE TASK."""

    def __init__(self, account: Account, folder: str) -> None:
        self.account = account
        self.folder = folder
        self.frames: dict[str, Frame] = {}
        self.kill_after: int | None = None
        self.last: Frame | None = None
        self._making = threading.Lock()

    def run(self, session: Session, text: str) -> Answer:
        """`CALL name(arguments)` or `EXECUTE TASK name`."""
        r = Reader(text)
        if r.accept("EXECUTE", "TASK"):
            task = self.account.objects.get("TASK", session.complete(r.parts()))
            self.account.roles.require(session.role, "OPERATE", "TASK", task.name, task.owner)
            self._task(task)
            return Answer.status(f"Task {task.name[2]} is scheduled to run immediately.")
        if not r.accept("CALL"):
            raise not_emulated(f"the statement {text[:60]!r}")
        name = session.complete(r.parts())
        procedure = self.account.objects.things.get(("PROCEDURE", name))
        if procedure is None:
            raise missing("Function", ".".join(name))
        self.account.roles.require(session.role, "USAGE", "PROCEDURE", name, procedure.owner)
        arguments = self._arguments(session, procedure, r)
        value = self._call(session, procedure, arguments)
        return _returned(procedure, value)

    def _task(self, task: Thing) -> None:
        """A task runs as its owner, in a session of its own."""
        self.account.roles.require_account(task.owner, "EXECUTE TASK")
        session = self.account.connect(role=task.owner)
        try:
            session.use(task.name[0], task.name[1])
            session.warehouse = str(task.properties.get("WAREHOUSE"))
            session.execute(task.body or "")
        finally:
            self.account.drop(session)

    def _arguments(self, session: Session, procedure: Thing, r: Reader) -> list[Any]:
        given: dict[str, str] = {}
        texts: list[str] = []
        inner = r.rest().strip()
        if not inner.startswith("(") or not inner.endswith(")"):
            raise not_emulated(f"the arguments {inner[:60]!r}")
        for piece in _pieces(inner[1:-1]):
            words = tokens(piece)
            if len(words) > 2 and words[1].text == "=>":
                given[words[0].text.upper()] = piece[words[2].start :]
            else:
                texts.append(piece)
        values = []
        for position, argument in enumerate(procedure.arguments):
            text = texts[position] if position < len(texts) else given.pop(argument.name, argument.default)
            if text is None:
                raise missing("Function", ".".join(procedure.name))
            values.append(self._value(session, argument, text))
        if given or len(texts) > len(procedure.arguments):
            raise missing("Function", ".".join(procedure.name))
        return values

    def _value(self, session: Session, argument: Argument, text: str) -> Any:  # noqa: ANN401
        answer = session._query(f"SELECT {text}", None)  # noqa: SLF001
        value = answer.table.column(0)[0].as_py()
        semi = answer.rowtype[0]["type"] == "variant"
        if value is None:
            return None
        if argument.type in ("VARIANT", "OBJECT", "ARRAY"):
            return json.loads(value) if semi else value
        if argument.type == "BOOLEAN":
            return value if isinstance(value, bool) else str(value).lower() == "true"
        if argument.type in TYPES_NUMBER:
            return int(value)
        if argument.type == "FLOAT":
            return float(value)
        return str(value)

    def _call(self, session: Session, procedure: Thing, arguments: list[Any]) -> Any:  # noqa: ANN401
        frame = self._frame(session, procedure)
        self.frames[frame.token] = frame
        self.last = frame
        inner, killed = None, False
        before = network.current()
        try:
            inner = self.account.snowpark(frame)
            network.enter(frame)
            handler = _handler(procedure, frame.import_directory)
            try:
                value = handler(HandlerSession(frame, inner), *arguments)
            except Exception as error:
                raise _interpreter_error(procedure, error) from error
            frame.in_time()
            _check_return(procedure, value)
            if frame.session is not None and frame.session.transaction is not None:
                raise SqlError(
                    90232, "25000",
                    "Stored procedure execution error: Scoped transaction started in stored procedure is incomplete and "
                    "it was rolled back.",
                )  # fmt: skip
            return value
        except TimedOut:
            raise timed_out(int(frame.timeout)) from None
        except Killed:
            killed = True
            raise SqlError(
                100357, "P0000",
                "Python Interpreter Error:\nthe process was terminated (emulator: killed after "
                f"operation {frame.operations})",
            ) from None  # fmt: skip
        finally:
            network.enter(before)
            del self.frames[frame.token]
            if frame.session is not None:
                self.account.drop(frame.session, killed=killed)
            if inner is not None:
                self.account.forget(inner)

    def _frame(self, session: Session, procedure: Thing) -> Frame:
        given = procedure.properties
        owners = given["EXECUTE AS"] == "OWNER"
        owner = self.account.roles.owners.get(("PROCEDURE", procedure.name), procedure.owner)
        frame = Frame(
            self.account, procedure, owners, owner if owners else session.role, session,
            procedure.name[0] if owners else session.database, procedure.name[1] if owners else session.schema,
            session.warehouse, self._imports(session, names(given.get("IMPORTS"))),
        )  # fmt: skip
        frame.kill_after, self.kill_after = self.kill_after, None
        frame.timeout = float(session.parameters["STATEMENT_TIMEOUT_IN_SECONDS"])
        for integration in names(given.get("EXTERNAL_ACCESS_INTEGRATIONS")):
            found = resolve(session, "INTEGRATION", integration)
            if not found.properties.get("ENABLED"):
                continue
            for rule in names(found.properties.get("ALLOWED_NETWORK_RULES")):
                values = names(resolve(session, "NETWORK RULE", rule).properties["VALUE_LIST"])
                frame.allowed |= {v.lower() if ":" in v else f"{v.lower()}:443" for v in values}
            secrets = names(found.properties.get("ALLOWED_AUTHENTICATION_SECRETS"))
            open_to = {resolve(session, "SECRET", s).name for s in secrets}
            declared = given.get("SECRETS")
            for alias, name in (declared.items() if isinstance(declared, dict) else ()):
                secret = resolve(session, "SECRET", name)
                if secret.name in open_to:
                    frame.secrets[alias] = secret
        return frame

    def _imports(self, session: Session, items: list[str]) -> str:
        """A read-only folder with the imported files; the same files give the same folder."""
        files = []
        for item in items:
            stage, path = self.account.engine.stages.resolve(item, session.database, session.schema)
            found = [f for f in self.account.engine.stages.files(stage, path) if f.path == path]
            if not found:
                raise SqlError(100016, "22000", f"Remote file '{item}' was not found.")
            files.append(found[0])
        key = hashlib.sha256("\n".join(f"{f.path} {f.digest()}" for f in files).encode()).hexdigest()[:16]
        folder = os.path.join(self.folder, key)
        with self._making:
            self._copy(files, folder)
        return folder

    def _copy(self, files: list[File], folder: str) -> None:
        if not os.path.isdir(folder):
            fresh = tempfile.mkdtemp(dir=self.folder)
            for file in files:
                place = os.path.join(fresh, os.path.basename(file.path))
                if os.path.exists(place):
                    raise SqlError(99999, "42601", f"two imports are called {os.path.basename(file.path)!r}")
                with open(file.place, "rb") as source, open(place, "wb") as target:
                    target.write(source.read())
                os.chmod(place, stat.S_IRUSR | stat.S_IRGRP)
            os.replace(fresh, folder)


def _pieces(text: str) -> list[str]:
    pieces, depth, begin = [], 0, 0
    for token in tokens(text):
        if token.text in ("(", "["):
            depth += 1
        elif token.text in (")", "]"):
            depth -= 1
        elif token.text == "," and depth == 0:
            pieces.append(text[begin : token.start])
            begin = token.end
    pieces.append(text[begin:])
    return [p.strip() for p in pieces if p.strip()]


def _handler(procedure: Thing, folder: str) -> Any:  # noqa: ANN401
    """The handler, from the body or from an imported file; a module of its own for every call."""
    dotted = str(procedure.properties["HANDLER"])
    module_name, _, function = dotted.rpartition(".")
    if procedure.body is not None:
        module = types.ModuleType("_udf_code")
        source = compile(procedure.body, "_udf_code.py", "exec")
        exec(source, module.__dict__)  # noqa: S102 - running it is what CALL means
        return getattr(module, dotted)
    place = os.path.join(folder, f"{module_name}.py")
    if not os.path.exists(place):
        raise SqlError(100357, "P0000", f"Python Interpreter Error:\nModuleNotFoundError: No module named '{module_name}'")
    with _importing:
        # As in a fresh process: what was imported from another call's folder is forgotten.
        for file in os.listdir(folder):
            sys.modules.pop(file.removesuffix(".py"), None)
        sys.path.insert(0, folder)
        try:
            return getattr(importlib.import_module(module_name), function)
        finally:
            sys.path.remove(folder)


def _interpreter_error(procedure: Thing, error: Exception) -> SqlError:
    frames = "".join(traceback.format_tb(error.__traceback__)[1:])
    last = "".join(traceback.format_exception_only(error))
    handler = procedure.properties["HANDLER"]
    return SqlError(
        100357, "P0000",
        f"Python Interpreter Error:\nTraceback (most recent call last):\n{frames}{last} in function "
        f"{procedure.name[2]} with handler {handler}",
    )  # fmt: skip


def _check_return(procedure: Thing, value: Any) -> None:  # noqa: ANN401
    if procedure.properties["RETURNS"] != "VARIANT" or value is None:
        return

    def plain(item: Any) -> None:  # noqa: ANN401
        if isinstance(item, dict):
            for key, inner in item.items():
                if not isinstance(key, str):
                    raise TypeError(f"key {key!r}")
                plain(inner)
        elif isinstance(item, list):
            for inner in item:
                plain(inner)
        elif not isinstance(item, (str, bool, int, float, decimal.Decimal, dt.date, type(None))):
            raise TypeError(type(item).__name__)

    try:
        plain(value)
    except TypeError as error:
        raise SqlError(100357, "P0000", f"Python Interpreter Error:\ncannot convert to VARIANT: {error}") from error


def _returned(procedure: Thing, value: Any) -> Answer:  # noqa: ANN401
    column = procedure.name[2]
    semi = procedure.properties["RETURNS"] in ("VARIANT", "OBJECT", "ARRAY")
    text = None if value is None else json.dumps(value, default=str, allow_nan=False) if semi else str(value)
    rowtype = describe_as_rowtype([(column, "JSON" if semi else "VARCHAR", None, None, None, None)])
    return Answer(rowtype, pa.table({column: pa.array([text], pa.string())}), 0x1000)
