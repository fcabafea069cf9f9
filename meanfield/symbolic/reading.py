"""From what a user gives to an activation with symbols: every form becomes an expression in x and its free names."""

from __future__ import annotations

import keyword
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from sympy import Expr, simplify

from meanfield.activations.activation import Activation
from meanfield.activations.algebra import Number, Pieces, order
from meanfield.activations.chebyshev_pieces import Chebyshev
from meanfield.activations.entry import Entry, Parameter, decimal, number, with_texts, written
from meanfield.activations.expression import check_name, free_names, names_in, parse_exactly
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.points import parse_points
from meanfield.activations.smooth import Smooth
from meanfield.activations.spec import (
    activation,
    formula_of,
    holds_numbers,
    read_activation,
    split_arguments,
    split_name,
)
from meanfield.errors import ActivationError, ExpressionError
from meanfield.symbolic.curves import Curve, NoCrossing, parse_curve
from meanfield.symbolic.gaussian_terms import X
from meanfield.symbolic.names import check_names, check_names_beside_integrals
from meanfield.symbolic.parameters import Parameters

__all__ = ["AnalyticActivation", "StraightActivation", "SymbolicActivation", "read_symbolic"]


#: At how many values of its parameters a formula is tried that may be none at some.
_TRIED = 8

#: Words of Python's own that have a place in expressions.
_LOGIC = {"and", "or", "not", "if", "else"}


@dataclass(frozen=True)
class SymbolicActivation(ABC):
    """An activation with parameters.

    Attributes:
        label: what the user called it.
        formula: φ as an expression in x and the parameters, or in words where that would be long.
        expression: φ as an expression in x and the parameters, however long.
        parameters: what is left as a symbol, and what is assumed.
        at: the activation at given values of the parameters, read afresh from the formula.
    """

    label: str
    formula: str
    expression: str
    parameters: Parameters
    at: Callable[[Mapping[str, Fraction]], Activation]

    @property
    @abstractmethod
    def knots(self) -> tuple[Number, ...]:
        """Where φ changes from one piece to the next, ascending."""

    @property
    @abstractmethod
    def pieces_in_x(self) -> list[Expr]:
        """φ between each two knots, as expressions in `X`."""

    @property
    @abstractmethod
    def jumps(self) -> list[Number]:
        """The knots at which φ jumps."""


@dataclass(frozen=True)
class StraightActivation(SymbolicActivation):
    """One that is made of straight pieces: exact knots, slopes and intercepts."""

    pieces: Pieces

    @property
    def knots(self) -> tuple[Number, ...]:
        return self.pieces.knots

    @property
    def pieces_in_x(self) -> list[Expr]:
        number = self.parameters.expression
        return [number(slope) * X + number(intercept) for slope, intercept in self.pieces.lines]

    @property
    def jumps(self) -> list[Number]:
        lines = pairwise(self.pieces.lines)
        return [t for t, ((a, c), (a2, c2)) in zip(self.pieces.knots, lines, strict=True) if (a2 - a) * t + c2 - c != 0]


@dataclass(frozen=True)
class AnalyticActivation(SymbolicActivation):
    """One whose pieces are any analytic functions."""

    curve: Curve

    @property
    def knots(self) -> tuple[Number, ...]:
        return self.curve.knots

    @property
    def pieces_in_x(self) -> list[Expr]:
        return list(self.curve.pieces)

    @property
    def jumps(self) -> list[Number]:
        return [t for t, jump in zip(self.knots, self.changes(0), strict=True) if jump != 0]

    def changes(self, order: int) -> list[Expr]:
        """By how much the derivative of that order changes at each knot."""
        at = map(self.parameters.expression, self.knots)
        derivatives = [piece.diff(X, order) if order else piece for piece in self.curve.pieces]
        return [
            simplify(right.subs(X, t) - left.subs(X, t))
            for t, (left, right) in zip(at, pairwise(derivatives), strict=True)
        ]


