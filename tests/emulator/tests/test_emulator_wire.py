"""The drivers' protocol: tokens, request ids, long statements, chunks, logins, faults, the control endpoint."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import threading
import time
import urllib.request

import jwt
import pytest
import snowflake.connector
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from emulating import T
from raw_client import Raw

from emulator.server.users import fingerprint


@pytest.fixture
def raw(lab):
    made = Raw(lab)
    assert made.login()["success"]
    return made


# --- tokens ----------------------------------------------------------------------------------


def test_session_token_expires_and_is_renewed_with_the_master_token_only(lab, raw):
    assert raw.tokens["token"] != raw.tokens["masterToken"] and raw.tokens["validityInSeconds"] == 3600
    old = raw.tokens["token"]
    assert raw.renew(token=old)["code"] == "390115"
    assert raw.send("/session/heartbeat", token=raw.tokens["masterToken"])["code"] == "390104"
    lab.server.tokens.expire("session")
    for path in ("/session/heartbeat", "/session?delete=true", "/queries/v1/query-request?requestId=1"):
        assert raw.send(path, {"sqlText": "SELECT 1"}, token=old)["code"] == "390112"
    assert raw.query("SELECT 1")["code"] == "390112"
    assert raw.renew()["success"] and raw.query("SELECT 1")["success"]
    assert raw.send("/session/heartbeat", token=old)["code"] == "390112"
    lab.server.tokens.expire("master")
    assert raw.query("SELECT 1")["code"] == "390112"
    assert raw.renew()["code"] == "390114"


def test_lives_are_switches_and_an_expired_master_token_rolls_back(lab, raw):
    lab.server.switches.set({"session_life": 0.2, "master_life": 0.6})
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    assert raw.login()["data"]["validityInSeconds"] == 0
    assert raw.query("BEGIN")["success"] and raw.query(f"INSERT INTO {T} SELECT 1")["success"]
    time.sleep(0.3)
    assert raw.query("SELECT 1")["code"] == "390112" and raw.renew()["success"]
    assert raw.query("SELECT 1")["success"]
    assert lab.server.tokens.renewals == [True]
    time.sleep(0.4)
    assert raw.send("/session/heartbeat", token=raw.tokens["token"])["code"] == "390112"
    time.sleep(0.3)
    assert raw.renew()["code"] == "390114"
    lab.server.switches.reset()
    assert raw.login()["success"] and raw.query(f"SELECT COUNT(*) FROM {T}")["data"]["rowset"] == [["0"]]


def test_ended_session_is_gone(lab, raw):
    assert raw.send("/emulator/expire", {"what": "sessions"})["ended"] >= 1
    assert raw.query("SELECT 1")["code"] == "390111" and raw.renew()["code"] == "390111"
    assert raw.login()["success"]
    assert raw.send("/session?delete=true", token=raw.tokens["token"])["success"]
    assert raw.query("SELECT 1")["code"] == "390111"


def test_request_without_the_sticky_header_finds_no_session(lab, raw):
    lab.server.switches.set({"sticky": True})
    request = urllib.request.Request(
        f"{raw.base}/session/v1/login-request", b'{"data":{"LOGIN_NAME":"x","PASSWORD":"x"}}'
    )
    with urllib.request.urlopen(request) as answer:
        sticky, token = answer.headers["x-snowflake-session"], json.load(answer)["data"]["token"]
    assert raw.send("/session/heartbeat", token=token)["code"] == "390111"
    assert raw.send("/session/heartbeat", token=token, headers={"x-snowflake-session": sticky})["success"]


# --- statements --------------------------------------------------------------------------------


def test_request_id_that_ran_or_runs_is_joined(lab, raw):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    first = raw.query(f"INSERT INTO {T} SELECT 1", "a")
    assert raw.query(f"INSERT INTO {T} SELECT 1", "a") == first
    assert first["data"]["stats"]["numRowsInserted"] == 1 and first["data"]["rowset"] == [["1"]]
    assert raw.query(f"INSERT INTO {T} SELECT 2", "a")["code"] == "099999"
    failed = raw.query("SELECT NO", "b")
    assert raw.query("SELECT NO", "b") == failed and failed["data"]["queryId"]
    answers: list[dict] = []
    both = [threading.Thread(target=lambda: answers.append(raw.query("SELECT SYSTEM$WAIT(1)", "c"))) for _ in "12"]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert answers[0] == answers[1] and answers[0]["success"]
    found = {r["request_id"]: r for r in raw.get("/emulator/statements")["requests"]}
    assert [(found[i]["received"], found[i]["joined"], found[i]["executed"]) for i in "abc"] == [(2, 1, 1)] * 3
    executed = {e["sql"]: e["times"] for e in raw.get("/emulator/statements")["executed"]}
    assert executed[f"INSERT INTO {T} SELECT 1"] == executed["SELECT SYSTEM$WAIT(1)"] == 1
    other = Raw(lab)
    other.login()  # ids are a session's own
    assert other.query(f"INSERT INTO {T} SELECT 1", "a")["data"]["queryId"] != first["data"]["queryId"]


def test_answer_that_is_not_kept_is_an_error_and_runs_nothing(lab, raw, monkeypatch):
    monkeypatch.setattr("emulator.server.statements.MOST_ANSWERS", 2)
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    query_id = raw.query(f"INSERT INTO {T} SELECT 1", "a")["data"]["queryId"]
    for _ in range(3):
        raw.query("SELECT 1")
    assert "not kept" in raw.query(f"INSERT INTO {T} SELECT 1", "a")["message"]
    assert "not kept" in raw.get(f"/queries/{query_id}/result")["message"]
    assert raw.get(f"/monitoring/queries/{query_id}")["data"]["queries"][0]["status"] == "SUCCESS"
    assert lab.sql(f"SELECT COUNT(*) FROM {T}")[0][0] == 1


def test_long_statement_is_polled(lab, raw):
    lab.server.switches.set({"answer_within": 0.1, "poll": 0.2, "in_progress": "333333"})
    answer = raw.query("SELECT SYSTEM$WAIT(1)")
    assert answer["success"] and answer["code"] == "333333"
    query_id, polls = answer["data"]["queryId"], 0
    assert raw.get(f"/monitoring/queries/{query_id}")["data"]["queries"][0]["status"] == "RUNNING"
    while answer["code"] == "333333":
        answer, polls = raw.get(answer["data"]["getResultUrl"]), polls + 1
    assert answer["data"]["rowset"] == [["waited 1 seconds"]] and answer["data"]["queryId"] == query_id and polls > 2
    assert raw.get(f"/monitoring/queries/{query_id}")["data"]["queries"][0]["status"] == "SUCCESS"
    lab.server.switches.set({"in_progress": "333334", "answer_within": 45})
    assert raw.query("SELECT SYSTEM$WAIT(1)", asyncExec=True)["code"] == "333334"
    assert raw.get("/queries/none/result")["code"] == "000612"
    assert raw.get("/monitoring/queries/none")["data"]["queries"] == []


def test_abort_ends_the_statement_and_not_the_transaction(lab, raw):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    holder = lab.connect(schema="J")
    other = '"RAW"."J"."O"'
    lab.sql(f'CREATE TABLE {other} ("ID" NUMBER(19,0))')
    holder.sql(f"INSERT INTO {other} SELECT 1").collect()
    holder.sql("BEGIN").collect()
    holder.sql(f'UPDATE {other} SET "ID" = 2').collect()
    assert raw.query("BEGIN")["success"] and raw.query(f"INSERT INTO {T} SELECT 7")["success"]
    heavy = f"SELECT COUNT(*) FROM (SELECT SEQ4() AS A FROM TABLE(GENERATOR(ROWCOUNT => 300000))) X, {T} CROSS JOIN (SELECT SEQ4() AS B FROM TABLE(GENERATOR(ROWCOUNT => 300000))) Y WHERE X.A * Y.B % 7 = 5"
    cases = ["SELECT SYSTEM$WAIT(60)", f'DELETE FROM {other} WHERE "ID" = 1', heavy]
    for number, case in enumerate(cases):
        answers: list[dict] = []
        thread = threading.Thread(target=lambda n=number, c=case, a=answers: a.append(raw.query(c, f"c{n}")))
        begun = time.monotonic()
        thread.start()
        asked = {"requestId": f"c{number}"}
        while raw.send("/queries/v1/abort-request", asked, token=raw.tokens["token"])["code"] == "000605":
            assert time.monotonic() - begun < 9, case
            time.sleep(0.01)
        thread.join(20)
        assert (answers[0]["code"], answers[0]["data"]["sqlState"]) == ("000604", "57014"), case
        assert time.monotonic() - begun < 9, case
        shown = raw.get(f"/monitoring/queries/{answers[0]['data']['queryId']}")["data"]["queries"][0]
        assert (shown["status"], shown["errorCode"]) == ("ABORTED", "000604")
    assert raw.query(f"SELECT COUNT(*) FROM {T}")["data"]["rowset"] == [["1"]]
    assert raw.query("COMMIT")["success"]
    holder.sql("ROLLBACK").collect()
    assert [tuple(r) for r in lab.sql(f"SELECT * FROM {T}")] == [(7,)]
    aborted = raw.send("/queries/v1/abort-request", {"requestId": "nothing"}, token=raw.tokens["token"])
    assert aborted["code"] == "000605"


def test_description_runs_nothing_that_changes(lab, raw):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    assert raw.query(f"INSERT INTO {T} SELECT 1", describeOnly=True)["success"]
    described = raw.query("SELECT 1 AS A", describeOnly=True)["data"]
    assert described["rowset"] == [] and described["rowtype"][0]["name"] == "A"
    assert lab.sql(f"SELECT COUNT(*) FROM {T}")[0][0] == 0


# --- chunks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", ["headers", "qrmk", "none"])
@pytest.mark.parametrize("named", [True, False])
def test_rows_beyond_the_size_come_as_chunks(lab, raw, keys, named):
    lab.server.switches.set(
        {"inline_bytes": 200, "chunk_bytes": 500, "chunk_keys": keys, "chunks_name_gzip": named, "gzip_answers": named}
    )
    sql = "SELECT SEQ4() AS A, 'gr\u00fc\u00df\"' AS B FROM TABLE(GENERATOR(ROWCOUNT => 100)) ORDER BY 1"
    data = raw.query(sql)["data"]
    headers = data.get("chunkHeaders", {})
    if keys == "qrmk":
        names = ("algorithm", "key")
        headers = dict(
            zip((f"x-amz-server-side-encryption-customer-{n}" for n in names), ("AES256", data["qrmk"]), strict=True)
        )
    rows = data["rowset"]
    assert 0 < len(rows) < 100 and len(data["chunks"]) > 1 and data["total"] == 100
    for chunk in data["chunks"]:
        if keys != "none":
            assert raw.get(chunk["url"].removeprefix(raw.base)) == {"status": 403}
        with urllib.request.urlopen(urllib.request.Request(chunk["url"], headers=headers)) as answer:
            assert (answer.headers["content-encoding"] == "gzip") == named
            packed = answer.read()
        plain = gzip.decompress(packed)
        assert len(packed) == chunk["compressedSize"] and len(plain) == chunk["uncompressedSize"]
        part = json.loads(b"[" + plain + b"]")
        assert len(part) == chunk["rowCount"]
        rows += part
    assert rows == [[str(i), 'gr\u00fc\u00df"'] for i in range(100)]
    # The connector reads the same, as Arrow and as JSON.
    for form in ("ARROW", "JSON"):
        with snowflake.connector.connect(
            **lab.parameters(given={}) | {"session_parameters": {"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": form}}
        ) as connection:
            got = connection.cursor().execute(sql).fetchall()
        assert got == [(i, 'gr\u00fc\u00df"') for i in range(100)]


# --- logins ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keys():
    return [rsa.generate_private_key(65537, 2048) for _ in "12"]


def pem(key) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def token(
    keys, *, of: int = 0, by: int = 0, begins: float = 0, ends: float = 60, algorithm: str = "RS256", **claims
) -> str:
    now = time.time()
    subject = claims.pop("sub", "ACME.JOE")
    made = {
        "sub": subject,
        "iss": f"{subject}.{fingerprint(keys[of].public_key())}",
        "iat": now + begins,
        "exp": now + ends,
        **claims,
    }
    return jwt.encode(made, keys[by] if algorithm == "RS256" else "a secret of thirty-two characters", algorithm)


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ({}, None),
        ({"of": 1, "by": 1}, "394304"),
        ({"by": 1}, "390144"),
        ({"ends": -1, "begins": -10}, "394301"),
        ({"begins": 600, "ends": 660}, "394302"),
        ({"ends": 7200}, "394303"),
        ({"algorithm": "HS256"}, "394305"),
        ({"sub": "ACME.OTHER"}, "394300"),
        ({"sub": "acme.joe"}, "394300"),
        ({"exp": "soon"}, "394306"),
    ],
)
def test_key_pair(lab, raw, keys, given, expect):
    lab.server.users.register({"name": "joe", "public_key": pem(keys[0])})
    made = token(keys, **given)
    data = {"LOGIN_NAME": "Joe", "PASSWORD": None, "ACCOUNT_NAME": "acme.eu-west", "AUTHENTICATOR": "SNOWFLAKE_JWT"}
    answer = raw.login(**data, TOKEN=made)
    assert answer["code"] == expect
    assert answer["success"] == (expect is None)
    lab.server.switches.set({"jwt_codes": "general"})
    assert raw.login(**data, TOKEN=made)["code"] == (None if expect is None else "390144")
    if expect is None:
        assert raw.query("SELECT CURRENT_USER()")["data"]["rowset"] == [["JOE"]]
        assert lab.server.users.logins[-1]["jwt_used_before"]
        lab.server.switches.set({"clock_skew": 600.0, "jwt_codes": "specific"})
        assert raw.login(**data, TOKEN=made)["code"] == "394301"
    assert raw.login(**data, TOKEN="no.token")["code"] in ("394306", "390144")


@pytest.mark.parametrize(
    ("data", "expect"),
    [
        ({"PASSWORD": "right"}, None),
        ({"PASSWORD": "wrong"}, "390100"),
        ({"PASSWORD": None}, "390100"),
        ({"LOGIN_NAME": "nobody", "PASSWORD": "right"}, "390100"),
        ({"LOGIN_NAME": None, "PASSWORD": "right"}, "390100"),
        ({"AUTHENTICATOR": "OAUTH", "TOKEN": "access"}, None),
        ({"AUTHENTICATOR": "oauth", "TOKEN": "old"}, "390318"),
        ({"AUTHENTICATOR": "OAUTH", "TOKEN": "wrong"}, "390303"),
        ({"AUTHENTICATOR": "OAUTH", "TOKEN": "container", "LOGIN_NAME": None}, None),
        ({"AUTHENTICATOR": "OAUTH", "TOKEN": "wrong", "LOGIN_NAME": None}, "390303"),
        ({"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": "pat"}, None),
        ({"AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN", "TOKEN": "wrong"}, "394400"),
    ],
)
def test_password_and_tokens(lab, raw, data, expect):
    user = {
        "name": "JOE",
        "password": "right",
        "oauth": ["access"],
        "expired": ["old"],
        "access_tokens": ["pat"],
        "service_tokens": ["container"],
    }
    assert raw.send("/emulator/users", user) == ["JOE"]
    lab.server.switches.set({"strict_login": True})
    assert raw.login(**{"LOGIN_NAME": "joe", "PASSWORD": None, **data})["code"] == expect


def test_passcode_and_unknown_role(lab, raw):
    lab.server.users.register({"name": "JOE", "password": "right", "passcode": "123"})
    both = {"LOGIN_NAME": "JOE", "PASSWORD": "right"}
    assert raw.login(**both)["code"] == "390127"
    assert raw.login(**both, PASSCODE="123")["success"]
    assert raw.login(LOGIN_NAME="JOE", PASSWORD="right123")["success"]
    answer = raw.send("/session/v1/login-request?roleName=nobody", {"data": {"LOGIN_NAME": "x", "PASSWORD": "x"}})
    assert answer["code"] == "390189"


def test_connector_logs_in_with_a_key(lab, keys):
    lab.server.users.register({"name": "TESTER", "public_key": [pem(keys[0]), pem(keys[1])]})
    der = keys[1].private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    given = {k: v for k, v in lab.parameters().items() if k != "password"}
    with snowflake.connector.connect(**given, private_key=base64.b64encode(der).decode()) as connection:
        assert connection.cursor().execute("SELECT CURRENT_USER()").fetchall() == [("TESTER",)]


# --- faults ------------------------------------------------------------------------------------

# A fault of the one INSERT, what a raw client sees, and whether the statement ran.
FAULTS = [
    ({"kind": "refuse", "seconds": 0.3}, "broken", False),
    ({"kind": "reset_before"}, "broken", False),
    ({"kind": "reset_after"}, "broken", True),
    ({"kind": "half_body"}, "broken", True),
    ({"kind": "status", "status": 429, "headers": {"Retry-After": "1"}}, 429, False),
    ({"kind": "status", "status": 503, "times": 2}, 503, False),
    ({"kind": "status", "status": 503, "after": True}, 503, True),
    ({"kind": "status", "status": 401}, 401, False),
    ({"kind": "code", "code": 390112}, "390112", False),
    ({"kind": "code", "code": 390111}, "390111", False),
    ({"kind": "code", "code": 390114, "after": True}, "390114", True),
    ({"kind": "redirect"}, 307, False),
    ({"kind": "slow", "seconds": 0.3}, None, True),
    ({"kind": "slow", "seconds": 0.3, "after": True}, None, True),
    ({"kind": "runs", "seconds": 0.3}, None, True),
]


@pytest.mark.parametrize(("fault", "expect", "ran"), FAULTS)
def test_faults(lab, raw, fault, expect, ran):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    assert raw.send("/emulator/faults", {"endpoint": "query", "match": "insert", **fault})[0]["hit"] == 0

    def once() -> object:
        try:
            answer = raw.query(f"INSERT INTO {T} SELECT 1", "a")
        except (OSError, http.client.HTTPException):  # the body ends too early
            return "broken"
        return answer.get("status", answer.get("code"))

    begun = time.monotonic()
    for _ in range(fault.get("times", 1)):
        assert once() == expect
    if fault["kind"] in ("slow", "runs"):
        assert time.monotonic() - begun >= 0.3
    if fault["kind"] == "refuse":
        while once() == "broken":
            assert time.monotonic() - begun < 5
            time.sleep(0.05)
        assert time.monotonic() - begun >= 0.3
    while lab.server.statements.all()[-1].answer is None:
        time.sleep(0.01)
    count = 1 if ran or fault["kind"] == "refuse" else 0
    assert lab.sql(f"SELECT COUNT(*) FROM {T}")[0][0] == count
    assert once() is None
    assert lab.sql(f"SELECT COUNT(*) FROM {T}")[0][0] == 1
    assert raw.send("/emulator/faults", method="DELETE") == []


@pytest.mark.parametrize("endpoint", ["login", "renew", "heartbeat", "close", "result", "abort", "monitoring", "chunk"])
def test_every_endpoint_has_faults(lab, raw, endpoint):
    lab.server.switches.set({"inline_bytes": 0})
    chunk = raw.query("SELECT 1")["data"]["chunks"][0]["url"].removeprefix(raw.base)
    paths = {
        "login": ("POST", "/session/v1/login-request"),
        "renew": ("POST", "/session/token-request"),
        "heartbeat": ("POST", "/session/heartbeat"),
        "close": ("POST", "/session?delete=true"),
        "result": ("GET", "/queries/x/result"),
        "abort": ("POST", "/queries/v1/abort-request"),
        "monitoring": ("GET", "/monitoring/queries/x"),
        "chunk": ("GET", chunk),
    }
    method, path = paths[endpoint]
    body = {"data": {"LOGIN_NAME": "x", "PASSWORD": "x"}} if method == "POST" else None
    lab.server.faults.add("status", endpoint, nth=2, status=507)

    def once() -> int:
        headers = {"authorization": f'Snowflake Token="{raw.tokens["token"]}"'}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(
                urllib.request.Request(raw.base + path, data, headers, method=method)
            ) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    first, second, third = once(), once(), once()
    assert (first, second, third) == ((403, 507, 403) if endpoint == "chunk" else (200, 507, 200))
    assert lab.server.gate.counts[endpoint] >= 3


def test_connector_survives_every_fault_that_it_retries(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    with snowflake.connector.connect(**lab.parameters(database="RAW")) as connection:
        cursor = connection.cursor()
        for kind, given in [
            ("reset_after", {}),
            ("status", {"status": 503}),
            ("redirect", {}),
            ("code", {"code": 390112}),
        ]:
            lab.server.faults.add(kind, "query", match="insert", **given)
            cursor.execute(f"INSERT INTO {T} SELECT 1")
            assert cursor.rowcount == 1
    assert [f.hit for f in lab.server.faults.table] == [1] * 4
    assert lab.sql(f"SELECT COUNT(*) FROM {T}")[0][0] == 4


# --- control -----------------------------------------------------------------------------------


def test_control_endpoint_shows_and_changes_the_server(lab, raw):
    assert raw.send("/emulator/switches", {"session_life": 2})["session_life"] == 2
    assert lab.server.switches.session_life == 2
    for path, wrong, text in [
        ("switches", {"no_switch": 1}, "no_switch"),
        ("switches", {"poll": "long"}, "expected float"),
        ("switches", {"chunk_keys": "x"}, "qrmk"),
        ("faults", {"kind": "flood"}, "reset_after"),
        ("faults", {"kind": "slow", "endpoint": "moon"}, "heartbeat"),
        ("faults", {"kind": "slow", "for": 3}, "seconds"),
        ("users", {"name": "J", "colour": "red"}, "access_tokens"),
        ("expire", {"what": "all"}, "'master'"),
        ("sql", {"sql": "SELECT NO"}, "000904"),
    ]:
        answer = raw.send(f"/emulator/{path}", wrong)
        assert answer["status"] == 400 and text in answer["error"], answer
    rows = raw.send("/emulator/sql", {"sql": "CREATE STAGE RAW.J.S; CREATE TABLE RAW.J.X (A INT); SELECT 1, NULL"})
    assert rows == [["1", None]]
    lab.put("@RAW.J.S", "d/a.bin", b"data")
    assert raw.get("/emulator/files?stage=@RAW.J.S/d") == [
        {"path": "d/a.bin", "md5": "8d777f385d3dfec8815d20f7496026dc"}
    ]
    raw.query("SELECT 2")
    state = raw.get("/emulator")
    assert state["counts"]["query"] >= 1 and state["counts"]["login"] >= 1 and state["sessions"] >= 1
    call = raw.get("/emulator/calls")[-1]
    assert (call["endpoint"], call["body"]["sqlText"], call["status"]) == ("query", "SELECT 2", 200)
    assert raw.send("/emulator/reset") == {} and lab.server.switches.session_life == 3600
    assert raw.get("/emulator/calls") == []
