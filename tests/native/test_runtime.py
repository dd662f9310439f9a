"""Calls of hand-written plans: arguments, results, states, segments, host steps, hooks."""

from __future__ import annotations

import gc
import sys
import weakref
from typing import Any, NoReturn

import numpy as np
import pytest

from arignote import _core
from helpers.spec import SpecBuilder


def plus_one(ndim: int = 0, dtype: str = "float64", **options: Any) -> _core.Function:
    builder = SpecBuilder()
    x = builder.input(dtype, ndim)
    one = builder.const(np.ones((1,) * ndim), dtype)
    y = builder.like(x)
    builder.binary("add", x, one, y)
    builder.output(y)
    return builder.function(**options)


def line_fit() -> SpecBuilder:
    """Least squares of m * x + c, by gradient descent: two steps, one output, two scalar states."""
    b = SpecBuilder()
    x, t = b.input(ndim=1), b.input(ndim=1)
    m, c = b.state(), b.state()
    one, zero = b.const_dims(1, 0)
    m1, c1 = b.view(m, [one], [zero], zero), b.view(c, [one], [zero], zero)
    b.check("equal", b.shape_of(x)[0], b.shape_of(t)[0])
    cost, gm, gc_ = b.temp(), b.temp(), b.temp()
    b.elementwise(
        [x, t, m1, c1],
        [
            ("mul", "float64", [0, 2]),
            ("add", "float64", [4, 3]),
            ("sub", "float64", [5, 1]),
            ("sqr", "float64", [6]),
            ("mul", "float64", [6, 0]),
        ],
        [(cost, 7, "sum", 1), (gm, 8, "sum", 1), (gc_, 6, "sum", 1)],
    )
    n, rate = b.scalar(b.shape_of(x)[0], "float64"), b.const(0.02)
    mean, m_new, c_new = b.temp(), b.temp(storage=m), b.temp(storage=c)
    b.elementwise(
        [cost, gm, gc_, m, c, n, rate],
        [
            ("true_div", "float64", [0, 5]),
            ("true_div", "float64", [6, 5]),
            ("mul", "float64", [8, 1]),
            ("sub", "float64", [3, 9]),
            ("mul", "float64", [8, 2]),
            ("sub", "float64", [4, 11]),
        ],
        [(mean, 7, "", 0), (m_new, 10, "", 0), (c_new, 12, "", 0)],
    )
    b.output(mean)
    b.update(m, m_new)
    b.update(c, c_new)
    return b


# --- arguments and results


def test_zero_dimensional_arguments_need_no_array() -> None:
    f = plus_one()
    for value in (np.array(2.5), 2.5, np.float64(2.5)):
        result = f(value)
        assert type(result) is np.ndarray
        assert result.shape == ()
        assert result == 3.5
    g = plus_one(dtype="int64")
    assert g(41) == 42
    assert g(np.int64(-1)) == 0
    assert g(2**63 - 1) == -(2**63)


@pytest.mark.parametrize("value", ["x", None, [1.0], 2**80, 1j, np.complex64(1), np.longdouble(1)])
def test_other_arguments_are_refused_without_a_converter(value: object) -> None:
    for dtype in ("float64", "int64"):
        with pytest.raises(TypeError, match="argument 0"):
            plus_one(dtype=dtype)(value)


@pytest.mark.parametrize("value", [True, 1, 1.0, np.float64(1), np.float32(1), np.array(1), 2**80])
def test_a_strict_input_takes_arrays_of_its_dtype_only(value: object) -> None:
    f = plus_one(conversion="strict")
    assert f(np.array(1.0)) == 2.0
    with pytest.raises(TypeError, match="argument 0"):
        f(value)


def test_every_integer_type_of_numpy_is_its_size() -> None:
    f = plus_one(1, "int64")
    for code in "lq":
        np.testing.assert_array_equal(f(np.arange(3).astype(code)), [1, 2, 3])


