"""From what a user gives ``function`` to a graph ready to be lowered, every mistake named."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from arignote import ops
from arignote.config import config
from arignote.errors import MissingInputError, UnusedInputError
from arignote.graph import dtypes, walk
from arignote.graph.dtypes import Array
from arignote.graph.type import GenericType
from arignote.graph.variable import Constant, SharedVariable, Variable
from arignote.run.arguments import In, Out, as_inputs
from arignote.run.shared import filter_value

Pairs = Sequence[tuple[Any, Any]]


@dataclass(frozen=True)
class Source:
    """A function as its user gave it, normalized: what is pickled, copied and compiled."""

    inputs: tuple[In, ...]
    # What stands for each input in the graph: its variable, or a leaf in place of a computed one.
    leaves: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    updates: tuple[tuple[SharedVariable, Variable], ...]
    keys: tuple[str, ...] | None
    bare: bool
    borrowed: tuple[bool, ...]
    name: str | None
    # Variables that become defaults of inputs after a call, with the inputs' positions.
    feedback: tuple[tuple[int, Variable], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def changes_defaults(self) -> bool:
        """Whether a call changes the default of an input: by feedback, or as a variable it is."""
        updated = [target.container for target, _ in self.updates]
        defaults = [getattr(record.value, "container", record.value) for record in self.inputs]
        return bool(self.feedback) or any(a is b for a in defaults for b in updated)

    def in_form(self, results: list[Array]) -> Any:
        """Return the outputs as a call returns them: in a dict, in a list or one by itself."""
        if self.keys is not None:
            return dict(zip(self.keys, results, strict=True))
        return results[0] if self.bare else results

    def output_label(self, number: int) -> str:
        """Return what to call an output in messages."""
        name = self.keys[number] if self.keys is not None else self.outputs[number].name
        return f"output {number}" + (f" ({name})" if name else "")


@dataclass(frozen=True)
class Given:
    """The arguments of ``function`` that describe its graph, as the user gave them."""

    inputs: Sequence[Any]
    outputs: Any
    updates: Any
    givens: Any
    no_default_updates: bool | Sequence[Variable]
    allow_downcast: bool | None


def build_source(
    given: Given, name: str | None, on_unused_input: str | None, options: Mapping[str, Any]
) -> Source:
    """Return the normalized function of what a user gave, givens and default updates applied."""
    records = as_inputs(given.inputs, given.allow_downcast)
    check_duplicates(records)
    variables, borrowed, keys, bare = normalize_outputs(given.outputs)
    updates = normalize_updates(given.updates)
    replacements = normalize_givens(given.givens, records)
    fed = [
        (k, update_value(record.variable, record.update))
        for k, record in enumerate(records)
        if record.update is not None
    ]
    roots = [*variables, *(value for _, value in fed)]
    replaced = walk.replace([*roots, *updates.values()], replacements)
    # An input may be a computed variable: the argument then stands in for what computes it.
    leaves = [_leaf(record.variable) for record in records]
    inputs = [record.variable for record in records]
    cut = {old: new for old, new in zip(inputs, leaves, strict=True) if old is not new}
    replaced = walk.replace(replaced, cut)
    results, values = replaced[: len(roots)], replaced[len(roots) :]
    new_values = default_updates(
        replaced, dict(zip(updates, values, strict=True)), given.no_default_updates
    )
    check_inputs(records, leaves, [*results, *new_values.values()], on_unused_input)
    feedback = zip((k for k, _ in fed), results[len(variables) :], strict=True)
    return Source(
        tuple(records),
        tuple(leaves),
        tuple(results[: len(variables)]),
        tuple(new_values.items()),
        keys,
        bare,
        tuple(borrowed),
        name,
        tuple(feedback),
        options,
    )


def _leaf(variable: Variable) -> Variable:
    if variable.owner is None:
        return variable
    leaf = variable.type.make_variable(variable.name)
    leaf.origin = variable.origin
    return leaf


def pairs_of(value: Any, what: str) -> list[tuple[Any, Any]]:
    """Return updates or givens, a mapping or pairs, as a list of pairs."""
    if value is None:
        return []
    items = value.items() if isinstance(value, Mapping) else value
    if not isinstance(items, Iterable) or isinstance(items, Variable):
        raise TypeError(f"[function] {what} must be a dict or pairs: {value!r}")
    result = []
    for item in items:
        if not isinstance(item, list | tuple) or len(item) != 2:
            raise ValueError(f"[function] {what} must be a dict or pairs: {item!r}")
        result.append((item[0], item[1]))
    return result


def normalize_outputs(
    outputs: Any,
) -> tuple[list[Variable], list[bool], tuple[str, ...] | None, bool]:
    """Return output variables, which of them are borrowed, the keys of a dict, and whether bare."""
    keys: tuple[str, ...] | None = None
    if isinstance(outputs, Mapping):
        if not all(isinstance(key, str) for key in outputs):
            raise TypeError(f"[function] the keys of outputs must be strings: {list(outputs)}")
        keys = tuple(sorted(outputs))
        outputs = [outputs[key] for key in keys]
    bare = outputs is not None and not isinstance(outputs, list | tuple)
    items = [] if outputs is None else [outputs] if bare else list(outputs)
    variables, borrowed = [], []
    for position, item in enumerate(items):
        variable = item.variable if isinstance(item, Out) else item
        if not isinstance(variable, Variable):
            raise TypeError(
                f"Outputs must be theano Variable or Out instances. Received {item!r} of type "
                f"{type(item).__name__} at index {position}"
            )
        variables.append(ops.as_variable(variable))
        borrowed.append(isinstance(item, Out) and item.borrow)
    return variables, borrowed, keys, bare


def normalize_updates(updates: Any) -> dict[SharedVariable, Variable]:
    """Return checked updates: each target shared, named once, each value of its target's type."""
    result: dict[SharedVariable, Variable] = {}
    for target, value in pairs_of(updates, "updates"):
        if not isinstance(target, SharedVariable):
            raise TypeError("update target must be a SharedVariable", target)
        if isinstance(target.type, GenericType):
            raise TypeError(
                f"[function] an update needs a shared tensor: {target} holds a Python object"
            )
        if target in result:
            raise ValueError(
                "this shared variable already has an update expression", (target, result[target])
            )
        result[target] = update_value(target, value)
    return result


