"""The extras of the package are those that documents and scripts name, and hold what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def extras() -> dict[str, str]:
    """Return what each extra installs, as text."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no reader of TOML")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {name: " ".join(items) for name, items in project["optional-dependencies"].items()}


def named(path: Path) -> set[str]:
    """Return the extras that a file names: ``arignote[a,b]``, ``.[a,b]``, ``install.sh a,b``."""
    found = re.findall(
        r"(?:arignote|[\"']\.)\[([a-z0-9,]+)\]|install\.sh ([a-z]+[a-z0-9,]*)", path.read_text()
    )
    return {name for pair in found for group in pair for name in group.split(",") if name}


def test_extras_that_files_name_exist(extras: dict[str, str]) -> None:
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("scripts/*"), ROOT / ".ci/run"]
    found = set().union(*map(named, files))
    assert {"test", "dev"} <= found <= set(extras)


def test_readme_explains_every_extra(extras: dict[str, str]) -> None:
    assert named(ROOT / "README.md") >= set(extras)


def test_benchmarks_find_in_their_extra_what_they_compare_with(extras: dict[str, str]) -> None:
    sources = [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("src/arignote/bench/*.py")]
    text = "".join(path.read_text() for path in sources)
    modules = set(re.findall(r'(?:import_module|find_spec)\("(\w+)[.\w]*"\)', text))
    own = {"numpy"}
    assert len(modules - own) >= 4
    assert {name for name in modules - own if name not in extras["bench"]} == set()
