"""Designs meet what was asked, all of them are found, and the scaling law holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import ndtri

import meanfield as mf
from meanfield.activations.family import Family
from meanfield.design.crossings import crossings
from meanfield.design.design import designs
from meanfield.errors import ActivationError, DomainError, NoDesign
from meanfield.infinite_width.edge import edge_of_chaos

ONE_SIDED, TWO_SIDED = Family("clipped-relu", ("tau", "m")), Family("clipped-soft-threshold", ("tau", "m"))
SPARSITIES, SLOPES = (0.6, 0.7, 0.8, 0.85, 0.9), (0.5, 0.7, 0.9)


@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("family", [ONE_SIDED, TWO_SIDED])
def test_designs_meet_the_request_to_ten_digits(family: Family, sparsity: float, slope: float) -> None:
    (design,) = designs(family, sparsity=sparsity, slope=slope)
    assert design.edge.sparsity == pytest.approx(sparsity, abs=1e-10)
    assert design.edge.V_prime == pytest.approx(slope, abs=1e-10)
    # τ is a quantile of the normal law.
    tail = 1 - sparsity if family is ONE_SIDED else (1 - sparsity) / 2
    assert design.values["tau"] == pytest.approx(-ndtri(tail), rel=1e-12)
    # V' by a difference of the map itself, on the initialisation given.
    network, step = design.edge.mean_field, 1e-5
    assert (network.V(1 + step) - network.V(1 - step)) / (2 * step) == pytest.approx(slope, abs=1e-8)
    assert network.V(1.0) == pytest.approx(1, rel=1e-12)


requests = st.tuples(
    st.sampled_from([ONE_SIDED, TWO_SIDED]),
    st.floats(0.55, 0.98),
    st.floats(0.2, 0.97),
    st.sampled_from([0.25, 1.0, 2.25, 9.0]),
)


@settings(max_examples=15)
@given(requests)
def test_designs_come_back_through_eoc_unchanged(request: tuple) -> None:
    family, sparsity, slope, q_star = request
    for design in designs(family, sparsity=sparsity, slope=slope, q_star=q_star):
        # By the label, as a user would copy it.
        again = edge_of_chaos(mf.activation(design.activation.label), q_star)
        assert again == design.edge
        assert again.sparsity == pytest.approx(sparsity, abs=1e-10)
        assert again.V_prime == pytest.approx(slope, abs=1e-10)


@settings(max_examples=5)
@given(requests, st.sampled_from([0.5, 2.0, 3.0]))
def test_designs_scale_with_the_root_of_q(request: tuple, c: float) -> None:
    family, sparsity, slope, q_star = request
    here = designs(family, sparsity=sparsity, slope=slope, q_star=q_star)
    there = designs(family, sparsity=sparsity, slope=slope, q_star=c * c * q_star)
    assert len(here) == len(there)
    for a, b in zip(here, there, strict=True):
        assert [c * value for value in a.values.values()] == pytest.approx(list(b.values.values()), rel=1e-10)
        assert b.edge.sigma_w == pytest.approx(a.edge.sigma_w, rel=1e-10)
        assert b.edge.sigma_b == pytest.approx(c * a.edge.sigma_b, rel=1e-10)
        assert b.q_V_double_prime == pytest.approx(a.q_V_double_prime, abs=1e-9)
        assert b.q_chi_1_prime == pytest.approx(a.q_chi_1_prime, abs=1e-9)
        assert [end / (c * c) for end in b.basin] == pytest.approx(a.basin, rel=1e-8)


def test_a_users_family_is_designed_like_that_of_the_catalogue() -> None:
    (ours,) = designs(ONE_SIDED, sparsity=0.85, slope=0.7)
    (theirs,) = designs(Family("clip(x - a, 0, b)", ("a", "b")), sparsity=0.85, slope=0.7)
    assert list(theirs.values.values()) == pytest.approx(list(ours.values.values()), rel=1e-12)
    assert theirs.edge.sigma_w == pytest.approx(ours.edge.sigma_w, rel=1e-12)


def test_one_open_parameter_meets_one_condition() -> None:
    (by_sparsity,) = designs(Family("shifted-relu", ("tau",)), sparsity=0.85)
    assert by_sparsity.values["tau"] == pytest.approx(ndtri(0.85), rel=1e-12)
    assert by_sparsity.edge.V_prime == 1
    (by_slope,) = designs(Family("clipped-relu", ("m",), (("tau", 1.0),)), slope=0.5)
    assert by_slope.edge.V_prime == pytest.approx(0.5, abs=1e-10)
    assert by_slope.activation.label.startswith("clipped-relu(tau=1, m=")


def test_a_sparsity_that_depends_on_both_parameters_is_refused() -> None:
    # The zero interval is (−b, a): the clip level moves it too.
    spec = "clip(x - a, 0, b) - clip(-x - b, 0, b)"
    with pytest.raises(ActivationError, match="changes with b as well as a"):
        designs(Family(spec, ("a", "b")), sparsity=0.8, slope=0.8)
    (alone,) = designs(Family(spec, ("a",), (("b", 1.0),)), sparsity=0.8)
    assert alone.edge.sparsity == pytest.approx(0.8, abs=1e-10)


def test_a_value_kept_on_an_interval_singles_out_nothing() -> None:
    with pytest.raises(NoDesign, match=r"V'\(q\*\) is 1 for every m from \S+ to 10000"):
        designs(ONE_SIDED, sparsity=0.85, slope=1.0)
    with pytest.raises(NoDesign, match=r"the sparsity is 0\.5 for every b"):
        designs(Family("clip(x, 0, b)", ("b",)), sparsity=0.5)
    with pytest.raises(NoDesign, match="whatever slope"):
        designs(Family("leaky-relu", ("slope",)), slope=0.9)


@pytest.mark.parametrize(
    "spec", ["clip(x - a, 0, b", "foo(x - a, 0, b)", "clip(x - a, 0, b)*k", "clip(x - a, 0, b)*log(x)"]
)
def test_a_fault_of_the_activation_is_told_as_such(spec: str) -> None:
    with pytest.raises(ActivationError):
        designs(Family(spec, ("a", "b")), sparsity=0.8, slope=0.5)


def test_every_solution_is_found_where_the_slope_turns_back() -> None:
    """A hat: V' falls as its second kink nears the threshold and rises again as that leaves the signal behind."""
    family = Family("clip(x, 0, h) - clip(x - 1, 0, h/2)", ("h",))
    heights = np.linspace(0.01, 8, 500)
    slopes = []
    for h in heights:
        try:
            slopes.append(edge_of_chaos(family.member({"h": float(h)}).phi).V_prime)
        except mf.NoEdgeOfChaos:
            slopes.append(math.nan)
    slopes = np.array(slopes)
    turns = []
    for target in np.linspace(np.nanmin(slopes) + 0.01, np.nanmax(slopes) - 0.01, 5):
        expected = int(np.nansum(np.sign(slopes[1:] - target) * np.sign(slopes[:-1] - target) < 0))
        found = [d.values["h"] for d in designs(family, slope=float(target)) if 0.01 < d.values["h"] < 8]
        assert len(found) == expected
        turns.append(expected)
    assert max(turns) > 1


