"""The user's book (`procedures/docs`) and the documents at the root: their examples and links are correct.

Fences state what a block is:

- `json,job`: a job, which `snowcat check` accepts.
- `json,file=NAME`, `console`: a file that the reader saves; commands (`$ ..`) with their output.
- `json,resource` begins an example: a resource in an empty dataset. `json,load` is one load of these records. A load
  before `text,fault` fails with this text, and one before `text,warnings` has exactly these warnings. A table below a
  line that begins with the name of a table (`` `ORDERS` ``) has all rows of that table, in any order.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from conformance.emulated import START, Emulated
from snowcat_procedure import LoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOK = ROOT / "procedures/docs"
CHAPTERS = sorted((BOOK / "src").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("tests/**/*.md")), *CHAPTERS]
PROGRAM = ROOT / "target/debug/snowcat"
# Parts of a command's output that differ between runs.
TIMES = re.compile(r"\b\d+\.\d\d s\b")


class Block:
    """A fenced block, or a table with its caption; `line` is its first line."""

    def __init__(self, line: int, kind: str, text: str) -> None:
        self.line, self.kind, self.text = line, kind, text

    @property
    def caption(self) -> str:
        """The name of the table that a caption begins with."""
        return self.kind.removeprefix("table ")

    @property
    def table(self) -> tuple[list[str], list[tuple[str, ...]]]:
        """The header and the rows."""
        cells = (row.strip().strip("|").split("|") for row in self.text.splitlines())
        lines = [[cell.strip().strip("`") for cell in row] for row in cells]
        return lines[0], sorted(tuple(row) for row in lines[2:])


def blocks(chapter: pathlib.Path) -> Iterator[Block]:
    """The fenced blocks and the captioned tables of a chapter, in order."""
    lines = chapter.read_text("utf-8").splitlines()
    at, caption = 0, ""
    while at < len(lines):
        line, begun = lines[at], at + 1
        at += 1
        if line.startswith("```"):
            end = lines.index("```", at)
            yield Block(begun, line[3:], "\n".join(lines[at:end]))
            at = end + 1
        elif line.startswith("|"):
            while at < len(lines) and lines[at].startswith("|"):
                at += 1
            if caption:
                yield Block(begun, f"table {caption}", "\n".join(lines[begun - 1 : at]))
            caption = ""
        elif line:
            found = re.match(r"`([A-Z][A-Z0-9_]*|_[A-Z][A-Z0-9_]*)`.*:$", line)
            caption = found[1] if found else ""


def prose(document: pathlib.Path) -> str:
    """The text of a document without its code."""
    text = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^    .*$", "", text, flags=re.MULTILINE)


def anchors(document: pathlib.Path) -> set[str]:
    """The anchors of the headings, as mdBook and GitHub make them."""
    found: dict[str, int] = {}
    ids = set()
    for heading in re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text.lower().strip()))
        ids.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return ids


def by_name(file: pathlib.Path) -> str:
    return str(file.relative_to(ROOT))


def with_blocks(kind: str) -> pytest.MarkDecorator:
    """Runs a test for each chapter that has such a block."""
    chapters = [c for c in CHAPTERS if f"```{kind}" in c.read_text("utf-8")]
    return pytest.mark.parametrize("chapter", chapters, ids=by_name)


# --- links --------------------------------------------------------------------------


def test_the_summary_lists_every_chapter():
    listed = re.findall(r"\]\(([^)]*)\)", (BOOK / "src/SUMMARY.md").read_text("utf-8"))
    assert sorted(listed) == sorted(c.name for c in CHAPTERS if c.name != "SUMMARY.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_links_have_targets(document):
    broken = []
    for target in re.findall(r"\]\(<?([^)>\s]+)>?\)", re.sub(r"`[^`\n]*`", "", prose(document))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.parent == ROOT], ids=by_name)
def test_named_files_exist(document):
    """Paths from the root in code spans that begin with one of its folders."""
    folders = "guest|host|procedures|tests|wit"
    named = re.findall(rf"`((?:{folders})/[A-Za-z0-9_./-]*)`", document.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=by_name)
def test_named_tests_exist(document):
    """Files of `pytest .. FILE -k WORD`, and a test in each file whose name contains the word."""
    for file, word in re.findall(r"-m pytest -q (tests/[\w/]+\.py)(?: -k (\w+))?", document.read_text("utf-8")):
        tests = re.findall(r"^def (test_\w+)", (ROOT / file).read_text("utf-8"), re.MULTILINE)
        assert any(word in test for test in tests), f"{file} -k {word}"


# --- jobs, commands -----------------------------------------------------------------


@with_blocks("json,job")
def test_jobs_are_valid(chapter, tmp_path):
    for block in blocks(chapter):
        if block.kind.startswith("json,job"):
            (tmp_path / f"line-{block.line}.json").write_text(block.text)
    said = run(tmp_path, "snowcat check *.json")
    assert all(": valid (" in line for line in said.splitlines()), said


@pytest.mark.parametrize("chapter", CHAPTERS, ids=by_name)
def test_json_is_json(chapter):
    for block in blocks(chapter):
        text = block.text.strip() if block.kind.startswith("json") else ""
        while text:
            _, end = json.JSONDecoder().raw_decode(text)
            text = text[end:].strip()


@pytest.mark.parametrize("command", ["init", "check", "plan", "run"])
def test_all_options_are_documented(command, tmp_path):
    chapter = (BOOK / "src/command-line.md").read_text("utf-8")
    section = chapter.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    known = re.findall(r"^ +(--[a-z-]+)", run(tmp_path, f"snowcat help {command}"), re.MULTILINE)
    assert set(re.findall(r"(?<![a-z|-])--[a-z-]+", section)) == set(known)


@with_blocks("console")
def test_commands_print_the_shown_output(chapter, tmp_path):
    for block in blocks(chapter):
        name = re.search(r",file=(\S+)", block.kind)
        if name:
            (tmp_path / name[1]).parent.mkdir(exist_ok=True)
            (tmp_path / name[1]).write_text(block.text + "\n")
        elif block.kind == "console":
            for command in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                line, _, shown = command.partition("\n")
                said = run(tmp_path, line)
                found, expected = (TIMES.sub("0.00 s", text).rstrip() for text in (said, shown))
                assert found == expected, f"{chapter.name}:{block.line}: {line}"


def run(folder: pathlib.Path, line: str) -> str:
    """The output of a command, with our program in the path."""
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "LANG": "C.UTF-8"}
    command = ["bash", "-c", line]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    return "\n".join(row.rstrip() for row in (ran.stdout + ran.stderr).splitlines())


# --- examples on the emulator -------------------------------------------------------


class Example:
    """A resource, and the dataset of its loads."""

    def __init__(self, account: Emulated, guest: Any, resource: dict) -> None:
        self.account, self.guest, self.resource, self.loads = account, guest, resource, 0
        account.clear()

    def load(self, records: list) -> list[str]:
        """One load, a day after the previous one. Returns its warnings."""
        resources = [{**self.resource, "source": "pull"}]
        job = {"pipeline": "shop", "database": "RAW", "dataset": "d", "resources": resources}
        now = START + dt.timedelta(days=self.loads)
        self.loads += 1
        page = "\n".join(json.dumps(record) for record in records)
        report = self.account.load(json.dumps(job), [page], now, self.guest, lambda _: None)
        return report["warnings"]

    def rows(self, table: str, columns: list[str]) -> list[tuple[str, ...]]:
        """The values of these columns of a table."""
        listed = ", ".join(f'"{column}"' for column in columns)
        rows = self.account.lab.sql(f'SELECT {listed} FROM RAW.D."{table}"')
        return sorted(tuple(map(shown, row)) for row in rows)


def shown(cell: Any) -> str:
    """A cell as the chapters write it."""
    match cell:
        case None:
            return "NULL"
        case bool():
            return str(cell).upper()
        case dt.datetime():
            return f"{cell:%Y-%m-%d %H:%M}"
    return str(cell)


@pytest.fixture(scope="module")
def account():
    with Emulated(direct=True) as made:
        yield made


@with_blocks("json,resource")
def test_examples_have_the_shown_rows(chapter, account, guest):
    example, said, fault = None, [], ""
    for block in blocks(chapter):
        where = f"{chapter.name}:{block.line}"
        if block.kind == "json,resource":
            example = Example(account, guest, json.loads(block.text))
        elif block.kind == "json,load":
            assert fault == "", f"{where}: the load before fails: {fault}"
            try:
                said, fault = example.load(json.loads(block.text)), ""
            except LoadError as error:
                said, fault = [], f"{error.details['kind']}: {error.details['message']}"
        elif block.kind == "text,warnings":
            assert said == block.text.splitlines(), where
        elif block.kind == "text,fault":
            assert fault == block.text, where
            fault = ""
        elif block.kind.startswith("table "):
            columns, rows = block.table
            assert example.rows(block.caption, columns) == rows, where
    assert fault == ""


# --- faults -------------------------------------------------------------------------


def test_every_kind_of_fault_is_documented():
    interface = (ROOT / "wit/loads.wit").read_text("utf-8")
    known = re.search(r"enum fault-kind \{(.*?)\n    \}", interface, re.DOTALL)
    kinds = set(re.findall(r"^        ([a-z-]+),$", known[1], re.MULTILINE))
    for file in (ROOT / "procedures").rglob("snowcat_*.py"):
        kinds |= set(re.findall(r'LoadError\("([a-z]+)"', file.read_text("utf-8")))
    chapter = (BOOK / "src/operate.md").read_text("utf-8")
    explained = re.findall(r"^\| `([a-z]+)` \| [A-Z]", chapter, re.MULTILINE)
    assert sorted(explained) == sorted(kinds)


# --- the generated chapter ----------------------------------------------------------


def test_reference_is_generated_from_the_schema():
    command = [sys.executable, BOOK / "reference.py", "--print"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (BOOK / "src/job.md").read_text("utf-8") == made, "run `make reference`"
