"""Speed against the bars of the project, each as a ratio of two times taken in one run. `make bench` prints the table.

A ratio is between what meanfield does and what the reader would otherwise do on the same machine in the same minute,
so it carries over to other machines. Nothing here fails a test: a timing is measured, not asserted.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rich.console import Console
from rich.table import Table
from scipy.integrate import dblquad, quad
from scipy.special import ndtr
from stopwatch import seconds
from threadpoolctl import threadpool_limits

import meanfield as mf
from meanfield.infinite_width.covariance import covariance
from meanfield.infinite_width.moments import second_moment

SYMMETRIC = mf.activation("clipped-soft-threshold", tau=1.0, m=1.0)
ASYMMETRIC = mf.activation("clip(x - 0.5, 0, 1) - clip(-x - 1.1, 0, 0.9)")

CLIPPED = mf.edge_of_chaos(mf.activation("clipped-relu", tau=1.0364, m=1.0))

rows: list[tuple[str, str, str]] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print what the benchmarks measured once all have run."""
    yield
    printed = Table("what", "measured", "bar", title="Ratios, each within one run")
    for row in rows:
        printed.add_row(*row)
    Console(width=100).print(printed)


@pytest.mark.parametrize("phi", [SYMMETRIC, ASYMMETRIC], ids=["symmetric", "asymmetric"])
def test_variance_map(benchmark: BenchmarkFixture, phi: mf.PiecewiseLinear, request: pytest.FixtureRequest) -> None:
    q = np.random.default_rng(0).uniform(0.01, 10, 10**6)
    benchmark.pedantic(second_moment, (phi, q), rounds=7)
    bare = len(phi.knots) * seconds(lambda: (ndtr(q), np.exp(q)))
    took = benchmark.stats.stats.min
    name = f"V on 10⁶ q's, 4 {request.node.callspec.id} knots ({took * 1e3:.0f} ns each) / bare ndtr and exp"
    rows.append((name, f"{took / bare:.2f}", "≤ 4"))


def test_correlation_map(benchmark: BenchmarkFixture) -> None:
    rho = np.linspace(-1, 1, 10**5)
    benchmark.pedantic(covariance, (SYMMETRIC, rho, 1.0), rounds=5)
    point = benchmark.stats.stats.min / rho.size

    def phi(x: float) -> float:
        return math.copysign(min(max(abs(x) - 1, 0.0), 1.0), x)

    def integrand(v: float, u: float) -> float:
        # ρ = 1/2
        return phi(u) * phi(v) * math.exp(-(u * u - u * v + v * v) / 1.5) / (math.pi * math.sqrt(3))

    start = time.perf_counter()
    by_quadrature, _ = dblquad(integrand, -9, 9, -9, 9, epsabs=1e-9, epsrel=1e-9)
    slow = time.perf_counter() - start
    name = f"dblquad at 1e-9 / R on 10⁵ ρ's, 4 knots ({point * 1e6:.1f} µs each)"
    rows.append((name, f"{slow / point:.1e}", "≥ 1e5"))
    # tests/data/reference.json, clipped-soft-threshold at τ = m = q = 1
    exact = reference_covariance()
    ours = covariance(SYMMETRIC, 0.5, 1.0)
    rows.append(
        ("error of dblquad / of C(1/2)", f"{abs(by_quadrature - exact):.0e} / {abs(ours - exact):.0e}", "ours less")
    )


@pytest.mark.parametrize(("name", "bar"), [("V", "≤ 30 µs"), ("R", "≤ 150 µs")])
def test_scalar_maps(benchmark: BenchmarkFixture, name: str, bar: str) -> None:
    network, variances = CLIPPED.mean_field, count(1)

    def call() -> float:
        # Another q every time: what depends on one alone is remembered.
        q = 1 + 1e-6 * next(variances)
        return network.V(q) if name == "V" else network.R(0.5, q)

    benchmark(call)

    def integrand(z: float) -> float:
        return min(max(math.sqrt(1.3) * z - 1.0364, 0.0), 1.0) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    took, by_quad = benchmark.stats.stats.min, seconds(lambda: quad(integrand, -9, 9), 50)
    rows.append((f"a scalar call of {name} ({took * 1e6:.0f} µs) / scipy's quad of V", f"{took / by_quad:.2f}", bar))


def reference_covariance() -> float:
    entries = json.loads((Path(__file__).parent.parent / "tests/data/reference.json").read_text())
    (entry,) = (e for e in entries if e["name"] == "clipped-soft-threshold" and e["q"] == 1)
    return float(entry["covariance"]["0.5"])


STARTS = {
    "meanfield eoc / import numpy, scipy.special, typer, rich.table": (
        ["-m", "meanfield", "eoc", "--act", "soft-threshold", "--tau", "0.5"],
        ["-c", "import numpy, scipy.special, typer, rich.table"],
        "≤ 1.3",
    ),
    "meanfield --help / import typer, rich.table": (
        ["-m", "meanfield", "--help"],
        ["-c", "import typer, rich.table"],
        "≤ 1.5",
    ),
}


