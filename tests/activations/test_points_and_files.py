from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from meanfield.activations.files import read_file
from meanfield.activations.piecewise_linear import MOST_KNOTS, PiecewiseLinear
from meanfield.activations.points import EXAMPLE, parse_points
from meanfield.activations.spec import activation
from meanfield.errors import ActivationError

SCHEMA = Path(__file__).parents[2] / "docs" / "activation.schema.json"

hundredths = st.integers(-500, 500).map(lambda n: n / 100)


def points_text(xs, ys, left, right):
    return f"points: {' '.join(f'({x},{y})' for x, y in zip(xs, ys, strict=True))}; left={left}, right={right}"


@given(
    st.lists(hundredths, min_size=1, max_size=6, unique=True).map(sorted),
    st.lists(hundredths, min_size=6, max_size=6),
    hundredths,
    hundredths,
)
def test_the_function_goes_through_the_points_and_leaves_with_the_slopes(xs, ys, left, right):
    ys = [*ys[: len(xs) - 1], 1.0]
    phi = parse_points(points_text(xs, ys, left, right)).rounded()
    between = np.linspace(xs[0], xs[-1], 50)
    np.testing.assert_allclose(phi(between), np.interp(between, xs, ys), atol=1e-9)
    np.testing.assert_allclose(phi(xs), ys, atol=1e-9)
    assert phi(xs[0] - 2) == pytest.approx(ys[0] - 2 * left, abs=1e-9)
    assert phi(xs[-1] + 2) == pytest.approx(ys[-1] + 2 * right, abs=1e-9)
    assert phi.is_continuous


def test_points_are_exact_rational_numbers():
    phi = parse_points("points: (0.1,0.1)(0.3, 0.3) , (0.7,.7e0); left=1,right=1.").rounded()
    assert phi == PiecewiseLinear([], [1], [0])


def test_order_of_left_and_right_does_not_matter():
    assert parse_points("points:(0,1);right=2,left=1") == parse_points("points: (0,1); left=1, right=2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("points: (0,0) (1,1)", "slope outside on the left and on the right"),
        ("points: (0,0) (1,1); left=0", "slope outside on the right"),
        ("points: ; left=0, right=1", "no points"),
        ("points: (1,0) (0,1); left=0, right=1", "not ascending"),
        ("points: (1,0) (1,1); left=0, right=1", "where\\(x < 1"),
        ("points: (0,0) (1,1); left=0, right=1, left=2", "left is given twice"),
        ("points: (0,0) (1,1); left=0, right=1, top=2", "cannot read 'top=2'"),
        ("points: (0,0) (1;1); left=0, right=1", "cannot read"),
        ("points: (0,0) 1,1; left=0, right=1", "cannot read '1,1'"),
        ("points: (0,0,0); left=0, right=1", "cannot read"),
        ("points: (0,nan); left=0, right=1", "cannot read"),
        ("points: (0,a/2); left=0, right=1", "cannot read"),
        ("points: (0,1e999); left=0, right=1", "1e999 is larger"),
        ("points: (0,1); left=1e999, right=1", "1e999 is larger"),
        ("points: (0,0) (0,0,; left=0, right=1\n;", "cannot read"),
        ("points: (0,0); left=0, right=0", "zero everywhere"),
    ],
)
def test_points_that_do_not_fit_are_refused_in_one_line(text, said):
    with pytest.raises(ActivationError, match=said) as refused:
        activation(text)
    assert "\n" not in str(refused.value)


def test_numbers_of_points_are_written_as_anywhere():
    phi = activation("points: (0,1/3) (sqrt(4), 50%); left=-1/4, right=5 %")
    assert phi == activation("points: (0,0.3333333333333333) (2, 0.5); left=-0.25, right=0.05")
    assert phi.intercepts[1] == 1 / 3


def test_the_example_of_the_messages_is_one():
    assert activation(EXAMPLE)([-2, -1, 0, 1, 3]).tolist() == pytest.approx([0, 0, 0.2, 1, 3])


