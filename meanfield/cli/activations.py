"""`meanfield activations`: the catalogue."""

from __future__ import annotations

from meanfield.cli import options
from meanfield.cli.output import emit, grid

__all__ = ["activations"]


def activations(format: options.Formats = options.Format.table, output: options.Output = None) -> None:
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
    emit(records, [grid(records, ["name", "parameters", "formula", "aliases"], None)], format, None, output)
