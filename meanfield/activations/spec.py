"""From what a user gives as an activation to the activation: the one door to this package's other rooms.

A text is one of five things, decided by its form alone, in this order (the first that fits):

1. `points: (-1,0) (0,0.2) (1,1); left=0, right=1`: it begins with `points:`.
2. A file: it ends in .json or .toml.
3. `package.module:function`: dotted names around one colon.
4. A name of the catalogue: letters, digits, - and _ alone, as in soft-threshold, unless one of the words between the
   dashes is x or a parameter given; or such a name and parentheses, as in soft-threshold(tau=0.5) or
   clipped-relu(1, 2), unless what is called is a function of expressions, as in abs(x).
5. Anything else is an expression in x.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from meanfield.activations.algebra import Pieces
from meanfield.activations.catalogue import ACTIVATIONS, SMOOTH, Activation, decimal, find, nearest, with_values
from meanfield.activations.expression import FUNCTIONS, parse_expression
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import ActivationError

__all__ = [
    "NamedActivation",
    "activation",
    "entry_of",
    "formula_of",
    "holds_numbers",
    "parameters_of",
    "read_activation",
    "split_arguments",
    "split_name",
]

#: What is said of a function that has no name, by us and by Python.
_NAMELESS, _LAMBDA = "piecewise linear", "<lambda>"
_SUFFIXES = (".json", ".toml")
_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_CALL = re.compile(rf"({_NAME.pattern})\s*\(([^()]*)\)")
_WORD = re.compile(r"\b[^\W\d]\w*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:inf|nan)")


@dataclass(frozen=True)
class NamedActivation:
    """An activation and how to speak of it.

    Attributes: `label`, what the user called it, such as soft-threshold(tau=0.5); `formula`, φ as an expression in x,
    parameters put in; `phi`, the activation, which bears the label as its name.
    """

    label: str
    formula: str
    phi: PiecewiseLinear

    def __post_init__(self) -> None:
        if self.label not in (_NAMELESS, _LAMBDA, self.phi.name):
            object.__setattr__(self, "phi", self.phi.named(self.label))


def activation(spec: str | PiecewiseLinear | Callable[[Any], Any], /, **parameters: float) -> PiecewiseLinear:
    """The activation that `spec` stands for.

    Args:
        spec: one of
            - a name of the catalogue, "relu" or "soft-threshold(tau=0.5)";
            - an expression in x, "max(x - a, 0)";
            - points, "points: (-1,0) (0,0.2) (1,1); left=0, right=1";
            - a file, "phi.json" or "phi.toml";
            - a Python function, "package.module:function" or itself;
            - a `PiecewiseLinear`, returned as it is.
        parameters: values of the parameters of a named activation or of an expression.

    Raises:
        ExpressionError: an expression with a fault; it points there.
        ActivationError: anything else that gives no activation.

    Example:
        >>> activation("soft-threshold", tau=0.5) == activation("x - clip(x, -a, a)", a=0.5)
        True
    """
    return read_activation(spec, **parameters).phi


def read_activation(spec: str | PiecewiseLinear | Callable[[Any], Any], /, **parameters: float) -> NamedActivation:
    """The activation that `spec` stands for, with a label and a formula for tables; arguments as in `activation`."""
    if isinstance(spec, PiecewiseLinear):
        _no_parameters("a PiecewiseLinear", parameters)
        return NamedActivation(spec.name or _NAMELESS, formula_of(spec), spec)
    if isinstance(spec, str):
        return _read_text(spec.strip(), parameters)
    if callable(spec) and not isinstance(spec, type):
        from meanfield.activations.sampling import sample

        _no_parameters("a function", parameters)
        name = str(getattr(spec, "__name__", type(spec).__name__))
        phi = sample(spec, name)
        return NamedActivation(name, formula_of(phi), phi)
    raise ActivationError(
        f"an activation is a name, an expression, a file, a function or a PiecewiseLinear, not {type(spec).__name__}"
    )


def parameters_of(spec: str) -> frozenset[str]:
    """Every name that `spec`, as text, can still be given a value for: its entry's parameters, or the words in it."""
    text = spec.strip()
    named = split_name(text, ())
    if named and (entry := find(named[0])):
        inside = named[1]
        complete = inside.strip() and "=" not in inside
        return frozenset() if complete else frozenset([*(p.name for p in entry.parameters), *entry.elsewhere])
    if text.startswith("points:") or text.lower().endswith(_SUFFIXES):
        return frozenset()
    return frozenset(_WORD.findall(text))


def formula_of(phi: PiecewiseLinear) -> str:
    """φ as an expression in x, piece by piece: where(x < 0, 0, x)."""

    def between(first: int, last: int) -> str:
        if first == last:
            return _line(phi.slopes[first], phi.intercepts[first])
        # Halves, and halves of halves: the parentheses of a thousand pieces are ten deep.
        middle = (first + last) // 2
        return f"where(x < {decimal(phi.knots[middle])}, {between(first, middle)}, {between(middle + 1, last)})"

    return between(0, len(phi.knots))


def _line(slope: float, intercept: float) -> str:
    if not slope:
        return decimal(intercept)
    product = {1.0: "x", -1.0: "-x"}.get(slope, f"{decimal(slope)}*x")
    if not intercept:
        return product
    return f"{product} {'-' if intercept < 0 else '+'} {decimal(abs(intercept))}"


