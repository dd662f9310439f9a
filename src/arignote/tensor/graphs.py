"""Graphs as values: their inputs, their order, equality, and copies with parts replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arignote import ops
from arignote.errors import GraphTypeError
from arignote.graph import walk
from arignote.graph.variable import Apply, Variable
from arignote.rewrite.pipeline import merge


def inputs(variable_list: Iterable[Variable]) -> list[Variable]:
    """Return the variables without owner that variables depend on.

    Parameters
    ----------
    variable_list
        The variables.

    Returns
    -------
    list of Variable
        Inputs, shared variables and constants.

    Examples
    --------
    >>> from arignote import tensor
    >>> x = tensor.vector("x")
    >>> inputs([x + 1])
    [x, TensorConstant{1}]
    """
    return walk.graph_inputs(variable_list)


def ancestors(variable_list: Iterable[Variable]) -> list[Variable]:
    """Return all variables that variables depend on, themselves included, inputs first.

    Parameters
    ----------
    variable_list
        The variables.

    Returns
    -------
    list of Variable
        Each once.

    Examples
    --------
    >>> from arignote import tensor
    >>> x = tensor.vector("x")
    >>> ancestors([tensor.exp(x)])
    [x, Elemwise{exp,no_inplace}.0]
    """
    return list(walk.ancestors(variable_list))


def io_toposort(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[Apply]:
    """Return the nodes between inputs and outputs, each after those it depends on.

    Parameters
    ----------
    inputs
        Variables not to look behind.
    outputs
        What is to be computed.

    Returns
    -------
    list of Apply
        Each once.

    Examples
    --------
    >>> from arignote import tensor
    >>> x = tensor.vector("x")
    >>> io_toposort([x], [tensor.exp(x)])
    [Elemwise{exp,no_inplace}(x)]
    """
    known = set(inputs)
    return walk.toposort(outputs, stop=lambda variable: variable in known)


def equal_computations(
    xs: Sequence[Variable],
    ys: Sequence[Variable],
    in_xs: Sequence[Variable] = (),
    in_ys: Sequence[Variable] = (),
) -> bool:
    """Return whether two lists of variables are computed in the same way.

    Parameters
    ----------
    xs, ys
        The variables.
    in_xs, in_ys
        Inputs of the one and of the other to take for the same.

    Returns
    -------
    bool
        Whether each pair is the same computation of the same inputs.

    Examples
    --------
    >>> from arignote import tensor
    >>> x, y = tensor.vectors("x", "y")
    >>> equal_computations([x + 1], [x + 1]), equal_computations([x + 1], [y + 1], [x], [y])
    (True, True)
    """
    if len(xs) != len(ys) or len(in_xs) != len(in_ys):
        return False
    if any(x.type != y.type for x, y in zip(in_xs, in_ys, strict=True)):
        return False
    renamed = walk.replace(ys, dict(zip(in_ys, in_xs, strict=True)))
    merged = merge([*xs, *renamed])
    return merged[: len(xs)] == merged[len(xs) :]


def is_same_graph(
    var1: Variable, var2: Variable, givens: Mapping[Variable, Variable] | None = None
) -> bool:
    """Return whether two variables are the same computation of the same inputs.

    Parameters
    ----------
    var1, var2
        The variables.
    givens
        Replacements made in both first.

    Returns
    -------
    bool
        Whether they are.

    Examples
    --------
    >>> from arignote import tensor
    >>> x = tensor.vector("x")
    >>> is_same_graph(x + 1, x + 1), is_same_graph(x + 1, 1 + x)
    (True, False)
    """
    first, second = walk.replace([var1, var2], givens or {})
    return equal_computations([first], [second])


def clone(
    output: Any,
    replace: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]] | None = None,
    strict: bool = True,
    share_inputs: bool = True,
) -> Any:
    """Return a copy of a graph with some of its variables replaced.

    Parameters
    ----------
    output
        A variable, or a list of them.
    replace
        Pairs of a variable of the graph and what to put in its place.
    strict
        Whether a replacement must have the type of what it replaces.
    share_inputs
        Whether the copy depends on the same inputs; else on new ones (but the same shared
        variables).

    Returns
    -------
    Variable, or a list of them
        As ``output``.

    Raises
    ------
    TypeError
        If ``strict`` and a replacement has another type.

    Examples
    --------
    >>> from arignote import tensor
    >>> x, y = tensor.vectors("x", "y")
    >>> clone(tensor.exp(x), replace={x: 2 * y}).owner.inputs
    (Elemwise{mul,no_inplace}.0,)
    """
    outputs = output if isinstance(output, list | tuple) else [output]
    pairs = replace.items() if isinstance(replace, Mapping) else replace or ()
    replacements = {old: ops.as_variable(new) for old, new in pairs}
    for old, new in replacements.items():
        if strict and old.type != new.type:
            raise GraphTypeError(
                f"[clone] a replacement must have the type of what it replaces: {new.type} for "
                f"{old} of type {old.type}"
            )
    if not share_inputs:
        for item in walk.free_inputs(outputs):
            replacements.setdefault(item, item.type.make_variable(item.name))
    results = walk.replace(outputs, replacements)
    return results if isinstance(output, list | tuple) else results[0]
