"""`meanfield sparsity`: what sparse activations save, and what they buy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading, listing, paragraph
from meanfield.cli.output import emit, printing, require_columns
from meanfield.cli.verdicts import formula
from meanfield.errors import DomainError
from meanfield.quantities import quantity
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.design.sparse_layers import ActiveUnits

__all__ = ["sparsity"]

Width = Annotated[int, typer.Option("--width", help="s, units in the layer.", show_default=False)]
Inputs = Annotated[
    int | None,
    typer.Option("--inputs", help="n, inputs of the network, with --samples; default s.", show_default=False),
]
Samples = Annotated[
    int | None, typer.Option("--samples", help="M, samples to learn from: prints the bounds.", show_default=False)
]
QStar = Annotated[float, typer.Option("--q-star", help="Variance of a pre-activation.")]

_COSTS = ("forward", "backward", "memory", "bound_with_inputs", "bound")
_ROW = (
    *("activation", "q_star", "width", "sparsity", "active_share", "sloping_share"),
    *("active_mean", "active_sd", "active_bound"),
    *(f"{cost}{units}" for cost in _COSTS[:3] for units in ("", "_dense")),
    *("capacity_ratio", "samples_ratio"),
)
_BOUNDS = ("inputs", "samples", *(f"{cost}{units}" for cost in _COSTS[3:] for units in ("", "_dense")))
_COMPARED = (*("activation", "sparsity", "active_mean", "active_bound", "capacity_ratio", "samples_ratio"),)
_CAVEAT = (
    "Constants and logarithms are left out, as are the norms of weights and inputs, so only ratios mean anything. The "
    "theorems ask that at most k units are active on every input; the count above is that of a random network on a "
    "typical one."
)


def sparsity(
    act: options.Acts,
    width: Width,
    inputs: Inputs = None,
    samples: Samples = None,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    q_star: QStar = 1.0,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """How many units of a layer are active, what skipping the others saves, and what sparsity buys statistically.

    \b
    Examples:
      meanfield sparsity --act "clipped-relu(tau=1.0364, m=1)" --width 300
      meanfield sparsity --act soft-threshold --tau 1.44 --width 1024 --inputs 784 --samples 60000
      meanfield sparsity --act relu --act shifted-relu --tau 1 --width 512 --format csv
    """
    from meanfield.design.sparse_layers import active_units

    how = printing(format, digits, columns, caption, tex_label, output)
    if inputs is not None and samples is None:
        raise DomainError("--inputs counts in the bounds, which need --samples: give both, or neither")
    require_columns(how, _ROW if samples is None else (*_ROW, *_BOUNDS))
    records: list[Record] = []
    tables: list[Block] = []
    for named in options.read_activations(act, tau, m, slope, param, label):
        record = _record(named.label, active_units(named.phi, width, q_star), q_star, inputs, samples)
        records.append(record)
        tables += _tables(named, record, digits)
    notes = [*tables, paragraph("note:", _CAVEAT)]
    emit(records, notes, how, single=len(act) == 1, paper=_COMPARED)


def _record(label: str, found: ActiveUnits, q_star: float, inputs: int | None, samples: int | None) -> Record:
    from meanfield.design.sparse_layers import capacity_bounds

    record = {"activation": label, "q_star": q_star, **found.record()}
    if samples is None:
        return record
    n = found.width if inputs is None else inputs
    record |= {"inputs": n, "samples": samples}
    record["bound_with_inputs"], record["bound"] = capacity_bounds(found.width, found.bound, n, samples)
    record["bound_with_inputs_dense"], record["bound_dense"] = capacity_bounds(found.width, found.width, n, samples)
    return record


def _tables(named: NamedActivation, record: Record, digits: int | None) -> list[Block]:
    active = ["q_star", "sparsity", "active_share", "sloping_share", "active_mean", "active_sd", "active_bound"]
    costs = [
        {
            "cost": quantity(key).meaning,
            "dense": record[f"{key}_dense"],
            "sparse": record[key],
            "ratio": record[key] / record[f"{key}_dense"],
        }
        for key in _COSTS
        if key in record
    ]
    width = record["width"]
    title = f"{named.label}: a layer of {width} units into one of {width}"
    return [
        heading(title),
        formula(named),
        listing(record, active, digits),
        heading("For one input, all units or those active alone (the bounds: with k of them)"),
        grid(costs, list(costs[0]), digits),
        heading("One hidden layer, at most k units active on every input, against any"),
        listing(record, ["capacity_ratio", "samples_ratio"], digits),
    ]
