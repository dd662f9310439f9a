"""How a function runs: natively, as its NumPy reference, or both; and what watches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arignote.config import LINKERS, MODES, OPTIMIZERS, config
from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from arignote.plan.plan import Step

Watcher = Callable[[int, Step, Sequence[Array], Sequence[Array] | None], None]
"""Called before (outputs None) and after each step with its number, the step and its arrays."""


@dataclass(frozen=True)
class Mode:
    """A way to run functions.

    Parameters
    ----------
    linker
        ``"native"`` (the C++ runtime), ``"reference"`` (NumPy) or ``"check"`` (both, step by step).
        Of Theano's names ``"py"`` means the reference, ``"c"``, ``"c|py"``, ``"cvm"``, ``"vm"`` the
        runtime.
    optimizer
        ``"fast_run"``; or None (``"None"``) to run the graph as it was written, which only merges
        equal nodes. ``"fast_compile"`` is ``"fast_run"``: compiling is fast.
    excluded
        Names of rewrite rules to leave out; ``"fusion"`` of elementwise ops; ``"by_rows"``, the
        running of products and what follows from them row block by row block; ``"inplace"``,
        results that overwrite what is no longer needed. See :meth:`excluding`.
    watcher
        Called around every step.

    Raises
    ------
    ValueError
        If there is no such linker, optimizer or rule.

    Examples
    --------
    >>> Mode("py").linker
    'reference'
    """

    linker: str = "native"
    optimizer: str | None = "fast_run"
    excluded: frozenset[str] = frozenset()
    watcher: Watcher | None = None

    def __post_init__(self) -> None:
        linker = LINKERS.get(self.linker or "native")
        if linker is None:
            raise ValueError(f"[Mode] linker must be one of {', '.join(LINKERS)}: {self.linker!r}")
        object.__setattr__(self, "linker", linker)
        optimizer = "None" if self.optimizer is None else self.optimizer
        if optimizer not in OPTIMIZERS:
            raise ValueError(
                f"[Mode] optimizer must be one of {', '.join(OPTIMIZERS)}: {self.optimizer!r}"
            )
        object.__setattr__(self, "optimizer", OPTIMIZERS[optimizer])

    def excluding(self, *names: str) -> Mode:
        """Return this mode without some rewrite rules.

        Parameters
        ----------
        names
            Of rules as :func:`arignote.explain` shows them; ``"fusion"``, ``"by_rows"`` or
            ``"inplace"``; of the groups ``"canonicalize"``, ``"stabilize"``, ``"specialize"`` and
            ``"fast_run"``; or of Theano's rules that have a counterpart here.

        Raises
        ------
        ValueError
            For other names, listing ours.

        Examples
        --------
        >>> sorted(Mode().excluding("local_elemwise_fusion", "inplace").excluded)
        ['fusion', 'inplace']
        """
        from arignote.rewrite.names import resolve  # start-up does without the rules

        return replace(self, excluded=self.excluded | resolve(names))

    def including(self, *names: str) -> Mode:
        """Return this mode with rules that were excluded, by the names of :meth:`excluding`.

        With ``optimizer=None`` there was none: then these become the only ones.
        """
        from arignote.rewrite.names import NAMES, resolve  # start-up does without the rules

        excluded = self.excluded if self.optimizer is not None else NAMES
        return replace(self, optimizer="fast_run", excluded=excluded - resolve(names))


def get_mode(mode: Mode | str | None) -> Mode:
    """Return a mode given as itself, by name, or None for the configured one.

    ``"Mode"``, and None if ``config.mode`` names no other, is made of ``config.linker`` and
    ``config.optimizer``. What ``config.optimizer_including`` and ``config.optimizer_excluding``
    name applies to None alone.

    Raises
    ------
    Exception
        If no mode has the name.

    Examples
    --------
    >>> get_mode("FAST_RUN").linker
    'native'
    """
    if isinstance(mode, Mode):
        return mode
    found = _named(config.mode if mode is None else mode, is_default=mode is None)
    if mode is None and config.optimizer_including:
        found = found.including(*config.optimizer_including.split(":"))
    if mode is None and config.optimizer_excluding:
        found = found.excluding(*config.optimizer_excluding.split(":"))
    return found


def _named(name: str, is_default: bool) -> Mode:
    if name == "Mode" or (is_default and name == "native"):
        return Mode(config.linker, config.optimizer)
    if name == "NanGuardMode":
        return NanGuardMode()
    linker = MODES.get(name)
    if linker is None:
        raise Exception(f"No predefined mode exist for string: {name}")
    return Mode(linker)


def get_default_mode() -> Mode:
    """Return the mode that functions have when they are given none.

    >>> get_default_mode().linker
    'native'
    """
    return get_mode(None)


def DebugMode(**options: Any) -> Mode:
    """Return the mode that runs every step natively and in NumPy and compares them."""
    if options:
        raise TypeError(f"[DebugMode] unknown options: {', '.join(options)}")
    return Mode("check")


@dataclass(frozen=True)
class StepArrays:
    """The arrays of a step as :class:`MonitorMode` shows them: each in a list of its own.

    Attributes
    ----------
    inputs, outputs
        Lists of one array; outputs are empty before the step has run.
    """

    inputs: list[list[Array]]
    outputs: list[list[Array]]


def MonitorMode(
    pre_func: Callable[..., Any] | None = None,
    post_func: Callable[..., Any] | None = None,
    optimizer: str | None = "fast_run",
) -> Mode:
    """Return a mode that calls functions of the user's around every step.

    Parameters
    ----------
    pre_func, post_func
        Called before and after each step as ``f(fgraph, i, node, fn)``: None, the number of the
        step, the step of the plan, and its arrays as ``fn.inputs[k][0]`` and ``fn.outputs[k][0]``.
    optimizer
        As for :class:`Mode`; None shows the steps of the graph as it was written.

    Examples
    --------
    >>> import arignote, arignote.tensor as T
    >>> def show(fgraph, i, node, fn):
    ...     print(i, node.op, [array[0].shape for array in fn.inputs])
    >>> x = T.dvector("x")
    >>> f = arignote.function([x], T.exp(x), mode=MonitorMode(pre_func=show))
    >>> f([0.0, 0.0])
    0 elementwise [(2,)]
    array([1., 1.])
    """
    return Mode(optimizer=optimizer, watcher=_Monitor(pre_func, post_func))


def NanGuardMode(
    nan_is_error: bool | None = None,
    inf_is_error: bool | None = None,
    big_is_error: bool | None = None,
) -> Mode:
    """Return a mode that raises at the first step that yields a NaN, an infinity or a huge number.

    Parameters
    ----------
    nan_is_error, inf_is_error, big_is_error
        What to look for; big means a magnitude above 1e10. None asks ``config.NanGuardMode``,
        where all are true unless set otherwise.

    Raises
    ------
    AssertionError
        By the function's call, naming the step.

    Examples
    --------
    >>> NanGuardMode().linker
    'native'
    """
    flags = config.NanGuardMode
    return Mode(
        watcher=_Guard(
            flags.nan_is_error if nan_is_error is None else nan_is_error,
            flags.inf_is_error if inf_is_error is None else inf_is_error,
            flags.big_is_error if big_is_error is None else big_is_error,
        )
    )


# Watchers are records, so that functions that have one can be pickled.


@dataclass(frozen=True)
class _Monitor:
    before: Callable[..., Any] | None
    after: Callable[..., Any] | None

    def __call__(
        self,
        number: int,
        step: Step,
        inputs: Sequence[Array],
        outputs: Sequence[Array] | None,
    ) -> None:
        call = self.before if outputs is None else self.after
        if call is not None:
            arrays = StepArrays([[a] for a in inputs], [[a] for a in outputs or ()])
            call(None, number, step, arrays)


@dataclass(frozen=True)
class _Guard:
    nan: bool
    infinity: bool
    big: bool

    def __call__(
        self,
        number: int,
        step: Step,
        inputs: Sequence[Array],  # noqa: ARG002 (what outputs hold is what matters)
        outputs: Sequence[Array] | None,
    ) -> None:
        for array in outputs or ():
            is_inexact = dtypes.kind_of(array.dtype) in "fc"
            found = self._found_in(dtypes.plain(array)) if is_inexact else []
            if found:
                raise AssertionError(
                    f"{' and '.join(found)} detected in the output of step {number}: {step.op} "
                    f"{' '.join(step.inputs)} -> {' '.join(step.outputs)}\n"
                    f"The node was built at: {step.origin}"
                )

    def _found_in(self, array: Array) -> list[str]:
        present = {
            "NaN": self.nan and np.isnan(array).any(),
            "Inf": self.infinity and np.isinf(array).any(),
            "Big value": self.big and (np.isfinite(array) & (np.abs(array) > 1e10)).any(),
        }
        return [name for name, is_present in present.items() if is_present]
