"""What a benchmark measures: one computation, and what does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from time import perf_counter
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from arignote.graph.dtypes import Array

if TYPE_CHECKING:
    from arignote.bench.result import Goal

OURS = "arignote"


class Contender(Protocol):
    """Who takes part in a measurement, in this process or in one of its own."""

    def seconds(self, count: int) -> float:
        """Return how long `count` calls take."""

    def values(self) -> Sequence[Array]:
        """Call once more and return what must agree with ours after as many calls, if anything."""

    def extra_memory(self) -> int | None:
        """Let everything go; return the bytes that a call needed beside its data, if measured."""

    def close(self) -> None:
        """End what was started for it."""


@dataclass(frozen=True)
class Case:
    """A contender in this process.

    Attributes
    ----------
    call
        What is timed.
    values
        Calls once more and returns what must agree with other contenders after as many calls.
    """

    call: Callable[[], object]
    values: Callable[[], Sequence[Array]] = tuple

    def seconds(self, count: int) -> float:
        """Return how long `count` calls take."""
        call = self.call
        start = perf_counter()
        for _ in repeat(None, count):
            call()
        return perf_counter() - start

    def extra_memory(self) -> int | None:
        """Return nothing: what other contenders hold cannot be told from its own."""
        return None

    def close(self) -> None:
        """Leave everything to the collector."""


@dataclass(frozen=True)
class SelfTimed(Case):
    """A contender whose call returns the seconds to count in place of its own duration."""

    call: Callable[[], float]

    def seconds(self, count: int) -> float:
        """Return what `count` calls say that they took."""
        return sum(self.call() for _ in range(count))


Setup: TypeAlias = Callable[[], Contender]
"""Makes a contender; ImportError where it is not installed."""


@dataclass(frozen=True)
class Work:
    """What a call cannot do without.

    Attributes
    ----------
    bytes
        To be read or written at least once.
    flops
        Multiplications and additions.
    dtype
        Of the arithmetic.
    reach
        Bytes that calls go through before they come to the same ones again: it decides which cache
        they come from. That of one call by default.
    """

    bytes: int = 0
    flops: int = 0
    dtype: Literal["float32", "float64"] = "float32"
    reach: int = 0


@dataclass(frozen=True)
class Workload:
    """One computation: its contenders, ours first, the work it is, and what should be reached.

    Attributes
    ----------
    asides
        Contenders that are no peers: another way of ours, or a part of the work.
    data
        Bytes of a call's arguments, parameters and results. Where it is given, the memory that a
        contender needs beside them is measured, too.
    """

    name: str
    setups: Mapping[str, Setup]
    work: Work = field(default_factory=Work)
    goals: tuple[Goal, ...] = ()
    asides: frozenset[str] = frozenset()
    data: int = 0

    def against(self, peers: Mapping[str, Setup], *goals: Goal) -> Workload:
        """Return the workload with more contenders and goals."""
        return replace(self, setups={**self.setups, **peers}, goals=(*self.goals, *goals))

    def among(self, names: Sequence[str]) -> Workload:
        """Return the workload with ours and those contenders whose names contain one of `names`."""
        kept = {
            contender: setup
            for contender, setup in self.setups.items()
            if contender == OURS or any(name.lower() in contender.lower() for name in names)
        }
        return replace(self, setups=kept)
