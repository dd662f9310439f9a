"""Programs that say ``import theano``, loaded with arignote under that name, and their data."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "examples")]
PROGRAMS = Path(__file__).parent / "programs"
collect_ignore = ["programs"]  # each says ``import theano``, and none holds doctests

if TYPE_CHECKING:
    from helpers.seeds_data import Data
    from helpers.seeds_numpy import SoftmaxRun


@pytest.fixture(params=["float64", "float32"])
def float_x(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test in both configurations of floatX."""
    name: str = request.param
    monkeypatch.setattr(importlib.import_module("arignote").config, "floatX", name)
    return name


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Load a program of this folder by name, with ``theano`` standing for arignote."""
    monkeypatch.setitem(sys.modules, "theano", importlib.import_module("arignote"))
    monkeypatch.setitem(sys.modules, "theano.tensor", importlib.import_module("arignote.tensor"))

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"seed_{name}", PROGRAMS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # where pickle looks for its classes
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def noisy_data() -> Data:
    """Return the small data set."""
    found: Data = importlib.import_module("helpers.seeds_data").noisy_prototypes()
    return found


@pytest.fixture(scope="session")
def mnist() -> Data:
    """Return the real data."""
    path = os.environ.get("ARIGNOTE_DATA")
    if not path:
        pytest.skip("ARIGNOTE_DATA does not name a copy of MNIST")
    data = importlib.import_module("mnist_data").load(path)
    train, valid, test = (
        (split.images, split.labels.astype(np.int64))
        for split in (data.train, data.valid, data.test)
    )
    return train, valid, test


@pytest.fixture(scope="session")
def mnist_loop(mnist: Data) -> Callable[[str], SoftmaxRun]:
    """Return the NumPy loop on the real data as a function of the dtype, run once for each."""
    loop = importlib.import_module("helpers.seeds_numpy").logistic_sgd
    return functools.cache(lambda dtype: loop(mnist, dtype))
