"""How deep a family can be trained, and what the initialisations of a plane lose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import run

import meanfield as mf
from meanfield.design.plane_losses import plane_losses
from meanfield.infinite_width.phase_border import phase_border

FAMILY = mf.Family("clipped-relu", ("tau", "m"))
LEVELS = (0.5, 0.9, 1.3)
REQUIRED = mf.Requirement(1, 40)


@pytest.fixture(scope="module")
def depths() -> mf.TrainableDepths:
    return mf.trainable_depths(FAMILY, [0.7, 0.9], [64, 160], REQUIRED, LEVELS)


def edge(sparsity: float, m: float) -> mf.MeanField:
    (design,) = mf.designs(mf.Family("clipped-relu", ("tau",), (("m", m),)), sparsity=sparsity)
    return design.edge.mean_field


def test_the_depth_is_safe_and_one_layer_more_is_not_with_any_value(depths: mf.TrainableDepths) -> None:
    half = REQUIRED.risk / 2
    for i, j in ((0, 0), (1, 1)):
        found, units = int(depths.depth[i, j]), int(depths.width[j])
        assert 0 < found < REQUIRED.depth

        def lost(depth: int, m: float, i: int = i, units: int = units) -> float:
            asked = replace(REQUIRED, width=units, depth=depth)
            return float(mf.loss_law(edge(depths.sparsity[i], m), 1.0, asked).either[-1])

        assert lost(found, depths.values[i, j]) <= half
        assert all(lost(found + 1, m) > half for m in LEVELS)


def test_random_networks_of_that_depth_are_safe_and_of_twice_the_depth_are_not(depths: mf.TrainableDepths) -> None:
    found, m = int(depths.depth[0, 0]), float(depths.values[0, 0])
    shares = [mf.escapes(edge(0.7, m), 1.0, replace(REQUIRED, width=64, depth=d)).lost() for d in (found, 2 * found)]
    assert shares[0].mean() <= REQUIRED.risk < shares[1].mean()


def test_where_the_search_ends_before_the_depth_that_is_said(depths: mf.TrainableDepths) -> None:
    assert depths.is_deeper.tolist() == [[False, True], [False, False]]
    assert depths.depth[0, 1] == REQUIRED.depth
    assert (np.diff(depths.depth, axis=1) >= 0).all()


def test_where_the_search_ended_the_law_says_about_how_much_deeper_it_is(depths: mf.TrainableDepths) -> None:
    np.testing.assert_array_equal(depths.expected[~depths.is_deeper], depths.depth[~depths.is_deeper])
    further = mf.trainable_depths(FAMILY, [0.7], [160], replace(REQUIRED, depth=200), LEVELS)
    assert REQUIRED.depth < further.depth[0, 0] < 200
    assert depths.expected[0, 1] == pytest.approx(further.depth[0, 0], rel=0.15)


def test_a_family_with_one_open_parameter_is_found_by_its_sparsity() -> None:
    found = mf.trainable_depths(mf.Family("clipped-relu", ("tau",), (("m", 1.0),)), [0.8], [100], REQUIRED)
    assert [*found.records()[0]] == ["sparsity", "width", "depth"]
    both = mf.trainable_depths(FAMILY, [0.8], [100], REQUIRED, [1.0])
    assert found.depth[0, 0] == both.depth[0, 0] > 0


def test_a_design_map_holds_what_each_design_has() -> None:
    required = mf.Requirement(200, 20, gradient_within=10)
    done: list[int] = []
    found = mf.design_map(FAMILY, [0.7, 0.85], [1.0, 2.0], required, advance=done.append)
    assert done == [1, 1, 1, 1]
    (design,) = mf.designs(mf.Family("clipped-relu", ("tau",), (("m", 2.0),)), sparsity=0.85)
    assert found.V_prime[1, 1] == pytest.approx(design.edge.V_prime, rel=1e-12)
    expected = mf.escape_probability(design.edge.mean_field, 1.0, required)
    assert found.signal[1, 1] == pytest.approx(expected, abs=1e-9)
    networks = mf.escapes(design.edge.mean_field, 1.0, required)
    lost = {"signal": networks.outside[-1], "gradient": networks.without_gradient, "either": networks.lost()}
    for name, chains in lost.items():
        share = getattr(found, name)[1, 1]
        # Four standard errors.
        assert abs(share - chains.mean()) < 4 * np.sqrt(share * (1 - share) / chains.size), name


def test_what_a_relu_loses_is_known_by_its_weights_alone() -> None:
    """ln G is a sum of L independent terms, each of σ_w² times a χ² variable, whatever q* is."""
    phi = mf.activation("relu")
    border = phase_border(phi, (1.0, 1.8), (0.0, 0.5), networks=33)
    required = mf.Requirement(300, 10, gradient_within=3)
    found = plane_losses(phi, border, required)
    known = np.isfinite(found.gradient)
    # Without biases no signal is left, and beyond the edge none settles.
    assert not known[0].any() and (known[1:] == (border.sigma_w < np.sqrt(2))).all()
    rng = np.random.default_rng(0)
    squares = rng.chisquare(rng.binomial(300, 0.5, (20_000, 10))) / 300
    for j in np.flatnonzero(known[1])[::4]:
        logs = np.log(border.sigma_w[j] ** 2 * squares).sum(axis=1)
        share = np.mean(np.abs(logs) > np.log(3))
        assert found.gradient[1:, j] == pytest.approx(np.full(32, share), abs=0.03)
        # In units of σ_b² the networks of a column are one.
        network = mf.MeanField(phi, float(border.sigma_w[j]), 0.1)
        escaped = mf.escapes(network, 0.01 / (1 - network.sigma_w_squared / 2), required).probability
        assert found.signal[1:, j] == pytest.approx(np.full(32, escaped), abs=0.03)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["phase", "--act", "relu", "--width", "30"], "--width and --depth: give both"),
        (["phase", "--act", "relu", "--risk", "0.1"], "--risk is of networks of a width and depth"),
        (["phase", "--act", "relu", "--width", "30", "--depth", "1001"], "give up to 1000"),
        (["trainable", "--sparsity", "0.8"], "--sparsity makes no axis"),
        (["trainable", "--width", "10.5,20"], "no number of units"),
        (["trainable", "--width", "20,10"], "--width makes no axis"),
        (["trainable", "--depth", "0"], "depth = 0"),
        (["trainable", "--act", "hard-tanh"], "--solve a,b"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(arguments: list[str], said: str, tmp_path: Path) -> None:
    result = run("plot", *arguments, "-o", str(tmp_path / "figure.svg"))
    assert result.exit_code == 2 and said in result.stderr and result.stderr.count("\n") == 1
