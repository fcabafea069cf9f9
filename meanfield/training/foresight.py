"""Does the verdict foresee training? The share of networks said to be lost, beside the accuracy that training lost.

Accuracy is lost against ReLU of the same width and depth, trained as long and tuned the same way. Within each sparsity
the two are compared by their ranks (Spearman), for no law says how much of the one makes how much of the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from meanfield.tables.records import Record
from meanfield.training.setting import Setting
from meanfield.training.sparse_settings import settings_of

__all__ = ["losses", "networks", "rank_correlations"]

#: Sparsities, and activations: of the clipped the level, and the q* at which it is taken.
_SPARSITIES = (0.7, 0.85, 0.9)
_CLIPPED, _LEVEL, _STARS = ("clipped-relu", "clipped-soft-threshold"), 1.6, (1.0, 2.0, 6.0)
_UNCLIPPED = ("shifted-relu", "soft-threshold")
#: A sparsity is one of these.
_NEAR = 0.005
#: A rank correlation of fewer says nothing.
_FEWEST = 4


def networks(shapes: Sequence[tuple[int, int]], **rest: Any) -> list[Setting]:
    """The networks that are foretold and trained, of each width and depth, those of ReLU first.

    `rest` are of `Setting`.
    """
    found = [setting for width, depth in shapes for setting in settings_of("relu", width=width, depth=depth, **rest)]
    for width, depth in shapes:
        for sparsity in _SPARSITIES:
            for act in (*_CLIPPED, *_UNCLIPPED):
                clipped = act in _CLIPPED
                for q_star in _STARS if clipped else _STARS[:1]:
                    given = {"m": _LEVEL} if clipped else {}
                    size = {"width": width, "depth": depth}
                    found += settings_of(act, given, sparsity=sparsity, q_star=q_star, **size, **rest)
    return found


def losses(rows: Sequence[Record], chance: float) -> list[Record]:
    """The rows of sparse networks with `accuracy_lost` against ReLU of the same shape.

    A network whose runs have all diverged knows nothing: what it has is chance.
    """
    relu = {(row["width"], row["depth"]): row["test_accuracy"] for row in rows if row["activation"] == "relu"}
    found = []
    for row in rows:
        best = relu.get((row["width"], row["depth"]))
        if row["activation"] != "relu" and best is not None:
            accuracy = row["test_accuracy"]
            found.append({**row, "accuracy_lost": best - (chance if accuracy is None else accuracy)})
    return found


def rank_correlations(rows: Sequence[Record]) -> list[Record]:
    """Spearman's correlation of `share_lost` with `accuracy_lost` within each sparsity, and over all rows."""
    from scipy.stats import spearmanr

    groups = {f"{s:g}": [row for row in rows if abs(row["sparsity"] - s) < _NEAR] for s in _SPARSITIES}
    found = []
    for name, group in {**groups, "all": list(rows)}.items():
        lost, missing = ([row[key] for row in group] for key in ("share_lost", "accuracy_lost"))
        varied = len(group) >= _FEWEST and len(set(lost)) > 1 and len(set(missing)) > 1
        rank = float(spearmanr(lost, missing).statistic) if varied else math.nan
        found.append({"sparsity": name, "count": len(group), "rank_correlation": rank if varied else None})
    return found
