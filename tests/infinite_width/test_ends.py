"""The maps at the ends of their domain: no variance, next to none, more than any network has; ρ = ±1."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import definitions
import numpy as np
import pytest
from examples import (
    ABS,
    CONSTANT,
    HARD_TANH,
    IDENTITY,
    LEAKY_RELU,
    RELU,
    SIGN,
    STEP,
    clipped_relu,
    hard_threshold,
    soft_threshold,
)
from mpmath import mp, mpf

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import UndefinedCorrelation
from meanfield.infinite_width.fixed_points import correlation_fixed_points
from meanfield.infinite_width.mean_field import MeanField

KINDS = {
    "relu": RELU,
    "leaky relu": LEAKY_RELU,
    "abs": ABS,
    "identity": IDENTITY,
    "hard tanh": HARD_TANH,
    "clipped relu": clipped_relu(1.0, 1.0),
    "soft threshold": soft_threshold(0.5),
    "ternary": PiecewiseLinear([-0.5, 0.5], [0, 0, 0], [-1, 0, 1]),
    "sign": SIGN,
    "step": STEP,
    "hard threshold": hard_threshold(0.8),
    "x with a tiny step": PiecewiseLinear([1], [1, 1], [0, 1e-5]),
    "affine": PiecewiseLinear([], [2], [-3]),
    "|x| + 1": PiecewiseLinear([0], [-1, 1], [1, 1]),
    "constant": CONSTANT,
}
by_kind = pytest.mark.parametrize("phi", KINDS.values(), ids=KINDS)

OF_Q: dict[str, Callable] = {
    **{name: getattr(MeanField, name) for name in ("V", "dV", "d2V", "chi1", "dchi1", "gain", "sparsity")},
    "kick_variance": MeanField.kick_variance,
    "kick_skew": lambda network, q: network.kick_cumulants(q)[2],
}
CORRELATED: dict[str, Callable] = {
    "kappa": MeanField.kappa,
    **{f"R({r})": lambda network, q, r=r: network.R(r, q) for r in (-1.0, 0.3, 1.0)},
    **{f"dR({r})": lambda network, q, r=r: network.dR(r, q) for r in (-1.0, 0.3, 1.0)},
    **{f"d2R({r})": lambda network, q, r=r: network.d2R(r, q) for r in (-1.0, 0.3, 1.0)},
    **{f"1-R(1-{e})": lambda network, q, e=e: network.one_minus_R(e, q) for e in (0.0, 1e-8, 0.7, 2.0)},
}
MAPS = OF_Q | CORRELATED


def close(found: float, expected: float) -> bool:
    """Equal to rounding, or both so small that their limit is 0."""
    return found == expected or math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-140)


@by_kind
@pytest.mark.parametrize("sigma_b", [0.0, 0.5])
def test_every_map_at_no_variance_is_the_limit_of_those_at_next_to_none(phi: PiecewiseLinear, sigma_b: float) -> None:
    network = MeanField(phi, 1.3, sigma_b)
    for name, map_ in MAPS.items():
        if name == "dV" and phi == KINDS["|x| + 1"]:
            continue  # grows as 1/√q
        values = []
        for q in (0.0, -0.0, 5e-324, 1e-300):
            try:
                values.append(map_(network, q))
            except UndefinedCorrelation:
                values.append(None)
        assert all(value is None or type(value) is float for value in values), name
        assert all(v == values[0] or (v is not None and close(v, values[0])) for v in values), (name, values)


@by_kind
def test_every_map_at_a_vast_variance_sees_but_the_outer_pieces(phi: PiecewiseLinear) -> None:
    network = MeanField(phi, 1.3, 0.5)
    slopes, levels = (phi.slopes[0], phi.slopes[-1]), (phi.intercepts[0], phi.intercepts[-1])
    far = MeanField(PiecewiseLinear([0.0], slopes, [0.0, 0.0] if any(slopes) else levels), 1.3, 0.5)
    assert close(network.V(1e300), far.V(1e300))
    for name in ("R(-1.0)", "R(0.3)", "R(1.0)", "dR(0.3)", "d2R(0.3)", "1-R(1-1e-08)", "1-R(1-0.7)", "1-R(1-2.0)"):
        assert math.isclose(
            CORRELATED[name](network, 1e300), CORRELATED[name](far, 1e300), rel_tol=1e-12, abs_tol=1e-15
        )
    assert close(network.dV(1e300), far.dV(1e300))


def test_what_the_theory_says_at_no_variance() -> None:
    assert MeanField(RELU, 1.3, 0.5).one_minus_R(1e-8, 0.0) == 0
    # φ is ±1: u and v see its sign alone.
    sign, share = MeanField(SIGN, 1.3, 0.5), 1.69 / 1.94
    with mp.workdps(30):
        loss, bend = 2 / mp.pi * mp.acos(1 - mpf(1e-8)), 2 / mp.pi * mpf(0.3) / (1 - mpf(0.3) ** 2) ** 1.5
    assert sign.one_minus_R(1e-8, 0.0) == pytest.approx(share * float(loss), rel=1e-12)
    assert sign.d2R(0.3, 0.0) == pytest.approx(share * float(bend), rel=1e-12)
    # An affine φ ≠ 0 at 0 tells all inputs alike, though without biases.
    assert MeanField(KINDS["affine"], 1.3).R(0.3, 0.0) == 1.0


@by_kind
def test_at_no_variance_all_correlations_tend_to_one_unless_phi_jumps_at_zero(phi: PiecewiseLinear) -> None:
    points = correlation_fixed_points(MeanField(phi, 1.3, 0.5), 0.0)
    (*others, one) = [(point.rho, point.kind) for point in points]
    if 0.0 in phi.discontinuities:
        assert one == (1.0, "unstable")
        ((rho, kind),) = others
        # The step between the two values of φ at 0, ε = 1 − ρ and E(step)² = ((a − b)/π) arccos ρ.
        below, above = phi.limits(0.0)
        loss = 1.69 * (above - below) ** 2 * math.acos(rho) / (2 * math.pi)
        assert loss / MeanField(phi, 1.3, 0.5).V(0.0) == pytest.approx(1 - rho, rel=1e-12)
        assert kind == "stable"
    else:
        assert (one, others) == ((1.0, "stable"), [])


@by_kind
@pytest.mark.parametrize("q", [0.0, 1e-300, 1.0, 1e8, 1e300])
def test_at_the_end_one_jump_parts_inputs_at_once_and_one_kink_bends_without_bound(
    phi: PiecewiseLinear, q: float
) -> None:
    network = MeanField(phi, 1.0, 0.5)
    bent = bool(np.any(phi.kinks)) or not phi.is_continuous
    assert network.d2R(1.0, q) == (math.inf if bent else 0.0)
    assert network.chi1(q) == math.inf or phi.is_continuous
    if not phi.is_continuous:
        assert network.dR(1.0, q) == network.kappa(q) == math.inf


@by_kind
@pytest.mark.parametrize("q", [1e-12, 0.7, 1e8])
def test_at_minus_one_the_slope_of_r_is_that_of_the_pieces_at_x_and_minus_x_and_of_jumps_on_the_other_side(
    phi: PiecewiseLinear, q: float
) -> None:
    network = MeanField(phi, 1.0, 0.5)
    if any(-t in phi.discontinuities for t in phi.discontinuities):
        assert abs(network.dR(-1.0, q)) == math.inf
        return
    with mp.workdps(30):
        ends = [mpf(t) / mp.sqrt(q) for t in sorted({0.0, *map(abs, phi.knots)})]
        middles = [(low + high) / 2 * mp.sqrt(q) for low, high in pairwise([*ends, ends[-1] + 2])]
        shares = [definitions.probability(low, high) for low, high in pairwise([*ends, mp.inf])]
        exact = 2 * mpf(q) * mp.fsum(_slope(phi, x) * _slope(phi, -x) * p for x, p in zip(middles, shares, strict=True))
        # φ' is the height of the jump times a point mass where the other input lies on −t, of either of two.
        for t, jump in zip(phi.knots, phi.jumps.tolist(), strict=True):
            beside = (_slope(phi, -t - 1e-9) + _slope(phi, -t + 1e-9)) / 2
            exact += 2 * mpf(q) * jump * beside * mp.npdf(mpf(t) / mp.sqrt(q)) / mp.sqrt(q)
    assert network.dR(-1.0, q) == pytest.approx(float(exact) / network.V(q), rel=1e-13, abs=1e-300)


def test_at_minus_one_it_is_infinite_where_beside_it_grows_without_bound() -> None:
    for name in ("hard threshold", "ternary", "sign", "step"):
        network = MeanField(KINDS[name], 1.0, 0.5)
        beside = [network.dR(-1 + eps, 0.7) for eps in (1e-9, 1e-15)]
        assert abs(beside[1] / beside[0]) == pytest.approx(1e3, rel=1e-2)
        assert network.dR(-1.0, 0.7) == math.copysign(math.inf, beside[1])
    for name in ("relu", "abs", "hard tanh", "soft threshold", "hard threshold", "sign"):
        network = MeanField(KINDS[name], 1.0, 0.5)
        assert network.d2R(-1.0, 0.7) == math.copysign(math.inf, network.d2R(-1 + 1e-12, 0.7))


def _slope(phi: PiecewiseLinear, x: float) -> float:
    """φ' between knots."""
    return phi.slopes[np.searchsorted(phi.knots, float(x))]


