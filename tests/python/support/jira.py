"""A small Jira for tests: the issues that a test adds, pages of two, basic authentication."""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

USER, TOKEN = "you@example.com", "your-api-token"  # as install.sql has them


class Jira:
    """`with Jira() as jira: jira.put(1, "2024-01-01T00:00:00.000+0000", summary="x")`."""

    def __init__(self) -> None:
        self.issues: dict[int, dict] = {}
        self.asked: list[tuple[str, dict]] = []
        self.after_request = lambda number: None
        jira = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, answer = jira.answer(self.path, self.headers.get("authorization"))
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Jira:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def put(self, number: int, updated: str, **fields: object) -> None:
        """Add an issue, or change it."""
        given = {"updated": updated, "project": {"id": "1", "key": "K"}, **fields}
        self.issues[number] = {"id": str(10000 + number), "key": f"K-{number}", "fields": given}

    def answer(self, target: str, authorization: str | None) -> tuple[int, dict]:
        """The response of Jira."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        self.asked.append((parts.path, query))
        self.after_request(len(self.asked))
        if authorization != "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode():
            return 401, {"message": "who are you?"}
        if parts.path.endswith("/search/jql"):
            since = re.search(r'updated >= "([^"]+)"', query["jql"])[1].replace(" ", "T")
            found = sorted(self.issues.values(), key=lambda i: (i["fields"]["updated"], i["id"]))
            found = [i for i in found if i["fields"]["updated"][:16] >= since]
            at = int(query.get("nextPageToken", 0))
            more = {"nextPageToken": str(at + 2)} if at + 2 < len(found) else {"isLast": True}
            return 200, {"issues": found[at : at + 2], **more}
        if parts.path.endswith("/project/search"):
            projects = [{"id": "1", "key": "K", "lead": {"name": "é"}}]
            at = int(query.get("startAt", 0))
            return 200, {"total": len(projects), "values": projects[at:]}
        return 404, {}
