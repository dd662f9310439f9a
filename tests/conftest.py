"""Fixtures of all tests, and the import that gives variables their class."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import arignote.tensor.var  # noqa: F401 (types make variables of the class it defines)
from arignote.config import config
from arignote.run import native


@pytest.fixture(params=native.targets())
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test on each SIMD target of the machine: functions made in it know no other."""
    native.set_target(request.param)
    yield request.param
    native.set_target("")


@pytest.fixture
def all_threads() -> Iterator[None]:
    """Let a test set ``config.threads``."""
    before = config.threads
    yield
    config.threads = before
