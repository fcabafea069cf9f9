"""What theory says an ensemble of random networks does, layer by layer, to first order in 1/N.

The maps of infinite width say where a signal goes; a layer of N units kicks it by O(1/√N), and the next layers carry
the kick on. Of every quantity this predicts the value at infinite width, the mean over networks with its correction of
order 1/N, and the standard deviation. Orthogonal weights and convolutions have corrections of their own. For dense
Gaussian weights the standard deviation of q is that of `meanfield stability`. docs/theory.md, section 13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.field_theory import FieldTheory, field_theory
from meanfield.finite_width.fluctuations import LARGEST_SHIFT, fluctuations
from meanfield.finite_width.gradient_theory import gradient_theory
from meanfield.finite_width.pair_theory import pair_theory
from meanfield.infinite_width.operating_point import operating_point_of

__all__ = ["Predicted", "predict"]

Array = NDArray[np.float64]

#: A correlation or a share within this of the end of its range is there.
_END_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Predicted:
    """One quantity by layer, shape (depth + 1,) each; NaN where theory says nothing.

    Attributes:
        value: at infinite width.
        mean: over networks of width N, to order 1/N.
        sd: over networks of width N, to leading order.
    """

    value: Array
    mean: Array
    sd: Array


def predict(experiment: Experiment) -> Mapping[str, Predicted]:
    """By the quantities that the experiment measures.

    Means and spreads are withheld (NaN) from the layer on where corrections are none any more: where q shifts by more
    than a fifth of itself, and where sparsity shifts or strays, or ρ strays, further than the end of its range is away;
    of the gradient altogether where q does so, or a layer is too narrow to pass it evenly. Nothing is said of the mean
    and spread of correlations and gradients in convolutional networks, nor of the spread of the mean correlation of
    more than two inputs.
    """
    e = experiment
    field = field_theory(e)
    found = {
        "q": Predicted(field.q, field.q_mean, _q_sd(e, field)),
        "sparsity": Predicted(field.sparsity, field.sparsity_mean, field.sparsity_sd),
        "rho": Predicted(field.rho, *_unknown(e)),
        "log_gradient": Predicted(field.log_gradient, *_unknown(e)),
    }
    small = np.abs(field.q_shift) <= LARGEST_SHIFT * field.q
    s, room = found["sparsity"], np.fmin(field.sparsity, 1 - field.sparsity)
    found["sparsity"] = _withheld(s, ~(np.fmax(np.abs(s.mean - s.value), s.sd) > room + _END_ROUNDING))
    if e.is_dense and e.inputs > 1:
        mean, sd = pair_theory(e, field.q, field.rho)
        inside = ~(sd > np.maximum(1 - np.abs(field.rho), _END_ROUNDING))
        found["rho"] = _withheld(Predicted(field.rho, mean, sd if e.inputs == 2 else _unknown(e)[1]), inside)
    if e.is_dense and e.backward and small.all():
        orthogonal = e.weights == "orthogonal"
        law = gradient_theory(e.network, e.width, field.q, field.q_shift, field.q_variance, orthogonal=orthogonal)
        found["log_gradient"] = Predicted(field.log_gradient, law.mean, law.sd)
    return {name: found[name] if name == "log_gradient" else _withheld(found[name], small) for name in e.quantities}


def _withheld(p: Predicted, holds: NDArray[np.bool_]) -> Predicted:
    """Without mean and spread from the first layer on where the theory does not hold."""
    until = np.logical_and.accumulate(holds)
    return Predicted(p.value, np.where(until, p.mean, np.nan), np.where(until, p.sd, np.nan))


def _unknown(e: Experiment) -> tuple[Array, Array]:
    return np.full(e.depth + 1, np.nan), np.full(e.depth + 1, np.nan)


def _q_sd(e: Experiment, field: FieldTheory) -> Array:
    """Of dense Gaussian networks that of `meanfield stability`, where the variance has a fixed point to stray from."""
    point = operating_point_of(e.network, e.q_star or e.start).fixed_point
    if not e.is_dense or e.weights != "gaussian" or point is None or point.q == 0:
        return field.q_sd
    return fluctuations(e.network, point, e.width, e.depth, e.start).sd
