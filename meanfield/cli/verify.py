"""`meanfield verify`: whether random networks do what theory says, yes or no."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import ensembles, options
from meanfield.cli.layout import Block, grid, heading, paragraph
from meanfield.cli.output import emit, printing, require_columns
from meanfield.cli.verdicts import formula
from meanfield.quantities import quantity
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.simulation.comparison import Comparison, Departure

__all__ = ["verify"]

_SHOWN = ("quantity", "worst_z_mean", "worst_layer_mean", "worst_z_sd", "worst_layer_sd", "follows")
_ROW = (*_SHOWN, "visible_mean", "visible_sd")
Level = Annotated[float, typer.Option("--level", help="Probability of a no if theory is right.")]


def verify(
    act: options.OneAct,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    width: options.Width = 300,
    depth: options.Depth = 20,
    networks: ensembles.Networks = 100,
    q_star: options.QStar = 1.0,
    chi: options.Chi = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    q0: options.Q0 = None,
    rho0: ensembles.Rho0 = 0.5,
    conv: ensembles.Conv = None,
    size: ensembles.Size = None,
    padding: ensembles.Padding = ensembles.PaddedBy.circular,
    weights: ensembles.Weights = ensembles.WeightLaw.gaussian,
    level: Level = 0.01,
    seed: options.Seed = 0,
    jobs: ensembles.Jobs = None,
    dask: ensembles.Dask = None,
    memory: ensembles.Memory = "1GB",
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """Whether q, ρ, sparsity and gradient of random networks follow theory within sampling error. Exit code 0 or 1.

    \b
    Examples:
      meanfield verify --act "clipped-relu(tau=1.0364, m=1)"
      meanfield verify --act hard-tanh --width 100 --depth 10 --networks 50 --weights orthogonal
    """
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.simulation.comparison import compare, departures, require_enough, require_level

    how = printing(format, digits, columns, caption, tex_label, output)
    require_columns(how, _ROW)
    require_level(level)
    require_enough(networks)
    (named,) = options.read_activations([act], tau, m, slope, param, label)
    asked = ensembles.experiment(
        operating_point(named.phi, q_star, sigma_w, sigma_b, chi),
        *(q_star, q0, conv, size, padding, weights),
        width=width,
        depth=depth,
        networks=networks,
        rho=rho0,
        backward=True,
        seed=seed,
    )
    comparison = compare(ensembles.ensemble(asked, named.label, jobs, dask, memory))
    found, count, threshold = departures(comparison, level)
    rows = _rows(comparison, found, count, level)
    about = {
        "activation": named.label,
        **asked.as_record(),
        "follows": not found if count else None,
        "comparisons": count,
        "threshold": threshold if count else None,
        "quantities": rows,
        "departures": [departure.record() for departure in found],
    }
    tables = [
        heading(named.label),
        formula(named),
        paragraph("drawn:", ensembles.described(comparison.ensemble.experiment)),
        grid(rows, _SHOWN, digits or 3),
        _answer(rows, found, count, threshold),
    ]
    emit(rows, tables, how, paper=_SHOWN, about=about, rows="quantities")
    if found or not count:
        raise typer.Exit(1)


def _rows(comparison: Comparison, found: list[Departure], count: int, level: float) -> list[Record]:
    """A row for every quantity: the worst of its means and spreads, whether it follows, and what would have shown."""
    import numpy as np

    from meanfield.simulation.comparison import resolution

    rows = []
    for name, s in comparison.statistics.items():
        row: Record = {"quantity": name}
        for key, z in (("mean", s.z), ("sd", s.z_sd)):
            known = np.flatnonzero(~np.isnan(z))
            worst = int(known[np.abs(z[known]).argmax()]) if known.size else None
            row |= {f"worst_z_{key}": None if worst is None else float(z[worst]), f"worst_layer_{key}": worst}
        seen = resolution(comparison, name, count, level)
        theory = comparison.predicted[name].mean
        equal = np.allclose(s.mean[1:], theory[1:], rtol=1e-12, atol=1e-12)
        if any(d.quantity == name for d in found):
            row["follows"] = "no"
        elif seen:
            row["follows"] = "yes"
        else:
            row["follows"] = "equal" if equal else "not checked"
        row |= {"visible_mean": seen and seen.mean, "visible_sd": seen and seen.sd}
        rows.append(row)
    return rows


def _answer(rows: list[Record], found: list[Departure], count: int, threshold: float) -> Block:
    """Yes or no, why, and what the networks could not have shown."""
    if found:
        answer, said, colour = "no", f"theory and networks part: {_where(found)}.", "unstable"
    elif count:
        held = f"{count} comparisons, each within {threshold:.3g} standard errors unless theory is wrong"
        answer, said, colour = "yes", f"within sampling error the networks do what theory says ({held}).", "stable"
        said += f" So many networks would not have shown a mean at the last layer that is off by less: {_unseen(rows)}."
    else:
        answer, said, colour = "no answer", "nothing was compared.", "neutral"
    for word, why in (
        (
            "not checked",
            "Not checked, for theory has no correction to it here, or a number is beyond what can be squared",
        ),
        ("equal", "Equal to theory in every network, so that there is nothing to compare"),
    ):
        if names := [quantity(row["quantity"]).symbol for row in rows if row["follows"] == word]:
            said += f" {why}: {', '.join(names)}."
    return paragraph(f"{answer}:", said, colour)


def _unseen(rows: list[Record]) -> str:
    return ", ".join(
        f"{quantity(row['quantity']).symbol} by {row['visible_mean']:.2g}" for row in rows if row["visible_mean"]
    )


def _where(found: list[Departure]) -> str:
    """The first layer of each quantity and moment that departs, with its numbers."""
    first: dict[tuple[str, str], Departure] = {}
    for d in sorted(found, key=lambda d: d.layer):
        first.setdefault((d.quantity, d.moment), d)
    return "; ".join(map(told, first.values()))


def told(d: Departure) -> str:
    """A departure in words, with the digits that differ."""
    where = f"{quantity(d.quantity).symbol} from layer {d.layer} on"
    if math.isinf(d.z):
        return f"{where} ({d.seen:.4g}, N → ∞ {d.predicted:.4g}, no small correction of order 1/N)"
    seen, predicted = _apart(d.seen, d.predicted)
    return f"{d.moment} of {where} ({seen}, theory {predicted}, {abs(d.z):.2g} standard errors)"


def _apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with the digits in which they differ, four at least, and one more."""
    apart = next((n for n in range(3, 17) if f"{one:.{n}g}" != f"{other:.{n}g}"), 16)
    return f"{one:.{max(apart + 1, 4)}g}", f"{other:.{max(apart + 1, 4)}g}"
