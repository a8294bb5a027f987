"""The other objects of an account: roles, warehouses, secrets, network rules, integrations, procedures, tasks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fakesnow import statement_type

from . import packages
from .answer import Answer
from .errors import SqlError, exists, missing, not_emulated, syntax
from .text import Reader, split_script, unquote

if TYPE_CHECKING:
    from .session import Session

LOCK_COLUMNS = [
    "resource",
    "type",
    "transaction",
    "transaction_started_on",
    "status",
    "acquired_on",
    "query_id",
    "session",
]
ACCOUNT_KINDS = {"ROLE", "USER", "WAREHOUSE", "INTEGRATION", "COMPUTE POOL"}
# Kinds of two words, by the first.
PAIRS = {"NETWORK": "RULE", "IMAGE": "REPOSITORY", "COMPUTE": "POOL"}
PROPERTIES = {
    "WAREHOUSE": {
        "WAREHOUSE_SIZE",
        "AUTO_SUSPEND",
        "AUTO_RESUME",
        "INITIALLY_SUSPENDED",
        "COMMENT",
        "WAREHOUSE_TYPE",
        "GENERATION",
        "ENABLE_QUERY_ACCELERATION",
        "STATEMENT_TIMEOUT_IN_SECONDS",
    },
    "SECRET": {
        "TYPE",
        "USERNAME",
        "PASSWORD",
        "SECRET_STRING",
        "API_AUTHENTICATION",
        "OAUTH_REFRESH_TOKEN",
        "COMMENT",
    },
    "NETWORK RULE": {"TYPE", "MODE", "VALUE_LIST", "COMMENT"},
    "INTEGRATION": {"ALLOWED_NETWORK_RULES", "ALLOWED_AUTHENTICATION_SECRETS", "ENABLED", "COMMENT"},
    "TASK": {
        "WAREHOUSE",
        "SCHEDULE",
        "COMMENT",
        "USER_TASK_TIMEOUT_MS",
        "SUSPEND_TASK_AFTER_NUM_FAILURES",
        "ALLOW_OVERLAPPING_EXECUTION",
        "TASK_AUTO_RETRY_ATTEMPTS",
        # Parameters of its session.
        "AUTOCOMMIT",
        "ERROR_ON_NONDETERMINISTIC_MERGE",
        "LOCK_TIMEOUT",
        "QUERY_TAG",
        "ROWS_PER_RESULTSET",
        "TIMEZONE",
    },
    "IMAGE REPOSITORY": {"COMMENT", "ENCRYPTION"},
    "COMPUTE POOL": {
        "MIN_NODES",
        "MAX_NODES",
        "INSTANCE_FAMILY",
        "AUTO_RESUME",
        "INITIALLY_SUSPENDED",
        "AUTO_SUSPEND_SECS",
        "COMMENT",
    },
    "ROLE": {"COMMENT"},
    "USER": {"COMMENT", "PASSWORD", "DEFAULT_ROLE", "DEFAULT_WAREHOUSE"},
}


@dataclass
class Argument:
    """An argument of a procedure."""

    name: str
    type: str
    default: str | None


@dataclass
class Thing:
    """An object: its name, owner and properties."""

    kind: str
    name: tuple[str, ...]
    owner: str
    properties: dict[str, object] = field(default_factory=dict)
    arguments: list[Argument] = field(default_factory=list)
    body: str | None = None

    def signature(self) -> str:
        """`(VARCHAR,BOOLEAN)`: how GRANT and DROP name a procedure."""
        return f"({','.join(a.type for a in self.arguments)})"


class Objects:
    """Everything of `PROPERTIES`' kinds and the procedures."""

    def __init__(self) -> None:
        self.things: dict[tuple[str, tuple[str, ...]], Thing] = {}

    def of(self, kind: str) -> dict[str, Thing]:
        """The objects of a kind, by the last part of their name."""
        return {name[-1]: thing for (k, name), thing in self.things.items() if k == kind}

    def get(self, kind: str, name: tuple[str, ...]) -> Thing:
        """The object, or the server's error."""
        if (kind, name) not in self.things:
            raise missing(kind.capitalize(), ".".join(name))
        return self.things[kind, name]


