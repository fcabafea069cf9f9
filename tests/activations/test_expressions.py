from __future__ import annotations

import math
import re
from bisect import bisect
from fractions import Fraction as F

import pytest
from hypothesis import given, reject, settings, strategies as st

from meanfield.activations.algebra import Pieces
from meanfield.activations.clipping import clipped
from meanfield.activations.expression import parse_expression
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.spec import activation
from meanfield.errors import ActivationError, ExpressionError

# A random expression is a pair: its text, and a Python function of a Fraction that means the same.

_decimals = st.integers(-300, 300).map(lambda n: (f"{n / 100!r}", F(n, 100)))
_comparisons = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


# Of halves, which single points alone can be, either neighbour will do.
_rounded = {"round": lambda y: math.floor(y + F(1, 2)), "floor": math.floor, "ceil": math.ceil}


def _conditions(u):
    comparison = st.tuples(u, st.sampled_from(sorted(_comparisons)), u).map(
        lambda c: (f"({c[0][0]} {c[1]} {c[2][0]})", lambda x: int(_comparisons[c[1]](c[0][1](x), c[2][1](x))))
    )
    chain = st.tuples(u, u, u).map(
        lambda c: (f"({c[0][0]} < {c[1][0]} <= {c[2][0]})", lambda x: int(c[0][1](x) < c[1][1](x) <= c[2][1](x)))
    )
    one = comparison | chain
    return (
        one
        | st.tuples(one, st.sampled_from(["and", "&"]), one).map(
            lambda c: (f"({c[0][0]} {c[1]} {c[2][0]})", lambda x: c[0][1](x) and c[2][1](x))
        )
        | st.tuples(one, st.sampled_from(["or", "|"]), one).map(
            lambda c: (f"({c[0][0]} {c[1]} {c[2][0]})", lambda x: c[0][1](x) or c[2][1](x))
        )
        | st.tuples(st.sampled_from(["not", "~"]), one).map(lambda c: (f"({c[0]} {c[1][0]})", lambda x: 1 - c[1][1](x)))
    )


def _larger(u):
    two = st.tuples(u, u)
    number = _decimals
    return st.one_of(
        two.map(lambda p: (f"({p[0][0]} + {p[1][0]})", lambda x: p[0][1](x) + p[1][1](x))),
        two.map(lambda p: (f"({p[0][0]} - {p[1][0]})", lambda x: p[0][1](x) - p[1][1](x))),
        u.map(lambda p: (f"(-{p[0]})", lambda x: -p[1](x))),
        st.tuples(number, u).map(lambda p: (f"({p[0][0]} * {p[1][0]})", lambda x: p[0][1] * p[1][1](x))),
        st.tuples(u, number.filter(lambda n: n[1])).map(
            lambda p: (f"({p[0][0]} / ({p[1][0]}))", lambda x: p[0][1](x) / p[1][1])
        ),
        st.lists(u, min_size=2, max_size=3).map(
            lambda p: (f"max({', '.join(t for t, _ in p)})", lambda x: max(f(x) for _, f in p))
        ),
        st.lists(u, min_size=2, max_size=3).map(
            lambda p: (f"min({', '.join(t for t, _ in p)})", lambda x: min(f(x) for _, f in p))
        ),
        u.map(lambda p: (f"abs({p[0]})", lambda x: abs(p[1](x)))),
        u.map(lambda p: (f"relu({p[0]})", lambda x: max(p[1](x), 0))),
        u.map(lambda p: (f"step({p[0]})", lambda x: int(p[1](x) > 0))),
        st.tuples(u, st.sampled_from(["round", "floor", "ceil"])).map(
            lambda p: (f"{p[1]}(clip({p[0][0]}, -5/4, 3))", lambda x: _rounded[p[1]](min(max(p[0][1](x), F(-5, 4)), 3)))
        ),
        u.map(lambda p: (f"sign({p[0]})", lambda x: (p[1](x) > 0) - (p[1](x) < 0))),
        st.tuples(u, number, number).map(
            lambda p: (
                f"clip({p[0][0]}, {min(p[1:], key=lambda n: n[1])[0]}, {max(p[1:], key=lambda n: n[1])[0]})",
                lambda x: min(max(p[0][1](x), min(p[1][1], p[2][1])), max(p[1][1], p[2][1])),
            )
        ),
        st.tuples(_conditions(u), u, u).map(
            lambda p: (f"where({p[0][0]}, {p[1][0]}, {p[2][0]})", lambda x: p[1][1](x) if p[0][1](x) else p[2][1](x))
        ),
        st.tuples(_conditions(u), u).map(lambda p: (f"({p[0][0]} * {p[1][0]})", lambda x: p[0][1](x) * p[1][1](x))),
    )


