"""Each remedy works by itself when it is followed, for networks of other random numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from examples import HARD_TANH, LEAKY_RELU, RELU, SIGN, VERDICTS, clipped_relu

import meanfield as mf
from meanfield.activations.activation import Activation
from meanfield.activations.clipping import clipped
from meanfield.finite_width import remedies
from meanfield.finite_width.escape import Requirement, escapes
from meanfield.finite_width.remedies import nothing_helps
from meanfield.finite_width.verdict import FiniteWidth, at_width
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.remedies import Remedy, candidate_edges, clip_levels, in_words
from meanfield.infinite_width.stability import Subject, diagnose

#: Networks of a verdict. Of one that loses half the risk, 0.5 %, more than 2 % are drawn once in ten thousand times.
CHAINS = 512


def judged(subject: Subject, required: Requirement, start: float | None = None) -> FiniteWidth:
    return at_width(diagnose(subject), required, start, with_remedies=False)


def followed(
    phi: Activation, subject: Subject, required: Requirement, cure: Remedy, start: float | None
) -> FiniteWidth:
    """The network with this one change."""
    changed = replace(
        required,
        width=cure.width or required.width,
        depth=cure.depth or required.depth,
        weights=cure.weights or required.weights,
        chains=CHAINS if (cure.width or 0) <= 3000 else 64,
        seed=99,
    )
    if cure.sigma_w is None:
        return judged(subject, changed, start)
    phi = phi if cure.m is None else clipped(phi, -cure.m, cure.m)
    edge = edge_of_chaos(phi, cure.q_star)
    # With the digits that the sentence has.
    typed = f"σ_w = {edge.sigma_w:.8g}, σ_b = {edge.sigma_b:.8g}, " if cure.m is None else f"σ_w = {edge.sigma_w:.6g}"
    assert typed in str(cure)
    return judged(edge, changed, start)


#: φ, q* of its edge of chaos or σ_w and σ_b, width, depth, and what is found to be enough.
TROUBLED = {
    "chaos": ("hard-tanh", (1.5, 0.1), 200, 50, ["initialisation", "depth"]),
    "q* itself": ("clipped-relu(tau=1.28155, m=1.61)", 1.0, 300, 30, ["initialisation", "width", "depth"]),
    "a near-by fixed point": (VERDICTS["fragile"], 1.0, 100, 10, ["initialisation", "clip", "width", "depth"]),
    "a runaway": (VERDICTS["unstable"], 1.0, 100, 10, ["clip", "width", "depth"]),
    "a smooth runaway": ("gelu", 1.0, 100, 50, ["clip"]),
    "a random walk of gradients": ("tanh", 1.0, 30, 60, ["weights", "width", "depth"]),
    "a random walk of both": ("relu", 1.0, 30, 60, ["width", "depth"]),
    "order": ("tanh", (0.9, 0.1), 100, 50, ["initialisation", "depth"]),
    "smooth chaos": ("tanh", (1.6, 0.1), 100, 50, ["initialisation", "depth"]),
    "nothing but V'(q*) near 1 at another q*": ("silu", 1.0, 100, 30, ["clip", "depth"]),
}


@lru_cache
def mended(name: str) -> tuple[Activation, Subject, Requirement, tuple[Remedy, ...]]:
    """The network, what is asked of it, and the remedies."""
    spec, at, width, depth, _ = TROUBLED[name]
    phi = mf.activation(spec) if isinstance(spec, str) else spec
    subject = MeanField(phi, *at) if isinstance(at, tuple) else edge_of_chaos(phi, at)
    required = Requirement(width, depth, chains=CHAINS)
    verdict = at_width(diagnose(subject), required).verdict
    assert verdict.share_lost > required.risk
    return phi, subject, required, verdict.remedies


@pytest.mark.parametrize("name", TROUBLED)
def test_every_remedy_is_enough_by_itself(name: str) -> None:
    phi, subject, required, cures = mended(name)
    assert [cure.what for cure in cures] == TROUBLED[name][-1]
    for cure in cures:
        found = followed(phi, subject, required, cure, None)
        share = found.verdict.share_lost
        assert share <= 2 * required.risk, cure
        assert share == pytest.approx(cure.share_lost, abs=0.015)
        assert cure.verdict == "safe"
        assert found.verdict.signal.word in ("safe", "neutral")
    # Off the edge q* is not blamed; on it, where another q* is enough and none nearer is.
    blamed = [cure for cure in cures if cure.instead_of is not None]
    on_edge = not isinstance(subject, MeanField)
    assert blamed == [cure for cure in cures if cure.what == "initialisation" and on_edge]
    for cure in blamed:
        assert str(cure).startswith(f"q* = {subject.q_star:g} itself is the trouble: ")
        assert f"a sparsity of {edge_of_chaos(phi, cure.q_star).sparsity:.3g}" in str(cure)
        nearer = [edge for edge in candidate_edges(phi, 1.0) if 1 < edge.q_star < cure.q_star]
        for edge in nearer:
            # Either V' or the law ruled it out.
            assert escapes(edge.mean_field, edge.q_star, replace(required, seed=5)).lost().mean() > required.risk / 2


@pytest.mark.parametrize("name", ["chaos", "order", "smooth chaos", "a random walk of both"])
def test_the_depth_is_about_the_deepest(name: str) -> None:
    _, subject, required, cures = mended(name)
    (depth,) = [cure.depth for cure in cures if cure.depth]
    point = diagnose(subject).point
    deeper = replace(required, depth=round(1.2 * depth) + 2, chains=1024, seed=5)
    assert escapes(point.network, point.variance, deeper).without_gradient.mean() > required.risk / 2


def test_the_width_is_about_the_least() -> None:
    _, edge, required, cures = mended("a near-by fixed point")
    (width,) = [cure.width for cure in cures if cure.width]
    narrower = replace(required, width=round(width / 1.5), chains=1024, seed=5)
    assert escapes(edge.mean_field, 1.0, narrower).lost().mean() > required.risk / 2


def test_orthogonal_networks_are_given_a_width_that_networks_need() -> None:
    required = Requirement(1, 10, weights="orthogonal", chains=1024)
    diagnosis = diagnose(edge_of_chaos(HARD_TANH))
    cures = at_width(diagnosis, required).verdict.remedies
    (width,) = [cure.width for cure in cures if cure.width]
    for units, is_enough in ((width, True), (width // 2, False)):
        found = at_width(diagnosis, replace(required, width=units, seed=5), with_remedies=False)
        assert found.verdict.is_good == is_enough


def test_a_start_is_not_blamed_on_the_fixed_point() -> None:
    _, edge, required, cures = mended("q* itself")
    assert (cures[0].what, cures[0].instead_of) == ("initialisation", 1.0)
    elsewhere = at_width(diagnose(edge), required, 1.3).verdict.remedies[0]
    assert (elsewhere.what, elsewhere.instead_of) == ("initialisation", None)


def test_inputs_that_are_at_fault_alone_are_told_to_be_scaled() -> None:
    diagnosis, required = diagnose(edge_of_chaos(mf.activation("tanh"))), Requirement(300, 30, chains=256)
    (cure,) = at_width(diagnosis, required, 1e-6).verdict.remedies
    assert (cure.what, cure.q_star) == ("inputs", 1.0)
    assert at_width(diagnosis, required, cure.q_star).verdict.is_good
    # Where the start is what is asked for, or no more at fault than all else, it is not told.
    assert "inputs" not in [cure.what for cure in mended("q* itself")[-1]]


def test_variances_beyond_the_doubles_leave_a_verdict() -> None:
    found = at_width(diagnose(edge_of_chaos(mf.activation("exp(x)"))), Requirement(300, 10, chains=256)).verdict
    assert (found.word, found.remedies) == ("unstable", ())


def test_a_clip_is_told_as_an_activation() -> None:
    phi, _, _, cures = mended("a runaway")
    (clip,) = [cure for cure in cures if cure.m]
    assert mf.activation(clip.activation) == clipped(phi, -clip.m, clip.m)
    assert clip.activation in str(clip)


def test_the_clip_loses_less_than_looser_and_tighter_ones() -> None:
    phi, _, required, cures = mended("a runaway")
    (m,) = [cure.m for cure in cures if cure.m]

    def lost(level: float) -> float:
        edge = edge_of_chaos(clipped(phi, -level, level))
        return float(escapes(edge.mean_field, 1.0, replace(required, chains=4096, seed=5)).lost().mean())

    assert lost(m) < min(lost(1.5 * m), lost(m / 1.7))


def test_remedies_hold_for_the_start_that_was_asked_for() -> None:
    edge = edge_of_chaos(VERDICTS["fragile"])
    required, start = Requirement(200, 20, chains=CHAINS), 1.5
    cures = at_width(diagnose(edge), required, start).verdict.remedies
    # Outside the basin no width brings it back.
    assert "width" not in [cure.what for cure in cures]
    assert "clip" in [cure.what for cure in cures]
    for cure in cures:
        share = followed(VERDICTS["fragile"], edge, required, cure, start).verdict.share_lost
        assert share <= 2 * required.risk


def test_orthogonal_weights_are_no_remedy_for_a_signal_that_runs_away_or_where_they_are_given() -> None:
    assert "weights" not in [cure.what for cure in mended("a runaway")[-1]]
    given = Requirement(30, 30, chains=64, weights="orthogonal")
    found = at_width(diagnose(MeanField(mf.activation("tanh"), 0.9, 0.1)), given).verdict
    assert not found.is_good
    assert "weights" not in [cure.what for cure in found.remedies]


def test_where_nothing_helps_that_is_said() -> None:
    # A jump passes no gradient, at any width and depth.
    required = Requirement(50, 10, chains=64)
    found = at_width(diagnose(MeanField(SIGN, 1.0, 0.1)), required).verdict
    assert found.remedies == ()
    assert in_words(found.remedies) is None
    assert found.tried == nothing_helps(required, 1.0)
    assert "orthogonal" in found.tried
    assert "no width" in found.tried
    # What is not looked for is not said to fail.
    assert "orthogonal" not in nothing_helps(replace(required, weights="orthogonal"), 1.0)
    assert "width" not in nothing_helps(replace(required, risk=1e-4), 1.0)


#: What is enough by itself: networks off their edge of chaos, whose φ needs no change.
OFF_THE_EDGE = [
    ("relu", 1.5, 0.0, 100, 20),
    ("points: (-2,-0.4) (0,0) (1,1) (3,1.5); left=0, right=0", 1.4142, 0.0, 256, 50),
    ("max(x,0)-0.3989422804014327", 1.7128585504496627, 0.0, 256, 50),
    ("clipped-relu(tau=1, m=1)", 4.0, 0.2, 200, 5),
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
    assert judged(edge, required).verdict.word in ("safe", "neutral")


def test_no_clip_is_recommended_that_the_activation_has_already() -> None:
    for phi in (mf.activation("clipped-relu(tau=1, m=1)"), HARD_TANH, mf.activation("relu6")):
        for q in (0.1, 1.0, 100.0):
            assert all(m < phi.supremum for m in clip_levels(phi, q))


@pytest.mark.parametrize("phi", [RELU, LEAKY_RELU])
def test_of_a_homogeneous_activation_there_is_one_edge_and_its_signal_may_drift(phi: Activation) -> None:
    edge, required = edge_of_chaos(phi), Requirement(64, 40, chains=CHAINS)
    first = at_width(diagnose(MeanField(phi, 0.8 * edge.sigma_w)), required).verdict.remedies[0]
    assert (first.what, first.verdict, first.q_star) == ("initialisation", "neutral", 1)
    assert escapes(edge.mean_field, 1.0, replace(required, seed=9)).without_gradient.mean() <= 2 * required.risk


def test_a_change_that_few_networks_show_to_be_too_little_is_tried_with_no_more(monkeypatch) -> None:
    drawn: list[tuple[int, float]] = []

    def counted(*arguments, **options):
        found = escapes(*arguments, **options)
        drawn.append((found.requirement.chains, found.interval_of(found.lost())[0]))
        return found

    monkeypatch.setattr(remedies, "escapes", counted)
    at_width(diagnose(edge_of_chaos(clipped_relu(1.28155, 1.61))), Requirement(300, 30, chains=2048))
    few = [low for chains, low in drawn if chains == 128]
    more = [low for chains, low in drawn if chains > 128]
    assert len(few) + len(more) == len(drawn)
    assert len(more) == sum(low <= 0.01 for low in few) < len(few)
