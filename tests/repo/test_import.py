"""What ``import arignote`` costs, and what it does not bring along."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

OPTIONAL = {
    "graphviz",
    "hypothesis",
    "matplotlib",
    "ml_dtypes",
    "pytest",
    "scipy",
    "sklearn",
    "tqdm",
}


def python(program: str) -> Any:
    """Run a program in a fresh interpreter and return what it prints as JSON."""
    command = [sys.executable, "-c", program]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_no_optional_package_is_imported() -> None:
    imported = python("import arignote, json, sys; print(json.dumps(list(sys.modules)))")
    assert OPTIONAL.isdisjoint(imported)


def test_little_is_imported_beside_numpy() -> None:
    """The time it takes is a benchmark; here, that no part of it grows unseen."""
    imported = python("""
import json, sys
import numpy
before = set(sys.modules)
import arignote
print(json.dumps(sorted(set(sys.modules) - before)))
""")
    own = {name for name in imported if name.startswith("arignote")}
    assert "arignote.tensor" in own
    # The finder of an editable installation brings half of these.
    assert len(set(imported) - own) <= 50
    assert not [name for name in own if name.startswith("arignote.bench")]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_products_bring_no_library_and_start_no_thread_but_those_asked_for() -> None:
    before, after = python("""
import json, os
from pathlib import Path
import numpy as np
import arignote
import arignote.tensor as T

def seen():
    libraries = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    return sorted(name for name in libraries if ".so" in name), len(os.listdir("/proc/self/task"))

arignote.config.threads = 1
x = T.dmatrix()
f = arignote.function([x], T.dot(x, x))
before = seen()
assert f(np.ones((300, 300)))[0, 0] == 300
print(json.dumps([before, seen()]))
""")
    assert after == before
