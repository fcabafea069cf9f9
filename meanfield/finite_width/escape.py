"""How likely a network of given width and depth is to lose its signal or its gradient.

It has lost its signal when the variance of its last layer has escaped, outside [q*/f, f q*]; that covers every
mechanism at once: another basin, a runaway, a random walk. It has lost its gradient when the squared length has changed
by more than a factor f_g on the way from the last layer to the first. docs/theory.md, sections 8 and 17.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_count, require_share, require_within
from meanfield.errors import DomainError
from meanfield.finite_width.experiment import Weights
from meanfield.finite_width.variance_chain import takes_normal_steps, trajectories
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import second_moment
from meanfield.quantities import CHAINS, GRADIENT_WITHIN, RISK, WITHIN
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["MOST_NUMBERS", "Escapes", "Requirement", "escapes", "is_outside", "loses_gradient", "wilson_interval"]

Array = NDArray[np.float64]

#: Trajectories are kept whole; this many numbers fill 0.4 GB, and what is made of them as much again, twice.
MOST_NUMBERS = 50_000_000
#: Variances up to this, and down to its inverse, have sixth moments that are doubles with room to spare.
_FURTHEST = 1e40
#: Φ⁻¹(0.975), of an interval that 95 % lie within.
_NORMAL_QUANTILE = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Requirement:
    """What is asked of a network: at this width and depth, at most a share `risk` of random networks may lose either.

    Attributes:
        width: N ≥ 1, units in each layer.
        depth: L ≥ 1, layers.
        within: f > 1; a variance outside [q*/f, f q*] at layer L has escaped.
        risk: the share allowed, between 0 and 1.
        chains: random networks drawn, ≥ 1.
        seed: of the random numbers, ≥ 0.
        gradient_within: f_g > 1; a squared gradient that changes by more over all layers is lost.
        weights: gaussian, independent; or orthogonal.

    Raises:
        DomainError: a number out of range.
    """

    width: int
    depth: int
    within: float = WITHIN
    risk: float = RISK
    chains: int = CHAINS
    seed: int = 0
    gradient_within: float = GRADIENT_WITHIN
    weights: Weights = "gaussian"

    def __post_init__(self) -> None:
        for name, lowest in (("width", 1), ("depth", 1), ("chains", 1), ("seed", 0)):
            label = "random networks (--escapes)" if name == "chains" else name
            require_count(label, getattr(self, name), lowest)
        require_within(self.within)
        require_within(self.gradient_within, "gradient_within")
        if self.weights not in get_args(Weights):
            raise DomainError(f"weights = {self.weights!r} is not known: give {' or '.join(get_args(Weights))}")
        require_share("risk", self.risk, "a probability to allow")
        if self.chains * (self.depth + 1) > MOST_NUMBERS:
            raise DomainError(
                f"{self.chains} random networks (--escapes) of {self.depth} layers do not fit in memory: give so few "
                f"that networks times layers are at most {MOST_NUMBERS:g}"
            )

    @property
    def careful(self) -> Requirement:
        """The same with half the risk: what is recommended is to hold for other random networks too."""
        return replace(self, risk=self.risk / 2)


@dataclass(frozen=True, eq=False, repr=False)
class Escapes(Shown):
    """What became of the chains.

    Attributes:
        requirement: what was asked.
        variances: K by layer and chain, shape (depth + 1, chains).
        log_gains: ln G of the gradient over all layers by chain, shape (chains,); −∞ where none passes.
        outside: whether the variance has escaped, shape (depth + 1, chains).
        normal: whether a layer was drawn as one normal number, which is proven close, rather than N.
    """

    requirement: Requirement
    variances: Array
    log_gains: Array
    outside: NDArray[np.bool_]
    normal: bool

    def record(self) -> Record:
        """Width, depth, and the share that has escaped."""
        return {
            "width": self.requirement.width,
            "depth": self.requirement.depth,
            "escape_probability": self.probability,
            "escape_interval": list(self.interval),
        }

    @property
    def shares(self) -> Array:
        """The share of chains that have escaped at each layer, shape (depth + 1,)."""
        return np.asarray(self.outside.mean(axis=1))

    @property
    def probability(self) -> float:
        """The share of chains that have escaped at the last layer."""
        return float(self.shares[-1])

    @cached_property
    def mean(self) -> Array:
        """The mean of K over the chains at each layer, shape (depth + 1,)."""
        return np.asarray(self.variances.mean(axis=1))

    @cached_property
    def sd(self) -> Array:
        """The standard deviation of K over the chains at each layer, shape (depth + 1,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.variances.std(axis=1))

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the escape probability."""
        return self.interval_of(self.outside[-1])

    @property
    def without_gradient(self) -> NDArray[np.bool_]:
        """Whether a chain has lost its gradient, shape (chains,)."""
        return loses_gradient(self.log_gains, self.requirement.gradient_within)

    def lost(self, *, neutral: bool = False) -> NDArray[np.bool_]:
        """Whether a chain has lost signal or gradient, shape (chains,); a `neutral` signal may go where it likes."""
        return self.without_gradient if neutral else self.without_gradient | self.outside[-1]

    @staticmethod
    def interval_of(lost: NDArray[np.bool_]) -> tuple[float, float]:
        """Wilson's 95 % interval of the probability of what has befallen some of the chains."""
        return wilson_interval(int(np.count_nonzero(lost)), lost.size)


