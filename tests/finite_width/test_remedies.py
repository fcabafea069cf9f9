"""Remedies work when they are followed, and are no tighter than they must be."""

from __future__ import annotations

import pytest
from examples import HARD_TANH, VERDICTS

import meanfield as mf
from meanfield.activations.clipping import clipped
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.escape import Requirement, is_safe
from meanfield.finite_width.remedies import safe_clip
from meanfield.finite_width.verdict import FiniteWidth, at_width
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.remedies import clip_levels, stabilising_clip
from meanfield.infinite_width.stability import diagnose


def judged(phi: PiecewiseLinear, width: int, depth: int, q_star: float = 1.0, **options: float) -> FiniteWidth:
    return at_width(diagnose(edge_of_chaos(phi, q_star)), Requirement(width, depth, **options))


@pytest.mark.parametrize("word", ["fragile", "unstable"])
def test_every_remedy_works_when_it_is_followed(word: str) -> None:
    width, depth = 100, 10
    found = judged(VERDICTS[word], width, depth, chains=2048)
    assert found.verdict.word == word
    cures = {cure.what: cure for cure in found.verdict.remedies}
    assert {"clip", "width", "depth"} <= set(cures)
    for cure in cures.values():
        phi = VERDICTS[word] if cure.m is None else clipped(VERDICTS[word], -cure.m, cure.m)
        required = Requirement(cure.width or width, cure.depth or depth, chains=2048)
        followed = at_width(diagnose(edge_of_chaos(phi, cure.q_star or 1.0)), required)
        assert followed.verdict.word == cure.verdict == "safe"
        assert followed.escapes.probability == pytest.approx(cure.share_lost, abs=0.005)
        if cure.sigma_w:
            typed = MeanField(phi, float(f"{cure.sigma_w:.6g}"), float(f"{cure.sigma_b:.6g}"))
            again = at_width(diagnose(typed, cure.q_star), required)
            assert again.verdict.word == "safe"
            assert again.diagnosis.point.fixed_point.slope == pytest.approx(cure.V_prime, abs=1e-3)


def test_the_clip_recommended_is_the_largest_that_is_safe() -> None:
    required = Requirement(150, 12)
    m, edge = safe_clip(VERDICTS["unstable"], 1.0, required)
    assert is_safe(edge.mean_field, 1.0, required.careful)
    for larger in (m + 0.2, m + 0.5, m + 1):
        assert not is_safe(edge_of_chaos(clipped(VERDICTS["unstable"], -larger, larger)).mean_field, 1.0, required)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_clip_recommended_is_safe_for_other_random_networks_too(seed: int) -> None:
    m, _ = safe_clip(VERDICTS["unstable"], 1.0, Requirement(150, 12))
    assert judged(clipped(VERDICTS["unstable"], -m, m), 150, 12, seed=seed).verdict.word == "safe"


def test_remedies_hold_for_the_start_that_was_asked_for() -> None:
    network = diagnose(edge_of_chaos(VERDICTS["fragile"]))
    required = Requirement(300, 20)
    found = at_width(network, required, start=1.5)
    assert found.verdict.word == "fragile"
    # Outside the basin no width brings it back.
    assert "width" not in found.verdict.remedy
    (m,) = [cure.m for cure in found.verdict.remedies if cure.what == "clip"]
    tight = diagnose(edge_of_chaos(clipped(VERDICTS["fragile"], -m, m)))
    assert at_width(tight, required, start=1.5).verdict.word == "safe"


def test_the_clip_for_a_width_can_be_looser_than_that_for_any() -> None:
    for_any, _ = stabilising_clip(VERDICTS["unstable"], 1.0)
    for_width, _ = safe_clip(VERDICTS["unstable"], 1.0, Requirement(300, 20))
    assert for_width > for_any


#: What is enough by itself: networks off their edge of chaos, whose φ needs no change.
OFF_THE_EDGE = [
    ("relu", 1.5, 0.0, 100, 20),
    ("points: (-2,-0.4) (0,0) (1,1) (3,1.5); left=0, right=0", 1.4142, 0.0, 256, 50),
    ("max(x,0)-0.3989422804014327", 1.7128585504496627, 0.0, 256, 50),
    ("clipped-relu(tau=1, m=1)", 4.0, 0.2, 200, 20),
    ("hard-tanh", 1.5, 0.1, 100, 50),
]


@pytest.mark.parametrize(("spec", "sigma_w", "sigma_b", "width", "depth"), OFF_THE_EDGE)
def test_the_initialisation_alone_is_the_first_remedy_and_no_clip_is_credited_with_what_it_does(
    spec: str, sigma_w: float, sigma_b: float, width: int, depth: int
) -> None:
    phi = mf.activation(spec)
    required = Requirement(width, depth, chains=256)
    edge, found = edge_of_chaos(phi), diagnose(MeanField(phi, sigma_w, sigma_b))
    for cures in (found.verdict.remedies, at_width(found, required).verdict.remedies):
        first = cures[0]
        assert first.what == "initialisation"
        assert (first.q_star, first.sigma_w, first.sigma_b) == (1.0, edge.sigma_w, edge.sigma_b)
        assert "clip" not in [cure.what for cure in cures]
    assert at_width(diagnose(edge), required).verdict.word in ("safe", "neutral")


def test_no_clip_is_recommended_that_the_activation_has_already() -> None:
    for phi in (mf.activation("clipped-relu(tau=1, m=1)"), HARD_TANH, mf.activation("relu6")):
        for q in (0.1, 1.0, 100.0):
            assert all(m < phi.supremum for m in clip_levels(phi, q))
