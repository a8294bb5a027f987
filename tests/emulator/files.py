"""PUT, GET, LIST and REMOVE."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from fakesnow import statement_type

from .answer import Answer
from .errors import not_emulated
from .text import Reader, unquote

if TYPE_CHECKING:
    from .session import Session


def put(session: Session, text: str) -> Answer:
    """What a client needs to upload a file."""
    match = re.match(r"(?is)put\s+('(?:[^']|'')*'|\S+)\s+('(?:[^']|'')*'|@(?:\"[^\"]*\"|\S)+)(.*)$", text)
    if match is None:
        raise not_emulated(f"the statement {text[:60]!r}")
    source = match[1].strip("'").removeprefix("file://")
    stage, path = session.stage(match[2].strip("'"), "WRITE")
    options = Reader(match[3]).properties()
    name = source.replace("\\", "/").rsplit("/", 1)[-1]
    where = "/".join(p for p in (stage.key, path.strip("/"), name) if p)
    answer = Answer.status("Statement executed successfully.", 0)
    answer.put = {
        "command": "UPLOAD",
        "src_locations": [source],
        "parallel": 4,
        "overwrite": options.get("OVERWRITE") is True,
        "autoCompress": options.get("AUTO_COMPRESS") is not False,
        "sourceCompression": "auto_detect",
        "path": where,
        "stage_key": stage.key,
        "stage": ".".join(stage.name),
    }
    return answer


def get(session: Session, text: str) -> Answer:
    """What a client needs to download files."""
    match = re.match(r"(?is)get\s+('(?:[^']|'')*'|@(?:\"[^\"]*\"|\S)+)\s+('(?:[^']|'')*'|\S+)(.*)$", text)
    if match is None:
        raise not_emulated(f"the statement {text[:60]!r}")
    stage, prefix = session.stage(match[1].strip("'"), "READ")
    Reader(match[3]).properties()
    answer = Answer.status("Statement executed successfully.", 0)
    answer.put = {
        "command": "DOWNLOAD",
        "src_locations": [file.path for file in session.engine.stages.files(stage, prefix)],
        "localLocation": match[2].strip("'").removeprefix("file://"),
        "parallel": 4,
        "stage_key": stage.key,
        "stage": ".".join(stage.name),
    }
    return answer


def listed(session: Session, first: str, text: str) -> Answer:
    """LIST and REMOVE."""
    reference = text.split(None, 1)[1].strip()
    reference = unquote(reference) if reference.startswith("'") else reference
    listing = first in ("LIST", "LS")
    stage, prefix = session.stage(reference, "READ" if listing else "WRITE")
    files = session.engine.stages.files(stage, prefix)
    if listing:
        rows = [(f.shown(), os.path.getsize(f.place), f.digest(), "Sat, 21 Nov 2026 00:00:00 GMT") for f in files]
        return Answer.of(["name", "size", "md5", "last_modified"], rows, statement_type.SHOW)
    rows = [(f.shown(), "removed") for f in files]
    for file in files:
        session.engine.stages.remove(file)
    return Answer.of(["name", "result"], rows)
