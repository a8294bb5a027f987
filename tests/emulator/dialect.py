"""From Snowflake's SQL to DuckDB's, where fakesnow and sqlglot differ from the service."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError

from . import zones
from .catalog import DEFAULT_LENGTH
from .errors import SqlError, not_emulated, syntax
from .text import tokens

# Snowflake's date and time format elements, longest first, as strftime.
ELEMENTS = [
    ("YYYY", "%Y"),
    ("MMMM", "%B"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("TZH:TZM", "%z"),
    ("TZHTZM", "%z"),
    ("FF6", "%f"),
    ("FF3", "%g"),
    ("FF9", "%f000"),
    ("MON", "%b"),
    ("TZH", "%z"),
    ("YY", "%y"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("DY", "%a"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("FF", "%f000"),
]
TO_CHAR = "EMULATOR_TO_CHAR"
TEXT_MACRO = "_emulator_text"
TEXT_TYPES = (exp.DataType.Type.VARCHAR, exp.DataType.Type.TEXT)
BINARY_FORMATS = {"HEX": "HEX", "BASE64": "TO_BASE64", "UTF-8": "DECODE"}
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def parse(sql: str) -> exp.Expression:
    """One statement, or the server's syntax error."""
    # sqlglot rewrites the format of a TO_CHAR whose argument's type it knows, and loses parts of it.
    for token, after in reversed(list(pairwise(tokens(sql)))):
        if token.kind == "word" and token.text.upper() in ("TO_CHAR", "TO_VARCHAR") and after.text == "(":
            sql = f"{sql[: token.start]}{TO_CHAR}{sql[token.end :]}"
    try:
        found = sqlglot.parse_one(sql, read="snowflake")
    except ParseError as error:
        raise syntax(ANSI.sub("", str(error)).split("\n")[0]) from error
    if found is None:
        raise syntax("empty statement")
    return found


def prepare(expression: exp.Expression, functions: dict[str, str | None], *, has_zones: bool = False) -> exp.Expression:
    """Rewrite what fakesnow would convert wrongly; `functions` are those of the session (`CURRENT_ROLE`, ...).

    With `has_zones` a table of the statement has a column of type TIMESTAMP_TZ.
    """
    text_macro = TEXT_MACRO
    if has_zones or zones.zoned(expression):
        expression, text_macro = zones.rewrite(expression), zones.TEXT_MACRO

    def one(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Anonymous) and node.name.upper() == TO_CHAR:
            return _to_char(node.expressions, text_macro)
        if isinstance(node, exp.Cast) and node.to.this in TEXT_TYPES:
            node.set("this", node.this.transform(one))  # do not descend into the replaced node
            return _text(node, text_macro)
        if isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.DECIMAL:
            return _number(node)
        if isinstance(node, (exp.Func, exp.Column)):
            name = (node.name if isinstance(node, (exp.Anonymous, exp.Column)) else node.sql_name()).upper()
            if name in functions and not (isinstance(node, exp.Column) and (node.table or node.this.quoted)):
                value = functions[name]
                return exp.Null() if value is None else exp.Literal.string(value)
        return node

    return _fitting(expression.transform(one))


def _fitting(expression: exp.Expression) -> exp.Expression:
    """The expression (changed in place) with a check of the length of each string that a cast makes."""
    for node in reversed(list(expression.dfs())):
        if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and node.to.this in TEXT_TYPES:
            if isinstance(node.this, (exp.Literal, exp.Null)) and not node.to.expressions:
                continue
            given = [int(p.name) for p in node.to.expressions if p.name.isdigit()]
            length = given[0] if given else DEFAULT_LENGTH["TEXT"]
        elif isinstance(node, exp.Anonymous) and node.name in (TEXT_MACRO, zones.TEXT_MACRO):
            length = DEFAULT_LENGTH["TEXT"]
        else:
            continue
        checked = zones.call("_emulator_fits", node.copy(), exp.Literal.number(length))
        if node is expression:
            expression = checked
        else:
            node.replace(checked)
    return expression


