"""What is measured of a network in training: layer by layer on a few examples, and its accuracy on many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from meanfield.tables.records import Record
from meanfield.training.network import Network

__all__ = ["Performance", "by_layer", "performance"]

#: Examples that run through the network at once, as caches hold them; and on a GPU, which dense layers leave idle with
#: fewer.
_CHUNK, _ON_GPU = 1000, 10_000


class Performance(NamedTuple):
    """Accuracy, mean loss, and the share of all hidden φ(h) that is 0."""

    accuracy: float
    loss: float
    sparsity: float


def by_layer(network: Network, x: Tensor, y: Tensor) -> Record:
    """q, the share of φ(h) that is 0, and the norm of the gradient of the loss to h, of each hidden layer.

    The loss is the sum over the examples x, so that the norm is that of all their gradients together.
    """
    found = [*network.preactivations(x)]
    loss = F.cross_entropy(network.logits(found[-1]), y, reduction="sum")
    gradients = torch.autograd.grad(loss, found)
    with torch.no_grad():
        return {
            "q": _numbers(h.double().square().mean() for h in found),
            "sparsity": _numbers((network.phi(h) == 0).double().mean() for h in found),
            "gradient_norm": _numbers(g.double().square().sum().sqrt() for g in gradients),
        }


def performance(network: Network, x: Tensor, y: Tensor) -> Performance:
    """On the examples x with labels y."""
    right, loss, zeros = 0, 0.0, 0.0
    with torch.no_grad():
        size = _ON_GPU if network.is_dense and x.device.type != "cpu" else _CHUNK
        for some, labels in zip(x.split(size), y.split(size), strict=True):
            shares = []
            # Not all layers of so many examples would fit in memory.
            for h in network.preactivations(some):
                shares.append((network.phi(h) == 0).double().mean())
            logits = network.logits(h)
            right += int((logits.argmax(1) == labels).sum())
            loss += float(F.cross_entropy(logits, labels, reduction="sum").double())
            zeros += float(torch.stack(shares).mean()) * len(labels)
    return Performance(right / len(y), loss / len(y), zeros / len(y))


def _numbers(found: Iterable[Tensor]) -> list[float]:
    # Each that is asked of a GPU by itself would wait for it.
    numbers: list[float] = torch.stack(list(found)).tolist()
    return numbers
