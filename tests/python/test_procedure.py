"""The loop of the procedure's host: how it performs each step, what it reports, and its limits.

Its session is tested in `test_session.py`, its HTTP requests in `test_connections.py` and `test_network.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import types

import pytest
import snowcat_limits
import snowcat_procedure as host
from scripted import Scripted, Warehouse, fetch, record, sql, upload
from snowcat_fault import Failed
from wasmtime.component import Variant

# --- the loop --------------------------------------------------------------------


def transcript(component, warehouse) -> list[str]:
    lines: list[str] = []
    with contextlib.suppress(host.LoadError):
        host.run(component, "{}", "now", warehouse, lines.append)
    return lines


PULL = Variant("pull", record(resource="r", files=["@s/a.csv"], content="text", skip=False))
PULLED = '{"step":{"pull":{"content":"text","files":["@s/a.csv"],"resource":"r","skip":false}}}'


@pytest.mark.parametrize(
    ("step", "answers", "lines"),
    [
        (
            sql("SELECT 'é'", "X"),
            {"sql": [(None, [["a", None]]), (3, [])]},
            [
                '{"step":{"sql":{"order":"serial","statements":["SELECT \'é\'","X"]}}}',
                '{"reply":{"outcomes":[{"affected":null,"rows":[["a",null]]},{"affected":3,"rows":[]}]}}',
            ],
        ),
        (
            sql("X"),
            {"sql": Failed(2003, 'no "T"\n', False)},
            [
                '{"step":{"sql":{"order":"serial","statements":["X"]}}}',
                '{"reply":{"failed":{"code":"2003","message":"no \\"T\\"\\n","transient":false}}}',
            ],
        ),
        (
            fetch("https://x/", headers=[("a", "b")], auth="jira"),
            {"fetch": [("ok", {"status": 200, "headers": [["link", "<x>"]], "body": "{}"})]},
            [
                '{"step":{"fetch":[{"auth":"jira","body":null,"headers":[["a","b"]],"method":"GET","url":"https://x/"}]}}',
                '{"reply":{"responses":[{"ok":{"body":"{}","headers":[["link","<x>"]],"status":200}}]}}',
            ],
        ),
        (
            fetch("https://x/"),
            {"fetch": [("err", {"code": "", "message": "m", "transient": True})]},
            [
                '{"step":{"fetch":[{"auth":null,"body":null,"headers":[],"method":"GET","url":"https://x/"}]}}',
                '{"reply":{"responses":[{"err":{"code":"","message":"m","transient":true}}]}}',
            ],
        ),
        (PULL, {"pull": "[1]"}, [PULLED, '{"reply":{"page":"[1]"}}']),
        (PULL, {}, [PULLED, '{"reply":"end"}']),
        (
            Variant("upload", record(stage='"A"', path="p", size=3)),
            {},
            [
                '{"step":{"upload":{"path":"p","sha256":"'
                + hashlib.sha256(b"\0\1\2").hexdigest()
                + '","size":3,"stage":"\\"A\\""}}}',
                '{"reply":"done"}',
            ],
        ),
        (
            Variant("wait", record(seconds=0.5, reason="429")),
            {},
            ['{"step":{"wait":{"reason":"429","seconds":0.5}}}', '{"reply":"done"}'],
        ),
        (
            record(kind="data", message="no", context=["a", "b"]),
            {},
            ['{"fault":{"context":["a","b"],"kind":"data","message":"no"}}'],
        ),
    ],
)
def test_steps_and_replies_are_in_the_transcript(step, answers, lines):
    written = transcript(Scripted(step, payload="AAEC"), Warehouse(**answers))
    assert written[0] == '{"reply":"start"}'
    assert written[1 : 1 + len(lines)] == lines


def test_report_is_in_the_transcript_and_returned():
    lines: list[str] = []
    report, measured = host.run(Scripted(sql("X")), "{}", "now", Warehouse(sql=[(None, [])]), lines.append)
    assert json.loads(lines[-1]) == {"step": {"finished": report}}
    assert report["files"][0] == {"path": "1.5/0.issues/0.parquet", "table": "issues", "rows": 2, "bytes": 77}
    assert measured.first_statement is not None


@pytest.mark.parametrize("broken", [RuntimeError("host"), host.LoadError("host", "no")])
def test_errors_of_the_host_are_raised(broken):
    component = Scripted(sql("BEGIN"), sql("X"))
    with pytest.raises(type(broken)):
        host.run(component, "{}", "now", Warehouse(sql=broken))
    assert len(component.heard) == 1


def test_faults_are_reported_with_their_path():
    with pytest.raises(host.LoadError) as caught:
        host.run(
            Scripted(record(kind="data", message="é", context=["issues"])), '{"pipeline": "p"}', "now", Warehouse()
        )
    reported = json.loads(str(caught.value))
    assert reported == {"status": "error", "kind": "data", "message": "é", "context": ["issues"]}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (upload("@~", "x"), "puts a file at 'x' on '@~'"),
        (upload('"A"', "../x"), "puts a file at '../x'"),
        (upload('"A"', "x/./y"), "puts a file"),
        (upload('"A"', "x//y"), "puts a file"),
        (upload('"A"', "x'y"), "puts a file"),
        (upload('"A"', ""), "puts a file"),
        (upload("SNOWCAT.CODE.FILES", "x"), "puts a file"),
        (upload('"A"."B"."C"."D"', "x"), "puts a file"),
        (upload('"A" x', "x"), "puts a file"),
        (upload('"A"', "x", size=4), "announced with 4 bytes, found 3"),
        (Variant("wait", record(seconds=1e9, reason="")), "asks to wait"),
        (Variant("wait", record(seconds=-1.0, reason="")), "asks to wait"),
        (Variant("wait", record(seconds=float("nan"), reason="")), "asks to wait"),
    ],
)
def test_steps_that_violate_the_interface_are_rejected(step, words):
    def never(*_):
        raise AssertionError(step)

    with pytest.raises(host.LoadError) as caught:
        host.run(Scripted(step, payload="AAEC"), "{}", "now", Warehouse(upload=never, wait=never))
    assert caught.value.details["kind"] == "protocol" and words in caught.value.details["message"]


@pytest.mark.parametrize(
    "step", [upload('"A""."."b"."C"', "1.5/0.x-y_z/0..parquet"), Variant("wait", record(seconds=900.0, reason=""))]
)
def test_steps_within_the_interface_are_performed(step):
    component = Scripted(step, payload="AAEC")
    host.run(component, "{}", "now", Warehouse())
    assert component.heard[-1].tag == "done"


@pytest.mark.parametrize(
    "place", ["snow://package/x", "file:///etc/passwd", "@~/x", "@SNOWCAT.CODE.FILES/x.py", "/etc/passwd", ""]
)
def test_only_stages_are_read(place):
    def never(*_, **__):
        raise AssertionError(place)

    session = types.SimpleNamespace(file=types.SimpleNamespace(get_stream=never))
    snowflake = host.Snowflake(session, types.SimpleNamespace(fetch=None))
    with pytest.raises(Failed, match="reads files on stages only"):
        snowflake.pull(
            {
                "resource": "r",
                "files": ['@"A"."B"."C"/x', place][-1:],
                "content": "text",
                "skip": False,
                "encoding": None,
            }
        )


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: host.load(None, "no JSON"), "config", "the job is not JSON: Expecting value"),
        (lambda: host.load(None, DEEP), "config", "the job is not JSON: it is nested too deeply"),
        (lambda: host.load(None, "[1]"), "config", "a job is an object, not a list"),
        (lambda: host.load_ready_made(None, DEEP, None, None, False), "config", "nested too deeply"),
        (lambda: host.load_ready_made(None, "[1]", None, None, False), "config", "settings is an object, not a list"),
        (lambda: host.load_jira(None, None, DEEP, False), "config", "nested too deeply"),
        (lambda: host.load(None, '{"credentials": [1]}'), "config", ""),
        (lambda: host.load(None, '{"credentials": {"c": 7}}'), "config", ""),
        (
            lambda: host.reported(lambda _, a: a["x"])(None, {}),
            "internal",
            "KeyError: 'x' (a defect in Snowcat: please report it)",
        ),
        (lambda: host.reported(lambda _: DEEP.index("x" * 5))(None), "internal", "ValueError"),
        (
            lambda: host.reported(lambda _: (_ for _ in ()).throw(ValueError("x" * 9000)))(None),
            "internal",
            "xx.. (a defect",
        ),
    ],
)
def test_every_failure_is_reported_as_json(call, kind, words, built_package, tmp_path, monkeypatch):
    for file in built_package.iterdir():
        if file.suffix != ".json" or file.name in ("policy.json", "jira_all.json"):
            (tmp_path / file.name).symlink_to(file)
    monkeypatch.setattr(host, "secret", lambda *_: "site")
    monkeypatch.setattr(host, "imports", lambda: str(tmp_path))
    with pytest.raises(host.LoadError) as caught:
        call()
    reported = json.loads(str(caught.value))
    assert reported["kind"] == kind and words in reported["message"] and len(str(caught.value)) < 3000


# --- limits -------------------------------------------------------------------------


ENDLESS = """
import sys
sys.path.insert(0, sys.argv[1])
from snowcat_limits import Exceeded, Limits
from wasmtime import Engine, Instance, Module, Store
store = Store(Engine())
f = Instance(store, Module(store.engine, '(module (func (export "f") (loop (br 0))))'), []).exports(store)["f"]
try:
    Limits(store, seconds=0.3).call(f, store)
