"""What does not depend on the size of the data: importing, compiling, calling."""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np

from arignote.bench import seeds
from arignote.bench.dialect import Dialect, dialects
from arignote.bench.result import at_most
from arignote.bench.seeds import Digits
from arignote.bench.workload import OURS, Case, SelfTimed, Setup, Workload
from arignote.graph.dtypes import Array
from benchmarks import peers_jax, peers_pytensor, peers_torch

# --- import, above NumPy's


def _import_seconds(module: str, then: str) -> float:
    """Return what a fresh process says that the import takes, once its bytecode is cached."""
    timed = f"""
import time, numpy
start = time.perf_counter()
import {module}
{then}
print(time.perf_counter() - start)
"""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", timed]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return float(done.stdout)


def _importing(module: str, then: str = "") -> Case:
    if find_spec(module) is None:
        raise ModuleNotFoundError(f"No module named {module!r}")
    return SelfTimed(partial(_import_seconds, module, then))


def import_time() -> Workload:
    """Return ``import arignote`` after ``import numpy``, in fresh processes."""
    setups: dict[str, Setup] = {
        OURS: partial(_importing, "arignote"),
        "PyTensor": partial(_importing, "pytensor", "import pytensor.tensor"),
        "JAX": partial(_importing, "jax"),
        "PyTorch": partial(_importing, "torch"),
    }
    return Workload("import, above NumPy's", setups, goals=(at_most(0.15),))


def first_use() -> Workload:
    """Return the import and what the first function loads beside."""
    setups: dict[str, Setup] = {OURS: partial(_importing, "arignote", "arignote.function")}
    return Workload("import and first use, above NumPy's", setups)


# --- building and compiling the softmax training function


def _compiling(setup: Callable[[], Case], with_first_call: bool = False) -> Case:
    """Return a case that sets a program up; some compile it when it is first called."""

    def once() -> None:
        case = setup()
        if with_first_call:
            case.call()

    return Case(once)


def compile_time(tiny: bool) -> Workload:
    """Return the way from Python to a compiled training step of softmax regression."""
    digits = Digits(batches=2, rows=7, features=11, classes=3) if tiny else Digits(batches=2)

    def pytensor() -> Case:
        own = peers_pytensor.dialect(peers_pytensor.C)
        return _compiling(partial(seeds.softmax_step, own, digits))

    setups: dict[str, Setup] = {
        OURS: partial(_compiling, partial(seeds.softmax_step, dialects()[OURS], digits)),
        peers_pytensor.C: pytensor,
        "JAX": lambda: _compiling(partial(peers_jax.softmax_step, digits), with_first_call=True),
    }
    return Workload("build and compile the softmax step", setups, goals=(at_most(0.025),))


# --- calling


def _increment(own: Dialect, value: Array) -> Case:
    x = own.tensor.dscalar("x")
    f = own.function([x], x + 1)
    return Case(partial(f, value), lambda: [np.asarray(f(value))])


def scalar_call() -> Workload:
    """Return a call that has next to nothing to compute."""
    value = np.asarray(0.5)

    def numpy() -> Case:
        return Case(partial(operator.add, value, 1), lambda: [np.asarray(value + 1)])

    def pytensor(contender: str) -> Case:
        return _increment(peers_pytensor.dialect(contender, uses_blas=False), value)

    def jax() -> Case:
        call = partial(peers_jax.jitted(lambda x: x + 1), value)
        return Case(call, lambda: [np.asarray(call())])

    def torch() -> Case:
        tensor = peers_torch.load().from_numpy(value)
        return Case(partial(operator.add, tensor, 1), lambda: [np.asarray(tensor + 1)])

    setups: dict[str, Setup] = {
        OURS: lambda: _increment(dialects()[OURS], value),
        "NumPy": numpy,
        **{name: partial(pytensor, name) for name in peers_pytensor.CONTENDERS},
        "JAX": jax,
        "PyTorch": torch,
    }
    return Workload("x + 1 of a float64 scalar", setups, goals=(at_most(0.6e-6),))


def workloads(tiny: bool) -> list[Workload]:
    """Return all of them."""
    return [import_time(), first_use(), compile_time(tiny), scalar_call()]
