"""`snowcat deploy`: a package is installed over a session, as its scripts say, and may be installed again."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from emulator import Lab
from emulator.text import split_script

PROGRAM = os.environ.get("SNOWCAT_PLAN", pathlib.Path(__file__).resolve().parents[2] / "target/debug/snowcat")
PASSWORD = "t3ster-x"


def deploy(lab: Lab | None, *arguments: str | pathlib.Path) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    if lab is not None:
        connection = {"ACCOUNT": "emulator", "HOST": "127.0.0.1", "PORT": str(lab.server.port), "PROTOCOL": "http"}
        login = {"USER": "tester", "PASSWORD": PASSWORD}
        variables |= {f"SNOWFLAKE_{name}": value for name, value in (connection | login).items()}
    command = [PROGRAM, "deploy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=300, check=False)
    assert PASSWORD not in done.stdout + done.stderr
    return done


def statements(package: pathlib.Path, *scripts: str) -> list[str]:
    """The statements of the scripts, by another parser."""
    return [statement for name in scripts for statement in split_script((package / name).read_text())]


def is_put(statement: str) -> bool:
    return statement.upper().startswith("PUT ")


def test_a_dry_run_shows_every_statement_and_file_and_connects_to_nothing(hollow_package):
    every = sorted(path.name for path in hollow_package.glob("*.sql") if path.name not in ("put.sql", "install.sql"))
    extra = [argument for name in every if name != "doctor.sql" for argument in ("--script", name)]
    done = deploy(None, hollow_package, *extra)
    assert done.returncode == 0, done.stderr
    names = ["put.sql", "install.sql", "doctor.sql", *(name for name in every if name != "doctor.sql")]
    expected = []
    for name in names:
        expected.append(f"-- {name}")
        for statement in statements(hollow_package, name):
            if is_put(statement):
                file = statement.split()[1].removeprefix("file://")
                expected.append(f"-- upload {file} to @SNOWCAT.CODE.FILES")
            else:
                expected.extend(f"{statement};".splitlines())
    lines = done.stdout.splitlines()
    assert [
        found.split(",")[0].split(":")[0] if found.startswith("-- upload") else found for found in lines[:-1]
    ] == expected
    assert lines[-1] == "-- Nothing was done: --apply does it."


def test_a_deployed_procedure_can_be_called_and_the_policy_is_kept(built_package, tmp_path):
    package = tmp_path / "package"
    shutil.copytree(built_package, package)
    with Lab() as lab:
        for attempt in range(2):
            begun = len(lab.trace)
            done = deploy(lab, package, "--apply")
            assert done.returncode == 0, done.stderr
            sent = [
                entry.sql for entry in lab.trace[begun:] if not is_put(entry.sql) and not entry.sql.startswith("LIST")
            ]
            expected = statements(package, "put.sql", "install.sql", "doctor.sql")
            assert [sql for sql in sent if sql in expected] == [sql for sql in expected if not is_put(sql)]
            kept = "it exists, and is kept" in done.stdout
            assert kept is (attempt == 1)
            # The owner's policy; a newer package does not replace it.
            (package / "policy.json").write_text("{}")
        files = {path.rsplit("/", 1)[-1] for path in lab.files("@SNOWCAT.CODE.FILES")}
        assert {"snowcat.wasm", "policy.json", "jira.json", "snowcat_procedure.py"} <= files
        caller = lab.connect("SNOWCAT_OWNER")
        caller.sql("USE WAREHOUSE SNOWCAT_WH").collect()
        rows = json.loads(
            caller.sql("CALL SNOWCAT.CODE.P_DOCTOR('RAW', 'JIRA', WAIT_SECONDS => 0, ENGINE => 'default')").collect()[
                0
            ][0]
        )
        assert {row["NAME"]: row["RESULT"] for row in rows}["load.first"] == "holds"


def test_the_first_statement_that_fails_ends_it(hollow_package, tmp_path):
    package = tmp_path / "package"
    shutil.copytree(hollow_package, package)
    (package / "more.sql").write_text("SELECT 1;\nSELECT * FROM NOWHERE.A.B;\nCREATE DATABASE NEVER;\n")
    with Lab() as lab:
        done = deploy(lab, package, "--script", "more.sql", "--apply")
        assert done.returncode == 4
        assert (
            "more.sql, step 2 of 3: SELECT * FROM NOWHERE.A.B: 2003" in done.stderr and "done before: " in done.stderr
        )
        assert done.stdout.splitlines()[-1] == "ok  more.sql: SELECT 1"
        assert "NEVER" not in lab.account.engine.catalog.databases


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda package: (package / "jira.json").unlink(), "jira.json"),
        (lambda package: (package / "install.sql").unlink(), "install.sql"),
        (lambda package: (package / "put.sql").write_text("PUT file:///etc/passwd @A;"), "expected PUT file://NAME"),
        (lambda package: (package / "put.sql").write_text("SELECT 1;\nSELECT 'a"), "line 2: a string does not end"),
    ],
)
def test_a_package_that_is_not_complete_is_rejected_before_the_first_statement(hollow_package, tmp_path, change, words):
    package = tmp_path / "package"
    shutil.copytree(hollow_package, package)
    change(package)
    done = deploy(None, package, "--apply")
    assert done.returncode == 2 and words in done.stderr, done.stderr
