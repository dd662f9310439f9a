"""Compiling graphs to functions, and calling them."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from arignote.config import config
from arignote.errors import CheckModeError, IndexRangeError, ShapeError, add_note, with_origin
from arignote.graph import walk
from arignote.graph.dtypes import Array
from arignote.graph.variable import SharedVariable, Variable, current_origin
from arignote.ops.loop import Body, run_rows
from arignote.plan import reference
from arignote.plan.plan import Plan, Step
from arignote.run import native
from arignote.run.arguments import Arguments, In, Out, conversion
from arignote.run.build import Given, Source, build_source
from arignote.run.compare import differences
from arignote.run.compiled import Compiled, compile_source
from arignote.run.failure import add_shapes, call_error
from arignote.run.loops import Loops, Results, uneven_error
from arignote.run.mode import Mode, get_mode


def host_calls(plan: Plan) -> dict[int, native.HostCall]:
    """Return what computes each host step of a plan."""

    def call(step: Step) -> native.HostCall:
        body = step.params.get("body")
        if isinstance(body, Body):
            return _body_call(plan, step, body)
        return lambda *arrays: reference.run_step(plan, step, arrays)

    return {number: call(step) for number, step in enumerate(plan.steps) if step.host}


def _body_call(plan: Plan, step: Step, body: Body) -> native.HostCall:
    """Return a call that runs the body natively for each index."""
    given = Given([body.index, *body.free], list(body.rows), None, None, False, None)
    source = build_source(given, None, "ignore", {"origin": current_origin(), "inside": True})
    rows = make_function(source, get_mode(None))

    return lambda *operands: run_rows(plan.call(step), rows, *operands)


class Function(Loops, native.Function):
    """A compiled function. Made by :func:`function`.

    Attributes
    ----------
    name
        Given to :func:`function`.
    plan
        What a call does, step by step: ``print(f.plan)``.

    Examples
    --------
    >>> import arignote, arignote.tensor as T
    >>> x = T.dscalar("x")
    >>> f = arignote.function([x], x**2)
    >>> f(3.0)
    array(9.)
    """

    # Inputs are always checked: this costs some nanoseconds.
    trust_input = False

    def __init__(self, compiled: Compiled) -> None:
        source = compiled.source
        self.compiled = compiled
        self.name = source.name
        self.arguments = Arguments(source.inputs)
        capsule = compiled.device.capsule if compiled.device is not None else None
        program = native.load(compiled.plan, host_calls(compiled.plan), capsule)
        storages = [state.container.storage for state in compiled.states]
        returns: Any = "list"
        if not source.feedback:
            returns = source.keys if source.keys is not None else "one" if source.bare else "list"
        borrowed = [*source.borrowed, *(False for _ in source.feedback)]
        conversions = [conversion(record) for record in source.inputs]
        super().__init__(program, storages, returns, borrowed, conversions)
        self._counting = bool(config.profile or source.options.get("profile"))
        if self._counting:
            super().profile(True)

    # What the runtime asks for.

    def _arrange(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[Any, ...]:
        return self.arguments.arrange(args, kwargs)

    def _convert(self, position: int, value: object) -> Array:
        return self.arguments.convert(position, value, self._label())

    def _fail(
        self,
        kind: str,
        step: int,
        inner: int,
        position: int,
        value: int,
        other: int,
        what: str,
        arguments: tuple[Any, ...],
    ) -> NoReturn:
        if kind == "uneven":
            raise uneven_error(self.compiled.source, position, what)
        states = [state.container for state in self.compiled.states]
        details = (position, value, other)
        raise call_error(self.plan, kind, (step, inner), details, what, arguments, states)

    def _label(self) -> str:
        origin = self.compiled.source.options.get("origin")
        return self.name or (f"{origin.file.rsplit('/', 1)[-1]}:{origin.line}" if origin else "")

    # What a user reads.

    @property
    def plan(self) -> Plan:
        """What a call does, step by step."""
        return self.compiled.plan

    @property
    def maker(self) -> Any:
        """The compiled graph in Theano's terms: ``f.maker.fgraph.toposort()`` and the like."""
        from arignote.run.introspect import Maker

        return Maker(self.compiled)

    def profile(self, enable: bool | None = None) -> Any:
        """Return the time that each step has taken.

        Parameters
        ----------
        enable
            True starts counting anew, False stops it. Counting starts by itself with the first
            question.

        Returns
        -------
        Profile
            Counts and times of the calls since counting started; ``print`` shows a table.
        """
        from arignote.run.profile import Profile

        if enable is not None or not self._counting:
            self._counting = enable is not False
            super().profile(self._counting)
        return Profile.of(self.plan, super().profile_data())

    @property
    def defaults(self) -> list[Any]:
        """The present defaults of the inputs, None for those without."""
        held = self.arguments.defaults
        return [held[k].data if k in held else None for k in range(len(self.arguments.inputs))]

    def __getitem__(self, key: Any) -> Any:
        """Return the default of an input, or the value of a shared variable the function uses."""
        if isinstance(key, SharedVariable):
            return key.container.data
        position = self.arguments.position(key)
        if position not in self.arguments.defaults:
            raise KeyError(f"input {key} has no default")
        return self.arguments.defaults[position].data

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, SharedVariable):
            shared: Any = key
            shared.set_value(value)
            return
        position = self.arguments.position(key)
        if position not in self.arguments.defaults:
            raise KeyError(f"input {key} has no default")
        self.arguments.defaults[position].set(value)

    @property
    def value(self) -> Function:
        """The function itself, whose items are values: ``f.value[x]``."""
        return self

    container = value

    def copy(
        self,
        share_memory: bool = False,  # noqa: ARG002 (nothing needs to be shared)
        swap: Mapping[SharedVariable, SharedVariable] | None = None,
        delete_updates: bool = False,
        name: str | None = None,
        profile: bool | None = None,
    ) -> Function:
        """Return another function of the same graph.

        Parameters
        ----------
        share_memory
            Theano's; functions share nothing but shared variables here, so that both may run at
            once.
        swap
            Shared variables to replace by others.
        delete_updates
            Whether to leave the updates out.
        name
            Of the copy.
        profile
            Whether the copy counts the time of its steps.
        """
        source = self._present_source()
        swapped: dict[Variable, Variable] = dict((swap or {}).items())
        for old, new in swapped.items():
            if not isinstance(new, SharedVariable) or old.type != new.type:
                raise TypeError(
                    f"[copy] {old} can be swapped only with one of type {old.type}: {new}"
                )
        updates = () if delete_updates else source.updates
        feedback = () if delete_updates else source.feedback

        def swap_in(variables: Sequence[Variable]) -> list[Variable]:
            return walk.replace(variables, swapped)

        targets = [(swap or {}).get(target, target) for target, _ in updates]
        values = swap_in([value for _, value in updates])
        fed = swap_in([value for _, value in feedback])
        changed = replace(
            source,
            outputs=tuple(swap_in(source.outputs)),
            updates=tuple(zip(targets, values, strict=True)),
            feedback=tuple((k, value) for (k, _), value in zip(feedback, fed, strict=True)),
            name=name or source.name,
            options={**source.options, "profile": profile},
        )
        return make_function(changed, self.compiled.mode)

    def _present_source(self) -> Source:
        return replace(self.compiled.source, inputs=self.arguments.present())

    def free(self) -> None:
        """Do nothing: memory is kept between calls on purpose and freed with the function."""

    def __reduce__(self) -> tuple[Callable[..., Function], tuple[Any, ...]]:
        return make_function, (self._present_source(), self.compiled.mode)

    def __copy__(self) -> Function:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Function:
        return make_function(copy.deepcopy(self._present_source(), memo), self.compiled.mode)

    def __repr__(self) -> str:
        return f"<arignote function {self.name or 'without name'}: {len(self.plan.steps)} steps>"


