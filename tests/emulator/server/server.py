"""The server: enough of Snowflake's driver protocol for Snowpark, the drivers and a small client.

Errors of SQL are responses with `success: false`. HTTP errors are only for problems outside of a session. A client
of the Python connector or of the Go driver gets Arrow, any other gets JSON row sets, as from the service.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
import traceback
from typing import Any

import uvicorn
from fakesnow.converter import from_binding
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..account import Account
from ..answer import Answer
from ..errors import SqlError, cancelled
from ..session import Session
from ..text import head, split_script
from . import login
from .control import Control
from .faults import Faults
from .gate import Gate
from .protocol import Refused, body, failure, success, token
from .results import Results, rowless
from .sealed import Sealed
from .statements import Statement, Statements
from .storage import Storage
from .storage_gate import StorageGate
from .switches import Switches
from .tokens import Login, Tokens
from .users import Users

MULTI = 0xA000
STICKY = "x-snowflake-session"
RESULT_SCAN = re.compile(r"(?is)\s*select\s+\*\s+from\s+table\s*\(\s*result_scan\s*\(\s*'([^']+)'\s*\)\s*\)\s*;?\s*")
CANCEL_QUERY = re.compile(r"(?is)\s*select\s+system\$cancel_query\s*\(\s*'([^']+)'\s*\)\s*;?\s*")
# Statements that a request which only describes may run.
READING = (["SELECT"], ["WITH"], ["SHOW"], ["DESCRIBE"], ["DESC"], ["LIST"], ["LS"])


class Server:
    """The account on a port."""

    def __init__(self, account: Account, port: int = 0) -> None:
        self.account = account
        self.switches = Switches()
        self.faults = Faults()
        self.users = Users(self.switches)
        self.tokens = Tokens(self.switches, account.drop, lambda s: s.id in account.sessions)
        self.statements = Statements()
        self.sealed = Sealed(self.switches, account.engine.stages)
        self.storage = Storage(account.engine.stages, self.sealed)
        self.storage_gate: StorageGate | None = None
        self.results = Results(self.switches, self.storage)
        self.scripts: dict[str, dict] = {}
        if not port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        self.port = port
        account.server_address = ("127.0.0.1", port)
        app = Starlette(routes=[*self._routes(), *Control(self).routes()], exception_handlers={Refused: _refused})
        self.gate = Gate(app, self.switches, self.faults, self._connection, self._refuse)
        config = uvicorn.Config(
            self.gate,
            host="127.0.0.1",
            port=port,
            log_level="critical",
            timeout_graceful_shutdown=1,
            date_header=False,
            lifespan="off",
        )
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.uvicorn.run, name="emulator", daemon=True)

    def _routes(self) -> list[Route]:
        return [
            Route("/session/v1/login-request", self._login, methods=["POST"]),
            Route("/session/token-request", self._renew, methods=["POST"]),
            Route("/session", self._session, methods=["POST"]),
            Route("/session/heartbeat", self._session, methods=["POST"]),
            Route("/queries/v1/query-request", self._query, methods=["POST"]),
            Route("/queries/v1/abort-request", self._abort, methods=["POST"]),
            Route("/queries/{id}/abort-request", self._abort, methods=["POST"]),
            Route("/queries/{id}/result", self._result, methods=["GET"]),
            Route("/monitoring/queries/{id:path}", self._monitoring, methods=["GET"]),
            Route("/results/{name}", self._chunk, methods=["GET"]),
            Route("/telemetry/send", _ok, methods=["POST"]),
            Route("/stage/{path:path}", self._upload, methods=["PUT"]),
            Route("/stage/{path:path}", self._download, methods=["GET"]),
        ]

    def start(self) -> None:
        """Serve, in a thread."""
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.uvicorn.started:
            if not self.thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the emulator did not start on port {self.port}")
            time.sleep(0.01)

    def keep_stages_in(self, kind: str, endpoint: str, bucket: str = "stages") -> None:
        """Keep the files of stages in a bucket: the response to PUT has a location of `kind` S3, AZURE or GCS."""
        if self.storage_gate is None:
            self.storage_gate = StorageGate(self.storage, self.faults)
        self.storage.use(kind, endpoint, bucket)

    def stop(self) -> None:
        """Stop serving. Open connections are closed, and running statements are cancelled."""
        self.statements.stop()
        if self.storage_gate is not None:
            self.storage_gate.stop()
        self.uvicorn.should_exit = True
        self.uvicorn.force_exit = True
        self.thread.join(10)

    def _connection(self, client: Any) -> asyncio.Transport | None:
        """The connection of a client, by its address."""
        for protocol in self.uvicorn.server_state.connections:
            if protocol.client is not None and tuple(protocol.client) == tuple(client):
                return protocol.transport  # type: ignore[return-value]
        return None

    def _refuse(self, seconds: float) -> None:
        """Refuse new connections for this many seconds."""
        loop = asyncio.get_running_loop()
        for listening in self.uvicorn.servers:
            listening.close()

        async def listen() -> None:
            await asyncio.sleep(seconds)
            config, state = self.uvicorn.config, self.uvicorn.server_state

            def connection() -> asyncio.Protocol:
                return config.http_protocol_class(config=config, server_state=state, app_state={})  # type: ignore[call-arg]

            made = await loop.create_server(connection, "127.0.0.1", self.port, backlog=config.backlog)
            self.uvicorn.servers = [made]

        self._listening = loop.create_task(listen())

    # --- sessions --------------------------------------------------------------

    async def _login(self, request: Request) -> JSONResponse:
        """A new session."""
        data = (await body(request)).get("data", {})
        try:
            session = login.open_session(self.account, self.users, request, data)
        except SqlError as error:
            return JSONResponse(failure(error))
        answer = success(login.described(session, self.tokens.login(session)))
        if self.switches.sticky:
            answer.headers[STICKY] = self.tokens.logins[-1].sticky
        return answer

    async def _renew(self, request: Request) -> JSONResponse:
        """New tokens for the master token."""
        return success(self.tokens.renew(token(request), str((await body(request)).get("oldSessionToken"))))

    async def _session(self, request: Request) -> JSONResponse:
        """Heartbeat, and log-out."""
        found = self._of(request)
        if request.query_params.get("delete"):
            self.tokens.forget(found)
            self.statements.stop(found.session)
            await run_in_threadpool(self.account.drop, found.session)
        else:
            self.tokens.heartbeat(found)
        return success()

    def _of(self, request: Request) -> Login:
        return self.tokens.of(token(request), request.headers.get(STICKY))

    # --- queries ---------------------------------------------------------------

    async def _query(self, request: Request) -> JSONResponse:
        """One statement; a request with a known id joins its statement."""
        session = self._of(request).session
        asked = await body(request)
        base, text = str(request.base_url), asked["sqlText"]
        if scan := RESULT_SCAN.fullmatch(text):
            found = self.statements.of_query(scan[1])
            return JSONResponse(_progress(None) if found is None else await found.wait(self.switches.poll))
        if cancel := CANCEL_QUERY.fullmatch(text):
            found = self.statements.of_query(cancel[1])
            shown = "query terminated." if found is not None and found.stop() else "Invalid query id."
            return JSONResponse(self.results.answer(session, Answer.status(shown, 0x1000), "", base))
        longer = request.scope.get("emulator.runs", 0.0)
        statement = self.statements.submit(
            session, request.query_params.get("requestId"), text, lambda s: self._run(s, asked, base, longer)
        )
        answer = await statement.wait(0.0 if asked.get("asyncExec") else self.switches.answer_within)
        return JSONResponse(answer or self._running(statement))

    def _running(self, statement: Statement) -> dict:
        return _progress(statement.query_id, self.switches.in_progress)

    def _run(self, statement: Statement, asked: dict, base: str, longer: float) -> dict:
        session = statement.session
        try:
            if longer and statement.cancel.wait(longer):
                raise cancelled()
            bindings = asked.get("bindings") or {}
            if any(isinstance(b["value"], list) for b in bindings.values()):
                raise SqlError(99999, "0A000", "emulator: array bindings are not emulated")
            params = [from_binding(bindings[str(i)]) for i in range(1, len(bindings) + 1)] or None
            count = (asked.get("parameters") or {}).get("MULTI_STATEMENT_COUNT", 1)
            text = asked["sqlText"]
            statements = split_script(text) if count != 1 else [text]
            if len(statements) > 1 or count not in (0, 1):
                return self._several(statement, statements, count, base)
            describes = bool(asked.get("describeOnly"))
            if describes and head(statements[0])[:1] not in READING:
                return self.results.answer(session, Answer.of([], []), statement.query_id, base)
            answer = session.execute(statements[0], params, statement.cancel)
            whole = self.results.answer(session, answer, statement.query_id, base)
            return rowless(whole) if describes else whole
        except SqlError as error:
            return failure(error, statement.query_id)
        except Exception as error:  # noqa: BLE001 - the client gets it as an error instead of waiting
            trace = traceback.format_exc(limit=-4)
            return failure(SqlError(99999, "XX000", f"emulator: {type(error).__name__}: {error}\n{trace}"))

    def _several(self, statement: Statement, statements: list[str], count: int, base: str) -> dict:
        """A script in one request: the client then requests the result of each statement."""
        if count and count != len(statements):
            raise SqlError(
                8,
                "0A000",
                f"Actual statement count {len(statements)} did not match the desired statement count {count}.",
            )
        session: Session = statement.session
        answers = [
            self.results.answer(
                session, session.execute(text, None, statement.cancel), f"{statement.query_id}-{i}", base
            )
            for i, text in enumerate(statements)
        ]
        ids = [answer["data"]["queryId"] for answer in answers]
        self.scripts.update(zip(ids, answers, strict=True))
        done = Answer.status("Multiple statements executed successfully.", MULTI)
        whole = self.results.answer(session, done, statement.query_id, base)
        types = ",".join(str(answer["data"]["statementTypeId"]) for answer in answers)
        whole["data"] |= {"resultIds": ",".join(ids), "resultTypes": types}
        return whole

    async def _result(self, request: Request) -> JSONResponse:
        """The result of a statement, as soon as it is available, or of one statement of a script."""
        self._of(request)
        query_id = request.path_params["id"]
        if query_id in self.scripts:
            return JSONResponse(self.scripts[query_id])
        found = self.statements.of_query(query_id)
        if found is None:
            return JSONResponse(
                failure(SqlError(612, "02000", f"Result for query {query_id} does not exist."), query_id)
            )
        return JSONResponse(await found.wait(self.switches.poll) or self._running(found))

    async def _monitoring(self, request: Request) -> JSONResponse:
        """The state of a statement."""
        self._of(request)
        # The driver in Rust, of the connector's version 5, writes two slashes.
        found = self.statements.of_query(request.path_params["id"].lstrip("/"))
        return success({"queries": [found.monitored()] if found is not None else []})

    async def _abort(self, request: Request) -> JSONResponse:
        """Cancel a statement, by its request id or by its query id."""
        session = self._of(request).session
        if "id" in request.path_params:
            found = self.statements.of_query(request.path_params["id"])
        else:
            found = self.statements.of_request(session, str((await body(request)).get("requestId")))
        if found is None or not found.stop():
            return JSONResponse(failure(SqlError(605, "02000", "Identified SQL statement is not currently executing.")))
        return success()

    # --- files and chunks --------------------------------------------------------

    async def _chunk(self, request: Request) -> Response:
        """A chunk of a large result; the request must have the headers of the response."""
        found = self.results.chunks.get(request.path_params["name"])
        if found is None:
            return Response(status_code=404)
        if any(request.headers.get(name) != value for name, value in found.headers.items()):
            return Response(status_code=403)
        headers = {"Content-Encoding": "gzip"} if self.switches.chunks_name_gzip else {"Content-Encoding": "identity"}
        return Response(found.data, headers=headers, media_type="application/octet-stream")

    async def _upload(self, request: Request) -> Response:
        """The file of a PUT; with OVERWRITE = FALSE a file of this name is kept."""
        key, _, path = request.path_params["path"].partition("/")
        stages = self.account.engine.stages
        stage = stages.of_key(key)
        if stage is None:
            return Response(status_code=404)
        data = await request.body()
        if "keep" in request.query_params and any(f.path == path for f in stages.files(stage, path)):
            return Response()
        await run_in_threadpool(self.sealed.store, stage, path, data, request.headers)
        return Response()

    async def _download(self, request: Request) -> Response:
        """A file of a GET, as it was uploaded."""
        key, _, path = request.path_params["path"].partition("/")
        stage = self.account.engine.stages.of_key(key)
        if stage is None or not any(f.path == path for f in self.account.engine.stages.files(stage, path)):
            return Response(status_code=404)
        data, metadata = await run_in_threadpool(self.sealed.stored, stage, path)
        headers = {"Content-Encoding": "identity", **metadata.headers()}  # the content is not to be compressed
        return Response(data, headers=headers, media_type="application/octet-stream")


def _progress(query_id: str | None, code: str = "333334") -> dict:
    return {
        "data": {
            "getResultUrl": f"/queries/{query_id}/result",
            "queryId": query_id,
            "queryAbortsAfterSecs": 300,
            "progressDesc": None,
        },
        "code": code,
        "message": "Query execution in progress.",
        "success": True,
    }


async def _ok(_: Request) -> JSONResponse:
    return success()


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return JSONResponse(error.body())
