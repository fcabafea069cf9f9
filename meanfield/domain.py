"""Which numbers are allowed: what lies outside is refused in one line, before any work begins."""

from __future__ import annotations

import math
import sys
from numbers import Real
from operator import index
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from meanfield.errors import DomainError, shortened

__all__ = [
    "LARGEST_COUNT",
    "LARGEST_SCALE",
    "MOST_DESIGNS",
    "MOST_LAWS",
    "MOST_NETWORKS",
    "MOST_SAFE_DESIGNS",
    "complements",
    "correlations",
    "path_of",
    "require_a",
    "require_cells",
    "require_count",
    "require_gain",
    "require_number",
    "require_scales",
    "require_share",
    "require_signal",
    "require_within",
    "variances",
]

Array = NDArray[np.float64]

#: Above this a scale's square is no double.
LARGEST_SCALE = 1e150
_LARGEST_DOUBLE = sys.float_info.max
#: No network has more of anything.
LARGEST_COUNT = 10**15
#: Cells of a grid, each of which takes a tenth of a millisecond, some hundredths of a second, a tenth or ten seconds.
MOST_NETWORKS, MOST_DESIGNS, MOST_LAWS, MOST_SAFE_DESIGNS = 1_000_000, 10_000, 2_000, 100


def require_count(name: str, value: object, lowest: int = 1) -> None:
    """Refuse what is not a whole number from `lowest` to 1e15, with a `DomainError`."""
    try:
        # True is 1 to Python, yet width=True is a slip.
        fits = not isinstance(value, bool) and lowest <= index(value) <= LARGEST_COUNT  # type: ignore[arg-type]
    except TypeError:
        fits = False
    if not fits:
        raise DomainError(
            f"{name} = {shortened(value)} is out of range: give a whole number from {lowest} to {LARGEST_COUNT:g}"
        )


def require_number(name: str, value: object) -> None:
    """Refuse what is no real number, such as text or a list, with a `DomainError`."""
    # An array of no dimension is a number to numpy.
    kind = getattr(value, "dtype", None)
    # Others than NumPy have types of their own.
    if kind is None or not hasattr(kind, "kind"):
        fits = isinstance(value, Real)
    else:
        fits = kind.kind in "fiu" and not getattr(value, "ndim", 0)
    if isinstance(value, bool) or not fits:
        shown = f"'{shortened(value)}'" if isinstance(value, str) else shortened(value)
        raise DomainError(f"{name} = {shown} is not a number: give one, such as 0.5")


def require_a(kind: type, name: str, value: object, found: str = "") -> None:
    """Refuse what is no object of that kind, with a `DomainError` that says where one is `found`."""
    if not isinstance(value, kind):
        where = f", such as {found}" if found else ""
        raise DomainError(f"{name} = {shortened(value)} is no {kind.__name__}: give one{where}")


def path_of(name: str, value: object) -> Path:
    """A file by its name; what is none is refused with a `DomainError`."""
    if not isinstance(value, str | Path):
        raise DomainError(f"{name} = {shortened(value)} is no name of a file: give a text or a Path")
    return Path(value)


def require_cells(what: str, cells: int, most: int) -> None:
    """Refuse a grid of more than `most` cells, `what` they are, or of none, with a `DomainError`."""
    if not 0 < cells <= most:
        raise DomainError(f"a grid of {cells} {what} cannot be worked out: give from 1 to {most}")


def require_signal(q: float, name: str = "q_star") -> None:
    """Refuse what is not the variance of a signal, with a `DomainError` that calls it `name`."""
    require_number(name, q)
    if not (0 < q < math.inf):
        raise DomainError(f"{name} = {q:g} is not the variance of a signal: give a finite number > 0")


def require_gain(chi_1: float) -> None:
    """Refuse what is no gain χ₁ that can be asked for, with a `DomainError`."""
    require_number("chi_1", chi_1)
    if not (0 < chi_1 < math.inf):
        raise DomainError(f"chi_1 = {chi_1:g} is no gain of a layer: give a finite number > 0, 1 for the edge of chaos")


def require_scales(sigma_w: float, sigma_b: float) -> None:
    """Refuse what are no scales of weights and biases, with a `DomainError`."""
    require_number("sigma_w", sigma_w)
    require_number("sigma_b", sigma_b)
    if not (0 < sigma_w <= LARGEST_SCALE):
        raise DomainError(f"sigma_w = {sigma_w:g} is not a scale of weights: give 0 < sigma_w <= {LARGEST_SCALE:g}")
    if not (0 <= sigma_b <= LARGEST_SCALE):
        raise DomainError(f"sigma_b = {sigma_b:g} is not a scale of biases: give 0 <= sigma_b <= {LARGEST_SCALE:g}")


def require_share(name: str, share: float, meaning: str) -> None:
    """Refuse what is no `meaning`, such as a share of zeros, between 0 and 1, with a `DomainError`."""
    require_number(name, share)
    if not (0 < share < 1):
        percent = f"{share:g} % is {share / 100:g}; " if 1 < share < 100 else ""
        raise DomainError(f"{name} = {share:g} is not {meaning}: {percent}give 0 < {name} < 1")


def require_within(within: float, name: str = "within") -> None:
    """Refuse what is no factor by which a variance or a squared gradient may change, with a `DomainError`."""
    require_number(name, within)
    if not (1 < within < math.inf):
        raise DomainError(f"{name} = {within:g} is out of range: give a factor > 1")


def variances(q: ArrayLike) -> Array:
    """`q` as an array of finite, non-negative floats.

    Raises:
        DomainError: any q negative, NaN or infinite.
    """
    # + 0.0 turns −0.0 into 0.0, of which no root or quotient is −0 or −∞.
    return _checked("q", q, 0.0, _LARGEST_DOUBLE, "q = {:g} is not a variance: give finite numbers q ≥ 0") + 0.0


def correlations(rho: ArrayLike) -> Array:
    """`rho` as an array of floats in [−1, 1].

    Raises:
        DomainError: any of them outside, or NaN.
    """
    return _checked("rho", rho, -1.0, 1.0, "rho = {:g} is not a correlation: give numbers in [-1, 1]")


def complements(eps: ArrayLike) -> Array:
    """`eps` as an array of floats ε = 1 − ρ in [0, 2].

    Raises:
        DomainError: any of them outside, or NaN.
    """
    return _checked("eps", eps, 0.0, 2.0, "eps = {:g} is not 1 − ρ: give numbers in [0, 2]")


def _checked(name: str, numbers: ArrayLike, low: float, high: float, refusal: str) -> Array:
    try:
        # A scalar comes back as numpy's own, which is much quicker to work with than an array of no dimension.
        array = np.asarray(numbers, dtype=float)[()]
    except (TypeError, ValueError):
        raise DomainError(
            f"{name} = {shortened(numbers)} holds what is no number: give numbers, or an array of them"
        ) from None
    within = (array >= low) & (array <= high)
    if not (within.all() if within.ndim else within):
        raise DomainError(refusal.format(array[~within].flat[0]))
    found: Array = array
    return found
