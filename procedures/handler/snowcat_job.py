"""The jobs: those of callers, and those among the imports of the procedure."""

import json
import os
import re

from snowcat_fault import LoadError

# Snowflake passes a number in a VARIANT as a string if it is not an integer.
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
# The owner's policy among the imports. Every other file of JSON is a job.
POLICY = "policy.json"
# A string of JSON, and a placeholder within one.
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
PLACEHOLDER = re.compile(r"\{\{([A-Za-z0-9_]{1,64})\}\}")
AS_TEXT = (
    "Snowflake hands the decimals of a VARIANT over as text: "
    "give the job as text, CALL P_LOAD('{...}')"
)


class Given:
    """A caller's job: its text, its value, and the strings in it that may have been numbers."""

    def __init__(self, job):
        job = variant(job)
        self.decimals = []
        if isinstance(job, str):
            # The component takes the text unchanged: numbers keep their digits, keys their order.
            self.text, self.job = job, parsed(job, "the job")
        else:
            self.text, self.job = json.dumps(job, ensure_ascii=False), job
            self.decimals = list(_decimals(job, ""))
        if not isinstance(self.job, dict):
            found = "NULL" if self.job is None else f"a {type(self.job).__name__}"
            raise LoadError("config", f"a job is an object, not {found}")

    def explained(self, message):
        """A fault's message, with the remedy if it quotes a number that was given as a string."""
        found = re.search(r'found "([^"]*)"', message)
        is_decimal = self.decimals and found and DECIMAL.fullmatch(found[1])
        return f"{message}. {AS_TEXT}" if is_decimal else message

    def warnings(self):
        """A warning of strings with a decimal point or an exponent: they may have been numbers."""
        texts = [f"{place} = {json.dumps(text)}" for place, text in self.decimals]
        return (
            [
                f"texts that look like numbers in a job given as an object: {', '.join(texts[:5])}. {AS_TEXT}"
            ]
            if texts
            else []
        )


def variant(value):
    """A VARIANT argument as values of JSON. Snowflake passes SQL NULL as an object."""
    if getattr(value, "is_sql_null", False) is True:
        return None
    if isinstance(value, dict):
        return {key: variant(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [variant(inner) for inner in value]
    return value


def parsed(text, what, place=()):
    """The value of a JSON text; a `LoadError` names the text if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "it is nested too deeply"
        raise LoadError("config", f"{what} is not JSON: {why}", place) from None


def policy(directory, section):
    """A section of the owner's `policy.json` among the imports, as the component takes it."""
    path = os.path.join(directory, POLICY)
    if not os.path.exists(path):
        raise LoadError(
            "config",
            "expected policy.json among the imports of the procedure, found none: nothing is allowed",
        )
    with open(path, encoding="utf-8-sig") as opened:
        found = parsed(opened.read(), POLICY)
    if not isinstance(found, dict) or not isinstance(found.get(section), dict):
        raise LoadError(
            "config",
            f"expected an object {section!r}, found none: nothing is allowed",
            ["policy.json"],
        )
    # A ready-made job is the owner's: a caller chooses the database only.
    own = {"sources": "any"} if section == "ready_made" else {}
    return json.dumps(found[section] | own)


def settings(given):
    """The settings of a ready-made job; a `LoadError` if one is not a valid part of a URL."""
    given = variant(given)
    given = parsed(given, "settings", ["settings"]) if isinstance(given, str) else given
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise LoadError(
            "config", f"settings is an object, not a {type(given).__name__}", ["settings"]
        )
    for name, value in given.items():
        if not re.fullmatch(r"\w{1,64}", name, re.ASCII):
            raise LoadError(
                "config", "expected the name of a setting: letters, digits and _", ["settings"]
            )
        # A value is a part of a URL: no slash, no quote, nothing that begins a query.
        if (
            not isinstance(value, str)
            or not re.fullmatch(r"[A-Za-z0-9._:+-]{1,200}", value)
            or value == "."
            or ".." in value
        ):
            raise LoadError(
                "config", "expected letters, digits and any of . _ : + -", ["settings", name]
            )
    return given


def filled(text, given):
    """A job's text with its placeholders replaced: `{{name}}` within a string of its JSON.

    The command line has the same rule (`host/src/cli/placeholders.rs`); both run the cases of
    `tests/data/placeholders.json`.
    """
    names = {
        found[1]: None for string in STRING.findall(text) for found in PLACEHOLDER.finditer(string)
    }
    for name in given:
        if name not in names:
            raise LoadError("config", f"the job has no setting {name!r}", ["settings"])
    for name in names:
        if name not in given:
            raise LoadError("config", f"the setting {name!r} is missing", ["settings"])

    def value(found):
        return json.dumps(given[found[1]], ensure_ascii=False)[1:-1]

    return STRING.sub(lambda string: PLACEHOLDER.sub(value, string[0]), text)


def ready_made(directory, given, target_database, endpoints, force_full_load):
    """The job among the procedure's imports, its `{{placeholders}}` filled in."""
    found = sorted(
        name for name in os.listdir(directory) if name.endswith(".json") and name != POLICY
    )
    if len(found) != 1:
        raise LoadError(
            "config", f"expected one job among the imports of the procedure, found {found}"
        )
    with open(os.path.join(directory, found[0]), encoding="utf-8") as opened:
        text = opened.read()
    job = parsed(filled(text, given), found[0])
    if target_database is not None:
        job["database"] = target_database
    job["force_full_load"] = bool(force_full_load)
    if endpoints is not None:
        job["selected"] = parsed(endpoints, "endpoints", ["endpoints"])
    return job


def _decimals(value, place):
    """The strings of a value that are numbers with a point or an exponent, and their paths."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (
                () if key.startswith("//") else _decimals(inner, f"{place}.{key}".lstrip("."))
            )
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _decimals(inner, f"{place}[{number}]")
    elif isinstance(value, str) and re.search("[.eE]", value) and DECIMAL.fullmatch(value):
        yield place, value
