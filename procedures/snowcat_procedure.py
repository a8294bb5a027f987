"""Snowcat's host inside Snowflake: does what the component asks for, and nothing of its own.

The component (`snowcat.wasm`) holds the whole load and can do nothing by itself; this
file runs its SQL on the procedure's session, sends its requests, puts its files on the
stage and gives it the answers. It writes no SQL and reads none of the data. The steps
and replies are those of `wit/loads.wit`.
"""

import base64
import datetime
import decimal
import gzip
import hashlib
import http.client
import io
import itertools
import json
import math
import os
import platform
import re
import ssl
import sys
import threading
import time
import urllib.parse
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor

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
INPUT_ERRORS = (OSError, EOFError, UnicodeError, zlib.error, ValueError)
PAGE = 4 << 20
ROWS = 4096
TIMEOUT = 60.0
PARALLEL = 8
LARGEST_BODY = 100 << 20
OWN_HEADERS = ("accept-encoding", "connection", "content-length", "expect", "host", "transfer-encoding", "upgrade")
# How long a token holds where its server does not say, and how long before its end it is given up at most.
TOKEN_LASTS, TOKEN_MARGIN = 3600.0, 30.0
PORTS = {"https": 443, "http": 80}
LOCAL = ("localhost", "127.0.0.1", "::1")
NAMES = {"pipeline": "pipeline_name", "dataset": "dataset_name", "database": "database"}
# The response headers that are none of a load's business. Any other can hold the next page's token.
COOKIES = ("set-cookie", "set-cookie2")


def load(session, job):
    """P_LOAD: run the job that the caller gives."""
    return _run_in_snowflake(session, job)


def load_jira(session, target_database, endpoints, force_full_load):
    """P_LOAD_JIRA: run the Jira job among the procedure's imports for this database and these endpoints."""
    site = _secret("get_generic_secret_string", "jira_subdomain")
    if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", site):
        raise LoadError("config", "the secret jira_subdomain is not the name of a site", ["jira_subdomain"])
    job = _ready_made({"jira_subdomain": site.lower()}, target_database, endpoints, force_full_load)
    return _run_in_snowflake(session, job)


def load_ready_made(session, settings, target_database, endpoints, force_full_load):
    """P_LOAD_GITHUB and its like: run the job among the procedure's imports, its `{{placeholders}}` filled in."""
    settings = json.loads(settings) if isinstance(settings, str) else settings or {}
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
        try:
            job["selected"] = json.loads(endpoints)
        except ValueError as error:
            raise LoadError("config", f"endpoints is not a JSON array: {error}", ["endpoints"]) from None
    return job


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


class Refused(Exception):
    """A request that must not be sent, or cannot be: the message says why, and holds no secret."""

    def __init__(self, message, transient=False):
        super().__init__(message)
        self.transient = transient


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
                return function(self.store, *arguments)
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
            data = base64.b64decode(accept(component.payload(handle)))
            shown = {"path": detail["path"], "sha256": hashlib.sha256(data).hexdigest(), "size": detail["size"],
                     "stage": detail["stage"]}  # fmt: skip
        else:
            data, shown = None, detail["requests"] if step.tag == "fetch" else detail
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
        warehouse.wait(detail["seconds"])
    else:
        raise LoadError("protocol", f"this host does not know the step {tag!r}")
    return Variant("done"), "done"


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
        named = (pull["resource"], *pull["files"])
        try:
            if self._pulled != named:
                files = [self.session.file.get_stream(place, decompress=False) for place in pull["files"]]
                self._pages = itertools.chain.from_iterable(_pages(file, pull["content"]) for file in files)
                self._pulled = named
            return next(self._pages, None)
        except (*SQL_ERRORS, *INPUT_ERRORS) as error:
            raise Failed("", f"{pull['files'][-1]}: {type(error).__name__}: {error}", transient=False) from error

    def wait(self, seconds):
        """Sleep."""
        time.sleep(seconds)


