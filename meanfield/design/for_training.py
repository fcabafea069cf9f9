"""Designs at the gain χ₁ ≤ 1 of which networks of a depth learn best, as far as their tangent kernel tells.

docs/theory.md, section 19; what the gain is worth in training is measured in docs/experiments.md.
"""

from __future__ import annotations

from meanfield.activations.spec import NamedActivation
from meanfield.design.design import Design
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.tangent_kernel import Rule, gain_for_training

__all__ = ["for_training"]


def for_training(design: Design | NamedActivation, depth: int, optimizer: Rule = "adam", q_star: float = 1.0) -> Design:
    """A design, or an activation as it is, with the weights and biases of its gain for training.

    Args:
        design: one on the edge of chaos, whose q* stays; or an activation.
        depth: L ≥ 5, layers.
        optimizer: adam or sgd.
        q_star: q*, of an activation.

    Raises:
        DomainError: as `gain_for_training`.
        NoEdgeOfChaos: no biases make up for what such weights take away.
    """
    if isinstance(design, Design):
        values, member, q = design.values, design.activation, design.edge.q_star
    else:
        values, member, q = {}, design, q_star
    gain = gain_for_training(member.phi, depth, optimizer, q)
    return Design(values, member, edge_of_chaos(member.phi, q, gain))
