"""Roles, grants, and the privilege checks.

ACCOUNTADMIN may do everything. Any other role needs what it would need in Snowflake: USAGE on the database and the
schema, and the privilege itself or ownership. README.md lists what is not checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import SqlError, missing, privileges, syntax
from .text import Name, Reader

if TYPE_CHECKING:
    from .catalog import Catalog, Table
    from .session import Session

ADMIN = "ACCOUNTADMIN"
SYSTEM = (ADMIN, "SYSADMIN", "SECURITYADMIN", "USERADMIN", "PUBLIC", "ORGADMIN")
ACCOUNT_PRIVILEGES = {
    "SYSADMIN": {"CREATE DATABASE", "CREATE WAREHOUSE"},
    "SECURITYADMIN": {"CREATE ROLE", "CREATE USER", "MANAGE GRANTS", "CREATE NETWORK POLICY"},
    "USERADMIN": {"CREATE ROLE", "CREATE USER"},
}
KINDS = {
    "DATABASE",
    "SCHEMA",
    "TABLE",
    "VIEW",
    "STAGE",
    "PROCEDURE",
    "FUNCTION",
    "TASK",
    "SECRET",
    "INTEGRATION",
    "WAREHOUSE",
    "ROLE",
    "FILE FORMAT",
    "NETWORK RULE",
    "IMAGE REPOSITORY",
    "COMPUTE POOL",
    "SEQUENCE",
}
PLURAL = {"FILE FORMATS": "FILE FORMAT", "NETWORK RULES": "NETWORK RULE"}


@dataclass(frozen=True)
class Grant:
    """A privilege on one object, or (`future`/`all_in`) on the objects of a kind in a place."""

    role: str
    privilege: str
    kind: str
    name: tuple[str, ...]
    future: bool = False


@dataclass
class Roles:
    """All roles, their grants to each other, and their privileges."""

    catalog: Catalog
    names: set[str] = field(default_factory=lambda: set(SYSTEM))
    members: dict[str, set[str]] = field(default_factory=dict)
    grants: set[Grant] = field(default_factory=set)
    owners: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    future_owners: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)

    def closure(self, role: str) -> set[str]:
        """The role, PUBLIC, and every role granted to it."""
        found, open_ = {"PUBLIC"}, [role]
        while open_:
            one = open_.pop()
            if one not in found:
                found.add(one)
                open_.extend(self.members.get(one, ()))
        if role == "SECURITYADMIN":
            found.add("USERADMIN")
        return found

    def has(self, role: str, privilege: str, kind: str, name: tuple[str, ...], owner: str | None) -> bool:
        """Whether the role has the privilege, regardless of whether the object is visible."""
        roles = self.closure(role)
        owner = self.owners.get((kind, name), owner)
        if ADMIN in roles or owner in roles:
            return True
        for grant in self.grants:
            if grant.role in roles and grant.kind == kind and grant.privilege in (privilege, "ALL", "OWNERSHIP"):
                place = name[: len(grant.name)] if grant.future else name
                if grant.name == place:
                    return True
        return False

    def owner_of_new(self, kind: str, name: tuple[str, ...], creator: str) -> str:
        """The owner of an object that `creator` creates: a future grant transfers it, one on the schema before that
        of the database.
        """
        for length in range(len(name) - 1, 0, -1):
            if (kind, name[:length]) in self.future_owners:
                return self.future_owners[kind, name[:length]]
        return creator

    def sees(self, role: str, kind: str, name: tuple[str, ...], owner: str | None) -> bool:
        """Returns `True` if the role has any privilege on the object."""
        roles = self.closure(role)
        if ADMIN in roles or self.owners.get((kind, name), owner) in roles:
            return True
        return any(
            g.role in roles and g.kind == kind and g.name == (name[: len(g.name)] if g.future else name)
            for g in self.grants
        )

    def sees_table(self, role: str, table: Table) -> bool:
        """The same for a table or a view."""
        return self.sees(role, "VIEW" if table.kind == "VIEW" else "TABLE", table.name, table.owner)

    def require(self, role: str, privilege: str, kind: str, name: tuple[str, ...], owner: str | None) -> None:
        """Fail as the server does unless the role may do this."""
        self._visible(role, kind, name)
        if self.has(role, privilege, kind, name, owner):
            return
        any_right = self.closure(role) & {g.role for g in self.grants if g.kind == kind and g.name == name}
        raise (
            privileges(kind, name[-1])
            if any_right or kind in ("DATABASE", "SCHEMA")
            else missing(kind.capitalize() if kind != "TABLE" else "Object", ".".join(name))
        )

    def require_table(self, role: str, privilege: str, table: Table) -> None:
        """The same for a table or a view, whose owner it knows itself."""
        self.require(role, privilege, "VIEW" if table.kind == "VIEW" else "TABLE", table.name, table.owner)

    def require_create(self, role: str, kind: str, name: Name) -> None:
        """`CREATE <kind>` on the schema of `name`."""
        schema = self.catalog.schema(name[0], name[1])
        self._visible(role, "SCHEMA", name[:2])
        if not self.has(role, f"CREATE {kind}", "SCHEMA", name[:2], schema.owner):
            raise privileges("SCHEMA", name[1])

    def require_account(self, role: str, privilege: str) -> None:
        """A privilege on the account."""
        roles = self.closure(role)
        if ADMIN in roles or any(privilege in ACCOUNT_PRIVILEGES.get(r, ()) for r in roles):
            return
        if not any(g.role in roles and g.kind == "ACCOUNT" and g.privilege in (privilege, "ALL") for g in self.grants):
            raise privileges("ACCOUNT", "EMULATOR")

    def _visible(self, role: str, kind: str, name: tuple[str, ...]) -> None:
        if kind in ("WAREHOUSE", "INTEGRATION", "ROLE", "COMPUTE POOL"):
            return
        database = name[0]
        owner = self.catalog.database_owner.get(database)
        if not self._any(role, "DATABASE", (database,), owner):
            raise missing("Database", database)
        if len(name) > 1:
            schema = self.catalog.schema(database, name[1])
            if not self._any(role, "SCHEMA", name[:2], schema.owner):
                raise missing("Schema", f"{database}.{name[1]}")

    def _any(self, role: str, kind: str, name: tuple[str, ...], owner: str | None) -> bool:
        return self.has(role, "USAGE", kind, name, owner)

    # --- GRANT and REVOKE ------------------------------------------------------

    def grant(self, session: Session, r: Reader) -> str:
        """Run `GRANT ...` or `REVOKE ...`."""
        revoke = r.next().text.upper() == "REVOKE"
        towards = "FROM" if revoke else "TO"
        if r.accept("ROLE") or (database_role := r.accept("DATABASE", "ROLE")):
            name = ".".join(r.parts())
            if "." not in name and name not in self.names:
                raise missing("Role", name)
            r.expect(towards)
            if r.accept("USER"):
                r.parts()
                return "Statement executed successfully."
            r.accept("ROLE")
            other = r.parts()[0]
            if other not in self.names:
                raise missing("Role", other)
            members = self.members.setdefault(other, set())
            (members.discard if revoke else members.add)(name)
            return "Statement executed successfully."
        del database_role
        listed = self._privileges(r)
        kind, name, future, all_in = self._object(session, r)
        r.expect(towards)
        r.accept("ROLE")
        role = r.parts()[0]
        if role not in self.names:
            raise missing("Role", role)
        for privilege in listed:
            if privilege == "OWNERSHIP" and future:
                if revoke:
                    self.future_owners.pop((kind, name), None)
                else:
                    self.future_owners[kind, name] = role
                continue
            if privilege == "OWNERSHIP" and not all_in and not revoke:
                self.owners[kind, name] = role
                self._own(kind, name, role)
                continue
            grant = Grant(role, privilege, kind, name, future or all_in)
            (self.grants.discard if revoke else self.grants.add)(grant)
        return "Statement executed successfully."

    def _own(self, kind: str, name: tuple[str, ...], role: str) -> None:
        if kind == "DATABASE":
            self.catalog.database_owner[name[0]] = role
        elif kind == "SCHEMA":
            self.catalog.schema(name[0], name[1]).owner = role
        elif kind in ("TABLE", "VIEW"):
            self.catalog.table((name[0], name[1], name[2])).owner = role

    def _privileges(self, r: Reader) -> list[str]:
        listed, words = [], []
        while not r.accept("ON"):
            if r.accept(","):
                listed.append(" ".join(words))
                words = []
            else:
                words.append(r.next().text.upper())
        listed.append(" ".join(words))
        return ["ALL" if p == "ALL PRIVILEGES" else p for p in listed]

    def _object(self, session: Session, r: Reader) -> tuple[str, tuple[str, ...], bool, bool]:
        if r.accept("ACCOUNT"):
            return "ACCOUNT", (), False, False
        future, all_in = r.accept("FUTURE"), r.accept("ALL")
        kind = r.next().text.upper()
        if f"{kind} {r.peek()}" in KINDS | set(PLURAL):
            kind = f"{kind} {r.next().text.upper()}"
        if future or all_in:
            kind = PLURAL.get(kind, kind.removesuffix("S").replace("PROCEDURE", "PROCEDURE"))
            r.expect("IN")
            r.next()
            return kind, tuple(self._place(session, r.parts())), future, all_in
        if kind not in KINDS:
            raise syntax(f"unexpected '{kind}' in GRANT")
        parts = r.parts()
        signature = None
        if r.peek() == "(":
            signature, depth = "", 0
            while True:
                token = r.next()
                depth += {"(": 1, ")": -1}.get(token.text, 0)
                signature += token.text.upper()
                if depth == 0:
                    break
        name = self._named(session, kind, parts)
        session.account.check_exists(kind, name, signature)
        return kind, name, False, False

    def _place(self, session: Session, parts: list[str]) -> list[str]:
        if len(parts) == 1 and parts[0] not in self.catalog.databases:
            return [str(session.database), *parts]
        return parts

    def _named(self, session: Session, kind: str, parts: list[str]) -> tuple[str, ...]:
        if kind in ("DATABASE", "WAREHOUSE", "INTEGRATION", "ROLE", "COMPUTE POOL"):
            return (parts[0],)
        if kind == "SCHEMA":
            whole = parts if len(parts) == 2 else [str(session.database), *parts]
            return (whole[0], whole[1])
        return session.complete(parts)


__all__ = ["Grant", "Roles", "SqlError"]
