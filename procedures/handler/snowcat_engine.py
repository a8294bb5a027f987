"""Loads the component, precompiled or not, with an engine that the sandbox allows."""

import os
import sys
import time

import snowcat_runtime
from snowcat_fault import LoadError

# The runtime may be in a zip among the imports, so it is unpacked before anything imports it.
snowcat_runtime.import_wasmtime(snowcat_runtime.imports())

from snowcat_limits import Exceeded, Limits
from snowcat_release import INTERFACE
from wasmtime import Config, Engine, Store, WasmtimeError, _bindings
from wasmtime.component import Component, Linker, Record, Variant

__all__ = ["Guest", "Record", "Variant", "configured", "precompiled_key", "to_plain", "to_record"]

STATIC = ("start", "start-within", "start-approved", "start-doctor")
EXPORTS = (
    *(f"[static]load.{name}" for name in STATIC),
    "[method]load.resume",
    "[method]load.payload-base64",
)
# The engines, in the order in which they are tried: the sandbox may not allow all. `limited` needs
# less than 1 GB of address space; `pulley64` is an interpreter and needs no executable memory. A
# precompiled file fits an engine of the same settings only, so `package.py` compiles with these.
# The component has no concurrent calls.
DEFAULT = {"concurrency_support": False}
LIMITED = {
    **DEFAULT,
    "memory_reservation": 0,
    "memory_guard_size": 0,
    "memory_reservation_for_growth": 1 << 20,
    "signals_based_traps": False,
    "memory_init_cow": False,
}
ENGINES = {"default": DEFAULT, "limited": LIMITED, "pulley64": {**LIMITED, "target": "pulley64"}}
AUTOMATIC = "automatic"
# The exceptions of an engine that the sandbox does not allow.
REFUSED = (WasmtimeError, OSError, MemoryError)


class Guest:
    """The component, with the first engine that the sandbox allows, or with a given one."""

    def __init__(self, directory, engine=None):
        started, reasons = time.monotonic(), []
        for name in _wanted(directory, engine):
            try:
                made = Engine(configured(ENGINES[name]))
                component, self.by = _component(made, directory, name)
                self.store = Store(made)
                self.limits = Limits(self.store)
                self.instance = Linker(made).instantiate(self.store, component)
                self.engine = name
                break
            except REFUSED as error:
                reasons.append(f"{name}: {_first_line(error)}")
        else:
            raise LoadError("host", "no engine can run the component", reasons)
        # Each returns its result, or a fault as a `Record`.
        exports = map(self._export, EXPORTS)
        (
            self.start,
            self.start_within,
            self.start_approved,
            self.start_doctor,
            self.resume,
            self.payload,
        ) = exports
        self.load_ms = round(1000 * (time.monotonic() - started), 1)

    def _export(self, name):
        loads = self.instance.get_export_index(self.store, INTERFACE)
        function = self.instance.get_func(
            self.store, self.instance.get_export_index(self.store, name, loads)
        )

        def call(*arguments):
            try:
                return self.limits.call(function, self.store, *arguments)
            except Exceeded as error:
                raise LoadError("limit", str(error)) from error
            except WasmtimeError as error:
                raise LoadError("internal", f"the component trapped: {error}") from error

        return call


def configured(settings):
    """A configuration of the runtime with these settings."""
    config = Config()
    for key, value in settings.items():
        if key == "concurrency_support":
            # The package has no property for it, only the library's function.
            _bindings.wasmtime_config_concurrency_support_set(config.ptr(), value)
        else:
            setattr(config, key, value)
    return config


def precompiled_key(name, machine):
    """The key of the precompiled file for an engine and a machine: `snowcat.<key>.cwasm`."""
    # An interpreter's code is the same on all machines.
    return name if "target" in ENGINES[name] else f"{machine}.{name}"


def to_record(fields):
    """A record of the interface."""
    made = Record()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def to_plain(value):
    """A value of the interface as a value of JSON."""
    if isinstance(value, Record):
        return {name: to_plain(inner) for name, inner in vars(value).items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(inner) for inner in value]
    return value


def _wanted(directory, engine):
    """The engines to try: the one of the call, else of `engine.txt` among the imports, else all."""
    where = "the settings"
    if engine is None:
        where, path = "engine.txt", os.path.join(directory, "engine.txt")
        if not os.path.exists(path):
            return list(ENGINES)
        with open(path, encoding="utf-8") as file:
            engine = file.read().strip()
    if engine in ("", AUTOMATIC):
        return list(ENGINES)
    if engine not in ENGINES:
        raise LoadError(
            "config",
            f"expected an engine of {', '.join([AUTOMATIC, *ENGINES])}, found {engine!r}",
            [where],
        )
    return [engine]


def _component(engine, directory, name):
    """The component for this engine, and how it was loaded: by `file`, `bytes` or `compiled`."""
    file = f"snowcat.{precompiled_key(name, snowcat_runtime.machine())}.cwasm"
    path = os.path.join(directory, file)
    if os.path.exists(path):
        try:
            return Component.deserialize_file(engine, path), "file"
        except REFUSED as error:
            # The file may be in a file system that does not allow executable mappings.
            print(f"{file}: {_first_line(error)}; loading its bytes", file=sys.stderr)
        try:
            with open(path, "rb") as data:
                return Component.deserialize(engine, data.read()), "bytes"
        except REFUSED as error:
            # It is of another release of the runtime. The portable file works, and loads slower.
            print(
                f"{file} does not fit this runtime ({_first_line(error)}); compiling snowcat.wasm",
                file=sys.stderr,
            )
    return Component.from_file(engine, os.path.join(directory, "snowcat.wasm")), "compiled"


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]
