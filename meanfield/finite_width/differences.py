"""Derivatives in q that only corrections of order 1/N need: central differences, right to six digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["differences"]

Array = NDArray[np.float64]

#: Half the distance of the two points compared, over q.
_STEP = 1e-3


def differences(f: Callable[[Array], Array], q: Array) -> tuple[Array, Array, Array]:
    """f, f' and f'' at q > 0, elementwise."""
    h = _STEP * q
    before, here, after = f(q - h), f(q), f(q + h)
    return here, (after - before) / (2 * h), (after - 2 * here + before) / h**2
