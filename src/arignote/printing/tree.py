"""Graphs as indented trees."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from arignote.graph.variable import Apply, Variable


def debugprint(
    obj: Any,
    depth: int = -1,
    print_type: bool = False,
    file: TextIO | str | None = None,
    ids: str = "CHAR",
    stop_on_name: bool = False,
) -> str | TextIO | None:
    """Print graphs as trees: each line a node or an input, with what it is computed from below it.

    Parameters
    ----------
    obj
        A variable, a node, a compiled function, or a list of these. Of a function the rewritten
        graph is shown; its nodes end with their number in the order of computation.
    depth
        How many levels to show; all if negative.
    print_type
        Whether to show the types.
    file
        Where to print, standard output by default; ``"str"`` to return the text.
    ids
        How nodes are told apart: ``"CHAR"`` by letters, ``"int"`` by numbers, ``"id"`` by Python's
        id, ``""`` not at all. What was shown once is not shown again.
    stop_on_name
        Whether to leave out what named variables are computed from.

    Returns
    -------
    str or file
        The text for ``"str"``, else ``file``.

    Raises
    ------
    TypeError
        If there is nothing to print.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x = T.dscalar("x")
    >>> debugprint(T.exp(x) + x)
    Elemwise{add,no_inplace} [id A] ''
     |Elemwise{exp,no_inplace} [id B] ''
     | |x [id C]
     |x [id C]
    """
    outputs, order = graph_outputs(obj)
    tree = _Tree(ids, print_type, stop_on_name, order)
    text = "".join(f"{line}\n" for output in outputs for line in tree.lines(output, depth))
    if file == "str":
        return text
    target = sys.stdout if file is None or isinstance(file, str) else file
    target.write(text)
    return None if file is None else file


def graph_outputs(obj: Any) -> tuple[list[Variable], dict[Apply, int]]:
    """Return the variables to show, and the place of nodes in a function's order."""
    if isinstance(obj, Variable):
        return [obj], {}
    if isinstance(obj, Apply):
        return list(obj.outputs), {}
    if isinstance(obj, list | tuple):
        parts = [graph_outputs(item) for item in obj]
        order = {node: place for _, places in parts for node, place in places.items()}
        return [variable for variables, _ in parts for variable in variables], order
    graph = obj.maker.fgraph if hasattr(obj, "maker") else obj
    if not hasattr(graph, "toposort"):
        raise TypeError(
            f"[debugprint] obj must be a variable, a node, a function or a list of them: {obj!r}"
        )
    return list(graph.outputs), {view.node: k for k, view in enumerate(graph.toposort())}


class _Tree:
    """Writes trees that share their names."""

    def __init__(
        self, ids: str, print_type: bool, stop_on_name: bool, order: Mapping[Apply, int]
    ) -> None:
        if ids not in ("CHAR", "int", "id", ""):
            raise ValueError(f"[debugprint] ids must be 'CHAR', 'int', 'id' or '': {ids!r}")
        self.ids = ids
        self.print_type = print_type
        self.stop_on_name = stop_on_name
        self.order = order
        self.seen: dict[Variable | Apply, str] = {}

    def lines(self, output: Variable, depth: int) -> Iterator[str]:
        """Yield the lines of one tree."""
        stack = [(output, "", "", depth)]
        while stack:
            variable, prefix, indent, left = stack.pop()
            if left == 0:
                continue
            known = (variable.owner or variable) in self.seen
            yield prefix + self._line(variable)
            stopped = self.stop_on_name and variable.name is not None
            if variable.owner is not None and not known and not stopped:
                stack.extend(reversed(_children(variable.owner.inputs, indent, left - 1)))

    def _line(self, variable: Variable) -> str:
        node = variable.owner
        key = variable if node is None else node
        identity = self.seen.setdefault(key, self._identity(key))
        kind = f" <{variable.type}>" if self.print_type else ""
        if node is None:
            return f"{variable}{identity}{kind}"
        output = f".{variable.index}" if len(node.outputs) > 1 else ""
        place = f"   {self.order[node]}" if node in self.order else ""
        return f"{node.label}{output}{identity}{kind} '{variable.name or ''}'{place}"

    def _identity(self, key: Variable | Apply) -> str:
        if not self.ids:
            return ""
        number = len(self.seen)
        shown = {"CHAR": _letters(number), "int": str(number), "id": str(id(key))}[self.ids]
        return f" [id {shown}]"


def _children(
    inputs: Sequence[Variable], indent: str, depth: int
) -> list[tuple[Variable, str, str, int]]:
    last = len(inputs) - 1
    return [
        (item, f"{indent} |", f"{indent}  " if k == last else f"{indent} |", depth)
        for k, item in enumerate(inputs)
    ]


def _letters(number: int) -> str:
    """Return a number in letters: A to Z, then BA, BB and so on."""
    text = ""
    while number >= 26:
        number, digit = divmod(number, 26)
        text = chr(ord("A") + digit) + text
    return chr(ord("A") + number) + text
