"""The covariance of a φ that turns with x, seen from afar: a Fourier series of polynomials.

φ(x) = Σₙ pₙ(x) e^(inωx), pₙ polynomials. Of variables u, v with variance q and correlation 1 − ε,

    E pₘ(u) pₙ(v) e^(iω(mu + nv))   falls as exp(−ω²q (m² + n² + 2mn(1 − ε))/2),

so that where ω√q is large only m = −n is left, and there, by a shift of the Gaussian,

    C(1 − ε) = Σₙ e^(−n²ω²qε) E pₙ(u + inωqε) p₋ₙ(v − inωqε),

an exponential times a polynomial in ε; φ' and φ'' are such series too, and φ(−x) is one for ρ < 0. Nothing cancels in
C(1) − C(1 − ε). docs/theory.md, section 15.
"""

from __future__ import annotations

import math
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebpts1
from numpy.polynomial.polynomial import polyadd, polymul, polyval
from numpy.typing import NDArray

from meanfield.activations.oscillation import Oscillation
from meanfield.activations.smooth import Smooth
from meanfield.infinite_width.quadrature.graded_panels import AFAR

__all__ = ["is_far", "losses", "products"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Phases at first, and at most; a harmonic this much smaller than the largest is none.
_PHASES, _MOST, _NOTHING = 64, 8192, 1e-17


def is_far(phi: Smooth, q: Array) -> NDArray[np.bool_]:
    """Whether φ turns so often in a standard deviation that its phase is uniform, elementwise."""
    turning = phi.oscillation
    return np.asarray(turning.frequency * np.sqrt(q) > AFAR) if turning else np.zeros(np.shape(q), dtype=bool)


def products(phi: Smooth, order: int, eps: Array, q: float) -> tuple[Array, Array]:
    """qⁿE φ⁽ⁿ⁾(u)φ⁽ⁿ⁾(v) at correlations 1 − ε and −(1 − ε), ε in [0, 1] of shape (m,), where `is_far`."""
    same, mirrored = (_series(phi, order, q, sign) for sign in (1, -1))
    return q**order * _sum(same, eps), q**order * _sum(mirrored, eps)


def losses(phi: Smooth, eps: Array, q: float) -> tuple[Array, Array]:
    """C(1) − C(1 − ε), and C(1 − ε) − C(ε − 1), where `is_far`."""
    lost = np.zeros_like(eps)
    for rate, polynomial in _series(phi, 0, q, 1):
        # F(0) − e^(−rε)F(ε), with F(0) taken out of both.
        rest = np.concatenate([[0.0], polynomial[1:]])
        lost -= np.expm1(-rate * eps) * polynomial[0] + np.exp(-rate * eps) * polyval(eps, rest)
    plus, minus = products(phi, 0, eps, q)
    return lost, plus - minus


def _sum(series: list[tuple[float, Array]], eps: Array) -> Array:
    total = np.zeros_like(eps)
    for rate, polynomial in series:
        total += np.exp(-rate * eps) * polyval(eps, polynomial)
    return total


@lru_cache(maxsize=256)
def _series(phi: Smooth, order: int, q: float, sign: int) -> list[tuple[float, Array]]:
    """The rates n²ω²q and polynomials in ε, n ≥ 0, of E f(u)f(±v) for f = φ⁽ⁿ⁾."""
    turning = phi.oscillation
    assert turning is not None
    harmonics, root = _harmonics(turning, order), math.sqrt(q)
    found = []
    for n in range((len(harmonics) + 1) // 2):
        # Of e^(inωu) and e^(−inωv); of f(−v) with the powers and the phase turned.
        first = harmonics[n] * root ** np.arange(harmonics.shape[1])
        second = harmonics[-n if sign > 0 else n] * (sign * root) ** np.arange(harmonics.shape[1])
        if not (first.any() and second.any()):
            continue
        turn = n * float(turning.frequency) * root
        polynomial = _expected(first, second, turn).real * (2 if n else 1)
        found.append((turn * turn, polynomial))
    return found


def _expected(first: Complex, second: Complex, turn: float) -> Complex:
    """E Σ aⱼ(g + i·turn·ε)ʲ Σ bₖ(h − i·turn·ε)ᵏ of standard normal g, h of correlation 1 − ε, as a polynomial in ε."""
    total: Any = np.zeros(1, dtype=complex)
    for j, a in enumerate(first):
        for k, b in enumerate(second):
            if not a or not b:
                continue
            for i in range(j + 1):
                for m in range(k + 1):
                    shift = np.zeros(i + m + 1, dtype=complex)
                    shift[-1] = (1j * turn) ** i * (-1j * turn) ** m * comb(j, i) * comb(k, m) * a * b
                    total = polyadd(total, polymul(shift, _mixed_moment(j - i, k - m)))
    return np.asarray(total)


@lru_cache(maxsize=1024)
def _mixed_moment(j: int, k: int) -> Array:
    """E gʲhᵏ as a polynomial in ε, by the Hermite coefficients of the two powers: Σ ρⁿ n! cⱼₙ cₖₙ."""
    total = np.zeros(1)
    for n in range(min(j, k) + 1):
        if (j - n) % 2 or (k - n) % 2:
            continue
        weight = math.factorial(n)
        for power in (j, k):
            # gᵖ = Σ p!/(2ᵐ m! n!) Heₙ, p = n + 2m.
            weight *= math.factorial(power) / (2 ** ((power - n) // 2) * math.factorial((power - n) // 2))
            weight /= math.factorial(n)
        total = polyadd(total, weight * np.array([comb(n, i) * (-1.0) ** i for i in range(n + 1)]))
    return np.asarray(total)


@lru_cache(maxsize=64)
def _harmonics(turning: Oscillation, order: int) -> Complex:
    """The coefficients of pₙ, shape (2h + 1, degree + 1): of n = 0, 1 … h, −h … −1, as an FFT has them."""
    x = np.asarray(chebpts1(turning.degree + 1)) if turning.degree else np.zeros(1)
    count = _PHASES * turning.harmonics
    while True:
        phase = 2 * np.pi / count * np.arange(count)
        values = turning.jet(np.repeat(x, count), np.tile(phase, x.size))[order].reshape(x.size, count)
        series = np.fft.fft(values, axis=1).T / count
        size = np.abs(series).max(axis=1)
        if size[count // 4 : -(count // 4)].max() <= 1e-15 * size.max() or count >= _MOST:
            break
        count *= 2
    series[np.abs(series) <= _NOTHING * size.max()] = 0.0
    highest = max((min(n, count - n) for n in np.flatnonzero(size > 1e-16 * size.max())), default=0)
    kept = np.concatenate([series[: highest + 1], series[count - highest :]]) if highest else series[:1]
    return np.linalg.solve(np.vander(x, increasing=True), kept.T).T.astype(complex)
