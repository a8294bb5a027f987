"""The requests of the procedure's host, and its handling of responses.

The cases are `tests/data/network/cases.json`; the Rust host runs the same ones (`host/tests/integration/table.rs`).
Every secret contains 4711, and none may be in a failure, nor in a response unless a case states it (`quotes`). A text
may contain `{at}`, the server's host and port, and `{port}`. A header of null must not have been sent. `seconds` is the
time limit of a request. An answer with `drip` is written in these pieces, a tenth of a second apart, and then the last
one forever; `body_times` is a text repeated so many times, `gzip` members repeated so many times each.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import pathlib
import random
import string
import subprocess
import sys
import threading
import time
import types
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import snowcat_echo
import snowcat_procedure as host

CASES = json.loads((pathlib.Path(__file__).parents[1] / "data/network/cases.json").read_text("utf-8"))
LARGEST = 1000
# A password that every form of text must escape.
ODD = 'p+w/=4711"\\<é&x?o>~~'
# A token that servers truncate and wrap.
LONG = "token-4711-abcdefghijklmnop-4711"


class Source(BaseHTTPRequestHandler):
    """Returns the answers in order, and records the requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        heard = {k.lower(): v for k, v in self.headers.items()}
        self.server.heard.append({"method": self.command, "path": self.path, "headers": heard, "body": body})
        answer = self.server.answers.pop(0) if self.server.answers else {"status": 500}
        if "drip" in answer:
            self.close_connection = True
            self.drip(answer["drip"])
            return
        data = base64.b64decode(answer["body_base64"]) if "body_base64" in answer else answer.get("body", "").encode()
        if "body_times" in answer:
            data = answer["body_times"][0].encode() * answer["body_times"][1]
        for times, text in answer.get("gzip", ()):
            data += gzip.compress(text.encode(), mtime=0) * times
        self.send_response_only(answer.get("status", 200))
        for name, value in answer.get("headers", {}).items():
            self.send_header(name, value)
        if answer.get("status") != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def drip(self, pieces):
        try:
            for number in range(100):
                self.wfile.write(pieces[min(number, len(pieces) - 1)].encode())
                time.sleep(0.1)
        except OSError:
            pass  # the client has given up

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Source)
    made.heard, made.answers = [], []
    threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
    secrets = types.ModuleType("_snowflake")

    def text(alias):
        given = {"broken": "token-4711\n;", "short": "4711", "long": LONG}
        return given.get(alias, "refresh-4711" if alias.endswith("_refresh") else "token-4711")

    secrets.get_generic_secret_string = secrets.get_oauth_access_token = text
    passwords = {"odd": ODD, "named": "X", "long": LONG}
    secrets.get_username_password = lambda alias: types.SimpleNamespace(
        username="key-4711-abc" if alias == "named" else "user-4711", password=passwords.get(alias, "pass-4711")
    )
    monkeypatch.setitem(sys.modules, "_snowflake", secrets)
    yield made
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_shared_cases_pass(case, server):
    at = f"127.0.0.1:{server.server_port}"
    text = json.dumps(case).replace("{at}", at).replace("{AT}", at).replace("{port}", str(server.server_port))
    case = json.loads(text)
    server.answers = case["answers"]
    credential = case.get("credential")
    credentials = {} if credential is None else {"c": credential, "//": "a comment"}
    client = host.Http(credentials, largest_body=case.get("largest", LARGEST), total=case.get("seconds", 20))
    requests = [{"method": "GET", "headers": [], "auth": None, "body": None, **request} for request in case["requests"]]
    if case.get("at_once"):
        found = client.fetch(requests)
    else:
        found = [answer for request in requests for answer in client.fetch([request])]
    assert len(found) == len(case["expect"])
    for (kind, answer), expect in zip(found, case["expect"], strict=True):
        if "failure" in expect:
            assert kind == "err", answer
            assert expect["failure"] in answer["message"], answer
            assert (answer["code"], answer["transient"]) == (expect["code"], expect["transient"])
        else:
            assert kind == "ok", answer
            assert (answer["status"], answer["body"]) == (expect["status"], expect["body"])
            headers = dict(answer["headers"])
            assert {name: headers.get(name) for name in expect.get("headers", {})} == expect.get("headers", {})
        # The server's port may have the digits of the secrets.
        reported = json.dumps(answer).replace(at, "")
        assert "4711" not in reported or case.get("quotes"), answer
    if "heard" in case:
        assert [(h["method"], h["path"]) for h in server.heard] == [
            (expect.get("method", "GET"), expect["path"]) for expect in case["heard"]
        ]
        for heard, expect in zip(server.heard, case["heard"], strict=True):
            headers = expect.get("headers", {})
            assert {name: heard["headers"].get(name) for name in headers} == headers
            if "form" in expect:
                assert dict(urllib.parse.parse_qsl(heard["body"])) == expect["form"]
            if "body" in expect:
                assert heard["body"] == expect["body"]


