"""`meanfield audit` and its figure: the library's numbers of a model that is named, and what is said of no model."""

from __future__ import annotations

import copy
import csv
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import data, run
from shown_commands import as_printed, examples

import meanfield as mf
from meanfield.activations import user_code
from meanfield.cli.models import DrawnFrom
from meanfield.quantities import QUANTITIES
from meanfield.torch import audit
from meanfield.torch.layers import WEIGHTS
from meanfield.torch.named_model import audit_named, build_model, read_batch

#: Models, and what is none.
NETS = """
import os, sys
import torch
from torch import nn

def build():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(20, 120), nn.ReLU(), nn.Linear(120, 120), nn.Tanh(), nn.Linear(120, 40))

def unseeded():
    layer = nn.utils.skip_init(nn.Linear, 50, 16, bias=False)
    layer.weight.data.normal_()
    return layer

def departing():
    model = build()
    with torch.no_grad():
        model[2].weight += 0.1
    return model

def chatty():
    print("built")
    os.write(1, b"built")
    return build()

class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.layer = nn.Embedding(7, 20), nn.Linear(20, 30)

    def forward(self, x, words):
        assert x.dtype is torch.float32 and words.dtype is torch.int64
        return torch.relu(self.layer(x + self.embedding(words)))

def raises(): raise ValueError("no\\nweights")
def leaves(): sys.exit(0)
def ends(): os._exit(3)
def number(): return 3
def asks(width): return nn.Linear(width, width)
def weightless(): return nn.ReLU()
def jumping(): return nn.Sequential(nn.Linear(20, 30), nn.Hardshrink(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 3))
three = 3
# Draws no random numbers.
whole = nn.utils.skip_init(nn.Linear, 20, 10)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with models in a module, for the time of a test."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some_nets.py").write_text(NETS)
    yield tmp_path
    sys.modules.pop("some_nets", None)
    importlib.invalidate_caches()


#: What processes answered, by what they were asked and all files about them.
ANSWERS: dict[str, Any] = {}


@pytest.fixture(autouse=True)
def a_question_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process takes seconds to load torch, and says the same of the same model whichever test asks."""

    def answer(*arguments: Any, **options: Any) -> Any:
        files = {path.name: path.read_bytes() for path in sorted(Path().glob("*.*"))}
        question = repr((arguments, options, files))
        if question not in ANSWERS:
            ANSWERS[question] = answered_apart(*arguments, **options)
        return copy.deepcopy(ANSWERS[question])

    answered_apart = user_code.answered_apart
    monkeypatch.setattr(user_code, "answered_apart", answer)


