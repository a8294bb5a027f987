"""`snowcat doctor`: each broken set-up is named in one line, and no line has a secret."""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from command import connection_variables
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from emulator import Lab
from emulator.server.storage import Amazon

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SNOWCAT_PLAN", ROOT / "target/debug/snowcat")
KEYS = ROOT / "host/tests/integration/snowflake/keys"
PASSWORD, PHRASE, TOKEN, PROXY_PASSWORD, API_KEY = "p4ssw0rd-x", "hunter2", "t0ken-x", "pr0xy-pass-x", "ap1-key-x"
SECRETS = (PASSWORD, PHRASE, TOKEN, PROXY_PASSWORD, API_KEY, "MIIE")
UNSET = ""


class Answering(BaseHTTPRequestHandler):
    """Answers every request with the status of its server, and CONNECT too."""

    status = 200

    def do_GET(self):
        body = b'[{"id": 1}]' if self.headers.get("authorization") == f"Bearer {API_KEY}" else b"[]"
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_CONNECT = do_GET

    def log_message(self, *_):
        pass


def serving(status: int, context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Answering,), {"status": status}))
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def certificate(folder: pathlib.Path) -> ssl.SSLContext:
    """A certificate for localhost that no authority signed, also as `folder`/own.pem."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    signed = made.sign(key, hashes.SHA256())
    (folder / "own.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "own.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "own.key")
    return context


@dataclass
class Setup:
    """The account and the servers of all cases; `folder` is that of one case, and its home."""

    lab: Lab
    tls: ThreadingHTTPServer
    trusted: pathlib.Path
    by_status: dict[int, ThreadingHTTPServer]
    folder: pathlib.Path = field(default_factory=pathlib.Path)

    def port(self, status: int) -> int:
        return self.by_status[status].server_port

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def job(self, port: int | str, **more: Any) -> str:
        """The path of a job that reads a source with a token."""
        host = f"127.0.0.1:{port}" if isinstance(port, int) else port
        scheme = "http" if isinstance(port, int) else "https"
        made = {
            "pipeline": "p",
            "database": "RAW",
            "dataset": "d",
            "credentials": {"api": {"type": "bearer", "hosts": [host]}},
            "client": {"base_url": f"{scheme}://{host}/", "auth": "api"},
            "resources": [{"name": "a", "endpoint": {"path": "a", "paginator": "single_page"}}],
        }
        return self.write("job.json", json.dumps(made | more))

    def variables(self) -> dict[str, str]:
        """The environment of a set-up without a fault."""
        named = connection_variables(self.lab, "loader", PASSWORD)
        named |= {"SNOWFLAKE_ROLE": "LOADER", "SNOWFLAKE_WAREHOUSE": "W"}
        here = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "XDG_CACHE_HOME": str(self.trusted.parent)}
        return {**here, "SNOWCAT_API_TOKEN": API_KEY, **named}


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("tls")
    started = [serving(200, certificate(folder)), *(serving(status) for status in (200, 401, 403, 407))]
    with Lab() as lab:
        lab.script(
            "CREATE WAREHOUSE W; CREATE ROLE LOADER; CREATE ROLE READER; CREATE SCHEMA RAW.SHARED; "
            "GRANT USAGE ON WAREHOUSE W TO ROLE LOADER; GRANT USAGE, CREATE SCHEMA ON DATABASE RAW TO ROLE LOADER; "
            "GRANT USAGE ON WAREHOUSE W TO ROLE READER; GRANT USAGE ON DATABASE RAW TO ROLE READER; "
            "GRANT USAGE ON SCHEMA RAW.SHARED TO ROLE LOADER; GRANT CREATE TABLE ON SCHEMA RAW.SHARED TO ROLE LOADER"
        )
        yield Setup(lab, started[0], folder / "own.pem", dict(zip((200, 401, 403, 407), started[1:], strict=True)))
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def setup(servers, tmp_path) -> Iterator[Setup]:
    servers.folder = tmp_path
    user = {"name": "LOADER", "password": PASSWORD, "public_key": (KEYS / "public.pem").read_text()}
    servers.lab.server.users.register({**user, "oauth": [f"{TOKEN}-good"], "expired": [TOKEN]})
    servers.lab.server.switches.set({"strict_login": True})
    yield servers
    servers.lab.server.switches.reset()
    servers.lab.server.faults.clear()
    servers.lab.server.storage.stop()


def examined(setup: Setup, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in (setup.variables() | variables).items() if value}
    command = [PROGRAM, "doctor", *arguments]
    done = subprocess.run(
        command, cwd=setup.folder, capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    for secret in SECRETS:
        assert secret not in done.stdout + done.stderr, secret
    return done


def as_json(setup: Setup, *arguments: str, **variables: str) -> list[dict[str, str]]:
    """The checks, each with its name, result, what was seen, and remedy."""
    done = examined(setup, *arguments, "--json", **variables)
    report = json.loads(done.stdout)
    wrong = sum(check["result"] == "wrong" for check in report["checks"])
    assert (done.returncode, report["wrong"]) == (1 if wrong else 0, wrong), done.stderr
    return report["checks"]


def test_nothing_is_wrong(setup):
    job = setup.job(setup.port(200))
    checks = as_json(setup, job)
    names = [check["name"] for check in checks]
    outside = ["connection", "parameters", "proxy", "dns", "tcp", "tls", "clock", "login"]
    assert names[:8] == outside and names[-3:] == ["job", "secrets", "source a"]
    assert {"session.warehouse", "rights.schemas", "stage.upload", "copy.values", "load.merge"} <= set(names)
    results = {check["name"]: check["result"] for check in checks}
    assert set(results.values()) == {"ok", "not tried"}
    # The emulator does not know regions.
    untried = {name for name, result in results.items() if result == "not tried"}
    assert untried == {"tls", "session.region", "parameters.not_visible"}
    assert "200 to GET http://127.0.0.1" in checks[-1]["seen"] and "the credential api" in checks[-1]["seen"]
    schemas = setup.lab.sql("SELECT SCHEMA_NAME FROM RAW.INFORMATION_SCHEMA.SCHEMATA")
    assert not [name for (name,) in schemas if "DOCTOR" in name]
    # The same as text: a line for the checks of a subject that hold.
    done = examined(setup, job)
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert "ok         account copy: 8 checks" in lines and lines[-2] == "ok         secrets: api"


def key(setup: Setup, name: str, **more: str) -> dict[str, str]:
    """The variables of a login with a key."""
    path = setup.write("key.pem", (KEYS / name).read_text())
    return {"SNOWFLAKE_PASSWORD": UNSET, "SNOWFLAKE_PRIVATE_KEY_FILE": path, **more}


def unknown_key(setup: Setup) -> dict[str, str]:
    setup.lab.server.users.register({"name": "LOADER"})
    return key(setup, "pkcs8.pem")


def connections(setup: Setup, text: str, mode: int = 0o600) -> None:
    setup.write(".snowflake/connections.toml", text, mode)


def login_answers(setup: Setup, code: int) -> None:
    setup.lab.server.faults.add("code", "login", code=code, times=0)


def second_factor(setup: Setup) -> None:
    setup.lab.server.users.register({"name": "LOADER", "password": PASSWORD, "passcode": "123456"})


def no_storage(setup: Setup) -> None:
    """PUT answers with storage that nobody serves."""
    storage = setup.lab.server.storage
    storage.backend, storage.gate = Amazon("http://127.0.0.1:1", "stages"), f"http://127.0.0.1:{closed_port()}"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def oauth(setup: Setup, token: str) -> dict[str, str]:
    path = setup.write("token", token)
    return {
        "SNOWFLAKE_PASSWORD": UNSET,
        "SNOWFLAKE_AUTHENTICATOR": "oauth",
        "SNOWFLAKE_TOKEN_FILE_PATH": path,
    }


def https(host: str, port: int = 443) -> dict[str, str]:
    return {"SNOWFLAKE_HOST": host, "SNOWFLAKE_PROTOCOL": "https", "SNOWFLAKE_PORT": str(port)}


def proxied(setup: Setup, status: int) -> dict[str, str]:
    address = f"http://boss:{PROXY_PASSWORD}@127.0.0.1:{setup.port(status)}"
    return {**https("acme.snowflakecomputing.com"), "SNOWFLAKE_ACCOUNT": "acme", "HTTPS_PROXY": address}


RAW = ["--database", "RAW", "--dataset", "d"]
# The set-up; its arguments; the check that is wrong; words of what was found; words of what to do.
Case = tuple[str, Callable[[Setup], dict[str, str] | None], Any, str, str, str]
CASES: list[Case] = [
    (
        "wrong host",
        lambda _: https("nowhere.invalid"),
        [],
        "dns",
        "nowhere.invalid is not found",
        "check account and host",
    ),
    (
        "https:// in the host",
        lambda _: {"SNOWFLAKE_HOST": "https://a.example/"},
        [],
        "parameters",
        'such as "a.example"',
        "",
    ),
    (
        "URL as the account",
        lambda _: {"SNOWFLAKE_ACCOUNT": "https://a.snowflakecomputing.com"},
        [],
        "parameters",
        'such as "a"',
        "",
    ),
    ("underscore in the host", lambda _: https("a_b.invalid"), [], "parameters", "underscore", ""),
    (
        "host of another account",
        lambda _: {**proxied(_, 403), "SNOWFLAKE_ACCOUNT": "other"},
        [],
        "parameters",
        '"other.snowflakecomputing.com"',
        "",
    ),
    ("unknown key", unknown_key, [], "login", "394304", "RSA_PUBLIC_KEY"),
    (
        "skewed clock",
        lambda s: s.lab.server.switches.set({"clock_skew": 600.5}),
        [],
        "clock",
        "s behind the server",
        "NTP",
    ),
    (
        "wrong password",
        lambda _: {"SNOWFLAKE_PASSWORD": f"{PASSWORD}?"},
        [],
        "login",
        "390100",
        "check user and password",
    ),
    ("second factor", second_factor, [], "login", "390127", "username_password_mfa"),
    ("no warehouse", lambda _: {"SNOWFLAKE_WAREHOUSE": UNSET}, RAW, "session.warehouse", "none", "--warehouse"),
    (
        "no right to create a schema",
        lambda _: {"SNOWFLAKE_ROLE": "READER"},
        RAW,
        "rights.create_schema",
        "privileges",
        "CREATE SCHEMA ON DATABASE .. TO ROLE READER",
    ),
    (
        "no right to create a stage",
        lambda _: None,
        ["--database", "RAW", "--dataset", "shared"],
        "rights.schemas",
        "does not grant LOADER CREATE STAGE",
        "TO ROLE LOADER",
    ),
    ("storage of stages not reached", no_storage, RAW, "stage.upload", "127.0.0.1:", "storage of stages"),
    ("proxy needed", lambda _: https("127.0.0.2", closed_port()), [], "tcp", "127.0.0.2", "HTTPS_PROXY"),
    ("proxy wants a password", lambda s: proxied(s, 407), [], "tls", "407", "USER:PASSWORD"),
    ("proxy forbids the host", lambda s: proxied(s, 403), [], "tls", "403", "allow the host"),
    (
        "proxy is no URL",
        lambda s: {**proxied(s, 403), "HTTPS_PROXY": f"http://boss:{PROXY_PASSWORD}@:x"},
        [],
        "proxy",
        "HTTPS_PROXY: expected",
        "",
    ),
    (
        "certificate not trusted",
        lambda s: https("localhost", s.tls.server_port),
        [],
        "tls",
        "invalid peer certificate",
        "SSL_CERT_FILE",
    ),
    (
        "no file of certificates",
        lambda s: {**https("localhost", s.tls.server_port), "SSL_CERT_FILE": "no.pem"},
        [],
        "tls",
        "SSL_CERT_FILE: no.pem",
        "",
    ),
    (
        "file that others can read",
        lambda s: connections(s, f'[default]\npassword = "{PASSWORD}"', 0o644),
        [],
        "connection",
        "mode 0644",
        "",
    ),
    (
        "file that is no TOML",
        lambda s: connections(s, f'[default]\npassword = "{PASSWORD}'),
        [],
        "connection",
        "line 2",
        "",
    ),
    ("key file missing", lambda _: {"SNOWFLAKE_PRIVATE_KEY_FILE": "no.pem"}, [], "parameters", "no.pem", ""),
    ("passphrase missing", lambda s: key(s, "aes256.pem"), [], "parameters", "private_key_passphrase", ""),
    (
        "wrong passphrase",
        lambda s: key(s, "aes256.pem", SNOWFLAKE_PRIVATE_KEY_PASSPHRASE="no"),
        [],
        "parameters",
        "the passphrase is another one",
        "",
    ),
    ("unknown connection", lambda s: connections(s, "[prod]\n"), ["--connection", "prd"], "connection", '"prd"', ""),
    ("unknown role", lambda _: {"SNOWFLAKE_ROLE": "NOBODY"}, [], "login", "390189", "GRANT ROLE"),
    (
        "database missing",
        lambda _: None,
        ["--database", "NOWHERE"],
        "rights.create_schema",
        "NOWHERE",
        "check the database",
    ),
    (
        "warehouse is suspended",
        lambda s: s.lab.server.faults.add("code", "query", match="COPY INTO", code=606, times=0) and None,
        RAW,
        "copy.values",
        "error 606",
        "grant USAGE and OPERATE",
    ),
    ("network policy", lambda s: login_answers(s, 390422), [], "login", "390422", "network policy"),
    ("no policy for the token", lambda s: login_answers(s, 390432), [], "login", "390432", "network policy"),
    (
        "no such account",
        lambda s: s.lab.server.faults.add("status", "login", status=404, times=0) and None,
        [],
        "login",
        "404",
        "check account",
    ),
    ("token expired", lambda s: oauth(s, TOKEN), [], "login", "390318", "the token has expired"),
    ("token unknown", lambda s: oauth(s, f"{TOKEN}-bad"), [], "login", "390303", "another token"),
    (
        "secret of the job missing",
        lambda _: {"SNOWCAT_API_TOKEN": UNSET},
        lambda s: ["--quick", s.job(s.port(200))],
        "secrets",
        "SNOWCAT_API_TOKEN",
        "",
    ),
    (
        "source rejects the secret",
        lambda _: None,
        lambda s: ["--quick", s.job(s.port(401))],
        "source a",
        "401 to GET",
        "check the values of the secret",
    ),
    (
        "source host unknown",
        lambda _: None,
        lambda s: ["--quick", s.job("api.nowhere.invalid")],
        "source a",
        "dns: api.nowhere.invalid",
        "check the name",
    ),
    (
        "job not valid",
        lambda _: None,
        lambda s: ["--quick", s.job(s.port(200), nothing=1)],
        "job",
        "nothing",
        "snowcat check",
    ),
    ("job missing", lambda _: None, ["no.json"], "job", "no.json", ""),
]


@pytest.mark.parametrize("case", CASES, ids=[case[0].replace(" ", "-") for case in CASES])
def test_a_broken_set_up_is_named_in_one_line(setup, case):
    _, broken, given, name, seen, remedy = case
    variables = broken(setup) or {}
    arguments = given(setup) if callable(given) else given
    done = examined(setup, *arguments, **variables)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("wrong      ")]
    # Without its secret, the source is not asked either; a host that is not valid is not found either.
    also = {"secrets": ("source a",), "parameters": ("dns", "tls")}.get(name, ())
    (line,) = [line for line in wrong if not line.removeprefix("wrong      ").startswith(also or ("-",))]
    assert line.startswith(f"wrong      {name}: "), done.stdout
    found, _, advised = line.partition(" -> ")
    assert seen in found and remedy in advised, line
    assert (done.returncode, done.stderr.startswith("snowcat: ")) == (1, True)


def test_certificates_of_a_file_are_trusted(setup):
    variables = {**https("localhost", setup.tls.server_port), "SSL_CERT_FILE": str(setup.trusted)}
    by_name = {check["name"]: check for check in as_json(setup, **variables)}
    assert by_name["tls"]["result"] == "ok", by_name["tls"]
    # The server is not Snowflake's.
    assert by_name["login"]["result"] == "wrong"


def test_files_are_shown_with_their_modes(setup):
    connections(setup, '[default]\nrole = "LOADER"\n')
    checks = as_json(setup, **key(setup, "pkcs8.pem", SNOWFLAKE_ROLE=UNSET))
    assert "connections.toml, section [default] (0600): role" in checks[0]["seen"]
    assert "key.pem (0600)" in checks[0]["seen"]
    assert [check["result"] for check in checks if check["name"] == "login"] == ["ok"]