def _to_char(arguments: list[exp.Expression], text_macro: str) -> exp.Expression:
    value = arguments[0]
    if len(arguments) == 1:
        return exp.Anonymous(this=text_macro, expressions=[value])
    form = arguments[1].name
    if form.upper() in BINARY_FORMATS:
        return exp.Anonymous(this=BINARY_FORMATS[form.upper()], expressions=[value])
    if not re.search(r"YY|HH|MI|SS|DD|FF", form):
        raise not_emulated(f"TO_CHAR with the format {form!r}")
    # `%z` prints the offset as `+HH`; Snowflake prints what the element asks for.
    pieces, at, zone = [], 0, None
    while at < len(form):
        if form[at] == '"':
            end = form.index('"', at + 1)
            pieces.append(form[at + 1 : end].replace("%", "%%"))
            at = end + 1
            continue
        for element, directive in ELEMENTS:
            if form.startswith(element, at):
                zone = element if directive == "%z" else zone
                pieces.append("<zone>" if directive == "%z" else directive)
                at += len(element)
                break
        else:
            pieces.append(form[at].replace("%", "%%"))
            at += 1
    text = "".join(pieces)
    if zone is None:
        return exp.Anonymous(this="STRFTIME", expressions=[zones.wall(value), exp.Literal.string(text)])
    width = {"TZH:TZM": "colon", "TZHTZM": "plain", "TZH": "hours"}[zone]
    offset = exp.Anonymous(this="STRFTIME", expressions=[value.copy(), exp.Literal.string("%z")])
    return exp.Anonymous(
        this="_emulator_to_char",
        expressions=[
            zones.wall(value),
            offset if zones.has_aggregate(value) else zones.call("_emulator_offset", value.copy()),
            exp.Literal.string(text),
            exp.Literal.string(width),
        ],
    )


def _number(node: exp.Cast) -> exp.Expression:
    # fakesnow treats NUMBER(38,0) as a 64 bit integer if it is written with literals.
    given = [p.name for p in node.to.expressions] or ["38"]
    digits = [exp.DataTypeParam(this=exp.var(n)) for n in (given if len(given) > 1 else [*given, "0"])]
    to = exp.DataType(this=exp.DataType.Type.DECIMAL, expressions=digits)
    return type(node)(**{**node.args, "to": to})


def _text(node: exp.Cast, text_macro: str) -> exp.Expression:
    if isinstance(node.this, (exp.Literal, exp.JSONExtract, exp.Null, exp.Placeholder)):
        return node
    if node.to.expressions:
        return node
    return exp.Anonymous(this=text_macro, expressions=[node.this])


def macros(text_limit: int) -> str:
    """The macros of a connection; `text_limit` is the length of a VARCHAR without a length."""
    shrunk = f"CASE WHEN n <= {text_limit} THEN n ELSE greatest({text_limit}, CAST(n AS BIGINT) * {text_limit} // 16777216) END"
    limit = "n" if text_limit == DEFAULT_LENGTH["TEXT"] else shrunk
    limits = f"CREATE OR REPLACE TEMP MACRO _emulator_limit(n) AS {limit};"
    return TEXT_MACROS + INSTANTS + zones.MACROS + limits + LIMITS.replace("LIMIT", str(text_limit))


TEXT_MACROS = r"""
CREATE OR REPLACE TEMP MACRO _emulator_text(x) AS
    CASE WHEN typeof(x) = 'DOUBLE' THEN regexp_replace(CAST(x AS VARCHAR), '\.0$', '')
         WHEN typeof(x) = 'JSON' THEN (CAST(x AS JSON) ->> '$')
         ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE TEMP MACRO _emulator_zone(z, w) AS
    CASE w WHEN 'hours' THEN left(z, 3)
           WHEN 'plain' THEN replace(CASE WHEN length(z) = 3 THEN z || '00' ELSE z END, ':', '')
           ELSE CASE WHEN length(z) = 3 THEN z || ':00' ELSE z END END;
CREATE OR REPLACE TEMP MACRO _emulator_to_char(wall, z, f, w) AS
    replace(strftime(wall, f), '<zone>', _emulator_zone(z, w));
"""

