"""The numbers of `snowcat run`: Prometheus' own parser reads them, OTLP's own definitions fit them; and health."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from command import opened
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("jobs")) as account:
        yield account


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """The values by name and labels; each family has a type and a description."""
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type in ("counter", "gauge", "histogram") and family.documentation, family.name
        for sample in family.samples:
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


def test_numbers_and_health_of_a_load(account):
    faults, port, dataset = account.lab.server.faults, free_port(), account.dataset()
    faults.add("status", "query", match="^create schema", headers={"Retry-After": "0"})
    faults.add("code", "query", match="^begin", code=390112)
    login = faults.add("slow", "login", seconds=1.0)
    commit = faults.add("runs", "query", match="^commit", seconds=4.0)
    process = account.begin(dataset, 1, "--listen", f"127.0.0.1:{port}", "--stalled-after", "2")
    while not login.hit:
        time.sleep(0.01)
    assert get(port, "/healthz") == (200, "ok\n")
    assert get(port, "/readyz") == (503, "there is no session\n")
    while not commit.hit:
        time.sleep(0.01)
    assert get(port, "/readyz") == (200, "ok\n")
    status, text = get(port, "/metrics")
    assert status == 200
    found = samples(text)
    expected = {
        ("snowcat_pages_total",): 3,
        ("snowcat_source_requests_total", "200"): 3,
        ("snowcat_files_uploaded_total",): 4,
        ("snowcat_upload_seconds_count",): 4,
        ("snowcat_upload_seconds_bucket", "+Inf"): 4,
        ("snowcat_uploads_in_flight",): 0,
        ("snowcat_queue_bytes",): 0,
        ("snowcat_statements_total", "copy"): 4,
        ("snowcat_statement_seconds_count", "copy"): 4,
        ("snowcat_retries_total", "service"): 1,
        ("snowcat_renewals_total",): 1,
        ("snowcat_last_commit_timestamp",): 0,
    }
    assert expected.items() <= found.items(), {key: found.get(key) for key in expected}
    assert found[("snowcat_bytes_in_total",)] > 0 and found[("snowcat_upload_bytes_total",)] > 0
    assert get(port, "/other")[0] == 404 and get(port, "/metrics", "POST")[0] == 405
    # A client that sends nothing keeps nobody for long.
    with socket.create_connection(("127.0.0.1", port)):
        assert get(port, "/readyz")[0] in (200, 503)
    while (ready := get(port, "/readyz"))[0] == 200:
        time.sleep(0.05)
    assert ready[0] == 503 and "nothing has happened for 2 s" in ready[1]
    process.communicate(timeout=60)
    faults.clear()
    assert process.returncode == 0 and account.loads(dataset) == 1


def test_address_that_is_taken_is_an_error(account):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = account.begin(account.dataset(), 1, "--listen", address)
        _, err = process.communicate()
    assert process.returncode == 2 and f"--listen {address}" in err


class Collector(BaseHTTPRequestHandler):
    """A collector of OpenTelemetry that keeps what it is sent."""

    protocol_version = "HTTP/1.1"
    received: list = []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        Collector.received.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


@pytest.fixture
def collector():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Collector.received = []
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def parsed(body: dict, message: Message) -> Message:
    """The message of a body. OTLP writes ids in hexadecimal, protobuf's own JSON in base64."""

    def base64_ids(value: object) -> object:
        if isinstance(value, list):
            return [base64_ids(one) for one in value]
        if isinstance(value, dict):
            ids = ("traceId", "spanId", "parentSpanId")
            return {
                key: base64.b64encode(bytes.fromhex(one)).decode() if key in ids else base64_ids(one)
                for key, one in value.items()
            }
        return value

    return ParseDict(base64_ids(body), message)


def test_numbers_and_trace_are_pushed(account, collector, monkeypatch):
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    variables = account.variables() | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20t0ken, x-tenant=a",
        "TRACEPARENT": f"00-{trace}-{parent}-01",
    }
    monkeypatch.setattr(account, "variables", lambda: variables)
    done = account.run(account.dataset(), 1)
    assert done.returncode == 0 and "t0ken" not in done.stdout + done.stderr
    by_path = {path: body for path, _, body in Collector.received}
    assert set(by_path) == {"/v1/metrics", "/v1/traces"}
    for _, headers, _ in Collector.received:
        assert headers["authorization"] == "Bearer t0ken" and headers["x-tenant"] == "a"
    metrics = parsed(by_path["/v1/metrics"], ExportMetricsServiceRequest())
    (scope,) = metrics.resource_metrics[0].scope_metrics
    found = {metric.name: metric for metric in scope.metrics}
    assert found["snowcat_pages_total"].sum.data_points[0].as_int == 3
    assert found["snowcat_pages_total"].sum.is_monotonic
    kinds = {p.attributes[0].value.string_value: p.as_int for p in found["snowcat_statements_total"].sum.data_points}
    assert kinds["copy"] == 4 and kinds["commit"] == 1
    for point in found["snowcat_statement_seconds"].histogram.data_points:
        assert point.count == sum(point.bucket_counts) and len(point.bucket_counts) == len(point.explicit_bounds) + 1
    rows = {p.attributes[0].value.string_value: p.as_int for p in found["snowcat_rows_committed_total"].sum.data_points}
    assert rows["orders__items"] == 2 and rows["events"] == 3
    traces = parsed(by_path["/v1/traces"], ExportTraceServiceRequest())
    spans = list(traces.resource_spans[0].scope_spans[0].spans)
    assert {span.trace_id.hex() for span in spans} == {trace}
    (root,) = [span for span in spans if span.parent_span_id.hex() == parent]
    assert root.name == "load" and len({span.span_id for span in spans}) == len(spans)
    steps = [span for span in spans if span is not root]
    assert {span.parent_span_id for span in steps} == {root.span_id}
    assert {"statement copy", "statement commit", "request orders", "upload"} <= {span.name for span in steps}
    for span in steps:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano


def test_load_goes_on_without_its_collector(account, monkeypatch):
    variables = account.variables() | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    monkeypatch.setattr(account, "variables", lambda: variables)
    dataset = account.dataset()
    done = account.run(dataset, 1)
    assert done.returncode == 0 and account.loads(dataset) == 1
    assert "the numbers were not pushed" in done.stderr
