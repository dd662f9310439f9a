"""Symbolic expressions in the language of Theano, compiled in milliseconds and run at memory speed.

``import arignote as theano`` runs a Theano program; so does ``python -m arignote run script.py``
without any change to it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from arignote.config import config as config

# isort: split
from arignote import aliases
from arignote import printing as printing
from arignote import tensor as tensor
from arignote.aliases import change_flags as change_flags
from arignote.graph.variable import Constant as Constant
from arignote.graph.variable import Variable as Variable
from arignote.ops.classic import Apply as Apply
from arignote.ops.classic import Op as Op
from arignote.printing import pp as pp
from arignote.tensor import Lop as Lop
from arignote.tensor import Rop as Rop
from arignote.tensor import dot as dot
from arignote.tensor import grad as grad
from arignote.tensor import gradient as gradient
from arignote.tensor.graphs import clone as clone

if TYPE_CHECKING:
    from arignote.run.arguments import In as In
    from arignote.run.arguments import Out as Out
    from arignote.run.explain import explain as explain
    from arignote.run.function import Function as Function
    from arignote.run.function import function as function
    from arignote.run.function import function_dump as function_dump
    from arignote.run.mode import Mode as Mode
    from arignote.run.native import release_memory as release_memory
    from arignote.run.shared import shared as shared

__version__ = "0.1.0"

# Where the names live that are imported when they are first used: building a graph needs none of
# them.
_RUN = {
    "In": "arguments",
    "Out": "arguments",
    "explain": "explain",
    "Function": "function",
    "function": "function",
    "function_dump": "function",
    "Mode": "mode",
    "release_memory": "native",
    "shared": "shared",
}

aliases.install()


def _open_device(name: str) -> None:
    if name != "cpu":
        import_module("arignote.run.devices").open_device(name)


# One that the environment names is opened by its first use.
config.listen("device", _open_device, now=False)


def __getattr__(name: str) -> Any:
    if name not in _RUN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"arignote.run.{_RUN[name]}"), name)
    globals()[name] = value
    return value
