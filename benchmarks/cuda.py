"""The command line ``python -m benchmarks.cuda``: a device beside PyTorch and JAX on the same one.

All contenders run in this process, in turns, and each call waits for the device.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib import import_module
from typing import Any

import numpy as np

from arignote.bench import command, seeds
from arignote.bench.dialect import Dialect, dialects, one_call
from arignote.bench.result import (
    at_least_of_roofline,
    at_most_beside,
    at_most_of,
    at_most_of_best_peer,
)
from arignote.bench.roofline import Machine
from arignote.bench.seeds import Digits
from arignote.bench.workload import OURS, Case, Setup, Work, Workload
from arignote.config import config
from arignote.errors import DeviceError
from arignote.graph.dtypes import Array
from arignote.run import devices
from benchmarks import device_jax, device_torch
from benchmarks.classes import Scored

COMPILED = "torch.compile"


@dataclass(frozen=True)
class Pass:
    """A computation that reads an array once, and perhaps writes one.

    Attributes
    ----------
    writes
        Whether its result takes the array's place.
    """

    name: str
    side: int
    writes: bool
    compute: Callable[[Any, Any], Any]

    def draw(self) -> Array:
        """Return a square of numbers in float32."""
        return np.random.default_rng(6).random((self.side, self.side), np.float32)

    @property
    def work(self) -> Work:
        """The array once, or there and back."""
        return Work(4 * self.side**2 * (2 if self.writes else 1))


def passes(side: int) -> list[Pass]:
    """Return chains of elementwise operations, and reductions; each function takes a namespace."""
    return [
        Pass("x ← 0.9 x + 0.1 tanh(x)", side, True, lambda own, x: 0.9 * x + 0.1 * own.tanh(x)),
        Pass("x ← x / (1 + exp(-x))", side, True, lambda own, x: x / (1 + own.exp(-x))),
        Pass("the sum of all", side, False, lambda own, x: own.sum(x)),
        Pass("sums along rows", side, False, lambda own, x: own.sum(x, 1)),
        Pass("sums along columns", side, False, lambda own, x: own.sum(x, 0)),
    ]


@dataclass(frozen=True)
class OnDevice(Case):
    """Ours: it says how much of the device's memory a call took beside its data."""

    data: int = 0

    def extra_memory(self) -> int:
        """Return the most bytes in use during one more call, but for the data."""
        _module().memory(_number(), reset=True)
        self.call()
        _, most = _module().memory(_number())
        return int(most) - self.data


def _module() -> Any:
    return import_module(devices.module)


def _number() -> int:
    return int(devices.open_device(config.device).name.removeprefix("cuda"))


def in_place(own: Dialect, each: Pass) -> Case:
    """Set a pass up whose result stays on the device, or is a number for each row or column."""
    x = own.shared(each.draw())
    result = each.compute(own.tensor, x)
    if not each.writes:
        return one_call(own.function([], result))
    return one_call(own.function([], [], updates=[(x, own.tensor.cast(result, "float32"))]), [x])


@dataclass(frozen=True)
class LastLayer(Scored):
    """A language model's last layer, and what it is trained on.

    Numbers are drawn once for all contenders: hundreds of millions take seconds.
    """

    @property
    def rate(self) -> float:
        """The step along the gradient: large enough for halves to differ by it."""
        return self.rows / 8

    @property
    def data(self) -> int:
        """Bytes of labels, weights, rows and the gradient by rows."""
        numbers = self.features * self.classes + 2 * self.rows * self.features
        return self.itemsize * numbers + 8 * self.rows

    def draw(self) -> tuple[Array, Array, Array]:
        """Return rows, labels and weights."""
        return _drawn(self)


@lru_cache(maxsize=1)
def _drawn(layer: LastLayer) -> tuple[Array, Array, Array]:
    return Scored.draw(layer)


def last_layer(own: Dialect, layer: LastLayer) -> Case:
    """Set up a step of training, with the gradient by rows for the layers below."""
    tensor = own.tensor
    x, y, w = map(own.shared, layer.draw())
    log_p = tensor.log(own.softmax(tensor.dot(x, w)))
    cost = -tensor.mean(log_p[tensor.arange(y.shape[0]), y])
    by_w, by_x = own.grad(cost, [w, x])
    kept = own.shared(np.zeros_like(x.get_value()))
    rate = tensor.cast(layer.rate, layer.dtype)
    step = one_call(own.function([], cost, updates=[(kept, by_x), (w, w - rate * by_w)]), [kept, w])
    return OnDevice(step.call, step.values, layer.data)


