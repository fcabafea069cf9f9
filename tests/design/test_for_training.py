"""Designs at the gain for training: the gain is that of the member found, and the rest is as asked for."""

from __future__ import annotations

import math

import pytest
from command import data, run

import meanfield as mf
from meanfield.activations.family import Family
from meanfield.design.for_training import training_designs
from meanfield.errors import NoDesign
from meanfield.infinite_width.tangent_kernel import gain_for_training

SIZE = ("--for-training", "width=100,depth=20")


@pytest.mark.parametrize(
    ("family", "asked"),
    [
        (Family("clipped-relu", ("tau", "m")), {"sparsity": 0.8, "slope": 0.5}),
        (Family("swish", ("beta",)), {"near_zero_share": 0.3}),
        (Family("tanh(a*x)", ("a",)), {"curvature": 0.5}),
    ],
)
def test_a_member_has_its_own_gain_and_what_is_asked_for(family: Family, asked: dict[str, float]) -> None:
    (found,) = training_designs(family, 20, **asked, q_star=2.0)
    network, phi = found.edge.mean_field, found.activation.phi
    assert network.chi1(2.0) == pytest.approx(gain_for_training(phi, 20), rel=1e-13)
    assert network.V(2.0) == pytest.approx(2.0, rel=1e-13)
    if "slope" in asked:
        assert network.dV(2.0) == pytest.approx(asked["slope"], rel=1e-9)
        assert network.sparsity(2.0) == pytest.approx(asked["sparsity"], rel=1e-9)
    if "curvature" in asked:
        assert network.d2R(1.0, 2.0) == pytest.approx(asked["curvature"], rel=1e-9)


def test_what_no_member_reaches_is_refused() -> None:
    with pytest.raises(NoDesign, match="reaches"):
        training_designs(Family("clipped-relu", ("tau", "m")), 20, sparsity=0.8, slope=0.95)


def test_the_command_has_the_clip_that_is_usual_on_the_edge_and_the_verdict_of_its_network() -> None:
    (found,) = data("design", *SIZE, "--sparsity", "0.8")
    (edge,) = data("design", "--sparsity", "0.8")
    assert (found["tau"], found["m"]) == pytest.approx((edge["tau"], edge["m"]), rel=1e-9)
    assert found["chi_1"] == pytest.approx(gain_for_training(mf.activation("relu"), 20))
    judged = data(
        *("stability", "--act", found["activation"], "--chi", repr(found["chi_1"])),
        *("--width", "100", "--depth", "20"),
    )
    for key in ("verdict", "share_lost", "gradient_lost"):
        assert found[key] == judged[key]
    shown = run("design", *SIZE, "--sparsity", "0.8").stdout
    assert "for training at width 100, depth 20" in shown and "not proved" in shown


def test_an_activation_without_open_parameters_is_taken_as_it_is() -> None:
    rows = data("design", *SIZE, "--act", "relu", "--q-star", "1,4")
    gain = gain_for_training(mf.activation("relu"), 20)
    assert [row["sigma_w"] for row in rows] == pytest.approx([math.sqrt(2 * gain)] * 2)
    assert [row["sigma_b"] for row in rows] == pytest.approx([math.sqrt((1 - gain) * q) for q in (1, 4)])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--chi", "0.9"), "--chi is chosen by --for-training"),
        (("--safe-for", "width=9,depth=9"), "leave one of them out"),
        (("--act", "relu", "--slope", "0.5"), "--slope would set a parameter, and relu leaves none open"),
        (("--act", "sign"), "sign jumps"),
        (("--act", "identity"), "identity is straight"),
        (("--act", "tanh", "--reshape"), "--for-training asks nothing of a reshaped activation"),
        (("--risk", "0.1"), "--risk is of --safe-for"),
    ],
)
def test_what_contradicts_it_is_refused_in_a_line(more: tuple[str, ...], told: str) -> None:
    found = run("design", *SIZE, *more)
    assert found.exit_code == 2 and not found.stdout
    (line,) = found.stderr.splitlines()
    assert told in line


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("width=100,depth=1", "depth = 1 is out of range: give a whole number from 2"),
        ("width=0,depth=9", "width = 0"),
        ("depth=9", "write --for-training width=300,depth=100"),
    ],
)
def test_what_is_no_size_is_refused_in_a_line(size: str, told: str) -> None:
    found = run("design", "--for-training", size)
    assert found.exit_code == 2 and not found.stdout
    (line,) = found.stderr.splitlines()
    assert told in line