def test_what_is_out_of_reach_says_what_is_in_reach() -> None:
    with pytest.raises(NoDesign, match=r"no m makes V'\(q\*\) 1.2: over m >= 0 it reaches from \S+ to 1$"):
        designs(ONE_SIDED, sparsity=0.85, slope=1.2)
    with pytest.raises(NoDesign, match=r"no tau makes the sparsity 0.3: over tau >= 0 it reaches from 0.5 to 1$"):
        designs(ONE_SIDED, sparsity=0.3, slope=0.5)
    with pytest.raises(NoDesign, match="no tau"):
        designs(Family("ternary", ("tau",)), slope=0.5)


@pytest.mark.parametrize(
    ("family", "conditions"),
    [
        (ONE_SIDED, {"sparsity": 0.8}),
        (ONE_SIDED, {"slope": 0.8}),
        (ONE_SIDED, {"sparsity": 1.0, "slope": 0.5}),
        (ONE_SIDED, {"sparsity": 0.8, "slope": 0.5, "q_star": 0.0}),
        (ONE_SIDED, {"sparsity": math.nan, "slope": 0.5}),
        (ONE_SIDED, {"sparsity": 0.8, "slope": math.inf}),
        (Family("shifted-relu", ("tau",)), {"sparsity": 0.8, "slope": 0.5}),
        (Family("shifted-relu", ("tau",)), {}),
    ],
)
def test_conditions_that_do_not_fit_are_refused(family: Family, conditions: dict) -> None:
    with pytest.raises(DomainError):
        designs(family, **conditions)


@pytest.mark.parametrize(
    ("spec", "names", "given"),
    [
        ("clipped-relu", ("tau", "k"), ()),
        ("clipped-relu", ("tau", "tau"), ()),
        ("clipped-relu", (), ()),
        ("clipped-relu", ("tau",), (("tau", 1.0),)),
        ("max(x, 0)", ("x",), ()),
    ],
)
def test_families_without_such_a_parameter_are_refused(spec: str, names: tuple, given: tuple) -> None:
    with pytest.raises(ActivationError):
        Family(spec, names, given)


@given(st.floats(-0.99, 0.99), st.floats(0.5, 2.0))
def test_crossings_of_a_wave_are_all_found(value: float, scale: float) -> None:
    found = crossings(lambda x: math.sin(math.log(x / scale)) if x else math.nan, value, scale)
    first = math.asin(value)
    expected = sorted(
        scale * math.exp(root)
        for turn in range(-3, 4)
        for root in (first + 2 * math.pi * turn, math.pi - first + 2 * math.pi * turn)
        if abs(root) < math.log(1e4)
    )
    assert found.roots == pytest.approx(expected, rel=1e-9)


def test_two_crossings_between_samples_are_found_and_a_miss_tells_the_extremum() -> None:
    def dip(x: float) -> float:
        return math.log(x / 1.2345) ** 2 if x else math.nan

    found = crossings(dip, 1e-4, 1.0)
    assert found.roots == pytest.approx([1.2345 * math.exp(-0.01), 1.2345 * math.exp(0.01)], rel=1e-9)
    missed = crossings(dip, -0.5, 1.0)
    assert missed.roots == ()
    assert missed.low == pytest.approx(0, abs=1e-6)


def test_a_jump_across_the_value_is_no_crossing() -> None:
    assert crossings(lambda x: float(x > 0.7), 0.5, 1.0).roots == ()
    assert crossings(lambda x: math.nan, 0.5, 1.0).roots == ()
