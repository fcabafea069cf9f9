"""An activation reshaped until a deep network of it trains: φ̂(x) = γ(φ(αx + β) + δ), with σ_w = 1 and σ_b = 0.

`reshape` meets any `Shape`. `kernel_shape` and `tailored_shape` say what deep kernel shaping (DKS) and tailored
activation transformations (TAT) ask of one of L layers in a row; `tailored_rectifier` is TAT for leaky ReLUs.
docs/theory.md, section 16.

Source: J. Martens et al. (2021), arXiv:2110.01765; G. Zhang, A. Botev, J. Martens (2022), arXiv:2203.08120.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from meanfield.activations.activation import Activation
from meanfield.activations.entry import decimal, with_texts
from meanfield.activations.family import Family
from meanfield.activations.spec import NamedActivation, formula_of, read_activation
from meanfield.design.crossings import crossings
from meanfield.design.shape import Shape
from meanfield.design.shape_search import FamilyPlane, Inner, Nearest, ScalePlane, on_line, search
from meanfield.domain import require_count, require_number
from meanfield.errors import ActivationError, DomainError, NoDesign
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import mean, second_moment, second_moment_d1, slope_moment, squared_curvature
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = [
    "CURVATURE",
    "ETA",
    "ZETA",
    "Reshaped",
    "kernel_shape",
    "reshape",
    "tailored_rectifier",
    "tailored_shape",
]

#: What the papers ask of a whole network: R'(1) (DKS), R(0) and R''(1) (TAT).
ZETA, ETA, CURVATURE = 1.5, 0.9, 0.3
#: A condition is met where it misses by no more.
_MET = 1e-12


def kernel_shape(depth: int, zeta: float = ZETA, V_prime: float | None = 1.0, R_zero: float = 0.0) -> Shape:
    """What DKS asks of each of `depth` nonlinear layers in a row: R'(1) = ζ^(1/L), R(0) = 0 and V'(1) = 1.

    Raises:
        DomainError: a number out of range.
    """
    require_count("depth", depth)
    require_number("zeta", zeta)
    if not (1 < zeta < math.inf):
        raise DomainError(f"zeta = {zeta:g} is out of range: give zeta > 1, the slope of R at 1 over all layers")
    return Shape(V_prime, zeta ** (1 / depth), R_zero)


def tailored_shape(depth: int, curvature: float = CURVATURE) -> Shape:
    """What TAT asks of each of `depth` smooth layers in a row: V'(1) = R'(1) = 1 and R''(1) = τ/L.

    Raises:
        DomainError: a number out of range.
    """
    require_count("depth", depth)
    require_number("curvature", curvature)
    if not (0 < curvature < math.inf):
        raise DomainError(f"curvature = {curvature:g} is out of range: give R''(1) > 0 over all layers")
    return Shape(1.0, 1.0, None, curvature / depth)


@dataclass(frozen=True, repr=False)
class Reshaped(Shown):
    """φ̂(x) = γ(φ(αx + β) + δ), for weights of variance 1/fan_in (σ_w = 1) and no biases (σ_b = 0).

    Attributes: `activation`, φ̂; `of`, φ, a member of its family where it has one; `formula`, φ̂ as an expression that
    `meanfield.activation` reads, None where no more is known of φ than its values; `alpha`, `beta`, `gamma`, `delta`.
    """

    activation: Activation
    of: NamedActivation
    formula: str | None
    alpha: float
    beta: float
    gamma: float
    delta: float

    paper = ("activation", "input_scale", "input_shift", "output_scale", "output_shift")

    def record(self) -> Record:
        """The four numbers, what they bring about at q = 1, and φ̂ as an expression."""
        return {
            "activation": self.of.label,
            "input_scale": self.alpha,
            "input_shift": self.beta,
            "output_scale": self.gamma,
            "output_shift": self.delta,
            "q_star": self.V,
            "V_prime": self.V_prime,
            "R_zero": self.R_zero,
            "R_prime": self.R_prime,
            "R_double_prime": self.R_double_prime,
            "formula": self.formula,
        }

    @property
    def mean_field(self) -> MeanField:
        """The network of σ_w = 1 and σ_b = 0."""
        return MeanField(self.activation, 1.0, 0.0)

    @property
    def V(self) -> float:
        """V(1), 1 to rounding."""
        return second_moment(self.activation, 1.0)

    @property
    def V_prime(self) -> float:
        """V'(1)."""
        return second_moment_d1(self.activation, 1.0)

    @property
    def R_zero(self) -> float:
        """R(0)."""
        return mean(self.activation, 1.0) ** 2 / self.V

    @property
    def R_prime(self) -> float:
        """R'(1)."""
        return slope_moment(self.activation, 1.0, 2) / self.V

    @property
    def R_double_prime(self) -> float:
        """R''(1), ∞ where φ has kinks."""
        return squared_curvature(self.activation, 1.0) / self.V

    def over_layers(self, depth: int) -> Record:
        """R(0), R'(1) and R''(1) of so many layers in a row."""
        once, twice, slope, curvature = self.R_prime, self.R_double_prime, 1.0, 0.0
        for _ in range(depth):
            slope, curvature = once * slope, twice * slope**2 + once * curvature
        zero = _after(self.mean_field, depth, 0.0)
        return {"network_zero": zero, "network_slope": slope, "network_curvature": curvature}