# fakesnow's own macro divides as doubles, and has no numbers beyond 64 bits: nanoseconds end in the year 2262 there.
INSTANTS = r"""
CREATE OR REPLACE TEMP MACRO _emulator_micros(n, scale) AS
    CAST(CASE scale WHEN 0 THEN n * 1000000 WHEN 3 THEN n * 1000 WHEN 6 THEN n
         WHEN 9 THEN (n - ((n % 1000) + 1000) % 1000) // 1000 END AS BIGINT);
CREATE OR REPLACE TEMP MACRO _fs_to_timestamp(val, scale) AS
    CASE WHEN try_cast(val AS HUGEINT) IS NOT NULL
         THEN CAST(make_timestamptz(_emulator_micros(try_cast(val AS HUGEINT), scale)) AS TIMESTAMP)
         ELSE CAST(val AS TIMESTAMP) END;
"""

# The lambda keeps the expression from being bound several times, which takes seconds with many columns.
# A string may be too long for the error message.
LIMITS = r"""
CREATE OR REPLACE TEMP MACRO _emulator_short(x) AS CASE WHEN length(x) > 200 THEN left(x, 200) || '...' ELSE x END;
CREATE OR REPLACE TEMP MACRO _emulator_fits(x, n) AS
    list_transform([x], lambda v: CASE WHEN strlen(v) > _emulator_limit(n) AND length(v) > _emulator_limit(n)
        THEN error('String ''' || _emulator_short(v) || ''' is too long and would be truncated') ELSE v END)[1];
CREATE OR REPLACE TEMP MACRO _emulator_fits_binary(x, n) AS
    CASE WHEN octet_length(x) > _emulator_limit(n * 2) // 2
         THEN error('Binary ''' || left(hex(x), 200) || '...'' is too long and would be truncated') ELSE x END;
CREATE OR REPLACE TEMP MACRO _emulator_fits_lob(x) AS
    CASE WHEN strlen(CAST(x AS VARCHAR)) > LIMIT * 8
         THEN error('Max LOB size (' || LIMIT * 8 || ') exceeded, actual size of parsed column is '
                    || strlen(CAST(x AS VARCHAR))) ELSE x END;
"""


def translate_error(error: Exception) -> SqlError:
    """DuckDB's error with the server's text and number."""
    text = str(error).split("\n")[0]
    table: list[tuple[type, str, Callable[[], SqlError]]] = [
        (
            duckdb.ConstraintException,
            "NOT NULL",
            lambda: SqlError(100072, "22000", f"DML operation failed: NULL result in a non-nullable column ({text})"),
        ),
        (
            duckdb.InvalidInputException,
            "is too long and would be truncated",
            lambda: SqlError(100078, "22000", text.split("Error: ", 1)[-1]),
        ),
        (duckdb.InvalidInputException, "Max LOB size", lambda: SqlError(100082, "22000", text.split("Error: ", 1)[-1])),
        (duckdb.ConversionException, "", lambda: SqlError(100038, "22018", text)),
        (
            duckdb.OutOfRangeException,
            "",
            lambda: SqlError(100132, "22003", f"Number out of representable range: {text}"),
        ),
        (duckdb.InvalidInputException, "JSON", lambda: SqlError(100069, "22P02", f"Error parsing JSON: {text}")),
        (duckdb.BinderException, "", lambda: SqlError(904, "42000", f"SQL compilation error:\n{text}")),
        (duckdb.CatalogException, "", lambda: SqlError(2003, "42S02", f"SQL compilation error:\n{text}")),
        (duckdb.ParserException, "", lambda: syntax(text)),
    ]
    for kind, needle, made in table:
        if isinstance(error, kind) and needle in str(error):
            return made()
    return SqlError(99999, "XX000", f"emulator: {type(error).__name__}: {error}")
