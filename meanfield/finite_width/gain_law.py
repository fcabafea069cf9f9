"""The law of the gain of a squared gradient in one layer of N units, at a variance q of its pre-activations.

Of N units n have a slope, n binomial. What they keep of a gradient, Σp²y² with y standard normal, is taken as a gamma
variable with the right mean and variance given n; where all slopes that are not 0 are equal in size it is χ²_n, and
nothing is approximated. Without a sloping unit no gradient passes. docs/theory.md, section 17.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import slope_kurtosis, sloping_share

__all__ = ["GainLaw"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Expected sloping units from which on their number makes no difference that its variance does not.
_MANY = 60.0
#: No more than this many of them ever have one, then.
_MOST_OF_FEW = 220
#: Put in place of a share of 0.
_LEAST_SHARE = 1e-300
#: Numbers of units with less probability are left out.
_RARE = 1e-12
#: The least relative variance told from 0: below it differences of log-gamma functions have no digits left.
_LEAST_NOISE = 1e-8


class GainLaw:
    """Of ln G of one layer, less ln χ₁(q), at each of n variances; of the networks in which a gradient passes.

    Attributes:
        passes: the share of them, shape (n,).
        mean, variance: of the logarithm, shape (n,).
    """

    def __init__(self, network: MeanField, q: Array, width: int, *, orthogonal: bool = False) -> None:
        self._width, self._orthogonal = width, orthogonal
        with np.errstate(all="ignore"):
            share = np.clip(sloping_share(network.activation, q), 0.0, 1.0)
            kurtosis = slope_kurtosis(network.activation, q)
            #: Relative variance of p²y² of one sloping unit.
            self._of_one = np.nan_to_num(np.maximum(3 * kurtosis * share - 1, _LEAST_NOISE), nan=2.0)
            self.passes = -np.expm1(width * np.log1p(-np.minimum(share, 1 - 1e-16)))
        self._share = share

    @cached_property
    def _moments(self) -> tuple[Array, Array]:
        mean, variance = np.zeros((2, len(self._share)))
        from scipy.special import polygamma, psi

        for at, shapes, weights, logs in self._mixtures():
            given = psi(shapes) + logs
            mean[at] = np.sum(weights * given, axis=-1)
            variance[at] = np.sum(weights * (polygamma(1, shapes) + np.square(given - mean[at][..., None])), axis=-1)
        if self._orthogonal:
            half = 0.5 * self._width
            mean, variance = mean - psi(half) + np.log(half), variance - polygamma(1, half)
        return mean, np.maximum(variance, 0.0)

    @property
    def mean(self) -> Array:
        return self._moments[0]

    @property
    def variance(self) -> Array:
        return self._moments[1]

    def characteristic(self, t: Array) -> Complex:
        """E[exp(it(logarithm − mean))], of `t` of shape (n, frequencies); of Gaussian weights."""
        from scipy.special import loggamma

        found = np.empty(t.shape, dtype=complex)
        for at, shapes, weights, logs in self._mixtures():
            turned = (1j * t[at])[..., None, :]
            terms = loggamma(shapes[..., None] + turned) - loggamma(shapes)[..., None]
            terms = terms + turned * (logs - self.mean[at][..., None])[..., None]
            found[at] = np.sum(weights[..., None] * np.exp(terms), axis=-2)
        return found

    def _mixtures(self) -> Iterator[tuple[NDArray[np.intp], Array, Array, Array]]:
        """Where, and of which gamma variables: shapes, probabilities, and what is added to their logarithm.

        A gamma variable of shape k has the mean k, and that of the gain is 1.
        """
        expected = self._width * self._share
        few = (expected < _MANY) & (self._share < 1)
        many = np.flatnonzero(~few)
        noise = np.maximum((self._of_one[many] + 1 - self._share[many]) / expected[many], _LEAST_NOISE)
        shapes = (1 / noise)[:, None]
        yield many, shapes, np.ones_like(shapes), -np.log(shapes)
        n_of_all = np.arange(1, min(self._width, _MOST_OF_FEW) + 1)
        for i in np.flatnonzero(few):
            n, weights = n_of_all, _binomial(n_of_all, self._width, max(float(self._share[i]), _LEAST_SHARE))
            kept = weights > _RARE * weights.max()
            n, weights = n[kept], weights[kept] / weights[kept].sum()
            shapes = n / self._of_one[i]
            logs = np.log(n / max(expected[i], self._width * _LEAST_SHARE)) - np.log(shapes)
            yield np.array([i]), shapes[None], weights[None], logs[None]


def _binomial(n: NDArray[np.int_], of: int, share: float) -> Array:
    """P(n of so many units have a slope); written out, for scipy.stats takes long to load."""
    from scipy.special import gammaln

    logs = gammaln(of + 1.0) - gammaln(n + 1.0) - gammaln(of - n + 1.0)
    return np.asarray(np.exp(logs + n * np.log(share) + (of - n) * np.log1p(-share)))
