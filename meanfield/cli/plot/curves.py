"""Networks by the labels of their curves: several activations, or one with a range of a parameter."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Annotated

import typer

from meanfield.cli import options
from meanfield.cli.process import tell
from meanfield.errors import NO_ANSWER, ActivationError, DomainError

if TYPE_CHECKING:
    from meanfield.activations.spec import NamedActivation
    from meanfield.infinite_width.operating_point import OperatingPoint

__all__ = ["MRange", "Ranges", "SlopeRange", "TauRange", "family", "networks", "require_few"]

_RANGE = "one value, a list 0.5,1,2 or START:STOP:COUNT"
TauRange = Annotated[str | None, typer.Option("--tau", help=f"Threshold τ ≥ 0: {_RANGE}.", show_default=False)]
MRange = Annotated[
    str | None, typer.Option("--m", help="Clip level m > 0, likewise; inf is no clip.", show_default=False)
]
SlopeRange = Annotated[str | None, typer.Option("--slope", help="Slope of leaky-relu, likewise.", show_default=False)]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "-p", "--param", metavar="NAME=VALUES", help="Any other parameter, likewise; repeat.", show_default=False
    ),
]

#: More curves than this are told apart by nobody.
_MOST_CURVES = 8


def family(
    acts: list[str],
    tau: str | None,
    m: str | None,
    slope: str | None,
    params: list[str] | None,
    labels: list[str] | None = None,
) -> dict[str, NamedActivation]:
    """The activations that the options describe, by label: what differs between them, as tau=0.5, or their names.

    `labels`, one for each of `acts`, stand in place of their names. One alone has no label unless it is given one.

    Raises:
        ActivationError: a parameter that no activation takes, or is given twice.
        DomainError: more than eight, or not as many labels as activations, or two of a name.
    """
    from meanfield.activations.spec import parameters_of, read_activation

    texts = options.read_parameters({"tau": tau, "m": m, "slope": slope}, params, lambda _, value: value)
    given = {
        name: options.numbers(f"--{name}" if name in ("tau", "m", "slope") else f"-p {name}", text)
        for name, text in texts.items()
    }
    if len(acts) > 1:
        for name in given:
            if not any(name in parameters_of(act) for act in acts):
                raise ActivationError(f"no activation given takes the parameter {name}: leave it out")
    called = options.one_for_each(acts, labels)
    taken = [[name for name in given if len(acts) == 1 or name in parameters_of(act)] for act in acts]
    require_few(sum(math.prod(len(given[name]) for name in names) for names in taken))
    found: dict[str, NamedActivation] = {}
    for act, label, names in zip(acts, called, taken, strict=True):
        varied = [name for name in names if len(given[name]) > 1]
        for values in product(*(given[name] for name in names)):
            member = read_activation(act, **dict(zip(names, values, strict=True)))
            differs = ", ".join(
                f"{name}={value:g}" for name, value in zip(names, values, strict=True) if name in varied
            )
            alone = len(acts) == 1 and (differs or not label)
            parts = [label or "", differs] if label or alone else [member.label]
            name = ", ".join(part for part in parts if part)
            if label and name in found:
                raise DomainError(f"two curves are called {name}: give each --act a --label of its own")
            found[name] = member
    return found


def require_few(curves: int) -> None:
    """Refuse, with a `DomainError`, more curves than are told apart."""
    if curves > _MOST_CURVES:
        raise DomainError(f"{curves} curves cannot be told apart in one figure: give at most {_MOST_CURVES}")


def networks(
    found: dict[str, NamedActivation], q_star: float, sigma_w: float | None, sigma_b: float, chi: float
) -> dict[str, OperatingPoint]:
    """Those of the activations that have the network asked for; the others are told of on stderr.

    Raises:
        MeanFieldError: none has.
    """
    from meanfield.infinite_width.operating_point import operating_point

    drawn: dict[str, OperatingPoint] = {}
    refusals = []
    for label, named in found.items():
        try:
            drawn[label] = operating_point(named.phi, q_star, sigma_w, sigma_b, chi)
        except NO_ANSWER as refusal:
            refusals.append((label, refusal))
    if not drawn:
        raise refusals[0][1]
    for label, why in refusals:
        tell(f"note: {label} is left out: {why}")
    return drawn
