"""The law of the variance one layer on, K' = σ_b² + σ_w²/N Σⱼ φ(√q zⱼ)², given the variance q of this one.

Up to a width of 10 000 it is the law of the sum itself. The law of one unit's φ² is known in closed form. Its mass is
rounded to a grid, and a power of its Fourier transform convolves it with itself N times. What rounding does to the mean
and the variance is taken back by a shift and a stretch. On a flat piece φ² is an atom; the grid is laid so that the
heaviest atom is not rounded, and the others as little as can be.

Beyond that width it is the shifted gamma law with the mean V(q), the variance S(q)/N and the third cumulant T(q)/N² of
K', as the cube of a normal variable n (Wilson and Hilferty); γ is the skewness:

    K' = mean + sd·(2/γ)((1 + (γ/6)(n − γ/6))³ − 1).

docs/theory.md, section 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meanfield.errors import DomainError
from meanfield.finite_width.variance_chain import RUNAWAY
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import active_share
from meanfield.infinite_width.square_law import flat_squares, sloping_squares_below

__all__ = ["LayerLaw", "LayerMoments", "is_jagged", "layer_law", "layer_moments"]

Array = NDArray[np.float64]

#: The widest layer whose sum is worked out.
_WIDEST_SUM = 10_000
#: Points of the grid, and of that for a single unit: the law of a sum of few is as jagged as that of one.
_POINTS, _POINTS_OF_ONE = 512, 32768
#: With so few active units, of however many, the law of one shows as well; with fewer it is nearly that of none.
_FEW, _POINTS_OF_FEW = (0.2, 5.0), 2048
#: The grid reaches as many standard deviations from the mean, and as many more for each unit of skewness.
_REACH, _REACH_OF_SKEWNESS = 5.0, 6.0
#: Spacings tried for one that suits every atom.
_SPACINGS = 64
#: Probabilities below this are rounding of the Fourier transform.
_ROUNDING = 1e-13
#: The law of a wide layer stands on normal deviates up to 6, this far apart.
_DEVIATES = np.arange(-96, 97) / 16
#: A skewness too small to matter, put in place of 0; and one so large that all but the least variances are too rare.
_STRAIGHT, _MOST_SKEWED = 1e-9, 1e20
#: Put in place of 0 where something is divided by it.
_SMALLEST = 1e-200


@dataclass(frozen=True)
class LayerLaw:
    """The law of K' for each of n variances, in 2m parts: atoms, and what is spread evenly between two edges.

    Attributes:
        values: of the atoms, ascending along each row, shape (n, m).
        atoms: the probability of each, shape (n, m).
        edges: ascending along each row, shape (n, m + 1).
        spread: the probability between each two, shape (n, m).
    """

    values: Array
    atoms: Array
    edges: Array
    spread: Array

    @property
    def points(self) -> tuple[NDArray[np.intp], Array, Array]:
        """Rows, values of K' and their probabilities, those of 0 left out; what is spread stands in its middle."""
        middles = (self.edges[:, 1:] + self.edges[:, :-1]) / 2
        alone, around = np.nonzero(self.atoms), np.nonzero(self.spread)
        values = np.concatenate([self.values[alone], middles[around]])
        probabilities = np.concatenate([self.atoms[alone], self.spread[around]])
        return np.concatenate([alone[0], around[0]]), values, probabilities

    def below(self, k: float) -> Array:
        """P(K' ≤ k), shape (n,)."""
        lengths = np.maximum(np.diff(self.edges, axis=1), _SMALLEST)
        share = np.clip((k - self.edges[:, :-1]) / lengths, 0.0, 1.0)
        probability: Array = (self.atoms * (self.values <= k) + self.spread * share).sum(axis=1)
        return probability


class LayerMoments(NamedTuple):
    """Mean, standard deviation and skewness of K' given each of n variances, of shape (n,)."""

    mean: Array
    sd: Array
    skewness: Array


