"""Functions for the emulated device, and the device itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arignote.config import config
from arignote.run import devices
from helpers.emulated import ORDERS, emulated


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let shared variables and functions be made for the emulated device."""
    monkeypatch.setattr(devices, "module", emulated().__name__)
    with config.changed(device="cuda"):
        yield


@pytest.fixture(params=ORDERS)
def device(request: pytest.FixtureRequest) -> Iterator[object]:
    """A device whose threads come to run in each order."""
    module = emulated()
    module.set_order(request.param)
    yield module.open(0)
    module.set_order("forward")
