"""Fixtures of all Python tests: the emulator, a package to install, and the built component."""

from __future__ import annotations

import gc
import os
import pathlib

import pytest
from wasmtime import wat2wasm

ROOT = pathlib.Path(__file__).resolve().parents[1]

from emulator import Lab


def pytest_collection_finish() -> None:
    """What is imported by now is never garbage: to look for it again and again takes a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def lab():
    """An account with the database RAW and the empty schemas RAW.J and RAW.JS."""
    with Lab() as made:
        made.script('CREATE SCHEMA "RAW"."J"; CREATE SCHEMA "RAW"."JS";')
        yield made


@pytest.fixture(scope="session")
def hollow_package(tmp_path_factory) -> pathlib.Path:
    """A package like the real one with a component that does nothing: sufficient for installation."""
    import package

    folder = tmp_path_factory.mktemp("hollow")
    component = folder / "hollow.wasm"
    component.write_bytes(wat2wasm("(component)"))
    package.package(component, folder / "package")
    return folder / "package"


@pytest.fixture(scope="session")
def component() -> pathlib.Path:
    """The built component, or the one in SNOWCAT_COMPONENT."""
    built = pathlib.Path(os.environ.get("SNOWCAT_COMPONENT", ROOT / "target/component/snowcat.wasm"))
    if not built.exists():
        pytest.fail(f"{built} is not there: build the component first (make component)")
    return built


@pytest.fixture(scope="session")
def guest(request):
    """The component, compiled once; or the native library if SNOWCAT_LIBRARY names its program."""
    from conformance.guests import Component, Library

    program = os.environ.get("SNOWCAT_LIBRARY")
    made = Library(pathlib.Path(program)) if program else Component(request.getfixturevalue("component"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def built_package(component, tmp_path_factory) -> pathlib.Path:
    """The package around the built component."""
    import package

    out = tmp_path_factory.mktemp("package") / "package"
    package.package(component, out)
    return out
