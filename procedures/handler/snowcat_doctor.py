"""P_DOCTOR: examines the account and the sandbox, and returns one row per check.

The component makes the checks in SQL (`start-doctor` in `wit/loads.wit`); those of the process are
in `snowcat_doctor_host.py`. The result is an array of objects: for a table, Snowpark would run SQL
of its own, and the doctor must work where that fails.
"""

import collections
import datetime
import json
import os
import time

import snowcat_doctor_host as host
from snowcat_doctor_host import row

try:
    import snowcat_credentials
    import snowcat_engine as engines
    import snowcat_procedure as loads
    from snowcat_runtime import imports
    from wasmtime import Engine, Instance, Module, Store, Trap, WasmtimeError, wat2wasm
    from wasmtime.component import Component
except Exception as error:  # noqa: BLE001 - a row reports it; wheels fail differently
    loads, BROKEN = None, host.on_one_line(error)

VERDICTS = {"holds": host.HOLDS, "fails": host.FAILS, "untried": host.UNTRIED}
# Checks that run in a CALL of their own: they can end the process or the CALL.
ALONE = (
    "engine.default",
    "engine.limited",
    "engine.pulley64",
    "memory.rwx",
    "memory.rx",
    "memory.file",
    "call.argument",
    "call.null",
    "call.error",
    "call.result",
    "call.task",
)
PROBES = (
    "engine default",
    "engine limited",
    "engine pulley64",
    "memory rwx",
    "memory rx",
    "memory file",
    "argument",
    "error",
    "result",
)
TRAPS = '(module (memory (export "memory") 1) (func (export "trap") unreachable))'
PAGES_OF_64_MIB = 1024


def doctor(session, database, dataset, hosts, aliases, wait_seconds, engine):  # noqa: PLR0913
    """P_DOCTOR: the checks that cannot end the process."""
    rows = [*host.machine(), *host.runtime()]
    if loads is None:
        rows.append(row("runtime.component", None, f"the runtime cannot be imported: {BROKEN}"))
    else:
        rows += _examined(
            session,
            {"database": database, "dataset": dataset, "wait_seconds": wait_seconds},
            engine,
        )
        rows += host.network(_names(hosts), loads.Http({}).fetch)
        rows += host.secrets(_names(aliases), snowcat_credentials.secret)
    return rows + [row(name, None, "it runs in a CALL of its own") for name in ALONE]


def second(session, database, dataset, wait_seconds, engine):
    """P_DOCTOR_SECOND: the second session of the checks that need two."""
    if loads is None:
        return [row("runtime.component", None, f"the runtime cannot be imported: {BROKEN}")]
    options = {
        "database": database,
        "dataset": dataset,
        "wait_seconds": wait_seconds,
        "role": "second",
    }
    return _examined(session, options, engine)


def probe(_session, name, argument):
    """P_DOCTOR_PROBE: one check that can end the process or the CALL."""
    kind, _, detail = name.partition(" ")
    if name not in PROBES:
        return [
            {
                "NAME": name,
                "RESULT": host.UNTRIED,
                "ASSUMED": "",
                "SEEN": "no such probe",
                "REMEDY": f"Any of: {', '.join(PROBES)}",
            }
        ]
    if kind == "memory":
        return [host.memory(detail)]
    if kind == "engine":
        if loads is None:
            return [row(f"engine.{detail}", False, BROKEN)]
        return _engine(detail)
    if kind == "argument":
        return [host.argument(argument)]
    size = int(argument or 8000)
    if kind == "error":
        raise RuntimeError(f"begin {'x' * (size - 10)} end")
    return [row("call.result", True, "x" * size)]


def _names(text):
    return [name.strip() for name in (text or "").split(",") if name.strip()]


