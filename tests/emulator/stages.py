"""Named internal stages: folders of real files."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from .errors import SqlError, exists, missing, syntax
from .text import Name, identifier

REFERENCE = re.compile(r"""^@((?:"(?:[^"]|"")*"|[\w$~%]+)(?:\.(?:"(?:[^"]|"")*"|[\w$]+)){0,2})(?:/(.*))?$""", re.S)
PART = re.compile(r'"(?:[^"]|"")*"|[\w$~%]+')


@dataclass
class Stage:
    """A stage. `key` changes when it is replaced: the old files do not belong to the new stage."""

    name: Name
    owner: str
    options: dict = field(default_factory=dict)
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


@dataclass(frozen=True)
class File:
    """A file on a stage: its path under the stage, and its real location."""

    stage: Stage
    path: str
    place: str

    def shown(self) -> str:
        """Its name in COPY and LIST."""
        return f"{self.stage.name[2].lower()}/{self.path}"

    def digest(self) -> str:
        """Its MD5, as in LIST."""
        with open(self.place, "rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()


class Stages:
    """The stages of the account."""

    def __init__(self, root: str, has_table: Callable[[Name], bool]) -> None:
        self.root = root
        self.has_table = has_table
        self.by_name: dict[Name, Stage] = {}
        # Brings what is in a cloud's bucket into the stage's folder, where the server keeps stages in one.
        self.fetch: Callable[[Stage], None] | None = None
        self.removed: Callable[[Stage, str], None] | None = None

    def create(self, stage: Stage, replace: bool, if_not_exists: bool) -> bool:
        """Create it. Returns whether it is new."""
        old = self.by_name.get(stage.name)
        if old is not None:
            if if_not_exists:
                return False
            if not replace:
                raise exists(stage.name[2])
        os.makedirs(self.folder(stage))
        self.by_name[stage.name] = stage  # at once: no session sees the name without a stage
        if old is not None:
            shutil.rmtree(self.folder(old))
        return True

    def drop(self, name: Name) -> None:
        """Drop it and delete its files."""
        stage = self.by_name.pop(name)
        shutil.rmtree(self.folder(stage))

    def drop_schema(self, database: str, schema: str) -> None:
        """Drop the stages of a schema."""
        for name in [n for n in self.by_name if n[:2] == (database, schema)]:
            self.drop(name)

    def of_key(self, key: str) -> Stage | None:
        """The stage whose files are in the folder of this name."""
        return next((s for s in self.by_name.values() if s.key == key), None)

    def view(self, database: str, shows: Callable[[Stage], bool]) -> pa.Table:
        """`INFORMATION_SCHEMA.STAGES`."""
        found = sorted(
            (s.name, s.owner)
            for s in self.by_name.values()
            if s.name[0] == database and not s.name[2].startswith("%") and shows(s)
        )
        columns = ("STAGE_CATALOG", "STAGE_SCHEMA", "STAGE_NAME", "STAGE_TYPE", "STAGE_OWNER")
        rows = [(*name, "Internal Named", owner) for name, owner in found]
        texts = {c: pa.array([r[i] for r in rows], pa.string()) for i, c in enumerate(columns)}
        created = [self.by_name[name].created for name, _ in found]
        return pa.table(texts | {"CREATED": pa.array(created, pa.timestamp("us", "UTC"))})

    def folder(self, stage: Stage) -> str:
        """The folder with its files."""
        return os.path.join(self.root, stage.key)

    def resolve(
        self, reference: str, database: str | None, schema: str | None, *, fold: bool = False
    ) -> tuple[Stage, str]:
        """The stage and the path in `@db.schema.stage/path`; with `fold` quoted names are in upper case, too."""
        match = REFERENCE.match(reference)
        if match is None:
            raise syntax(f"invalid stage reference {reference!r}")
        parts = [identifier(p.upper() if fold else p) for p in PART.findall(match[1])]
        if parts[0].startswith("~"):
            raise SqlError(99999, "0A000", "emulator: user stages are not emulated")
        full = [database, schema][: 3 - len(parts)] + parts
        if None in full:
            raise SqlError(90105, "22000", "Cannot perform operation. This session does not have a current database.")
        name = (str(full[0]), str(full[1]), str(full[2]))
        if name[2].startswith("%") and self.has_table((name[0], name[1], name[2][1:])):
            # A table's own stage: it exists as long as the table.
            self.create(Stage(name, "ACCOUNTADMIN"), replace=False, if_not_exists=True)
        if name not in self.by_name:
            raise missing("Stage", ".".join(name))
        return self.by_name[name], "/".join(part.strip('"') for part in (match[2] or "").split("/"))

    def files(self, stage: Stage, prefix: str = "") -> list[File]:
        """The files whose path starts with the prefix, by path."""
        if self.fetch is not None:
            self.fetch(stage)
        return self.local(stage, prefix)

    def remove(self, file: File) -> None:
        """Remove a file."""
        if self.removed is not None:
            self.removed(file.stage, file.path)
        os.remove(file.place)

    def local(self, stage: Stage, prefix: str = "") -> list[File]:
        """The files in the stage's folder whose path starts with the prefix, by path."""
        base, found = self.folder(stage), []
        for folder, _, names in os.walk(base):
            for name in names:
                place = os.path.join(folder, name)
                path = os.path.relpath(place, base).replace(os.sep, "/")
                if path.startswith(prefix):
                    found.append(File(stage, path, place))
        return sorted(found, key=lambda f: f.path)

    def pin(self, file: File) -> File:
        """The same file under a separate name, which stays when the stage is dropped."""
        folder = os.path.join(self.root, "pinned")
        os.makedirs(folder, exist_ok=True)
        place = os.path.join(folder, uuid.uuid4().hex)
        os.link(file.place, place)
        return File(file.stage, file.path, place)

    def write(self, stage: Stage, path: str, data: bytes) -> None:
        """Put a file; it appears complete or not at all."""
        place = os.path.normpath(os.path.join(self.folder(stage), path))
        if not place.startswith(self.folder(stage) + os.sep):
            raise syntax(f"invalid path {path!r}")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        incoming = os.path.join(self.root, "incoming")
        os.makedirs(incoming, exist_ok=True)
        whole = os.path.join(incoming, uuid.uuid4().hex)
        with open(whole, "wb") as file:
            file.write(data)
        os.replace(whole, place)