class Http:
    """HTTP with kept connections, no redirects, and credentials for their own hosts only."""

    def __init__(self, credentials, largest_body=LARGEST_BODY):
        self._given, self._secrets, self._tokens, self._refresh, self._read = credentials, [], {}, {}, {}
        self._idle, self._lock, self._tls, self._largest = {}, threading.Lock(), None, largest_body

    def fetch(self, requests):
        """Send the requests; `("ok", response)` or `("err", failure)` for each."""
        # Secrets can be read from the main thread only: here, not where the requests are sent.
        prepared = [self._prepare(request) for request in requests]
        if len(prepared) == 1:
            return [self._answer(*prepared[0])]
        with ThreadPoolExecutor(min(PARALLEL, len(prepared))) as pool:
            return list(pool.map(lambda one: self._answer(*one), prepared))

    def scrub(self, text):
        """The text without any secret."""
        return _hide(text, self._secrets)

    def _prepare(self, request):
        """What is sent, and what of it an answer must not quote; or why it is not sent."""
        shown = f"{request['method']} {_shown(request['url'])}"
        try:
            parts = urllib.parse.urlsplit(request["url"])
            place = _place(parts)
            headers, query, own = {}, parts.query, None
            for name, value in request["headers"]:
                if name.lower() in OWN_HEADERS:
                    raise Refused(f"the header {name} is the client's own")
                if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                    raise Refused(f"{name!r} is not the name of a header")
                if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
                    raise Refused(f"the value of the header {name} is not valid")
                headers[name.lower()] = value
            if request["auth"] is not None:
                own = self._credential(request["auth"], place)
                if own["header"] in headers:
                    raise Refused(f"the header {own['header']} is the credential's")
                if own["header"] is not None:
                    headers[own["header"]] = own["value"]
                else:
                    kept = [p for p in query.split("&") if p and p.split("=")[0] != own["pair"].split("=")[0]]
                    query = "&".join([*kept, own["pair"]])
            headers |= {"accept-encoding": "gzip, deflate", "user-agent": "snowcat/0.1.0"}
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", query, ""))
            body = None if request["body"] is None else request["body"].encode()
            return shown, (place, request["method"], target, headers, body), own
        except Refused as error:
            return shown, error, None
        except ValueError:  # of a URL that is none
            return shown, Refused("not a URL"), None

    def _answer(self, shown, sent, own):
        try:
            if isinstance(sent, Refused):
                raise sent
            status, headers, data = self._send(*sent)
            if status == 401 and own is not None and own["renews"]:
                with self._lock:  # only this one: another thread may have a newer one
                    if self._tokens.get(own["name"], ("",))[0] == own["secrets"][0]:
                        del self._tokens[own["name"]]
            try:
                body = _decoded(data, headers, self._largest)
            except Refused as error:
                return "err", {"code": str(status), "message": f"{shown}: {error}", "transient": error.transient}
        except Refused as error:
            return "err", {"code": "", "message": f"{shown}: {error}", "transient": error.transient}
        secrets = [] if own is None else own["secrets"]
        kept = [[name, _hide(value, secrets)] for name, value in headers if name not in COOKIES]
        if not 200 <= status < 300:
            body = _hide(body, secrets)
        elif own is not None and own["pair"] is not None:
            # In data only what is a link to the next page is hidden: all else is as the source has it.
            body = body.replace(own["pair"], own["pair"].split("=")[0] + "=***")
        return "ok", {"body": body, "headers": kept, "status": status}

    def _credential(self, name, place):
        """The header or parameter that a credential adds to a request to this place."""
        given = self._given.get(name)
        if given is None:
            raise Refused(f"expected a credential {name} in the job, found none")
        if not _is_for(given.get("hosts", ()), place):
            raise Refused(f"the credential {name} is not for the host {_host(place)}")
        kind, alias = given.get("type"), given.get("secret", name)
        own = {"name": name, "header": "authorization", "pair": None, "renews": False}

        def read(getter, secret=alias):
            return self._secret(getter, secret, name)

        if kind == "http_basic":
            pair = read("get_username_password")
            coded = base64.b64encode(f"{pair.username}:{pair.password}".encode()).decode()
            own |= {"value": f"Basic {coded}", "secrets": [coded, pair.password]}
        elif kind == "bearer":
            token = read("get_generic_secret_string")
            own |= {"value": f"Bearer {token}", "secrets": [token]}
        elif kind == "api_key":
            key, field = read("get_generic_secret_string"), given.get("name", "Authorization")
            location = given.get("location", "header")
            if location in ("query", "param"):
                coded = urllib.parse.quote(key, safe="")
                own |= {"header": None, "pair": f"{urllib.parse.quote(field, safe='')}={coded}", "secrets": [coded, key]}
            elif location == "cookie":
                if not re.fullmatch(r'[!#-+\--:<-\[\]-~]*', key):
                    raise Refused(f"the credential {name} cannot be sent in a cookie")
                own |= {"header": "cookie", "value": f"{field}={key}", "secrets": [key]}
            else:
                own |= {"header": field.lower(), "value": key, "secrets": [key]}
        elif kind in ("oauth2_client_credentials", "oauth2_refresh_token", "snowflake_oauth"):
            token = self._token(name, given, alias)
            own |= {"value": f"Bearer {token}", "secrets": [token], "renews": True}
        else:
            raise Refused(f"this host cannot send a credential of type {kind!r}")
        self._secrets += [secret for secret in own["secrets"] if secret not in self._secrets]
        if own["header"] is not None and not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", own["value"]):
            raise Refused("the credential cannot be sent in a header")
        return own

    def _secret(self, getter, alias, credential):
        """A secret, read once."""
        if (getter, alias) not in self._read:
            self._read[getter, alias] = _read_secret(getter, alias, credential)
        return self._read[getter, alias]

    def _token(self, name, given, alias):
        """The bearer token of a credential, fetched when there is none or it is about to expire."""
        kept = self._tokens.get(name)
        if kept is not None and time.monotonic() < kept[1]:
            return kept[0]
        if given["type"] == "snowflake_oauth":
            token = _read_secret("get_oauth_access_token", alias, name)
            self._tokens[name] = (token, float("inf"))
            return token
        url = given.get("access_token_url")
        try:
            parts = urllib.parse.urlsplit(url)
            place = _place(parts)
            if not _is_for(given["hosts"], place):
                raise Refused(f"the credential is not for the host {_host(place)}")
            client, form = self._secret("get_username_password", alias, name), {"grant_type": "client_credentials"}
            headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded",
                       "accept-encoding": "gzip, deflate", "user-agent": "snowcat/0.1.0"}  # fmt: skip
            if given["type"] == "oauth2_refresh_token":
                own = self._secret("get_generic_secret_string", given.get("refresh_secret", f"{alias}_refresh"), name)
                # A server may give another one in its place.
                form = {"grant_type": "refresh_token", "refresh_token": self._refresh.get(name, own)}
                self._secrets += [form["refresh_token"]]
            self._secrets += [client.password]
            if given.get("client_authentication", "body") == "basic":
                coded = ":".join(urllib.parse.quote(text, safe="") for text in (client.username, client.password))
                headers["authorization"] = f"Basic {base64.b64encode(coded.encode()).decode()}"
            else:
                form |= {"client_id": client.username, "client_secret": client.password}
            form |= {k: v for k, v in (given.get("access_token_request_data") or {}).items() if not k.startswith("//")}
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            status, found, data = self._send(place, "POST", target, headers, urllib.parse.urlencode(form).encode())
            return self._accept_token(name, status, _decoded(data, found, self._largest))
        except ValueError:
            raise Refused(f"the token of the credential {name}: not a URL") from None
        except Refused as error:
            raise Refused(f"the token of the credential {name}: {error}", error.transient) from None

    def _accept_token(self, name, status, body):
        try:
            answer = json.loads(body)
        except ValueError:  # its text would quote the answer, and the answer is the secret
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        if not 200 <= status < 300:
            word = answer.get("error")
            why = f" ({word})" if isinstance(word, str) and re.fullmatch("[a-z_]{1,40}", word) else ""
            raise Refused(f"the server said {status}{why}", transient=status >= 500 or status == 429)
        token, lasts = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token:
            raise Refused("expected an object with an access_token")
        try:
            lasts = float(lasts)
        except (TypeError, ValueError):
            lasts = TOKEN_LASTS
        if isinstance(answer.get("refresh_token"), str):
            self._refresh[name] = answer["refresh_token"]
            self._secrets.append(answer["refresh_token"])
        self._tokens[name] = (token, time.monotonic() + lasts - min(TOKEN_MARGIN, lasts / 10))
        return token

    def _send(self, place, method, target, headers, body):
        """Status, headers and the body's bytes."""
        with self._lock:
            kept = self._idle.setdefault(place, [])
            connection = kept.pop() if kept else None
        again = connection is not None and method == "GET"
        while True:
            connection = connection or self._connect(place)
            try:
                connection.request(method, target, body, headers)
                response = connection.getresponse()
                data = response.read(self._largest + 1)
                break
            except (OSError, EOFError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                if again:  # the server had closed a kept connection: once more, on a new one
                    again = False
                    continue
                lasting = isinstance(error, (ssl.SSLCertVerificationError, http.client.InvalidURL))
                raise Refused(self.scrub(f"{type(error).__name__}: {error}"), transient=not lasting) from None
            except ValueError:  # its text quotes the header, which may be the secret
                raise Refused(f"a header for {place[1]} holds what HTTP forbids") from None
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            with self._lock:
                self._idle[place].append(connection)
        return response.status, [(name.lower(), value) for name, value in response.getheaders()], data

    def _connect(self, place):
        scheme, host, port = place
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        with self._lock:
            self._tls = self._tls or _tls()
        context = ssl._create_unverified_context() if host in LOCAL else self._tls
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)


