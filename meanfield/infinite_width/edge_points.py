"""The edge of chaos as a curve in the plane (σ_w, σ_b), drawn by q*. docs/theory.md, sections 6 and 10."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.edge import require_an_edge, require_signal, squared_bias
from meanfield.infinite_width.mean_field import LARGEST_SCALE
from meanfield.infinite_width.moments import kink_term, second_moment_d2, slope_moment, sparsity

__all__ = ["EdgeCurve", "edge_curve"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EdgeCurve:
    """Points of the edge of chaos, each field an array of the shape of `q_star`.

    `sigma_w`, `sigma_b`, `V_prime` and `V_double_prime` are NaN at a q* that has no edge.
    """

    q_star: Array
    sigma_w: Array
    sigma_b: Array
    sparsity: Array
    V_prime: Array
    V_double_prime: Array


def edge_curve(activation: PiecewiseLinear, q_star: ArrayLike) -> EdgeCurve:
    """The point of the edge of chaos at each q* > 0.

    Raises:
        NoEdgeOfChaos: φ jumps or is constant.
        DomainError: a q* that is not a finite number > 0.
    """
    require_an_edge(activation)
    q = np.asarray(q_star, dtype=float)
    for value in q.flat:
        require_signal(float(value))
    slopes, bias = np.asarray(slope_moment(activation, q, 2)), squared_bias(activation, q)
    exists = (slopes >= LARGEST_SCALE**-2) & (bias >= 0)
    weights = 1 / np.where(exists, slopes, np.nan)
    return EdgeCurve(
        q_star=q,
        sigma_w=np.sqrt(weights),
        sigma_b=np.sqrt(np.where(exists, bias, np.nan)),
        sparsity=np.asarray(sparsity(activation, q)),
        V_prime=1 + weights * np.asarray(kink_term(activation, q)),
        V_double_prime=weights * np.asarray(second_moment_d2(activation, q)),
    )