GOOD = [
    {"knots": [0], "slopes": [0, 1], "intercepts": [0, 0]},
    {"knots": [0], "slopes": [0, 1], "intercepts": [0, 0], "name": "mine"},
    {"knots": [], "slopes": [1.5], "intercepts": [0]},
    {"points": [[-1, 0], [0, 0.2], [1, 1]], "left": 0, "right": 1},
    {"$schema": "activation.schema.json", "points": [[0, 0]], "left": 0, "right": 1, "name": "ReLU"},
    {"breaks": [0], "pieces": ["expm1(x)", "x"], "name": "my elu"},
    {"breaks": [], "pieces": ["tanh(x)"]},
    {"expression": "x*tanh(log(1 + exp(x)))"},
    {"expression": "clip(x, -1, 1)", "name": "mine"},
]

BAD = [
    ({"phi": "relu"}, 'phi must be an object with an activation, not "relu"'),
    ({"phi": {"knots": [0]}, "sigma_w": 1.0}, "slopes and intercepts missing"),
    ({"phi": {"expression": "tanh(x)"}, "expression": "tanh(x)"}, "unknown key 'phi'"),
    ({"knots": [0], "slopes": [0, 1]}, "intercepts missing"),
    ({}, "knots and slopes and intercepts missing"),
    ({"points": [[0, 0]], "left": 0}, "right missing"),
    ({"knots": [0], "slopes": [0, 1], "intercepts": [0, 0], "points": [[0, 0]], "left": 0, "right": 1}, "unknown key"),
    ({"knots": [0], "slopes": [0, 1], "intercepts": [0, 0], "left": 1}, "unknown key 'left'"),
    ({"knots": [0], "slopes": [0, 1], "intercepts": [0, 0], "nmae": "a"}, "unknown key 'nmae'"),
    ({"knots": [0], "slopes": [0, True], "intercepts": [0, 0]}, "slopes must hold numbers, not true"),
    ({"knots": ["0"], "slopes": [0, 1], "intercepts": [0, 0]}, 'knots must hold numbers, not "0"'),
    ({"knots": 0, "slopes": [0, 1], "intercepts": [0, 0]}, "knots must be a list"),
    ({"knots": [0], "slopes": [0, 1], "intercepts": [0, None]}, "intercepts must hold numbers, not null"),
    ({"points": [[0, 0, 0]], "left": 0, "right": 1}, "2 numbers"),
    ({"points": [0], "left": 0, "right": 1}, "a point must be a list"),
    ({"points": [], "left": 0, "right": 1}, "no points"),
    ({"points": [[0, 0]], "left": "0", "right": 1}, "left must hold numbers"),
    ({"knots": [0, 0], "slopes": [0, 1, 2], "intercepts": [0, 0, 1]}, "repeated"),
    ({"knots": [0], "slopes": [0, 1], "intercepts": [0, 0], "name": 3}, "name must be"),
    ({"knots": [0], "slopes": [0, 1], "intercepts": [0, 0], "name": "a\nb"}, "name must be"),
    ({"knots": [0], "slopes": [0, 1], "intercepts": [0, 0], "name": " "}, "name must be"),
    ({"breaks": [0]}, "pieces missing"),
    ({"pieces": ["x"]}, "breaks missing"),
    ({"breaks": [0], "pieces": ["x", "1"], "expression": "x"}, "unknown key 'expression'"),
    ({"breaks": [0], "pieces": "x"}, "pieces must be a list"),
    ({"breaks": [0], "pieces": [1, "x"]}, "pieces must hold expressions in x"),
    ({"breaks": [], "pieces": []}, "0 breaks separate 1 pieces, not 0"),
    ({"breaks": [*range(100)], "pieces": ["tanh(x)"] * 101}, "101 pieces are too many"),
    ({"expression": 3}, "expression must be text"),
    ([1], "one object"),
]

