"""The Rust host: runs `snowcat plan` on files, and reads its output."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess

PROGRAM = os.environ.get("SNOWCAT_PLAN", pathlib.Path(__file__).resolve().parents[3] / "target/debug/snowcat")


class Refused(Exception):
    """The load failed with this message."""


def files(
    folder: pathlib.Path, *places: str | list[str], environment: dict | None = None, **resource
) -> dict[str, str]:
    """The text of each file at these places, as the component receives it; one resource per place, or list of
    places.
    """
    resources = [{"name": f"r{n}", "files": files, **resource} for n, files in enumerate(places)]
    job = {"pipeline": "p", "database": "RAW", "dataset": "d", "resources": resources}
    (folder / "job.json").write_text(json.dumps(job))
    run = subprocess.run(
        [PROGRAM, "plan", "job.json", "--transcript", "run.jsonl"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    if run.returncode:
        assert run.returncode == 1, run.stderr
        # It is an error of the input, not of the component or the host.
        assert "defect" not in run.stderr and "contract" not in run.stderr, run.stderr
        raise Refused(run.stderr)
    return reported(folder)


def text(folder: pathlib.Path, name: str, **resource) -> str:
    """The text of one file as the component receives it, whether or not it can parse it."""
    try:
        return files(folder, name, **resource)[name]
    except Refused:
        return reported(folder)[name]


def reported(folder: pathlib.Path) -> dict[str, str]:
    """The text of each file in the transcript."""
    found: dict[str, list[str]] = {}
    for line in (folder / "run.jsonl").read_text().rstrip("\n").split("\n"):
        match json.loads(line).get("reply"):
            case {"file": {"name": name}}:
                found[name] = []
            case {"page": page}:
                found[name].append(page)
    return {name: "".join(pages) for name, pages in found.items()}


def columns(folder: pathlib.Path) -> dict[str, list[dict]]:
    """The columns of each file that was read last, as the component receives them."""
    found: dict[str, list[dict]] = {}
    name = ""
    for line in (folder / "run.jsonl").read_text().rstrip("\n").split("\n"):
        match json.loads(line).get("reply"):
            case {"file": {"name": name}}:
                pass
            case {"columns": columns}:
                found[name] = columns
    return found