def read_symbolic(
    spec: str | Activation | Callable[[Any], Any], assume: Sequence[str], given: Mapping[str, object]
) -> SymbolicActivation:
    """The activation that `spec` stands for, names without a value left as symbols.

    Args:
        spec: as for `meanfield.activation`.
        assume: inequalities between the symbols.
        given: what parameters stand for: numbers, or text such as "1/2" or "2*tau".

    Raises:
        ActivationError: as `meanfield.activation`, and where an order of knots does not follow from `assume`.
    """
    if not isinstance(spec, str) or holds_numbers(spec.strip()):
        return _in_numbers(spec, assume, given)
    text = " ".join(spec.split())
    texts = {unicodedata.normalize("NFKC", name): _text(name, value) for name, value in given.items()}
    for word in re.findall(r"\b[^\W\d]\w*", " ".join([text, *texts.values()])):
        if keyword.iskeyword(word) and word not in _LOGIC:
            raise ActivationError(
                f"{word} is a word of Python's own and names no parameter: write {word}1, or a letter"
            )
    if named := split_name(text, texts):
        return _named(*split_arguments(*named, texts), assume, texts)
    for name in texts:
        check_name(name)
        if name not in free_names(text):
            raise ActivationError(f"parameter {name!a} does not occur in {text!r}: leave it out, or use it")
    _check_names_of(texts, text)
    label = text + "".join(f", {name}={value}" for name, value in texts.items())
    return _from_expression(label, with_texts(text, texts), assume, [])


def _named(
    entry: Entry,
    positional: Sequence[str],
    named: Sequence[tuple[str, str]],
    assume: Sequence[str],
    texts: Mapping[str, str],
) -> SymbolicActivation:
    positional = [_without_percent(text) for text in positional]
    named = [(name, _without_percent(text)) for name, text in named]
    given = _with_values_beside(entry, entry.assign(positional, named), texts)
    values = {p.name: given.get(p.name, p.name if p.default is None else written(p.default)) for p in entry.parameters}
    _check_names_of(values, entry.signature)
    label = _label(entry, values)
    # A bound at infinity is none.
    finite = {name: text for name, text in values.items() if text != "inf"}
    bounds = [(entry.name, p, values[p.name]) for p in entry.parameters if p.name in finite]
    formula = entry.formula if len(finite) == len(values) else entry.unclipped
    return _from_expression(label, with_texts(formula, finite), assume, bounds)


def _label(entry: Entry, values: Mapping[str, str]) -> str:
    """clipped-relu(tau, m), and with names where parameters at their defaults are left out: hard-tanh(max_val=a)."""
    defaults = {p.name: written(p.default) for p in entry.parameters if p.default is not None}
    if not defaults:
        return f"{entry.name}({', '.join(values.values())})" if values else entry.name
    inside = ", ".join(f"{name}={text}" for name, text in values.items() if text != defaults.get(name))
    return f"{entry.name}({inside})" if inside else entry.name


def _with_values_beside(entry: Entry, given: Mapping[str, str], texts: Mapping[str, str]) -> dict[str, str]:
    """What parameters stand for, once the values given beside the text are put in: for a parameter, or for a symbol."""
    result = dict(given)
    for name, value in texts.items():
        ours = entry.elsewhere.get(name, name)
        inside = [parameter for parameter, text in given.items() if name in names_in(text)]
        if inside:
            result |= {parameter: with_texts(result[parameter], {name: value}) for parameter in inside}
        else:
            # Its errors are those of a name with parentheses.
            result |= entry.assign([], [*result.items(), (ours, value)])
    return result


def _from_expression(
    label: str, formula: str, assume: Sequence[str], bounds: Sequence[tuple[str, Parameter, str]]
) -> SymbolicActivation:
    """`bounds` are the parameters of a named activation, each with its name before and with the text of its value."""
    names = free_names(formula)
    check_names(names)
    unsigned = {value for _, parameter, value in bounds if not parameter.bound}
    parameters = Parameters(names, [name for name in names if name in unsigned], assume)
    for name, parameter, value in bounds:
        if parameter.bound:
            number = parse_exactly(value, {name: parameters.numbers[name] for name in free_names(value)}).intercepts[0]
            parameter.require(name, value, order(number, Fraction(0)))

    def at(values: Mapping[str, Fraction]) -> Activation:
        return activation(formula, **{name: float(value) for name, value in values.items()})

    try:
        pieces = parse_exactly(formula, parameters.numbers)
    except ExpressionError:
        if _is_straight(at, parameters):
            raise
        check_names_beside_integrals(names)
        return AnalyticActivation(label, formula, formula, parameters, at, _curve(formula, parameters, at))
    if not any(pieces.slopes) and not any(pieces.intercepts):
        # It says what is wrong with a function that is zero everywhere.
        pieces.rounded()
    return StraightActivation(label, formula, formula, parameters, at, pieces)


