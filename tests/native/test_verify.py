"""Plans that break a rule are refused when they are loaded, with the place and the reason."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from arignote import _core
from helpers.spec import Spec, SpecBuilder

Break = Callable[[SpecBuilder], object]


def sound() -> SpecBuilder:
    """x + x in two steps, the sum of w + x, an update in place, a view, a reshape and a guard."""
    b = SpecBuilder()
    x, w, flag = b.input(ndim=1), b.state(ndim=1), b.input("bool")  # 0 1 2
    first, out = b.like(x), b.like(x)  # 3 4
    b.binary("add", x, x, first)  # step 0
    b.binary("add", first, x, out)  # step 1
    one, zero, eight = b.const_dims(1, 0, 8)
    view = b.view(first, [one], [eight], zero)  # 5
    square = b.reshape(first, [b.shape_of(x)[0], one])  # 6, step 2
    guarded = b.like(x)  # 7
    b.binary("add", x, view, guarded, guards=[(flag, True)])  # step 3
    chosen = b.like(x)  # 8
    b.step("ifelse", [flag, guarded, x], [chosen])  # step 4
    again = b.like(square)  # 9
    b.elementwise([square], [], [(again, 0, "", 0)])  # step 5
    new = b.like(w, storage=w)  # 10
    b.binary("add", w, chosen, new)  # step 6
    b.output(out)
    b.update(w, new)
    return b


X, W, FLAG, FIRST, OUT, VIEW, SQUARE, GUARDED, CHOSEN, AGAIN, NEW = range(11)


def test_the_sound_plan_runs() -> None:
    state = _core.State(np.ones(3))
    f = sound().function(state)
    np.testing.assert_array_equal(f(np.arange(3.0), np.array(True)), np.arange(3.0) * 3)
    np.testing.assert_array_equal(state.array, [1, 2, 3])
    f(np.arange(3.0), np.array(False))
    np.testing.assert_array_equal(state.array, [1, 3, 5])


def put(part: str, index: int, key: str, value: Any) -> Break:
    def change(builder: SpecBuilder) -> None:
        builder.spec[part][index][key] = value

    return change


def step_input(step: int, position: int, buffer: int) -> Break:
    def change(builder: SpecBuilder) -> None:
        builder.spec["steps"][step]["inputs"][position] = buffer

    return change


def append(part: str, *values: Any) -> Break:
    return lambda builder: builder.spec[part].extend(values)


def read_of_guarded(builder: SpecBuilder) -> None:
    flag, count = FLAG, builder.temp("int64")
    builder.step("copy", [builder.scalar(0)], [count], guards=[(flag, True)])
    builder.dim("read", count)


def read_after_write(builder: SpecBuilder) -> None:
    count = builder.temp("int64")
    builder.step("copy", [builder.scalar(0)], [count])
    late = builder.temp("float64", [builder.dim("read", count)])
    builder.elementwise([X], [], [(late, 0, "", 0)])


def shape_too_late(builder: SpecBuilder) -> None:
    count = builder.temp("int64")
    late = builder.temp("float64", [builder.dim("read", count)])
    builder.spec["steps"].insert(0, {**builder.spec["steps"][0], "outputs": [late]})
    builder.spec["steps"].insert(
        1,
        {"kernel": "copy", "inputs": [builder.scalar(0)], "outputs": [count]},
    )


def late_dims(builder: SpecBuilder) -> None:
    count = builder.temp("int64")
    builder.spec["steps"][0]["dims"] = [builder.dim("read", count)]
    builder.spec["steps"].insert(
        1, {"kernel": "copy", "inputs": [builder.scalar(0)], "outputs": [count]}
    )


def take_storage(victim: int, step: int) -> Break:
    """The step's output takes the memory of another buffer."""

    def change(builder: SpecBuilder) -> None:
        old = builder.spec["steps"][step]["outputs"][0]
        new = builder.like(old, storage=victim)
        builder.spec["steps"][step]["outputs"] = [new]
        for ids in [step["inputs"] for step in builder.spec["steps"]] + [builder.spec["outputs"]]:
            ids[:] = [new if buffer == old else buffer for buffer in ids]
        builder.spec["buffers"][old] = {"kind": "scalar", "dtype": "int64", "shape": [], "value": 0}

    return change


