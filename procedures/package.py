"""Lays out `target/package`: what goes to the code stage, and the SQL that puts and installs it.

Needs the `wasmtime` wheel that the procedures ask for: a precompiled component is
refused by any other.
"""

import argparse
import hashlib
import platform
import re
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from snowcat_procedure import ENGINES
from wasmtime import Config, Engine
from wasmtime.component import Component

HERE = Path(__file__).resolve().parent
# The baseline of each architecture: no instruction that a warehouse may lack.
TARGETS = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
READY_MADE = ("jira", "jira_all", "github", "pagerduty", "graph")
STAGE = "SNOWCAT.CODE.FILES"
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
    parser.add_argument("--component", type=Path, default=HERE.parent / "target/component/snowcat.wasm")
    parser.add_argument("--out", type=Path, default=HERE.parent / "target/package")
    given = parser.parse_args()
    for sql in (HERE / "install.sql", *sorted((HERE / "jobs").glob("*.sql"))):
        for wanted in re.findall(r"wasmtime==([\d.]+)", sql.read_text()):
            if version("wasmtime") != wanted:
                sys.exit(f"{sql.name} asks for wasmtime {wanted}; {version('wasmtime')} is installed here")
    package(given.component, given.out)
    print(f"{given.out}: {', '.join(sorted(f.name for f in given.out.iterdir()))}")


def package(component: Path, out: Path) -> None:
    """Lay the files out in an empty folder."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    shutil.copy(component, out / "snowcat.wasm")
    for handler in HERE.glob("snowcat_*.py"):
        shutil.copy(handler, out)
    for job in READY_MADE:
        shutil.copy(HERE / f"jobs/{job}.json", out)
    for name, settings in variants().items():
        (out / name).write_bytes(precompiled(component, settings))
    staged = sorted(f.name for f in out.iterdir())
    puts = "\n".join(f"PUT file://{n} @{STAGE} AUTO_COMPRESS = FALSE OVERWRITE = TRUE;" for n in staged)
    (out / "put.sql").write_text(PUT.format(stage=STAGE, puts=puts))
    more = sorted((HERE / "jobs").glob("*.sql"))
    for file in (HERE / "install.sql", HERE / "task.sql", *more, HERE / "jobs/README.md"):
        shutil.copy(file, out)
    sums = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.name}\n" for f in sorted(out.iterdir())]
    (out / "SHA256SUMS").write_text("".join(sums))


def variants() -> dict[str, dict]:
    """The precompiled files that this machine can make, and their settings.

    A wheel compiles for its own architecture only; asked for another it ends the process.
    """
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    if machine not in TARGETS:
        return {}
    return {f"snowcat.{machine}.cwasm": {**ENGINES["default"], "target": TARGETS[machine]}}


def precompiled(component: Path, settings: dict) -> bytes:
    """The component, compiled with these settings of the engine."""
    config = Config()
    for key, value in settings.items():
        setattr(config, key, value)
    compiled = Component.from_file(Engine(config), str(component))
    return compiled.serialize()


if __name__ == "__main__":
    main()
