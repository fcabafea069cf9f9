"""From what a user gives to an activation with symbols: every form becomes an expression in x and its free names."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from meanfield.activations.algebra import Number, Pieces, order
from meanfield.activations.entry import Entry, Parameter, decimal, number, with_texts, written
from meanfield.activations.expression import check_name, free_names, names_in, parse_exactly
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.points import parse_points
from meanfield.activations.spec import (
    activation,
    formula_of,
    holds_numbers,
    read_activation,
    split_arguments,
    split_name,
)
from meanfield.errors import ActivationError
from meanfield.symbolic.names import check_names
from meanfield.symbolic.parameters import Parameters

__all__ = ["SymbolicActivation", "read_symbolic"]


#: Words of Python's own that have a place in expressions.
_LOGIC = {"and", "or", "not", "if", "else"}


@dataclass(frozen=True)
class SymbolicActivation:
    """An activation with parameters.

    Attributes:
        label: what the user called it.
        formula: φ as an expression in x and the parameters, or in words where that would be long.
        expression: φ as an expression in x and the parameters, however long.
        parameters: what is left as a symbol, and what is assumed.
        pieces: knots, slopes and intercepts, exact.
        at: the activation at given values of the parameters, read afresh from the formula.
    """

    label: str
    formula: str
    expression: str
    parameters: Parameters
    pieces: Pieces
    at: Callable[[Mapping[str, Fraction]], PiecewiseLinear]

    @property
    def jumps(self) -> list[Number]:
        """The knots at which φ jumps."""
        lines = pairwise(self.pieces.lines)
        return [t for t, ((a, c), (a2, c2)) in zip(self.pieces.knots, lines, strict=True) if (a2 - a) * t + c2 - c != 0]


def read_symbolic(
    spec: str | PiecewiseLinear | Callable[[Any], Any], assume: Sequence[str], given: Mapping[str, object]
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
    pieces = parse_exactly(formula, parameters.numbers)
    if not any(pieces.slopes) and not any(pieces.intercepts):
        # It says what is wrong with a function that is zero everywhere.
        pieces.rounded()

    def at(values: Mapping[str, Fraction]) -> PiecewiseLinear:
        phi = activation(formula, **{name: float(value) for name, value in values.items()})
        assert isinstance(phi, PiecewiseLinear)
        return phi

    return SymbolicActivation(label, formula, formula, parameters, pieces, at)


def _in_numbers(
    spec: str | PiecewiseLinear | Callable[[Any], Any], assume: Sequence[str], given: Mapping[str, object]
) -> SymbolicActivation:
    named = read_activation(spec, **given)  # type: ignore[arg-type]
    phi = named.phi
    if not isinstance(phi, PiecewiseLinear):
        raise ActivationError(f"{named.label} is not piecewise linear, and formulas are of straight pieces alone")
    if isinstance(spec, str) and spec.strip().startswith("points:"):
        pieces = parse_points(spec)
    else:
        pieces = Pieces.meant_by(phi)
    parameters = Parameters([], [], assume)
    return SymbolicActivation(named.label, named.formula, formula_of(phi), parameters, pieces, lambda values: phi)


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