def test_wrong_rank_order_alignment_and_pattern_are_refused() -> None:
    f = plus_one(2, conversion="strict")
    raw = np.zeros(8 * 6 + 1, np.uint8)
    misaligned = raw[1:].view("float64").reshape(2, 3)
    for array in (np.ones(3), np.ones((2, 3), ">f8"), misaligned):
        with pytest.raises(TypeError, match="argument 0"):
            f(array)
    builder = SpecBuilder()
    row = builder.input(ndim=2, broadcastable=[True, False])
    out = builder.like(row)
    builder.elementwise([row], [], [(out, 0, "", 0)])
    builder.output(out)
    g = builder.function()
    assert g(np.ones((1, 4))).shape == (1, 4)
    with pytest.raises(TypeError, match="argument 0"):
        g(np.ones((2, 4)))


def test_number_of_arguments_and_keywords() -> None:
    f = plus_one()
    for call in (f, lambda: f(1.0, 2.0), lambda: f(x=1.0), lambda: f(1.0, y=2.0)):
        with pytest.raises(TypeError, match="1 arguments in order"):
            call()
    assert f(*[1.0], **{}) == 2.0


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x,
        lambda x: x.T,
        lambda x: x[::-1],
        lambda x: x[:, ::-2],
        lambda x: np.broadcast_to(x[:1], (5, 4)),
        lambda x: x[:0],
        np.asfortranarray,
    ],
)
def test_strided_inputs(view: Any) -> None:
    x = view(np.arange(24.0).reshape(6, 4))
    got = plus_one(2)(x)
    np.testing.assert_array_equal(got, x + 1)
    assert got.flags.c_contiguous
    assert got.flags.owndata


def test_results_in_each_form() -> None:
    def double(returns: Any) -> Any:
        builder = SpecBuilder()
        x = builder.input()
        outs = [builder.like(x), builder.like(x)]
        program = [("add", "float64", [0, 0]), ("neg", "float64", [0])]
        builder.elementwise([x], program, [(outs[0], 1, "", 0), (outs[1], 2, "", 0)])
        builder.output(*outs)
        return builder.function(returns=returns)(3.0)

    assert double("list") == [6.0, -3.0]
    assert double(("a", 1)) == {"a": 6.0, 1: -3.0}
    with pytest.raises(ValueError, match="returns must be"):
        double("one")
    with pytest.raises(ValueError, match="returns must be"):
        double(("a",))


