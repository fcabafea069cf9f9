"""`meanfield simulate`: random networks as they are, beside theory."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.atomic_files import write_whole
from meanfield.cli import ensembles, options
from meanfield.cli.layout import Block, grid, heading, paragraph
from meanfield.cli.output import Printing, deliver, ending_of, printing, rendered, require_columns
from meanfield.cli.process import INTERRUPTED, tell
from meanfield.cli.verdicts import Strict, formula, hold, prose
from meanfield.errors import DomainError, OutputError
from meanfield.quantities import GRADIENT_WITHIN, QUANTITIES, WITHIN
from meanfield.tables.records import Record, few_layers

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.finite_width.verdict import FiniteWidth
    from meanfield.infinite_width.stability import Diagnosis
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
_FITTING = ("quantity", "layer", "ensemble_mean", "ensemble_sd", "theory_mean", "theory_sd", "z")
_LEGEND = (
    "mean, sd, 5 % and 95 % are of the networks; N → ∞, theory and ± sd are what theory says at infinite width, and "
    "at this one to order 1/N; z is the distance of the means in standard errors; - is where theory says nothing."
)
_LOST = ("layer", "escaped", "overflowed")


def simulate(
    act: options.OneAct,
    width: options.Width,
    depth: options.Depth,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    networks: ensembles.Networks = 200,
    q_star: options.QStar = 1.0,
    chi: options.Chi = 1.0,
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
    within: options.Within = WITHIN,
    seed: options.Seed = 0,
    jobs: ensembles.Jobs = None,
    dask: ensembles.Dask = None,
    memory: ensembles.Memory = "1GB",
    resume: Resume = False,
    strict: Strict = False,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
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
    from meanfield.finite_width.verdict import foretold
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.simulation.comparison import ROW, compare
    from meanfield.simulation.ensemble import Interrupted

    record, files = _destinations(output or [], resume)
    reports = [_report_of(path, format, digits, columns, caption, tex_label) for path in files]
    if not any(report.format is options.Format.latex for report in reports):
        # A caption that no file takes is told so.
        reports = reports or [printing(format, digits, columns, caption, tex_label, None)]
        printing(reports[0].format, digits, None, caption, tex_label, None)
    for report in reports:
        require_columns(report, ROW)
    (named,) = options.read_activations([act], tau, m, slope, param, label)
    point = operating_point(named.phi, q_star, sigma_w, sigma_b, chi)
    asked = ensembles.experiment(
        point,
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
    found = foretold(point, asked)
    interrupted = False
    try:
        drawn = ensembles.ensemble(asked, named.label, jobs, dask, memory, record=record, resume=resume)
    except Interrupted as cut:
        if cut.ensemble is None:
            raise typer.Abort from None
        drawn, interrupted = cut.ensemble, True
    _report(named, compare(drawn), found, reports)
    if interrupted:
        more = f"; the same command with --resume goes on with {record}" if record else ""
        tell(f"interrupted after {drawn.experiment.networks} of {networks} networks{more}")
        raise typer.Exit(INTERRUPTED)
    hold(strict, [found])


def _destinations(outputs: list[Path], resume: bool) -> tuple[Path | None, list[Path]]:
    """The file that networks go to and those that results go to.

    Raises:
        OutputError: two of the former, an ending that says nothing, or nothing to resume.
    """
    records = [path for path in outputs if _ending(path) == ".jsonl"]
    for path in outputs:
        if _ending(path) not in ("", ".npz", ".txt") and ending_of(path) is None:
            raise OutputError(
                f"{path} has no ending that says what to write: give one of .json .csv .tex .md .txt .npz .jsonl"
            )
    if len(records) > 1:
        raise OutputError(f"networks go to one file, not to {records[0]} and {records[1]}: name one .jsonl")
    if resume and not records:
        raise OutputError("--resume goes on with a file of networks: name it by -o FILE.jsonl")
    return next(iter(records), None), [path for path in outputs if path not in records]


def _ending(path: Path) -> str:
    return path.suffix.lower()


def _report_of(
    path: Path,
    format: options.Format | None,
    digits: int | None,
    columns: str | None,
    caption: str | None,
    tex_label: str | None,
) -> Printing:
    """How the result goes to a file.

    Raises:
        DomainError: options that are of another format than the file.
    """
    if _ending(path) == ".npz":
        given = {"--format": format, "--digits": digits, "--columns": columns}
        for option, value in given.items():
            if value is not None:
                raise DomainError(f"{option} has no say in {path}, which holds every number: leave it out")
        return replace(printing(None, None, None, None, None, None), output=path)
    how = printing(format, digits, columns, None, None, path)
    if how.format is options.Format.latex:
        return printing(format, digits, columns, caption, tex_label, path)
    return how


def _report(
    named: NamedActivation, comparison: Comparison, found: Diagnosis | FiniteWidth, destinations: list[Printing]
) -> None:
    rows = comparison.records()
    few = few_layers(comparison.ensemble.experiment.depth)
    contents = {}
    for how in destinations:
        if how.output and _ending(how.output) == ".npz":
            from meanfield.simulation.array_file import as_arrays

            contents[how.output] = as_arrays(comparison)
            continue
        tables = _tables(named, comparison, [row for row in rows if row["layer"] in few], how.digits)
        told = found.verdict.record()
        del told["remedies"]
        about = {**comparison.record(), "foretold": told}
        text = rendered(
            rows, [*tables, _foretold(found), *prose(found)], how, paper=_FITTING, about=about, rows="layers"
        )
        if how.output:
            contents[how.output] = text.encode()
        else:
            deliver(text, None)
    write_whole(contents)


def _tables(named: NamedActivation, comparison: Comparison, rows: list[Record], digits: int | None) -> list[Block]:
    about = paragraph("drawn:", ensembles.described(comparison.ensemble.experiment))
    shown: list[Block] = [heading(named.label), formula(named), about]
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
    if ensemble.gradient_lost is not None:
        lost = _percent(ensemble.gradient_lost)
        parts.append(f"{lost} change the square of a gradient by more than a factor {GRADIENT_WITHIN:g}")
    over = ensemble.overflowed
    if over[-1]:
        parts.append(f"{_percent(over[-1])} overflow (q > 1e200), the first at layer {int((over > 0).argmax())}")
    return "; ".join(parts) + "."


def _foretold(found: Diagnosis | FiniteWidth) -> Block:
    """The word, and which networks it is of."""
    from meanfield.finite_width.verdict import FiniteWidth

    verdict = found.verdict
    body = f"{verdict.word}, as for N → ∞: networks such as these have no verdict of their own width."
    if isinstance(found, FiniteWidth) and verdict.share_lost is not None:
        lost = _percent(verdict.share_lost)
        who = f"of {found.requirement.chains} networks drawn by their law, not those above,"
        more = "" if verdict.is_good else "; meanfield stability looks for remedies"
        body = f"{verdict.word}: {who} {lost} lose signal or gradient{more}."
    return paragraph("verdict:", body, verdict.word)


def _percent(share: float) -> str:
    """A share of networks."""
    if not share:
        return "none"
    return f"{100 * share:.3g} %" if share >= 1e-5 else "less than 0.001 %"
