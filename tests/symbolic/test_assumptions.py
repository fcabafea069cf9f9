"""What follows from assumptions, and what does not: no wrong sign, no false contradiction."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume as suppose, given, strategies as st

from meanfield.activations.expression import parse_exactly
from meanfield.errors import ActivationError, UndecidedOrder
from meanfield.symbolic.parameters import Parameters, Parametric

NAMES = ["a", "b", "c"]
coefficients = st.tuples(*[st.integers(-3, 3)] * 4)


def text(c: tuple[int, ...]) -> str:
    return " + ".join(f"({k})*{name}" for k, name in zip(c, NAMES, strict=False)) + f" + ({c[3]})"


def number(expression: str, parameters: Parameters) -> object:
    return parse_exactly(expression, {n: x for n, x in parameters.numbers.items() if n in expression}).intercepts[0]


def sign(expression: str, parameters: Parameters) -> int:
    return parameters.sign(parameters.element(number(expression, parameters)))


def points(assumed: list[tuple[int, ...]]) -> tuple[Parameters, list[dict[str, Fraction]]] | None:
    """Parameters that satisfy linear inequalities, and values of them; None where the inequalities are refused."""
    try:
        parameters = Parameters(NAMES, assume=[f"{text(c)} > 0" for c in assumed])
        return parameters, parameters.points(30, np.random.default_rng(0))
    except ActivationError:
        return None


def sign_or_none(expression: str, parameters: Parameters) -> int | None:
    try:
        return sign(expression, parameters)
    except UndecidedOrder:
        return None


@given(assumed=st.lists(coefficients, max_size=3), asked=coefficients)
def test_a_sign_that_is_told_holds_wherever_the_assumptions_do(assumed: list, asked: tuple) -> None:
    found = points(assumed)
    suppose(found)
    told = sign_or_none(text(asked), found[0])
    suppose(told is not None)
    for point in found[1]:
        assert np.sign(sum(k * point[name] for k, name in zip(asked, NAMES, strict=False)) + asked[3]) == told


@given(assumed=st.lists(coefficients, min_size=1, max_size=3))
def test_assumptions_that_are_refused_hold_nowhere(assumed: list) -> None:
    suppose(not points(assumed))
    random = np.exp(np.random.default_rng(1).uniform(-5, 5, (4000, 3)))
    # Clear of 0, for what holds in a sliver alone may be refused.
    margin = [random @ np.array(c[:3]) + c[3] > 1e-2 * (random @ np.abs(c[:3]) + abs(c[3])) for c in assumed]
    assert not np.all(margin, axis=0).any()


@given(first=coefficients, second=coefficients, factors=st.tuples(st.integers(0, 5), st.integers(1, 5)))
def test_what_follows_linearly_is_found(first: tuple, second: tuple, factors: tuple[int, int]) -> None:
    combined = tuple(factors[0] * i + factors[1] * j for i, j in zip(first, second, strict=True))
    found = points([first, second])
    suppose(found)
    assert sign(text(combined), found[0]) == 1
    assert sign(f"-({text(combined)})", found[0]) == -1


@pytest.mark.parametrize(
    ("assumed", "expression", "expected"),
    [
        ([], "a + b", 1),
        ([], "-a*b/(c + 1)", -1),
        ([], "a - a", 0),
        (["a > b"], "a*a - b*b", 1),
        (["a > 1"], "1/a - 1", -1),
        (["a > b", "b > c"], "c - a", -1),
        (["a > b + 0.001"], "a - b", 1),
        (["a > 1.005*b"], "b - a", -1),
        (["a > 20001*b"], "a - 20000*b", 1),
        (["0 < a < b < c"], "(c - a)*(b - a)", 1),
        # Steeper and clipped lower: clip(c*x, -b, b) beside clip(x, -a, a).
        (["a > b", "c > 1"], "a*c - b", 1),
        # Leaky above m: min(max(x - b, 0), m + a*(x - m)).
        (["a < 1"], "a*b - a*c + c", 1),
        (["a < 1"], "b - a*a*c + a*c", 1),
        # However it is written.
        (["1/a < 1/b"], "a - b", 1),
        (["a*a > b*b"], "a - b", 1),
        (["c > a/b"], "b*c - a", 1),
    ],
)
def test_signs_that_follow(assumed: list[str], expression: str, expected: int) -> None:
    assert sign(expression, Parameters(NAMES, assume=assumed)) == expected


@pytest.mark.parametrize(
    ("assumed", "expression"),
    [
        ([], "a - b"),
        (["a > b"], "a - 2*b"),
        (["a > b"], "a - c"),
        (["a > b"], "a*a - b"),
        ([], "a*a - a + 1/5"),
        ([], "2*a - 3*b*c + 1"),
    ],
)
def test_what_does_not_follow_is_asked_for_and_can_be_granted_as_it_is_written(
    assumed: list[str], expression: str
) -> None:
    with pytest.raises(UndecidedOrder, match="--assume") as asked:
        sign(expression, Parameters(NAMES, assume=assumed))
    positive, negative = re.findall('"(.*?)"', str(asked.value))
    assert sign(expression, Parameters(NAMES, assume=[*assumed, positive])) == 1
    assert sign(expression, Parameters(NAMES, assume=[*assumed, negative])) == -1


def test_what_follows_from_a_product_of_assumptions_alone_is_asked_for() -> None:
    assumed, expression = ["a > b", "c > 1"], "(a - b)*(c - 1) + 1/5"
    with pytest.raises(UndecidedOrder) as asked:
        sign(expression, Parameters(NAMES, assume=assumed))
    granted = str(asked.value).split('"')[1]
    assert sign(expression, Parameters(NAMES, assume=[*assumed, granted])) == 1


def test_an_unsigned_parameter_has_no_sign_but_its_square_has() -> None:
    parameters = Parameters(["a"], unsigned=["a"])
    assert sign("a*a + 1", parameters) == 1
    with pytest.raises(UndecidedOrder):
        sign("a + 1", parameters)
    assert sign("a", Parameters(["a"], unsigned=["a"], assume=["a < -1"])) == -1


@pytest.mark.parametrize(
    "assumed",
    [
        ["a > 300"],
        ["a < 0.003"],
        ["b < a", "a < 1.0001*b"],
        ["a > 1000*b", "b > 1000*c"],
        ["a*b > 4", "a < b"],
        ["a*a*a > 1000000"],
        ["a*b*c > 1000", "a < b", "b < c", "c < 1.1*a"],
    ],
)
def test_points_are_found_in_corners(assumed: list[str]) -> None:
    parameters = Parameters(NAMES, assume=assumed)
    points = parameters.points(50, np.random.default_rng(0))
    assert len(points) == 50 and len({tuple(p.values()) for p in points}) == 50
    for inequality in assumed:
        left, relation, right = inequality.split(" ", 2)
        for p in points:
            x, y = (eval(side, {"__builtins__": {}}, {n: float(v) for n, v in p.items()}) for side in (left, right))
            assert (x > y) == (relation == ">")


def test_assumptions_that_nothing_within_reach_satisfies_are_refused() -> None:
    with pytest.raises(ActivationError, match="no values of a, b, c were found"):
        Parameters(NAMES, assume=["a*a < b/1000000000", "b < a", "a > 1"]).points(50, np.random.default_rng(0))


def test_points_are_the_same_every_time() -> None:
    parameters = Parameters(NAMES, assume=["a < b"])
    first, second = (parameters.points(5, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_exact_numbers_mix_with_fractions() -> None:
    a, b, _ = Parameters(NAMES).numbers.values()
    assert (a + b) - b == a and hash((a + b) - b) == hash(a)
    assert (a * b) / a == b and isinstance(a, Parametric)
    assert a - a == Fraction(0) and isinstance(a / a, Fraction)
    assert 1 - (1 - a) == a and 1 / (1 / a) == a and Fraction(1, 2) + a == a + Fraction(1, 2)
    assert a + b > a and -a < 0
