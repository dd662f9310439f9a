"""Graphs as formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from arignote import ops
from arignote.graph import walk
from arignote.graph.op import Op
from arignote.graph.variable import Apply, Variable

_INFIX: Final = {
    ops.add: "+",
    ops.sub: "-",
    ops.mul: "*",
    ops.true_div: "/",
    ops.floor_div: "//",
    ops.mod: "%",
    ops.pow_: "**",
    ops.and_: "&",
    ops.or_: "|",
    ops.xor: "^",
    ops.dot_op: "\\dot",
}


def pp(*variables: Variable) -> str:
    """Return variables as formulas.

    Parameters
    ----------
    variables
        What to write. Variables within them that have a name are written as that.

    Returns
    -------
    str
        A formula for each, separated by commas.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> pp(1 / (1 + T.exp(-x * y)))
    '(TensorConstant{1} / (TensorConstant{1} + exp(((-x) * y))))'
    """
    return ", ".join(map(_formula, variables))


def _formula(target: Variable) -> str:
    def named(variable: Variable) -> bool:
        return variable is not target and variable.name is not None

    texts: dict[Variable, str] = {}
    for variable in walk.ancestors([target], stop=named):
        node = variable.owner
        if node is None or named(variable):
            texts[variable] = str(variable)
        else:
            text = _call(node, [texts[item] for item in node.inputs])
            texts[variable] = text if len(node.outputs) == 1 else f"{text}.{variable.index}"
    return texts[target]


def _call(node: Apply, operands: Sequence[str]) -> str:
    """Return a node as text, given its inputs as text."""
    if node.op in _INFIX:
        return f"({f' {_INFIX[node.op]} '.join(operands)})"
    if node.op in _FORMS:
        return _FORMS[node.op](node, operands)
    if node.op.name.startswith("cast_"):
        name = node.outputs[0].dtype
    else:
        name = node.op.name if isinstance(node.op, ops.ElementwiseOp) else node.label
    return f"{name}({', '.join(operands)})"


def _dimshuffled(node: Apply, operands: Sequence[str]) -> str:
    order = node.params["order"]
    while order[:1] == ("x",):
        order = order[1:]
    rank = node.inputs[0].ndim
    if order == tuple(range(rank)):
        return operands[0]
    if order == tuple(reversed(range(rank))):
        return f"{operands[0]}.T"
    return f"DimShuffle{{{', '.join(map(str, order))}}}({operands[0]})"


def _indexed(node: Apply, operands: Sequence[str]) -> str:
    def place(item: int | str | None) -> str:
        if item is None:
            return ""
        return operands[int(item[1:])] if isinstance(item, str) else str(item)

    entries = []
    for entry in node.params["index"]:
        if isinstance(entry, tuple):
            start, stop, step = map(place, entry)
            entries.append(f"{start}:{stop}:{step}" if step else f"{start}:{stop}")
        else:
            entries.append(place(entry))
    return f"{operands[0]}[{', '.join(entries)}]"


_FORMS: Final[dict[Op, Callable[[Apply, Sequence[str]], str]]] = {
    ops.neg: lambda _, operands: f"(-{operands[0]})",
    ops.abs_: lambda _, operands: f"|{operands[0]}|",
    ops.broadcast_like_op: lambda _, operands: f"fill({operands[1]}, {operands[0]})",
    ops.shape_op: lambda _, operands: f"{operands[0]}.shape",
    ops.shape_i: lambda node, operands: f"{operands[0]}.shape[{node.params['axis']}]",
    ops.take_op: lambda _, operands: f"{operands[0]}[{', '.join(operands[1:])}]",
    ops.dimshuffle_op: _dimshuffled,
    ops.subtensor_op: _indexed,
}
