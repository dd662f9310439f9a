"""The flags that shape how programs are built and run.

A flag is an attribute of :data:`config`. It is set there, or before the first import by the
environment variable ``ARIGNOTE_FLAGS="floatX=float32,threads=2"``; ``THEANO_FLAGS`` is read before
it, and what it names that does not exist here is left alone. A flag of Theano that means nothing
here may be read and set: setting it warns, once, that it has no effect.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Generic, TypeVar, overload

from arignote.bfloat16 import bfloat16_dtype
from arignote.errors import DeviceError
from arignote.theano_flags import DEFAULTS

ValueT = TypeVar("ValueT")

LINKERS: Final = {
    "native": "native",
    "reference": "reference",
    "check": "check",
    "py": "reference",
    "c": "native",
    "c|py": "native",
    "c|py_nogc": "native",
    "cvm": "native",
    "cvm_nogc": "native",
    "vm": "native",
    "vm_nogc": "native",
}
"""What runs functions, by our names and Theano's."""

OPTIMIZERS: Final[dict[str, str | None]] = {
    "fast_run": "fast_run",
    **dict.fromkeys(("fast_compile", "default", "o1", "o2", "o3", "o4", "unsafe"), "fast_run"),
    "merge": None,
    "None": None,
}
"""How graphs are rewritten, by Theano's names: all rules, or None for merging alone."""

MODES: Final[dict[str, str | None]] = {
    "native": "native",
    "reference": "reference",
    "check": "check",
    "FAST_RUN": "native",
    "FAST_COMPILE": "native",
    "DebugMode": "check",
    "DEBUG_MODE": "check",
    "NanGuardMode": None,
    "Mode": None,
}
"""The names of modes, ours and Theano's, and the linkers of those that are no more than one."""


class Flag(Generic[ValueT]):
    """One typed flag: its default, how text becomes a value, and which values it takes."""

    def __init__(
        self, default: ValueT, parse: Callable[[Any], ValueT], allowed: tuple[ValueT, ...] = ()
    ) -> None:
        self.default = default
        self.parse = parse
        self.allowed = allowed
        self.name = ""

    def __set_name__(self, owner: type[Config], name: str) -> None:
        self.name = name
        owner.flags[name] = self

    @overload
    def __get__(self, instance: None, owner: type[Config]) -> Flag[ValueT]: ...
    @overload
    def __get__(self, instance: Config, owner: type[Config]) -> ValueT: ...
    def __get__(self, instance: Config | None, owner: type[Config]) -> Flag[ValueT] | ValueT:
        if instance is None:
            return self
        value: ValueT = instance.values.get(self.name, self.default)
        return value

    def __set__(self, instance: Config, value: ValueT) -> None:
        try:
            parsed = self.parse(value)
        except (TypeError, ValueError):
            raise self._invalid(value) from None
        if self.allowed and parsed not in self.allowed:
            raise self._invalid(value)
        for listener in instance.listeners.get(self.name, ()):
            listener(parsed)
        instance.values[self.name] = parsed

    def _invalid(self, value: Any) -> ValueError:
        hint = f" It must be one of {', '.join(map(str, self.allowed))}." if self.allowed else ""
        return ValueError(
            f'Invalid value ("{value}") for configuration variable "{self.name}".{hint}'
        )


