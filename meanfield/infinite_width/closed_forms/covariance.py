"""Gaussian expectations of φ in two variables, at one block of ρ's and q's > 0.

By Price's theorem the second derivative of C(ρ) = E φ(u)φ(v) is a finite sum of bivariate densities at the knots, so C,
C' and C'' come from one quadrature in one variable,

    C(ρ) = (E φ)² + ρ q (E φ')² + ∫₀^ρ [(ρ − r) q S(r) + B(r)] dr,    S(r) = Σᵢⱼ dᵢ dⱼ ϕ₂(hᵢ, hⱼ; r),

with dᵢ the kinks, hᵢ = tᵢ/√q, and B the part of the jumps (docs/theory.md, section 4). The variable of integration
is y = artanh r. There ϕ₂ dr = sech y · exp(−Q) dy/2π with Q = [(hᵢ + hⱼ)²(1 + e^(−2y)) + (hᵢ − hⱼ)²(1 + e^(2y))]/8:
two close knots, however close, only shift the integrand along y, so panels of one fixed width resolve them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.infinite_width.closed_forms.moments import (
    mean,
    mirrored_moment,
    mirrored_slopes,
    second_moment,
    slope_moment,
)
from meanfield.infinite_width.closed_forms.poles import crossings_d1, poles_d1, poles_d2
from meanfield.infinite_width.closed_forms.price_kernel import PriceKernel
from meanfield.infinite_width.gaussian import legendre

__all__ = ["covariance", "covariance_d1", "covariance_d2", "covariance_loss"]

Array = NDArray[np.float64]
Integrand = Callable[[PriceKernel, Array, Array], Array]

#: Points (ρ, q) worked through at a time: with 16 nodes each, the intermediate arrays stay in cache.
_BLOCK = 1024
#: Nodes on each panel of width 1 in y: the integrands are analytic for |Im y| < π/4, which makes 16 exact to rounding.
_PANEL_NODES = 16
#: Stands for y = artanh 1: 1 − r = 2e^(−80) there.
_Y_OF_ONE = 40.0
#: A loss at a larger 1 − ρ is no small part of what it is lost from.
_CLOSE = 0.25


def _in_blocks(of_block: Callable[[PiecewiseLinear, Array, Array], Array]) -> Callable[..., Array]:
    """A function of so few ρ's and q's at once as one of any number, or of one."""

    @wraps(of_block)
    def in_blocks(phi: PiecewiseLinear, other: Array, q: Array) -> Array:
        if not q.ndim:
            return of_block(phi, other, q)
        starts = range(0, q.size, _BLOCK)
        return np.concatenate([of_block(phi, other[i : i + _BLOCK], q[i : i + _BLOCK]) for i in starts])

    return in_blocks


@_in_blocks
def covariance(phi: PiecewiseLinear, rho: Array, q: Array) -> Array:
    """C(ρ)."""
    kernel, ends = PriceKernel(phi, q), np.abs(rho) == 1
    c = _covariance(kernel, rho, np.where(ends, 0.0, _artanh(rho)))
    if not ends.any():
        return c
    c = np.where(rho == 1, second_moment(phi, q), c)
    return np.where(rho == -1, mirrored_moment(phi, q), c)


@_in_blocks
def covariance_d1(phi: PiecewiseLinear, rho: Array, q: Array) -> Array:
    """C'(ρ)."""
    kernel, ends = PriceKernel(phi, q), np.abs(rho) == 1
    y = np.where(ends, 0.0, _artanh(rho))
    c1 = _slope_of_covariance(kernel, y)
    if not phi.is_continuous:
        c1 = c1 + kernel.jump_density(y) * np.cosh(y) ** 2
    if not ends.any():
        return c1
    pole, mirrored_pole = poles_d1(phi, q)
    c1 = np.where(rho == 1, q * slope_moment(phi, q, 2) + pole, c1)
    return np.where(rho == -1, q * (mirrored_slopes(phi, q) + crossings_d1(phi, q)) + mirrored_pole, c1)


@_in_blocks
def covariance_d2(phi: PiecewiseLinear, rho: Array, q: Array) -> Array:
    """C''(ρ), elementary. At ρ = ±1 it is 0 or ±∞, as each of its densities is."""
    kernel, ends = PriceKernel(phi, q), np.abs(rho) == 1
    y = np.where(ends, 0.0, _artanh(rho))
    c2: Array = (q * kernel.bend_density(y) + kernel.jump_density_d1(y)) * np.cosh(y) ** 2
    if not ends.any():
        return c2
    pole, mirrored_pole = poles_d2(phi, q)
    c2 = np.where(rho == 1, pole, c2)
    return np.where(rho == -1, mirrored_pole, c2)


