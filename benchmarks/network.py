"""A network with one hidden layer, on minibatches of a few rows: Theano's second tutorial."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from arignote.bench.dialect import Dialect, dialects, one_call
from arignote.bench.result import Goal, at_most_of_best_peer
from arignote.bench.seeds import Digits
from arignote.bench.workload import OURS, Case, Setup, Work, Workload
from arignote.graph.dtypes import Array
from benchmarks import peers_jax, peers_pytensor, peers_torch
from benchmarks.peers_torch import Way


@dataclass(frozen=True)
class Network:
    """What is learnt from digits: weights that decay, a tanh between two layers."""

    digits: Digits
    hidden: int = 500
    decay: float = 1e-4

    def draw(self) -> list[Array]:
        """Return the weights and biases to begin with, layer by layer."""
        rng = np.random.default_rng(5)
        features, classes = self.digits.features, self.digits.classes
        bound = float(np.sqrt(6 / (features + self.hidden)))
        first = rng.uniform(-bound, bound, (features, self.hidden)).astype(np.float32)
        second = np.zeros((self.hidden, classes), np.float32)
        return [first, np.zeros(self.hidden, np.float32), second, np.zeros(classes, np.float32)]

    @property
    def work(self) -> Work:
        """Weights are read and written; the first layer's gradient needs none for the images."""
        digits = self.digits
        first, second = digits.features * self.hidden, self.hidden * digits.classes
        images = digits.rows * digits.features
        flops = digits.rows * (4 * first + 6 * second)
        return Work(4 * (2 * (first + second) + images), flops)

    def workload(self, *goals: Goal) -> Workload:
        """Return the workload: a step with each contender."""
        digits = self.digits
        sizes = f"{digits.features}-{self.hidden}-{digits.classes}, batch {digits.rows}"
        setups: dict[str, Setup] = {
            OURS: partial(program, dialects()[OURS], self),
            "NumPy": partial(by_hand, self),
            **{name: partial(_in_pytensor, name, self) for name in peers_pytensor.CHECKED},
            "JAX": partial(in_jax, self),
            **peers_torch.setups(in_torch, self),
        }
        return Workload(f"network, float32, {sizes}", setups, self.work, goals)


def program(own: Dialect, network: Network) -> Case:
    tensor, digits = own.tensor, network.digits
    images = own.shared(digits.images, borrow=True)
    labels = own.shared(digits.labels, borrow=True)
    parameters = [own.shared(value) for value in network.draw()]
    w1, b1, w2, b2 = parameters
    x, y, index = tensor.fmatrix("x"), tensor.ivector("y"), tensor.lscalar("index")
    h = tensor.tanh(tensor.dot(x, w1) + b1)
    p = own.softmax(tensor.dot(h, w2) + b2)
    nll = -tensor.mean(tensor.log(p)[tensor.arange(y.shape[0]), y])
    cost = nll + np.float32(network.decay) * ((w1**2).sum() + (w2**2).sum())
    updates = own.descent(cost, parameters, np.float32(digits.rate))
    rows = slice(index * digits.rows, (index + 1) * digits.rows)
    givens = {x: images[rows], y: labels[rows]}
    train = own.function([index], cost, updates=updates, givens=givens)
    turns = cycle(range(digits.batches))
    return one_call(lambda: train(next(turns)), parameters)


def _in_pytensor(contender: str, network: Network) -> Case:
    return program(peers_pytensor.dialect(contender), network)


