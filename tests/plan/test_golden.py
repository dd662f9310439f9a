"""The plans of some programs, word for word.

A change of a plan is a change to look at: with ``WRITE_GOLDEN=1`` in the environment this test
writes the files of ``golden/`` anew, and the difference shows in the commit.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from helpers.programs import PROGRAMS

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", PROGRAMS)
def test_golden_plan(name: str) -> None:
    file = GOLDEN / f"{name}.txt"
    text = f"{PROGRAMS[name]().function(name=name).plan}\n"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def test_every_golden_plan_has_its_program() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(PROGRAMS)
