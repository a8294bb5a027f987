"""A client that says what a test wants to be said: the drivers' protocol without a driver."""

from __future__ import annotations

import contextlib
import gzip
import json
import urllib.error
import urllib.request
import uuid
from typing import Any

from emulator import Lab


class Raw:
    """One client of a lab."""

    def __init__(self, lab: Lab) -> None:
        self.base = f"http://127.0.0.1:{lab.server.port}"
        self.tokens: dict[str, Any] = {}

    def send(
        self,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        method: str = "POST",
        headers: dict | None = None,
    ) -> Any:
        """The JSON of an answer; the status, for an answer that is not 200."""
        made = {"content-type": "application/json", **(headers or {})}
        if token:
            made["authorization"] = f'Snowflake Token="{token}"'
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, made, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                raw = answer.read()
                packed = answer.headers.get("content-encoding") == "gzip"
                return json.loads(gzip.decompress(raw) if packed else raw)
        except urllib.error.HTTPError as error:
            with error, contextlib.suppress(ValueError):
                return {"status": error.code, **json.load(error)}
            return {"status": error.code}

    def login(self, **data: Any) -> dict:
        """Log in as a client that gets JSON row sets."""
        given = {"LOGIN_NAME": "x", "PASSWORD": "x", "ACCOUNT_NAME": "acme", "CLIENT_APP_ID": "Raw", **data}
        kept = {key: value for key, value in given.items() if value is not None}
        answer = self.send("/session/v1/login-request?databaseName=RAW&schemaName=J", {"data": kept})
        self.tokens = answer["data"] or {}
        return answer

    def query(self, sql: str, request_id: str | None = None, **more: Any) -> dict:
        """One statement."""
        path = f"/queries/v1/query-request?requestId={request_id or uuid.uuid4()}"
        return self.send(path, {"sqlText": sql, **more}, token=self.tokens["token"])

    def get(self, path: str, headers: dict | None = None) -> Any:
        """A GET with the session's token."""
        return self.send(path, token=self.tokens["token"], method="GET", headers=headers)

    def renew(self, token: str | None = None) -> dict:
        """Renew the session's token, with the master token or with another."""
        body = {"oldSessionToken": self.tokens["token"], "requestType": "RENEW"}
        answer = self.send("/session/token-request", body, token=token or self.tokens["masterToken"])
        if answer["success"]:
            self.tokens = {"token": answer["data"]["sessionToken"], "masterToken": answer["data"]["masterToken"]}
        return answer
