"""Models on the edge of chaos and what they run on, drawn the same every time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from meanfield.torch import edge_of_chaos_


def mlp(phi: type[nn.Module], width: int = 200, depth: int = 4, inputs: int = 30, seed: int = 0) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(inputs, width)]
    for _ in range(depth):
        layers += [phi(), nn.Linear(width, width)]
    model = nn.Sequential(*layers)
    edge_of_chaos_(model, last_layer="match", generator=torch.Generator().manual_seed(seed))
    return model


def cnn(phi: type[nn.Module], width: int = 64, depth: int = 4, seed: int = 0) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
    for _ in range(depth):
        layers += [phi(), nn.Conv2d(width, width, 3, padding=1)]
    model = nn.Sequential(*layers)
    edge_of_chaos_(model, last_layer="match", generator=torch.Generator().manual_seed(seed))
    return model


def normals(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
