"""Detects secrets in a text, in all forms in which servers quote a request.

The forms are: the secret itself; base64 (both alphabets, padded or not, alone or as a part);
hexadecimal; each of these with up to three layers of escapes of JSON, Python, C, HTML or URLs; and
wrapped base64. An error is also searched for the beginning of a long secret. A text is searched in
windows, so that the memory does not depend on its size. The Rust host applies the same rule
(`host/src/http/echo/mod.rs`); `tests/data/network/cases.json` tests both.
"""

import base64
import codecs
import functools
import io
import re

NOT_SHOWN = "(not shown: the answer quotes a credential)"
# Texts shorter than the first are not secrets; data can have texts shorter than the second by
# chance.
LEAST, LEAST_IN_DATA = 4, 8
ROUNDS = 3
# Errors truncate texts: of a secret of this length, a beginning of this length is secret, too.
LONG, BEGINNING = 20, 12
# The minimum size of a window in characters; the maximum size of an encoded one; the overlap.
WINDOW, SPREAD, MARGIN = 64 << 10, 64, 64
# The minimum length of a line of wrapped base64, minus one.
COLUMNS = 60
URL_SAFE = str.maketrans("+/", "-_")
# Four characters in a row that are escaped needlessly. Without them a secret's letters are legible.
DENSE = (
    (
        ("\\u00", "\\x"),
        re.compile(r"\\(?:u00|x)[2-7][0-9A-Fa-f](?:\\{1,8}(?:u00|x)[2-7][0-9A-Fa-f]){3}"),
    ),
    (
        ("%",),
        re.compile(
            r"%(?:25){0,3}(?:u00)?[2-7][0-9A-Fa-f](?:%(?:25){0,3}(?:u00)?[2-7][0-9A-Fa-f]){3}"
        ),
    ),
    (("&",), re.compile(r"(?:&(?:amp;){0,3}#(?:[xX]0{0,4}[2-7][0-9A-Fa-f]|0{0,4}[0-9]{2,3});){4}")),
)
JSON = re.compile(
    r"\\(?:u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([\"'\\/bfnrt])"
    r"|(x[0-9A-Fa-f]{2}(?:\\x[89abAB][0-9A-Fa-f]){0,3}))"
)
SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# HTML's names of ASCII characters.
NAMED = {
    "Tab": "\t",
    "NewLine": "\n",
    "excl": "!",
    "quot": '"',
    "num": "#",
    "dollar": "$",
    "percnt": "%",
    "amp": "&",
    "apos": "'",
    "lpar": "(",
    "rpar": ")",
    "ast": "*",
    "plus": "+",
    "comma": ",",
    "period": ".",
    "sol": "/",
    "colon": ":",
    "semi": ";",
    "lt": "<",
    "equals": "=",
    "gt": ">",
    "quest": "?",
    "commat": "@",
    "lsqb": "[",
    "lbrack": "[",
    "bsol": "\\",
    "rsqb": "]",
    "rbrack": "]",
    "Hat": "^",
    "lowbar": "_",
    "grave": "`",
    "lcub": "{",
    "lbrace": "{",
    "verbar": "|",
    "vert": "|",
    "rcub": "}",
    "rbrace": "}",
}
HTML = re.compile(rf"&(?:#([0-9]{{1,7}})|#[xX]([0-9A-Fa-f]{{1,6}})|({'|'.join(NAMED)}));")
# Units of UTF-16, as JavaScript's `escape` writes them; or bytes, in runs of whole characters.
PERCENT = re.compile(
    r"%u([dD][89abAB][0-9A-Fa-f]{2})%u([dD][c-fC-F][0-9A-Fa-f]{2})|%u([0-9A-Fa-f]{4})"
    r"|(?:%[0-9A-Fa-f]{2}(?:%[89abAB][0-9A-Fa-f]){0,3}){1,500}"
)
# Whitespace within base64: a line break, or its replacement.
WRAP = re.compile(
    r"[ \t\r\n](?<=[\w+/-]\s)"
    r"(?:(?<=[\r\n])[ \t\r\n]*|[ \t]*[\r\n][ \t\r\n]*|(?<=[\w+/-]{40}\s)[ \t]*)(?=[\w+/-])",
    re.ASCII,
)
# A part of a parameter's value in a link, which may be in JSON or HTML: up to the next parameter or
# the end of the link.
VALUE = re.compile(r"(?:[^&\"'<>\s#\\]+|\\/|\\u00(?!2[267]|3[cCeE])[0-9A-Fa-f]{2}){1,500}")


def holds(text, secrets, least=LEAST):
    """Whether the text has one of the secrets in any form. Ignores those shorter than `least`."""
    known = [_needles(secret) for secret in secrets if len(secret) >= least]
    if not known or not (any(_may_hold(text, parts) for _, parts in known) or _is_dense(text)):
        return False
    needles = [needle for found, _ in known for needle in found]
    overlap = SPREAD * max(map(len, needles))
    step = max(WINDOW, overlap)
    windows = (text[max(0, at - MARGIN) : at + step + overlap] for at in range(0, len(text), step))
    return any(
        needle in form for window in windows for form in _forms(window) for needle in needles
    )


