"""The plans of some programs, word for word.

A change of a plan is a change to look at: ``python tests/plan/test_golden.py`` writes the files of
``golden/`` anew, and the difference shows in the commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from helpers.programs import PROGRAMS

GOLDEN = Path(__file__).parent / "golden"


def text_of(name: str) -> str:
    return f"{PROGRAMS[name]().function(name=name).plan}\n"


@pytest.mark.parametrize("name", PROGRAMS)
def test_golden_plan(name: str) -> None:
    assert text_of(name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_plan_has_its_program() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(PROGRAMS)


def write() -> None:
    for name in PROGRAMS:
        (GOLDEN / f"{name}.txt").write_text(text_of(name), encoding="utf-8")


if __name__ == "__main__":
    write()
