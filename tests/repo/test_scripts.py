"""What scripts install is enough for what they run."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"arignote", "benchmarks", "helpers"}


def imported(file: Path) -> set[str]:
    """Return the packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module))
    return {name.split(".")[0] for name in names}


def test_the_environment_of_a_device_has_what_its_tests_import() -> None:
    script = (ROOT / "scripts" / "test_device.sh").read_text()
    (packages,) = re.findall(r"^packages=\((.*)\)$", script, re.MULTILINE)
    tests = ROOT / "tests"
    files = [*tests.glob("cuda/*.py"), *tests.glob("helpers/*.py"), tests / "conftest.py"]
    needed = set.union(*map(imported, files)) - OURS - sys.stdlib_module_names
    assert "pytest" in needed
    assert needed <= set(packages.split())
