"""The emulator without its wire: statements go to a session of it in this process.

Most of the time of a small load goes into the protocol. Who runs thousands of them takes this way; what the statements
are, what a procedure may do and what comes of it is the same.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from snowflake.connector.errors import ProgrammingError

from emulator.errors import SqlError
from emulator.roles import ADMIN
from emulator.text import split_script

if TYPE_CHECKING:
    import pathlib

    from emulator import Lab
    from emulator.account import Account
    from emulator.procedure import Frame


PUT = re.compile(
    r"PUT file://(?P<name>\S+) (?P<stage>@\S+) AUTO_COMPRESS = FALSE OVERWRITE = (?P<overwrite>TRUE|FALSE)"
)


class Row(tuple):
    """A row that knows the names of its columns, as Snowpark's does."""

    _fields: tuple[str, ...] = ()


class Statement:
    """The result of `session.sql`."""

    def __init__(self, session: Any, query: str) -> None:
        self.session, self.query = session, query

    def collect(self) -> list[Row]:
        """Run it and return its rows."""
        try:
            table = self.session.execute(self.query).table
        except SqlError as error:
            raise ProgrammingError(msg=error.message, errno=error.errno, sqlstate=error.sqlstate) from error
        rows = [Row(values) for values in zip(*map(_values, table.columns), strict=True)]
        names = tuple(table.column_names)
        for row in rows:
            row._fields = names
        return rows


def _values(column: pa.ChunkedArray) -> list:
    """The values as the driver returns them: numbers without decimals are integers."""
    found = column.to_pylist()
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        return [None if value is None else int(value) for value in found]
    return found


def install(lab: Lab, package: pathlib.Path, *, task: bool = False) -> None:
    """As `Lab.install`, for tests whose subject comes after the installation."""
    session = Direct(lab.account)
    for name in ("put.sql", "install.sql", *(["task.sql"] if task else [])):
        for statement in split_script((package / name).read_text()):
            if put := PUT.fullmatch(statement):
                if put["overwrite"] == "TRUE" or put["name"] not in lab.files(put["stage"]):
                    lab.put(put["stage"], put["name"], (package / put["name"]).read_bytes())
            else:
                session.sql(statement).collect()
    session.close()


class Direct:
    """A session: the caller's, or the one of a procedure that runs; the part of Snowpark's that is used."""

    def __init__(self, account: Account, frame: Frame | None = None, database: str | None = None) -> None:
        self.account = account
        self.session = account.connect(frame.role if frame else ADMIN, frame)
        self.session.use(frame.database if frame else database, frame.schema if frame else "PUBLIC")
        self.file = self
        if frame is None:
            # Python has no instants before the year 1, which some zones would need.
            self.session.set_parameter("TIMEZONE", "UTC")

    def sql(self, query: str, params: None = None) -> Statement:
        """A statement that has not run yet."""
        return Statement(self.session, query)

    def put_stream(self, stream: Any, place: str, **_: Any) -> None:
        """Upload a file."""
        stage, path = self.session.stage(place, "WRITE")
        self.account.engine.stages.write(stage, path, stream.read())

    def close(self) -> None:
        """End it."""
        self.account.drop(self.session)
