"""CALL: a procedure's handler, run in a thread of the server as the service would run it.

The handler gets a real Snowpark session, connected to this same server as the procedure's owner. The server rejects
what an owner's-rights procedure may not do, however the statement was sent.
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
import traceback
import types
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from fakesnow.rowtype import describe_as_rowtype

from . import arguments, network
from .answer import Answer
from .errors import SqlError, missing, not_emulated, timed_out
from .frame import Frame, Killed, TimedOut
from .handler_session import HandlerSession
from .objects import Thing, names, resolve
from .text import Reader

if TYPE_CHECKING:
    from .account import Account
    from .session import Session
    from .stages import File

_importing = threading.Lock()


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
        given = arguments.values(session, procedure, r)
        value = self._call(session, procedure, given)
        return _returned(procedure, value)

    def _task(self, task: Thing) -> None:
        """A task runs as its owner, in a separate session."""
        self.account.roles.require_account(task.owner, "EXECUTE TASK")
        session = self.account.connect(role=task.owner)
        try:
            session.use(task.name[0], task.name[1])
            session.warehouse = str(task.properties.get("WAREHOUSE"))
            session.execute(task.body or "")
        finally:
            self.account.drop(session)

    def _call(self, session: Session, procedure: Thing, given: list[Any]) -> Any:
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
                value = handler(HandlerSession(frame, inner), *given)
            except Exception as error:
                raise _interpreter_error(procedure, error) from error
            frame.in_time()
            _check_return(procedure, value)
            if frame.session is not None and frame.session.transaction is not None:
                raise SqlError(
                    90232,
                    "25000",
                    "Stored procedure execution error: Scoped transaction started in stored procedure is incomplete and "
                    "it was rolled back.",
                )
            return value
        except TimedOut:
            raise timed_out(int(frame.timeout)) from None
        except Killed:
            killed = True
            raise SqlError(
                100357,
                "P0000",
                "Python Interpreter Error:\nthe process was terminated (emulator: killed after "
                f"operation {frame.operations})",
            ) from None
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
            self.account,
            procedure,
            owners,
            owner if owners else session.role,
            session,
            procedure.name[0] if owners else session.database,
            procedure.name[1] if owners else session.schema,
            session.warehouse,
            self._imports(session, names(given.get("IMPORTS"))),
        )
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
            for alias, name in declared.items() if isinstance(declared, dict) else ():
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


def _handler(procedure: Thing, folder: str) -> Any:
    """The handler, from the body or from an imported file; a new module for every call."""
    dotted = str(procedure.properties["HANDLER"])
    module_name, _, function = dotted.rpartition(".")
    if procedure.body is not None:
        module = types.ModuleType("_udf_code")
        source = compile(procedure.body, "_udf_code.py", "exec")
        exec(source, module.__dict__)
        return getattr(module, dotted)
    place = os.path.join(folder, f"{module_name}.py")
    if not os.path.exists(place):
        raise SqlError(
            100357, "P0000", f"Python Interpreter Error:\nModuleNotFoundError: No module named '{module_name}'"
        )
    with _importing:
        # As in a fresh process: the handler's modules are those of its folder. The modules of this process return
        # afterwards: what a test has imported is what it can patch.
        names = [file.removesuffix(".py") for file in os.listdir(folder)]
        own = {name: module for name in names if (module := sys.modules.pop(name, None)) is not None}
        sys.path.insert(0, folder)
        try:
            return getattr(importlib.import_module(module_name), function)
        finally:
            sys.path.remove(folder)
            sys.modules.update(own)


def _interpreter_error(procedure: Thing, error: Exception) -> SqlError:
    frames = "".join(traceback.format_tb(error.__traceback__)[1:])
    last = "".join(traceback.format_exception_only(error))
    handler = procedure.properties["HANDLER"]
    return SqlError(
        100357,
        "P0000",
        f"Python Interpreter Error:\nTraceback (most recent call last):\n{frames}{last} in function "
        f"{procedure.name[2]} with handler {handler}",
    )


def _check_return(procedure: Thing, value: Any) -> None:
    if procedure.properties["RETURNS"] != "VARIANT" or value is None:
        return

    def plain(item: Any) -> None:
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


def _returned(procedure: Thing, value: Any) -> Answer:
    column = procedure.name[2]
    semi = procedure.properties["RETURNS"] in ("VARIANT", "OBJECT", "ARRAY")
    text = None if value is None else json.dumps(value, default=str, allow_nan=False) if semi else str(value)
    rowtype = describe_as_rowtype([(column, "JSON" if semi else "VARCHAR", None, None, None, None)])
    return Answer(rowtype, pa.table({column: pa.array([text], pa.string())}), 0x1000)
