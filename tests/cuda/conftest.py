"""Functions for the emulated device."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arignote.config import config
from arignote.run import devices

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture
def on_device(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let shared variables and functions be made for the emulated device."""
    from helpers.emulated import emulated

    monkeypatch.setattr(devices, "module", emulated().__name__)
    with config.changed(device="cuda"):
        yield
