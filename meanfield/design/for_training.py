"""Designs at the gain χ₁ ≤ 1 of which networks of a depth learn best, as far as their tangent kernel tells.

docs/theory.md, section 19; what the gain is worth in training is measured in docs/experiments.md.
"""

from __future__ import annotations

from dataclasses import replace

from meanfield.activations.spec import NamedActivation
from meanfield.design.design import Design
from meanfield.domain import require_a
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.tangent_kernel import Rule, gain_for_training

__all__ = ["as_it_is", "for_training"]


def for_training(design: Design, depth: int, optimizer: Rule = "adam") -> Design:
    """A design on the edge of chaos, its weights and biases those of its gain for training at the same q*.

    Args:
        design: one of `designs`.
        depth: L ≥ 5, layers.
        optimizer: adam or sgd.

    Raises:
        DomainError: no design; or as `gain_for_training`.
        NoEdgeOfChaos: no biases make up for what such weights take away.
    """
    require_a(Design, "design", design, "one of meanfield.designs")
    found = as_it_is(design.activation, depth, optimizer, design.edge.q_star)
    asked = tuple(replace(condition, chi_1=found.edge.chi_1) for condition in design.asked)
    return replace(found, values=design.values, asked=asked)


def as_it_is(activation: NamedActivation, depth: int, optimizer: Rule = "adam", q_star: float = 1.0) -> Design:
    """An activation without open parameters at its gain for training; errors as `for_training`."""
    gain = gain_for_training(activation.phi, depth, optimizer, q_star)
    return Design({}, activation, edge_of_chaos(activation.phi, q_star, gain))
