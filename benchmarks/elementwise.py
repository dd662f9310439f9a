"""Fused elementwise chains and reductions, from one element to ten millions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

import arignote
import arignote.tensor as T
from arignote.bench.result import Goal, at_most_of, at_most_of_best_peer
from arignote.bench.workload import OURS, Case, Setup, Work, Workload
from arignote.graph.dtypes import Array
from benchmarks import peers_jax, peers_torch

Formula: TypeAlias = Callable[..., Any]
Form: TypeAlias = tuple[str, tuple[int, ...]]
"""Dtype and shape."""

NUMPY, NUMPY_INTO, JAX = "NumPy", "NumPy, out=", "JAX"
TORCH, TORCH_INTO = "PyTorch", "PyTorch, out="


@dataclass(frozen=True)
class Expression:
    """An expression spelled for each library.

    Attributes
    ----------
    formulas
        By contender, of its module and arrays; those with ``out=`` also have one for the result.
    """

    name: str
    inputs: tuple[Form, ...]
    output: Form
    formulas: Mapping[str, Formula]

    def workload(self, *goals: Goal) -> Workload:
        """Return the workload: inputs are read once and the output is written once."""
        ways = {
            OURS: self._ours,
            NUMPY: self._numpy,
            NUMPY_INTO: self._numpy_into,
            JAX: self._jax,
            TORCH: self._torch,
            TORCH_INTO: self._torch_into,
        }
        setups: dict[str, Setup] = {
            name: partial(ways[name], formula) for name, formula in self.formulas.items()
        }
        forms = [*self.inputs, self.output]
        moved = sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in forms)
        return Workload(self.name, setups, Work(moved), goals)

    def draw(self) -> list[Array]:
        """Return random inputs."""
        rng = np.random.default_rng(2)
        return [_draw(rng, np.dtype(dtype), shape) for dtype, shape in self.inputs]

    def _ours(self, formula: Formula) -> Case:
        arrays = self.draw()
        inputs = [T.tensor(array.dtype.name, (False,) * array.ndim) for array in arrays]
        return _case(arignote.function(inputs, formula(T, *inputs)), arrays)

    def _numpy(self, formula: Formula) -> Case:
        return _case(partial(formula, np), self.draw())

    def _numpy_into(self, formula: Formula) -> Case:
        dtype, shape = self.output
        return _case(partial(formula, np, out=np.empty(shape, dtype)), self.draw())

    def _jax(self, formula: Formula) -> Case:
        jax = peers_jax.load()
        return _case(peers_jax.jitted(partial(formula, jax)), map(jax.numpy.asarray, self.draw()))

    def _torch(self, formula: Formula) -> Case:
        torch = peers_torch.load()
        return _case(partial(formula, torch), map(torch.from_numpy, self.draw()))

    def _torch_into(self, formula: Formula) -> Case:
        torch = peers_torch.load()
        dtype, shape = self.output
        out = torch.from_numpy(np.empty(shape, dtype))
        return _case(partial(formula, torch, out=out), map(torch.from_numpy, self.draw()))


def _case(function: Callable[..., Any], arrays: Iterable[Any]) -> Case:
    call = partial(function, *arrays)
    return Case(call, lambda: [np.asarray(call())])


def _draw(rng: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    if dtype.kind == "f":
        return rng.standard_normal(shape, np.float32).astype(dtype, copy=False)
    return rng.integers(0, 256, shape).astype(dtype)


# --- the sigmoid, by size


def _sigmoid(library: Any, x: Any) -> Any:
    return 1 / (1 + library.exp(-x))


def _sigmoid_into(numpy: Any, x: Any, out: Array) -> Any:
    numpy.negative(x, out=out)
    numpy.exp(out, out=out)
    numpy.add(out, 1, out=out)
    return numpy.divide(1, out, out=out)


def sigmoid(size: int, *goals: Goal) -> Workload:
    form = ("float32", (size,))
    formulas: dict[str, Formula] = {
        OURS: _sigmoid,
        NUMPY: _sigmoid,
        NUMPY_INTO: _sigmoid_into,
        JAX: lambda jax, x: _sigmoid(jax.numpy, x),
        TORCH: lambda torch, x: torch.sigmoid(x),
        TORCH_INTO: lambda torch, x, out: torch.sigmoid(x, out=out),
    }
    return Expression(f"1/(1+exp(-x)), {size:,}", (form,), form, formulas).workload(*goals)


# --- other chains, and reductions at the end of them


def maps(rows: int, cols: int) -> list[Expression]:
    matrix: Form = ("float32", (rows, cols))
    sizes = f"{rows:,} × {cols:,}"
    return [
        Expression(
            f"a*b + c, {sizes}",
            (matrix, matrix, matrix),
            matrix,
            {
                OURS: lambda _, a, b, c: a * b + c,
                NUMPY: lambda _, a, b, c: a * b + c,
                NUMPY_INTO: lambda np, a, b, c, out: np.add(np.multiply(a, b, out=out), c, out=out),
                JAX: lambda _, a, b, c: a * b + c,
                TORCH: lambda torch, a, b, c: torch.addcmul(c, a, b),
            },
        ),
        Expression(
            f"tanh(x + bias), {sizes}",
            (matrix, ("float32", (cols,))),
            matrix,
            {
                OURS: lambda T, x, b: T.tanh(x + b),
                NUMPY: lambda np, x, b: np.tanh(x + b),
                JAX: lambda jax, x, b: jax.numpy.tanh(x + b),
                TORCH: lambda torch, x, b: torch.add(x, b).tanh_(),
            },
        ),
        Expression(
            f"uint8 pixels / 255, {sizes}",
            (("uint8", (rows, cols)),),
            matrix,
            {
                OURS: lambda T, x: T.cast(x, "float32") / np.float32(255),
                NUMPY: lambda np, x: x.astype(np.float32) / np.float32(255),
                JAX: lambda _, x: x.astype("float32") / 255,
                TORCH: lambda _, x: x.float().div_(255),
            },
        ),
    ]


def reductions(rows: int, cols: int) -> list[Expression]:
    matrix: Form = ("float32", (rows, cols))
    sizes = f"{rows:,} × {cols:,}"
    return [
        Expression(
            f"mean((a - b)²), {sizes}",
            (matrix, matrix),
            ("float32", ()),
            {
                OURS: lambda T, a, b: T.mean((a - b) ** 2),
                NUMPY: lambda np, a, b: np.mean((a - b) ** 2),
                JAX: lambda jax, a, b: jax.numpy.mean((a - b) ** 2),
                TORCH: lambda torch, a, b: torch.nn.functional.mse_loss(a, b),
            },
        ),
        Expression(
            f"sum of columns, {sizes}",
            (matrix,),
            ("float32", (cols,)),
            {
                OURS: lambda T, x: T.sum(x, axis=0),
                NUMPY: lambda np, x: np.sum(x, axis=0),
                JAX: lambda jax, x: jax.numpy.sum(x, axis=0),
                TORCH: lambda torch, x: torch.sum(x, 0),
            },
        ),
        Expression(
            f"log-sum-exp of rows, {sizes}",
            (matrix,),
            ("float32", (rows,)),
            {
                OURS: lambda T, x: T.log(T.sum(T.exp(x), axis=1)),
                NUMPY: _logsumexp,
                JAX: lambda jax, x: jax.nn.logsumexp(x, axis=1),
                TORCH: lambda torch, x: torch.logsumexp(x, 1),
            },
        ),
        Expression(
            f"softmax of rows, {sizes}",
            (matrix,),
            matrix,
            {
                OURS: lambda T, x: T.nnet.softmax(x),
                NUMPY: _softmax,
                JAX: lambda jax, x: jax.nn.softmax(x, axis=1),
                TORCH: lambda torch, x: torch.softmax(x, 1),
            },
        ),
    ]


def _logsumexp(numpy: Any, x: Array) -> Any:
    top = x.max(axis=1)
    return top + numpy.log(numpy.exp(x - top[:, None]).sum(axis=1))


def _softmax(numpy: Any, x: Array) -> Any:
    p = numpy.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p


def workloads(tiny: bool) -> list[Workload]:
    """Return the sigmoid by size, then the other chains."""
    if tiny:
        others = [*maps(5, 13), *reductions(5, 13)]
        return [sigmoid(1), sigmoid(37), *(item.workload() for item in others)]
    never_slower = at_most_of_best_peer(1.0)
    five_times = at_most_of(NUMPY, 0.2)
    return [
        *(
            sigmoid(10**k, *([never_slower, five_times] if k == 6 else [never_slower]))
            for k in range(8)
        ),
        *(item.workload(never_slower) for item in maps(1000, 1000)),
        *(item.workload(never_slower) for item in reductions(1000, 1000)),
    ]
