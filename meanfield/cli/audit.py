"""`meanfield audit`: a model of PyTorch on real data beside theory, layer by layer, and where the two part first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from meanfield.cli import models, options
from meanfield.cli.layout import Block, grid, heading, lines, paragraph
from meanfield.cli.output import emit, printing, require_columns
from meanfield.cli.process import tell
from meanfield.lettering import ending
from meanfield.tables.records import Record

__all__ = ["audit"]

Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if a layer departs.")]

_ROW = (
    *("module", "layer_kind", "activation", "units", "fan_in", "sigma_w", "sigma_b"),
    *("q", "q_theory", "q_sd", "q_z", "from_inputs", "rho", "rho_theory", "rho_sd", "rho_z"),
    *("sparsity", "sparsity_theory", "dead"),
    *("log_gradient", "log_gradient_theory", "log_gradient_sd", "log_gradient_z", "gradient_is"),
)
_LAYERS = ("module", "layer_kind", "fan_in", "activation", "sigma_w", "sigma_b")
_FORWARD = ("module", "q", "q_theory", "q_z", "rho", "rho_theory", "rho_z")
_BACKWARD = ("module", "sparsity", "sparsity_theory", "dead", "log_gradient", "log_gradient_theory")
_PAPER = ("module", "activation", "q", "q_theory", "q_z", "log_gradient")
#: Of a longer name its end is shown.
_LONGEST = 26


def audit(
    context: typer.Context,
    model: models.Model,
    batch: models.Batch = None,
    shape: models.Shape = None,
    edge_of_chaos: models.OnEdge = False,
    q_star: models.AfterEdge = 1.0,
    chi: options.Chi = 1.0,
    weights: models.EdgeWeights = models.DrawnFrom.gaussian,
    act: models.Fallback = None,
    level: models.Level = 0.01,
    seed: options.Seed = 0,
    strict: Strict = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """A model of PyTorch, run once forward and backward: q, ρ, zeros and gradients of every layer, beside theory.

    It is looked at in the mode that it is built in. --edge-of-chaos shows it before and after; JSON holds both, other
    formats the layers after.

    \b
    Examples:
      meanfield audit nets:build --shape 16,784
      meanfield audit nets:build --batch batch.npz --edge-of-chaos --q-star 1.5 --weights orthogonal
    """
    how = printing(format, digits, columns, caption, tex_label, output)
    require_columns(how, _ROW)
    found = models.audited(context, model, batch, shape, edge_of_chaos, q_star, chi, weights, act, level, seed)
    record = found["audit"]
    about = {**record, **{key: found[key] for key in ("before", "initialised") if key in found}}
    tables = [heading(model), paragraph("measured:", models.described(found))]
    if edge_of_chaos:
        tables += [heading("before"), *_audited(found["before"], digits)]
        tables += _initialised(found["initialised"], digits)
        tables += [heading("after"), *_audited(record, digits)]
    else:
        tables += [_layers(record["layers"], digits), *_audited(record, digits)]
    emit(record["layers"], tables, how, paper=_PAPER, about=about, rows="layers")
    if strict and record["departs"] is not None:
        tell(f"--strict fails: {record['departs'] or 'the layer'} departs from theory")
        raise typer.Exit(1)


def _layers(rows: Iterable[Record], digits: int | None) -> Block:
    return grid([*map(_named, rows)], _LAYERS, digits or 4, flowing=("activation",))


def _audited(record: Record, digits: int | None) -> list[Block]:
    rows = [*map(_named, record["layers"])]
    departs = record["departs"]
    return [
        *(grid(rows, _known(rows, keys), digits or 3) for keys in (_FORWARD, _BACKWARD)),
        paragraph("verdict:", record["verdict"], "stable" if departs is None else "unstable"),
    ]


def _known(rows: list[Record], keys: Sequence[str]) -> list[str]:
    """The columns in which some layer has something to show."""
    return [key for key in keys if any(row.get(key) is not None for row in rows)]


def _initialised(record: Record, digits: int | None) -> list[Block]:
    from meanfield.infinite_width.edge import gain_in_words

    rows = [
        {**row, "activation": f"{row['activation']}, left alone"} if row["left"] else row for row in record["layers"]
    ]
    return [
        heading(f"{record['weights']} weights {gain_in_words(record['chi_1'])} at q* = {record['q_star']:g}"),
        _layers(rows, digits),
        *(lines(warning, 2) for warning in record["warnings"]),
        lines(""),
    ]


def _named(row: Record) -> Record:
    return {**row, "module": ending(row["module"], _LONGEST)}
