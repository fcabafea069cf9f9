"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from meanfield.errors import ActivationError, DomainError, shortened

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation

__all__ = [
    "Q0",
    "Act",
    "Acts",
    "Caption",
    "Chi",
    "Columns",
    "Depth",
    "Digits",
    "Escapes",
    "FanIn",
    "FanOut",
    "Format",
    "Formats",
    "Labels",
    "M",
    "MaybeAct",
    "OneAct",
    "Output",
    "Params",
    "QStar",
    "Risk",
    "Seed",
    "SigmaB",
    "SigmaW",
    "Slope",
    "Tau",
    "TexLabel",
    "Width",
    "Within",
    "complete_activation",
    "number",
    "number_of_bytes",
    "numbers",
    "one_for_each",
    "read_activations",
    "read_parameters",
    "require_left_out",
]

T = TypeVar("T")

#: A range may ask for at most this many numbers.
_MOST_NUMBERS = 100_000


class Format(StrEnum):
    """How results are written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    latex = "latex"
    markdown = "markdown"


def complete_activation(incomplete: str) -> list[tuple[str, str]]:
    """Names of the catalogue that begin so, each with its formula."""
    from meanfield.activations.catalogue import ACTIVATIONS

    return [(a.name, a.formula) for a in ACTIVATIONS if a.name.startswith(incomplete)]


def _act(use: str = "") -> Any:
    return typer.Option(
        "--act",
        metavar="TEXT",
        help=f"A name, an expression in x, points, a file or package.module:function{use}.",
        autocompletion=complete_activation,
        show_default=False,
    )


Act = Annotated[list[str], _act("; names without a value stay symbols")]
Acts = Annotated[list[str], _act("; repeat for a row each")]
OneAct = Annotated[str, _act()]
MaybeAct = Annotated[str | None, _act()]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="TEXT",
        help="What to call the --act in tables and figures; one for each.",
        show_default=False,
    ),
]
Tau = Annotated[float | None, typer.Option("--tau", help="Threshold τ ≥ 0 of the activation.", show_default=False)]
M = Annotated[float | None, typer.Option("--m", help="Clip level m > 0 of the activation.", show_default=False)]
Slope = Annotated[float | None, typer.Option("--slope", help="Slope of leaky-relu for x < 0.", show_default=False)]
Params = Annotated[
    list[str] | None,
    typer.Option("-p", "--param", metavar="NAME=VALUE", help="Any other parameter; repeat.", show_default=False),
]
SigmaW = Annotated[
    float | None, typer.Option("--sigma-w", help="σ_w > 0; default: the edge of chaos at q*.", show_default=False)
]
SigmaB = Annotated[float, typer.Option("--sigma-b", help="σ_b ≥ 0, with --sigma-w.")]
QStar = Annotated[
    float, typer.Option("--q-star", help="The fixed point q* judged; with --sigma-w, where this variance goes.")
]
Chi = Annotated[
    float, typer.Option("--chi", help="Gain χ₁ at q* > 0; default 1, the edge of chaos.", show_default=False)
]
Q0 = Annotated[float | None, typer.Option("--q0", help="Variance at layer 0; default q*.", show_default=False)]
Width = Annotated[int, typer.Option("--width", help="N, units in a layer.")]
Depth = Annotated[int, typer.Option("--depth", help="L, layers.")]
FanIn = Annotated[int | None, typer.Option("--fan-in", help="Inputs of a unit of the layer.", show_default=False)]
FanOut = Annotated[int | None, typer.Option("--fan-out", help="Units that an input goes to.", show_default=False)]
Within = Annotated[float, typer.Option("--within", help="f: q outside [q*/f, f q*] at the last layer has escaped.")]
GradientWithin = Annotated[
    float,
    typer.Option("--gradient-within", help="f_g: a squared gradient that changes by more over all layers is lost."),
]
Risk = Annotated[float, typer.Option("--risk", help="Share of random networks that may lose signal or gradient.")]
Escapes = Annotated[int, typer.Option("--escapes", help="Random networks drawn.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the random numbers: the same seed, the same result.")]
Formats = Annotated[
    Format | None,
    typer.Option(
        "--format",
        "-f",
        help="Default: what the ending of --output says, else a table for people.",
        show_default=False,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="A,B,…",
        help="The columns of a row, by their names in JSON; default all, of LaTeX and Markdown those that fit.",
        show_default=False,
    ),
]
Caption = Annotated[
    str | None,
    typer.Option("--caption", help="With --format latex: of the table, which then floats.", show_default=False),
]
TexLabel = Annotated[
    str | None,
    typer.Option("--tex-label", metavar="NAME", help=r"With --format latex: for \ref{NAME}.", show_default=False),
]
Digits = Annotated[
    int | None,
    typer.Option(
        "--digits",
        min=1,
        max=17,
        help="Significant digits; default 6 in tables (4 in wide ones), 4 in LaTeX and Markdown, all elsewhere.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, whole or not at all.", show_default=False),
]


def read_activations(
    acts: list[str],
    tau: float | None,
    m: float | None,
    slope: float | None,
    params: list[str] | None,
    labels: list[str] | None = None,
) -> list[NamedActivation]:
    """The activations that the options describe, called by `labels` if given.

    With several, each takes the parameters that it knows.

    Raises:
        DomainError: labels, but not one for each activation.
    """
    called = one_for_each(acts, labels)
    named = _read(acts, read_parameters({"tau": tau, "m": m, "slope": slope}, params, number))
    return [replace(one, label=label or one.label) for one, label in zip(named, called, strict=True)]


def one_for_each(acts: list[str], labels: list[str] | None) -> list[str | None]:
    """The label of each activation, None where none are given.

    Raises:
        DomainError: labels, but not one for each.
    """
    if labels and len(labels) != len(acts):
        raise DomainError(f"{len(acts)} --act and {len(labels)} --label are given: give a --label for each --act")
    for label in labels or []:
        if not label.isprintable():
            raise DomainError(f"--label {label} holds more than letters, digits and signs: write it on one line")
    return [*labels] if labels else [None] * len(acts)


def _read(acts: list[str], given: Mapping[str, float]) -> list[NamedActivation]:
    from meanfield.activations.spec import parameters_of, read_activation

    if len(acts) == 1:
        return [read_activation(acts[0], **given)]
    taken = [parameters_of(act) for act in acts]
    for name in given:
        if not any(name in names for names in taken):
            raise ActivationError(f"no activation given takes the parameter {name}: leave it out")
    return [
        read_activation(act, **{name: value for name, value in given.items() if name in names})
        for act, names in zip(acts, taken, strict=True)
    ]


def read_parameters(
    options: Mapping[str, T | None], params: list[str] | None, convert: Callable[[str, str], T]
) -> dict[str, T]:
    """What is given to each parameter, by options of its own or by -p, whose text is converted.

    Raises:
        ActivationError: a text that is not NAME=VALUE, or a parameter given twice.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for text in params or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name.isidentifier():
            raise ActivationError(f"-p {text} is not a parameter: write NAME=VALUE, such as -p tau=0.5")
        if name in given:
            raise ActivationError(f"parameter {name} is given twice: give it once")
        given[name] = convert(text, value)
    return given


