"""Designs at the gain for training: the gain is that of the member found, and the rest is as asked for."""

from __future__ import annotations

import pytest
from command import data, run

import meanfield as mf
from meanfield.activations.family import Family

SIZE = ("--for-training", "width=100,depth=20")


@pytest.mark.parametrize(
    ("family", "asked"),
    [
        (Family("clipped-relu", ("tau", "m")), {"sparsity": 0.8, "slope": 0.5}),
        (Family("swish", ("beta",)), {"near_zero_share": 0.3}),
        (Family("tanh(a*x)", ("a",)), {"curvature": 0.5}),
    ],
)
def test_a_design_keeps_its_activation_and_gets_its_own_gain(family: Family, asked: dict[str, float]) -> None:
    (edge,) = mf.designs(family, **asked, q_star=2.0)
    found = mf.for_training(edge, 20)
    network = found.edge.mean_field
    assert found.activation == edge.activation and found.values == edge.values
    assert network.chi1(2.0) == pytest.approx(mf.gain_for_training(edge.activation.phi, 20, q_star=2.0), rel=1e-13)
    assert network.V(2.0) == pytest.approx(2.0, rel=1e-13)
    assert network.sparsity(2.0) == edge.edge.sparsity
    # What was asked for is told of the network that is proposed.
    if "curvature" in asked:
        assert found.record()["R_double_prime"] == pytest.approx(network.d2R(1.0, 2.0), rel=1e-9)
    if "near_zero_share" in asked:
        assert found.record()["near_zero_share"] == pytest.approx(0.3, rel=1e-9)


def test_the_command_tells_verdict_and_contrast_of_its_network() -> None:
    (found,) = data("design", *SIZE, "--sparsity", "0.8", "--escapes", "256", "--seed", "3")
    (edge,) = data("design", "--sparsity", "0.8")
    assert (found["tau"], found["m"]) == (edge["tau"], edge["m"])
    judged = data(
        *("stability", "--act", found["activation"], "--chi", repr(found["chi_1"])),
        *("--width", "100", "--depth", "20", "--escapes", "256", "--seed", "3"),
    )
    for key in ("verdict", "share_lost", "gradient_lost"):
        assert found[key] == judged[key]
    phi = mf.activation(found["activation"])
    assert found["contrast"] == pytest.approx(float(mf.contrast(phi, 1.0, found["chi_1"], 20)), rel=1e-12)
    assert found["contrast"] > found["contrast_on_edge"] == float(mf.contrast(phi, 1.0, 1.0, 20))
    shown = run("design", *SIZE, "--sparsity", "0.8").stdout
    assert "for training at width 100, depth 20" in shown and "not proved" in shown


@pytest.mark.parametrize("act", ["relu", "clipped-relu(tau=1, m=1)"])
def test_an_activation_without_open_parameters_is_taken_as_it_is(act: str) -> None:
    rows = data("design", *SIZE, "--act", act, "--q-star", "1,4")
    for row, q in zip(rows, (1, 4), strict=True):
        gain = mf.gain_for_training(mf.activation(act), 20, q_star=q)
        edge = mf.edge_of_chaos(mf.activation(act), q, gain)
        assert (row["sigma_w"], row["sigma_b"]) == (edge.sigma_w, edge.sigma_b)
    paper = run("design", *SIZE, "--act", act, "--format", "markdown").stdout
    assert "χ₁" in paper


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--chi", "0.9"), "--chi is chosen by --for-training"),
        (("--safe-for", "width=9,depth=9"), "leave one of them out"),
        (("--act", "relu", "--slope", "0.5"), "--slope would set a parameter, and relu leaves none open"),
        (("--act", "sign"), "sign jumps"),
        (("--act", "max(x - 45, 0)"), "has no slope in reach of q* = 1"),
        (("--act", "clipped-relu(tau=50, m=1)"), "has no slope in reach of q* = 1"),
        (("--act", "tanh", "--reshape"), "--for-training asks nothing of a reshaped activation"),
        (("--max-sparsity",), "--max-sparsity is of --safe-for"),
        (("--act", "relu", "--q-star", "1:9:400"), "give from 1 to 100"),
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
        ("width=100,depth=1", "depth = 1 is out of range: give a whole number from 5"),
        ("width=0,depth=9", "width = 0"),
        ("depth=9", "write --for-training width=300,depth=100"),
    ],
)
def test_what_is_no_size_is_refused_in_a_line(size: str, told: str) -> None:
    found = run("design", "--for-training", size)
    assert found.exit_code == 2 and not found.stdout
    (line,) = found.stderr.splitlines()
    assert told in line


def test_what_is_no_design_is_refused() -> None:
    with pytest.raises(mf.MeanFieldError, match="design"):
        mf.for_training(mf.activation("relu"), 20)  # type: ignore[arg-type]
