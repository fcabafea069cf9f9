"""Models by what stands between their layers, and what is read of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from meanfield.torch.initialise import edge_of_chaos_


def chain(*activations: nn.Module, width: int = 8) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(width, width)]
    for phi in activations:
        layers += [phi, nn.Linear(width, width)]
    return nn.Sequential(*layers)


def found(model: nn.Module, **options: Any) -> list[str]:
    """What the layers receive, traced both ways if the model can be."""
    report = edge_of_chaos_(model, last_layer="match", **options)
    return [layer.activation for layer in report.layers]


class Functions(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.first, self.second, self.function = nn.Linear(6, 6), nn.Linear(6, 6), function

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.function(self.first(x)))
