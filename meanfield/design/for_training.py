"""Designs at the gain χ₁ < 1 of which deep networks learn best, as far as their tangent kernel tells.

docs/theory.md, section 19; what the gain is worth in training is measured in docs/experiments.md.
"""

from __future__ import annotations

from typing import Any

from meanfield.activations.family import Family
from meanfield.activations.spec import NamedActivation
from meanfield.design.design import Design, designs
from meanfield.errors import NoDesign
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.tangent_kernel import Rule, gain_for_training, gains_at_depth

__all__ = ["as_it_is", "training_designs"]


def training_designs(family: Family, depth: int, optimizer: Rule = "adam", **asked: Any) -> list[Design]:
    """The designs that have what is asked for at their own gain for training, `gain_for_training`.

    Args:
        family: the activations.
        depth: L ≥ 2, layers.
        optimizer: adam or sgd.
        asked: of `designs`, all but chi_1.

    Raises:
        NoDesign: there is none.
        DomainError: a number is out of range.
    """
    found: list[Design] = []
    refusals: list[str] = []
    # Whether a member has kinks is known once it is found, at a gain that depends on it.
    for gain in gains_at_depth(depth, optimizer):
        try:
            solutions = designs(family, **asked, chi_1=gain)
        except NoDesign as refusal:
            refusals += refusal.args
            continue
        found += [one for one in solutions if gain_for_training(one.activation.phi, depth, optimizer) == gain]
    if not found:
        none = f"no {family.spec} has what is asked for at its own gain for training: ask for another slope or share"
        raise NoDesign(*dict.fromkeys(refusals or [none]))
    return found


def as_it_is(activation: NamedActivation, depth: int, optimizer: Rule = "adam", *, q_star: float = 1.0) -> Design:
    """An activation without open parameters at its gain for training; arguments and errors as `training_designs`.

    Raises:
        NoEdgeOfChaos: no biases make up for what such weights take away.
    """
    gain = gain_for_training(activation.phi, depth, optimizer)
    return Design({}, activation, edge_of_chaos(activation.phi, q_star, gain))
