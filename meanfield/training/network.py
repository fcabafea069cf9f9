"""The networks that are trained: hidden layers of one kind between a first layer and a last.

h¹ = W¹x, h^{l+1} = W φ(h^l) + b, logits = W φ(h^L); φ is the layer of `meanfield.torch`. Everything drawn has the
variance that theory gives it: q* in layer 1 for inputs of mean square 1, σ_w² and σ_b² in between, and logits of
variance 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from meanfield.errors import DomainError
from meanfield.infinite_width.mean_field import MeanField
from meanfield.torch.activation import Activation
from meanfield.torch.layers import WeightLayer, drawn
from meanfield.training.setting import Setting

__all__ = ["Network", "require_positions"]


class Network(nn.Module):
    """The network of a setting, drawn from its seed.

    Args:
        setting: of the run.
        shape: of an example.
        classes: of labels.

    Attributes: `hidden`, the layers whose outputs are h¹ … h^L; `phi`; `last`.

    Raises:
        DomainError: convolutions over what has no positions, or a φ that is 0 wherever its input is.
    """

    def __init__(self, setting: Setting, shape: Sequence[int], classes: int) -> None:
        super().__init__()
        require_positions(setting, shape)
        self.is_dense = setting.model == "dense"
        self.phi = Activation(setting.phi)
        make = _dense if self.is_dense else _convolutional
        self.hidden = nn.ModuleList(make(setting, shape))
        positions = 1 if self.is_dense else math.prod(_left(size, setting.depth) for size in shape[1:])
        self.last = nn.Linear(setting.width * positions, classes)
        _draw(self, setting)

    def preactivations(self, x: Tensor) -> Iterator[Tensor]:
        """h¹ … h^L one by one, of shape (examples, units) or (examples, channels, height, width)."""
        h = x.flatten(1) if self.is_dense else x
        for number, layer in enumerate(self.hidden):
            h = layer(self.phi(h) if number else h)
            yield h

    def logits(self, h: Tensor) -> Tensor:
        """What the last hidden layer says, of shape (examples, classes)."""
        found: Tensor = self.last(self.phi(h).flatten(1))
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Logits, of shape (examples, classes)."""
        for h in self.preactivations(x):
            last = h
        return self.logits(last)


def require_positions(setting: Setting, shape: Sequence[int]) -> None:
    """Refuse convolutions over examples of that shape if these have no positions, with a `DomainError`."""
    if setting.model == "conv" and len(shape) != 3:
        raise DomainError(f"examples of shape {tuple(shape)} have no positions to convolve over: give model dense")


def _dense(setting: Setting, shape: Sequence[int]) -> list[WeightLayer]:
    sizes = (math.prod(shape), *[setting.width] * setting.depth)
    return [nn.Linear(size, setting.width) for size in sizes[:-1]]


def _convolutional(setting: Setting, shape: Sequence[int]) -> list[WeightLayer]:
    channels = (shape[0], *[setting.width] * (setting.depth - 1))
    return [
        nn.Conv2d(count, setting.width, 3, stride, padding=1, padding_mode="circular")
        for count, stride in zip(channels, _strides(setting.depth), strict=True)
    ]


def _strides(depth: int) -> list[int]:
    return [2 if layer in (0, depth // 2) else 1 for layer in range(depth)]


def _left(size: int, depth: int) -> int:
    """Positions along a side that all strides leave."""
    for stride in _strides(depth):
        size = -(-size // stride)
    return size


def _draw(network: Network, setting: Setting) -> None:
    generator = torch.Generator().manual_seed(setting.seed)
    square = MeanField(setting.phi, 1.0, 0.0).V(setting.q_star)
    if not square:
        raise DomainError(f"E φ² = 0 at q* = {setting.q_star:g}: give another q* or activation")
    layers: list[WeightLayer] = [*network.hidden, network.last]
    for number, layer in enumerate(layers):
        if number == 0:
            sigma_w, sigma_b = math.sqrt(setting.q_star), 0.0
        elif number < setting.depth:
            sigma_w, sigma_b = setting.sigma_w, setting.sigma_b
        else:
            sigma_w, sigma_b = 1 / math.sqrt(square), 0.0
        with torch.no_grad():
            layer.weight.copy_(drawn(layer, sigma_w, setting.weights, generator))
            assert layer.bias is not None
            layer.bias.normal_(generator=generator).mul_(sigma_b)
