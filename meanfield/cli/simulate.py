"""`meanfield simulate`: random networks as they are, beside theory."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.atomic_files import write_whole, written_together
from meanfield.cli import ensembles, options
from meanfield.cli.output import Record, emit, few_layers, grid, heading, paragraph
from meanfield.cli.process import INTERRUPTED, tell
from meanfield.cli.verdicts import formula
from meanfield.errors import OutputError
from meanfield.quantities import QUANTITIES

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.simulation.comparison import Comparison

__all__ = ["simulate"]


class DrawnBy(StrEnum):
    """How networks are drawn."""

    networks = "networks"
    chain = "chain"


Inputs = Annotated[int, typer.Option("--inputs", help="Inputs that meet the same weights.")]
Backward = Annotated[bool, typer.Option("--backward", help="Carry a gradient back from the last layer.")]
Method = Annotated[
    DrawnBy,
    typer.Option("--method", help="chain: the same law without the weights, for dense Gaussian networks."),
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="FILE.jsonl: every network as it is done; .npz, .json, .csv, .tex, .md, .txt: the result. Repeat.",
        show_default=False,
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the networks in FILE.jsonl.")]

_COLUMNS = ("layer", "ensemble_mean", "ensemble_sd", "q05", "q95", "infinite_width", "theory_mean", "theory_sd", "z")
_LEGEND = (
    "mean, sd, 5 % and 95 % are of the networks; N → ∞, theory and ± sd are what theory says at infinite width, and "
    "at this one to order 1/N; z is the distance of the means in standard errors; - is where theory says nothing."
)
#: Endings of files that hold every network.
_NETWORKS = (".jsonl", ".npz")
_LOST = ("layer", "escaped", "overflowed")


def simulate(
    act: options.OneAct,
    width: options.Width,
    depth: options.Depth,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    networks: ensembles.Networks = 200,
    q_star: options.QStar = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    q0: options.Q0 = None,
    inputs: Inputs = 2,
    rho0: ensembles.Rho0 = 0.5,
    conv: ensembles.Conv = None,
    size: ensembles.Size = None,
    padding: ensembles.Padding = ensembles.PaddedBy.circular,
    weights: ensembles.Weights = ensembles.WeightLaw.gaussian,
    backward: Backward = False,
    method: Method = DrawnBy.networks,
    within: options.Within = 2.0,
    seed: options.Seed = 0,
    jobs: ensembles.Jobs = None,
    dask: ensembles.Dask = None,
    memory: ensembles.Memory = "1GB",
    resume: Resume = False,
    format: options.Formats = options.Format.table,
    digits: options.Digits = None,
    output: Outputs = None,
) -> None:
    """Draw random networks and lay what they do over what theory says, layer by layer.

    Ctrl-C shows what is done; with -o FILE.jsonl the same command and --resume goes on from there.

    \b
    Examples:
      meanfield simulate --act "clipped-relu(tau=1.0364, m=1)" --width 100 --depth 20 --networks 50 --backward
      meanfield simulate --act relu --width 50 --depth 10 --networks 20 --conv 3 --size 8 --padding zero
      meanfield simulate --act "clipped-relu(tau=1.0364, m=2)" --width 300 --depth 50 --method chain --format csv
    """
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.simulation.comparison import compare
    from meanfield.simulation.ensemble import Interrupted

    record, reports = _destinations(output or [], resume, format)
    (named,) = options.read_activations([act], tau, m, slope, param)
    asked = ensembles.experiment(
        operating_point(named.phi, q_star, sigma_w, sigma_b),
        *(q_star, q0, conv, size, padding, weights),
        width=width,
        depth=depth,
        networks=networks,
        inputs=inputs,
        rho=rho0,
        backward=backward,
        method=method.value,
        within=within,
        seed=seed,
    )
    interrupted = False
    try:
        drawn = ensembles.ensemble(asked, named.label, jobs, dask, memory, record=record, resume=resume)
    except Interrupted as cut:
        if cut.ensemble is None:
            raise typer.Abort from None
        drawn, interrupted = cut.ensemble, True
    with written_together():
        _report(named, compare(drawn), format, digits, reports)
    if interrupted:
        more = f"; the same command with --resume goes on with {record}" if record else ""
        tell(f"interrupted after {drawn.experiment.networks} of {networks} networks{more}")
        raise typer.Exit(INTERRUPTED)


def _destinations(outputs: list[Path], resume: bool, format: options.Format) -> tuple[Path | None, list[Path]]:
    """The file that networks go to and those that results go to.

    Raises:
        OutputError: two of the former, an ending that says nothing, or nothing to resume.
    """
    records = [path for path in outputs if path.suffix == ".jsonl"]
    for path in outputs:
        if path.suffix not in _NETWORKS:
            ensembles.format_of(path, format, *_NETWORKS)
    if len(records) > 1:
        raise OutputError(f"networks go to one file, not to {records[0]} and {records[1]}: name one .jsonl")
    if resume and not records:
        raise OutputError("--resume goes on with a file of networks: name it by -o FILE.jsonl")
    return next(iter(records), None), [path for path in outputs if path.suffix != ".jsonl"]


def _report(
    named: NamedActivation, comparison: Comparison, format: options.Format, digits: int | None, reports: list[Path]
) -> None:
    rows = _rows(comparison)
    summary = _summary(named, comparison)
    few = few_layers(comparison.ensemble.experiment.depth)
    tables = _tables(named, comparison, [row for row in rows if row["layer"] in few], digits)
    destinations: list[Path | None] = [*reports] if reports else [None]
    for path in destinations:
        if path and path.suffix == ".npz":
            from meanfield.simulation.array_file import as_arrays

            write_whole({path: as_arrays(comparison)})
            continue
        how = ensembles.format_of(path, format)
        records = [{**summary, "layers": rows}] if how is options.Format.json else rows
        emit(records, tables, how, digits, path, single=how is options.Format.json, columns=("quantity", *_COLUMNS))


def _rows(comparison: Comparison) -> list[Record]:
    """A row for every quantity and layer."""
    from meanfield.simulation.comparison import LEVELS

    ensemble, rows = comparison.ensemble, []
    for name, s in comparison.statistics.items():
        p = comparison.predicted[name]
        for layer in range(ensemble.experiment.depth + 1):
            rows.append(
                {
                    "quantity": name,
                    "layer": layer,
                    "ensemble_mean": float(s.mean[layer]),
                    "ensemble_sd": float(s.sd[layer]),
                    **dict(zip(LEVELS, s.quantiles[:, layer].tolist(), strict=True)),
                    "infinite_width": float(p.value[layer]),
                    "theory_mean": float(p.mean[layer]),
                    "theory_sd": float(p.sd[layer]),
                    "z": float(s.z[layer]),
                    "count": int(s.count[layer]),
                    # Of the network, and so told once.
                    "escaped": float(ensemble.escaped[layer]) if name == "q" else None,
                    "overflowed": float(ensemble.overflowed[layer]) if name == "q" else None,
                }
            )
    return rows


def _summary(named: NamedActivation, comparison: Comparison) -> Record:
    ensemble = comparison.ensemble
    return {
        "activation": named.label,
        **ensemble.experiment.as_record(),
        "escaped": float(ensemble.escaped[-1]),
        "escape_probability": comparison.escape_probability,
        "overflowed": float(ensemble.overflowed[-1]),
    }


def _tables(named: NamedActivation, comparison: Comparison, rows: list[Record], digits: int | None) -> list[object]:
    about = paragraph("drawn:", ensembles.described(comparison.ensemble.experiment))
    shown: list[object] = [heading(named.label), formula(named), about]
    for name in comparison.statistics:
        some = [_known(row, digits) for row in rows if row["quantity"] == name]
        if name == "sparsity" and not any(row["ensemble_mean"] or row["infinite_width"] for row in some):
            continue
        # Correlations crowd at 1.
        shown += [
            heading(f"{QUANTITIES[name].symbol}, the {QUANTITIES[name].meaning}"),
            grid(some, _COLUMNS, digits or (4 if name == "rho" else 3)),
        ]
    if comparison.ensemble.escaped.any() or comparison.ensemble.overflowed.any():
        lost = [_known(row, digits) for row in rows if row["quantity"] == "q"]
        shown += [heading("share of the networks that have lost q*"), grid(lost, _LOST, digits or 3)]
    return [*shown, paragraph("columns:", _LEGEND), paragraph("networks:", _fate(comparison))]


def _known(row: Record, digits: int | None) -> Record:
    """The row with nothing in place of NaN; of a spread two digits say enough, of z one decimal."""
    known = {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
    if digits is None:
        known |= {key: known[key] and float(f"{known[key]:.2g}") for key in ("ensemble_sd", "theory_sd")}
        known["z"] = known["z"] and round(known["z"], 1)
    return known


def _fate(comparison: Comparison) -> str:
    """How many have escaped and overflowed, and from which layer on."""
    ensemble, e = comparison.ensemble, comparison.ensemble.experiment
    parts = []
    if e.q_star is not None:
        escaped = ensemble.escaped
        low, high = e.q_star / e.within, e.q_star * e.within
        text = f"{_percent(escaped[-1])} have q outside [{low:.4g}, {high:.4g}] at layer {e.depth}"
        if not math.isnan(comparison.escape_probability):
            text += f" (theory: {_percent(comparison.escape_probability)})"
        if escaped[-1] and not escaped[0]:
            text += f"; some since layer {int((escaped > 0).argmax())}"
            if escaped[-1] >= 0.5:
                text += f", half of them since layer {int((escaped >= 0.5).argmax())}"
        parts.append(text)
    else:
        parts.append("there is no fixed point q* > 0 for them to leave")
    over = ensemble.overflowed
    if over[-1]:
        parts.append(f"{_percent(over[-1])} overflow (q > 1e200), the first at layer {int((over > 0).argmax())}")
    return "; ".join(parts) + "."


def _percent(share: float) -> str:
    """A share of networks."""
    if not share:
        return "none"
    return f"{100 * share:.3g} %" if share >= 1e-5 else "less than 0.001 %"
