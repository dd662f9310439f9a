"""The choice between branches of which only one is computed."""

from __future__ import annotations

from typing import Any

from arignote import ops
from arignote.tensor.var import TensorLike


def ifelse(
    condition: TensorLike, then_branch: Any, else_branch: Any, name: str | None = None
) -> Any:
    """Return one of two values, of which only that one is computed.

    Parameters
    ----------
    condition
        A scalar.
    then_branch, else_branch
        The values where ``condition`` is not zero, and where it is: tensors of one type, or lists
        of as many.
    name
        Of the result.

    Returns
    -------
    TensorVariable, or a list of them
        Of the type of the branches.

    Raises
    ------
    TypeError
        If ``condition`` is no scalar, or the types of the branches differ.
    ValueError
        If the branches are lists of different lengths.

    Examples
    --------
    >>> ifelse(True, 1.5, 2.5).eval()
    array(1.5, dtype=float32)
    """
    lists = isinstance(then_branch, list | tuple), isinstance(else_branch, list | tuple)
    if not any(lists):
        result = ops.ifelse(condition, then_branch, else_branch)
        result.name = name
        return result
    if not all(lists) or len(then_branch) != len(else_branch):
        raise ValueError(
            "[ifelse] then_branch and else_branch must have the same number of values: "
            f"{then_branch} and {else_branch}"
        )
    pairs = zip(then_branch, else_branch, strict=True)
    return [ifelse(condition, then, otherwise, name) for then, otherwise in pairs]
