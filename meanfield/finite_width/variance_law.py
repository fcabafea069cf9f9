"""The escape probability without random networks, from the law of the variance one layer on.

u_l(q) is the probability that a network whose variance is q in layer l has escaped by the last layer L. The variance of
a layer depends on the one before alone, so that

    u_l(q) = E[u_{l+1}(K') | K = q],    u_{L−1}(q) = P(K' outside [q*/f, f q*] | K = q).

From a q to the next these probabilities change smoothly, even where the law of K' has atoms: it is enough to know them
at nodes ln q, between which they are cubics. A matrix takes nodes to nodes, and a row takes the start to nodes. No
random numbers, so the result is smooth in every parameter but for the error that `escape_probability` states.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_a
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.layer_law import LayerLaw, is_jagged, layer_law, layer_moments
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["VarianceLaw", "escape_probability", "variance_law"]

Array = NDArray[np.float64]

#: Distance of nodes over the standard deviation of ln K' at q*. What halving it changes: docs/theory.md, section 12.
_SHARE = 0.4
#: Distance of nodes at most, in ln q: V and S bend over not much more than that.
_WIDEST = 0.2
#: Nodes at most, or nearly. Reached at widths of 50 000 or so.
_MOST_NODES = 600
#: How far the nodes reach beyond [q*/f, f q*], as a factor: 4 standard deviations of a random walk of this depth, but
#: within these. From further out nothing comes back.
_NEAREST, _FURTHEST = 2.0, 1e9
#: Nodes whose laws are worked out at once, so that they stay in cache.
_BLOCK = 32
#: Variances whose sixth moments may be beyond the doubles, or beyond the inverse of this.
_LARGEST = 1e50
#: A variance this near an edge, relative to its size, is on it: within, and not escaped.
_ROUNDING = 1e-12
#: What 1, s, s² and s³ make of the values at the nodes s = −1, 0, 1 and 2, a row each: the cubic through them.
_CUBIC = np.array([[0, -2, 3, -1], [6, -3, -6, 3], [0, 6, 3, -3], [0, -1, 0, 1]]) / 6
#: Probabilities smaller than this are what interpolation leaves of 0.
_NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class VarianceLaw:
    """How the variance of a signal moves in one layer, between nodes ln(q/q*), ascending and equally far apart.

    Attributes:
        nodes: n of them.
        variances: q at the nodes and, last, at the start; shape (n + 1,).
        step: makes of a function at the nodes its expectation one layer on, shape (n + 1, n).
        outside: P(K' outside [q*/f, f q*]), shape (n + 1,).
    """

    nodes: Array
    variances: Array
    step: Array
    outside: Array

    def at_rest(self, q: float) -> VarianceLaw:
        """The law of a variance that stays at `q`, from the same start."""
        return VarianceLaw(np.zeros(1), np.array([q, self.variances[-1]]), np.ones((2, 1)), np.zeros(2))

    def escaped(self, depth: int) -> Array:
        """The share of networks that have escaped at the last of 1…`depth` layers, shape (depth,)."""
        u = self.outside
        found = [u[-1]]
        for _ in range(depth - 1):
            u = self.step @ u[:-1]
            found.append(u[-1])
        shares = np.minimum(found, 1.0)
        return np.where(shares > _NOTHING, shares, 0.0)


def variance_law(
    network: MeanField, q_star: float, requirement: Requirement, start: float | None = None
) -> VarianceLaw:
    """Of networks of the required width, whose layer 0 has the variance `start`, by default q*.

    Raises:
        DomainError: q*, `start` or `within` so extreme that the moments on the way are no doubles; weights that are not
            Gaussian.
    """
    require_a(MeanField, "network", network, "edge.mean_field")
    require_a(Requirement, "requirement", requirement, "Requirement(width=300, depth=30)")
    if requirement.weights != "gaussian":
        raise DomainError(f"the law is that of Gaussian weights, not of {requirement.weights} ones: draw networks")
    begin = q_star if start is None else start
    nodes = _nodes(network, q_star, begin, requirement)

    def rows(q: Array) -> tuple[Array, Array]:
        law = layer_law(network, q, requirement.width)
        return _outside(law, q_star, requirement.within), _expectations(law, q_star, nodes)

    q = q_star * np.exp(nodes)
    blocks = _blocks(network, q, requirement.width)
    outside, step = (np.concatenate(parts) for parts in zip(*map(rows, [*blocks, np.array([begin])]), strict=True))
    return VarianceLaw(nodes, np.append(q, begin), step, outside)


def escape_probability(
    network: MeanField, q_star: float, requirement: Requirement, start: float | None = None
) -> float:
    """The share of random networks of the required width and depth that have left q*, as `escapes` counts them.

    Its `risk`, `chains` and `seed` play no part. `start` is the variance at layer 0, by default q*. Right to 0.0005 at
    widths from 1 to 1000 and wherever q* pulls back, but to 0.004 where less than 3 % of so few units are active that
    it is one or two in a layer; less so beyond 50 000 where it repels, and in a layer of one or two units from a start
    hundreds of times q*.

    Raises:
        DomainError: as `variance_law`.

    Source: docs/theory.md, section 12.
    """
    return float(variance_law(network, q_star, requirement, start).escaped(requirement.depth)[-1])


def _blocks(network: MeanField, q: Array, width: int) -> list[Array]:
    """`q` in parts to work on at once, jagged laws apart from smooth ones: they take more points."""
    changes = np.flatnonzero(np.diff(is_jagged(network, q, width))) + 1
    runs = np.split(q, changes)
    return [block for run in runs for block in np.array_split(run, math.ceil(len(run) / _BLOCK))]


def _nodes(network: MeanField, q_star: float, start: float, requirement: Requirement) -> Array:
    """ln(q/q*) at the nodes, ascending and equally far apart; q* is one of them."""
    if not all(1 / _LARGEST <= q <= _LARGEST for q in (q_star, start)):
        raise DomainError(
            f"q* = {q_star:g} or the variance at layer 0, {start:g}, is beyond what the law is worked out for: measure "
            f"x in other units, so that they lie between {1 / _LARGEST:g} and {_LARGEST:g}"
        )
    moments = layer_moments(network, np.array([q_star]), requirement.width)
    sd = moments.sd.item() / (moments.mean.item() or q_star)
    walk = min(4 * sd * math.sqrt(requirement.depth), math.log(_FURTHEST))
    high = math.log(requirement.within) + max(walk, math.log(_NEAREST))
    begin = math.log(start / q_star)
    low, high = min(-high, begin - math.log(_NEAREST)), max(high, begin + math.log(_NEAREST))
    if max(-low, high) + abs(math.log(q_star)) > math.log(_LARGEST):
        raise DomainError(
            f"within = {requirement.within:g} around q* = {q_star:g} spans variances beyond {_LARGEST:g} or its inverse"
        )
    # No variance is less than σ_b², or more than if every unit were at the supremum of |φ|.
    least, most = network.sigma_b_squared, network.layer(np.array(network.activation.supremum**2)).item()
    if least:
        low = max(low, min(math.log(least / q_star), 0.0))
    if most < math.inf:
        high = min(high, max(math.log(most / q_star), 0.0))
    distance = max(min(_SHARE * sd, _WIDEST), (high - low) / _MOST_NODES)
    nodes: Array = distance * np.arange(math.floor(low / distance) - 1.0, math.ceil(high / distance) + 2.0)
    return nodes


def _outside(law: LayerLaw, q_star: float, within: float) -> Array:
    """P(K' outside [q*/f, f q*]) under each law."""
    low, high = q_star / within * (1 - _ROUNDING), q_star * within * (1 + _ROUNDING)
    return 1 - (law.below(high) - law.below(low))


def _expectations(law: LayerLaw, q_star: float, nodes: Array) -> Array:
    """The matrix, shape (n, nodes), that makes of u at the nodes its expectation under each of the n laws.

    Beyond the nodes u is what it is at the last of them.
    """
    rows, values, probabilities = law.points
    size, count = len(law.values), len(nodes)
    with np.errstate(divide="ignore"):
        x = np.log(values / q_star)
    # Rounded, so that an unstable q* which nothing kicks is not left.
    x = np.round((np.clip(x, nodes[0], nodes[-1]) - nodes[0]) / (nodes[1] - nodes[0]), 9)
    left = np.clip(x.astype(int), 1, count - 3)
    s, moment, powers = x - left, probabilities, []
    for _ in range(4):
        powers.append(np.bincount(rows * count + left, moment, size * count).reshape(size, count))
        moment = moment * s
    matrix = np.zeros((size, count))
    for node, share in zip(range(-1, 3), np.tensordot(_CUBIC, powers, axes=1), strict=True):
        matrix[:, 1 + node : count - 2 + node] += share[:, 1 : count - 2]
    return matrix