def _run_in_snowflake(session, job):
    started = datetime.datetime.now(datetime.timezone.utc)
    begun = time.monotonic()
    job = json.loads(job) if isinstance(job, str) else job
    if not isinstance(job, dict):
        raise LoadError("config", f"a job is an object, not a {type(job).__name__}")
    client = Http(job.get("credentials") or {})
    component = Guest(_imports())
    before, text = _ms(begun), json.dumps(job, ensure_ascii=False)
    try:
        report, measured = run(component, text, started.isoformat(), Snowflake(session, client))
    except LoadError as error:
        told = error.details
        where = {name: job.get(key) for key, name in NAMES.items()} | {"destination": "snowcat", "engine": component.engine}
        raise LoadError(told["kind"], client.scrub(told["message"]), map(client.scrub, told["context"]), **where) from None
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


def _place(parts):
    """Scheme, host and port of a URL, if a request may go there."""
    host = (parts.hostname or "").lower()
    if not host:
        raise Refused("expected a URL with a host")
    if "@" in parts.netloc:
        raise Refused("expected a URL without a user; name a credential instead")
    if parts.scheme not in PORTS:
        raise Refused("expected a URL with https")
    if parts.scheme == "http" and host not in LOCAL:
        raise Refused("expected https, for the host is not this machine")
    return parts.scheme, host, parts.port or PORTS[parts.scheme]


