"""What a gain χ₁ other than 1 brings in training: accuracy beside the edge of chaos, against that on it.

Networks are compared that are alike in all but χ₁, each tuned by itself. Which gain is the best is decided by the
examples that were held out for tuning, and what it brings is measured on the test set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from meanfield.activations.spec import activation
from meanfield.errors import DomainError
from meanfield.infinite_width.tangent_kernel import Rule, contrast, gain_for_training
from meanfield.tables.records import Record, grouped
from meanfield.training.accuracy_table import SHAPE, WAY, is_on_edge

__all__ = ["COLUMNS", "contrast_ranks", "gained", "nearest_to_foretold", "nearness_ranks"]

#: Networks that differ in nothing but χ₁, the weights that it makes and how they were tuned.
_ALIKE = ("name", "activation", "q_star", *SHAPE)
#: Of a row.
COLUMNS = (
    *("name", "activation", "sparsity", "q_star", "chi_1", "V_prime", "width", "depth", "model", "data", "epochs"),
    *("batch", "optimizer", "learning_rate", "verdict", "share_lost", "validation_accuracy", "is_best"),
    *("runs", "diverged", "test_accuracy", "test_accuracy_sd", "accuracy_gained", "gained_interval"),
    *("chi_1_for_training", "contrast_on_edge"),
)
#: Ranks of fewer gains say nothing.
_FEWEST = 4
_CONFIDENCE = 0.95


def gained(rows: Sequence[Record]) -> list[Record]:
    """A row for every network whose like was also trained on the edge of chaos, and for that one; by χ₁.

    `accuracy_gained` is the mean test accuracy less that on the edge, `gained_interval` its interval of 95 % (Welch),
    where both have several runs that ended; both are None where all runs of either diverged. `is_best` marks the gain
    of the largest `validation_accuracy` among those alike, if there are any. `chi_1_for_training` is the gain that the
    tangent kernel foretells and `contrast_on_edge` its contrast on the edge, None where there is none.

    Args:
        rows: of `accuracies`.
    """
    found = []
    for group in grouped(rows, _ALIKE).values():
        on_edge = [row for row in group if is_on_edge(row)]
        if not on_edge or len(group) == len(on_edge):
            continue
        edge = max(on_edge, key=_validated)
        tuned = [row for row in group if row["validation_accuracy"] is not None]
        best = max(tuned, key=_validated) if tuned else None
        foretold = _foretold(edge)
        for row in sorted((edge, *(row for row in group if row not in on_edge)), key=lambda row: row["chi_1"]):
            whole = {**row, **foretold, "is_best": row is best, **({} if row is edge else _against(row, edge))}
            found.append({name: whole.get(name) for name in COLUMNS})
    return found


def nearness_ranks(rows: Sequence[Record]) -> list[Record]:
    """How nearness to the gain for training ranks the test accuracies of a network over χ₁: a row for every network.

    `nearness_rank` is Spearman's, of −|ln χ₁ − ln χ₁ for training| with the accuracy; of networks with four gains or
    more, on both sides of the one foretold.

    Args:
        rows: of `gained`.
    """
    from scipy.stats import spearmanr

    found = []
    for group in grouped(rows, _ALIKE).values():
        known = [row for row in group if row["test_accuracy"] is not None and row["chi_1_for_training"]]
        beside = [row["chi_1"] > row["chi_1_for_training"] for row in known]
        if len(known) >= _FEWEST and any(beside) and not all(beside):
            rank = float(spearmanr([*map(_nearness, known)], [row["test_accuracy"] for row in known]).statistic)
            found.append({**known[0], "count": len(known), "nearness_rank": None if math.isnan(rank) else rank})
    return found


def nearest_to_foretold(rows: Sequence[Record]) -> list[Record]:
    """Of each network the row whose χ₁ is the nearest to the gain for training; nothing is chosen by accuracies.

    Args:
        rows: of `gained`.
    """
    known = ([row for row in group if row["chi_1_for_training"]] for group in grouped(rows, _ALIKE).values())
    return [max(group, key=_nearness) for group in known if group]


def contrast_ranks(rows: Sequence[Record]) -> list[Record]:
    """Whether a gain helps where the edge tells inputs apart badly: a row for all networks trained alike.

    `contrast_rank` is Spearman's correlation, over `count` networks, of −`contrast_on_edge` with the accuracy gained at
    the χ₁ that is nearest to the gain for training. Of four networks or more.

    Args:
        rows: of `gained`.
    """
    from scipy.stats import spearmanr

    found = []
    known = [row for row in nearest_to_foretold(rows) if row["accuracy_gained"] is not None]
    for group in grouped(known, WAY).values():
        if len(group) >= _FEWEST:
            columns = ([-row["contrast_on_edge"] for row in group], [row["accuracy_gained"] for row in group])
            rank = float(spearmanr(*columns).statistic)
            about = {name: group[0][name] for name in WAY}
            found.append({**about, "count": len(group), "contrast_rank": None if math.isnan(rank) else rank})
    return found


def _nearness(row: Record) -> float:
    return -abs(math.log(row["chi_1"] / row["chi_1_for_training"]))


def _foretold(row: Record) -> Record:
    """What the tangent kernel says of a network, which does not depend on its gain."""
    rule: Rule = "sgd" if row["optimizer"] == "sgd" else "adam"
    phi, depth, q_star = activation(row["activation"]), row["depth"], row["q_star"]
    try:
        on_edge = float(contrast(phi, q_star, 1.0, depth, rule))
        return {"chi_1_for_training": gain_for_training(phi, depth, rule, q_star), "contrast_on_edge": on_edge}
    except DomainError:
        return {}


def _validated(row: Record) -> float:
    accuracy = row["validation_accuracy"]
    return -1.0 if accuracy is None else float(accuracy)


def _against(row: Record, edge: Record) -> Record:
    if row["test_accuracy"] is None or edge["test_accuracy"] is None:
        return {}
    difference = row["test_accuracy"] - edge["test_accuracy"]
    return {"accuracy_gained": difference, "gained_interval": _interval(difference, row, edge)}


def _interval(difference: float, *pair: Record) -> list[float] | None:
    """Of the difference of two means, whose variances may differ."""
    if any(row["test_accuracy_sd"] is None for row in pair):
        return None
    from scipy.stats import t

    ended = [round(row["runs"] * (1 - row["diverged"])) for row in pair]
    parts = [row["test_accuracy_sd"] ** 2 / count for row, count in zip(pair, ended, strict=True)]
    # Of runs that agree to the last example nothing is known.
    if not sum(parts):
        return None
    freedom = sum(parts) ** 2 / sum(part**2 / (count - 1) for part, count in zip(parts, ended, strict=True))
    half = float(t.ppf((1 + _CONFIDENCE) / 2, freedom)) * math.sqrt(sum(parts))
    return [difference - half, difference + half]