def epochs(digits: Digits, title: str, share: float) -> Workload:
    """Return softmax regression over all minibatches in one call."""
    sizes = f"{digits.batches} × {digits.rows:,} × {digits.features:,} → {digits.classes:,}"
    name = f"{title}, {digits.dtype}, {sizes}"
    setups: dict[str, Setup] = {
        OURS: partial(seeds.softmax_epoch, dialects()[OURS], digits),
        **device_torch.epochs(digits),
        "JAX": partial(device_jax.epoch, digits),
    }
    return Workload(name, setups, goals=(at_most_of_best_peer(share),))


def large(layer: LastLayer, extra: int) -> Workload:
    """Return a step of training of a language model's last layer."""
    setups: dict[str, Setup] = {
        OURS: partial(last_layer, dialects()[OURS], layer),
        **device_torch.last_layers(layer, layer.rate),
        "JAX": partial(device_jax.last_layer, layer, layer.rate),
    }
    goals = (at_most_of(COMPILED, 1.0), at_most_beside(extra))
    name = f"last layer, {layer.dtype}, {layer.sizes}"
    return Workload(name, setups, goals=goals, data=layer.data)


def single(each: Pass) -> Workload:
    """Return a pass over an array."""
    setups: dict[str, Setup] = {
        OURS: partial(in_place, dialects()[OURS], each),
        **device_torch.passes(each.draw, each.compute, each.writes),
        "JAX": partial(device_jax.single, each.draw, each.compute, each.writes),
    }
    name = f"{each.name}, {each.side:,} × {each.side:,}"
    return Workload(name, setups, each.work, (at_least_of_roofline(0.9),))


def catalogue(tiny: bool = False) -> dict[str, list[Workload]]:
    """Return all workloads by group; the tiny ones check the programs, not the speed."""
    if tiny:
        digits = Digits(batches=3, rows=7, features=11, classes=3)
        return {
            "Training": [
                epochs(digits, "softmax", 1 / 3),
                epochs(replace(digits, dtype="bfloat16"), "softmax", 1 / 3),
            ],
            "Many classes": [large(LastLayer(9, 5, 11, dtype="bfloat16"), 10**6)],
            "Passes": [single(each) for each in passes(9)],
        }
    probe = Digits(batches=1, rows=16_384, features=2048, classes=1000)
    return {
        "Training": [
            epochs(Digits(), "softmax regression, an epoch", 1 / 3),
            epochs(probe, "linear probe", 1),
            epochs(replace(probe, dtype="bfloat16"), "linear probe", 1),
        ],
        "Many classes": [large(LastLayer(8192, 2304, 256_000, dtype="bfloat16"), 1_200_000_000)],
        "Passes": [single(each) for each in passes(10_000)],
    }


class DeviceMachine(Machine):
    """The device's memory: the floor of what moves through it alone."""

    def probe(self, work: Work) -> None:
        """Measure how fast as many bytes are read and written as `work` does."""
        if work.bytes:
            rate = work.bytes / _module().time_copy(_number(), work.bytes // 2) / 1e9
            self.bandwidth[work.bytes] = max(rate, self.bandwidth.get(work.bytes, 0.0))

    def floor(self, work: Work) -> float:
        """Return the seconds that copying so many bytes takes; 0 if `work` moves none."""
        return work.bytes / self.bandwidth[work.bytes] * 1e-9 if work.bytes else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the device's benchmarks; the exit status is 1 where there is no device."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuda", description=__doc__)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN", help="part of a workload's name")
    parser.add_argument("--device", default="cuda", help="cuda, cuda0, cuda1, …; default: cuda")
    command.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        found = devices.describe(options.device)
    except DeviceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{', '.join(f'{name} {value}' for name, value in found.items())}\n")
    groups = {
        title: [
            workload
            for workload in workloads
            if any(pattern in workload.name for pattern in options.patterns or [""])
        ]
        for title, workloads in catalogue().items()
    }
    with config.changed(device=options.device, force_device=True):
        command.run({t: w for t, w in groups.items() if w}, options, DeviceMachine())
    return 0


if __name__ == "__main__":
    sys.exit(main())
