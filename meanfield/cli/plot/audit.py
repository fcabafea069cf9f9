"""`meanfield plot audit`: the layers of a model of PyTorch beside theory."""

from __future__ import annotations

import typer

from meanfield.cli import models, options
from meanfield.cli.plot.page import Drawing

__all__ = ["audit"]


def audit(
    context: typer.Context,
    model: models.Model,
    batch: models.Batch = None,
    shape: models.Shape = None,
    edge_of_chaos: models.OnEdge = False,
    q_star: models.AfterEdge = 1.0,
    chi: options.Chi = 1.0,
    weights: models.EdgeWeights = models.DrawnFrom.gaussian,
    act: models.Fallback = None,
    label: options.Labels = None,
    level: models.Level = 0.01,
    seed: options.Seed = 0,
) -> Drawing:
    """q, ρ and gradients of every layer of a model of PyTorch, measured and in theory; 'meanfield audit' in a figure.

    \b
    Examples:
      meanfield plot audit nets:build --shape 16,784
      meanfield plot audit nets:build --batch batch.npz --edge-of-chaos -o after.pdf
    """
    from meanfield.plot.audited_layers import AuditedLayers

    (called,) = options.one_for_each([model], label)
    found = models.audited(context, model, batch, shape, edge_of_chaos, q_star, chi, weights, act, level, seed)
    return AuditedLayers(found["audit"], called or "")
