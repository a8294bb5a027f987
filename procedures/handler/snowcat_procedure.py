"""Snowcat's host inside Snowflake: the handlers of the procedures.

The component (`snowcat.wasm`) decides everything and can do no I/O. The handler runs its SQL on the
procedure's session, sends its requests, puts its files on the stage and returns the replies. It
writes no SQL and does not read the data. `README.md` lists the files of this folder.
"""

import datetime
import json
import re
import time

from snowcat_credentials import secret
from snowcat_driver import milliseconds, run
from snowcat_engine import Guest
from snowcat_fault import LoadError, reported, unforeseen
from snowcat_http import Http
from snowcat_job import Given, policy, ready_made, settings
from snowcat_runtime import imports
from snowcat_session import Snowflake

# The table of the jobs that P_RUN runs.
JOBS = "SNOWCAT.CODE.JOBS"
# Keys of a job, and their names in an error.
NAMES = {"pipeline": "pipeline_name", "dataset": "dataset_name", "database": "database"}
# The site that install.sql puts into the secret, and the statuses that its server answers.
PLACEHOLDER = "your-site"
NOT_YOURS = (401, 403, 404)
PUT_SITE = (
    f"The secret JIRA_SUBDOMAIN still names {PLACEHOLDER!r}, as install.sql made it: "
    "ALTER SECRET .. SET SECRET_STRING with your own site, and ALTER NETWORK RULE JIRA_HOST "
    "SET VALUE_LIST with its host"
)


@reported
def load(session, job):
    """P_LOAD: run the caller's job, a string or an object, within the owner's policy."""
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
    """P_LOAD_JIRA, P_LOAD_JIRA_ALL: run the job among the imports, for the site in a secret."""
    site = secret("get_generic_secret_string", "jira_subdomain").lower()
    if not re.fullmatch(r"[a-z0-9-]{1,63}", site):
        raise LoadError(
            "config", "the secret jira_subdomain is not the name of a site", ["jira_subdomain"]
        )
    job = ready_made(
        imports(), {"jira_subdomain": site}, target_database, endpoints, force_full_load
    )
    return _run_in_snowflake(
        session,
        Given(json.dumps(job)),
        policy(imports(), "ready_made"),
        placeholder=site == PLACEHOLDER,
    )


@reported
def load_ready_made(session, given, target_database, endpoints, force_full_load):
    """P_LOAD_<JOB>: run the job among the imports with these settings."""
    given = settings(given)
    engine = given.pop("engine", None)
    job = ready_made(imports(), given, target_database, endpoints, force_full_load)
    return _run_in_snowflake(
        session, Given(json.dumps(job)), policy(imports(), "ready_made"), engine
    )


def _run_in_snowflake(session, given, allowed, engine=None, placeholder=False, component=None):
    """Run a job within a policy; the result of the procedure."""
    started = datetime.datetime.now(datetime.timezone.utc)
    begun = time.monotonic()
    client = Http(_credentials(given.job))
    component = component or Guest(imports(), engine)
    before = milliseconds(begun)
    warehouse = Snowflake(session, client)

    def start(job, now):
        return component.start_within(job, allowed, now)

    try:
        report, measured = run(component, given.text, started.isoformat(), warehouse, start=start)
    except Exception as error:  # noqa: BLE001 - no value of it is shown that may be a secret
        is_placeholder = placeholder and warehouse.last_status in NOT_YOURS
        raise _load_error(error, given, client, component.engine, is_placeholder) from None
    finally:
        component.limits.close()
    result = _result(report, measured.uploads, given.job, started)
    result["warnings"] = [*result["warnings"], *given.warnings()]
    first = measured.first_statement
    return result | {
        "engine": component.engine,
        "component_by": component.by,
        "component_load_ms": component.load_ms,
        "time_to_first_statement_ms": None if first is None else round(before + first, 1),
    }


def _credentials(job):
    """The credentials of a job. If it is not an object, the component reports it before any
    request.
    """
    given = job.get("credentials")
    if not isinstance(given, dict):
        return {}
    return {name: value for name, value in given.items() if isinstance(value, dict)}


def _load_error(error, given, client, engine, is_placeholder):
    """The error that fails the CALL, without any secret."""
    if not isinstance(error, LoadError):
        error = unforeseen(error, client.scrub)
    details = error.details
    message = client.scrub(given.explained(details["message"]))
    if is_placeholder:
        message = f"{message}. {PUT_SITE}"
    more = {name: given.job.get(key) for key, name in NAMES.items()}
    more |= {"destination": "snowcat", "engine": engine}
    return LoadError(details["kind"], message, map(client.scrub, details["context"]), **more)


def _result(report, uploads, job, started):
    """The result of the procedure: the report of the load, under the names that callers use."""
    resources = [table["resource"] for table in report["tables"]]
    files = [_file(file, uploads) for file in report["files"]]
    return {
        "status": "success",
        "pipeline_name": report["pipeline"],
        "dataset_name": report["dataset"],
        "destination": "snowcat",
        "database": report["database"],
        "schema": report["dataset"],
        "endpoints_loaded": job.get("selected") or list(dict.fromkeys(resources)),
        "load_info": {
            "dataset_name": report["dataset"],
            "load_id": report["load-id"],
            "started_at": str(started),
            "finished_at": str(datetime.datetime.now(datetime.timezone.utc)),
            "total_jobs": len(files),
            "packages": 1 if report["load-id"] else 0,
            "jobs_detail": files,
        },
        "incremental_config": _incremental(report["cursors"]),
        "rows": {table["name"]: table["rows"] for table in report["tables"]},
        "statements": report["statements"],
        "requests": report["requests"],
        "pages": report["pages"],
        "warnings": report["warnings"],
    }


def _file(file, uploads):
    """A file of the load; the result calls it a job, as dlt does."""
    return {
        "file_name": file["path"],
        "table": file["table"],
        "rows": file["rows"],
        "bytes": file["bytes"],
        "status": "completed",
        "elapsed_ms": uploads.get(file["path"]),
    }


def _incremental(cursors):
    """Where the load began: at the first cursor's value, if there is one."""
    starts = [cursor["start"] for cursor in cursors if cursor["start"] is not None]
    if starts:
        note = "Loaded what changed since this value"
    elif cursors:
        note = "Loaded everything: there was no earlier value"
    else:
        note = "No incremental resource ran"
    return {"initial_date_used": starts[0] if starts else None, "note": note, "cursors": cursors}
