"""Ops as Theano's programs define them."""

from __future__ import annotations

from typing import Any

import numpy as np

import arignote as theano
import arignote.tensor as T


class Scaled(theano.gof.Op):  # type: ignore[misc, name-defined]
    """As in Theano's documentation: the input times a number."""

    __props__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return theano.gof.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        (x,) = inputs
        (z,) = output_storage
        z[0] = x * self.factor

    def infer_shape(self, node: Any, i0_shapes: Any) -> Any:
        return i0_shapes

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0] * self.factor]


class Positive(theano.Op):
    """The positive elements of a vector, and their sum; neither shapes nor gradients are told."""

    def make_node(self, x: Any) -> Any:
        return theano.Apply(self, [T.as_tensor_variable(x)], [T.dvector("kept"), T.dscalar()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        kept = inputs[0][inputs[0] > 0]
        output_storage[0][0] = kept
        output_storage[1][0] = np.asarray(kept.sum())