def test_simulated_networks(benchmark: BenchmarkFixture) -> None:
    asked = mf.Experiment(CLIPPED.mean_field, width=1000, depth=50, networks=20)
    random, weights = np.random.Generator(np.random.SFC64(0)), np.empty((1000, 1000))

    def bare() -> None:
        for _ in range(20):
            h = random.standard_normal((1000, 2))
            for _ in range(50):
                random.standard_normal(out=weights)
                h = weights @ h / math.sqrt(1000)

    times: dict[str, list[float]] = {"simulate": [], "bare": []}

    def both() -> None:
        times["simulate"].append(seconds(lambda: mf.simulate(asked), 1))
        with threadpool_limits(1, user_api="blas"):
            times["bare"].append(seconds(bare, 1))

    benchmark.pedantic(both, rounds=3)
    took = min(times["simulate"])
    name = f"simulate, 20 dense networks, N = 1000, L = 50 ({took:.1f} s) / drawing the weights and multiplying"
    rows.append((name, f"{took / min(times['bare']):.2f}", "≤ 1.3"))


@pytest.mark.parametrize("jobs", [1, -1])
@pytest.mark.parametrize("inputs", [1, 2])
def test_simulated_chains(benchmark: BenchmarkFixture, inputs: int, jobs: int) -> None:
    asked = mf.Experiment(CLIPPED.mean_field, width=300, depth=100, networks=4096, inputs=inputs, method="chain")
    benchmark.pedantic(mf.simulate, (asked,), {"jobs": jobs}, rounds=3)
    normals = 4096 * 300 * 100 * inputs
    random, room = np.random.Generator(np.random.SFC64(0)), np.empty(10**6)
    bare = seconds(lambda: random.standard_normal(out=room)) * normals / len(room)
    took = benchmark.stats.stats.min
    who = "one process" if jobs == 1 else "all processors"
    name = f"simulate, 4096 chains of {inputs}, N = 300, L = 100, {who} ({took:.1f} s) / drawing the numbers"
    rows.append((name, f"{took / bare:.2f}", "4 s"))


DERIVED = {
    "meanfield derive, V of clipped soft threshold": ("V", "1.5 s"),
    "meanfield derive, all of clipped soft threshold": ("all", "5 s"),
}

CRELU = "clipped-relu(tau=1.0364, m=2)"
GRID = ["--sigma-w", "0.5:4:200", "--sigma-b", "0:2:200", "--format", "csv"]
COMMANDS = {
    **{
        f"meanfield stability of {called}, N = {width}, L = {depth}, and what would be safe": (
            ["stability", "--act", act, "--width", str(width), "--depth", str(depth)],
            bar,
        )
        for called, act in (("clipped ReLU", CRELU), ("GELU", "gelu"))
        for width, depth, bar in ((300, 100, "4 s"), (1000, 300, "20 s"))
    },
    "meanfield design, 15 combinations": (
        ["design", "--sparsity", "0.6,0.7,0.8,0.85,0.9", "--slope", "0.5,0.7,0.9"],
        "1 s",
    ),
    "meanfield phase, 200 × 200, 2 knots": (["phase", "--act", CRELU, *GRID], "10 s"),
    "meanfield phase, 200 × 200, 4 knots": (["phase", "--act", "clipped-soft-threshold(1, 1)", *GRID], "10 s"),
}


@pytest.mark.parametrize("name", STARTS)
def test_start_up(benchmark: BenchmarkFixture, name: str) -> None:
    command, base, bar = STARTS[name]
    times: dict[str, list[float]] = {"command": [], "base": []}

    def both() -> None:
        for kind, arguments in (("command", command), ("base", base)):
            times[kind].append(
                seconds(lambda a=arguments: subprocess.run([sys.executable, *a], stdout=subprocess.DEVNULL), 1)
            )

    benchmark.pedantic(both, rounds=20)
    rows.append((name, f"{min(times['command']) / min(times['base']):.2f}", bar))


@pytest.mark.parametrize("name", DERIVED)
def test_derivations(benchmark: BenchmarkFixture, name: str) -> None:
    quantity, bar = DERIVED[name]
    arguments = ["-m", "meanfield", "derive", "--act", "clipped-soft-threshold(tau, m)", "--quantity", quantity]
    run = [sys.executable, *arguments]
    benchmark.pedantic(lambda: subprocess.run(run, stdout=subprocess.DEVNULL, check=True), rounds=5)
    base = [sys.executable, "-c", "import scipy.special, sympy, typer, rich.table"]
    imports = seconds(lambda: subprocess.run(base, check=True), 5)
    took = benchmark.stats.stats.min
    rows.append(
        (f"{name} ({took:.2f} s) / import scipy.special, sympy, typer, rich.table", f"{took / imports:.1f}", bar)
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(benchmark: BenchmarkFixture, name: str) -> None:
    arguments, bar = COMMANDS[name]
    run = [sys.executable, "-m", "meanfield", *arguments]
    benchmark.pedantic(lambda: subprocess.run(run, stdout=subprocess.DEVNULL, check=True), rounds=3)
    base = [sys.executable, "-c", "import scipy.special, typer, rich.table"]
    imports = seconds(lambda: subprocess.run(base, check=True), 3)
    took = benchmark.stats.stats.min
    rows.append((f"{name} ({took:.2f} s) / import scipy.special, typer, rich.table", f"{took / imports:.1f}", bar))
