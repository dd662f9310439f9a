"""Vectors lie in variables and plain arrays, not in templates of the standard library.

What these instantiate is compiled for the baseline, and there GCC for AArch64 refuses to make the
vectors of a target. Code that does so builds on x86 all the same.
"""

from __future__ import annotations

import re
from pathlib import Path

KERNELS = Path(__file__).resolve().parents[2] / "cpp" / "kernels"

TEMPLATE = re.compile(r"std::(?:array|pair|tuple|optional|vector)<")
VECTOR = re.compile(r"\b(?:hn::\w+|Vector<|Vec<|V\b|Mask<|decltype\()")


def arguments_of(text: str, start: int) -> str:
    """Return the text up to the bracket that closes the one before ``start``."""
    depth = 1
    for end in range(start, len(text)):
        depth += {"<": 1, ">": -1}.get(text[end], 0)
        if depth == 0:
            return text[start:end]
    return text[start:]


def templates_of_vectors(text: str) -> list[str]:
    found = [(match[0], arguments_of(text, match.end())) for match in TEMPLATE.finditer(text)]
    return [f"{template}{inner}>" for template, inner in found if VECTOR.search(inner)]


def test_no_standard_template_holds_vectors() -> None:
    sources = {path.name: path.read_text() for path in KERNELS.glob("*.[ch]pp")}
    found = {name: templates_of_vectors(text) for name, text in sources.items()}
    assert len(found) > 50
    assert {name: templates for name, templates in found.items() if templates} == {}


def test_the_check_finds_such_a_template() -> None:
    text = "std::array<int, 3> a; std::array<Vector<T>, kCount> b; std::pair<int, hn::Vec<D>> c;"
    assert templates_of_vectors(text) == [
        "std::array<Vector<T>, kCount>",
        "std::pair<int, hn::Vec<D>>",
    ]
