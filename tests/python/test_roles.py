"""The rights of the roles of `install.sql`, and the owner's policy (`procedures/docs/src/roles.md`)."""

from __future__ import annotations

import io
import json
import re

import pytest

from emulator import Lab
from emulator.text import split_script

FILES = "@SNOWCAT.CODE.FILES"
JOBS = {
    "schemas": ["RAW.SHOP"],
    "stages": ["@RAW.IN_.LANDING/shop"],
    "hosts": ["api.example.com"],
    "credentials": {"jira_creds": {"type": "http_basic", "hosts": ["127.0.0.1:1"]}},
}
JOB = {
    "pipeline": "shop",
    "database": "RAW",
    "dataset": "shop",
    "resources": [{"name": "orders", "files": ["@RAW.IN_.LANDING/shop"], "format": "jsonl"}],
}
OWNER, AUTHOR, CALLER, STRANGER = "SNOWCAT_OWNER", "SNOWCAT_AUTHOR", "SNOWCAT_CALLER", "STRANGER"
ROLES = (OWNER, AUTHOR, CALLER, STRANGER)


def set_policy(lab: Lab, **policy) -> None:
    lab.put(FILES, "policy.json", json.dumps(policy).encode())


@pytest.fixture(scope="module")
def shop(built_package):
    """An installation with a policy for the jobs of a shop, and one approved job."""
    with Lab() as made:
        made.install(built_package)
        made.script(
            "CREATE ROLE STRANGER; GRANT USAGE ON WAREHOUSE SNOWCAT_WH TO ROLE STRANGER; "
            "CREATE SCHEMA RAW.IN_; CREATE STAGE RAW.IN_.LANDING; CREATE STAGE RAW.IN_.PAYROLL; "
            "GRANT USAGE ON SCHEMA RAW.IN_ TO ROLE SNOWCAT_OWNER; "
            "GRANT READ ON STAGE RAW.IN_.LANDING TO ROLE SNOWCAT_OWNER; GRANT READ ON STAGE RAW.IN_.PAYROLL TO ROLE SNOWCAT_OWNER;"
        )
        for name in ("shop/a.jsonl", "other/b.jsonl"):
            made.session.file.put_stream(io.BytesIO(b'{"id": 1}\n'), f"@RAW.IN_.LANDING/{name}", auto_compress=False)
        session = made.connect()
        for statement in split_script((built_package / "doctor.sql").read_text()):
            session.sql(statement).collect()
        session.close()
        set_policy(made, jobs=JOBS, ready_made={"schemas": ["RAW.*"]})
        made.sql(f"INSERT INTO SNOWCAT.CODE.JOBS (NAME, JOB) SELECT 'shop', $${json.dumps(JOB)}$$")
        yield made


@pytest.fixture(scope="module")
def installed(built_package):
    """An installation in which nothing has been loaded."""
    with Lab() as made:
        made.install(built_package)
        yield made


def attempt(lab: Lab, statement: str, role: str) -> str:
    """`yes`, or the reason why not."""
    session = lab.connect(role)
    try:
        session.sql(statement).collect()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is compared
        return str(error)
    finally:
        session.close()
    return "yes"


def load(change: dict | None = None) -> str:
    return f"CALL SNOWCAT.CODE.P_LOAD($${json.dumps(JOB | (change or {}))}$$)"


NO = "not authorized|nsufficient privileges"


