"""What the commands that judge a network share: its formula, its verdict at any or a given width, in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, lines, paragraph
from meanfield.cli.output import progress
from meanfield.cli.process import tell
from meanfield.errors import DomainError
from meanfield.quantities import DECISIVE

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.finite_width.escape import Requirement
    from meanfield.finite_width.verdict import FiniteWidth
    from meanfield.infinite_width.operating_point import Subject
    from meanfield.infinite_width.stability import Diagnosis

__all__ = [
    "VERDICT",
    "Depth",
    "Strict",
    "Width",
    "explanation",
    "formula",
    "hold",
    "judged",
    "prose",
    "requirement",
    "sized",
]

Width = Annotated[
    int | None, typer.Option("--width", help="Judge networks of N units a layer, with --depth.", show_default=False)
]
Depth = Annotated[
    int | None, typer.Option("--depth", help="Judge networks of L layers, with --width.", show_default=False)
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 unless the verdict is stable, safe or neutral.")]

#: The columns of a verdict.
VERDICT = (DECISIVE[0], "explanation", *DECISIVE[1:], "signal", "gradient", "inputs", "remedies")


def requirement(
    context: typer.Context, width: int | None, depth: int | None, within: float, gradient_within: float, risk: float
) -> Requirement | None:
    """The requirement that --width and --depth make, None without them."""
    if width is None and depth is None:
        refusal = "{} is of networks of a width and depth: give --width and --depth too, or leave it out"
        options.require_left_out(context, ("within", "gradient_within", "risk"), refusal)
        return None
    if width is None or depth is None:
        given, missing = ("--depth", "--width") if width is None else ("--width", "--depth")
        raise DomainError(f"{given} is given without {missing}: give both, or neither for a verdict at any width")
    from meanfield.finite_width.escape import Requirement

    return Requirement(width, depth, within, risk, gradient_within=gradient_within)


def judged(subject: Subject, required: Requirement | None) -> Diagnosis:
    """The diagnosis of a network, with the verdict at the required width and depth, or at any without them."""
    from meanfield.infinite_width.stability import diagnose

    if required is None:
        return diagnose(subject)
    from meanfield.finite_width.verdict import at_width

    with progress("random networks, then what is safe", required.chains) as advance:
        return at_width(diagnose(subject, with_remedies=False), required, advance=advance).judged


def sized(title: str, required: Requirement | None) -> str:
    """A title, with the width and depth that are judged."""
    return f"{title} at width {required.width}, depth {required.depth}" if required else title


def formula(named: NamedActivation) -> Block:
    """The line that says what φ is; none where that is its name already."""
    return lines("" if named.formula == named.label else f"φ(x) = {named.formula}", 2)


def hold(strict: bool, judged: Iterable[Diagnosis | FiniteWidth]) -> None:
    """Exit with 1 if --strict is given and a network does not keep signal, gradient and inputs."""
    failed = [found.verdict for found in judged if not found.verdict.is_good] if strict else []
    for verdict in failed:
        parts = ", ".join(f"{name} {part.word}" for name, part in verdict.parts.items())
        tell(f"--strict fails: the verdict is {verdict.word} ({parts})")
    if failed:
        raise typer.Exit(1)


def explanation(judged: Diagnosis | FiniteWidth) -> str:
    """The verdict in one string, which a table of several needs."""
    return " ".join(f"{head} {body}" for head, body, _ in judged.verdict.paragraphs)


def prose(judged: Diagnosis | FiniteWidth) -> list[Block]:
    """The verdict, a paragraph for each thing that it says."""
    return [paragraph(*said) for said in judged.verdict.paragraphs]