def state_read_late(builder: SpecBuilder) -> None:
    builder.binary("add", W, X, builder.like(X))


def window_of_state_read_late(builder: SpecBuilder) -> None:
    zero = builder.dim("const", 0)
    window = builder.view(W, builder.shape_of(W), [zero], zero)
    builder.binary("add", window, X, builder.like(X))


def two_takers(builder: SpecBuilder) -> None:
    a, b = builder.like(FIRST, storage=FIRST), builder.like(FIRST, storage=FIRST)
    builder.spec["steps"].insert(6, {**builder.spec["steps"][0], "inputs": [X, X], "outputs": [a]})
    builder.spec["steps"].insert(7, {**builder.spec["steps"][0], "inputs": [X, X], "outputs": [b]})


def fallible_after_write(builder: SpecBuilder) -> None:
    index = builder.const([0], "int64")
    out = builder.temp("float64", builder.const_dims(1))
    builder.step("take", [X, index], [out], ints=[1])


BROKEN: list[tuple[Break, str]] = [
    # ids
    (append("dims", ("add", 0, 99)), "register 5 must use registers before it: 99"),
    (append("dims", ("add", 5, 0)), "register 5 must use registers before it: 5"),
    (append("dims", ("int8", -1, 0)), "register 5 must use registers before it: -1"),
    (append("dims", ("shape", 99, 0)), "register 5 must name a buffer: 99"),
    (append("dims", ("shape", X, 1)), "register 5 must name an axis: 1"),
    (append("dims", ("shape", FIRST, 0)), "register 5 must ask an input, a state or a constant"),
    (append("dims", ("value", X, 0)), "register 5 must read a 0-d integer"),
    (append("dims", ("read", FLAG, 0)), "register 5 must read a temp"),
    (append("dims", ("read", FIRST, 0)), "register 5 must read a 0-d integer"),
    (append("checks", ("equal", 0, 5)), "check 0 must name a register: 5"),
    (append("checks", ("true", 2**40, 0)), "check 0 must name a register"),
    (append("outputs", 11), "outputs must name a buffer: 11"),
    (append("updates", (11, 0)), "updates must name a buffer: 11"),
    (put("buffers", OUT, "shape", [17]), "buffer 4: shape must name a register: 17"),
    (put("buffers", OUT, "shape", [0] * 17), "buffer 4 must have at most 16 axes"),
    (put("buffers", X, "broadcastable", []), "buffer 0: broadcastable must have one flag per axis"),
    (put("buffers", VIEW, "base", VIEW), "buffer 5: base must be a buffer before it: 5"),
    (put("buffers", VIEW, "offset", -1), "buffer 5: offset must name a register"),
    (put("buffers", VIEW, "strides", []), "buffer 5: strides must have one register per axis"),
    (put("buffers", VIEW, "dtype", "int64"), "buffer 5: base must have the same dtype: float64"),
    (put("buffers", OUT, "storage", 9), "buffer 4: storage must be a buffer before it: 9"),
    (put("buffers", OUT, "storage", X), "buffer 4: storage must be a temp or a state: buffer 0"),
    (step_input(1, 0, 42), "step 1 .elementwise.: inputs must name a buffer: 42"),
    (put("steps", 1, "outputs", [X]), "step 1 .elementwise.: outputs must be temps"),
    (put("steps", 1, "dims", [9]), "step 1 .elementwise.: dims must name a register: 9"),
    (put("steps", 3, "guards", [(77, True)]), "guards must name a buffer: 77"),
    (put("steps", 2, "outputs", [OUT]), "of a reshape step a reshape: buffer 4"),
    (put("steps", 2, "inputs", [X]), "must go from a base to its reshape"),
    # written once, before it is read
    (put("steps", 1, "outputs", [FIRST]), "buffer 3 must be written by one step: 2 write it"),
    (lambda b: b.temp(), "buffer 11 must be written by one step: 0 write it"),
    (step_input(0, 0, OUT), "step 0 .elementwise.: inputs must be written before: buffer 4"),
    (step_input(0, 0, FIRST), "step 0 .elementwise.: inputs must be written before: buffer 3"),
    (step_input(0, 0, VIEW), "step 0 .elementwise.: inputs must be written before: buffer 5"),
    (step_input(1, 0, SQUARE), "step 1 .elementwise.: inputs must be written before: buffer 6"),
    (shape_too_late, "step 0 .elementwise.: the shape of an output must be known by then"),
    (late_dims, "step 0 .elementwise.: dims must be known by then"),
    (read_after_write, "step 7 .copy. may fail|before the first step that writes a state"),
    # guards
    (put("steps", 3, "guards", [(X, True)]), "guards must be 0-d bool: buffer 0"),
    (step_input(4, 2, GUARDED), "step 4 .ifelse. must stand under the guards of what it reads"),
    (step_input(4, 0, CHOSEN), "inputs must be written before: buffer 8"),
    (step_input(5, 0, GUARDED), "step 5 .elementwise. must stand under the guards"),
    (put("steps", 6, "guards", [(FLAG, True)]), "the value must not stand under guards: buffer 10"),
    (put("steps", 1, "guards", [(FLAG, True)]), "outputs must not stand under guards"),
    (read_of_guarded, "must not read what a guarded step computes"),
    # outputs and updates
    (append("outputs", OUT), "outputs must differ: buffer 4"),
    (append("outputs", X), "outputs must be temps with memory of their own: buffer 0"),
    (append("outputs", NEW), "outputs must be temps with memory of their own: buffer 10"),
    (append("updates", (X, OUT)), "update of buffer 0: it must be a state"),
    (append("updates", (W, OUT)), "update of buffer 1: there must be only one"),
    (lambda b: b.spec["updates"].clear(), "is a state, which must be updated by it"),
    (
        lambda b: b.update(b.state("float32", 1), FIRST),
        "the value must have the state's dtype and ndim",
    ),
    (lambda b: b.update(b.state(), FIRST), "the value must have the state's dtype and ndim"),
    (lambda b: b.update(b.state(ndim=1), W), "must not lie in a state that is updated: buffer 1"),
    # memory
    (take_storage(FIRST, 3), "must not be read any more: buffer 5 is, by step 3"),
    (take_storage(FIRST, 4), "must not be read any more: buffer 6 is, by step 5"),
    (take_storage(OUT, 4), "must not be read any more: buffer 4 is, by the end of the call"),
    (two_takers, "buffer 12: its storage buffer 3 must have only one taker"),
    (state_read_late, "must not be read any more: buffer 1 is, by step 7"),
    (window_of_state_read_late, "must not be read any more: buffer 11 is, by step 7"),
    (fallible_after_write, "step 7 .take. may fail, so it must stand before step 6 .elementwise."),
    # kernels
    (put("steps", 0, "kernel", "nonsense"), "step 0 .nonsense. must name a kernel that exists"),
    (put("steps", 0, "names", ["add"]), "step 0 .elementwise. must suit its kernel: names must be"),
    (put("steps", 0, "names", ["ad", ""]), "must name a block operation of its dtypes"),
]


