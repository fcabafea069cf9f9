"""A function of the user's, guarded: what comes back is an array of numbers, or else one line says what did.

Used by everything that looks at a function by calling it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.errors import ActivationError

__all__ = ["Guarded", "in_words"]

Array = NDArray[np.float64]


class Guarded:
    """A function of a numpy array, elementwise, and the name that messages call it by."""

    def __init__(self, function: Callable[[Any], Any], name: str) -> None:
        self.function, self.name = function, name

    def __call__(self, x: Array) -> Array:
        """φ(x), or an `ActivationError` that says what came back instead."""
        y = self._called(x)
        if not isinstance(y, np.ndarray | np.generic):
            raise self.refusal(f"returns {type(y).__name__}, not a numpy array of floats")
        y = np.asarray(y)
        if y.shape != x.shape:
            raise self.refusal(f"turns shape {x.shape} into {y.shape}: it must work element by element")
        if y.dtype.kind != "f" or y.dtype.itemsize < 8:
            raise self.refusal(f"returns {y.dtype}, not float64: add .astype(float), or compute in float64")
        y = y.astype(float)
        if not np.isfinite(y).all():
            worst = x[~np.isfinite(y)]
            at = worst[np.argmin(np.abs(worst))]
            raise self.refusal(f"is {y[x == at][0]} at x = {at:.4g}: it must be finite everywhere")
        return y

    def _called(self, x: Array) -> Any:
        try:
            return self._quietly(x.copy())
        except (ActivationError, KeyboardInterrupt):
            raise
        except BaseException as fault:
            if self._takes_numbers():
                raise self.refusal(
                    "takes single numbers only: give np.vectorize(f, otypes=[float]), or write it for arrays"
                ) from None
            raise self.refusal(f"raises {in_words(fault)}") from None

    def _takes_numbers(self) -> bool:
        try:
            return bool(np.isscalar(self._quietly(0.5)))
        except KeyboardInterrupt:
            raise
        except BaseException:
            return False

    def _quietly(self, x: Any) -> Any:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.function(x)

    def refusal(self, what: str) -> ActivationError:
        """What the function does, as an error."""
        return ActivationError(f"{self.name} {what}")


def in_words(fault: BaseException) -> str:
    """What an exception says, on a line of at most 200 characters after its name."""
    try:
        words = " ".join(str.split(str(fault)))
    except BaseException:
        # What its author wrote to print it fails too.
        words = ""
    return f"{type(fault).__name__}: {words[:200]}" if words else type(fault).__name__