def reshape(spec: str | Activation | NamedActivation | Family, shape: Shape) -> Reshaped:
    """α, β, γ and δ with which φ meets a shape, every condition to 1e-12, and V(1) = 1.

    Of several solutions the one with the least αγ|β|; α > 0 and γ > 0. A homogeneous φ, such as ReLU, has no use for α,
    which is 1: either V'(1) is left as it comes, or it is a `Family` with one open parameter, which is looked for from
    0 to 1 instead of α.

    Raises:
        ActivationError: `spec` is no activation.
        DomainError: φ jumps, or is homogeneous, or has kinks where R''(1) is asked for.
        NoDesign: there is no solution; the message tells what comes nearest.
    """
    family = spec if isinstance(spec, Family) else None
    if isinstance(spec, NamedActivation):
        named = spec
    else:
        named = _homogeneous(spec) if isinstance(spec, Family) else read_activation(spec)
    _require_shapeable(named, shape, family)
    signs = (1, -1) if shape.R_zero else (1,)
    found: list[Inner | Nearest | None]
    if named.phi.is_homogeneous and not family:
        found = [on_line(named.phi, shape, sign) for sign in signs]
    else:
        plane = FamilyPlane(family) if family else ScalePlane(named.phi)
        found = [search(plane, shape, sign) for sign in signs]
    solutions = [inner for inner in found if isinstance(inner, Inner)]
    if not solutions:
        raise _out_of_reach(family.spec if family else named.label, shape, found[0])
    inner = min(solutions, key=lambda inner: inner.stretch)
    if family and inner.value is not None:
        named = family.member({family.open[0]: inner.value})
    return _verified(named, inner, shape)


def tailored_rectifier(family: Family, depth: int, eta: float = ETA) -> Reshaped:
    """The member of a homogeneous family that takes R(0) over `depth` layers to η: the least such value from 0 to 1.

    V(q) = q and R'(1) = 1 at every q, whatever the member.

    Raises:
        DomainError: a number out of range, or members that are not homogeneous.
        NoDesign: no member does; the message tells what the family reaches.
    """
    require_count("depth", depth)
    require_number("eta", eta)
    if not 0 < eta < 1:
        raise DomainError(f"eta = {eta:g} is out of range: give 0 < eta < 1, the correlation after all layers")
    _homogeneous(family)
    name = family.open[0]

    def reached(value: float) -> float:
        if value > 1:
            return math.nan
        try:
            return _after(MeanField(family.member({name: value}).phi, 1.0), depth, 0.0)
        except ActivationError:
            return math.nan

    found = crossings(reached, eta, 1.0)
    if not found.roots:
        raise NoDesign(
            f"no {name} from 0 to 1 takes R(0) of {family.spec} over {depth} layers to {eta:g}: it reaches from "
            f"{found.low:.6g} to {found.high:.6g}; give another eta, or more layers for a larger one"
        )
    member = family.member({name: found.roots[0]})
    gamma = 1 / math.sqrt(second_moment(member.phi, 1.0))
    return _reshaped(member, 1.0, 0.0, gamma, 0.0)


def _after(network: MeanField, depth: int, rho: float) -> float:
    for _ in range(depth):
        rho = min(network.R(rho, 1.0), 1.0)
    return rho


def _homogeneous(family: Family) -> NamedActivation:
    """A member of a family that has to be homogeneous, with one open parameter."""
    if len(family.open) == 1:
        member = family.member({family.open[0]: 0.5})
        if member.phi.is_homogeneous:
            return member
    raise DomainError(
        f"{family.spec} keeps {' and '.join(family.open)} open, but α and β are enough for an activation that is not "
        "homogeneous: give its parameters values"
    )


