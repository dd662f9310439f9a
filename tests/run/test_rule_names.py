"""Modes leave rewrite rules out by our names and by those of Theano's that have a counterpart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from arignote.compile.mode import get_mode
from arignote.compile.monitormode import MonitorMode

import arignote as theano
import arignote.tensor as T
from arignote.plan.plan import Temp
from arignote.rewrite import names, stable


def firings(mode: Any) -> set[str]:
    """Return the rules that fire where many could."""
    x, w = T.dvector("x"), theano.shared(np.ones(3))
    y = T.log(1 / (1 + T.exp(-x))) + T.log(1 + x) + w**2 * 1 + T.disconnected_grad(x)
    f = theano.function([x], y, updates=[(w, w + x)], mode=mode)
    return {firing.rule for firing in theano.explain(f).firings}


def test_rules_go_by_theanos_names_too() -> None:
    every = firings(theano.Mode())
    left_out = {"log_of_one_plus", "log_of_sigmoid"}
    assert left_out | {"sigmoid_from_exp", "power_by_multiplying"} < every
    mode = get_mode("FAST_RUN").excluding("local_log1p", "logsigm_to_softplus")
    assert not firings(mode) & left_out
    stabilizing = {rule.name for rule in stable.RULES}
    assert not firings(theano.Mode().excluding("stabilize")) & stabilizing
    assert firings(theano.Mode().excluding("canonicalize", "specialize")) <= stabilizing
    assert not firings(theano.Mode().excluding("fast_run"))
    assert firings(theano.Mode(optimizer=None).including("stabilize")) <= stabilizing
    assert firings(theano.Mode(optimizer=None).including("fast_run")) == every


def test_inplace_may_be_excluded() -> None:
    w, x = theano.shared(np.ones(3), "w"), T.dvector("x")
    plans = [
        theano.function([x], [], updates=[(w, w + x)], mode=mode).plan
        for mode in (theano.Mode(), MonitorMode().excluding("local_elemwise_fusion", "inplace"))
    ]
    overwriting = [[b.storage for b in plan.buffers if isinstance(b, Temp)] for plan in plans]
    assert overwriting == [["w"], [None]]
    f = theano.function([x], [], updates=[(w, w + x)], mode=theano.Mode().excluding("inplace"))
    f(np.arange(3.0))
    assert w.get_value().tolist() == [1, 2, 3]


def test_unknown_rules_are_an_error_that_names_ours() -> None:
    for change in (theano.Mode().excluding, theano.Mode().including):
        with pytest.raises(ValueError, match=r"no rewrite rule made_up; those of .* add_zero, "):
            change("made_up")
    with pytest.raises(ValueError, match=r"local_log1 \(did you mean local_log1p"):
        theano.Mode().excluding("local_log1")
    with pytest.raises(ValueError, match="equal nodes are always merged"):
        theano.Mode().excluding("merge")


def test_theanos_rule_names_stand_for_rules_that_are_there() -> None:
    for name in (*names._THEANOS, *names._GROUPS):
        assert names.resolve([name]) <= names.NAMES
