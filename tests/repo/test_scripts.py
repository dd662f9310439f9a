"""What scripts install is enough for what they run, and builds say what they lack."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(asking LANGUAGES CXX)
include({toolkit})
"""


def test_a_build_without_nvcc_says_what_to_install(tmp_path: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("there is no cmake")
    toolkit = ROOT / "cuda" / "toolkit.cmake"
    (tmp_path / "CMakeLists.txt").write_text(PROJECT.format(toolkit=toolkit.as_posix()))
    command = [cmake, "-S", tmp_path, "-B", tmp_path / "build", "-DCMAKE_CUDA_COMPILER=NOTFOUND"]
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "Install the CUDA toolkit 12.8 or newer" in " ".join(found.stderr.split())
