"""`meanfield derive`: the maps as formulas."""

from __future__ import annotations

import inspect
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, exactly, heading, lines
from meanfield.cli.output import FILE_WIDTH, deliver, format_of, show, width
from meanfield.errors import DomainError, OutputError
from meanfield.quantities import FORMULAS
from meanfield.tables.plain import as_json, as_jsonl

if TYPE_CHECKING:
    from meanfield.symbolic.derivation import Derivation

__all__ = ["derive"]


class Notation(StrEnum):
    """What the normal distribution is written in."""

    Phi = "Phi"
    erf = "erf"


class FormulaFormat(StrEnum):
    """How formulas are written."""

    pretty = "pretty"
    latex = "latex"
    python = "python"
    sympy = "sympy"
    mathematica = "mathematica"
    json = "json"
    jsonl = "jsonl"


Tau = Annotated[str | None, typer.Option("--tau", help="What tau stands for: 1/2, 0.5, a, ...", show_default=False)]
M = Annotated[str | None, typer.Option("--m", help="What m stands for.", show_default=False)]
Slope = Annotated[str | None, typer.Option("--slope", help="What slope stands for.", show_default=False)]
Quantities = Annotated[
    list[str] | None,
    typer.Option(
        "--quantity", "-Q", help="One of the quantities above, or all; repeat. Default V.", show_default=False
    ),
]
Assume = Annotated[
    list[str] | None,
    typer.Option("--assume", help='An inequality such as "tau > m" between names; repeat.', show_default=False),
]
Notations = Annotated[Notation, typer.Option("--notation", help="Φ and ϕ, or erf and exp.")]
Formats = Annotated[
    FormulaFormat | None,
    typer.Option(
        "--format",
        "-f",
        help="Default: what the ending of --output says, else pretty, for people.",
        show_default=False,
    ),
]
Standalone = Annotated[
    bool, typer.Option("--standalone", help="With --format latex: a whole document, with definitions.")
]


def derive(
    act: options.Act,
    tau: Tau = None,
    m: M = None,
    slope: Slope = None,
    param: options.Params = None,
    quantity: Quantities = None,
    assume: Assume = None,
    notation: Notations = Notation.Phi,
    format: Formats = None,
    standalone: Standalone = False,
    output: options.Output = None,
) -> None:
    """The maps of an activation as formulas, every name without a value left as a symbol.

    Names are positive (but for the slope of leaky-relu). What has no closed form is left as an integral. Every formula
    is checked against the numbers before it is printed.

    \b
    Examples:
      meanfield derive --act "clipped-relu(tau, m)"
      meanfield derive --act soft-threshold --quantity dV_eoc --quantity d2V_eoc
      meanfield derive --act "clip(x - tau, 0, m)" --tau 1/2 --quantity R --format latex
      meanfield derive --act "clip(x, a, b) + clip(x, b, c)" --assume "a < b < c"
      meanfield derive --act "erf(a*x)" --quantity V --quantity R
      meanfield derive --act tanh --quantity all --format python
      meanfield derive --act hard-tanh --quantity all --format latex --standalone
    """
    format = format_of(FormulaFormat.pretty, format, output)
    if standalone and format is not FormulaFormat.latex:
        raise DomainError(
            f"--standalone makes a LaTeX document, not {format.value}: add --format latex, or leave it out"
        )
    if output is None and format in (FormulaFormat.pretty, FormulaFormat.json, FormulaFormat.jsonl):
        _require_unicode()
    if len(act) > 1:
        raise DomainError(f"--act is given {len(act)} times: derive formulas of one activation at a time")
    from meanfield.symbolic.derivation import derivation_of

    values = options.read_parameters({"tau": tau, "m": m, "slope": slope}, param, lambda text, value: value)
    derivation = derivation_of(act[0], quantity or "V", values, assume or (), notation.value)
    if format is FormulaFormat.pretty:
        _show(derivation, output)
    else:
        deliver(_text(derivation, format, standalone), output)


def _require_unicode() -> None:
    """Refuse to write formulas to where Φ would come out as a question mark, and be read as another formula."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        "Φϕ₂√·−σ".encode(encoding)
    except UnicodeEncodeError:
        raise OutputError(
            f"formulas cannot be shown in {encoding}: set PYTHONIOENCODING=utf-8, or add --format latex or --output "
            "FILE"
        ) from None


def _text(derivation: Derivation, format: FormulaFormat, standalone: bool) -> str:
    if format is FormulaFormat.latex and standalone:
        from meanfield.symbolic.document import document

        return document(derivation)
    if format is FormulaFormat.latex:
        return "\n\n".join(derivation.displays().values()) + "\n"
    if format in (FormulaFormat.json, FormulaFormat.jsonl):
        from meanfield.symbolic.record import record

        return as_json(record(derivation)) if format is FormulaFormat.json else as_jsonl([record(derivation)])
    from meanfield.symbolic import code

    formulas = derivation.formulas.values()
    if format is FormulaFormat.python:
        return code.python(derivation.activation, formulas)
    return code.sympy(formulas) if format is FormulaFormat.sympy else code.mathematica(formulas)


def _show(derivation: Derivation, output: Path | None) -> None:
    from meanfield.symbolic.terminal import conditions, equations, legend

    room = FILE_WIDTH if output else width()
    subject = derivation.activation
    blocks: list[Block] = [heading(subject.label)]
    if subject.formula != subject.label:
        blocks.append(lines(f"φ(x) = {subject.formula}", 2))
    if told := conditions(subject.parameters):
        blocks.append(lines(told, 2, "dim"))
    formulas = derivation.formulas.values()
    for equation in equations(formulas, room - 2):
        blocks += [exactly(""), *(exactly(f"  {line}") for line in equation)]
    notes = [legend(formulas)]
    if integrals := [name for name, formula in derivation.formulas.items() if formula.is_integral]:
        notes.append(f"No closed form is known here: {', '.join(integrals)} with integrals over all real numbers.")
    if any(formula.quantity.on_edge for formula in formulas):
        notes.append("The edge of chaos exists where σ_b² ≥ 0.")
    if derivation.missing:
        reasons = "; ".join(dict.fromkeys(derivation.missing.values()))
        notes.append(f"Without a formula: {', '.join(derivation.missing)}; {reasons}.")
    for note in filter(None, notes):
        blocks += [exactly(""), lines(note, style="dim")]
    show(blocks, output)


def _help() -> str:
    names = "\n".join(f"  {q.name:<9} {q.called.symbol}, {q.meaning}" for q in FORMULAS.values())
    return f"{inspect.cleandoc(derive.__doc__ or '')}\n\n\b\nQuantities:\n{names}"


derive.__doc__ = _help()
