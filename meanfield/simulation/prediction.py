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

from meanfield.fluctuations import fluctuations
from meanfield.simulation.experiment import Experiment
from meanfield.simulation.field_theory import field_theory
from meanfield.simulation.gradient_theory import gradient_theory
from meanfield.simulation.pair_theory import pair_theory
from meanfield.stability import diagnose

__all__ = ["Predicted", "predict"]

Array = NDArray[np.float64]


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

    Nothing is said of the mean and spread of correlations and gradients in convolutional networks, nor of the spread
    of the mean correlation of more than two inputs.
    """
    e = experiment
    field = field_theory(e)
    found = {
        "q": Predicted(field.q, field.q_mean, field.q_sd),
        "sparsity": Predicted(field.sparsity, field.sparsity_mean, field.sparsity_sd),
        "rho": Predicted(field.rho, *_unknown(e)),
        "log_gradient": Predicted(field.log_gradient, *_unknown(e)),
    }
    if e.is_dense:
        found["q"] = Predicted(field.q, field.q_mean, _dense_sd(e, field.q_sd))
        if e.inputs > 1:
            mean, sd = pair_theory(e, field.q, field.rho)
            found["rho"] = Predicted(field.rho, mean, sd if e.inputs == 2 else np.full_like(sd, np.nan))
        if e.backward:
            found["log_gradient"] = Predicted(field.log_gradient, *gradient_theory(e, field))
    return {name: found[name] for name in e.quantities}


def _unknown(e: Experiment) -> tuple[Array, Array]:
    return np.full(e.depth + 1, np.nan), np.full(e.depth + 1, np.nan)


def _dense_sd(e: Experiment, first_order: Array) -> Array:
    """The standard deviation of q, to the order in 1/N that `meanfield stability` takes."""
    point = diagnose(e.network, e.start).fixed_point
    if e.weights != "gaussian" or point is None or point.q == 0:
        return first_order
    sd = fluctuations(e.network, point, e.width, e.depth, e.start).sd
    return np.where(np.isfinite(sd), sd, first_order)