class Timed:
    """A procedure's session that measures its statements."""

    def __init__(self, inner):
        self._inner = inner
        self.spent = collections.defaultdict(list)

    def sql(self, statements):
        """Run the statements; their times are kept by their first words."""
        outcomes = []
        for statement in statements:
            words = statement.split()
            kind = " ".join(words[: 2 if words[0] in ("ALTER", "CREATE", "DROP", "SHOW") else 1])
            begun = time.monotonic()
            try:
                outcomes += self._inner.sql([statement])
            finally:
                self.spent[kind].append(time.monotonic() - begun)
        return outcomes

    def upload(self, stage, path, data):
        """Put a file; its time is kept by its size."""
        begun = time.monotonic()
        try:
            self._inner.upload(stage, path, data)
        finally:
            self.spent[f"upload of {'12 MiB' if len(data) > 10 << 20 else 'a file'}"].append(
                time.monotonic() - begun
            )

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def row(self):
        """The check of the times."""
        shown = [
            f"{kind} {len(times)}, on average {sum(times) / len(times):.3f} s, at most {max(times):.3f} s"
            for kind, times in sorted(self.spent.items())
        ]
        times = [
            spent
            for kind, found in self.spent.items()
            for spent in found
            if not kind.startswith("upload")
        ]
        usual = sorted(times)[len(times) // 2] if times else 0.0
        total = f"{len(times)} statements in {sum(times):.1f} s"
        seen = f"{total}, the one in the middle {usual:.3f} s: {'; '.join(shown)}"
        return row("time.statements", usual < 2.0, seen)


def _examined(session, options, engine):
    """The component's checks, and the times of its statements."""
    begun = time.monotonic()
    try:
        component = engines.Guest(imports(), engine)
    except (KeyError, loads.LoadError) as error:
        return [row("runtime.component", False, f"engine {engine}: {host.on_one_line(error)}")]
    rows = [row("runtime.component", True, f"engine {engine} in {time.monotonic() - begun:.1f} s")]
    warehouse = Timed(loads.Snowflake(session, loads.Http({})))
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    try:
        found, _ = loads.run(
            component, json.dumps(options), now, warehouse, start=component.start_doctor
        )
    except loads.LoadError as error:
        return [
            *rows,
            row("runtime.component", False, f"the examination ended: {host.on_one_line(error)}"),
            warehouse.row(),
        ]
    finally:
        component.limits.close()
    rows += [
        {
            "NAME": c["name"],
            "RESULT": VERDICTS[c["verdict"]],
            "ASSUMED": c["assumed"],
            "SEEN": c["seen"],
            "REMEDY": c["remedy"],
        }
        for c in found["checks"]
    ]
    return [*rows, warehouse.row()]


def _engine(name):
    """One engine: its precompiled files, the component, a trap, memory that grows."""
    engine = Engine(engines.configured(engines.ENGINES[name]))
    rule = f"engine.{name}"
    checks = (
        ("precompiled", _precompiled, engine),
        ("component", _component, name),
        ("trap", _trap, engine),
        ("growth", _growth, engine),
    )
    rows = [
        host.attempt(f"{rule}.{what}", check, given, rule=rule) for what, check, given in checks
    ]
    if ": does not fit" in rows[0]["SEEN"] and rows[0]["RESULT"] == host.FAILS:
        rows[0]["REMEDY"] = (
            "None needed: each CALL compiles the component, which takes some seconds"
        )
    return rows


def _precompiled(engine):
    shown, fits = [], False
    for name in sorted(os.listdir(imports())):
        if not name.endswith(".cwasm"):
            continue
        path = os.path.join(imports(), name)
        with open(path, "rb") as file:
            data = file.read()
        for way, load, given in (
            ("file", Component.deserialize_file, path),
            ("bytes", Component.deserialize, data),
        ):
            begun = time.monotonic()
            try:
                load(engine, given)
                shown.append(f"{name} by {way} in {1000 * (time.monotonic() - begun):.0f} ms")
                fits = True
            except WasmtimeError as error:
                shown.append(
                    f"{name} by {way}: does not fit ({' '.join(str(error).split())[:120]})"
                )
    return fits, "; ".join(shown) or "no precompiled file: does not fit"


def _component(name):
    begun = time.monotonic()
    component = engines.Guest(imports(), name)
    loaded = time.monotonic() - begun
    handle = component.start_doctor('{"database": "D", "dataset": "D"}', "2026-01-01T00:00:00Z")
    step = component.resume(handle, engines.Variant("start"))
    component.limits.close()
    return step.tag == "sql", f"loaded in {loaded:.2f} s; its first step is {step.tag}"


def _trap(engine):
    store = Store(engine)
    exports = Instance(store, Module(engine, wat2wasm(TRAPS)), []).exports(store)
    try:
        exports["trap"](store)
    except Trap as error:
        return True, f"caught: {str(error).splitlines()[-1].strip()}"
    return False, "no trap"


def _growth(engine):
    store = Store(engine)
    memory = Instance(store, Module(engine, wat2wasm(TRAPS)), []).exports(store)["memory"]
    memory.grow(store, PAGES_OF_64_MIB)
    return memory.size(store) == 1 + PAGES_OF_64_MIB, f"{memory.size(store) * 64 >> 10} MiB"