def test_slow_paths_of_a_subclass() -> None:
    class Converting(_core.Function):
        log: list[Any]

        def _arrange(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> tuple[Any, ...]:
            self.log.append((args, kwargs))
            return args + tuple((kwargs or {}).values())

        def _convert(self, position: int, value: object) -> Any:
            self.log.append((position, value))
            return np.asarray(value, "float64")

        def _fail(self, *failure: Any) -> NoReturn:
            raise LookupError(*failure)

    f = plus_one(1, type_=Converting)
    assert isinstance(f, Converting)
    f.log = []
    np.testing.assert_array_equal(f([1, 2]), [2, 3])
    np.testing.assert_array_equal(f(x=np.ones(2)), [2, 2])
    assert f.log[0] == (0, [1, 2])
    assert f.log[1][0] == ()
    assert list(f.log[1][1]) == ["x"]
    with pytest.raises(TypeError, match="_convert must return an array that fits input 0"):
        f([[1.0]])
    with pytest.raises(TypeError, match="_arrange must return a tuple of 1"):
        f()
    with pytest.raises(ValueError, match="could not convert"):
        f(["x"])


def test_failures_reach_the_subclass() -> None:
    class Failing(_core.Function):
        def _fail(self, *failure: Any) -> NoReturn:
            raise LookupError(*failure)

    x, t = np.ones(3), np.ones(4)
    states = _core.State(np.array(0.5)), _core.State(np.array(0.0))
    f = line_fit().function(*states, type_=Failing)
    with pytest.raises(LookupError) as caught:
        f(x, t)
    kind, step, inner, position, value, other, what, arguments = caught.value.args
    assert (kind, step, inner, position, value, other, what) == ("check", -1, -1, 0, 3, 4, "")
    assert arguments[0] is x
    assert arguments[1] is t

    class Forgetful(_core.Function):
        def _fail(self, *failure: Any) -> None:
            pass

    with pytest.raises(RuntimeError, match="_fail must raise"):
        line_fit().function(*states, type_=Forgetful)(x, t)


# --- states


def test_line_fit_and_no_allocations_in_the_steady_state() -> None:
    m, c = _core.State(np.array(0.5)), _core.State(np.array(0.1))
    f = line_fit().function(m, c)
    x = np.linspace(0, 1, 16)
    t = 3 * x + 1
    slope, intercept = 0.5, 0.1
    for call in range(5):
        residual = slope * x + intercept - t
        cost = f(x, t)
        np.testing.assert_allclose(cost, np.mean(residual**2), rtol=1e-15)
        slope -= 0.02 * np.mean(residual * x)
        intercept -= 0.02 * np.mean(residual)
        np.testing.assert_allclose([m.array, c.array], [slope, intercept], rtol=1e-14)
        assert m.version == c.version == call + 1
    before = _core.allocations()
    for _ in range(10):
        f(x, t)
    assert _core.allocations() == before


def test_state_array_is_one_aligned_object() -> None:
    given = np.arange(6.0).reshape(2, 3)[:, ::-1]
    state = _core.State(given)
    array = state.array
    assert array is state.array
    assert array is not given
    assert array.flags.c_contiguous
    assert array.ctypes.data % 64 == 0
    np.testing.assert_array_equal(array, given)
    borrowed = _core.State(given, borrow=True)
    assert borrowed.array is given
    swapped = _core.State(given.astype(">f8"), borrow=True)
    assert swapped.array.dtype.isnative
    np.testing.assert_array_equal(swapped.array, given)


def test_state_set() -> None:
    state = _core.State(np.zeros(3))
    before = state.array
    state.set(np.ones(5))
    assert state.version == 1
    assert state.array.shape == (5,)
    assert before.shape == (3,)
    new = np.full(2, 7.0)
    state.set(new, borrow=True)
    assert state.array is new
    assert state.version == 2
    copy = state.copy()
    assert copy is not new
    assert (copy == 7).all()
    for wrong in (np.ones(2, "float32"), np.ones((1, 2))):
        with pytest.raises(ValueError, match="dtype and ndim of the state"):
            state.set(wrong)
    with pytest.raises(TypeError, match="must be a NumPy array"):
        state.set([1.0])
    with pytest.raises(TypeError, match="dtype that plans know"):
        _core.State(np.array(["x"]))


def test_set_of_several_states() -> None:
    a, b = _core.State(np.zeros(3)), _core.State(np.array(1.0))
    new = np.ones(2), np.array(2.0)
    _core.State.set_all((a, b), new)
    assert a.array is new[0]
    assert b.array is new[1]
    assert (a.version, b.version) == (1, 1)
    wrong: list[tuple[Any, Any, type[Exception], str]] = [
        ((a, b), (np.zeros(2), np.zeros(1)), ValueError, "dtype and ndim of the state"),
        ((a, b), (np.zeros(2),), ValueError, "arrays must be as many as the states, 2: 1"),
        ((a, a), (np.zeros(2), np.zeros(2)), ValueError, "states must be different ones"),
        ((a, 1), (np.zeros(2), np.zeros(2)), TypeError, "must be of type State"),
        ((a, b), (np.zeros(2), 2.0), TypeError, "must be a NumPy array"),
    ]
    for states, arrays, error, message in wrong:
        with pytest.raises(error, match=message):
            _core.State.set_all(states, arrays)
    assert a.array is new[0]
    assert (a.version, b.version) == (1, 1)


def test_states_of_a_function_are_checked() -> None:
    program = _core.Program(line_fit().spec)
    good = [_core.State(np.array(0.5)), _core.State(np.array(0.5))]
    for states, match in (
        (good[:1], "as many as the program's, 2: 1"),
        ([good[0], good[0]], "must differ"),
        ([good[0], _core.State(np.ones(1))], "state 1 must have dtype float64 and 0 axes"),
        ([good[0], _core.State(np.array(1))], "state 1 must have dtype float64"),
    ):
        with pytest.raises(ValueError, match=match):
            _core.Function(program, states, "one", [False], ["exact"] * 2)
    with pytest.raises(TypeError, match="of type State"):
        _core.Function(program, [good[0], 1], "one", [False], ["exact"] * 2)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="a flag for each of the 1 outputs: 0"):
        _core.Function(program, good, "one", [], ["exact"] * 2)
    with pytest.raises(ValueError, match="a name for each of the 2 inputs: 1"):
        _core.Function(program, good, "one", [False], ["exact"])
    for name in ("none", None):
        with pytest.raises(ValueError, match=f"'floatX' or 'any': {name!r}"):
            _core.Function(program, good, "one", [False], ["exact", name])  # type: ignore[list-item]


