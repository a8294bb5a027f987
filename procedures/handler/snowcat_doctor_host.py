"""The checks of a procedure's sandbox: machine, packages, engines, memory, network, secrets.

This file imports only Python's own library, so that it can report what is wrong with the rest.
A check is a row: NAME, RESULT, ASSUMED, SEEN, REMEDY.
"""

import ctypes
import importlib
import importlib.metadata
import mmap
import os
import platform
import resource
import socket
import ssl
import sys
import tempfile
import time

from snowcat_release import WASMTIME

HOLDS, FAILS, UNTRIED = "holds", "does not hold", "not tried"
# The oldest C library for the wheels of wasmtime, by machine.
GLIBC = {"x86_64": (2, 28), "aarch64": (2, 18)}
# The endings of the package's files.
OWN_ENDINGS = (".py", ".wasm", ".cwasm", ".zip", ".txt")
# `mov eax, 42; ret`
RETURNS_42 = {"x86_64": b"\xb8\x2a\x00\x00\x00\xc3"}
PROBE = "CALL SNOWCAT.CODE.P_DOCTOR_PROBE"

PROBE_ARGUMENT = (
    f"{PROBE}('argument', PARSE_JSON('{{\"b\": 1.5, \"a\": [1.25, null, 12345678901234567890123]}}')); "
    "and pass jobs as text"
)

# What is assumed, and the remedy if it does not hold.
RULES = {
    "machine.processor": (
        "The machine is x86-64 or 64-bit ARM",
        "Other processors have no precompiled component, and maybe no wasmtime",
    ),
    "machine.python": (
        "Python is 3.10 or newer",
        "Set RUNTIME_VERSION = '3.11' in the CREATE PROCEDURE statements",
    ),
    "machine.c_library": (
        "The C library is glibc, 2.28 or newer (2.18 on ARM)",
        "wasmtime cannot be loaded: please report it",
    ),
    "machine.memory": (
        "The process has 1 GiB of address space or more",
        "Use a larger warehouse, or the engine that needs least: P_DOCTOR_PROBE('engine limited')",
    ),
    "machine.temporary": (
        "A file can be written to the folder for temporary files",
        "Please report it",
    ),
    "machine.imports": (
        "The imports of the procedure are files of the package only",
        "Files of others among the imports are passed over; a JSON among them may be taken for a job",
    ),
    "runtime.wasmtime": (
        f"wasmtime {WASMTIME} can be imported",
        "Look at SEEN: a wheel without a Linux library was installed, or a packages policy forbids it",
    ),
    "runtime.wheel": (
        "The wheel of wasmtime is one for Linux, with a shared library",
        "The package repository took the wheel of another platform: please report it with the tag",
    ),
    "runtime.packages": (
        "snowpark, its connector and pyarrow are installed",
        "Create the procedures again",
    ),
    "runtime.component": (
        "The component can be loaded, and says its first step",
        "Try the other engines: P_DOCTOR_PROBE('engine limited'), P_DOCTOR_PROBE('engine pulley64')",
    ),
    "network.other_host": (
        "A host that no network rule names is rejected, within 10 seconds",
        "The integration's rules are wider than they need to be; or a mistyped host makes a load wait",
    ),
    "network.hosts": (
        "The hosts of the jobs can be reached",
        "CALL SNOWCAT.CODE.P_DOCTOR(.., HOSTS => 'your-site.atlassian.net'): hosts that the rule names",
    ),
    "engine.default": (
        "The engine `default` runs the component; a procedure tries it first",
        f"{PROBE}('engine default'): in a CALL of its own, since a killed process cannot report",
    ),
    "engine.limited": (
        "The engine `limited` runs it in less address space",
        f"{PROBE}('engine limited')",
    ),
    "engine.pulley64": (
        "The engine `pulley64` runs it without executable memory",
        f"{PROBE}('engine pulley64')",
    ),
    "memory.rwx": ("Memory may be writable and executable at once", f"{PROBE}('memory rwx')"),
    "memory.rx": (
        "Memory that was written may be made executable, as engines do",
        f"{PROBE}('memory rx')",
    ),
    "memory.file": (
        "A file of the imports may be mapped to be executed",
        f"{PROBE}('memory file')",
    ),
    "call.argument": (
        "A VARIANT argument keeps numbers as numbers, and the order of keys",
        PROBE_ARGUMENT,
    ),
    "call.null": ("SQL NULL for a VARIANT argument arrives as None", f"{PROBE}('argument', NULL)"),
    "call.error": (
        "The caller sees the whole text of an error of 8,000 characters",
        f"{PROBE}('error', TO_VARIANT(8000)): it fails; the text begins with `begin` and ends with `end`",
    ),
    "call.result": ("A procedure returns 1 MB", f"{PROBE}('result', TO_VARIANT(1000000))"),
    "call.task": (
        "A task gets the same results",
        "Run P_DOCTOR in a task, and compare: see the documentation of the doctor",
    ),
    "time.statements": (
        "A load sends about 42 statements, which take 0.3 to 2 seconds each",
        "Use another warehouse",
    ),
}


