"""The content of `make package`: the precompiled files, the scripts, and the runtime of an offline installation."""

from __future__ import annotations

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version

import package
import pytest
import scripts
import snowcat_engine
import snowcat_release
import wasmtime

PROCEDURES = pathlib.Path(package.__file__).parents[1]
SCRIPTS = scripts.scripts()
# ELF: the numbers of the machines (wasmtime uses RISC-V's for its interpreter), and the values that it writes for its
# own system and for a component.
MACHINES = {"x86_64": 62, "aarch64": 183, "pulley64": 243}
WASMTIME_ABI, COMPONENT = 200, 2
FILES = {
    "snowcat.x86_64.default.cwasm": ("x86_64", "default"),
    "snowcat.x86_64.limited.cwasm": ("x86_64", "limited"),
    "snowcat.aarch64.default.cwasm": ("aarch64", "default"),
    "snowcat.aarch64.limited.cwasm": ("aarch64", "limited"),
    "snowcat.pulley64.cwasm": ("pulley64", "pulley64"),
}


# --- precompiled files -------------------------------------------------------------


class Header:
    """The metadata of a precompiled file: an ELF file with the engine's settings in a section."""

    def __init__(self, file: pathlib.Path) -> None:
        data = file.read_bytes()
        assert data[:6] == b"\x7fELF\x02\x01", "64 bits, little-endian"
        self.abi, self.machine = data[7], struct.unpack_from("<H", data, 18)[0]
        (self.flags,) = struct.unpack_from("<I", data, 48)
        (at,) = struct.unpack_from("<Q", data, 40)
        size, count, names = struct.unpack_from("<HHH", data, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, at + size * n) for n in range(count)]
        text = data[sections[names][4] :]
        for section in sections:
            if text[section[0] : text.index(b"\0", section[0])] == b".wasmtime.engine":
                self._engine(data[section[4] : section[4] + section[5]])

    def _engine(self, data: bytes) -> None:
        """Wasmtime's version, the target, the flags of the compiler, then the settings that must equal the host's
        engine.
        """
        assert data[0] == 0
        self.version, self.data = data[2 : 2 + data[1]].decode(), data[2 + data[1] :]
        self.target = self._text()
        self.compiler = self._flags()
        self.instructions = self._flags()
        self.tunables = self.data

    def _flags(self) -> dict[str, object]:
        found = {}
        for _ in range(self._number()):
            name, kind = self._text(), self._number()
            found[name] = self._text() if kind == 0 else self._number()
        return found

    def _number(self) -> int:
        number = shift = 0
        while True:
            byte, self.data = self.data[0], self.data[1:]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def _text(self) -> str:
        size = self._number()
        text, self.data = self.data[:size], self.data[size:]
        return text.decode()


@pytest.mark.parametrize("name", FILES)
def test_precompiled_files_have_the_settings_of_their_engine(built_package, name):
    machine, engine = FILES[name]
    header = Header(built_package / name)
    assert (header.abi, header.machine) == (WASMTIME_ABI, MACHINES[machine])
    assert header.flags & COMPONENT
    assert header.version == package.WASMTIME.split(".")[0] == version("wasmtime").split(".")[0]
    assert header.target.split("-")[0] == machine
    # No features of newer processors only.
    assert not [flag for flag, on in header.instructions.items() if on == 1 and flag.startswith(("has_", "use_"))]
    # The wheel loads the files for x86-64 (below); files for another machine have the same engine.
    if machine == "aarch64":
        assert header.tunables == Header(built_package / f"snowcat.x86_64.{engine}.cwasm").tunables


def test_every_machine_and_engine_has_a_file(built_package):
    assert {f.name for f in built_package.glob("*.cwasm")} == set(FILES)


def test_compiled_files_are_cached(component):
    first = package.precompiled(component)
    before = [f.stat().st_mtime_ns for f in first]
    assert package.precompiled(component) == first and [f.stat().st_mtime_ns for f in first] == before


# --- scripts ------------------------------------------------------------------------


