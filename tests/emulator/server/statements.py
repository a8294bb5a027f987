"""The statements of clients: each request id is run once, however many requests have it."""

from __future__ import annotations

import asyncio
import datetime as dt
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from ..session import Session

# The number of responses that are kept for repeated requests; of older ones the status is kept.
MOST_ANSWERS = 300


@dataclass(eq=False)
class Statement:
    """A statement with the id of its request. `received` counts the requests, `joined` those that did not run it."""

    session: Session
    request_id: str
    sql: str
    query_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    received: int = 1
    joined: int = 0
    executed: int = 0
    begun: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    cancel: threading.Event = field(default_factory=threading.Event)
    future: Future = field(default_factory=Future)
    forgotten: bool = False

    @property
    def answer(self) -> dict | None:
        """The response, or `None` while it runs."""
        return self.future.result() if self.future.done() else None

    @property
    def status(self) -> str:
        """The status in the terms of /monitoring."""
        answer = self.answer
        if answer is None:
            return "RUNNING"
        if answer["success"]:
            return "SUCCESS"
        return "ABORTED" if answer["code"] == "000604" else "FAILED_WITH_ERROR"

    def shown(self) -> dict:
        """The form for the control endpoint."""
        answer = self.answer or {}
        return {
            "request_id": self.request_id,
            "query_id": self.query_id,
            "session": self.session.id,
            "sql": self.sql,
            "received": self.received,
            "joined": self.joined,
            "executed": self.executed,
            "status": self.status,
            "code": answer.get("code"),
        }

    def monitored(self) -> dict:
        """The form for /monitoring/queries."""
        answer = self.answer or {}
        failed = bool(answer) and not answer["success"]
        return {
            "id": self.query_id,
            "status": self.status,
            "state": "FINISHED" if answer else "EXECUTING",
            "errorCode": answer["code"] if failed else "",
            "errorMessage": answer["message"] if failed else None,
            "sqlText": self.sql,
            "sessionId": int(self.session.id[:12], 16),
            "startTime": int(self.begun.timestamp() * 1000),
        }

    async def wait(self, seconds: float) -> dict | None:
        """The response, or `None` if it takes longer. A response that is not kept any more is an error."""
        if self.forgotten:
            return _refusal(f"the answer to the requestId {self.request_id} is not kept any more")
        await asyncio.wait([asyncio.wrap_future(self.future)], timeout=seconds)
        return self.answer

    def forget(self) -> None:
        """Keep the status of the response, and not its data."""
        answer = self.answer
        if answer is None or answer["data"] is None:
            return
        self.forgotten = True
        self.future = Future()
        self.future.set_result(answer | {"data": None})

    def stop(self) -> bool:
        """Cancel it. Returns `False` if it is not running."""
        if self.future.done():
            return False
        self.cancel.set()
        threading.Thread(target=self._interrupt, name="emulator cancel", daemon=True).start()
        return True

    def _interrupt(self) -> None:
        while not self.future.done():
            self.session.interrupt(self.cancel)
            time.sleep(0.02)


class Statements:
    """All statements of a server, by session and request id."""

    def __init__(self) -> None:
        self.by_request: dict[tuple[str, str], Statement] = {}
        self._answers: deque[Statement] = deque()
        self._guard = threading.Lock()

    def submit(self, session: Session, request_id: str | None, sql: str, run: Callable[[Statement], dict]) -> Statement:
        """The statement of this request: a new one that begins to run, or the existing one with this id."""
        key = (session.id, request_id or str(uuid.uuid4()))
        with self._guard:
            found = self.by_request.get(key)
            if found is not None and found.sql == sql:
                found.received += 1
                found.joined += 1
                return found
            made = Statement(session, key[1], sql)
            if found is not None:
                message = f"the requestId {key[1]} belongs to another statement of this session"
                made.future.set_result(_refusal(message))
                return made
            self.by_request[key] = made
            self._shrink(made)
        made.executed += 1
        made.future.set_running_or_notify_cancel()
        threading.Thread(target=_run, args=(made, run), name="emulator statement", daemon=True).start()
        return made

    def of_query(self, query_id: str) -> Statement | None:
        """The statement with this query id."""
        return next((s for s in list(self.by_request.values()) if s.query_id == query_id), None)

    def of_request(self, session: Session, request_id: str) -> Statement | None:
        """The statement of a session with this request id."""
        return self.by_request.get((session.id, request_id))

    def all(self) -> list[Statement]:
        """All statements, the oldest first."""
        return list(self.by_request.values())

    def stop(self, session: Session | None = None) -> None:
        """Cancel the running statements of one session or of all."""
        for statement in self.all():
            if session is None or statement.session is session:
                statement.stop()

    def _shrink(self, made: Statement) -> None:
        self._answers.append(made)
        if len(self._answers) > MOST_ANSWERS:
            oldest = self._answers.popleft()
            if oldest.future.done():
                oldest.forget()
            else:
                self._answers.append(oldest)


def _run(statement: Statement, run: Callable[[Statement], dict]) -> None:
    try:
        statement.future.set_result(run(statement))
    except BaseException as error:
        statement.future.set_exception(error)
        raise


def _refusal(message: str) -> dict:
    return {"data": {"sqlState": "22023"}, "code": "099999", "message": f"emulator: {message}", "success": False}
