"""Connections of the procedure's host, and that no report has a secret.

Requests and responses are tested in `test_network.py`.
"""

from __future__ import annotations

import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import snowcat_http
import snowcat_procedure as host
from snowcat_wire import Origin

SECRET = "s3cr3t/+token"


class Source(BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict, str]] = []
    connections: set[int] = set()

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        Source.seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        Source.connections.add(self.client_address[1])
        if self.path == "/close":
            self.close_connection = True  # without telling: the next request on it finds it closed
        data = "é".encode()
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def source(monkeypatch):
    """A server, and a `_snowflake` with two secrets."""
    Source.seen.clear()
    Source.connections.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secrets = types.ModuleType("_snowflake")
    secrets.get_generic_secret_string = {"token": SECRET, "bad": f"{SECRET}\n"}.__getitem__
    secrets.get_username_password = {"pair": types.SimpleNamespace(username="u", password=SECRET)}.__getitem__
    monkeypatch.setitem(sys.modules, "_snowflake", secrets)
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(url: str, credentials: dict | None = None, **more):
    request = {"method": "GET", "url": url, "headers": [], "auth": None, "body": None} | more
    ((case, answer),) = host.Http(credentials or {}).fetch([request])
    return case, answer


def test_connections_are_kept_and_a_closed_one_is_replaced(source):
    client = host.Http({})
    request = {"method": "GET", "headers": [], "auth": None, "body": None}

    def get(path):
        return client.fetch([{**request, "url": f"http://{source}{path}"}])[0][0]

    assert [get("/a"), get("/b"), get("/close"), get("/c")] == ["ok"] * 4
    assert len(Source.connections) == 2
    several = client.fetch([{**request, "url": f"http://{source}/{i}"} for i in range(20)])
    assert [case for case, _ in several] == ["ok"] * 20 and len(Source.connections) <= 2 + snowcat_http.PARALLEL


def test_missing_connection_is_transient():
    case, answer = ask("http://127.0.0.1:9/")
    assert (case, answer["transient"], answer["code"]) == ("err", True, "")


def test_default_port_is_optional():
    for hosts, place, expect in (
        (["x.example"], ("https", "x.example", 443), True),
        (["x.example:443"], ("https", "x.example", 443), True),
        (["x.example:80"], ("https", "x.example", 443), False),
        (["[::1]:8080"], ("http", "::1", 8080), True),
        (["X.Example"], ("https", "x.example", 443), True),
        ([], ("https", "x.example", 443), False),
    ):
        assert Origin(*place).is_among(hosts) is expect, (hosts, place)


def test_reports_have_no_secrets(source):
    client = host.Http({"c": {"type": "http_basic", "secret": "pair", "hosts": [source]}})
    client.fetch([{"method": "GET", "url": f"http://{source}/", "headers": [], "auth": "c", "body": None}])
    for text, expect in (
        (f"x {SECRET}", "x ***"),
        ("x Basic dTpzM2NyM3QvK3Rva2Vu", snowcat_http.NOT_SHOWN),
        ("x s3cr3t", "x s3cr3t"),
        ('{"h": "s3cr3t\\/\\u002btoken"}', snowcat_http.NOT_SHOWN),
    ):
        assert client.scrub(text) == expect


def test_unexpected_failure_is_reported_without_secrets(source, built_package, monkeypatch):
    monkeypatch.setattr(host, "imports", lambda: str(built_package))
    credentials = {"c": {"type": "bearer", "secret": "token", "hosts": [source]}}

    def broken(_component, _text, _now, warehouse, **_):
        warehouse.fetch([{"method": "GET", "url": f"http://{source}/", "headers": [], "auth": "c", "body": None}])
        raise KeyError(SECRET)

    monkeypatch.setattr(host, "run", broken)
    with pytest.raises(host.LoadError) as caught:
        host.load(None, {"pipeline": "p", "credentials": credentials})
    reported = json.loads(str(caught.value))
    assert (
        reported["kind"] == "internal"
        and reported["message"].startswith("KeyError: '***'")
        and reported["pipeline_name"] == "p"
    )
    assert any(place.startswith("snowcat_procedure.py:") for place in reported["context"])
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