@pytest.mark.parametrize(("change", "match"), BROKEN)
def test_broken_plan_is_refused(change: Break, match: str) -> None:
    builder = sound()
    change(builder)
    with pytest.raises(RuntimeError, match=rf"\[plan\] .*({match})"):
        _core.Program(builder.spec)


def test_a_window_on_the_storage_may_not_be_read_by_the_step_that_takes_it() -> None:
    builder = SpecBuilder()
    w = builder.state(ndim=2)
    rows, cols = builder.shape_of(w)
    strides = [builder.dim("stride", w, 1), builder.dim("stride", w, 0)]
    turned = builder.view(w, [cols, rows], strides, builder.dim("const", 0))
    new = builder.like(w, storage=w)
    builder.binary("add", w, turned, new)
    builder.update(w, new)
    with pytest.raises(RuntimeError, match="must not be read any more: buffer 1 is, by step 0"):
        _core.Program(builder.spec)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda b: b.spec.pop("dims"), ValueError, "the spec must have dims"),
        (lambda b: b.spec.update(dims=7), TypeError, "dims has the wrong type: int"),
        (lambda b: b.spec["dims"].append(("frobnicate", 0, 0)), ValueError, "a known operation"),
        (
            lambda b: b.spec["dims"].append(("const", 2**64, 0)),
            TypeError,
            "dims has the wrong type",
        ),
        (
            lambda b: b.spec["checks"].append(("less", 0, 0)),
            ValueError,
            "equal, index or true: less",
        ),
        (lambda b: b.spec["buffers"].append(3), TypeError, "buffer 11 must be a dict"),
        (lambda b: b.spec["buffers"][0].pop("dtype"), ValueError, "buffer 0 must have dtype"),
        (lambda b: b.spec["buffers"][0].update(kind="x"), ValueError, "a known kind: x"),
        (lambda b: b.spec["buffers"][0].update(dtype="x"), ValueError, "a known dtype"),
        (lambda b: b.spec["buffers"][0].update(shape="ab"), TypeError, "shape has the wrong type"),
        (
            lambda b: b.spec["steps"][0].update(inputs=[2**40]),
            TypeError,
            "inputs has the wrong type",
        ),
        (lambda b: b.spec["steps"][0].update(kernel="host"), TypeError, "host must be callable"),
        (lambda b: b.const(np.ones(3)), None, ""),
    ],
)
def test_a_spec_that_is_none(change: Break, error: type[Exception] | None, match: str) -> None:
    builder = sound()
    change(builder)
    if error is None:
        _core.Program(builder.spec)
        return
    with pytest.raises(error, match=match):
        _core.Program(builder.spec)


