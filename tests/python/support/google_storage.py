"""A fake of Google Cloud Storage's XML API: objects, metadata, checksums, resumable uploads. One bucket is like another."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import sys
import threading
import urllib.parse
import xml.sax.saxutils
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google_crc32c

MULTIPLE = 256 * 1024
PAGE = 500


@dataclass
class Object:
    """What is stored under a key."""

    data: bytes
    headers: dict[str, str]
    generation: int

    def tag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}-{self.generation}"'


@dataclass
class Upload:
    """A resumable session."""

    key: str
    headers: dict[str, str]
    data: bytearray = field(default_factory=bytearray)
    done: bool = False


class GoogleStorage(ThreadingHTTPServer):
    """The fake on a free port. `tokens` are the bearer tokens that it takes."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        self.tokens = {"owner"}
        self.objects: dict[str, Object] = {}
        self.uploads: dict[str, Upload] = {}
        self.generation = 0
        self.guard = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self) -> GoogleStorage:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that disconnects is not an error; a defect of this server is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GoogleStorage

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._handle()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def _handle(self) -> None:
        path, _, query = self.path.partition("?")
        self.key = urllib.parse.unquote(path).lstrip("/")
        self.query = urllib.parse.parse_qs(query, keep_blank_values=True)
        self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.guard:
            status, headers, body = self._answer()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "content-length" not in headers:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer(self) -> tuple[int, dict[str, str], bytes]:
        if "upload_id" in self.query:  # the address of a session is its credentials
            return self._session(self.query["upload_id"][0])
        if self.headers.get("authorization", "").removeprefix("Bearer ") not in self.server.tokens:
            return _error(401, "AuthenticationRequired", "Authentication required.")
        if "/" not in self.key:
            return self._list() if self.command == "GET" else (200, {}, b"")
        if self.command == "POST" and self.headers.get("x-goog-resumable") == "start":
            return self._start()
        found = self.server.objects.get(self.key)
        if self.command == "PUT":
            return self._store(self.key, self.body, self._kept(), self.headers.get("x-goog-hash", ""))
        if found is None:
            return _error(404, "NoSuchKey", f"The specified key does not exist: {self.key}")
        if self.command == "DELETE":
            del self.server.objects[self.key]
            return 204, {}, b""
        length = {"content-length": str(len(found.data))} if self.command == "HEAD" else {}
        return 200, {**found.headers, "etag": found.tag(), **length}, found.data

    def _kept(self) -> dict[str, str]:
        """The headers that are stored with an object."""
        names = ("content-type", "content-encoding", "content-disposition", "cache-control")
        return {
            name.lower(): value
            for name, value in self.headers.items()
            if value and (name.lower() in names or name.lower().startswith("x-goog-meta-"))
        }

    def _store(self, key: str, data: bytes, headers: dict[str, str], hashes: str) -> tuple[int, dict[str, str], bytes]:
        crc = base64.b64encode(google_crc32c.Checksum(data).digest()).decode()
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        for given in filter(None, hashes.replace(" ", "").split(",")):
            name, _, value = given.partition("=")
            if value != {"crc32c": crc, "md5": md5}.get(name):
                return _error(400, "BadDigest", f"The {name} that was given, {value}, is not that of the content.")
        self.server.generation += 1
        self.server.objects[key] = made = Object(data, headers, self.server.generation)
        return 200, {"etag": made.tag(), "x-goog-hash": f"crc32c={crc},md5={md5}"}, b""

    def _start(self) -> tuple[int, dict[str, str], bytes]:
        if self.body:
            return _error(400, "InvalidArgument", "A request that starts a session has no content.")
        name = secrets.token_urlsafe(16)
        headers = self._kept() | {"x-goog-hash": self.headers.get("x-goog-hash", "")}
        self.server.uploads[name] = Upload(self.key, headers)
        place = f"{self.server.endpoint}/{urllib.parse.quote(self.key)}?upload_id={name}"
        return 201, {"location": place}, b""

    def _session(self, name: str) -> tuple[int, dict[str, str], bytes]:
        upload = self.server.uploads.get(name)
        if upload is None:
            return _error(404, "NoSuchUpload", "no such session")
        if self.command == "DELETE":
            del self.server.uploads[name]
            return 499, {}, b""
        if self.command != "PUT":
            return _error(405, "MethodNotAllowed", self.command)
        return self._continue(upload, self.headers.get("content-range"))

    def _continue(self, upload: Upload, content_range: str | None) -> tuple[int, dict[str, str], bytes]:
        if content_range is None:
            content_range = f"bytes 0-{len(self.body) - 1}/{len(self.body)}" if self.body else "bytes */0"
        found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", content_range)
        if found is None:
            return _error(400, "InvalidArgument", f"Content-Range {content_range!r}")
        total = None if found[3] == "*" else int(found[3])
        if found[1] is not None and not upload.done:
            begin, end = int(found[1]), int(found[2])
            if end - begin + 1 != len(self.body):
                return _error(400, "InvalidArgument", "Content-Range does not fit the content")
            last = total is not None and end + 1 == total
            if begin > len(upload.data) or (not last and len(self.body) % MULTIPLE):
                return _error(400, "InvalidArgument", f"{content_range}: {len(upload.data)} bytes are there")
            upload.data[begin:] = self.body
        if upload.done or total == len(upload.data):
            if not upload.done:
                headers = {k: v for k, v in upload.headers.items() if k != "x-goog-hash"}
                hashes = self.headers.get("x-goog-hash") or upload.headers["x-goog-hash"]
                answer = self._store(upload.key, bytes(upload.data), headers, hashes)
                upload.done = answer[0] == 200
                return answer
            return 200, {}, b""
        there = {"range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}
        return 308, there, b""

    def _list(self) -> tuple[int, dict[str, str], bytes]:
        prefix = self.query.get("prefix", [""])[0]
        after = self.query.get("continuation-token", [""])[0]
        whole = f"{self.key}/{prefix}"
        keys = sorted(k.partition("/")[2] for k in self.server.objects if k.startswith(whole))
        keys = [k for k in keys if k > after]
        contents = "".join(
            f"<Contents><Key>{xml.sax.saxutils.escape(k)}</Key>"
            f"<ETag>{xml.sax.saxutils.escape(self.server.objects[f'{self.key}/{k}'].tag())}</ETag></Contents>"
            for k in keys[:PAGE]
        )
        last = xml.sax.saxutils.escape(keys[PAGE - 1]) if len(keys) > PAGE else None
        more = "" if last is None else f"<NextContinuationToken>{last}</NextContinuationToken>"
        text = f"<ListBucketResult>{contents}{more}</ListBucketResult>"
        return 200, {"content-type": "application/xml"}, text.encode()


def _error(status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    text = f"<Error><Code>{code}</Code><Message>{xml.sax.saxutils.escape(message)}</Message></Error>"
    return status, {"content-type": "application/xml"}, text.encode()
