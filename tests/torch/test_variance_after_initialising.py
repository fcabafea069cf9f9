"""After `edge_of_chaos_` signals, correlations and gradients of real networks are those of theory to order 1/N.

Of several networks the mean is compared with theory's, in standard errors of theory. A pre-activation of variance K,
K random from network to network, has a measured q of mean K and a variance of 2K²/N more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import meanfield as mf
from meanfield.activations.activation import Activation
from meanfield.activations.catalogue import ACTIVATIONS
from meanfield.finite_width.experiment import Experiment
from meanfield.finite_width.prediction import Predicted, predict
from meanfield.infinite_width.edge import edge_of_chaos
from meanfield.infinite_width.mean_field import MeanField
from meanfield.torch import edge_of_chaos_

Array = NDArray[np.float64]
WIDTH, DEPTH, NETWORKS, RHO = 512, 20, 4, 0.5


def named() -> list[str]:
    """The catalogue's, parameters without a default at their example, that have an edge at q* = 1."""
    found = []
    for entry in ACTIVATIONS:
        inside = ", ".join(f"{p.name}={p.example}" for p in entry.parameters if p.default is None)
        text = f"{entry.name}({inside})" if inside else entry.name
        try:
            edge_of_chaos(mf.activation(text))
        except mf.NoEdgeOfChaos:
            continue
        found.append(text)
    return found


def dense(phi: Activation, width: int = WIDTH, depth: int = DEPTH) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(width, width)]
    for _ in range(depth):
        layers += [mf.torch.Activation(phi), nn.Linear(width, width)]
    return nn.Sequential(*layers)


