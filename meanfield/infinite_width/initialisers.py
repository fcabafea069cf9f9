"""What a framework's initialiser amounts to: the σ_w and σ_b of a layer whose weights it draws.

As the width grows, of the law of the weights nothing is left but its variance: σ_w² = fan_in·Var W, σ_b² = Var b. Most
initialisers draw weights of variance s/fan, and are here their s and their fan: for a fan of fan_in σ_w² is s, whatever
the layer. docs/initialisers.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from scipy.special import gammainc

from meanfield.domain import require_count
from meanfield.errors import DomainError
from meanfield.infinite_width.initialiser_call import Parameters, read_call

__all__ = ["INITIALISERS", "Initialisation", "initialisation", "truncated_variance"]

#: Where frameworks cut normal weights, in standard deviations.
CUT = 2.0


def truncated_variance(cut: float = CUT) -> float:
    """Variance of a standard normal number that is drawn again while it is beyond ±`cut`: (0.8796…)² at 2."""
    if cut < 1e-8:
        return cut * cut / 3
    # A chi-square: no difference of numbers nearly alike.
    return float(gammainc(1.5, cut * cut / 2) / gammainc(0.5, cut * cut / 2))


@dataclass(frozen=True)
class Initialisation:
    """The weights and biases that an initialiser draws.

    Attributes:
        name: the initialiser, as it was understood.
        distribution: of a weight: "normal", "truncated normal", "uniform" or "orthogonal".
        sigma_w: σ_w, the standard deviation of a weight times √fan_in.
        sigma_b: σ_b, None where the initialiser says nothing of biases.
        weight_sd: standard deviation of a weight, None where it needs a fan that is not given.
        square: whether fan_out = fan_in was assumed, neither being given and their ratio needed.
    """

    name: str
    distribution: str
    sigma_w: float
    sigma_b: float | None
    weight_sd: float | None
    square: bool = False


@dataclass(frozen=True)
class _Fans:
    """Inputs and outputs of a layer, as far as they are given."""

    name: str
    fan_in: int | None
    fan_out: int | None

    def of(self, mode: str | None) -> float:
        """What a variance is divided by: nothing without a mode."""
        if mode is None:
            return 1.0
        if mode == "fan_in":
            return self._given("fan_in", self.fan_in)
        if mode == "fan_out":
            return self._given("fan_out", self.fan_out)
        fan_in, fan_out = self.of("fan_in"), self.of("fan_out")
        means = {"fan_avg": (fan_in + fan_out) / 2, "fan_geo_avg": math.sqrt(fan_in * fan_out)}
        # Of an orthogonal matrix the longer side: rows or columns, whichever are fewer, have unit length.
        return means.get(mode, max(fan_in, fan_out))

    def inputs_over(self, mode: str | None) -> float:
        """fan_in/fan: 1 for fan_in itself, whatever it is, and for every fan of a square layer."""
        return 1.0 if mode == "fan_in" or self.square(mode) else self.of("fan_in") / self.of(mode)

    def square(self, mode: str | None) -> bool:
        """Whether, for want of both fans, the layer is taken to have as many inputs as outputs."""
        return mode not in (None, "fan_in") and self.fan_in is None and self.fan_out is None

    def _given(self, name: str, count: int | None) -> float:
        if count is None:
            option = name.replace("_", "-")
            raise DomainError(
                f"what {self.name} amounts to depends on {name}, which is not given: give {name} (--{option}), or "
                "--width for a layer of as many inputs as outputs"
            )
        return float(count)


#: A variance as s over a fan: s, and the mode that names the fan (None: s itself).
Variance = tuple[float, str | None]


@dataclass(frozen=True)
class Initialiser:
    """A line of `INITIALISERS`.

    Attributes:
        name: as PyTorch or Keras call it.
        also: what else it is called.
        distribution: of a weight.
        parameters: their defaults, a number or a word; None where one has to be given.
        weights: the variance of a weight, from the parameters.
        biases: the variance of a bias, None where that is the user's own.
    """

    name: str
    also: tuple[str, ...]
    distribution: str
    parameters: Parameters
    weights: Callable[[Parameters], Variance]
    biases: Variance | None = None


def initialisation(text: str, fan_in: int | None = None, fan_out: int | None = None) -> Initialisation:
    """What the initialiser `text` amounts to in a layer of `fan_in` inputs and `fan_out` outputs.

    Args:
        text: a name in the spelling of PyTorch, Keras, JAX or Haiku, with parameters after a colon or in parentheses:
            "kaiming_uniform:a=2.236", "VarianceScaling(scale=2, mode='fan_avg')", "torch-default".
        fan_in, fan_out: needed only where σ_w or σ_b depends on them; of a convolution, channels times positions. Where
            their ratio alone counts and neither is given, they are equal.

    Raises:
        DomainError: an unknown initialiser or parameter, a mean that is not 0, a fan missing.

    Example:
        >>> round(initialisation("kaiming_uniform:a=2.23606797749979").sigma_w, 5)
        0.57735
    """
    for name, count in (("fan_in", fan_in), ("fan_out", fan_out)):
        if count is not None:
            require_count(name, count)
    known = {one.name: (one.also, one.parameters) for one in INITIALISERS.values()}
    name, given, shown = read_call(text, known)
    initialiser, fans = INITIALISERS[name], _Fans(shown, fan_in, fan_out)
    scale, mode = initialiser.weights(given)
    if not (0 < scale < math.inf):
        raise DomainError(f"{shown} draws weights of variance {scale:g}: give it a scale > 0 whose square is a double")
    biases = initialiser.biases
    distribution = (
        str(given.get("distribution", initialiser.distribution)).removeprefix("untruncated_").replace("_", " ")
    )
    return Initialisation(
        name=shown,
        distribution=distribution,
        sigma_w=math.sqrt(scale * fans.inputs_over(mode)),
        sigma_b=None if biases is None else math.sqrt(biases[0] / fans.of(biases[1])),
        weight_sd=None if mode and fan_in is None else math.sqrt(scale / fans.of(mode)),
        square=fans.square(mode),
    )


def _number(given: Parameters, name: str) -> float:
    value = given[name]
    assert isinstance(value, float)
    return value


def _square(given: Parameters, name: str) -> float:
    # A product, for a power that overflows is an error rather than ∞.
    return _number(given, name) * _number(given, name)


def _spread(given: Parameters) -> float:
    """std², of weights of mean 0."""
    if given["mean"]:
        raise DomainError(f"weights of mean {given['mean']:g}: the theory is of weights of mean 0; leave mean out")
    if not _number(given, "std") > 0:
        raise DomainError(f"std = {given['std']:g} is no standard deviation: give a number > 0")
    return _square(given, "std")


def _kaiming(given: Parameters) -> Variance:
    """PyTorch's calculate_gain, over the fan."""
    squares = {"relu": 2.0, "tanh": 25 / 9, "selu": 9 / 16, "leaky_relu": 2 / (1 + _square(given, "a"))}
    return squares.get(str(given["nonlinearity"]), 1.0), str(given["mode"])


