"""Functions, models and graphs that are pickled and copied: each copy lives by itself."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.run.function import Function
from helpers.programs import PROGRAMS

Copier = Callable[[Any], Any]
COPIERS: dict[str, Copier] = {
    "pickle": lambda item: pickle.loads(pickle.dumps(item)),
    "oldest pickle": lambda item: pickle.loads(pickle.dumps(item, protocol=2)),
    "deepcopy": copy.deepcopy,
}


@pytest.fixture(params=COPIERS.values(), ids=COPIERS)
def duplicate(request: pytest.FixtureRequest) -> Copier:
    """Copy by each way there is."""
    return request.param  # type: ignore[no-any-return]


def as_lists(results: Any) -> Any:
    return [np.asarray(item).tolist() for item in results]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("mode", ["native", "reference"])
def test_copies_of_functions_do_the_same(name: str, mode: str, duplicate: Copier) -> None:
    item = PROGRAMS[name]()
    f = item.function(mode, name)
    again = duplicate(f)
    assert isinstance(again, Function)
    assert again.plan == f.plan
    assert again.name == f.name
    for _ in range(2):
        found, wanted = again(*item.arguments), f(*item.arguments)
        assert str(found) == str(wanted)


def test_copies_have_shared_variables_of_their_own(duplicate: Copier) -> None:
    x, w = T.dscalar("x"), theano.shared(1.0, "w")
    f = theano.function([x], w, updates=[(w, w + x)])
    f(1)
    again = duplicate(f)
    assert float(again(10)) == 2
    assert float(again(0)) == 12
    assert w.get_value() == 2


def test_what_is_copied_together_stays_together(duplicate: Copier) -> None:
    x, w = T.dscalar("x"), theano.shared(1.0, "w")
    train = theano.function([x], [], updates=[(w, w + x)])
    read = theano.function([], w * 10)
    copied: dict[str, Any] = duplicate({"train": train, "read": read, "w": w, "again": train})
    assert copied["train"] is copied["again"]
    copied["train"](4)
    assert copied["read"]() == 50
    assert copied["w"].get_value() == 5
    assert read() == 10


def test_defaults_are_copied_as_they_are(duplicate: Copier) -> None:
    x, state, y = T.dscalars("x", "state", "y")
    f = theano.function([x, theano.In(state, value=1.0, update=state + x), (y, 7.0)], state * y)
    f(4)
    f[y] = 2.0
    again = duplicate(f)
    assert float(again(1)) == float(f(1)) == 10
    again(100)
    assert float(f(0)) == 12


def test_settings_are_copied(duplicate: Copier) -> None:
    x, y = T.fvector("x"), T.fvector("y")
    f = theano.function(
        [theano.In(x, strict=True), y],
        {"sum": theano.Out(x + y, borrow=True)},
        allow_input_downcast=True,
        name="settings",
    )
    again = duplicate(f)
    result = again(np.ones(1, "float32"), [0.1])["sum"]
    assert result is again(np.ones(1, "float32"), [0.2])["sum"]
    with pytest.raises(TypeError, match='with name "settings" at index 0'):
        again([1.0], [1.0])


class Model:
    """A model as tutorials write it: shared variables and the graph over them."""

    def __init__(self, x: Any) -> None:
        self.x = x
        self.w = theano.shared(np.arange(6.0).reshape(3, 2), "W")
        self.b = theano.shared(np.zeros(2), "b")
        self.p = T.nnet.softmax(T.dot(x, self.w) + self.b)
        self.predicted = T.argmax(self.p, axis=1)
        self.params = [self.w, self.b]


def test_models(duplicate: Copier) -> None:
    model = Model(T.dmatrix("x"))
    again = duplicate(model)
    assert again.params[0] is again.w
    assert [again.x.name, again.w.name] == ["x", "W"]
    given = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]])
    again.b.set_value(np.array([0.0, 100.0]))
    old = theano.function([model.x], model.predicted)(given)
    new = theano.function([again.x], again.predicted)(given)
    assert (old.tolist(), new.tolist()) == ([0, 0], [1, 1])


def test_a_pickle_is_read_by_another_process(tmp_path: Path) -> None:
    x, w = T.dvector("x"), theano.shared(np.array([1.0, 2.0]), "w")
    f = theano.function([x], (x * w).sum(), updates=[(w, w + 1)], name="dot")
    f([0.0, 0.0])
    file = tmp_path / "function.pkl"
    file.write_bytes(pickle.dumps(f))
    script = (
        "import pickle, sys\n"
        "with open(sys.argv[1], 'rb') as stream:\n"
        "    f = pickle.load(stream)\n"
        "print(f.name, f([1.0, 1.0]), f([1.0, 1.0]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "dot 5.0 7.0\n"


def test_modes_are_copied(duplicate: Copier) -> None:
    x = T.dvector("x")
    mode = theano.Mode().excluding("sigmoid_from_exp")
    f = duplicate(theano.function([x], 1 / (1 + T.exp(-x)), mode=mode))
    assert f.maker.mode == mode
    guarded = theano.function([x], T.log(x), mode=theano.compile.nanguardmode.NanGuardMode())
    again = duplicate(guarded)
    with pytest.raises(AssertionError, match="NaN detected"):
        again([-1.0])


# --- f.copy


def test_copy_shares_the_shared_variables() -> None:
    x, w = T.dscalar("x"), theano.shared(0.0, "w")
    f = theano.function([x], w, updates=[(w, w + x)], name="f")
    g = f.copy(name="g")
    f(1)
    assert (float(g(2)), float(w.get_value())) == (1, 3)
    assert (f.name, g.name, f.copy().name) == ("f", "g", "f")
    h = copy.copy(f)
    h(1)
    assert w.get_value() == 4


def test_copy_with_other_shared_variables() -> None:
    x, w, v = T.dscalar("x"), theano.shared(1.0, "w"), theano.shared(100.0, "v")
    f = theano.function([x], w * 2, updates=[(w, w + x)])
    g = f.copy(swap={w: v})
    assert float(g(5)) == 200
    assert (float(w.get_value()), float(v.get_value())) == (1, 105)
    assert float(f(1)) == 2
    assert g[v] == 105
    # The plan that runs names the new one.
    assert [state.name for state in g.plan.states] == ["v"]


def test_copy_swaps_in_updates_and_defaults() -> None:
    x, state = T.dscalar("x"), T.dscalar("state")
    a, b, c = (theano.shared(value, name) for value, name in [(1.0, "a"), (2.0, "b"), (10.0, "c")])
    record = theano.In(state, value=0.0, update=state + a)
    f = theano.function([x, record], state, updates=[(b, b + a * x)])
    g = f.copy(swap={a: c})
    assert float(g(3)) == 0
    assert (float(b.get_value()), float(g[state])) == (32, 10)
    assert f[state] == 0


def test_copy_without_updates() -> None:
    x, state, w = T.dscalar("x"), T.dscalar("state"), theano.shared(1.0, "w")
    record = theano.In(state, value=5.0, update=state + x)
    f = theano.function([x, record], [w, state], updates=[(w, w + x)])
    f(1)
    g = f.copy(delete_updates=True)
    assert as_lists(g(3)) == as_lists(g(3)) == [2.0, 6.0]
    assert w.get_value() == 2
    assert f[state] == 6


def test_copy_refuses_other_types() -> None:
    w = theano.shared(1.0, "w")
    f = theano.function([], w)
    for other in (theano.shared(np.float32(1), "v"), theano.shared(np.ones(2)), T.dscalar("x")):
        with pytest.raises(TypeError, match=r"\[copy\] w can be swapped only with one of type"):
            f.copy(swap={w: other})


def test_copy_may_count_by_itself() -> None:
    x = T.dscalar("x")
    f = theano.function([x], x + 1, profile=True)
    g, h = f.copy(profile=True), f.copy()
    g(1)
    h(1)
    assert (f.profile().calls, g.profile().calls) == (0, 1)


def test_copies_and_the_original_may_run_within_each_other() -> None:
    x = T.dscalar("x")
    inner = theano.function([x], x * 2)
    log: list[float] = []
    printed = theano.printing.Print(
        "", global_fn=lambda op, value: log.append(float(inner(value)))
    )(x)
    outer = theano.function([x], printed + 1)
    assert float(outer(3)) == 4
    assert log == [6.0]


def test_archives_of_pkl_utils() -> None:
    model = Model(T.dmatrix("x"))
    stream = io.BytesIO()
    theano.misc.pkl_utils.dump(model, stream)
    stream.seek(0)
    again = theano.misc.pkl_utils.load(stream)
    np.testing.assert_array_equal(again.w.get_value(), model.w.get_value())