def number(text: str, value: str) -> float:
    """The value of a parameter given as -p `text`.

    Raises:
        ActivationError: it is not a number.
    """
    from meanfield.activations.numbers import NotANumber, read_number

    try:
        return read_number(value)
    except NotANumber as fault:
        raise ActivationError(f"-p {text}: {value or 'nothing'} {fault}") from None


def number_of_bytes(option: str, text: str) -> float:
    """A size such as 1GB or 500 MiB, in bytes.

    Raises:
        DomainError: the text is none.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e[0-9]+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    try:
        size = float(found[1]) * (1024 if found[3] else 1000) ** (" kmgt".index(found[2] or " ")) if found else 0.0
    except ValueError:
        size = 0.0
    if not (0 < size < math.inf):
        raise DomainError(f"{option} {text} is no size: write it as 1GB, 500MB or 2GiB")
    return size


def numbers(option: str, text: str) -> list[float]:
    """A list `0.5,1,2` or a range `START:STOP:COUNT`, ends included, as numbers.

    Raises:
        DomainError: the text is neither, or asks for too many.
    """
    from meanfield.activations.numbers import NotANumber, read_number, read_whole

    parts = text.split(":")
    try:
        if len(parts) == 1:
            return [read_number(part) for part in text.split(",")]
        if len(parts) != 3:
            raise NotANumber
        low, high, n = read_number(parts[0]), read_number(parts[1]), read_whole(parts[2])
    except NotANumber:
        raise DomainError(
            f"{option} {shortened(text)} is neither a list such as 0.5,1,2 nor a range START:STOP:COUNT such as 0:4:9"
        ) from None
    if n < 2 or n > _MOST_NUMBERS or not (math.isfinite(low) and math.isfinite(high)):
        raise DomainError(f"{option} {shortened(text)}: give finite ends and a count from 2 to {_MOST_NUMBERS}")
    return [low + (high - low) * (k / (n - 1)) for k in range(n)]


def require_left_out(context: typer.Context, names: Collection[str], refusal: str) -> None:
    """Refuse options that are given though they say nothing here, with a `DomainError` that names the first as {}."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in names and source and source.name == "COMMANDLINE":
            raise DomainError(refusal.format(option.opts[0]))