def escapes(
    network: MeanField,
    q_star: float,
    requirement: Requirement,
    start: float | None = None,
    *,
    normal: bool | None = None,
    advance: Callable[[int], object] | None = None,
) -> Escapes:
    """Random networks of the required width and depth, and how many have left q*.

    `start` is their variance at layer 0, by default q*; `normal` and `advance` are those of `trajectories`; by default
    normal steps are taken where they are proven close at q* and at `start`.

    Raises:
        DomainError: variances so small or large that their sixth moments are no doubles.
    """
    r = requirement
    begin = q_star if start is None else start
    for name, value in (
        ("q*", q_star),
        ("the variance at layer 0", begin),
        ("E φ² at q*", second_moment(network.activation, q_star)),
    ):
        if not (1 / _FURTHEST <= value <= _FURTHEST):
            raise DomainError(
                f"{name} = {value:g} is beyond what random networks are drawn for: measure x and φ in other units, so "
                f"that it lies between {1 / _FURTHEST:g} and {_FURTHEST:g}"
            )
    if normal is None:
        normal = all(takes_normal_steps(network, q, r.width) for q in (q_star, begin))
    variances, log_gains = trajectories(
        network,
        begin,
        r.width,
        r.depth,
        r.chains,
        r.seed,
        orthogonal=r.weights == "orthogonal",
        normal=normal,
        advance=advance,
    )
    return Escapes(r, variances, log_gains, is_outside(variances, q_star, r.within), normal)


def is_outside(variances: Array, q_star: float, within: float) -> NDArray[np.bool_]:
    """Whether each of the `variances`, of any shape, has escaped: is outside [q*/f, f q*], f = `within`."""
    return np.asarray((variances < q_star / within) | (variances > q_star * within))


def loses_gradient(log_gains: Array, gradient_within: float) -> NDArray[np.bool_]:
    """Whether |ln G| > ln f_g for each of the `log_gains`, of any shape.

    NaN does, where the variance ran away and nothing is known of the slopes.
    """
    return np.asarray(~(np.abs(log_gains) <= math.log(gradient_within)))


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a probability, from `count` successes in `total` trials.

    Written out, for scipy.stats takes longer to load than all the networks of an ordinary requirement to draw.
    """
    z_squared = _NORMAL_QUANTILE**2
    centre = (count + z_squared / 2) / (total + z_squared)
    half = _NORMAL_QUANTILE * math.sqrt(count * (total - count) / total + z_squared / 4) / (total + z_squared)
    return max(centre - half, 0.0) if count else 0.0, min(centre + half, 1.0) if count < total else 1.0
