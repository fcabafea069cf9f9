"""The tangent kernel of hidden weights beside drawn networks, arc-cosine kernels, and its limits in deep networks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

import meanfield as mf
from meanfield.activations.family import Family
from meanfield.infinite_width.tangent_kernel import contrast, gain_for_training, tangent_correlation

Rule = Literal["adam", "sgd"]
POWERS: dict[Rule, float] = {"adam": 0.5, "sgd": 1.0}
CLIPPED = "clipped-relu(tau=1, m=1)"


def parts_of_drawn(act: str, chi: float, rho: float, depth: int, width: int, seed: int) -> tuple[np.ndarray, ...]:
    """(φ·φ)(δ·δ) of inputs x and y, of x alone and of y alone, for the weights of layers 2…L of one drawn network."""
    phi = mf.activation(act)
    network = mf.edge_of_chaos(phi, 1.0, chi).mean_field
    rng = np.random.default_rng(seed)
    h = rng.standard_normal((2, width))
    h[1] = rho * h[0] + math.sqrt(1 - rho**2) * h[1]
    heights, outputs, weights = [h], [], []
    for _ in range(depth - 1):
        outputs.append(phi(h))
        w = rng.standard_normal((width, width)) * network.sigma_w / math.sqrt(width)
        weights.append(w)
        h = outputs[-1] @ w.T + network.sigma_b * rng.standard_normal(width)
        heights.append(h)

    def slope(at: np.ndarray) -> np.ndarray:
        step = 1e-6
        return (phi(at + step) - phi(at - step)) / (2 * step)

    # Of 20 logits, whose kernels are alike.
    delta = rng.standard_normal((20, width)) * slope(heights[-1])[:, None]
    found = []
    for layer in reversed(range(depth - 1)):
        forward, backward = outputs[layer] @ outputs[layer].T, np.einsum("aij,bij->ab", delta, delta)
        found.append([(forward * backward)[at] for at in ((0, 1), (0, 0), (1, 1))])
        delta = (delta @ weights[layer]) * slope(heights[layer])[:, None]
    return tuple(np.array(found[::-1]).T)


@pytest.mark.parametrize("act", ["tanh", "relu", CLIPPED])
@pytest.mark.parametrize("chi", [0.8, 1.0])
@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_wide_networks_have_the_kernel_that_theory_has(act: str, chi: float, rule: Rule) -> None:
    rho, depth = 0.4, 5
    drawn = []
    for seed in range(8):
        both, x, y = parts_of_drawn(act, chi, rho, depth, 900, seed)
        # Adam divides what a layer does by the root of the size of its gradient.
        size = np.sqrt(x * y) ** (1 - POWERS[rule])
        drawn.append((both / size).sum() / np.sqrt((x / size).sum() * (y / size).sum()))
    error = np.std(drawn, ddof=1) / math.sqrt(len(drawn))
    theory = tangent_correlation(mf.activation(act), 1.0, chi, depth, rho, rule)
    assert error < 0.025
    assert np.mean(drawn) == pytest.approx(float(theory), abs=4 * error)


def arc_cosine(rho: mpf) -> tuple[mpf, mpf]:
    """E φφ and E φ'φ' of ReLU at variance 1, in units of their values at ρ = 1 (Cho and Saul 2009)."""
    angle = mp.acos(rho)
    return (mp.sin(angle) + (mp.pi - angle) * rho) / mp.pi, (mp.pi - angle) / mp.pi


@pytest.mark.parametrize("chi", [0.6, 0.9, 1.0])
@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.7])
@pytest.mark.parametrize("rule", ["adam", "sgd"])
@pytest.mark.parametrize("depth", [2, 12, 80])
def test_relu_has_that_of_arc_cosine_kernels(chi: float, rho: float, rule: Rule, depth: int) -> None:
    with mp.workdps(30):
        at, forward, slopes = mpf(rho), [], []
        for _ in range(depth - 1):
            product, _ = arc_cosine(at)
            forward.append(product)
            at = chi * product + (1 - mpf(chi))
            slopes.append(arc_cosine(at)[1])
        total = whole = mpf(0)
        for layer in range(depth - 1):
            size = mpf(chi) ** (POWERS[rule] * (depth - 2 - layer))
            total += size * forward[layer] * mp.fprod(slopes[layer:])
            whole += size
        expected = float(total / whole)
    found = tangent_correlation(mf.activation("relu"), 1.0, chi, depth, rho, rule)
    # Where inputs are all but alike 1 − ρ has no digits beside 1, and slopes know its root.
    assert float(found) == pytest.approx(expected, rel=0, abs=1e-13 * depth if 1 - at > 1e-8 else 1e-8)


def test_gains_may_be_an_array_and_a_rule_makes_no_difference_on_the_edge() -> None:
    phi = mf.activation(CLIPPED)
    gains = np.array([[0.7, 0.9], [1.0, 1.05]])
    for rule in POWERS:
        found = tangent_correlation(phi, 2.0, gains, 6, 0.3, rule)
        each = [float(tangent_correlation(phi, 2.0, chi, 6, 0.3, rule)) for chi in gains.flat]
        assert found.ravel() == pytest.approx(each, rel=1e-13)
    assert tangent_correlation(phi, 2.0, 1.0, 6, 0.3, "sgd") == tangent_correlation(phi, 2.0, 1.0, 6, 0.3, "adam")


@pytest.mark.parametrize(("act", "limit"), [("relu", 1 / 4), (CLIPPED, 1 / 4), ("tanh", 1 / 3)])
def test_on_the_edge_it_forgets_how_alike_inputs_are(act: str, limit: float) -> None:
    # It comes near as (ln L)/L, which is taken off by depths L and 4 L but for a part of the logarithm.
    phi = mf.activation(act)
    near, far = (float(tangent_correlation(phi, 1.0, 1.0, depth, 0.0)) for depth in (200, 800))
    assert abs(far - limit) < 0.4 * abs(near - limit)
    assert far == pytest.approx(limit, abs=0.01)


def deep_contrast(c: float, power: float, *, kinked: bool) -> float:
    """What likeness makes of the kernel at χ₁ = 1 − c/L as L → ∞, up to a factor; docs/theory.md, section 19."""
    rate, exponent = (c / 2, 3) if kinked else (c, 2)

    def aligned(s: float, start: float) -> float:
        return (math.expm1(-rate * (s + start)) / math.expm1(-rate * (1 + start))) ** exponent

    def kernel(start: float) -> float:
        return quad(lambda s: math.exp(-c * power * (1 - s)) * aligned(s, start), 0, 1, epsabs=1e-13)[0]

    step = 1e-3
    slope = (-3 * kernel(0.0) + 4 * kernel(step) - kernel(2 * step)) / (2 * step)
    return slope / quad(lambda s: math.exp(-c * power * (1 - s)), 0, 1)[0]


@pytest.mark.parametrize(("act", "kinked"), [("relu", True), (CLIPPED, True), ("tanh", False)])
@pytest.mark.parametrize("rule", ["adam", "sgd"])
def test_in_deep_networks_the_gain_for_training_tends_to_that_of_the_law(act: str, kinked: bool, rule: Rule) -> None:
    def lost(c: float) -> float:
        return -deep_contrast(c, POWERS[rule], kinked=kinked)

    limit = minimize_scalar(lost, bounds=(0.1, 12.0), method="bounded").x
    near, far = (-depth * math.log(gain_for_training(mf.activation(act), depth, rule)) for depth in (100, 1000))
    # It comes near from below, as (ln L)/L.
    assert 0.7 * limit < near < far < limit
    assert limit - far < 0.25 * (limit - near)


@pytest.mark.parametrize("act", ["relu", CLIPPED, "tanh", "gelu"])
@pytest.mark.parametrize("rule", ["adam", "sgd"])
@pytest.mark.parametrize("depth", [10, 40])
def test_no_gain_beside_the_gain_for_training_has_a_larger_contrast(act: str, rule: Rule, depth: int) -> None:
    phi = mf.activation(act)
    best = gain_for_training(phi, depth, rule, q_star=2.0)
    places = np.array([-1.0, -0.1, 0.0, 0.1, 1.0]) / depth
    found = contrast(phi, 2.0, best * np.exp(places), depth, rule)
    assert found.argmax() == 2 and (np.diff(found) > 0).tolist() == [True, True, False, False]


def test_what_hardly_bends_is_best_on_the_edge() -> None:
    for act in ("identity", "leaky-relu(0.9)", "clip(x, -3, 3)"):
        assert gain_for_training(mf.activation(act), 50) == pytest.approx(1.0, abs=1e-12)


def test_units_make_no_difference() -> None:
    """(τ, m, q*) and (cτ, cm, c²q*) are one network."""
    once = gain_for_training(mf.activation("clipped-relu(tau=1, m=1)"), 30)
    twice = gain_for_training(mf.activation("clipped-relu(tau=2, m=2)"), 30, q_star=4.0)
    assert twice == pytest.approx(once, rel=1e-9)


def test_a_gain_that_leaves_no_biases_is_not_proposed() -> None:
    phi = mf.activation("1 + x")
    # E φ² = 2 at q* = 1, E φ'² = 1: biases are left up to χ₁ = 1/2.
    assert gain_for_training(phi, 10) <= 0.5
    mf.edge_of_chaos(phi, 1.0, gain_for_training(phi, 10) * (1 - 1e-9))


def test_kernels_that_grow_along_depth_stay_finite() -> None:
    found = tangent_correlation(mf.activation("tanh"), 1.0, [0.5, 4.0], 600, 0.5, "sgd")
    assert np.isfinite(found).all()


def test_what_it_cannot_be_of_is_refused() -> None:
    relu = mf.activation("relu")
    for wrong, told in (
        (lambda: gain_for_training(relu, 4), "depth = 4 is out of range: give a whole number from 5"),
        (lambda: tangent_correlation(relu, 1.0, 1.0, 1, 0.5), "depth = 1"),
        (lambda: gain_for_training(relu, 30, "lion"), "optimizer = lion is not known: give adam, sgd"),  # type: ignore[arg-type]
        (lambda: gain_for_training(relu, 30, ["adam"]), "not known"),  # type: ignore[arg-type]
        (lambda: gain_for_training(mf.activation("sign"), 30), "jumps"),
        (lambda: gain_for_training("relu", 30), "activation"),  # type: ignore[arg-type]
        (lambda: tangent_correlation(relu, -1.0, 1.0, 30, 0.5), "q"),
        (lambda: tangent_correlation(relu, 1.0, 0.0, 30, 0.5), "chi_1"),
        (lambda: tangent_correlation(relu, 1.0, 1.0, 30, 1.5), "rho"),
    ):
        with pytest.raises(mf.MeanFieldError, match=told):
            wrong()


def test_gains_told_on_the_page_of_theory_are_these() -> None:
    page = (Path(__file__).parents[2] / "docs/theory.md").read_text()
    (design,) = mf.designs(Family("clipped-relu", ("tau", "m")), sparsity=0.85, slope=0.7)
    clipped, relu, tanh = design.activation.phi, mf.activation("relu"), mf.activation("tanh")
    for phi, told in (
        (clipped, "{:.3f}, {:.3f} and {:.3f} at depths 10, 30 and 60"),
        (relu, "{:.3f}, {:.3f} and {:.3f}."),
    ):
        assert told.format(*(gain_for_training(phi, depth) for depth in (10, 30, 60))) in page
    near, far = (
        [-depth * math.log(gain_for_training(phi, depth)) for phi in (clipped, relu, tanh)] for depth in (30, 100)
    )
    assert "is {:.1f} for that clipped ReLU, {:.1f} for ReLU and {:.1f} for tanh".format(*near) in page
    assert "at depth 100 {:.1f}, {:.1f} and {:.1f}.".format(*far) in page