def _host(place):
    scheme, host, port = place
    name = f"[{host}]" if ":" in host else host
    return name if port == PORTS[scheme] else f"{name}:{port}"


def _shown(url):
    """A URL as an error tells of it: without the query, where people put keys, and without a user."""
    scheme, mark, rest = re.split("[?#]", url, maxsplit=1)[0].rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"


def _hide(text, secrets):
    """The text without these secrets; what is shorter than four characters is none, and anywhere."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    return text


def _is_for(hosts, place):
    scheme, host, port = place
    name = f"[{host}]" if ":" in host else host
    known = [str(h).lower() for h in hosts]
    return f"{name}:{port}" in known or (port == PORTS[scheme] and name in known)


def _secret(getter, alias):
    try:
        import _snowflake as source
    except ImportError:
        from snowflake.snowpark import secrets as source
    return getattr(source, getter)(alias)


def _read_secret(getter, alias, credential):
    try:
        return _secret(getter, alias)
    except Exception as error:  # noqa: BLE001 - whatever it is that Snowflake raises
        why = f"the secret {alias!r} cannot be read: {type(error).__name__}"
        raise Refused(f"the credential {credential}: {why}") from None


def _imports():
    return sys._xoptions["snowflake_import_directory"]


def _tls():
    """Certificates are checked against the system's authorities and certifi's, where there are such."""
    context = ssl.create_default_context()
    try:
        import certifi
    except ImportError:
        return context
    context.load_verify_locations(certifi.where())
    return context


def _decoded(data, headers, limit):
    """The text of a body, decompressed; a few bytes can stand for many, so no more are unpacked than may be."""
    encoding = next((value.strip().lower() for name, value in headers if name == "content-encoding"), "")
    large = Refused(f"the body is larger than the limit of {limit} bytes")
    if len(data) > limit:
        raise large
    if data and encoding not in ("", "identity"):
        if encoding in ("gzip", "x-gzip"):
            bits = 16 + zlib.MAX_WBITS
        elif encoding == "deflate":  # by the book it is zlib's format; some send it bare
            bits = zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS
        else:
            raise Refused(f'expected a body compressed with gzip, deflate or not, found "{encoding}"')
        parts, size = [], 0
        while data:
            member = zlib.decompressobj(bits)
            try:
                parts.append(member.decompress(data, limit + 1 - size))
            except zlib.error as error:
                raise Refused(f"the body cannot be decompressed: {error}", transient=True) from None
            size += len(parts[-1])
            if size > limit:
                raise large
            if not member.eof:
                raise Refused("the body cannot be decompressed: it ends too early", transient=True)
            data = member.unused_data if bits > zlib.MAX_WBITS else b""
        data = b"".join(parts)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"expected a body in UTF-8, found other bytes at {error.start}") from None


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


def _pages(file, content):
    """The file's text, page by page, decompressed; Parquet and Arrow as a JSON object a row."""
    file = io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file
    head = file.read(4)
    file = _Chained(head, file)
    if head.startswith(b"\x1f\x8b"):
        file = gzip.GzipFile(fileobj=io.BufferedReader(file))
    elif head == b"\x28\xb5\x2f\xfd":
        import pyarrow as pa

        file = pa.input_stream(io.BufferedReader(file), compression="zstd")
    if content != "text":
        yield from _rows(file, content)
        return
    text = io.TextIOWrapper(io.BufferedReader(file, 1 << 20), encoding="utf-8", newline="")
    while page := text.read(PAGE):
        yield page


