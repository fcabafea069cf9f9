"""How well finite width is foretold: the tables of docs/accuracy.md. Run: make accuracy.

The spread of q predicted against that of random networks; and escape probabilities of the exact chain
against those of real networks, every weight of which is drawn. Takes a few minutes.
"""

from __future__ import annotations

import math

import numpy as np
from rich.console import Console
from rich.table import Table

import meanfield as mf
from meanfield.finite_width.escape import is_outside, wilson_interval
from meanfield.finite_width.fluctuations import fluctuations
from meanfield.finite_width.variance_chain import trajectories
from meanfield.quantities import WITHIN

WIDTH, DEPTH = 300, 100


def spread_errors(family: mf.Family, sparsity: float, slope: float, width: int) -> tuple[float, float, float]:
    """Predicted and observed standard deviation of q, and the share of networks escaped, at layer 60."""
    (design,) = mf.designs(family, sparsity=sparsity, slope=slope)
    point = mf.operating_point_of(design.edge).fixed_point
    assert point is not None
    variances = trajectories(design.edge.mean_field, 1.0, width, 60, 8192).variances
    observed = float(np.mean(variances[30:].std(axis=1)))
    predicted = fluctuations(design.edge.mean_field, point, width, 60).stationary_sd
    return predicted, observed, float(is_outside(variances[-1], 1.0, WITHIN).mean())


def real_escapes(spec: str, count: int = 200, seed: int = 1) -> int:
    """How many of `count` real networks, dense layers with all their weights, have escaped at the last layer."""
    network = mf.edge_of_chaos(mf.activation(spec)).mean_field
    random = np.random.default_rng(seed)
    escaped = 0
    for _ in range(count):
        h = random.standard_normal(WIDTH)
        for _ in range(DEPTH - 1):
            weights = random.standard_normal((WIDTH, WIDTH), dtype=np.float32)
            weights *= np.float32(network.sigma_w / math.sqrt(WIDTH))
            h = weights @ network.activation(h) + network.sigma_b * random.standard_normal(WIDTH)
        variance = network.sigma_b**2 + network.sigma_w**2 * float(np.mean(np.square(network.activation(h))))
        escaped += bool(is_outside(np.array(variance), 1.0, WITHIN))
    return escaped


def main() -> None:
    """Print the tables."""
    console = Console(width=100)
    table = Table(
        "activation",
        "sparsity",
        "V'",
        "N",
        "predicted",
        "observed",
        "error",
        "escaped",
        title="Standard deviation of q",
    )
    for name in ("clipped-relu", "clipped-soft-threshold"):
        family = mf.Family(name, ("tau", "m"))
        for sparsity in (0.6, 0.7, 0.8, 0.85, 0.9, 0.95):
            for slope in (0.3, 0.5, 0.6, 0.7, 0.8):
                for width in (300, 1000) if slope >= 0.6 else (300,):
                    predicted, observed, escaped = spread_errors(family, sparsity, slope, width)
                    error = f"{predicted / observed - 1:+.1%}"
                    cells = (f"{sparsity:g}", f"{slope:g}", str(width), f"{predicted:.4f}", f"{observed:.4f}", error)
                    table.add_row(name, *cells, f"{escaped:.2%}")
    console.print(table)
    table = Table("activation", "chain", "200 real networks", "their 95 % interval", title="Escaped, N = 300, L = 100")
    for spec in ("clipped-relu(tau=1.0364, m=1)", "clipped-relu(tau=1.0364, m=2)", "shifted-relu(tau=1.0364)"):
        chain = mf.escapes(mf.edge_of_chaos(mf.activation(spec)).mean_field, 1.0, mf.Requirement(WIDTH, DEPTH))
        count = real_escapes(spec)
        low, high = wilson_interval(count, 200)
        table.add_row(spec, f"{chain.probability:.4f}", f"{count / 200:.3f}", f"{low:.3f} to {high:.3f}")
    console.print(table)


if __name__ == "__main__":
    main()