@_in_blocks
def covariance_loss(phi: PiecewiseLinear, eps: Array, q: Array) -> Array:
    """C(1) − C(1 − ε).

    From ∫ C' over [1 − ε, 1]: ε q E φ'² − q∫ (r − ρ) S dr + ∫ B dr, or ε q E φ'(u)φ'(v) + q∫ (1 − r) S dr + ∫ B dr
    with u and v of correlation 1 − ε: where the first term would be far above the loss, as for a steep narrow piece.
    """
    kernel, eps = PriceKernel(phi, np.atleast_1d(q)), np.atleast_1d(eps)
    q = kernel.q
    square, linear = second_moment(phi, q), eps * q * slope_moment(phi, q, 2)
    near = (eps > 0) & (eps <= 1) & (linear <= square)
    steep = (eps > 0) & (eps < _CLOSE) & ~near
    loss = np.zeros_like(q)
    # artanh(1 − ε), which 1 − ε itself has no digits left for
    y = np.maximum(0.5 * np.log((2 - eps) / eps), -_Y_OF_ONE)
    if near.any():
        loss[near] = linear[near] + _integral_to_one(kernel.subset(near), y[near], _weighted_kernel)
    if steep.any():
        some = kernel.subset(steep)
        loss[steep] = eps[steep] * _slope_of_covariance(some, np.minimum(y[steep], _Y_OF_ONE))
        loss[steep] += _integral_to_one(some, y[steep], _kernel_from_one)
    far = (eps > 0) & ~near & ~steep
    if far.any():
        rest = _covariance(kernel.subset(far), 1 - eps[far], y[far])
        loss[far] = square[far] - np.where(eps[far] == 2, mirrored_moment(phi, q[far]), rest)
    return loss


def _artanh(rho: Array) -> Array:
    return np.minimum(np.maximum(np.arctanh(rho), -_Y_OF_ONE), _Y_OF_ONE)


def _covariance(kernel: PriceKernel, rho: Array, y: Array) -> Array:
    """C(ρ) at ρ = tanh y."""
    phi, q = kernel.phi, kernel.q
    parallel = mean(phi, q) ** 2 + rho * q * slope_moment(phi, q, 1) ** 2
    return parallel + _integral_from_zero(kernel, y, _weighted_kernel)


def _slope_of_covariance(kernel: PriceKernel, y: Array) -> Array:
    """q E φ'(u)φ'(v) at ρ = tanh y, of the slopes alone."""

    def integrand(kernel: PriceKernel, y: Array, v: Array) -> Array:
        return kernel.q * kernel.bend_density(v)

    parallel = kernel.q * slope_moment(kernel.phi, kernel.q, 1) ** 2
    return parallel + _integral_from_zero(kernel, y, integrand)


def _kernel_from_one(kernel: PriceKernel, y: Array, v: Array) -> Array:
    """[(1 − tanh v) q S + B] dr/dv at r = tanh v."""
    return kernel.q * (2 / (1 + np.exp(2 * v))) * kernel.bend_density(v) + kernel.jump_density(v)


def _weighted_kernel(kernel: PriceKernel, y: Array, v: Array) -> Array:
    """[(tanh y − tanh v) q S + B] dr/dv at r = tanh v."""
    return kernel.q * _tanh_difference(y, v) * kernel.bend_density(v) + kernel.jump_density(v)


def _tanh_difference(y: Array, v: Array) -> Array:
    """tanh y − tanh v, without the subtraction."""
    difference: Array = np.sinh(y - v) / (np.cosh(y) * np.cosh(v))
    return difference


def _integral_from_zero(kernel: PriceKernel, y: Array, integrand: Integrand) -> Array:
    """∫₀^y integrand(kernel, y, v) dv for each point, panel by panel, each panel over the points that reach it."""
    if not y.ndim:
        return _integral_at_once(kernel, y, integrand)
    total = np.zeros_like(y)
    for panel in range(int(np.ceil(np.abs(y).max(initial=0)))):
        reached = np.abs(y) > panel
        some, end = (kernel, y) if reached.all() else (kernel.subset(reached), y[reached])
        start, stop = panel * np.sign(end), np.clip(end, -panel - 1, panel + 1)
        total[reached] += _on_panel(some, end, integrand, start, stop)
    return total


def _integral_at_once(kernel: PriceKernel, y: Array, integrand: Integrand) -> Array:
    """The same for one point, all its panels together."""
    nodes, weights = legendre(_PANEL_NODES)
    ends = np.minimum(np.arange(math.ceil(abs(y)) + 1.0), abs(y))
    start, width = np.copysign(ends[:-1], y), np.copysign(np.diff(ends), y)
    values = integrand(kernel, y, start[:, None] + width[:, None] * nodes)
    total = 0 * y
    for part in width * np.sum(weights * values, axis=1):
        total = total + part
    return total


def _on_panel(kernel: PriceKernel, y: Array, integrand: Integrand, start: Array, stop: Array) -> Array:
    nodes, weights = legendre(_PANEL_NODES)
    values = integrand(kernel, y, start + nodes[:, None] * (stop - start))
    total: Array = (stop - start) * np.sum(weights[:, None] * values, axis=0)
    return total


def _integral_to_one(kernel: PriceKernel, y: Array, integrand: Integrand) -> Array:
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
