"""Figures, the ratios between them, and the goals they are held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
        Why a contender has none.
    floor
        Seconds that the machine needs at least, 0 if unknown.
    """

    workload: Workload
    samples: Mapping[str, Sample]
    left_out: Mapping[str, str]
    floor: float

    def ratio(self, contender: str, other: str) -> float:
        """Return the time of one contender over that of another, as the median over the rounds.

        Both are taken from one round each time: a disturbance that lasts longer cancels out.
        """
        pairs = zip(self.samples[contender].seconds, self.samples[other].seconds, strict=True)
        return statistics.median(one / two for one, two in pairs)

    @property
    def best_peer(self) -> str | None:
        """The fastest contender but ours."""
        peers = [name for name in self.samples if name != OURS]
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


def at_most_of(peer: str, share: float) -> Goal:
    """Return the goal of a share of one peer's time."""
    return Goal(
        f"≤ {share:g} × {peer}",
        lambda result: result.ratio(OURS, peer) if peer in result.samples else None,
        lambda figure: figure <= share,
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
