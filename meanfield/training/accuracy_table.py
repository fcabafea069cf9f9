"""What came of the runs of an experiment, a row for every network: verdict, accuracy over seeds, sparsity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean, stdev

from meanfield.activations.spec import values_in
from meanfield.infinite_width.moments import active_share, sloping_share
from meanfield.infinite_width.operating_point import operating_point
from meanfield.tables.records import Record
from meanfield.training.results import Results, subject_of
from meanfield.training.setting import Setting

__all__ = ["COLUMNS", "SHAPE", "WAY", "accuracies", "is_on_edge"]

#: Of a row.
COLUMNS = (
    *("name", "activation", "tau", "m", "q_star", "sigma_w", "sigma_b", "sparsity", "V_prime", "chi_1"),
    *("depth", "width", "model"),
    *("weights", "verdict", "share_lost", "signal_lost", "gradient_lost", "one_minus_rho", "clipped_share"),
    *("data", "epochs", "batch", "optimizer", "learning_rate", "clip_gradient"),
    *("validation_accuracy", "runs", "diverged", "test_accuracy", "test_accuracy_sd", "train_accuracy"),
    *("train_sparsity", "test_sparsity", "accuracy_lost", "seconds", "machine"),
)
#: Networks that are alike in these were trained on the same data, for as long, by the same optimiser; and are as large.
WAY = ("data", "model", "epochs", "batch", "optimizer")
SHAPE = (*WAY, "width", "depth")
#: χ₁ this near to 1 is that of an edge of chaos.
_ON_EDGE = 1e-9
#: Averaged over the runs that did not diverge.
_AVERAGED = ("test_accuracy", "train_accuracy", "train_sparsity", "test_sparsity")


def accuracies(results: Results, settings: Iterable[Setting]) -> list[Record]:
    """A row for every network among the settings that the results hold; those of no accuracy have diverged.

    `accuracy_lost` is against the best ReLU of the same shape, trained as long; of a network whose runs have all
    diverged it is all that ReLU has. None where no ReLU was trained.
    """
    held = [setting for setting in settings if setting in results.runs]
    tried = _longest_tried(results)
    rows = [
        {**_row(results, setting, runs), "validation_accuracy": tried.get(_as_tried(setting), {}).get("test_accuracy")}
        for setting, runs in _trained_alike(held).items()
    ]
    relu: dict[tuple[object, ...], float] = {}
    for row in rows:
        if row["name"] == "relu" and row["test_accuracy"] is not None:
            relu[_shape(row)] = max(row["test_accuracy"], relu.get(_shape(row), 0.0))
    for row in rows:
        best = relu.get(_shape(row))
        row["accuracy_lost"] = None if best is None else best - (row["test_accuracy"] or 0.0)
    return rows


def is_on_edge(row: Record) -> bool:
    """Whether a network is on its edge of chaos."""
    return abs(row["chi_1"] - 1) <= _ON_EDGE


def _trained_alike(settings: Iterable[Setting]) -> dict[Setting, list[Setting]]:
    """Settings that differ in their seeds alone, by the one whose seed is 0."""
    found: dict[Setting, list[Setting]] = {}
    for setting in settings:
        found.setdefault(replace(setting, seed=0), []).append(setting)
    return found


def _as_tried(setting: Setting) -> Setting:
    """What a network that is tested and the candidate that it was chosen for have in common."""
    return replace(setting, seed=0, validation=0, epochs=1.0)


def _longest_tried(results: Results) -> dict[Setting, Record]:
    """How each candidate ended on examples held out, when it was trained longest."""
    tried = sorted((setting for setting in results.runs if setting.validation), key=lambda setting: setting.epochs)
    return {_as_tried(setting): results.runs[setting] for setting in tried}


def _clipped_share(setting: Setting) -> float:
    """Of units that are active, those that pass no gradient: P(φ' = 0 | φ ≠ 0) at q*."""
    active, sloping = (float(share(setting.phi, setting.q_star)) for share in (active_share, sloping_share))
    return max(0.0, 1 - sloping / active) if active else 0.0


def _shape(row: Record) -> tuple[object, ...]:
    return tuple(row[name] for name in SHAPE)


def _row(results: Results, setting: Setting, runs: list[Setting]) -> Record:
    point = operating_point(setting.phi, setting.q_star, setting.sigma_w, setting.sigma_b)
    network = point.network
    verdict = results.verdicts.get(subject_of(setting), {})
    ended = [results.runs[run] for run in runs]
    finished = [result for result in ended if result["outcome"] == "finished"]
    row = {
        **setting.as_record(),
        "name": setting.name,
        **values_in(setting.activation),
        "sparsity": network.sparsity(setting.q_star),
        "V_prime": network.dV(setting.q_star),
        "chi_1": network.chi1(setting.q_star),
        "clipped_share": _clipped_share(setting),
        **verdict,
        "runs": len(ended),
        "diverged": 1 - len(finished) / len(ended),
        **{name: fmean(result[name] for result in finished) if finished else None for name in _AVERAGED},
        "test_accuracy_sd": stdev(r["test_accuracy"] for r in finished) if len(finished) > 1 else None,
        "seconds": fmean(result["seconds"] for result in ended),
        "machine": "; ".join(dict.fromkeys(result["machine"] for result in ended)),
    }
    return {name: row.get(name) for name in COLUMNS}
