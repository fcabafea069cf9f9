"""What a line of the catalogue is: an activation's name, its parameters with their bounds, and its formula.

This module loads nothing heavy, as the catalogue does not.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TypeVar

from meanfield.errors import ActivationError, shortened

__all__ = ["Entry", "Parameter", "decimal", "number", "with_texts", "with_values", "written"]

T = TypeVar("T")

#: A decimal of more characters is looked at as a fraction, if the number is no larger.
_LONG = 12


def decimal(value: float) -> str:
    """The shortest decimal that reads back as value: 0.5, 2, 1e-07."""
    return repr(float(value) + 0.0).removesuffix(".0")


def written(value: float) -> str:
    """The value as a person writes it: as a decimal, or 1/3 where that is shorter and reads back as it."""
    text = decimal(value)
    for denominator in range(2, 100) if len(text) > _LONG and abs(value) < _LONG else ():
        numerator = round(value * denominator)
        if numerator / denominator == value:
            return f"{numerator}/{denominator}"
    return text


def number(name: str, value: object) -> float:
    """The value given to a parameter, as a finite float.

    Raises:
        ActivationError: it is not a real number, or not finite.
    """
    # bool is a number to Python, yet slope=True is a slip; numpy's booleans are no `Real` to begin with.
    if isinstance(value, bool) or not isinstance(value, Real):
        shown = f"'{shortened(value)}'" if isinstance(value, str) else shortened(value)
        raise ActivationError(f"{name} = {shown} is not a number: give one, such as 0.5")
    try:
        result = float(value) + 0.0
    except OverflowError:
        raise ActivationError(f"{name} is larger than 1.8e308: give a smaller number") from None
    if not math.isfinite(result):
        raise ActivationError(f"{name} = {result} is not finite: give a number such as 0.5")
    return result


def with_values(formula: str, values: Mapping[str, float]) -> str:
    """The formula with each parameter's name replaced by its value: max(x - tau, 0) becomes max(x - 0.5, 0)."""
    return with_texts(formula, {name: written(value) for name, value in values.items()})


