"""The control endpoint: tests in other languages set switches and faults, and read logs and counts."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from .. import wire
from ..errors import SqlError
from ..text import split_script
from .faults import Fault
from .protocol import body

if TYPE_CHECKING:
    from .server import Server

# Requests that drivers send by themselves.
DRIVERS_OWN = re.compile(r"(?i)select\s+system\$cancel_all_queries\b")


class Control:
    """`/emulator/...`: it needs no token, and has no faults."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def routes(self) -> list[Route]:
        """The routes."""
        table = [
            ("GET", "", self._state),
            ("GET", "/calls", self._calls),
            ("GET", "/statements", self._statements),
            ("GET", "/files", self._files),
            ("POST", "/switches", self._switches),
            ("POST", "/faults", self._faults),
            ("DELETE", "/faults", self._faults),
            ("POST", "/users", self._users),
            ("POST", "/expire", self._expire),
            ("POST", "/storage", self._storage),
            ("DELETE", "/storage", self._storage),
            ("GET", "/storage", self._storage),
            ("POST", "/sql", self._sql),
            ("POST", "/reset", self._reset),
        ]
        paths = dict.fromkeys(path for _, path, _ in table)
        return [
            Route(
                f"/emulator{path}",
                _answered({m: f for m, p, f in table if p == path}),
                methods=["GET", "POST", "DELETE"],
            )
            for path in paths
        ]

    async def _state(self, _: Request) -> Any:
        server = self.server
        return {
            "switches": asdict(server.switches),
            "faults": server.faults.shown(),
            "counts": counts(server),
            "logins": server.users.logins,
            "sessions": len(server.account.sessions),
            "transactions": sum(s.transaction is not None for s in list(server.account.sessions.values())),
        }

    async def _calls(self, _: Request) -> Any:
        return list(self.server.gate.calls)

    async def _statements(self, _: Request) -> Any:
        return statements(self.server)

    async def _files(self, request: Request) -> Any:
        reference = request.query_params["stage"]
        stages = self.server.account.engine.stages
        stage, path = stages.resolve(reference, None, None)
        found = await run_in_threadpool(lambda: [(f, f.digest()) for f in stages.files(stage, path)])
        return [{"path": file.path, "md5": digest} for file, digest in found]

    async def _switches(self, request: Request) -> Any:
        self.server.switches.set(await body(request))
        return asdict(self.server.switches)

    async def _faults(self, request: Request) -> Any:
        if request.method == "DELETE":
            self.server.faults.clear()
        else:
            given = await body(request)
            made = [Fault.of(one) for one in (given if isinstance(given, list) else [given])]
            self.server.faults.table = [*self.server.faults.table, *made]
        return self.server.faults.shown()

    async def _users(self, request: Request) -> Any:
        self.server.users.register(await body(request))
        return sorted(self.server.users.by_name)

    async def _expire(self, request: Request) -> Any:
        what = (await body(request)).get("what", "session")
        if what == "sessions":  # the sessions are gone, as after a restart of the service
            found = list(self.server.account.sessions.values())
            for session in found:
                await run_in_threadpool(self.server.account.drop, session)
            return {"ended": len(found)}
        return {"expired": self.server.tokens.expire(what)}

    async def _storage(self, request: Request) -> Any:
        server = self.server
        if request.method == "DELETE":
            server.storage.stop()
        if request.method == "POST":
            given = await body(request)
            await run_in_threadpool(lambda: server.keep_stages_in(**given))
        gate = server.storage_gate
        calls = list(gate.log) if gate is not None else []
        return {"gate": server.storage.gate, "calls": calls, "problems": server.sealed.problems}

    async def _sql(self, request: Request) -> Any:
        text = (await body(request))["sql"]
        return await run_in_threadpool(_run, self.server, text)

    async def _reset(self, _: Request) -> Any:
        server = self.server
        server.faults.clear()
        server.switches.reset()
        server.gate.counts.clear()
        server.gate.calls.clear()
        server.users.logins.clear()
        return {}


def counts(server: Server) -> dict[str, int]:
    """The requests by endpoint, and the statements by outcome."""
    found = server.statements.all()
    return {
        **server.gate.counts,
        "joined": sum(s.joined for s in found),
        "executed": sum(s.executed for s in found),
        "cancelled": sum(s.status == "ABORTED" for s in found),
        "renewals": len(server.tokens.renewals),
        "renewals_in_transactions": sum(server.tokens.renewals),
    }


def statements(server: Server) -> dict:
    """Every statement by request, and the number of executions of each text."""
    executed = Counter(e.sql for e in server.account.trace if not DRIVERS_OWN.match(e.sql))
    return {
        "requests": [s.shown() for s in server.statements.all()],
        "executed": [{"sql": sql, "times": times} for sql, times in executed.items()],
        "trace": [
            {"sql": e.sql, "session": e.session, "affected": e.affected, "error": e.error} for e in server.account.trace
        ],
    }


def _run(server: Server, text: str) -> list:
    """Run a worksheet as ACCOUNTADMIN. Return the rows of its last statement as strings."""
    session = server.account.connect()
    try:
        database = next(iter(server.account.engine.catalog.databases), None)
        session.use(database, "PUBLIC")
        rows: list = []
        for statement in split_script(text):
            answer = session.execute(statement)
            columns = [
                [wire.text(v, c["type"]) for v in column.to_pylist()]
                for column, c in zip(answer.table.columns, answer.rowtype, strict=True)
            ]
            rows = [list(row) for row in zip(*columns, strict=True)]
        return rows
    finally:
        server.account.drop(session)


def _answered(by_method: dict[str, Any]) -> Any:
    """An invalid request has status 400 with the reason."""

    async def handle(request: Request) -> JSONResponse:
        handler = by_method.get(request.method)
        if handler is None:
            return JSONResponse({"error": f"{request.method} is not known here"}, status_code=405)
        try:
            return JSONResponse(await handler(request))
        except (ValueError, TypeError, KeyError, SqlError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return handle
