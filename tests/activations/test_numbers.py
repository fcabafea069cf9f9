from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from meanfield.activations.numbers import NotANumber, read_number, read_whole

whole = st.integers(-(10**6), 10**6)


@given(whole, st.integers(1, 10**4))
def test_a_fraction_is_the_double_nearest_to_it(top, bottom):
    assert read_number(f"{top}/{bottom}") == read_number(f" {top} / {bottom} ") == float(Fraction(top, bottom))


@given(whole)
def test_percent_are_hundredths(n):
    assert read_number(f"{n}%") == read_number(f"{n} %") == float(Fraction(n, 100))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_is_the_double_that_it_was_written_from(value):
    assert read_number(repr(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sqrt(2)", math.sqrt(2)),
        ("√2", math.sqrt(2)),
        ("sqrt(9/4)", 1.5),
        ("2*sqrt(3)/3", 2 * math.sqrt(3) / 3),
        ("pi/2", math.pi / 2),
        ("1/3/2", float(Fraction(1, 6))),
        ("-(1/2 + .25)", -0.75),
        ("1_000", 1000),
        ("+5.", 5),
        ("1E-3", 1e-3),
        ("∞", math.inf),
        ("-inf", -math.inf),
    ],
)
def test_simple_arithmetic_is_worked_out(text, value):
    assert read_number(text) == value


def test_minus_nothing_is_nothing():
    assert math.copysign(1, read_number("-0")) == 1
    assert math.isnan(read_number("nan"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "0,5",
        "1 2",
        "3/0",
        "2**3",
        "sqrt(-1)",
        "sqrt",
        "(1",
        "1)",
        "1.5.2",
        "0x10",
        "(" * 190,
        "1" * 500,
    ],
)
def test_what_is_no_number_is_not_read(text):
    with pytest.raises(NotANumber, match=r"is no number: give one such as 1\.5 or 1/3"):
        read_number(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1e400", "larger than 1.8e308"),
        ("1e999999999", "larger"),
        ("1e-400", "smaller than"),
        ("1e-99999999", "smaller"),
    ],
)
def test_what_is_no_double_is_said_at_once(text, said):
    with pytest.raises(NotANumber, match=said):
        read_number(text)


def test_whole_numbers_are_whole():
    assert [read_whole(text) for text in ("300", "1e3", "6/2", "-4", "200%")] == [300, 1000, 3, -4, 2]
    for text in ("1/3", "1.5", "inf", "nan", "x", "", "sqrt(2)"):
        with pytest.raises(NotANumber, match="is no whole number"):
            read_whole(text)
