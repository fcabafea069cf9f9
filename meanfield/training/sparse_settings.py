"""From what a network should be to what is trained: a sparsity, a slope or a clip level, and q* give φ, σ_w and σ_b."""

from __future__ import annotations

from typing import Any

from meanfield.activations.family import Family
from meanfield.activations.spec import activation, parameters_of
from meanfield.design.design import designs
from meanfield.errors import DomainError
from meanfield.infinite_width.operating_point import operating_point
from meanfield.training.setting import Setting

__all__ = ["settings_of"]


def settings_of(
    act: str,
    *,
    sparsity: float | None = None,
    slope: float | None = None,
    m: float | None = None,
    q_star: float = 1.0,
    **rest: Any,
) -> list[Setting]:
    """The settings of an activation on its edge of chaos at q*: one for each design that there is.

    Args:
        act: an activation; or a name of the catalogue with τ, or τ and m, left open.
        sparsity: P(φ = 0) at q*, which gives τ.
        slope: V'(q*), which gives m.
        m: itself, instead.
        q_star: q*.
        rest: of `Setting`.

    Raises:
        NoDesign: no parameter gives what is asked for.
        NoEdgeOfChaos: there is none at q*.
        DomainError: more or less is asked than parameters are open.
    """
    open_ones = [name for name in ("tau", "m") if name in parameters_of(act)]
    if slope is not None and m is not None:
        raise DomainError(f"slope = {slope:g} and m = {m:g} both set the clip level: give one of them")
    given = {} if m is None else {"m": m}
    solved = [name for name in open_ones if name not in given]
    if not solved:
        return [_setting(act, given, q_star, rest)]
    family = Family(act, tuple(solved), tuple(given.items()))
    found = designs(family, sparsity=sparsity if "tau" in solved else None, slope=slope, q_star=q_star)
    return [_setting(act, {**given, **design.values}, q_star, rest) for design in found]


def _setting(act: str, values: dict[str, float], q_star: float, rest: dict[str, Any]) -> Setting:
    inside = ", ".join(f"{name}={value!r}" for name, value in sorted(values.items(), reverse=True))
    text = f"{act}({inside})" if inside else act
    network = operating_point(activation(text), q_star).network
    return Setting(text, network.sigma_w, network.sigma_b, q_star, **rest)
