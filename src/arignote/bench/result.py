"""Figures, the ratios between them, and the goals they are held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from arignote.bench.workload import OURS, Workload


@dataclass(frozen=True)
class Sample:
    """Seconds per call, one figure a round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure that half of the rounds stay below."""
        return statistics.median(self.seconds)

    @property
    def best(self) -> float:
        """The least disturbed round."""
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """Half of the range of the middle half of the rounds, as a share of the median."""
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / 2 / self.median


@dataclass(frozen=True)
class Result:
    """What a workload took.

    Attributes
    ----------
    samples
        By contender.
    left_out
        Why a contender has none, or why its memory is not known.
    floor
        Seconds that the machine needs at least, 0 if unknown.
    memory
        Bytes that a call needs beside its data, by contender, where they were measured.
    company
        The share of turns that began while other processes wanted the cores.
    """

    workload: Workload
    samples: Mapping[str, Sample]
    left_out: Mapping[str, str]
    floor: float
    memory: Mapping[str, int] = field(default_factory=dict)
    company: float = 0.0

    def ratio(self, contender: str, other: str) -> float:
        """Return the time of one contender over that of another, as the median over the rounds.

        Both are taken from one round each time: a disturbance that lasts longer cancels out.
        """
        pairs = zip(self.samples[contender].seconds, self.samples[other].seconds, strict=True)
        return statistics.median(one / two for one, two in pairs)

    @property
    def best_peer(self) -> str | None:
        """The fastest contender that is neither ours nor aside."""
        peers = [name for name in self.samples if name not in (OURS, *self.workload.asides)]
        return min(peers, key=lambda name: self.samples[name].median, default=None)

    def share_of_floor(self, contender: str = OURS) -> float | None:
        """Return the floor over the time taken: 1 is as fast as the machine allows."""
        return self.floor / self.samples[contender].median if self.floor else None


@dataclass(frozen=True)
class Goal:
    """What a figure of ours should be; `figure` is None where this run cannot tell."""

    text: str
    figure: Callable[[Result], float | None]
    reached: Callable[[float], bool]

    def met(self, result: Result) -> bool | None:
        """Return whether a result meets the goal."""
        figure = self.figure(result)
        return None if figure is None else self.reached(figure)


def at_most(seconds: float) -> Goal:
    """Return the goal of a call that takes no longer."""
    return Goal(
        f"≤ {format_seconds(seconds)}",
        lambda result: result.samples[OURS].median,
        lambda figure: figure <= seconds,
    )


def at_most_of(other: str, share: float, contender: str = OURS) -> Goal:
    """Return the goal of a share of another's time."""
    who = "" if contender == OURS else f"{contender} "
    return Goal(
        f"{who}≤ {share:g} × {other}",
        lambda result: result.ratio(contender, other) if other in result.samples else None,
        lambda figure: figure <= share,
    )


def at_least_of_rate(part: str, share: float) -> Goal:
    """Return the goal of a share of the speed at which a part of the work alone is done."""
    return Goal(
        f"≥ {share:.0%} of the rate of {part}",
        lambda result: result.ratio(part, OURS) if part in result.samples else None,
        lambda figure: figure >= share,
    )


def at_most_beside(size: int) -> Goal:
    """Return the goal of so many bytes beside the data."""
    return Goal(
        f"≤ {size / 1e6:.0f} MB beside the data",
        lambda result: result.memory.get(OURS),
        lambda figure: figure <= size,
    )


def at_most_of_best_peer(share: float) -> Goal:
    """Return the goal of a share of the time of whichever peer is the fastest."""
    return Goal(
        f"≤ {share:g} × best peer",
        lambda result: result.ratio(OURS, result.best_peer) if result.best_peer else None,
        lambda figure: figure <= share,
    )


def at_least_of_roofline(share: float) -> Goal:
    """Return the goal of a share of what the machine allows."""
    return Goal(
        f"≥ {share:.0%} of the roofline",
        lambda result: result.share_of_floor(),
        lambda figure: figure >= share,
    )


def format_seconds(seconds: float) -> str:
    """Return a duration in three digits and the unit that suits it.

    >>> format_seconds(3.14159e-7), format_seconds(0.0159), format_seconds(2.0)
    ('0.314 µs', '15.9 ms', '2 s')
    """
    unit, scale = next(
        (unit, scale)
        for unit, scale, least in (("s", 1.0, 0.9995), ("ms", 1e3, 0.9995e-3), ("µs", 1e6, 0.0))
        if seconds >= least
    )
    return f"{seconds * scale:.3g} {unit}"
