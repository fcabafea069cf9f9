"""The best rate, limit of gradients and law of weights for a network, found the same way for all.

Every candidate is trained for a short while, the better ones for longer, and judged on examples held out from the
training set; what is best is then trained anew on all of it, from several seeds, and tested once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

from meanfield.domain import require_count
from meanfield.errors import DomainError
from meanfield.processes import undisturbed
from meanfield.tables.records import Record
from meanfield.training.foretelling import decided, forecast
from meanfield.training.results import Results, subject_of
from meanfield.training.setting import Setting, Weights
from meanfield.workers.calls import processors, spread

__all__ = ["Stage", "Tuning", "Workers", "tuned"]

#: Of a run that diverged, when runs are put in order.
_LOST = -1.0


@dataclass(frozen=True)
class Stage:
    """So many epochs for each candidate, and how many of them go on.

    Raises:
        DomainError: none would go on.
    """

    epochs: float
    keep: int

    def __post_init__(self) -> None:
        require_count("keep", self.keep)


@dataclass(frozen=True)
class Tuning:
    """What is tried for every network alike.

    Attributes: `rates` of learning; `limits` of the norm of the gradient, ∞ for none; `weights`, their laws; `stages`;
    `validation`, examples held out, 1 or more, so that nothing is chosen by the test set.

    Raises:
        DomainError: nothing to try, or nothing to judge it by.
    """

    rates: tuple[float, ...] = (5e-5, 1e-4, 2e-4, 4e-4, 8e-4)
    limits: tuple[float, ...] = (math.inf, 1.0)
    weights: tuple[Weights, ...] = ("gaussian", "orthogonal")
    stages: tuple[Stage, ...] = (Stage(1.0, 4), Stage(4.0, 1))
    validation: int = 10_000

    def __post_init__(self) -> None:
        for name in ("rates", "limits", "weights", "stages"):
            if not getattr(self, name):
                raise DomainError(f"no {name} are given to try: give one or more")
        require_count("validation", self.validation)

    def candidates(self, setting: Setting) -> list[Setting]:
        """The settings that are tried for a network, each once."""
        found = (
            replace(setting, learning_rate=rate, clip_gradient=limit, weights=weights, validation=self.validation)
            for rate, limit, weights in product(self.rates, self.limits, self.weights)
        )
        return list(dict.fromkeys(found))

    def epochs(self, setting: Setting, repeats: int) -> float:
        """All that are trained for a network, and for `repeats` runs of the best."""
        going, total = len(self.candidates(setting)), repeats * setting.epochs
        for stage in self.stages:
            total += going * stage.epochs
            going = min(going, stage.keep)
        return total


@dataclass(frozen=True)
class Workers:
    """Who trains: processes here, −1 for one for each processor, or those of a Dask scheduler; on which device.

    Each trains up to `together` networks side by side that are of one kind (`side_by_side`), on a GPU in hardly more
    time than one.

    Raises:
        DomainError: no process, or no network.
    """

    jobs: int = -1
    dask: str | None = None
    device: str = "cpu"
    together: int = 1

    def __post_init__(self) -> None:
        if self.jobs != -1:
            require_count("jobs", self.jobs)
        require_count("together", self.together)

    def train(self, settings: Iterable[Setting], results: Results, advance: Callable[[float], object]) -> None:
        """Train what the results do not hold yet; each is kept as soon as it is done.

        `advance` is called with the epochs of each setting.

        Raises:
            DomainError: networks that cannot be trained together.
            OutputError: data that cannot be had, or no room for results.
            ClusterError: a cluster that cannot be reached.
        """
        asked = list(dict.fromkeys(settings))
        missing = [setting for setting in asked if setting not in results.runs]
        advance(sum(setting.epochs for setting in asked if setting in results.runs))
        jobs = processors() if self.jobs == -1 else self.jobs
        calls = [(some, self.device) for some in _at_once(missing, self.together)]
        for ended in spread(_trained, calls, min(jobs, len(calls) or 1), self.dask, in_order=False):
            with undisturbed():
                for setting, result in ended:
                    results.add(setting, result)
            advance(sum(setting.epochs for setting, _ in ended))


def _at_once(settings: Sequence[Setting], together: int) -> list[list[Setting]]:
    """The settings, as many at a time as are trained by one call."""
    if together == 1:
        return [[setting] for setting in settings]
    from meanfield.training.side_by_side import kind

    kinds: dict[Hashable, list[Setting]] = {}
    for setting in settings:
        kinds.setdefault(kind(setting), []).append(setting)
    return [alike[n : n + together] for alike in kinds.values() for n in range(0, len(alike), together)]


def _trained(settings: list[Setting], device: str) -> list[tuple[Setting, Record]]:
    # Torch is loaded by the workers alone.
    from meanfield.training.run import train
    from meanfield.training.side_by_side import train_side_by_side

    data = _data(settings[0].data)
    if len(settings) == 1:
        ended = [train(settings[0], data=data, device=device)]
    else:
        ended = train_side_by_side(settings, data=data, device=device)
    return [(trained.setting, {**trained.result(), "data_checksum": data.checksum}) for trained in ended]


@cache
def _data(name: str) -> Any:
    from meanfield.training.data import load

    return load(name)


def tuned(
    networks: Sequence[Setting],
    tuning: Tuning,
    results: Results,
    workers: Workers,
    advance: Callable[[float], object] = lambda epochs: None,
) -> list[Setting]:
    """The best candidate for each network, of the epochs and on the examples of the network itself.

    What theory says of every candidate is kept in the results before any is trained.
    """
    going = [tuning.candidates(network) for network in networks]
    for setting in (setting for candidates in going for setting in candidates):
        if subject_of(setting) not in results.verdicts:
            results.foretell(setting, decided(forecast(setting, with_remedies=False)))
    for stage in tuning.stages:
        going = [[replace(setting, epochs=stage.epochs) for setting in candidates] for candidates in going]
        workers.train((setting for candidates in going for setting in candidates), results, advance)
        going = [
            sorted(candidates, key=lambda setting: _score(results.runs[setting]), reverse=True)[: stage.keep]
            for candidates in going
        ]
    return [
        replace(candidates[0], epochs=network.epochs, validation=network.validation)
        for network, candidates in zip(networks, going, strict=True)
    ]


def _score(result: Record) -> float:
    accuracy = result["test_accuracy"]
    return _LOST if accuracy is None else float(accuracy)