def imports(text: str) -> list[list[str]]:
    """The files that each procedure of a script imports."""
    return [
        re.findall(r"@SNOWCAT\.CODE\.FILES/([^']+)", group)
        for group in re.findall(r"IMPORTS = \((.*?)\n  \)", text, re.S)
    ]


@pytest.mark.parametrize("script", SCRIPTS)
def test_procedures_import_the_whole_handler(built_package, script):
    needed = {
        f.name for f in built_package.iterdir() if re.fullmatch(r"snowcat[._].*|engine\.txt|policy\.json", f.name)
    }
    # Only the doctor needs its own files.
    if script != "doctor.sql":
        needed -= {"snowcat_doctor.py", "snowcat_doctor_host.py"}
    else:
        needed -= {"policy.json"}
    found = imports(SCRIPTS[script])
    assert found and SCRIPTS[script] == (built_package / script).read_text()
    for files in found:
        assert set(files) - needed <= {f"{name}.json" for name in package.READY_MADE}
        assert needed <= set(files) and all((built_package / name).exists() for name in files)
    # Each file of the package that a procedure imports is put on the stage.
    put = re.findall(r"PUT file://(\S+)", (built_package / "put.sql").read_text())
    assert {name for files in found for name in files} <= set(put)


@pytest.mark.parametrize("script", SCRIPTS)
def test_procedures_of_ready_made_jobs_import_one_job(script):
    """This is how the handler knows which job to run."""
    for procedure in SCRIPTS[script].split("CREATE OR REPLACE PROCEDURE ")[1:]:
        jobs = [name for name in imports(procedure)[0] if name.endswith(".json") and name != "policy.json"]
        handler = re.search(r"HANDLER = '(.*)'", procedure)[1]
        name = re.match(r"SNOWCAT\.CODE\.P_LOAD_(\w+)", procedure)
        ready_made = handler in ("snowcat_procedure.load_jira", "snowcat_procedure.load_ready_made")
        assert bool(name) == ready_made and jobs == ([f"{name[1].lower()}.json"] if name else [])


def test_every_job_is_ready_made_and_documented():
    files = {file.stem for file in (PROCEDURES / "jobs").glob("*.json")} - {"job.schema", "jira_allow_list"}
    assert files == set(package.READY_MADE)
    pages = (PROCEDURES / "docs/src/ready-made.md").read_text()
    for job in scripts.jobs():
        row = next(line for line in pages.splitlines() if line.startswith(f"| `{job.name}.json` |"))
        assert f"`{job.name}.sql`" in row, row
        wanted = () if job.uses else (job.secret.name.upper(), *(f"`{host}:443`" for host in job.hosts))
        assert all(word in row for word in wanted), row


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"title": "A"}, "a: .*comment"),
        ({"title": "A", "comment": "c", "host": []}, "a: .*unexpected keyword argument 'host'"),
        ({"title": "A", "comment": "c"}, "a: expected hosts and a secret, or uses = 'jira'"),
        ({"title": "A", "comment": "c", "hosts": ["a"], "secret": {"name": "s"}}, "a: .*own"),
        (
            {"title": "A", "comment": "c", "hosts": ["a"], "secret": {"name": "s", "own": "x"}},
            "a: expected a string, or a username and a password",
        ),
    ],
)
def test_invalid_entry_is_named(entry, words):
    with pytest.raises(ValueError, match=words):
        scripts.Job.parse("a", entry)


# The files edited to add a ready-made job: job, entry, fake, its place in the list of fakes, documentation.
MOST_FILES = 5


