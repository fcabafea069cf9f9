"""Gaussian expectations of φ in two variables: everything the correlation map is made of.

u and v are Gaussian with variance q and correlation ρ; C(ρ) = E φ(u)φ(v). By Price's theorem the second derivative
of C is a finite sum of bivariate densities at the knots, so C, C' and C'' come from one quadrature in one variable,

    C(ρ) = (E φ)² + ρ q (E φ')² + ∫₀^ρ [(ρ − r) q S(r) + B(r)] dr,    S(r) = Σᵢⱼ dᵢ dⱼ ϕ₂(hᵢ, hⱼ; r),

with dᵢ the kinks, hᵢ = tᵢ/√q, and B the part of the jumps (docs/theory.md, section 4). The variable of integration
is y = artanh r. There ϕ₂ dr = sech y · exp(−Q) dy/2π with Q = [(hᵢ + hⱼ)²(1 + e^(−2y)) + (hᵢ − hⱼ)²(1 + e^(2y))]/8:
two close knots, however close, only shift the integrand along y, so panels of one fixed width resolve them all.

- `covariance`, `covariance_d1`, `covariance_d2`: C, C', C'' at any ρ in [−1, 1];
- `covariance_loss`: C(1) − C(1 − ε), without the subtraction.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.errors import DomainError
from meanfield.infinite_width.gaussian import density, legendre
from meanfield.infinite_width.moments import mean, mirrored_moment, second_moment, slope_moment, variances

__all__ = ["correlations", "covariance", "covariance_d1", "covariance_d2", "covariance_loss"]

Array = NDArray[np.float64]
Values = Array | float
Integrand = Callable[["_Kernel", Array, Array], Array]

#: Nodes on each panel of width 1 in y: the integrands are analytic for |Im y| < π/4, which makes 16 exact to rounding.
_PANEL_NODES = 16
#: Stands for y = artanh 1: 1 − r = 2e^(−80) there.
_Y_OF_ONE = 40.0
#: Points (ρ, q) worked through at a time: with 16 nodes each, the intermediate arrays stay in cache.
_BLOCK = 1024
#: Below this width (in units of √q) a piece's two kinks nearly cancel, and are subtracted with care.
_NARROW = 0.25


def correlations(rho: ArrayLike) -> Array:
    """`rho` as an array of floats in [−1, 1].

    Raises:
        DomainError: any of them outside, or NaN.
    """
    rho = np.asarray(rho, dtype=float)
    wrong = ~(np.abs(rho) <= 1)
    if wrong.any():
        raise DomainError(f"rho = {rho[wrong].flat[0]:g} is not a correlation: give numbers in [-1, 1]")
    return rho


def covariance(phi: PiecewiseLinear, rho: ArrayLike, q: ArrayLike) -> Values:
    """C(ρ) = E φ(u)φ(v), broadcast over ρ and q; limits q → 0⁺ at q = 0.

    Absolute error below 1e-13 E φ² (1e-11 E φ² when pieces are as narrow as √q/1000).
    """

    def of_block(kernel: _Kernel, rho: Array) -> Array:
        c = _covariance(kernel, rho, _artanh(rho))
        c = np.where(rho == 1, second_moment(phi, kernel.q), c)
        return np.where(rho == -1, mirrored_moment(phi, kernel.q), c)

    return _broadcast(of_block, phi, correlations(rho), variances(q))


def covariance_d1(phi: PiecewiseLinear, rho: ArrayLike, q: ArrayLike) -> Values:
    """C'(ρ) = q E φ'(u)φ'(v), broadcast over ρ and q; ∞ at ρ = 1 where φ jumps."""

    def integrand(kernel: _Kernel, y: Array, v: Array) -> Array:
        return kernel.q * kernel.bend_density(v)

    def of_block(kernel: _Kernel, rho: Array) -> Array:
        q, y = kernel.q, _artanh(rho)
        c1 = q * slope_moment(phi, q, 1) ** 2 + _integral_from_zero(kernel, y, integrand)
        if kernel.jumps:
            c1 = c1 + kernel.jump_density(y) * np.cosh(y) ** 2
            return _diverging(c1, rho, second_moment(phi, q))
        return np.where(rho == 1, q * slope_moment(phi, q, 2), c1)

    return _broadcast(of_block, phi, correlations(rho), variances(q))


