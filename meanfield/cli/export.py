"""`meanfield export`: an activation and its initialiser as code that runs without meanfield."""

from __future__ import annotations

import shlex
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Annotated, cast

import typer

from meanfield.cli import options
from meanfield.cli.output import deliver
from meanfield.cli.verdicts import Depth, Strict, Width, hold, judged, requirement
from meanfield.errors import DomainError
from meanfield.quantities import GRADIENT_WITHIN, RISK, WITHIN

if TYPE_CHECKING:
    from meanfield.export.languages import Framework

__all__ = ["export"]


class Target(StrEnum):
    """What is written, and other words for it."""

    torch = "torch"
    pytorch = "torch"
    flax = "flax"
    jax = "flax"
    keras = "keras"
    numpy = "numpy"
    json = "json"


To = Annotated[Target, typer.Option("--to", help="Framework that the code is for, or json for other tools.")]


def export(
    context: typer.Context,
    act: options.OneAct,
    to: To,
    tau: options.Tau = None,
    m: options.M = None,
    slope: options.Slope = None,
    param: options.Params = None,
    q_star: options.QStar = 1.0,
    chi: options.Chi = 1.0,
    sigma_w: options.SigmaW = None,
    sigma_b: options.SigmaB = 0.0,
    width: Width = None,
    depth: Depth = None,
    within: options.Within = WITHIN,
    gradient_within: options.GradientWithin = GRADIENT_WITHIN,
    risk: options.Risk = RISK,
    strict: Strict = False,
    output: options.Output = None,
) -> None:
    """φ and its initialiser as code that imports a framework and nothing else.

    On the edge of chaos at q*, or as --chi or --sigma-w and --sigma-b say. The docstring of the code says where its
    numbers come from; zeros of φ are exactly 0.

    \b
    Examples:
      meanfield export --act soft-threshold --tau 0.5 --to torch
      meanfield export --act "clipped-relu(tau=1, m=1)" --q-star 2 --to flax -o clipped_relu.py
      meanfield export --act "x*tanh(log(1 + exp(x)))" --to keras
      meanfield export --act hard-tanh --sigma-w 1.5 --sigma-b 0.1 --width 300 --depth 10 --to numpy
      meanfield export --act gelu --to json
    """
    from meanfield.export.snippet import Exported
    from meanfield.infinite_width.operating_point import operating_point
    from meanfield.tables.plain import as_json

    ending = output.suffix.lower() if output else ""
    if ending in (".py", ".json") and (ending == ".json") != (to is Target.json):
        raise DomainError(f"--to {to} and --output {output} contradict: change --to, or rename the file")
    required = requirement(context, width, depth, within, gradient_within, risk)
    (named,) = options.read_activations([act], tau, m, slope, param)
    diagnosis = judged(operating_point(named.phi, q_star, sigma_w, sigma_b, chi), required)
    exported = Exported(named, diagnosis, width, depth, _command(context))
    text = as_json(exported.record()) if to == Target.json else exported.snippet(cast("Framework", to.value))
    deliver(text, output)
    hold(strict, [diagnosis])


def _command(context: typer.Context) -> str:
    """The command as it was given, but for where its result goes."""
    words = ["meanfield", "export"]
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name == "output" or not source or source.name != "COMMANDLINE":
            continue
        given = context.params[option.name or ""]
        for value in given if isinstance(given, list | tuple) else [given]:
            text = str(value.value if isinstance(value, Enum) else value)
            joined = [f"{option.opts[0]}={text}"] if text.startswith("-") else [option.opts[0], text]
            words += [option.opts[0]] if value is True else joined
    return shlex.join(words)