def _glorot(given: Parameters) -> Variance:
    return _square(given, "gain"), "fan_avg"


def _orthogonal(given: Parameters) -> Variance:
    return _square(given, "gain"), "longer side"


def _scaled(given: Parameters) -> Variance:
    scale, mode = _number(given, "scale"), str(given["mode"])
    cut = given["distribution"] == "truncated_normal" and given["corrected"] == "no"
    return scale * (truncated_variance() if cut else 1.0), mode


def _truncated(scale: float, mode: str) -> Callable[[Parameters], Variance]:
    def variance(given: Parameters) -> Variance:
        return scale * (truncated_variance() if given["corrected"] == "no" else 1.0), mode

    return variance


def _fixed(scale: float, mode: str) -> Callable[[Parameters], Variance]:
    return lambda given: (scale, mode)


def _normal(given: Parameters) -> Variance:
    return _spread(given), None


def _cut_where_told(given: Parameters) -> Variance:
    """PyTorch cuts at a and b themselves, not at so many standard deviations."""
    high = _symmetric(given, "a", "b", "trunc_normal:std=0.02,a=-0.04,b=0.04")
    return _spread(given) * truncated_variance(high / _number(given, "std")), None


def _cut_in_units(given: Parameters) -> Variance:
    """Keras, JAX and Haiku cut at so many standard deviations, and leave the variance smaller than std²."""
    high = _symmetric(given, "lower", "upper", "truncated_normal:std=0.05,lower=-2,upper=2")
    return _spread(given) * truncated_variance(high), None