class _Chained(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head, rest):
        self._head, self._rest = head, rest

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._head[: len(buffer)] or self._rest.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _rows(file, content):
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.BufferReader((io.BufferedReader(file) if isinstance(file, io.RawIOBase) else file).read())
    if content == "parquet":
        batches = pq.ParquetFile(data).iter_batches(ROWS)
    elif data.read(6) == b"ARROW1":
        reader = pa.ipc.open_file(data)
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        data.seek(0)
        batches = pa.ipc.open_stream(data)
    for batch in batches:
        for start in range(0, batch.num_rows, ROWS):
            part = batch.slice(start, ROWS)
            columns = [(json.dumps(name, ensure_ascii=False), _values(column))
                       for name, column in zip(part.schema.names, part.columns, strict=True)]  # fmt: skip
            rows = zip(*(values for _, values in columns), strict=True)
            names = [name for name, _ in columns]
            yield "".join("{%s}\n" % ",".join(map("%s:%s".__mod__, zip(names, row, strict=True))) for row in rows)  # noqa: UP031


def _values(column):
    """The values of an Arrow column as JSON texts; finer than microseconds is cut off, as in the tables."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return _values(column.dictionary_decode())
    kind = _told(column.type)
    if kind != column.type:
        column = column.cast(kind, safe=False)
    return [_json(value) for value in column.to_pylist()]


def _told(kind):
    """The type whose values Python can tell: no nanoseconds, however deep they are, and no zones but UTC."""
    import pyarrow as pa

    types = pa.types
    if types.is_timestamp(kind):
        return pa.timestamp("us" if kind.unit == "ns" else kind.unit, kind.tz and "UTC")
    if types.is_time64(kind):
        return pa.time64("us")
    if types.is_duration(kind):
        return pa.duration("us" if kind.unit == "ns" else kind.unit)
    if types.is_struct(kind):
        return pa.struct([_told_field(kind.field(number)) for number in range(kind.num_fields)])
    if types.is_map(kind):
        return pa.map_(_told_field(kind.key_field), _told_field(kind.item_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_told_field(kind.value_field), kind.list_size)
    if types.is_large_list(kind):
        return pa.large_list(_told_field(kind.value_field))
    if types.is_list(kind):
        return pa.list_(_told_field(kind.value_field))
    return kind


def _told_field(field):
    return field.with_type(_told(field.type))


def _json(value):
    if value is None or value is True or value is False or isinstance(value, (int, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "null"
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, uuid.UUID):
        return f'"{value}"'
    if isinstance(value, (datetime.date, datetime.time)):  # a datetime is a date
        return f'"{value.isoformat()}"'
    if isinstance(value, datetime.timedelta):
        return format(decimal.Decimal(value // datetime.timedelta(microseconds=1)).scaleb(-6), "f")
    if isinstance(value, dict):
        return "{%s}" % ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_json(inner)}" for key, inner in value.items())  # noqa: UP031
    if isinstance(value, tuple):  # an entry of a map
        return _json(dict(zip(("key", "value"), value, strict=True)))
    return f"[{','.join(map(_json, value))}]"


def _ms(since):
    return round(1000 * (time.monotonic() - since), 1)