def pair(width: int, rho: float) -> Tensor:
    """Two inputs of mean square 1 whose correlation is ρ, exactly."""
    a = torch.ones(width)
    b = torch.tensor([1.0, -1.0]).repeat(width // 2)
    return torch.stack([a, rho * a + math.sqrt(1 - rho * rho) * b])


def alike(x: Tensor) -> Tensor:
    """As images of 2 × 3 positions."""
    return x[..., None, None].expand(*x.shape, 2, 3)


def pre_activations(model: nn.Sequential, x: Tensor) -> list[Tensor]:
    found = []
    for layer in model:
        x = layer(x)
        if not isinstance(layer, mf.torch.Activation):
            found.append(x)
    return found


def measured(model: nn.Sequential, x: Tensor, functional: Tensor, depth: int = DEPTH) -> tuple[Array, Array, Array]:
    """q of the first input and ρ of both by layer; and ln |g^l|²/|g^L|² of the first from layer L = `depth` back."""
    h = pre_activations(model, x)
    gradients = torch.autograd.grad((functional * h[depth][0]).sum(), h[: depth + 1])
    q = [(layer[0] ** 2).mean().item() for layer in h]
    rho = [torch.cosine_similarity(*layer.flatten(1), dim=0).item() for layer in h]
    logs = [math.log((g[0] ** 2).sum().item() / (functional**2).sum().item()) for g in gradients]
    return np.array(q), np.array(rho), np.array(logs)


@cache
def foretold(network: MeanField, depth: int, weights: Any = "gaussian", width: int = WIDTH) -> Mapping[str, Predicted]:
    return predict(Experiment(network, width, depth, 1, start=1.0, rho=RHO, backward=True, weights=weights))


def depth_of_gradients(network: MeanField, width: int = WIDTH) -> int:
    """Over how many layers theory knows gradients: where V' ≥ 1 it withholds them once q strays by a fifth."""
    known = (d for d in (DEPTH, 9, 5, 2, 1) if np.isfinite(foretold(network, d, width=width)["log_gradient"].sd).all())
    return next(known, 0)


def worst(samples: Array, mean: Array, sd: Array) -> float:
    """The largest distance of the mean over networks from theory's in standard errors, where there is a theory."""
    with np.errstate(all="ignore"):
        z = (samples.mean(axis=0) - mean) / (sd / math.sqrt(len(samples)))
    return float(np.nanmax(np.abs(z)))


def assert_as_foretold(rows: list[tuple[Array, Array, Array]], network: MeanField, depth: int, width: int) -> None:
    """Of q, ρ and the gradient from layer `depth` back, in every layer."""
    q, rho, logs = map(np.array, zip(*rows, strict=True))
    p = foretold(network, DEPTH, width=width)
    square = p["q"].mean ** 2 + p["q"].sd ** 2
    assert worst(q, p["q"].mean, np.sqrt(p["q"].sd ** 2 + 2 * square / width)) < 4
    # What a sample correlation adds, to the same order.
    r = p["rho"].value
    mean = p["rho"].mean - r * (1 - r**2) / (2 * width)
    assert worst(rho, mean, np.sqrt(p["rho"].sd ** 2 + (1 - r**2) ** 2 / width)) < 4
    # At the last layer both are the functional itself.
    if depth:
        gradient = foretold(network, depth, width=width)["log_gradient"]
        assert worst(logs[:, :-1], gradient.mean[:-1], gradient.sd[:-1]) < 4


@pytest.mark.parametrize("text", named())
def test_dense_networks_do_what_theory_says(text: str) -> None:
    phi, generator = mf.activation(text), torch.Generator().manual_seed(7)
    network = edge_of_chaos(phi).mean_field
    depth, rows = depth_of_gradients(network), []
    assert depth == DEPTH or network.dV(1.0) >= 1
    model = dense(phi)
    for _ in range(NETWORKS):
        report = edge_of_chaos_(model, last_layer="match", generator=generator)
        assert {layer.activation for layer in report.layers[1:]} == {"none: linear" if text == "identity" else phi.name}
        rows.append(measured(model, pair(WIDTH, RHO), torch.randn(WIDTH, generator=generator), depth))
    assert depth or text == "exp"
    assert_as_foretold(rows, network, depth, WIDTH)


@pytest.mark.parametrize("weights", ["uniform", "truncated", "orthogonal"])
def test_so_do_networks_of_other_weights(weights: Any) -> None:
    phi, generator = mf.activation("tanh"), torch.Generator().manual_seed(3)
    model, rows = dense(phi), []
    for _ in range(NETWORKS):
        # Theory's pre-activations of layer 0 are Gaussian.
        nn.init.normal_(model[0].weight, 0, 1 / math.sqrt(WIDTH), generator=generator)
        nn.init.zeros_(model[0].bias)
        edge_of_chaos_(model, first_layer="keep", last_layer="match", weights=weights, generator=generator)
        rows.append(measured(model, pair(WIDTH, RHO), torch.randn(WIDTH, generator=generator)))
    q, _, logs = map(np.array, zip(*rows, strict=True))
    law = "orthogonal" if weights == "orthogonal" else "gaussian"
    network = edge_of_chaos(phi).mean_field
    p = foretold(network, DEPTH, law)
    square = p["q"].mean ** 2 + p["q"].sd ** 2
    assert worst(q, p["q"].mean, np.sqrt(p["q"].sd ** 2 + 2 * square / WIDTH)) < 4
    assert worst(logs[:, :-1], p["log_gradient"].mean[:-1], p["log_gradient"].sd[:-1]) < 4


CHANNELS, SIZE = 512, 4
CONVOLVED = ("relu", "tanh", "gelu", "hard-tanh", "soft-threshold(0.5)", "elu", "silu")


def convolutional(phi: Activation, channels: int, depth: int, mode: str) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(3, channels, 1)]
    for _ in range(depth):
        layers += [mf.torch.Activation(phi), nn.Conv2d(channels, channels, 3, padding=1, padding_mode=mode)]
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("text", "padding", "weights"),
    [
        *((text, padding, "gaussian") for text in CONVOLVED for padding in ("circular", "zero")),
        *(("tanh", padding, "orthogonal") for padding in ("circular", "zero")),
    ],
)
def test_convolutions_do_what_theory_says_of_their_padding(text: str, padding: Any, weights: Any) -> None:
    phi, generator = mf.activation(text), torch.Generator().manual_seed(11)
    depth = DEPTH if padding == "circular" else 6
    # An orthogonal matrix takes the cube of its size.
    channels = CHANNELS if weights == "gaussian" else CHANNELS // 2
    rows, noise = [], []
    model = convolutional(phi, channels, depth, "circular" if padding == "circular" else "zeros")
    for _ in range(NETWORKS):
        edge_of_chaos_(model, last_layer="match", weights=weights, generator=generator)
        # Independent positions, all of variance 1 at layer 0, as theory begins.
        h = torch.randn(1, channels, SIZE, SIZE, generator=generator)
        h *= 1 / h.square().mean().sqrt()
        found = [h, *pre_activations(nn.Sequential(*list(model)[1:]), h)]
        rows.append([layer.square().mean().item() for layer in found])
        grams = [(flat := layer[0].flatten(1)).T @ flat / channels for layer in found]
        noise.append([2 * gram.square().mean().item() / channels for gram in grams])
    network = edge_of_chaos(phi).mean_field
    p = predict(
        Experiment(
            network, channels, depth, 1, start=1.0, inputs=1, kernel=3, size=SIZE, padding=padding, weights=weights
        )
    )["q"]
    q = np.array(rows)
    # Where V' > 1 theory has no more to say once q has strayed by a fifth.
    assert np.isfinite(p.mean).sum() > (DEPTH if network.dV(1.0) <= 1 and depth == DEPTH else 6)
    # From layer 1 on: that of layer 0 was set.
    sd = np.sqrt(p.sd**2 + np.mean(noise, axis=0))
    assert worst(q[:, 1:], p.mean[1:], sd[1:]) < 4


