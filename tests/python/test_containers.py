"""The files for job services in containers (`procedures/spcs`)."""

from __future__ import annotations

import json
import re

import package
import pytest
import scripts
import snowcat_release
import sqlglot
import yaml

from emulator import Lab
from emulator.text import split_script

FILES = scripts.containers()
SQL = [name for name in FILES if name.endswith(".sql")]
SPECIFICATION = yaml.safe_load(FILES["container_job.yaml"])["spec"]
# The clauses of EXECUTE JOB SERVICE in the order that is documented.
CLAUSES = ("IN COMPUTE POOL", "QUERY_WAREHOUSE", "EXTERNAL_ACCESS_INTEGRATIONS", "FROM")


def job_services() -> list[str]:
    """Each EXECUTE JOB SERVICE of the SQL and of the documents."""
    documents = [*(scripts.PROCEDURES / "spcs").glob("*.md"), *package.DOCS.glob("*.md")]
    texts = [*(FILES[name] for name in SQL), *(document.read_text() for document in documents)]
    # Without comments.
    code = (re.sub(r"(?m)^\s*--.*$", "", text) for text in texts)
    return [found for text in code for found in re.findall(r"EXECUTE JOB SERVICE\s+IN[^;]*;", text)]


def test_the_package_has_the_files(hollow_package):
    assert set(FILES) == {
        f"container_{name}" for name in ("install.sql", "task.sql", "stream.sql", "backfill.sql", "job.yaml")
    }
    for name, text in FILES.items():
        assert (hollow_package / name).read_text() == text
    sums = (hollow_package / "SHA256SUMS").read_text()
    assert all(f"  {name}\n" in sums for name in FILES)
    assert "PUT file://container_job.yaml " in (hollow_package / "put.sql").read_text()


@pytest.mark.parametrize("name", SQL)
def test_statements_can_be_parsed(name):
    statements = split_script(FILES[name])
    assert len(statements) > 3
    for statement in statements:
        (parsed,) = sqlglot.parse(statement, dialect="snowflake")
        assert parsed is not None


def test_clauses_have_the_documented_order():
    found = job_services()
    assert len(found) >= 2, "the task's and the README's"
    for statement in found:
        places = [statement.index(clause) for clause in CLAUSES]
        assert places == sorted(places), statement


def test_no_job_service_has_a_name():
    for statement in job_services():
        clauses = statement.partition("FROM ")[0]
        assert not re.search(r"\b(NAME|ASYNC)\s*=", clauses), statement


def test_the_task_has_the_specification():
    (text,) = re.findall(r"FROM SPECIFICATION \$\$\n(.*?)\$\$", FILES["container_task.sql"], re.S)
    assert yaml.safe_load(text)["spec"] == SPECIFICATION


def test_the_tasks_of_a_backfill_differ_in_their_step():
    texts = re.findall(r"FROM SPECIFICATION \$\$\n(.*?)\$\$", FILES["container_backfill.sql"], re.S)
    steps = []
    for text in texts:
        specification = yaml.safe_load(text)["spec"]
        (container,) = specification["containers"]
        command, job, *step = container.pop("args")
        assert (command, job) == ("run", "/files/backfill.json")
        steps.append(step)
        expected = json.loads(json.dumps(SPECIFICATION))
        del expected["containers"][0]["args"]
        assert specification == expected
    assert steps == [["--plan-slices"], [], ["--finish"]]


def test_the_specification_is_that_of_the_job():
    (container,) = SPECIFICATION["containers"]
    assert container["image"] == f"/snowcat/code/images/snowcat:{snowcat_release.RELEASE}"
    (mount,), (volume,) = container["volumeMounts"], SPECIFICATION["volumes"]
    assert (mount["name"], volume["source"]) == (volume["name"], f"@{scripts.STAGE}")
    command, file, *settings = container["args"]
    job_text = (scripts.PROCEDURES / "jobs" / file.removeprefix(f"{mount['mountPath']}/")).read_text()
    assert command == "run"
    # Each placeholder of the job has a value.
    given = {value.partition("=")[0] for option, value in zip(settings[::2], settings[1::2], strict=True)}
    assert given == set(re.findall(r"\{\{(\w+)\}\}", job_text))
    # Each secret of the job is in a folder with its name.
    secrets = {one["directoryPath"]: one["snowflakeSecret"]["objectName"] for one in container["secrets"]}
    needed = {one["secret"] for one in json.loads(job_text)["credentials"].values()}
    folder = container["env"]["SNOWCAT_SECRETS"]
    assert secrets == {f"{folder}/{name}": f"SNOWCAT.CODE.{name.upper()}" for name in needed}


def test_the_installation_runs_in_the_emulator_and_again(hollow_package):
    with Lab(databases=()) as lab:
        lab.install(hollow_package)
        for _ in range(2):
            for name in ("container_install.sql", "container_task.sql"):
                lab.script((hollow_package / name).read_text())
        things = lab.account.objects.things
        assert things["COMPUTE POOL", ("SNOWCAT_POOL",)].properties["MAX_NODES"] == "1"
        task = things["TASK", ("SNOWCAT", "CODE", "T_LOAD_JIRA_CONTAINER")]
        assert (task.owner, task.properties["STATE"]) == ("SNOWCAT_OWNER", "started")
        # The role of the job service has what the job service uses.
        roles = lab.account.roles
        roles.require("SNOWCAT_OWNER", "USAGE", "COMPUTE POOL", ("SNOWCAT_POOL",), "ACCOUNTADMIN")
        roles.require("SNOWCAT_OWNER", "READ", "IMAGE REPOSITORY", ("SNOWCAT", "CODE", "IMAGES"), "ACCOUNTADMIN")
        roles.require("SNOWCAT_OWNER", "CREATE SERVICE", "SCHEMA", ("SNOWCAT", "CODE"), "ACCOUNTADMIN")
        roles.require("SNOWCAT_OWNER", "READ", "SECRET", ("SNOWCAT", "CODE", "JIRA_CREDS"), "ACCOUNTADMIN")
        roles.require("SNOWCAT_OWNER", "USAGE", "INTEGRATION", ("SNOWCAT_JIRA",), "ACCOUNTADMIN")
        with pytest.raises(Exception, match=r"not authorized|[Ii]nsufficient privileges"):
            roles.require("SNOWCAT_CALLER", "USAGE", "COMPUTE POOL", ("SNOWCAT_POOL",), "ACCOUNTADMIN")
