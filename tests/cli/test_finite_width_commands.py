"""Commands that design, look over the plane of initialisations and count, and the tables of all that judge."""

from __future__ import annotations

import csv
import inspect
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command import data, run

import meanfield as mf
from meanfield.cli import design, simulate, stability
from meanfield.cli.plot import design as plot_design

CRELU = "clipped-relu(tau=1.0364, m=2)"
SMALL = ["--width", "60", "--depth", "20", "--escapes", "512"]
#: Every answer but remedies, which take long to find.
SAFE = [*SMALL, "--risk", "0.9"]


def test_a_table_of_designs_has_a_row_each() -> None:
    rows = data("design", "--sparsity", "0.6,0.8,0.9", "--slope", "0.5,0.9")
    assert len(rows) == 6
    keys = ["tau", "m", "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime", "V_double_prime"]
    assert [key for key in rows[0] if key in keys] == keys
    for row, (sparsity, slope) in zip(rows, [(s, v) for s in (0.6, 0.8, 0.9) for v in (0.5, 0.9)], strict=True):
        assert row["sparsity"] == pytest.approx(sparsity, abs=1e-10)
        assert row["V_prime"] == pytest.approx(slope, abs=1e-10)
        edge = data("eoc", "--act", row["activation"])
        assert (edge["sigma_w"], edge["sigma_b"]) == (row["sigma_w"], row["sigma_b"])


def test_a_sweep_of_q_states_the_scaling_law_beside_relative_quantities() -> None:
    printed = run("design", "--q-star", "0.5,2,8").stdout
    assert "In units of q*" in printed
    assert "one network in other units" in " ".join(printed.split())
    assert "other units" not in run("design").stdout
    rows = data("design", "--q-star", "0.5:8:4")
    assert [row["q_star"] for row in rows] == [0.5, 3.0, 5.5, 8.0]
    for key in ("q_V_double_prime", "q_chi_1_prime", "sigma_w"):
        assert len({round(row[key], 9) for row in rows}) == 1
    assert len({row["V_double_prime"] for row in rows}) == 4


def test_design_for_a_width_is_what_stability_finds_safe() -> None:
    (row,) = data("design", "--safe-for", "width=100,depth=10", "--sparsity", "0.8")
    low, high = row["m_range"]
    assert low < row["m"] < high
    for m in (low, row["m"], high):
        act = f"clipped-relu(tau={row['tau']!r}, m={m!r})"
        again = data("stability", "--act", act, "--width", "100", "--depth", "10", "--seed", "5", "--escapes", "1024")
        assert again["verdict"] == "safe"
        assert again["share_lost"] >= row["share_lost"] - 0.005


@pytest.mark.parametrize(
    ("act", "told"),
    [
        ("clip(x, 0, b)", "(b, q*) and (cb, c²q*) are one network in other units"),
        ("clip(x - 1, 0, b)", None),
    ],
)
def test_q_star_is_called_a_unit_only_where_it_is_one(act: str, told: str | None) -> None:
    asked = ["design", "--act", act, "--solve", "b", "--safe-for", "width=200,depth=1"]
    printed = " ".join(run(*asked).stdout.split())
    assert (told in printed) if told else ("other units" not in printed)
    assert "however large b is: a clip is not needed" in printed
    for key in ("signal lost", "gradient lost", "95 % of lost", "safe m"):
        assert key in printed


def test_design_solves_for_any_names() -> None:
    (row,) = data("design", "--act", "clip(x - a, 0, b)", "--solve", "a,b")
    (same,) = data("design")
    assert (row["a"], row["b"]) == (pytest.approx(same["tau"]), pytest.approx(same["m"]))
    (fixed,) = data("design", "--tau", "1", "--slope", "0.5")
    assert "tau" not in fixed
    assert fixed["V_prime"] == pytest.approx(0.5, abs=1e-10)
    for format in ("csv", "latex", "markdown"):
        assert run("design", "--act", "clip(x - a, 0, b_1)", "--solve", "a,b_1", "--format", format).exit_code == 0


def test_sizes_to_be_safe_for_are_read_as_those_of_other_options() -> None:
    asked = ["design", "--sparsity", "0.8", "--escapes", "64", "--safe-for"]
    assert data(*asked, "depth = 8/2, width=1e2") == data(*asked, "width=100,depth=4")


@pytest.mark.parametrize("command", [design.design, plot_design.design, simulate.simulate, stability.stability])
def test_commands_ask_of_networks_what_python_asks(command: Callable[..., object]) -> None:
    wanted = mf.Requirement(1, 1)
    options = inspect.signature(command).parameters
    for option, value in (("within", wanted.within), ("risk", wanted.risk), ("escapes", wanted.chains)):
        assert option not in options or options[option].default == value


def test_a_refusal_is_told_once_whether_a_file_is_asked_for_or_not(tmp_path: Path) -> None:
    for file in ([], ["-o", str(tmp_path / "table")]):
        result = run("design", "--slope", "1.2,1.2", *file)
        assert (result.exit_code, result.stderr.count("reaches from")) == (1, 1)


