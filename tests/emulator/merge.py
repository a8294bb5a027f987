"""MERGE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from . import dml, rebase
from .catalog import Column
from .engine import Outcome
from .errors import SqlError, syntax
from .text import Name, quote

if TYPE_CHECKING:
    from .session import Session

NAMES = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}


def prepare(session: Session, e: exp.Merge) -> dml.Prepared:
    """The statement, checked as far as it can be without running it."""
    name = session.name_of(e.this)
    session.engine.catalog.table(name)
    session.check_tables(e)
    whens = e.args["whens"].expressions
    for when in whens:
        if when.args.get("source"):
            raise syntax("unexpected 'BY'")
        if not when.args.get("matched") and not isinstance(when.args["then"], exp.Insert):
            raise syntax("WHEN NOT MATCHED takes INSERT only")
    merge = Merge(session, name, session.transformed(e))
    verbs = {exp.Update: "UPDATE", exp.Insert: "INSERT"}
    wanted = tuple({verbs.get(type(w.args["then"]), "DELETE") for w in whens})
    return dml.Prepared(
        name,
        merge.run,
        True,
        wanted,
        lambda: {name: sorted({row for row, _ in merge.matches()})},
        merge.plan,
        merge.late,
    )


class Clause:
    """One WHEN clause as DuckDB's text."""

    def __init__(self, merge: Merge, clause: exp.Expression) -> None:
        then = clause.args["then"]
        self.matched = bool(clause.args.get("matched"))
        self.condition = merge.render(clause.args["condition"]) if clause.args.get("condition") else "TRUE"
        self.columns: list[str] = []
        self.values: list[str] = []
        if isinstance(then, exp.Update):
            self.kind = "UPDATE"
            self.columns = [merge.column(eq.this) for eq in then.expressions]
            self.values = merge.values([eq.expression for eq in then.expressions], self.columns)
            self.then = (
                f"UPDATE SET {', '.join(f'{quote(n)} = {v}' for n, v in zip(self.columns, self.values, strict=True))}"
            )
        elif isinstance(then, exp.Insert):
            self.kind = "INSERT"
            listed = [merge.column(c) for c in (then.this.expressions if then.this else [])]
            self.columns = [c.name for c in dml.targets(merge.session.engine.catalog.table(merge.name), listed)]
            items = then.expression.expressions
            if len(items) != len(self.columns):
                raise SqlError(
                    2057,
                    "42601",
                    "SQL compilation error:\nInsert value list does not match column list expecting "
                    f"{len(self.columns)} but got {len(items)}",
                )
            self.values = merge.values(items, self.columns)
            self.then = f"INSERT ({', '.join(map(quote, self.columns))}) VALUES ({', '.join(self.values)})"
        else:
            self.kind = self.then = "DELETE"

    def sql(self) -> str:
        """The whole clause."""
        return f"WHEN {'' if self.matched else 'NOT '}MATCHED AND ({self.condition}) THEN {self.then}"


