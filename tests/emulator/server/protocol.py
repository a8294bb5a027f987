"""The requests and responses of the drivers' protocol."""

from __future__ import annotations

import gzip
import json
import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse

from ..errors import SqlError
from ..session import Session

# Errors of a session and of a login: these responses have no `data`.
MESSAGES = {
    390100: "Incorrect username or password was specified.",
    390104: "Invalid session token.",
    390111: "Session no longer exists.  New login required to access the service.",
    390112: "Your session has expired. Please login again.",
    390113: "Authentication token has expired.  The user must authenticate again.",
    390114: "Authentication token has expired.  The user must authenticate again.",
    390115: "Master token is invalid.",
    390144: "JWT token is invalid.",
    390303: "Invalid OAuth access token.",
    390318: "OAuth access token expired.",
    394400: "Programmatic access token is invalid.",
}


class Refused(Exception):
    """The session or the login is refused; the answer is HTTP 200 with `success: false`."""

    def __init__(self, code: int, message: str | None = None) -> None:
        self.code = code
        self.message = message or MESSAGES.get(code, "Login failed.")
        super().__init__(f"{code}: {self.message}")

    def body(self) -> dict:
        """The response."""
        return {"data": None, "code": str(self.code), "message": self.message, "success": False, "headers": None}


async def body(request: Request) -> dict:
    """The request's JSON, which may be compressed."""
    raw = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        raw = gzip.decompress(raw)
    return json.loads(raw) if raw else {}


def token(request: Request) -> str:
    """The token of the Authorization header."""
    header = request.headers.get("Authorization", "")
    return header.removeprefix('Snowflake Token="').removesuffix('"')


def where(session: Session) -> dict:
    """The database, schema, warehouse and role of a session."""
    return {
        "databaseName": session.database,
        "schemaName": session.schema,
        "warehouseName": session.warehouse,
        "roleName": session.role,
    }


def success(data: object = None) -> JSONResponse:
    """A response without an error."""
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def failure(error: SqlError, query_id: str | None = None) -> dict:
    """The response to a statement that failed."""
    code = f"{error.errno:06d}"
    data = {
        "errorCode": code,
        "sqlState": error.sqlstate,
        "queryId": query_id or str(uuid.uuid4()),
        "internalError": False,
    }
    return {"data": data, "code": code, "message": error.message, "success": False}
