"""The gains that people multiply weights by, beside σ_w of the edge of chaos: which keeps what.

A gain g makes a moment of g·φ at variance q equal to 1: 1/rms φ its mean square (He et al. 2015), 1/sd φ its variance
(normaliser-free networks: Brock et al. 2021), 1/rms φ' that of its slope. docs/theory.md, section 14.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from meanfield.activations.activation import Activation, require_activation
from meanfield.domain import LARGEST_SCALE, require_signal
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.infinite_width.moments import mean, second_moment, slope_moment
from meanfield.infinite_width.outputs import output_variance
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown

__all__ = ["GAIN_QUANTITIES", "Gain", "Gains", "gain_quantities", "gains"]

#: The numbers of a record, in order: each a field or a property of `Gains`.
GAIN_QUANTITIES = ("phi_mean", "phi_variance", "phi_rms", "slope_rms", "gain_rms", "gain_sd", "gain_slope")


@dataclass(frozen=True)
class Gain(Shown):
    """A choice of weights.

    Attributes:
        name: what it is called.
        value: the gain itself, ∞ where none will do; None of an edge that is not there.
        sigma_w: σ_w of weights with it; √q times a gain that keeps a variance, for that makes it 1. None where there is
            no finite one.
        sigma_b: σ_b that goes with it.
        keeps: what stays constant from layer to layer, or why nothing does.
    """

    name: str
    value: float | None
    sigma_w: float | None
    sigma_b: float
    keeps: str

    def record(self) -> Record:
        """Every field."""
        return {
            "gain": self.name,
            "value": self.value,
            "sigma_w": self.sigma_w,
            "sigma_b": self.sigma_b,
            "keeps": self.keeps,
        }


@dataclass(frozen=True)
class Gains(Shown):
    """Mean and size of φ and φ' at variance q, and the gains that follow; a gain is ∞ where what it divides by is 0.

    Attributes:
        activation, q: φ, and the variance of its inputs.
        phi_mean, phi_variance, phi_square: E φ, Var φ, E φ².
        slope_square: E φ'², of the sloping pieces alone.
    """

    activation: Activation
    q: float
    phi_mean: float
    phi_variance: float
    phi_square: float
    slope_square: float

    def record(self) -> Record:
        """The numbers of `GAIN_QUANTITIES`, and every gain with a record of its own."""
        numbers = {key: getattr(self, key) for key in GAIN_QUANTITIES}
        choices = [choice.record() for choice in self.choices]
        return {"activation": self.activation.name, "q": self.q, **numbers, "gains": choices}

    @property
    def phi_rms(self) -> float:
        """√E φ²."""
        return math.sqrt(self.phi_square)

    @property
    def slope_rms(self) -> float:
        """√E φ'²."""
        return math.sqrt(self.slope_square)

    @property
    def gain_rms(self) -> float:
        """1/√E φ², He's gain: √2 for ReLU at q = 1."""
        return _inverse_root(self.phi_square)

    @property
    def gain_sd(self) -> float:
        """1/√Var φ, that of normaliser-free networks: √(2/(1 − 1/π)) for ReLU at q = 1."""
        return _inverse_root(self.phi_variance)

    @property
    def gain_slope(self) -> float:
        """1/√E φ'², the gain that keeps gradients."""
        return _inverse_root(self.slope_square)

    @property
    def choices(self) -> tuple[Gain, ...]:
        """Every gain with its σ_w and σ_b and what it keeps, the edge of chaos last."""
        root = math.sqrt(self.q)
        backward = "a squared gradient: χ₁(q) = 1"
        if not self.activation.is_continuous:
            backward = "a squared gradient on the sloping pieces alone; φ jumps, χ₁ = ∞"
        return (
            _gain("1/rms φ (He)", self.gain_rms, root, "rms φ", "the variance: V(q) = q without biases"),
            _gain(
                "1/sd φ", self.gain_sd, root, "sd φ", "the variance, with weights of mean exactly 0 (normaliser-free)"
            ),
            _gain("1/rms φ'", self.gain_slope, 1.0, "rms φ'", backward),
            self._edge(),
        )

    def _edge(self) -> Gain:
        name = "edge of chaos"
        try:
            edge = edge_of_chaos(self.activation, self.q)
        except (NoEdgeOfChaos, DomainError) as refusal:
            return Gain(name, None, None, 0.0, f"nothing, there is none: {refusal}")
        return Gain(name, edge.sigma_w, edge.sigma_w, edge.sigma_b, "both: V(q) = q with its σ_b, and χ₁(q) = 1")


def gains(activation: Activation, q: float = 1.0) -> Gains:
    """Mean, variance and rms of φ at variance `q` > 0, and the gains.

    Raises:
        ActivationError: the activation is still text: `meanfield.activation` reads it.
        DomainError: q is not a finite number > 0.

    Example:
        >>> from meanfield import activation, gains
        >>> round(gains(activation("relu")).gain_sd, 6)
        1.712859
    """
    require_activation(activation)
    require_signal(q, "q")
    return Gains(
        activation=activation,
        q=float(q),
        phi_mean=mean(activation, q),
        phi_variance=output_variance(activation, q),
        phi_square=second_moment(activation, q),
        slope_square=slope_moment(activation, q, 2),
    )


def gain_quantities(network: MeanField, q: float | None) -> dict[str, float | None]:
    """The numbers of `GAIN_QUANTITIES` for a record of a network at variance q; None each where no signal is left."""
    if not q:
        return dict.fromkeys(GAIN_QUANTITIES)
    found = gains(network.activation, q)
    return {key: getattr(found, key) for key in GAIN_QUANTITIES}


def _inverse_root(square: float) -> float:
    return math.sqrt(1 / square) if square else math.inf


def _gain(name: str, value: float, scale: float, of: str, keeps: str) -> Gain:
    if not 0 < scale * value <= LARGEST_SCALE:
        return Gain(name, value, None, 0.0, f"nothing: {of} is {1 / value if value else math.inf:g}")
    return Gain(name, value, scale * value, 0.0, keeps)