def update_value(target: Variable, value: Any) -> Variable:
    """Return an update expression as a variable of its target's type."""
    if not isinstance(value, Variable) or isinstance(value, Constant):
        data = value.data if isinstance(value, Constant) else value
        try:
            return target.type.make_constant(filter_value(target.type, data))
        except TypeError as error:
            raise _update_error(target, value, str(error)) from None
    if value.type != target.type:
        raise _update_error(
            target,
            value,
            "If the difference is related to the broadcast pattern, you can call the "
            "tensor.unbroadcast(var, axis_to_unbroadcast[, ...]) function to remove broadcastable "
            "dimensions.",
        )
    return value


def _update_error(target: Variable, value: Any, reason: str) -> TypeError:
    kind = value.type if isinstance(value, Variable) else type(value).__name__
    return TypeError(
        "An update must have the same type as the original shared variable "
        f"(shared_var={target}, shared_var.type={target.type}, update_val={_shown(value)}, "
        f"update_val.type={kind}). {reason}"
    )


def _shown(value: Any) -> str:
    """Return a variable's name, or the beginning and the end of what a plain value looks like."""
    return str(value) if isinstance(value, Variable) else reprlib.repr(value)


def normalize_givens(givens: Any, inputs: Sequence[In]) -> dict[Variable, Variable]:
    """Return checked givens: each key a variable that is no input, each value of a fitting type."""
    explicit = {record.variable for record in inputs}
    result: dict[Variable, Variable] = {}
    for key, value in pairs_of(givens, "givens"):
        if not isinstance(key, Variable):
            raise TypeError("givens keys must be Variable", key)
        if key in explicit:
            raise RuntimeError(
                f'You are trying to replace variable "{key}" through the `givens` parameter, '
                "but this "
                "variable is an input to your function. Replacing inputs is currently forbidden "
                "because it has no effect. One way to modify an input `x` to a function "
                "evaluated by "
                "f(x) is to define a new input `y` and use `theano.function([y], f(x), "
                "givens={x: g(y)})`."
            )
        result[key] = given_value(key, value)
    return result


