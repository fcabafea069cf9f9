"""Figures of networks whose gain χ₁ is chosen at q*: those of their weights."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from command import run

import meanfield as mf

CRELU = "clipped-relu(tau=1, m=1)"
NETWORK = mf.edge_of_chaos(mf.activation(CRELU), 2.0, 0.88).mean_field
BY_GAIN = ["--q-star", "2", "--chi", "0.88"]
BY_WEIGHTS = ["--q-star", "2", "--sigma-w", repr(NETWORK.sigma_w), "--sigma-b", repr(NETWORK.sigma_b)]
DRAWN: dict[str, list[str]] = {
    "variance": ["--q", "0:4:5"],
    "correlation": ["--rho", "0:1:5"],
    "trajectory": ["--width", "20", "--depth", "4", "--networks", "4"],
    # Safe, so that no remedies are looked for.
    "summary": ["--width", "300", "--depth", "3", "--networks", "4"],
}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_figure_draws_the_network_of_the_gain(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tables = []
    for named in (BY_GAIN, BY_WEIGHTS):
        asked = ["plot", kind, "--act", CRELU, *DRAWN[kind], *named, "-o", "f.svg", "--data", "f.csv"]
        assert run(*asked).exit_code == 0
        tables.append([number(cell) for row in rows_of(tmp_path / "f.csv") for cell in row.values()])
    for one, other in zip(*tables, strict=True):
        assert one == (pytest.approx(other, rel=1e-9, abs=1e-12) if isinstance(other, float) else other)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def number(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def test_a_slope_is_drawn_as_many_times_that_on_the_edge(tmp_path: Path) -> None:
    slopes = []
    for c in ("1", "0.8"):
        asked = ["--act", "clipped-relu", "--tau", "1", "--values", "1:2:3", "--chi", c]
        path = tmp_path / "slope.csv"
        assert run("plot", "slope", *asked, "-o", str(tmp_path / "f.svg"), "--data", str(path)).exit_code == 0
        slopes.append([float(row["V_prime"]) for row in rows_of(path)])
    assert slopes[1] == pytest.approx([0.8 * slope for slope in slopes[0]], rel=1e-14)


def test_planes_of_designs_are_of_the_gain(tmp_path: Path) -> None:
    small = ["--sparsity", "0.7:0.8:2", "--width", "60:90:2", "--levels", "0.8,1,1.2", "--depth", "12"]
    rows = []
    for c in ("1", "0.7"):
        path = tmp_path / "depths.csv"
        asked = ["plot", "trainable", *small, "--chi", c, "-o", str(tmp_path / "f.svg"), "--data", str(path)]
        assert run(*asked).exit_code == 0
        rows.append([float(row["depth"]) for row in rows_of(path)])
    # A gradient that falls by 0.7 a layer is lost after ln 1000/ln(1/0.7) = 19.4 layers even without noise.
    assert all(beside <= on for on, beside in zip(*rows, strict=True))
    assert rows[0] != rows[1]
