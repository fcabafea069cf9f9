"""The named activations, one line each: what it is called, what parameters it takes, and its formula.

A name means its formula and nothing else: the formula is read like any expression that a user writes, so a new
activation is a new line here. This module loads nothing heavy; shell completion reads its names.

Names are compared without regard to case, `-` and `_`: soft-threshold, SoftThreshold and soft_threshold are one.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import TypeVar

from meanfield.errors import ActivationError

__all__ = [
    "ACTIVATIONS",
    "SMOOTH",
    "Activation",
    "Parameter",
    "decimal",
    "find",
    "nearest",
    "number",
    "with_texts",
    "with_values",
]

T = TypeVar("T")


def decimal(value: float) -> str:
    """The shortest decimal that reads back as value: 0.5, 2, 1e-07."""
    return repr(float(value) + 0.0).removesuffix(".0")


def number(name: str, value: object) -> float:
    """The value given to a parameter, as a finite float.

    Raises:
        ActivationError: it is not a real number, or not finite.
    """
    # bool is a number to Python, yet slope=True is a slip; numpy's booleans are no `Real` to begin with.
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ActivationError(f"{name} = {_shown(value)} is not a number: give one, such as 0.5")
    try:
        result = float(value) + 0.0
    except OverflowError:
        raise ActivationError(f"{name} is larger than 1.8e308: give a smaller number") from None
    if not math.isfinite(result):
        raise ActivationError(f"{name} = {result} is not finite: give a number such as 0.5")
    return result


def with_values(formula: str, values: Mapping[str, float]) -> str:
    """The formula with each parameter's name replaced by its value: max(x - tau, 0) becomes max(x - 0.5, 0)."""
    return with_texts(formula, {name: decimal(value) for name, value in values.items()})


def with_texts(formula: str, texts: Mapping[str, str]) -> str:
    """The formula with each parameter's name replaced by a text, in parentheses unless it is a number or a name."""

    def value(match: re.Match[str]) -> str:
        name = unicodedata.normalize("NFKC", match[0])
        if name not in texts:
            return match[0]
        text = texts[name]
        return text if re.fullmatch(r"[\w.]+(?:e[+-]?\d+)?", text) else f"({text})"

    return re.sub(r"\b[^\W\d]\w*\b", value, formula)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a named activation.

    `name`; `bound`, the bound its value keeps ("", ">= 0" or "> 0"); `endless`, whether it may be ∞.
    """

    name: str
    bound: str = ""
    endless: bool = False

    def check(self, activation: str, value: object) -> float:
        """The value as a float, or an `ActivationError` that names value and bound."""
        if self.endless and value == math.inf:
            return math.inf
        result = number(f"{activation}: {self.name}", value)
        self.require(activation, decimal(result), (result > 0) - (result < 0))
        return result

    def require(self, activation: str, value: str, sign: int) -> None:
        """Refuse a value, written as `value`, whose sign breaks the bound, with an `ActivationError`."""
        kept = {"": True, ">= 0": sign >= 0, "> 0": sign > 0}[self.bound]
        if not kept:
            raise ActivationError(f"{activation}: {self.name} = {value} is out of range: give {self.name} {self.bound}")


@dataclass(frozen=True)
class Activation:
    """A line of the catalogue.

    `formula` is an expression in x and the parameters; `unclipped` is that of the limit m → ∞, where there is one;
    `elsewhere` maps the name that another library gives a parameter to ours.
    """

    name: str
    parameters: tuple[Parameter, ...]
    formula: str
    description: str
    aliases: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    unclipped: str = ""

    def formula_at(self, values: Mapping[str, float]) -> str:
        """The formula that holds at these values of the parameters, which stand in it as names."""
        return self.unclipped if math.inf in values.values() else self.formula

    @property
    def signature(self) -> str:
        """How it is written, with its parameters: clipped-relu(tau, m)."""
        names = ", ".join(parameter.name for parameter in self.parameters)
        return f"{self.name}({names})" if names else self.name

    @property
    def usage(self) -> str:
        """How it is written, in words, for messages."""
        if not self.parameters:
            return f"write {self.name} alone"
        return f"write for instance {self.label({parameter.name: 0.5 for parameter in self.parameters})}"

    def bind(self, positional: Sequence[object], named: Sequence[tuple[str, object]]) -> dict[str, float]:
        """The value of every parameter, in order.

        Raises:
            ActivationError: a parameter missing, given twice, unknown, or out of range.
        """
        given = self.assign(positional, named)
        missing = [parameter.name for parameter in self.parameters if parameter.name not in given]
        if missing:
            raise ActivationError(f"{self.name} needs {' and '.join(missing)}: {self.usage}")
        return {parameter.name: parameter.check(self.name, given[parameter.name]) for parameter in self.parameters}

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
            ours = self.elsewhere.get(name, name)
            if ours not in names:
                raise ActivationError(f"{self.name} takes no parameter {_shown(name)}: {self.usage}")
            if ours in given:
                raise ActivationError(f"{self.name}: {ours} is given twice: give it once")
            given[ours] = value
        return given

    def label(self, values: Mapping[str, float]) -> str:
        """Its name with the parameters' values: clipped-relu(tau=0.5, m=1)."""
        inside = ", ".join(f"{name}={decimal(value)}" for name, value in values.items())
        return f"{self.name}({inside})" if inside else self.name


