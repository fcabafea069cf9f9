"""`meanfield plot`: figures for papers, a kind each. Only here is matplotlib loaded, and only when it draws."""

from __future__ import annotations

from typing import ClassVar

from meanfield.cli.lazy_group import LazyGroup
from meanfield.cli.plot.page import FigureCommand

__all__ = ["plot"]


class _Kinds(LazyGroup):
    package = __name__
    names: ClassVar = {
        "variance": "The variance map V, and its fixed points.",
        "correlation": "The correlation map R, and its fixed points.",
        "slope": "V' and q*V'' on the edge of chaos, against a parameter.",
        "phase": "The plane of (σ_w, σ_b): ordered, chaotic, and the edge.",
        "design": "Signal and gradient lost, over sparsity and clip level.",
        "trainable": "The largest safe depth, over sparsity and width.",
        "trajectory": "Variance, correlation and sparsity over the layers.",
        "audit": "A model of PyTorch beside theory, layer by layer.",
        "training": "Accuracy and sparsity of trained networks; or one run.",
        "activation": "φ, and the density of pre-activations below it.",
        "summary": "One page: φ, V, R, trajectories and numbers.",
    }
    kind = FigureCommand


plot = _Kinds(
    name="plot", help="Draw a figure for a paper: maps, slopes, phases, designs, trajectories.", rich_markup_mode=None
)
