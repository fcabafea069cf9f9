"""How weights and biases of given σ_w and σ_b are written in PyTorch, Keras, JAX and numpy.

A framework takes a gain g and a fan, and draws weights of variance g²/fan. The theory's have the variance
σ_w²/fan_in: g is σ_w for a fan of fan_in, and σ_w √(fan/fan_in) for another. docs/initialisers.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from meanfield.domain import require_count, require_scales
from meanfield.errors import DomainError
from meanfield.infinite_width.initialisers import truncated_variance

__all__ = ["DISTRIBUTIONS", "FANS", "Distribution", "Fan", "framework_code", "framework_gain", "numpy_code"]

Distribution = Literal["normal", "truncated", "uniform"]
Fan = Literal["in", "out", "avg"]

DISTRIBUTIONS: tuple[Distribution, ...] = ("normal", "truncated", "uniform")
FANS: tuple[Fan, ...] = ("in", "out", "avg")

#: The fan of a layer of PyTorch, of a convolution too: channels times positions.
_PYTORCH_FAN = {
    "in": "layer.weight[0].numel()",
    "out": "layer.weight[:, 0].numel()",
    "avg": "((layer.weight[0].numel() + layer.weight[:, 0].numel()) / 2)",
}
_KERAS = {"normal": "untruncated_normal", "truncated": "truncated_normal", "uniform": "uniform"}
_JAX = {"normal": "normal", "truncated": "truncated_normal", "uniform": "uniform"}


def framework_gain(sigma_w: float, fan: Fan = "in", fan_in: int | None = None, fan_out: int | None = None) -> float:
    """g with Var W = g²/fan, such that fan_in·Var W = σ_w².

    Without fans the layer has as many inputs as outputs, and g is σ_w.

    Raises:
        DomainError: a fan of outputs or an average with one of fan_in and fan_out alone; a number out of range.
    """
    if fan not in FANS:
        raise DomainError(f"fan = {fan!r} is not known: give one of {', '.join(FANS)}")
    for name, count in (("fan_in", fan_in), ("fan_out", fan_out)):
        if count is not None:
            require_count(name, count)
    if fan == "in" or (fan_in is None and fan_out is None):
        return sigma_w
    if fan_in is None or fan_out is None:
        given, missing = ("fan_out", "fan_in") if fan_in is None else ("fan_in", "fan_out")
        raise DomainError(
            f"fan = {fan} (--fan {fan}) with {given} needs {missing} too: give both (--fan-in, --fan-out), or neither "
            "for a layer of as many inputs as outputs"
        )
    return sigma_w * math.sqrt((fan_out if fan == "out" else (fan_in + fan_out) / 2) / fan_in)


def framework_code(
    sigma_w: float,
    sigma_b: float = 0.0,
    weights: Distribution = "normal",
    fan: Fan = "in",
    fan_in: int | None = None,
    fan_out: int | None = None,
    *,
    exact: bool = False,
    generator: str = "",
) -> dict[str, tuple[str, str]]:
    """By framework, the code of the weights and that of the biases, each an expression.

    PyTorch's fills `layer.weight` and `layer.bias` of a linear layer or a convolution; Keras's and JAX's are
    initialisers to give to a layer. All run after `import torch`, `import keras` and `import jax`.

    Args:
        sigma_w, sigma_b: of the theory: weights of variance σ_w²/fan_in, biases of variance σ_b².
        weights: the law of a weight; "truncated" is cut at two standard deviations, as Keras and JAX do.
        fan: the fan that the framework is told.
        fan_in, fan_out: of the layer, where `fan` is another than fan_in; without them the two are equal.
        exact: whether numbers have all their digits, rather than ten.
        generator: what PyTorch's generator of random numbers is called, if it is not the global one.

    Raises:
        DomainError: a number out of range, an unknown law or fan, one fan missing.
    """
    require_scales(sigma_w, sigma_b)
    if weights not in DISTRIBUTIONS:
        raise DomainError(f"weights = {weights!r} is not known: give one of {', '.join(DISTRIBUTIONS)}")
    gain = framework_gain(sigma_w, fan, fan_in, fan_out)
    written = _exactly if exact else _written
    scale, mode = written(gain * gain), f"fan_{fan}"
    keras = f'keras.initializers.VarianceScaling(scale={scale}, mode="{mode}", distribution="{_KERAS[weights]}")'
    jax = f'jax.nn.initializers.variance_scaling(scale={scale}, mode="{mode}", distribution="{_JAX[weights]}")'
    sd, drawn = written(sigma_b), f", generator={generator}" if generator else ""
    return {
        "pytorch": (
            _pytorch(gain, weights, fan, written, drawn),
            f"torch.nn.init.normal_(layer.bias, std={sd}{drawn})" if sigma_b else "torch.nn.init.zeros_(layer.bias)",
        ),
        "keras": (keras, f"keras.initializers.RandomNormal(stddev={sd})" if sigma_b else "keras.initializers.Zeros()"),
        "jax": (jax, f"jax.nn.initializers.normal(stddev={sd})" if sigma_b else "jax.nn.initializers.zeros"),
    }


def numpy_code(sigma_w: float, sigma_b: float = 0.0) -> tuple[str, str]:
    """The weights, shape (fan_out, fan_in), and the biases of a layer, drawn by `rng`, each an expression, exact.

    Raises:
        DomainError: a number out of range.
    """
    require_scales(sigma_w, sigma_b)
    weights = f"rng.normal(0.0, {_exactly(sigma_w)} / fan_in**0.5, (fan_out, fan_in))"
    return weights, f"rng.normal(0.0, {_exactly(sigma_b)}, fan_out)" if sigma_b else "np.zeros(fan_out)"


def _pytorch(gain: float, weights: Distribution, fan: Fan, written: Callable[[float], str], drawn: str) -> str:
    if fan == "avg" and weights != "truncated":
        return f"torch.nn.init.xavier_{weights}_(layer.weight, gain={written(gain)}{drawn})"
    per_fan = f" / {_PYTORCH_FAN[fan]} ** 0.5"
    if weights == "normal":
        return f"torch.nn.init.normal_(layer.weight, std={written(gain)}{per_fan}{drawn})"
    if weights == "uniform":
        bound = f"{written(gain * math.sqrt(3))}{per_fan}"
        return f"torch.nn.init.uniform_(layer.weight, a=-(bound := {bound}), b=bound{drawn})"
    # PyTorch does not make up for what it cuts off.
    std = f"{written(gain / math.sqrt(truncated_variance()))}{per_fan}"
    return f"torch.nn.init.trunc_normal_(layer.weight, std=(std := {std}), a=-2 * std, b=2 * std{drawn})"


def _written(number: float) -> str:
    """Enough digits for weights of single precision, and for reading."""
    return f"{number:.10g}"


def _exactly(number: float) -> str:
    """Every digit."""
    return repr(float(number))