_tau = Parameter("tau", ">= 0")
_m = Parameter("m", "> 0", endless=True)
_slope = Parameter("slope")

#: Every named activation. (PyTorch's names are those of torch.nn.functional.)
ACTIVATIONS: tuple[Activation, ...] = (
    Activation("relu", (), "max(x, 0)", "rectified linear unit"),
    Activation(
        "leaky-relu",
        (_slope,),
        "max(x, 0) + slope*min(x, 0)",
        "ReLU with a slope for negative x; PyTorch's leaky_relu",
        elsewhere={"negative_slope": "slope"},
    ),
    Activation("abs", (), "abs(x)", "absolute value"),
    Activation("identity", (), "x", "no activation: a linear network", ("linear",)),
    Activation("shifted-relu", (_tau,), "max(x - tau, 0)", "ReLU past a threshold: zero up to tau", ("srelu",)),
    Activation(
        "soft-threshold",
        (_tau,),
        "max(x - tau, 0) - max(-x - tau, 0)",
        "shrinks x towards zero by tau; PyTorch's softshrink",
        ("softshrink", "st"),
        {"lambd": "tau"},
    ),
    Activation(
        "clipped-relu",
        (_tau, _m),
        "clip(x - tau, 0, m)",
        "shifted ReLU that stops growing at height m",
        ("crelu",),
        unclipped="max(x - tau, 0)",
    ),
    Activation(
        "clipped-soft-threshold",
        (_tau, _m),
        "clip(x - tau, 0, m) - clip(-x - tau, 0, m)",
        "soft threshold that stops growing at height m",
        ("cst",),
        unclipped="max(x - tau, 0) - max(-x - tau, 0)",
    ),
    Activation(
        "hard-threshold",
        (_tau,),
        "where(abs(x) > tau, x, 0)",
        "keeps x beyond tau, zero within; PyTorch's hardshrink",
        ("hardshrink",),
        {"lambd": "tau"},
    ),
    Activation("hard-tanh", (), "clip(x, -1, 1)", "identity between -1 and 1, flat outside; PyTorch's hardtanh"),
    Activation("hard-sigmoid", (), "clip(x/6 + 1/2, 0, 1)", "ramp from 0 at -3 to 1 at 3; PyTorch's hardsigmoid"),
    Activation("relu6", (), "clip(x, 0, 6)", "ReLU that stops growing at 6; PyTorch's relu6"),
    Activation("sign", (), "sign(x)", "-1 or 1"),
    Activation("step", (), "step(x)", "0 or 1: the perceptron's", ("heaviside",)),
    Activation("ternary", (_tau,), "step(x - tau) - step(-x - tau)", "-1, 0 or 1, zero within tau"),
)

#: Functions that people ask for and that have no pieces: naming one deserves a better answer than "unknown".
SMOOTH = frozenset(
    "acos asin atan celu cos cosh elu erf exp gelu hardswish log logistic mish pow selu sigmoid silu sin sinh "
    "softmax softplus softsign sqrt square swish tan tanh tanhshrink".split()
)


def _key(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


_BY_KEY = {_key(name): entry for entry in ACTIVATIONS for name in (entry.name, *entry.aliases)}


def find(name: str) -> Activation | None:
    """The activation of that name or alias, if there is one."""
    return _BY_KEY.get(_key(name))


def nearest(name: str) -> str | None:
    """The name that a misspelt one most likely means, if any is close."""
    from difflib import get_close_matches

    names = {_key(name): name for entry in ACTIVATIONS for name in (*entry.aliases, entry.name)}
    close = get_close_matches(_key(name), names, n=1, cutoff=0.6)
    return names[close[0]] if close else None


def _counted(names: Sequence[str]) -> str:
    return {0: "no parameters", 1: "1 parameter"}.get(len(names), f"{len(names)} parameters")


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
