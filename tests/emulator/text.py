"""SQL text that needs no parser: scripts, names, literals, option lists."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import SqlError, syntax

TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)
      | (?P<url>file://[^\s;']+)
      | (?P<dollar>\$\$.*?\$\$)
      | (?P<string>'(?:[^'\\]|''|\\.)*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<stage>@(?:"(?:[^"]|"")*"|[\w$~%./=:+-])+)
      | (?P<word>[A-Za-z_][\w$]*)
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<mark>=>|<>|!=|<=|>=|::|\S)""",
    re.X | re.S,
)
STAGE_NAME = re.compile(r'@(?:"(?:[^"]|"")*"|[\w$~%]+)(?:\.(?:"(?:[^"]|"")*"|[\w$~%]+))*')
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Token:
    """One token: its kind (a group of `TOKEN`), its text, its start and end."""

    kind: str
    text: str
    start: int
    end: int


def tokens(sql: str) -> list[Token]:
    """All tokens except whitespace and comments."""
    found, at = [], 0
    while at < len(sql):
        match = TOKEN.match(sql, at)
        if match is None:
            raise syntax(f"unexpected {sql[at : at + 20]!r}")
        if match.lastgroup != "space":
            found.append(Token(match.lastgroup or "", match.group(), match.start(), match.end()))
        at = match.end()
    return found


def split_script(script: str) -> list[str]:
    """The statements of a worksheet, without their semicolons and without comments around them."""
    statements, first = [], None
    last = 0
    for token in tokens(script):
        if token.text == ";" and token.kind == "mark":
            if first is not None:
                statements.append(script[first:last])
            first = None
            continue
        first = token.start if first is None else first
        last = token.end
    if first is not None:
        statements.append(script[first:last])
    return statements


def unquote(literal: str) -> str:
    """The value of a `'string'` or `$$string$$` literal."""
    if literal.startswith("$$"):
        return literal[2:-2]
    body = literal[1:-1].replace("''", "'")
    return re.sub(r"\\(.)", lambda m: ESCAPES.get(m.group(1), m.group(1)), body, flags=re.S)


def identifier(text: str) -> str:
    """The stored name of an identifier: folded unless it is quoted."""
    if text.startswith('"'):
        return text[1:-1].replace('""', '"')
    return text.upper()


def quote(name: str) -> str:
    """A stored name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The content of a string literal in DuckDB's SQL."""
    return text.replace("'", "''")


Name = tuple[str, str, str]


def full(name: Name) -> str:
    """A stored name as SQL."""
    return ".".join(quote(part) for part in name)


