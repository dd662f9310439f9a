"""Theano's module names, such as ``theano.compile.mode``, each showing names that live elsewhere.

The tables say where. Modules that are not imported yet are imported when one of their names is
asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

# Whole modules under another name.
ALIASES: Final = {
    "gradient": "arignote.tensor.gradient",
    "ifelse": "arignote.tensor.control",
    "tensor.basic": "arignote.tensor",
    "tensor.elemwise": "arignote.tensor",
    "tensor.extra_ops": "arignote.tensor",
    "tensor.sharedvar": "arignote.tensor.var",
    "tensor.subtensor": "arignote.tensor",
    "tensor.type": "arignote.tensor.var",
    "tensor.nnet.nnet": "arignote.tensor.nnet",
    "tensor.nnet.sigm": "arignote.tensor.nnet",
}

# Modules that show names of others; the empty source is this module.
VIEWS: Final[dict[str, dict[str, str]]] = {
    "compat": {"collections": "OrderedDict"},
    "compat.python2x": {"collections": "OrderedDict"},
    "compile": {
        "arignote.errors": "UnusedInputError",
        "arignote.graph.variable": "SharedVariable Variable",
        "arignote.run.arguments": "In Out",
        "arignote.run.function": "Function function function_dump",
        "arignote.run.mode": "DebugMode Mode MonitorMode NanGuardMode get_default_mode get_mode",
        "arignote.run.shared": "shared",
    },
    "compile.debugmode": {"arignote.run.mode": "DebugMode"},
    "compile.function_module": {
        "arignote.errors": "UnusedInputError",
        "arignote.run.function": "Function",
    },
    "compile.io": {"arignote.run.arguments": "In Out"},
    "compile.mode": {"arignote.run.mode": "Mode get_default_mode get_mode"},
    "compile.monitormode": {"arignote.run.mode": "MonitorMode"},
    "compile.nanguardmode": {"arignote.run.mode": "NanGuardMode"},
    "compile.sharedvalue": {
        "arignote.graph.variable": "SharedVariable",
        "arignote.run.shared": "shared",
    },
    "configdefaults": {"arignote.config": "config"},
    "configparser": {"": "change_flags", "arignote.config": "config"},
    "gof": {
        "arignote.errors": "MissingInputError",
        "arignote.graph.variable": "Constant Variable",
        "arignote.ops.classic": "Apply Op",
        "arignote.run.introspect": "FunctionGraph",
    },
    "gof.fg": {
        "arignote.errors": "MissingInputError",
        "arignote.run.introspect": "FunctionGraph",
    },
    "gof.graph": {
        "arignote.graph.variable": "Constant Variable",
        "arignote.ops.classic": "Apply",
        "arignote.tensor.graphs": "ancestors clone inputs io_toposort is_same_graph",
    },
    "gof.op": {"arignote.ops.classic": "Op", "arignote.tensor.testvalue": "get_test_value"},
    "gpuarray": {"": "pygpu_activated"},
    "gpuarray.dnn": {"": "dnn_available dnn_present"},
    "misc": {},
    "misc.pkl_utils": {"arignote.tensor.archive": "dump load"},
    "sandbox": {},
    "sandbox.cuda": {"": "cuda_available cuda_enabled"},
    "sandbox.cuda.dnn": {"": "dnn_available dnn_present"},
    "sandbox.rng_mrg": {"arignote.tensor.random": "MRG_RandomStreams"},
    "sandbox.softsign": {"arignote.tensor.nnet": "softsign"},
    "scalar": {"arignote.graph.dtypes": "upcast"},
    "scalar.basic": {"arignote.graph.dtypes": "upcast"},
    "scan_module": {},
    "scan_module.scan_utils": {"arignote.tensor.graphs": "clone equal_computations"},
    "tensor.blas": {"": "Gemm Gemv"},
    "tensor.shared_randomstreams": {"arignote.tensor.random": "RandomStreams"},
}

# What programs ask before they would use a GPU through Theano's own backends, of which there are
# none here.
pygpu_activated: Final = False
cuda_available: Final = False
cuda_enabled: Final = False


def dnn_available(*_: Any) -> bool:
    """Return whether Theano's cuDNN backend is there: never.

    >>> dnn_available()
    False
    """
    return False


dnn_present = dnn_available


def change_flags(**flags: Any) -> Any:
    """Return a context manager, or decorator of a function, that sets flags within.

    Parameters
    ----------
    flags
        Names of :data:`arignote.config` and their values.

    Returns
    -------
    context manager
        It puts the old values back.

    Examples
    --------
    >>> from arignote.config import config
    >>> with change_flags(floatX="float32"):
    ...     config.floatX
    'float32'
    """
    return import_module("arignote.config").config.changed(**flags)


def __getattr__(name: str) -> Any:
    if name in ("Gemm", "Gemv"):
        return import_module("arignote.run.introspect").op_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _View(ModuleType):
    """A module that looks its names up where the table says."""

    def __init__(self, name: str, sources: dict[str, str]) -> None:
        super().__init__(name, "Theano's name for what lives elsewhere in arignote.")
        # Submodules are in sys.modules already; the import system wants to see a package
        # nevertheless.
        self.__path__: list[str] = []
        self._sources = {
            shown: source or __name__
            for source, names in sources.items()
            for shown in names.split()
        }
        self.__all__ = tuple(self._sources)

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("_sources", {}):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(self._sources[name]), name)
        setattr(self, name, value)
        return value


def install() -> None:
    """Make the modules of the tables submodules of arignote."""
    for name, real in ALIASES.items():
        _attach(name, import_module(real))
    for name, sources in VIEWS.items():
        _attach(name, _View(f"arignote.{name}", sources))


def _attach(name: str, module: ModuleType) -> None:
    sys.modules[f"arignote.{name}"] = module
    parent, _, last = f"arignote.{name}".rpartition(".")
    setattr(sys.modules[parent], last, module)


class _AliasFinder(MetaPathFinder, Loader):
    """Finds modules below another name for arignote as those of the same path in arignote."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != self.alias:
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module("arignote" + spec.name.removeprefix(self.alias))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just given the module the alias's spec; it keeps its own.
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def alias(name: str) -> None:
    """Make ``import name``, and any import below it, give arignote.

    Parameters
    ----------
    name
        Such as ``"theano"``.

    Examples
    --------
    >>> alias("theano")
    >>> import theano.tensor as T
    >>> T.__name__
    'arignote.tensor'
    """
    for path in [name for name in sys.modules if name.partition(".")[0] == "arignote"]:
        sys.modules[name + path.removeprefix("arignote")] = sys.modules[path]
    if not any(isinstance(item, _AliasFinder) and item.alias == name for item in sys.meta_path):
        sys.meta_path.insert(0, _AliasFinder(name))