def _read_text(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    if text.startswith("points:"):
        return _read_points(text, parameters)
    if text.lower().endswith(_SUFFIXES):
        return _read_file(text, parameters)
    if _FUNCTION.fullmatch(text):
        return _read_function(text, parameters)
    if named := split_name(text, parameters):
        entry = entry_of(named[0])
        positional, inside = _numbers(entry, named[1])
        return _named(entry, positional, [*inside, *parameters.items()])
    return _read_expression(text, parameters)


def holds_numbers(text: str) -> bool:
    """Whether the text is points, a file or a Python function: a form in which all is numbers."""
    return bool(text.startswith("points:") or text.lower().endswith(_SUFFIXES) or _FUNCTION.fullmatch(text))


def split_name(text: str, parameters: Collection[str]) -> tuple[str, str] | None:
    """The name and what stands in its parentheses, where the text names an activation; None where it is an expression.

    `parameters` are the names that have a value beside the text.
    """
    if _NAME.fullmatch(text) and (find(text) or not _is_difference(text, parameters)):
        return text, ""
    if (call := _CALL.fullmatch(text)) and _is_named(call[1], call[2], parameters):
        return call[1], call[2]
    return None


def entry_of(name: str) -> Activation:
    """The line of the catalogue, or an `ActivationError` that says which names there are."""
    entry = find(name)
    if not entry:
        raise _unknown(name)
    return entry


def split_arguments(entry: Activation, inside: str) -> tuple[list[str], list[tuple[str, str]]]:
    """What stands in parentheses after a name, as texts: those by position, and those by name.

    Raises:
        ActivationError: a name that is none, or a position after a name.
    """
    positional: list[str] = []
    named: list[tuple[str, str]] = []
    for part in inside.split(",") if inside.strip() else []:
        key, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not value or (equals and not key.isidentifier()):
            raise _unreadable(entry, part)
        if equals:
            named.append((key, value))
        elif named:
            raise ActivationError(f"{entry.name}: {value} stands after {named[-1][0]}=…: name it too, or put it first")
        else:
            positional.append(value)
    return positional, named


def _read_points(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    from meanfield.activations.points import parse_points

    _no_parameters("a list of points", parameters)
    phi = _rounded(_on_one_line(text), parse_points(text))
    return NamedActivation(_on_one_line(text), formula_of(phi), phi)


def _read_file(path: str, parameters: Mapping[str, float]) -> NamedActivation:
    from meanfield.activations.files import read_file

    _no_parameters("a file", parameters)
    name, phi = read_file(path)
    return NamedActivation(name, formula_of(phi), phi)


def _read_function(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    from meanfield.activations.user_code import sample_named

    _no_parameters("a function", parameters)
    phi = sample_named(text)
    return NamedActivation(text, formula_of(phi), phi)


def _read_expression(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    pieces = parse_expression(text, parameters)
    line = _on_one_line(text)
    values = "".join(f", {name}={decimal(value)}" for name, value in parameters.items())
    return NamedActivation(f"{line}{values}", with_values(line, parameters), _rounded(f"{line}{values}", pieces))


def _named(entry: Activation, positional: list[object], named: list[tuple[str, object]]) -> NamedActivation:
    values = entry.bind(positional, named)
    label = entry.label(values)
    formula = entry.formula_at(values)
    used = {name: value for name, value in values.items() if value < math.inf}
    return NamedActivation(label, with_values(formula, used), _rounded(label, parse_expression(formula, used)))


def _is_difference(name: str, parameters: Collection[str]) -> bool:
    """Whether a name with dashes is rather a difference, such as x-a."""
    return name in FUNCTIONS or any(word == "x" or word in parameters for word in name.split("-"))


def _is_named(name: str, inside: str, parameters: Collection[str]) -> bool:
    """Whether name(inside) means the catalogue rather than an expression."""
    if name in FUNCTIONS and inside.strip():
        return False
    if find(name):
        return True
    if _is_difference(name, parameters):
        return False
    arguments = [part.strip() for part in inside.split(",")]
    return "-" in name or all("=" in part or _NUMBER.fullmatch(part) for part in arguments if part)


def _numbers(entry: Activation, inside: str) -> tuple[list[object], list[tuple[str, object]]]:
    positional, named = split_arguments(entry, inside)
    for name, value in [*(("", value) for value in positional), *named]:
        if not _NUMBER.fullmatch(value):
            raise _unreadable(entry, f"{name}={value}" if name else value)
    return [float(value) for value in positional], [(name, float(value)) for name, value in named]


def _unreadable(entry: Activation, part: str) -> ActivationError:
    return ActivationError(f"{entry.name}: {_shown(part)} does not give a parameter a number: {entry.usage}")


def _unknown(name: str) -> ActivationError:
    close = nearest(name)
    guess = f"did you mean {close}? " if close else ""
    fault = "is not piecewise linear" if name.casefold() in SMOOTH else "is not a known activation"
    names = ", ".join(entry.name for entry in ACTIVATIONS)
    return ActivationError(f"{_shown(name)} {fault}: {guess}names are {names}; or write an expression in x")


def _no_parameters(form: str, parameters: Mapping[str, object]) -> None:
    if parameters:
        raise ActivationError(f"{form} takes no parameters, {_shown(next(iter(parameters)))} given: leave it out")


def _rounded(label: str, pieces: Pieces) -> PiecewiseLinear:
    try:
        return pieces.rounded()
    except ActivationError as fault:
        raise ActivationError(f"{_shown(label)}: {fault}") from None


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _shown(text: str) -> str:
    line = text.strip() if text.isprintable() else ascii(text)
    return line if len(line) <= 80 else f"{line[:77]}..."
