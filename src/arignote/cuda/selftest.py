"""A test of the device that needs no more than arignote: every step against its NumPy reference.

Functions run in check mode: what each step computes is held against what it means, within the
accuracy that its op states.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

import arignote
import arignote.tensor as T
from arignote import ops
from arignote.config import config
from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from arignote.graph.op import OPS
from arignote.graph.type import TensorType
from arignote.run import native
from arignote.run.devices import current_device, hindrance_to_tf32
from arignote.run.function import Function

Build = Callable[[Any], tuple[Function, list[list[Array]]]]


@dataclass(frozen=True)
class Part:
    """Functions of one kind: `build` makes each in a mode, with the arguments of its calls."""

    name: str
    builds: list[Build]


@dataclass(frozen=True)
class Outcome:
    """What came of a part.

    ``steps`` counts those that ran on the device, ``host`` those that did not.
    """

    name: str
    functions: int
    steps: int
    host: int
    problems: list[str]
    seconds: float


def parts() -> list[Part]:
    """Return everything that is tried."""
    device = current_device()
    has_tf32 = device is not None and hindrance_to_tf32(device) is None
    return [
        Part("elementwise ops", list(_elementwise())),
        Part("reductions", list(_reductions())),
        Part("compiled programs", list(_compiled())),
        Part("products of matrices", list(_products())),
        *([Part("products in TF32", list(_products_in_tf32()))] if has_tf32 else []),
        Part("rows and positions", list(_rows())),
        Part("random numbers", list(_random())),
        Part("training steps", [_softmax, _logistic, _line, _network]),
    ]


def run(report: Callable[[str], None], chosen: list[Part] | None = None) -> int:
    """Try everything on the present device, and report each part in a line.

    Parameters
    ----------
    report
        Takes each line.
    chosen
        What to try; default: all :func:`parts`.

    Returns
    -------
    int
        Exit status: 1 if anything is not as it should be.
    """
    report(f"{'':24}{'functions':>10}{'steps':>8}{'on host':>9}{'problems':>10}{'seconds':>9}")
    outcomes = [attempt(part) for part in (parts() if chosen is None else chosen)]
    for item in outcomes:
        counts = f"{item.functions:10}{item.steps:8}{item.host:9}{len(item.problems):10}"
        report(f"{item.name:24}{counts}{item.seconds:9.1f}")
    problems = [problem for item in outcomes for problem in item.problems]
    for problem in problems[:20]:
        report(problem)
    report("all is as it should be" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


def attempt(part: Part) -> Outcome:
    """Try a part: each function in check mode, and that its results are the same every time."""
    start = time.perf_counter()
    problems: list[str] = []
    steps = host = 0
    for build in part.builds:
        checked, calls = build(arignote.Mode("check"))
        steps += sum(step.device for step in checked.plan.steps)
        host += sum(not step.device for step in checked.plan.steps)
        try:
            with np.errstate(all="ignore"):
                for arguments in calls:
                    checked(*arguments)
            if _results(build) != _results(build):
                problems.append(f"{part.name}: not the same results again\n{checked.plan}")
        except Exception as error:
            problems.append(f"{part.name}: {type(error).__name__}: {error}\n{checked.plan}")
    seconds = time.perf_counter() - start
    return Outcome(part.name, len(part.builds), steps, host, problems, seconds)


def _results(build: Build) -> list[bytes]:
    call, calls = build(None)
    found = [call(*arguments) for arguments in calls]
    lists = [item if isinstance(item, list) else [item] for item in found]
    return [np.asarray(value).tobytes() for items in lists for value in items]


def _numbers(dtype: str, *shape: int) -> Array:
    rng = np.random.default_rng(sum(shape))
    with np.errstate(all="ignore"):
        return np.asarray(rng.normal(0, 3, shape)).astype(dtype)


def _calling(expression: Callable[..., Any], *arrays: Array) -> Build:
    """Return what builds a function of an expression of arrays."""

    def build(mode: Any) -> tuple[Function, list[list[Array]]]:
        types = [TensorType(item.dtype.name, (False,) * item.ndim) for item in arrays]
        inputs = [item.make_variable() for item in types]
        outputs = expression(*inputs)
        return arignote.function(inputs, outputs, mode=mode), [list(arrays)]

    return build


def _elementwise() -> Iterator[Build]:
    compiled = {name for name, _, _ in native.block_table()}
    for op in OPS.values():
        name = "cast" if op.name.startswith("cast_") else op.name
        # Complex numbers are the host's.
        is_complex = op.name.removeprefix("cast_") in dtypes.COMPLEXES
        if not isinstance(op, ops.ElementwiseOp) or name not in compiled or is_complex:
            continue
        for dtype in (*dtypes.INTEGERS, "bool", "float32", "float64"):
            kinds = ["bool" if name == "condition" else dtype for name in op.arguments]
            if _takes(op, kinds):
                yield _calling(op, *(_numbers(kind, 67, 129) for kind in kinds))


def _takes(op: ops.ElementwiseOp, kinds: list[str]) -> bool:
    try:
        computed, _ = op.rule(tuple(kinds))
        with np.errstate(all="ignore"):
            op.scalar(*(np.ones((), item) for item in computed))
    except TypeError:
        return False
    return True


def _reductions() -> Iterator[Build]:
    for name in ("sum", "prod", "max", "min", "all", "any", "argmax", "argmin"):
        for dtype in ("float32", "float64", "int32", "uint8"):
            for axis in (0, 1, None):
                for shape in ((3, 20_000), (20_000, 3), (257, 129)):
                    reduce = getattr(T, name)
                    yield _calling(
                        lambda x, r=reduce, a=axis: r(x, axis=a), _numbers(dtype, *shape)
                    )


# Programs of as many elements are compiled, where NVRTC is there.
_MANY: Final = (257, 260)


def _compiled() -> Iterator[Build]:
    for dtype in ("float32", "float64", "int32", "uint8"):
        x, y, row = _numbers(dtype, *_MANY), _numbers(dtype, *_MANY[::-1]), _numbers(dtype, 260)
        yield _calling(lambda a, b, c: [a * b.T + c, T.maximum(a, c), a > c], x, y, row)
        yield _calling(lambda a, c: T.sum(a * c, axis=1), x, row)
        yield _calling(lambda a, c: T.max(a - c, axis=0), x, row)
        yield _calling(lambda a, c: T.any(T.eq(a, c)), x, row)
    for dtype in ("float32", "float64"):
        x = _numbers(dtype, *_MANY)
        yield _calling(lambda a: [T.tanh(a), T.nnet.sigmoid(a), T.exp(-T.sqr(a)), T.sin(a)], x)


def _products() -> Iterator[Build]:
    for dtype in ("float16", "float32", "float64", "int64"):
        for m, k, n in ((1, 5000, 1), (600, 784, 10), (10, 600, 784), (257, 129, 515), (64, 3, 64)):
            yield _calling(T.dot, _numbers(dtype, m, k), _numbers(dtype, k, n))
            yield _calling(lambda a, b: T.dot(a.T, b), _numbers(dtype, k, m), _numbers(dtype, k, n))
        yield _calling(T.dot, _numbers(dtype, 400, 784), _numbers(dtype, 784))


def _products_in_tf32() -> Iterator[Build]:
    for m, k, n in ((257, 129, 515), (1024, 784, 500)):
        arrays = _numbers("float32", m, k), _numbers("float32", k, n)
        yield partial(_allowing_tf32, _calling(T.dot, *arrays))


def _allowing_tf32(build: Build, mode: Any) -> tuple[Function, list[list[Array]]]:
    with config.changed(allow_tf32=True):
        return build(mode)


def _rows() -> Iterator[Build]:
    labels = np.arange(300) % 17
    for dtype in ("float32", "float64"):
        scores = _numbers(dtype, 300, 17)
        yield _calling(T.nnet.softmax, scores)
        yield _calling(T.nnet.logsoftmax, scores)
        yield _calling(_likelihood, scores, labels)
        yield _calling(lambda x, y: x[y], scores, labels)
        yield _calling(lambda x, y: T.inc_subtensor(x[y], x), scores, labels)
        yield _calling(lambda x, y: T.set_subtensor(x[y], x), scores, labels)
        yield _calling(lambda x: x[(x > 0).nonzero()], scores)
        yield _calling(lambda x: T.set_subtensor(x[1:5, ::2], 0), scores)
        yield _calling(lambda x: T.concatenate([x, x[::-1]]), scores)
        yield _calling(_of_labels, scores, labels)
        yield _calling(lambda x, y: T.inc_subtensor(_of_labels(x, y), x[:, 0]), scores, labels)
        yield _calling(lambda x, y: T.set_subtensor(_of_labels(x, y), x[:, 0]), scores, labels)
        yield _calling(lambda x, y: T.Lop(_likelihood(x, y), x, x[:, 0]), scores, labels)
        yield _calling(lambda x: T.arange(x[0, 0], x[0, 0] + 5, x[1, 0]), abs(scores) + 1)
        yield _calling(lambda x: T.ifelse(T.gt(x[0, 0], x[0, 1]), x, x * 2), scores)
        yield partial(_turning, scores[:17])


def _of_labels(x: Any, y: Any) -> Any:
    return x[T.arange(x.shape[0]), y]


def _likelihood(x: Any, y: Any) -> Any:
    return _of_labels(T.log(T.nnet.softmax(x)), y)


def _turning(square: Array, mode: Any) -> tuple[Function, list[list[Array]]]:
    x = arignote.shared(square)
    return arignote.function([], x.sum(axis=0), updates=[(x, x.T)], mode=mode), [[]] * 3


def _random() -> Iterator[Build]:
    state = np.array([1, 2, 3], "uint64")
    for dtype in ("float32", "float64"):
        for count in (1, 1000, 1_000_003):
            yield _calling(lambda x, n, d=dtype: ops.uniform(x, [n], d), state, np.asarray(count))


# --- the models of Theano's tutorials


def _descent(cost: Any, parameters: list[Any], rate: float) -> list[tuple[Any, Any]]:
    pairs = zip(parameters, T.grad(cost, parameters), strict=True)
    return [(p, p - np.asarray(rate, p.dtype) * gradient) for p, gradient in pairs]


def _zeros(dtype: str, *shape: int) -> Any:
    return arignote.shared(np.zeros(shape, dtype))


def _minibatches(mode: Any, hidden: int, rows: int) -> tuple[Function, list[list[Array]]]:
    images = arignote.shared(_numbers("float32", 5 * rows, 784))
    labels = arignote.shared((np.arange(5 * rows) % 10).astype("int32"))
    x, y, index = T.fmatrix("x"), T.ivector("y"), T.lscalar("index")
    parameters, scores, width = [], x, 784
    if hidden:
        parameters = [arignote.shared(_numbers("float32", 784, hidden) / 100)]
        scores, width = T.tanh(T.dot(x, parameters[0])), hidden
    parameters += [_zeros("float32", width, 10), _zeros("float32", 10)]
    p = T.nnet.softmax(T.dot(scores, parameters[-2]) + parameters[-1])
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    part = slice(index * rows, (index + 1) * rows)
    train = arignote.function(
        [index],
        cost,
        updates=_descent(cost, parameters, 0.1),
        givens={x: images[part], y: labels[part]},
        mode=mode,
    )
    return train, [[np.asarray(number)] for number in range(5)]


def _softmax(mode: Any) -> tuple[Function, list[list[Array]]]:
    return _minibatches(mode, 0, 600)


def _network(mode: Any) -> tuple[Function, list[list[Array]]]:
    return _minibatches(mode, 500, 20)


def _logistic(mode: Any) -> tuple[Function, list[list[Array]]]:
    x, y = T.dmatrix("x"), T.dvector("y")
    w, b = _zeros("float64", 784), arignote.shared(0.0)
    p = 1 / (1 + T.exp(-T.dot(x, w) - b))
    xent = -y * T.log(p) - (1 - y) * T.log(1 - p)
    cost = xent.mean() + 0.01 * (w**2).sum()
    updates = _descent(cost, [w, b], 0.1)
    train = arignote.function([x, y], [p > 0.5, xent], updates=updates, mode=mode)
    return train, [[_numbers("float64", 400, 784), (np.arange(400) % 2).astype("float64")]] * 5


def _line(mode: Any) -> tuple[Function, list[list[Array]]]:
    x, y = T.dvector("x"), T.dvector("y")
    m, c = arignote.shared(0.1), arignote.shared(0.2)
    cost = T.sqr(x * m + c - y).mean()
    updates = _descent(cost, [m, c], 0.01)
    train = arignote.function([x, y], cost, updates=updates, mode=mode)
    return train, [[np.linspace(0, 1, 16), np.linspace(1, 3, 16)]] * 5
