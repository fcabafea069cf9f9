"""Reshaped activations meet their conditions, as integrals of other hands say, and the numbers that are published."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq

import meanfield as mf
from meanfield import DomainError, NoDesign, PiecewiseLinear, Shape
from meanfield.design.reshaping import Reshaped

LEAKY = mf.Family("leaky-relu", ("slope",))


def numbers(found: Reshaped) -> list[float]:
    """α, β, δ and γ, in the order of the published ones."""
    return [found.alpha, found.beta, found.delta, found.gamma]


#: φ, φ', φ''.
JETS = {
    "tanh": (mpmath.tanh, lambda x: mpmath.sech(x) ** 2, lambda x: -2 * mpmath.tanh(x) * mpmath.sech(x) ** 2),
    "gelu": (
        lambda x: x * mpmath.ncdf(x),
        lambda x: mpmath.ncdf(x) + x * mpmath.npdf(x),
        lambda x: (2 - x * x) * mpmath.npdf(x),
    ),
}


def average(g: Callable[[mpmath.mpf], mpmath.mpf]) -> mpmath.mpf:
    """E g(z), to 20 digits."""
    return mpmath.quad(lambda z: g(z) * mpmath.npdf(z), [-9, -3, 0, 3, 9], maxdegree=4, method="gauss-legendre")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("tanh", mf.kernel_shape(50)),
        ("gelu", mf.tailored_shape(50)),
        ("tanh", Shape(0.9, 1.3, 0.1)),
    ],
)
def test_a_shape_is_met_by_integrals_to_20_digits(name: str, shape: Shape) -> None:
    found = mf.reshape(name, shape)
    with mpmath.workdps(20):
        phi, first, second = JETS[name]
        alpha, beta, delta, gamma = map(mpmath.mpf, numbers(found))

        def hat(z: mpmath.mpf) -> mpmath.mpf:
            return gamma * (phi(alpha * z + beta) + delta)

        reached = {
            "V": average(lambda z: hat(z) ** 2),
            "R_zero": average(hat) ** 2,
            "V_prime": average(lambda z: (z * z - 1) * hat(z) ** 2) / 2,
            # E f(u)f(v) has Σ ρⁿ aₙ², and so R'(1) = Σ n aₙ² = E f'².
            "R_prime": average(lambda z: (gamma * alpha * first(alpha * z + beta)) ** 2),
            "R_double_prime": average(lambda z: (gamma * alpha**2 * second(alpha * z + beta)) ** 2),
        }
    for quantity, value in {"V": 1.0, **shape.asked}.items():
        assert float(reached[quantity]) == pytest.approx(value, abs=1e-11), quantity
        assert getattr(found, quantity) == pytest.approx(value, abs=1e-12)
    assert found.R_double_prime == pytest.approx(float(reached["R_double_prime"]), rel=1e-9)


@pytest.mark.parametrize("name", ["silu", "sigmoid", "elu", "sin", "gaussian", "tanh(10*x)"])
@pytest.mark.parametrize("depth", [3, 1000])
def test_every_condition_is_met_and_the_formula_reads_back(name: str, depth: int) -> None:
    shapes = [mf.kernel_shape(depth)] if depth == 3 else [mf.kernel_shape(depth), mf.tailored_shape(depth)]
    for shape in shapes:
        found = mf.reshape(name, shape)
        assert found.V == pytest.approx(1, abs=1e-12)
        for quantity, value in shape.asked.items():
            assert getattr(found, quantity) == pytest.approx(value, abs=1e-12)
        assert found.formula is not None
        assert mf.activation(found.formula) == found.activation
        x, phi = np.linspace(-3, 3, 7), mf.activation(name)
        by_hand = found.gamma * (phi(found.alpha * x + found.beta) + found.delta)
        assert found.activation(x) == pytest.approx(by_hand, rel=1e-13, abs=1e-13 * found.gamma)


def residual_network(x: float, r: Callable[[float], float], weight: float = 0.6) -> float:
    """The largest value over all parts of a ResNet-101 with shortcuts of this weight, r being that of a layer.

    The network of the tests of the package dks, by which its numbers below are set.
    """
    branch = r(r(r(x)))
    for blocks in (3, 4, 23, 3):
        for block in range(blocks):
            shortcut = r(x) if block == 0 else x
            x = weight**2 * shortcut + (1 - weight**2) * r(r(r(x)))
    return max(r(x), branch)


def local_slope(network: float) -> float:
    return brentq(lambda s: residual_network(1.0, lambda y: s * y) - network, 1, 1.5, xtol=1e-15)


def local_curvature(network: float) -> float:
    return brentq(lambda t: residual_network(0.0, lambda y: t + y) - network, 0, 1, xtol=1e-16)


#: input_scale, input_shift, output_shift and output_scale in tests/test_activation_transform.py of
#: github.com/google-deepmind/dks (c9cf37b), of ζ = 1.2 and τ = 0.2; its targets are set to 1e-8.
PUBLISHED = {
    ("softplus", "dks"): [0.18761008168267976, 0.40688063442262007, -0.9213466151411376, 8.878672543665223],
    ("tanh", "dks"): [0.07461073057540868, 0.5566915199964182, -0.5034378768692127, 18.002635964442558],
    ("gelu-tanh", "dks"): [0.07036271496383567, 0.2586837248593587, -0.15758328114374964, 20.249573305194307],
    ("gelu", "dks"): [0.07043253126531114, 0.259489297927707, -0.15815378961903598, 20.21158902315857],
    ("softplus", "tat"): [0.15011489794748328, 0.5374599901127068, -0.996481014465811, 10.54880187880574],
    ("tanh", "tat"): [0.0580205218578313, 0.5218639804099805, -0.4796430704354356, 22.36066261763117],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_numbers_of_the_authors_own_tests_are_recovered(name: tuple[str, str]) -> None:
    phi, method = name
    tailored = Shape(1.0, 1.0, None, local_curvature(0.2))
    found = mf.reshape(phi, Shape(1.0, local_slope(1.2)) if method == "dks" else tailored)
    assert numbers(found) == pytest.approx(PUBLISHED[name], rel=1e-7)


def test_the_rectifiers_of_the_authors_own_tests_are_recovered() -> None:
    leaky = mf.reshape(LEAKY, Shape(1.0, local_slope(1.2)))
    slope = leaky.of.phi.slopes[0]
    # negative_slope, output_shift, output_scale; input_shift is -6e-13.
    published = [0.8761257073473065, -0.049418692997275034, 1.0651832705682147]
    assert [slope, leaky.delta, leaky.gamma] == pytest.approx(published, rel=3e-8)
    assert leaky.beta == 0
    # Quadrature across a kink is good to a few digits; only β/α, δ/β and βγ mean something.
    relu = mf.reshape("relu", Shape(None, local_slope(1.2)))
    scales = [relu.beta, relu.delta / relu.beta, relu.beta * relu.gamma]
    assert scales == pytest.approx([1 / 0.3685360046708044, -1.000373858553784, 2.721729988761473], rel=3e-5)
    # TAT's negative_slope and output_scale of that network, η = 0.75.
    a, gamma = 0.6291800290346146, 1.196996549778802
    network = mf.MeanField(mf.activation("leaky-relu", slope=a), gamma)
    assert network.V(1.0) == pytest.approx(1, rel=1e-14)
    assert residual_network(0.0, lambda c: network.R(min(c, 1.0), 1.0)) == pytest.approx(0.75, abs=1e-7)


#: What dks 0.1.2 gives for 50 layers in a row by its defaults (ζ = 1.5, τ = 0.3).
PACKAGE = {
    ("tanh", "dks"): [0.12844047873558254, 0.5707795475033656, -0.509807241736997, 10.604447624744472],
    ("softplus", "dks"): [0.326625173443443, 0.409373967652163, -0.9312843019625371, 5.094842886884632],
    ("silu", "dks"): [0.18442861360101906, 0.3488179216642604, -0.2124652446623589, 8.081396143139461],
    ("tanh", "tat"): [0.08165523496542139, 0.5258489444580032, -0.483188954744796, 15.94163367573739],
    ("silu", "tat"): [0.1233588635937184, 0.4474844794930677, -0.2715723948580853, 11.304155680447902],
}


@pytest.mark.parametrize("name", PACKAGE)
def test_the_package_dks_gives_the_same_at_its_defaults(name: tuple[str, str]) -> None:
    phi, method = name
    found = mf.reshape(phi, mf.kernel_shape(50) if method == "dks" else mf.tailored_shape(50))
    assert numbers(found) == pytest.approx(PACKAGE[name], rel=3e-8)


def test_deep_networks_of_tanh_are_shaped_where_theory_says() -> None:
    depth = 100_000
    by_dks, by_tat = mf.reshape("tanh", mf.kernel_shape(depth)), mf.reshape("tanh", mf.tailored_shape(depth))
    assert math.tanh(by_dks.beta) == pytest.approx(0.5, abs=1e-4)
    assert by_dks.alpha == pytest.approx(math.sqrt(2 * math.log(1.5) / depth), rel=1e-4)
    assert math.tanh(by_tat.beta) ** 2 == pytest.approx(2 / (6 + 2 * math.sqrt(2)), abs=1e-4)


@pytest.mark.parametrize("depth", [1, 20, 500])
def test_a_leaky_relu_is_shaped_by_its_slope_in_closed_form(depth: int) -> None:
    found = mf.reshape(LEAKY, mf.kernel_shape(depth, zeta=1.4))
    assert isinstance(found.activation, PiecewiseLinear)
    a = found.of.phi.slopes[0]
    assert 1 / (1 - (1 - a) ** 2 / (math.pi * (1 + a * a))) == pytest.approx(1.4 ** (1 / depth), abs=1e-13)
    assert (found.beta, found.V_prime) == (0.0, pytest.approx(1, abs=1e-13))


@pytest.mark.parametrize(("depth", "eta"), [(20, 0.9), (3, 0.5)])
def test_a_tailored_rectifier_takes_orthogonal_inputs_to_eta(depth: int, eta: float) -> None:
    found = mf.tailored_rectifier(LEAKY, depth, eta)
    a = found.of.phi.slopes[0]
    assert found.gamma == pytest.approx(math.sqrt(2 / (1 + a * a)), rel=1e-14)
    c = 0.0
    for _ in range(depth):
        # Cho and Saul (2009).
        bent = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi
        c = ((1 - a) ** 2 * bent + 2 * a * c) / (1 + a * a)
    assert c == pytest.approx(eta, abs=1e-12)
    assert found.over_layers(depth)["network_zero"] == pytest.approx(eta, abs=1e-12)


def test_a_network_of_reshaped_layers_has_what_was_asked_of_it() -> None:
    found = mf.reshape("silu", mf.kernel_shape(30))
    network, q, near = found.mean_field, 1.0, 1e-5
    for _ in range(30):
        q, near = network.V(q), network.one_minus_R(near, 1.0)
    assert q == pytest.approx(1, abs=1e-12)
    assert near / 1e-5 == pytest.approx(1.5, rel=1e-4)
    assert found.over_layers(30)["network_slope"] == pytest.approx(1.5, rel=1e-12)
    tailored = mf.reshape("tanh", mf.tailored_shape(30)).over_layers(30)
    assert tailored["network_curvature"] == pytest.approx(0.3, rel=1e-11)


def test_a_clipped_activation_stays_one_and_is_shaped_where_it_can_be() -> None:
    found = mf.reshape("hard-tanh", mf.kernel_shape(1))
    assert isinstance(found.activation, PiecewiseLinear)
    assert len(found.activation.knots) == 2
    assert (found.V_prime, found.R_prime) == (pytest.approx(1, abs=1e-12), pytest.approx(1.5, abs=1e-12))
    # With one kink in sight and V'(1) = 1 it is a ReLU at 0.
    with pytest.raises(NoDesign, match=rf"the nearest R'\(1\) is {1 / (1 - 1 / math.pi):.6g}$"):
        mf.reshape("hard-tanh", mf.kernel_shape(50))


def test_of_a_parabola_both_slopes_are_one_number() -> None:
    with pytest.raises(NoDesign, match=r"the nearest V'\(1\) is 1.2$"):
        mf.reshape("square", Shape(1.0, 1.2))
    network = mf.MeanField(mf.activation("x**2 + x - 1"), 3**-0.5)
    assert network.V(1.0) == pytest.approx(1)
    assert network.dV(1.0) == pytest.approx(network.dR(1.0, 1.0), rel=1e-13)


def test_a_function_of_python_is_shaped_too() -> None:
    found = mf.reshape(lambda x: np.tanh(x), mf.kernel_shape(50))  # type: ignore[arg-type]
    assert found.formula is None
    assert numbers(found) == pytest.approx(PACKAGE["tanh", "dks"], rel=3e-8)


@pytest.mark.parametrize(
    ("spec", "shape", "told"),
    [
        ("relu", mf.kernel_shape(9), "homogeneous"),
        ("step", mf.kernel_shape(9), "jumps"),
        ("identity", mf.kernel_shape(9), "straight line"),
        ("selu", mf.tailored_shape(9), "has kinks"),
        ("tanh", mf.kernel_shape(9, V_prime=None), "has an α"),
        (mf.Family("swish", ("beta",)), mf.kernel_shape(9), "not homogeneous"),
    ],
)
def test_what_cannot_be_shaped_is_refused(spec: object, shape: Shape, told: str) -> None:
    with pytest.raises(DomainError, match=told):
        mf.reshape(spec, shape)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "shape",
    [
        lambda: Shape(1.0, 1.0),
        lambda: Shape(1.0, 0.8, 0.1),
        lambda: Shape(1.0, 1.2, 1.0),
        lambda: Shape(1.0, 1.2, None),
        lambda: Shape(1.0, 1.2, 0.0, 0.1),
        lambda: Shape(math.nan, 1.2),
        lambda: Shape(None, 1.0, None, 0.1),
        lambda: Shape(1.0, 1.0, None, -0.1),
        lambda: mf.kernel_shape(0),
        lambda: mf.kernel_shape(5, zeta=1.0),
        lambda: mf.tailored_shape(5, curvature=0.0),
        lambda: mf.tailored_rectifier(LEAKY, 50, 1.0),
    ],
)
def test_shapes_that_no_activation_has_are_refused(shape: Callable[[], object]) -> None:
    with pytest.raises(DomainError):
        shape()


def test_a_correlation_out_of_reach_says_what_is_in_reach() -> None:
    with pytest.raises(NoDesign, match=r"reaches from 0 to 0\.31831;"):
        mf.tailored_rectifier(LEAKY, 1)
