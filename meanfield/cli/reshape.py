"""`meanfield design --reshape`: an activation scaled and shifted until a deep network of it trains."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.layout import Block, exactly, grid, heading, lines, listing, paragraph
from meanfield.cli.output import Printing, emit, require_columns
from meanfield.errors import DomainError, NoDesign, shortened
from meanfield.lettering import counted
from meanfield.tables.records import Record

if TYPE_CHECKING:
    from meanfield.activations.family import Family
    from meanfield.design.reshaping import Reshaped

__all__ = ["C0", "Depths", "Eta", "Method", "Reshape", "ReshapeMethod", "Zeta", "print_reshaped", "require_no_shape"]


class ReshapeMethod(StrEnum):
    """Whose conditions are met."""

    dks = "dks"
    tat = "tat"


Reshape = Annotated[
    bool, typer.Option("--reshape", help="γ(φ(αx + β) + δ) instead, for a network of --depth layers, σ_w = 1, σ_b = 0.")
]
Method = Annotated[
    ReshapeMethod | None,
    typer.Option(
        "--method", help="Of --reshape: deep kernel shaping (default), or tailored transformations.", show_default=False
    ),
]
Depths = Annotated[
    str | None,
    typer.Option(
        "--depth", help="Of --reshape: nonlinear layers L in a row; a list for a row each.", show_default=False
    ),
]
Zeta = Annotated[
    float | None,
    typer.Option("--zeta", help="Of --reshape, dks: R'(1) over all layers; default 1.5.", show_default=False),
]
Eta = Annotated[
    float | None,
    typer.Option("--eta", help="Of --reshape, tat, leaky-relu: R(0) over all layers; default 0.9.", show_default=False),
]
C0 = Annotated[
    float | None, typer.Option("--c0", help="Of --reshape, dks: R(0) of a layer; default 0.", show_default=False)
]

#: The word for a V'(1) that is left as it comes.
_FREE = "free"
_FOUND = ("input_scale", "input_shift", "output_scale", "output_shift")
_REACHED = (
    "q_star",
    "V_prime",
    "R_zero",
    "R_prime",
    "R_double_prime",
    "network_zero",
    "network_slope",
    "network_curvature",
)


def require_no_shape(given: Mapping[str, object]) -> None:
    """Refuse options of --reshape that are given without it, with a `DomainError`."""
    for option, value in given.items():
        if value is not None:
            raise DomainError(f"{option} is of --reshape: add it, or leave {option} out")


def print_reshaped(
    act: str,
    how: Printing,
    given: dict[str, float],
    *,
    solve: str | None,
    slope: str | None,
    method: ReshapeMethod | None,
    depth: str | None,
    zeta: float | None,
    eta: float | None,
    curvature: str | None,
    c0: float | None,
) -> None:
    """Print, for every depth, what reshapes the activation for it."""
    if depth is None:
        raise DomainError(
            "--reshape shapes a layer for networks of a depth: give --depth 50, or --depth 1 for the conditions of a "
            "layer by themselves"
        )
    require_columns(how, ("method", "depth", "activation", *_FOUND, *_REACHED, "formula"))
    subject = _subject(act, solve, given)
    method = method or ReshapeMethod.dks
    asked = {"--slope": slope, "--zeta": zeta, "--eta": eta, "--curvature": curvature, "--c0": c0}
    fitting = _fitting(method, not isinstance(subject, str))
    for option, value in asked.items():
        if value is not None and option not in fitting:
            raise DomainError(f"{option} asks nothing of {act} by {method}: leave it out ({_told(fitting)} would do)")
    found: list[Reshaped] = []
    records: list[Record] = []
    refusals: dict[str, None] = {}
    for layers in _depths(depth):
        try:
            reshaped = _reshaped(subject, given, method, layers, slope, zeta, eta, curvature, c0)
            found.append(reshaped)
            records.append({"method": method.value, "depth": layers, **_beside(reshaped, layers)})
        except NoDesign as refusal:
            refusals |= dict.fromkeys(refusal.args)
            records.append({"method": method.value, "depth": layers, "activation": act, "error": str(refusal)})
    if found and not (refusals and how.output):
        answered = [record for record in records if "error" not in record]
        emit(records, _tables(found, answered, method, how.digits), how, paper=["method", "depth", *_FOUND])
    if refusals:
        raise NoDesign(*refusals)


def _subject(act: str, solve: str | None, given: dict[str, float]) -> str | Family:
    """The activation, or a family of homogeneous ones with one parameter open."""
    from meanfield.activations.family import Family, left_open
    from meanfield.activations.spec import read_activation

    if solve is not None:
        return Family(act, tuple(name.strip() for name in solve.split(",")), tuple(given.items()))
    names = left_open(act, given)
    if len(names) == 1:
        family = Family(act, names, tuple(given.items()))
        if family.member({names[0]: 0.5}).phi.is_homogeneous:
            return family
    read_activation(act, **given)
    return act


def _fitting(method: ReshapeMethod, homogeneous: bool) -> tuple[str, ...]:
    if method is ReshapeMethod.dks:
        return "--slope", "--zeta", "--c0"
    return ("--eta",) if homogeneous else ("--curvature",)


def _told(fitting: tuple[str, ...]) -> str:
    return " or ".join([", ".join(fitting[:-1]), fitting[-1]] if len(fitting) > 1 else fitting)


def _depths(text: str) -> list[int]:
    from meanfield.activations.numbers import NotANumber, read_whole

    try:
        return [read_whole(part) for part in text.split(",")]
    except NotANumber:
        raise DomainError(f"--depth {shortened(text)} is no number of layers, and no list of such as 10,50") from None


def _reshaped(
    subject: str | Family,
    given: dict[str, float],
    method: ReshapeMethod,
    depth: int,
    slope: str | None,
    zeta: float | None,
    eta: float | None,
    curvature: str | None,
    c0: float | None,
) -> Reshaped:
    from meanfield.activations.spec import read_activation
    from meanfield.design.reshaping import (
        CURVATURE,
        ETA,
        ZETA,
        kernel_shape,
        reshape,
        tailored_rectifier,
        tailored_shape,
    )

    named = subject if not isinstance(subject, str) else read_activation(subject, **given)
    if method is ReshapeMethod.dks:
        one = None if slope == _FREE else 1.0 if slope is None else _one("--slope", slope)
        return reshape(named, kernel_shape(depth, ZETA if zeta is None else zeta, one, c0 or 0.0))
    if isinstance(subject, str):
        return reshape(named, tailored_shape(depth, CURVATURE if curvature is None else _one("--curvature", curvature)))
    return tailored_rectifier(subject, depth, ETA if eta is None else eta)


def _one(option: str, text: str) -> float:
    numbers = options.numbers(option, text)
    if len(numbers) > 1:
        raise DomainError(f"{option} {shortened(text)}: with --reshape give one number")
    return numbers[0]


def _beside(reshaped: Reshaped, depth: int) -> Record:
    record = reshaped.record()
    formula = record.pop("formula")
    return {**record, **reshaped.over_layers(depth), "formula": formula}


def _tables(found: list[Reshaped], records: list[Record], method: ReshapeMethod, digits: int | None) -> list[Block]:
    label = found[0].of.label if len(found) == 1 else found[0].of.label.partition("(")[0]
    if len(found) > 1:
        keys = ["depth", *(["activation"] if len({f.of.label for f in found}) > 1 else []), *_FOUND]
        return [
            heading(f"γ(φ(αx + β) + δ) of {label}, by {method}"),
            grid(records, keys, digits),
            grid(records, ["depth", *_REACHED[1:]], digits),
        ]
    (record,), (reshaped,) = records, found
    return [
        heading(f"γ(φ(αx + β) + δ) of {label} for {counted(record['depth'], 'layer')}, by {method}"),
        listing(record, _FOUND, digits or 17),
        heading("at q = 1, with σ_w = 1 and σ_b = 0"),
        listing(record, _REACHED, digits),
        *_use(reshaped),
    ]


def _use(reshaped: Reshaped) -> list[Block]:
    from meanfield.infinite_width.framework_code import framework_code

    if reshaped.formula is None:
        written = [paragraph("", "No more is known of φ than its values: there is no expression of it.")]
    else:
        written = [
            heading("As an expression, for --act of every command and for meanfield.activation"),
            lines(""),
            exactly(f"  {reshaped.formula}"),
            lines(""),
        ]
    inside = _plus("x" if reshaped.alpha == 1 else f"{reshaped.alpha!r} * x", reshaped.beta)
    code = [f"def act(x): return {reshaped.gamma!r} * ({_plus(f'phi({inside})', reshaped.delta)})"]
    code += [line for pair in framework_code(1.0).values() for line in pair]
    return [
        *written,
        heading(f"As code, phi being {reshaped.of.label}"),
        lines(""),
        *(exactly(f"  {line}") for line in code),
    ]


def _plus(text: str, value: float) -> str:
    return f"{text} {'-' if value < 0 else '+'} {abs(value)!r}" if value else text