def with_texts(formula: str, texts: Mapping[str, str]) -> str:
    """The formula with each parameter's name replaced by a text, in parentheses where it needs them."""

    def value(match: re.Match[str]) -> str:
        name = unicodedata.normalize("NFKC", match[0])
        if name not in texts:
            return match[0]
        text = texts[name]
        before, after = formula[: match.start()].rstrip(), formula[match.end() :].lstrip()
        alone = before.endswith(("(", ",")) and after.startswith((")", ","))
        return text if alone or re.fullmatch(r"[\w.]+(?:e[+-]?\d+)?", text) else f"({text})"

    return re.sub(r"\b[^\W\d]\w*\b", value, formula)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a named activation.

    `name`; `bound`, the bound its value keeps ("", ">= 0" or "> 0"); `endless`, whether it may be ∞; `default`, its
    value where none is given; `example`, one for messages; `whole`, the least and the largest of whole numbers.
    """

    name: str
    bound: str = ""
    endless: bool = False
    default: float | None = None
    example: float = 0.5
    whole: tuple[int, int] | None = None

    def check(self, activation: str, value: object) -> float:
        """The value as a float, or an `ActivationError` that names value and bound."""
        if self.endless and value == math.inf:
            return math.inf
        result = number(f"{activation}: {self.name}", value)
        self.require(activation, decimal(result), (result > 0) - (result < 0))
        if self.whole and not (result.is_integer() and self.whole[0] <= result <= self.whole[1]):
            least, most = self.whole
            raise ActivationError(
                f"{activation}: {self.name} = {decimal(result)} is out of range: give a whole number from {least} to "
                f"{most}"
            )
        return result

    def require(self, activation: str, value: str, sign: int) -> None:
        """Refuse a value, written as `value`, whose sign breaks the bound, with an `ActivationError`."""
        kept = {"": True, ">= 0": sign >= 0, "> 0": sign > 0}[self.bound]
        if not kept:
            raise ActivationError(f"{activation}: {self.name} = {value} is out of range: give {self.name} {self.bound}")

    @property
    def domain(self) -> str:
        """The values that it takes, and its default: tau >= 0, min_val=-1, theta=1 (>= 0), bits from 1 to 12."""
        within = f"from {self.whole[0]} to {self.whole[1]}" if self.whole else self.bound
        if within and self.default is not None:
            within = f"({within})"
        return f"{self.signature} {within}".strip()

    @property
    def signature(self) -> str:
        """How it stands between parentheses: tau, or min_val=-1 where it has a default."""
        return self.name if self.default is None else f"{self.name}={written(self.default)}"


@dataclass(frozen=True)
class Entry:
    """A line of the catalogue.

    `formula` is an expression in x and the parameters; `unclipped` is that of the limit of an endless parameter, where
    there is one; `elsewhere` maps the name that another library gives a parameter to ours, or to "" where φ does not
    depend on it; `usual` holds values of parameters where none is given, by the name that the activation is called;
    `ascending` are two parameters, the first below the second; `fuller` is the activation that is meant where it is
    given parameters that it does not have; `choices` are arguments that are words, and which activation each means.
    """

    name: str
    parameters: tuple[Parameter, ...]
    formula: str
    description: str
    aliases: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    unclipped: str = ""
    usual: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    ascending: tuple[str, str] | None = None
    fuller: str = ""
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def formula_at(self, values: Mapping[str, float]) -> str:
        """The formula that holds at these values of the parameters, which stand in it as names."""
        return self.unclipped if math.inf in values.values() else self.formula

    @property
    def signature(self) -> str:
        """How it is written, with its parameters: clipped-relu(tau, m)."""
        inside = ", ".join(parameter.signature for parameter in self.parameters)
        return f"{self.name}({inside})" if inside else self.name

    @property
    def usage(self) -> str:
        """How it is written, in words, for messages."""
        if not self.parameters:
            return f"write {self.name} alone"
        examples = {p.name: p.example if p.default is None else p.default for p in self.parameters}
        inside = ", ".join(f"{name}={written(value)}" for name, value in examples.items())
        return f"write for instance {self.name}({inside})"

    def takes(self, name: str) -> bool:
        """Whether it has a parameter of that name, here or elsewhere."""
        return name in self.elsewhere or any(parameter.name == name for parameter in self.parameters)

    def bind(
        self, positional: Sequence[object], named: Sequence[tuple[str, object]], usual: Mapping[str, float]
    ) -> dict[str, float]:
        """The value of every parameter, in order: what is given, else what is `usual`, else the default.

        Raises:
            ActivationError: a parameter missing, given twice, unknown, or out of range.
        """
        given = {**usual, **self.assign(positional, named)}
        missing = [p.name for p in self.parameters if p.name not in given and p.default is None]
        if missing:
            raise ActivationError(f"{self.name} needs {' and '.join(missing)}: {self.usage}")
        values = {p.name: p.check(self.name, given.get(p.name, p.default)) for p in self.parameters}
        if self.ascending and not values[self.ascending[0]] < values[self.ascending[1]]:
            low, high = self.ascending
            raise ActivationError(
                f"{self.name}: {low} = {decimal(values[low])} is not below {high} = {decimal(values[high])}: give "
                f"{low} < {high}"
            )
        return values

    def assign(self, positional: Sequence[T], named: Sequence[tuple[str, T]]) -> dict[str, T]:
        """What is given to each parameter, unchecked; some may be missing.

        Raises:
            ActivationError: a parameter given twice, or unknown.
        """
        names = [parameter.name for parameter in self.parameters]
        if len(positional) > len(names):
            raise ActivationError(f"{self.name} takes {_counted(names)}, not {len(positional)}: {self.usage}")
        given = dict(zip(names, positional, strict=False))
        for name, value in named:
            if not (ours := self.elsewhere.get(name, name)):
                continue
            if ours not in names:
                raise ActivationError(f"{self.name} takes no parameter '{shortened(name)}': {self.usage}")
            if ours in given:
                raise ActivationError(f"{self.name}: {ours} is given twice: give it once")
            given[ours] = value
        return given

    def label(self, values: Mapping[str, float]) -> str:
        """Its name with the parameters' values, defaults left out: clipped-relu(tau=0.5, m=1), hard-tanh."""
        shown = [p.name for p in self.parameters if values[p.name] != p.default]
        inside = ", ".join(f"{name}={written(values[name])}" for name in shown)
        return f"{self.name}({inside})" if inside else self.name


def _counted(names: Sequence[str]) -> str:
    return {0: "no parameters", 1: "1 parameter"}.get(len(names), f"{len(names)} parameters")