except Exceeded as error:
    print(error)
"""


def test_endless_step_ends_with_the_process():
    procedures = host.__file__.rsplit("/", 1)[0]
    done = subprocess.run([sys.executable, "-c", ENDLESS, procedures], capture_output=True, text=True, timeout=60)
    assert done.stdout == "a step of the load took longer than the 0.3 s that it may take\n", done.stderr
    assert done.returncode == 0


def test_load_beyond_its_memory_limit_is_reported(built_package, monkeypatch):
    job = {
        "pipeline": "p",
        "database": "RAW",
        "dataset": "d",
        "resources": [{"name": "r", "source": "pull", "format": "jsonl"}],
    }
    page = "".join(json.dumps({"id": n, "text": "x" * 99}) + "\n" for n in range(200_000))

    def reported(memory):
        monkeypatch.setattr(snowcat_limits, "MEMORY", memory)
        guest = host.Guest(str(built_package))
        with pytest.raises(host.LoadError) as caught:
            host.run(guest, json.dumps(job), "2026-01-01T00:00:00Z", EmptyPage(page))
        guest.limits.close()
        return caught.value.details

    # With enough memory the load reaches an answer that the fake does not have.
    assert reported(1 << 30)["kind"] in ("destination", "protocol")
    found = reported(48 << 20)
    assert found["kind"] == "limit" and "more than the 48 MB of memory that it may use" in found["message"]


class EmptyPage:
    """An empty account, and one page of input."""

    def __init__(self, page):
        self.pages = [page]

    def sql(self, statements):
        return [(None, [])] * len(statements)

    def pull(self, _):
        return self.pages.pop() if self.pages else None

    def upload(self, *_):
        pass


# --- with the component -----------------------------------------------------------------


def test_invalid_job_fails_the_call_before_any_step(built_package):
    from emulator import Lab

    with Lab(databases=()) as lab:
        lab.install(built_package)
        before = len(lab.trace)
        lag = '{"pipeline": "p", "database": "RAW", "dataset": "d", "max_table_nesting": 1.5, "resources": []}'
        jobs = (
            ("'{}'", '"kind": "config"'),
            ("PARSE_JSON('{}')", '"kind": "config"'),
            ("$${}$$", '"kind": "config"'),
            ("PARSE_JSON('[1]')", "a job is an object, not a list"),
            ("NULL", "a job is an object, not NULL"),
            ("'{'", "the job is not JSON"),
            ('\'{"a": 1, "a": 2}\'', "twice"),
            (f"'{lag}'", "max_table_nesting"),
        )
        for job, words in jobs:
            with pytest.raises(Exception, match="LoadError") as caught:
                lab.call(f"CALL SNOWCAT.CODE.P_LOAD({job})", role="SNOWCAT_AUTHOR")
            assert words in str(caught.value), job
            # As README tells callers to parse it.
            reported = str(caught.value)
            assert (
                json.loads(reported[reported.index('{"status": "error"') : reported.rindex("}") + 1])["kind"]
                == "config"
            )
        ran = [e.sql[:4] for e in lab.trace[before:] if not e.sql.lower().startswith("select")]
        assert ran == ["CALL"] * len(jobs)