#: What a schema cannot say: meanfield alone refuses these.
BEYOND_A_SCHEMA = [
    ({"knots": [0], "slopes": [0], "intercepts": [0]}, "do not fit"),
    ({"knots": [1, 0], "slopes": [0, 1, 2], "intercepts": [0, 0, 1]}, "not ascending"),
    ({"points": [[1, 0], [0, 0]], "left": 0, "right": 1}, "not ascending"),
    ({"knots": [0], "slopes": [0, 0], "intercepts": [0, 0]}, "zero everywhere"),
    ({"breaks": [0], "pieces": ["x"]}, "1 breaks separate 2 pieces, not 1"),
    ({"breaks": [1, 0], "pieces": ["x", "x", "1"]}, "breaks are not ascending"),
    ({"breaks": [0], "pieces": ["0", "0"]}, "zero everywhere"),
    ({"breaks": [0], "pieces": ["x", "log(x)"]}, "'log(x)': log is -inf at x = 0"),
    ({"breaks": [0], "pieces": ["abs(x + 1)", "x"]}, "breaks of its own"),
    ({"breaks": [0], "pieces": ["x", "a*x"]}, "unknown name 'a' in 'a*x': a file has no parameters"),
    ({"breaks": [0], "pieces": ["x", {"panels": 1}]}, "no record of an activation"),
    ({"expression": "tan(x)"}, "tan has poles"),
    ({"expression": ""}, "the expression is empty"),
]


def written(tmp_path, content, name="phi.json"):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def as_toml(content):
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in content.items() if key != "$schema")


@pytest.mark.parametrize("content", GOOD)
def test_json_and_toml_give_the_same_activation(tmp_path, content):
    name, phi = read_file(written(tmp_path, json.dumps(content)))
    assert read_file(written(tmp_path, as_toml(content), "phi.TOML"))[1] == phi
    assert name == content.get("name", str(tmp_path / "phi.json"))
    if "points" in content:
        xs, ys = zip(*content["points"], strict=True)
        assert phi(xs).tolist() == pytest.approx(ys)
    elif "expression" in content:
        assert phi == activation(content["expression"])
    elif "breaks" in content:
        assert phi == activation({0: "tanh(x)", 1: "where(x < 0, expm1(x), x)"}[len(content["breaks"])])
    else:
        assert phi == PiecewiseLinear(content["knots"], content["slopes"], content["intercepts"])


def test_a_sampled_function_is_read_back_from_its_record_and_a_broken_record_is_refused(tmp_path):
    phi = activation(lambda x: np.tanh(x) * np.exp(-x * x / 9))
    record = phi.as_record()
    assert activation(written(tmp_path, json.dumps(record))) == phi
    panel = record["pieces"][0]["panels"][0]
    for key, value in (("coefficients", ["a"]), ("coefficients", []), ("interval", [None, 1]), ("power", "a")):
        broken = {**record, "pieces": [{**record["pieces"][0], "panels": [{**panel, key: value}]}]}
        with pytest.raises(ActivationError, match="no record of an activation"):
            activation(written(tmp_path, json.dumps(broken)))


