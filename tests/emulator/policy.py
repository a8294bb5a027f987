"""Statements that an owner's-rights procedure may not run."""

from __future__ import annotations

import re
from collections.abc import Callable

from .errors import SqlError, unsupported_in_procedure

TABLE_STAGE = r"@(?:(?:\"[^\"]*\"|\w+)\.)*\"?%"
# Statements that an owner's-rights procedure may not run, with the type in the server's error.
FORBIDDEN: list[tuple[str, Callable[[re.Match], str]]] = [
    (
        r"create\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?(?:temp|temporary|volatile)\s+"
        r"(?:transient\s+)?(table|stage|file\s+format|view|sequence|function|procedure)",
        lambda m: "temporary " + re.sub(r"\s+", "_", m[1]).upper(),
    ),
    (r"(put|get)\s", lambda m: m[1].upper()),
    (r"(?:remove|rm)\s", lambda _: "REMOVE_FILES"),
    (r"use\s", lambda _: "USE"),
    (r"alter\s+session\b", lambda _: "ALTER_SESSION"),
    (r"(?:set|unset)\s+[\w(]", lambda _: "SET"),
    (r"show\s+(parameters|variables|locks|transactions)\b", lambda m: f"SHOW_{m[1].upper()}"),
    (r"begin\s+(?!work\b|transaction\b|name\b)\w", lambda _: "SCRIPTING_BLOCK"),
]


def refuse(text: str, *, uploading: bool) -> None:
    """Fail as the server does unless an owner's-rights procedure may run this statement."""
    if "@~" in text or re.match(rf"(?is)(copy|put|get|list|ls|remove|rm)\b.*{TABLE_STAGE}", text):
        raise SqlError(
            90239,
            "42601",
            "Stored procedure execution error: User stage file access is not allowed within an owner's rights SP",
        )
    for pattern, what in FORBIDDEN:
        match = re.match(pattern, text, re.I)
        if match and not (match[0].lower().startswith("put") and uploading):
            raise unsupported_in_procedure(what(match))