def _uniform(given: Parameters) -> Variance:
    high = _symmetric(given, "a", "b", "uniform:a=-0.1,b=0.1")
    return high * high / 3, None


def _symmetric(given: Parameters, low: str, high: str, example: str) -> float:
    """The half-width of an interval around 0."""
    a, b = _number(given, low), _number(given, high)
    if a != -b or not b > 0:
        raise DomainError(
            f"weights between {a:g} and {b:g} are not even about 0, and the theory is of weights of mean 0: give "
            f"{low} = -{high}, such as {example}"
        )
    return b


_CORRECTED = {"corrected": "yes"}
_FAN: Parameters = {"a": 0.0, "mode": "fan_in", "nonlinearity": "leaky_relu"}
_NORMAL, _TRUNCATED, _UNIFORM = "normal", "truncated normal", "uniform"

#: Every initialiser, by name.
INITIALISERS: Mapping[str, Initialiser] = MappingProxyType(
    {
        one.name: one
        for one in (
            Initialiser("kaiming_uniform", (), _UNIFORM, _FAN, _kaiming),
            Initialiser("kaiming_normal", (), _NORMAL, _FAN, _kaiming),
            Initialiser("xavier_uniform", (), _UNIFORM, {"gain": 1.0}, _glorot),
            Initialiser("xavier_normal", (), _NORMAL, {"gain": 1.0}, _glorot),
            Initialiser("he_uniform", (), _UNIFORM, {}, _fixed(2.0, "fan_in")),
            Initialiser("he_normal", (), _TRUNCATED, _CORRECTED, _truncated(2.0, "fan_in")),
            Initialiser("glorot_uniform", (), _UNIFORM, {}, _fixed(1.0, "fan_avg")),
            Initialiser("glorot_normal", (), _TRUNCATED, _CORRECTED, _truncated(1.0, "fan_avg")),
            Initialiser("lecun_uniform", (), _UNIFORM, {}, _fixed(1.0, "fan_in")),
            Initialiser("lecun_normal", (), _TRUNCATED, _CORRECTED, _truncated(1.0, "fan_in")),
            Initialiser(
                "variance_scaling",
                (),
                _TRUNCATED,
                {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", **_CORRECTED},
                _scaled,
            ),
            Initialiser("orthogonal", (), "orthogonal", {"gain": 1.0}, _orthogonal),
            Initialiser("normal", ("random_normal",), _NORMAL, {"mean": 0.0, "std": None}, _normal),
            Initialiser("uniform", ("random_uniform",), _UNIFORM, {"a": None, "b": None}, _uniform),
            Initialiser(
                "trunc_normal", (), _TRUNCATED, {"mean": 0.0, "std": 1.0, "a": -2.0, "b": 2.0}, _cut_where_told
            ),
            Initialiser(
                "truncated_normal",
                (),
                _TRUNCATED,
                {"std": None, "mean": 0.0, "lower": -CUT, "upper": CUT},
                _cut_in_units,
            ),
            Initialiser(
                "torch-default",
                ("pytorch-default", "equinox-default"),
                _UNIFORM,
                {},
                _fixed(1 / 3, "fan_in"),
                (1 / 3, "fan_in"),
            ),
            Initialiser("keras-default", ("tensorflow-default",), _UNIFORM, {}, _fixed(1.0, "fan_avg"), (0.0, None)),
            Initialiser("flax-default", (), _TRUNCATED, {}, _fixed(1.0, "fan_in"), (0.0, None)),
            Initialiser("haiku-default", (), _TRUNCATED, {}, _fixed(truncated_variance(), "fan_in"), (0.0, None)),
        )
    }
)
