"""INFORMATION_SCHEMA: the views of a database, substituted for their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from .catalog import Column, Schema, Table
from .errors import SqlError, missing, not_emulated
from .stages import Stage
from .text import quote

if TYPE_CHECKING:
    from .session import Session

Shown = Table | Column | Stage | tuple[str, str, Schema]
# With `information_schema="lags"` a table or a column appears after so many further statements of the account.
LAG = 3
VIEWS = {"COLUMNS": "columns_view", "TABLES": "tables_view", "SCHEMATA": "schemata_view"}


def substituted(session: Session, expression: exp.Expression) -> exp.Expression:
    """The expression with every view replaced by a relation of the session's connection."""
    for table in list(expression.find_all(exp.Table)):
        if table.db.upper() == "INFORMATION_SCHEMA":
            _replace(session, table)
    return expression


def _shown(session: Session) -> Callable[[Shown], bool]:
    """The objects on which the role has a privilege and which, if the views lag, are old enough."""
    roles, modes, now = session.account.roles, session.account.modes, session.account.statements()

    def shows(item: Shown) -> bool:
        if isinstance(item, (Table, Column)) and modes.information_schema == "lags" and now - item.born <= LAG:
            return False
        if isinstance(item, Table):
            return roles.sees_table(session.role, item)
        if isinstance(item, Stage):
            return roles.sees(session.role, "STAGE", item.name, item.owner)
        if isinstance(item, Column):
            return True
        database, name, schema = item
        return roles.sees(session.role, "SCHEMA", (database, name), schema.owner)

    return shows


def _replace(session: Session, table: exp.Table) -> None:
    database = session.fold(table.args["catalog"]) if table.args.get("catalog") else session.database
    if database not in session.engine.catalog.databases:
        raise missing("Database", str(database))
    view = table.name.upper()
    if view == "LOAD_HISTORY":
        place = f'{quote(database)}."_emulator"."loads"'
        sub = exp.maybe_parse(
            f'(SELECT schema_name AS "SCHEMA_NAME", path AS "FILE_NAME", table_name AS "TABLE_NAME", '
            f'loaded AS "LAST_LOAD_TIME", \'LOADED\' AS "STATUS", row_count AS "ROW_COUNT" FROM {place})',
            dialect="duckdb",
        )
        table.replace(exp.Subquery(this=sub.this, alias=table.args.get("alias") or exp.to_identifier(view)))
        return
    if view not in VIEWS and view != "STAGES":
        raise not_emulated(f"INFORMATION_SCHEMA.{view}")
    local = f"_emulator_{view.lower()}_{database}"
    modes, engine = session.account.modes, session.engine
    if modes.information_schema == "refuses":
        raise SqlError(
            90030,
            "22000",
            "Information schema query returned too much data. Please repeat query with more selective predicates.",
        )
    shows = _shown(session)
    if view == "STAGES":
        rows = engine.stages.view(database, shows)
    else:
        rows = getattr(engine.catalog, VIEWS[view])(database, shows)
    session.duck.register(local, rows)
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(view, quoted=True))
    table.replace(exp.Table(this=exp.to_identifier(local, quoted=True), alias=alias))
