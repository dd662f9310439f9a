"""Traversal and rebuilding of graphs. No recursion: graphs may be deeper than Python's stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from arignote.graph.variable import Apply, Constant, SharedVariable, Variable


def ancestors(
    outputs: Iterable[Variable], stop: Callable[[Variable], bool] = lambda variable: False
) -> Iterator[Variable]:
    """Yield every variable that ``outputs`` depend on, themselves included, inputs first.

    Inputs of a variable for which ``stop`` holds are not visited on its account.
    """
    done: set[int] = set()
    stack = list(reversed(list(outputs)))
    while stack:
        variable = stack[-1]
        if id(variable) in done:
            stack.pop()
            continue
        pending: Sequence[Variable] = ()
        if variable.owner is not None and not stop(variable):
            pending = [item for item in variable.owner.inputs if id(item) not in done]
        if pending:
            stack.extend(reversed(pending))
        else:
            stack.pop()
            done.add(id(variable))
            yield variable


def toposort(
    outputs: Iterable[Variable], stop: Callable[[Variable], bool] = lambda variable: False
) -> list[Apply]:
    """Return the nodes that compute ``outputs``, each after those that compute its inputs."""
    nodes: dict[int, Apply] = {}
    for variable in ancestors(outputs, stop):
        if variable.owner is not None and not stop(variable):
            nodes.setdefault(id(variable.owner), variable.owner)
    return list(nodes.values())


def graph_inputs(outputs: Iterable[Variable]) -> list[Variable]:
    """Return the variables without owner that ``outputs`` depend on, constants included."""
    return [variable for variable in ancestors(outputs) if variable.owner is None]


def free_inputs(outputs: Iterable[Variable]) -> list[Variable]:
    """Return the inputs that a call must provide: neither constants nor shared variables."""
    return [
        variable
        for variable in graph_inputs(outputs)
        if not isinstance(variable, Constant | SharedVariable)
    ]


def shared_inputs(outputs: Iterable[Variable]) -> list[SharedVariable]:
    """Return the shared variables that ``outputs`` depend on."""
    return [item for item in graph_inputs(outputs) if isinstance(item, SharedVariable)]


def rebuild(node: Apply, inputs: Sequence[Variable]) -> Apply:
    """Return the node with other inputs, at the same origin; itself if they are the same."""
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        return node
    if all(new.type == old.type for new, old in zip(inputs, node.inputs, strict=True)):
        output_types = [output.type for output in node.outputs]
    else:
        if node.op.prepare is not None and any(
            new.ndim != old.ndim for new, old in zip(inputs, node.inputs, strict=True)
        ):
            inputs = node.op.prepare(*inputs)
        output_types = list(node.op.infer(node.params, [item.type for item in inputs]))
    new = Apply(node.op, node.params, inputs, output_types, node.origin)
    for old_output, new_output in zip(node.outputs, new.outputs, strict=True):
        new_output.name = old_output.name
    return new


def replace(
    outputs: Sequence[Variable], replacements: Mapping[Variable, Variable]
) -> list[Variable]:
    """Return ``outputs`` computed with some variables replaced by others.

    A replacement is taken as it is: it is not searched for further variables to replace.
    """
    if not replacements:
        return list(outputs)
    memo: dict[Variable, Variable] = dict(replacements)
    for node in toposort(outputs, stop=lambda variable: variable in replacements):
        new = rebuild(node, [memo.get(item, item) for item in node.inputs])
        if new is not node:
            for old_output, new_output in zip(node.outputs, new.outputs, strict=True):
                memo.setdefault(old_output, new_output)
    return [memo.get(output, output) for output in outputs]


def clients(outputs: Sequence[Variable]) -> dict[Variable, list[tuple[Apply, int]]]:
    """Return, for each variable under ``outputs``, the nodes that read it and at which input."""
    result: dict[Variable, list[tuple[Apply, int]]] = {}
    for node in toposort(outputs):
        for position, variable in enumerate(node.inputs):
            result.setdefault(variable, []).append((node, position))
    return result