expressions = st.recursive(
    st.just(("x", lambda x: x)) | _decimals.map(lambda n: (n[0], lambda x: n[1])), _larger, max_leaves=8
)


# Single points do not count (sign(0) is 0), and thousandths may be such points: these, over a large prime, are not.
points_of_no_note = (
    st.integers(-6_000_000, 6_000_000).map(lambda n: F(n, 1_000_003)).filter(lambda x: x.denominator > 1)
)


def value(pieces: Pieces, x: F) -> F:
    piece = bisect(pieces.knots, x)
    return pieces.slopes[piece] * x + pieces.intercepts[piece]


def refusal(text: str, **parameters: float) -> ExpressionError:
    with pytest.raises(ExpressionError) as refused:
        parse_expression(text, parameters)
    return refused.value


@settings(max_examples=300, deadline=None)
@given(expressions, st.lists(points_of_no_note, min_size=5, max_size=20))
def test_an_expression_means_what_evaluating_it_point_by_point_gives_exactly(expression, points):
    text, function = expression
    pieces = parse_expression(text, {})
    for x in points:
        if x not in pieces.knots:
            assert value(pieces, x) == function(x)


@settings(max_examples=100, deadline=None)
@given(expressions)
def test_rounding_keeps_the_exact_function_to_an_ulp(expression):
    pieces = parse_expression(expression[0], {})
    if any(pieces.slopes) or any(pieces.intercepts):
        phi = pieces.rounded()
        for knots, exact_knots in ((phi.slopes, pieces.slopes), (phi.intercepts, pieces.intercepts)):
            assert set(knots) <= set(map(float, exact_knots))


@pytest.mark.parametrize(
    ("text", "knots", "slopes", "intercepts"),
    [
        ("max(x, 0)", [0], [0, 1], [0, 0]),
        ("x - clip(x, -0.5, 0.5)", [-0.5, 0.5], [1, 0, 1], [0.5, 0, -0.5]),
        ("abs(abs(x) - 1)", [-1, 0, 1], [-1, 1, -1, 1], [-1, 1, 1, -1]),
        ("where(x == 0, 7, x)", [], [1], [0]),
        ("where(x != x, 7, x)", [], [1], [0]),
        ("where(x - x >= 0, 1, 2)", [], [0], [1]),
        ("where(x - x > 0, 1, 2)", [], [0], [2]),
        ("sign(max(x, 0))", [0], [0, 0], [0, 1]),
        ("(x > 0) - (x < 0)", [0], [0, 0], [-1, 1]),
        ("x / (1 + (x > 0))", [0], [1, 0.5], [0, 0]),
        ("\n  x\n + 1 ", [], [1], [1]),
        ("+x", [], [1], [0]),
        ("2**3*x/2**0", [], [8], [0]),
        ("round(clip(-2*x, 0, 2))", [-0.75, -0.25], [0, 0, 0], [2, 1, 0]),
        ("floor(clip(x, 0.5, 2))", [1, 2], [0, 0, 0], [0, 1, 2]),
        ("ceil(7/2) + 0*x", [], [0], [4]),
        ("1_000*x + 0x10 + 1e-3", [], [1000], [16.001]),
    ],
)
def test_pieces_of_known_expressions(text, knots, slopes, intercepts):
    assert parse_expression(text, {}).rounded() == PiecewiseLinear(knots, slopes, intercepts)


