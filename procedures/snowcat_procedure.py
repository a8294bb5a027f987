"""Snowcat's host inside Snowflake: does what the component asks for, and nothing of its own.

The component (`snowcat.wasm`) holds the whole load and can do nothing by itself; this
file runs its SQL on the procedure's session, sends its requests, puts its files on the
stage and gives it the answers. It writes no SQL and reads none of the data. The steps
and replies are those of `wit/loads.wit`. Requests are in `snowcat_http.py`, files in
`snowcat_input.py`, limits in `snowcat_limits.py`.
"""

import base64
import datetime
import functools
import hashlib
import io
import itertools
import json
import os
import platform
import re
import sys
import time
import traceback

from snowcat_http import Http, secret
from snowcat_input import ERRORS, pages
from snowcat_limits import Exceeded, Limits
from snowflake.connector.errors import Error
from snowflake.snowpark.exceptions import SnowparkClientException
from wasmtime import Config, Engine, Store, WasmtimeError
from wasmtime.component import Component, Linker, Record, Variant

INTERFACE = "snowcat:loader/loads@0.1.0"
EXPORTS = ("[static]load.start", "[method]load.resume", "[method]load.payload-base64")
# Tried in this order; the sandbox decides. `limited` needs less than 1 GB of address space,
# `pulley64` is an interpreter and needs no executable memory.
LIMITED = {"memory_reservation": 0, "memory_guard_size": 0, "memory_reservation_for_growth": 1 << 20,
           "signals_based_traps": False, "memory_init_cow": False}  # fmt: skip
ENGINES = {"default": {}, "limited": LIMITED, "pulley64": {**LIMITED, "target": "pulley64"}}
SQL_ERRORS = (Error, SnowparkClientException)
NAMES = {"pipeline": "pipeline_name", "dataset": "dataset_name", "database": "database"}
# What the component may ask for; it is bounded as the host in Rust bounds it.
STAGE = re.compile(r'"(?:[^"\0]|"")+"(?:\."(?:[^"\0]|"")+"){0,2}')
PATH = re.compile(r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*")
LONGEST_WAIT = 900.0


def _told(handler):
    """The handler, of which every failure is a `LoadError`."""

    @functools.wraps(handler)
    def called(session, *arguments):
        try:
            return handler(session, *arguments)
        except LoadError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the CALL tells it as it tells all else
            raise _unforeseen(error, str) from None

    return called


def _unforeseen(error, scrub):
    """A failure that nobody thought of, with its place in this program and without its values."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames if "snowcat_" in frame.filename]
    text = str(error)
    message = scrub(f"{type(error).__name__}: {text[:1000]}{'..' if len(text) > 1000 else ''}")
    return LoadError("internal", f"{message} (a defect in Snowcat: please report it)", own[-3:])


@_told
def load(session, job):
    """P_LOAD: run the job that the caller gives."""
    return _run_in_snowflake(session, job)


@_told
def load_jira(session, target_database, endpoints, force_full_load):
    """P_LOAD_JIRA: run the Jira job among the procedure's imports for this database and these endpoints."""
    site = secret("get_generic_secret_string", "jira_subdomain")
    if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", site):
        raise LoadError("config", "the secret jira_subdomain is not the name of a site", ["jira_subdomain"])
    job = _ready_made({"jira_subdomain": site.lower()}, target_database, endpoints, force_full_load)
    return _run_in_snowflake(session, job)


@_told
def load_ready_made(session, settings, target_database, endpoints, force_full_load):
    """P_LOAD_GITHUB and its like: run the job among the procedure's imports, its `{{placeholders}}` filled in."""
    settings = _parsed(settings, "settings") if isinstance(settings, str) else settings or {}
    if not isinstance(settings, dict):
        raise LoadError("config", f"expected an object, found {type(settings).__name__}", ["settings"])
    for name, value in settings.items():
        # Such a value becomes part of a URL: no slash, no quote, nothing that begins a query.
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._:+-]{1,200}", value) or ".." in value:
            raise LoadError("config", "expected letters, digits and any of . _ : + -", ["settings", name])
    return _run_in_snowflake(session, _ready_made(settings, target_database, endpoints, force_full_load))


