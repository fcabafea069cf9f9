"""From what a user gives as an activation to the activation: the one door to this package's other rooms.

A text is one of five things, decided by its form alone, in this order (the first that fits):

1. `points: (-1,0) (0,0.2) (1,1); left=0, right=1`: it begins with `points:`.
2. A file: it ends in .json or .toml.
3. `package.module:function`: dotted names around one colon.
4. A name of the catalogue: letters, digits, - and _ alone, as in soft-threshold, unless one of the words between the
   dashes is x or a parameter given; or such a name and parentheses, as in soft-threshold(tau=0.5) or
   clipped-relu(1, 2), unless what is called is a function of expressions, as in abs(x). A library may stand before it,
   as in torch.nn.ReLU().
5. Anything else is an expression in x.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from meanfield.activations.activation import Activation
from meanfield.activations.algebra import Pieces
from meanfield.activations.catalogue import find, is_of_library, refusal, usual
from meanfield.activations.curves import Curve
from meanfield.activations.entry import Entry, with_values, written
from meanfield.activations.expression import FUNCTIONS, parse_expression
from meanfield.activations.numbers import NotANumber, read_number
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.activations.wording import description_of, formula_of, told
from meanfield.errors import ActivationError, shortened
from meanfield.tables.mathematics import Notation

__all__ = [
    "NamedActivation",
    "activation",
    "description_of",
    "formula_of",
    "holds_numbers",
    "is_file_name",
    "parameters_of",
    "read_activation",
    "split_arguments",
    "split_name",
    "values_in",
]

#: What is said of a function that has no name, by us and by Python.
_NAMELESS, _LAMBDA = {PiecewiseLinear: "piecewise linear", Smooth: "piecewise analytic"}, "<lambda>"
_SUFFIXES = (".json", ".toml")
_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_NAME = re.compile(r"(?:[A-Za-z]\w*\.)*[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
#: Parentheses stand inside as in leaky-relu(sqrt(2)/10), no deeper.
_CALL = re.compile(rf"({_NAME.pattern})\s*\(((?:[^()]|\([^()]*\))*)\)", re.ASCII)
_COMMA = re.compile(r",(?![^()]*\))")
_PARAMETER = re.compile(r"[^\W\d]\w*\s*=(?!=)")
_WORD = re.compile(r"\b[^\W\d]\w*")

#: What functions of other libraries take besides parameters: the input, first, and what does not change φ.
_INPUT = ("x", "input", "inputs")
_IDLE = ("inplace", "training")
_TRUTHS = ("True", "False")

#: A longer label is cut.
_LONGEST_LABEL = 100


@dataclass(frozen=True)
class NamedActivation:
    """An activation and how to speak of it.

    Attributes: `label`, what the user called it, such as soft-threshold(tau=0.5); `formula`, φ as an expression in x,
    parameters put in, or in words where that would take more than two lines (`formula_of(phi)` is always an
    expression); `phi`, the activation, which bears the label as its name.
    """

    label: str
    formula: str
    phi: Activation

    def __post_init__(self) -> None:
        if self.label not in (*_NAMELESS.values(), _LAMBDA, self.phi.name):
            object.__setattr__(self, "phi", self.phi.named(self.label))


def activation(spec: str | Activation | Callable[[Any], Any], /, **parameters: float) -> Activation:
    """The activation that `spec` stands for.

    Args:
        spec: one of

            - a name of the catalogue, "relu" or "soft-threshold(tau=0.5)";
            - an expression in x, "max(x - a, 0)";
            - points, "points: (-1,0) (0,0.2) (1,1); left=0, right=1";
            - a file, "phi.json" or "phi.toml";
            - a Python function, "package.module:function" or itself;
            - a `PiecewiseLinear` or a `Smooth`, returned as it is.
        parameters: values of the parameters of a named activation or of an expression.

    Raises:
        ExpressionError: an expression with a fault; it points there.
        ActivationError: anything else that gives no activation.

    Example:
        >>> activation("soft-threshold", tau=0.5) == activation("x - clip(x, -a, a)", a=0.5)
        True
    """
    return read_activation(spec, **parameters).phi


def read_activation(spec: str | Activation | Callable[[Any], Any], /, **parameters: float) -> NamedActivation:
    """The activation that `spec` stands for, with a label and a formula for tables; arguments as in `activation`."""
    if isinstance(spec, Activation):
        _no_parameters(f"a {type(spec).__name__}", parameters)
        return NamedActivation(spec.name or _NAMELESS[type(spec)], told(spec), spec)
    if isinstance(spec, str):
        return _read_text(spec.strip(), parameters)
    if callable(spec) and not isinstance(spec, type):
        from meanfield.activations.sampling import sample

        _no_parameters("a function", parameters)
        name = str(getattr(spec, "__name__", type(spec).__name__))
        phi = sample(spec, name)
        return NamedActivation(name, told(phi), phi)
    raise ActivationError(
        f"{shortened(spec)} is no activation: give a name, an expression, a file, a function or a PiecewiseLinear"
    )


def parameters_of(spec: str) -> frozenset[str]:
    """Every name that `spec`, as text, can still be given a value for: its entry's parameters, or the words in it."""
    text = spec.strip()
    named = split_name(text, ())
    if named and (entry := find(named[0])):
        inside = named[1]
        complete = inside.strip() and "=" not in inside
        entries = [entry, *([fuller] if (fuller := find(entry.fuller)) else [])]
        return frozenset(
            () if complete else (name for e in entries for name in (*(p.name for p in e.parameters), *e.elsewhere))
        )
    if text.startswith("points:") or is_file_name(text):
        return frozenset()
    return frozenset(_WORD.findall(text))


