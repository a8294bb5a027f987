"""Writes the chapter `src/job.md`, the reference of the job, from `job.schema.json`."""

import argparse
import json
import re
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent / "jobs/job.schema.json"
CHAPTER = HERE / "src/job.md"
HEAD = """\
# Reference of the job

<!-- Written by reference.py from job.schema.json: change it there, then run `make reference`. -->

A job is a JSON object. An unknown key is an error, and so is a wrong type or word; the error names
its place and the nearest known word. A key that begins with `//` is a comment, everywhere. Required
keys are **bold**.

A *scalar* is a string, a number, `true`, `false` or `null`. A *path* leads to a value in a JSON
document: `a.b`, `['key with spaces']`, `items[0]`, `items[*].id`, and `$` for the document.

An editor that knows JSON Schema completes and checks the keys, if the job names the file:
`"$schema": "job.schema.json"` with the path of [job.schema.json](../../jobs/job.schema.json).
"""
# The headings in the order of the chapter. Other definitions follow under their own names.
TITLES = {
    "": "The job",
    "resource": "Resource",
    "resource_defaults": "Resource defaults",
    "endpoint": "Endpoint",
    "endpoint_options": "Endpoint options",
    "client": "Client",
    "paginator": "Paginator",
    "paginator_plain": "Paginator: auto, single_page",
    "response_action": "Response action",
    "params": "Parameters",
    "headers": "Headers",
    "incremental": "Incremental",
    "convert": "Convert",
    "incremental_param": "Incremental parameter",
    "resolve_param": "Resolve parameter",
    "interval": "Interval",
    "credential": "Credential",
    "write_disposition": "Write disposition",
    "disposition_with_options": "Write disposition with options",
    "key": "Key",
    "contract": "Schema contract",
    "contract_by_kind": "Schema contract by entity",
    "contract_mode": "Contract mode",
    "columns": "Columns",
    "hints": "Column hints",
    "nested_hints": "Nested hints",
    "references": "References",
    "reference": "Reference",
    "processing_step": "Processing step",
    "filter": "Filter",
    "format_csv": "Format with options",
    "checkpoint": "Checkpoint",
    "delivery": "Delivery",
}
# The end of the description of a value that is a path.
PATH = ". A path in JSON: "
# A definition with all keys of another one is described by its additional keys.
LIKE = {"resource_defaults": "resource", "incremental_param": "incremental"}
SCALAR = ["string", "number", "boolean", "null"]
TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "`null`",
}


def reference(schema: dict) -> str:
    """The chapter."""
    definitions = {"": schema, **schema["definitions"]}
    kinds = [name for name in definitions if name.startswith("paginator_") and name not in TITLES]
    at = list(TITLES).index("paginator_plain") + 1
    headed = [*list(TITLES)[:at], *kinds, *list(TITLES)[at:]]
    order = [*headed, *(name for name in definitions if name not in headed)]
    return "\n".join([HEAD, *(section(name, definitions) for name in order if name in definitions)])


def section(name: str, definitions: dict) -> str:
    """One definition: its description and its keys."""
    definition = definitions[name]
    lines = [f"## {title(name)}", "", f"{cell(definition['description']).rstrip('.')}.", ""]
    properties = definition.get("properties")
    if properties is None:
        lines += [f"Value: {kind(definition)}.", ""]
    else:
        shared = definitions[LIKE[name]]["properties"] if name in LIKE else {}
        own = {
            key: value for key, value in properties.items() if value and shared.get(key) != value
        }
        if name in LIKE:
            but = [f"`{key}`" for key in shared if not properties.get(key)]
            without = f" but {', '.join(but)}" if but else ""
            lines += [f"All keys of {link(LIKE[name])}{without}{', and' if own else '.'}", ""]
        if own:
            required = definition.get("required", ())
            lines += ["| key | value | default | |", "|---|---|---|---|"]
            rows = [row(key, value, key in required, definitions) for key, value in own.items()]
            lines += [*rows, ""]
    examples = [example for example in definition.get("examples", []) if name]
    if examples:
        lines += ["```json", *(json.dumps(example) for example in examples), "```", ""]
    return "\n".join(lines)


def row(key: str, value: dict, required: bool, definitions: dict) -> str:
    """A key: its name, values, default, and description."""
    default = value.get("default", "")
    shown = f"`{json.dumps(default)}`" if default != "" else ""
    target = value.get("$ref", "").removeprefix("#/definitions/")
    meaning = value.get("description") or definitions[target]["description"]
    meaning, path, _ = meaning.partition(PATH)
    name = f"**`{key}`**" if required else f"`{key}`"
    what = kind(value).replace("string", "path") if path else kind(value)
    return f"| {name} | {what} | {shown} | {cell(meaning)} |"


def kind(value: dict) -> str:
    """The values of a key."""
    if "$ref" in value:
        return link(value["$ref"].removeprefix("#/definitions/"))
    for several in ("oneOf", "anyOf", "allOf"):
        if several in value and "type" not in value:
            parts = [kind(part) for part in value[several] if set(part) != {"required"}]
            return " or ".join(dict.fromkeys(parts))
    if "enum" in value:
        words = (word if isinstance(word, str) else json.dumps(word) for word in value["enum"])
        return ", ".join(f"`{word}`" for word in words)
    found = value.get("type")
    if isinstance(found, list):
        return "scalar" if found == SCALAR else " or ".join(TYPES[one] for one in found)
    if found == "array":
        item = kind(value["items"])
        return f"list of ({item})" if " or " in item else f"list of {item}"
    if found == "object":
        inner = value.get("additionalProperties")
        if not inner:
            return "object"
        values = kind(inner)
        return (
            f"object of ({values}) by name" if " or " in values else f"object of {values} by name"
        )
    if "minimum" in value and "maximum" in value and found == "integer":
        return f"{value['minimum']} to {value['maximum']:,}"
    return TYPES[found]


def link(name: str) -> str:
    """A link to a definition."""
    text = title(name)
    anchor = re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.lower()))
    return f"[{text.lower()}](#{anchor})"


def title(name: str) -> str:
    """The heading of a definition."""
    if name.startswith("paginator_") and name not in TITLES:
        return f"Paginator: {name.removeprefix('paginator_')}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def cell(text: str) -> str:
    """Text as a cell of a table."""
    return re.sub(r"[|*<]", lambda found: f"\\{found[0]}", text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print", action="store_true", help="print the chapter, and write nothing")
    made = reference(json.loads(SCHEMA.read_text("utf-8")))
    if parser.parse_args().print:
        print(made, end="")
    else:
        CHAPTER.write_text(made, "utf-8")
