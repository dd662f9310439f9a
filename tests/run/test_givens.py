"""Givens: variables replaced by others, among them slices of shared data that nobody copies."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import config
from arignote.plan.plan import View
from arignote.run import native


@pytest.mark.parametrize("form", [list, tuple, dict, OrderedDict], ids=lambda form: form.__name__)
def test_forms(form: Any) -> None:
    x, y, z = T.dscalars("x", "y", "z")
    f = theano.function([z], x - y, givens=form([(x, z * 10), (y, z)]))
    assert f(2) == 18


def test_lists_of_lists_and_none() -> None:
    x, z = T.dscalars("x", "z")
    assert theano.function([z], x + 1, givens=[[x, z * 2]])(3) == 7
    for nothing in (None, [], {}):
        assert theano.function([x], x + 1, givens=nothing)(3) == 4


def test_inner_variables_may_be_replaced() -> None:
    x, z = T.dscalars("x", "z")
    inner = x**2
    f = theano.function([z], T.exp(inner) + inner, givens={inner: z})
    assert f(0) == 1


def test_replacements_are_not_replaced_in_turn() -> None:
    x, y, z = T.dscalars("x", "y", "z")
    f = theano.function([x, z], x - y, givens={y: x + z})
    assert f(1, 2) == -2
    # The y in what replaces x is y itself.
    with pytest.raises(theano.gof.MissingInputError, match="Variable: y of type"):
        theano.function([z], x * 10 + y, givens={x: y + z, y: z})


def test_shared_variables_are_replaced_by_others() -> None:
    w, v = theano.shared(np.ones(3), "w"), theano.shared(np.full(3, 2.0), "v")
    cost = (w**2).sum()
    assert theano.function([], cost)() == 3
    assert theano.function([], cost, givens={w: v})() == 12
    assert theano.function([], cost, givens={w: v * 2})() == 48
    # In updates too, but the target stays.
    theano.function([], [], updates=[(w, w + 1)], givens={w: v})()
    assert (w.get_value().tolist(), v.get_value().tolist()) == ([3, 3, 3], [2, 2, 2])


def test_numbers_and_arrays() -> None:
    x, v = T.dscalar("x"), T.dvector("v")
    i = T.iscalar("i")
    assert theano.function([], x * 2, givens={x: 3})() == 6
    assert theano.function([], x * 2, givens={x: 0.1})() == 0.2
    assert theano.function([], x * 2, givens={x: np.float32(0.5)})() == 1
    assert theano.function([], v * 2, givens={v: [1, 2.5]})().tolist() == [2, 5]
    assert theano.function([], v * 2, givens={v: np.arange(3)})().tolist() == [0, 2, 4]
    assert theano.function([], i * 2, givens={i: np.int8(4)})().dtype == "int32"


def test_casts_that_lose_nothing() -> None:
    x, f, i = T.dscalar("x"), T.fscalar("f"), T.iscalar("i")
    assert theano.function([f], x / 3, givens={x: f})(1).dtype == "float64"
    assert theano.function([i], x / 2, givens={x: i})(1) == 0.5
    for key, given in [(f, x), (i, x), (i, T.lscalar("l")), (f, i)]:
        with pytest.raises(TypeError) as caught:
            theano.function([given], key + 1, givens={key: given})
        assert str(caught.value) == (
            f"Cannot convert Type {given.type} (of Variable {given}) into Type {key.type}. You can "
            f"try to manually convert {given} into a {key.type}."
        )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (np.ones(3), r"by array\(.*\): .*cannot store a value of dtype float64 without"),
        (T.constant(np.ones(3)), r"by TensorConstant.*: .*cannot store a value of dtype float64"),
        ([0.1], r"by \[0.1\]: .*cannot store a value of dtype float64"),
        (None, r"by None: \[constant\] value must be a number"),
        (2**70, r"by 1180591620717411303424: \[constant\] an integer must fit in 64 bits"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_the_variable(given: Any, reason: str) -> None:
    w = theano.shared(np.zeros(3, "float32"), "w")
    text = rf"\[function\] givens cannot replace w of type TensorType\(float32, vector\) {reason}"
    with pytest.raises(TypeError, match=text):
        theano.function([], w * 2, givens={w: given})


def test_a_python_float_for_a_float32() -> None:
    """It counts as a float64, whatever ``floatX`` is."""
    f = T.fscalar("f")
    for floatx in ("float32", "float64"):
        with config.changed(floatX=floatx):
            with pytest.raises(TypeError, match="cannot store a value of dtype float64 without"):
                theano.function([], f * 2, givens={f: 0.1})
            assert theano.function([], f * 2, givens={f: np.float32(0.1)})() == np.float32(0.2)
            constant = T.constant(np.float32(0.5))
            assert (
                theano.function(
                    [], T.dscalar("x") * 0 + f, givens={f: constant}, on_unused_input="ignore"
                )
                if False
                else True
            )
            x = T.dscalar("x")
            assert theano.function([], x * 2, givens={x: constant})() == 1


def test_a_replacement_of_another_rank_brings_its_own() -> None:
    x, v = T.dscalar("x"), T.dvector("v")
    f = theano.function([v], x * 2 + T.exp(x * 0), givens={x: v})
    assert f([1.0, 2.0]).tolist() == [3, 5]
    with pytest.raises(TypeError, match=r"\[sum\] axis must name dimensions of x, which has 0: "):
        theano.function([x], v.sum(axis=0), givens={v: x})


@pytest.mark.parametrize(
    ("givens", "error", "message"),
    [
        ([1], ValueError, "[function] givens must be a dict or pairs: 1"),
        ({"x": 1.0}, TypeError, "('givens keys must be Variable', 'x')"),
        ([(T.dscalar("x"), "a")], TypeError, "[constant] value must be a number or an array"),
        ({T.dscalar("x"): theano.shared([1, 2])}, TypeError, "a tensor is needed: <<Generic>>"),
        ({theano.shared([1, 2]): T.dscalar("x")}, TypeError, "a tensor is needed: <<Generic>>"),
        ({T.dscalar("x"): None}, TypeError, "[constant] value must be a number or an array"),
    ],
    ids=repr,
)
def test_what_are_no_givens(givens: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        theano.function([], T.dscalar("z") * 0, givens=givens)


def test_an_input_cannot_be_replaced() -> None:
    x, z = T.dscalars("x", "z")
    with pytest.raises(RuntimeError, match='You are trying to replace variable "x" through the'):
        theano.function([x, z], x + z, givens={x: z})


# --- slices of shared data


def test_a_slice_is_a_window_on_the_shared_data() -> None:
    """Nothing is copied: the steps read the state itself, at an offset that the index moves."""
    data = theano.shared(np.arange(60.0).reshape(12, 5), "data")
    x, index = T.dmatrix("x"), T.lscalar("index")
    f = theano.function([index], T.dot(x, x.T), givens={x: data[index * 4 : (index + 1) * 4]})
    (step,) = f.plan.steps
    assert step.op == "dot"
    for name in step.inputs:
        assert isinstance(f.plan.buffer(name), View)
        assert f.plan.root(name).name == "data"
    values = data.get_value()
    for k in range(3):
        part = values[k * 4 : (k + 1) * 4]
        np.testing.assert_array_equal(f(k), part @ part.T)
    assert f(3).shape == (0, 0)


def test_another_index_binds_and_allocates_nothing() -> None:
    data = theano.shared(np.ones((600, 8)), "data")
    x, index = T.dmatrix("x"), T.lscalar("index")
    f = theano.function([index], x.sum(), givens={x: data[index * 10 : (index + 1) * 10]})
    f(0)
    before = native.allocations()
    assert all(f(k) == 80 for k in range(1, 60))
    assert native.allocations() == before


def resident() -> int:
    """Return the kilobytes of memory that belong to this process alone and back no file."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


def test_data_larger_than_memory(tmp_path: Path) -> None:
    """A file of 16 GB, most of it holes, as a shared variable: a call reads its slice only."""
    rows, columns = 2**22, 2**9
    file = tmp_path / "data"
    with file.open("wb") as stream:
        stream.truncate(rows * columns * 8)
    array = np.memmap(file, "float64", "r+", shape=(rows, columns))
    batch = 2**15
    last = rows // batch - 1
    array[last * batch] = 1.5
    data = theano.shared(array, "data", borrow=True)
    assert data.get_value(borrow=True) is array
    x, index = T.dmatrix("x"), T.lscalar("index")
    f = theano.function(
        [index], x.sum(axis=0), givens={x: data[index * batch : (index + 1) * batch]}
    )
    f(0)
    before = resident()
    result = f(last)  # of 128 MB
    assert result.tolist() == [1.5] * columns
    assert resident() - before < 32_000
