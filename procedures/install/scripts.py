"""The SQL of the package: the scripts of this folder, a worksheet for each entry of `jobs/jobs.toml`, and `spcs/`.

A template is SQL with placeholders in double braces. `{{runtime pyarrow policy.json}}` is the part of CREATE PROCEDURE
with version, packages and imports: those of every procedure, and the packages and files in the placeholder. Versions
are those of `release.toml`.

A job of `jobs.toml` has these keys: `title`, `note` (for the person who installs it), `comment` (of the procedure),
`hosts`, `own_hosts` (an example, if each account has its own), `settings` (an example of its placeholders), and a
`secret`. A job that `uses` another has the integration and secrets of that job. A secret has a `name` (as in the job),
a `string` or `username` and `password` (the initial value, which users replace), `own` (an example of a user's value)
and a `note`.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomllib
from snowcat_engine import ENGINES, precompiled_key
from snowcat_release import RELEASE as SNOWCAT

HERE = Path(__file__).resolve().parent
PROCEDURES = HERE.parent
RELEASE = tomllib.loads((HERE / "release.toml").read_text("utf-8"))
STAGE = "SNOWCAT.CODE.FILES"
# The machines of Snowflake. Code is compiled for the baseline of each, without instructions that a warehouse may lack.
MACHINES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
# The packages of every procedure, and the one that needs a package repository.
PACKAGES, RUNTIME = ("snowflake-snowpark-python", "wasmtime"), "wasmtime"
# The job of install.sql itself, and its secrets.
JIRA, JIRA_SECRETS = "jira", ("jira_subdomain", "jira_creds")
REPOSITORY_ROLE = "GRANT DATABASE ROLE SNOWFLAKE.PYPI_REPOSITORY_USER TO ROLE SNOWCAT_OWNER;\n"
OFFLINE = """\
-- {name} for an account without a package repository: the runtime comes from the code stage, and the other packages
-- from Snowflake's channel of Anaconda, in the releases that it has.
--
"""


@dataclass(frozen=True)
class Secret:
    """A secret of a ready-made job, with its initial value, which users replace."""

    name: str
    own: str | list[str]
    string: str | None = None
    username: str | None = None
    password: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """A string, or a user name and a password."""
        if (self.string is None) == (self.username is None) or (self.username is None) != (
            self.password is None
        ):
            raise TypeError("expected a string, or a username and a password")

    def properties(self) -> str:
        """The clauses of `CREATE SECRET`."""
        if self.string is not None:
            return f"  TYPE = GENERIC_STRING\n  SECRET_STRING = {literal(self.string)}"
        return f"  TYPE = PASSWORD\n  USERNAME = {literal(self.username)}\n  PASSWORD = {literal(self.password)}"

    def put(self) -> str:
        """The statement that sets a user's value."""
        if isinstance(self.own, str):
            what = f"SECRET_STRING = {literal(self.own)}"
        else:
            what = f"USERNAME = {literal(self.own[0])} PASSWORD = {literal(self.own[1])}"
        return f"ALTER SECRET SNOWCAT.CODE.{self.name.upper()} SET {what};"


@dataclass(frozen=True)
class Job:
    """A ready-made job: an entry of `jobs.toml`."""

    name: str
    title: str
    comment: str
    note: str = ""
    hosts: list[str] = field(default_factory=list)
    own_hosts: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    secret: Secret | None = None
    uses: str | None = None

    @classmethod
    def parse(cls, name: str, entry: dict[str, Any]) -> "Job":
        """Parse an entry. An error names it if a key is unknown or missing."""
        try:
            secret = entry.pop("secret", None)
            job = cls(name=name, secret=Secret(**secret) if secret else None, **entry)
        except TypeError as error:
            raise ValueError(f"jobs.toml: {name}: {error}") from None
        if (job.uses == JIRA) == bool(job.secret and job.hosts):
            raise ValueError(f"jobs.toml: {name}: expected hosts and a secret, or uses = {JIRA!r}")
        return job

    def worksheet(self, offline: "tuple[str, ...] | None" = None) -> str:
        """The SQL that installs it."""
        parts = [self._head(), (HERE / "job.sql").read_text("utf-8")]
        if self.secret:
            parts.insert(1, (HERE / "access.sql").read_text("utf-8"))
        if not self.uses:
            call = literal(json.dumps(self.settings)) if self.settings else ""
            parts.append(f"\n-- CALL SNOWCAT.CODE.P_LOAD_{self.name.upper()}({call});\n")
        text = "".join(parts)
        for placeholder, value in self._values().items():
            text = text.replace("{{" + placeholder + "}}", value)
        return rendered(f"{self.name}.sql", text, offline)

    def _head(self) -> str:
        lines = [
            f"-- {self.title}: run it in a worksheet as ACCOUNTADMIN, after install.sql. What it loads, and into"
        ]
        lines += ["-- which tables, is in ready-made.md."]
        lines += [f"-- {self.note}"] if self.note else []
        if self.secret:
            lines += ["--", "-- Put your own in:", f"--   {self.secret.put()}"]
            if self.own_hosts:
                lines += [
                    f"--   ALTER NETWORK RULE SNOWCAT.CODE.{self.name.upper()}_HOSTS SET VALUE_LIST = ({ports(self.own_hosts)});"
                ]
            lines += [f"-- {self.secret.note}"] if self.secret.note else []
        return "\n".join(lines) + "\n"

    def _values(self) -> dict[str, str]:
        names = JIRA_SECRETS if self.uses else (self.secret.name,)
        secrets = [f"{literal(name)} = SNOWCAT.CODE.{name.upper()}" for name in names]
        return {
            "NAME": self.name.upper(),
            "INTEGRATION": (self.uses or self.name).upper(),
            "SECRET": self.secret.name.upper() if self.secret else "",
            "secret_properties": self.secret.properties() if self.secret else "",
            "hosts": ports(self.hosts),
            "secrets": f"({secrets[0]})"
            if len(secrets) == 1
            else "(\n    " + ",\n    ".join(secrets) + "\n  )",
            "settings_parameter": ""
            if self.uses
            else f"    SETTINGS VARIANT{'' if self.settings else ' DEFAULT NULL'},\n",
            "types": f"{'' if self.uses else 'VARIANT, '}VARCHAR, VARCHAR, BOOLEAN",
            "file": f"{self.name}.json",
            "handler": "load_jira" if self.uses else "load_ready_made",
            "comment": self.comment.replace("'", "''"),
        }