def layer_moments(network: MeanField, q: Array, width: int) -> LayerMoments:
    """Those of K' given each of the variances `q`, shape (n,), in a layer of so many units."""
    mean, second, third = network.kick_cumulants(q)
    mean, third = np.minimum(mean, RUNAWAY), third / float(width) ** 2
    # NaN where next to nothing is active.
    variance = np.minimum(np.nan_to_num(second / width, nan=0.0), RUNAWAY)
    sd = np.sqrt(variance)
    # Of next to no spread a skewness is beyond the doubles, and does not matter.
    strays = variance > _SMALLEST
    skewness = np.divide(third / np.where(strays, variance, 1.0), sd, out=np.zeros_like(sd), where=strays)
    return LayerMoments(mean, sd, skewness)


def is_jagged(network: MeanField, q: Array, width: int) -> NDArray[np.bool_]:
    """Whether so few units are active at each of the variances `q` that the law of one shows in that of the sum."""
    active = width * active_share(network.activation, q)
    return (_FEW[0] < active) & (active < _FEW[1])


def layer_law(network: MeanField, q: Array, width: int) -> LayerLaw:
    """The law of K' given each of the variances `q`, shape (n,), in a layer of so many units."""
    if width > _WIDEST_SUM:
        return _gamma_law(layer_moments(network, q, width), network.sigma_b_squared)
    return _sum_law(network, q, width)


def _gamma_law(moments: LayerMoments, least: float) -> LayerLaw:
    from scipy.special import ndtr

    gamma = np.where(np.abs(moments.skewness) > _STRAIGHT, moments.skewness, _STRAIGHT)
    gamma = np.minimum(gamma, _MOST_SKEWED)[:, None]
    stretched = 2 / gamma * ((1 + gamma / 6 * (_DEVIATES - gamma / 6)) ** 3 - 1)
    between = (_DEVIATES[1:] + _DEVIATES[:-1]) / 2
    spread = np.broadcast_to(np.diff(ndtr(between), prepend=0.0, append=1.0), stretched.shape)
    # The cube of a normal variable has the mean and the deviation of the gamma law only nearly, if it is skewed.
    values = np.maximum(_at(stretched, spread, moments.mean, moments.sd), least)
    return LayerLaw(values, np.zeros_like(values), _edges(values), spread)


