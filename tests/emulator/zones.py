"""TIMESTAMP_TZ: an instant with the offset that it was written with.

DuckDB's own type stores only an instant. Here it is a struct of the instant and the offset in minutes. Macros with
typed parameters convert it where Snowflake would, and leave every other type unchanged.
"""

from __future__ import annotations

from sqlglot import exp

T = exp.DataType.Type
DUCK = 'STRUCT("_tz_at" TIMESTAMPTZ, "_tz_minutes" INTEGER)'
# The text in DESCRIBE and typeof, except for quotation marks.
DESCRIBED = "STRUCT(_tz_at TIMESTAMP WITH TIME ZONE, _tz_minutes INTEGER)"


_OFFSET = r"'([+-])(\d\d):?(\d\d)?$'"
_HOURS, _MINUTES = f"regexp_extract(x, {_OFFSET}, 2)", f"regexp_extract(x, {_OFFSET}, 3)"
_WRITTEN = f"CAST({_HOURS} AS INTEGER) * 60 + CASE {_MINUTES} WHEN '' THEN 0 ELSE CAST({_MINUTES} AS INTEGER) END"


def _pair(at: str, minutes: str) -> str:
    return f"CASE WHEN x IS NULL THEN NULL ELSE {{'_tz_at': {at}, '_tz_minutes': CAST({minutes} AS INTEGER)}} END"


def _here(at: str) -> str:
    return _pair(at, f"extract('timezone' FROM {at}) // 60")


_TEXT_AT = (
    "CAST(regexp_replace(regexp_replace(x, '(\\d) +([+-][\\d:]+)$', '\\1\\2'), '(:\\d\\d.*[+-]\\d\\d):?(\\d\\d)$', '\\1:\\2') "
    "AS TIMESTAMPTZ)"
)
_FROM_TEXT = (
    "CASE WHEN regexp_matches(x, '\\d:\\d\\d.*[+-]\\d\\d(:?\\d\\d)?$') THEN "
    + _pair(_TEXT_AT, f"CASE WHEN regexp_extract(x, {_OFFSET}, 1) = '-' THEN -1 ELSE 1 END * ({_WRITTEN})")
    + f" WHEN regexp_matches(x, 'Z$') THEN {_pair(_TEXT_AT, '0')} ELSE {_here(_TEXT_AT)} END"
)
_WALL = "timezone('UTC', CAST(x._tz_at AS TIMESTAMPTZ)) + to_minutes(x._tz_minutes)"
_SIGN = "CASE WHEN x._tz_minutes < 0 THEN '-' ELSE '+' END"
_ZONE = (
    f"{_SIGN} || lpad(CAST(abs(x._tz_minutes) // 60 AS VARCHAR), 2, '0') || ':' || "
    "lpad(CAST(abs(x._tz_minutes) % 60 AS VARCHAR), 2, '0')"
)

TEXT_MACRO = "_emulator_zone_text"
# The TIMESTAMP_OUTPUT_FORMAT of a new account: YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM. The type of `x` need not be known when
# the macro is bound (that of an aggregate is not), so the struct is read as JSON.
_OF_JSON = "to_json(x) ->> '$._tz_minutes'"
_TEXT = (
    "strftime(timezone('UTC', CAST(to_json(x) ->> '$._tz_at' AS TIMESTAMPTZ)) + to_minutes(CAST({} AS INTEGER)), "
    "'%Y-%m-%d %H:%M:%S.%g ') || replace({}, ':', '')"
).format(_OF_JSON, _ZONE.replace("x._tz_minutes", f"CAST({_OF_JSON} AS INTEGER)"))
MACROS = rf"""
CREATE OR REPLACE TEMP MACRO _emulator_tz(x VARCHAR) AS {_FROM_TEXT},
    (x TIMESTAMPTZ) AS {_here("x")},
    (x TIMESTAMP) AS {_here("CAST(x AS TIMESTAMPTZ)")},
    (x DATE) AS {_here("CAST(x AS TIMESTAMPTZ)")},
    (x {DUCK}) AS x;
CREATE OR REPLACE TEMP MACRO _emulator_instant(x {DUCK}) AS x._tz_at, (x) AS x;
CREATE OR REPLACE TEMP MACRO _emulator_wall(x {DUCK}) AS {_WALL}, (x) AS x;
CREATE OR REPLACE TEMP MACRO _emulator_convert(z, x) AS
    {_pair("x._tz_at", "datediff('minute', timezone('UTC', x._tz_at), timezone(z, x._tz_at))")};
CREATE OR REPLACE TEMP MACRO {TEXT_MACRO}(x) AS
    CASE WHEN replace(typeof(x), '"', '') = '{DESCRIBED}' THEN {_TEXT} ELSE _emulator_text(x) END;
CREATE OR REPLACE TEMP MACRO _emulator_offset(x {DUCK}) AS {_ZONE}, (x) AS strftime(x, '%z');
"""
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
LOCAL = {T.TIMESTAMP, T.TIMESTAMPNTZ, T.DATETIME, T.DATE, T.TIME}
OF_A_DAY = (exp.Date, exp.TsOrDsToDate, exp.Year, exp.Month, exp.Day, exp.DayOfWeek, exp.DayOfYear, exp.Extract)


