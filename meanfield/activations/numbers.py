"""Numbers as people write them: 0.5, 1e-3, 1/3, 5 %, sqrt(2), 2*sqrt(3)/3.

A number is worked out exactly as far as it is rational, and nothing in it is run: there are tokens and the four rules
of arithmetic.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

__all__ = ["NotANumber", "read_number", "read_whole"]

#: Characters of a number, more than anyone types.
_LONGEST = 200

#: Beyond 10 to this power nothing is a double, and an exact power would take for ever.
_MOST_DIGITS = 400
_TOO_LARGE = "is larger than 1.8e308: give a smaller number"
_TOO_SMALL = "is smaller than 5e-324: give 0, or a larger number"

_DECIMAL = r"(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_TOKEN = re.compile(rf"\s*(?:({_DECIMAL})|(sqrt|√|pi|π|inf(?:inity)?|∞|nan)|(\*\*|[-+*/()%−·×]))", re.IGNORECASE)
_PLAIN = {"−": "-", "·": "*", "×": "*"}


class NotANumber(Exception):
    """The text stands for no number; the message goes on from it, "is no number: …"."""

    def __init__(self, fault: str = "is no number: give one such as 1.5 or 1/3") -> None:
        super().__init__(fault)


def read_number(text: str) -> float:
    """The double nearest to the number that a text stands for; inf and nan stand for themselves.

    Understood are decimals, + - * / and parentheses, sqrt(…) or √, pi, inf, nan, and % after a number.

    Raises:
        NotANumber: the text is none, or beyond the doubles.
    """
    value = _exact(text)
    try:
        nearest = float(value)
    except OverflowError:
        raise NotANumber(_TOO_LARGE) from None
    if value and not nearest:
        raise NotANumber(_TOO_SMALL)
    return nearest


def read_whole(text: str) -> int:
    """The whole number that a text stands for: 300, 1e3 or 6/2.

    Raises:
        NotANumber: it stands for none.
    """
    if len(text) > _LONGEST and text.strip().isdigit():
        from meanfield.domain import LARGEST_COUNT

        raise NotANumber(f"is out of range: give a whole number up to {LARGEST_COUNT:g}")
    try:
        value = _exact(text)
    except NotANumber:
        value = math.nan
    if not isinstance(value, Fraction) or value.denominator != 1:
        raise NotANumber("is no whole number: give one such as 300")
    return int(value)


def _exact(text: str) -> float | Fraction:
    reader = _Reader(text)
    try:
        value = reader.sum()
    except (ZeroDivisionError, OverflowError):
        raise NotANumber from None
    if reader.token:
        raise NotANumber
    return value


class _Reader:
    """Reads a text from left to right; `token` is what comes next, "" at the end."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise NotANumber
        self.text, self.at = text.rstrip(), 0
        self.token = self.next()

    def next(self) -> str:
        if self.at == len(self.text):
            return ""
        match = _TOKEN.match(self.text, self.at)
        if not match:
            raise NotANumber
        self.at = match.end()
        token = match[0].strip().lower()
        return _PLAIN.get(token, token)

    def take(self, *tokens: str) -> str:
        """The next token if it is one of these, else ""."""
        if self.token not in tokens or not self.token:
            return ""
        taken, self.token = self.token, self.next()
        return taken

    def sum(self) -> float | Fraction:
        value = self.product()
        while operator := self.take("+", "-"):
            term = self.product()
            value = value + term if operator == "+" else value - term
        return value

    def product(self) -> float | Fraction:
        value = self.signed()
        while operator := self.take("*", "/"):
            factor = self.signed()
            value = value * factor if operator == "*" else value / factor
        return value

    def signed(self) -> float | Fraction:
        if self.take("-"):
            return -self.signed()
        if self.take("+"):
            return self.signed()
        value = self.atom()
        return value / 100 if self.take("%") else value

    def atom(self) -> float | Fraction:
        if self.take("("):
            value = self.sum()
            if not self.take(")"):
                raise NotANumber
            return value
        if self.take("sqrt", "√"):
            return _root(self.atom())
        if self.take("pi", "π"):
            return math.pi
        if self.take("inf", "infinity", "∞"):
            return math.inf
        if self.take("nan"):
            return math.nan
        if not self.token[:1].isdigit() and not self.token.startswith("."):
            raise NotANumber
        token, self.token = self.token, self.next()
        return _decimal(token)


def _decimal(token: str) -> Fraction:
    mantissa, _, exponent = token.partition("e")
    if exponent and abs(int(exponent[:7])) > _MOST_DIGITS:
        raise NotANumber(_TOO_LARGE if int(exponent[:7]) > 0 else _TOO_SMALL)
    return Fraction(f"{mantissa.rstrip('.').replace('_', '')}e{exponent or 0}")


def _root(value: float | Fraction) -> float | Fraction:
    if not value >= 0:
        raise NotANumber
    if isinstance(value, Fraction):
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if Fraction(top * top, bottom * bottom) == value:
            return Fraction(top, bottom)
    return math.sqrt(value)