class _Interpreted(Function):
    """A function whose calls run in Python: as reference, checked, watched, or with feedback."""

    def __init__(self, compiled: Compiled) -> None:
        super().__init__(compiled)
        storages = {
            buffer.name: state.container.storage
            for buffer, state in zip(compiled.plan.states, compiled.states, strict=True)
        }
        self._updated = tuple(storages[name] for name, _ in compiled.plan.updates)

    def profile(self, enable: bool | None = None) -> Any:
        """Return the time that each step has taken; only native calls count it."""
        mode = self.compiled.mode
        if mode.linker != "native" or mode.watcher is not None:
            raise NotImplementedError(
                f"[profile] the function must run natively and unwatched: {mode.linker!r}"
            )
        return super().profile(enable)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.compiled.source.in_form(self._call_once(self._arrange(args, kwargs), None))

    def _run_steps(self, stacks: dict[int, Array], count: int) -> Any:
        results = Results(self.compiled.source, self.plan, count)
        stacks = self._out_of_reach(stacks)
        # Of the step at work: its number, and what it has found. An interrupt may come between any
        # two lines, also when the updates of the step are written.
        at = 0, self._versions()
        try:
            for at in enumerate(self._versions() for _ in range(count)):
                slices = {position: stack[at[0], ...] for position, stack in stacks.items()}
                results.add(self._call_once(self.arguments.complete(slices), results))
            return self.compiled.source.in_form(results.stacks)
        except BaseException as error:
            number, versions = at
            self._note_step(error, number + (versions != self._versions()))
            raise

    def _versions(self) -> list[int]:
        return [storage.version for storage in self._updated]

    def _out_of_reach(self, stacks: dict[int, Array]) -> dict[int, Array]:
        """Return arrays that no update changes while a loop runs."""
        held = [state.container.data for state in self.compiled.states]
        return {
            position: stack.copy() if any(np.may_share_memory(stack, a) for a in held) else stack
            for position, stack in stacks.items()
        }

    def _call_once(self, arguments: Sequence[Any], results: Results | None) -> list[Array]:
        """Return the outputs of a call; as one of a loop it must fit the results before it."""
        arrays = tuple(self._convert(k, value) for k, value in enumerate(arguments))
        outputs = self._outputs(arrays, results)
        source = self.compiled.source
        for (position, _), value in zip(
            source.feedback, outputs[len(source.outputs) :], strict=True
        ):
            self.arguments.defaults[position].set(value)
        return outputs[: len(source.outputs)]

    def _outputs(self, arrays: tuple[Array, ...], results: Results | None) -> list[Array]:
        linker, watcher = self.compiled.mode.linker, self.compiled.mode.watcher
        if linker == "reference":
            return self._run_reference(arrays, results)
        if linker == "check" or watcher is not None or results is not None:
            return self._run_watched(arrays, results)
        return self._as_list(super().__call__(*arrays))

    def _as_list(self, result: Any) -> list[Array]:
        source = self.compiled.source
        if source.feedback:
            return list(result)
        if source.keys is not None:
            return [result[key] for key in source.keys]
        return [result] if source.bare else list(result)

    def _run_reference(self, arrays: tuple[Array, ...], results: Results | None) -> list[Array]:
        states = self.compiled.states
        held = [state.container.data for state in states]
        try:
            outputs, values = reference.run(self.plan, arrays, held)
        except (IndexRangeError, ShapeError) as error:
            add_shapes(error, self.plan, arrays, held)
            raise
        if results is not None:
            results.hold(self.plan.outputs, outputs)
        native.Storage.set_all(self._updated, tuple(values))
        return outputs

    def _run_watched(self, arrays: tuple[Array, ...], results: Results | None) -> list[Array]:
        steps, mode = self.plan.steps, self.compiled.mode
        values = reference.start(
            self.plan, arrays, [s.container.data for s in self.compiled.states]
        )

        def before(number: int, inputs: list[Array]) -> None:
            if mode.watcher is not None:
                mode.watcher(number, steps[number], inputs, None)

        def after(number: int, inputs: list[Array], outputs: list[Array]) -> None:
            if results is not None:
                results.hold(steps[number].outputs, outputs)
            values.arrays.update(zip(steps[number].outputs, outputs, strict=True))
            if mode.linker == "check":
                self._check_step(values, number, inputs, outputs)
            if mode.watcher is not None:
                mode.watcher(number, steps[number], inputs, outputs)

        return self._as_list(self._run_hooked(arrays, before, after))

    def _check_step(
        self, values: reference.Values, number: int, inputs: list[Array], outputs: list[Array]
    ) -> None:
        step = self.plan.steps[number]
        found = differences(values, step, inputs, outputs)
        if found is not None:
            error = CheckModeError(
                f"step {number} differs from its NumPy reference: {step.op} "
                f"{' '.join(step.inputs)} -> {' '.join(step.outputs)}\n{found}"
            )
            add_note(error, f"Target: {native.current_target()}, threads: {native.threads()}")
            raise with_origin(error, step.origin)