def is_zoned(described: str) -> bool:
    """Returns `True` if this type of DuckDB is that of a TIMESTAMP_TZ."""
    return described.replace('"', "") == DESCRIBED


def zoned(expression: exp.Expression) -> bool:
    """Returns `True` if the expression itself makes a TIMESTAMP_TZ."""
    for node in expression.walk():
        if isinstance(node, exp.ConvertTimezone) or (
            isinstance(node, exp.Anonymous) and node.name.upper() == "TO_TIMESTAMP_TZ"
        ):
            return True
        if isinstance(node, exp.Cast) and node.to.this == T.TIMESTAMPTZ:
            return True
    return False


def rewrite(expression: exp.Expression) -> exp.Expression:
    """The expression (changed in place) with macros where a TIMESTAMP_TZ may occur."""
    for node in reversed(list(expression.dfs())):
        new = _one(node)
        if new is not node:
            if node is expression:
                expression = new
            else:
                node.replace(new)
    return expression


def _one(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.ConvertTimezone):
        if node.args.get("source_tz") is not None:
            return node
        return call(
            "_emulator_convert", node.args["target_tz"].copy(), call("_emulator_tz", node.args["timestamp"].copy())
        )
    if isinstance(node, exp.Anonymous) and node.name.upper() == "TO_TIMESTAMP_TZ" and len(node.expressions) == 1:
        return call("_emulator_tz", node.expressions[0].copy())
    if isinstance(node, exp.Cast):
        return _cast(node)
    if isinstance(node, COMPARISONS) and not (isinstance(node.parent, exp.Update) and node.arg_key == "expressions"):
        for side in ("this", "expression"):
            node.set(side, _instant(node.args[side]))
    elif isinstance(node, exp.Between):
        for side in ("this", "low", "high"):
            node.set(side, _instant(node.args[side]))
    elif isinstance(node, exp.In) and not node.args.get("query"):
        node.set("this", _instant(node.this))
        node.set("expressions", [_instant(e) for e in node.expressions])
    elif isinstance(node, OF_A_DAY):
        side = "expression" if isinstance(node, exp.Extract) else "this"
        node.set(side, wall(node.args[side]))
    return node


def _cast(node: exp.Cast) -> exp.Expression:
    kind = node.to.this
    if isinstance(node, exp.TryCast) or (
        isinstance(node.this, (exp.Literal, exp.Null, exp.Placeholder)) and kind != T.TIMESTAMPTZ
    ):
        return node
    if kind == T.TIMESTAMPTZ:
        known = node.this.copy()
        if isinstance(known, exp.Null):  # without a type it would match each of the macro's
            known = exp.cast(known, T.TIMESTAMPLTZ)
        return typed("_emulator_tz", known)
    if kind == T.TIMESTAMPLTZ:
        node.set("this", typed("_emulator_instant", node.this))
    elif kind in LOCAL:
        node.set("this", wall(node.this))
    return node


def _instant(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Tuple):
        node.set("expressions", [_instant(e) for e in node.expressions])
        return node
    if isinstance(node, (exp.Literal, exp.Null, exp.Boolean, exp.Any, exp.All, exp.Placeholder)):
        return node
    return typed("_emulator_instant", node)


def wall(node: exp.Expression) -> exp.Expression:
    """The local time of a TIMESTAMP_TZ; any other value unchanged."""
    return typed("_emulator_wall", node)


def typed(name: str, node: exp.Expression) -> exp.Expression:
    """A call of a macro with typed parameters, around the expression or inside its MAX or MIN.

    DuckDB does not know the type of an aggregate when it chooses among macros with one name; other expressions are
    unchanged.
    """
    if isinstance(node, (exp.Max, exp.Min)) and not node.expressions:
        return type(node)(this=typed(name, node.this))
    return node.copy() if has_aggregate(node) else call(name, node.copy())


def has_aggregate(node: exp.Expression) -> bool:
    """Returns `True` if an aggregate or a window is part of the expression."""
    return not isinstance(node, exp.Subquery) and node.find(exp.AggFunc, exp.Window) is not None


def taken(value: str, family: str) -> str:
    """A value as DuckDB's text for a column of this family; only a TIMESTAMP_TZ changes."""
    if family == "TIMESTAMP_TZ":
        return f"_emulator_tz({value})"
    if family == "TEXT":
        return f"{TEXT_MACRO}({value})"
    return f"_emulator_instant({value})" if family == "TIMESTAMP_LTZ" else f"_emulator_wall({value})"


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    """A call of a macro."""
    return exp.Anonymous(this=name, expressions=list(arguments))
