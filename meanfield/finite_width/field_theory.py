"""Variances and sparsity over the positions of a layer, dense layers being fields of one position.

At infinite width the variances q_p and the covariances K_pp' between positions go through the maps and are averaged
over what a unit sees; at width N the variances fluctuate around them with covariances Γ_pp',

    q'_p = σ_b² + ⟨σ_w² E φ_p²⟩,   K'_pp' = σ_b² + ⟨σ_w² E φ_p φ_p'⟩,
    Γ'_pp' = ⟨V'(q_p) Γ_pp' V'(q_p') + σ_w⁴/N Cov(φ_p², φ_p'²)⟩⟨⟩,   shift'_p = ⟨V'(q_p) shift_p + ½V''(q_p) Γ_pp⟩.

⟨ ⟩ is the mean over the k×k neighbours, of a pair together in K' and each apart in Γ'. An orthogonal W keeps part of a
signal's spread: to this order it takes W_pp' = 2(K_pp' − σ_b²)²/(k²N) off Γ before the layer acts on it. On a torus
every position is alike, and one row of each matrix says it all. docs/theory.md, section 13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.finite_width.differences import differences
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.positions import neighbours
from meanfield.finite_width.variance_chain import RUNAWAY
from meanfield.infinite_width.covariance import covariance
from meanfield.infinite_width.hermite import HermiteSeries, power, vanishing
from meanfield.infinite_width.moments import fourth_moment, mean, second_moment, sparsity

__all__ = ["FieldTheory", "field_theory"]

Array = NDArray[np.float64]

#: Terms of a series in the correlation between positions; the rest is put in one more.
_TERMS = 40
#: χ₁ within this of 1 is 1, to the rounding of σ_w.
_CHI_1_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class FieldTheory:
    """By layer, shape (depth + 1,); means over positions. From where the variance overflows q is ∞, all else NaN.

    Attributes:
        q, rho, sparsity, log_gradient: at infinite width.
        sparsity_mean, sparsity_sd: over networks of width N.
        q_shift, q_variance: the mean of q less q, and the variance of q, over networks of width N.
    """

    q: Array
    rho: Array
    sparsity: Array
    log_gradient: Array
    sparsity_mean: Array
    sparsity_sd: Array
    q_shift: Array
    q_variance: Array

    @property
    def q_mean(self) -> Array:
        """The mean of q over networks of width N."""
        return self.q + self.q_shift

    @property
    def q_sd(self) -> Array:
        """Its standard deviation."""
        return np.sqrt(self.q_variance)


@dataclass(frozen=True, eq=False)
class _Field:
    """One layer: variances and correlations between inputs by position; K, Γ by pairs of positions; shifts."""

    q: Array
    rho: Array
    covariances: Array
    spread: Array
    shift: Array


class _Means:
    """⟨ ⟩ over the neighbours that a unit sees."""

    def __init__(self, e: Experiment) -> None:
        self._seen = neighbours(e.kernel, e.size, e.padding)
        self._homogeneous = e.padding == "circular"

    def single(self, field: Array) -> Array:
        """Of a field, shape (P,), or (1,) where all positions are alike."""
        if self._homogeneous:
            return field
        return np.asarray(np.append(field, 0.0)[self._seen].mean(axis=0))

    def together(self, pairs: Array) -> Array:
        """Of pairs of positions, shape (P, P), at the same offset from both."""
        if self._homogeneous:
            return pairs
        padded = np.pad(pairs, (0, 1))
        return np.asarray(sum(padded[np.ix_(at, at)] for at in self._seen) / len(self._seen))

    def apart(self, pairs: Array) -> Array:
        """Of pairs of positions, over the neighbours of each; one after the other on a torus too."""
        if self._homogeneous:
            once = pairs[:, self._seen].mean(axis=1)
            return np.asarray(once[:, self._seen].mean(axis=1))
        padded = np.pad(pairs, (0, 1))
        rows = np.add.reduce([padded[at] for at in self._seen]) / len(self._seen)
        return np.asarray(np.add.reduce([rows[:, at] for at in self._seen]) / len(self._seen))


def field_theory(experiment: Experiment) -> FieldTheory:
    """From the start of the experiment through its layers."""
    e, means = experiment, _Means(experiment)
    field, variances, rows = _start(e), [], []
    with np.errstate(all="ignore"):
        for layer in range(e.depth + 1):
            # Of a layer's pairs of positions nothing is kept but means.
            variances.append(field.q)
            rows.append(_averaged(e, field, layer))
            if layer < e.depth:
                field = _after(e, means, field, orthogonal=e.weights == "orthogonal" and layer > 0)
            if not field.q.max() <= RUNAWAY:
                break
        q, q_shift, q_variance, rho, sparsity, sparsity_mean, sparsity_variance = np.transpose(rows)
        known = {
            "q": q,
            "rho": rho,
            "sparsity": sparsity,
            "log_gradient": _log_gradient(e, means, variances),
            "sparsity_mean": sparsity_mean,
            "sparsity_sd": np.sqrt(sparsity_variance),
            "q_shift": q_shift,
            "q_variance": q_variance,
        }
    return FieldTheory(
        **{name: _padded(row, e.depth + 1, np.inf if name == "q" else np.nan) for name, row in known.items()}
    )


def _averaged(e: Experiment, field: _Field, layer: int) -> tuple[float, ...]:
    """Over positions: q, its shift and variance, ρ; sparsity at infinite width, its mean and variance at width N."""
    q = float(field.q.mean())
    rho = float((field.rho * field.q).mean() / field.q.mean())
    return q, float(field.shift.mean()), float(field.spread.mean()), rho, *_sparsity(e, field, layer)


def _padded(values: Array, count: int, rest: float) -> Array:
    return np.concatenate([values, np.full(count - len(values), rest)])


def _start(e: Experiment) -> _Field:
    """Independent positions, which all networks share."""
    alike = e.padding == "circular"
    rows = 1 if alike else e.positions
    pairs = np.zeros((rows, e.positions))
    np.fill_diagonal(pairs, e.start)
    return _Field(np.full(rows, e.start), np.full(rows, e.rho), pairs, np.zeros_like(pairs), np.zeros(rows))


def _after(e: Experiment, means: _Means, field: _Field, *, orthogonal: bool) -> _Field:
    network, phi, q = e.network, e.network.activation, field.q
    slope, bend = network.dV(q), network.d2V(q)
    spread = _effective_spread(e, field) if orthogonal else field.spread
    square, middle = second_moment(phi, q), mean(phi, q)
    squares = _pairwise(power(phi, 2), field, fourth_moment(phi, q) - np.square(square))
    carried = slope[:, None] * spread * slope + np.square(network.sigma_w_squared) * squares / e.width
    shift = slope * field.shift + 0.5 * bend * np.diagonal(spread)
    products = middle[:, None] * middle + _pairwise(power(phi, 1), field, square - middle**2)
    after = network.layer(means.single(square))
    return _Field(
        q=after,
        rho=network.layer(means.single(_products_of_inputs(e, field))) / after,
        covariances=network.layer(means.together(products)),
        spread=means.apart(carried),
        shift=means.single(shift),
    )


def _products_of_inputs(e: Experiment, field: _Field) -> Array:
    """E φφ of two inputs at every position; NaN where there is no correlation."""
    known = ~np.isnan(field.rho)
    found = np.full_like(field.q, np.nan)
    found[known] = covariance(e.network.activation, np.clip(field.rho[known], -1, 1), field.q[known])
    return found


def _effective_spread(e: Experiment, field: _Field) -> Array:
    """Γ less what an orthogonal matrix does not let fluctuate."""
    kept = field.covariances - e.network.sigma_b_squared
    return np.asarray(field.spread - 2 * kept**2 / e.fan_in)


def _pairwise(f: HermiteSeries, field: _Field, variance: Array) -> Array:
    """Cov(f(h_p), f(h_p')) by pairs of positions; exactly `variance` where they are one.

    What the series leaves of the variance is put in its next term, which bounds the error by it.
    """
    coefficients = f.coefficients(field.q, _TERMS)[1:]
    rest = np.sqrt(np.maximum(variance - np.square(coefficients).sum(axis=0), 0.0))
    root = np.sqrt(field.q)
    rho = field.covariances / (root[:, None] * root)
    total = np.zeros_like(rho)
    for row in (rest, *coefficients[::-1]):
        total = rho * (total + row[:, None] * row)
    return np.asarray(total)


def _sparsity(e: Experiment, field: _Field, layer: int) -> tuple[float, float, float]:
    """At infinite width; mean and variance at width N."""
    phi = e.network.activation
    here, slope, bend = differences(lambda q: sparsity(phi, q), field.q)
    spread = _effective_spread(e, field) if e.weights == "orthogonal" and layer else field.spread
    expected = here + slope * field.shift + 0.5 * bend * np.diagonal(spread)
    units = _pairwise(vanishing(phi), field, here * (1 - here)) / e.width
    variance = slope[:, None] * spread * slope + units
    return float(here.mean()), float(expected.mean()), float(variance.mean())


def _log_gradient(e: Experiment, means: _Means, variances: list[Array]) -> Array:
    """ln E|g^l|²/|g^L|²: each layer multiplies by χ₁, of the sloping pieces alone, and spreads over neighbours."""
    logs = np.full(len(variances), np.nan)
    if len(variances) <= e.depth:
        return logs
    logs[-1], square = 0.0, np.ones_like(variances[-1])
    for layer in reversed(range(e.depth)):
        gain = e.network.gain(variances[layer])
        # On the edge of chaos a layer multiplies by 1, to the rounding of σ_w.
        square = np.where(np.abs(gain - 1) <= _CHI_1_ROUNDING, 1.0, gain) * means.single(square)
        if not square.any():
            logs[: layer + 1] = -np.inf
            break
        logs[layer] = logs[layer + 1] + np.log(square.mean())
        square /= square.mean()
    return logs