def test_swap_of_two_states_takes_temporaries() -> None:
    builder = SpecBuilder()
    a, b = builder.state(ndim=1), builder.state(ndim=1)
    copies = [builder.like(a), builder.like(b)]
    builder.step("copy", [a], copies[:1])
    builder.step("copy", [b], copies[1:])
    builder.update(a, copies[1])
    builder.update(b, copies[0])
    first, second = _core.State(np.arange(3.0)), _core.State(np.arange(5.0) * 2)
    f = builder.function(first, second)
    assert f() == []
    np.testing.assert_array_equal(first.array, np.arange(5.0) * 2)
    np.testing.assert_array_equal(second.array, np.arange(3.0))
    assert first.array.ctypes.data % 64 == 0
    f()
    np.testing.assert_array_equal(first.array, np.arange(3.0))


def growing() -> SpecBuilder:
    """The state takes the input's value and shape; the output is the old state's sum."""
    builder = SpecBuilder()
    x, w = builder.input(ndim=1), builder.state(ndim=1)
    new, total = builder.like(x), builder.temp()
    builder.step("copy", [x], [new])
    builder.elementwise([w], [], [(total, 0, "sum", 1)])
    builder.output(total)
    builder.update(w, new)
    return builder


def test_update_that_changes_the_shape() -> None:
    state = _core.State(np.ones(3))
    f = growing().function(state)
    held = state.array
    assert f(np.full(4, 2.0)) == 3.0
    assert held.shape == (3,)
    assert state.array.shape == (4,)
    same = state.array
    assert f(np.full(4, 5.0)) == 8.0
    assert state.array is same
    assert f(np.ones(1)) == 20.0


def test_read_only_state_cannot_be_updated() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    state = _core.State(array, borrow=True)
    with pytest.raises(RuntimeError, match="readonly"):
        growing().function(state)(np.ones(3))
    assert state.version == 0


def decay() -> SpecBuilder:
    builder = SpecBuilder()
    w, g = builder.state(ndim=1), builder.input(ndim=1)
    new = builder.like(w, storage=w)
    builder.elementwise([w, g], [("sub", "float64", [0, 1])], [(new, 2, "", 0)])
    builder.update(w, new)
    return builder


@pytest.mark.parametrize("part", [slice(None), slice(None, None, -1), slice(0, 100, None)])
def test_input_that_lies_in_an_updated_state_is_copied_first(part: slice) -> None:
    value = np.random.default_rng(0).normal(size=100)
    state = _core.State(value)
    decay().function(state)(state.array[part])
    np.testing.assert_array_equal(state.array, value - value[part])


def test_updates_see_old_values_and_failures_write_none() -> None:
    builder = SpecBuilder()
    w, i = builder.state(ndim=1), builder.input("int64", 1)
    picked = builder.temp("float64", builder.shape_of(i))
    builder.step("take", [w, i], [picked], ints=[1])
    new = builder.like(w, storage=w)
    builder.elementwise([w], [("neg", "float64", [0])], [(new, 1, "", 0)])
    builder.output(picked)
    builder.update(w, new)
    state = _core.State(np.arange(4.0))
    f = builder.function(state)
    np.testing.assert_array_equal(f(np.array([3, -1, 0])), [3, 3, 0])
    with pytest.raises(IndexError, match=r"step 0 failed \(index .*position 1, value 4, other 4"):
        f(np.array([0, 4]))
    np.testing.assert_array_equal(state.array, -np.arange(4.0))
    assert state.version == 1


