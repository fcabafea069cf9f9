"""An ensemble of random networks beside what theory says of it: by quantity and layer, and as a yes or no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_a
from meanfield.errors import DomainError
from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.prediction import Predicted, predict
from meanfield.finite_width.variance_law import escape_probability
from meanfield.infinite_width.moments import active_share
from meanfield.simulation.ensemble import Ensemble
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown, ShownRows

__all__ = [
    "LEVELS",
    "ROW",
    "Comparison",
    "Departure",
    "Resolution",
    "Statistics",
    "compare",
    "departures",
    "require_enough",
    "require_level",
    "resolution",
]

Array = NDArray[np.float64]

#: The quantiles of an ensemble, by what they are called in files.
LEVELS = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
#: What is said of a quantity at a layer.
ROW = (
    *("quantity", "layer", "ensemble_mean", "ensemble_sd", *LEVELS, "infinite_width", "theory_mean", "theory_sd", "z"),
    *("count", "escaped", "overflowed"),
)
#: Variances whose fourth powers, and so their spread, are doubles with room to spare.
_LARGEST_VARIANCE = 1e50
#: Excess kurtosis of φ² where a unit is active, about; the mean over N of them has 1/N of it.
_KURTOSIS_OF_A_UNIT = 10.0
#: Networks that say anything of a spread.
_FEWEST = 10
#: Of a mean or a spread, relative to a variance, and to 1 or the value if that is larger of anything else.
_AGREEMENT = 1e-12


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of one quantity over the networks in which it is defined, by layer; every shape (depth + 1,) but of quantiles.

    Attributes:
        count: in how many networks it is defined.
        mean, sd: ∞ and NaN where a variance has overflowed.
        quantiles: at `LEVELS`, shape (levels, depth + 1).
        z: the mean less that of theory, in standard errors sd/√count, sd the larger of theirs and theory's; NaN where
            theory has none, and where all networks agree with it to rounding.
        z_sd: (sd/theory)² as a normal deviate, by Wilson and Hilferty's cube root; 2·count/(κ − 1) degrees of freedom,
            κ the largest of three kurtoses: of the networks, of a mean over the active units and, for q and ρ, of a
            log-normal variable. NaN where there are less than one, or the spread is rounding.
        degrees: those degrees of freedom.
    """

    count: NDArray[np.int_]
    mean: Array
    sd: Array
    quantiles: Array
    z: Array
    z_sd: Array
    degrees: Array


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(ShownRows):
    """An ensemble, what theory says of it and what it does, by quantity.

    `escape_probability`: the share of networks that theory expects to have escaped at the last layer, of dense
    Gaussian networks; NaN of others.
    """

    ensemble: Ensemble
    predicted: Mapping[str, Predicted]
    statistics: Mapping[str, Statistics]
    escape_probability: float

    paper = ("quantity", "layer", "ensemble_mean", "ensemble_sd", "theory_mean", "theory_sd", "z")

    def record(self) -> Record:
        """What was asked, and what became of the networks."""
        told = self.ensemble.record()
        overflowed = told.pop("overflowed")
        return {**told, "escape_probability": self.escape_probability, "overflowed": overflowed}

    def records(self) -> list[Record]:
        """A row for every quantity and layer."""
        rows: list[Record] = []
        for name, s in self.statistics.items():
            p, e = self.predicted[name], self.ensemble
            columns = (s.mean, s.sd, *s.quantiles, p.value, p.mean, p.sd, s.z, s.count)
            for layer, numbers in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
                # Of the network, and so told once.
                lost = (float(e.escaped[layer]), float(e.overflowed[layer])) if name == "q" else (None, None)
                rows.append(dict(zip(ROW, (name, layer, *numbers, *lost), strict=True)))
        return rows


@dataclass(frozen=True)
class Departure(Shown):
    """Where an ensemble differs from theory by more than sampling error.

    `moment`: mean or sd; `seen`, `predicted`: its values; `z`: their distance in standard errors.
    """

    quantity: str
    layer: int
    moment: str
    seen: float
    predicted: float
    z: float

    def record(self) -> Record:
        """Every field."""
        return dict(vars(self))


