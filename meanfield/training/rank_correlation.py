"""Does the verdict foresee training? The share of networks said to be lost, beside the accuracy that training lost.

Within each sparsity the two are compared by their ranks (Spearman), for no law says how much of the one makes how much
of the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from meanfield.tables.records import Record

__all__ = ["rank_correlations"]

#: Ranks of fewer networks say nothing.
_FEWEST = 4
#: Digits of a sparsity: those of one are equal to them.
_DIGITS = 3


def rank_correlations(rows: Sequence[Record]) -> list[Record]:
    """Spearman's correlation of `share_lost` with `accuracy_lost` within each sparsity, and over all; rows of
    `accuracies`, of which ReLU's own are left out."""
    from scipy.stats import spearmanr

    compared = [row for row in rows if None not in (row["share_lost"], row["accuracy_lost"]) and row["name"] != "relu"]
    groups: dict[str, list[Record]] = {}
    for row in sorted(compared, key=lambda row: row["sparsity"]):
        groups.setdefault(f"{row['sparsity']:.{_DIGITS}g}", []).append(row)
    found = []
    for sparsity, group in {**groups, "all": compared}.items():
        foretold, lost = ([row[key] for row in group] for key in ("share_lost", "accuracy_lost"))
        if len(group) >= _FEWEST and min(len(set(foretold)), len(set(lost))) > 1:
            rank = float(spearmanr(foretold, lost).statistic)
            found.append({"sparsity": sparsity, "count": len(group), "rank_correlation": rank})
    return found
