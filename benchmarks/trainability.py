"""How well losses of signal and gradient are foretold: shares, words, mean and sd of ln G, against real networks.

Run: python benchmarks/trainability.py FOLDER [GRID …]. Networks that FOLDER lacks are drawn first, which takes three
quarters of an hour for all of `trainability_grids.py`; the tables themselves take some minutes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri
from scipy.stats import binom
from trainability_draw import Drawn, drawn
from trainability_grids import GRIDS, Case, Grid

import meanfield as mf
from meanfield.finite_width.escape import wilson_interval
from meanfield.infinite_width.verdict import GOOD
from meanfield.quantities import CHAINS, RISK

__all__ = ["Prediction", "Trial", "predicted", "show"]

PARTS = ("signal", "gradient", "either")
#: A share foretold is that of so many random networks; 0 of them means less than half of one.
_LEAST = 0.5 / CHAINS
#: No error of ln G is less.
_ROUNDING = 1e-9
#: No share of some hundred networks says more.
_FURTHEST = 5.0


@dataclass(frozen=True)
class Prediction:
    """What is said of a case before it is drawn.

    Attributes:
        signal, gradient, either: the shares lost.
        word: the verdict.
        words: of signal and gradient, and of the two together.
        mean, sd: of ln G, to order 1/N; NaN where that theory is withheld.
    """

    signal: float
    gradient: float
    either: float
    word: str
    words: tuple[str, str, str]
    mean: float
    sd: float


def predicted(case: Case) -> Prediction:
    """By the verdict that `meanfield stability` gives."""
    required = mf.Requirement(case.width, case.depth, weights=case.weights)
    diagnosis = mf.diagnose(case.point, with_remedies=False)
    found = mf.at_width(diagnosis, required, case.start, with_remedies=False)
    verdict, chains = found.verdict, found.escapes
    return Prediction(
        signal=chains.probability,
        gradient=float(chains.without_gradient.mean()),
        either=float(chains.lost().mean()),
        word=verdict.word,
        words=(verdict.signal.word, verdict.gradient.word, verdict.together),
        mean=float(found.gradients.mean[0]),
        sd=float(found.gradients.sd[0]),
    )


@dataclass(frozen=True)
class Trial:
    """A case as foretold and as drawn."""

    family: str
    foretold: Prediction
    drawn: Drawn

    def share(self, part: str) -> float:
        """The share foretold to be lost."""
        return float(getattr(self.foretold, part))

    def count(self, part: str) -> int:
        """How many networks were."""
        return int(np.count_nonzero(self.drawn.lost[part]))

    def interval(self, part: str) -> tuple[float, float]:
        """Wilson's 95 % interval of the share drawn."""
        return wilson_interval(self.count(part), self.drawn.q.size)

    def is_inside(self, part: str) -> bool:
        """Whether the share foretold is in the interval."""
        low, high = self.interval(part)
        return low <= self.share(part) <= high

    def deviate(self, part: str) -> float:
        """How many more were lost than foretold, as a normal deviate: of P(fewer) + ½ P(as many), binomial."""
        n, count = self.drawn.q.size, self.count(part)
        share = min(max(self.share(part), _LEAST), 1 - _LEAST)
        below = binom.cdf(count - 1, n, share) + 0.5 * binom.pmf(count, n, share)
        return float(np.clip(ndtri(below), -_FURTHEST, _FURTHEST))

    def expected_variance(self, part: str) -> float:
        """Of the number lost, if the share foretold is right."""
        share = self.share(part)
        return self.drawn.q.size * share * (1 - share)

    @property
    def word_is_right(self) -> bool:
        """Whether the networks drawn allow the words: of good ones at most the share `RISK` is lost, of others more.

        A neutral signal may go where it likes.
        """
        signal, gradient, together = self.foretold.words
        neutral = signal == "neutral"
        return (
            (neutral or self._allows("signal", signal))
            and self._allows("gradient", gradient)
            and self._allows("gradient" if neutral else "either", together)
        )

    def _allows(self, part: str, word: str) -> bool:
        low, high = self.interval(part)
        return low <= RISK if word in GOOD else high >= RISK

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and sd of ln G over the networks in which it is finite; NaN with fewer than ten."""
        values = self._log_gradient
        return (float(values.mean()), float(values.std(ddof=1))) if values.size >= 10 else (math.nan, math.nan)

    @property
    def distances(self) -> tuple[float, float]:
        """Mean and sd of ln G less those foretold, in standard errors; NaN where either is unknown."""
        values, (mean, sd) = self._log_gradient, self.moments
        if math.isnan(mean):
            return math.nan, math.nan
        fourth = float(np.mean((values - mean) ** 4))
        errors = (
            sd / math.sqrt(values.size),
            0.5 * math.sqrt(max(fourth - sd**4, 0.0) / values.size) / max(sd, _ROUNDING),
        )
        off = mean - self.foretold.mean, sd - self.foretold.sd
        return off[0] / max(errors[0], _ROUNDING), off[1] / max(errors[1], _ROUNDING)

    @property
    def _log_gradient(self) -> np.ndarray:
        values = self.drawn.log_gradient
        return values[np.isfinite(values)]


def trials(grid: Grid, folder: Path, predict_case: Callable[[Case], Prediction]) -> list[Trial]:
    """Every case of a grid, foretold and drawn."""
    return [Trial(family, predict_case(case), drawn(case, folder)) for family, cases in grid.items() for case in cases]


def show(console: Console, name: str, tried: Sequence[Trial]) -> None:
    """The tables of a grid: case by case, all together, and by family and phase."""
    console.print(_cases(name, tried))
    console.print(_summary(name, tried))
    console.print(_drift(name, tried))


def _cases(name: str, tried: Sequence[Trial]) -> Table:
    title = f"{name}: foretold, drawn (95 % interval of the share), * outside; ln G in standard errors"
    table = Table("activation", "N", "L", *PARTS, "word", "mean ln G", "sd ln G", title=title)
    for trial in tried:
        case = trial.drawn.case
        cells = [_share(trial, part) for part in PARTS]
        word = trial.foretold.word + ("" if trial.word_is_right else " *")
        foretold = (trial.foretold.mean, trial.foretold.sd)
        moments = [
            f"{theory:.2f}, {seen:.2f} ({z:+.1f})"
            for theory, seen, z in zip(foretold, trial.moments, trial.distances, strict=True)
        ]
        table.add_row(case.label, str(case.width), str(case.depth), *cells, word, *moments)
    return table


def _share(trial: Trial, part: str) -> str:
    low, high = trial.interval(part)
    seen = trial.count(part) / trial.drawn.q.size
    mark = "" if trial.is_inside(part) else " *"
    return f"{trial.share(part):.4f}, {seen:.3f} ({low:.3f} to {high:.3f}){mark}"


def _summary(name: str, tried: Sequence[Trial]) -> Table:
    """The bars: shares inside ≥ 90 %, words right ≥ 95 %, moments within two standard errors ≥ 90 %."""
    table = Table("what", "right", "of", "share", title=f"{name}: all cases")
    for part in PARTS:
        _count(table, f"{part}: inside", [trial.is_inside(part) for trial in tried])
    _count(table, "word", [trial.word_is_right for trial in tried])
    for index, moment in enumerate(("mean", "sd")):
        known = [z for trial in tried if not math.isnan(z := trial.distances[index])]
        _count(table, f"{moment} of ln G: within 2 standard errors", [abs(z) <= 2 for z in known])
    return table


def _count(table: Table, what: str, right: Sequence[bool]) -> None:
    share = f"{sum(right) / len(right):.1%}" if right else ""
    table.add_row(what, str(sum(right)), str(len(right)), share)


def _drift(name: str, tried: Sequence[Trial]) -> Table:
    """The mean signed deviate of groups, in standard errors; cases of which about all or none are lost tell nothing."""
    table = Table("cases", *PARTS, title=f"{name}: more lost than foretold, mean normal deviate (its standard errors)")
    groups = {trial.family: [t for t in tried if t.family == trial.family] for trial in tried}
    groups |= {phase: [t for t in tried if t.drawn.case.phase == phase] for phase in _phases(tried)}
    for group, some in {**groups, "all": tried}.items():
        table.add_row(group, *(_mean_deviate(some, part) for part in PARTS))
    return table


def _phases(tried: Iterable[Trial]) -> list[str]:
    return list(dict.fromkeys(trial.drawn.case.phase for trial in tried))


def _mean_deviate(tried: Iterable[Trial], part: str) -> str:
    telling = [t.deviate(part) for t in tried if t.expected_variance(part) >= 1]
    if not telling:
        return ""
    mean = float(np.mean(telling))
    return f"{mean:+.2f} ({mean * math.sqrt(len(telling)):+.1f}), {len(telling)} cases"


def main() -> None:
    """Draw what is missing and print the tables."""
    folder, names = Path(sys.argv[1]), sys.argv[2:] or list(GRIDS)
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(width=190)
    for name in names:
        show(console, name, trials(GRIDS[name], folder, predicted))


if __name__ == "__main__":
    main()
