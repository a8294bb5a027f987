"""Errors with the server's number, SQLSTATE and text.

A statement that cannot be run raises `SqlError`; the wire turns it into an answer of the protocol (HTTP 200, `success:
false`), so a client sees the same exception class as from the service.
"""

from __future__ import annotations


class SqlError(Exception):
    """The server's error for a failed statement."""

    def __init__(self, errno: int, sqlstate: str, message: str) -> None:
        super().__init__(f"{errno:06d} ({sqlstate}): {message}")
        self.errno = errno
        self.sqlstate = sqlstate
        self.message = message


def missing(kind: str, name: str) -> SqlError:
    """`kind` is `Object`, `Schema`, `Database`, `Stage`, ...; `name` is the resolved name."""
    state = "42S02" if kind in ("Object", "Table") else "02000"
    return SqlError(2003, state, f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized.")


def exists(name: str) -> SqlError:
    """An object with this name exists."""
    return SqlError(2002, "42710", f"SQL compilation error:\nObject '{name}' already exists.")


def syntax(message: str) -> SqlError:
    """The statement is not SQL."""
    return SqlError(1003, "42000", f"SQL compilation error:\n{message}")


def privileges(kind: str, name: str) -> SqlError:
    """The role may see the object, but not do this with it."""
    return SqlError(
        3001, "42501", f"SQL access control error:\nInsufficient privileges to operate on {kind.lower()} '{name}'."
    )


def unsupported_in_procedure(statement: str) -> SqlError:
    """A statement type that an owner's-rights procedure may not run."""
    return SqlError(90236, "42601", f"Stored procedure execution error: Unsupported statement type '{statement}'.")


def timed_out(seconds: int) -> SqlError:
    """STATEMENT_TIMEOUT_IN_SECONDS has passed."""
    return SqlError(
        630, "57014", f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled."
    )


def cancelled() -> SqlError:
    """The statement was cancelled."""
    return SqlError(604, "57014", "SQL execution canceled")


def not_emulated(what: str) -> SqlError:
    """A statement that the service may support, and this emulator does not."""
    return SqlError(99999, "0A000", f"emulator: {what} is not emulated")
