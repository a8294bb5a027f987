"""A running CALL: what its handler may reach, and what it sees of the process."""

from __future__ import annotations

import platform
import sys
import threading
import time
import types
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import network

if TYPE_CHECKING:
    from .account import Account
    from .objects import Thing
    from .session import Session


class Killed(BaseException):
    """The procedure's process has ended. Not an `Exception`: no handler may catch it."""


class TimedOut(Killed):
    """It has ended because the CALL took longer than STATEMENT_TIMEOUT_IN_SECONDS."""


@dataclass
class Frame:
    """One running CALL."""

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
        """Count one operation of the session; the process may die here."""
        self.in_time()
        self.operations += 1
        if self.kill_after is not None and self.operations >= self.kill_after:
            raise Killed

    def nap(self, seconds: float) -> float:
        """The duration of a sleep in the emulator; its real duration is added to `slept`."""
        self.slept += seconds
        longest = self.account.longest_nap
        short = seconds if longest is None else min(seconds, longest)
        self.napped += short
        return short

    def route(self, host: str, port: int) -> tuple[str, int]:
        """The address of `host:port`, if the procedure may connect to it."""
        if (host, port) == self.account.server_address:
            return (host, port)
        place = f"{host.lower()}:{port}"
        if place not in self.allowed:
            raise OSError(16, "Device or resource busy")
        found = self.account.hosts.route(place)
        if found is None:
            raise OSError(-2, f"Name or service not known (the emulator has no fake for {place})")
        self.opened.add(found)
        return found

    def check(self, address: tuple) -> None:
        """Called before a connection is made to this address."""
        place = (str(address[0]), int(address[1]))
        if place != self.account.server_address and place not in self.opened:
            raise OSError(16, "Device or resource busy")


class ImportOptions(dict):
    """`sys._xoptions`, with the import directory of the call this thread belongs to."""

    def __getitem__(self, key: str) -> Any:
        frame = network.current()
        if key == "snowflake_import_directory" and frame is not None:
            return frame.import_directory
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
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
        # Snowflake gets a token from the integration's server; here it has the name of its secret.
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
    """Prepare this process to run handlers. A second call has no effect."""
    network.Guard.install()
    sys.modules.setdefault("_snowflake", _snowflake_module())
    if not isinstance(sys._xoptions, ImportOptions):
        sys._xoptions = ImportOptions(sys._xoptions)
    if platform.machine is not _machine:
        platform.machine = _machine


_real_machine = platform.machine


def _machine() -> str:
    """`platform.machine()`; inside a handler the value of `Lab(machine=..)`."""
    frame = network.current()
    return (frame.account.modes.machine if frame is not None else None) or _real_machine()
