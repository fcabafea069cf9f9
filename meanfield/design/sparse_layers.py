"""What sparse activations save, and what they buy: active units a layer, multiplications, memory, capacity.

At variance q every unit is active, φ ≠ 0, with the same probability p and independently of the others, given q: the
active count of a layer of s units is binomial. What a class of networks with at most k of s units active can fit is
bounded by Awasthi, Dikkala, Kamath and Meka (2024) and, without their √n, by Li, Sha, Jiang, Gao and Han.
docs/theory.md, section 11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from meanfield.activations.activation import Activation, require_activation
from meanfield.domain import require_count, require_signal
from meanfield.infinite_width.moments import active_share, sloping_share, sparsity
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["ActiveUnits", "active_units", "capacity_bounds"]

#: Probability that a layer has at most `bound` units active.
_CONFIDENCE = 0.999
#: Bytes of a number (single precision), and of the mark that says whether a unit is active.
_NUMBER, _MARK = 4, 1 / 8


@dataclass(frozen=True)
class ActiveUnits(Shown):
    """A layer of s = `width` units at variance q, and the class of networks with one such hidden layer.

    Attributes:
        sparsity: P(φ = 0).
        share: p = P(φ ≠ 0), the fraction of units that are active.
        sloping: P(φ' ≠ 0), the fraction that pass a gradient; less than p where φ is clipped.
        width: s.
        mean, sd: of the active count, binomial(s, p).
        bound: k, the least count that 99.9 % of layers do not exceed.
        forward, forward_dense: multiplications of a square layer for one input, those by zero left out or not.
        backward, backward_dense: the same for its gradient, of the weights and of the inputs.
        memory, memory_dense: bytes of the activations kept for the backward pass, in single precision; if sparse, the
            active ones and a bit a unit.
        capacity: ratio √(k/s) of the bounds on the Rademacher complexity, at most k of s units active to all.
        samples: ratio k/s of the numbers of samples that give equal bounds.
    """

    sparsity: float
    share: float
    sloping: float
    width: int
    mean: float
    sd: float
    bound: int
    forward: float
    forward_dense: float
    backward: float
    backward_dense: float
    memory: float
    memory_dense: float
    capacity: float
    samples: float

    paper = ("width", "sparsity", "active_mean", "active_bound", "capacity_ratio", "samples_ratio")

    def record(self) -> Record:
        """Every number, under the names of docs/quantities.md."""
        called = {
            **{"share": "active_share", "sloping": "sloping_share", "mean": "active_mean", "sd": "active_sd"},
            **{"bound": "active_bound", "capacity": "capacity_ratio", "samples": "samples_ratio"},
        }
        return {"width": self.width} | {called.get(name, name): value for name, value in vars(self).items()}


def active_units(activation: Activation, width: int, q: float = 1.0) -> ActiveUnits:
    """The active units of a layer of `width` ≥ 1 units at variance q > 0.

    Raises:
        DomainError: a number out of range.
    """
    from scipy.stats import binom

    require_activation(activation)
    require_signal(q)
    require_count("width", width)
    share, sloping, zero = (f(activation, q) for f in (active_share, sloping_share, sparsity))
    mean, dense = width * share, float(width) ** 2
    bound = int(binom.ppf(_CONFIDENCE, width, share))
    return ActiveUnits(
        sparsity=zero,
        share=share,
        sloping=sloping,
        width=width,
        mean=mean,
        sd=math.sqrt(mean * zero),
        bound=bound,
        forward=mean * width,
        forward_dense=dense,
        # Active inputs have a gradient of the weights, sloping ones pass one to the layer below.
        backward=(share + sloping) * dense,
        backward_dense=2 * dense,
        memory=_NUMBER * mean + _MARK * width,
        memory_dense=_NUMBER * float(width),
        capacity=math.sqrt(bound / width),
        samples=bound / width,
    )


def capacity_bounds(width: int, bound: int, inputs: int, samples: int) -> tuple[float, float]:
    """√(s n k/M) and √(s k/M): the two bounds for s units, k of them active, n inputs and M samples.

    Norms, biases, constants and logarithms are left out: only ratios of these mean anything.
    """
    require_count("inputs", inputs)
    require_count("samples", samples)
    refined = math.sqrt(width * bound / samples)
    return math.sqrt(inputs) * refined, refined
