"""Whether other processes want the cores, and waiting until they do not."""

from __future__ import annotations

from pathlib import Path
from time import sleep

_LOAD = Path("/proc/loadavg")
_GLANCES, _BETWEEN = 3, 0.001
_WAIT = 0.05


class Company:
    """Waits before each turn, for a limited time in all, and counts the turns that had company.

    A contender that runs on all cores is slowed down manyfold by one other process on one of them:
    its threads wait for each other.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._turns = 0
        self._shared = 0

    def wait(self) -> None:
        """Return when the cores are free, or patience is at its end."""
        self._turns += 1
        while _others_run():
            if self._patience <= 0:
                self._shared += 1
                return
            sleep(_WAIT)
            self._patience -= _WAIT

    @property
    def share(self) -> float:
        """The share of turns that began while others ran."""
        return self._shared / max(self._turns, 1)


def _others_run() -> bool:
    """Return whether threads beside this one are ready to run, and not for a moment only."""
    for _ in range(_GLANCES):
        sleep(_BETWEEN)
        if _ready() <= 1:
            return False
    return True


def _ready() -> int:
    """Return how many threads of the machine run or could, this one included; 1 if unknown."""
    try:
        return int(_LOAD.read_text().split()[3].partition("/")[0])
    except (OSError, IndexError, ValueError):
        return 1
