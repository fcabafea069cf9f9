"""A command line as people write it: what is understood, and what is said of what is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from command import data, run

from meanfield.errors import MeanFieldError

#: Words of the libraries that parse, check and read.
FOREIGN = re.compile(
    "Value error|Input should|valid (number|integer|float)|Invalid value|No such (option|command)|requires an argument"
    "|unexpected extra|Missing (option|command|parameter)|not one of|could not convert|not supported between|Expecting"
    "|Errno|invalid literal|NoneType|internal error|Traceback"
)

UNDERSTOOD = {
    "a fraction": (
        ["eoc", "--act", "leaky-relu", "--slope", "1/3"],
        ["eoc", "--act", "(x + abs(x))/2 + (x - abs(x))/6"],
    ),
    "a fraction in parentheses": (["eoc", "--act", "leaky-relu(1/4)"], ["eoc", "--act", "leaky-relu(0.25)"]),
    "percent": (["eoc", "--act", "leaky-relu", "--slope", "25%"], ["eoc", "--act", "leaky-relu(0.25)"]),
    "a root": (
        ["check", "--act", "relu", "--sigma-w", "sqrt(2)"],
        ["check", "--act", "relu", "--sigma-w", "1.4142135623730951"],
    ),
    "-p": (["eoc", "--act", "max(x-a,0)", "-p", "a=1/2"], ["eoc", "--act", "max(x-a,0)", "-p", "a=0.5"]),
    "a list": (["maps", "--act", "relu", "--q", "1/2,150%"], ["maps", "--act", "relu", "--q", "0.5,1.5"]),
    "a range": (["maps", "--act", "relu", "--q", "1/2:3/2:4/2"], ["maps", "--act", "relu", "--q", "0.5,1.5"]),
    "a range from below 0": (
        ["maps", "--act", "relu", "--rho", "-1:1:3"],
        ["maps", "--act", "relu", "--rho", "-1,0,1"],
    ),
    "a share": (
        ["design", "--sparsity", "90%", "--slope", "1/2"],
        ["design", "--sparsity", "0.9", "--slope", "0.5"],
    ),
    "a whole number": (
        ["sparsity", "--act", "relu", "--width", "1e2"],
        ["sparsity", "--act", "relu", "--width", "100"],
    ),
    "another library's name": (["eoc", "--act", "nn.Hardtanh(-2, 2)"], ["eoc", "--act", "clip(x, -2, 2)"]),
}


@pytest.mark.parametrize("written, plain", UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_what_people_write_is_understood(written: list[str], plain: list[str]) -> None:
    answers = (data(*arguments) for arguments in (written, plain))
    tables = ([a] if isinstance(a, dict) else a for a in answers)
    numbers, same = ([{k: v for k, v in row.items() if isinstance(v, float)} for row in rows] for rows in tables)
    assert numbers == [pytest.approx(row, rel=1e-13) for row in same]


def test_choices_are_understood_in_capitals() -> None:
    assert run("eoc", "--act", "relu", "-f", "JSON").stdout == run("eoc", "--act", "relu", "-f", "json").stdout
    assert run("derive", "--act", "relu", "--notation", "PHI", "-f", "Latex").exit_code == 0


TOLD = {
    "no number": (
        ["eoc", "--act", "relu", "--q-star", "abc"],
        "--q-star abc is no number: give one such as 1.5 or 1/3",
    ),
    "a decimal comma": (["check", "--act", "relu", "--sigma-w", "1,5"], "--sigma-w 1,5 is no number"),
    "too large": (["check", "--act", "relu", "--sigma-w", "1e999"], "--sigma-w 1e999 is larger than 1.8e308"),
    "no whole number": (
        ["sparsity", "--act", "relu", "--width", "1/3"],
        "--width 1/3 is no whole number: give one such as 300",
    ),
    "out of range": (
        ["eoc", "--act", "relu", "--digits", "99"],
        "--digits 99 is out of range: give a whole number from 1 to 17",
    ),
    "out of a figure's range": (
        ["plot", "slope", "--dpi", "1"],
        "--dpi 1 is out of range: give a number from 50 to 2400",
    ),
    "no format": (["eoc", "--act", "relu", "-f", "yaml"], "--format yaml is not known: give table or json"),
    "no number of -p": (["eoc", "--act", "max(x-a,0)", "-p", "a=b"], "-p a=b: b is no number"),
    "no list": (["maps", "--act", "relu", "--q", "1,b"], "--q 1,b is neither a list such as"),
    "an activation alone": (["eoc", "relu"], "relu stands alone: write meanfield eoc --act relu"),
    "an expression alone": (["eoc", "max(x, 0)"], 'write meanfield eoc --act "max(x, 0)"'),
    "an activation alone in a figure": (["plot", "variance", "relu"], "write meanfield plot variance --act relu"),
    "an activation for a command": (["relu"], "relu is an activation: write meanfield eoc --act relu"),
    "a word too many": (["eoc", "--act", "relu", "0.5"], "0.5 belongs to no option"),
    "a word where there are none": (["cite", "relu"], "meanfield cite takes options alone: leave relu out"),
    "a misspelt option": (["eoc", "--act", "relu", "--sigmaw", "3"], "did you mean --sigma-w? 'meanfield eoc --help'"),
    "an underscore": (["eoc", "--act", "relu", "--q_star", "3"], "did you mean --q-star?"),
    "a longer name and a shorter one": (["check", "--tex-labels", "a"], "did you mean --tex-label?"),
    "a part of a name": (["plot", "variance", "--width", "8cm"], "did you mean --figure-width?"),
    "a longer name": (["eoc", "--activation", "relu"], "did you mean --act?"),
    "a shorter name": (["eoc", "--act", "relu", "--q", "3"], "did you mean --q-star?"),
    "a name unlike any": (["plot", "design", "--units", "3"], "plot design: 'meanfield plot design --help' lists them"),
    "a short option": (["eoc", "--act", "relu", "-x"], "-x is no option of meanfield eoc"),
    "an option before its command": (
        ["--act", "relu"],
        "name a command before its options, as in meanfield eoc --act relu",
    ),
    "no value": (["eoc", "--act"], "--act needs a value after it: such as --act relu"),
    "an option for a value": (["eoc", "--act", "--tau", "1"], "--act needs a value after it"),
    "a value too many": (
        ["check", "--act", "relu", "--sigma-w", "1", "--strict=1"],
        "--strict takes no value: leave =1 out",
    ),
    "no activation": (
        ["check", "--sigma-w", "1"],
        "meanfield check needs --act: write for instance meanfield check --act",
    ),
    "no weights": (
        ["check", "--act", "relu"],
        "no weights are given: give --sigma-w, or --init such as --init torch-default",
    ),
    "given twice": (
        ["eoc", "--act", "relu", "--q-star", "1", "--q-star", "2"],
        "--q-star is given twice: give it once",
    ),
    "two activations for one": (
        ["plot", "phase", "--act", "relu", "--act", "abs"],
        "--act is given twice: give it once",
    ),
    "no command": (["eos"], "eos is no command of meanfield: did you mean eoc?"),
    "no kind of figure": (["plot", "histogram"], "histogram is no command of meanfield plot"),
    "a figure of nothing": (["plot"], "meanfield plot needs a word after it, such as meanfield plot variance"),
    "escapes": (["eoc", "--act", "relu", "--\x1b[31mred"], "--\\x1b[31mred"),
}


@pytest.mark.parametrize("arguments, said", TOLD.values(), ids=TOLD.keys())
def test_what_is_wrong_is_told_in_one_line_with_what_to_type(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert said in line
    assert not FOREIGN.search(line)
    assert line.isprintable()


def test_a_long_table_is_told_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    path.write_text(f"points = {[[n / 10 - 3, n * n % 11] for n in range(61)]}\nleft = 0\nright = 0\n")
    for arguments in (["maps", "--sigma-w", "1", "--q", "1"], ["check", "--sigma-w", "0.1"]):
        result = run(*arguments, "--act", str(path))
        assert result.exit_code == 0
        assert "where(" not in result.stdout and len(result.stdout.splitlines()) < 40
    result = run("eoc", "--act", "quantize(8)")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "and 249 more" in result.stderr and len(result.stderr) < 400


def _questions() -> dict[str, object]:
    import meanfield as mf

    relu = mf.activation("relu")
    network = mf.MeanField(relu, 1.4, 0.1)
    return {
        "weights of text": lambda: mf.MeanField(relu, "a", 0.1),
        "biases of nothing": lambda: mf.MeanField(relu, 1, None),
        "weights of a list": lambda: mf.MeanField(relu, [1, 2], 0),
        "complex weights": lambda: mf.MeanField(relu, 1j, 0),
        "q* of text": lambda: mf.edge_of_chaos(relu, q_star="x"),
        "an edge of text": lambda: mf.edges_of_chaos(relu, sigma_b="x"),
        "a point of text": lambda: mf.operating_point(relu, "x"),
        "a risk of text": lambda: mf.Requirement(10, 3, risk="x"),
        "a start of text": lambda: mf.Experiment(network, 10, 3, 4, start="x"),
        "a correlation of text": lambda: mf.Experiment(network, 10, 3, 4, rho="x"),
        "variances of text": lambda: network.V("x"),
        "ragged variances": lambda: network.V([[1], [1, 2]]),
        "correlations of text": lambda: network.R("x", 1),
        "no network": lambda: mf.diagnose("x"),
        "no experiment": lambda: mf.simulate("x"),
        "no ensemble": lambda: mf.compare("x"),
        "no family": lambda: mf.designs("x", sparsity=0.5),
        "a slope of text": lambda: mf.designs(mf.Family("clipped-relu", ("tau", "m")), sparsity=0.5, slope="x"),
        "an open parameter that is none": lambda: mf.Family("clipped-relu", 3),
        "quantities that are none": lambda: mf.symbolic.derive("relu", 3),
        "x of text": lambda: relu("x"),
        "knots of text": lambda: mf.PiecewiseLinear("12", [0, 1, 2], [0, 0, 0]),
        "an activation of a number": lambda: mf.activation(3),
    }


@pytest.mark.parametrize("name", _questions())
def test_python_tells_what_is_wrong_in_our_words_too(name: str) -> None:
    with pytest.raises(MeanFieldError) as refused:
        _questions()[name]()
    line = str(refused.value)
    assert not FOREIGN.search(line)
    assert "\n" not in line and re.search("give|make|name", line)


@pytest.mark.parametrize("path", [[], ["plot"]], ids=["meanfield", "meanfield plot"])
def test_help_lists_every_command_on_a_line_of_its_own(path: list[str]) -> None:
    shown = run(*path, "--help").stdout.partition("Commands:\n")[2]
    lines = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert all(len(line) == 2 and line[1].endswith(".") for line in lines)
    for name, _ in lines:
        assert f" {' '.join([*path, name])} [OPTIONS]" in run(*path, name, "--help").stdout