@pytest.mark.parametrize("q", [1e-300, 1e-12, 0.3, 1e12, 1e50, 1e160, 1e300])
@by_kind
def test_kicks_keep_their_digits_where_the_square_is_nearly_constant(phi: PiecewiseLinear, q: float) -> None:
    with mp.workdps(1300 if q > 1e200 else 700):
        first, second, third = (definitions.power_moment(phi, q, n) for n in (2, 4, 6))
        variance = second - first**2
        skew = third - 3 * first * second + 2 * first**3
        height = float(mp.sqrt(abs(second))) if second < 1e300 else math.inf
    found = MeanField(phi, 1.0).kick_cumulants(q)
    assert MeanField(phi, 1.0).kick_variance(q) == pytest.approx(found[1], rel=1e-14)
    for value, exact, power in ((found[1], variance, 2), (found[2], skew, 3)):
        if abs(exact) > 1.8e308:
            assert value == (math.inf if exact > 0 else -math.inf)
        else:
            # Two levels of one half each have a skewness of next to 0.
            rounding = 1e-15 * height**power if power == 3 and not any(phi.slopes[::2]) else 0.0
            assert value == pytest.approx(float(exact), rel=1e-10, abs=max(rounding, 1e-300))


@pytest.mark.parametrize("shape", [(0,), (2, 2)])
@by_kind
def test_arrays_of_any_shape_hold_what_scalars_are(phi: PiecewiseLinear, shape: tuple[int, ...]) -> None:
    network = MeanField(phi, 1.3, 0.5)
    q = np.resize([0.0, 1.0, 5e-324, 1e300], shape)
    for name, map_ in MAPS.items():
        found = map_(network, q)
        assert found.shape == shape, name
        alone = np.array([map_(network, x) for x in q.ravel().tolist()]).reshape(shape)
        np.testing.assert_allclose(found, alone, rtol=1e-12, atol=1e-15, err_msg=name)
        assert type(map_(network, 1.0)) is float, name


