"""`meanfield activations`: the catalogue."""

from __future__ import annotations

from meanfield.cli import options
from meanfield.cli.layout import grid
from meanfield.cli.output import emit, printing

__all__ = ["activations"]

_FITTING = ("name", "parameters", "formula")


def activations(
    format: options.Formats = None,
    columns: options.Columns = None,
    caption: options.Caption = None,
    tex_label: options.TexLabel = None,
    output: options.Output = None,
) -> None:
    """The activations that have a name, with their formulas. Any other is written as an expression in x.

    \b
    Examples:
      meanfield activations
      meanfield activations --format markdown
    """
    from meanfield.activations.catalogue import ACTIVATIONS

    records = [
        {
            "name": a.name,
            "parameters": ", ".join(p.domain for p in a.parameters),
            "formula": a.formula,
            "aliases": ", ".join(a.aliases),
            "description": a.description,
        }
        for a in ACTIVATIONS
    ]
    how = printing(format, None, columns, caption, tex_label, output)
    emit(records, [grid(records, ["name", "parameters", "formula", "aliases"], None)], how, paper=_FITTING)
