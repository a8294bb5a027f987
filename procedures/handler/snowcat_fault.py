"""The errors of a load. A failed CALL shows a JSON object that its callers can parse."""

import functools
import json
import os
import traceback

# The longest JSON, in bytes. How much of an exception's text Snowflake shows is not documented.
LONGEST = 8000
# The longest message, in bytes of JSON; any other text may have a quarter. The first that fits is
# used.
ROOMS = (6000, 4000, 2400, 1200, 600, 300)
# The most items of a context; with more, those in the middle are omitted.
ITEMS = 16


class LoadError(RuntimeError):
    """Fails the CALL. Its text is a JSON object of at most `LONGEST` bytes, cut from `details`."""

    def __init__(self, kind, message, context=(), **more):
        self.details = {
            "status": "error",
            "kind": kind,
            "message": message,
            "context": list(context),
            **more,
        }
        super().__init__(_short(self.details))


class Failed(Exception):
    """A step failed; the component decides what follows."""

    def __init__(self, code, message, transient):
        super().__init__(message)
        self.failure = {"code": str(code), "message": str(message), "transient": transient}


def reported(handler):
    """A decorator: every failure of the handler is a `LoadError`."""

    @functools.wraps(handler)
    def called(session, *arguments):
        try:
            return handler(session, *arguments)
        except LoadError:
            raise
        except Exception as error:  # noqa: BLE001 - a CALL reports each failure in one form
            raise unforeseen(error, str) from None

    return called


def unforeseen(error, scrub):
    """The `LoadError` for an exception that no code expects, with its place in this program."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f"{os.path.basename(frame.filename)}:{frame.lineno}"
        for frame in frames
        if "snowcat_" in frame.filename
    ]
    text = str(error)
    message = scrub(f"{type(error).__name__}: {text[:1000]}{'..' if len(text) > 1000 else ''}")
    return LoadError("internal", f"{message} (a defect in Snowcat: please report it)", own[-3:])


def _short(details):
    """The details as JSON of at most `LONGEST` bytes: texts are cut in the middle."""
    text = _json(details)
    for room in ROOMS:
        if len(text) <= LONGEST:
            break
        text = _json(
            {
                key: _cut(value, room if key == "message" else room // 4)
                for key, value in details.items()
            }
        )
    return text.decode()


def _cut(value, room):
    """The value with its texts cut to this many bytes of JSON each."""
    if isinstance(value, str):
        return _cut_text(value, room)
    if isinstance(value, (list, tuple)):
        items = [_cut(item, room) for item in value]
        if len(items) > ITEMS:
            half = ITEMS // 2
            items[half:-half] = [f"[{len(items) - ITEMS} items omitted]"]
        return items
    if isinstance(value, dict):
        return _cut_text(_json(value).decode(), room)
    return value


def _cut_text(text, room):
    if len(_json(text)) <= room:
        return text
    # Twice as much of the beginning as of the end.
    kept = min(len(text), room)
    while True:
        head, tail = kept - kept // 3, kept // 3
        short = f"{text[:head]} [{len(text) - head - tail} characters omitted] {text[len(text) - tail :]}"
        excess = len(_json(short)) - room
        if excess <= 0 or kept == 0:
            return short
        kept = max(0, kept - max(1, excess // 6))


def _json(value):
    """JSON in UTF-8; with half of a surrogate pair, which UTF-8 cannot encode, in ASCII."""
    try:
        return json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str).encode()
