"""Remedies work when they are followed, and are no tighter than they must be."""

from __future__ import annotations

import re

import pytest
from examples import (
    VERDICTS,
)

from meanfield.activations.algebra import clipped
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.finite_width.escape import Requirement, is_safe
from meanfield.finite_width.remedies import safe_clip
from meanfield.finite_width.verdict import FiniteWidth, at_width
from meanfield.infinite_width.clips import stabilising_clip
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose


def judged(phi: PiecewiseLinear, width: int, depth: int, q_star: float = 1.0, **options: float) -> FiniteWidth:
    return at_width(diagnose(edge_of_chaos(phi, q_star)), Requirement(width, depth, **options))


@pytest.mark.parametrize("word", ["fragile", "unstable"])
def test_every_remedy_works_when_it_is_followed(word: str) -> None:
    width, depth = 150, 12
    found = judged(VERDICTS[word], width, depth)
    assert found.verdict.word == word
    match = re.fullmatch(
        r"clip at m = (\S+): .* σ_w = (\S+), σ_b = (\S+) has V'\(q\*\) = (\S+) and is safe here; "
        r"or a width of about (\d+); or at most (\d+) layers?\.",
        found.verdict.remedy,
    )
    m, sigma_w, sigma_b, slope, wider, shallower = map(float, match.groups())
    tight = clipped(VERDICTS[word], -m, m)
    again = judged(tight, width, depth)
    assert again.verdict.word == "safe"
    assert again.diagnosis.point.fixed_point.slope == pytest.approx(slope, abs=1e-3)
    typed = at_width(diagnose(MeanField(tight, sigma_w, sigma_b)), Requirement(width, depth))
    assert typed.verdict.word == "safe"
    assert judged(VERDICTS[word], int(wider), depth).verdict.word == "safe"
    assert judged(VERDICTS[word], width, int(shallower)).verdict.word == "safe"


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
    m = float(re.search(r"clip at m = (\S+):", found.verdict.remedy)[1])
    tight = diagnose(edge_of_chaos(clipped(VERDICTS["fragile"], -m, m)))
    assert at_width(tight, required, start=1.5).verdict.word == "safe"


def test_the_clip_for_a_width_can_be_looser_than_that_for_any() -> None:
    for_any, _ = stabilising_clip(VERDICTS["unstable"], 1.0)
    for_width, _ = safe_clip(VERDICTS["unstable"], 1.0, Requirement(300, 20))
    assert for_width > for_any