def jobs() -> list[Job]:
    """The ready-made jobs except install.sql's own."""
    entries = tomllib.loads((PROCEDURES / "jobs/jobs.toml").read_text("utf-8"))
    return [Job.parse(name, entry) for name, entry in entries.items()]


def scripts(offline: "tuple[str, ...] | None" = None) -> dict[str, str]:
    """Every script of the package by its name. `offline`: the machines whose runtime is among the imports, if it is."""
    found = {
        name: rendered(name, (HERE / name).read_text("utf-8"), offline)
        for name in ("install.sql", "doctor.sql")
    }
    return found | {f"{job.name}.sql": job.worksheet(offline) for job in jobs()}


def containers() -> dict[str, str]:
    """The files for job services, from the templates of `procedures/spcs`, by their names in the package."""
    job = _filled("job.yaml", {"release": SNOWCAT})
    # A comment of the file says where its text is, and is not part of that text.
    text = job.split("\n", 1)[1]
    values = {
        "specification": text,
        "plan": _backfill(text, "--plan-slices"),
        "load": _backfill(text),
        "finish": _backfill(text, "--finish"),
    }
    names = ("install.sql", "task.sql", "stream.sql", "backfill.sql")
    found = {name: _filled(name, values) for name in names}
    return {f"container_{name}": text for name, text in {**found, "job.yaml": job}.items()}


def _backfill(specification: str, *step: str) -> str:
    """The specification for a step of a backfill."""
    arguments = json.dumps(["run", "/files/backfill.json", *step])
    return re.sub(r" *# Replace your-site\.\n( *args: ).*\n", rf"\g<1>{arguments}\n", specification)


def _filled(name: str, values: dict[str, str]) -> str:
    """A template of `procedures/spcs` with these values."""
    text = (PROCEDURES / "spcs" / name).read_text("utf-8")
    for placeholder, value in values.items():
        text = text.replace("{{" + placeholder + "}}", value)
    return rendered(name, text)


def rendered(name: str, text: str, offline: "tuple[str, ...] | None" = None) -> str:
    """A template with its `{{runtime ..}}` replaced."""
    text = re.sub(
        r"\{\{runtime\s*([^{}]*)\}\}\n", lambda found: runtime(found[1].split(), offline), text
    )
    left = re.search(r"\{\{.*?\}\}", text)
    if left:
        raise ValueError(f"{name}: the placeholder {left[0]} has no value")
    if offline is None:
        return text
    return OFFLINE.format(name=name) + text.replace(REPOSITORY_ROLE, "")


def runtime(words: list[str], offline: "tuple[str, ...] | None" = None) -> str:
    """The clauses of `CREATE PROCEDURE` with version, packages and imports."""
    own = [word for word in words if word.endswith(".py")]
    data = [word for word in words if word.endswith(".json")]
    packages = [*PACKAGES, *(word for word in words if "." not in word)]
    zips = [archive(machine) for machine in offline or ()]
    imports = ",\n".join(f"    '@{STAGE}/{name}'" for name in [*zips, *own, *files(), *data])
    if offline is None:
        repository = "  ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository\n"
        listed = ", ".join(f"'{name}=={RELEASE['packages'][name]}'" for name in packages)
    else:
        repository = ""
        listed = ", ".join(f"'{name}'" for name in packages if name != RUNTIME)
    return f"  RUNTIME_VERSION = '{RELEASE['python']}'\n{repository}  PACKAGES = ({listed})\n  IMPORTS = (\n{imports}\n  )\n"


def files() -> list[str]:
    """The imports of every procedure: the handler, the component, its compiled files, and the name of its engine."""
    modules = sorted(
        file.name
        for file in (PROCEDURES / "handler").glob("snowcat_*.py")
        if "doctor" not in file.name
    )
    # The module that HANDLER names is the first.
    modules.sort(key=lambda name: name != "snowcat_procedure.py")
    compiled = dict.fromkeys(
        precompiled_key(engine, machine) for machine in MACHINES for engine in ENGINES
    )
    # The engine that runs everywhere is the last.
    keys = sorted(compiled, key=lambda key: "." not in key)
    return [*modules, "snowcat.wasm", *(f"snowcat.{key}.cwasm" for key in keys), "engine.txt"]


def archive(machine: str) -> str:
    """The file with the runtime of a machine."""
    return f"{RUNTIME}-{RELEASE['packages'][RUNTIME]}-{machine}.zip"


def ports(hosts: list[str]) -> str:
    """Hosts in the form of a network rule."""
    return ", ".join(f"'{host}:443'" for host in hosts)


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"
