"""Networks with smooth activations, of 300 units and 50 layers, do what theory says of them on their edge of chaos."""

from __future__ import annotations

from dataclasses import replace

import pytest

import meanfield as mf
from meanfield.finite_width.experiment import Experiment
from meanfield.simulation.comparison import compare, departures
from meanfield.simulation.ensemble import Ensemble, simulate

#: Variances at which the edge holds a signal, which that of GELU and SiLU does at large ones; inputs.
EDGES = {"tanh": (1.0, 2), "erf": (1.0, 1), "elu": (1.0, 2), "gelu": (10.0, 2), "silu": (30.0, 1)}


@pytest.mark.parametrize("name", EDGES)
def test_smooth_networks_follow_theory_and_no_other_weights(name: str) -> None:
    q_star, inputs = EDGES[name]
    network = mf.edge_of_chaos(mf.activation(name), q_star).mean_field
    asked = Experiment(network, 300, 50, 80, q_star, q_star=q_star, method="chain", inputs=inputs, seed=1)
    drawn = simulate(asked)
    assert departures(compare(drawn), level=0.001)[0] == []
    # Weights that are two per cent off would have shown.
    stronger = replace(asked, network=replace(network, sigma_w=1.02 * network.sigma_w))
    assert departures(compare(Ensemble("", stronger, drawn.measured)), level=0.001)[0]
