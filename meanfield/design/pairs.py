"""Two parameters that meet two conditions together, where neither is met by one of them alone.

The equations are solved from starts that lie a factor apart on both axes. All solutions that these lead to are
returned; that there is no other is not proved. docs/theory.md, section 16.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from numpy.typing import NDArray

from meanfield.activations.family import Family
from meanfield.design.conditions import Condition, measured
from meanfield.errors import NoDesign

__all__ = ["together"]

Array = NDArray[np.float64]

#: Both parameters begin at these multiples of √q*.
_STARTS = (0.2, 1.0, 5.0)
#: Logarithms of multiples of √q* beyond which no solution is looked for.
_FARTHEST = math.log(1e4)
#: A condition is met to this, and solutions closer than this are one.
_MET, _SAME = 1e-10, 1e-6
#: What stands for no value.
_NONE = 1e3


def together(family: Family, first: Condition, second: Condition, q_star: float) -> list[dict[str, float]]:
    """Values > 0 of the two open parameters at which both conditions hold, ascending.

    Raises:
        NoDesign: none was found; the message gives what came nearest.
    """
    from scipy.optimize import root

    scale = math.sqrt(q_star)

    def reached(logarithms: Array) -> Array:
        values = tuple(zip(family.open, (scale * np.exp(logarithms)).tolist(), strict=True))
        return np.array([measured(family, values, condition, q_star) for condition in (first, second)])

    def missed(logarithms: Array) -> Array:
        if np.abs(logarithms).max() > _FARTHEST:
            return np.full(2, _NONE)
        wanted, units = np.array([[c.value, c.unit] for c in (first, second)]).T
        left = (reached(logarithms) - wanted) / units
        return np.where(np.isfinite(left), left, _NONE)

    solutions: list[Array] = []
    nearest, least = np.zeros(2), np.inf
    for start in product(np.log(_STARTS), repeat=2):
        if not np.abs(missed(np.array(start))).max() < _NONE:
            continue
        found = root(missed, np.array(start), tol=1e-14)
        left = float(np.abs(found.fun).max())
        if left < least:
            nearest, least = found.x, left
        if left <= _MET and not any(np.abs(found.x - other).max() < _SAME for other in solutions):
            solutions.append(found.x)
    if not solutions:
        one, other = family.open
        message = f"no {one} and {other} > 0 make {first.told} {first.value:g} and {second.told} {second.value:g}"
        if least == np.inf:
            raise NoDesign(f"{message}: no member of {family.spec} has both")
        at = reached(nearest)
        raise NoDesign(f"{message}: the nearest found has {at[0]:.6g} and {at[1]:.6g}")
    ordered = sorted((scale * np.exp(x)).tolist() for x in solutions)
    return [dict(zip(family.open, values, strict=True)) for values in ordered]