def _is_straight(at: Callable[[Mapping[str, Fraction]], Activation], parameters: Parameters) -> bool:
    """Whether an activation is made of straight pieces, at values of its parameters at which it is one.

    Raises:
        ActivationError: it is none at any that were tried.
    """
    fault: ActivationError | None = None
    for values in parameters.points(_TRIED if parameters.symbols else 1, np.random.default_rng(0)):
        try:
            return isinstance(at(values), PiecewiseLinear)
        except ActivationError as found:
            fault = fault or found
    raise fault or ActivationError("no values of the parameters to try")


def _curve(formula: str, parameters: Parameters, at: Callable[[Mapping[str, Fraction]], Activation]) -> Curve:
    """The pieces of a formula, its breaks in numbers where they are no roots of lines."""
    try:
        return parse_curve(formula, parameters)
    except NoCrossing as unknown:
        if parameters.symbols:
            raise ActivationError(
                f"{formula!r} has a break where {unknown} is 0, of which there is no formula: give every parameter "
                "a number"
            ) from None
        phi = at({})
        assert isinstance(phi, Smooth)
        return parse_curve(phi.expression, parameters)


def _in_numbers(
    spec: str | Activation | Callable[[Any], Any], assume: Sequence[str], given: Mapping[str, object]
) -> SymbolicActivation:
    named = read_activation(spec, **given)  # type: ignore[arg-type]
    phi, parameters = named.phi, Parameters([], [], assume)
    if isinstance(phi, Smooth):
        if any(isinstance(piece, Chebyshev) for piece in phi.pieces):
            raise ActivationError(
                f"{named.label} is known by its values alone, and formulas are of expressions: write it as one in x"
            )
        curve = parse_curve(phi.expression, parameters)
        return AnalyticActivation(named.label, named.formula, phi.expression, parameters, lambda values: phi, curve)
    assert isinstance(phi, PiecewiseLinear)
    if isinstance(spec, str) and spec.strip().startswith("points:"):
        pieces = parse_points(spec)
    else:
        pieces = Pieces.meant_by(phi)
    return StraightActivation(named.label, named.formula, formula_of(phi), parameters, lambda values: phi, pieces)


def _without_percent(text: str) -> str:
    """A text with 5/100 for 5 %, which expressions do not know."""
    return re.sub(r"([0-9.]+)\s*%", r"\1/100", text.strip())


def _text(name: str, value: object) -> str:
    """What a parameter stands for, as text of an expression."""
    if isinstance(value, str):
        text = _without_percent(value)
    elif isinstance(value, float):
        text = decimal(number(name, value))
    else:
        # Integers, fractions, and the numbers and symbols of sympy.
        text = str(value)
    if any(symbol.is_positive is False for symbol in getattr(value, "free_symbols", ())):
        raise ActivationError(f"{name} = {text} holds a symbol that is not positive: write -a for a number below 0")
    if isinstance(value, bool) or not text:
        raise ActivationError(f"{name} = {value!r} is not a number or a name: give one, such as 1/2 or tau")
    return text


def _check_names_of(values: Mapping[str, str], where: str) -> None:
    """Refuse a symbol that goes by the name of a parameter which stands for something else."""
    for name, text in values.items():
        if "x" in names_in(text):
            raise ActivationError(f"{name} = {text} varies with x: a parameter is a number or a symbol")
        for other in names_in(text):
            if values.get(other, other) != other:
                raise ActivationError(
                    f"{name} = {text}, but {other} is also a parameter of {where}, and stands for {values[other]}: "
                    "give one of the two another name"
                )
