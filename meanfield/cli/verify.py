"""`meanfield verify`: whether random networks do what theory says, yes or no."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import ensembles, options
from meanfield.cli.output import Record, emit, grid, heading, paragraph
from meanfield.cli.verdicts import formula
from meanfield.quantities import quantity

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.simulation.comparison import Comparison, Departure

__all__ = ["verify"]

Level = Annotated[float, typer.Option("--level", help="Probability of a no if theory is right.")]


def verify(
    act: options.OneAct,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    width: options.Width = 300,
    depth: options.Depth = 20,
    networks: ensembles.Networks = 100,
    q_star: options.QStar = 1.0,
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
    from meanfield.simulation.comparison import compare, departures, require_level

    require_level(level)
    (named,) = options.read_activations([act], tau, m, slope, param)
    asked = ensembles.experiment(
        operating_point(named.phi, q_star, sigma_w, sigma_b),
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
    rows = _rows(comparison, found)
    answer = {
        "activation": named.label,
        **asked.as_record(),
        "follows": not found,
        "comparisons": count,
        "threshold": threshold,
        "quantities": rows,
        "departures": [vars(d) for d in found],
    }
    tables = _tables(named, comparison, rows, found, count, threshold, digits)
    how = ensembles.format_of(output) if output and output.suffix else format
    emit(
        [answer] if how is options.Format.json else rows, tables, how, digits, output, single=how is options.Format.json
    )
    if found:
        raise typer.Exit(1)


def _rows(comparison: Comparison, found: list[Departure]) -> list[Record]:
    """A row for every quantity: the worst of its means and spreads, and whether it follows."""
    import numpy as np

    rows = []
    for name, s in comparison.statistics.items():
        row: Record = {"quantity": name}
        for key, z in (("mean", s.z), ("sd", s.z_sd)):
            known = np.flatnonzero(~np.isnan(z))
            worst = int(known[np.abs(z[known]).argmax()]) if known.size else None
            row |= {f"worst_z_{key}": None if worst is None else float(z[worst]), f"worst_layer_{key}": worst}
        departed = [d for d in found if d.quantity == name]
        checked = np.isfinite(comparison.predicted[name].mean[1:]).any()
        row["follows"] = ("no" if departed else "yes") if checked else "not checked"
        rows.append(row)
    return rows


def _tables(
    named: NamedActivation,
    comparison: Comparison,
    rows: list[Record],
    found: list[Departure],
    count: int,
    threshold: float,
    digits: int | None,
) -> list[object]:
    answer = "no" if found else "yes"
    held = f"{count} comparisons, each within {threshold:.3g} standard errors unless theory is wrong"
    said = (
        f"theory and networks part: {_where(found)}."
        if found
        else f"within sampling error the networks do what theory says ({held})."
    )
    unchecked = [quantity(row["quantity"]).symbol for row in rows if row["follows"] == "not checked"]
    if unchecked:
        said += f" Not checked, for theory has no correction to it here: {', '.join(unchecked)}."
    return [
        heading(named.label),
        formula(named),
        paragraph("drawn:", ensembles.described(comparison.ensemble.experiment)),
        grid([{**row, "quantity": quantity(row["quantity"]).symbol} for row in rows], list(rows[0]), digits or 3),
        paragraph(f"{answer}:", said, "unstable" if found else "stable"),
    ]


def _where(found: list[Departure]) -> str:
    """The first layer of each quantity and moment that departs, with its numbers."""
    first: dict[tuple[str, str], Departure] = {}
    for d in sorted(found, key=lambda d: d.layer):
        first.setdefault((d.quantity, d.moment), d)
    return "; ".join(map(_told, first.values()))


def _told(d: Departure) -> str:
    where = f"{quantity(d.quantity).symbol} from layer {d.layer} on"
    if math.isinf(d.z):
        return f"{where} ({d.seen:.4g}, N → ∞ {d.predicted:.4g}, no small correction of order 1/N)"
    return f"{d.moment} of {where} ({d.seen:.4g}, theory {d.predicted:.4g}, {abs(d.z):.2g} standard errors)"