def by_hand(network: Network) -> Case:
    digits = network.digits
    w1, b1, w2, b2 = parameters = network.draw()
    shrink = np.float32(1 - 2 * digits.rate * network.decay)
    decay, scale = np.float32(network.decay), np.float32(digits.rate / digits.rows)
    g1, g2 = np.empty_like(w1), np.empty_like(w2)
    h = np.empty((digits.rows, network.hidden), np.float32)
    rows = np.arange(digits.rows)
    turns = cycle(range(digits.batches))

    def step() -> Array:
        start = next(turns) * digits.rows
        x, y = (
            digits.images[start : start + digits.rows],
            digits.labels[start : start + digits.rows],
        )
        np.dot(x, w1, out=h)
        np.add(h, b1, out=h)
        np.tanh(h, out=h)
        z = h @ w2 + b2
        z -= z.max(axis=1, keepdims=True)
        own = z[rows, y]
        np.exp(z, out=z)
        total = z.sum(axis=1, keepdims=True)
        cost = np.mean(np.log(total[:, 0]) - own)
        cost += decay * (np.vdot(w1, w1) + np.vdot(w2, w2))
        z *= scale / total
        z[rows, y] -= scale
        dh = z @ w2.T
        dh *= 1 - h * h
        _descend(w2, np.dot(h.T, z, out=g2), shrink)
        _descend(w1, np.dot(x.T, dh, out=g1), shrink)
        np.subtract(b2, z.sum(axis=0), out=b2)
        np.subtract(b1, dh.sum(axis=0), out=b1)
        return np.asarray(cost)

    return Case(step, lambda: [step(), *(value.copy() for value in parameters)])


def _descend(weights: Array, gradient: Array, shrink: Any) -> None:
    np.multiply(weights, shrink, out=weights)
    np.subtract(weights, gradient, out=weights)


def in_jax(network: Network) -> Case:
    jax = peers_jax.load()
    jnp, digits = jax.numpy, network.digits
    data = jnp.asarray(digits.images), jnp.asarray(digits.labels)
    turns = cycle(range(digits.batches))

    def cost(parameters: Any, x: Any, y: Any) -> Any:
        w1, b1, w2, b2 = parameters
        nll = peers_jax.negative_log_likelihood(jnp.tanh(x @ w1 + b1) @ w2 + b2, y)
        return nll + network.decay * (jnp.sum(w1 * w1) + jnp.sum(w2 * w2))

    def step(parameters: Any, images: Any, labels: Any, index: Any) -> Any:
        x, y = peers_jax.minibatch(digits, images, labels, index)
        value, gradients = jax.value_and_grad(cost)(parameters, x, y)
        return peers_jax.descended(parameters, gradients, np.float32(digits.rate)), (value,)

    start = tuple(map(jnp.asarray, network.draw()))
    return peers_jax.training(step, start, lambda: (*data, next(turns)))


def in_torch(way: Way, network: Network) -> Case:
    torch = peers_torch.load()
    functional, digits = torch.nn.functional, network.digits
    w1, b1, w2, b2 = parameters = tuple(map(torch.from_numpy, network.draw()))
    for parameter in parameters:
        parameter.requires_grad_(way.autograd)
    minus = torch.full((digits.rows, 1), -1.0)
    scale, decay = digits.rate / digits.rows, network.decay

    def by_autograd(x: Any, y: Any) -> tuple[Any, ...]:
        h = torch.tanh(torch.addmm(b1, x, w1))
        nll = functional.cross_entropy(torch.addmm(b2, h, w2), y)
        cost = nll + decay * ((w1 * w1).sum() + (w2 * w2).sum())
        peers_torch.descend(cost, parameters, digits.rate)
        return (cost,)

    def by_hand(x: Any, y: Any) -> tuple[Any, ...]:
        h = torch.addmm(b1, x, w1).tanh_()
        log_p = torch.log_softmax(torch.addmm(b2, h, w2), 1)
        squares = w1.view(-1).dot(w1.view(-1)) + w2.view(-1).dot(w2.view(-1))
        cost = functional.nll_loss(log_p, y) + decay * squares
        dz = log_p.exp_().scatter_add_(1, y[:, None], minus)
        dh = (dz @ w2.T).mul_(1 - h * h)
        shrink = 1 - 2 * digits.rate * decay
        w2.addmm_(h.T, dz, beta=shrink, alpha=-scale)
        w1.addmm_(x.T, dh, beta=shrink, alpha=-scale)
        b2.sub_(dz.sum(0), alpha=scale)
        b1.sub_(dh.sum(0), alpha=scale)
        return (cost,)

    step = way.choose(by_autograd, by_hand)
    return peers_torch.case(peers_torch.minibatches(digits, step), *parameters)


def workloads(tiny: bool) -> list[Workload]:
    """Return the one network."""
    if tiny:
        return [Network(Digits(batches=2, rows=7, features=11, classes=3), hidden=5).workload()]
    digits = Digits(batches=2490, rows=20, rate=0.01)
    return [Network(digits).workload(at_most_of_best_peer(0.5))]