# --- outputs


def test_borrowed_output_is_one_array() -> None:
    f = plus_one(1, borrow=[True])
    first = f(np.zeros(3))
    assert f(np.ones(3)) is first
    assert (first == 2).all()
    other = f(np.zeros(4))
    assert other is not first
    assert other.shape == (4,)
    # An argument that lies in the array that is to be used again stays what it is.
    third = f(other)
    assert third is not other
    assert (third == 2).all()
    assert (other == 1).all()
    third.flags.writeable = False
    fourth = f(np.ones(4))
    assert fourth is not third
    assert (fourth == 2).all()


def test_borrowed_output_lent_to_a_state() -> None:
    builder = SpecBuilder()
    w = builder.state(ndim=1)
    out = builder.like(w)
    builder.elementwise([w], [("add", "float64", [0, 0])], [(out, 1, "", 0)])
    builder.output(out)
    state = _core.State(np.ones(3))
    f = builder.function(state, borrow=[True])
    state.set(f(), borrow=True)
    assert (f() == 4).all()
    assert (state.array == 2).all()


# --- views, shapes, segments


def test_slice_of_a_data_set_by_an_index() -> None:
    builder = SpecBuilder()
    data, index = builder.state(ndim=2), builder.input("int64")
    size = builder.dim("const", 10)
    rows, cols = builder.shape_of(data)
    start = builder.dim("mul", builder.dim("value", index), size)
    stop = builder.dim("min", builder.dim("add", start, size), rows)
    length = builder.dim("sub", stop, start)
    builder.check("index", start, rows)
    step = builder.dim("stride", data, 0)
    offset = builder.dim("mul", start, step)
    batch = builder.view(data, [length, cols], [step, builder.dim("stride", data, 1)], offset)
    out = builder.temp("float64", [cols])
    builder.elementwise([batch], [], [(out, 0, "sum", 1)])
    builder.output(out)
    value = np.arange(35.0 * 3).reshape(35, 3)
    state = _core.State(value)
    f = builder.function(state)
    for i in (0, 3, 1, 2, 3, 0):
        np.testing.assert_array_equal(f(i), value[10 * i : 10 * i + 10].sum(0))
    for wrong in (-1, 4, 2**62):
        with pytest.raises(RuntimeError, match="check"):
            f(wrong)
    before = _core.allocations()
    for i in (0, 3, 1, 2, 3, 0):
        f(np.array(i))
    assert _core.allocations() == before
    state.set(np.asfortranarray(value)[:, ::-1], borrow=True)
    np.testing.assert_array_equal(f(1), value[10:20, ::-1].sum(0))


def test_shapes_that_come_back_are_still_bound() -> None:
    f = plus_one(1)
    sizes = (3, 5, 1000, 0)
    for size in sizes:
        f(np.ones(size))
    before = _core.allocations()
    for size in sizes * 3:
        np.testing.assert_array_equal(f(np.ones(size)), np.full(size, 2.0))
    assert _core.allocations() == before


def test_reshape_is_an_alias_or_a_copy() -> None:
    builder = SpecBuilder()
    x = builder.input(ndim=2)
    rows, cols = builder.shape_of(x)
    flat = builder.reshape(x, [builder.dim("mul", rows, cols)])
    total = builder.temp("float64", builder.shape_of(flat))
    builder.binary("add", flat, flat, total)
    builder.output(total)
    f = builder.function()
    x_value = np.arange(6.0).reshape(2, 3)
    for value in (x_value, x_value.T, x_value[:, ::-1], x_value[:0]):
        np.testing.assert_array_equal(f(value), value.reshape(-1) * 2)


