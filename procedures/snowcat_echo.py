"""Whether a text holds a secret, in any of the forms in which servers write down what they were sent.

The forms: as it is; in base64 (both alphabets, padded or not, alone or within what was encoded); in hex; and
each of these with JSON's escapes, HTML's entities or percent encoding around it, up to three times.
The Rust host has the same rule (`host/src/http/echo.rs`), and `tests/network/cases.json` holds both to it.
"""

import base64
import functools
import re

NOT_SHOWN = "(not shown: the answer quotes a credential)"
# Shorter texts are anywhere: below the first they are no secret, below the second data may hold them by chance.
LEAST, LEAST_IN_DATA = 4, 8
ROUNDS = 3
URL_SAFE = str.maketrans("+/", "-_")
# Four characters in a row that need no escape and have one: only then can a secret's letters be hidden.
DENSE = (
    ("\\u00", re.compile(r"\\u00[2-7][0-9A-Fa-f](?:\\+u00[2-7][0-9A-Fa-f]){3}")),
    ("%", re.compile(r"%(?:25)*[2-7][0-9A-Fa-f](?:%(?:25)*[2-7][0-9A-Fa-f]){3}")),
    ("&", re.compile(r"&(?:amp;)*#(?:[xX]0*[2-7][0-9A-Fa-f]|0*[0-9]{2,3});(?:&(?:amp;)*#(?:[xX]0*[2-7][0-9A-Fa-f]|0*[0-9]{2,3});){3}")),
)  # fmt: skip
JSON = re.compile(r'\\(?:u([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(["\\/bfnrt]))')
SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
HTML = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6})|(amp|lt|gt|quot|apos));")
NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
# The value of a parameter in a link, in JSON or HTML perhaps: to the next parameter, or the end of the link.
VALUE = r"(=|\\u003[dD])((?:[^&\"'<>\s#\\]|\\/|\\u00(?!2[267]|3[cCeE])[0-9A-Fa-f]{2})*)"


def holds(text, secrets, least=LEAST):
    """Whether the text holds one of the secrets in any form; those shorter than `least` are not looked for."""
    known = [_needles(secret) for secret in secrets if len(secret) >= least]
    if not known or not (any(_may_hold(text, parts) for _, parts in known) or _is_dense(text)):
        return False
    needles = [needle for found, _ in known for needle in found]
    return any(needle in form for form in _forms(text) for needle in needles)


def hide(text, secrets):
    """The text with `***` for these secrets where they are as they are; nothing of it if another form is left."""
    for secret in secrets:
        if len(secret) >= LEAST:
            text = text.replace(secret, "***")
    return NOT_SHOWN if holds(text, secrets) else text


def hide_parameter(text, name, value):
    """The text with `***` for the value of this parameter, as links to the next page have it."""
    if name not in text:
        return text

    def hidden(found):
        plain = _json(found[2])
        same = value in (plain, _percent(plain), _percent(plain.replace("+", " ")))
        return f"{name}{found[1]}***" if same else found[0]

    return re.sub(re.escape(name) + VALUE, hidden, text)


@functools.lru_cache(256)
def _needles(secret):
    """What is looked for; and for each of it the longest part that no escape changes."""
    data = secret.encode("utf-8", "surrogatepass")
    found = [secret, secret.replace(" ", "+")]
    for ahead in range(3):  # as many bytes before it, of which the first characters depend
        coded = base64.b64encode(bytes(ahead) + data).decode()
        inner = coded[-(-8 * ahead // 6) : 8 * (ahead + len(data)) // 6]
        found += [inner, inner.translate(URL_SAFE)]
    found += [data.hex(), data.hex().upper()]
    found = [needle for needle in dict.fromkeys(found) if len(needle) >= LEAST]
    parts = {max(re.findall("[A-Za-z0-9]+", needle) or [""], key=len) for needle in found}
    return found, [part for part in parts if not any(other in part for other in parts if other != part)]


def _may_hold(text, parts):
    """Quick, and never wrong where it says no: most texts hold nothing."""
    return any(len(part) < LEAST or part in text for part in parts)


def _is_dense(text):
    return any(mark in text and pattern.search(text) for mark, pattern in DENSE)


def _forms(text):
    """The text, and what it says with one layer of escapes after the other taken away."""
    yield text
    for _ in range(ROUNDS):
        before = text
        for unescape in (_json, _html, _percent):
            plain = unescape(text)
            if plain != text:
                text = plain
                yield text
        if text == before:
            return


def _json(text):
    def plain(found):
        high, low, one, short = found.groups()
        if high:
            return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
        return chr(int(one, 16)) if one else SHORT.get(short, short)

    return JSON.sub(plain, text) if "\\" in text else text


def _html(text):
    def plain(found):
        decimal, sixteen, name = found.groups()
        code = int(decimal) if decimal else int(sixteen, 16) if sixteen else ord(NAMED[name])
        return chr(code) if code <= 0x10FFFF else found[0]

    return HTML.sub(plain, text) if "&" in text else text


def _percent(text):
    def plain(found):
        data = bytes.fromhex(found[0].replace("%", ""))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("latin-1")

    return PERCENT.sub(plain, text) if "%" in text else text
