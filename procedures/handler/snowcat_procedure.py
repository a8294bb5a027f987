"""Snowcat's host inside Snowflake: does what the component asks for, and nothing of its own.

The component (`snowcat.wasm`) holds the whole load and can do nothing by itself; this
file runs its SQL on the procedure's session, sends its requests, puts its files on the
stage and gives it the answers. It writes no SQL and reads none of the data. The steps
and replies are those of `wit/loads.wit`. Beside it, requests are in `snowcat_http.py`, files
in `snowcat_input.py`, jobs in `snowcat_job.py`, and what runs the component is in
`snowcat_engine.py`, `snowcat_limits.py` and `snowcat_runtime.py`.
"""

import base64
import datetime
import hashlib
import io
import itertools
import json
import re
import time

from snowcat_credentials import secret
from snowcat_engine import Guest, Record, Variant, to_plain, to_record
from snowcat_fault import Failed, LoadError, reported, unforeseen
from snowcat_http import Http
from snowcat_input import ERRORS, pages
from snowcat_job import Given, policy, ready_made, settings
from snowcat_runtime import imports
from snowflake.connector.errors import Error
from snowflake.snowpark.exceptions import SnowparkClientException

SQL_ERRORS = (Error, SnowparkClientException)
# Where the jobs that P_RUN runs are kept.
JOBS = "SNOWCAT.CODE.JOBS"
# Too many statements wait for a lock, or LOCK_TIMEOUT has passed: the transaction may succeed later.
TRANSIENT = ("625",)
NAMES = {"pipeline": "pipeline_name", "dataset": "dataset_name", "database": "database"}
# The site that install.sql puts into the secret, and what a server answers that is not the caller's.
PLACEHOLDER, NOT_YOURS = "your-site", (401, 403, 404)
PUT_SITE = (
    f"The secret JIRA_SUBDOMAIN still names {PLACEHOLDER!r}, as install.sql made it: ALTER SECRET .. SET SECRET_STRING with "
    "your own site, and ALTER NETWORK RULE JIRA_HOST SET VALUE_LIST with its host"
)
# What the component may ask for. The host in Rust has the same bounds.
STAGE = re.compile(r'"(?:[^"\0]|"")+"(?:\."(?:[^"\0]|"")+"){0,2}')
PATH = re.compile(r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*")
LONGEST_WAIT = 900.0


@reported
def load(session, job):
    """P_LOAD: run the job that the caller gives, as text or as an object, within the owner's policy."""
    return _run_in_snowflake(session, Given(job), policy(imports(), "jobs"))


@reported
def run_approved(session, name):
    """P_RUN: run the job of this name in the table of approved jobs, within the same policy."""
    if not isinstance(name, str):
        raise LoadError("config", "expected the name of a job, found NULL")
    allowed, component = policy(imports(), "jobs"), Guest(imports())
    try:
        found, _ = run(
            component,
            name,
            "",
            Snowflake(session, Http({})),
            start=lambda *_: component.start_approved(JOBS, name),
        )
        given = Given(found["job"])
    except BaseException:
        component.limits.close()
        raise
    return _run_in_snowflake(session, given, allowed, component=component)


@reported
def load_jira(session, target_database, endpoints, force_full_load):
    """P_LOAD_JIRA: run `jira.json` for this database and these endpoints."""
    return _load_jira(session, "jira.json", target_database, endpoints, force_full_load)


@reported
def load_jira_all(session, target_database, endpoints, force_full_load):
    """P_LOAD_JIRA_ALL: the same, with `jira_all.json`."""
    return _load_jira(session, "jira_all.json", target_database, endpoints, force_full_load)


@reported
def load_github(session, given, target_database, endpoints, force_full_load):
    """P_LOAD_GITHUB: run `github.json` with these settings."""
    return _load_ready_made(
        session, "github.json", given, target_database, endpoints, force_full_load
    )


@reported
def load_pagerduty(session, given, target_database, endpoints, force_full_load):
    """P_LOAD_PAGERDUTY: run `pagerduty.json` with these settings."""
    return _load_ready_made(
        session, "pagerduty.json", given, target_database, endpoints, force_full_load
    )


@reported
def load_graph(session, given, target_database, endpoints, force_full_load):
    """P_LOAD_GRAPH: run `graph.json` with these settings."""
    return _load_ready_made(
        session, "graph.json", given, target_database, endpoints, force_full_load
    )


def _load_jira(session, file, *arguments):
    site = secret("get_generic_secret_string", "jira_subdomain").lower()
    if not re.fullmatch(r"[a-z0-9-]{1,63}", site):
        raise LoadError(
            "config", "the secret jira_subdomain is not the name of a site", ["jira_subdomain"]
        )
    job = ready_made(imports(), file, {"jira_subdomain": site}, *arguments)
    return _run_in_snowflake(
        session,
        Given(json.dumps(job)),
        policy(imports(), "ready_made"),
        placeholder=site == PLACEHOLDER,
    )


def _load_ready_made(session, file, given, *arguments):
    given = settings(given)
    engine = given.pop("engine", None)
    job = ready_made(imports(), file, given, *arguments)
    return _run_in_snowflake(
        session, Given(json.dumps(job)), policy(imports(), "ready_made"), engine
    )


def run(component, job_text, now, warehouse, record=None, start=None):
    """Drive one load to its report (a dict, WIT names) and return it with the host's measurements.

    `warehouse` does the steps: `sql`, `fetch`, `pull`, `upload`, `wait`. `record` is called
    with every line of the transcript. `start` begins the load; it can begin a load within a policy,
    an examination or a search in its place.
    """
    begun = time.monotonic()
    measured = {"first_statement_ms": None, "uploads": {}}

    def note(line):
        if record is not None:
            record(json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")))

    def accept(result):
        if isinstance(result, Record):
            fault = to_plain(result)
            note({"fault": fault})
            raise LoadError(fault["kind"], fault["message"], fault["context"])
        return result

    handle = accept((start or component.start)(job_text, now))
    reply, plain = Variant("start"), "start"
    while True:
        note({"reply": plain})
        step = accept(component.resume(handle, reply))
        detail = to_plain(step.payload)
        if step.tag in ("finished", "examined", "found"):
            note({"step": {step.tag: detail}})
            return detail, measured
        if step.tag == "upload":
            data = _checked(detail, base64.b64decode(accept(component.payload(handle))))
            shown = {
                "path": detail["path"],
                "sha256": hashlib.sha256(data).hexdigest(),
                "size": detail["size"],
                "stage": detail["stage"],
            }
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
            reply, plain = Variant("failed", to_record(error.failure)), {"failed": error.failure}
        if step.tag == "upload":
            measured["uploads"][detail["path"]] = _ms(started)


def _do(tag, detail, data, warehouse):
    if tag == "sql":
        outcomes = [
            {"affected": affected, "rows": rows}
            for affected, rows in warehouse.sql(detail["statements"])
        ]
        return Variant("outcomes", [to_record(o) for o in outcomes]), {"outcomes": outcomes}
    if tag == "fetch":
        answers = warehouse.fetch(detail["requests"])
        given = [
            Variant(
                case,
                to_record(
                    {**a, "headers": [tuple(h) for h in a["headers"]]} if case == "ok" else a
                ),
            )
            for case, a in answers
        ]
        return Variant("responses", given), {"responses": [{case: a} for case, a in answers]}
    if tag == "pull":
        page = warehouse.pull(detail)
        if isinstance(page, list):
            return Variant("columns", [to_record(column) for column in page]), {"columns": page}
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
        raise LoadError(
            "protocol", f"the component puts a file at {upload['path']!r} on {upload['stage']!r}"
        )
    if len(data) != upload["size"]:
        raise LoadError(
            "protocol",
            f"{upload['path']} was announced with {upload['size']} bytes, found {len(data)}",
        )
    return data


class Snowflake:
    """The warehouse of a procedure: its session, its stages, and the network it is allowed."""

    def __init__(self, session, http_client):
        self.session, self.http = session, http_client
        self.last_status = None
        self._pulled, self._pages = None, iter(())

    def sql(self, statements):
        """Run the statements one by one; affected rows and rows as text."""
        outcomes = []
        for statement in statements:
            try:
                rows = self.session.sql(statement).collect()
            except SQL_ERRORS as error:
                raise _sql_failure(error) from error
            texts = [[None if value is None else str(value) for value in row] for row in rows]
            outcomes.append((_affected(rows), texts))
        return outcomes

    def fetch(self, requests):
        """Send the requests; the status of the last answer is kept."""
        answers = self.http.fetch(requests)
        self.last_status = next(
            (a["status"] for case, a in reversed(answers) if case == "ok"), self.last_status
        )
        return answers

    def upload(self, stage, path, data):
        """Put the file on the stage, over one of the same name."""
        try:
            self.session.file.put_stream(
                io.BytesIO(data), f"@{stage}/{path}", auto_compress=False, overwrite=True
            )
        except SQL_ERRORS as error:
            raise _sql_failure(error) from error

    def pull(self, pull):
        """The next page of the stage's file that the component names, or its columns; None when there is no more."""
        if pull["skip"] or not pull["files"]:
            raise Failed("", f"this host holds no input for {pull['resource']!r}", transient=False)
        for place in pull["files"]:
            # Whatever else `get_stream` knows: files of this machine, of Snowflake's own, of repositories.
            if not place.startswith('@"'):
                raise Failed("", f"{place}: this host reads files on stages only", transient=False)
        named = (pull["resource"], *pull["files"])
        try:
            if self._pulled != named:
                files = [
                    self.session.file.get_stream(place, decompress=False) for place in pull["files"]
                ]
                self._pages = itertools.chain.from_iterable(
                    pages(file, pull["content"], pull.get("encoding")) for file in files
                )
                self._pulled = named
            return next(self._pages, None)
        except (*SQL_ERRORS, *ERRORS) as error:
            raise Failed(
                "", f"{pull['files'][-1]}: {type(error).__name__}: {error}", transient=False
            ) from error

    def wait(self, seconds):
        """Sleep."""
        time.sleep(seconds)


def _run_in_snowflake(session, given, allowed, engine=None, placeholder=False, component=None):
    started = datetime.datetime.now(datetime.timezone.utc)
    begun = time.monotonic()
    job = given.job
    credentials = job.get("credentials") or {}
    # The component reports whatever is wrong with them, before anything is sent.
    client = Http(
        {k: v for k, v in credentials.items() if isinstance(v, dict)}
        if isinstance(credentials, dict)
        else {}
    )
    component = component or Guest(imports(), engine)
    before, warehouse = _ms(begun), Snowflake(session, client)
    try:
        report, measured = run(
            component,
            given.text,
            started.isoformat(),
            warehouse,
            start=lambda job, now: component.start_within(job, allowed, now),
        )
    except Exception as error:  # noqa: BLE001 - no value of it is shown that may be a secret
        told = (error if isinstance(error, LoadError) else unforeseen(error, client.scrub)).details
        message = client.scrub(given.explained(told["message"]))
        if placeholder and warehouse.last_status in NOT_YOURS:
            message = f"{message}. {PUT_SITE}"
        where = {name: job.get(key) for key, name in NAMES.items()} | {
            "destination": "snowcat",
            "engine": component.engine,
        }
        raise LoadError(
            told["kind"], message, map(client.scrub, told["context"]), **where
        ) from None
    finally:
        component.limits.close()
    first = measured["first_statement_ms"]
    result = _result(report, measured["uploads"], job, started)
    result["warnings"] = [*result["warnings"], *given.warnings()]
    return result | {
        "engine": component.engine,
        "component_by": component.by,
        "component_load_ms": component.load_ms,
        "time_to_first_statement_ms": None if first is None else round(before + first, 1),
    }


def _result(report, uploads, job, started):
    """The procedure's result: the report, in the words that its callers know."""
    ran = job.get("selected") or list(dict.fromkeys(t["resource"] for t in report["tables"]))
    cursors = report["cursors"]
    starts = [c["start"] for c in cursors if c["start"] is not None]
    note = (
        "No incremental resource ran"
        if not cursors
        else "Loaded what changed since this value"
        if starts
        else "Loaded everything: there was no earlier value"
    )
    jobs = [
        {
            "file_name": f["path"],
            "table": f["table"],
            "rows": f["rows"],
            "bytes": f["bytes"],
            "status": "completed",
            "elapsed_ms": uploads.get(f["path"]),
        }
        for f in report["files"]
    ]
    return {
        "status": "success",
        "pipeline_name": report["pipeline"],
        "dataset_name": report["dataset"],
        "destination": "snowcat",
        "database": report["database"],
        "schema": report["dataset"],
        "endpoints_loaded": ran,
        "load_info": {
            "dataset_name": report["dataset"],
            "load_id": report["load-id"],
            "started_at": str(started),
            "finished_at": str(datetime.datetime.now(datetime.timezone.utc)),
            "total_jobs": len(jobs),
            "packages": 1 if report["load-id"] else 0,
            "jobs_detail": jobs,
        },
        "incremental_config": {
            "initial_date_used": starts[0] if starts else None,
            "note": note,
            "cursors": cursors,
        },
        "rows": {t["name"]: t["rows"] for t in report["tables"]},
        "statements": report["statements"],
        "requests": report["requests"],
        "pages": report["pages"],
        "warnings": report["warnings"],
    }


def _affected(rows):
    total = None
    for row in rows:
        for name, value in zip(getattr(row, "_fields", None) or (), row, strict=False):
            if name.lower().startswith("number of rows ") or name.lower() == "rows_loaded":
                total = (total or 0) + int(value or 0)
    return total


def _sql_failure(error):
    code = (
        getattr(error, "sql_error_code", None)
        or getattr(error, "errno", None)
        or getattr(error, "error_code", None)
    )
    raw = (
        getattr(error, "raw_message", None)
        or getattr(error, "raw_msg", None)
        or getattr(error, "message", None)
    )
    code = "" if code is None else str(code)
    return Failed(code, raw or str(error), transient=code.lstrip("0") in TRANSIENT)


def _ms(since):
    return round(1000 * (time.monotonic() - since), 1)
