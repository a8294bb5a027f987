"""The address of a stage's bucket: it checks and counts requests, passes them on, and applies faults."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .faults import EXPIRED, Fault, Faults
from .storage import REGION, Issued, Storage

SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/[^,]*, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)")
# Headers of the connection, not of the request.
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "expect", "content-length"}


class StorageGate(ThreadingHTTPServer):
    """A proxy in front of the backend of `storage`. `log` has method, path and status of every request."""

    daemon_threads = True

    def __init__(self, storage: Storage, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.storage, self.faults = storage, faults
        self.log: list[dict] = []
        storage.gate = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, name="emulator storage", daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that disconnects is not an error; a defect of this server is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StorageGate

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def _handle(self) -> None:
        body = self._body()
        entry = {"method": self.command, "path": self.path, "bytes": len(body), "status": None, "fault": None}
        entry["headers"] = {name.lower(): value for name, value in self.headers.items()}
        self.server.log.append(entry)
        fault = self.server.faults.of("storage", urllib.parse.unquote(self.path))
        if fault is not None:
            entry["fault"] = fault.kind
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            if fault.kind in ("refuse", "reset_before"):
                self._reset()
                return
            if not fault.after and (instead := self._instead(fault)) is not None:
                entry["status"] = self._answer(*instead)
                return
        refused = self._refusal(body)
        status, headers, answer = refused if refused is not None else self._passed_on(body)
        if fault is not None and fault.kind == "reset_after":
            self._reset()
            return
        if fault is not None and fault.after:
            status, headers, answer = self._instead(fault) or (status, headers, answer)
        entry["status"] = self._answer(status, headers, answer, half=fault is not None and fault.kind == "half_body")

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("transfer-encoding", ""):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _instead(self, fault: Fault) -> tuple[int, dict[str, str], bytes] | None:
        if fault.kind == "status":
            return fault.status, fault.headers, b""
        if fault.kind == "expired_credentials":
            backend = self.server.storage.backend
            status, text = EXPIRED[fault.to or (backend.kind if backend is not None else "PRESIGNED")]
            return status, {"content-type": "application/xml"}, text
        if fault.kind == "redirect":
            return 307, {"location": (fault.to or "") + self.path}, b""
        return None

    # --- credentials ---------------------------------------------------------------

    def _refusal(self, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """The refusal of the credentials in the form of the cloud; `None` if they are valid."""
        backend = self.server.storage.backend
        if backend is None:
            return _denied(404, "NoSuchBucket", "the emulator keeps no stage in a bucket")
        if backend.kind == "GCS" and "upload_id=" in self.path:
            return None  # the address of a session is its own credential
        issued, wrong = {"S3": self._amazon, "AZURE": self._azure, "GCS": self._google}[backend.kind](body)
        if issued is None:
            return _denied(
                401 if backend.kind == "GCS" else 403, "AccessDenied", wrong or "no credentials that were issued"
            )
        if time.time() >= issued.expires:  # the clouds compare times in seconds
            status, text = EXPIRED[backend.kind]
            return status, {"content-type": "application/xml"}, text
        if not self._key().startswith(issued.prefix):
            return _denied(403, "AccessDenied", f"the credentials are good for {issued.prefix}, not for {self._key()}")
        return (_denied(403, "SignatureDoesNotMatch", wrong)) if wrong else None

    def _key(self) -> str:
        path = urllib.parse.unquote(self.path.partition("?")[0]).lstrip("/")
        skipped = 2 if self.server.storage.backend is not None and self.server.storage.backend.kind == "AZURE" else 1
        return path.split("/", skipped)[-1]

    def _amazon(self, body: bytes) -> tuple[Issued | None, str]:
        given = SIGNED.fullmatch(self.headers.get("authorization", ""))
        if given is None:
            return None, "expected a signature of version 4 in the header Authorization"
        issued = self.server.storage.issued.get(given[1])
        if issued is None or self.headers.get("x-amz-security-token") != issued.token:
            return None, "the key or the session token was not issued"
        named = set(given[2].split(";"))
        needed = {"host", "x-amz-date", "x-amz-security-token"} | {
            name.lower() for name in self.headers if name.lower().startswith("x-amz-")
        }
        if not needed <= named:
            return issued, f"expected these headers to be signed too: {sorted(needed - named)}"
        digest = self.headers.get("x-amz-content-sha256", "")
        if digest != "UNSIGNED-PAYLOAD" and digest != hashlib.sha256(body).hexdigest():
            return issued, f"x-amz-content-sha256 is {digest!r}, which is not the digest of the content"
        request = AWSRequest(
            self.command,
            f"http://{self.headers['host']}{self.path}",
            {name: self.headers[name] for name in named},
            body,
        )
        request.context["timestamp"] = self.headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials(given[1], issued.secret, issued.token), "s3", REGION)
        expect = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return issued, "" if expect == given[3] else f"another signature than {expect}"

    def _azure(self, _: bytes) -> tuple[Issued | None, str]:
        query = urllib.parse.parse_qs(self.path.partition("?")[2])
        return self.server.storage.issued.get(query.get("sig", [""])[0]), ""

    def _google(self, _: bytes) -> tuple[Issued | None, str]:
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        return self.server.storage.issued.get(token), ""

    # --- answers ---------------------------------------------------------------------

    def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        backend = self.server.storage.backend
        assert backend is not None
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers["content-length"] = str(len(body))
        if backend.kind == "GCS" and "authorization" in {name.lower() for name in headers}:
            headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            headers["authorization"] = "Bearer owner"
        connection = http.client.HTTPConnection(backend.host, timeout=120)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            data = answer.read()
            kept = {n: v for n, v in answer.getheaders() if n.lower() not in (*HOP_BY_HOP, "date", "server")}
            if "location" in {n.lower() for n in kept}:  # a session of Google's continues at this address
                kept = {n: v.replace(backend.endpoint, self.server.storage.gate) for n, v in kept.items()}
            if self.command == "HEAD" and (length := answer.getheader("content-length")):
                kept["x-length"] = length
            return answer.status, kept, data
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, half: bool = False) -> int:
        self.send_response(status)
        length = headers.pop("x-length", None) or str(len(body))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.close_connection = True
        return status

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _denied(status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    text = f"<Error><Code>{code}</Code><Message>{json.dumps(message)[1:-1]}</Message></Error>"
    return status, {"content-type": "application/xml"}, text.encode()