def _require_shapeable(named: NamedActivation, shape: Shape, family: Family | None) -> None:
    phi = named.phi
    if not phi.is_continuous:
        raise DomainError(
            f"{named.label} jumps, so that R'(1) is ∞ however it is reshaped: replace the jump by a steep slope"
        )
    if not phi.has_slope or (phi.is_homogeneous and not phi.breaks):
        raise DomainError(f"{named.label} is a straight line however it is reshaped: give one that bends")
    if shape.R_zero is None and math.isinf(squared_curvature(phi, 1.0)):
        raise DomainError(
            f"{named.label} has kinks, so that R''(1) is ∞ however it is reshaped: ask for R(0) and R'(1), as DKS "
            "does, or take leaky-relu with its slope open, which TAT shapes by R(0) over all layers"
        )
    if phi.is_homogeneous and not family and shape.V_prime is not None:
        raise DomainError(
            f"{named.label} is homogeneous: α and γ scale it alike, so that V'(1) and R'(1) cannot both be met; leave "
            "V'(1) free (V_prime=None, or --slope free), or take leaky-relu with its slope open"
        )
    if not phi.is_homogeneous and shape.V_prime is None:
        raise DomainError(f"V'(1) is left open, but {named.label} has an α to meet it with: give V'(1), such as 1")


def _out_of_reach(label: str, shape: Shape, left: Inner | Nearest | None) -> NoDesign:
    asked = {"V_prime": "V'(1)", "R_zero": "R(0)", "R_prime": "R'(1)", "R_double_prime": "R''(1)"}
    told = [f"{asked[name]} = {value:.6g}" for name, value in shape.asked.items()]
    message = f"no α, β, γ and δ give {label} {', '.join(told[:-1])} and {told[-1]}"
    if not isinstance(left, Nearest):
        return NoDesign(f"{message}: ask for other values")
    name, value, unit = shape.equations[left.equation]
    return NoDesign(f"{message}: where the others are met, the nearest {name} is {value + left.missed * unit:.6g}")


def _verified(named: NamedActivation, inner: Inner, shape: Shape) -> Reshaped:
    """The solution as an activation, once more measured."""
    found = _reshaped(named, inner.alpha, 0.0 if abs(inner.beta) < _MET else inner.beta, inner.gamma, inner.delta)
    for name, value in {"V": 1.0, **shape.asked}.items():
        reached = getattr(found, name)
        if not abs(reached - value) <= _MET * max(1.0, abs(value)):
            raise NoDesign(
                f"{named.label} cannot be shaped to twelve digits: {name} = {reached:.15g} instead of {value:.15g} is "
                "the nearest that was found; ask for a stronger bend, or fewer layers"
            )
    return found


def _reshaped(named: NamedActivation, alpha: float, beta: float, gamma: float, delta: float) -> Reshaped:
    formula = _expression(named, alpha, beta, gamma, delta)
    if formula is None:
        phi = read_activation(_function(named.phi, alpha, beta, gamma, delta)).phi
    else:
        phi = read_activation(formula).phi
    return Reshaped(phi.named(f"{named.label} reshaped"), named, formula, alpha, beta, gamma, delta)


def _expression(named: NamedActivation, alpha: float, beta: float, gamma: float, delta: float) -> str | None:
    """γ(φ(αx + β) + δ) as an expression, with the shortest that φ has."""
    for formula in sorted({named.formula, formula_of(named.phi)}, key=len):
        try:
            if read_activation(formula).phi != named.phi:
                continue
        except ActivationError:
            continue
        inside = _plus("x" if alpha == 1 else f"{decimal(alpha)}*x", beta)
        return f"{decimal(gamma)}*({_plus(with_texts(formula, {'x': inside}), delta)})"
    return None


def _plus(text: str, value: float) -> str:
    return f"{text} {'-' if value < 0 else '+'} {decimal(abs(value))}" if value else text


def _function(phi: Activation, alpha: float, beta: float, gamma: float, delta: float) -> Callable[[object], object]:
    """γ(φ(αx + β) + δ) as a function to be sampled."""

    def reshaped(x):  # type: ignore[no-untyped-def]
        return gamma * (phi(alpha * x + beta) + delta)

    return reshaped
