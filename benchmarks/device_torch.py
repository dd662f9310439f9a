"""PyTorch on a CUDA device: steps by its autograd, by hand, compiled, and replayed as a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from arignote.bench.seeds import Digits
from arignote.bench.workload import Case, Setup
from arignote.graph.dtypes import Array
from benchmarks import peers_torch
from benchmarks.classes import Scored

DEVICE = "cuda"
"""Where PyTorch computes; tests without a device say ``cpu``."""


def load() -> Any:
    """Return the module ``torch``, with products in full float32."""
    torch = peers_torch.load()
    if DEVICE == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no CUDA device")
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch


def _placed(array: Array) -> Any:
    torch = load()
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view("int16")).view(torch.bfloat16).to(DEVICE)
    return torch.from_numpy(array).to(DEVICE)


def _taken(value: Any) -> Array:
    torch, held = load(), value.detach()
    held = held.float() if held.dtype == torch.bfloat16 else held
    array: Array = held.cpu().numpy().copy()
    return array


def _wait() -> None:
    if DEVICE == "cuda":
        load().cuda.synchronize()


@dataclass(frozen=True)
class Measured(Case):
    """A case that says how much of the device's memory a call took beside its data."""

    data: int = 0

    def extra_memory(self) -> int | None:
        """Return the most bytes in use during one more call, but for the data."""
        torch = load()
        if not self.data or DEVICE != "cuda":
            return None
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        self.call()
        return int(torch.cuda.max_memory_allocated()) - self.data


def _case(call: Callable[[], Any], held: tuple[Any, ...] = (), data: int = 0) -> Case:
    """Return a case whose call waits, and whose values are a call's and what is held."""

    def waiting() -> Any:
        results = call()
        _wait()
        return results

    def values() -> list[Array]:
        return [_taken(value) for value in (*waiting(), *held)]

    return Measured(waiting, values, data)


def recorded(step: Callable[[], Any], held: tuple[Any, ...]) -> Callable[[], Any]:
    """Return a call that replays a step as a graph; what is held is as it was before."""
    torch = load()
    before = [value.clone() for value in held]
    other = torch.cuda.Stream()
    other.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(other):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(other)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = step()
    for value, old in zip(held, before, strict=True):
        value.copy_(old)

    def replay() -> Any:
        graph.replay()
        return results

    return replay


# --- softmax regression, all minibatches in a call


def epochs(digits: Digits) -> dict[str, Setup]:
    """Return the ways of an epoch."""
    return {
        "PyTorch autograd": partial(_epoch, digits, _by_autograd),
        "PyTorch by hand": partial(_epoch, digits, _by_hand),
        "torch.compile": partial(_epoch, digits, _by_hand, compiled=True),
        "PyTorch, CUDA graph": partial(_epoch, digits, _by_hand, graph=True),
    }


def _by_autograd(digits: Digits, w: Any, b: Any, x: Any, y: Any) -> Any:
    torch = load()
    with torch.enable_grad():
        leaves = w.detach().requires_grad_(), b.detach().requires_grad_()
        linear = torch.nn.functional.linear(x, *leaves)
        cost = torch.nn.functional.cross_entropy(linear, y)
        gradients = torch.autograd.grad(cost, leaves)
    for value, gradient in zip((w, b), gradients, strict=True):
        value.sub_(gradient, alpha=digits.rate)
    return cost.detach()


def _by_hand(digits: Digits, w: Any, b: Any, x: Any, y: Any) -> Any:
    torch = load()
    log_p = torch.log_softmax(torch.nn.functional.linear(x, w, b), 1)
    cost = torch.nn.functional.nll_loss(log_p, y)
    dz = log_p.exp().sub_(torch.nn.functional.one_hot(y, digits.classes))
    scale = digits.rate / digits.rows
    w.addmm_(dz.T, x, alpha=-scale)
    b.sub_(dz.sum(0), alpha=scale)
    return cost


def _epoch(digits: Digits, step: Any, compiled: bool = False, graph: bool = False) -> Case:
    torch = load()
    images, labels = _placed(digits.images), _placed(digits.labels).long()
    w = images.new_zeros((digits.classes, digits.features))
    b = images.new_zeros(digits.classes)
    views = list(zip(images.split(digits.rows), labels.split(digits.rows), strict=True))
    one = partial(step, digits, w, b)
    one = torch.compile(one) if compiled else one

    def epoch() -> Any:
        with torch.no_grad():
            return (torch.stack([one(x, y) for x, y in views]),)

    return _case(recorded(epoch, (w, b)) if graph else epoch, (w.T, b))


# --- many classes


def last_layers(scored: Scored, rate: float) -> dict[str, Setup]:
    """Return the ways of a step over many classes."""
    return {
        "PyTorch autograd": partial(_last_layer, scored, rate),
        "torch.compile": partial(_last_layer, scored, rate, compiled=True),
    }


def _last_layer(scored: Scored, rate: float, compiled: bool = False) -> Case:
    torch = load()
    x, y, w = map(_placed, scored.draw())
    w = w.clone()  # on the CPU it is what others get, too
    leaves = w.requires_grad_(), x.requires_grad_()

    def loss(x: Any, y: Any, w: Any) -> Any:
        return torch.nn.functional.cross_entropy(x @ w, y)

    computed = torch.compile(loss) if compiled else loss

    def call() -> Any:
        cost = computed(x, y, w)
        by_w, by_x = torch.autograd.grad(cost, leaves)
        with torch.no_grad():
            w.sub_(by_w, alpha=rate)
        return cost.detach(), by_x

    return _case(call, (w,), scored.data)


# --- passes over an array


def passes(
    draw: Callable[[], Array], compute: Callable[[Any, Any], Any], writes: bool
) -> dict[str, Setup]:
    """Return the ways of a pass."""
    return {
        "PyTorch": partial(_pass, draw, compute, writes),
        "torch.compile": partial(_pass, draw, compute, writes, compiled=True),
    }


def _pass(
    draw: Callable[[], Array],
    compute: Callable[[Any, Any], Any],
    writes: bool,
    compiled: bool = False,
) -> Case:
    torch = load()
    x = _placed(draw())

    def step(x: Any) -> Any:
        result = compute(torch, x)
        return x.copy_(result) if writes else result

    one = torch.compile(step) if compiled else step
    if writes:
        return _case(lambda: (one(x), ())[1], (x,))
    return _case(lambda: (one(x),))
