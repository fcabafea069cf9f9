"""From what a network should be to what is trained: a sparsity, a slope or a clip level, and q* give φ, σ_w and σ_b."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from meanfield.activations.entry import with_values
from meanfield.activations.family import Family
from meanfield.activations.spec import parameters_of, read_activation, split_arguments, split_name
from meanfield.design.design import designs
from meanfield.errors import DomainError, shortened
from meanfield.infinite_width.operating_point import operating_point
from meanfield.training.setting import Setting

__all__ = ["parameters_left_open", "settings_of"]

#: What a setting has besides a network.
_REST = tuple(field.name for field in fields(Setting))[4:]


def settings_of(
    act: str,
    given: Mapping[str, float] | None = None,
    *,
    sparsity: float | None = None,
    slope: float | None = None,
    q_star: float = 1.0,
    sigma_w: float | None = None,
    sigma_b: float = 0.0,
    chi_1: float = 1.0,
    **rest: Any,
) -> list[Setting]:
    """The settings of an activation, on its edge of chaos at q* unless σ_w is given: one for each design that there is.

    Args:
        act: an activation; or one with τ, or τ and m, left open.
        given: values of its parameters.
        sparsity: P(φ = 0) at q*, which gives an open τ.
        slope: V'(q*) with that χ₁, which gives an open m.
        q_star: q*, or the variance of the first layer.
        sigma_w, sigma_b: of other weights.
        chi_1: χ₁(q*), another than 1 for a network beside the edge.
        rest: of `Setting`.

    Raises:
        NoDesign: no parameter gives what is asked for.
        NoEdgeOfChaos: there is no such network at q*.
        DomainError: more or less is asked than parameters are open; a gain beside weights; or what a setting does not
            have.
    """
    if not isinstance(act, str):
        raise DomainError(f"act = {shortened(act)} is no text: give a name or an expression, such as 'tanh'")
    for name in rest:
        if name not in _REST:
            raise DomainError(f"{name} is nothing that a setting has: give {', '.join(_REST)}")
    values = dict(given or {})
    asked = {"tau": ("sparsity", sparsity), "m": ("slope", slope)}
    left = [name for name in asked if name in parameters_left_open(act, values)]
    for name, (what, value) in asked.items():
        if value is None and name in left:
            raise DomainError(f"{act} leaves {name} open: give --{what}, which sets it, or --{name}")
        if value is not None and name not in left:
            raise DomainError(f"--{what} sets {name}, which {act} does not leave open: leave one of them out")
    found = [values]
    if left:
        family = Family(act, tuple(left), tuple(values.items()))
        solutions = designs(family, sparsity=sparsity, slope=slope, q_star=q_star, chi_1=chi_1)
        found = [{**values, **d.values} for d in solutions]
    settings = []
    for numbers in found:
        text = _with_numbers(act, numbers)
        network = operating_point(read_activation(text).phi, q_star, sigma_w, sigma_b, chi_1).network
        settings.append(Setting(text, network.sigma_w, network.sigma_b, q_star, **rest))
    return settings


def parameters_left_open(act: str, values: Mapping[str, float] | None = None) -> set[str]:
    """The parameters that have a value neither in the text nor beside it."""
    beside = values or {}
    named = split_name(act.strip(), beside)
    inside = [name for name, _ in split_arguments(*named, beside)[2]] if named else []
    return {*parameters_of(act)}.difference(beside, inside)


def _with_numbers(act: str, values: Mapping[str, float]) -> str:
    """The activation as a text that says all of it."""
    if not values:
        return act
    return str(read_activation(act, **values).label) if split_name(act.strip(), values) else with_values(act, values)
