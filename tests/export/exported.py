"""Activations to be written out, what their code is compared at, and how near it has to come."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
from numpy.typing import NDArray

import meanfield as mf
from meanfield.activations.catalogue import ACTIVATIONS
from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.activations.smooth import Smooth
from meanfield.export.derivatives import derivative
from meanfield.export.languages import Framework
from meanfield.infinite_width.mean_field import MeanField

Array = NDArray[np.float64]


def _in_the_catalogue() -> dict[str, Any]:
    named = {}
    for entry in ACTIVATIONS:
        values = {p.name: p.example if p.default is None else p.default for p in entry.parameters}
        named[entry.name] = mf.activation(entry.name, **values)
    return named


_KNOTS = np.linspace(-2.0, 2.1, 11)
#: By name, the whole catalogue and some of whatever else can be written.
SUBJECTS: dict[str, Any] = _in_the_catalogue() | {
    text: mf.activation(text)
    for text in [
        "max(x - 1/3, 0) - 0.7*max(x - 1, 0)",
        "min(x + 0.1, 0)/3",
        "2*max(-x - 1/3, 0)",
        "clip(-0.3*x, -1, 0.2)",
        "0.5",
        "-x",
        "max(1 - abs(x), 0)",
        "max(x, -0.2*x) + clip(x, 1, 2)",
        "where(x < -1, x + 1, where(x < 0.3, 0, where(x < 2, x, 1)))",
        "tanh(x) - x",
        "-(x + 1)**2",
        "where(x < 1, 0, log(x))",
        "relu(x)**1.5",
        "where(x < 0, sqrt(1 - x) - 1, x**3)",
        "1/(1 + x**2)**0.75 - 0.25",
        "exp(-x**2/2)*sin(3*x)",
        "softplus(2*x) - log(2)",
        "logsigmoid(-x)/2 + logsigmoid(x)",
        "log(cosh(2*x - 1))",
        "tanhshrink(x/3)*cos(x)",
        "sinh(clip(x, -1, 1))",
        "cosh(x/9)",
        "where(x > 0, x, 0.7*expm1(x))",
        "asinh(x) + atan(2*x)",
        "(x + sqrt(x**2 + 4))/2 - Phi(x)",
        "erf(x/2)*relu(x)",
    ]
}
SUBJECTS["eleven knots"] = PiecewiseLinear(
    _KNOTS, np.append(np.cos(3 * _KNOTS), 0.0), np.append(np.sin(5 * _KNOTS), 0.0)
)


def network(phi: Any) -> MeanField:
    return MeanField(phi, 1.3, 0.4)


def ran(text: str) -> dict[str, Any]:
    """The names that a module defines."""
    module: dict[str, Any] = {}
    exec(compile(text, "snippet", "exec"), module)
    return module


def code(name: str, framework: Framework) -> str:
    return mf.snippet(network(SUBJECTS[name]), framework)


def imported(text: str) -> set[str]:
    """The packages that a module imports, wherever it does."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(f"{node.module}".partition(".")[0])
    return names


def points(phi: Any) -> Array:
    """Where units are, also far out and near 0; no break among them, where a slope has two sides."""
    far = np.concatenate([10.0 ** np.arange(-9, 2), [20.0, 35.0]])
    x = np.concatenate([np.random.default_rng(3).normal(0, 3, 3000), far, -far])
    return np.setdiff1d(x, phi.breaks)


def size(phi: Any, x: Array) -> Array:
    """How large what is added up in φ(x) is: no two ways of adding it agree better than to rounding of that."""
    if isinstance(phi, Smooth):
        return phi.size(x)
    piece = np.searchsorted(phi.knots, x, side="right")
    return np.abs(np.take(phi.slopes, piece) * x) + np.abs(np.take(phi.intercepts, piece))


def slope_size(phi: Any, x: Array) -> Array:
    """The same of φ'(x)."""
    if isinstance(phi, Smooth):
        return Smooth(phi.breaks, tuple(map(derivative, phi.pieces))).size(x)
    return np.abs(phi.with_slopes(x)[1])


def is_near(found: Any, exact: Array, scale: Array, tolerance: float) -> bool:
    return bool((np.abs(np.asarray(found) - exact) <= tolerance * scale).all())