def test_arena_keeps_what_is_still_read() -> None:
    """Temporaries that are read late: memory is used again, values are not lost."""
    rng = np.random.default_rng(7)
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    buffers, values = [x], [rng.integers(-3, 4, 50).astype("float64")]
    for _ in range(60):
        a, b = rng.integers(max(0, len(buffers) - 12), len(buffers), 2)
        buffers.append(builder.like(x))
        builder.binary(
            "maximum" if rng.random() < 0.5 else "sub", buffers[a], buffers[b], buffers[-1]
        )
        name = builder.spec["steps"][-1]["names"][0]
        values.append({"maximum": np.maximum, "sub": np.subtract}[name](values[a], values[b]))
    outs = []
    for position in rng.choice(len(buffers), 5, replace=False):
        outs.append((builder.like(x), int(position)))
        builder.step("copy", [buffers[position]], [outs[-1][0]])
    builder.output(*(buffer for buffer, _ in outs))
    results = builder.function(returns="list")(values[0])
    for got, (_, position) in zip(results, outs, strict=True):
        np.testing.assert_array_equal(got, values[position])


def positive_part() -> SpecBuilder:
    """x[x > 0], whose length a step computes."""
    b = SpecBuilder()
    x = b.input(ndim=1)
    zero, mask, count = b.const([0.0]), b.temp("bool", b.shape_of(x)), b.temp("int64")
    b.elementwise(
        [x, zero],
        [("gt", "bool", [0, 1])],
        [(mask, 2, "", 0), (count, 2, "sum", 1)],
    )
    length = b.dim("read", count)
    where = b.temp("int64", [length])
    b.step("nonzero", [mask], [where])
    picked = b.temp("float64", [length])
    b.step("take", [x, where], [picked], ints=[1])
    b.output(picked, count)
    return b


def test_length_that_a_step_computes() -> None:
    f = positive_part().function()
    rng = np.random.default_rng(1)
    for size in (0, 1, 10, 10, 1000):
        x = rng.normal(size=size)
        picked, count = f(x)
        np.testing.assert_array_equal(picked, x[x > 0])
        assert count == (x > 0).sum()


def test_check_between_two_segments() -> None:
    builder = positive_part()
    length = next(i for i, row in enumerate(builder.spec["dims"]) if row[0] == "read")
    builder.check("index", length, builder.dim("const", 4))
    f = builder.function()
    assert len(f(np.ones(3))[0]) == 3
    with pytest.raises(RuntimeError, match=r"check .*position 0, value 5, other 4"):
        f(np.ones(5))
    assert len(f(np.ones(2))[0]) == 2


@pytest.mark.parametrize(
    ("op", "a", "b", "expected"),
    [
        ("floordiv", -7, 2, -4),
        ("floordiv", 7, 0, 0),
        ("floordiv", -(2**63), -1, -(2**63)),
        ("mod", -7, 3, 2),
        ("mod", 7, -3, -2),
        ("mod", 5, 0, 0),
        ("add", 2**63 - 1, 1, -(2**63)),
        ("mul", 2**62, 4, 0),
        ("sub", -(2**63), 1, 2**63 - 1),
        ("min", -3, 2, -3),
        ("max", -3, 2, 2),
        ("wrap", -2, 5, 3),
        ("wrap", 4, 5, 4),
        ("eq", 3, 3, 1),
        ("lt", 3, 3, 0),
        ("int8", 300, 0, 44),
        ("int16", 40000, 0, -25536),
        ("int32", 2**31, 0, -(2**31)),
    ],
)
def test_dims(op: str, a: int, b: int, expected: int) -> None:
    builder = SpecBuilder()
    x, y = builder.input("int64"), builder.input("int64")
    result = builder.dim(op, builder.dim("value", x), builder.dim("value", y))
    scalar, out = builder.scalar(result), builder.temp("int64")
    builder.step("copy", [scalar], [out])
    builder.output(out)
    assert builder.function()(a, b) == expected


# --- guards and host steps