def run(session: Session, verb: str, replace: bool, r: Reader) -> Answer:
    """CREATE, ALTER or DROP of one of these."""
    kind = r.next().text.upper()
    if kind in PAIRS and r.accept(PAIRS[kind]):
        kind = f"{kind} {PAIRS[kind]}"
    elif kind == "EXTERNAL":
        r.expect("ACCESS", "INTEGRATION")
        kind = "INTEGRATION"
    if kind not in (*PROPERTIES, "PROCEDURE"):
        raise not_emulated(f"{verb} {kind}")
    condition = r.accept("IF", "NOT", "EXISTS") or r.accept("IF", "EXISTS")
    parts = r.parts()
    name = (parts[0],) if kind in ACCOUNT_KINDS else session.complete(parts)
    if verb == "CREATE":
        return _create(session, kind, name, replace, condition, r)
    return _status(_change(session, verb, kind, name, condition, r))


def _create(session: Session, kind: str, name: tuple[str, ...], replace: bool, condition: bool, r: Reader) -> Answer:
    account = session.account
    objects = account.objects
    if kind in ACCOUNT_KINDS:
        account.roles.require_account(session.role, f"CREATE {kind}")
    else:
        account.roles.require_create(session.role, kind, (name[0], name[1], name[2]))
    there = (kind, name) in objects.things or (kind == "ROLE" and name[0] in account.roles.names)
    if there and condition:
        return _status(f"{name[-1]} already exists, statement succeeded.")
    if there and not replace:
        raise exists(name[-1])
    thing = Thing(kind, name, session.role)
    if kind == "PROCEDURE":
        _procedure(session, thing, r)
    else:
        thing.properties = r.properties()
        for key in thing.properties:
            if key not in PROPERTIES[kind]:
                raise SqlError(1420, "42601", f"SQL compilation error:\ninvalid property '{key}' for '{kind}'")
        if kind == "TASK":
            r.expect("AS")
            (thing.body,) = split_script(r.rest())
            thing.properties["STATE"] = "suspended"
        _check(session, thing)
    if kind == "ROLE":
        account.roles.names.add(name[0])
    if kind == "PROCEDURE" and not thing.properties["COPY GRANTS"]:
        account.roles.grants -= {g for g in account.roles.grants if (g.kind, g.name) == (kind, name)}
    objects.things[kind, name] = thing
    shown = {"PROCEDURE": "Function", "INTEGRATION": "Integration"}.get(kind, kind.capitalize())
    return _status(f"{shown} {name[-1]} successfully created.")


def _change(session: Session, verb: str, kind: str, name: tuple[str, ...], condition: bool, r: Reader) -> str:
    account = session.account
    if (kind, name) not in account.objects.things:
        if condition:
            return "Statement executed successfully."
        raise missing(kind.capitalize(), ".".join(name))
    thing = account.objects.things[kind, name]
    privilege = "OPERATE" if kind == "TASK" and r.peek() in ("RESUME", "SUSPEND") else "OWNERSHIP"
    account.roles.require(session.role, privilege, kind, name, thing.owner)
    if verb == "DROP":
        del account.objects.things[kind, name]
        account.roles.names.discard(name[0] if kind == "ROLE" else "")
        return f"{name[-1]} successfully dropped."
    if kind == "TASK" and r.peek() in ("RESUME", "SUSPEND"):
        if r.peek() == "RESUME":
            account.roles.require_account(thing.owner, "EXECUTE TASK")
        thing.properties["STATE"] = "started" if r.peek() == "RESUME" else "suspended"
        return "Statement executed successfully."
    if kind in PROPERTIES and r.accept("SET"):
        changed = r.properties()
        for key in changed:
            if key not in PROPERTIES[kind]:
                raise SqlError(1420, "42601", f"SQL compilation error:\ninvalid property '{key}' for '{kind}'")
        thing.properties.update(changed)
        _check(session, thing)
        return "Statement executed successfully."
    raise not_emulated(f"ALTER {kind} {r.rest()[:40]}")


