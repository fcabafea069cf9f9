"""The border of the phases, against closed forms and exact iteration of V."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from examples import HARD_TANH, RELU, SIGN, clipped_relu, clipped_soft_threshold, shifted_relu

import meanfield as mf
from meanfield.infinite_width.edge import edge_curve
from meanfield.infinite_width.phase_border import PhaseBorder, phase_border

LOOSE, SHIFTED = clipped_relu(1.0, 2.0), shifted_relu(1.0)
#: V falls with q where most of the bump is passed.
BUMP = mf.activation("points: (-2,-0.4) (0,0) (1,1) (3,0); left=0, right=0")


def points(border: PhaseBorder, part: str) -> np.ndarray:
    """σ_w, σ_b, q* of the points of the border that are an edge, or a jump."""
    lines = [np.column_stack([line.sigma_w, line.sigma_b, line.q_star]) for line in border.lines]
    found = np.concatenate(lines)
    return found[np.isnan(found[:, 2]) == (part == "jump")]


@pytest.mark.parametrize("phi", [HARD_TANH, clipped_relu(1.0, 1.0), clipped_soft_threshold(1.0, 1.0)])
def test_the_edge_is_solved_for_and_is_that_of_its_fixed_points(phi: mf.PiecewiseLinear) -> None:
    edge = points(phase_border(phi, (0.5, 4.0), (0.01, 2.0), networks=33), "edge")
    assert len(edge) > 30
    curve = edge_curve(phi, edge[:, 2])
    np.testing.assert_allclose(edge[:, 0], curve.sigma_w, rtol=1e-8)
    np.testing.assert_allclose(edge[:, 1], curve.sigma_b, rtol=1e-6, atol=1e-8)


def test_the_edge_of_a_homogeneous_activation_is_upright() -> None:
    border = phase_border(RELU, (0.3, 2.8), (0.0, 0.8), networks=33)
    (line,) = border.lines
    np.testing.assert_allclose(line.sigma_w, math.sqrt(2), rtol=1e-9)
    assert np.isinf(line.q_star[line.sigma_b > 0]).all()


@pytest.mark.parametrize("phi, clip", [(SHIFTED, mpmath.inf), (LOOSE, 2)])
def test_where_the_fixed_point_jumps_the_variance_asked_about_repels(phi: mf.PiecewiseLinear, clip: float) -> None:
    jump = points(phase_border(phi, (0.7, 5.0), (0.0, 1.0), networks=33), "jump")
    assert len(jump) > 15
    square = float(mpmath.quad(lambda x: min(x - 1, clip) ** 2 * mpmath.npdf(x), [1, 3, mpmath.inf]))
    # Where the network has no fixed point at 1, the one below has just met the one above it: V' = 1 there.
    kept = np.abs(jump[:, 0] ** 2 * square + jump[:, 1] ** 2 - 1) < 1e-8
    assert kept.mean() > 0.9
    for w, b, _ in jump[~kept]:
        slopes = [abs(p.slope - 1) for p in mf.fixed_points(mf.MeanField(phi, w * (1 - 1e-7), b * (1 - 1e-7)))]
        assert min(slopes) < 0.02


def inside(outlines: tuple[np.ndarray, ...], point: np.ndarray) -> bool:
    """Whether a ray from the point to the right crosses the outlines an odd number of times."""
    crossed = 0
    for outline in outlines:
        x, y = outline.T
        x_next, y_next = np.roll(x, -1), np.roll(y, -1)
        over = (y > point[1]) != (y_next > point[1])
        at = x[over] + (point[1] - y[over]) * (x_next - x)[over] / (y_next - y)[over]
        crossed += int((at > point[0]).sum())
    return crossed % 2 == 1


@pytest.mark.parametrize(
    "phi, start",
    [(HARD_TANH, 0.3), (LOOSE, 0.3), (LOOSE, 4.0), (SHIFTED, 1.0), (clipped_relu(1.6, 0.5), 1.0), (BUMP, 4.0)],
)
def test_the_outlines_hold_the_networks_whose_signal_settles_in_chaos(phi: mf.PiecewiseLinear, start: float) -> None:
    border = phase_border(phi, (0.5, 6.0), (0.0, 1.5), start, networks=33)
    rng = np.random.default_rng(1)
    asked = rng.uniform([0.5, 0.0], [6.0, 1.5], (40, 2))
    lines = np.concatenate([[[9.0, 9.0]], *([np.column_stack([e.sigma_w, e.sigma_b]) for e in border.lines])])
    for w, b in asked:
        # A mesh is 0.17 wide and 0.05 high.
        if np.abs((lines - [w, b]) / [0.2, 0.06]).max(axis=1).min() < 1:
            continue
        network, q = mf.MeanField(phi, w, b), start
        for _ in range(100):
            q = min(network.V(q), 1e280)
        assert inside(border.chaotic, np.array([w, b])) == (network.chi1(q) > 1), (w, b)


def test_where_all_is_of_one_phase_there_is_no_border() -> None:
    chaotic, ordered = (
        phase_border(phi, (w, 4 * w), (0.0, 1.0), networks=9) for phi, w in ((SIGN, 0.5), (HARD_TANH, 0.1))
    )
    assert not chaotic.lines and not ordered.lines and not ordered.chaotic
    assert inside(chaotic.chaotic, np.array([1.0, 0.5]))