@pytest.mark.parametrize("job", [job.name for job in scripts.jobs() if job.name in ("hubspot", "zendesk")])
def test_a_ready_made_job_is_in_few_files(job):
    found = subprocess.run(
        ["git", "grep", "-l", "-i", job, "--", "procedures", "tests", ":!tests/python/test_package.py"],
        cwd=PROCEDURES.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(found) <= MOST_FILES, found


def test_packages_have_one_release_everywhere():
    requirements = (PROCEDURES.parent / "tests/python/requirements.txt").read_text()
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", requirements, re.M))
    seen = set()
    for script, text in SCRIPTS.items():
        for group in re.findall(r"PACKAGES = \((.*)\)", text):
            for asked in re.findall(r"'([^']*)'", group):
                name, _, version = asked.partition("==")
                assert version == pinned[name], f"{script}: {asked}"
                seen.add(name)
    assert seen == {"snowflake-snowpark-python", "wasmtime", "pyarrow"}
    assert pinned["wasmtime"] == package.WASMTIME


# --- offline -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> pathlib.Path:
    """The runtime's package as a zip, made of the installed one."""
    made = tmp_path_factory.mktemp("wheel") / "wasmtime.whl"
    root = pathlib.Path(wasmtime.__file__).parent
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as files:
        for file in sorted(root.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                files.write(file, file.relative_to(root.parent))
    return made


# As in a procedure without the package `wasmtime`: only the imports are on the path.
ALONE = """
import sys
sys.path.insert(0, sys.argv[1])
sys._xoptions["snowflake_import_directory"] = sys.argv[1]
import snowcat_engine
guest = snowcat_engine.Guest(sys.argv[1])
import wasmtime
print(guest.engine, guest.by, guest.start("{}", "2026-01-01T00:00:00Z").kind, wasmtime.__file__)
"""


def alone(folder: pathlib.Path, path: str = "", **environment: str) -> subprocess.Popen:
    """A process whose only packages are those of the folder, and of `path`."""
    code = f"import sys; sys.path.insert(0, {path!r})\n{ALONE}" if path else ALONE
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def fault(process: subprocess.Popen) -> dict:
    """The JSON of the exception that ended a process."""
    _, errors = process.communicate(timeout=60)
    assert process.returncode and "LoadError" in errors, errors
    return json.loads(errors[errors.index('{"status": "error"') : errors.rindex("}") + 1])


def test_the_runtime_comes_from_a_zip_among_the_imports(built_package, wheel, tmp_path):
    folder, temporary = tmp_path / "imports", tmp_path / "tmp"
    temporary.mkdir()
    package.package(built_package / "snowcat.wasm", folder, {"x86_64": wheel, "aarch64": wheel})
    # Two concurrent calls on one machine.
    running = [alone(folder, TMPDIR=str(temporary)) for _ in range(2)]
    reported = []
    for process in running:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        reported.append(out.split())
    assert [t[:3] for t in reported] == [["default", "file", "config"]] * 2
    places = {pathlib.Path(t[3]).parents[1] for t in reported}
    assert len(places) == 2 and {place.parent for place in places} == {temporary}
    assert not list(temporary.iterdir()), "each process removes what it unpacked"


@pytest.mark.parametrize("name", ["../wasmtime/__init__.py", "/tmp/x", "wasmtime/../../x", "..\\x"])
def test_a_zip_writes_nowhere_else(tmp_path, name):
    import snowcat_runtime

    archive = tmp_path / f"wasmtime-1-{snowcat_runtime.machine()}.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr(name, "x")
    with pytest.raises(snowcat_runtime.LoadError, match="expected files below one folder"):
        snowcat_runtime._unpacked(str(archive))
    assert [f.name for f in tmp_path.iterdir()] == [archive.name]


def test_invalid_zip_is_reported(tmp_path):
    import snowcat_runtime

    (tmp_path / "wasmtime-1-x.zip").write_bytes(b"junk")
    with pytest.raises(snowcat_runtime.LoadError, match="cannot be unpacked: BadZipFile"):
        snowcat_runtime._unpacked(str(tmp_path / "wasmtime-1-x.zip"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_offline_script_uses_no_repository(script):
    text = scripts.scripts(("aarch64", "x86_64"))[script]
    assert "REPOSITORY" not in text.replace("without a package repository", "") and "wasmtime==" not in text
    before, after = imports(SCRIPTS[script]), imports(text)
    zips = [f"wasmtime-{package.WASMTIME}-{machine}.zip" for machine in ("aarch64", "x86_64")]
    assert after == [zips + files for files in before]
    assert set(re.findall(r"PACKAGES = (.*)", text)) <= {
        "('snowflake-snowpark-python')",
        "('snowflake-snowpark-python', 'pyarrow')",
    }


def test_the_offline_installation_runs(component, wheel, tmp_path):
    from emulator import Lab
    from emulator.text import split_script

    folder = tmp_path / "package"
    package.package(component, folder, {"x86_64": wheel, "aarch64": wheel})
    with Lab(databases=()) as lab:
        (folder / "install.sql").write_text((folder / "install_offline.sql").read_text())
        lab.install(folder)
        for name in ("github", "jira_all"):
            for statement in split_script((folder / f"{name}_offline.sql").read_text()):
                lab.sql(statement)
        with pytest.raises(Exception, match='"kind": "config"'):
            lab.call("CALL SNOWCAT.CODE.P_LOAD('{}')", role="SNOWCAT_AUTHOR")


# --- a runtime that cannot be imported -----------------------------------------------------


FAKE = {
    # The wheel without a library for Linux.
    "py3-none-any": ("raise OSError('win32-x86_64/_libwasmtime.so: cannot open shared object file')", ["win32-x86_64"]),
    "py3-none-manylinux1_x86_64": (
        "raise RuntimeError('unsupported architecture for wasmtime: riscv64')",
        ["linux-x86_64"],
    ),
}


@pytest.mark.parametrize("tag", FAKE)
def test_runtime_without_a_library_is_described(tmp_path, tag):
    imported, installed = tmp_path / "imports", tmp_path / "installed"
    source, directories = FAKE[tag]
    imported.mkdir()
    for file in (PROCEDURES / "handler").glob("snowcat_*.py"):
        (imported / file.name).write_bytes(file.read_bytes())
    for directory in directories:
        (installed / "wasmtime" / directory).mkdir(parents=True)
    (installed / "wasmtime/__init__.py").write_text(source)
    (installed / f"wasmtime-{package.WASMTIME}.dist-info").mkdir()
    (installed / f"wasmtime-{package.WASMTIME}.dist-info/WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")
    reported = fault(alone(imported, str(installed)))
    assert (
        reported["kind"] == "host"
        and "cannot be imported" in reported["message"]
        and "install_offline.sql" in reported["message"]
    )
    context = dict(line.split(": ", 1) for line in reported["context"])
    assert context.keys() == {"machine", "system", "libc", "python", "wheel", "directories", "zips among the imports"}
    assert (context["wheel"], context["directories"]) == (tag, " ".join(directories))
    assert context["machine"] == os.uname().machine and context["libc"].startswith("glibc")


def test_missing_runtime_is_reported(tmp_path):
    for file in (PROCEDURES / "handler").glob("snowcat_*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    reported = fault(alone(tmp_path))
    assert "ModuleNotFoundError" in reported["message"] and "wasmtime: not installed" in reported["context"]


def test_versions_of_the_handler_are_those_of_their_files():
    root = PROCEDURES.parent
    cargo = tomllib.loads((root / "Cargo.toml").read_text("utf-8"))
    assert cargo["workspace"]["package"]["version"] == snowcat_release.RELEASE
    name, version = re.match(r"package ([a-z:]+)@([0-9.]+);", (root / "wit/loads.wit").read_text("utf-8")).groups()
    assert f"{name}/loads@{version}" == snowcat_release.INTERFACE
    assert package.WASMTIME == snowcat_release.WASMTIME


def test_the_engines_are_those_of_the_handler():
    assert {key: settings for key, settings in package.engines().items() if key.startswith("x86_64")} == {
        f"x86_64.{name}": {"target": "x86_64-unknown-linux-gnu", **snowcat_engine.ENGINES[name]}
        for name in ("default", "limited")
    }
    assert package.engines()["pulley64"] == snowcat_engine.ENGINES["pulley64"]