def _boolean(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() in ("true", "1"):
            return True
        if value.lower() in ("false", "0"):
            return False
        raise ValueError(value)
    return bool(value)


DEVICE_NAME: Final = re.compile(r"(?:cuda|gpu)(?P<number>\d{0,4})")
"""The names of devices beside the CPU, ours and Theano's."""


def _device_name(value: Any) -> str:
    if str(value) == "cpu" or DEVICE_NAME.fullmatch(str(value)):
        return str(value)
    raise ValueError(value)


class _DeviceFlag(Flag[str]):
    """The device. A listener opens it, and raises DeviceError if that fails."""

    def __set__(self, instance: Config, value: str) -> None:
        try:
            if str(value).startswith("opencl"):
                raise DeviceError(f'[config] device="{value}": there is no OpenCL backend')
            super().__set__(instance, value)
        except DeviceError as error:
            if instance.force_device:
                hint = "Set force_device=False to run on the CPU instead."
                raise DeviceError(f"{error}. {hint}") from error
            warnings.warn(f"{error}. Running on the CPU.", stacklevel=4)
            super().__set__(instance, "cpu")

    def _invalid(self, value: Any) -> ValueError:
        return ValueError(f"{super()._invalid(value)} It must be cpu, cuda or a name like cuda0.")


def _float_name(value: Any) -> str:
    name = str(value)
    if name == "bfloat16":
        bfloat16_dtype()
    return name


def _thread_count(value: Any) -> int:
    count = int(value)
    if count < 0 or (count != value and not isinstance(value, str)):
        raise ValueError(value)
    return count


class Config:
    """Every flag there is.

    Attributes
    ----------
    floatX
        The dtype of ``T.matrix()`` and its kin, and of an integer divided by an integer.
    threads
        Threads a call may use, the calling one included; 0 means one per available core. Results
        do not depend on it.
    mode
        How :func:`arignote.function` runs a graph when it is given no mode: ``"native"``,
        ``"reference"`` (NumPy, the meaning of every op), ``"check"`` (both, step by step), or one
        of Theano's names for these.
    allow_tf32
        Whether large products of float32 on a CUDA device may be computed in TF32, which is quicker
        and keeps about three of seven digits. A function keeps what held when it was compiled. On a
        device without TF32 it has no effect, and compiling warns; on the CPU it means nothing.
    device, force_device
        Where shared variables are to lie, and what runs functions: ``"cpu"``, ``"cuda"``,
        ``"cuda1"`` and so on; Theano's ``"gpu"`` is the same as ``"cuda"``. One that cannot be used
        is an error unless ``force_device`` is false: then it warns and takes the CPU. (Set
        ``force_device`` first.)
    on_unused_input
        What an input that the graph does not need is: ``"raise"``, ``"warn"`` or ``"ignore"``.
    compute_test_value
        Whether building a node also computes it from ``tag.test_value``: ``"off"``, ``"ignore"``,
        ``"warn"``, ``"raise"``.
    exception_verbosity
        ``"low"``, or ``"high"`` to name operand values in run-time errors.
    profile
        Whether functions count the time of each step from their first call on.
    linker, optimizer, optimizer_excluding, optimizer_including
        What the default mode is made of, as :class:`arignote.Mode` takes it; the names of rules
        have a colon between them.
    NanGuardMode.nan_is_error, NanGuardMode.inf_is_error, NanGuardMode.big_is_error
        What ``NanGuardMode`` looks for when it is not told.

    Examples
    --------
    >>> from arignote.config import config
    >>> config.floatX in ("float16", "bfloat16", "float32", "float64")
    True
    >>> config.floatX = "float99"  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: Invalid value ("float99") for configuration variable "floatX"...
    """

    flags: ClassVar[dict[str, Flag[Any]]] = {}

    floatX = Flag("float64", _float_name, ("float16", "bfloat16", "float32", "float64"))
    threads = Flag(0, _thread_count)
    mode = Flag("native", str, tuple(MODES))
    linker = Flag("native", str, tuple(LINKERS))
    optimizer = Flag("fast_run", str, tuple(OPTIMIZERS))
    optimizer_excluding = Flag("", str)
    optimizer_including = Flag("", str)
    allow_tf32 = Flag(False, _boolean)
    force_device = Flag(True, _boolean)
    device = _DeviceFlag("cpu", _device_name)
    on_unused_input = Flag("raise", str, ("raise", "warn", "ignore"))
    compute_test_value = Flag("off", str, ("off", "ignore", "warn", "raise"))
    exception_verbosity = Flag("low", str, ("low", "high"))
    profile = Flag(False, _boolean)

    def __init__(self) -> None:
        object.__setattr__(self, "values", {})
        object.__setattr__(self, "listeners", {})

    values: dict[str, Any]
    listeners: dict[str, list[Callable[[Any], None]]]

    def __getattr__(self, name: str) -> Any:
        """Return a flag without an attribute of its own: one with a dot, or without effect."""
        if name in self.flags:
            return self.flags[name].__get__(self, Config)
        if name in DEFAULTS:
            return self.values.get(name, DEFAULTS[name])
        if any(known.startswith(f"{name}.") for known in (*self.flags, *DEFAULTS)):
            return _Section(self, name)
        raise self._unknown(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.set(name, value, stacklevel=3)

    def set(self, name: str, value: Any, stacklevel: int = 2) -> None:
        """Set a flag by its name, which may have dots."""
        if name in self.flags:
            self.flags[name].__set__(self, value)
            return
        if name not in DEFAULTS:
            raise self._unknown(name)
        if name not in self.values:
            message = f"[config] {name} is a flag of Theano that has no effect in arignote"
            warnings.warn(message, stacklevel=stacklevel)
        self.values[name] = value

    def _unknown(self, name: str) -> AttributeError:
        from difflib import get_close_matches  # only for this message

        near = get_close_matches(name, (*self.flags, *DEFAULTS), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"ours are {', '.join(self.flags)}"
        return AttributeError(f"no configuration variable {name!r}; {hint}")

    def __repr__(self) -> str:
        return "\n".join(f"{name} = {getattr(self, name)!r}" for name in self.flags)

    def listen(self, name: str, listener: Callable[[Any], None], now: bool = True) -> None:
        """Call ``listener`` with every new value of a flag, and if ``now`` with its present one."""
        self.listeners.setdefault(name, []).append(listener)
        if now:
            listener(getattr(self, name))

    @contextmanager
    def changed(self, **flags: Any) -> Iterator[None]:
        """Set flags within a ``with`` block.

        >>> with config.changed(floatX="float32"):
        ...     print(config.floatX)
        float32
        """
        before = {name: getattr(self, name) for name in flags}
        try:
            for name, value in flags.items():
                self.set(name, value)
            yield
        finally:
            for name, value in before.items():
                self.set(name, value)

    def read_environment(self, text: str, strict: bool) -> None:
        """Set flags from ``name=value,name=value``; unknown names raise when ``strict``."""
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = item.partition("=")
            if name.strip() in self.flags:
                self.set(name.strip(), value.strip())
            elif strict:
                known = ", ".join(self.flags)
                raise ValueError(
                    f"ARIGNOTE_FLAGS names no flag: {name.strip()!r}; there are: {known}"
                )


class _Section:
    """The flags whose names begin with that of the section: ``config.NanGuardMode``."""

    def __init__(self, whole: Config, name: str) -> None:
        object.__setattr__(self, "_place", (whole, name))

    def __getattr__(self, name: str) -> Any:
        whole, section = object.__getattribute__(self, "_place")
        return getattr(whole, f"{section}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        whole, section = object.__getattribute__(self, "_place")
        whole.set(f"{section}.{name}", value, stacklevel=3)


for _name in ("nan_is_error", "inf_is_error", "big_is_error"):
    Flag(True, _boolean).__set_name__(Config, f"NanGuardMode.{_name}")

config = Config()
config.read_environment(os.environ.get("THEANO_FLAGS", ""), strict=False)
config.read_environment(os.environ.get("ARIGNOTE_FLAGS", ""), strict=True)
