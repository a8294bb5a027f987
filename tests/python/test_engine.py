"""The engine of the component in a procedure: its choice, its file, and the error if none runs."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import snowcat_engine
from snowcat_engine import ENGINES, Component, Guest, WasmtimeError
from snowcat_fault import LoadError

PROCEDURES = snowcat_engine.__file__.rsplit("/", 1)[0]
LIMITED = """
import resource, sys
limit = int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.path.insert(0, sys.argv[1])
import snowcat_engine
guest = snowcat_engine.Guest(sys.argv[2])
fault = guest.start("{}", "2026-01-01T00:00:00Z")
print(guest.engine, guest.by, fault.kind)
"""


def runs(guest: Guest) -> bool:
    """The component runs: an empty job returns its fault."""
    return guest.start("{}", "2026-01-01T00:00:00Z").kind == "config"


@pytest.fixture
def folder(built_package, tmp_path):
    """The package's component and its precompiled files, in a folder that a test may change."""
    for file in built_package.glob("snowcat.*"):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.mark.parametrize(("limit", "engine"), [(0, "default"), (1 << 30, "limited")])
def test_an_engine_is_found_for_the_address_space(built_package, limit, engine):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, PROCEDURES, str(built_package), str(limit)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.split() == [engine, "file", "config"], done.stderr


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_a_precompiled_file(folder, engine):
    guest = Guest(str(folder), engine)
    assert (guest.engine, guest.by) == (engine, "file") and runs(guest)


@pytest.mark.parametrize("engine", ENGINES)
def test_file_that_cannot_be_mapped_is_loaded_from_bytes(folder, monkeypatch, capsys, engine):
    def refused(*_):
        raise WasmtimeError("failed to create executable mapping: Operation not permitted")

    monkeypatch.setattr(Component, "deserialize_file", refused)
    guest = Guest(str(folder), engine)
    assert (guest.engine, guest.by) == (engine, "bytes") and runs(guest)
    assert "loading its bytes" in capsys.readouterr().err


@pytest.mark.parametrize("found", [b"junk", None])
def test_component_is_compiled_without_a_matching_file(folder, capsys, found):
    for file in folder.glob("*.cwasm"):
        file.unlink() if found is None else file.write_bytes(found)
    guest = Guest(str(folder), "pulley64")
    assert (guest.engine, guest.by) == ("pulley64", "compiled") and runs(guest)
    assert ("does not fit this runtime" in capsys.readouterr().err) == (found is not None)


@pytest.mark.parametrize("error", [WasmtimeError("no"), OSError(1, "no"), MemoryError()])
def test_disallowed_engine_is_skipped(folder, monkeypatch, error):
    made = snowcat_engine.Engine
    tried = []

    def engine(config):
        tried.append(config)
        if len(tried) == 1:
            raise error
        return made(config)

    monkeypatch.setattr(snowcat_engine, "Engine", engine)
    assert Guest(str(folder)).engine == "limited"


def test_error_without_an_engine_has_the_reason_of_each(folder, monkeypatch):
    def refused(_):
        raise MemoryError

    monkeypatch.setattr(snowcat_engine, "Engine", refused)
    with pytest.raises(LoadError) as caught:
        Guest(str(folder))
    assert caught.value.details["context"] == [f"{name}: MemoryError" for name in ENGINES]


@pytest.mark.parametrize(
    ("text", "engine"),
    [("automatic\n", "default"), ("", "default"), ("limited\n", "limited"), (" pulley64 ", "pulley64")],
)
def test_file_among_the_imports_selects_the_engine(folder, text, engine):
    (folder / "engine.txt").write_text(text)
    assert Guest(str(folder)).engine == engine
    # The engine of the call takes precedence.
    assert Guest(str(folder), "limited").engine == "limited"


def test_selected_engine_is_the_only_one_tried(folder, monkeypatch):
    tried = []
    monkeypatch.setattr(snowcat_engine, "configured", lambda settings: tried.append(settings) or _refuse())
    (folder / "engine.txt").write_text("limited")
    with pytest.raises(LoadError, match="no engine can run"):
        Guest(str(folder))
    assert tried == [ENGINES["limited"]]


def _refuse():
    raise WasmtimeError("no")


def test_unknown_engine_is_reported(folder):
    (folder / "engine.txt").write_text("jit")
    for engine, where in ((None, "engine.txt"), ("jit", "the settings")):
        with pytest.raises(LoadError) as caught:
            Guest(str(folder), engine)
        reported = caught.value.details
        assert reported["kind"] == "config" and reported["context"] == [where]
        assert reported["message"] == "expected an engine of automatic, default, limited, pulley64, found 'jit'"
