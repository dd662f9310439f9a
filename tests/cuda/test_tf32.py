"""Products in TF32: only where they are asked for and a device has them, and told in the plan."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote import ops
from arignote.config import config
from arignote.cuda import selftest
from arignote.cuda.__main__ import main
from arignote.graph.op import NO_PARAMS, Call
from arignote.plan.by_rows import body_of
from arignote.plan.parse import parse
from arignote.plan.plan import Plan
from arignote.run import devices
from arignote.run.compare import allowed_error, compare
from arignote.run.function import Function
from helpers.emulated import emulated
from helpers.products import assert_product, draw, product_on
from helpers.values import Array

LIBRARY = "libcublasLt.so.13"

# A device keeps the library that it has found, so a test takes one that none has had before.
_numbers = itertools.count(500)


@pytest.fixture
def blas(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of the emulated device, with cuBLASLt, and devices enough."""
    module = emulated()
    module.set_devices(1000, 13000)
    module.set_libraries({LIBRARY: []})
    monkeypatch.setattr(devices, "module", module.__name__)
    yield module
    module.set_libraries({})
    module.set_devices(2, 13000)


@pytest.fixture
def name(blas: ModuleType) -> Iterator[str]:
    """The name of a new device, for which functions are made."""
    found = f"cuda{next(_numbers)}"
    with config.changed(device=found):
        yield found


def tf32(array: Array) -> Array:
    """Round to TF32: adding a number 2 ** 13 times as large, in effect, leaves ten digits."""
    large = array * np.float32((1 << 13) + 1)
    return np.asarray(large - (large - array))


def is_product_of_tf32(found: Array, a: Array, b: Array) -> bool:
    exact = tf32(a).astype("float64") @ tf32(b).astype("float64")
    scale = np.abs(a).astype("float64") @ np.abs(b)
    return bool(np.all(np.abs(found - exact) <= 1e-6 * scale))


def product(mode: Any = None, dtype: str = "float32") -> Function:
    x, y = T.matrix("x", dtype), T.matrix("y", dtype)
    return theano.function([x, y], T.dot(x, y), mode=mode)


def steps_of(plan: Plan) -> list[str]:
    """Return the names of all steps, those of bodies in place of the step that has one."""
    found: list[str] = []
    for step in plan.steps:
        body = body_of(step.params)
        found += [step.op] if body is None else steps_of(body)
    return found


A, B = draw("float32", 300, 250), draw("float32", 250, 290)


def test_operands_are_rounded_where_a_step_says_so(blas: ModuleType) -> None:
    device = blas.open(next(_numbers))
    plain, rounded = product_on(device, A, B), product_on(device, A, B, tf32=True)
    assert_product(plain, A, B)
    assert not is_product_of_tf32(plain, A, B)
    assert_product(rounded, A, B, is_tf32=True)
    assert is_product_of_tf32(rounded, A, B)
    # A small one is by a kernel of our own.
    assert_product(product_on(device, A[:20], B, tf32=True), A[:20], B)


def test_it_is_off_unless_it_is_allowed(name: str) -> None:
    assert not config.allow_tf32
    f = product()
    assert "dot_tf32" not in steps_of(f.plan)
    assert_product(f(A, B), A, B)


def test_a_function_keeps_what_held_when_it_was_compiled(name: str) -> None:
    before = product()
    with config.changed(allow_tf32=True):
        allowed = product()
        assert not is_product_of_tf32(before(A, B), A, B)
    assert steps_of(allowed.plan) == ["to_device", "to_device", "dot_tf32", "to_host"]
    assert "device dot_tf32 x_device y_device -> " in str(allowed.plan)
    assert parse(str(allowed.plan)) == allowed.plan
    assert is_product_of_tf32(allowed(A, B), A, B)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32"])
def test_other_types_have_none(name: str, dtype: str) -> None:
    with config.changed(allow_tf32=True):
        assert "dot_tf32" not in steps_of(product(dtype=dtype).plan)