@dataclass(frozen=True)
class Resolution:
    """The least that a comparison with theory sees of one quantity, at the last layer at which it is compared.

    `mean`: how far the mean over the networks has to be from theory's, None if it is not compared; `sd`: the factor by
    which their standard deviation has to be too large, likewise. With four times the networks `mean` is half of that.
    """

    layer: int
    mean: float | None
    sd: float | None


def compare(ensemble: Ensemble) -> Comparison:
    """Lay the theory beside an ensemble."""
    require_a(Ensemble, "ensemble", ensemble)
    predicted = predict(ensemble.experiment)
    active = _active(ensemble.experiment, predicted["q"])
    statistics = {name: _statistics(ensemble[name], predicted[name], name, active) for name in predicted}
    return Comparison(ensemble, predicted, statistics, _escape_probability(ensemble.experiment))


def _escape_probability(e: Experiment) -> float:
    if e.q_star is None or not e.is_dense or e.weights != "gaussian":
        return float("nan")
    try:
        return escape_probability(e.network, e.q_star, Requirement(e.width, e.depth, e.within, chains=1), e.start)
    except DomainError:
        # Variances whose moments are no doubles.
        return float("nan")


def _active(e: Experiment, q: Predicted) -> Array:
    """How many units of the layer before are not 0, at infinite width; those of layer 0 before the first."""
    known = np.isfinite(q.value)
    share = np.ones(e.depth + 1)
    share[known] = active_share(e.network.activation, q.value[known])
    return e.width * np.concatenate([share[:1], share[:-1]])


def _statistics(values: Array, predicted: Predicted, name: str, active: Array) -> Statistics:
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    with np.errstate(all="ignore"):
        mean = values.sum(axis=0, where=defined) / count
        away = np.where(defined, values - mean, 0.0)
        # Powers of deviations in units of the largest one neither over- nor underflow.
        unit = np.abs(away).max(axis=0)
        relative = np.square(np.where(unit > 0, away / unit, 0.0))
        sd = unit * np.sqrt(relative.sum(axis=0) / np.where(count > 1, count - 1, np.nan))
        kurtosis = count * np.square(relative).sum(axis=0) / np.square(relative.sum(axis=0))
        rounding = _AGREEMENT * (np.abs(mean) if name == "q" else np.maximum(np.abs(mean), 1.0))
        # A heavy tail that few networks have met shows in theory's spread, one that theory has not in theirs.
        z = _in_errors(mean - predicted.mean, np.fmax(sd, predicted.sd) / np.sqrt(count), rounding)
        heavy = np.fmax(_log_normal_kurtosis(predicted, name), 3 + _KURTOSIS_OF_A_UNIT / active)
        degrees = 2 * count / (np.fmax(kurtosis, heavy) - 1)
        silent = (np.fmax(sd, predicted.sd) <= rounding) | ~(degrees >= 1)
        z_sd = np.where(silent, np.nan, _spread_in_errors(sd / predicted.sd, degrees))
    return Statistics(count, mean, sd, _quantiles(values, defined), z, z_sd, degrees)


def _spread_in_errors(ratio: Array, degrees: Array) -> Array:
    """A ratio of standard deviations, its square distributed as χ² over its degrees of freedom, as a normal deviate."""
    error = 2 / (9 * degrees)
    return np.asarray((np.cbrt(np.square(ratio)) - (1 - error)) / np.sqrt(error))


def _log_normal_kurtosis(predicted: Predicted, name: str) -> Array:
    """Of what is multiplied by noise layer by layer, variances and 1 − |ρ|, were it log-normal with theory's spread."""
    if name not in ("q", "rho"):
        return np.full_like(predicted.mean, 3.0)
    size = predicted.mean if name == "q" else 1 - np.abs(predicted.mean)
    growth = 1 + np.square(predicted.sd / size)
    return np.asarray(growth**4 + 2 * growth**3 + 3 * growth**2 - 3)


def _in_errors(difference: Array, error: Array, rounding: Array) -> Array:
    """The difference in standard errors; ∞ where only the error is nothing.

    NaN where there is neither a difference nor an error but of rounding, or an error beyond doubles, which hides any
    difference.
    """
    z = difference / np.where(error <= rounding, 0.0, error)
    silent = ((np.abs(difference) <= rounding) & (error <= rounding)) | np.isinf(error)
    return np.where(silent, np.nan, z)