def test_secrets_are_found_in_every_form_and_nowhere_else():
    chance = random.Random(7)
    alphabets = (string.ascii_letters + string.digits, string.punctuation, string.printable[:95] + "é日😀", "aA=+/-_.")
    escapes = (
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        lambda text: urllib.parse.quote(text, safe=""),
        lambda text: html.escape(text).replace("&#x27;", "&#39;"),
        str,
    )
    codes = (
        str,
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: text.encode().hex().upper(),
        lambda text: base64.urlsafe_b64encode(b"user:" + text.encode() + b"!").decode().rstrip("="),
    )
    for _ in range(400):
        secret = "".join(chance.choices(chance.choice(alphabets), k=chance.randrange(8, 40)))
        other = "".join(chance.choices(chance.choice(alphabets), k=len(secret)))
        one, two, code = chance.choice(escapes), chance.choice(escapes), chance.choice(codes)
        assert snowcat_echo.holds(f"<{two(one(code(secret)))}>", [secret], 8), (secret, code(secret))
        assert secret == other or not snowcat_echo.holds(f"<{two(one(code(other)))}>", [secret], 8), (secret, other)
        assert not snowcat_echo.holds(f"<{secret}>", [secret], len(secret) + 1)


def test_search_for_secrets_is_fast():
    page = json.dumps([{"id": n, "text": 'Hello é "q" <b>&amp; &#39; 100% ' * 20} for n in range(2000)])
    started = time.process_time()
    assert not snowcat_echo.holds(page, ["ATATT3xFfGF0-4711-abcdef", "me@example.com:ATATT3xFfGF0-4711-abcdef"])
    assert time.process_time() - started < 0.5


# Bodies of 12 MB, and some of 2 MB, that consist of escapes, or of one value of a parameter.
LARGE = """
import resource, snowcat_echo as echo
largest = 12 << 20
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
before, secrets = peak(), ["token-4711-abcdef", "user:token-4711-abcdef"]
for begin, again in [("", "%41"), ("%", "25"), ("&", "amp;"), ("key=", "a"), ("", "&#65;a"), ("", "ab" + chr(92) + "n" + chr(92) + "x41" * 4),
                     (chr(92), chr(92)), ("%41" * 4, "a" + chr(10)), ("key=", chr(92) + "/"), ("", "key=a&")]:
    size = largest if again in ("%41", "25", "amp;", "a") else 2 << 20
    text = begin + again * (size // len(again))
    assert not echo.holds(text, secrets, echo.LEAST_IN_DATA), again
    assert not begin.startswith("key") or echo.hide_parameter(text, "key", secrets[0]) == text, again
    del text
print((peak() - before) / largest)
"""


def test_search_for_secrets_takes_little_memory_and_linear_time():
    ran = subprocess.run(
        [sys.executable, "-c", LARGE],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(pathlib.Path(snowcat_echo.__file__).parent)},
    )
    assert ran.returncode == 0, ran.stderr
    # The text itself is in memory once, or twice while it is made.
    assert float(ran.stdout) < 3


@pytest.mark.parametrize(
    "escaped", [lambda text: "".join(f"%{b:02x}" for b in text.encode()), html.escape, json.dumps, str]
)
def test_secret_is_found_across_windows(escaped):
    written = escaped(LONG + '&é"')
    for at in range(-len(written) - 1, 2):
        text = "&amp;%41" + " " * (snowcat_echo.WINDOW + at - 8) + written + " " * snowcat_echo.WINDOW
        assert snowcat_echo.holds(text, [LONG + '&é"']), at


def test_response_that_exceeds_the_memory_fails_the_request(server, monkeypatch):
    def scarce(*_):
        raise MemoryError

    monkeypatch.setattr("snowcat_http.holds", scarce)
    server.answers = [{"body": "{}"}]
    url = f"http://127.0.0.1:{server.server_port}/a"
    ((kind, answer),) = host.Http({}).fetch([{"method": "GET", "url": url, "headers": [], "auth": None, "body": None}])
    assert (kind, answer["transient"]) == ("err", False)
    assert answer["message"] == f"GET {url}: the answer takes more memory than there is"


def test_unreadable_secret_fails_the_request(server, monkeypatch):
    def broken(_):
        raise ValueError("4711")

    monkeypatch.setattr(sys.modules["_snowflake"], "get_generic_secret_string", broken)
    client = host.Http({"c": {"type": "bearer", "hosts": ["x.example"], "secret": "s"}})
    ((kind, answer),) = client.fetch(
        [{"method": "GET", "url": "https://x.example/", "headers": [], "auth": "c", "body": None}]
    )
    assert kind == "err" and not answer["transient"]
    assert answer["message"] == "GET https://x.example/: the credential c: the secret 's' cannot be read: ValueError"
