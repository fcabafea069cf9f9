"""What is trained: which network from which initialisation, on which data, by which optimiser, from which seed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from operator import index
from typing import Any, Literal, get_args

from meanfield.activations.activation import Activation
from meanfield.activations.catalogue import find
from meanfield.activations.spec import activation, split_name
from meanfield.domain import LARGEST_COUNT, require_count, require_number, require_scales, require_signal
from meanfield.errors import DomainError, shortened
from meanfield.infinite_width.mean_field import MeanField

__all__ = ["Model", "Optimizer", "Schedule", "Setting", "Weights"]

Model = Literal["dense", "conv"]
Weights = Literal["gaussian", "orthogonal", "delta-orthogonal"]
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["cosine", "constant"]


@dataclass(frozen=True)
class Setting:
    """One training run: the same setting, the same result.

    Attributes:
        activation: φ as `meanfield.activation` takes it, its parameters put in.
        sigma_w, sigma_b: of the hidden layers; the first layer brings inputs to variance q*, and the last gives logits
            of variance 1.
        q_star: the variance of the first hidden layer.
        depth: L ≥ 1, hidden layers, each followed by φ.
        width: N ≥ 1, units of a hidden layer, or its channels.
        model: dense; or conv, 3×3 weights on a torus of positions, of which the first layer and the one in the middle
            keep every second, each way.
        weights: how weights are drawn.
        data: a name of `data.SOURCES`, or an .npz file.
        validation: examples of the training set held out, on which the network is then tested; 0 for the test set.
        epochs: passes over the training set, > 0.
        batch: examples a step.
        learning_rate: the largest of the schedule.
        optimizer: adam; adamw, with weight decay 0.01; sgd, with momentum 0.9.
        schedule: cosine, falling to 0 over the run; or constant.
        warmup: steps over which the rate first rises, linearly.
        clip_gradient: the largest norm of the gradient, beyond which it is scaled down to that; ∞ for no limit.
        seed: of the weights and the order of the examples.

    Raises:
        DomainError: a number out of range or a name that is not known.
        ActivationError: a text that is no activation.
    """

    activation: str
    sigma_w: float
    sigma_b: float
    q_star: float = 1.0
    depth: int = 30
    width: int = 300
    model: Model = "dense"
    weights: Weights = "gaussian"
    data: str = "fashion-mnist"
    validation: int = 0
    epochs: float = 10.0
    batch: int = 64
    learning_rate: float = 2e-4
    optimizer: Optimizer = "adam"
    schedule: Schedule = "cosine"
    warmup: int = 100
    clip_gradient: float = math.inf
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("activation", "data"):
            if not isinstance(getattr(self, name), str):
                raise DomainError(f"{name} = {shortened(getattr(self, name))} is no text: give a name")
        for name in ("sigma_w", "sigma_b", "q_star", "epochs", "learning_rate", "clip_gradient"):
            require_number(name, getattr(self, name))
            # A number of numpy would not go into a file.
            object.__setattr__(self, name, float(getattr(self, name)))
        require_scales(self.sigma_w, self.sigma_b)
        require_signal(self.q_star)
        for name in ("depth", "width", "batch", "validation", "warmup", "seed"):
            require_count(name, getattr(self, name), 1 if name in ("depth", "width", "batch") else 0)
            object.__setattr__(self, name, index(getattr(self, name)))
        for name in ("epochs", "learning_rate", "clip_gradient"):
            value = getattr(self, name)
            if not (value > 0) or (math.isinf(value) and name != "clip_gradient"):
                raise DomainError(f"{name} = {value:g} trains nothing: give a finite number > 0")
        for name, known in (
            ("model", Model),
            ("weights", Weights),
            ("optimizer", Optimizer),
            ("schedule", Schedule),
        ):
            if getattr(self, name) not in get_args(known):
                raise DomainError(
                    f"{name} = '{shortened(getattr(self, name))}' is not known: give {', '.join(get_args(known))}"
                )
        if self.weights == "delta-orthogonal" and self.model == "dense":
            raise DomainError("delta-orthogonal weights are of convolutions: give model conv, or orthogonal weights")
        _ = self.phi

    @cached_property
    def phi(self) -> Activation:
        """The activation itself."""
        return activation(self.activation)

    @property
    def name(self) -> str:
        """What the catalogue calls the activation, whatever its parameters; any other is called as it is.

        relu is ReLU itself: relu(max_value=6) is another.
        """
        named = split_name(self.activation.strip(), ())
        entry = find(named[0]) if named else None
        if entry is None or (entry.name == "relu" and self.phi != activation("relu")):
            return self.activation
        return entry.name

    @property
    def network(self) -> MeanField:
        """The hidden layers, as theory has them."""
        return MeanField(self.phi, self.sigma_w, self.sigma_b)

    def steps(self, examples: int) -> int:
        """Steps over so many examples; each epoch leaves out what does not fill a batch.

        Raises:
            DomainError: they do not fill one batch, or the epochs would never end.
        """
        if examples < self.batch:
            raise DomainError(f"batch = {self.batch} is more than the {examples} examples to train on: give fewer")
        steps = self.epochs * (examples // self.batch)
        if steps > LARGEST_COUNT:
            raise DomainError(f"epochs = {self.epochs:g} takes more than {LARGEST_COUNT:g} steps: give fewer")
        return max(1, round(steps))

    def as_record(self) -> dict[str, Any]:
        """Every attribute, as JSON knows it."""
        return {**asdict(self), "clip_gradient": None if math.isinf(self.clip_gradient) else self.clip_gradient}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Setting:
        """The setting that `as_record` wrote; KeyError, TypeError or ValueError if it is none."""
        limit = record["clip_gradient"]
        return cls(**{**record, "clip_gradient": math.inf if limit is None else limit})
