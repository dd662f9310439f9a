"""Random numbers: streams of which functions draw anew in each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from arignote import ops
from arignote.graph import dtypes
from arignote.graph.dtypes import Array
from arignote.graph.variable import Variable
from arignote.tensor import distributions
from arignote.tensor.distributions import Draw, float_dtype, integers, lengths_of, weights_of
from arignote.tensor.var import TensorLike, TensorSharedVariable, TensorVariable

Seed: TypeAlias = int | Sequence[int] | None


class RandomStreams:
    """Streams of random numbers, one for each variable that is drawn from them.

    A function that uses such a variable gives new numbers in each call: the state of the stream is
    a shared variable whose default update is the state after the draw. With ``no_default_updates``
    the function leaves the state as it is, and gives the same numbers again.

    The numbers depend on the seed and on how much was drawn before, not on threads or devices. They
    are those of NumPy's generator ``Philox``: the k-th variable, counted from 0, has the bits of
    ``np.random.Philox(np.random.SeedSequence(seed, spawn_key=(k,)))``.

    Parameters
    ----------
    seed
        A number that is not negative, or several. Without one, no two streams are the same.

    Attributes
    ----------
    state_updates
        A pair for each variable: its state, and the state after a draw. The variable itself has the
        pair as ``update``, and the state as ``rng``.
    default_instance_seed
        The seed.

    Raises
    ------
    TypeError, ValueError
        If the seed is none.

    Examples
    --------
    >>> import arignote
    >>> srng = RandomStreams(seed=234)
    >>> rv_u = srng.uniform((2, 2))
    >>> f = arignote.function([], rv_u)
    >>> f()
    array([[0.30290519, 0.04070343],
           [0.99464147, 0.90810983]])
    >>> f()
    array([[0.39544298, 0.2357046 ],
           [0.77749336, 0.24629855]])
    >>> srng.seed(234)
    >>> f()
    array([[0.30290519, 0.04070343],
           [0.99464147, 0.90810983]])
    >>> bits = np.random.Philox(np.random.SeedSequence(234, spawn_key=(0,)))
    >>> np.random.Generator(bits).random((2, 2))
    array([[0.30290519, 0.04070343],
           [0.99464147, 0.90810983]])

    Another function, which leaves the streams where they are:

    >>> rv_n = srng.normal((2, 2))
    >>> g = arignote.function([], [rv_u, rv_n], no_default_updates=True)
    >>> all((a == b).all() for a, b in zip(g(), g()))
    True
    """

    def __init__(self, seed: Seed = None) -> None:
        self.state_updates: list[tuple[TensorSharedVariable, TensorVariable]] = []
        self.default_instance_seed: Seed = _entropy(seed)
        self._seed = self.default_instance_seed

    def updates(self) -> list[tuple[TensorSharedVariable, TensorVariable]]:
        """Return what every function that draws from all streams would update."""
        return list(self.state_updates)

    def seed(self, seed: Seed = None) -> None:
        """Put each stream to the beginning that it has with a seed.

        Parameters
        ----------
        seed
            As for the class; by default the one that was given to it.
        """
        self._seed = self.default_instance_seed if seed is None else _entropy(seed)
        for number, (state, _) in enumerate(self.state_updates):
            state.set_value(self._first_state(number))

    def uniform(
        self,
        size: Any = None,
        low: TensorLike = 0.0,
        high: TensorLike = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:
        """Return numbers between ``low`` and ``high``, all equally likely.

        Parameters
        ----------
        size
            The lengths: integers and integer scalars, or one vector of them. By default those that
            ``low`` and ``high`` have together.
        low, high
            Numbers or tensors. Between 0 and 1, 1 itself is never drawn.
        ndim
            The number of lengths, where a vector of them does not tell.
        dtype
            A float dtype; by default the common one of ``floatX``, ``low`` and ``high``.

        Returns
        -------
        TensorVariable
            Gradients by ``low`` and ``high`` pass through it.

        Examples
        --------
        >>> RandomStreams(1).uniform((3,), low=-1, high=1).eval()
        array([-0.57574518,  0.6419898 ,  0.30316652])
        """
        lower, upper = ops.as_variable(low), ops.as_variable(high)
        dims = lengths_of("uniform", size, ndim, lower, upper)
        kind = float_dtype("uniform", dtype, lower, upper)
        return self._variable(lambda draw: distributions.uniform(draw, dims, kind, lower, upper))

    def normal(
        self,
        size: Any = None,
        avg: TensorLike = 0.0,
        std: TensorLike = 1.0,
        ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:
        """Return normally distributed numbers, by the transform of Box and Muller.

        Parameters
        ----------
        size, ndim
            As for :meth:`uniform`.
        avg, std
            Mean and standard deviation: numbers or tensors.
        dtype
            A float dtype; by default the common one of ``floatX``, ``avg`` and ``std``.

        Returns
        -------
        TensorVariable
            Gradients by ``avg`` and ``std`` pass through it. No number is further from the mean
            than 8.6 standard deviations, in float32 5.8.

        Examples
        --------
        >>> RandomStreams(1).normal((2, 3)).eval().shape
        (2, 3)
        """
        mean, deviation = ops.as_variable(avg), ops.as_variable(std)
        dims = lengths_of("normal", size, ndim, mean, deviation)
        kind = float_dtype("normal", dtype, mean, deviation)
        return self._variable(lambda draw: distributions.normal(draw, dims, kind, mean, deviation))

    def binomial(
        self,
        size: Any = None,
        n: TensorLike = 1,
        p: TensorLike = 0.5,
        ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:
        """Return how many of ``n`` trials succeed, each with probability ``p``.

        Parameters
        ----------
        size, ndim
            As for :meth:`uniform`; by default that of ``p``.
        n
            An integer. So many numbers are drawn for each one returned.
        p
            A number or a tensor.
        dtype
            Of the counts.

        Returns
        -------
        TensorVariable
            No gradient passes through it.

        Examples
        --------
        >>> mask = RandomStreams(1).binomial((2, 6), p=0.5, dtype="float32")
        >>> mask.eval()
        array([[1., 0., 0., 0., 1., 1.],
               [0., 1., 0., 0., 1., 0.]], dtype=float32)
        """
        count, chance = ops.scalar_dim(n, "[binomial] n"), ops.as_variable(p)
        dims = lengths_of("binomial", size, ndim, chance)
        kind = dtypes.normalize(dtype)
        return self._variable(lambda draw: distributions.binomial(draw, dims, kind, count, chance))

    def random_integers(
        self,
        size: Any = None,
        low: TensorLike = 0,
        high: TensorLike = 1,
        ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:
        """Return integers from ``low`` to ``high``, both included, all equally likely.

        Parameters
        ----------
        size, ndim
            As for :meth:`uniform`.
        low, high
            Integers or tensors of them; from the one to the other there may be 2**53.
        dtype
            Of the integers.

        Returns
        -------
        TensorVariable

        Examples
        --------
        >>> RandomStreams(1).random_integers((6,), low=1, high=6).eval()
        array([2, 5, 4, 5, 3, 3])
        """
        first = integers("[random_integers] low", low)
        last = integers("[random_integers] high", high)
        dims = lengths_of("random_integers", size, ndim, first, last)
        kind = dtypes.normalize(dtype)

        def make(draw: Draw) -> Variable:
            count = ops.add(ops.sub(last, first), 1)
            return ops.cast(ops.add(first, distributions.below(draw, dims, count)), kind)

        return self._variable(make)

    def choice(
        self,
        size: Any = None,
        a: TensorLike = 2,
        replace: bool = True,
        p: TensorLike | None = None,
        ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:
        """Return elements of a vector, or integers below a number.

        Parameters
        ----------
        size, ndim
            As for :meth:`uniform`; by default a single one is chosen.
        a
            A vector, or an integer that stands for those from 0 up to it, without it.
        replace
            Whether one may be chosen again: must be True.
        p
            How likely each of them is, a vector; equally by default. Only the ratios matter.
        dtype
            Of the result: by default that of the vector, or int64.

        Returns
        -------
        TensorVariable

        Examples
        --------
        >>> RandomStreams(1).choice((5,), [10, 20, 30], p=[0.5, 0.25, 0.25]).eval()
        array([10, 30, 20, 20, 30])
        """
        if not replace:
            raise NotImplementedError("[choice] replace must be True")
        items = ops.as_variable(a)
        if items.ndim > 1:
            raise TypeError(f"[choice] a must be a vector or an integer: {items.type}")
        count = ops.length(items, 0) if items.ndim else integers("[choice] a", items)
        weights = None if p is None else ops.specify_shape(weights_of("[choice] p", p), [count])
        dims = lengths_of("choice", size, ndim)
        kind = dtypes.normalize(dtype or (items.dtype if items.ndim else "int64"))

        def make(draw: Draw) -> Variable:
            if weights is None:
                places = distributions.below(draw, dims, count)
            else:
                places = distributions.weighted(draw, dims, weights)
            return ops.cast(ops.take_op(items, places) if items.ndim else places, kind)

        return self._variable(make)

    def multinomial(
        self,
        size: Any = None,
        n: TensorLike = 1,
        pvals: TensorLike = (0.5, 0.5),
        ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:
        """Return how often each of some outcomes comes up in ``n`` trials.

        Parameters
        ----------
        size, ndim
            As for :meth:`uniform`, without the outcomes; by default that of ``pvals``.
        n
            An integer. For each trial as many numbers are drawn as there are outcomes.
        pvals
            How likely each outcome is, along the last axis. Only the ratios matter.
        dtype
            Of the counts.

        Returns
        -------
        TensorVariable
            The counts of the outcomes along the last axis. No gradient passes through it.

        Examples
        --------
        >>> RandomStreams(1).multinomial(pvals=[[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]]).eval()
        array([[1, 0, 0],
               [0, 0, 1]])
        """
        count = ops.scalar_dim(n, "[multinomial] n")
        weights = weights_of("[multinomial] pvals", pvals)
        dims = lengths_of("multinomial", size, ndim, ops.max_(weights, axis=-1))
        kind = dtypes.normalize(dtype)
        return self._variable(
            lambda draw: distributions.multinomial(draw, dims, kind, count, weights)
        )

    # --- streams

    def _first_state(self, number: int) -> Array:
        sequence = np.random.SeedSequence(self._seed, spawn_key=(number,))
        return np.array([*sequence.generate_state(2, np.uint64), 0], "uint64")

    def _variable(self, make: Callable[[Draw], Variable]) -> Any:
        """Return a variable made from one draw of a new stream."""
        from arignote.run.shared import shared

        state = shared(self._first_state(len(self.state_updates)), name="random_state")
        updates: list[Any] = []

        def draw(dtype: str, dims: Sequence[Variable]) -> Variable:
            numbers, after = ops.uniform(state, dims, dtype)
            updates.append(after)
            return numbers

        result: Any = make(draw)
        (state.default_update,) = updates
        result.rng, result.update = state, (state, state.default_update)
        self.state_updates.append(result.update)
        return result


class MRG_RandomStreams(RandomStreams):
    """:class:`RandomStreams` under the name of Theano's fast ones, with their default seed.

    Examples
    --------
    >>> MRG_RandomStreams().uniform((2,)).eval()
    array([0.62417718, 0.27341031])
    """

    def __init__(self, seed: Seed = 12345) -> None:
        super().__init__(seed)


def _entropy(seed: Seed) -> Any:
    """Return a seed as it was given, or a new one."""
    try:
        return np.random.SeedSequence(seed).entropy
    except (TypeError, ValueError) as error:
        kind = type(error)
        raise kind(f"[RandomStreams] seed must be one or more integers from 0: {seed!r}") from None


__all__ = ["MRG_RandomStreams", "RandomStreams"]
