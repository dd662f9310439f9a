"""Distributions of random numbers, made of numbers in [0, 1).

Each function gets the means to draw such numbers once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.variable import Variable

Draw: TypeAlias = Callable[[str, Sequence[Variable]], Variable]
"""From a dtype, float32 or float64, and lengths to numbers in [0, 1)."""

Lengths: TypeAlias = Sequence[Variable]

# Of numbers in [0, 1) of a half: as many binary digits as it has. Others would be rounded, some of
# them to 1.
_DIGITS: Final = {"float16": 11, "bfloat16": 8}


def uniform(draw: Draw, dims: Lengths, dtype: str, low: Variable, high: Variable) -> Variable:
    """Return numbers from ``low`` to ``high``, of a float dtype."""
    first, last = ops.cast(low, dtype), ops.cast(high, dtype)
    return ops.add(first, ops.mul(ops.sub(last, first), _unit(draw, dims, dtype)))


def _unit(draw: Draw, dims: Lengths, dtype: str) -> Variable:
    """Return numbers in [0, 1) of any float dtype."""
    if dtype not in _DIGITS:
        return draw(dtype, dims)
    count = 2.0 ** _DIGITS[dtype]
    steps = ops.floor(ops.mul(draw("float32", dims), count))
    return ops.cast(ops.mul(steps, 1 / count), dtype)


def normal(draw: Draw, dims: Lengths, dtype: str, avg: Variable, std: Variable) -> Variable:
    """Return normally distributed numbers of a float dtype, by the transform of Box and Muller."""
    pair = draw(dtypes.upcast("float32", dtype), [ops.constant(2), *dims])
    first, second = ops.subtensor(pair, 0), ops.subtensor(pair, 1)
    radius = ops.sqrt(ops.mul(-2.0, ops.log(ops.sub(1.0, first))))
    number = ops.cast(ops.mul(radius, ops.cos(ops.mul(2 * math.pi, second))), dtype)
    return ops.add(ops.cast(avg, dtype), ops.mul(ops.cast(std, dtype), number))


def binomial(draw: Draw, dims: Lengths, dtype: str, n: Variable, p: Variable) -> Variable:
    """Return how many of ``n`` trials succeed, each with probability ``p``."""
    exact = dtypes.upcast("float32", dtypes.normalize("floatX"), p.dtype)
    if ops.constant_value(n) == 1:
        return ops.cast(ops.lt(draw(exact, dims), p), dtype)
    return ops.cast(ops.sum_(ops.lt(draw(exact, [n, *dims]), p), axis=0), dtype)


def below(draw: Draw, dims: Lengths, count: Variable) -> Variable:
    """Return int64 numbers from 0 up to a count, without it."""
    return ops.cast(ops.floor(ops.mul(draw("float64", dims), count)), "int64")


def weighted(draw: Draw, dims: Lengths, weights: Variable) -> Variable:
    """Return places along the last axis of weights, each as likely as its weight is large.

    A weight is taken for the rate of an event: which of several comes first is as likely as its
    rate.
    """
    numbers = draw(
        dtypes.upcast("float32", weights.dtype), [*dims, ops.length(weights, weights.ndim - 1)]
    )
    waits = ops.true_div(ops.neg(ops.log(ops.sub(1.0, numbers))), weights)
    never = ops.constant(math.inf, dtype=waits.dtype)
    races = ops.switch(ops.gt(weights, 0), waits, never)
    return ops.argmin_op(races, axis=(races.ndim - 1,))


def multinomial(draw: Draw, dims: Lengths, dtype: str, n: Variable, weights: Variable) -> Variable:
    """Return how often each place along the last axis of weights comes up in ``n`` trials."""
    places = weighted(draw, [n, *dims], weights)
    outcomes = ops.arange(ops.length(weights, weights.ndim - 1))
    column = ops.dimshuffle(places, (*range(places.ndim), "x"))
    return ops.cast(ops.sum_(ops.eq(column, outcomes), axis=0), dtype)


# --- what users give


def lengths_of(what: str, size: Any, ndim: int | None, *operands: Variable) -> list[Variable]:
    """Return the lengths of what is drawn; by default those of operands that are broadcast."""
    if size is None:
        template = operands[0] if operands else ops.constant(0)
        for operand in operands[1:]:
            template = ops.add(template, operand)
        dims = ops.lengths(template)
    elif isinstance(size, Variable) and size.ndim == 1 and ndim is not None:
        fixed = ops.specify_shape(size, [ndim])
        dims = [ops.subtensor(fixed, axis) for axis in range(ndim)]
    else:
        dims = ops.dims_of(size, f"[{what}] size")
    if ndim not in (None, len(dims)):
        raise ValueError(f"[{what}] ndim must be the number of lengths, {len(dims)}: {ndim}")
    least = max((operand.ndim for operand in operands), default=0)
    if len(dims) < least:
        raise ValueError(f"[{what}] size must have at least {least} lengths: {len(dims)}")
    return dims


def float_dtype(what: str, dtype: Any, *operands: Variable) -> str:
    """Return the float dtype that is asked for, by default that of ``floatX`` and operands."""
    common = dtypes.upcast(dtypes.normalize("floatX"), *(operand.dtype for operand in operands))
    found = dtypes.normalize(dtype or common)
    if found not in dtypes.FLOATS:
        raise TypeError(f"[{what}] dtype must be one of {', '.join(dtypes.FLOATS)}: {found}")
    return found


def integers(what: str, value: Any) -> Variable:
    """Return integers as a variable, int64."""
    variable = ops.as_variable(value)
    if variable.dtype not in dtypes.DISCRETE:
        raise TypeError(f"{what} must be integers: {variable} of type {variable.type}")
    return ops.cast(variable, "int64")


def weights_of(what: str, value: Any) -> Variable:
    """Return what is weighted along its last axis as a variable, of a float dtype."""
    variable = ops.as_variable(value)
    if variable.ndim == 0:
        raise TypeError(f"{what} must be a vector or more: {variable.type}")
    return ops.cast(variable, float_dtype(what, None, variable))
