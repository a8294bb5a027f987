"""The arguments of a CALL: parsed, evaluated, and converted for the handler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import queries
from .errors import missing, not_emulated
from .text import Reader, tokens

if TYPE_CHECKING:
    from .objects import Argument, Thing
    from .session import Session

NUMBERS = ("NUMBER", "INT", "INTEGER", "BIGINT")
SEMI = ("VARIANT", "OBJECT", "ARRAY")


class SqlNull:
    """A SQL NULL in a VARIANT; a JSON null is None. Its truth value is true, as in the service."""

    is_sql_null = True

    def __repr__(self) -> str:
        return "SqlNull()"


def values(session: Session, procedure: Thing, r: Reader) -> list[Any]:
    """The values of a CALL, in the order of the procedure's arguments."""
    given: dict[str, str] = {}
    texts: list[str] = []
    inner = r.rest().strip()
    if not inner.startswith("(") or not inner.endswith(")"):
        raise not_emulated(f"the arguments {inner[:60]!r}")
    for piece in _pieces(inner[1:-1]):
        words = tokens(piece)
        if len(words) > 2 and words[1].text == "=>":
            given[words[0].text.upper()] = piece[words[2].start :]
        else:
            texts.append(piece)
    found = []
    for position, argument in enumerate(procedure.arguments):
        text = texts[position] if position < len(texts) else given.pop(argument.name, argument.default)
        if text is None:
            raise missing("Function", ".".join(procedure.name))
        found.append(_value(session, argument, text))
    if given or len(texts) > len(procedure.arguments):
        raise missing("Function", ".".join(procedure.name))
    return found


def _value(session: Session, argument: Argument, text: str) -> Any:
    answer = queries.query(session, f"SELECT {text}", None)
    value = answer.table.column(0)[0].as_py()
    semi = answer.rowtype[0]["type"] == "variant"
    strict = session.account.modes.variant_decimals_as_text
    if value is None:
        return SqlNull() if strict and argument.type == "VARIANT" else None
    if argument.type in SEMI:
        if strict:
            return json.loads(value, parse_float=_decimal, object_pairs_hook=_sorted) if semi else value
        return json.loads(value) if semi else value
    if argument.type == "BOOLEAN":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if argument.type in NUMBERS:
        return int(value)
    if argument.type == "FLOAT":
        return float(value)
    return str(value)


def _decimal(text: str) -> str | float:
    """A number with a point is a decimal, passed as text; one with an exponent is a float."""
    return float(text) if "e" in text.lower() else text


def _sorted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(sorted(pairs))


def _pieces(text: str) -> list[str]:
    pieces, depth, begin = [], 0, 0
    for token in tokens(text):
        if token.text in ("(", "["):
            depth += 1
        elif token.text in (")", "]"):
            depth -= 1
        elif token.text == "," and depth == 0:
            pieces.append(text[begin : token.start])
            begin = token.end
    pieces.append(text[begin:])
    return [p.strip() for p in pieces if p.strip()]