def test_designs_that_exist_are_printed_before_those_that_do_not_are_refused(tmp_path: Path) -> None:
    arguments = ["design", "--slope", "0.5,1.2"]
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 1
    found, refused = json.loads(result.stdout)
    assert "tau" in found and "reaches from" in refused["error"] and refused["V_prime"] == 1.2
    assert "reaches from" in result.stderr
    assert run(*arguments, "--format", "csv", "--output", str(tmp_path / "table")).exit_code == 1
    assert not (tmp_path / "table").exists()


def test_phase_draws_the_curve_and_the_grid() -> None:
    curve = data("phase", "--act", "hard-tanh", "--q-star", "0.5,1,2")
    edge = data("eoc", "--act", "hard-tanh", "--q-star", "2")
    assert curve[2]["sigma_w"] == pytest.approx(edge["sigma_w"], rel=1e-13)
    arguments = ["phase", "--act", "hard-tanh", "--sigma-w", "0.5:2.5:5", "--sigma-b", "0,0.3"]
    rows = data(*arguments)
    assert len(rows) == 10
    assert list(rows[0]) == [
        "activation",
        "sigma_w",
        "sigma_b",
        "phase",
        "fixed_points",
        "q_star",
        "chi_1",
        "rho_star",
        "xi_c",
    ]
    assert {row["phase"] for row in rows} == {"ordered", "edge of chaos", "chaotic"}
    assert rows[0]["rho_star"] is None
    printed = list(csv.DictReader(io.StringIO(run(*arguments, "--format", "csv").stdout)))
    assert float(printed[7]["xi_c"]) == rows[7]["xi_c"]


def test_sparsity_counts_and_compares() -> None:
    answer = data("sparsity", "--act", "clipped-relu(tau=1.0364, m=1)", "--width", "300")
    assert answer["active_bound"] == 65
    assert answer["forward"] / answer["forward_dense"] == pytest.approx(answer["active_share"])
    assert "inputs" not in answer
    full = data("sparsity", "--act", "relu", "--width", "100", "--inputs", "784", "--samples", "1000")
    assert full["bound_with_inputs"] / full["bound_with_inputs_dense"] == pytest.approx(full["capacity_ratio"])
    printed = " ".join(run("sparsity", "--act", "relu", "--width", "100").stdout.split())
    assert "Constants and logarithms are left out" in printed
    assert "on every input" in printed
    assert mf.active_units(mf.activation("relu"), 100).bound == full["active_bound"]


