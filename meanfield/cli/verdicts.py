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
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.finite_width.escape import Requirement
    from meanfield.finite_width.verdict import FiniteWidth
    from meanfield.infinite_width.operating_point import Subject
    from meanfield.infinite_width.stability import Diagnosis
    from meanfield.infinite_width.verdict import Verdict

__all__ = [
    "SHARES",
    "Depth",
    "Strict",
    "Width",
    "explanation",
    "formula",
    "hold",
    "judged",
    "prose",
    "requirement",
    "shares",
]

Width = Annotated[
    int | None, typer.Option("--width", help="Judge networks of N units a layer, with --depth.", show_default=False)
]
Depth = Annotated[
    int | None, typer.Option("--depth", help="Judge networks of L layers, with --width.", show_default=False)
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 unless the verdict is stable, safe or neutral.")]

#: What decides first, one number each.
SHARES = ("signal_lost", "gradient_lost", "share_lost", "share_interval")


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


def shares(verdict: Verdict) -> Record:
    """The numbers of a verdict at a width and depth, side by side."""
    return {
        "signal_lost": verdict.signal.share_lost,
        "gradient_lost": verdict.gradient.share_lost,
        "share_lost": verdict.share_lost,
        "share_interval": list(verdict.interval or ()) or None,
        "one_minus_rho": verdict.inputs.one_minus_rho,
    }


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
    """The parts with their words and, where one is known, the remedy, in one string."""
    verdict = judged.verdict
    told = [f"{name} {part.word}: {part.explanation}" for name, part in verdict.parts.items()]
    told += [verdict.scope] if verdict.scope else []
    return " ".join(told) + (f" Remedy: {verdict.remedy}" if verdict.remedy else "")


def prose(judged: Diagnosis | FiniteWidth) -> list[Block]:
    """Each part with its word and mechanism, what the verdict does not cover, and the remedies, a paragraph each."""
    verdict = judged.verdict
    told = [paragraph(f"{name}, {part.word}:", part.explanation, part.word) for name, part in verdict.parts.items()]
    beside = {"scope:": verdict.scope, "remedy:": verdict.remedy}
    return [*told, *(paragraph(head, body) for head, body in beside.items() if body)]
