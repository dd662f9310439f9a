"""Imports go downward only: each layer knows those below it and nothing above."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "arignote"

# From the bottom up; modules on one line may import each other.
LAYERS = [
    {"bfloat16", "errors", "config", "theano_flags"},
    {"graph"},
    {"ops"},
    {"autodiff", "rewrite"},
    {"plan"},
    {"_core"},
    {"run"},
    {"tensor"},
    {"printing", "aliases"},
    {"__init__"},
    {"bench", "cuda"},
    {"__main__"},
]
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def layer_of(module: Path) -> str:
    return module.with_suffix("").parts[0]


def imported_layers(module: Path) -> Iterator[str]:
    """Yield the layer of every import of the package, wherever in the module it stands."""
    here = ("arignote", *module.with_suffix("").parts)
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = [*here[: len(here) - node.level]] if node.level else []
            origin += node.module.split(".") if node.module else []
            names = [".".join([*origin, alias.name]) for alias in node.names]
        for name in names:
            package, *rest = name.split(".")
            if package == "arignote":
                yield rest[0] if rest and rest[0] in RANKS else "__init__"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_no_layer_above_its_own(module: Path) -> None:
    assert layer_of(module) in RANKS, f"give {layer_of(module)} a place in LAYERS"
    rank = RANKS[layer_of(module)]
    above = {layer for layer in imported_layers(module) if RANKS[layer] > rank}
    assert not above, f"{module} imports from {', '.join(sorted(above))}"


def test_only_native_imports_the_compiled_module() -> None:
    importers = {module for module in MODULES if "_core" in set(imported_layers(module))}
    assert importers == {Path("run/native.py")}
