"""Does the verdict foresee training? The share of networks said to be lost, beside the accuracy that training lost.

Within each sparsity the two are compared by their ranks (Spearman), for no law says how much of the one makes how much
of the other; and so are the share lost and a second quantity together. Networks trained for as long are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

from meanfield.tables.records import Record

__all__ = ["rank_correlations"]

#: What theory says before training, alone and beside the first.
_FORETOLD, _BESIDE = "share_lost", ("clipped_share", "one_minus_rho")
#: Networks are compared with those that are alike in these.
_ALIKE = ("data", "model", "epochs")
#: Ranks of fewer networks say nothing.
_FEWEST = 4
#: Digits of a sparsity: those of one are equal to them.
_DIGITS = 3


def rank_correlations(rows: Sequence[Record]) -> list[Record]:
    """How well what is foretold ranks `accuracy_lost` within each sparsity, and over all.

    `rank_correlation` is Spearman's, with the share lost; `with_clipped_share` and `with_one_minus_rho` are those of
    the best sum of ranks of the share lost and of the other: the multiple correlation of ranks, which no second
    quantity lowers.

    Args:
        rows: of `accuracies`, of which ReLU's own are left out.
    """
    needed = (_FORETOLD, "accuracy_lost")
    compared = [row for row in rows if None not in (row[key] for key in needed) and row["name"] != "relu"]
    alike: dict[tuple[object, ...], list[Record]] = {}
    for row in sorted(compared, key=lambda row: row["sparsity"]):
        alike.setdefault(tuple(row[key] for key in _ALIKE), []).append(row)
    found = []
    for all_rows in alike.values():
        groups: dict[str, list[Record]] = {}
        for row in all_rows:
            groups.setdefault(f"{row['sparsity']:.{_DIGITS}g}", []).append(row)
        for sparsity, group in {**groups, "all": all_rows}.items():
            if len(group) >= _FEWEST and (ranks := _ranked(group)):
                about = {key: group[0][key] for key in _ALIKE}
                found.append({**about, "sparsity": sparsity, "count": len(group), **ranks})
    return found


def _ranked(group: Sequence[Record]) -> Record:
    """The correlations of a group; none where all are alike in what is compared."""
    from scipy.stats import spearmanr

    lost, foretold = ([row[key] for row in group] for key in ("accuracy_lost", _FORETOLD))
    if min(len(set(foretold)), len(set(lost))) < 2:
        return {}
    found: Record = {"rank_correlation": float(spearmanr(foretold, lost).statistic)}
    for key in _BESIDE:
        second = [row[key] for row in group]
        if None not in second:
            found[f"with_{key}"] = _multiple(lost, foretold, second)
    return found


def _multiple(y: Sequence[float], *quantities: Sequence[float]) -> float:
    """The correlation of the ranks of y with the sum of those of several quantities that fits them best."""
    import numpy as np
    from scipy.stats import rankdata

    ranks = rankdata(y)
    known = np.column_stack([np.ones(len(ranks)), *map(rankdata, quantities)])
    return float(np.std(known @ np.linalg.lstsq(known, ranks)[0]) / np.std(ranks))
