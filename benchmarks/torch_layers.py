"""How long `meanfield.torch.Activation` takes, forward and backward together, beside torch's own layers.

Ratios of medians to `nn.ReLU`, or to the layer named, of 4096 × 1024 floats on one thread; what is compared is timed in
turn. With `--compile` all of them are compiled first, which takes a minute and a C++ compiler.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

import meanfield as mf

SHAPE, ROUNDS = (4096, 1024), 15

#: An activation, the layer that it is held against, and the bar.
BARS: dict[str, tuple[str, float]] = {
    "relu": ("ReLU", 1.1),
    "clipped-relu(tau=0.5, m=1)": ("ReLU", 1.1),
    "soft-threshold(tau=0.5)": ("Softshrink", 1.3),
    "hard-tanh": ("Hardtanh", 1.1),
    "leaky-relu(0.1)": ("LeakyReLU", 1.1),
    "shifted-relu(tau=0.5)": ("ReLU", 4),
    "clipped-soft-threshold(tau=0.5, m=1)": ("ReLU", 4),
    "hard-sigmoid": ("ReLU", 4),
    "ternary(tau=0.5)": ("ReLU", 4),
    "quantize(bits=4)": ("ReLU", 4),
    "points: (-2,0) (-1,0.3) (-0.2,0) (0.4,1) (1,0.7) (2.5,1.3); left=-0.1, right=0.4": ("ReLU", 4),
    "clip(x, -1, 1) - 0.3*clip(x, -3, 3) + round(clip(20*x, -40, 40))/40": ("ReLU", 4),
    "gelu": ("GELU", 1.1),
    "silu": ("SiLU", 1.1),
    "softplus": ("Softplus", 1.1),
    "tanh": ("Tanh", 1.1),
}


def median_times(layers: dict[str, Callable[[Tensor], Tensor]]) -> dict[str, float]:
    """Seconds forward and backward, each layer in turn."""
    x, gradient = torch.randn(2, *SHAPE)
    times: dict[str, list[float]] = {name: [] for name in layers}
    for _ in range(ROUNDS):
        for name, layer in layers.items():
            leaf = x.detach().requires_grad_()
            start = time.perf_counter()
            layer(leaf).backward(gradient)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[2:]) for name, taken in times.items()}


def main(compiled: bool) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    own = {name: getattr(nn, name)() for name in sorted({layer for layer, _ in BARS.values()})}
    layers = {**own, **{name: mf.torch.Activation(name) for name in BARS}}
    if compiled:
        torch._dynamo.config.recompile_limit = torch._dynamo.config.cache_size_limit = 100
        layers = {name: torch.compile(layer) for name, layer in layers.items()}
    times = median_times(layers)
    table = Table("activation", "ms", "to", "ratio", "bar", title="compiled" if compiled else "as it is")
    for name, (layer, bar) in BARS.items():
        base, most = ("ReLU", 1.3) if compiled else (layer, bar)
        ratio = times[name] / times[base]
        table.add_row(name, f"{times[name] * 1e3:.1f}", base, f"{ratio:.2f}", f"≤ {most:g}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main("--compile" in sys.argv[1:])
