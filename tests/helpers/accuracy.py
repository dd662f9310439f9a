"""What docs/accuracy.md states, and how far results are from exact ones."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from helpers.values import Array

PAGE = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"

# What is exact beside a dtype.
WIDER = {"float16": "float64", "float32": "float64", "float64": "longdouble"}

each_dtype = pytest.mark.parametrize(
    "dtype",
    [
        "float32",
        pytest.param(
            "float64",
            marks=pytest.mark.skipif(
                np.finfo("longdouble").eps == np.finfo("float64").eps,
                reason="the machine has nothing that is exact beside float64",
            ),
        ),
    ],
)


@cache
def stated(heading: str) -> dict[str, dict[str, float]]:
    """Return the table under a heading: for each name in its first column a number by dtype.

    Names are the code in that column, or all of its text if there is none.
    """
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    )
    columns = [(place, dtype) for place, dtype in enumerate(head) if dtype in WIDER]
    return {
        name: {dtype: float(row[place]) for place, dtype in columns}
        for row in rows
        for name in re.findall(r"`(\w+)`", row[0]) or [row[0]]
    }


def wide(array: Array) -> Array:
    """Return an array in the type that is exact beside its own; integers as they are."""
    return array.astype(WIDER[array.dtype.name]) if array.dtype.kind == "f" else array


def units(found: Array, exact: Array, scale: Array) -> float:
    """Return how many units of a scale the worst element is away."""
    assert found.shape == exact.shape
    error = np.abs(wide(found) - exact) / (scale * np.finfo(found.dtype).eps)
    return float(np.max(error, initial=0))