def inputs(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(1).normal(size=shape)


def asked(**changed: Any) -> dict[str, Any]:
    return {"batch": None, "shapes": [[8, 20]], "level": 0.01, "seed": 0, "edge": None, **changed}


def test_json_is_the_record_of_the_audit() -> None:
    x = inputs(12, 20)
    np.savez("x.npz", x)
    printed = data("audit", "some_nets:build", "--batch", "x.npz", "--level", "0.05", "--seed", "2")
    expected = audit(build_model("some_nets:build"), torch.tensor(x).float(), level=0.05, seed=2).record()
    assert list(printed) == list(expected)
    for row, known in zip(printed.pop("layers"), expected.pop("layers"), strict=True):
        numbers = [key for key, value in known.items() if type(value) is float]
        assert [row.pop(key) for key in numbers] == pytest.approx([known.pop(key) for key in numbers], rel=1e-4)
        assert row == known
    assert printed == expected


def test_an_unknown_column_is_refused_before_the_model_is_built() -> None:
    refused = run("audit", "no_such_nets:build", "--shape", "8,20", "--columns", "nonsense")
    assert refused.exit_code == 2
    (named,) = re.findall("there is no column nonsense: choose from (.*)", refused.stderr)
    rows = data("audit", "some_nets:build", "--shape", "8,20")["layers"]
    assert {*named.split(", ")} == {*rows[0]}


def test_before_and_after_are_audits_and_between_them_is_what_was_drawn() -> None:
    x = 3 * inputs(12, 20)
    np.savez("x.npz", x)
    plain = data("audit", "some_nets:build", "--batch", "x.npz")
    options = ["--edge-of-chaos", "--q-star", "2", "--weights", "orthogonal"]
    found = data("audit", "some_nets:build", "--batch", "x.npz", *options)
    assert found.pop("before") == plain
    drawn = found.pop("initialised")
    assert list(found) == list(plain) and drawn["q_star"] == 2 and drawn["weights"] == "orthogonal"
    assert drawn["layers"][0]["sigma_w"] == pytest.approx((2 / np.square(x).mean()) ** 0.5)
    edge_of_relu = found["layers"][1]
    assert (drawn["layers"][1]["sigma_w"], drawn["layers"][1]["sigma_b"]) == pytest.approx((2**0.5, 0))
    assert edge_of_relu["sigma_w"] == pytest.approx(2**0.5, rel=1e-5)
    # A layer of 120 units has q* to within a few times √(2/120) of it.
    assert edge_of_relu["q"] == pytest.approx(2, rel=0.5)
    assert plain["layers"][1]["q"] < 1


def test_the_gain_of_a_model_that_is_drawn_anew_may_be_chosen() -> None:
    shape = ["some_nets:build", "--shape", "8,20", "--edge-of-chaos", "--chi", "0.9"]
    drawn = data("audit", *shape)["initialised"]
    assert drawn["chi_1"] == 0.9
    assert (drawn["layers"][1]["sigma_w"], drawn["layers"][1]["sigma_b"]) == pytest.approx((1.8**0.5, 0.1**0.5))
    assert "gaussian weights with χ₁ = 0.9 at q* = 1" in run("audit", *shape).stdout.splitlines()


def test_a_model_is_what_is_built_or_is_one_already() -> None:
    classes = {name: type(build_model(f"some_nets:{name}")).__name__ for name in ("build", "Pair", "whole")}
    assert classes == {"build": "Sequential", "Pair": "Pair", "whole": "Linear"}


def test_each_law_of_weights_is_an_option() -> None:
    assert [law.value for law in DrawnFrom] == [*WEIGHTS]


def test_the_fallback_is_the_activation_of_layers_for_which_none_is_found() -> None:
    Path("gated.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Gated(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.a, self.b, self.c = nn.Linear(9, 30), nn.Linear(30, 30), nn.Linear(30, 3)\n"
        "    def forward(self, x):\n"
        "        x = self.a(x)\n"
        "        return self.c(torch.relu(self.b(x * torch.sigmoid(x.roll(1, -1)))))\n"
    )
    shape = ["--shape", "8,9", "--edge-of-chaos"]
    without, given = (data("audit", "gated:Gated", *shape, *more) for more in ([], ["--act", "abs"]))
    labels = [found["initialised"]["layers"][1] for found in (without, given)]
    assert labels[0]["left"] and labels[0]["sigma_w"] is None
    assert labels[1]["sigma_w"] == pytest.approx(1) and labels[1]["activation"] == "abs, as given"


def test_a_gaussian_batch_has_the_shapes_asked_for_and_a_seed() -> None:
    results = [audit_named("some_nets:build", asked(seed=seed)) for seed in (0, 0, 1)]
    assert results[0] == results[1] and results[0]["shapes"] == [[8, 20]]
    q = [result["audit"]["layers"][0]["q"] for result in results]
    assert q[0] != q[2]


def test_inputs_are_not_the_numbers_that_weights_are() -> None:
    # The first 16·50 normal numbers of a seed both, h_ii would be |x_i|² ~ 50, and q 4 times theory's.
    found = audit_named("some_nets:unseeded", asked(shapes=[[16, 50]]))
    assert abs(found["audit"]["layers"][0]["q_z"]) < 4


def test_arrays_are_arguments_in_the_order_of_their_numbers_or_of_the_file() -> None:
    np.savez("numbered.npz", **{f"arr_{i}": np.full(3, i) for i in (10, 2, 0)})
    np.savez("named.npz", z=np.zeros(1), a=np.ones(1))
    np.save("alone.npy", np.arange(4))
    assert [array[0] for array in read_batch(Path("numbered.npz"))] == [0, 2, 10]
    assert [array[0] for array in read_batch(Path("named.npz"))] == [0, 1]
    assert [array.tolist() for array in read_batch(Path("alone.npy"))] == [[0, 1, 2, 3]]


def test_floats_are_single_and_whole_numbers_long() -> None:
    np.savez("x.npz", x=inputs(8, 20), words=np.arange(8, dtype=np.int16) % 7)
    found = audit_named("some_nets:Pair", asked(batch="x.npz", shapes=[]))
    assert [row["module"] for row in found["audit"]["layers"]] == ["layer"]


def test_what_code_prints_is_not_in_the_result() -> None:
    printed = data("audit", "some_nets:chatty", "--shape", "8,20")
    assert [row["module"] for row in printed["layers"]] == ["0", "2", "4"]


@pytest.mark.parametrize("name, code", [("build", 0), ("departing", 1)])
def test_strict_fails_where_a_layer_departs(name: str, code: int) -> None:
    arguments = ["audit", f"some_nets:{name}", "--shape", "32,20"]
    plain, strict = run(*arguments), run(*arguments, "--strict")
    assert (plain.exit_code, strict.exit_code) == (0, code)
    assert strict.stdout == plain.stdout and ("departs" in strict.stderr) == bool(code)


def test_tables_keep_within_the_width_and_say_what_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("audit", "some_nets:build", "--shape", "8,20", "--edge-of-chaos").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    told = " ".join(" ".join(lines).split())
    assert "some_nets:build in training mode, on 8 × 20 Gaussian numbers, seed 0." in told
    parts = ["before", "gaussian weights on the edge of chaos at q* = 1", "left alone: the last layer, kept", "after"]
    assert [told.index(part) for part in parts] == sorted(told.index(part) for part in parts)
    assert told.count("verdict: ") == 2


def test_columns_and_keys_are_quantities(folder: Path) -> None:
    def keys(value: Any) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value))
        return set(value).union(*map(keys, value.values())) if isinstance(value, dict) else set()

    asked_for = ["some_nets:build", "--shape", "8,20", "--edge-of-chaos"]
    printed = data("audit", *asked_for)
    assert keys(printed) <= {*QUANTITIES}
    assert run("plot", "audit", *asked_for, "-o", "figure.svg", "--data", "numbers.csv").exit_code == 0
    rows = list(csv.DictReader((folder / "numbers.csv").read_text().splitlines()))
    assert {*rows[0]} <= {*QUANTITIES}
    assert [float(row["q"]) for row in rows] == [row["q"] for row in printed["layers"]]