@pytest.mark.parametrize("q", [1e3, 1e8, 1e300])
@pytest.mark.parametrize("eps", [1e-30, 1e-14, 1e-6])
def test_a_ramp_that_a_vast_signal_takes_for_a_jump_parts_inputs_as_a_jump_does(q: float, eps: float) -> None:
    # As long as the inputs differ by more than the ramp is wide: C(1) − C(1 − ε) = E(φ(u) − φ(v))²/2.
    network, jump = MeanField(HARD_TANH, 1.0), MeanField(SIGN, 1.0)
    apart = math.sqrt(2 * eps * q)
    if apart > 1e9:
        assert network.one_minus_R(eps, q) == pytest.approx(jump.one_minus_R(eps, q), rel=1e-8)
    if apart < 1e-9:
        assert network.one_minus_R(eps, q) == pytest.approx(network.dR(1.0, q) * eps, rel=1e-8)


def test_without_biases_the_scale_of_the_weights_cancels_however_small() -> None:
    for sigma_w in (1e-150, 1e-5, 1e150):
        for q in (5e-324, 1e-200, 1e200):
            network = MeanField(LEAKY_RELU, sigma_w)
            assert network.R(0.3, q) == pytest.approx(MeanField(LEAKY_RELU, 1.0).R(0.3, 1.0), rel=1e-13)