@pytest.mark.parametrize(("content", "said"), BAD + BEYOND_A_SCHEMA)
def test_a_file_that_holds_no_activation_is_refused_in_one_line(tmp_path, content, said):
    path = written(tmp_path, json.dumps(content))
    with pytest.raises(ActivationError) as refused:
        activation(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert path in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("phi.json", "", "not valid JSON: look at line 1, column 1"),
        ("phi.json", '{"knots":\n [0 1]', "not valid JSON: look at line 2, column 5"),
        ("phi.json", '{"knots": [NaN]}', "NaN"),
        ("phi.json", '{"knots": [-Infinity]}', "Infinity"),
        ("phi.json", '{"knots": [1e999], "slopes": [0, 1], "intercepts": [0, 0]}', "not finite"),
        ("phi.json", '{"knots": [' + "9" * 400 + '], "slopes": [0, 1], "intercepts": [0, 0]}', "not finite"),
        ("phi.json", '{"knots": [0], "knots": [1]}', "'knots' is given twice"),
        ("phi.json", "[" * 100_000, "nested too deeply"),
        ("phi.json", "9" * 5000, "not valid JSON: a number has thousands of digits"),
        ("phi.toml", "knots = \n", "not valid TOML: look at line 1, column 9"),
        ("phi.toml", "knots = [", "not valid TOML: something is missing at its end"),
        ("phi.toml", "knots = [nan]\nslopes = [0, 1]\nintercepts = [0, 0]", "not finite"),
        ("phi.toml", "knots = [inf]\nslopes = [0, 1]\nintercepts = [0, 0]", "not finite"),
        ("phi.toml", "knots = [2020-01-01]\nslopes = [0, 1]\nintercepts = [0, 0]", "must hold numbers"),
        ("phi.toml", "'$schema' = 'a'\nknots = []\nslopes = [1]\nintercepts = [0]", "unknown key"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path, name, content, said):
    with pytest.raises(ActivationError) as refused:
        activation(written(tmp_path, content, name))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path):
    (tmp_path / "d.json").mkdir()
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    for name, said in {"no.json": "no such file", "d.json": "directory", "b.json": "not text"}.items():
        with pytest.raises(ActivationError, match=said) as refused:
            activation(str(tmp_path / name))
        assert "\n" not in str(refused.value)
    with pytest.raises(ActivationError, match="no such file"):
        activation("a\x00b.json")
    with pytest.raises(ActivationError, match="cannot be opened") as refused:
        activation("a" * 5000 + ".json")
    assert len(str(refused.value)) < 200


def test_a_long_name_is_one(tmp_path):
    assert activation(written(tmp_path, json.dumps(GOOD[0]), "a" * 245 + ".json")) == activation("relu")


def test_what_has_no_end_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "large.toml").write_bytes(b"knots = [" + b"0, " * 400_000 + b"]")
    knots = {"points": [[n, n % 7] for n in range(MOST_KNOTS + 1)], "left": 0, "right": 0}
    lines = {"knots": [*range(5000)], "slopes": [1] * 5001, "intercepts": [0] * 5001}
    (tmp_path / "points.json").write_text(json.dumps(knots))
    (tmp_path / "lines.json").write_text(json.dumps(lines))
    told = {"zero.json": "device or a pipe", "pipe.toml": "device or a pipe", "large.toml": "larger than 1000000 bytes"}
    told |= {"points.json": "4097 knots are too many", "lines.json": "5000 knots are too many"}
    for name, said in told.items():
        with pytest.raises(ActivationError, match=said):
            activation(str(tmp_path / name))


def test_points_are_read_in_linear_time_up_to_a_limit():
    most = " ".join(f"({n},{n * n % 7})" for n in range(MOST_KNOTS))
    start = time.perf_counter()
    assert len(activation(f"points: {most}; left=0, right=0").knots) > 2000
    with pytest.raises(ActivationError, match="knots are too many"):
        activation("points: " + "(0,0)" * 30_000 + "; left=0, right=1")
    with pytest.raises(ActivationError, match="characters long"):
        activation("points: " + "(0,0) " * 100_000 + "; left=0, right=1")
    # Seconds at most on a machine that does other things too; minutes if it were quadratic.
    assert time.perf_counter() - start < 5


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "bom.json").write_text(json.dumps(GOOD[0]), encoding="utf-8-sig")
    assert activation(str(tmp_path / "bom.json")) == activation("relu")


def test_the_schema_accepts_what_the_code_accepts_and_refuses_what_it_refuses():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for content in GOOD:
        assert validator.is_valid(content), content
    for content, _ in BAD:
        assert not validator.is_valid(content), content
