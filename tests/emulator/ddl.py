"""DDL: databases, schemas and stages here; tables in `tables`, the other objects in `objects`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakesnow import statement_type

from . import objects, shows, tables
from .answer import Answer
from .catalog import Schema
from .errors import SqlError, missing, not_emulated
from .stages import Stage
from .text import Reader, unquote

if TYPE_CHECKING:
    from .session import Session


def run(session: Session, text: str) -> Answer:
    """Run one DDL statement."""
    r = Reader(text)
    verb = r.next().text.upper()
    if verb in ("GRANT", "REVOKE"):
        return _status(session.account.roles.grant(session, Reader(text)))
    replace = verb == "CREATE" and r.accept("OR", "REPLACE")
    r.accept("OR", "ALTER")
    transient = temporary = False
    while r.peek() in ("TRANSIENT", "TEMPORARY", "TEMP", "VOLATILE", "LOCAL", "GLOBAL"):
        word = r.next().text.upper()
        transient = transient or word == "TRANSIENT"
        temporary = temporary or word not in ("TRANSIENT", "LOCAL", "GLOBAL")
    kind = r.peek()
    if kind in ("TABLE", "VIEW") and verb in ("CREATE", "ALTER", "DROP"):
        return tables.run(session, verb, kind, text)
    if verb == "COMMENT":
        return _comment(session, r)
    if kind in ("DATABASE", "SCHEMA", "STAGE") and r.peek(1) != "ROLE":
        r.next()
        condition = r.accept("IF", "NOT", "EXISTS") or r.accept("IF", "EXISTS")
        parts = r.parts()
        what = {"DATABASE": _database, "SCHEMA": _schema, "STAGE": _stage}[kind]
        if temporary:
            raise not_emulated(f"a temporary {kind.lower()}")
        return what(session, verb, parts, condition, replace, transient, r)
    return objects.run(session, verb, replace, r)


def use(session: Session, text: str) -> Answer:
    """USE ROLE, WAREHOUSE, DATABASE, SCHEMA, SECONDARY ROLES."""
    r = Reader(text)
    r.expect("USE")
    kind = r.peek()
    if kind == "SECONDARY":
        return _status("Statement executed successfully.")
    if kind in ("ROLE", "WAREHOUSE"):
        r.next()
        name = r.parts()[-1]
        known = session.account.roles.names if kind == "ROLE" else session.account.objects.of("WAREHOUSE")
        if name not in known:
            raise SqlError(
                2043, "02000", "SQL compilation error:\nObject does not exist, or operation cannot be performed."
            )
        if kind == "ROLE":
            session.role = name
        else:
            session.warehouse = name
        return _status("Statement executed successfully.")
    if kind in ("DATABASE", "SCHEMA"):
        r.next()
    parts = r.parts()
    catalog = session.engine.catalog
    if kind == "SCHEMA" and len(parts) == 1:
        parts = [str(session.database), *parts]
    if parts[0] not in catalog.databases:
        raise missing("Database", parts[0])
    if len(parts) > 1:
        catalog.schema(parts[0], parts[1])
    session.use(parts[0], parts[1] if len(parts) > 1 else "PUBLIC")
    return _status("Statement executed successfully.")


def show(session: Session, text: str) -> Answer | None:
    """SHOW and DESCRIBE of what lives here; None for what fakesnow answers."""
    r = Reader(text)
    r.next()
    if r.accept("TABLE"):
        table = session.engine.catalog.table(session.complete(r.parts()))
        rows = [
            (c.name, c.type.text(), "COLUMN", "Y" if c.nullable else "N", c.default, "N", "N", c.comment)
            for c in table.columns
        ]
        names = ["name", "type", "kind", "null?", "default", "primary key", "unique key", "comment"]
        return Answer.of(names, rows, statement_type.DESCRIBE)
    return shows.show(session, text) or objects.show(session, text)


def _status(text: str) -> Answer:
    return Answer.status(text)


# --- databases, schemas, stages ------------------------------------------------


def _database(
    session: Session, verb: str, parts: list[str], condition: bool, replace: bool, transient: bool, r: Reader
) -> Answer:
    name, engine = parts[0], session.engine
    there = name in engine.catalog.databases
    if verb == "CREATE":
        session.account.roles.require_account(session.role, "CREATE DATABASE")
        if there and condition:
            return _status(f"{name} already exists, statement succeeded.")
        if there and replace:
            engine.drop_database(name)
        engine.create_database(name, session.role)
        session.use(name, "PUBLIC")
        return _status(f"Database {name} successfully created.")
    if verb == "DROP":
        if not there:
            if condition:
                return _status("Drop statement executed successfully.")
            raise missing("Database", name)
        session.account.roles.require(
            session.role, "OWNERSHIP", "DATABASE", (name,), engine.catalog.database_owner[name]
        )
        engine.drop_database(name)
        return _status(f"{name} successfully dropped.")
    raise not_emulated(f"ALTER DATABASE {r.rest()[:40]}")


def _schema(
    session: Session, verb: str, parts: list[str], condition: bool, replace: bool, transient: bool, r: Reader
) -> Answer:
    database = parts[0] if len(parts) == 2 else session.database
    if database is None or database not in session.engine.catalog.databases:
        raise missing("Database", str(database))
    name = parts[-1]
    schemas = session.engine.catalog.databases[database]
    roles = session.account.roles
    if verb == "CREATE":
        roles.require(
            session.role, "CREATE SCHEMA", "DATABASE", (database,), session.engine.catalog.database_owner[database]
        )
        if name in schemas and condition:
            return _status(f"{name} already exists, statement succeeded.")
        if name in schemas and replace:
            session.engine.drop_schema(database, name)
        comment = r.properties().get("COMMENT") if r.peek() == "COMMENT" else None
        session.engine.create_schema(
            database,
            name,
            Schema(
                transient=transient,
                owner=roles.owner_of_new("SCHEMA", (database, name), session.role),
                comment=comment and str(comment),
            ),
        )
        if session.frame is None:
            session.use(database, name)
        return _status(f"Schema {name} successfully created.")
    if name not in schemas:
        if condition:
            return _status("Drop statement executed successfully.")
        raise missing("Schema", f"{database}.{name}")
    if verb == "DROP":
        roles.require(session.role, "OWNERSHIP", "SCHEMA", (database, name), schemas[name].owner)
        session.engine.drop_schema(database, name)
        return _status(f"{name} successfully dropped.")
    raise not_emulated(f"ALTER SCHEMA {r.rest()[:40]}")


def _stage(
    session: Session, verb: str, parts: list[str], condition: bool, replace: bool, transient: bool, r: Reader
) -> Answer:
    name = session.complete(parts)
    stages = session.engine.stages
    if verb == "CREATE":
        session.engine.catalog.schema(*name[:2])
        session.account.roles.require_create(session.role, "STAGE", name)
        options = r.properties()
        for key in options:
            if key not in ("ENCRYPTION", "DIRECTORY", "COMMENT", "FILE_FORMAT"):
                raise not_emulated(f"CREATE STAGE with {key}")
        encryption = options.get("ENCRYPTION")
        sse = isinstance(encryption, dict) and encryption.get("TYPE") == "SNOWFLAKE_SSE"
        if sse and session.account.modes.tri_secret_secure:
            raise SqlError(
                3001,
                "0A000",
                "SQL compilation error:\nServer-side encryption (SNOWFLAKE_SSE) is not supported for an account with "
                "Tri-Secret Secure.",
            )
        if name in stages.by_name and replace:
            session.account.roles.require(session.role, "OWNERSHIP", "STAGE", name, stages.by_name[name].owner)
        new = stages.create(
            Stage(name, session.account.roles.owner_of_new("STAGE", name, session.role), options), replace, condition
        )
        if not new:
            return _status(f"{name[2]} already exists, statement succeeded.")
        return _status(f"Stage area {name[2]} successfully created.")
    if name not in stages.by_name:
        if condition:
            return _status("Drop statement executed successfully.")
        raise missing("Stage", ".".join(name))
    if verb == "DROP":
        session.account.roles.require(session.role, "OWNERSHIP", "STAGE", name, stages.by_name[name].owner)
        stages.drop(name)
        return _status(f"{name[2]} successfully dropped.")
    raise not_emulated(f"ALTER STAGE {r.rest()[:40]}")


def _comment(session: Session, r: Reader) -> Answer:
    r.accept("IF", "EXISTS")
    r.expect("ON")
    kind = r.next().text.upper()
    parts = r.parts()
    r.expect("IS")
    text = unquote(r.next().text)
    if kind == "TABLE":
        session.engine.catalog.table(session.complete(parts)).comment = text
    elif kind == "COLUMN":
        session.engine.catalog.table(session.complete(parts[:-1])).column(parts[-1]).comment = text
    elif kind == "SCHEMA":
        whole = parts if len(parts) == 2 else [str(session.database), *parts]
        session.engine.catalog.schema(whole[0], whole[1]).comment = text
    else:
        raise not_emulated(f"COMMENT ON {kind}")
    return _status("Statement executed successfully.")