def covariance_d2(phi: PiecewiseLinear, rho: ArrayLike, q: ArrayLike) -> Values:
    """C''(ρ), elementary; broadcast over ρ and q; ±∞ at ρ = ±1 where it diverges."""

    def of_block(kernel: _Kernel, rho: Array) -> Array:
        y = _artanh(rho)
        c2 = (kernel.q * kernel.bend_density(y) + kernel.jump_density_d1(y)) * np.cosh(y) ** 2
        return _diverging(c2, rho, second_moment(phi, kernel.q))

    return _broadcast(of_block, phi, correlations(rho), variances(q))


def covariance_loss(phi: PiecewiseLinear, eps: ArrayLike, q: ArrayLike) -> Values:
    """C(1) − C(1 − ε) for ε in [0, 2], to a relative error of about 1e-12 however small ε.

    With a piece as narrow as w√q the relative error grows to about 1e-16/√w.

    From ∫ C' over [1 − ε, 1]: ε q E φ'² − q∫ (r − ρ) S dr + ∫ B dr.

    Raises:
        DomainError: any ε outside [0, 2], or NaN.
    """
    eps = np.asarray(eps, dtype=float)
    wrong = ~((eps >= 0) & (eps <= 2))
    if wrong.any():
        raise DomainError(f"eps = {eps[wrong].flat[0]:g} is not 1 − ρ: give numbers in [0, 2]")

    def of_block(kernel: _Kernel, eps: Array) -> Array:
        q = kernel.q
        square, linear = np.asarray(second_moment(phi, q)), eps * q * slope_moment(phi, q, 2)
        # A steep narrow piece has a linear term far above the loss itself; then C(1 − ε) is the smaller subtrahend.
        near = (eps > 0) & (eps <= 1) & (linear <= square)
        loss = np.zeros_like(q)
        if near.any():
            start = 0.5 * np.log((2 - eps[near]) / eps[near])
            loss[near] = linear[near] + _integral_to_one(kernel.subset(near), start, _weighted_kernel)
        far = (eps > 0) & ~near
        if far.any():
            # artanh(1 − ε), which 1 − ε itself has no digits left for
            y = np.maximum(0.5 * np.log((2 - eps[far]) / eps[far]), -_Y_OF_ONE)
            rest = _covariance(kernel.subset(far), 1 - eps[far], y)
            loss[far] = square[far] - np.where(eps[far] == 2, mirrored_moment(phi, q[far]), rest)
        return loss

    return _broadcast(of_block, phi, eps, variances(q))


