"""Graphs as formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

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
        A formula for each, separated by commas. A part of more than 200 characters that occurs
        again is written as a number, ``#1``; lines below say what the numbers stand for.

    Raises
    ------
    TypeError
        If there is anything else than variables to write.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> pp(1 / (1 + T.exp(-x * y)))
    '(TensorConstant{1} / (TensorConstant{1} + exp(((-x) * y))))'
    >>> for _ in range(6):
    ...     x = x + T.exp(x)
    >>> print(pp(x))  # doctest: +NORMALIZE_WHITESPACE, +ELLIPSIS
    (#1 + exp(#1))
      #1 = ...
    """
    for item in variables:
        if not isinstance(item, Variable):
            raise TypeError(f"[pp] variables must be symbolic: {item!r}")
    return _Formulas(variables).text()


_LONG: Final = 200

# Text, and the variables that stand in it.
_Form: TypeAlias = "Sequence[str | Variable]"


class _Formulas:
    """Writes formulas: work and text grow with the graph, not with the paths through it."""

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.targets = [_form(variable) for variable in variables]
        inner = [part for form in self.targets for part in form if isinstance(part, Variable)]
        self.forms = {
            variable: _form(variable) if variable.name is None else [str(variable)]
            for variable in walk.ancestors(inner, stop=lambda variable: variable.name is not None)
        }
        self.numbers = self._numbers()

    def _numbers(self) -> dict[Variable, str]:
        """Return the parts that are written once, inner ones first, each with its number."""
        forms = [*self.targets, *self.forms.values()]
        uses = Counter(part for form in forms for part in form if isinstance(part, Variable))
        lengths: dict[Variable, int] = {}
        numbers: dict[Variable, str] = {}
        for variable, form in self.forms.items():
            length = sum(len(part) if isinstance(part, str) else lengths[part] for part in form)
            if length > _LONG and uses[variable] > 1:
                numbers[variable] = f"#{len(numbers) + 1}"
                length = len(numbers[variable])
            lengths[variable] = length
        return numbers

    def text(self) -> str:
        """Return all formulas, then a line for each number."""
        lines = [", ".join(map(self._written, self.targets))]
        for variable, number in self.numbers.items():
            lines.append(f"  {number} = {self._written(self.forms[variable])}")
        return "\n".join(lines)

    def _written(self, form: _Form) -> str:
        texts: list[str] = []
        stack = list(reversed(form))
        while stack:
            part = stack.pop()
            if isinstance(part, str):
                texts.append(part)
            elif part in self.numbers:
                texts.append(self.numbers[part])
            else:
                stack.extend(reversed(self.forms[part]))
        return "".join(texts)


def _form(variable: Variable) -> _Form:
    """Return how a variable is written, whether it has a name or not."""
    node = variable.owner
    if node is None:
        return [str(variable)]
    text = _call(node, [f"\0{position}\0" for position in range(len(node.inputs))])
    pieces = text.split("\0")  # in turn text and positions of inputs
    form = [piece if k % 2 == 0 else node.inputs[int(piece)] for k, piece in enumerate(pieces)]
    return form if len(node.outputs) == 1 else [*form, f".{variable.index}"]


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
