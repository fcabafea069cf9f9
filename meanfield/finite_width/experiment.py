"""What is asked of a simulation: the network, its shape, how its weights are drawn, how many and from which seed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from meanfield.activations.records import from_record
from meanfield.domain import require_count, require_number, require_signal, require_within
from meanfield.errors import DomainError
from meanfield.infinite_width.mean_field import MeanField
from meanfield.quantities import WITHIN

__all__ = ["MEASURED", "Experiment", "Method", "Padding", "Weights"]

Padding = Literal["circular", "zero"]
Weights = Literal["gaussian", "orthogonal"]
Method = Literal["networks", "chain"]

#: What is measured of a network at every layer, in this order; not all of it in every experiment.
MEASURED = ("q", "rho", "sparsity", "log_gradient")


@dataclass(frozen=True)
class Experiment:
    """Random networks of one kind and what is measured of them. A dense layer is a convolution of one position.

    Attributes:
        network: activation and scales of weights and biases.
        width: N ≥ 1, units in a dense layer, channels in a convolutional one.
        depth: L ≥ 1, layers of weights.
        networks: random networks drawn, ≥ 1.
        start: q⁰ > 0, the variance of every input at layer 0, whose pre-activations are Gaussian and independent from
            unit to unit and from position to position.
        inputs: n ≥ 1, inputs that meet the same weights.
        rho: the correlation of any two of them at layer 0, in [−1/(n − 1), 1].
        kernel: k, odd; weights reach over k×k positions.
        size: a layer has size×size positions.
        padding: what stands around them: themselves, as on a torus, or zeros.
        weights: gaussian, W_ij ~ N(0, σ_w²/(k²N)); or orthogonal, the rows of W, k²N numbers each, are orthonormal
            times σ_w, and uniform among such.
        backward: whether a gradient is carried back from the last layer.
        method: networks, drawn with their weights; or chain, the same law for dense Gaussian weights in O(N) a layer.
        q_star: the fixed point that a network may leave; None if there is none to leave.
        within: f > 1; a network whose variance lies outside [q*/f, f q*] has escaped.
        seed: ≥ 0. Every network has random numbers of its own, whatever else is drawn and by whom.

    Raises:
        DomainError: a number out of range, or a shape that a method cannot do.
    """

    network: MeanField
    width: int
    depth: int
    networks: int
    start: float = 1.0
    inputs: int = 2
    rho: float = 0.5
    kernel: int = 1
    size: int = 1
    padding: Padding = "circular"
    weights: Weights = "gaussian"
    backward: bool = False
    method: Method = "networks"
    q_star: float | None = None
    within: float = WITHIN
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.network, MeanField):
            raise DomainError(f"{self.network!r:.60} is no network: give a MeanField, such as edge.mean_field")
        for name in ("width", "depth", "networks", "inputs", "kernel", "size"):
            require_count("kernel (--conv)" if name == "kernel" else name, getattr(self, name))
        require_count("seed", self.seed, 0)
        for name in ("width", "depth", "networks", "inputs", "kernel", "size", "seed"):
            # Those of numpy are none to JSON.
            object.__setattr__(self, name, int(getattr(self, name)))
        require_signal(self.start, "q0")
        if self.q_star is not None:
            require_signal(self.q_star, "q_star")
        require_within(self.within)
        for name, given, known in (
            ("padding", self.padding, Padding),
            ("weights", self.weights, Weights),
            ("method", self.method, Method),
        ):
            if given not in get_args(known):
                raise DomainError(f"{name} = {given!r} is not known: give {' or '.join(get_args(known))}")
        require_number("rho0", self.rho)
        least = -1 / (self.inputs - 1) if self.inputs > 1 else -1.0
        if not (least <= self.rho <= 1):
            raise DomainError(
                f"rho0 = {self.rho:g} is no correlation of {self.inputs} inputs: give {least:.4g} <= rho0 <= 1"
            )
        if self.kernel % 2 == 0:
            raise DomainError(f"a kernel of {self.kernel} has no centre: give an odd number")
        if self.kernel > self.size:
            raise DomainError(
                f"a kernel of {self.kernel} reaches around a layer of {self.size}x{self.size} positions: "
                f"give size >= {self.kernel}"
            )
        if self.method == "chain" and (self.size > 1 or self.weights != "gaussian"):
            what = "convolutions" if self.size > 1 else f"{self.weights} weights"
            raise DomainError(f"the chain is that of dense Gaussian networks, not of {what}: draw networks instead")

    @property
    def positions(self) -> int:
        """P, in a layer: 1 if it is dense."""
        return self.size**2

    @property
    def fan_in(self) -> int:
        """k²N, the weights of a unit."""
        return self.kernel**2 * self.width

    @property
    def is_dense(self) -> bool:
        """Whether a layer has one position."""
        return self.size == 1

    @property
    def quantities(self) -> tuple[str, ...]:
        """Those of `MEASURED` that are measured: ρ needs two inputs, the gradient a way back."""
        missing = {*(() if self.inputs > 1 else ("rho",)), *(() if self.backward else ("log_gradient",))}
        return tuple(name for name in MEASURED if name not in missing)

    def as_record(self) -> dict[str, Any]:
        """Everything, as JSON knows it."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        network = record.pop("network")
        scales = {"sigma_w": network.sigma_w, "sigma_b": network.sigma_b}
        return {**network.activation.as_record(), **scales, **record}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Experiment:
        """The experiment that `as_record` wrote; KeyError, TypeError or ValueError if it is none."""
        rest = dict(record)
        pieces = ("knots", "slopes", "intercepts") if "knots" in rest else ("breaks", "pieces")
        phi = from_record({key: rest.pop(key) for key in pieces})
        return cls(MeanField(phi, rest.pop("sigma_w"), rest.pop("sigma_b")), **rest)

    def of(self, networks: int) -> Experiment:
        """The same with another number of networks; those that both have are equal."""
        return replace(self, networks=networks)
