"""How long `meanfield.torch.Activation` takes, forward and backward together, beside torch's own layers.

Ratios of medians, 4096 × 1024 floats, one thread; each activation and the layer that it is held against take turns.
With `--compile` all are compiled first and held against ReLU, which takes minutes and a C++ compiler; with `--cuda` all
runs on a GPU.

Where the allocator gives memory back after each step, most of the time goes into fetching it anew, and ratios are
nearer to 1; MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_MMAP_THRESHOLD_=1000000000 keeps it.
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

SHAPE, ROUNDS, WARM = (4096, 1024), 15, 3

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


def main(compiled: bool, device: str) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, gradient = torch.randn(2, *SHAPE, device=device)
    clock = time.process_time if device == "cpu" else time.perf_counter
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def taken(layer: Callable[[Tensor], Tensor]) -> float:
        leaf = x.detach().requires_grad_()
        wait()
        start = clock()
        layer(leaf).backward(gradient)
        wait()
        return clock() - start

    table = Table("activation", "ms", "beside", "ms", "ratio", "bar", title="compiled" if compiled else "as it is")
    for name, (own, bar) in BARS.items():
        layer, beside = mf.torch.Activation(name).to(device), nn.ReLU() if compiled else getattr(nn, own)()
        if compiled:
            torch._dynamo.reset()
            layer, beside, own, bar = torch.compile(layer), torch.compile(beside), "ReLU", 1.3
        times = [(taken(layer), taken(beside)) for _ in range(ROUNDS)][WARM:]
        ours, theirs = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
        table.add_row(name, f"{ours:.2f}", own, f"{theirs:.2f}", f"{ours / theirs:.2f}", f"≤ {bar:g}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main("--compile" in sys.argv[1:], "cuda" if "--cuda" in sys.argv[1:] else "cpu")