def make_function(source: Source, mode: Mode) -> Function:
    """Return the function of a normalized source."""
    if source.name is not None and not isinstance(source.name, str):
        raise TypeError(f"[function] name must be a string: {source.name!r}")
    compiled = compile_source(source, mode)
    plain = mode.linker == "native" and mode.watcher is None and not source.changes_defaults
    return Function(compiled) if plain else _Interpreted(compiled)


def function(
    inputs: Sequence[Any],
    outputs: Any = None,
    mode: Mode | str | None = None,
    updates: Any = None,
    givens: Any = None,
    no_default_updates: bool | Sequence[Variable] = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: bool | None = None,
    on_unused_input: str | None = None,
) -> Function:
    """Compile a graph to a function.

    Parameters
    ----------
    inputs
        Variables, or :class:`In` records, that a call gives values to, in this order.
    outputs
        What a call returns: a variable (the call returns an array), a list or tuple of them (a
        list), a dict with string keys (a dict), or None (an empty list). Items may be :class:`Out`
        records.
    mode
        How calls run, see :class:`Mode`; ``config.mode`` by default.
    updates
        New values of shared variables: pairs or a dict. All are computed from the old values, and
        written together at the end of the call.
    givens
        Variables to replace by others: pairs or a dict.
    no_default_updates
        True to leave out the updates that shared variables bring along, or a list of those to leave
        out.
    accept_inplace
        Theano's permission for graphs with in-place ops. There are none here: it must stay False.
    name
        Of the function, for messages and profiles.
    rebuild_strict
        Whether a given must have the type of what it replaces, up to casts that lose nothing. Must
        stay True.
    allow_input_downcast
        Whether arguments may be rounded to their input's dtype. None allows it for Python floats
        given for ``floatX`` scalars.
    profile
        Whether to count the time of each step from the first call on.
    on_unused_input
        What to do with an input that the graph does not need: ``"raise"``, ``"warn"``,
        ``"ignore"``; ``config.on_unused_input`` by default.

    Returns
    -------
    Function

    Raises
    ------
    UnusedInputError, MissingInputError
        If the graph does not need an input, or needs one more.
    TypeError
        If an argument is not of the kind described, or an update not of its target's type.

    Examples
    --------
    >>> import arignote, arignote.tensor as T
    >>> total = arignote.shared(0.0, name="total")
    >>> x = T.dscalar("x")
    >>> add = arignote.function([x], total, updates=[(total, total + x)])
    >>> add(2.0), add(3.0), total.get_value()
    (array(0.), array(2.), array(5.))
    """
    if accept_inplace or not rebuild_strict:
        raise NotImplementedError(
            "[function] accept_inplace must be False and rebuild_strict True: graphs hold no "
            "in-place "
            "ops and givens keep their types"
        )
    chosen = get_mode(mode)
    given = Given(inputs, outputs, updates, givens, no_default_updates, allow_input_downcast)
    options = {"profile": profile, "origin": current_origin()}
    return make_function(build_source(given, name, on_unused_input, options), chosen)


def function_dump(filename: str | Path, *args: Any, **kwargs: Any) -> None:
    """Pickle the arguments of :func:`function` to a file, to look at later or to send to someone.

    Parameters
    ----------
    filename
        The file; read it with ``pickle.load`` and call ``function(**arguments)``.
    *args, **kwargs
        As for :func:`function`.

    Examples
    --------
    >>> import pickle, tempfile, pathlib, arignote, arignote.tensor as T
    >>> x = T.dscalar("x")
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "function.pkl"
    >>> function_dump(path, [x], x + 1)
    >>> arignote.function(**pickle.loads(path.read_bytes()))(2.0)
    array(3.)
    """
    bound = inspect.signature(function).bind(*args, **kwargs)
    Path(filename).write_bytes(pickle.dumps(dict(bound.arguments)))


__all__ = ["Function", "In", "Out", "function", "function_dump"]