def _ready_made(settings, target_database, endpoints, force_full_load):
    """The one job among the procedure's imports, made ready to run."""
    found = [name for name in os.listdir(_imports()) if name.endswith(".json")]
    if len(found) != 1:
        raise LoadError("config", f"expected one job among the imports of the procedure, found {sorted(found)}")
    with open(os.path.join(_imports(), found[0]), encoding="utf-8") as file:
        text = file.read()
    for name, value in settings.items():
        if "{{" + name + "}}" not in text:
            raise LoadError("config", f"the job has no setting {name!r}", ["settings"])
        text = text.replace("{{" + name + "}}", value)
    missing = re.search(r"\{\{(\w+)\}\}", text)
    if missing:
        raise LoadError("config", f"the setting {missing[1]!r} is missing", ["settings"])
    job = json.loads(text)
    if target_database is not None:
        job["database"] = target_database
    job["force_full_load"] = bool(force_full_load)
    if endpoints is not None:
        job["selected"] = _parsed(endpoints, "endpoints")
    return job


def _parsed(text, place):
    """The value of an argument's JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "it is nested too deeply"
        raise LoadError("config", f"expected JSON: {why}", [place]) from None


class LoadError(RuntimeError):
    """Why a load failed, as JSON: it fails the CALL."""

    def __init__(self, kind, message, context=(), **more):
        self.details = {"status": "error", "kind": kind, "message": message, "context": list(context), **more}
        super().__init__(json.dumps(self.details, ensure_ascii=False))


class Failed(Exception):
    """A step that could not be done; the component decides what follows."""

    def __init__(self, code, message, transient):
        super().__init__(message)
        self.failure = {"code": str(code), "message": str(message), "transient": transient}


class Guest:
    """The component, compiled for this machine by the first engine that the sandbox allows."""

    def __init__(self, directory):
        started, reasons = time.monotonic(), []
        for name, settings in ENGINES.items():
            try:
                config = Config()
                for key, value in settings.items():
                    setattr(config, key, value)
                engine = Engine(config)
                self.store = Store(engine)
                self.limits = Limits(self.store)
                self.instance = Linker(engine).instantiate(self.store, _component(engine, directory, name))
                self.engine = name
                break
            except WasmtimeError as error:
                reasons.append(f"{name}: {str(error).splitlines()[0]}")
        else:
            raise LoadError("host", "no engine can run the component", reasons)
        # Each gives its result, or a fault as a `Record`.
        self.start, self.resume, self.payload = map(self._export, EXPORTS)
        self.load_ms = _ms(started)

    def _export(self, name):
        loads = self.instance.get_export_index(self.store, INTERFACE)
        function = self.instance.get_func(self.store, self.instance.get_export_index(self.store, name, loads))

        def call(*arguments):
            try:
                return self.limits.call(function, self.store, *arguments)
            except Exceeded as error:
                raise LoadError("limit", str(error)) from error
            except WasmtimeError as error:
                raise LoadError("internal", f"the component trapped: {error}") from error

        return call


def run(component, job_text, now, warehouse, record=None):
    """Drive one load to its report (a dict, WIT names) and return it with the host's measurements.

    `warehouse` does the steps: `sql`, `fetch`, `pull`, `upload`, `wait`. `record` is called
    with every line of the transcript.
    """
    begun = time.monotonic()
    measured = {"first_statement_ms": None, "uploads": {}}

    def note(line):
        if record is not None:
            record(json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")))

    def accept(result):
        if isinstance(result, Record):
            fault = _plain(result)
            note({"fault": fault})
            raise LoadError(fault["kind"], fault["message"], fault["context"])
        return result

    handle = accept(component.start(job_text, now))
    reply, plain = Variant("start"), "start"
    while True:
        note({"reply": plain})
        step = accept(component.resume(handle, reply))
        detail = _plain(step.payload)
        if step.tag == "finished":
            note({"step": {"finished": detail}})
            return detail, measured
        if step.tag == "upload":
            data = _checked(detail, base64.b64decode(accept(component.payload(handle))))
            shown = {"path": detail["path"], "sha256": hashlib.sha256(data).hexdigest(), "size": detail["size"],
                     "stage": detail["stage"]}  # fmt: skip
        else:
            data, shown = None, detail["requests"] if step.tag == "fetch" else detail
            if step.tag == "pull" and detail.get("encoding") is None:
                shown = {key: value for key, value in detail.items() if key != "encoding"}
        note({"step": {step.tag: shown}})
        started = time.monotonic()
        if step.tag == "sql" and measured["first_statement_ms"] is None:
            measured["first_statement_ms"] = _ms(begun)
        try:
            reply, plain = _do(step.tag, detail, data, warehouse)
        except Failed as error:
            reply, plain = Variant("failed", _record(error.failure)), {"failed": error.failure}
        if step.tag == "upload":
            measured["uploads"][detail["path"]] = _ms(started)


def _do(tag, detail, data, warehouse):
    if tag == "sql":
        outcomes = [{"affected": affected, "rows": rows} for affected, rows in warehouse.sql(detail["statements"])]
        return Variant("outcomes", [_record(o) for o in outcomes]), {"outcomes": outcomes}
    if tag == "fetch":
        answers = warehouse.fetch(detail["requests"])
        given = [Variant(case, _record({**a, "headers": [tuple(h) for h in a["headers"]]} if case == "ok" else a))
                 for case, a in answers]  # fmt: skip
        return Variant("responses", given), {"responses": [{case: a} for case, a in answers]}
    if tag == "pull":
        page = warehouse.pull(detail)
        return (Variant("end"), "end") if page is None else (Variant("page", page), {"page": page})
    if tag == "upload":
        warehouse.upload(detail["stage"], detail["path"], data)
    elif tag == "wait":
        if not 0 <= detail["seconds"] <= LONGEST_WAIT:
            raise LoadError("protocol", f"the component asks to wait {detail['seconds']} seconds")
        warehouse.wait(detail["seconds"])
    else:
        raise LoadError("protocol", f"this host does not know the step {tag!r}")
    return Variant("done"), "done"


def _checked(upload, data):
    """The file's bytes, if they and its place are as the interface promises."""
    if not STAGE.fullmatch(upload["stage"]) or not PATH.fullmatch(upload["path"]):
        raise LoadError("protocol", f"the component puts a file at {upload['path']!r} on {upload['stage']!r}")
    if len(data) != upload["size"]:
        raise LoadError("protocol", f"{upload['path']} was announced with {upload['size']} bytes, found {len(data)}")
    return data