def given_value(key: Variable, given: Any) -> Variable:
    """Return the replacement of a variable, cast to its dtype where nothing is lost."""
    ops.as_variable(key)
    if isinstance(given, Variable) and not isinstance(given, Constant):
        value = ops.as_variable(given)
    else:
        try:
            # A Python float is a float64 here, whatever floatX: what replaces a float32 must fit.
            wide = "float64" if isinstance(given, float) else None
            value = given if isinstance(given, Constant) else ops.constant(given, dtype=wide)
            if value.ndim == key.ndim:
                return key.type.make_constant(filter_value(key.type, value.data))
        except (TypeError, OverflowError) as error:
            raise TypeError(
                f"[function] givens cannot replace {key} of type {key.type} by {_shown(given)}: "
                f"{error}"
            ) from None
    if value.dtype != key.dtype:
        if dtypes.upcast(value.dtype, key.dtype) != key.dtype:
            raise TypeError(
                f"Cannot convert Type {value.type} (of Variable {value}) into Type {key.type}. You "
                f"can try to manually convert {value} into a {key.type}."
            )
        value = ops.cast(value, key.dtype)
    return value


def default_updates(
    roots: Sequence[Variable],
    updates: dict[SharedVariable, Variable],
    excluded: bool | Sequence[Variable],
) -> dict[SharedVariable, Variable]:
    """Return ``updates`` with those that shared variables bring along, such as random states."""
    if excluded is True:
        return updates
    skipped = set(excluded or ())
    result = dict(updates)
    pending = list(roots)
    while pending:
        found, pending = walk.shared_inputs(pending), []
        for variable in found:
            update = variable.default_update
            if update is not None and variable not in result and variable not in skipped:
                result[variable] = update_value(variable, update)
                pending.append(result[variable])
    return result


def check_duplicates(inputs: Sequence[In]) -> None:
    """Raise if a variable is an input twice."""
    seen: dict[Variable, int] = {}
    for position, record in enumerate(inputs):
        if record.variable in seen:
            raise UnusedInputError(
                f"Variable {record.variable} is used twice in inputs to theano.function, at "
                "indices "
                f"{seen[record.variable]} and {position}.  This would result in values provided "
                "for it "
                "being ignored. Please do not duplicate variables in the inputs list."
            )
        seen[record.variable] = position


def check_inputs(
    inputs: Sequence[In],
    leaves: Sequence[Variable],
    results: Sequence[Variable],
    on_unused_input: str | None,
) -> None:
    """Raise for inputs that the graph does not use, and for those that it lacks."""
    action = config.on_unused_input if on_unused_input is None else on_unused_input
    if action not in ("raise", "warn", "ignore"):
        raise ValueError(
            "Invalid value for keyword on_unused_input of theano.function: "
            f"{action!r}.\nValid values are 'raise', 'warn', and 'ignore'."
        )
    used = set(walk.ancestors(results))
    for position, (record, leaf) in enumerate(zip(inputs, leaves, strict=True)):
        if leaf in used or action == "ignore":
            continue
        name = f" name {record.name!r}" if record.name else ""
        message = (
            "theano.function was asked to create a function computing outputs given certain "
            "inputs, "
            f"but the provided input variable at index {position} is not part of the computational "
            f"graph needed to compute the outputs:{name} {record.variable}.\nTo make this error "
            "into "
            "a warning, you can pass the parameter on_unused_input='warn' to theano.function. To "
            "disable it completely, use on_unused_input='ignore'."
        )
        if action == "raise":
            raise UnusedInputError(message)
        warnings.warn(message, stacklevel=4)
    given = set(leaves)
    missing = [item for item in walk.free_inputs(results) if item not in given]
    if missing:
        raise _missing_error(missing[0], results)


def _missing_error(variable: Variable, results: Sequence[Variable]) -> MissingInputError:
    client = next(
        (
            (node, node.inputs.index(variable))
            for node in walk.toposort(results)
            if variable in node.inputs
        ),
        None,
    )
    use = (
        f"Input {client[1]} of the graph (indices start from 0), used to compute {client[0]}, "
        if client is not None
        else f"An output of the graph, {variable}, "
    )
    created = (
        f"\n\nBacktrace when that variable is created:\n\n  {variable.origin}"
        if variable.origin
        else ""
    )
    return MissingInputError(
        f"{use}was not provided and not given a value. Variable: {variable} of type "
        f"{variable.type}."
        "Use the Theano flag exception_verbosity='high', for more information on this error."
        f"{created}"
    )
