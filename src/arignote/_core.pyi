"""The compiled runtime. Only ``arignote.run.native`` imports it."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict

import numpy.typing as npt

_Array = npt.NDArray[Any]
_Hook = Callable[[int, list[_Array]], object]
_AfterHook = Callable[[int, list[_Array], list[_Array]], object]

# What a failing call hands to Function._fail:
#   "check"    a check of the plan does not hold: position is its number, value and other its sides
#   "index"    a step met an index out of range: position (flat, C order, in the index operand), the
#              index as value, the length as other
#   "memory"   an allocation failed
#   "readonly" the plan updates a state whose array is not writeable: position is its number
#   "uneven"   a loop's output has another shape than in the first step: position is its number,
#              what names both shapes
#   "device"   a call of the device's driver failed: what says how
#   "plan"     a plan that breaks its own rules, or a host result of the wrong shape or dtype: what
#              says how
_FailKind = Literal["check", "index", "memory", "readonly", "uneven", "plan"]

# What an input takes, without Python's help, beside arrays of its very dtype:
#   "strict"  nothing
#   "exact"   arrays and NumPy scalars of dtypes that its own holds, Python numbers that keep their
#             value
#   "floatX"  as well, rounded, Python floats for a scalar input if its dtype is floatX
#   "any"     as well, rounded, any Python floats and integers for a scalar input of floats
_Conversion = Literal["strict", "exact", "floatX", "any"]

class ProgramSpec(TypedDict):
    """A plan, as flat lists: registers are positions in ``dims``, buffers in ``buffers``."""

    dims: list[tuple[str, int, int]]
    checks: list[tuple[str, int, int]]
    # {kind, dtype, shape: [reg]} and, by kind,
    #   input: broadcastable [bool]; state; const: array; scalar: value (reg)
    #   temp: storage (a buffer before it, or -1)
    #   view: base (a buffer before it), offset (reg), strides [reg]; reshape: base (likewise)
    # Inputs and states are numbered in the order in which they stand here.
    buffers: list[dict[str, Any]]
    # {kernel, ints, reals, names, dims, inputs, outputs, guards: [(buffer, bool)], host}
    steps: list[dict[str, Any]]
    outputs: list[int]
    updates: list[tuple[int, int]]

class Program:
    """A plan, verified and loaded. Immutable; any number of functions may share it.

    Raises RuntimeError (``[plan] …``, naming the step or buffer) for a plan that breaks a rule,
    TypeError or ValueError for a spec that is not made as ProgramSpec says, DeviceError if the
    device fails.
    """

    def __init__(self, spec: ProgramSpec, device: object = None) -> None: ...
    @property
    def n_inputs(self) -> int: ...
    @property
    def n_states(self) -> int: ...
    @property
    def n_steps(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...

class State:
    """The storage of a shared variable.

    Unless ``borrow``, the array is copied to a fresh 64-byte aligned, C-contiguous one. A borrowed
    array is used as it is, with any strides; one that is misaligned or not in native byte order is
    copied. All that brings elements to a device or from it raises DeviceError if that fails.
    """

    def __init__(self, array: _Array, borrow: bool = False, device: object = None) -> None: ...
    @property
    def array(self) -> _Array:
        """The array itself, the same object until a set or a resizing update replaces it."""
    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
    @property
    def version(self) -> int:
        """Counts the sets and the updates."""
    def set(self, array: _Array, borrow: bool = False) -> None:
        """Replace the value (an equal dtype and ndim, else ValueError).

        Waits for running calls that use the state; RuntimeError from inside such a call.
        """
    @staticmethod
    def set_all(states: tuple[State, ...], arrays: tuple[_Array, ...]) -> None:
        """Replace the values of different states by arrays, which are borrowed: all, or none.

        No other call sees a part of them, and no signal handler runs in between.
        """
    def copy(self) -> _Array:
        """A fresh copy, never torn by a call that is just updating the state."""

class Function:
    """A program with its states, ready to be called.

    ``returns`` is "one" (the only output itself), "list", or a tuple of keys (a dict). An output
    whose ``borrow_outputs`` flag is set is the same array on each call of equal shape, unless that
    array is now an argument or a state. ``conversions`` has an entry for each input.

    A subclass gives the slow paths as methods; those of this class raise plain errors:

    ``_arrange(args: tuple, kwargs: dict | None) -> tuple``
        All arguments in order, called when there are keywords or another number of arguments.
    ``_convert(position: int, value: object) -> ndarray``
        An array of the input's dtype, ndim, broadcast pattern, aligned, in native byte order.
    ``_fail(kind, step, inner, position, value, other, what, arguments) -> NoReturn``
        Raises the error of a failed call; step is -1 outside steps, inner the step of its body or
        -1; arguments are the call's.
        An exception of a host step or a hook passes as it is.
    """

    def __init__(
        self,
        program: Program,
        states: Sequence[State],
        returns: Literal["one", "list"] | tuple[Any, ...],
        borrow_outputs: Sequence[bool],
        conversions: Sequence[_Conversion],
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    @property
    def program(self) -> Program: ...
    @property
    def states(self) -> tuple[State, ...]: ...
    def _arrange(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> tuple[Any, ...]: ...
    def _convert(self, position: int, value: object) -> _Array: ...
    def _fail(
        self,
        kind: _FailKind,
        step: int,
        inner: int,
        position: int,
        value: int,
        other: int,
        what: str,
        arguments: tuple[Any, ...],
    ) -> None: ...
    def _run_hooked(
        self, arguments: tuple[Any, ...], before: _Hook | None, after: _AfterHook | None
    ) -> Any:
        """Call with hooks around every step that runs.

        The arrays are copies: inputs as they were before the step (the same list for both hooks),
        outputs as they are after it. An exception from a hook ends the call with every state as it
        was.
        """
    def _loop(self, arguments: tuple[_Array, ...], stacked: tuple[bool, ...], count: int) -> Any:
        """Call ``count`` times (once at least), without coming back to Python.

        The arguments fit their inputs as they are; one that is flagged as stacked has one more
        axis, the first, of length ``count``, and each step gets its slice. The outputs are stacked
        in the same way. When a step fails, or a signal handler raises between steps, states are as
        the last whole step has left them.
        """
    def _note_step(self, error: BaseException, step: int) -> None:
        """Called when a loop ends early, with the number of the step; a subclass adds a note."""
    def _row_blocks(self) -> list[tuple[int, str, int, int]]:
        """For each row block that a device has run: its step, and why it is not one kernel.

        The reason is empty if it is one; else the step of the body that it hangs on follows, or -1.
        Then how many classes it goes through at a time, or 0 if it goes through blocks of rows.
        """
    def profile(self, enable: bool) -> None:
        """Start (from zero) or stop counting."""
    def profile_data(self) -> dict[str, Any]:
        """``{"calls": int, "total_ns": int, "steps": [(runs, ns), …]}``."""

def kernel_table() -> list[str]: ...
def block_table() -> list[tuple[str, tuple[str, ...], str]]:
    """Every block operation: name, input dtypes, output dtype."""

def reduction_table() -> list[tuple[str, str, str, str]]:
    """Every reduction: name, input dtype, accumulator dtype, output dtype."""

def targets() -> list[str]:
    """SIMD targets that this build has and this machine can run, best first."""

def current_target() -> str: ...
def set_target(name: str) -> None:
    """Choose the target; "" restores the best. ValueError if this machine has no such target.

    It takes effect for functions made afterwards, and where one made before meets a new shape.
    """

def set_threads(count: int) -> None:
    """Threads a call may use, the calling one included; 0: one per available core."""

def set_floatX(name: str) -> None:
    """Say what the flag floatX is: Python floats are rounded to it."""

def threads() -> int: ...
def allocations() -> int:
    """Heap allocations that the runtime has made so far, outputs not counted."""

def left_outputs() -> int:
    """Count what was found so far, where functions met new shapes, to be left to its reader.

    A step does not write such an output: the step that reads it computes it as it goes.
    """

def release_memory() -> int:
    """Give the memory that is kept for large results back to the system; its size in bytes."""

def build_info() -> dict[str, str]: ...
def measure_bandwidth(size: int) -> float:
    """Bytes read per second, in GB/s, over an array of ``size`` bytes with all threads."""

def measure_fma_rate(dtype: Literal["float32", "float64"]) -> float:
    """Floating-point operations per second, in GFLOP/s, with all threads at the current target."""

def dtype_names() -> list[str]:
    """The dtypes a plan may name; their order is the index that kernels' ``ints`` use."""