def row(name, holds, seen, rule=None, remedy=None):
    """A check; `holds` is None if it was not tried. `rule` is its key in `RULES`, if another."""
    assumed, usual = RULES[rule or name]
    result = UNTRIED if holds is None else HOLDS if holds else FAILS
    remedy = "" if holds else usual if remedy is None else remedy
    return {"NAME": name, "RESULT": result, "ASSUMED": assumed, "SEEN": str(seen), "REMEDY": remedy}


def attempt(name, check, *arguments, rule=None):
    """The row of a check that returns whether it holds, and what was seen."""
    try:
        holds, seen = check(*arguments)
    except Exception as error:  # noqa: BLE001 - the row reports it
        holds, seen = False, on_one_line(error)
    return row(name, holds, seen, rule)


def on_one_line(error):
    """An error on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:1000]


# --- machine and packages -----------------------------------------------------------


def machine_name():
    """The processor, by the name that the files of the package have."""
    name = platform.machine().lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name)


def machine():
    """The checks of the machine and the process."""
    checks = {
        "processor": _processor,
        "python": _python,
        "c_library": _c_library,
        "memory": _memory,
        "temporary": _temporary,
        "imports": _imports,
    }
    return [attempt(f"machine.{name}", check) for name, check in checks.items()]


def _processor():
    return (
        machine_name() in GLIBC,
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.platform()}",
    )


def _python():
    return sys.version_info >= (3, 10), sys.version.split()[0]


def _c_library():
    name, version = platform.libc_ver()
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return name == "glibc" and parts >= GLIBC.get(
        machine_name(), (2, 28)
    ), f"{name} {version}".strip() or "unknown"


def _memory():
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    shown = [
        "address space: no limit"
        if limit == resource.RLIM_INFINITY
        else f"address space: {limit >> 20} MiB"
    ]
    for place in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(place, encoding="ascii") as file:
                shown.append(f"{place}: {file.read().strip()}")
        except OSError as error:
            shown.append(f"{place}: {error.strerror}")
    return limit == resource.RLIM_INFINITY or limit >= 1 << 30, "; ".join(shown)


def _temporary():
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x" * 65536)
        file.flush()
        room = os.statvfs(file.name)
        return True, f"{tempfile.gettempdir()}, {room.f_bavail * room.f_frsize >> 20} MiB free"


def _imports():
    folder = sys._xoptions["snowflake_import_directory"]
    names = sorted(os.listdir(folder))
    sizes = [f"{name} {os.path.getsize(os.path.join(folder, name))}" for name in names]
    return all(name.endswith(OWN_ENDINGS) for name in names), f"{folder}: {', '.join(sizes)}"


def runtime():
    """The packages of the procedure."""
    rows = [
        attempt(f"runtime.{name}", check)
        for name, check in (("wasmtime", _wasmtime), ("wheel", _wheel))
    ]
    return [*rows, attempt("runtime.packages", _packages)]


def _wasmtime():
    module = importlib.import_module("wasmtime")
    version = importlib.metadata.version("wasmtime")
    return version == WASMTIME, f"{version} in {os.path.dirname(module.__file__)}"


def _wheel():
    found = importlib.metadata.distribution("wasmtime")
    tags = [
        line for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:")
    ]
    libraries = [
        str(file) for file in found.files or () if file.name.endswith((".so", ".dll", ".dylib"))
    ]
    return any(
        file.endswith(".so") for file in libraries
    ), f"{', '.join(tags) or 'no tag'}; {', '.join(libraries) or 'no library'}"


def _packages():
    shown, whole = [], True
    for name in ("snowflake-snowpark-python", "snowflake-connector-python", "pyarrow"):
        try:
            shown.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            shown.append(f"{name} is missing")
            whole = False
    return whole, ", ".join(shown)


# --- network and secrets -----------------------------------------------------------


def network(hosts, fetch):
    """Each host, by name, TLS and requests by the `fetch` of loads; and one that no rule names."""
    rows = [attempt(f"network.{host}", _host, host, fetch, rule="network.hosts") for host in hosts]
    if not hosts:
        rows.append(row("network.hosts", None, "no host was given"))
    return [*rows, attempt("network.other_host", _other_host, fetch)]


def _host(host, fetch):
    name, _, port = host.partition(":")
    shown = []
    begun = time.monotonic()
    found = socket.getaddrinfo(name, int(port or 443), type=socket.SOCK_STREAM)
    shown.append(f"{len(found)} addresses in {_ms(begun)} ms")
    for store, context in _stores():
        begun = time.monotonic()
        try:
            with (
                socket.create_connection((name, int(port or 443)), 30) as plain,
                context.wrap_socket(plain, server_hostname=name) as tls,
            ):
                shown.append(f"{tls.version()} with the certificates of {store} in {_ms(begun)} ms")
        except OSError as error:
            shown.append(f"TLS with the certificates of {store}: {on_one_line(error)}")
    reached = True
    for count in (1, 1, 8):
        begun = time.monotonic()
        request = {
            "method": "GET",
            "url": f"https://{host}/",
            "headers": [],
            "auth": None,
            "body": None,
        }
        answers = fetch([request] * count)
        seen = sorted({str(answer.get("status") or answer.get("message")) for _, answer in answers})
        reached &= all("status" in answer or answer["code"] for _, answer in answers)
        shown.append(f"{count} GET: {', '.join(seen)} in {_ms(begun)} ms")
    return reached, "; ".join(shown)


def _stores():
    yield "the system", ssl.create_default_context()
    try:
        certifi = importlib.import_module("certifi")
    except ImportError:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    yield "certifi", context


def _other_host(fetch):
    begun = time.monotonic()
    request = {
        "method": "GET",
        "url": "https://snowcat-not-allowed.example/",
        "headers": [],
        "auth": None,
        "body": None,
    }
    ((case, answer),) = fetch([request])
    spent = _ms(begun)
    return case == "err" and not answer[
        "code"
    ] and spent < 10_000, f"{answer.get('message') or answer.get('status')} in {spent} ms"


def secrets(aliases, read):
    """Each secret by each getter: types and lengths, never a value."""
    return [_secret(alias, read) for alias in aliases]


def _secret(alias, read):
    shown, readable = [], False
    getters = (
        "get_secret_type",
        "get_generic_secret_string",
        "get_username_password",
        "get_oauth_access_token",
    )
    for getter in getters:
        try:
            value = read(getter, alias)
        except Exception as error:  # noqa: BLE001 - its type is reported; its text may quote the value
            shown.append(f"{getter}: {type(error).__name__}")
            continue
        if getter == "get_secret_type":
            shown.append(f"{getter}: {value}")
            continue
        parts = (
            {"username": value.username, "password": value.password}
            if hasattr(value, "password")
            else {"text": value}
        )
        sizes = [f"{name} of {len(part)} characters{_odd(part)}" for name, part in parts.items()]
        readable |= all(part.strip() for part in parts.values())
        shown.append(f"{getter}: {', '.join(sizes)}")
    return {
        "NAME": f"secrets.{alias}",
        "RESULT": HOLDS if readable else FAILS,
        "ASSUMED": "The secret can be read by one of the getters, and is not empty",
        "SEEN": "; ".join(shown),
        "REMEDY": ""
        if readable
        else "GRANT READ ON SECRET .. TO ROLE SNOWCAT_OWNER, and name it in SECRETS and in the integration",
    }


def _odd(text):
    return (
        ""
        if text == text.strip() and text.isprintable()
        else ", with white space at an end or a control character"
    )


# --- what may end the process ---------------------------------------------------------


def memory(kind):
    """Whether memory of this kind may be executed: `rwx`, `rx` or `file`."""
    return attempt(f"memory.{kind}", {"rwx": _rwx, "rx": _rx, "file": _file}[kind])


def _rwx():
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    return True, f"mapped; {_executed(page)}"


def _rx():
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    code = RETURNS_42.get(machine_name())
    page.write(code or b"\0")
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    library = ctypes.CDLL(None, use_errno=True)
    if library.mprotect(ctypes.c_void_p(place), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC):
        return False, os.strerror(ctypes.get_errno())
    return True, f"made executable; {_executed(page, written=True)}"


def _executed(page, written=False):
    """Run code in the page, on a processor whose code is known."""
    code = RETURNS_42.get(machine_name())
    if code is None:
        return "not executed on this processor"
    if not written:
        page.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(page))
    found = ctypes.CFUNCTYPE(ctypes.c_int)(place)()
    return f"code in it gave {found} of 42"


def _file():
    folder = sys._xoptions["snowflake_import_directory"]
    name = max(os.listdir(folder), key=lambda name: os.path.getsize(os.path.join(folder, name)))
    with (
        open(os.path.join(folder, name), "rb") as file,
        mmap.mmap(
            file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC
        ) as page,
    ):
        return True, f"{name}, {len(page)} bytes"


def argument(value):
    """The check of a VARIANT argument as it arrives."""
    if value is None or getattr(value, "is_sql_null", False):
        return row("call.null", value is None, f"{type(value).__name__}: {value!r}"[:200])
    shape = _shape(value)
    kept = isinstance(value, dict) and list(value) == ["b", "a"] and isinstance(value["b"], float)
    return row("call.argument", kept, shape)


def _shape(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shape(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shape, value)) + "]"
    return f"{type(value).__name__} {value!r}"[:200]


def _ms(begun):
    return round(1000 * (time.monotonic() - begun))
