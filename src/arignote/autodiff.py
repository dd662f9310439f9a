"""Gradients: the reverse walk over a graph, and what is built on it.

The walk asks each op record for the cotangents of its inputs. Before it starts, the formulas
between the inputs and the cost are put into their stable form (``log(softmax(z))``, ``1 / (1 +
exp(-z))``), so that the gradient of a naive formula is finite wherever the true one is.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arignote import ops
from arignote.config import config
from arignote.errors import DisconnectedInputError, NullTypeGradError, with_origin
from arignote.graph import walk
from arignote.graph.dtypes import DISCRETE
from arignote.graph.type import GenericType
from arignote.graph.variable import Apply, Variable, origin_of
from arignote.rewrite.pipeline import stabilize


class DisconnectedType:
    """The type of the answer ``return_disconnected="Disconnected"`` gives: there is no gradient."""

    def __call__(self) -> DisconnectedType:
        """Return itself: the type is its own only value."""
        return self

    def __repr__(self) -> str:
        return "DisconnectedType"


def _float_ones_like(variable: Variable) -> Variable:
    dtype = config.floatX if variable.dtype in DISCRETE else variable.dtype
    one = ops.constant(1, dtype=dtype)
    return ops.broadcast_like(one, variable) if variable.ndim else one


def _float_zeros_like(variable: Variable) -> Variable:
    dtype = config.floatX if variable.dtype in DISCRETE else variable.dtype
    return ops.zeros_like(variable, dtype=dtype)


def _connected(nodes: Sequence[Apply], wrt: Iterable[Variable]) -> set[Variable]:
    """Return the variables under ``nodes`` whose value depends on one of ``wrt``."""
    reached = set(wrt)
    for node in nodes:
        blocked = node.op.shape_only | node.op.disconnected
        if any(
            item in reached and position not in blocked for position, item in enumerate(node.inputs)
        ):
            reached.update(node.outputs)
    return reached


def _node_gradient(node: Apply, cotangents: Sequence[Variable | None]) -> Sequence[Variable | None]:
    if node.op.gradient is None:
        raise with_origin(
            NullTypeGradError(f"[grad] the op {node.label} has no gradient"), node.origin
        )
    with origin_of(node.origin):
        return node.op.gradient(node, cotangents)


def _behind_others(variables: Sequence[Variable]) -> set[Variable]:
    """Return those of some variables that others of them depend on."""
    wanted = set(variables)
    if len(wanted) == 1:
        return set()
    sources = (item for v in variables if v.owner is not None for item in v.owner.inputs)
    return {item for item in walk.ancestors(sources) if item in wanted}


class _Backward:
    """One reverse walk: cotangents of every variable between ``wrt`` and the given outputs."""

    def __init__(
        self,
        known: Mapping[Variable, Variable],
        wrt: Sequence[Variable],
        constants: Iterable[Variable],
    ) -> None:
        self.known = known
        self.fixed = set(constants)
        self.inner = _behind_others(list(known))
        outputs = stabilize(list(known), keep={*wrt, *self.fixed, *self.inner})
        nodes = self._nodes(outputs)
        self.connected = _connected(nodes, wrt)
        self.cotangents: dict[Variable, Variable] = {}
        for output, cotangent in zip(outputs, known.values(), strict=True):
            self._add(output, cotangent)
        for node in reversed(nodes):
            given = [self.cotangents.get(output) for output in node.outputs]
            relevant = any(item in self.connected for item in node.inputs)
            if relevant and any(item is not None for item in given):
                self._visit(node, given)

    def _nodes(self, outputs: Iterable[Variable]) -> list[Apply]:
        return walk.toposort(outputs, stop=self.fixed.__contains__)

    def depends_on(self, variable: Variable) -> bool:
        """Return whether what users wrote depends on a variable, if with a gradient of zero."""
        reached = _connected(self._nodes(self.known), [variable])
        return not reached.isdisjoint(self.known)

    def _visit(self, node: Apply, given: Sequence[Variable | None]) -> None:
        for item, cotangent in zip(node.inputs, _node_gradient(node, given), strict=True):
            # A gradient that is known replaces what would come from the cost.
            if cotangent is not None and item in self.connected and item not in self.inner:
                self._add(item, cotangent)

    def _add(self, variable: Variable, cotangent: Variable) -> None:
        before = self.cotangents.get(variable)
        total = cotangent if before is None else ops.add(before, cotangent)
        self.cotangents[variable] = total


def _check_options(disconnected_inputs: str, return_disconnected: str) -> None:
    if disconnected_inputs not in ("raise", "warn", "ignore"):
        raise ValueError(
            "Invalid value for keyword 'disconnected_inputs', valid values are 'ignore', 'warn' "
            "and "
            f"'raise': {disconnected_inputs!r}"
        )
    if return_disconnected not in ("zero", "None", "Disconnected"):
        raise ValueError(
            "[grad] return_disconnected must be 'zero', 'None' or 'Disconnected': "
            f"{return_disconnected!r}"
        )


def _disconnected(variable: Variable, action: str) -> None:
    message = (
        "grad method was asked to compute the gradient with respect to a variable that is not part "
        "of the computational graph of the cost, or is used only by a non-differentiable operator: "
        f"{variable}"
    )
    if action == "raise":
        error = DisconnectedInputError(message)
        if variable.origin is not None:
            error.args = (
                f"{message}\nBacktrace when that variable is created:\n{variable.origin}",
            )
        raise error
    if action == "warn":
        warnings.warn(message, stacklevel=3)


def grad(
    cost: Variable | None,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Mapping[Variable, Variable] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """Return the gradient of a scalar with respect to variables.

    Parameters
    ----------
    cost
        A scalar. May be None if ``known_grads`` is given.
    wrt
        A variable, or a list or tuple of them; the answer has the same form.
    consider_constant
        Variables not to look behind.
    disconnected_inputs
        What to do if ``cost`` does not depend on a variable: ``"raise"``, ``"warn"`` or
        ``"ignore"``.
    add_names
        Whether to name the results ``(dcost/dx)``.
    known_grads
        Gradients of variables that are known already: the walk starts from them.
    return_disconnected
        The answer in such a case: ``"zero"`` (zeros of the variable's shape), ``"None"`` or
        ``"Disconnected"``.
    null_gradients
        What to do with an op that has no gradient: ``"raise"``, or ``"return"`` zeros.

    Returns
    -------
    Variable, or a list or tuple of them
        Of the shape of each variable in ``wrt``, in its dtype (``floatX`` and zero for integers).

    Raises
    ------
    TypeError
        If ``cost`` is no scalar.
    DisconnectedInputError
        If ``cost`` does not depend on a variable in ``wrt``.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x = T.dvector("x")
    >>> grad(T.sum(x**2), x).type
    TensorType(float64, vector)
    """
    _check_options(disconnected_inputs, return_disconnected)
    if null_gradients not in ("raise", "return"):
        raise ValueError(f"[grad] null_gradients must be 'raise' or 'return': {null_gradients!r}")
    if cost is not None and not _is_tensor(cost):
        raise TypeError(f"[grad] cost must be a symbolic scalar: {cost!r}")
    if cost is not None and cost.ndim != 0:
        raise TypeError("cost must be a scalar.")
    if cost is None and not known_grads:
        raise ValueError("cost and known_grads can't both be None.")
    targets = _variables("grad", "wrt", wrt)
    known = _starting_points(cost, known_grads)
    try:
        backward = _Backward(known, targets, consider_constant or ())
    except NullTypeGradError:
        if null_gradients == "raise":
            raise
        return _like(wrt, [_float_zeros_like(item) for item in targets])
    results = []
    for item in targets:
        result = _answer(item, backward, disconnected_inputs, return_disconnected)
        if add_names and cost is not None and cost.name and item.name:
            _name(result, f"(d{cost.name}/d{item.name})")
        results.append(result)
    return _like(wrt, results)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Variable) and not isinstance(value.type, GenericType)


def _variables(function: str, argument: str, given: Any) -> list[Variable]:
    """Return a variable, or a list or tuple of them, as a list; TypeError for anything else."""
    items = as_list(given)
    for item in items:
        if not _is_tensor(item):
            raise TypeError(f"[{function}] {argument} must hold symbolic tensors: {item!r}")
    return items


def _name(result: Any, name: str) -> None:
    if isinstance(result, Variable) and result.owner is not None and result.name is None:
        result.name = name


def _like(wrt: Any, results: list[Any]) -> Any:
    if isinstance(wrt, list | tuple):
        return type(wrt)(results) if type(wrt) in (list, tuple) else results
    return results[0]


def _starting_points(
    cost: Variable | None, known_grads: Mapping[Variable, Variable] | None
) -> dict[Variable, Variable]:
    known: dict[Variable, Variable] = {}
    _variables("grad", "known_grads", list(known_grads or ()))
    for variable, given in (known_grads or {}).items():
        cotangent = ops.as_variable(given)
        if cotangent.ndim != variable.ndim:
            raise TypeError(
                f"[grad] known_grads must have the rank of their variable: {cotangent.ndim} for "
                f"{variable} of type {variable.type}"
            )
        known[variable] = cotangent
    if cost is not None and cost not in known:
        known[cost] = _float_ones_like(cost)
    return known


def _answer(
    variable: Variable, backward: _Backward, disconnected_inputs: str, return_disconnected: str
) -> Any:
    if variable in backward.cotangents:
        return backward.cotangents[variable]
    if backward.depends_on(variable):
        return _float_zeros_like(variable)
    _disconnected(variable, disconnected_inputs)
    if return_disconnected == "zero":
        return _float_zeros_like(variable)
    return None if return_disconnected == "None" else DisconnectedType()


def as_list(value: Any) -> list[Any]:
    """Return a list or tuple as a list, anything else as a list of one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def Lop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the product of a row vector with the Jacobian of ``f`` with respect to ``wrt``.

    Parameters
    ----------
    f, eval_points
        Variables and their cotangents, of the same shapes; one or a list of each.
    wrt
        A variable, or a list or tuple of them; the answer has the same form.
    consider_constant, disconnected_inputs
        As for :func:`grad`.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> Lop(x**2, x, v).type
    TensorType(float64, vector)
    """
    known = dict(zip(as_list(f), as_list(eval_points), strict=True))
    return grad(
        None,
        wrt,
        consider_constant=consider_constant,
        disconnected_inputs=disconnected_inputs,
        known_grads=known,
    )


def Rop(f: Any, wrt: Any, eval_points: Any, disconnected_outputs: str = "raise") -> Any:
    """Return the product of the Jacobian of ``f`` with respect to ``wrt`` with a column vector.

    It is the gradient of ``Lop(f, wrt, u)``, which is linear in ``u``, with respect to ``u``.

    Parameters
    ----------
    f
        A variable, or a list or tuple of them; the answer has the same form.
    wrt, eval_points
        Variables and the directions to follow, of the same shapes; one or a list of each.
    disconnected_outputs
        What to do if an output depends on none of ``wrt``: ``"raise"``, ``"warn"``, ``"ignore"``.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x, v = T.dvectors("x", "v")
    >>> Rop(x**2, x, v).type
    TensorType(float64, vector)
    """
    variables = _variables("Rop", "wrt", wrt)
    points = [ops.as_variable(item) for item in as_list(eval_points)]
    for variable, point in zip(variables, points, strict=True):
        if variable.ndim != point.ndim:
            raise ValueError(
                f"[Rop] eval_points must have the rank of wrt: {point.ndim} for {variable.type}"
            )
    results = []
    for output in _variables("Rop", "f", f):
        direction = output.type.make_variable()
        products = Lop(output, variables, direction, disconnected_inputs="ignore")
        # Apart from each other: those of x + y are one variable, those of x + exp(y) are nested.
        apart = [ops.identity(product) for product in products]
        known = dict(zip(apart, points, strict=True))
        pushed = grad(None, direction, known_grads=known, disconnected_inputs=disconnected_outputs)
        zeros = _float_zeros_like(output)
        results.extend(walk.replace([pushed], {direction: zeros}))
    return _like(f, results)


def jacobian(
    expression: Variable,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the Jacobian of a vector: row ``i`` is the gradient of its element ``i``.

    Parameters
    ----------
    expression
        A scalar or a vector of length n.
    wrt
        A variable of shape s, or a list or tuple of them; the answer has the same form.
    consider_constant, disconnected_inputs
        As for :func:`grad`.

    Returns
    -------
    Variable
        Of shape (n, *s); of shape s for a scalar expression.

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x = T.dvector("x")
    >>> jacobian(x**2, x).type
    TensorType(float64, matrix)
    """
    if not isinstance(expression, Variable):
        raise TypeError(f"[jacobian] expression must be a variable: {expression!r}")
    if expression.ndim > 1:
        raise ValueError(
            "tensor.jacobian expects a 1 dimensional variable as `expression`. If not use flatten "
            "to make it a vector"
        )
    options: dict[str, Any] = {
        "consider_constant": consider_constant,
        "disconnected_inputs": disconnected_inputs,
    }
    if expression.ndim == 0:
        return grad(expression, wrt, **options)
    index = ops.scalar_input("int64")
    rows = grad(ops.subtensor(expression, index), as_list(wrt), **options)
    return _like(wrt, ops.map_rows(index, ops.length(expression, 0), rows, as_list(wrt)))


def hessian(
    cost: Variable,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """Return the matrix of second derivatives of a scalar with respect to a vector.

    Parameters
    ----------
    cost
        A scalar.
    wrt
        A vector of length n, or a list or tuple of them; the answer has the same form.
    consider_constant, disconnected_inputs
        As for :func:`grad`.

    Returns
    -------
    Variable
        Of shape (n, n).

    Examples
    --------
    >>> import arignote.tensor as T
    >>> x = T.dvector("x")
    >>> hessian(T.sum(x**3), x).type
    TensorType(float64, matrix)
    """
    if not isinstance(cost, Variable) or cost.ndim != 0:
        raise ValueError("tensor.hessian expects a 0 dimensional variable as `cost`")
    results = []
    for item in _variables("hessian", "wrt", wrt):
        if item.ndim != 1:
            raise ValueError("tensor.hessian expects a (list of) 1 dimensional variable as `wrt`")
        first = grad(
            cost, item, consider_constant=consider_constant, disconnected_inputs=disconnected_inputs
        )
        results.append(jacobian(first, item, consider_constant, disconnected_inputs))
    return _like(wrt, results)
