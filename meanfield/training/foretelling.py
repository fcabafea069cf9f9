"""What theory says of a network before it is trained."""

from __future__ import annotations

from collections.abc import Callable

from meanfield.finite_width.escape import Requirement
from meanfield.finite_width.verdict import FiniteWidth, at_width
from meanfield.infinite_width.operating_point import operating_point
from meanfield.infinite_width.stability import diagnose
from meanfield.quantities import DECISIVE
from meanfield.tables.records import Record
from meanfield.training.setting import Setting

__all__ = ["decided", "forecast"]


def forecast(
    setting: Setting, *, with_remedies: bool = True, advance: Callable[[int], object] | None = None
) -> FiniteWidth:
    """The verdict of its hidden layers at their width and depth; of convolutions, that of as many units as channels."""
    point = operating_point(setting.phi, setting.q_star, setting.sigma_w, setting.sigma_b)
    is_gaussian = setting.weights == "gaussian"
    required = Requirement(setting.width, setting.depth, weights="gaussian" if is_gaussian else "orthogonal")
    diagnosis = diagnose(point, with_remedies=False)
    return at_width(diagnosis, required, setting.q_star, advance, with_remedies=with_remedies)


def decided(found: FiniteWidth) -> Record:
    """The verdict and what decides it."""
    record = found.verdict.record()
    return {name: record[name] for name in (*DECISIVE, "explanation")}
