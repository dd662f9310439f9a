"""Bad input: what each mistake raises, what it says, and that no shared variable has changed.

Wrong arguments by themselves are the subject of ``test_arguments.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.errors import IndexRangeError, ShapeError
from arignote.graph.variable import SharedVariable, Variable
from arignote.graph.walk import free_inputs
from arignote.run.function import Function
from helpers.tolerance import assert_close

Array = npt.NDArray[Any]


def told(error: BaseException) -> str:
    """Return the text of an error with its notes."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def line_of(part: str) -> str:
    """Return how errors name the line of this file that holds some text."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    numbers = [k for k, line in enumerate(lines, 1) if part in line and "line_of(" not in line]
    assert len(numbers) == 1, part
    return f'The node was built at: File "{__file__}", line {numbers[0]}, in '


@dataclass
class Model:
    """Softmax regression, with steps on arrays and on slices of a shared data set."""

    train: Function
    train_batch: Function
    predict: Function
    states: Sequence[SharedVariable]
    labels: SharedVariable

    def values(self) -> list[Array]:
        return [state.get_value() for state in self.states]


def softmax_regression(mode: str) -> Model:
    rng = np.random.default_rng(1)
    x, y, index = T.dmatrix("x"), T.lvector("y"), T.lscalar("index")
    w = theano.shared(rng.normal(size=(4, 3)), "W")
    b = theano.shared(np.zeros(3), "b")
    data = theano.shared(rng.normal(size=(10, 4)), "data")
    labels = theano.shared(rng.integers(0, 3, 10), "labels")
    product = T.dot(x, w)  # the product
    p = T.nnet.softmax(product + b)  # the sum
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])  # the choice of likelihoods
    updates = [(item, item - 0.1 * T.grad(cost, item)) for item in (w, b)]
    part = slice(index * 5, (index + 1) * 5)
    return Model(
        theano.function([x, y], cost, updates=updates, mode=mode, name="train"),
        theano.function(
            [index], cost, updates=updates, givens={x: data[part], y: labels[part]}, mode=mode
        ),
        theano.function([x], T.argmax(p, axis=1), mode=mode),
        [w, b, data, labels],
        labels,
    )


@pytest.fixture(params=["native", "check", "reference"])
def model(request: pytest.FixtureRequest) -> Model:
    """A model in each mode."""
    return softmax_regression(request.param)


def refused(
    model: Model, error: type[Exception], message: str, call: Callable[[], object]
) -> BaseException:
    """Make a call that must fail and return its error; the model must be as it was."""
    before = model.values()
    with pytest.raises(error, match=message) as caught:
        call()
    for found, wanted in zip(model.values(), before, strict=True):
        np.testing.assert_array_equal(found, wanted)
    return caught.value


X, Y = np.ones((5, 4)), np.array([0, 1, 2, 0, 1])


# --- labels


@pytest.mark.parametrize("label", [3, 100, -4, -100, 2**40, 2**63 - 1, -(2**63)])
def test_a_label_out_of_range(model: Model, label: int) -> None:
    labels = np.array([0, 1, 2, label, 1])
    error = refused(model, IndexError, str(label), lambda: model.train(X, labels))
    text = told(error)
    assert f"index {label} is out of bounds for" in text
    assert "size 3" in text
    assert "Plan step: " in text
    assert line_of("# the choice of likelihoods") in text
    assert isinstance(error, IndexRangeError)
    assert isinstance(error, ValueError)
    assert f"index {label} is out of bounds for size 3: element 3 of the labels" in text
    assert "The call was given:" in text
    assert "shared W: float64 of shape (4, 3)" in text


def test_a_label_in_the_shared_data(model: Model) -> None:
    model.labels.set_value(np.array([0] * 7 + [3, 0, 0]))
    model.train_batch(0)
    refused(model, IndexError, "index 3 is out of bounds", lambda: model.train_batch(1))
    model.train_batch(0)


def test_labels_may_count_from_the_end(model: Model) -> None:
    first = model.values()[:2]
    cost = model.train(X, Y)
    after = model.values()[:2]
    for state, value in zip(model.states, first, strict=False):
        state.set_value(value)
    again = model.train(X, Y - 3)
    assert_close(again, cost)
    for found, wanted in zip(model.values()[:2], after, strict=True):
        assert_close(found, wanted, scale=1)


def test_more_labels_than_rows(model: Model) -> None:
    refused(model, IndexError, "index 5 is out of bounds", lambda: model.train(X, [0] * 6))


# --- shapes


def test_shapes_that_do_not_fit_in_a_product(model: Model) -> None:
    error = refused(
        model,
        ValueError,
        r"\[dot\] shapes not aligned: a.shape\[1\] must equal b.shape\[0\]: 3 != 4",
        lambda: model.train(np.ones((5, 3)), Y),
    )
    assert isinstance(error, ShapeError)
    assert line_of("# the product") in told(error)


def test_the_call_is_told_with_its_shapes() -> None:
    model = softmax_regression("native")
    error = refused(model, ValueError, "not aligned", lambda: model.train(np.ones((5, 3)), Y))
    assert told(error).endswith(
        "The call was given:\n"
        "  input x: float64 of shape (5, 3)\n"
        "  input y: int64 of shape (5,)\n"
        "  shared W: float64 of shape (4, 3)\n"
        "  shared b: float64 of shape (3,)"
    )
    with config.changed(exception_verbosity="high"):
        error = refused(model, ValueError, "not aligned", lambda: model.train(np.ones((5, 3)), Y))
    assert "  input y: int64 of shape (5,) = array([0, 1, 2, 0, 1])" in told(error)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros(4), r"\[add\] Input dimension mis-match. \(input\[0\].shape\[1\] = 3, "),
        (np.zeros(0), r"\(input\[0\].shape\[1\] = 3, input\[1\].shape\[1\] = 0\)"),
        (np.zeros(1), r"\(input\[0\].shape\[1\] = 3, input\[1\].shape\[1\] = 1\)"),
    ],
)
def test_a_variable_that_was_resized(model: Model, value: Array, message: str) -> None:
    bias = model.states[1]
    before = bias.get_value()
    bias.set_value(value)
    error = refused(model, ValueError, message, lambda: model.train(X, Y))
    assert line_of("# the sum") in told(error)
    refused(model, ValueError, message, lambda: model.predict(X))
    bias.set_value(before)
    model.train(X, Y)


def test_weights_that_were_resized(model: Model) -> None:
    model.states[0].set_value(np.zeros((3, 3)))
    refused(model, ValueError, "must equal b.shape.0.: 4 != 3", lambda: model.train(X, Y))
    model.states[0].set_value(np.zeros((4, 2)))
    refused(model, ValueError, "Input dimension mis-match", lambda: model.train_batch(0))


def test_data_that_was_resized(model: Model) -> None:
    """Slices take what there is; labels of rows that are not there are refused."""
    data = model.states[2]
    data.set_value(np.ones((7, 4)))
    model.train_batch(0)
    refused(
        model, IndexError, "index 4 is out of bounds for the 2 rows", lambda: model.train_batch(1)
    )
    data.set_value(np.ones((10, 5)))
    refused(model, ValueError, "not aligned", lambda: model.train_batch(0))


def pair(name: str) -> Any:
    return T.dmatrices(f"{name}0", f"{name}1")


MISFITS: dict[str, tuple[Callable[[Any, Any], Any], tuple[Any, Any], str]] = {
    "elementwise": (
        lambda x, y: x * y,
        ((2, 3), (2, 4)),
        r"\[mul\] Input dimension mis-match. \(input\[0\].shape\[1\] = 3, input\[1\].* = 4\)",
    ),
    "a fused chain": (
        lambda x, y: T.exp(x + 1) - T.tanh(y),
        ((2, 3), (3, 3)),
        r"\[sub\] Input dimension mis-match. \(input\[0\].shape\[0\] = 2, input\[1\].* = 3\)",
    ),
    "dot": (
        T.dot,
        ((2, 3), (2, 3)),
        r"\[dot\] shapes not aligned: a.shape\[1\] must equal b.shape\[0\]: 3 != 2",
    ),
    "a vector and a matrix": (
        lambda x, y: T.dot(x[0], y),
        ((2, 3), (2, 3)),
        r"\[dot\] shapes not aligned: a.shape\[0\] must equal b.shape\[0\]: 3 != 2",
    ),
    "join": (lambda x, y: T.concatenate([x, y]), ((2, 3), (2, 4)), r"\[join\] .* 4"),
    "reshape": (
        lambda x, y: x.reshape((4, 2)) + y.sum(),
        ((2, 3), (1, 1)),
        r"\[reshape\] cannot reshape array of size 6 into a shape of size 8",
    ),
    "a written slice": (
        lambda x, y: T.set_subtensor(x[1:], y),
        ((3, 3), (1, 3)),
        r"\[slice_update\] ",
    ),
    "written rows": (lambda x, y: T.inc_subtensor(x[[0, 1]], y), ((3, 3), (3, 3)), r"\[put\] "),
    "an index": (
        lambda x, y: x[2] + y[0],
        ((2, 3), (2, 3)),
        r"\[subtensor\] index out of bounds, index 2 is out of bounds for size 2 \(dimension 0\)",
    ),
    "an index from the end": (
        lambda x, y: x[-3] + y[0],
        ((2, 3), (2, 3)),
        r"\[subtensor\] index out of bounds, index -3 is out of bounds for size 2 \(dimension 0\)",
    ),
    "the largest of nothing": (
        lambda x, y: x.max(axis=0) + y.sum(),
        ((0, 3), (1, 1)),
        r"\[max\] x must not be empty along axis 0, over which it is reduced",
    ),
    "a dimension that must have length one": (
        lambda x, y: T.addbroadcast(x, 0) + y,
        ((2, 3), (2, 3)),
        r"Dimension 0 in Rebroadcast's input was supposed to be 1 \(got 2 instead\)",
    ),
    "a specified shape": (
        lambda x, y: T.specify_shape(x, (2, 4)) + y,
        ((2, 3), (2, 4)),
        r"\[specify_shape\] ",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
@pytest.mark.parametrize("mode", ["native", "check", "reference"])
def test_misfits(name: str, mode: str) -> None:
    build, shapes, message = MISFITS[name]
    x, y = pair("x")
    w = theano.shared(np.zeros(3), "w")
    result = build(x, y)
    f = theano.function([x, y], result, updates=[(w, w + x.sum())], mode=mode)
    error = IndexError if "index" in name else ValueError
    with pytest.raises(error, match=message) as caught:
        f(*map(np.ones, shapes))
    assert w.get_value().tolist() == [0, 0, 0]
    assert f'The node was built at: File "{__file__}", line ' in told(caught.value)


@pytest.mark.parametrize("mode", ["native", "check", "reference"])
def test_a_misfit_in_an_update(mode: str) -> None:
    x, w, v = T.dvector("x"), theano.shared(np.zeros(3), "w"), theano.shared(0.0, "v")
    f = theano.function([x], [], updates=[(v, v + x.sum()), (w, w + x)], mode=mode)
    message = (
        r"\[add\] Input dimension mis-match. \(input\[0\].shape\[0\] = 3, input\[1\].shape\[0\] = 2"
    )
    with pytest.raises(ValueError, match=message):
        f([1.0, 2.0])
    assert (v.get_value(), w.get_value().tolist()) == (0, [0, 0, 0])
    f([1.0, 2.0, 3.0])
    assert (v.get_value(), w.get_value().tolist()) == (6, [1, 2, 3])


@pytest.mark.parametrize("mode", ["native", "check", "reference"])
def test_selections_out_of_range(mode: str) -> None:
    x, i = T.dvector("x"), T.lvector("i")
    w = theano.shared(np.zeros(2), "w")
    read = theano.function([x, i], x[i], updates=[(w, w + 1)], mode=mode)
    written = theano.function([x, i], T.inc_subtensor(x[i], 1), updates=[(w, w + 1)], mode=mode)
    for f in (read, written):
        for index, size in [([0, 3], 3), ([-4], 3), ([0], 0), ([2**62], 3)]:
            text = (
                rf"\[(take|put)\] index out of bounds, index {index[-1]} is out of bounds for size "
                f"{size}: element {len(index) - 1} of a selection"
            )
            with pytest.raises(IndexRangeError, match=text) as caught:
                f(np.ones(size), index)
            assert f"input x: float64 of shape ({size},)" in told(caught.value)
    assert w.get_value().tolist() == [0, 0]
    assert read([1.0, 2.0], [-1, -2, 0]).tolist() == [2, 1, 1]
    assert read(np.ones(0), np.zeros(0, "int64")).tolist() == []


@pytest.mark.parametrize("mode", ["native", "check", "reference"])
@pytest.mark.parametrize("index", [3, 2**63 - 1, 2**63, 2**64 - 1])
def test_unsigned_selections_are_told_as_they_are(mode: str, index: int) -> None:
    x, i = T.dmatrix("x"), T.TensorType("uint64", (False,))("i")
    likelihoods = T.log(T.nnet.softmax(x))[T.arange(i.shape[0]), i]
    for result in (x[i], T.inc_subtensor(x[i], 1), likelihoods):
        f = theano.function([x, i], result, mode=mode)
        with pytest.raises(IndexRangeError, match=rf"index {index} is out of bounds for size 3"):
            f(np.ones((3, 3)), np.array([0, index, 1], "uint64"))


def test_more_memory_than_there_is() -> None:
    n, w = T.lscalar("n"), theano.shared(0.0, "w")
    f = theano.function([n], T.zeros((n, n)).sum(axis=0), updates=[(w, w + 1)])
    g = theano.function([n], T.exp(T.arange(n)), updates=[(w, w + 1)])
    with pytest.raises(MemoryError):
        g(2**58)
    for size in (2**31, 2**62, 2**63 - 1):
        text = rf"an array of shape \({size}, {size}\) and dtype float64 needs more memory than"
        with pytest.raises(MemoryError, match=text) as caught:
            f(size)
        assert "input n: int64 of shape ()" in told(caught.value)
        assert "test_bad_input.py" in told(caught.value)
    with pytest.raises(ShapeError, match=r"\[alloc\] shape\[0\] must not be negative: -2"):
        f(-2)
    assert w.get_value() == 0
    assert f(2).tolist() == [0, 0]


M, N, S = T.lscalar("m"), T.lscalar("n"), T.dscalar("s")
V, L = T.dvector("v"), T.lvector("l")
# What is built, and what it says to which arguments.
IMPOSSIBLE: dict[str, tuple[Variable, list[tuple[tuple[Any, ...], str]]]] = {
    "reshape": (
        V.reshape((M, N)),
        [
            (([1.0], -5, 2), r"\[reshape\] shape\[0\] must be a length or -1: -5"),
            (([1.0], 1, -2), r"\[reshape\] shape\[1\] must be a length or -1: -2"),
            (([1.0], -1, -1), r"\[reshape\] at most one dim may be -1: \(m, n\)"),
            (([1.0], 2**33, 2**33), r"\[reshape\] shape must have fewer than 2\*\*63 elements"),
            (([], 2**32, 2**32), r"\[reshape\] shape must have fewer than 2\*\*63 elements"),
            (([1.0], 3, 2), r"cannot reshape array of size 1 into a shape of size 6: \(m, n\)"),
        ],
    ),
    "reshape to a vector": (
        V.reshape(L, ndim=2),
        [(([1.0], [1] * count), f"must be the specified one: {count} != 2") for count in (1, 3)],
    ),
    "arange": (
        T.arange(S),
        [((x,), r"\[arange\] \(stop - start\) / step") for x in (np.inf, np.nan, 1e300)],
    ),
    "arange to both sides": (
        T.arange(-M, M),
        [((x,), r"\[arange\] \(stop - start\) / step") for x in (2**62, 2**62 + 1, 2**63 - 1)],
    ),
    "arange of integers": (
        T.arange(M, N, 2**62),
        [((-(2**63), 2**63 - 1), r"\[arange\] \(stop - start\) / step")],
    ),
    "arange in floats": (
        T.arange(0.0, 5.0, S),
        [((x,), r"\[arange\] \(stop - start\) / step") for x in (0.0, np.nan, 1e-300)],
    ),
    "arange to floats": (
        T.arange(0, 5, M, dtype="float32"),
        [((0,), r"\[arange\] step must not be zero")],
    ),
    "eye": (T.eye(M), [((-3,), "n must not be negative: -3")]),
    "eye of columns": (T.eye(2, M), [((-3,), "m must not be negative: -3")]),
}


@pytest.mark.parametrize("mode", ["native", "reference"])
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_lengths(name: str, mode: str) -> None:
    result, cases = IMPOSSIBLE[name]
    w = theano.shared(0.0, "w")
    f = theano.function(free_inputs([result]), result, updates=[(w, w + 1)], mode=mode)
    for arguments, text in cases:
        with pytest.raises(ShapeError, match=text) as caught:
            f(*arguments)
        assert "test_bad_input.py" in told(caught.value)
        assert "The call was given" in told(caught.value)
    assert w.get_value() == 0


@pytest.mark.parametrize("stop", [np.inf, -np.inf, np.nan, 2.0**62])
def test_impossible_ranges_of_constants_are_told_when_they_are_built(stop: float) -> None:
    with pytest.raises(ValueError, match=r"\[arange\] \(stop - start\) / step must be finite"):
        T.arange(stop)


def test_lengths_that_are_possible() -> None:
    both_sides = theano.function([M], T.arange(-M, M))
    assert both_sides(2).tolist() == [-2, -1, 0, 1]
    assert both_sides(-2).tolist() == []
    reshape = theano.function([V, M, N], V.reshape((M, N)))
    assert reshape(np.ones(6), -1, 2).shape == (3, 2)
    assert reshape([], 2**32, 0).shape == (2**32, 0)
    by_float = theano.function([S], T.arange(0.0, 2.0, S))
    assert by_float(0.5).tolist() == [0, 0.5, 1, 1.5]
    assert by_float(-0.5).tolist() == by_float(np.inf).tolist()[1:] == []
    assert theano.function([M], T.arange(0, 5, M, dtype="float32"))(2).tolist() == [0, 2, 4]
    assert theano.function([M], T.eye(M))(0).shape == (0, 0)


def test_the_op_whose_result_needs_the_memory_is_named() -> None:
    n, w = T.lscalar("n"), theano.shared(np.zeros(2), "w")
    output = theano.function([n], T.arange(n))
    between = theano.function([n], T.arange(n)[::-1].sum())
    resized = theano.function([n], [], updates=[(w, T.arange(n) * 1.0)])
    for f in (output, between, resized):
        for size in (2**45, 2**60):
            with pytest.raises(MemoryError, match=rf"\[arange\] an array of shape \({size},\)"):
                f(size)
        f(3)
    assert w.get_value().tolist() == [0, 1, 2]


def test_memory_that_a_step_needs_for_itself() -> None:
    x, y, w = T.dmatrix("x"), T.lvector("y"), theano.shared(np.zeros((0, 3)), "w")
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(T.dot(x, w)), y).mean()
    f = theano.function([x, y], cost, updates=[(w, w - T.grad(cost, w))])
    for columns in (2**38, 2**58):
        w.set_value(np.zeros((0, columns)))
        with pytest.raises(MemoryError, match=r"^\[function\] a call needs more memory than"):
            f(np.zeros((5, 0)), [0, 1, 2, 3, 4])
    w.set_value(np.zeros((0, 5)))
    assert abs(f(np.zeros((5, 0)), [0, 1, 2, 3, 4]) - np.log(5)) < 1e-12


# --- values that are no numbers


def test_nan_and_infinity_pass_as_in_numpy(model: Model) -> None:
    rows = X.copy()
    rows[1, 2] = np.nan
    predicted = model.predict(rows)
    w, b = model.values()[:2]
    assert np.isnan((rows @ w + b)[1]).all()
    assert predicted[1] == 0
    assert np.isnan(model.train(rows, Y))
    assert np.isnan(model.states[0].get_value()).any()


@pytest.mark.parametrize("mode", ["native", "check", "reference"])
def test_what_is_not_finite_elementwise_and_in_sums(mode: str) -> None:
    x = T.dvector("x")
    outputs = [x + 1, x * 0, T.exp(x), T.log(x), T.maximum(x, 0.0), x.sum(), x.max(), T.gt(x, 0)]
    f = theano.function([x], outputs, mode=mode)
    given = np.array([np.nan, np.inf, -np.inf, 0.0, -1.0, 2.0])
    with np.errstate(all="ignore"):
        wanted = [given + 1, given * 0, np.exp(given), np.log(given), np.maximum(given, 0)]
        wanted += [given.sum(), given.max(), given > 0]
    for found, value in zip(f(given), wanted, strict=True):
        np.testing.assert_array_equal(np.isnan(found), np.isnan(value))
        keep = ~np.isnan(value)
        if found.dtype == "bool":
            np.testing.assert_array_equal(found, value)
        else:
            assert_close(found[keep], np.asarray(value)[keep])


# --- nothing at all


def test_empty_batches(model: Model) -> None:
    """The mean of nothing is NaN, as in NumPy, and so is what is learned from it."""
    assert model.predict(np.ones((0, 4))).tolist() == []
    assert np.isnan(model.train_batch(2))
    refused(model, ValueError, "not aligned", lambda: model.predict(np.ones((0, 5))))


@pytest.mark.parametrize("mode", ["native", "check", "reference"])
def test_empty_arrays(mode: str) -> None:
    x, y = pair("x")
    outputs = [T.dot(x, y), x.sum(axis=0), T.exp(x), x[::-1], x.T.flatten(), x.prod()]
    f = theano.function([x, y], outputs, mode=mode)
    product, sums, exponentials, backwards, flat, factor = f(np.ones((0, 3)), np.ones((3, 2)))
    assert (product.shape, sums.tolist(), exponentials.shape) == ((0, 2), [0, 0, 0], (0, 3))
    assert (backwards.shape, flat.shape, float(factor)) == ((0, 3), (0,), 1)
    product, sums, *_ = f(np.ones((2, 0)), np.ones((0, 2)))
    assert (product.tolist(), sums.tolist()) == ([[0, 0], [0, 0]], [])


def test_an_empty_batch_and_no_labels() -> None:
    model = softmax_regression("native")
    refused(
        model,
        TypeError,
        r'with name "train" at index 1 \(0-based\) \(input y\)',
        lambda: model.train(np.ones((0, 4)), np.zeros(0)),
    )
    assert np.isnan(model.train(np.ones((0, 4)), []))


# --- arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (np.ones(4), Y),
            r"at index 0 \(0-based\) \(input x\).*expected 2, got 1 with shape \(4,\)",
        ),
        ((X, Y.astype("float64")), r"at index 1 .*\(input y\).*dtype float64 without risking loss"),
        ((X.astype("complex128"), Y), r"at index 0 .*dtype complex128 without risking loss"),
        (([[1.0, 2.0], [3.0]], Y), r"at index 0 .*needs numbers that form an array: a list"),
        ((X,), "^Missing required input: y$"),
        ((X, Y, 0.1), "^Too many parameter passed to theano function: 3 for 2 inputs$"),
    ],
)
def test_wrong_arguments(model: Model, arguments: tuple[Any, ...], message: str) -> None:
    refused(model, TypeError, f"(?s){message}", lambda: model.train(*arguments))


# --- while a function is built


def test_gradients_with_respect_to_what_does_not_matter() -> None:
    x, m = T.dscalars("x", "m")
    with pytest.raises(theano.gradient.DisconnectedInputError) as caught:
        T.grad(x**2, m)
    assert "is not part of the computational graph of the cost" in str(caught.value)
    assert str(caught.value).count("m") > 0
    with pytest.warns(UserWarning, match="is not part of the computational graph of the cost"):
        zero = T.grad(x**2, m, disconnected_inputs="warn")
    assert theano.function([], zero)() == 0
    assert theano.function([], T.grad(x**2, m, disconnected_inputs="ignore"))() == 0
    with pytest.raises(theano.gradient.DisconnectedInputError):
        T.grad(x.astype("int64").astype("float64") + 0 * m.shape.sum(), [x, T.dscalar("other")])


def test_gradients_of_what_is_no_scalar() -> None:
    x = T.dvector("x")
    with pytest.raises(TypeError, match="cost must be a scalar"):
        T.grad(x**2, x)


def test_gradients_of_and_by_what_is_no_symbolic_tensor() -> None:
    x, held = T.dvector("x"), theano.shared([1], "held")
    cost = x.sum()
    for call, message in (
        (lambda: T.grad(3.0, x), r"\[grad\] cost must be a symbolic scalar: 3.0"),
        (lambda: T.grad([cost], x), r"\[grad\] cost must be a symbolic scalar: \["),
        (lambda: T.grad(held, x), r"\[grad\] cost must be a symbolic scalar: held"),
        (lambda: T.grad(cost, [x, 3]), r"\[grad\] wrt must hold symbolic tensors: 3"),
        (lambda: T.grad(None, x, known_grads={3: x}), r"\[grad\] known_grads must hold .*: 3"),
        (lambda: theano.gradient.Rop(3.0, x, x), r"\[Rop\] f must hold symbolic tensors: 3.0"),
        (lambda: theano.gradient.Rop(x, 3.0, x), r"\[Rop\] wrt must hold symbolic tensors: 3.0"),
        (lambda: theano.gradient.hessian(cost, 3), r"\[hessian\] wrt must hold symbolic .*: 3"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_an_update_twice() -> None:
    w = theano.shared(0.0, "w")
    with pytest.raises(ValueError, match="this shared variable already has an update expression"):
        theano.function([], [], updates=[(w, w + 1), (w, w + 2)])
    assert w.get_value() == 0


def test_shapes_that_can_never_fit_are_told_when_the_function_is_built() -> None:
    x = T.dvector("x")
    with pytest.raises(ValueError, match=r"\[add\] Input dimension mis-match") as caught:
        theano.function([x], x.sum() + (T.ones((2,)) + T.constant([1.0, 2.0, 3.0])).sum())  # never
    assert line_of("# never") in told(caught.value)


def test_errors_of_a_gradient_name_the_line_of_what_it_is_the_gradient_of() -> None:
    x, i = T.dvector("x"), T.lvector("i")
    cost = (x[i] ** 2).sum()  # forward
    f = theano.function([x, i], T.grad(cost, x))
    assert f([1.0, 3.0], [1, 1]).tolist() == [0, 12]
    with pytest.raises(IndexError, match="index 5 is out of bounds") as caught:
        f([1.0], [5])
    assert line_of("# forward") in told(caught.value)