def _sum_law(network: MeanField, q: Array, width: int) -> LayerLaw:
    moments, phi = layer_moments(network, q, width), network.activation
    # In units of one φ², of which K' − σ_b² is a sum.
    unit, least = max(network.sigma_w_squared / width, _SMALLEST), network.sigma_b_squared
    mean, sd = (moments.mean - least) / unit, moments.sd / unit
    reach = sd * (_REACH + _REACH_OF_SKEWNESS * np.abs(moments.skewness))
    levels, shares = flat_squares(phi, q)
    points = max(_POINTS, _POINTS_OF_ONE // width)
    if is_jagged(network, q, width).any():
        # A start alone, from which all probability comes, may have as many as a block of nodes together.
        points = max(points, _POINTS_OF_FEW, 8 * _POINTS_OF_FEW // len(q))
    # The law of one has to fit too: its mean may be far beyond its deviation.
    length = mean + reach - np.maximum(mean - reach, 0.0) + (mean + reach) / width
    if not np.isfinite(length).all():
        raise DomainError(
            f"the moments of φ² at variances up to {q.max():.3g}, which networks may reach, are beyond the doubles: "
            "give less depth, or measure x in other units"
        )
    spacing = _spacing(levels, shares, length / (points - 4))
    steps = np.arange(points, dtype=float)
    rounded = np.minimum(np.ceil(levels[:, None] / spacing - 0.5), points - 1)
    flat = np.zeros((len(q), points))
    for step, share in zip(rounded.astype(int), shares, strict=True):
        flat[np.arange(len(q)), step] += share
    sloping = sloping_squares_below(phi, q, (steps + 0.5) * spacing[:, None])
    of_one = flat + np.diff(sloping, prepend=0.0, axis=1)
    # The transform tells steps apart up to a multiple of their number. The window starts where the mean, as it was
    # rounded, says.
    first = np.maximum(np.floor(width * (of_one @ steps) - reach / spacing), 0.0)
    index = first[:, None] + steps
    whole = _convolved(of_one, width, index)
    atoms = _convolved(flat, width, index)
    spread = np.maximum(whole - atoms, 0.0)
    spread[spread < _ROUNDING] = 0.0
    total = (atoms + spread).sum(axis=1, keepdims=True)
    atoms, spread = atoms / total, spread / total
    at_rest = _values_at_rest(index, width, levels[:, None], rounded, shares)
    others = _at(index, spread, *_left(mean, sd, atoms, at_rest, spread))
    return LayerLaw(least + unit * at_rest, atoms, _edges(least + unit * others), spread)


def _values_at_rest(index: Array, width: int, levels: Array, rounded: Array, shares: Array) -> Array:
    """The sums that `index` steps stand for where every unit is on a flat piece: exact if one level alone is not 0."""
    weights = shares / np.maximum(shares.sum(axis=0), _SMALLEST)
    mean, centre = (levels * weights).sum(axis=0), (rounded * weights).sum(axis=0)
    variance, steps = ((np.square(x - c) * weights).sum(axis=0) for x, c in ((levels, mean), (rounded, centre)))
    return _placed(index - width * centre[:, None], width * mean, np.sqrt(variance), np.sqrt(steps))


def _left(mean: Array, sd: Array, atoms: Array, values: Array, spread: Array) -> tuple[Array, Array]:
    """Mean and standard deviation that `spread` must have for all together to have those given, of shape (n,)."""
    share = np.where(spread.any(axis=1), spread.sum(axis=1), 1.0)
    shift = -(atoms * (values - mean[:, None])).sum(axis=1) / share
    second = (atoms * np.square(values - mean[:, None])).sum(axis=1)
    return mean + shift, np.sqrt(np.maximum((np.square(sd) - second) / share - np.square(shift), 0.0))


def _at(index: Array, weights: Array, mean: Array, sd: Array) -> Array:
    """The sums that `index` steps stand for, such that under `weights` mean and standard deviation are right."""
    total = np.maximum(weights.sum(axis=1), _SMALLEST)
    deviations = index - ((weights * index).sum(axis=1) / total)[:, None]
    return _placed(deviations, mean, sd, np.sqrt((weights * np.square(deviations)).sum(axis=1) / total))


def _placed(deviations: Array, mean: Array, sd: Array, steps: Array) -> Array:
    """Deviations in steps, with the standard deviation `steps`, as sums ≥ 0 with this mean and standard deviation."""
    scale = np.divide(sd, steps, out=np.zeros_like(sd), where=steps > 0)
    values: Array = np.maximum(mean[:, None] + scale[:, None] * deviations, 0.0)
    return values


def _edges(values: Array) -> Array:
    """Halfway between values, and at the outer ones themselves: shape (n, m + 1)."""
    return np.concatenate([values[:, :1], (values[:, 1:] + values[:, :-1]) / 2, values[:, -1:]], axis=1)


def _spacing(levels: Array, shares: Array, least: Array) -> Array:
    """A spacing of `least` or up to twice that, shape (n,): of it the heaviest level, if no smaller, is a multiple."""
    least = np.maximum(least, _SMALLEST)
    if not levels.any():
        return least
    heaviest = levels[np.argmax(np.where(levels[:, None] > 0, shares, -1.0), axis=0)]
    most = np.maximum(np.floor(heaviest / least), 1.0)[:, None]
    # Fewer steps up to the heaviest level, if the others then are nearer to multiples too.
    counts = np.maximum(most - np.arange(_SPACINGS), np.ceil(most / 2))
    multiples = levels[:, None, None] / heaviest[:, None] * counts
    rounded = (shares[:, :, None] * np.abs(multiples - np.rint(multiples))).sum(axis=0)
    best = np.argmin(np.round(rounded, 9), axis=1)
    spacing: Array = np.maximum(heaviest / counts[np.arange(len(counts)), best], least)
    return spacing


def _convolved(law: Array, width: int, index: Array) -> Array:
    """The law of a sum of `width` terms, at `index` steps, shape (n, m); `law` is that of one, at 0 … m − 1 steps."""
    square = np.fft.rfft(law, axis=1)
    power = np.ones_like(square)
    while width:
        if width % 2:
            power = power * square
        square, width = square * square, width // 2
    total = np.fft.irfft(power, n=law.shape[1], axis=1)
    total[total < _ROUNDING] = 0.0
    return np.take_along_axis(total, index.astype(int) % law.shape[1], axis=1)
