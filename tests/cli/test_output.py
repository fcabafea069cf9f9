"""Every command prints in the same way: columns, formats, files, names, refusals, and the width of the terminal."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from command import ROOT, data, run

CRELU = "clipped-relu(tau=1.0364, m=2)"
NETWORKS = ["--width", "12", "--depth", "2", "--networks", "12", "--jobs", "1"]
#: Every command that prints rows.
ROWS = {
    "eoc": ["--act", "relu", "--act", CRELU],
    "check": ["--act", "hard-tanh", "--act", CRELU, "--sigma-w", "1.5"],
    "stability": ["--act", "clipped-relu(1, 1)", "--width", "40", "--depth", "3", "--escapes", "32", "--risk", "0.9"],
    "gain": ["--act", "relu", "--act", "leaky-relu(0.2)"],
    "design": ["--sparsity", "0.8,0.85"],
    "maps": ["--act", "hard-tanh", "--q", "0:2:3"],
    "phase": ["--act", "hard-tanh", "--sigma-w", "1,1.5", "--sigma-b", "0"],
    "sparsity": ["--act", CRELU, "--width", "300"],
    "simulate": ["--act", CRELU, *NETWORKS],
    "verify": ["--act", CRELU, *NETWORKS],
    "activations": [],
}
COLUMNS = {
    **dict.fromkeys(("eoc", "check", "stability", "sparsity", "design"), "q_star,activation"),
    **{
        "maps": "V,q",
        "gain": "gain_sd,activation",
        "phase": "phase,sigma_w",
        "simulate": "quantity,layer,z",
        "verify": "follows,quantity",
    },
    "activations": "name,description",
}


@pytest.mark.parametrize("command", ROWS)
def test_columns_are_chosen_in_every_format(command: str) -> None:
    asked, names = [command, *ROWS[command], "--columns", COLUMNS[command]], COLUMNS[command].split(",")
    (head, *rows) = csv.reader(io.StringIO(run(*asked, "--format", "csv").stdout))
    assert head == names and rows
    lines = run(*asked, "-f", "jsonl").stdout.splitlines()
    assert [list(json.loads(line)) for line in lines] == [names] * len(rows)
    latex = run(*asked, "-f", "latex").stdout.splitlines()
    assert [line.count(" & ") for line in latex if line.endswith(r"\\")] == [len(names) - 1] * (len(rows) + 1)
    assert run(*asked).stdout
    wrong = run(command, *ROWS[command], "--columns", "nonsense")
    assert (wrong.exit_code, wrong.stdout) == (2, "") and names[0] in wrong.stderr.splitlines()[0]


@pytest.mark.parametrize("command", [command for command in ROWS if command not in ("design", "activations")])
def test_an_unknown_column_is_refused_before_an_activation_is_looked_at(command: str) -> None:
    refused = run(command, "--act", "nothing", *ROWS[command][2:], "--columns", "nonsense")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("meanfield: there is no column nonsense: choose from ")


@pytest.mark.parametrize("written", ["sigma_W", "sigmaw", "SIGMA_W"])
def test_a_column_that_is_nearly_one_is_guessed(written: str) -> None:
    refused = run("eoc", "--act", "relu", "--columns", written)
    assert f"no column {written}: did you mean sigma_w? choose from activation, " in refused.stderr


@pytest.mark.parametrize(
    ("command", "more"),
    [
        *((command, []) for command in ROWS if command not in ("simulate", "verify", "activations")),
        ("check", ["--act", "relu", "--init", "torch-default", "--fan-in", "30"]),
        ("sparsity", ["--act", "relu", "--width", "30", "--samples", "100"]),
        ("maps", ["--act", "relu", "--rho", "0,0.5"]),
        ("phase", ["--act", "relu", "--q-star", "1"]),
        ("design", ["--safe-for", "width=100,depth=5", "--escapes", "64", "--sparsity", "0.85"]),
        ("design", ["--act", "swish", "--share", "0.3"]),
        ("design", ["--act", "tanh", "--reshape", "--depth", "20"]),
    ],
)
def test_the_columns_that_a_refusal_names_are_those_of_the_rows(command: str, more: list[str]) -> None:
    asked = [command, *(more or ROWS[command])]
    (named,) = re.findall("choose from (.*)", run(*asked, "--columns", "nonsense").stderr)
    rows = map(json.loads, run(*asked, "--format", "jsonl").stdout.splitlines())
    assert {*named.split(", ")} == {key for row in rows for key in row}


@pytest.mark.parametrize("command", ROWS)
def test_a_table_for_a_paper_fits_and_holds_no_prose(command: str) -> None:
    latex = run(command, *ROWS[command], "--format", "latex").stdout
    head = next(line for line in latex.splitlines() if line.endswith(r"\\"))
    assert 2 <= head.count(" & ") <= 7
    assert "explanation" not in latex and "p{" not in latex
    # What an activation is defined by is no result.
    for constant in ("1.0364", "1.0507009873554805", "1.6732632423543773", "0.044715"):
        latex = latex.replace(constant, "")
    assert not re.search(r"\d\.\d{6}", latex)


@pytest.mark.parametrize("command", ROWS)
def test_the_ending_of_a_file_decides_and_a_contradiction_is_refused(command: str, tmp_path: Path) -> None:
    for ending, form in ((".csv", "csv"), (".md", "markdown"), (".tex", "latex")):
        file = tmp_path / f"{command}{ending}"
        assert run(command, *ROWS[command], "-o", str(file)).stdout == ""
        assert file.read_text() == run(command, *ROWS[command], "-f", form).stdout
    assert run(command, *ROWS[command], "-o", str(tmp_path / "r.json")).exit_code == 0
    json.loads((tmp_path / "r.json").read_text())
    wrong = run(command, *ROWS[command], "-f", "csv", "-o", str(tmp_path / "no.json"))
    assert wrong.exit_code == 2 and "contradict" in wrong.stderr and not (tmp_path / "no.json").exists()


@pytest.mark.parametrize("command", ROWS)
@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_number_and_no_name_is_broken_and_no_line_ends_in_space(
    command: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    wide = set(run(command, *ROWS[command]).stdout.split())
    monkeypatch.setenv("COLUMNS", str(width))
    lines = run(command, *ROWS[command]).stdout.splitlines()
    # Every word of a narrow table stands in a wide one; rules are as long as tables.
    words = {word for line in lines for word in line.split() if not word.startswith("─")}
    assert words <= wide | {"-"}
    assert all(line == line.rstrip() for line in lines)
    # A call in the code of a framework is a word, and may be longer than the terminal is wide.
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)


@pytest.mark.parametrize("form", ["table", "latex", "markdown", "csv"])
@pytest.mark.parametrize(("command", "column"), [("gain", "gains"), ("stability", "layers")])
def test_a_column_of_rows_is_refused_before_an_activation_is_looked_at(command: str, column: str, form: str) -> None:
    refused = run(command, "--act", "nothing", *ROWS[command][2:], "--columns", column, "-f", form)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    if (command, form) == ("stability", "csv"):
        # A cell holds JSON.
        assert "nothing is not a known activation" in refused.stderr
    else:
        assert "no column gains" in refused.stderr if form == "csv" else "take --format json" in refused.stderr


@pytest.mark.parametrize("command", ["simulate", "verify"])
def test_a_column_that_is_none_is_refused_before_networks_are_drawn(command: str) -> None:
    result = run(command, "--act", "relu", "--width", "10000", "--depth", "1000", "--columns", "nonsense")
    assert result.exit_code == 2 and "there is no column nonsense: choose from quantity" in result.stderr


def test_a_row_that_does_not_fit_becomes_a_line_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    lines = run("design").stdout.splitlines()
    assert [line.split() for line in lines[2:5]] == [["sparsity", "0.85"], ["τ", "1.03643"], ["m", "1.17037"]]


def test_labels_name_the_activations_everywhere() -> None:
    for command in ("eoc", "check", "gain", "stability", "maps", "phase", "sparsity"):
        extra = {"check": ["--sigma-w", "1.5"], "stability": ["--width", "9", "--depth", "2", "--escapes", "9"]}
        extra["sparsity"] = ["--width", "9"]
        asked = [command, "--act", "relu", "--act", "abs", "--label", "first", "--label", "second"]
        printed = run(*asked, *extra.get(command, []), "--format", "csv").stdout
        assert {row["activation"] for row in csv.DictReader(io.StringIO(printed))} == {"first", "second"}
        assert run(*asked[:-2], *extra.get(command, [])).exit_code == 2
    assert data("simulate", "--act", "relu", "--label", "mine", *NETWORKS)["activation"] == "mine"


def test_one_result_is_an_object_and_several_a_list_in_which_a_failure_has_its_place() -> None:
    for command in (["eoc"], ["stability", "--width", "9", "--depth", "2", "--escapes", "9"]):
        assert isinstance(data(*command, "--act", "relu"), dict)
        mixed = run(*command, "--act", "relu", "--act", "sign", "--act", "abs", "-f", "json")
        first, failed, last = json.loads(mixed.stdout)
        assert (mixed.exit_code, first["activation"], last["activation"]) == (1, "relu", "abs")
        assert set(failed) == {"activation", "error"} and failed["activation"] == "sign" and "jumps" in failed["error"]
        lines = run(*command, "--act", "relu", "--act", "sign", "-f", "jsonl").stdout.splitlines()
        assert [json.loads(line)["activation"] for line in lines] == ["relu", "sign"]
        rows = list(csv.DictReader(io.StringIO(run(*command, "--act", "sign", "--act", "relu", "-f", "csv").stdout)))
        assert "jumps" in rows[0]["error"] and rows[1]["error"] == "" and rows[1]["q_star"] == "1.0"
        assert "error" not in run(*command, "--act", "relu", "--act", "abs", "-f", "csv").stdout.splitlines()[0]
        alone = run(*command, "--act", "sign", "-f", "json")
        assert (alone.exit_code, alone.stdout) == (1, "")


@pytest.mark.parametrize("command", ["maps", "phase"])
def test_rows_of_several_activations_keep_the_place_of_one_that_fails(command: str) -> None:
    result = run(command, "--act", "sign", "--act", "relu", "-f", "json")
    failed, *rows = json.loads(result.stdout)
    assert result.exit_code == 1 and failed["activation"] == "sign" and "jumps" in failed["error"]
    assert rows and {row["activation"] for row in rows} == {"relu"}


@pytest.mark.parametrize("asked", [["maps", "--q", "1"], ["maps", "--rho", "0.5"], ["phase", "--q-star", "1"]])
def test_rows_say_whose_they_are_however_many_activations_there_are(asked: list[str]) -> None:
    one = [*asked, "--act", "relu", "--label", "our x-net"]
    both = data(*one, "--act", "abs", "--label", "other")
    assert data(*one) == [row for row in both if row["activation"] == "our x-net"] != []
    assert run(*one, "-f", "csv").stdout.splitlines()[1].startswith("our x-net,")
    latex = run(*one, "-f", "latex").stdout
    assert "\nour x-net & " in latex
    if "--rho" in asked:
        assert "\\phi" in latex and latex.count(" & ") == 2 * (len(both[0]) - 1)
    assert run(*one).stdout.lstrip().startswith("our x-net")


def test_a_caption_and_a_label_go_with_latex_alone(tmp_path: Path) -> None:
    asked = ["design", "--caption", "Designs.", "--tex-label", "tab:designs"]
    printed = run(*asked, "-f", "latex").stdout
    assert "\\caption{Designs.}\n\\label{tab:designs}" in printed and printed.endswith("\\end{table}\n")
    assert run(*asked, "-o", str(tmp_path / "t.tex")).exit_code == 0
    assert (tmp_path / "t.tex").read_text() == printed
    for wrong in ([], ["-f", "json"], ["-o", str(tmp_path / "t.md")]):
        result = run(*asked, *wrong)
        assert result.exit_code == 2 and "--format latex" in result.stderr
    assert run("design", "-f", "latex", "--tex-label", "a}b").exit_code == 2
    simulated = ["simulate", "--act", "relu", *NETWORKS, "--caption", "Networks."]
    assert run(*simulated, "-o", str(tmp_path / "n.csv")).exit_code == 2
    assert run(*simulated, "-o", str(tmp_path / "n.csv"), "-o", str(tmp_path / "n.tex")).exit_code == 0
    assert "Networks." in (tmp_path / "n.tex").read_text()


def test_what_a_name_holds_is_shown_and_not_obeyed() -> None:
    wild = "\x1b[31mred\x07\n=1"
    for form in ("table", "csv", "latex", "markdown", "json"):
        printed = run("eoc", "--act", "relu", "--label", wild, "-f", form).stdout
        assert not set(printed) & {"\x1b", "\x07"}
    printed = run("eoc", "--act", "relu", "--label", "=HYPERLINK(1)", "-f", "csv").stdout
    assert printed.splitlines()[1].startswith("'=HYPERLINK(1),")


def test_derive_takes_its_format_from_the_file(tmp_path: Path) -> None:
    for name in ("v.json", "v.tex", "v.py"):
        assert run("derive", "--act", "relu", "-o", str(tmp_path / name)).exit_code == 0
    assert json.loads((tmp_path / "v.json").read_text())["activation"] == "relu"
    assert (tmp_path / "v.tex").read_text() == run("derive", "--act", "relu", "-f", "latex").stdout
    assert (tmp_path / "v.py").read_text() == run("derive", "--act", "relu", "-f", "python").stdout
    assert run("derive", "--act", "relu", "-f", "latex", "-o", str(tmp_path / "w.json")).exit_code == 2
    (line,) = run("derive", "--act", "relu", "-f", "jsonl").stdout.splitlines()
    assert json.loads(line) == json.loads((tmp_path / "v.json").read_text())


def test_cite_names_every_paper_with_an_address_and_a_doi() -> None:
    entries = run("cite").stdout.split("\n\n")
    assert any("Dent, Emily and Tanner, Jared" in entry for entry in entries)
    keys = [re.match(r"@\w+\{(\w+),", entry)[1] for entry in entries]
    assert {*re.findall(r"`([a-z]+\d{4}\w+)`", (ROOT / "docs/guides/citing.md").read_text())} == {*keys[1:]}
    for entry in entries:
        assert entry.count("{") == entry.count("}")
    for entry in entries[1:]:
        number = re.search(r"eprint *= \{(.*)\}", entry)[1]
        assert f"{{10.48550/arXiv.{number}}}" in entry and "url           = {https://" in entry
    theory = (ROOT / "docs/theory.md").read_text()
    assert "arXiv:2602.05779" in theory


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (
            "latex",
            r"initialisation: $q^* = 1$, $\sigma_w = {:.4g}$, $\sigma_b = {:.4g}$, $V'(q^*) = {:.4g}$, verdict stable",
        ),
        ("markdown", r"initialisation: q\* = 1, σ\_w = {:.4g}, σ\_b = {:.4g}, V'(q\*) = {:.4g}, verdict = stable"),
        ("table", r"initialisation: q* = 1, σ_w = {:.6g}, σ_b = {:.6g}, V'(q*) = {:.6g}, verdict = stable"),
    ],
)
def test_a_remedy_is_told_by_the_names_of_its_quantities(form: str, told: str) -> None:
    asked = ["check", "--act", "hard-tanh", "--sigma-w", "2", "--columns", "remedies"]
    (remedy,) = data(*asked)["remedies"]
    numbers = (remedy[key] for key in ("sigma_w", "sigma_b", "V_prime"))
    assert told.format(*numbers) in " ".join(run(*asked, "-f", form).stdout.split())


@pytest.mark.parametrize("form", ["latex", "markdown"])
def test_where_nothing_need_change_the_remedies_are_none_and_rows_fit_no_cell(form: str) -> None:
    safe = run("check", "--act", "hard-tanh", "--sigma-w", "1", "--columns", "remedies", "-f", form).stdout
    assert "none" in safe and "$none" not in safe
    refused = run("gain", "--act", "relu", "--columns", "gains", "-f", form)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "gains" in refused.stderr and "--format json" in refused.stderr