def _broadcast(of_block: Callable[[_Kernel, Array], Array], phi: PiecewiseLinear, other: Array, q: Array) -> Values:
    other, q = np.broadcast_arrays(other, q)
    shape, other, q = q.shape, other.ravel(), q.ravel()
    result = np.empty(q.size)
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        for start in range(0, q.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            result[block] = of_block(_Kernel(phi, q[block]), other[block])
    return result.reshape(shape) if shape else result.item()


def _artanh(rho: Array) -> Array:
    return np.clip(np.arctanh(rho), -_Y_OF_ONE, _Y_OF_ONE)


def _diverging(value: Array, rho: Array, scale: Values) -> Array:
    """`value` with the ends ρ = ±1, evaluated next to them, as ±∞ where it grows without bound."""
    unbounded = (np.abs(rho) == 1) & (np.abs(value) > 1e10 * np.asarray(scale))
    return np.where(unbounded, np.copysign(np.inf, value), value)


def _covariance(kernel: _Kernel, rho: Array, y: Array) -> Array:
    """C(ρ) at ρ = tanh y."""
    phi, q = kernel.phi, kernel.q
    parallel = mean(phi, q) ** 2 + rho * q * slope_moment(phi, q, 1) ** 2
    return np.asarray(parallel + _integral_from_zero(kernel, y, _weighted_kernel))


def _weighted_kernel(kernel: _Kernel, y: Array, v: Array) -> Array:
    """[(tanh y − tanh v) q S + B] dr/dv at r = tanh v."""
    return kernel.q * _tanh_difference(y, v) * kernel.bend_density(v) + kernel.jump_density(v)


def _tanh_difference(y: Array, v: Array) -> Array:
    """tanh y − tanh v, without the subtraction."""
    difference: Array = np.sinh(y - v) / (np.cosh(y) * np.cosh(v))
    return difference


def _integral_from_zero(kernel: _Kernel, y: Array, integrand: Integrand) -> Array:
    """∫₀^y integrand(kernel, y, v) dv for each point, panel by panel, each panel over the points that reach it."""
    total = np.zeros_like(y)
    for panel in range(int(np.ceil(np.abs(y).max(initial=0)))):
        reached = np.abs(y) > panel
        some, end = (kernel, y) if reached.all() else (kernel.subset(reached), y[reached])
        side = np.sign(end)
        start, stop = panel * side, np.clip(end, -panel - 1, panel + 1)
        total[reached] += _on_panel(some, end, integrand, start, stop)
    return total


def _on_panel(kernel: _Kernel, y: Array, integrand: Integrand, start: Array, stop: Array) -> Array:
    nodes, weights = legendre(_PANEL_NODES)
    v = start + nodes[:, None] * (stop - start)
    values = integrand(kernel, y, v)
    total: Array = (stop - start) * np.sum(weights[:, None] * values, axis=0)
    return total


def _integral_to_one(kernel: _Kernel, y: Array, integrand: Integrand) -> Array:
    """∫ integrand(kernel, y, v) dv from y ≥ 0 to ∞ (r = 1) for each point.

    Panels in v while the terms of different knots still change; from there on only those of equal knots are left,
    smooth in ψ = π/2 − arcsin r, in which the rest is one short panel.
    """
    last = np.maximum(y, kernel.settled())
    total = np.zeros_like(y)
    for panel in range(int(np.ceil((last - y).max(initial=0)))):
        start, stop = np.minimum(y + panel, last), np.minimum(y + panel + 1, last)
        total += _on_panel(kernel, y, integrand, start, stop)
    nodes, weights = legendre(_PANEL_NODES)
    width = 2 * np.arctan(np.exp(-last))
    psi = width * nodes[:, None]
    values = integrand(kernel, y, -np.log(np.tan(psi / 2))) / np.sin(psi)
    total += width * np.sum(weights[:, None] * values, axis=0)
    return total


def _pull(gap: Array, total: Array, growth: Array) -> Array:
    """(a − r b)/(1 − r²) at r = tanh y, given a − b, a + b and e^(2y)."""
    return 0.25 * (gap * (1 + growth) + total * (1 + 1 / growth))


def _probability(low: Array, width: Array) -> Array:
    """Φ(low + width) − Φ(low), without the subtraction where the width is small."""
    from scipy.special import ndtr

    nodes, weights = legendre(8)
    short = np.where(width < 0.5, width, 0.0)
    inside = sum(weight * density(low + node * short) for node, weight in zip(nodes, weights, strict=True))
    return np.where(width < 0.5, short * inside, ndtr(low + width) - ndtr(low))


class _Kernel:
    """The integrands at one block of q's (shape (n,)), as densities in y (shape (n,) or (nodes, n))."""

    def __init__(self, phi: PiecewiseLinear, q: Array) -> None:
        self.phi, self.q = phi, q
        self.root = root = np.sqrt(q)
        self.h = [t / root if t else np.zeros_like(q) for t in phi.knots]
        self.bends = [i for i, d in enumerate(phi.kinks) if d]
        self.jumps = [i for i, j in enumerate(phi.jumps) if j]
        widths = np.diff([phi.knots[i] for i in self.bends])
        self.at_zero = not q.all()
        self.narrow = bool(widths.size and widths.min() < _NARROW * root.max())

    def subset(self, chosen: NDArray[np.bool_]) -> _Kernel:
        return _Kernel(self.phi, self.q[chosen])

    def settled(self) -> Array:
        """The y beyond which ϕ₂ of two different knots is 0 to rounding, and of equal ones smooth in e^(−y)."""
        gaps, sizes = np.diff(self.phi.knots), np.abs(self.phi.knots)
        root = np.sqrt(self.q)
        y: Array = np.log(np.maximum(sizes.max(initial=0) / root, 1.0))
        if gaps.size:
            np.maximum(y, np.log(np.maximum(18 * root / gaps.min(), 1.0)), out=y)
        return y

    def exponent(self, i: int, j: int, growth: Array) -> Array:
        """−Q, the exponent of ϕ₂(hᵢ, hⱼ; tanh y), given e^(2y); −∞ where a knot is infinitely far."""
        if i == j:
            return -0.5 * self.h[i] ** 2 * (1 + 1 / growth)
        plus, minus = 0.125 * (self.h[i] + self.h[j]) ** 2, 0.125 * self._gap(i, j) ** 2
        value = -(plus * (1 + 1 / growth) + minus * (1 + growth))
        return np.where(np.isnan(value), -np.inf, value) if self.at_zero else value

    def bend_density(self, y: Array) -> Array:
        """S(r) dr/dy."""
        total = self._narrow_bends(y) if self.narrow else self._wide_bends(y)
        return total / (2 * np.pi * np.cosh(y))

    def _wide_bends(self, y: Array) -> Array:
        d, growth = self.phi.kinks, np.exp(2 * y)
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        for n, i in enumerate(self.bends):
            total += d[i] ** 2 * np.exp(self.exponent(i, i, growth))
            for j in self.bends[:n]:
                total += 2 * d[i] * d[j] * np.exp(self.exponent(i, j, growth))
        return total

    def _pieces(self) -> list[tuple[float, int, int | None]]:
        """(slope less the first piece's, left knot, right knot or None) of every piece that this leaves sloping."""
        slopes = [self.phi.slopes[i + 1] - self.phi.slopes[0] for i in self.bends]
        rights = [*self.bends[1:], None]
        return [(a, i, i2) for a, i, i2 in zip(slopes, self.bends, rights, strict=False) if a]

    def _narrow_bends(self, y: Array) -> Array:
        """The same sum by pieces: Σ aⱼ aₖ × second difference of exp(−Q) over the rectangle of pieces j and k.

        A common slope does not bend, so the first piece's is taken off every other. Near cancellation the
        differences are taken in the exponent, where they are exact.
        """
        pieces, growth = self._pieces(), np.exp(2 * y)
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        for n, (a, i, i2) in enumerate(pieces):
            for b, j, j2 in pieces[: n + 1]:
                weight = a * b * (1 if i == j else 2)
                total += weight * self._second_difference(i, i2, j, j2, growth)
        return total

    def _second_difference(self, i: int, i2: int | None, j: int, j2: int | None, growth: Array) -> Array:
        corner = np.exp(self.exponent(i, j, growth))
        if i2 is None or j2 is None:
            (i, i2), j = ((j, j2), i) if i2 is None else ((i, i2), j)
            if i2 is None:
                return corner
            x, far = self._step(i, i2, j, growth), np.exp(self.exponent(i2, j, growth))
            return np.where(np.abs(x) < 1, -corner * np.expm1(np.clip(x, -1, 1)), corner - far)
        x, z = self._step(i, i2, j, growth), self._step(j, j2, i, growth)
        # tanh y/(1 − tanh² y) = sinh y cosh y
        w = 0.25 * (growth - 1 / growth) * self._gap(i2, i) * self._gap(j2, j)
        close = (np.abs(x) < 1) & (np.abs(z) < 1) & (np.abs(w) < 1)
        p, r, s = (np.expm1(np.clip(e, -1, 1)) for e in (x, z, w))
        near = corner * (p * r + (1 + p) * (1 + r) * s)
        others = [np.exp(self.exponent(k, m, growth)) for k, m in ((i2, j), (i, j2), (i2, j2))]
        return np.where(close, near, corner - others[0] - others[1] + others[2])

    def _step(self, i: int, i2: int, j: int, growth: Array) -> Array:
        """Change of the exponent of (i, j) as knot i moves to i2, not by subtraction."""
        width = self._gap(i2, i)
        # Half-way between the two ends, seen from knot j.
        gap, total = 0.5 * (self._gap(i, j) + self._gap(i2, j)), 0.5 * (self.h[i] + self.h[i2]) + self.h[j]
        return -width * _pull(gap, total, growth)

    def _gap(self, i: int, j: int) -> Array:
        """hᵢ − hⱼ, not by subtracting rounded quotients."""
        return (self.phi.knots[i] - self.phi.knots[j]) / self.root

    def jump_density(self, y: Array) -> Array:
        """B(r) dr/dy."""
        if not self.jumps:
            return np.zeros(())
        # Loading scipy.special takes longer than all else here, and only jumps need it.
        from scipy.special import ndtr

        jumps, root = self.phi.jumps, np.sqrt(self.q)
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        sech, growth = 1 / np.cosh(y), np.exp(2 * y)
        for i in self.jumps:
            for j in self.jumps:
                total += jumps[i] * jumps[j] * np.exp(self.exponent(i, j, growth)) * sech / (2 * np.pi)
            slope = np.full_like(total, self.phi.slopes[0])
            for a, j, j2 in self._pieces():
                if j2 is None:
                    slope += a * ndtr(self._conditional(i, j, y))
                else:
                    slope += a * _probability(self._conditional(i, j2, y), self._gap(j2, j) * np.cosh(y))
            total += 2 * root * jumps[i] * density(self.h[i]) * slope * sech**2
        return total

    def _conditional(self, i: int, j: int, y: Array) -> Array:
        """(r hᵢ − hⱼ)/√(1 − r²); P(v > tⱼ | u = tᵢ) is Φ of it."""
        if i == j:
            return -self.h[i] * np.exp(-y)
        value = 0.5 * (self._gap(i, j) * np.exp(y) - (self.h[i] + self.h[j]) * np.exp(-y))
        return np.where(np.isnan(value), -np.inf, value) if self.at_zero else value

    def jump_density_d1(self, y: Array) -> Array:
        """B'(r) dr/dy."""
        jumps, d, root = self.phi.jumps, self.phi.kinks, np.sqrt(self.q)
        total = np.zeros(np.broadcast_shapes(y.shape, self.q.shape))
        r, cosh, growth = np.tanh(y), np.cosh(y), np.exp(2 * y)
        for i in self.jumps:
            for j in self.jumps:
                # d/dr ln ϕ₂ = r/(1 − r²) + (hᵢ + hⱼ)²/4(1 + r)² − (hᵢ − hⱼ)²/4(1 − r)²
                plus, minus = (self.h[i] + self.h[j]) ** 2, self._gap(i, j) ** 2
                relative = r * cosh**2
                relative = relative + ((plus / 16) * (1 + 1 / growth) ** 2 if plus.any() else 0.0)
                relative = relative - ((minus / 16) * (1 + growth) ** 2 if minus.any() else 0.0)
                weight = np.exp(self.exponent(i, j, growth)) / (2 * np.pi * cosh)
                total += jumps[i] * jumps[j] * np.where(weight > 0, weight * relative, 0.0)
            for j in self.bends:
                pull = _pull(self._gap(i, j), self.h[i] + self.h[j], growth)
                weight = np.exp(self.exponent(i, j, growth)) / (2 * np.pi * cosh)
                total += 2 * root * jumps[i] * d[j] * np.where(weight > 0, weight * pull, 0.0)
        return total