def circular(phi: Activation, inputs: int, channels: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(inputs, channels, 3, padding=1, padding_mode="circular")]
    for _ in range(depth):
        convolution = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="circular")
        layers += [mf.torch.Activation(phi), convolution]
    return nn.Sequential(*layers)


# Every activation has been through dense layers; that convolutions do the same shows in a third of them.
@pytest.mark.parametrize("text", named()[::3])
def test_of_images_alike_everywhere_convolutions_do_what_dense_layers_do(text: str) -> None:
    # The sum of a kernel is a matrix of independent weights of variance σ_w²/channels, and all that such images see.
    phi, generator, channels = mf.activation(text), torch.Generator().manual_seed(13), 256
    network = edge_of_chaos(phi).mean_field
    depth, rows = depth_of_gradients(network, channels), []
    assert depth == DEPTH or network.dV(1.0) >= 1
    model = circular(phi, channels, channels, DEPTH)
    for _ in range(NETWORKS):
        edge_of_chaos_(model, last_layer="match", generator=generator)
        functional = alike(torch.randn(channels, generator=generator))
        rows.append(measured(model, alike(pair(channels, RHO)), functional, depth))
    assert_as_foretold(rows, network, depth, channels)


def test_of_other_images_convolutions_stray_less() -> None:
    phi, generator, channels, depth, draws = mf.activation("tanh"), torch.Generator().manual_seed(17), 64, 10, 100
    a, b = torch.randn(2, 3, 8, 8, generator=generator)
    x = torch.stack([a, RHO * a + math.sqrt(1 - RHO**2) * b])
    model, rows = circular(phi, 3, channels, depth), []
    for _ in range(draws):
        edge_of_chaos_(model, last_layer="match", inputs=x, generator=generator)
        rows.append(measured(model, x, torch.randn(channels, 8, 8, generator=generator), depth))
    q, rho, logs = (np.std(rows, axis=0, ddof=1)[i] for i in range(3))
    p = foretold(edge_of_chaos(phi).mean_field, depth, width=channels)
    square = p["q"].mean ** 2 + p["q"].sd ** 2
    # Of so many draws a standard deviation is known to a fourteenth.
    most = 1 - 3 / math.sqrt(2 * draws)
    assert (q / np.sqrt(p["q"].sd ** 2 + 2 * square / channels) < most)[1:].all()
    assert (rho / np.sqrt(p["rho"].sd ** 2 + (1 - p["rho"].value ** 2) ** 2 / channels) < most)[1:].all()
    assert (logs[:-1] / p["log_gradient"].sd[:-1] < most).all()


def test_a_delta_orthogonal_network_keeps_variances_at_every_position() -> None:
    phi, generator = mf.activation("tanh"), torch.Generator().manual_seed(5)
    width, rows = 128, []
    layers: list[nn.Module] = [nn.Conv2d(3, width, 1)]
    for _ in range(10):
        layers += [mf.torch.Activation(phi), nn.Conv2d(width, width, 3, padding=1)]
    for _ in range(NETWORKS):
        model = nn.Sequential(*layers)
        edge_of_chaos_(model, last_layer="match", weights="delta-orthogonal", generator=generator)
        h = torch.randn(1, width, 1, 1, generator=generator).expand(1, width, 4, 4)
        h = h / h.square().mean().sqrt()
        found = [h, *pre_activations(nn.Sequential(*list(model)[1:]), h)]
        # Zeros around are not seen: the corners are as the middle.
        assert all(torch.allclose(layer[..., 0, 0], layer[..., 1, 1]) for layer in found)
        rows.append([layer.square().mean().item() for layer in found])
    network = edge_of_chaos(phi).mean_field
    p = predict(Experiment(network, width, 10, 1, start=1.0, inputs=1, weights="orthogonal"))["q"]
    assert worst(np.array(rows)[:, 1:], p.mean[1:], np.sqrt(p.sd**2 + 2 * p.mean**2 / width)[1:]) < 4


@pytest.mark.parametrize("square", [0.25, 4.0])
@pytest.mark.parametrize("form", [float, torch.tensor])
def test_the_first_layer_makes_q_star_of_inputs_of_any_size(square: float, form: Callable[[float], Any]) -> None:
    generator = torch.Generator().manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(300, 4000), nn.ReLU(), nn.Linear(4000, 1))
    x = math.sqrt(square) * torch.randn(20, 3, 10, 10, generator=generator)
    edge_of_chaos_(model, q_star=1.7, inputs=square if form is float else x, generator=generator)
    q = model[:2](x).square().mean().item()
    # 4000 units of nearly independent examples; a number says less of the batch, √(2/6000).
    assert q == pytest.approx(1.7, rel=4 * (math.sqrt(2 / 6000) if form is float else math.sqrt(2 / 4000 / 15)))