def test_what_cancels_on_paper_cancels():
    assert parse_expression("0.1*x + 0.2*x - 0.3*x", {}) == parse_expression("0", {})
    assert parse_expression("a*x + b*x - c*x", {"a": 0.1, "b": 0.2, "c": 0.3}) == parse_expression("0", {})
    assert parse_expression("max(x - 0.1, 0.2)", {}).knots == (F(3, 10),)


def test_names_in_greek_and_names_that_unicode_calls_equal_are_parameters():
    assert parse_expression("max(x - τ, 0)", {"τ": 0.5}) == parse_expression("max(x - 0.5, 0)", {})
    assert parse_expression("µ*x", {"\u03bc": 2}) == parse_expression("2*x", {})


@pytest.mark.parametrize(
    ("text", "part", "said"),
    [
        ("x/0", "x/0", "division by zero"),
        ("x/(x > 0)", "x/(x > 0)", "division by zero"),
        ("  x + tua", "tua", "unknown name tua.*-p tua=value"),
        ("x + sep(x)", "sep", "did you mean step"),
        ("1 + prelu(x)", "prelu", "no function of expressions: write max\\(x, 0\\) \\+ init"),
        ("1 + softmax(x)", "softmax", "no function of one number"),
        ("1 + round(x)", "round(x)", "no end of steps: clip it"),
        ("x + floor(max(x, 0))", "floor(max(x, 0))", "no end of steps"),
        ("round(clip(x, -1e9, 1e9))", "round(clip(x, -1e9, 1e9))", "2000000000 knots are too many"),
        ("2**999 + x", "2**999", "no whole number from 0 to 64"),
        ("x + np.abs(x)", "np.abs", "dot"),
        ("lambda x: x", "lambda x: x", "without lambda"),
        ("x if x > 0 else 0", "x if x > 0 else 0", "where"),
        ("x[0]", "x[0]", "brackets"),
        ("x(2)", "x", "multiply"),
        ("x + relu", "relu", "write relu"),
        ("x + max(x)", "max(x)", "2 arguments or more, not 1"),
        ("abs(x, 1)", "abs(x, 1)", "1 argument, not 2"),
        ("clip(x, 1)", "clip(x, 1)", "3 arguments, not 2"),
        ("max(x, key=1)", "1", "no named"),
        ("x + clip(x, 1, 0)", "clip(x, 1, 0)", "swap"),
        ("clip(x, x, 0)", "clip(x, x, 0)", "swap"),
        ("where(x, 1, 2)", "x", "not a condition"),
        ("x > 0 & x < 1", "0", "parentheses"),
        ("not x", "x", "not a condition"),
        ("x in x", "x", "nothing here"),
        ("x + 1e400", "1e400", "larger"),
        ("x + 1e-400", "1e-400", "smaller"),
        ("x + 1j", "1j", "real"),
        ("x + True", "True", "real"),
        ("x + 'a'", "'a'", "real"),
        ("x % 2", "x % 2", "%"),
        ("x^2", "x^2", "power"),
        ("x # y", "#", "no place"),
        ("ττ + x*y", "ττ", "unknown"),
        ("2*(τ + x) + y", "y", "unknown"),
        ("max(0,x", "(", "never closed"),
        ("max(0,x))", ")", "closes nothing"),
        ("2 x", "x", "not expected"),
    ],
)
def test_a_refusal_points_at_the_part_at_fault(text, part, said):
    parameters = {"τ": 1.0} if "(τ" in text else {}
    error = refusal(text, **parameters)
    pointed = error.expression[error.column : error.column + error.width]
    assert pointed == part
    if text.count(part) == 1:
        assert error.column == text.index(part)
    assert re.search(said, error.reason)
    assert str(error).splitlines() == [error.reason, f"  {text}", "  " + " " * error.column + "^" * error.width]


