"""Activations to test with: the named ones built from their knots, random ones, and the stored reference values."""

from __future__ import annotations

import json
from pathlib import Path

import definitions
from hypothesis import strategies as st

from meanfield.activations.piecewise_linear import PiecewiseLinear

IDENTITY = PiecewiseLinear([], [1], [0])
RELU = PiecewiseLinear([0], [0, 1], [0, 0])
LEAKY_RELU = PiecewiseLinear([0], [0.25, 1], [0, 0])
ABS = PiecewiseLinear([0], [-1, 1], [0, 0])
SIGN = PiecewiseLinear([0], [0, 0], [-1, 1])
STEP = PiecewiseLinear([0], [0, 0], [0, 1])
HARD_TANH = PiecewiseLinear([-1, 1], [0, 1, 0], [-1, 0, 1])
CONSTANT = PiecewiseLinear([], [0], [0.5])


def shifted_relu(tau: float) -> PiecewiseLinear:
    """max(0, x − τ)."""
    return PiecewiseLinear([tau], [0, 1], [0, -tau])


def soft_threshold(tau: float) -> PiecewiseLinear:
    """sign(x)·max(0, |x| − τ)."""
    return PiecewiseLinear([-tau, tau], [1, 0, 1], [tau, 0, -tau])


def clipped_relu(tau: float, m: float) -> PiecewiseLinear:
    """min(m, max(0, x − τ)), with m rounded to the distance of two doubles."""
    m = (tau + m) - tau
    return PiecewiseLinear([tau, tau + m], [0, 1, 0], [0, -tau, m])


def clipped_soft_threshold(tau: float, m: float) -> PiecewiseLinear:
    """sign(x)·min(m, max(0, |x| − τ)), with m rounded to the distance of two doubles."""
    m = (tau + m) - tau
    return PiecewiseLinear([-tau - m, -tau, tau, tau + m], [0, 1, 0, 1, 0], [-m, tau, 0, -tau, m])


def hard_threshold(tau: float) -> PiecewiseLinear:
    """x where |x| > τ, else 0: a jump at either threshold."""
    return PiecewiseLinear([-tau, tau], [1, 0, 1], [0, 0, 0])


#: Slopes 1/4 and 1, each of them alone at one end of q*: σ_w lies between 1 and 4.
LEAKY_SOFT_THRESHOLD = PiecewiseLinear([-1, 1], [1, 0.25, 1], [0.75, 0, -0.75])
LEAKY_HARD_TANH = PiecewiseLinear([-1, 1], [0.25, 1, 0.25], [-0.75, 0, 0.75])
RELU6 = PiecewiseLinear([0, 6], [0, 1, 0], [0, 0, 6])

#: An activation for every verdict on its edge of chaos with q* = 1, at a width and depth of about 100.
VERDICTS = {
    "safe": clipped_relu(1.0364, 1.0),
    "fragile": clipped_relu(1.0364, 2.0),
    "unstable": shifted_relu(1.0364),
    "neutral": RELU,
}


def through(knots: list[float], slopes: list[float], start: float, jumps: list[float]) -> PiecewiseLinear:
    """The function with these knots and slopes, `start` the intercept of the first piece, and these jumps."""
    intercepts = [start]
    for knot, left, right, jump in zip(knots, slopes, slopes[1:], jumps, strict=False):
        intercepts.append(intercepts[-1] + (left - right) * knot + jump)
    return PiecewiseLinear(knots, slopes, intercepts)


def _dyadic(low: int, high: int, denominator: int) -> st.SearchStrategy[float]:
    """Fractions that doubles add and multiply without rounding, so that a continuous φ is exactly so."""
    return st.integers(low, high).map(lambda n: n / denominator)


@st.composite
def activations(draw: st.DrawFn, *, jumps: bool = True) -> PiecewiseLinear:
    """Piecewise-linear functions with up to 5 knots in [−4, 4], continuous if not `jumps`; not zero everywhere."""
    knots = sorted(draw(st.lists(_dyadic(-64, 64, 16), max_size=5, unique=True)))
    slopes = draw(st.lists(_dyadic(-16, 16, 8), min_size=len(knots) + 1, max_size=len(knots) + 1))
    start = draw(_dyadic(-32, 32, 16))
    heights = _dyadic(-32, 32, 16) if jumps else st.just(0.0)
    steps = draw(st.lists(heights, min_size=len(knots), max_size=len(knots)))
    if not any(slopes) and not start and not any(steps):
        slopes[0] = 1.0
    return through(knots, slopes, start, steps)


@st.composite
def odd_activations(draw: st.DrawFn, *, jumps: bool = True) -> PiecewiseLinear:
    """φ(−x) = −φ(x), with up to 6 knots, not zero everywhere."""
    positive = sorted(draw(st.lists(_dyadic(1, 64, 16), max_size=3, unique=True)))
    slopes = draw(st.lists(_dyadic(-16, 16, 8), min_size=len(positive) + 1, max_size=len(positive) + 1))
    steps = draw(st.lists(_dyadic(-32, 32, 16) if jumps else st.just(0.0), min_size=len(positive), max_size=3))
    if not any(slopes):
        slopes[-1] = 1.0
    half = through(positive, slopes, 0.0, steps)
    intercepts = [-c for c in half.intercepts[:0:-1]] + list(half.intercepts)
    return PiecewiseLinear(
        [-t for t in half.knots[::-1]] + list(half.knots), [*half.slopes[:0:-1], *half.slopes], intercepts
    )


def variances(low: float = 1 / 16, high: float = 64.0) -> st.SearchStrategy[float]:
    """Multiples of 1/64 in [low, high], which scale by small numbers without rounding."""
    return _dyadic(round(low * 64), round(high * 64), 64)


@st.composite
def with_edges(draw: st.DrawFn) -> tuple[PiecewiseLinear, float]:
    """A continuous φ and a q* that nearly always has an edge of chaos.

    σ_b² = q* − E φ²/E φ'² is not negative where E φ = 0, by Poincaré's inequality; φ is moved to near there.
    """
    phi, q_star = draw(activations(jumps=False)), draw(variances(1 / 4, 16))
    moved = draw(_dyadic(-4, 4, 16)) - round(float(definitions.power_moment(phi, q_star, 1)) * 64) / 64
    intercepts = [c + moved for c in phi.intercepts]
    if not any(phi.slopes) and not any(intercepts):
        return RELU, q_star
    return PiecewiseLinear(phi.knots, phi.slopes, intercepts), q_star


REFERENCE = json.loads((Path(__file__).parent / "data" / "reference.json").read_text())


def label(entry: dict) -> str:
    """One reference entry, as a test id: name, parameters and q."""
    parameters = ",".join(f"{name}={value}" for name, value in entry["params"].items())
    return f"{entry['name']}({parameters})-q={entry['q']}"


def activation_of(entry: dict) -> PiecewiseLinear:
    """The activation of one reference entry."""
    slopes, intercepts = zip(*entry["activation"]["pieces"], strict=True)
    return PiecewiseLinear(entry["activation"]["knots"], slopes, intercepts)
