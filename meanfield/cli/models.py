"""What the commands share that look at a model of PyTorch: which, on what batch, and what is done to it before."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from meanfield.cli import options
from meanfield.errors import NO_ANSWER, DomainError, MeanFieldError, shortened
from meanfield.tables.records import Record

__all__ = [
    "AfterEdge",
    "Batch",
    "DrawnFrom",
    "EdgeWeights",
    "Fallback",
    "Level",
    "Model",
    "OnEdge",
    "Shape",
    "audited",
    "described",
]


class DrawnFrom(StrEnum):
    """The law of the weights."""

    gaussian = "gaussian"
    orthogonal = "orthogonal"
    delta_orthogonal = "delta-orthogonal"
    uniform = "uniform"
    truncated = "truncated"


Model = Annotated[
    str,
    typer.Argument(
        help="package.module:build_model, a function without arguments that returns an nn.Module; or one itself.",
        show_default=False,
    ),
]
Batch = Annotated[
    Path | None,
    typer.Option(
        "--batch", metavar="FILE", help="What it runs on: .npz or .npy, an array an argument.", show_default=False
    ),
]
Shape = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="N,…",
        help="Or Gaussian numbers, as many as 16,3,32,32 says; repeat for each argument.",
        show_default=False,
    ),
]
OnEdge = Annotated[
    bool, typer.Option("--edge-of-chaos", help="Draw the weights anew on the edge of chaos, then audit.")
]
AfterEdge = Annotated[float, typer.Option("--q-star", help="Of --edge-of-chaos: q* > 0.")]
EdgeWeights = Annotated[DrawnFrom, typer.Option("--weights", help="Of --edge-of-chaos: the law of the weights.")]
Fallback = Annotated[
    str | None,
    typer.Option("--act", metavar="TEXT", help="Of --edge-of-chaos: φ where none is found.", show_default=False),
]
Level = Annotated[float, typer.Option("--level", help="Probability that a layer departs if theory is right.")]


def audited(
    context: typer.Context,
    model: str,
    batch: Path | None,
    shape: Sequence[str] | None,
    edge_of_chaos: bool,
    q_star: float,
    chi: float,
    weights: DrawnFrom,
    act: str | None,
    level: float,
    seed: int,
) -> Record:
    """The audit of the model that is named, and of what it was `before` it was `initialised` if that is asked.

    Its code runs in a process of its own, and PyTorch with it.

    Raises:
        MeanFieldError: there is no PyTorch, options that say too little or too much, no such model, or none that runs.
    """
    require_torch(context, "torch")
    from meanfield.activations.user_code import answered_apart
    from meanfield.domain import require_count, require_share

    _require_name(model)
    if (batch is None) == (not shape):
        given = "nothing says" if batch is None else "--batch and --shape both say"
        raise DomainError(f"{given} what {model} runs on: give --batch FILE.npz, or --shape such as 16,3,32,32")
    if not edge_of_chaos:
        options.require_left_out(
            context, ("q_star", "chi", "weights", "act"), "{} is of --edge-of-chaos: add it, or leave this out"
        )
    require_share("level", level, "a probability")
    require_count("seed", seed, 0)
    drawn = {"q_star": q_star, "chi_1": chi, "weights": weights.value, "activation": act}
    asked = {
        "batch": None if batch is None else str(batch),
        "shapes": [_sizes(text) for text in shape or []],
        "level": level,
        "seed": seed,
        "edge": drawn if edge_of_chaos else None,
    }
    found: Any = answered_apart(
        "meanfield.torch.named_model:audit_named", model, asked, give="one that returns an nn.Module that runs"
    )
    if isinstance(found, str):
        raise DomainError(found)
    if "error" in found:
        kinds = {kind.__name__: kind for kind in NO_ANSWER}
        raise kinds.get(found["error"], MeanFieldError)(*found["lines"])
    return {"model": model, "batch": asked["batch"], "seed": seed, **found}


def require_torch(context: typer.Context, extra: str) -> None:
    """Refuse a command that needs PyTorch where there is none, with a `MeanFieldError`."""
    from meanfield.cli.usage import path_of

    if find_spec("torch") is None:
        raise MeanFieldError(f"{path_of(context)} needs PyTorch: pip install 'meanfield[{extra}]'")


def described(found: Record) -> str:
    """What the model ran on, and in which mode."""
    sizes = [" × ".join(map(str, shape)) for shape in found["shapes"]]
    held = f"in {found['batch']}" if found["batch"] else f"Gaussian numbers, seed {found['seed']}"
    mode = "training" if found["training"] else "evaluation"
    return f"{found['model']} in {mode} mode, on {' and '.join(sizes)} {held}."


def _require_name(model: str) -> None:
    module, colon, path = model.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
        raise DomainError(f"{shortened(model)} names no model: write package.module:build_model, with dots for folders")


def _sizes(text: str) -> list[int]:
    from meanfield.activations.numbers import NotANumber, read_whole

    try:
        sizes = [read_whole(part) for part in text.split(",")]
    except NotANumber:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise DomainError(
            f"--shape {shortened(text)} is no shape: give whole numbers > 0, examples first, such as 16,784"
        )
    return sizes