class Snowflake:
    """The warehouse of a procedure: its session, its stages, and the network it is allowed."""

    def __init__(self, session, http_client):
        self.session = session
        self.fetch = http_client.fetch
        self._pulled, self._pages = None, iter(())

    def sql(self, statements):
        """Run the statements one by one; affected rows and rows as text."""
        outcomes = []
        for statement in statements:
            try:
                rows = self.session.sql(statement).collect()
            except SQL_ERRORS as error:
                raise Failed(*_sql_failure(error), transient=False) from error
            texts = [[None if value is None else str(value) for value in row] for row in rows]
            outcomes.append((_affected(rows), texts))
        return outcomes

    def upload(self, stage, path, data):
        """Put the file on the stage, over one of the same name."""
        try:
            self.session.file.put_stream(io.BytesIO(data), f"@{stage}/{path}", auto_compress=False, overwrite=True)
        except SQL_ERRORS as error:
            raise Failed(*_sql_failure(error), transient=False) from error

    def pull(self, pull):
        """The next page of the stage's file that the component names; None when there is no more."""
        if pull["skip"] or not pull["files"]:
            raise Failed("", f"this host holds no input for {pull['resource']!r}", transient=False)
        for place in pull["files"]:
            # Whatever else `get_stream` knows: files of this machine, of Snowflake's own, of repositories.
            if not place.startswith('@"'):
                raise Failed("", f"{place}: this host reads files on stages only", transient=False)
        named = (pull["resource"], *pull["files"])
        try:
            if self._pulled != named:
                files = [self.session.file.get_stream(place, decompress=False) for place in pull["files"]]
                self._pages = itertools.chain.from_iterable(pages(file, pull["content"], pull.get("encoding")) for file in files)
                self._pulled = named
            return next(self._pages, None)
        except (*SQL_ERRORS, *ERRORS) as error:
            raise Failed("", f"{pull['files'][-1]}: {type(error).__name__}: {error}", transient=False) from error

    def wait(self, seconds):
        """Sleep."""
        time.sleep(seconds)


