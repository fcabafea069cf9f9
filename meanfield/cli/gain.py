"""`meanfield gain`: the gains of an activation, what each keeps, and how it is written in a framework."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, grid, heading, lines, listing, paragraph, shown
from meanfield.cli.output import emit, printing, require_columns
from meanfield.cli.verdicts import formula
from meanfield.errors import DomainError
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.infinite_width.framework_code import Distribution, Fan
    from meanfield.infinite_width.gains import Gain, Gains

__all__ = ["gain"]


class WeightLaw(StrEnum):
    """The law of a weight, and what frameworks call it."""

    normal = "normal"
    gaussian = "normal"
    untruncated_normal = "normal"
    truncated = "truncated"
    truncated_normal = "truncated"
    uniform = "uniform"


class FanTold(StrEnum):
    """The fan of a framework, and what frameworks call it."""

    inputs = "in"
    fan_in = "in"
    outputs = "out"
    fan_out = "out"
    avg = "avg"
    fan_avg = "avg"


Q = Annotated[str, typer.Option("--q", help="Variance of a pre-activation; a list or START:STOP:COUNT for a row each.")]
Weights = Annotated[WeightLaw, typer.Option("--weights", help="Law of a weight; truncated: at 2 sd.")]
FanMode = Annotated[FanTold, typer.Option("--fan", help="Fan that the framework is told.")]

_MOST_VARIANCES = 1000
_FRAMEWORKS = ("pytorch", "keras", "jax")
_MOMENTS = ("phi_mean", "phi_variance", "phi_rms", "slope_rms")
_OF_LAYER = ("sigma_w_edge", "sigma_b_edge", "weights", "fan", "fan_in", "fan_out")
_IN_PAPERS = (
    *("activation", "q", "phi_mean", "phi_variance"),
    *("gain_rms", "gain_sd", "gain_slope", "sigma_w_edge"),
)


def gain(
    act: options.Acts,
    q: Q = "1",
    weights: Weights = WeightLaw.normal,
    fan: FanMode = FanTold.inputs,
    fan_in: options.FanIn = None,
    fan_out: options.FanOut = None,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    label: options.Labels = None,
    format: options.Formats = None,
    digits: options.Digits = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """The gains of φ, what each keeps, and its code for PyTorch, Keras and JAX.

    With the mean and size of φ and φ' at variance q. A gain makes what it keeps equal to 1; σ_w beside it makes it what
    it was: √q times the gain for a variance. CSV holds the numbers alone, without the code.

    \b
    Examples:
      meanfield gain --act relu
      meanfield gain --act relu --act leaky-relu --slope 0.2
      meanfield gain --act hard-tanh --weights uniform --fan avg --fan-in 784 --fan-out 256
      meanfield gain --act soft-threshold --tau 0.5 --q 0.5,1,2 --format csv
    """
    from meanfield.infinite_width.gains import GAIN_QUANTITIES, gains

    how = printing(format, digits, columns, caption, tex_label, output)
    # Numbers, a row each, in CSV: code is for people and for JSON.
    with_code = () if how.format is options.Format.csv else ("gains",)
    require_columns(how, ("activation", "q", *GAIN_QUANTITIES, *_OF_LAYER, *with_code), nested="gains")
    layer = _Layer(weights.value, fan.value, fan_in, fan_out)
    variances = options.numbers("--q", q)
    if len(variances) > _MOST_VARIANCES:
        raise DomainError(f"--q asks for {len(variances)} variances: give at most {_MOST_VARIANCES}")
    records: list[Record] = []
    tables: list[Block] = []
    for named in options.read_activations(act, tau, m, slope, param, label):
        for variance in variances:
            found = gains(named.phi, variance)
            record = _record(found, layer)
            records.append(record)
            tables += _tables(named, found, record, layer, digits)
    if not with_code:
        records = [{key: value for key, value in record.items() if key != "gains"} for record in records]
    single = len(act) == len(variances) == 1
    emit(records, tables, how, single=single, paper=_IN_PAPERS)


class _Layer:
    """The layer whose weights are written."""

    def __init__(self, law: Distribution, mode: Fan, fan_in: int | None, fan_out: int | None) -> None:
        from meanfield.infinite_width.framework_code import framework_gain

        self.law, self.mode, self.fans = law, mode, (fan_in, fan_out)
        self.ratio = framework_gain(1.0, mode, fan_in, fan_out)

    @property
    def told(self) -> str:
        """How the code below it is to be read."""
        square = ", in a layer of as many inputs as outputs" if self.mode != "in" and None in self.fans else ""
        law = "truncated normal" if self.law == "truncated" else self.law
        return f"{law} weights of variance g²/fan_{self.mode}{square}"

    def written(self, choice: Gain) -> Record:
        """g, the sd of a weight if that is known, and the code, of a gain that has a σ_w."""
        from meanfield.infinite_width.framework_code import framework_code

        if choice.sigma_w is None:
            return dict.fromkeys(("g", "weight_sd", *_FRAMEWORKS))
        fan_in, fan_out = self.fans
        code = framework_code(choice.sigma_w, choice.sigma_b, self.law, self.mode, fan_in, fan_out)
        return {
            "g": self.ratio * choice.sigma_w,
            "weight_sd": None if fan_in is None else choice.sigma_w / fan_in**0.5,
            **{framework: {"weight": weight, "bias": bias} for framework, (weight, bias) in code.items()},
        }


def _record(found: Gains, layer: _Layer) -> Record:
    edge = found.choices[-1]
    fan_in, fan_out = layer.fans
    return {
        **found.record(),
        "sigma_w_edge": edge.sigma_w,
        "sigma_b_edge": None if edge.sigma_w is None else edge.sigma_b,
        **{"weights": layer.law, "fan": layer.mode, "fan_in": fan_in, "fan_out": fan_out},
        "gains": [
            {
                **choice.record(),
                **layer.written(choice),
            }
            for choice in found.choices
        ],
    }


def _tables(named: NamedActivation, found: Gains, record: Record, layer: _Layer, digits: int | None) -> list[Block]:
    rows = [row for row in record["gains"] if row["value"] is not None]
    keys = ["gain", "value", "sigma_w", "sigma_b", *(["weight_sd"] if layer.fans[0] is not None else []), "keeps"]
    return [
        heading(f"{named.label} at q = {found.q:g}"),
        formula(named),
        listing(record, _MOMENTS, digits),
        grid(rows, keys, digits),
        *(paragraph(f"{row['gain']}:", row["keeps"]) for row in record["gains"] if row["value"] is None),
        heading(f"Code for {layer.told}"),
        *_code(rows, digits),
    ]


def _code(rows: Sequence[Record], digits: int | None) -> list[Block]:
    """The code of every gain, once where several are written alike."""
    blocks: dict[str, list[Record]] = {}
    for row in rows:
        if row["g"] is not None:
            blocks.setdefault(str([row[framework] for framework in _FRAMEWORKS]), []).append(row)
    written: list[Block] = []
    for alike in blocks.values():
        names = ", ".join(row["gain"] for row in alike)
        code = [alike[0][framework][part] for framework in _FRAMEWORKS for part in ("weight", "bias")]
        written += [lines(""), lines(f"g = {shown(alike[0]['g'], digits)}: {names}", 2)]
        written += [lines(line, 4) for line in code]
    return [*written, lines("")]