def test_an_expression_that_ends_too_early_is_pointed_at_behind_its_end():
    for text in ("x +", "x ==", "max(x, 0) -  ", "not"):
        error = refusal(text)
        assert "too early" in error.reason
        assert error.column == len(text.rstrip())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "\x00",
        "x\x00",
        "\ud800",
        "\u202ex",
        "(" * 90 + "x" + ")" * 90 + "(" * 200 + "x" + ")" * 200,
        "-" * 9000 + "x",
        "x" + "+x" * 4900,
        "9" * 5000,
        "x" * 10_001,
        "x" + "**x" * 3000,
        "*".join(["1e300"] * 1000) + "*x",
        "x and " * 1500 + "x",
    ],
)
def test_text_made_to_break_a_parser_is_refused_briefly(text):
    error = refusal(text)
    assert len(str(error).splitlines()) == 3
    assert max(map(len, str(error).splitlines())) < 300
    assert str(error).encode()


def test_a_long_sum_is_no_deep_one():
    assert len(activation("+".join(f"max(x-{i},0)" for i in range(490))).knots) == 490
    assert activation("+".join(["x"] * 1999)).slopes == (1999,)
    assert activation("-".join(["x"] * 1000)).slopes == (-998,)
    assert activation("x" + "*2/2" * 900).slopes == (1,)
    assert activation(" and ".join(["x > 0"] * 900)) == activation("step")
    assert activation("(" * 99 + "x" + ")" * 99).slopes == (1,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+".join(["x"] * 2002), "2001 operators: write it with at most 2000"),
        ("(" * 101 + "x" + ")" * 101, "nested too deeply: at most 100"),
        ("x" * 10_001, "10001 characters long: write at most 10000"),
    ],
)
def test_limits_are_said_before_work_begins(text, said):
    assert said in refusal(text).reason


def test_a_third_given_to_a_parameter_is_one():
    assert parse_expression("x/3 - a*x", {"a": 1 / 3}) == parse_expression("0", {})
    assert parse_expression("a*x", {"a": 0.3333}) == parse_expression("0.3333*x", {})


def test_nested_abs_stops_at_a_number_of_knots():
    text = "x"
    for k in range(14):
        text = f"abs({text}) - {2.0 ** (12 - k)}"
    assert "knots are too many" in refusal(text).reason


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"b": 1}, "does not occur"),
        ({"a": math.inf}, "not finite"),
        ({"a": math.nan}, "not finite"),
        ({"a": True}, "not a number"),
        ({"a": "1"}, "not a number"),
        ({"a": 1j}, "not a number"),
        ({"a": 10**400}, "larger than"),
        ({"x": 1}, "the variable"),
        ({"max": 1}, "a function"),
        ({"lambda": 1}, "cannot name"),
        ({"a b": 1}, "cannot name"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_in_one_line(parameters, said):
    with pytest.raises(ActivationError, match=said) as refused:
        parse_expression("a*x" if "a" in parameters else "x", parameters)
    assert "\n" not in str(refused.value)


@settings(deadline=None)
@given(expressions, st.floats(-3, 3), st.floats(-3, 3), st.lists(st.floats(-8, 8), min_size=1, max_size=20))
def test_clipped_is_min_of_max_at_every_point(expression, a, b, points):
    pieces = parse_expression(expression[0], {})
    low, high = sorted([a, b])
    try:
        phi = pieces.rounded()
        bounded = clipped(phi, low, high)
    except ActivationError:
        # Zero everywhere, clipped or not.
        reject()
    for x in points:
        # Within rounding of a jump either side will do.
        near = [min(max(float(phi(x + d * (1 + abs(x)))), low), high) for d in (-1e-13, 0, 1e-13)]
        scale = max(map(abs, (*phi.slopes, *phi.intercepts)))
        assert any(abs(bounded(x) - y) <= 1e-11 * (1 + scale) for y in near)


def test_clipping_keeps_continuity_and_infinite_bounds_clip_nothing():
    phi = parse_expression("max(x - 0.1, 0)/3 - max(-x - 0.1, 0)/3", {}).rounded()
    for m in (0.1, 0.3, 1 / 7, 1e-3):
        assert clipped(phi, -m, m).is_continuous
        assert clipped(phi, -m, m).is_odd
    assert clipped(phi, -math.inf, math.inf) == phi
    assert clipped(phi, -math.inf, 1.0).slopes[-1] == 0
    for low, high in ((1, 0), (math.nan, 1), (math.inf, math.inf)):
        with pytest.raises(ActivationError):
            clipped(phi, low, high)