def test_products_of_row_blocks_have_it(name: str) -> None:
    data = theano.shared(A, "data")
    w, index = theano.shared(B / 16, "w"), T.lscalar("index")
    cost = T.sqr(T.tanh(T.dot(data[index:], w))).sum()
    with config.changed(allow_tf32=True):
        f = theano.function([index], cost, updates=[(w, w - T.grad(cost, w))])
    assert any(step.op == "by_rows" for step in f.plan.steps)
    assert steps_of(f.plan).count("dot_tf32") == 2
    assert "dot" not in steps_of(f.plan)
    wanted = np.sum(np.tanh(A.astype("float64") @ (B / 16)) ** 2)
    np.testing.assert_allclose(f(0), wanted, rtol=2.0**-9)


def test_what_runs_on_the_host_has_none(name: str) -> None:
    x, y = T.cmatrix("x"), T.fmatrix("y")
    host = T.dot(y, y) + x
    with config.changed(allow_tf32=True):
        f = theano.function([x, y], host)
        with config.changed(device="cpu"):
            g = product()
    steps = [(step.op, step.device) for step in (*f.plan.steps, *g.plan.steps)]
    assert [device for op, device in steps if op == "dot_tf32"] == []
    assert ("dot", False) in steps


def test_check_mode_allows_for_it_and_for_no_more(name: str) -> None:
    """Here all operands are rounded downwards, as far as can be."""
    a = np.full((256, 256), 1 + 2.0**-11 - 2.0**-20, "float32")
    with config.changed(allow_tf32=True):
        found = product("check")(a, a)
    wanted = a @ a
    step = Call(NO_PARAMS, (T.fmatrix().type,) * 2, (T.fmatrix().type,))
    plain, allowed = (
        allowed_error(op, step, [a, a], 0, wanted) for op in (ops.dot_op, ops.dot_tf32_op)
    )
    assert compare(found, wanted, plain) is not None
    assert compare(found, wanted, allowed) is None
    assert compare(wanted * np.float32(1 - 2.0**-8), wanted, allowed) is not None


# --- where there is none


@pytest.mark.parametrize(
    ("libraries", "capability", "why"),
    [
        ({}, 90, "cuBLASLt is not used: not found"),
        ({LIBRARY: []}, 75, "its compute capability is less than 8.0"),
    ],
)
def test_a_device_without_it_warns_and_says_so(
    blas: ModuleType,
    libraries: dict[str, list[str]],
    capability: int,
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    blas.set_libraries(libraries)
    blas.set_devices(1000, 13000, capability)
    name = f"cuda{next(_numbers)}"
    with config.changed(device=name, allow_tf32=True):
        with pytest.warns(UserWarning, match=f"allow_tf32 has no effect on {name}: {why}"):
            f = product()
        with warnings.catch_warnings(), config.changed(allow_tf32=False):
            warnings.simplefilter("error")
            product()
    assert "dot_tf32" not in steps_of(f.plan)
    assert_product(f(A, B), A, B)
    assert main(["info", "--device", name]) == 0
    assert f"tf32: not there: {why}" in capsys.readouterr().out


def test_a_device_that_has_it_says_so(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--device", name]) == 0
    assert "tf32: there, if config.allow_tf32 is set" in capsys.readouterr().out


@pytest.mark.slow
def test_the_selftest_tries_it_where_it_is(name: str, blas: ModuleType) -> None:
    (part,) = [part for part in selftest.parts() if part.name == "products in TF32"]
    before = blas.calls().get("cublasLtMatmul", 0)
    outcome = selftest.attempt(part)
    assert (outcome.problems, outcome.host) == ([], 0)
    assert blas.calls()["cublasLtMatmul"] > before
    with config.changed(device="cuda0"):
        blas.set_libraries({})
        assert "products in TF32" not in [part.name for part in selftest.parts()]