def test_a_body_that_holds_itself_is_refused() -> None:
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    out = builder.like(x)
    builder.step("by_rows", [x], [out], ints=[0, 0], body=builder.spec)
    builder.output(out)
    with pytest.raises(ValueError, match="must not have a body inside a body"):
        _core.Program(builder.spec)


def test_sums_of_halves_are_those_of_products() -> None:
    """Others would be rounded after each block."""
    body, builder = SpecBuilder(), SpecBuilder()
    x = body.input("float16", 2)
    copied = body.like(x)
    body.step("copy", [x], [copied])
    body.output(copied)
    rows = builder.input("float16", 2)
    out = builder.like(rows)
    builder.step("by_rows", [rows], [out], ints=[0, 1], body=body.spec)
    builder.output(out)
    with pytest.raises(RuntimeError, match="must add numbers"):
        _core.Program(builder.spec)


@pytest.mark.parametrize("body", [None, 3, [], {}, {"dims": []}])
def test_a_body_that_is_none(body: Any) -> None:
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    out = builder.like(x)
    builder.step("by_rows", [x], [out], ints=[0, 0], body=body)
    builder.output(out)
    with pytest.raises((TypeError, ValueError), match=r"body|dict|must have"):
        _core.Program(builder.spec)


@pytest.mark.parametrize(
    "array", [np.ones(3, "float32"), np.ones((3, 3)).T[:1], np.ones(6)[::2], [1.0], None]
)
def test_a_constant_must_be_a_dense_array_of_its_dtype(array: Any) -> None:
    builder = SpecBuilder()
    constant = builder.const(np.ones(3))
    builder.spec["buffers"][constant]["array"] = array
    with pytest.raises((ValueError, RuntimeError), match="array"):
        _core.Program(builder.spec)


