"""Activations of every kind, and how a layer of PyTorch is looked at."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import meanfield as mf
from meanfield.activations.catalogue import ACTIVATIONS


def of_entry(entry: Any) -> mf.PiecewiseLinear:
    return mf.activation(
        entry.name, **{p.name: p.example if p.default is None else p.default for p in entry.parameters}
    )


def dying_ripple(x: np.ndarray) -> np.ndarray:
    """Known by its values alone."""
    return np.tanh(x) * np.exp(-x * x / 20)


NAMED = {entry.name: of_entry(entry) for entry in ACTIVATIONS}
STRAIGHT = {
    "clipped both ways": mf.activation("clip(x - 0.5, 0, 1) - clip(-x - 1.1, 0, 0.9)"),
    "four slopes": mf.activation("points: (-1,0) (0,0.2) (1,1); left=0.3, right=1/3"),
    "two flat zeros": mf.activation("max(0, 1 - abs(x - 1/3)) - max(0, 0.7 - abs(x + 1.3))"),
    "jumps and slopes": mf.activation("where(abs(x) > 0.3, x, 0) + 0.7*step(x - 1) - 0.1"),
    "many knots": mf.activation("x/3 + round(clip(20*x, -40, 40))/40"),
    "256 levels": mf.activation("quantize(bits=8)"),
    "knots close together": mf.PiecewiseLinear([0, 1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 6e-6, 9], range(9), [0.0] * 9),
    "constant": mf.PiecewiseLinear([], [0], [0.5]),
    "line": mf.activation("0.3*x - 0.7"),
    "slopes apart by sign": mf.activation("max(x, 0) - 0.3*min(x, 0) + 0.1"),
}
SMOOTH = {
    text: mf.activation(text)
    for text in (
        "where(x < 0, expm1(x), sqrt(1 + x) - 1)",
        "1/cosh(x)",
        "x**3/(1 + x**4)",
        "relu(x)**1.5",
        "tanh(x)**2 - 0.3*sin(2*x)",
        "log(1 + x**2) - 0.5",
        "where(abs(x) < 0.5, 0, tanh(x - sign(x)/2))",
        "elu(alpha=0.3)",
        "celu(alpha=1.7)",
        "softplus(beta=3)",
        "Phi(2*x)*exp(x/4)",
    )
} | {"values": mf.activation(dying_ripple)}
ALL = NAMED | STRAIGHT | SMOOTH

#: What the layers are looked at: far and near, no knot of any of them.
X = np.unique(np.concatenate([np.linspace(-8, 8, 3001), [-700.0, -45.0, 45.0, 700.0]])) + math.pi * 1e-5


def with_slopes(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = x.clone().requires_grad_()
    value = function(leaf)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope
