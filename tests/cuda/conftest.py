"""Functions for the tested device, and the device itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arignote.config import config
from arignote.run import devices
from helpers.backend import backend_module, set_order
from helpers.emulated import ORDERS


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let shared variables and functions be made for the tested device."""
    monkeypatch.setattr(devices, "module", backend_module().__name__)
    with config.changed(device="cuda"):
        yield


@pytest.fixture(params=ORDERS)
def device(request: pytest.FixtureRequest) -> Iterator[object]:
    """A device whose threads come to run in each order."""
    set_order(request.param)
    yield backend_module().open(0)
    set_order("forward")