def lazy_choice(log: list[str]) -> SpecBuilder:
    builder = SpecBuilder()
    condition, x = builder.input("bool"), builder.input(ndim=1)
    yes, no, out = (builder.like(x) for _ in range(3))

    def branch(name: str, factor: float) -> Any:
        def run(value: Any) -> tuple[Any]:
            log.append(name)
            return (value * factor,)

        return run

    builder.host(branch("yes", 2.0), [x], [yes], guards=[(condition, True)])
    builder.host(branch("no", -1.0), [x], [no], guards=[(condition, False)])
    builder.step("ifelse", [condition, yes, no], [out])
    builder.output(out)
    return builder


def test_only_the_chosen_branch_runs() -> None:
    log: list[str] = []
    f = lazy_choice(log).function()
    np.testing.assert_array_equal(f(np.array(True), np.ones(2)), [2, 2])
    np.testing.assert_array_equal(f(np.bool_(False), np.ones(2)), [-1, -1])
    assert log == ["yes", "no"]


def host_function(call: Any) -> _core.Function:
    builder = SpecBuilder()
    x = builder.input(ndim=1)
    out = builder.like(x)
    builder.host(call, [x], [out])
    builder.output(out)
    return builder.function()


def test_host_step_may_keep_its_inputs() -> None:
    kept = []

    def call(x: Any) -> tuple[Any]:
        kept.append(x)
        return (x[::-1],)

    f = host_function(call)
    for i in range(3):
        np.testing.assert_array_equal(f(np.arange(3.0) + i), np.arange(3.0)[::-1] + i)
    np.testing.assert_array_equal(kept, [np.arange(3.0) + i for i in range(3)])


@pytest.mark.parametrize(
    "result", [None, (), (1.0,), (np.ones(2),), (np.ones(3, "float32"),), (np.ones(3),) * 2]
)
def test_host_step_that_returns_something_else(result: Any) -> None:
    with pytest.raises(RuntimeError, match="a host step must return"):
        host_function(lambda x: result)(np.ones(3))


def test_host_step_that_raises() -> None:
    def call(x: Any) -> NoReturn:
        raise ZeroDivisionError("from the host")

    f = host_function(call)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match="from the host"):
            f(np.ones(3))


def test_host_step_inside_a_call_of_the_same_function() -> None:
    depth = 0

    def call(x: Any) -> tuple[Any]:
        nonlocal depth
        depth += 1
        return (f(x + 1) if depth < 4 else x,)

    f = host_function(call)
    np.testing.assert_array_equal(f(np.zeros(2)), [3, 3])


def test_state_from_inside_a_call_that_updates_it() -> None:
    seen: list[Any] = []

    def call(x: Any) -> tuple[Any]:
        seen.append(state.array.copy())
        for use in (lambda: state.set(np.zeros(2)), state.copy, lambda: f(x)):
            with pytest.raises(RuntimeError, match="inside a call that is updating it"):
                use()
        return (x,)

    builder = SpecBuilder()
    w, x = builder.state(ndim=1), builder.input(ndim=1)
    out, new = builder.like(x), builder.like(w, storage=w)
    builder.host(call, [x], [out])
    builder.elementwise([w], [("neg", "float64", [0])], [(new, 1, "", 0)])
    builder.output(out)
    builder.update(w, new)
    state = _core.State(np.ones(2))
    f = builder.function(state)
    f(np.ones(2))
    assert (seen[0] == 1).all()
    assert (state.array == -1).all()


def test_state_read_from_inside_a_call_that_reads_it() -> None:
    builder = SpecBuilder()
    w = builder.state(ndim=1)
    out = builder.like(w)
    builder.host(lambda x: (x + state.copy(),), [w], [out])
    builder.output(out)
    state = _core.State(np.ones(2))
    assert (builder.function(state)() == 2).all()


# --- hooks and profile