WRONG = {
    "a width alone": (["eoc", "--act", "relu", "--width", "10"], 2, "--depth"),
    "a depth alone": (["check", "--act", "relu", "--sigma-w", "1", "--depth", "10"], 2, "--width"),
    "no width": (["stability", "--act", "relu", "--depth", "10"], 2, "--width"),
    "a width of 0": (["stability", "--act", "relu", "--width", "0", "--depth", "10"], 2, "width = 0"),
    "no risk": (["stability", "--act", "relu", *SMALL, "--risk", "0"], 2, "risk"),
    "no reach": (["stability", "--act", "relu", *SMALL, "--within", "0.5"], 2, "within"),
    "biases alone": (["stability", "--act", "relu", *SMALL, "--sigma-b", "1"], 2, "--sigma-w"),
    "a jump": (["stability", "--act", "sign", *SMALL], 1, "jumps"),
    "a start of 0": (["stability", "--act", "relu", *SMALL, "--q0", "0"], 2, "0"),
    "a slope out of reach": (["design", "--slope", "1.2"], 1, "reaches from"),
    "a sparsity out of reach": (["design", "--sparsity", "0.2"], 1, "reaches from 0.5 to 1"),
    "a sparsity above 1": (["design", "--sparsity", "1.5"], 2, "sparsity"),
    "two conditions": (["design", "--slope", "0.5", "--safe-for", "width=9,depth=9"], 2, "give one"),
    "a largest sparsity and one": (
        ["design", "--max-sparsity", "--safe-for", "width=9,depth=9", "--sparsity", "0.8"],
        2,
        "leave --sparsity out",
    ),
    "a largest sparsity of no width": (["design", "--max-sparsity"], 2, "add --safe-for width=N,depth=L"),
    "a largest sparsity by the clip alone": (
        ["design", "--max-sparsity", "--safe-for", "width=9,depth=9", "--tau", "1"],
        2,
        "m alone is open",
    ),
    "no size": (["design", "--safe-for", "300,100"], 2, "width=300,depth=100"),
    "no clip level": (["design", "--act", "soft-threshold", "--safe-for", "width=9,depth=9"], 2, "clipped-relu"),
    "a size twice": (["design", "--safe-for", "width=9,depth=9,width=8"], 2, "width=300,depth=100"),
    "an unused risk": (["design", "--risk", "7"], 2, "risk"),
    "an unknown name": (["design", "--act", "clipped-rellu"], 2, "did you mean clipped-relu"),
    "a start without a grid": (["phase", "--act", "relu", "--q0", "2"], 2, "--sigma-w"),
    "inputs without samples": (["sparsity", "--act", "relu", "--width", "9", "--inputs", "9"], 2, "--samples"),
    "too wide": (["sparsity", "--act", "relu", "--width", "9" * 30], 2, "1e+15"),
    "wider still": (["stability", "--act", "relu", "--width", "9" * 400, "--depth", "1"], 2, "1e+15"),
    "nothing to solve": (["design", "--act", "relu"], 2, "--solve"),
    "an unknown parameter": (["design", "--solve", "tau,k"], 2, "k"),
    "a plateau": (["design", "--slope", "1"], 1, "none is singled out"),
    "a range of words": (["design", "--slope", "a:b:c"], 2, "START:STOP:COUNT"),
    "an empty list": (["phase", "--act", "relu", "--sigma-w", "", "--sigma-b", "0"], 2, "--sigma-w"),
    "a size of many digits": (["design", "--safe-for", f"width={'9' * 5000},depth=3"], 2, "up to 1e+15"),
    "half a unit": (["design", "--safe-for", "width=1.5,depth=3"], 2, "width=1.5 is no whole number"),
    "no networks": (["stability", "--act", "relu", "--width", "9", "--depth", "9", "--escapes", "0"], 2, "--escapes"),
    "a grid from nothing": (["phase", "--act", "relu", "--sigma-w", "1", "--sigma-b", "1", "--q0", "0"], 2, "q0 = 0"),
    "half a grid": (["phase", "--act", "relu", "--sigma-w", "1,2"], 2, "--sigma-b"),
    "a curve and a grid": (
        ["phase", "--act", "relu", "--sigma-w", "1", "--sigma-b", "1", "--q-star", "1"],
        2,
        "one or the other",
    ),
    "too long a table": (["phase", "--act", "relu", "--q-star", "1:2:2000"], 2, "--format csv"),
    "no curve": (["phase", "--act", "sign"], 1, "jumps"),
    "no layer": (["sparsity", "--act", "relu", "--width", "0"], 2, "width"),
    "no samples": (["sparsity", "--act", "relu", "--width", "9", "--samples", "0"], 2, "samples"),
}


@pytest.mark.parametrize("arguments, code, said", WRONG.values(), ids=WRONG.keys())
def test_wrong_input_gets_one_line_and_an_exit_code(arguments: list[str], code: int, said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert result.stdout == ""
    (message,) = result.stderr.rstrip("\n").split("\n")
    assert message.startswith("meanfield: ")
    assert said in message


def test_tables_keep_within_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for arguments in (
        ["stability", "--act", CRELU, *SAFE],
        ["stability", "--act", "relu", "--act", CRELU, *SAFE],
        # With a remedy.
        ["stability", "--act", "relu", "--sigma-w", "1.5", "--width", "60", "--depth", "20", "--escapes", "64"],
        ["design", "--q-star", "1,2"],
        ["phase", "--act", "hard-tanh", "--sigma-w", "1,2", "--sigma-b", "0,1"],
        ["sparsity", "--act", "relu", "--width", "100", "--samples", "1000"],
    ):
        lines = run(*arguments).stdout.splitlines()
        assert lines
        assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("format", ["csv", "latex", "markdown"])
def test_every_format_holds_a_row_each(format: str) -> None:
    for arguments in (
        ["stability", "--act", "relu", "--act", CRELU, *SAFE],
        ["sparsity", "--act", "relu", "--act", "abs", "--width", "10"],
        ["phase", "--act", "relu", "--q-star", "1,2"],
    ):
        printed = run(*arguments, "--format", format).stdout
        if format == "csv":
            assert len(list(csv.reader(io.StringIO(printed)))) == 3
        elif format == "latex":
            assert printed.count(r"\\") == 3
            assert printed.isascii()
        else:
            assert len(printed.splitlines()) == 4


def test_public_names_are_no_modules() -> None:
    names = set(mf.__all__) - {"__version__", "plot", "symbolic", "torch", "training"}
    # Loading a module binds its name in the package: a function must not have the name of one.
    assert all(callable(getattr(mf, name)) for name in names for _ in range(2))


@pytest.mark.parametrize("option", ["--risk=0.05", "--within=3", "--gradient-within=10", "--escapes=100", "--seed=1"])
@pytest.mark.parametrize("asked", [("--sparsity", "0.8"), ("--act", "tanh", "--reshape", "--depth", "10")])
def test_what_belongs_to_a_width_is_refused_without_one(option: str, asked: tuple[str, ...]) -> None:
    name = option.split("=")[0]
    result = run("design", *asked, option)
    assert result.exit_code == 2
    assert f"{name} is of networks of a size: add --safe-for width=N,depth=L, or --for-training" in result.stderr
