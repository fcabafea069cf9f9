"""How well the law of signal and gradient foretells what networks lose: the table of docs/theory.md, section 17.

Shares against exact chains, on the edge of chaos, by what q* does to a variance near it. Run: python
benchmarks/loss_law.py. Takes some minutes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri
from threadpoolctl import threadpool_limits

import meanfield as mf
from meanfield.finite_width.escape import Escapes, Requirement, escapes, wilson_interval
from meanfield.finite_width.loss_law import LossLaw, loss_law

WIDTHS, DEPTHS, CHAINS = (30, 100, 300), (10, 30, 100), 1024
#: Units in all layers of a network, at most.
MOST = 10_000
SPARSITIES = (0.7, 0.9)
#: Without zeros, or as many as there are.
OTHERS = ("hard-tanh", "abs(x)-0.5", "leaky-relu(0.25)", "relu", "tanh", "erf", "elu", "selu", "gelu", "silu")
#: V'(q*) up to which q* pulls back, and the least which is 1.
PULLS, NEUTRAL = 0.95, 0.999


def networks() -> Iterator[tuple[str, mf.MeanField]]:
    """On the edge of chaos, with their names."""
    for spec in OTHERS:
        yield spec, mf.edge_of_chaos(mf.activation(spec)).mean_field
    for sparsity in SPARSITIES:
        for name, threshold in (
            ("shifted-relu", float(ndtri(sparsity))),
            ("soft-threshold", float(ndtri((1 + sparsity) / 2))),
        ):
            yield f"{name}, {sparsity}", mf.edge_of_chaos(mf.activation(f"{name}({threshold})")).mean_field
        for name in ("clipped-relu", "clipped-soft-threshold"):
            for slope in (0.5, 0.8):
                design = mf.designs(mf.Family(name, ("tau", "m")), sparsity=sparsity, slope=slope)[0]
                yield f"{name}, {sparsity}, {slope}", design.edge.mean_field


@dataclass
class Row:
    """Of one group of networks at one width: by part, differences, their standard errors and whether by chance."""

    differences: list[list[float]] = field(default_factory=list)
    errors: list[list[float]] = field(default_factory=list)
    within: list[list[bool]] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    sds: list[float] = field(default_factory=list)

    def add(self, law: LossLaw, drawn: Escapes) -> None:
        """The last layer of either."""
        counts = [int(np.count_nonzero(lost)) for lost in (drawn.outside[-1], drawn.without_gradient, drawn.lost())]
        found = [float(part[-1]) for part in (law.signal, law.gradient, law.either)]
        self.differences.append([abs(p - n / CHAINS) for p, n in zip(found, counts, strict=True)])
        self.errors.append([math.sqrt(max(p * (1 - p), 1 / CHAINS) / CHAINS) for p in found])
        intervals = [wilson_interval(n, CHAINS) for n in counts]
        self.within.append([low <= p <= high for p, (low, high) in zip(found, intervals, strict=True)])
        logs = drawn.log_gains[np.isfinite(drawn.log_gains)]
        if logs.size > CHAINS / 2:
            self.means.append(abs(float(law.mean[-1] - logs.mean())) / float(logs.std()))
            self.sds.append(abs(float(law.sd[-1] / logs.std()) - 1))

    @property
    def cells(self) -> list[str]:
        """Comparisons; the largest difference of each part; standard errors; shares within; of mean and sd."""
        differences, errors = np.array(self.differences), np.array(self.errors)
        return [
            str(len(differences)),
            *(f"{worst:.3f}" for worst in differences.max(axis=0)),
            *(f"{most:.1f}" for most in (differences / errors).max(axis=0)),
            *(f"{share:.0%}" for share in np.mean(self.within, axis=0)),
            f"{max(self.means):.2f}",
            f"{max(self.sds):.2f}",
        ]


def group(network: mf.MeanField) -> str:
    """What q* = 1 does to a variance near it."""
    slope = float(network.dV(1.0))
    if slope <= PULLS:
        return "pulls back"
    homogeneous = abs(network.V(2.0) / network.V(1.0) - 2) < 1 - NEUTRAL
    return "neutral" if homogeneous else "repels"


def table(console: Console) -> Table:
    """A row for what q* does and every width."""
    parts = ("signal", "gradient", "either")
    heads = [*parts, *(f"s.e. {p}" for p in parts), *(f"in {p}" for p in parts), "mean/sd", "sd"]
    result = Table("q*", "width", "number", *heads, title="Largest |law - chains|")
    rows: dict[tuple[str, int], Row] = {}
    seconds = []
    for name, network in networks():
        for width in WIDTHS:
            row = rows.setdefault((group(network), width), Row())
            for depth in (depth for depth in DEPTHS if width * depth <= MOST):
                requirement = Requirement(width, depth, chains=CHAINS, seed=depth)
                start = time.process_time()
                law = loss_law(network, 1.0, requirement)
                seconds.append(time.process_time() - start)
                row.add(law, escapes(network, 1.0, requirement, normal=False))
                console.print(name, width, depth, *(f"{x:.4f}" for x in row.differences[-1]), style="dim")
    for (what, width), row in sorted(rows.items()):
        result.add_row(what, str(width), *row.cells)
    console.print(f"one call: {min(seconds):.2f} to {max(seconds):.2f} s, half of them up to {np.median(seconds):.2f}")
    return result


def main() -> None:
    """Print the table."""
    console = Console(width=160)
    console.print(table(console))


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
