"""The documents hold: examples run, quotes stand in the sources, and what is named exists.

The language of a fenced block says what becomes of it. ``pycon`` is a session: those of a page run
one after the other in one interpreter. ``python FILE`` and ``cpp FILE`` quote a file; a line that
holds only an ellipsis leaves some of it out. ``sh`` and ``text`` are for reading.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import redirect_stdout
from doctest import ELLIPSIS, DocTestParser, Example, OutputChecker
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCED = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELLIPSIS_LINE = re.compile(r"^\s*(?:# |// )?…$\n", re.MULTILINE)

a_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


class Block(NamedTuple):
    """A fenced block: what its first line says, its text, and the line of the page it starts at."""

    language: str
    source: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(found[1], found[2], found[3], text.count("\n", 0, found.start(3)) + 1)
        for found in FENCED.finditer(text)
    ]


# --- sessions


def output_of(example: Example, names: dict[str, Any]) -> str:
    """Return what an interpreter would show, the frames of a traceback as an ellipsis."""
    shown = io.StringIO()
    try:
        with redirect_stdout(shown):
            exec(compile(example.source, "<stdin>", "single"), names)
    except Exception as error:
        # Notes too, which doctest's own runner loses.
        text = "".join(traceback.format_exception_only(type(error), error))
        return f"{shown.getvalue()}Traceback (most recent call last):\n  ...\n{text}"
    return shown.getvalue()


def run_sessions(page: Path) -> Iterator[str]:
    """Run a page's sessions as the main module of this process; yield what came out otherwise."""
    main = ModuleType("__main__")
    sys.modules["__main__"] = main  # where pickles look for the classes of a session
    checker = OutputChecker()
    for block in blocks(page):
        if block.language != "pycon":
            continue
        for example in DocTestParser().get_examples(block.text):
            found = output_of(example, vars(main))
            if not checker.check_output(example.want, found, ELLIPSIS):
                line = block.line + example.lineno
                difference = checker.output_difference(example, found, ELLIPSIS)
                yield f"{page.name}:{line}\n{example.source}{difference}"


@a_page
def test_examples_show_what_they_say(page: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", __file__, str(page)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_wrong_example_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    page = tmp_path / "page.md"
    page.write_text("```pycon\n>>> 1 + 1\n2\n>>> 2 + 2\n5\n>>> 1 / 0\n1\n```\n")
    first, second = run_sessions(page)
    assert first.startswith("page.md:4\n2 + 2\n")
    assert "ZeroDivisionError" in second


# --- quotes


def missing_quotes(page: Path) -> Iterator[str]:
    for block in blocks(page):
        if not block.source:
            continue
        quoted = (ROOT / block.source).read_text()
        for part in ELLIPSIS_LINE.split(block.text):
            if part.strip("\n") not in quoted:
                yield f"{page.name}:{block.line} is not in {block.source}:\n{part}"


@a_page
def test_quotes_are_in_the_sources(page: Path) -> None:
    assert list(missing_quotes(page)) == []


@a_page
def test_code_is_run_or_quoted(page: Path) -> None:
    languages = {(block.language, bool(block.source)) for block in blocks(page)}
    known = {("pycon", False), ("python", True), ("cpp", True), ("sh", False), ("text", False)}
    assert languages <= known


# --- names

CODE_SPAN = re.compile(r"`([^`\n]+)`")
FILE_NAME = re.compile(r"\.?[\w.-]+(/[\w.-]+)*(/|\.(py|cpp|hpp|md|sh|toml|json|svg|pyi))")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Where a page may leave out the beginning of a path.
FOLDERS = [ROOT, ROOT / "src" / "arignote", ROOT / "cpp"]


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(prose(page)):
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if link.startswith("https://"):
            continue
        if not target.exists() or (part and part not in anchors(target)):
            yield link


@a_page
def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@a_page
def test_files_named_exist(page: Path) -> None:
    named = [span for span in CODE_SPAN.findall(prose(page)) if FILE_NAME.fullmatch(span)]
    # A name without a folder is one of the root, or a file that the page's example writes.
    named = [name for name in named if "/" in name]
    assert [n for n in named if not any((folder / n).exists() for folder in FOLDERS)] == []


def resolve(name: str) -> None:
    """Import as much of a dotted name as is a module, and look up the rest."""
    module, *rest = name.split(".")
    found: Any = import_module(module)
    for part in rest:
        if not hasattr(found, part):
            found = import_module(f"{found.__name__}.{part}")
        else:
            found = getattr(found, part)


@a_page
def test_names_of_the_library_exist(page: Path) -> None:
    spans = CODE_SPAN.findall(prose(page))
    for span in spans:
        name = re.fullmatch(r"(arignote|T)((?:\.\w+)+)(?:\(.*\))?", span)
        if name:
            resolve(("arignote" if name[1] == "arignote" else "arignote.tensor") + name[2])


@a_page
def test_subcommands_exist(page: Path) -> None:
    for name in set(re.findall(r"python -m arignote (\w+)", page.read_text())):
        command = [sys.executable, "-m", "arignote", name, "--help"]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0, name


if __name__ == "__main__":
    failures = list(run_sessions(Path(sys.argv[1])))
    sys.stdout.write("\n".join(failures))
    sys.exit(bool(failures))