def run_view(shape: list[int], strides: list[int], offset: int, value: Any) -> Any:
    builder = SpecBuilder()
    x = builder.input("float64", value.ndim)
    view = builder.view(
        x, builder.const_dims(*shape), builder.const_dims(*strides), builder.dim("const", offset)
    )
    out = builder.like(view)
    builder.step("copy", [view], [out])
    builder.output(out)
    return builder.function()(value)


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "inside"),
    [
        ([10], [8], 0, True),
        ([10], [-8], 72, True),
        ([3], [-24], 48, True),
        ([2, 2], [40, 8], 0, True),
        ([100], [0], 72, True),
        ([0], [2**62], -(2**62), True),
        ([1], [2**63 - 1], 8, True),
        ([11], [8], 0, False),
        ([10], [8], 8, False),
        ([10], [8], -8, False),
        ([10], [-8], 64, False),
        ([1], [8], 80, False),
        ([2], [2**62], 0, False),
        ([2**40, 2**40], [0, 0], 0, False),
        ([2], [4], 0, False),
        ([1], [8], 4, False),
        ([-1], [8], 0, False),
        ([2**61], [8], 0, False),
        ([3], [-(2**63)], 0, False),
    ],
)
def test_views_lie_inside_their_base(
    shape: list[int], strides: list[int], offset: int, inside: bool
) -> None:
    x = np.arange(10.0)
    if not inside:
        with pytest.raises((RuntimeError, MemoryError), match=r"lie inside|possible shape|^$"):
            run_view(shape, strides, offset, x)
        return
    got = run_view(shape, strides, offset, x)
    strided = np.lib.stride_tricks.as_strided(x[offset // 8 :] if got.size else x, shape, strides)
    np.testing.assert_array_equal(got, strided)


def test_view_of_a_reversed_input_may_reach_back() -> None:
    x = np.arange(10.0)[::-1]
    np.testing.assert_array_equal(run_view([10], [8], -72, x), x[::-1])
    with pytest.raises(RuntimeError, match="view must lie inside"):
        run_view([10], [8], 0, x)


@pytest.mark.parametrize("length", [-1, 2**62, 2**60])
def test_impossible_sizes_are_errors(length: int) -> None:
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    size = builder.dim("const", length)
    middle, out = builder.temp("float64", [size]), builder.temp()
    builder.step("copy", [x], [middle])
    builder.elementwise([middle], [], [(out, 0, "sum", 1)])
    builder.output(out)
    with pytest.raises((RuntimeError, MemoryError)):
        builder.function()(np.ones(3))


def test_declared_shapes_are_checked() -> None:
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    builder.spec["buffers"][x]["shape"] = builder.const_dims(5)
    out = builder.like(x)
    builder.step("copy", [x], [out])
    builder.output(out)
    f = builder.function()
    assert f(np.ones(5)).shape == (5,)
    with pytest.raises(RuntimeError, match="must have the shape that its buffer states"):
        f(np.ones(4))


def test_an_update_in_place_must_have_the_shape_of_the_state() -> None:
    builder = SpecBuilder()
    w, x = builder.state(ndim=1), builder.input(ndim=1)
    new = builder.like(x, storage=w)
    builder.elementwise([x], [], [(new, 0, "", 0)])
    builder.update(w, new)
    state = _core.State(np.zeros(3))
    f = builder.function(state)
    f(np.ones(3))
    with pytest.raises(RuntimeError, match="must be as large as its storage"):
        f(np.ones(4))
    assert (state.array == 1).all()


def garble(rng: random.Random, spec: Spec) -> None:
    """Replaces one number somewhere."""
    numbers: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            if isinstance(value, (bool, np.ndarray)):
                continue
            if isinstance(value, (int, tuple)):
                numbers.append((node, key))
            elif isinstance(value, dict | list):
                visit(value)

    visit(spec)
    node, key = rng.choice(numbers)
    wrong = rng.choice([-1, 0, 1, 2, 3, 5, 8, 11, 100, 2**31, -(2**40)])
    if isinstance(node[key], tuple):
        place = rng.randrange(1, len(node[key])) if isinstance(node[key][0], str) else 0
        node[key] = (*node[key][:place], wrong, *node[key][place + 1 :])
    else:
        node[key] = wrong


def test_no_garbled_plan_crashes() -> None:
    rng = random.Random(0)
    loaded = refused = 0
    for _ in range(1500):
        builder = sound()
        builder.spec = copy.deepcopy(builder.spec)
        for _ in range(rng.randrange(1, 3)):
            garble(rng, builder.spec)
        try:
            f = builder.function(_core.State(np.ones(3)))
            loaded += 1
            f(np.arange(3.0), np.array(rng.random() < 0.5))
        except (RuntimeError, ValueError, TypeError, MemoryError):
            refused += 1
    assert loaded > 50
    assert refused > 500
