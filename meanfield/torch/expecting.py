"""What theory says a layer of random weights makes of what was measured one layer before, at these widths.

The variance map is applied to the measured variances, and the measured q differs from what it says for two reasons.
The units before are N numbers: given their q, the mean of φ² over them has the variance

    Σ_{n ≠ 0, 2} cₙ² ρⁿ / N

for two columns of correlation ρ, cₙ the Hermite coefficients of φ² at q (n = 2 is q itself), and the mean
V(q) − V''(q) q²/N. The units after are N' numbers w·x + b, and the mean of their squares has a variance of its own.
Both are averaged over all pairs of columns. docs/torch.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm, t as student

from meanfield.activations.activation import Activation
from meanfield.errors import MeanFieldError
from meanfield.finite_width.layer_noise import layer_noise
from meanfield.infinite_width.hermite import power
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import fourth_moment, second_moment
from meanfield.torch.measuring import Measured, Weighed, pairs_of

__all__ = ["Expected", "columns", "expected_gain", "expected_rho", "expected_variance", "expected_zeros", "products"]

Array = NDArray[np.float64]
#: Terms of a series in ρ; the rest is put in one more.
_TERMS = 40
#: What was measured in single precision has no smaller spread.
_ROUNDING = 1e-6
#: Layers drawn for the spread of ρ: as many as so many numbers make, but no more of narrow ones, and no fewer of wide
#: ones as long as these are not of more numbers than the last.
_NUMBERS, _MOST_DRAWN, _LEAST_DRAWN, _MOST_NUMBERS = 120_000, 200, 40, 4_000_000
#: Fewer tell no spread; and so many units tell their own noise.
_FEWEST, _MANY = 8, 32


@dataclass(frozen=True)
class Expected:
    """A quantity in theory: its `value`, and its standard deviation at this width, None where it is not known."""

    value: float
    sd: float | None = None

    def z(self, seen: float | None) -> float | None:
        """How many standard deviations what was seen is away; None without one."""
        if seen is None or not self.sd or not math.isfinite(self.value):
            return None
        return (seen - self.value) / self.sd

    def z_of_square(self, seen: float) -> float | None:
        """The same of a mean square, which is a χ² over its degrees of freedom, by Wilson and Hilferty's cube root."""
        if not self.sd or not self.value > 0:
            return None
        error = (self.sd / self.value) ** 2 / 9
        return (math.cbrt(seen / self.value) - (1 - error)) / math.sqrt(error)


def expected_variance(
    weights: Weighed, after: Measured, before: Measured | None = None, phi: Activation | None = None
) -> Expected:
    """q of a layer's outputs; from the pre-activations before and φ, or else from what the layer receives."""
    b2, variance = weights.sigma_b**2, 0.0
    if before is None or phi is None:
        value = weights.sigma_w**2 * weights.seen + b2
    else:
        scale = weights.sigma_w**2 * (weights.seen / weights.square if weights.square else weights.coverage)
        q = before.q.ravel()
        given = second_moment(phi, q)
        bend = MeanField(phi, 1.0).d2V(q) * q**2 / before.units
        if not (np.abs(bend) <= 0.5 * given).all():
            # No correction any more.
            return expected_variance(weights, after)
        given = given - bend
        value, variance = scale * float(given.mean()) + b2, scale**2 * _kick(before, phi)
    return Expected(value, _spread(weights, after, value, variance))


def _spread(weights: Weighed, after: Measured, value: float, variance: float) -> float | None:
    """The standard deviation of q, of which `variance` comes from the units before.

    Of given biases w·x + b has, for products G of what is received, the variance 2σ_w⁴G² + 4σ_w²σ_b²G of its square
    over pairs of columns. What a convolution receives at two positions is not multiplied out: the products of its
    outputs without their biases stand for σ_w²G, if these are so many that their own noise can be told.
    """
    w2, b2 = weights.sigma_w**2, weights.sigma_b**2
    gram = after.unbiased_gram if weights.gram is None else w2 * weights.gram
    diagonal = np.diagonal(gram)
    products = max(_over_pairs(gram, float(diagonal.mean()), after.columns), 0.0)
    if weights.gram is not None:
        squares = _over_pairs(np.square(gram), float(np.square(diagonal).mean()), after.columns)
    elif after.units < _MANY or not diagonal.any():
        return None
    else:
        # Correlations are those measured, sizes those of theory.
        size = max(value - b2, 0.0) / float(diagonal.mean())
        squares, products = size**2 * _mean_square(gram, after), size * products
    return math.hypot(math.sqrt(variance + (2 * squares + 4 * b2 * products) / after.units), _ROUNDING * value)


def _mean_square(gram: Array, m: Measured) -> float:
    """The mean of their squares over pairs of columns, from mean products over N units, which are noisy."""
    n = m.units
    diagonal = np.diagonal(gram)
    apart = (np.square(gram) - np.outer(diagonal, diagonal) / n) / (1 + 1 / n)
    return max(_over_pairs(apart, float((np.square(diagonal) / (1 + 2 / n)).mean()), m.columns), 0.0)


def _over_pairs(apart: Array, same: float, columns: int) -> float:
    """The mean over all pairs of so many columns, from those of some."""
    some = len(apart)
    if some < 2:
        return same
    others = float((apart.sum() - np.trace(apart)) / (some * (some - 1)))
    return same / columns + (1 - 1 / columns) * others