@pytest.mark.parametrize(
    ("statement", "may"),
    [
        (load(), (OWNER, AUTHOR)),
        ("CALL SNOWCAT.CODE.P_RUN('shop')", (OWNER, AUTHOR, CALLER)),
        ("CALL SNOWCAT.CODE.P_DOCTOR_PROBE('secrets', NULL)", (OWNER,)),
        ("SELECT * FROM SNOWCAT.CODE.JOBS", (OWNER, AUTHOR)),
        ("INSERT INTO SNOWCAT.CODE.JOBS (NAME, JOB) SELECT 'x', '{}'", (AUTHOR,)),
        ("UPDATE SNOWCAT.CODE.JOBS SET JOB = '{}' WHERE NAME = 'x'", (AUTHOR,)),
        ("DELETE FROM SNOWCAT.CODE.JOBS WHERE NAME = 'x'", (AUTHOR,)),
        ("DROP TABLE SNOWCAT.CODE.JOBS", ()),
        (f"LIST {FILES}", (OWNER,)),
        (f"REMOVE {FILES}/policy.json", ()),
        ("LIST @RAW.IN_.PAYROLL", (OWNER,)),
        ("SELECT * FROM RAW.SHOP.ORDERS", (OWNER,)),
        ("ALTER SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN SET SECRET_STRING = 'x'", ()),
        ("ALTER NETWORK RULE SNOWCAT.CODE.JIRA_HOST SET VALUE_LIST = ('evil.example:443')", ()),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_each_role_has_its_documented_rights(shop, statement, may):
    shop.call("CALL SNOWCAT.CODE.P_RUN('shop')", role=CALLER)
    found = {role: attempt(shop, statement, role) for role in ROLES}
    for role, answer in found.items():
        assert (answer == "yes") == (role in may), (role, answer[:300])
        assert answer == "yes" or re.search(NO, answer), (role, answer[:300])


def endpoint(url: str, **more) -> dict:
    base, _, path = url.rpartition("/")
    return {"client": {"base_url": base} | more, "resources": [{"name": "r", "endpoint": {"path": path}}]}


ECHO = {
    "type": "oauth2_client_credentials",
    "secret": "jira_creds",
    "hosts": ["127.0.0.1:1"],
    "access_token_url": "https://127.0.0.1:1/echo",
}


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (
            {"dataset": "jira", "pipeline": "jira", "refresh": "drop_sources"},
            "dataset",
            "the schema RAW.JIRA is not allowed",
        ),
        (
            {"resources": [JOB["resources"][0] | {"table_name": "_dlt_pipeline_state"}]},
            "resources[0]",
            "would be one of dlt's own",
        ),
        ({"resources": [JOB["resources"][0] | {"name": "_DLT_loads"}]}, "resources[0]", "would be one of dlt's own"),
        ({"database": "SNOWCAT", "dataset": "code"}, "dataset", "the schema SNOWCAT.CODE is not allowed"),
        ({"database": "FINANCE"}, "dataset", "the schema FINANCE.SHOP is not allowed"),
        ({"dataset": "shop_staging"}, "dataset", "the schema RAW.SHOP_STAGING is not allowed"),
        (
            {"resources": [{"name": "r", "files": ["@RAW.IN_.PAYROLL/**"], "format": "csv"}]},
            "resources[0].files[0]",
            "is not allowed",
        ),
        (
            {"resources": [{"name": "r", "files": ["@SNOWCAT.CODE.FILES/*.py"], "format": "csv"}]},
            "resources[0].files[0]",
            "is not allowed",
        ),
        (
            {"resources": [{"name": "r", "files": ["@RAW.IN_.LANDING/other"], "format": "jsonl"}]},
            "resources[0].files[0]",
            "is not allowed",
        ),
        (
            {"resources": [{"name": "r", "files": ["file:///etc/passwd"], "format": "csv"}]},
            "resources[0].files[0]",
            "expected a stage",
        ),
        (endpoint("https://evil.example/x"), "resources[0].endpoint", "the host evil.example is not allowed"),
        (
            endpoint("https://127.0.0.1:1/x", auth="c") | {"credentials": {"c": ECHO}},
            "credentials.c",
            'the credential "c" is not allowed',
        ),
        (
            endpoint("https://127.0.0.1:1/x", auth="jira_creds") | {"credentials": {"jira_creds": ECHO}},
            "credentials.jira_creds",
            "expected the options of this credential in the owner's policy",
        ),
        (
            endpoint("https://evil.example/x", auth="jira_creds")
            | {"credentials": {"jira_creds": {"type": "http_basic", "hosts": ["127.0.0.1:1", "evil.example"]}}},
            "credentials.jira_creds.hosts[1]",
            "not allowed for the host evil.example",
        ),
        (
            {
                "client": {"base_url": "https://127.0.0.1:1", "auth": "jira_creds"},
                "credentials": {"jira_creds": {"type": "http_basic", "hosts": ["127.0.0.1:1"]}},
                "resources": [{"name": "r", "endpoint": {"path": "rest/api/3/user", "method": "POST"}}],
            },
            "resources[0].endpoint",
            'POST is not allowed with the credential "jira_creds"',
        ),
    ],
)
@pytest.mark.parametrize("way", ["P_LOAD", "P_RUN"])
def test_values_outside_the_policy_are_rejected_before_any_step(shop, change, place, words, way):
    statement = load(change)
    if way == "P_RUN":
        shop.sql("DELETE FROM SNOWCAT.CODE.JOBS WHERE NAME = 'attack'")
        shop.sql(f"INSERT INTO SNOWCAT.CODE.JOBS (NAME, JOB) SELECT 'attack', $${json.dumps(JOB | change)}$$")
        statement = "CALL SNOWCAT.CODE.P_RUN('attack')"
    before = len(shop.trace)
    with pytest.raises(Exception, match="LoadError") as caught:
        shop.call(statement, role=AUTHOR)
    text = str(caught.value)
    reported = json.loads(text[text.index('{"status": "error"') : text.rindex("}") + 1])
    assert reported["kind"] == "config" and words in reported["message"] and place in reported["context"], reported
    ran = [e.sql for e in shop.trace[before:] if not e.sql.startswith(("CALL", "SELECT JOB::VARCHAR", "select"))]
    assert ran == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("'nothing'", 'there is no approved job \\"nothing\\"'),
        ("'shop'' OR NAME = ''other'", "there is no approved job"),
        ("NULL", "expected the name of a job, found NULL"),
        ("'twice'", 'expected one job \\"twice\\", found several rows'),
        ("'broken'", "the job is not JSON"),
    ],
)
def test_only_approved_jobs_run_by_name(shop, name, words):
    shop.sql("DELETE FROM SNOWCAT.CODE.JOBS WHERE NAME <> 'shop'")
    shop.sql("INSERT INTO SNOWCAT.CODE.JOBS (NAME, JOB) SELECT 'twice', '{}'")
    shop.sql("INSERT INTO SNOWCAT.CODE.JOBS (NAME, JOB) SELECT 'twice', '{}'")
    shop.sql("INSERT INTO SNOWCAT.CODE.JOBS (NAME, JOB) SELECT 'broken', '{'")
    with pytest.raises(Exception, match="LoadError") as caught:
        shop.call(f"CALL SNOWCAT.CODE.P_RUN({name})", role=CALLER)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "statement", "words"),
    [
        (None, load(), 'whose \\"schemas\\" allows nothing'),
        (
            None,
            "CALL SNOWCAT.CODE.P_LOAD_JIRA('FINANCE', '[\"issues\"]', FALSE)",
            "the schema FINANCE.JIRA is not allowed",
        ),
        ("{", load(), "policy.json is not JSON"),
        ("[]", load(), "nothing is allowed"),
        ('{"jobs": 1}', load(), "nothing is allowed"),
        ('{"jobs": {"schema": []}}', load(), "did you mean"),
        ('{"jobs": {"schemas": ["RAW.SHOP"]}}', load(), 'whose \\"stages\\" allows nothing'),
    ],
)
def test_empty_policy_allows_nothing(installed, built_package, policy, statement, words):
    installed.put(FILES, "policy.json", policy.encode() if policy else (built_package / "policy.json").read_bytes())
    with pytest.raises(Exception, match="LoadError") as caught:
        installed.call(statement, role=AUTHOR)
    assert words in str(caught.value)


def test_conditions_cannot_reveal_rows_in_errors(shop):
    merge = {"disposition": "merge", "strategy": "delete-insert", "destination_scope": "TO_DATE(who) > CURRENT_DATE"}
    pay = JOB["resources"][0] | {"name": "pay", "primary_key": "id", "columns": {"who": {"data_type": "text"}}}
    shop.call(load({"resources": [pay | {"write_disposition": "append"}]}), role=AUTHOR)
    shop.sql("UPDATE RAW.SHOP.PAY SET WHO = 'ann91234'")
    with pytest.raises(Exception, match="LoadError") as caught:
        shop.call(load({"resources": [pay | {"write_disposition": merge}]}), role=AUTHOR)
    assert "91234" not in str(caught.value) and "the server's text is not shown" in str(caught.value)


def test_newer_package_keeps_the_policy(shop, built_package):
    shop.install(built_package)
    assert shop.call("CALL SNOWCAT.CODE.P_RUN('shop')", role=CALLER)["status"] == "success"