def show(session: Session, text: str) -> Answer | None:
    """SHOW of these kinds; None for the rest."""
    if re.fullmatch(r"(?is)show\s+locks(\s+in\s+account)?", text):
        return Answer.of(LOCK_COLUMNS, session.account.locks(), statement_type.SHOW)
    words = re.match(r"(?is)show\s+(procedures|tasks|secrets|stages|roles|integrations|network\s+rules)\b", text)
    if words is None:
        return None
    kind = re.sub(r"\s+", " ", words[1].upper()).removesuffix("S")
    if kind == "ROLE":
        return Answer.of(["name"], [(n,) for n in sorted(session.account.roles.names)])
    if kind == "STAGE":
        found = [(s.name, s.owner, "") for s in session.engine.stages.by_name.values()]
    else:
        things = session.account.objects.things.values()
        found = [(t.name, t.owner, str(t.properties.get("STATE", ""))) for t in things if t.kind == kind]
    rows = [
        (n[-1], n[0] if len(n) == 3 else None, n[1] if len(n) == 3 else None, owner, state) for n, owner, state in found
    ]
    return Answer.of(["name", "database_name", "schema_name", "owner", "state"], rows)


def resolve(session: Session, kind: str, dotted: object) -> Thing:
    """The object that a property names."""
    parts = str(dotted).split(".")
    name = (parts[0],) if kind in ACCOUNT_KINDS else session.complete(parts)
    return session.account.objects.get(kind, name)


def names(value: object) -> list[str]:
    """A property with a list of names."""
    return [str(v) for v in value] if isinstance(value, list) else []


def _check(session: Session, thing: Thing) -> None:
    given = thing.properties
    if thing.kind == "SECRET":
        by_type = {
            "PASSWORD": ("USERNAME", "PASSWORD"),
            "GENERIC_STRING": ("SECRET_STRING",),
            "OAUTH2": ("OAUTH_REFRESH_TOKEN",),
        }
        needed = by_type.get(str(given.get("TYPE")))
        if needed is None:
            raise not_emulated(f"a secret of type {given.get('TYPE')}")
        for key in needed:
            if not isinstance(given.get(key), str):
                raise syntax(f"a secret of type {given['TYPE']} needs {key}")
        if given["TYPE"] == "PASSWORD" and any(":" in str(given[k]) for k in needed):
            raise SqlError(1420, "42601", "the colon is not supported in USERNAME or PASSWORD of a secret")
    elif thing.kind == "NETWORK RULE":
        if given.get("MODE") != "EGRESS" or given.get("TYPE") != "HOST_PORT" or not names(given.get("VALUE_LIST")):
            raise syntax("a rule for external access needs MODE = EGRESS TYPE = HOST_PORT VALUE_LIST = (...)")
        for value in names(given["VALUE_LIST"]):
            if not re.fullmatch(r"[\w.-]+(:\d{1,5})?", value):
                raise syntax(f"invalid value {value!r} in VALUE_LIST")
    elif thing.kind == "INTEGRATION":
        for rule in names(given.get("ALLOWED_NETWORK_RULES")):
            resolve(session, "NETWORK RULE", rule)
        for secret in names(given.get("ALLOWED_AUTHENTICATION_SECRETS")):
            resolve(session, "SECRET", secret)
    elif thing.kind == "TASK":
        warehouse = given.get("WAREHOUSE")
        if warehouse is not None:
            found = session.account.objects.of("WAREHOUSE").get(str(warehouse))
            if found is None:
                raise missing("Warehouse", str(warehouse))
            session.account.roles.require(session.role, "USAGE", "WAREHOUSE", found.name, found.owner)
        schedule = str(given.get("SCHEDULE", ""))
        if not re.fullmatch(r"USING CRON (\S+ ){5}\S+|\d+ (MINUTE|MINUTES|M|HOURS?|H|SECONDS?|S)", schedule, re.I):
            raise syntax(f"invalid schedule {schedule!r}")


