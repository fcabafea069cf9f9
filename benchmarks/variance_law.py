"""How well the law of the variance foretells escapes, and how fast: the tables of docs/theory.md, section 12.

Escape probabilities against exact chains; beside them those of nodes twice and a grid four times as fine, and those
with the gamma law in place of the sum. Run: python benchmarks/variance_law.py. Takes half an hour.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri
from threadpoolctl import threadpool_limits

import meanfield as mf
from meanfield.finite_width import layer_law, variance_law
from meanfield.finite_width.variance_chain import trajectories
from meanfield.infinite_width.moments import second_moment

WIDTHS = (1, 10, 30, 64, 100, 300, 1000)
SPARSITIES = (0.0, 0.5, 0.85, 0.95)
DEPTHS = (1, 2, 5, 30, 100)
FACTORS = (1.2, 2.0, 4.0)
#: Chains at most, and units of all chains in one layer: standard errors are 0.0016 at widths up to 30, 0.0078 at 1000.
MOST_CHAINS, NUMBERS = 100_000, 4_096_000

CLIPPED_RELU, CLIPPED_SOFT_THRESHOLD = (mf.Family(f"clipped-{n}", ("tau", "m")) for n in ("relu", "soft-threshold"))

Array = NDArray[np.float64]


def networks(sparsity: float) -> Iterator[mf.MeanField]:
    """Networks with the fixed point q* = 1 and this share of zeros there: on the edge of chaos, but for the jumps."""
    if not sparsity:
        for spec in ("leaky-relu(0.25)", "abs(x)", "hard-tanh"):
            yield mf.edge_of_chaos(mf.activation(spec)).mean_field
        return
    threshold = float(ndtri((1 + sparsity) / 2))
    for spec in (f"shifted-relu({float(ndtri(sparsity))})", f"soft-threshold({threshold})"):
        yield mf.edge_of_chaos(mf.activation(spec)).mean_field
    for family, V_prime in ((CLIPPED_RELU, 0.3), (CLIPPED_RELU, 0.95), (CLIPPED_SOFT_THRESHOLD, 0.9)):
        yield mf.designs(family, sparsity=sparsity, slope=V_prime)[0].edge.mean_field
    # A share of q* for the biases at which no sum of steps falls on f q* or q*/f.
    biases = 0.61
    for slope in (0, 1):
        phi = mf.PiecewiseLinear((-threshold, threshold), (slope, 0, slope), (slope - 1, 0, 1 - slope))
        yield mf.MeanField(phi, math.sqrt((1 - biases) / float(second_moment(phi, 1.0))), math.sqrt(biases))


def probabilities(network: mf.MeanField, width: int, factor: float, depths: tuple[int, ...] = DEPTHS) -> Array:
    """By the law, at each depth."""
    requirements = (mf.Requirement(width, depth, within=factor) for depth in depths)
    return np.array([mf.escape_probability(network, 1.0, requirement) for requirement in requirements])


@contextmanager
def gamma_law_alone() -> Iterator[None]:
    """One layer's law is the gamma law at every width."""
    with patch.object(layer_law, "_WIDEST_SUM", 0):
        yield


@contextmanager
def finer() -> Iterator[None]:
    """Nodes are half as far apart, and the grid is four times as fine."""
    points = {name: 4 * getattr(layer_law, name) for name in ("_POINTS", "_POINTS_OF_ONE")}
    nodes = {name: getattr(variance_law, name) / 2 for name in ("_SHARE", "_WIDEST")}
    with patch.multiple(layer_law, **points), patch.multiple(variance_law, **nodes):
        yield


@dataclass
class Errors:
    """|law − share of chains| in one row of the table, and what tells how much of that is chance."""

    law: list[Array] = field(default_factory=list)
    gamma: list[Array] = field(default_factory=list)
    standard_errors: list[Array] = field(default_factory=list)
    unresolved: list[Array] = field(default_factory=list)

    def add(self, network: mf.MeanField, width: int, variances: Array) -> None:
        """Those at every factor and depth; `variances` of the chains, shape (depths, chains)."""
        chains = variances.shape[1]
        for factor in FACTORS:
            share = ((variances < 1 / factor) | (variances > factor)).mean(axis=1)
            found = probabilities(network, width, factor)
            with gamma_law_alone():
                gamma = probabilities(network, width, factor)
            with finer():
                fine = probabilities(network, width, factor, (5,))
            self.law.append(np.abs(found - share))
            self.gamma.append(np.abs(gamma - share))
            self.standard_errors.append(np.sqrt(np.maximum(found * (1 - found), 1 / chains) / chains))
            self.unresolved.append(np.abs(found[DEPTHS.index(5)] - fine))

    @property
    def cells(self) -> list[str]:
        """The largest error at each factor, that and its standard error, how many of these at most; the others."""
        law, errors = np.array(self.law), np.array(self.standard_errors)
        worst = np.unravel_index(np.argmax(law), law.shape)
        return [
            *(f"{law[i :: len(FACTORS)].max():.4f}" for i in range(len(FACTORS))),
            f"{errors[worst]:.4f}",
            f"{(law / errors).max():.1f}",
            f"{np.max(self.unresolved):.4f}",
            f"{np.max(self.gamma):.4f}",
        ]


def errors_table() -> Table:
    """A row for every width and sparsity: the largest errors over networks and depths."""
    heads = (*(f"f = {f:g}" for f in FACTORS), "s.e. there", "most s.e.", "finer", "gamma law")
    table = Table("width", "zeros", *heads, title="Largest |law - chains|")
    for width in WIDTHS:
        for sparsity in SPARSITIES:
            errors = Errors()
            for network in networks(sparsity):
                chains = min(MOST_CHAINS, NUMBERS // width)
                errors.add(
                    network, width, trajectories(network, 1.0, width, max(DEPTHS), chains).variances[list(DEPTHS)]
                )
            table.add_row(str(width), f"{sparsity:g}", *errors.cells)
    return table


def speed_table() -> Table:
    """Processor time of one call."""
    table = Table(
        "width", "gamma law, ms", "sum, ms", title="One call, 100 layers: clipped ReLU, 85 % zeros, V' = 0.95"
    )
    network = mf.designs(CLIPPED_RELU, sparsity=0.85, slope=0.95)[0].edge.mean_field
    for width in (30, 100, 300, 1000):
        with gamma_law_alone():
            gamma = seconds(network, width)
        table.add_row(str(width), f"{1000 * gamma:.0f}", f"{1000 * seconds(network, width):.0f}")
    return table


def seconds(network: mf.MeanField, width: int, rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        probabilities(network, width, 2.0, (100,))
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print the tables."""
    console = Console(width=100)
    console.print(speed_table())
    console.print(errors_table())


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