class Merge:
    """A MERGE statement, transformed for DuckDB."""

    def __init__(self, session: Session, name: Name, m: exp.Merge) -> None:
        self.session = session
        self.name = name
        self.render = session.render
        self.target, self.source, self.on = map(session.render, (m.this, m.args["using"], m.args["on"]))
        self.alias = quote(m.this.alias_or_name)
        self.source_alias = m.args["using"].alias_or_name
        self.parsed = m.args["whens"].expressions

    def column(self, node: exp.Expression) -> str:
        """The name of a column that is set or inserted."""
        return self.session.fold(node.this if isinstance(node, exp.Column) else node)

    def values(self, items: list[exp.Expression], columns: list[str]) -> list[str]:
        """The values converted for the columns."""
        if not items:
            return []
        table = self.session.engine.catalog.table(self.name)
        targets: list[Column] = [table.column(c) for c in columns]
        texts = [self.render(item) for item in items]
        probe = f"SELECT {', '.join(texts)} FROM {self.target} CROSS JOIN {self.source}"
        kinds = dml.describe(self.session, probe)
        return [dml.coerce(f"({t})", kind, c) for t, kind, c in zip(texts, kinds, targets, strict=True)]

    def clauses(self) -> list[Clause]:
        """The clauses, made again for each run, because columns may have been added."""
        return [Clause(self, clause) for clause in self.parsed]

    def matches(self) -> list[tuple[int, int]]:
        """Each target row with the first WHEN MATCHED clause that applies, once for each source row."""
        matched = [c for c in self.parsed if c.args.get("matched")]
        if not matched:
            return []
        whens = []
        for position, clause in enumerate(matched):
            condition = self.render(clause.args["condition"]) if clause.args.get("condition") else "TRUE"
            whens.append(f"WHEN {condition} THEN {position}")
        sql = (
            f"SELECT * FROM (SELECT {self.alias}.rowid, CASE {' '.join(whens)} END AS hit "
            f"FROM {self.target} JOIN {self.source} ON {self.on}) WHERE hit IS NOT NULL"
        )
        return self.session.duck.execute(sql).fetchall()

    def run(self) -> Outcome:
        """Run it on the present snapshot."""
        clauses = self.clauses()
        source, on = self.source, self.on
        if self._duplicates(clauses):
            source, on = self._first_of_each()
        whens = " ".join(c.sql() for c in clauses)
        sql = f"MERGE INTO {self.target} USING {source} ON {on} {whens} RETURNING merge_action"
        actions = [row[0] for row in self.session.duck.execute(sql).fetchall()]
        return _outcome(clauses, {kind: actions.count(kind) for kind in NAMES})

    def plan(self) -> dml.Plan:
        """Its effect on the present snapshot."""
        clauses = self.clauses()
        self._duplicates(clauses)
        matched = [c for c in clauses if c.matched]
        first = dict(self.matches())
        counts = {kind: sum(matched[hit].kind == kind for hit in first.values()) for kind in ("UPDATE", "DELETE")}
        inserts, before = [], ["FALSE"]
        for clause in (c for c in clauses if not c.matched):
            taken = " OR ".join(f"coalesce({b}, FALSE)" for b in before)
            rows = rebase.read(
                self.session,
                f"SELECT {', '.join(clause.values)} FROM {self.source} WHERE ({clause.condition}) AND NOT ({taken}) "
                f"AND NOT EXISTS (SELECT 1 FROM {self.target} WHERE {self.on})",
            )
            inserts.append((clause.columns, rows))
            before.append(f"({clause.condition})")
        counts["INSERT"] = sum(rows.num_rows for _, rows in inserts)
        return dml.Plan(list(first), _outcome(clauses, counts), inserts)

    def late(self, plan: dml.Plan) -> None:
        """Change the planned rows in their current version, and insert the planned rows."""
        matched = [c for c in self.clauses() if c.matched]
        if matched and plan.rows:
            row = f"{self.alias}.rowid"
            rows = f"({row} IN ({rebase.numbers(rebase.committed(plan.rows))}) OR {row} >= {rebase.LOCAL})"
            whens = " ".join(c.sql() for c in matched)
            self.session.duck.execute(f"MERGE INTO {self.target} USING {self.source} ON ({self.on}) AND {rows} {whens}")
        for columns, inserted in plan.inserts:
            if inserted.num_rows:
                rebase.insert(self.session, self.name, columns, inserted)

    def _duplicates(self, clauses: list[Clause]) -> bool:
        """Returns `True` if several source rows match one target row; error 100090 if they would update it."""
        matched = [c for c in clauses if c.matched]
        found: dict[int, list[str]] = {}
        for row, hit in self.matches():
            found.setdefault(row, []).append(matched[hit].kind)
        several = [kinds for kinds in found.values() if len(kinds) > 1]
        refuses = self.session.parameters["ERROR_ON_NONDETERMINISTIC_MERGE"]
        if refuses and any("UPDATE" in kinds for kinds in several):
            raise SqlError(100090, "42P18", "Duplicate row detected during DML action\nRow Values: [...]")
        return bool(several)

    def _first_of_each(self) -> tuple[str, str]:
        """The source and the condition with one source row for each target row, because DuckDB allows no more."""
        source = f"(SELECT *, row_number() OVER () AS _emulator_row FROM {self.source}) AS {quote(self.source_alias)}"
        row, number = f"{self.alias}.rowid", f"{quote(self.source_alias)}._emulator_row"
        pairs = self.session.duck.execute(
            f"SELECT {row}, {number} FROM {self.target} JOIN {source} ON {self.on}"
        ).fetchall()
        first: dict[int, int] = {}
        for target, given in sorted(pairs):
            first.setdefault(target, given)
        kept = ", ".join(f"({target}, {given})" for target, given in first.items())
        spare = rebase.numbers({given for _, given in pairs} - set(first.values()))
        narrowed = f"(SELECT * FROM {source} WHERE _emulator_row NOT IN ({spare})) AS {quote(self.source_alias)}"
        return narrowed, f"({self.on}) AND ({row}, {number}) IN ({kept})"


def _outcome(clauses: list[Clause], counts: dict[str, int]) -> Outcome:
    used = [kind for kind in NAMES if any(c.kind == kind for c in clauses)]
    row = tuple(counts[kind] for kind in used)
    return Outcome([f"number of rows {NAMES[kind]}" for kind in used], [row], sum(row))
