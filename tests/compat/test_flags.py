"""Flags as Theano's programs set them: with effect, without, and unknown ones."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import arignote as theano
import arignote.tensor as T
from arignote.config import Config, config


@pytest.fixture
def fresh() -> Config:
    """Return flags that nobody has set yet."""
    return Config()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("warn.subtensor_merge_bug", False),
        ("gcc.cxxflags", "-O3"),
        ("dnn.conv.algo_fwd", "time_once"),
        ("cxx", ""),
        ("allow_gc", False),
        ("openmp", True),
    ],
)
def test_flags_without_effect_say_so_once(fresh: Config, name: str, value: object) -> None:
    *sections, last = name.split(".")
    place = fresh
    for section in sections:
        place = getattr(place, section)
    getattr(place, last)
    with pytest.warns(UserWarning, match=f"{name} is a flag of Theano that has no effect") as seen:
        setattr(place, last, value)
    assert [record.filename for record in seen] == [__file__]
    assert getattr(place, last) == value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        setattr(place, last, value)


def test_unknown_flags_are_an_error_that_names_near_ones(fresh: Config) -> None:
    for name, near in (
        ("exception_verbositi", "exception_verbosity"),
        ("flotX", "floatX"),
    ):
        with pytest.raises(AttributeError, match=f"no configuration variable '{name}'.*{near}"):
            setattr(fresh, name, 1)
        with pytest.raises(AttributeError, match=near):
            getattr(fresh, name)
    with pytest.raises(AttributeError, match=r"'gcc.cxxflag'; did you mean gcc\.cxxflags"):
        fresh.gcc.cxxflag = ""
    with pytest.raises(AttributeError, match=r"'gcc.cxxflag'; did you mean gcc\.cxxflags"):
        fresh.gcc.cxxflag
    with pytest.raises(AttributeError, match="ours are floatX, "):
        fresh.qqqqqq = 1
    assert not hasattr(fresh, "no_such_section")


def test_the_default_mode_is_made_of_flags() -> None:
    x = T.dvector("x")
    y = 1 / (1 + T.exp(-x))

    def rules() -> set[str]:
        return {firing.rule for firing in theano.explain(theano.function([x], y)).firings}

    assert "sigmoid_from_exp" in rules()
    for name in ("None", "merge"):
        with config.changed(optimizer=name):
            assert not rules()
    for name in ("fast_compile", "o4"):
        with config.changed(optimizer=name):
            assert "sigmoid_from_exp" in rules()
    with config.changed(optimizer_excluding="local_exp_over_1_plus_exp:fusion"):
        assert "sigmoid_from_exp" not in rules()
        with config.changed(optimizer_including="fusion"):
            assert "sigmoid_from_exp" not in rules()
    with config.changed(optimizer="None", optimizer_including="stabilize"):
        assert "sigmoid_from_exp" in rules()
    with config.changed(linker="py"):
        assert theano.compile.mode.get_default_mode().linker == "reference"
        assert theano.compile.mode.get_mode("FAST_RUN").linker == "native"
        assert theano.compile.mode.get_mode("Mode").linker == "reference"
    with (
        config.changed(optimizer_excluding="made_up"),
        pytest.raises(ValueError, match="no rewrite rule made_up"),
    ):
        theano.function([x], y)
    with pytest.raises(ValueError, match=r'Invalid value .* "linker"'):
        config.linker = "gpu"


def test_what_nan_guards_look_for_is_a_flag() -> None:
    x = T.dvector("x")
    with config.changed(mode="NanGuardMode", **{"NanGuardMode.big_is_error": False}):
        f = theano.function([x], T.log(x))
        g = theano.function([x], x * 1e20)
    assert g([1.0]) == 1e20
    assert config.NanGuardMode.big_is_error
    with pytest.raises(AssertionError, match="NaN detected"):
        f(np.array([-1.0]))


def test_the_environment_sets_flags_with_dots() -> None:
    code = (
        "import arignote; c = arignote.config;"
        "print(c.NanGuardMode.inf_is_error, c.optimizer, c.gcc.cxxflags == '')"
    )
    flags = "NanGuardMode.inf_is_error=False,optimizer=None,gcc.cxxflags=-O3,unheard_of=1"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "THEANO_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == ["False", "None", "True"], run.stderr
