"""INFORMATION_SCHEMA: the views of a database, put in the place of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from .errors import missing, not_emulated
from .text import quote

if TYPE_CHECKING:
    from .session import Session

VIEWS = {"COLUMNS": "columns_view", "TABLES": "tables_view", "SCHEMATA": "schemata_view"}


def substituted(session: Session, expression: exp.Expression) -> exp.Expression:
    """The expression with every view replaced by a relation of the session's connection."""
    for table in list(expression.find_all(exp.Table)):
        if table.db.upper() == "INFORMATION_SCHEMA":
            _replace(session, table)
    return expression


def _replace(session: Session, table: exp.Table) -> None:
    database = session.fold(table.args["catalog"]) if table.args.get("catalog") else session.database
    if database not in session.engine.catalog.databases:
        raise missing("Database", str(database))
    view = table.name.upper()
    if view == "LOAD_HISTORY":
        place = f'{quote(database)}."_emulator"."loads"'
        sub = exp.maybe_parse(
            f"(SELECT schema_name AS \"SCHEMA_NAME\", path AS \"FILE_NAME\", table_name AS \"TABLE_NAME\", "
            f"loaded AS \"LAST_LOAD_TIME\", 'LOADED' AS \"STATUS\", row_count AS \"ROW_COUNT\" FROM {place})",
            dialect="duckdb",
        )
        table.replace(exp.Subquery(this=sub.this, alias=table.args.get("alias") or exp.to_identifier(view)))
        return
    if view not in VIEWS and view != "STAGES":
        raise not_emulated(f"INFORMATION_SCHEMA.{view}")
    local = f"_emulator_{view.lower()}_{database}"
    engine = session.engine
    rows = engine.stages.view(database) if view == "STAGES" else getattr(engine.catalog, VIEWS[view])(database)
    session.duck.register(local, rows)
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(view, quoted=True))
    table.replace(exp.Table(this=exp.to_identifier(local, quoted=True), alias=alias))
