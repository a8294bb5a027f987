"""The session of a handler: the part of Snowpark's that Snowcat may use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snowflake.connector.errors import ProgrammingError

if TYPE_CHECKING:
    from .frame import Frame


class Statement:
    """The result of `session.sql` for a handler."""

    def __init__(self, frame: Frame, frame_session: Any, query: str, params: Any) -> None:
        self._frame = frame
        self._frame_session = frame_session
        self._query = query
        self._params = params

    def collect(self, **_: Any) -> list:
        """Run it and return its rows."""
        try:
            rows = self._frame_session.sql(self._query, params=self._params).collect()
        except Exception:
            self._frame.counted()
            raise
        self._frame.counted()
        return rows


class Files:
    """The result of `session.file` for a handler."""

    def __init__(self, frame: Frame, inner: Any) -> None:
        self._frame = frame
        self._inner = inner

    def put_stream(self, input_stream: Any, stage_location: str, **options: Any) -> Any:
        """Upload a stream: the one way to a stage from inside a procedure."""
        self._frame.uploading = True
        try:
            result = self._inner.file.put_stream(input_stream, stage_location, **options)
        finally:
            self._frame.uploading = False
        self._frame.counted()
        return result

    def get_stream(self, stage_location: str, **options: Any) -> Any:
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
    """The part of `snowflake.snowpark.Session` that Snowcat's handler may use; other methods do
    not exist.
    """

    def __init__(self, frame: Frame, inner: Any) -> None:
        self._frame = frame
        self._inner = inner
        self.file = Files(frame, inner)

    def sql(self, query: str, params: Any = None) -> Statement:
        """A statement that has not run yet."""
        return Statement(self._frame, self._inner, query, params)

    def close(self) -> None:
        """Has no effect, as in a procedure."""
