"""Real networks of a grid, every weight drawn, forward and backward: what they keep of signal and gradient.

Run: python benchmarks/trainability_draw.py FOLDER. Takes three quarters of an hour; a case once drawn stays in FOLDER.
"""

from __future__ import annotations

import hashlib
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from trainability_grids import GRIDS, Case

import meanfield as mf
from meanfield.finite_width.escape import is_outside
from meanfield.quantities import GRADIENT_WITHIN, WITHIN

__all__ = ["Drawn", "drawn"]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Networks of one case.

    Attributes:
        case: what was drawn.
        q: the variance given to layer L, shape (networks,); ∞ where it overflowed.
        log_gradient: ln G, shape (networks,); NaN where no gradient passes or the variance overflowed.
    """

    case: Case
    q: NDArray[np.float64]
    log_gradient: NDArray[np.float64]

    @cached_property
    def without_signal(self) -> NDArray[np.bool_]:
        """Whether q has left [q*/f, f q*], by network."""
        return is_outside(self.q, self.case.point.variance, WITHIN)

    @cached_property
    def without_gradient(self) -> NDArray[np.bool_]:
        """Whether |ln G| > ln f_g, by network."""
        return ~(np.abs(self.log_gradient) <= math.log(GRADIENT_WITHIN))

    @property
    def lost(self) -> dict[str, NDArray[np.bool_]]:
        """Whether a network has lost its signal, its gradient, or either."""
        return {
            "signal": self.without_signal,
            "gradient": self.without_gradient,
            "either": self.without_signal | self.without_gradient,
        }


def drawn(case: Case, folder: Path) -> Drawn:
    """The networks of a case, from `folder` or drawn now and kept there."""
    about = repr(case)
    path = folder / f"{hashlib.sha256(about.encode()).hexdigest()[:16]}.npz"
    if path.exists():
        with np.load(path) as kept:
            return Drawn(case, kept["q"], kept["log_gradient"])
    with threadpool_limits(1):
        ensemble = mf.simulate(case.experiment)
    found = Drawn(case, ensemble["q"][:, -1], ensemble["log_gradient"][:, 0])
    # A file that is there is whole.
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, about=np.array(about), q=found.q, log_gradient=found.log_gradient)
    unfinished.replace(path)
    return found


def main() -> None:
    """Draw what is missing, and print what was lost."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, grid in GRIDS.items():
        for family, cases in grid.items():
            for case in cases:
                shares = ", ".join(f"{part} {lost.mean():.4f}" for part, lost in drawn(case, folder).lost.items())
                print(f"{name}, {family}: {case.label}, {case.width} x {case.depth}: {shares}", flush=True)


if __name__ == "__main__":
    main()