def _label(text: str) -> str:
    line = _on_one_line(text)
    return line if len(line) <= _LONGEST_LABEL else f"{line[: _LONGEST_LABEL - 4]} ..."


def _read_text(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    if text.startswith("points:"):
        return _read_points(text, parameters)
    if is_file_name(text):
        return _read_file(text, parameters)
    if _FUNCTION.fullmatch(text):
        return _read_function(text, parameters)
    if named := split_name(text, parameters):
        return _named(*_bound(*named, parameters))
    return _read_expression(text, parameters)


def _bound(name: str, text: str, parameters: Mapping[str, float]) -> tuple[Entry, dict[str, float]]:
    """The line of the catalogue, and the value of every parameter."""
    beside = {key: value for key, value in parameters.items() if value is not None}
    entry, positional, inside = split_arguments(name, text, beside)
    for option, words in entry.choices.items():
        if str(beside.get(option)) in words:
            entry = entry_of(words[str(beside.pop(option))])
    by_name = [(key, _number(entry, value, key)) for key, value in inside]
    return entry, entry.bind([_number(entry, value) for value in positional], [*by_name, *beside.items()], usual(name))


def values_in(spec: str) -> dict[str, float]:
    """The value of every parameter, where the text names an activation of the catalogue; else none."""
    named = split_name(spec.strip(), ())
    return _bound(*named, {})[1] if named else {}


def is_file_name(text: str) -> bool:
    """Whether the text names a file."""
    return text.strip().lower().endswith(_SUFFIXES)


def holds_numbers(text: str) -> bool:
    """Whether the text is points, a file or a Python function: a form in which all is numbers."""
    return bool(text.startswith("points:") or is_file_name(text) or _FUNCTION.fullmatch(text))


def split_name(text: str, parameters: Collection[str]) -> tuple[str, str] | None:
    """The name and what stands in its parentheses, where the text names an activation; None where it is an expression.

    `parameters` are the names that have a value beside the text.
    """
    if _NAME.fullmatch(text) and (find(text) or _is_unknown(text, parameters)):
        return text, ""
    if (call := _CALL.fullmatch(text)) and _is_named(call[1], call[2], parameters):
        return call[1], call[2]
    return None


def entry_of(name: str) -> Entry:
    """The line of the catalogue, or an `ActivationError` that says which names there are."""
    entry = find(name)
    if not entry:
        raise ActivationError(f"{shortened(name)} {refusal(name)}")
    return entry


def split_arguments(
    name: str, inside: str, beside: Collection[str] = ()
) -> tuple[Entry, list[str], list[tuple[str, str]]]:
    """The line of the catalogue that is meant, and what stands in parentheses: texts by position, and by name.

    `beside` are the names of parameters that have a value beside the text.

    Raises:
        ActivationError: no such activation, a name that is none, or a position after a name.
    """
    entry = entry_of(name)
    positional: list[str] = []
    named: list[tuple[str, str]] = []
    for part in _parts(inside):
        key, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not value or (equals and not key.isidentifier()):
            raise _unreadable(entry, part)
        option, word = key if equals else next(iter(entry.choices), ""), value.strip("'\"")
        if word in entry.choices.get(option, {}):
            entry = entry_of(entry.choices[option][word])
            continue
        if value == "None" or (value in _TRUTHS and (not equals or key in _IDLE)):
            continue
        if equals:
            named.append((key, value))
        elif named:
            raise ActivationError(f"{entry.name}: {value} stands after {named[-1][0]}=…: name it too, or put it first")
        else:
            positional.append(value)
    asked = [*(key for key, _ in named), *beside]
    if (fuller := find(entry.fuller)) and any(fuller.takes(key) and not entry.takes(key) for key in asked):
        entry = fuller
    return entry, positional, named


def _parts(inside: str) -> list[str]:
    """The arguments between the commas; the input of a function of another library, as in relu6(x), is none."""
    parts = _COMMA.split(inside) if inside.strip() else []
    return parts[1:] if parts and parts[0].strip() in _INPUT else parts


def _read_points(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    from meanfield.activations.points import parse_points

    _no_parameters("a list of points", parameters)
    label = _label(text)
    phi = _rounded(label, parse_points(text))
    return NamedActivation(label, told(phi), phi)


def _read_file(path: str, parameters: Mapping[str, float]) -> NamedActivation:
    from meanfield.activations.files import read_file

    _no_parameters("a file", parameters)
    name, phi = read_file(path)
    return NamedActivation(name, told(phi), phi)


def _read_function(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    from meanfield.activations.user_code import sample_named

    _no_parameters("a function", parameters)
    phi = sample_named(text)
    return NamedActivation(text, told(phi), phi)


def _read_expression(text: str, parameters: Mapping[str, float]) -> NamedActivation:
    pieces = parse_expression(text, parameters)
    line = _on_one_line(text)
    whole = line + "".join(f", {name}={written(value)}" for name, value in parameters.items())
    label = Notation(whole) if len(whole) <= _LONGEST_LABEL else _label(whole)
    phi = _rounded(label, pieces)
    return NamedActivation(label, told(phi, with_values(line, parameters)), phi)


def _named(entry: Entry, values: Mapping[str, float]) -> NamedActivation:
    label = Notation(entry.label(values))
    formula = entry.formula_at(values)
    used = {name: value for name, value in values.items() if value < math.inf}
    phi = _rounded(label, parse_expression(formula, used))
    return NamedActivation(label, told(phi, with_values(formula, used)), phi)


def _is_unknown(name: str, parameters: Collection[str]) -> bool:
    """Whether what is in no catalogue is rather a name than an expression."""
    return is_of_library(name) if "." in name else not _is_difference(name, parameters)


def _is_difference(name: str, parameters: Collection[str]) -> bool:
    """Whether a name with dashes is rather a difference, such as x-a."""
    return name in FUNCTIONS or any(word == "x" or word in parameters for word in name.split("-"))


def _is_named(name: str, inside: str, parameters: Collection[str]) -> bool:
    """Whether name(inside) means the catalogue rather than an expression."""
    arguments = [part.strip() for part in _COMMA.split(inside) if part.strip()]
    if name in FUNCTIONS:
        # More than the function takes are parameters, and so are numbers and those with names: round(-8, 8),
        # softplus(2), relu(max_value=6).
        most, entry = FUNCTIONS[name].most, find(name)
        numbers = bool(most) and (len(arguments) > (most or 0) or all(map(_is_number, arguments)))
        beyond = bool(entry and entry.parameters and numbers)
        return bool(entry and (not arguments or beyond or any(_PARAMETER.match(part) for part in arguments)))
    if find(name) or is_of_library(name):
        return True
    if "." in name or _is_difference(name, parameters):
        return False
    return "-" in name or all("=" in part or _is_number(part) for part in arguments)


def _is_number(text: str) -> bool:
    try:
        read_number(text)
    except NotANumber:
        return False
    return True


def _number(entry: Entry, value: str, name: str = "") -> float:
    try:
        return read_number(value)
    except NotANumber:
        raise _unreadable(entry, f"{name}={value}" if name else value) from None


def _unreadable(entry: Entry, part: str) -> ActivationError:
    return ActivationError(f"{entry.name}: {shortened(part.strip())} does not give a parameter a number: {entry.usage}")


def _no_parameters(form: str, parameters: Mapping[str, object]) -> None:
    if parameters:
        raise ActivationError(f"{form} takes no parameters, {shortened(next(iter(parameters)))} given: leave it out")


def _rounded(label: str, pieces: Pieces | Curve) -> Activation:
    try:
        return pieces.rounded()
    except ActivationError as fault:
        raise ActivationError(f"{shortened(label)}: {fault}") from None


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
