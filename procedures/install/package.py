"""Writes `target/package`: the files for the code stage, and the SQL that uploads and installs them.

Compiles the component for each machine and engine of the procedures with `snowcat precompile`, whose runtime has the
major release of the procedures' `wasmtime` package. `--offline-runtime` adds that package itself, which pip downloads,
for accounts without a package repository.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import (
    HERE,
    JIRA,
    MACHINES,
    PROCEDURES,
    RELEASE,
    STAGE,
    archive,
    containers,
    jobs,
    scripts,
)
from snowcat_engine import AUTOMATIC, ENGINES, precompiled_key

DOCS = PROCEDURES / "docs/src"
TARGET = PROCEDURES.parent / "target"
PROGRAM = Path(os.environ.get("SNOWCAT_PROGRAM", TARGET / "debug/snowcat"))
WASMTIME = RELEASE["packages"]["wasmtime"]
# The tag of the wheel with a library, by machine.
WHEELS = {"x86_64": "manylinux1_x86_64", "aarch64": "manylinux2014_aarch64"}
READY_MADE = (JIRA, *(job.name for job in jobs()))
POLICY = "policy.json"
SPECIFICATION = "container_job.yaml"
# Chapters of the book that are in the package.
PAGES = ("doctor", "ready-made", "roles")
# The number of components whose compiled files are cached.
KEPT = 4
PUT = """\
-- Makes the code stage and puts the package on it. Run from the package's folder, before install.sql:
--   snow sql -f put.sql        (or snowsql -f put.sql)

USE ROLE ACCOUNTADMIN;
CREATE DATABASE IF NOT EXISTS SNOWCAT COMMENT = 'Snowcat: code and secrets';
CREATE SCHEMA IF NOT EXISTS SNOWCAT.CODE;
CREATE STAGE IF NOT EXISTS {stage} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE');

{puts}
"""


def main() -> None:
    """Write the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--component", type=Path, default=TARGET / "component/snowcat.wasm")
    parser.add_argument("--out", type=Path, default=TARGET / "package")
    parser.add_argument(
        "--offline-runtime", action="store_true", help="add the runtime and install_offline.sql"
    )
    parser.add_argument("--scripts", action="store_true", help="write the SQL and nothing else")
    given = parser.parse_args()
    if given.scripts:
        given.out.mkdir(parents=True, exist_ok=True)
        write_scripts(given.out)
        return
    package(given.component, given.out, wheels() if given.offline_runtime else {})
    for file in sorted(given.out.iterdir()):
        print(f"{file.stat().st_size:>12,}  {file.name}")


def package(component: Path, out: Path, runtime: dict[str, Path] | None = None) -> None:
    """Write the files to an empty folder."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    shutil.copy(component, out / "snowcat.wasm")
    for file in precompiled(component):
        shutil.copy(file, out)
    for handler in (PROCEDURES / "handler").glob("snowcat_*.py"):
        shutil.copy(handler, out)
    for job in READY_MADE:
        shutil.copy(PROCEDURES / f"jobs/{job}.json", out)
    (out / "engine.txt").write_text(f"{AUTOMATIC}\n")
    shutil.copy(HERE / POLICY, out)
    (out / SPECIFICATION).write_text(containers()[SPECIFICATION])
    for machine, wheel in (runtime or {}).items():
        shutil.copy(wheel, out / archive(machine))
    staged = sorted(f.name for f in out.iterdir())
    # A newer package does not replace the owner's policy.
    puts = "\n".join(
        f"PUT file://{n} @{STAGE} AUTO_COMPRESS = FALSE OVERWRITE = {'FALSE' if n == POLICY else 'TRUE'};"
        for n in staged
    )
    (out / "put.sql").write_text(PUT.format(stage=STAGE, puts=puts))
    write_scripts(out, tuple(sorted(runtime)) if runtime else None)
    for page in PAGES:
        shutil.copy(DOCS / f"{page}.md", out)
    sums = [
        f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in sorted(out.iterdir())
    ]
    (out / "SHA256SUMS").write_text("".join(sums))


def write_scripts(out: Path, offline: tuple[str, ...] | None = None) -> None:
    """Write the SQL, and that for accounts without a package repository, for these machines."""
    shutil.copy(HERE / "task.sql", out)
    for name, text in (scripts() | containers()).items():
        (out / name).write_text(text)
    for name, text in scripts(offline).items() if offline else ():
        (out / f"{Path(name).stem}_offline.sql").write_text(text)


def engines() -> dict[str, dict]:
    """The settings of each precompiled file, by its key."""
    found = {}
    for name, settings in ENGINES.items():
        for machine, target in MACHINES.items():
            # The interpreter has a target of its own, and one file for all machines.
            found[precompiled_key(name, machine)] = {"target": target, **settings}
    return found


def precompiled(component: Path) -> list[Path]:
    """The component compiled for each machine and engine. Cached, because it takes half a minute."""
    if not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is not there: build it first (make component)")
    key = hashlib.sha256(
        component.read_bytes() + PROGRAM.read_bytes() + json.dumps(engines()).encode()
    ).hexdigest()[:16]
    kept = TARGET / "precompiled"
    kept.mkdir(parents=True, exist_ok=True)
    with open(kept / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = kept / key
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=kept) as fresh:
                shutil.copy(component, Path(fresh) / "snowcat.wasm")
                subprocess.run(
                    [
                        PROGRAM,
                        "precompile",
                        Path(fresh) / "snowcat.wasm",
                        "--engines",
                        "-",
                        "--out",
                        Path(fresh) / "out",
                    ],
                    input=json.dumps(engines()),
                    text=True,
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                os.replace(Path(fresh) / "out", folder)
        os.utime(folder)
        old = sorted((f for f in kept.iterdir() if f.is_dir()), key=lambda f: f.stat().st_mtime)[
            :-KEPT
        ]
        for unused in old:
            shutil.rmtree(unused)
        return sorted(folder.iterdir())


def wheels() -> dict[str, Path]:
    """The runtime's package for each machine, from the package index."""
    found = {}
    for machine, tag in WHEELS.items():
        folder = TARGET / "wheels" / machine
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary=:all:",
                "--python-version",
                "3.11",
                "--platform",
                tag,
                "--dest",
                folder,
                f"wasmtime=={WASMTIME}",
            ],
            check=True,
        )
        (found[machine],) = folder.glob(f"wasmtime-{WASMTIME}-*{tag}*.whl")
    return found


if __name__ == "__main__":
    main()
