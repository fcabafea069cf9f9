"""How well real random networks are foretold: the mean of q in every kind of network. Run: make accuracy.

All named activations, dense and convolutional, Gaussian and orthogonal, width 1000, layers 1 to 20: the mean of q over
an ensemble less that of theory with its correction of order 1/N, in standard errors, the worst layer of each. Half an
hour on two processors.
"""

from __future__ import annotations

import math

import numpy as np
from rich.console import Console
from rich.table import Table

import meanfield as mf
from meanfield.activations.catalogue import ACTIVATIONS

WIDTH, DEPTH = 1000, 20
VALUES = {"tau": 0.5, "m": 1.0, "slope": 0.1}
KINDS = {
    "dense, Gaussian": (64, {}),
    "dense, orthogonal": (64, {"weights": "orthogonal"}),
    "3x3 on 4x4, Gaussian": (12, {"kernel": 3, "size": 4}),
    "3x3 on 4x4, orthogonal": (12, {"kernel": 3, "size": 4, "weights": "orthogonal"}),
    "3x3 on 4x4, zeros around, Gaussian": (12, {"kernel": 3, "size": 4, "padding": "zero"}),
}


def network(name: str) -> mf.MeanField:
    """On the edge of chaos at q* = 1, or, where there is none, at weights of its own."""
    known = next(a for a in ACTIVATIONS if a.name == name)
    phi = mf.activation(name, **{p.name: VALUES[p.name] for p in known.parameters})
    try:
        return mf.edge_of_chaos(phi).mean_field
    except mf.NoEdgeOfChaos:
        return mf.MeanField(phi, 1.0, 0.3)


def worst(name: str, kind: str) -> tuple[float, float]:
    """The largest distance over the layers, in standard errors by theory's spread and by the ensemble's own."""
    count, shape = KINDS[kind]
    experiment = mf.Experiment(network(name), WIDTH, DEPTH, count, inputs=1, seed=6, **shape)
    comparison = mf.compare(mf.simulate(experiment, jobs=-1, memory=4e9))
    s, p = comparison.statistics["q"], comparison.predicted["q"]
    known = p.sd > 1e-12
    assert np.abs(s.mean - p.mean)[~known].max() < 1e-12
    distance = np.abs(s.mean - p.mean)[known] * math.sqrt(count)
    return float(np.max(distance / p.sd[known], initial=0)), float(np.max(distance / s.sd[known], initial=0))


def main() -> None:
    """Print the table."""
    console = Console(width=120)
    table = Table(
        "activation", *KINDS, title="largest |mean of q less theory's| in standard errors: theory's (sample's)"
    )
    largest = 0.0
    for entry in ACTIVATIONS:
        cells = []
        for kind in KINDS:
            by_theory, by_sample = worst(entry.name, kind)
            largest = max(largest, by_theory)
            cells.append(f"{by_theory:.2f} ({by_sample:.2f})")
        table.add_row(entry.name, *cells)
        console.print(entry.name, *cells)
    console.print(table)
    console.print(f"largest: {largest:.2f}; the bar is 4")


if __name__ == "__main__":
    main()