def shortened(secrets):
    """The secrets, and the beginnings of long ones, unless a beginning is a user name."""
    paired = {
        s
        for s in secrets
        for other in secrets
        if s.endswith(f":{other}") or s.startswith(f"{other}:")
    }
    return [
        *secrets,
        *(secret[:BEGINNING] for secret in secrets if len(secret) >= LONG and secret not in paired),
    ]


def hide(text, secrets):
    """Replace these secrets by `***`. Returns `NOT_SHOWN` if the text has one in another form."""
    for secret in secrets:
        if len(secret) >= LEAST:
            text = text.replace(secret, "***")
    return NOT_SHOWN if holds(text, shortened(secrets)) else text


def hide_parameter(text, name, value):
    """Replace the value of this parameter in links by `***`."""
    # The maximum length of an encoded value: three characters per byte, six of JSON for each of
    # these.
    most = 18 * len(value.encode("utf-8", "surrogatepass"))
    made, at = io.StringIO(), 0
    for start, end in _values(text, name):
        plain = _json(text[start:end]) if end - start <= most else ""
        if value in (plain, _percent(plain), _percent(plain.replace("+", " "))):
            made.write(text[at:start])
            made.write("***")
            at = end
    return made.getvalue() + text[at:] if at else text


def _values(text, name):
    """The start and end of each value of this parameter."""
    at = text.find(name)
    while at >= 0:
        at += len(name)
        sign = next(
            (sign for sign in ("=", "\\u003d", "\\u003D") if text.startswith(sign, at)), None
        )
        if sign is not None:
            start = at = at + len(sign)
            while found := VALUE.match(text, at):
                at = found.end()
            yield start, at
        at = text.find(name, at)


@functools.lru_cache(256)
def _needles(secret):
    """The texts to search for, each with its longest part that no escape changes."""
    data = secret.encode("utf-8", "surrogatepass")
    found, coded_forms = [secret, secret.replace(" ", "+")], []
    for ahead in range(3):  # the number of bytes before it, which changes the first characters
        coded = base64.b64encode(bytes(ahead) + data).decode()
        inner = coded[-(-8 * ahead // 6) : 8 * (ahead + len(data)) // 6]
        coded_forms += [inner, inner.translate(URL_SAFE)]
    found += [data.hex(), data.hex().upper()]
    parts = {_longest(needle) for needle in found if len(needle) >= LEAST}
    for run in [_longest(needle)[:COLUMNS] for needle in coded_forms if len(needle) >= LEAST]:
        # A line break is in one half at most; the other half is unchanged.
        parts |= {run[: len(run) // 2], run[len(run) // 2 :]}
    found = [needle for needle in dict.fromkeys([*found, *coded_forms]) if len(needle) >= LEAST]
    return found, [
        part for part in parts if not any(other in part for other in parts if other != part)
    ]


def _longest(text):
    """The longest run of letters and digits."""
    return max(re.findall("[A-Za-z0-9]+", text) or [""], key=len)


def _may_hold(text, parts):
    """Returns `False` only if the text cannot have any of these. It is fast, because most texts
    have none.
    """
    return any(len(part) < LEAST or part in text for part in parts)


def _is_dense(text):
    return any(
        any(mark in text for mark in marks) and pattern.search(text) for marks, pattern in DENSE
    )


def _forms(text):
    """Yields the text, then the text with one more layer of escapes removed each time.

    Each is also yielded without line breaks.
    """
    yield text
    yield WRAP.sub("", text)
    for _ in range(ROUNDS):
        before = text
        for unescape in (_json, _html, _percent):
            plain = unescape(text)
            if plain != text:
                text = plain
                yield text
                yield WRAP.sub("", text)
        if text == before:
            return


def _json(text):
    def plain(found):
        high, low, one, short, data = found.groups()
        if data:
            return _utf8(data.replace("\\", "").replace("x", ""))
        return _utf16(high, low, one) if short is None else SHORT.get(short, short)

    return JSON.sub(plain, text) if "\\" in text else text


def _html(text):
    def plain(found):
        decimal, sixteen, name = found.groups()
        code = int(decimal) if decimal else int(sixteen, 16) if sixteen else ord(NAMED[name])
        return chr(code) if code <= 0x10FFFF else found[0]

    return HTML.sub(plain, text) if "&" in text else text


def _percent(text):
    def plain(found):
        high, low, one = found.groups()
        return _utf16(high, low, one) if high or one else _utf8(found[0].replace("%", ""))

    return PERCENT.sub(plain, text) if "%" in text else text


def _utf16(high, low, one):
    """The character of a pair of units, or of one."""
    if high:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    return chr(int(one, 16))


def _utf8(sixteen):
    """The text of these bytes in hex: UTF-8, or Latin-1 for a byte that is not UTF-8."""
    return bytes.fromhex(sixteen).decode("utf-8", "snowcat-latin-1")


def _latin_1(error):
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("snowcat-latin-1", _latin_1)
