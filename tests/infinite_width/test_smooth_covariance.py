"""Gaussian expectations of smooth activations in two variables: 25-digit values, brute force, closed forms, laws."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.polynomial.hermite_e import hermegauss, hermevander
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

from meanfield.activations.analytic import X, call, number, product, summed
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.activations.spec import activation
from meanfield.infinite_width import covariance as front
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import second_moment
from meanfield.infinite_width.quadrature import covariance as room

Array = NDArray[np.float64]
REFERENCE = [
    entry
    for entry in json.loads((Path(__file__).parents[1] / "data" / "smooth.json").read_text())
    if "covariance" in entry
]


def times(factor: Fraction | int, tree=X):
    return product([number(factor), tree])


def plus(shift: Fraction | int):
    return summed([X, number(shift)])


TANH, GELU = Smooth((), (call("tanh", X),)), Smooth((), (product([X, call("Phi", X)]),))
SMOOTH = {
    "tanh": TANH,
    "gelu": GELU,
    "erf": Smooth((), (call("erf", X),)),
    "softplus": Smooth((), (call("softplus", X),)),
    "elu": Smooth((0.0,), (call("expm1", X), X)),
}
BELL = Smooth((), (call("exp", times(-50, product([plus(-3), plus(-3)]))),))
COSINE = Smooth((), (call("cos", X),))
OTHERS = {
    "steep": Smooth((), (call("tanh", times(10)),)),
    "far": Smooth((), (call("tanh", plus(-5)),)),
    "mish": Smooth((), (product([X, call("tanh", call("softplus", X))]),)),
    "a kink": Smooth((0.0,), (times(Fraction(17, 10), call("expm1", X)), X)),
    "hard-swish": Smooth((-3.0, 3.0), (number(0), times(Fraction(1, 6), product([X, plus(3)])), X)),
    "a jump": Smooth((1.0,), (call("tanh", X), summed([number(1), product([X, X])]))),
}


def one(name: str, phi: Smooth, at: float, q: float) -> float:
    """By a double integral of its own."""
    return float(getattr(room, name)(phi, np.array([at]), np.array([q]))[0])


def tabulated(name: str, phi: Smooth, at: Array, q: float) -> Array:
    """From a table: what is asked is asked a hundred times."""
    many = np.repeat(at, 100)
    return getattr(room, name)(phi, many, np.full(many.size, q))[::100]


@pytest.mark.parametrize("entry", REFERENCE, ids=lambda e: f"{e['activation']} {e['q']}")
def test_covariances_are_the_reference_values_to_the_last_digits(entry: dict) -> None:
    phi, q = SMOOTH[entry["activation"]], entry["q"]
    rho = np.array([float(r) for r in entry["covariance"]])
    with mp.workdps(25):
        exact = np.array([float(mpf(c)) for c in entry["covariance"].values()])
        square = mpf(entry["second_moment"])
        # Those of tanh and softplus are themselves known to 1e-17 and no better.
        losses = np.array([float(square - mpf(c)) for c in entry["covariance"].values()])
    for found in (
        np.array([one("covariance", phi, r, q) for r in rho.tolist()]),
        tabulated("covariance", phi, rho, q),
    ):
        assert np.abs(found - exact).max() <= 1e-14 * float(square)
    found = np.array([one("covariance_loss", phi, 1 - r, q) for r in rho.tolist()])
    assert (np.abs(found - losses) <= 1e-13 * losses + 1e-16 * float(square)).all()


def brute_force(phi: Smooth, q: float, rho: float) -> float:
    """E φ(u)φ(v) by panels of u, and of v given u, that end at the breaks."""
    nodes, weights = leggauss(16)

    def on(ends: Array) -> tuple[Array, Array]:
        half = np.diff(ends)[..., np.newaxis] / 2
        points = ends[..., :-1, np.newaxis] + half * (nodes + 1)
        mass = half * weights * np.exp(-0.5 * points * points) / math.sqrt(2 * math.pi)
        shape = (*ends.shape[:-1], -1)
        return points.reshape(shape), mass.reshape(shape)

    fine = np.linspace(-9, 9, max(20, math.ceil(72 * math.sqrt(q))))
    places, s = np.array(phi.breaks) / math.sqrt(q), math.sqrt(1 - rho * rho)
    x, mass = on(np.sort(np.concatenate([fine, places])))
    inside = np.clip((places - rho * x[:, np.newaxis]) / s, -9, 9)
    z, inner = on(np.sort(np.concatenate([np.broadcast_to(fine, (x.size, fine.size)), inside], axis=1)))
    u, v = math.sqrt(q) * x, math.sqrt(q) * (rho * x[:, np.newaxis] + s * z)
    return float((mass * phi.jet(u)[0]) @ (inner * phi.jet(v)[0]).sum(axis=1))


@pytest.mark.parametrize(("q", "rho"), [(0.1, 0.4), (0.5, -0.7), (1.0, 0.8)])
@pytest.mark.parametrize("name", OTHERS)
def test_lengths_kinks_and_jumps_are_found(name: str, q: float, rho: float) -> None:
    phi = OTHERS[name]
    square = one("covariance", phi, 1.0, q)
    exact = brute_force(phi, q, rho)
    assert one("covariance", phi, rho, q) == pytest.approx(exact, abs=3e-15 * square)
    assert one("covariance_loss", phi, 1 - rho, q) == pytest.approx(square - exact, rel=1e-13, abs=3e-15 * square)


@pytest.mark.parametrize("q", [1e-12, 1e-8, 1e-5, 1e-3])
@pytest.mark.parametrize("name", ["tanh", "gelu", "elu"])
def test_small_signals_without_biases_see_how_phi_bends(name: str, q: float) -> None:
    """φ(0) = 0 makes φ no line to all digits because q is small: of ELU, 1 − R differs by some √q."""
    phi = SMOOTH[name]
    network, square = MeanField(phi, 1.0), float(second_moment(phi, q))
    for rho in (-0.9, 0.5):
        exact = brute_force(phi, q, rho) / square
        assert network.R(rho, q) == pytest.approx(exact, abs=5e-15)
        assert network.one_minus_R(1 - rho, q) == pytest.approx(1 - exact, abs=5e-15)
        # Price: C' = q E φ'(u)φ'(v).
        assert network.dR(rho, q) == pytest.approx(one("covariance_d1", phi, rho, q) / square, rel=1e-13)


@pytest.mark.parametrize("q", [1e-3, 0.04, 1.0, 30.0])
@pytest.mark.parametrize("rho", [-1 + 1e-9, -0.9, 0.0, 0.3, 0.99, 1 - 1e-12])
def test_a_bell_a_wave_and_what_grows_have_their_closed_forms(rho: float, q: float) -> None:
    # E exp(−50[(u − 3)² + (v − 3)²]), E cos u cos v, E exp(u + v).
    bell = math.exp(-900 / (1 + 100 * q * (1 + rho))) / math.sqrt((1 + 100 * q) ** 2 - (100 * q * rho) ** 2)
    square = math.exp(-900 / (1 + 200 * q)) / math.sqrt(1 + 200 * q)
    assert one("covariance", BELL, rho, q) == pytest.approx(bell, abs=1e-13 * square)
    wave = 0.5 * (math.exp(-q * (1 + rho)) + math.exp(-q * (1 - rho)))
    assert one("covariance", COSINE, rho, q) == pytest.approx(wave, abs=1e-14)
    grown = math.exp(q * (1 + rho))
    assert one("covariance", Smooth((), (call("exp", X),)), rho, q) == pytest.approx(grown, abs=1e-13 * math.exp(2 * q))


@pytest.mark.parametrize("q", [1e-6, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("eps", [1e-16, 1e-9, 1e-3, 0.3, 0.5001, 1.2, 1.9999])
def test_the_arcsine_law_and_its_loss(eps: float, q: float) -> None:
    # C = (2/π) arcsin(2qρ/(1 + 2q)), and arcsin b − arcsin a = arcsin(b√(1 − a²) − a√(1 − b²)).
    with mp.workdps(50):
        top = mpf(2 * q) / (1 + 2 * mpf(q))
        exact = 2 / mp.pi * (mp.asin(top) - mp.asin(top * (1 - mpf(eps))))
        slope = 2 / mp.pi * top / mp.sqrt(1 - (top * (1 - mpf(eps))) ** 2)
        bend = 2 / mp.pi * top**3 * (1 - mpf(eps)) / mp.sqrt(1 - (top * (1 - mpf(eps))) ** 2) ** 3
    phi = SMOOTH["erf"]
    assert one("covariance_loss", phi, eps, q) == pytest.approx(float(exact), rel=2e-14)
    assert tabulated("covariance_loss", phi, np.array([eps]), q)[0] == pytest.approx(float(exact), rel=5e-14)
    if eps in (0.3, 1e-3):
        assert one("covariance_d1", phi, 1 - eps, q) == pytest.approx(float(slope), rel=2e-14)
        assert one("covariance_d2", phi, 1 - eps, q) == pytest.approx(float(bend), rel=1e-13)


PIECEWISE = {
    "ReLU": ((0.0,), (0.0, 1.0), (0.0, 0.0)),
    "hard tanh": ((-1.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 1.0)),
    "a kink far out": ((1.75,), (0.0, 1.0), (0.0, -1.75)),
    "a jump": ((1.0,), (1.0, 1.0), (0.0, 1.0)),
    "jumps that mirror": ((-1.0, 1.0, 2.5), (0.5, 1.0, 0.25, 0.0), (0.0, 1.0, -0.5, 0.0)),
    "a narrow ramp": ((1.0, 1.0 + 2.0**-13), (0.0, 2.0**13, 0.0), (0.0, -(2.0**13), 1.0)),
}


@pytest.mark.parametrize("q", [0.1, 50.0])
@pytest.mark.parametrize("name", PIECEWISE)
def test_breaks_alone_have_the_closed_forms_of_piecewise_linear_functions(name: str, q: float) -> None:
    knots, slopes, intercepts = PIECEWISE[name]
    lines = zip(slopes, intercepts, strict=True)
    phi = Smooth(knots, tuple(summed([times(Fraction(a)), number(Fraction(c))]) for a, c in lines))
    linear = PiecewiseLinear(knots, slopes, intercepts)
    eps = np.array([1.2e-16, 1e-14, 1e-10, 3e-6, 1e-3, 0.07, 0.4, 0.8, 1.5, 1.9])
    rho = np.concatenate([[1.0, -1.0], 1 - eps])
    singly = lambda of, at: np.array([one(of, phi, x, q) for x in at.tolist()])  # noqa: E731
    # The widest table, of what grows most towards ρ = ±1, and one where panels cannot but double away from θ = 0.
    together = lambda of, at: tabulated(of, phi, at, q)  # noqa: E731
    for found in (singly, together) if (name, q) in {("jumps that mirror", 0.1), ("hard tanh", 50.0)} else (singly,):
        c = front.covariance(linear, rho, q)
        # Where pieces are narrow the closed forms themselves keep fewer digits.
        few = 1e3 if name == "a narrow ramp" else 1.0
        assert found("covariance", rho) == pytest.approx(c, abs=few * 1e-13 * c[0])
        loss = front.covariance_loss(linear, eps, q)
        assert found("covariance_loss", eps) == pytest.approx(loss, rel=few * 1e-13)
        for order in ("covariance_d1", "covariance_d2") if few == 1 else ():
            exact = getattr(front, order)(linear, rho, q)
            size = min(np.abs(exact[3:]).max(), 1e3 * c[0])
            assert found(order, rho) == pytest.approx(exact, rel=1e-12, abs=1e-13 * size)


@pytest.mark.parametrize("q", [1e-6, 0.5, 200.0])
@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus"])
def test_small_losses_are_those_of_taylor(name: str, q: float) -> None:
    # C(1) − C(1 − ε) = ε q E φ'² − ½ε² q² E φ''² + …
    phi = SMOOTH[name]
    first, second = one("covariance_d1", phi, 1.0, q), one("covariance_d2", phi, 1.0, q)
    for eps in (1e-16, 1e-13, 1e-10):
        series = eps * first - 0.5 * eps * eps * second
        assert one("covariance_loss", phi, eps, q) == pytest.approx(series, rel=1e-13)


@pytest.mark.parametrize("name", [*OTHERS, "gelu"])
@pytest.mark.parametrize("q", [0.3, 20.0])
def test_derivatives_are_those_of_what_they_are_derived_from(name: str, q: float) -> None:
    phi = OTHERS.get(name, GELU)
    nodes, weights = leggauss(24)
    for low, high in ((-0.8, -0.3), (0.1, 0.6), (0.6, 0.8)):
        rho = low + (high - low) * (nodes + 1) / 2
        for of, derivative in (("covariance", "covariance_d1"), ("covariance_d1", "covariance_d2")):
            integral = 0.5 * (high - low) * weights @ getattr(room, derivative)(phi, rho, np.full(rho.size, q))
            change = one(of, phi, high, q) - one(of, phi, low, q)
            assert integral == pytest.approx(change, abs=1e-12 * abs(one(of, phi, 0.8, q)))


@pytest.mark.parametrize("order", [1, 2])
def test_what_a_jump_adds_at_minus_one_is_the_limit_of_what_it_adds_beside(order: int) -> None:
    name, theta, phi = f"covariance_d{order}", 1e-5, OTHERS["a jump"]
    limit, first, second = (one(name, phi, -math.cos(k * theta), 0.8) for k in (0, 1, 2))
    assert limit == pytest.approx(2 * first - second, rel=1e-7)


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus"])
def test_small_variances_follow_the_series_of_mehler(name: str) -> None:
    # C(ρ) = Σ cₖ² ρᵏ/k!, cₖ = E φ(√q z)Heₖ(z)
    phi, q = SMOOTH[name], 0.01
    z, weights = hermegauss(40)
    c = (weights * phi.jet(0.1 * z)[0]) @ hermevander(z, 14) / math.sqrt(2 * math.pi)
    rho = np.linspace(-0.95, 0.95, 7)
    series = np.polynomial.polynomial.polyval(rho, c * c / [math.factorial(k) for k in range(15)])
    found = room.covariance(phi, rho, np.full(7, q))
    assert found == pytest.approx(series, abs=1e-15 * one("covariance", phi, 1.0, q))


def test_symmetries_are_kept() -> None:
    rho, q = np.array([0.2, 0.7, 1 - 1e-9, 1.0]), np.full(4, 3.0)
    assert (room.covariance(TANH, -rho, q) == -room.covariance(TANH, rho, q)).all()
    assert room.covariance(COSINE, -rho, q) == pytest.approx(room.covariance(COSINE, rho, q), rel=1e-14)
    # Two inputs that are nearly opposite differ as little as two that are nearly equal.
    eps = 2.0 ** -np.arange(1, 50, 6)
    losses: Callable[[Array], Array] = lambda eps: room.covariance_loss(COSINE, eps, np.full(eps.size, 3.0))  # noqa: E731
    assert losses(2 - eps) == pytest.approx(losses(eps), rel=1e-13)
    assert losses(np.array([0.0, 2.0])).tolist() == [0, 0]


@pytest.mark.parametrize(("name", "q"), [("tanh", 1e-3), ("tanh", 30.0), ("elu", 1e3), ("steep", 0.3)])
def test_tables_hold_what_single_values_are(name: str, q: float) -> None:
    phi = (SMOOTH | OTHERS)[name]
    eps = np.array([1e-15, 1e-7, 0.02, 0.7, 1.4, 2 - 1e-6])
    for of in ("covariance", "covariance_d1", "covariance_d2"):
        found, single = tabulated(of, phi, 1 - eps, q), np.array([one(of, phi, 1 - x, q) for x in eps.tolist()])
        mirrored = np.array([one(of, phi, x - 1, q) for x in eps.tolist()])
        assert (np.abs(found - single) <= 3e-14 * np.maximum(np.abs(single), np.abs(mirrored))).all()
    found = tabulated("covariance_loss", phi, eps, q)
    assert found == pytest.approx([one("covariance_loss", phi, x, q) for x in eps.tolist()], rel=5e-14)


def test_variances_and_correlations_may_all_differ() -> None:
    rho = np.concatenate([np.full(70, 0.3), [0.5, -1.0, 1.0, 0.9]])
    q = np.concatenate([np.full(70, 2.0), [1.0, 2.0, 3.0, 4.0]])
    found = room.covariance(GELU, rho, q)
    each = [one("covariance", GELU, r, s) for r, s in zip(rho.tolist(), q.tolist(), strict=True)]
    assert found == pytest.approx(each, rel=1e-13)


@pytest.mark.parametrize("q", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("eps", [2.0**-30, 2.0**-7, 0.25, 1.0, 1.75])
def test_loss_of_what_is_0_but_near_0(q: float, eps: float) -> None:
    # E exp(−u² − v²) = 1/√det(1 + 2Σ); its odd kin x exp(−x²) and a window are held to C itself.
    with mp.workdps(40):
        at_one, at_rho = (1 / mp.sqrt((1 + 2 * mpf(q)) ** 2 - (2 * q * rho) ** 2) for rho in (mpf(1), 1 - mpf(eps)))
        expected = float(at_one - at_rho)
    assert front.covariance_loss(activation("exp(-x**2)"), eps, q) == pytest.approx(expected, rel=1e-11)
    for text in ("x*exp(-x**2)", "where(abs(x) < 1, cos(x), 0)", "max(x, 0)*exp(-x)", "max(1 - x**2, 0)"):
        phi = activation(text)
        square = second_moment(phi, q)
        loss = square - front.covariance(phi, 1 - eps, q)
        assert front.covariance_loss(phi, eps, q) == pytest.approx(loss, abs=1e-11 * square)


@pytest.mark.parametrize("eps", [2.0**-40, 2.0**-30])
def test_a_jump_beyond_which_nothing_is_left_counts(eps: float) -> None:
    # ½ E(φ(u) − φ(v))² of a step j at t tends to ½ j² p(t) E|u − v|, E|u − v| = 2√(qε/π), as ε → 0.
    step, q = math.cos(1.0), 1.0
    expected = 2 * step**2 * math.exp(-0.5) / math.sqrt(2 * math.pi) * math.sqrt(eps / math.pi)
    phi, near = activation("where(abs(x) < 1, cos(x), 0)"), pytest.approx(expected, rel=8 * math.sqrt(eps))
    assert front.covariance_loss(phi, eps, q) == near
    assert second_moment(phi, q) - front.covariance(phi, 1 - eps, q) == near
