"""Session parameters of sessions, accounts and callers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fakesnow import statement_type

from .answer import Answer
from .errors import SqlError, not_emulated, syntax
from .text import Reader

if TYPE_CHECKING:
    from .account import Account

Value = bool | int | float | str
# The parameters of a new account; `Account.defaults` has TIMEZONE, LOCK_TIMEOUT and QUOTED_IDENTIFIERS_IGNORE_CASE.
DEFAULTS: dict[str, Value] = {
    "AUTOCOMMIT": True,
    "TIMEZONE": "America/Los_Angeles",
    "LOCK_TIMEOUT": 43_200.0,
    "ROWS_PER_RESULTSET": 0,
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "ERROR_ON_NONDETERMINISTIC_MERGE": True,
    "QUERY_TAG": "",
    "STATEMENT_TIMEOUT_IN_SECONDS": 172_800,
}
# An owner's-rights procedure has these of its caller; of all others it has the account's values.
FROM_THE_CALLER = set(DEFAULTS) - {"QUOTED_IDENTIFIERS_IGNORE_CASE"}
NO_LIMIT = DEFAULTS["STATEMENT_TIMEOUT_IN_SECONDS"]


def parse(name: str, value: object) -> Value:
    """The value of a parameter, or the server's error."""
    default = DEFAULTS.get(name)
    if default is None:
        raise not_emulated(f"the parameter {name}")
    text = str(value)
    if isinstance(default, bool):
        if text.upper() not in ("TRUE", "FALSE"):
            raise _invalid(name, text)
        return text.upper() == "TRUE"
    if isinstance(default, (int, float)):
        if not re.fullmatch(r"\d+(\.\d+)?", text):
            raise _invalid(name, text)
        return type(default)(float(text))
    return text


def _invalid(name: str, text: str) -> SqlError:
    return SqlError(1008, "22023", f"SQL compilation error:\ninvalid value [{text}] for parameter '{name}'")


class Parameters:
    """The parameters of one session."""

    def __init__(self, account: Account, given: dict[str, Value] | None = None) -> None:
        self._account = account
        self._given = dict(given or {})

    def __getitem__(self, name: str) -> Value:
        return self._given.get(name, self._account.defaults[name])

    def set(self, name: str, value: object) -> None:
        """ALTER SESSION SET."""
        self._given[name] = parse(name, value)

    def unset(self, name: str) -> None:
        """ALTER SESSION UNSET."""
        if name not in DEFAULTS:
            raise not_emulated(f"the parameter {name}")
        self._given.pop(name, None)

    def of_a_procedure(self, owners_rights: bool) -> dict[str, Value]:
        """The parameters of a procedure that this session calls."""
        return {n: v for n, v in self._given.items() if not owners_rights or n in FROM_THE_CALLER}

    def shown(self, pattern: str | None) -> Answer:
        """SHOW PARAMETERS."""
        like = (
            re.compile(re.escape(pattern).replace("%", ".*").replace("_", "."), re.I) if pattern is not None else None
        )
        rows = []
        for name, default in DEFAULTS.items():
            if like is None or like.fullmatch(name):
                level = "SESSION" if name in self._given else "ACCOUNT" if self[name] != default else ""
                kind = {bool: "BOOLEAN", str: "STRING"}.get(type(default), "NUMBER")
                rows.append((name, _text(self[name]), _text(default), level, "", kind))
        return Answer.of(["key", "value", "default", "level", "description", "type"], rows, statement_type.SHOW)


def changes(text: str) -> list[tuple[str, object | None]]:
    """The parameters that an ALTER SESSION sets; `None` for one that it unsets."""
    r = Reader(text)
    r.expect("ALTER", "SESSION")
    if r.accept("UNSET"):
        names = []
        while not r.done():
            if not r.accept(","):
                names.append((r.next().text.upper(), None))
        return names
    r.expect("SET")
    found = list(r.properties().items())
    if not found:
        raise syntax("ALTER SESSION SET names no parameter")
    return found


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