class Reader:
    """A cursor over tokens, for statements that no SQL parser knows."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.items = tokens(sql)
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        """The next token, upper-cased if it is a word; empty at the end."""
        at = self.at + ahead
        if at >= len(self.items):
            return ""
        token = self.items[at]
        return token.text.upper() if token.kind == "word" else token.text

    def next(self) -> Token:
        """The next token, consumed."""
        if self.at >= len(self.items):
            raise syntax("unexpected end of statement")
        self.at += 1
        return self.items[self.at - 1]

    def accept(self, *words: str) -> bool:
        """Consume these words if all of them are next, in this order."""
        if all(self.peek(i) == word for i, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        """Consume these words, or fail."""
        if not self.accept(*words):
            raise syntax(f"expected {' '.join(words)}, found {self.peek() or 'the end'!r} in {self.sql[:80]!r}")

    def done(self) -> bool:
        """Returns `True` at the end."""
        return self.at >= len(self.items)

    def rest(self) -> str:
        """The text from the next token on."""
        return "" if self.done() else self.sql[self.items[self.at].start :]

    def parts(self) -> list[str]:
        """A dotted name, each part as stored."""
        found = []
        while True:
            token = self.next()
            if token.kind not in ("word", "quoted"):
                raise syntax(f"expected a name, found {token.text!r}")
            found.append(identifier(token.text))
            if not self.accept("."):
                return found

    def value(self) -> str | bool | list | dict:
        """A property's value: a literal, a word, a name, or a parenthesised list of them."""
        token = self.items[self.at] if not self.done() else None
        if token is None:
            raise syntax("expected a value, found the end")
        if token.text == "(":
            return self.group()
        if token.kind in ("string", "dollar"):
            self.at += 1
            return unquote(token.text)
        if token.kind in ("number", "stage"):
            self.at += 1
            return token.text
        if token.kind in ("word", "quoted") and self.peek(1) == ".":
            return ".".join(self.parts())
        self.at += 1
        upper = token.text.upper()
        if token.kind == "word" and upper in ("TRUE", "FALSE"):
            return upper == "TRUE"
        return identifier(token.text)

    def group(self) -> list | dict:
        """`(a, b)` is a list; `(k = v, ...)` or `(k = v ...)` is a dict."""
        self.expect("(")
        items: list = []
        pairs: dict = {}
        while not self.accept(")"):
            if self.accept(","):
                continue
            item = self.value()
            if self.accept("="):
                pairs[item] = self.value()
            else:
                items.append(item)
        return pairs or items

    def properties(self) -> dict[str, object]:
        """`KEY = value ...` up to the end or `AS`; keys upper-cased."""
        found: dict[str, object] = {}
        while not self.done() and self.peek() != "AS":
            if self.accept(","):
                continue
            key = self.next().text.upper()
            self.expect("=")
            found[key] = self.value()
        return found


def head(sql: str, words: int = 3) -> list[str]:
    """The first words of a statement, upper-cased."""
    found = []
    for match in TOKEN.finditer(sql):
        if match.lastgroup == "space":
            continue
        if match.lastgroup != "word" or len(found) == words:
            break
        found.append(match.group().upper())
    return found


def upper_quoted(sql: str) -> str:
    """The statement with every quoted identifier in upper case; the keys of a path (`$1:"a"."b"`) are unchanged."""
    found, last = list(sql), ""
    in_path = False
    for token in tokens(sql):
        in_path = last == ":" or (in_path and (token.text == "." or last == "."))
        if token.kind == "quoted" and not in_path:
            found[token.start : token.end] = token.text.upper()
        elif token.kind == "stage":
            name, slash, path = token.text.partition("/")
            found[token.start : token.end] = re.sub(r'"[^"]*"', lambda m: m[0].upper(), name) + slash + path
        last = token.text
    return "".join(found)


def plain_paths(sql: str) -> str:
    """The statement as seen by a reader that supports only plain paths after a stage without quotation marks.

    `--` begins a comment there, too; characters other than letters, digits, `_`, `/` and `.` are rejected.
    """
    for token in tokens(sql):
        name = STAGE_NAME.match(token.text) if token.kind == "stage" else None
        if name is None:
            continue
        path = token.text[name.end() :]
        begin = token.end - len(path)
        if "--" in path:
            comment = begin + path.index("--")
            end = sql.find("\n", comment)
            return plain_paths(sql[:comment] + (sql[end:] if end >= 0 else ""))
        wrong = re.search(r"[^\w/.]", path)
        if wrong is not None:
            line = sql.count("\n", 0, begin + wrong.start()) + 1
            raise syntax(f"syntax error line {line} at position {begin + wrong.start()} unexpected '{wrong[0]}'.")
    return sql


def strip_comments(sql: str) -> str:
    """The statement without surrounding comments; inner text is unchanged."""
    found = tokens(sql)
    if not found:
        return ""
    end = found[-1]
    last = found[-2] if end.text == ";" and len(found) > 1 else end
    return "" if end.text == ";" and len(found) == 1 else sql[found[0].start : last.end]


__all__ = [
    "Reader",
    "SqlError",
    "full",
    "head",
    "identifier",
    "literal",
    "plain_paths",
    "quote",
    "split_script",
    "strip_comments",
    "tokens",
    "unquote",
    "upper_quoted",
]
