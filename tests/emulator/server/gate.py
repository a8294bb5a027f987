"""The entry of all requests to the server: it logs them, and applies faults."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .faults import EXPIRED, Fault, Faults
from .protocol import Refused
from .switches import Switches

ENDPOINTS = [
    ("/session/v1/login-request", "login"),
    ("/session/token-request", "renew"),
    ("/session/heartbeat", "heartbeat"),
    ("/session", "close"),
    ("/queries/v1/query-request", "query"),
    ("/queries/v1/abort-request", "abort"),
    ("/queries/[^/]+/abort-request", "abort"),
    ("/queries/[^/]+/result", "result"),
    ("/monitoring/queries/.*", "monitoring"),
    ("/results/.*", "chunk"),
    ("/stage/.*", "upload"),
    ("/telemetry/.*", "telemetry"),
]
# The least size of a response that is compressed.
SMALLEST_COMPRESSED = 512


@dataclass
class Reply:
    """The response of the application."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Gate:
    """The application, with the log of requests and the faults. `connection` returns the transport of a client."""

    def __init__(
        self,
        app: ASGIApp,
        switches: Switches,
        faults: Faults,
        connection: Callable[[Any], asyncio.Transport | None],
        refuse: Callable[[float], None],
    ) -> None:
        self.app, self.switches, self.faults = app, switches, faults
        self.counts: Counter[str] = Counter()
        self.calls: deque[dict] = deque(maxlen=10_000)
        self._connection, self._refuse = connection, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"].startswith("/emulator"):
            await self.app(scope, receive, send)
            return
        raw = await _read(receive)
        endpoint = next((name for pattern, name in ENDPOINTS if re.fullmatch(pattern, scope["path"])), "other")
        call = _call(scope, endpoint, raw)
        self.counts[endpoint] += 1
        self.calls.append(call)
        text = call["body"].get("sqlText", "") if isinstance(call["body"], dict) else ""
        fault = self.faults.of(endpoint, text or scope["path"])
        if fault is not None:
            call["fault"] = fault.kind
        reply = await self._before(fault, scope)
        if reply is None and fault is not None and fault.kind in ("refuse", "reset_before"):
            await self._reset(scope)
            return
        if reply is None:
            reply = await self._run(scope, raw)
            call["status"] = reply.status
            reply = await self._after(fault, scope, reply)
            if fault is not None and fault.kind == "reset_after":
                await self._reset(scope)
                return
        call["status"] = reply.status
        half = fault is not None and fault.kind == "half_body"
        await self._send(scope, send, reply, half=half)

    async def _before(self, fault: Fault | None, scope: Scope) -> Reply | None:
        if fault is None or fault.after:
            return None
        if fault.kind == "refuse":
            self._refuse(fault.seconds)
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault.kind == "runs":
            scope["emulator.runs"] = fault.seconds
        return _instead(fault, scope)

    async def _after(self, fault: Fault | None, scope: Scope, reply: Reply) -> Reply:
        if fault is None or not fault.after:
            return reply
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        return _instead(fault, scope) or reply

    async def _run(self, scope: Scope, raw: bytes) -> Reply:
        """The whole response of the application."""
        found = Reply(500, [], b"")
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if asked:
                await asyncio.Event().wait()  # a client that disconnects does not stop what it began
            asked = True
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                found.status, found.headers = message["status"], list(message["headers"])
            elif message["type"] == "http.response.body":
                found.body += message.get("body", b"")

        await self.app(scope, receive, send)
        return found

    async def _send(self, scope: Scope, send: Send, reply: Reply, *, half: bool) -> None:
        names = {name.lower() for name, _ in reply.headers}
        headers = [(n, v) for n, v in reply.headers if n.lower() != b"content-length"]
        headers.append((b"date", formatdate(time.time() + self.switches.clock_skew, usegmt=True).encode()))
        body = reply.body
        accepted = b"".join(v for n, v in scope["headers"] if n == b"accept-encoding")
        packs = self.switches.gzip_answers and b"gzip" in accepted and b"content-encoding" not in names
        if packs and len(body) >= SMALLEST_COMPRESSED:
            body = gzip.compress(body, 1)
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if half:
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            transport = self._connection(scope["client"])
            if transport is not None:
                transport.close()
            return
        await send({"type": "http.response.body", "body": body})

    async def _reset(self, scope: Scope) -> None:
        transport = self._connection(scope["client"])
        if transport is not None:
            found = transport.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            await asyncio.sleep(0)  # uvicorn detects the lost connection, and sends nothing


def _instead(fault: Fault, scope: Scope) -> Reply | None:
    """The response of a fault in place of the application's."""
    headers = [(name.lower().encode(), value.encode()) for name, value in fault.headers.items()]
    if fault.kind == "status":
        return Reply(fault.status, headers, b"")
    if fault.kind == "code":
        body = json.dumps(Refused(fault.code).body()).encode()
        return Reply(200, [(b"content-type", b"application/json"), *headers], body)
    if fault.kind == "redirect":
        query = scope["query_string"].decode()
        place = (fault.to or "") + scope["path"] + (f"?{query}" if query else "")
        status = fault.status if fault.status in (307, 308) else 307
        return Reply(status, [(b"location", place.encode()), *headers], b"")
    if fault.kind == "expired_credentials":
        status, body = EXPIRED[fault.to or "PRESIGNED"]
        return Reply(status, [(b"content-type", b"application/xml"), *headers], body)
    return None


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _call(scope: Scope, endpoint: str, raw: bytes) -> dict:
    """A request in the form of the control endpoint; a body that is not JSON is shown by its length."""
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    shown: Any = {"bytes": len(raw)} if raw else None
    if raw and "json" in headers.get("content-type", "json") and endpoint != "upload":
        plain = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw
        try:
            shown = json.loads(plain)
        except ValueError:
            shown = {"bytes": len(raw)}
    return {
        "endpoint": endpoint,
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "headers": headers,
        "body": shown,
        "at": time.time(),
        "fault": None,
        "status": None,
    }