def _run_in_snowflake(session, job):
    started = datetime.datetime.now(datetime.timezone.utc)
    begun = time.monotonic()
    job = _parsed(job, "job") if isinstance(job, str) else job
    if not isinstance(job, dict):
        raise LoadError("config", f"a job is an object, not a {type(job).__name__}")
    given = job.get("credentials") or {}
    # What else is wrong with them is for the component to say, before anything is sent.
    client = Http({k: v for k, v in given.items() if isinstance(v, dict)} if isinstance(given, dict) else {})
    component = Guest(_imports())
    try:
        before, text = _ms(begun), json.dumps(job, ensure_ascii=False)
        report, measured = run(component, text, started.isoformat(), Snowflake(session, client))
    except Exception as error:  # noqa: BLE001 - no value of it is told that may be a secret
        told = (error if isinstance(error, LoadError) else _unforeseen(error, client.scrub)).details
        where = {name: job.get(key) for key, name in NAMES.items()} | {"destination": "snowcat", "engine": component.engine}
        raise LoadError(told["kind"], client.scrub(told["message"]), map(client.scrub, told["context"]), **where) from None
    finally:
        component.limits.close()
    first = measured["first_statement_ms"]
    return _result(report, measured["uploads"], job, started) | {
        "engine": component.engine, "component_load_ms": component.load_ms,
        "time_to_first_statement_ms": None if first is None else round(before + first, 1),
    }  # fmt: skip


def _result(report, uploads, job, started):
    """The procedure's result: the report, in the words that its callers know."""
    ran = job.get("selected") or list(dict.fromkeys(t["resource"] for t in report["tables"]))
    cursors = report["cursors"]
    starts = [c["start"] for c in cursors if c["start"] is not None]
    note = "No incremental resource ran" if not cursors else \
        "Loaded what changed since this value" if starts else "Loaded everything: there was no earlier value"  # fmt: skip
    jobs = [{"file_name": f["path"], "table": f["table"], "rows": f["rows"], "bytes": f["bytes"], "status": "completed",
             "elapsed_ms": uploads.get(f["path"])} for f in report["files"]]  # fmt: skip
    return {
        "status": "success", "pipeline_name": report["pipeline"], "dataset_name": report["dataset"],
        "destination": "snowcat", "database": report["database"], "schema": report["dataset"], "endpoints_loaded": ran,
        "load_info": {
            "dataset_name": report["dataset"], "load_id": report["load-id"], "started_at": str(started),
            "finished_at": str(datetime.datetime.now(datetime.timezone.utc)), "total_jobs": len(jobs),
            "packages": 1 if report["load-id"] else 0, "jobs_detail": jobs,
        },
        "incremental_config": {"initial_date_used": starts[0] if starts else None, "note": note, "cursors": cursors},
        "rows": {t["name"]: t["rows"] for t in report["tables"]}, "statements": report["statements"],
        "requests": report["requests"], "pages": report["pages"], "warnings": report["warnings"],
    }  # fmt: skip


def _component(engine, directory, name):
    """The precompiled component if there is one for this engine and machine, else compiled now."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    path = os.path.join(directory, f"snowcat.{machine}.cwasm")
    if name == "default" and os.path.exists(path):
        try:
            return Component.deserialize_file(engine, path)
        except WasmtimeError:
            # Made by another release of the runtime: the portable file serves as well, more slowly.
            print(f"{path} does not fit this runtime; compiling snowcat.wasm", file=sys.stderr)
    return Component.from_file(engine, os.path.join(directory, "snowcat.wasm"))


def _imports():
    return sys._xoptions["snowflake_import_directory"]


def _affected(rows):
    total = None
    for row in rows:
        for name, value in zip(getattr(row, "_fields", None) or (), row, strict=False):
            if name.lower().startswith("number of rows ") or name.lower() == "rows_loaded":
                total = (total or 0) + int(value or 0)
    return total


def _sql_failure(error):
    code = getattr(error, "sql_error_code", None) or getattr(error, "errno", None) or getattr(error, "error_code", None)
    raw = getattr(error, "raw_message", None) or getattr(error, "raw_msg", None) or getattr(error, "message", None)
    return "" if code is None else str(code), raw or str(error)


def _record(fields):
    record = Record()
    for name, value in fields.items():
        setattr(record, name, value)
    return record


def _plain(value):
    if isinstance(value, Record):
        return {name: _plain(inner) for name, inner in vars(value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _ms(since):
    return round(1000 * (time.monotonic() - since), 1)
