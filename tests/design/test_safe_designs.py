"""Designs for a width and depth lose least, are safe over the range they tell, and reach no further than said."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import meanfield as mf
from meanfield.activations.family import Family
from meanfield.design import safe_designs as found_by
from meanfield.design.design import Design, are_lengths
from meanfield.design.safe_designs import largest_safe_sparsity, safe_designs
from meanfield.errors import DomainError, NoDesign
from meanfield.finite_width.escape import Escapes, Requirement, escapes, wilson_interval
from meanfield.finite_width.loss_law import loss_law
from meanfield.finite_width.verdict import at_width
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.stability import diagnose
from meanfield.simulation.ensemble import simulate

ONE_SIDED = Family("clipped-relu", ("tau", "m"))
#: Sparsities below 0.884 are out of its reach.
SPARSE = Family("clip(x - a - 1.2, 0, b)", ("a", "b"))
REQUIRED = Requirement(100, 10)


#: Levels told of while the design was searched for.
TOLD: list[int] = []


@pytest.fixture(scope="module")
def design() -> Design:
    (found,) = safe_designs(ONE_SIDED, REQUIRED, sparsity=0.85, advance=TOLD.append)
    return found


def share_at(design: Design, m: float) -> float:
    edge = edge_of_chaos(ONE_SIDED.member({**design.values, "m": m}).phi)
    return float(loss_law(edge.mean_field, 1.0, REQUIRED).either[-1])


def test_of_all_clip_levels_the_one_chosen_loses_least(design: Design) -> None:
    m, margins = design.values["m"], design.margins
    assert margins is not None
    assert f"{m:.3g}" == f"{m:.12g}"
    assert design.edge.sparsity == pytest.approx(0.85, abs=1e-10)
    assert margins.either == pytest.approx(share_at(design, m), abs=1e-12)
    assert all(margins.either <= share_at(design, m * factor) + 1e-6 for factor in np.geomspace(0.3, 3, 13))


def test_the_search_tells_of_every_level_it_looks_at(design: Design) -> None:
    # More than the levels that the range ends between and fewer than the command foresees.
    assert design.margins is not None and set(TOLD) == {1} and 10 < len(TOLD) <= 40


def test_the_range_of_levels_ends_where_half_the_risk_is_lost(design: Design) -> None:
    assert design.margins is not None
    low, high = design.margins.m_range
    assert low < design.values["m"] < high
    for m in (low, high):
        assert share_at(design, m) <= 0.005
    assert share_at(design, low * 0.985) > 0.005
    assert share_at(design, high * 1.015) > 0.005


@pytest.mark.parametrize("seed", [1, 2])
def test_a_design_is_safe_in_networks_of_other_seeds(design: Design, seed: int) -> None:
    verdict = at_width(diagnose(design.edge), Requirement(100, 10, seed=seed), with_remedies=False).verdict
    assert (verdict.signal.word, verdict.gradient.word, verdict.word) == ("safe", "safe", "safe")
    assert verdict.share_lost == pytest.approx(design.margins.either, abs=0.004)


def test_a_design_is_safe_in_networks_with_all_their_weights(design: Design) -> None:
    asked = mf.Experiment(
        design.edge.mean_field, 100, 10, 300, inputs=1, backward=True, method="chain", q_star=1.0, seed=8
    )
    drawn = simulate(asked)
    lost = ~(np.abs(drawn["log_gradient"][:, 0]) <= np.log(1000))
    assert (lost.mean(), drawn.escaped[-1]) == (pytest.approx(0, abs=0.02), pytest.approx(0, abs=0.02))


def test_a_sparsity_out_of_reach_names_the_largest_that_is_not() -> None:
    required = Requirement(60, 1)
    (most,) = largest_safe_sparsity(SPARSE, required)
    sparsity = most.edge.sparsity
    assert round(sparsity * 1000) / 1000 == pytest.approx(sparsity, abs=1e-9)
    assert most.margins.either <= 0.005
    with pytest.raises(NoDesign, match=rf"up to a sparsity of {sparsity:.3g} it can be had"):
        safe_designs(SPARSE, required, sparsity=round(sparsity, 3) + 0.002)
    # Brute force: at a little more no level is safe, whatever it is.
    a = mf.designs(SPARSE, sparsity=sparsity + 0.002, slope=0.9)[0].values["a"]
    for b in np.geomspace(0.4, 3, 8):
        edge = edge_of_chaos(SPARSE.member({"a": a, "b": b}).phi)
        assert loss_law(edge.mean_field, 1.0, required).either[-1] > 0.005


def test_the_share_that_the_law_foretells_is_that_of_the_networks_that_confirm_it(design: Design) -> None:
    low, high = design.margins.interval
    assert low - 0.002 <= design.margins.either <= high + 0.002
    drawn = escapes(design.edge.mean_field, 1.0, REQUIRED)
    assert low > 0
    assert (low, high) == wilson_interval(int(drawn.lost().sum()), REQUIRED.chains)
    assert np.median(drawn.log_gains) == pytest.approx(design.margins.mean, abs=0.2)
    assert drawn.log_gains.std() == pytest.approx(design.margins.sd, abs=0.1)


def test_networks_that_lose_more_than_the_law_says_refuse_a_design(
    design: Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    def more_lost(network: MeanField, q_star: float, requirement: Requirement) -> Escapes:
        return escapes(network, q_star, replace(requirement, gradient_within=30.0))

    family = Family("clipped-relu", ("m",), (("tau", design.values["tau"]),))
    assert safe_designs(family, REQUIRED)
    monkeypatch.setattr(found_by, "escapes", more_lost)
    with pytest.raises(NoDesign):
        safe_designs(family, replace(REQUIRED, seed=3))


def test_a_change_of_units_changes_no_design(design: Design) -> None:
    (other,) = safe_designs(ONE_SIDED, REQUIRED, sparsity=0.85, q_star=4.0)
    assert other.values["tau"] == pytest.approx(2 * design.values["tau"])
    assert other.margins.either == pytest.approx(design.margins.either, abs=2e-6)
    assert [end / 2 for end in other.margins.m_range] == pytest.approx(design.margins.m_range, rel=0.011)


def test_a_range_without_end_means_that_no_clip_is_needed() -> None:
    required = Requirement(100, 1)
    (found,) = safe_designs(Family("clipped-relu", ("m",), (("tau", 0.5),)), required)
    low, high = found.margins.m_range
    assert low < found.values["m"] < high == math.inf
    without = edge_of_chaos(mf.activation("shifted-relu(tau=0.5)"))
    assert loss_law(without.mean_field, 1.0, required).either[-1] <= 0.005


def test_designs_for_a_width_that_cannot_be_had_say_so() -> None:
    with pytest.raises(NoDesign, match="more width"):
        safe_designs(Family("clipped-relu", ("m",), (("tau", 2.0),)), Requirement(10, 10))
    with pytest.raises(NoDesign, match="no sparsity"):
        largest_safe_sparsity(Family("clip(x - a - 2.5, 0, b)", ("a", "b")), Requirement(20, 3))
    with pytest.raises(NoDesign, match="the sparsity is 0 whatever a"):
        largest_safe_sparsity(Family("clip(a*tanh(x), -b, b)", ("a", "b")), REQUIRED)
    with pytest.raises(DomainError, match="tau alone is open"):
        largest_safe_sparsity(Family("shifted-relu", ("tau",)), REQUIRED)


@pytest.mark.parametrize(
    ("family", "values", "lengths"),
    [
        (ONE_SIDED, {"tau": 1.0, "m": 0.5}, True),
        (Family("clipped-soft-threshold", ("tau", "m")), {"tau": 1.0, "m": 0.5}, True),
        (SPARSE, {"a": 0.3, "b": 1.0}, False),
        (Family("clipped-relu", ("m",), (("tau", 1.0),)), {"m": 1.0}, False),
        (Family("clipped-relu", ("m",), (("tau", 0.0),)), {"m": 1.0}, True),
        (Family("clipped-relu", ("m",), (("tau", 1.5),)), {"m": 0.1}, False),
        (Family("clipped-relu", ("tau",), (("m", 1.0),)), {"tau": 0.0}, False),
        (Family("clip(tanh(x), -b, b)", ("b",)), {"b": 0.5}, False),
        (Family("clip(b*tanh(x/b), -a, a)", ("a", "b")), {"a": 0.5, "b": 1.5}, True),
    ],
)
def test_parameters_that_are_lengths_are_told_from_those_that_are_not(
    family: Family, values: dict[str, float], lengths: bool
) -> None:
    assert are_lengths(family, values, 1.0) == lengths


def test_what_gradients_may_do_decides_too() -> None:
    narrow = Requirement(60, 10)
    (design,) = safe_designs(ONE_SIDED, Requirement(60, 10, gradient_within=1e6), sparsity=0.8)
    assert escapes(design.edge.mean_field, 1.0, narrow).without_gradient.mean() > 0.005