def _quantiles(values: Array, defined: NDArray[np.bool_]) -> Array:
    """At `LEVELS`: numbers that occur, so that a variance of ∞ is no obstacle; NaN where there are none."""
    found = np.full((len(LEVELS), values.shape[1]), np.nan)
    for layer, (column, there) in enumerate(zip(values.T, defined.T, strict=True)):
        if there.any():
            found[:, layer] = np.quantile(column[there], list(LEVELS.values()), method="inverted_cdf")
    return found


def require_level(level: float) -> None:
    """Refuse what is no probability of a false alarm, with a `DomainError`."""
    if not (0 < level < 1):
        raise DomainError(f"level = {level:g} is no probability: give 0 < level < 1, such as 0.01")


def require_enough(networks: int) -> None:
    """Refuse fewer networks than tell theory from chance, with a `DomainError`."""
    if networks < _FEWEST:
        raise DomainError(f"networks = {networks} are too few to tell theory from chance: give at least {_FEWEST}")


def departures(comparison: Comparison, level: float = 0.01) -> tuple[list[Departure], int, float]:
    """Where means and spreads differ from theory by more than sampling error.

    Were theory right, a list with anything in it would have a probability of at most `level`: each of so many
    comparisons is held against Student's distribution at its share of that. Where theory has no correction to q for
    this width, the networks depart from it by definition.

    Returns:
        The departures, the worst first; how many comparisons were made; the distance in standard errors from which on
        a mean over all networks counts.

    Raises:
        DomainError: a level that is no probability, or fewer than ten networks.
    """
    from scipy.stats import norm, t

    require_level(level)
    require_enough(comparison.ensemble.experiment.networks)
    made = []
    for name, s in comparison.statistics.items():
        p = comparison.predicted[name]
        for moment, seen, theory, z in (("mean", s.mean, p.mean, s.z), ("sd", s.sd, p.sd, s.z_sd)):
            if name == "q" and moment == "mean":
                # Where there is no theory of this width, or networks overflow and it does not, they part.
                lost = (p.value <= _LARGEST_VARIANCE) & ~(np.isfinite(theory) & np.isfinite(seen))
                z, theory = np.where(lost, np.inf, z), np.where(lost, p.value, theory)
            for layer in np.flatnonzero(~np.isnan(z)):
                values = map(float, (seen[layer], theory[layer], z[layer]))
                made.append((Departure(name, int(layer), moment, *values), s.count[layer]))
    share = _share(level, len(made))
    # Of a spread z is a normal deviate; of a mean it has Student's law, with as many networks as there are.
    far = [d for d, count in made if abs(d.z) > (norm.isf(share) if d.moment == "sd" else t.isf(share, count - 1))]
    threshold = float(t.isf(share, comparison.ensemble.experiment.networks - 1))
    return sorted(far, key=lambda d: -abs(d.z)), len(made), threshold


def _share(level: float, comparisons: int) -> float:
    """The probability of a false alarm on one side of one comparison of so many."""
    return 0.5 * level / max(comparisons, 1)


def resolution(comparison: Comparison, quantity: str, comparisons: int, level: float = 0.01) -> Resolution | None:
    """What would have shown of a quantity in so many comparisons at this level; None where nothing is compared."""
    from scipy.stats import norm, t

    s, p, share = comparison.statistics[quantity], comparison.predicted[quantity], _share(level, comparisons)
    compared = np.flatnonzero(np.isfinite(s.z) | np.isfinite(s.z_sd))
    if not compared.size:
        return None
    last = int(compared[-1])
    mean = sd = None
    if np.isfinite(s.z[last]):
        error = max(s.sd[last], np.nan_to_num(p.sd[last])) / np.sqrt(s.count[last])
        mean = float(t.isf(share, s.count[last] - 1) * error)
    if np.isfinite(s.z_sd[last]):
        error = 2 / (9 * s.degrees[last])
        sd = float((1 - error + norm.isf(share) * np.sqrt(error)) ** 1.5)
    return Resolution(last, mean, sd)
