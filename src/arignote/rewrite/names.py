"""The names by which modes leave rules out: ours, and those of Theano that have a counterpart."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from arignote.rewrite import canonical, selection, specialize, stable
from arignote.rewrite.pipeline import RULE_NAMES

# What is no rule, but can be left out: joining elementwise ops, running products and what follows
# from them row block by row block, and results that overwrite others.
FUSION: Final = "fusion"
BY_ROWS: Final = "by_rows"
INPLACE: Final = "inplace"
NAMES: Final = RULE_NAMES | {FUSION, BY_ROWS, INPLACE}

# Theano's groups, and its single rules with the ones of ours that do the same.
_GROUPS: Final = {
    "canonicalize": frozenset(rule.name for rule in (*canonical.RULES, *selection.RULES)),
    "stabilize": frozenset(rule.name for rule in stable.RULES),
    "specialize": frozenset(rule.name for rule in specialize.RULES) | {"power_by_multiplying"},
    "fast_compile": NAMES,
    "fast_run": NAMES,
}
_THEANOS: Final = {
    "constant_folding": "fold_constants",
    "crossentropy_to_crossentropy_with_softmax": "log_of_selection nll_from_selection",
    "elemwise_fusion": FUSION,
    "inplace_elemwise_opt": INPLACE,
    "inplace_elemwise_optimizer": INPLACE,
    "inplace_opt": INPLACE,
    "local_1msigmoid": "one_minus_sigmoid",
    "local_add_canonizer": "add_zero subtract_zero add_negated",
    "local_cast_cast": "merge_casts",
    "local_dimshuffle_lift": "merge_dimshuffles",
    "local_elemwise_fusion": FUSION,
    "local_exp_over_1_plus_exp": "sigmoid_from_exp",
    "local_expm1": "expm1_from_exp",
    "local_fill_sink": "drop_broadcast",
    "local_inv_1_plus_exp": "sigmoid_from_exp sigmoid_from_inverse",
    "local_log1p": "log_of_one_plus",
    "local_log_softmax": "log_of_softmax",
    "local_log_sum_exp": "log_of_sum_of_exp",
    "local_logsoftmax": "log_of_softmax",
    "local_mul_canonizer": "multiply_by_one divide_by_one pull_out_negation",
    "local_neg_neg": "negate_twice",
    "local_pow_canonicalize": "power_by_multiplying",
    "local_pow_specialize": "power_by_multiplying",
    "local_remove_switch_const_cond": "decided_switch",
    "local_softmax_from_exp": "softmax_from_exp",
    "local_subtensor_lift": "select_data_first",
    "local_useless_fill": "merge_broadcasts",
    "local_useless_rebroadcast": "drop_rebroadcast",
    "log1msigm_to_softplus": "softplus_from_log1p",
    "log1pexp_to_softplus": "softplus_from_log1p",
    "logsigm_to_softplus": "log_of_sigmoid",
}


def resolve(names: Iterable[str]) -> frozenset[str]:
    """Return the names of ours that names of ours, or of Theano, stand for.

    >>> sorted(resolve(["local_log1p", "fusion"]))
    ['fusion', 'log_of_one_plus']

    Raises
    ------
    ValueError
        For names without a counterpart, listing ours.
    """
    result: set[str] = set()
    for name in names:
        if name == "merge":
            raise ValueError("[Mode] merge cannot be left out: equal nodes are always merged")
        if name in NAMES:
            result.add(name)
        elif name in _GROUPS:
            result |= _GROUPS[name]
        elif name in _THEANOS:
            result.update(_THEANOS[name].split())
        else:
            raise _unknown(name)
    return frozenset(result)


def _unknown(name: str) -> ValueError:
    near = get_close_matches(name, [*NAMES, *_GROUPS, *_THEANOS], n=3)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    return ValueError(
        f"[Mode] there is no rewrite rule {name}{hint}; those of arignote are "
        f"{', '.join(sorted(NAMES))}; its groups are {', '.join(_GROUPS)}"
    )
