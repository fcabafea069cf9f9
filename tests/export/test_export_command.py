"""`meanfield export`: what it writes, and what it refuses."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import typer
from command import data, run
from export.exported import ran

import meanfield as mf
from meanfield.cli import app
from meanfield.quantities import QUANTITIES

CRELU = ["--act", "clipped-relu(tau=1.0364, m=2)"]


def exported(*arguments: str) -> str:
    result = run("export", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_the_command_in_the_docstring_writes_the_same_again() -> None:
    text = exported("--to", "numpy", "--act", "where(x < -a, x + a, 0)", "-p", "a=1/3", "--q-star", "2")
    (command,) = (line for line in ran(text)["__doc__"].splitlines() if line.startswith("Made by"))
    words = shlex.split(command.partition(": ")[2])
    assert words[:2] == ["meanfield", "export"]
    assert exported(*words[2:]) == text


def test_a_value_that_begins_with_a_dash_is_joined_to_its_option() -> None:
    assert "--act=-x" in exported("--act=-x", "--to", "numpy")


def test_other_words_for_a_framework_are_known() -> None:
    for also, framework in (("pytorch", "torch"), ("JAX", "flax")):
        assert exported("--act", "relu", "--to", also) == exported("--act", "relu", "--to", framework)


def test_an_initialisation_off_the_edge_is_judged_as_check_does() -> None:
    given = [*CRELU, "--sigma-w", "2.4", "--sigma-b", "0.7"]
    record = json.loads(exported(*given, "--to", "json"))
    checked = data("check", *given)
    assert record["sigma_w"] == 2.4
    same = ("sigma_b", "q_star", "chi_1", "V_prime", "V_double_prime", "sparsity", "phase", "verdict")
    assert [record[key] for key in same] == [checked[key] for key in same]


def test_the_verdict_is_that_of_a_width_and_depth_where_they_are_given() -> None:
    asked = [*CRELU, "--width", "100", "--depth", "20", "--to", "numpy"]
    told = ran(exported(*asked))["__doc__"]
    assert "verdict    fragile" in told and "at width 100 and depth 20\n" in told
    strict = run("export", *asked, "--strict")
    assert strict.exit_code == 1 and "the verdict is fragile" in strict.stderr
    # The command told is another.
    assert strict.stdout.replace(" --strict", "") == exported(*asked)


def test_every_key_of_json_is_a_quantity_and_phi_is_an_activation_again(tmp_path: Path) -> None:
    record = json.loads(exported("--act", "gelu", "--to", "json"))
    assert {*record} <= {*QUANTITIES}
    (tmp_path / "phi.json").write_text(json.dumps(record["phi"]))
    assert mf.activation(str(tmp_path / "phi.json")) == mf.activation("gelu")


@pytest.mark.parametrize("act", ["gelu", "clipped-relu(1, 1)", "x*tanh(x) + sin(x)"])
def test_the_file_that_is_written_is_an_activation_of_the_same_name(act: str, tmp_path: Path) -> None:
    path = tmp_path / "exported.json"
    exported("--act", act, "--to", "json", "-o", str(path))
    assert mf.activation(str(path)) == mf.activation(act)
    again = json.loads(exported("--act", str(path), "--to", "json"))
    first = json.loads(path.read_text())
    assert (again["activation"], again["sigma_w"]) == (first["activation"], first["sigma_w"])


def test_what_is_sampled_is_refused_as_code_and_told_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_to_export.py").write_text("import numpy as np\ndef phi(x): return x*np.tanh(x)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    refused = run("export", "--act", "mine_to_export:phi", "--to", "keras")
    assert (refused.exit_code, refused.stdout) == (2, "")
    (line,) = refused.stderr.splitlines()
    assert "than its values" in line and "--to json" in line
    assert json.loads(exported("--act", "mine_to_export:phi", "--to", "json"))["phi"]["pieces"][0]["panels"]


REFUSED = {
    "no framework": (["--act", "relu"], 2, "meanfield export needs --to: write for instance meanfield export --act"),
    "another framework": (["--act", "relu", "--to", "caffe"], 2, "--to caffe"),
    "no activation": (["--to", "torch"], 2, "needs --act"),
    "biases alone": (["--act", "relu", "--to", "torch", "--sigma-b", "0.1"], 2, "needs sigma_w (--sigma-w)"),
    "no weights": (["--act", "relu", "--to", "torch", "--sigma-w", "0"], 2, "not a scale of weights"),
    "no variance": (["--act", "relu", "--to", "torch", "--q-star=-1"], 2, "-1"),
    "no edge": (["--act", "sign", "--to", "torch"], 1, "jumps"),
    "a width alone": (["--act", "relu", "--to", "torch", "--width", "9"], 2, "--width is given without --depth"),
    "a risk of no width": (["--act", "relu", "--to", "torch", "--risk", "0.1"], 2, "give --width and --depth too"),
    "code as json": (["--act", "relu", "--to", "torch", "-o", "phi.json"], 2, "contradict"),
    "json as code": (["--act", "relu", "--to", "json", "-o", "phi.py"], 2, "contradict"),
    "a folder that is not there": (["--act", "relu", "--to", "torch", "-o", "no/phi.py"], 2, "there is no folder"),
    "two of them": (["--act", "relu", "--act", "tanh", "--to", "torch"], 2, "given twice"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_exported_is_refused_in_a_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, code, said = REFUSED[case]
    result = run("export", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    (line,) = result.stderr.splitlines()
    assert said in line
    assert not [*tmp_path.iterdir()]


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "phi.py"
    assert exported("--act", "relu", "--to", "numpy", "-o", str(place)) == ""
    assert place.read_text() == exported("--act", "relu", "--to", "numpy")
    before = place.read_text()
    assert run("export", "--act", "sign", "--to", "numpy", "-o", str(place)).exit_code == 1
    assert place.read_text() == before


def test_frameworks_and_activations_are_completed() -> None:
    command = typer.main.get_command(app).get_command(None, "export")
    (to,) = (option for option in command.params if option.name == "to")
    offered = [
        item.value for item in to.shell_complete(command.make_context("export", [], resilient_parsing=True), "t")
    ]
    assert offered == ["torch"]
