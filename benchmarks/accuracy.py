"""Largest relative errors against independent values, as docs/accuracy.md shows them. Run: make accuracy.

The reference values were integrated from the definitions to 25 digits (tests/data/reference.json); the tails are
closed forms evaluated by mpmath with 100 digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mpmath
from rich.console import Console
from rich.table import Table

from meanfield import PiecewiseLinear
from meanfield.infinite_width.covariance import covariance, covariance_loss
from meanfield.infinite_width.moments import (
    fourth_moment,
    second_moment,
    second_moment_d1,
    second_moment_d2,
    slope_moment,
    sparsity,
)

REFERENCE = Path(__file__).parent.parent / "tests/data/reference.json"


def reference_errors() -> dict[str, float]:
    """The largest error of each quantity over the reference values, relative to the scale of its bar."""
    errors: dict[str, float] = {}

    def record(name: str, ours: float, exact: str, scale: float = 0.0) -> None:
        # With 50 digits, so that the difference is the error and not the rounding of the reference.
        size = max(abs(mpmath.mpf(exact)), scale)
        if size:
            errors[name] = max(errors.get(name, 0.0), float(abs(ours - mpmath.mpf(exact)) / size))

    for entry in json.loads(REFERENCE.read_text()):
        slopes, intercepts = zip(*entry["activation"]["pieces"], strict=True)
        phi, q = PiecewiseLinear(entry["activation"]["knots"], slopes, intercepts), entry["q"]
        square = float(entry["second_moment"])
        record("E φ²", second_moment(phi, q), entry["second_moment"])
        record("V' (σ_w = 1)", second_moment_d1(phi, q), entry["second_moment_d1"], square / q)
        record("V'' (σ_w = 1)", second_moment_d2(phi, q), entry["second_moment_d2"], square / q**2)
        record("E φ⁴", fourth_moment(phi, q), entry["fourth_moment"])
        record("sparsity", sparsity(phi, q), entry["sparsity"])
        if entry.get("slope_second_moment"):
            record("E φ'²", slope_moment(phi, q, 2), entry["slope_second_moment"])
            record("E φ'⁴", slope_moment(phi, q, 4), entry["slope_fourth_moment"])
        for rho, exact in entry["covariance"].items():
            record("C(ρ), of E φ²", covariance(phi, float(rho), q), exact, square)
    return errors


def tail_errors(h: float) -> dict[str, float]:
    """Relative errors for shifted ReLU with its threshold at h standard deviations."""
    phi = PiecewiseLinear([h], [0, 1], [0, -h])
    tail, density = mpmath.erfc(h / mpmath.sqrt(2)) / 2, mpmath.npdf(h)
    exact: dict[str, tuple[Callable[[PiecewiseLinear, float], float], mpmath.mpf]] = {
        "E φ²": (second_moment, (1 + h**2) * tail - h * density),
        "V'": (second_moment_d1, tail),
        "V''": (second_moment_d2, h * density / 2),
        "E φ⁴": (fourth_moment, (h**4 + 6 * h**2 + 3) * tail - (h**3 + 5 * h) * density),
        "1 - sparsity": (lambda phi, q: slope_moment(phi, q, 2), tail),
    }
    return {name: float(abs(f(phi, 1.0) - value) / value) for name, (f, value) in exact.items()}


def loss_error() -> float:
    """Largest relative error of 1 − R(1 − ε) for ReLU on its edge, ε from 1e-14 to 1, against the arc-cosine kernel."""
    relu = PiecewiseLinear([0], [0, 1], [0, 0])
    worst = 0.0
    for exponent in range(-14, 1):
        eps = 10.0**exponent
        rho = 1 - mpmath.mpf(eps)
        exact = (1 - (mpmath.sqrt(1 - rho**2) + rho * (mpmath.pi - mpmath.acos(rho))) / mpmath.pi) / 2
        worst = max(worst, float(abs(covariance_loss(relu, eps, 1.0) - exact) / exact))
    return worst


def main() -> None:
    """Print the tables."""
    console = Console(width=80)
    table = Table("quantity", "largest relative error", title="Over the 45 reference activations and variances")
    for name, error in reference_errors().items():
        table.add_row(name, f"{error:.1e}")
    console.print(table)
    tails = {h: tail_errors(h) for h in (6.0, 10.0, 20.0, 30.0)}
    table = Table("quantity", *(f"h = {h:g}" for h in tails), title="Shifted ReLU, threshold h standard deviations out")
    for name in tails[6.0]:
        table.add_row(name, *(f"{errors[name]:.1e}" for errors in tails.values()))
    console.print(table)
    console.print(f"1 - R(1 - ε) for ReLU, ε from 1e-14 to 1: {loss_error():.1e}")


if __name__ == "__main__":
    mpmath.mp.dps = 100
    main()