def _procedure(session: Session, thing: Thing, r: Reader) -> None:
    r.expect("(")
    while not r.accept(")"):
        if r.accept(","):
            continue
        name = r.next().text.strip('"').upper()
        kind = r.next().text.upper()
        if r.peek() == "(":
            r.group()
        default = None
        if r.accept("DEFAULT"):
            default = r.next().text
        thing.arguments.append(Argument(name, {"STRING": "VARCHAR", "TEXT": "VARCHAR"}.get(kind, kind), default))
    given = thing.properties
    # Between the arguments and RETURNS only.
    given["COPY GRANTS"] = r.accept("COPY", "GRANTS")
    r.expect("RETURNS")
    given["RETURNS"] = r.next().text.upper()
    given["EXECUTE AS"] = "OWNER"
    while not r.done():
        if r.accept("NOT", "NULL"):
            continue
        if r.accept("LANGUAGE"):
            given["LANGUAGE"] = r.next().text.upper()
        elif r.accept("EXECUTE", "AS"):
            given["EXECUTE AS"] = r.next().text.upper()
        elif r.accept("AS"):
            thing.body = unquote(r.next().text)
        else:
            key = r.next().text.upper()
            r.expect("=")
            if key not in (
                "RUNTIME_VERSION",
                "ARTIFACT_REPOSITORY",
                "PACKAGES",
                "IMPORTS",
                "HANDLER",
                "COMMENT",
                "SECRETS",
                "EXTERNAL_ACCESS_INTEGRATIONS",
            ):
                raise not_emulated(f"CREATE PROCEDURE with {key}")
            given[key] = r.value()
    _check_procedure(session, thing)


def _check_procedure(session: Session, thing: Thing) -> None:
    given, roles = thing.properties, session.account.roles
    if given.get("LANGUAGE") != "PYTHON":
        raise not_emulated(f"a procedure in {given.get('LANGUAGE')}")
    if not re.fullmatch(r"3\.(1[0-4])", str(given.get("RUNTIME_VERSION"))):
        raise syntax(f"unsupported runtime version {given.get('RUNTIME_VERSION')!r}")
    packages.check(names(given.get("PACKAGES")), given.get("ARTIFACT_REPOSITORY"), session.account.modes)
    for item in names(given.get("IMPORTS")):
        stage, path = session.stage(item, "READ")
        if not any(f.path == path for f in session.engine.stages.files(stage, path)):
            raise SqlError(100016, "22000", f"Remote file '{item}' was not found.")
    allowed: set[tuple[str, ...]] = set()
    for integration in names(given.get("EXTERNAL_ACCESS_INTEGRATIONS")):
        found = resolve(session, "INTEGRATION", integration)
        roles.require(session.role, "USAGE", "INTEGRATION", found.name, found.owner)
        secrets = names(found.properties.get("ALLOWED_AUTHENTICATION_SECRETS"))
        allowed |= {resolve(session, "SECRET", s).name for s in secrets}
    declared = given.get("SECRETS")
    for secret in declared.values() if isinstance(declared, dict) else ():
        found = resolve(session, "SECRET", secret)
        roles.require(session.role, "READ", "SECRET", found.name, found.owner)
        if found.name not in allowed:
            raise SqlError(
                90256,
                "42601",
                f"SQL compilation error:\nSecret '{'.'.join(found.name)}' is not in ALLOWED_AUTHENTICATION_SECRETS of any "
                "external access integration of the procedure.",
            )


def _status(text: str) -> Answer:
    return Answer.status(text)