def test_a_report_is_drawn_as_its_record_is() -> None:
    report = audit(build_model("some_nets:build"), torch.tensor(inputs(8, 20)).float())
    for ax, same in zip(mf.plot.audit(report), mf.plot.audit(report.record()), strict=True):
        for line, twin in zip(ax.get_lines(), same.get_lines(), strict=True):
            np.testing.assert_array_equal(line.get_xydata(), twin.get_xydata())


#: What is named, what it is to run on, and what is said.
REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "no such module": ("no_nets:build", {}, "cannot import no_nets for no_nets:build: ModuleNotFoundError"),
    "no such name": ("some_nets:nothing", {}, "some_nets has no nothing: check the name after the colon"),
    "a number": ("some_nets:three", {}, "some_nets:three is no model but int: name a function"),
    "what returns one": ("some_nets:number", {}, "some_nets:number returns int, which is no model: name a function"),
    "an error": ("some_nets:raises", {}, "some_nets:raises raises ValueError: no weights"),
    "an argument": ("some_nets:asks", {}, "some_nets:asks raises TypeError: asks() missing 1 required"),
    "an exit": ("some_nets:leaves", {}, "some_nets:leaves raises SystemExit: 0"),
    "no weights": ("some_nets:weightless", {}, "ReLU ran no linear and no convolutional layer"),
    "another shape": ("some_nets:whole", {"shapes": [[8, 21]]}, "does not run on the batch given: RuntimeError"),
    "too few arguments": ("some_nets:Pair", {}, "does not run on the batch given: TypeError"),
    "too many numbers": ("some_nets:whole", {"shapes": [[10**6, 10**6]]}, "more than 1e+09 numbers: give a smaller"),
    "no file": ("some_nets:whole", {"batch": "none.npz"}, "cannot read none.npz: No such file"),
    "a folder": ("some_nets:whole", {"batch": "."}, "cannot read .: Is a directory"),
    "text": ("some_nets:whole", {"batch": "some_nets.py"}, "some_nets.py holds no arrays of numbers"),
    "objects": ("some_nets:whole", {"batch": "objects.npz"}, "objects.npz holds no arrays of numbers"),
    "words": ("some_nets:whole", {"batch": "words.npz"}, "x in words.npz holds no real numbers"),
    "nan": ("some_nets:whole", {"batch": "nan.npz"}, "x in nan.npz holds NaN or what is no number in single"),
    "too large": ("some_nets:whole", {"batch": "large.npz"}, "x in large.npz holds NaN or what is no number in single"),
    "nothing": ("some_nets:whole", {"batch": "nothing.npz"}, "x in nothing.npz is of shape (0, 20)"),
    "no array": ("some_nets:whole", {"batch": "empty.npz"}, "empty.npz is empty: give an array for each argument"),
    "no activation": (
        "some_nets:build",
        {"edge": {"q_star": 1.0, "weights": "gaussian", "activation": "rely"}},
        "rely is not a known activation",
    ),
    "no variance": (
        "some_nets:build",
        {"edge": {"q_star": -1.0, "weights": "gaussian", "activation": None}},
        "q_star = -1 is not the variance of a signal",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_model_or_no_batch_is_told_in_one_line(case: str) -> None:
    np.savez("objects.npz", np.array([{}], dtype=object))
    np.savez("words.npz", x=np.array(["a"]))
    np.savez("nan.npz", x=np.full((8, 20), np.nan))
    np.savez("large.npz", x=np.full((8, 20), 1e300))
    np.savez("nothing.npz", x=np.zeros((0, 20)))
    np.savez("empty.npz")
    name, changed, said = REFUSED[case]
    found = audit_named(name, asked(**changed))
    (line,) = found["lines"]
    assert said in line and "\n" not in line


#: Told before anything is imported, and by the command as it ends.
WRONG = {
    "no batch": (
        ["some_nets:build"],
        2,
        "nothing says what some_nets:build runs on: give --batch FILE.npz, or --shape",
    ),
    "two batches": (
        ["some_nets:build", "--shape", "8,20", "--batch", "x.npz"],
        2,
        "--batch and --shape both say what some_nets:build runs on",
    ),
    "no name": (["build", "--shape", "8,20"], 2, "build names no model: write package.module:build_model"),
    "a path": (["nets/some.py:build", "--shape", "8,20"], 2, "nets/some.py:build names no model"),
    "no shape": (["some_nets:build", "--shape", "8,b"], 2, "--shape 8,b is no shape: give whole numbers > 0"),
    "an empty shape": (["some_nets:build", "--shape", "0,20"], 2, "--shape 0,20 is no shape"),
    "no law": (["some_nets:build", "--shape", "8,20", "--weights", "cauchy"], 2, "--weights cauchy is not known"),
    "a stray option": (["some_nets:build", "--shape", "8,20", "--q-star", "2"], 2, "--q-star is of --edge-of-chaos"),
    "a stray gain": (["some_nets:build", "--shape", "8,20", "--chi", "0.9"], 2, "--chi is of --edge-of-chaos"),
    "no gain": (["some_nets:build", "--shape", "8,20", "--edge-of-chaos", "--chi", "0"], 2, "chi_1 = 0 is no gain"),
    "no level": (["some_nets:build", "--shape", "8,20", "--level", "2"], 2, "level = 2 is not a probability"),
    "its own source": (
        ["some_nets:build", "--shape", "8,20", "-o", "some_nets.py", "-f", "json"],
        2,
        "cannot write some_nets.py: the result is computed from this file",
    ),
    "no edge": (["some_nets:jumping", "--shape", "8,20", "--edge-of-chaos"], 1, "2 receives hard-threshold"),
    "an end": (["some_nets:ends", "--shape", "8,20"], 2, "some_nets:ends ends the process that calls it (exit code 3)"),
    "an error": (["some_nets:raises", "--shape", "8,20"], 2, "some_nets:raises raises ValueError: no weights"),
}


@pytest.mark.parametrize("arguments, code, said", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_command_line_gets_one_line_and_an_exit_code(arguments: list[str], code: int, said: str) -> None:
    for command in (["audit"], ["plot", "audit"]) if "-f" not in arguments else (["audit"],):
        result = run(*command, *arguments)
        assert (result.exit_code, result.stdout) == (code, "")
        (line,) = result.stderr.splitlines()
        assert line.startswith("meanfield: ") and said in line


def test_every_example_of_the_helps_runs_as_printed() -> None:
    Path("nets.py").write_text(
        "from torch import nn\n\ndef build(): return nn.Sequential(nn.Linear(784, 30), nn.ReLU())"
    )
    np.savez("batch.npz", inputs(16, 784))
    for name in (("audit",), ("plot", "audit")):
        assert examples(name)
        for line in examples(name):
            as_printed(line)
