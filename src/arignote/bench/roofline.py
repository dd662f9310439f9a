"""What the machine can do at best, measured in the same run as what is held against it."""

from __future__ import annotations

from dataclasses import dataclass, field

from arignote.bench.workload import Work
from arignote.run import native

# Less is read too fast for a clock to tell.
_LEAST_BYTES = 1 << 18


@dataclass
class Machine:
    """The best rates seen so far: a floor may be beaten by noise, never raised by it.

    Attributes
    ----------
    bandwidth
        GB/s, by the bytes read in turn.
    fma_rate
        GFLOP/s, by dtype.
    """

    bandwidth: dict[int, float] = field(default_factory=dict)
    fma_rate: dict[str, float] = field(default_factory=dict)

    def probe(self, work: Work) -> None:
        """Measure the rates that bound `work`, with all threads at the present SIMD target."""
        if work.bytes:
            reach = _reach(work)
            rate = native.measure_bandwidth(reach)
            self.bandwidth[reach] = max(rate, self.bandwidth.get(reach, 0.0))
        if work.flops:
            rate = native.measure_fma_rate(work.dtype)
            self.fma_rate[work.dtype] = max(rate, self.fma_rate.get(work.dtype, 0.0))

    def floor(self, work: Work) -> float:
        """Return the seconds that `work` takes at least; 0 if it is bounded by nothing measured."""
        moving = work.bytes / self.bandwidth[_reach(work)] if work.bytes else 0.0
        computing = work.flops / self.fma_rate[work.dtype] if work.flops else 0.0
        return max(moving, computing) * 1e-9


def _reach(work: Work) -> int:
    """Return the bytes to read for `work`'s bandwidth."""
    return max(work.reach, work.bytes, _LEAST_BYTES)
