"""A login: the user, and the new session."""

from __future__ import annotations

from starlette.requests import Request

from ..account import Account
from ..errors import SqlError
from ..parameters import DEFAULTS
from ..roles import ADMIN
from ..session import Session
from ..text import identifier
from .protocol import where
from .users import Users

# Clients that get Arrow from the service; the others get JSON row sets.
ARROW_CLIENTS = ("Python", "Go")


def open_session(account: Account, users: Users, request: Request, data: dict) -> Session:
    """Open the session for a login's data. Raises `Refused` or `SqlError`."""
    parameters = data.get("SESSION_PARAMETERS") or {}
    frame = account.procedures.frames.get(str(parameters.get("EMULATOR_FRAME")))
    user = frame.caller.user if frame is not None else users.check(data)
    query = request.query_params
    role = frame.role if frame else identifier(query.get("roleName") or ADMIN)
    if role not in account.roles.names:
        raise SqlError(390189, "08001", f"Role '{role}' specified in the connect string does not exist.")
    plain = not str(data.get("CLIENT_APP_ID", "")).startswith(ARROW_CLIENTS)
    plain = plain or "JSON" in (
        parameters.get("PYTHON_CONNECTOR_QUERY_RESULT_FORMAT"),
        parameters.get("GO_QUERY_RESULT_FORMAT"),
    )
    session = account.connect(role, frame, json_results=plain, user=user)
    session.smk_as_text = bool((data.get("CLIENT_CAPABILITIES") or {}).get("SMK_ID_AS_STRING"))
    if frame is not None:  # a procedure has its caller's parameters, not those of its driver
        session.use(frame.database, frame.schema)
        session.warehouse = frame.warehouse
        return session
    name = {k: identifier(v) for k in ("databaseName", "schemaName", "warehouse") if (v := query.get(k))}
    session.use(name.get("databaseName"), name.get("schemaName", "PUBLIC"))
    session.warehouse = name.get("warehouse")
    for parameter, value in parameters.items():
        if parameter.upper() in DEFAULTS and value is not None:
            session.set_parameter(parameter.upper(), value)
    return session


def described(session: Session, tokens: dict) -> dict:
    """The data of the response to a login."""
    return tokens | {
        "serverVersion": "10.40.0",
        "parameters": [
            {"name": "AUTOCOMMIT", "value": session.autocommit},
            {"name": "TIMEZONE", "value": session.timezone},
            {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
            {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
            {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
        ],
        "sessionInfo": where(session),
    }
