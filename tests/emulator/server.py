"""The wire: enough of Snowflake's driver protocol for Snowpark, the Python connector and a small client.

Errors of SQL are answers with `success: false`; HTTP errors are only for what
is not a session's business. A client of the Python connector gets Arrow, any
other gets JSON row sets, as from the service.
"""

from __future__ import annotations

import gzip
import json
import secrets
import socket
import threading
import time
import traceback
import uuid
from base64 import b64encode
from typing import Any
from urllib.parse import quote

import uvicorn
from fakesnow.arrow import to_ipc
from fakesnow.converter import from_binding
from fakesnow.statement_type import DML_TYPE_IDS
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import wire
from .account import Account
from .answer import Answer
from .errors import SqlError
from .parameters import DEFAULTS
from .roles import ADMIN
from .session import Session
from .text import identifier, split_script

MULTI = 0xA000


class Server:
    """The account on a port."""

    def __init__(self, account: Account, port: int = 0) -> None:
        self.account = account
        self.tokens: dict[str, Session] = {}
        self.requests: dict[str, dict] = {}
        self.results: dict[str, dict] = {}
        if not port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
        self.port = port
        account.server_address = ("127.0.0.1", port)
        routes = [
            Route("/session/v1/login-request", self.login, methods=["POST"]),
            Route("/session/token-request", self.renew, methods=["POST"]),
            Route("/session", self.session, methods=["POST"]),
            Route("/session/heartbeat", self.session, methods=["POST"]),
            Route("/queries/v1/query-request", self.query, methods=["POST"]),
            Route("/queries/v1/abort-request", self.ok, methods=["POST"]),
            Route("/queries/{id}/result", self.result, methods=["GET"]),
            Route("/telemetry/send", self.ok, methods=["POST"]),
            Route("/stage/{path:path}", self.upload, methods=["PUT"]),
        ]
        app = Starlette(routes=routes)
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", timeout_graceful_shutdown=1)
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.uvicorn.run, name="emulator", daemon=True)

    def start(self) -> None:
        """Serve, in a thread."""
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.uvicorn.started:
            if not self.thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the emulator did not start on port {self.port}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop serving; open connections are cut."""
        self.uvicorn.should_exit = True
        self.uvicorn.force_exit = True
        self.thread.join(10)

    # --- sessions --------------------------------------------------------------

    async def login(self, request: Request) -> JSONResponse:
        """A new session."""
        data = (await _body(request)).get("data", {})
        parameters = data.get("SESSION_PARAMETERS") or {}
        query = request.query_params
        frame = self.account.procedures.frames.get(str(parameters.get("EMULATOR_FRAME")))
        role = frame.role if frame else identifier(query.get("roleName") or ADMIN)
        if role not in self.account.roles.names:
            return _failed(SqlError(390189, "08001", f"Role '{role}' specified in the connect string does not exist."))
        plain = not str(data.get("CLIENT_APP_ID", "")).startswith("Python")
        plain = plain or parameters.get("PYTHON_CONNECTOR_QUERY_RESULT_FORMAT") == "JSON"
        session = self.account.connect(role, frame, json_results=plain)
        if frame is not None:
            session.use(frame.database, frame.schema)
            session.warehouse = frame.warehouse
        else:
            name = {k: identifier(v) for k in ("databaseName", "schemaName", "warehouse") if (v := query.get(k))}
            session.use(name.get("databaseName"), name.get("schemaName", "PUBLIC"))
            session.warehouse = name.get("warehouse")
        if frame is None:  # a procedure has its caller's parameters, not those of its driver
            for name, value in parameters.items():
                if name.upper() in DEFAULTS and value is not None:
                    session.set_parameter(name.upper(), value)
        token = secrets.token_urlsafe(24)
        self.tokens[token] = session
        return JSONResponse(
            {
                "data": {
                    "token": token,
                    "masterToken": token,
                    "validityInSeconds": 3600,
                    "masterValidityInSeconds": 14400,
                    "serverVersion": "10.40.0",
                    "sessionId": int(session.id[:12], 16),
                    "parameters": [
                        {"name": "AUTOCOMMIT", "value": session.autocommit},
                        {"name": "TIMEZONE", "value": session.timezone},
                        {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                        {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                        {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                    ],
                    "sessionInfo": _where(session),
                },
                "code": None,
                "message": None,
                "success": True,
            }
        )

    async def renew(self, request: Request) -> JSONResponse:
        """A new token: the same one."""
        token = _token(request)
        return JSONResponse(
            {
                "data": {"sessionToken": token, "masterToken": token, "validityInSecondsST": 3600},
                "success": True,
            }
        )

    async def session(self, request: Request) -> JSONResponse:
        """Heartbeat, and log-out."""
        found = self.tokens.get(_token(request))
        if found is None:
            return _gone()
        if request.query_params.get("delete"):
            self.tokens.pop(_token(request), None)
            await run_in_threadpool(self.account.drop, found)
        return JSONResponse({"data": None, "code": None, "message": None, "success": True})

    async def ok(self, _: Request) -> JSONResponse:
        """Whatever was asked is done."""
        return JSONResponse({"data": None, "success": True})

    # --- queries ---------------------------------------------------------------

    async def query(self, request: Request) -> JSONResponse:
        """One statement."""
        session = self.tokens.get(_token(request))
        if session is None or session.id not in self.account.sessions:
            return _gone()
        body = await _body(request)
        # A client that lost the answer asks again with the same id: it must not run twice.
        key = request.query_params.get("requestId")
        if key and key in self.requests and request.query_params.get("retryCount", "0") != "0":
            return JSONResponse(self.requests[key])
        answer = await run_in_threadpool(self._run, session, body, str(request.base_url))
        if key:
            self.requests[key] = answer
        return JSONResponse(answer)

    def _run(self, session: Session, body: dict, base: str) -> dict:
        try:
            bindings = body.get("bindings") or {}
            if any(isinstance(b["value"], list) for b in bindings.values()):
                raise SqlError(99999, "0A000", "emulator: array bindings are not emulated")
            params = [from_binding(bindings[str(i)]) for i in range(1, len(bindings) + 1)] or None
            count = (body.get("parameters") or {}).get("MULTI_STATEMENT_COUNT", 1)
            statements = split_script(body["sqlText"]) if count != 1 else [body["sqlText"]]
            if len(statements) == 1:
                return self._answer(session, session.execute(statements[0], params), base)
            return self._several(session, statements, count, base)
        except SqlError as error:
            return _failure(error)
        except Exception as error:  # noqa: BLE001 - the client gets it as an error instead of waiting
            trace = traceback.format_exc(limit=-4)
            return _failure(SqlError(99999, "XX000", f"emulator: {type(error).__name__}: {error}\n{trace}"))

    def _answer(self, session: Session, answer: Answer, base: str) -> dict:
        if answer.put is not None:
            put = answer.put
            put["stageInfo"] = {
                "locationType": "GCS",
                "location": f"{put['stage']}/",
                "creds": {},
                "path": f"{put['stage']}/",
                "presignedUrl": f"{base}stage/{quote(put['path'])}{'' if put['overwrite'] else '?keep'}",
                "isClientSideEncrypted": False,
            }
            return {"data": put, "code": None, "message": None, "success": True}
        table = answer.table
        data: dict[str, Any] = {
            "parameters": [{"name": "TIMEZONE", "value": session.timezone}],
            "rowtype": answer.rowtype,
            "total": table.num_rows,
            "returned": table.num_rows,
            "queryId": str(uuid.uuid4()),
            "statementTypeId": answer.type_id,
            "numberOfBinds": 0,
            "finalDatabaseName": session.database,
            "finalSchemaName": session.schema,
            "finalRoleName": session.role,
            "finalWarehouseName": session.warehouse,
            "version": 1,
        }
        if session.json_results or answer.type_id in DML_TYPE_IDS:
            columns = [
                [wire.text(v, c["type"]) for v in column.to_pylist()]
                for column, c in zip(table.columns, answer.rowtype, strict=True)
            ]
            data |= {"queryResultFormat": "json", "rowset": [list(row) for row in zip(*columns, strict=True)]}
        else:
            encoded = b64encode(to_ipc(wire.arrow(table, answer.rowtype))).decode()
            data |= {"queryResultFormat": "arrow", "rowsetBase64": encoded if table.num_rows else ""}
        return {"data": data, "code": None, "message": None, "success": True}

    def _several(self, session: Session, statements: list[str], count: int, base: str) -> dict:
        """A script in one request: the client asks for the result of each statement afterwards."""
        if count and count != len(statements):
            raise SqlError(
                8,
                "0A000",
                f"Actual statement count {len(statements)} did not match the desired statement count {count}.",
            )
        answers = [self._answer(session, session.execute(statement), base) for statement in statements]
        ids = [answer["data"]["queryId"] for answer in answers]
        self.results.update(zip(ids, answers, strict=True))
        whole = self._answer(session, Answer.status("Multiple statements executed successfully.", MULTI), base)
        types = ",".join(str(answer["data"]["statementTypeId"]) for answer in answers)
        whole["data"] |= {"resultIds": ",".join(ids), "resultTypes": types}
        return whole

    async def result(self, request: Request) -> JSONResponse:
        """The result of one statement of a script."""
        found = self.results.get(request.path_params["id"])
        return JSONResponse(found) if found is not None else _gone()

    async def upload(self, request: Request) -> Response:
        """The file of a PUT; with OVERWRITE = FALSE a file of this name is kept."""
        key, _, path = request.path_params["path"].partition("/")
        stage = next((s for s in self.account.engine.stages.by_name.values() if s.key == key), None)
        if stage is None:
            return Response(status_code=404)
        data = await request.body()
        if "keep" in request.query_params and any(
            f.path == path for f in self.account.engine.stages.files(stage, path)
        ):
            return Response()
        await run_in_threadpool(self.account.engine.stages.write, stage, path, data)
        return Response()


async def _body(request: Request) -> dict:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body) if body else {}


def _token(request: Request) -> str:
    header = request.headers.get("Authorization", "")
    return header.removeprefix('Snowflake Token="').removesuffix('"')


def _where(session: Session) -> dict:
    return {
        "databaseName": session.database,
        "schemaName": session.schema,
        "warehouseName": session.warehouse,
        "roleName": session.role,
    }


def _failure(error: SqlError) -> dict:
    code = f"{error.errno:06d}"
    data = {"errorCode": code, "sqlState": error.sqlstate, "queryId": str(uuid.uuid4()), "internalError": False}
    return {"data": data, "code": code, "message": error.message, "success": False}


def _failed(error: SqlError) -> JSONResponse:
    return JSONResponse(_failure(error))


def _gone() -> JSONResponse:
    return JSONResponse(
        {
            "data": None,
            "code": "390111",
            "success": False,
            "message": "Session no longer exists.  New login required to access the service.",
        }
    )