def test_hooks_see_every_step() -> None:
    m, c = _core.State(np.array(0.5)), _core.State(np.array(0.1))
    f = line_fit().function(m, c)
    x = np.linspace(0, 1, 16)
    log: list[Any] = []
    cost = f._run_hooked(
        (x, 3 * x),
        lambda step, inputs: log.append((step, inputs)),
        lambda step, inputs, outputs: log.append((step, inputs, outputs)),
    )
    assert [entry[0] for entry in log] == [0, 0, 1, 1]
    np.testing.assert_array_equal(log[0][1][0], x)
    assert log[0][1] is log[1][1]
    assert log[3][1][3] == 0.5
    assert log[3][2][0] == cost
    assert log[3][2][1] == m.array != 0.5
    assert f._run_hooked((x, 3 * x), None, None) < cost
    with pytest.raises(TypeError, match="as many as the inputs, 2: 1"):
        f._run_hooked((x,), None, None)


@pytest.mark.parametrize("at", [(0, "before"), (0, "after"), (1, "before"), (1, "after")])
def test_hook_that_raises_leaves_states_alone(at: tuple[int, str]) -> None:
    m, c = _core.State(np.array(0.5)), _core.State(np.array(0.1))
    f = line_fit().function(m, c)

    def hook(name: str) -> Any:
        def check(step: int, *arrays: Any) -> None:
            if (step, name) == at:
                raise ArithmeticError("stop")

        return check

    x = np.linspace(0, 1, 16)
    with pytest.raises(ArithmeticError, match="stop"):
        f._run_hooked((x, x), hook("before"), hook("after"))
    assert m.array == 0.5
    assert c.array == 0.1
    assert m.version == 0


def test_profile_counts_while_it_is_on() -> None:
    log: list[str] = []
    f = lazy_choice(log).function()
    nothing = {"calls": 0, "total_ns": 0, "steps": [(0, 0)] * 3}
    assert f.profile_data() == nothing
    f(np.array(True), np.ones(2))
    f.profile(True)
    for _ in range(5):
        f(np.array(True), np.ones(2))
    f.profile(False)
    f(np.array(True), np.ones(2))
    data = f.profile_data()
    assert data["calls"] == 5
    assert [runs for runs, _ in data["steps"]] == [5, 0, 5]
    assert data["total_ns"] >= sum(ns for _, ns in data["steps"]) > 0
    f.profile(True)
    assert f.profile_data() == nothing


# --- life and death of the objects


def test_nothing_leaks() -> None:
    x = np.ones(100)
    f = growing().function(_core.State(np.ones(3)))
    g = plus_one(1)
    sizes = [np.ones(n) for n in (3, 4)]
    failing = plus_one(2)

    def work() -> None:
        for array in sizes:
            f(array)
        g(x)
        with pytest.raises(TypeError):
            failing(x)

    work()
    gc.collect()
    references = sys.getrefcount(x), sys.getrefcount(sizes[0])
    for _ in range(100):
        work()
    assert (sys.getrefcount(x), sys.getrefcount(sizes[0])) == references


def test_cycles_are_collected() -> None:
    class Sub(_core.Function):
        pass

    class Host:
        def __call__(self, x: Any) -> tuple[Any]:
            return (x,)

    host: Any = Host()
    builder = SpecBuilder()
    x = builder.input()
    out = builder.like(x)
    builder.host(host, [x], [out])
    builder.output(out)
    f: Any = builder.function(type_=Sub)
    host.function = f
    f.itself = f
    gone = weakref.ref(f), weakref.ref(host)
    assert f(1.0) == 1.0
    del f, host, builder
    gc.collect()
    assert gone[0]() is None
    assert gone[1]() is None


def test_a_function_must_be_initialised_once() -> None:
    f = _core.Function.__new__(_core.Function)
    for use in (f, lambda: f.program, lambda: f.profile(True), f.profile_data):
        with pytest.raises(RuntimeError, match="__init__ must be called first"):
            use()
    g = plus_one()
    with pytest.raises(RuntimeError, match="only once"):
        g.__init__(g.program, [], "one", [False], ["exact"])  # type: ignore[misc]
    assert isinstance(g.program, _core.Program)
    assert g.states == ()
    assert (g.program.n_inputs, g.program.n_steps, g.program.n_outputs) == (1, 1, 1)