def _kick(m: Measured, phi: Activation) -> float:
    """The variance of the mean of φ² over units and columns, given q."""
    q = np.array([float(m.q.mean())])
    if q == 0:
        # Every unit is φ(0).
        return 0.0
    coefficients = power(phi, 2).coefficients(q, _TERMS)[:, 0]
    total = float(fourth_moment(phi, q)[0] - second_moment(phi, q)[0] ** 2)
    squares = np.square(coefficients)
    rest = max(total - squares[1:].sum(), 0.0)
    squares[[0, 2]] = 0.0
    root = np.sqrt(np.maximum(np.diagonal(m.gram), 1e-300))
    rho = np.clip(m.gram / np.outer(root, root), -1, 1)
    value = np.full_like(rho, rest)
    for c in squares[::-1]:
        value = rho * value + c
    return max(_over_pairs(value, rest + float(squares.sum()), m.columns), 0.0) / m.units


def expected_zeros(before: Measured, phi: Activation) -> float:
    """The share of φ(h) that is exactly 0."""
    network = MeanField(phi, 1.0)
    return float(np.mean(network.sparsity(before.q.ravel())))


def expected_rho(
    weights: Weighed, after: Measured, before: Measured, phi: Activation, random: np.random.Generator
) -> tuple[Expected, float | None] | None:
    """ρ of a layer's outputs by the correlation map; and how far off the measured one is, in standard deviations.

    These are of ln(1 − ρ), which is nearer to normal, over dense layers drawn with the mean products of the one before.
    As many as are drawn, their mean and their spread are themselves random: t is told as the normal deviate as rare.
    """
    if before.rho is None or after.rho is None:
        return None
    network = MeanField(phi, weights.sigma_w, weights.sigma_b)
    q, rho = float(before.q.mean()), np.clip(before.by_position, -1, 1)
    try:
        value = float(np.mean(network.R(rho, q)))
    except MeanFieldError:
        return None
    if before.positions > 1 or after.positions > 1:
        return Expected(value), None
    drawn = _drawn_rho(network, before.examples_gram, before.units, after.units, random)
    if len(drawn) < _FEWEST or drawn.std() <= _ROUNDING or after.rho >= 1:
        return Expected(value), None
    apart = np.log1p(-drawn)
    t = (apart.mean() - math.log1p(-after.rho)) / (apart.std(ddof=1) * math.sqrt(1 + 1 / len(apart)))
    z = math.copysign(norm.isf(student.sf(abs(t), len(apart) - 1)), t)
    return Expected(value, float(drawn.std(ddof=1))), float(z)


def _drawn_rho(network: MeanField, gram: Array, before: int, after: int, random: np.random.Generator) -> Array:
    """ρ of layers drawn, given exactly the products of the N units before; none where these are too few."""
    examples = len(gram)
    numbers = max(before, after) * examples
    times = max(min(_MOST_DRAWN, _NUMBERS // numbers), min(_LEAST_DRAWN, _MOST_NUMBERS // numbers))
    if before < 2 * examples or after < 2 or not times:
        return np.empty(0)
    x = network.activation.values(columns(times, before, gram, random))
    root = _root(network.layer(_turned(x) @ x / before))
    rho = pairs_of(root @ products(times, after, examples, random) @ root)
    return rho[rho < 1]


def columns(times: int, units: int, gram: Array, random: np.random.Generator) -> Array:
    """Columns of exactly the mean products of `gram` and else as uniform as any, shape (times, units, examples)."""
    # PyTorch draws normals a few times as fast as NumPy.
    generator = torch.Generator().manual_seed(int(random.integers(2**63)))
    normals = torch.randn(times, units, len(gram), generator=generator).double().numpy()
    own = np.linalg.cholesky(_turned(normals) @ normals / units)
    return normals @ (_turned(np.linalg.inv(own)) @ _root(gram))


def products(times: int, units: int, examples: int, random: np.random.Generator) -> Array:
    """Mean products of examples of as many normal units, shape (times, examples, examples).

    Those of the triangle that is left when they are turned: roots of χ² on its diagonal, normals below (Bartlett 1933).
    """
    rows = min(units, examples)
    triangle = np.tril(random.standard_normal((times, examples, rows)), -1)
    triangle[:, range(rows), range(rows)] = np.sqrt(random.chisquare(units - np.arange(rows), (times, rows)))
    return triangle @ _turned(triangle) / units


def _turned(matrices: Array) -> Array:
    """Rows as columns."""
    return np.swapaxes(matrices, -1, -2)


def _root(gram: Array) -> Array:
    """The symmetric root of one matrix of products, or of many."""
    values, vectors = np.linalg.eigh(gram)
    root: Array = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :] @ _turned(vectors)
    return root


def expected_gain(weights: Weighed, before: Measured, after: Measured, phi: Activation) -> Expected:
    """ln |g|²/|g'|² of the gradients by the pre-activations before a layer and after it.

    The standard deviation, of dense layers, is that of one example; the mean over several has at most that.
    """
    network = MeanField(phi, weights.sigma_w)
    q = before.q.ravel()
    gain = float(np.mean(network.gain(q))) * weights.coverage
    if gain <= 0:
        return Expected(-math.inf)
    noise = layer_noise(network, np.array([float(q.mean())]), before.units).gain[0]
    dense = before.positions == after.positions == 1
    return Expected(math.log(gain) - 0.5 * float(noise) * dense, math.sqrt(noise) if dense and noise > 0 else None)
