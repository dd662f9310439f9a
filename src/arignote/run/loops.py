"""Many calls in one: map and repeat."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from arignote.errors import ShapeError, add_note
from arignote.graph.dim import Dim, Expr, evaluate
from arignote.graph.dtypes import Array
from arignote.plan.plan import Plan
from arignote.run.arguments import Arguments
from arignote.run.build import Source

if TYPE_CHECKING:
    from arignote.run.compiled import Compiled


class Loops:
    """What a function does many times over. Part of :class:`Function`."""

    arguments: Arguments
    compiled: Compiled

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function once for each element of its arguments, without coming back to Python.

        ``f.map(a, b)`` computes what ``[f(a[0], b[0]), f(a[1], b[1]), …]`` would, bit for bit, in
        one call: an epoch of training is a ``map`` over the numbers of its minibatches. Each step
        writes its updates before the next begins.

        Parameters
        ----------
        *args, **kwargs
            For each input an array with one more dimension than the input, the first, which counts
            the steps and has the same length in all; or a list of what single calls take. Inputs
            that have a default and are not given here have it in each step. Arguments count as they
            are when ``map`` is called, even if they share memory with a variable that is updated.

        Returns
        -------
        array, list or dict
            As a call returns, but each output with one more dimension, the first: one result for
            each step. All are new arrays, whatever ``borrow`` says. Without a step they are empty;
            lengths that only a step would tell are 0.

        Raises
        ------
        TypeError
            If an argument does not fit its input, or none is given.
        ValueError
            If the arguments have different lengths, naming them.
        ShapeError
            If an output has another shape than in the first step.
        KeyboardInterrupt
            At the latest some 50 ms after Ctrl-C, between two steps.
        Exception
            What a single call raises; a note names the step.

        Notes
        -----
        Whatever ends a loop early, shared variables are as after the last whole step: none of the
        updates of the step that failed is done. Other threads that use a variable which the
        function updates wait for the whole loop. With ``mode="reference"``, ``"check"`` or a mode
        that watches, and for functions with ``In(update=)``, the steps are single calls made from
        Python.

        Examples
        --------
        >>> import numpy as np
        >>> import arignote, arignote.tensor as T
        >>> total = arignote.shared(0.0, name="total")
        >>> x = T.dscalar("x")
        >>> add = arignote.function([x], total, updates=[(total, total + x)])
        >>> add.map([1.0, 2.0, 3.0]), total.get_value()
        (array([0., 1., 3.]), array(6.))
        >>> a, b = T.dvectors("a", "b")
        >>> dot = arignote.function([a, b], {"dot": T.dot(a, b)})
        >>> dot.map(np.eye(3), b=np.arange(9.0).reshape(3, 3))
        {'dot': array([0., 4., 8.])}
        """
        given = self.arguments.given(args, kwargs)
        if not given:
            raise TypeError("[map] an argument must tell the number of steps: repeat(n) needs none")
        stacks = {
            position: self.arguments.convert_stack(position, value, self._label())
            for position, value in given.items()
        }
        return self._run_loop(stacks, self._length(stacks))

    def repeat(self, n: int) -> Any:
        """Call the function ``n`` times without arguments and without coming back to Python.

        As :meth:`map`, but all inputs have their defaults in each step.

        Parameters
        ----------
        n
            How often; 0 or more.

        Returns
        -------
        array, list or dict
            As :meth:`map` returns.

        Raises
        ------
        TypeError
            If an input has no default, or ``n`` is no integer.
        ValueError
            If ``n`` is negative.
        Exception
            As :meth:`map` raises.

        Examples
        --------
        >>> import arignote
        >>> w = arignote.shared(1.0, name="w")
        >>> halve = arignote.function([], w, updates=[(w, w / 2)])
        >>> halve.repeat(4), w.get_value()
        (array([1.   , 0.5  , 0.25 , 0.125]), array(0.0625))
        """
        try:
            count = operator.index(n)
        except TypeError:
            raise TypeError(f"[repeat] n must be an integer: {n!r}") from None
        if not 0 <= count < 2**63:
            raise ValueError(f"[repeat] n must be a number from 0 to 2**63 - 1: {count}")
        return self._run_loop({}, count)

    def _length(self, stacks: dict[int, Array]) -> int:
        lengths = {self.arguments.label(k): len(stack) for k, stack in stacks.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{label} has {length}" for label, length in lengths.items())
            raise ValueError(f"[map] arguments must have one length: {shown}")
        return next(iter(lengths.values()))

    def _run_loop(self, stacks: dict[int, Array], count: int) -> Any:
        arguments = self.arguments.complete(stacks)
        if count == 0:
            return self.compiled.source.in_form(self._no_results(stacks, arguments))
        return self._run_steps(stacks, count)

    def _run_steps(self, stacks: dict[int, Array], count: int) -> Any:
        arrays = tuple(
            value if k in stacks else self._convert(k, value)
            for k, value in enumerate(self.arguments.complete(stacks))
        )
        return self._loop(arrays, tuple(k in stacks for k in range(len(arrays))), count)

    def _no_results(self, stacks: dict[int, Array], arguments: Sequence[Any]) -> list[Array]:
        """Return the outputs of no step, of the lengths that are known without one."""
        plan = self.compiled.plan
        shapes = {
            buffer.name: value.shape[1:] if k in stacks else value.shape
            for k, (buffer, value) in enumerate(zip(plan.inputs, arguments, strict=True))
        }
        for buffer, state in zip(plan.states, self.compiled.states, strict=True):
            shapes[buffer.name] = state.container.shape

        def source(expr: Expr) -> int:
            if expr.op != "shape":
                raise LookupError(expr)
            return int(shapes[str(expr.args[0])][int(str(expr.args[1]))])

        def length(dim: Dim) -> int:
            try:
                return max(0, evaluate(dim, source))
            except LookupError:
                return 0

        outputs = [plan.buffer(name) for name in plan.outputs[: len(self.compiled.source.outputs)]]
        return [np.empty((0, *map(length, item.shape)), item.type.dtype) for item in outputs]

    def _note_step(self, error: BaseException, step: int) -> None:
        note = f"This was step {step} of map or repeat, from 0: only those before it are done."
        add_note(error, note)

    if TYPE_CHECKING:

        def _label(self) -> str: ...
        def _convert(self, position: int, value: object) -> Array: ...
        def _loop(
            self, arguments: tuple[Array, ...], stacked: tuple[bool, ...], count: int
        ) -> Any: ...


def uneven_error(source: Source, number: int, shapes: str) -> ShapeError:
    """Return the error of an output whose shape is not that of the first step."""
    label = source.output_label(number)
    return ShapeError(
        f"[function] {label} must have the same shape in each step of map or repeat: {shapes}"
    )


class Results:
    """The stacked outputs of steps that are single calls."""

    def __init__(self, source: Source, plan: Plan, count: int) -> None:
        self.source = source
        self.names = plan.outputs[: len(source.outputs)]
        self.count = count
        self.stacks: list[Array] = []
        self._done = 0

    def hold(self, buffers: Sequence[str], arrays: Sequence[Array]) -> None:
        """Raise if one of these buffers is an output and has another shape than before."""
        shapes = dict(zip(buffers, (array.shape for array in arrays), strict=True))
        for number, (name, stack) in enumerate(zip(self.names, self.stacks, strict=False)):
            if shapes.get(name, stack.shape[1:]) != stack.shape[1:]:
                raise uneven_error(self.source, number, f"{stack.shape[1:]}, then {shapes[name]}")

    def add(self, outputs: Sequence[Array]) -> None:
        """Take the outputs of the next step."""
        if self._done == 0:
            self.stacks = [np.empty((self.count, *item.shape), item.dtype) for item in outputs]
        for stack, item in zip(self.stacks, outputs, strict=True):
            stack[self._done] = item
        self._done += 1
