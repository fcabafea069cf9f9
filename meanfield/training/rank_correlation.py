"""Does the verdict foresee training? The share of networks said to be lost, beside the accuracy that training lost.

Within each sparsity the two are compared by their ranks (Spearman), for no law says how much of the one makes how much
of the other; and so are the share lost and a second quantity together. Networks trained for as long are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from meanfield.tables.records import Record, grouped
from meanfield.training.accuracy_table import WAY

__all__ = ["rank_correlations"]

#: What theory says before training; what would cost less, of infinite width; what is added to the first.
_FORETOLD, _CHEAPER, _BESIDE = "share_lost", "V_prime", ("clipped_share", "one_minus_rho")
#: What is compared with them.
_LOST = "accuracy_lost"
#: Ranks of fewer networks say nothing.
_FEWEST = 8
#: Digits of a sparsity: those of one are equal to them.
_DIGITS = 3


def rank_correlations(rows: Sequence[Record]) -> list[Record]:
    """How well what is foretold ranks `accuracy_lost` within each sparsity, and over all.

    `rank_correlation` is Spearman's, with the share lost, and `rank_in_shape` its mean over widths and depths, each by
    itself: narrow networks lose more of both. `rank_of_V_prime` is that of V'(q*), which knows no width.
    `with_clipped_share` and `with_one_minus_rho` are those of the best sum of ranks of the share lost and of the other:
    the multiple correlation of ranks, which no second quantity lowers.

    Args:
        rows: of `accuracies`, of which ReLU's own are left out.
    """
    needed = (_FORETOLD, _LOST, *_BESIDE)
    compared = [row for row in rows if None not in (row[key] for key in needed) and row["name"] != "relu"]
    found = []
    for all_rows in grouped(sorted(compared, key=lambda row: row["sparsity"]), WAY).values():
        groups: dict[str, list[Record]] = {}
        for row in all_rows:
            groups.setdefault(f"{row['sparsity']:.{_DIGITS}g}", []).append(row)
        for sparsity, group in {**groups, "all": all_rows}.items():
            if len(group) >= _FEWEST and (ranks := _ranked(group)):
                about = {key: group[0][key] for key in WAY}
                found.append({**about, "sparsity": sparsity, "count": len(group), **ranks})
    return found


def _ranked(group: Sequence[Record]) -> Record:
    """The correlations of a group; none where all are alike in what is compared."""
    alone = _spearman(group, _FORETOLD)
    if alone is None:
        return {}
    shapes = grouped(group, ("width", "depth")).values()
    in_shapes = [_spearman(some, _FORETOLD) for some in shapes if len(some) >= _FEWEST]
    known = [rank for rank in in_shapes if rank is not None]
    lost, foretold = _column(group, _LOST), _column(group, _FORETOLD)
    return {
        "rank_correlation": alone,
        "rank_in_shape": fmean(known) if known else None,
        f"rank_of_{_CHEAPER}": _spearman(group, _CHEAPER),
        **{f"with_{key}": _multiple(lost, foretold, _column(group, key)) for key in _BESIDE},
    }


def _column(group: Sequence[Record], key: str) -> list[float]:
    return [row[key] for row in group]


def _spearman(group: Sequence[Record], key: str) -> float | None:
    """Correlation of ranks with the accuracy lost; None where there is none, all being alike."""
    from scipy.stats import spearmanr

    foretold, lost = _column(group, key), _column(group, _LOST)
    return float(spearmanr(foretold, lost).statistic) if min(len(set(foretold)), len(set(lost))) > 1 else None


def _multiple(y: Sequence[float], *quantities: Sequence[float]) -> float:
    """The correlation of the ranks of y with the sum of those of several quantities that fits them best."""
    import numpy as np
    from scipy.stats import rankdata

    ranks = rankdata(y)
    known = np.column_stack([np.ones(len(ranks)), *map(rankdata, quantities)])
    return float(np.std(known @ np.linalg.lstsq(known, ranks)[0]) / np.std(ranks))
