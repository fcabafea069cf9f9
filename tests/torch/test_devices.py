"""On a device other than the processor, where one is at hand: the same values, weights and audits."""

from __future__ import annotations

import math

import pytest
import torch
from layers import ALL, X, with_slopes
from torch import nn

import meanfield as mf
from meanfield.torch import audit, edge_of_chaos_

DEVICE = "cuda" if torch.cuda.is_available() else ""
pytestmark = [
    pytest.mark.skipif(not DEVICE, reason="there is no such device"),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),
]


@pytest.mark.parametrize("name", ALL)
def test_values_slopes_and_zeros_are_those_of_the_processor(name: str) -> None:
    layer = mf.torch.Activation(ALL[name])
    away = mf.torch.Activation(ALL[name]).to(DEVICE)
    x = torch.tensor(X[abs(X) < 30])
    for here, there in zip(with_slopes(layer, x), with_slopes(away, x.to(DEVICE)), strict=True):
        torch.testing.assert_close(there.cpu(), here, rtol=1e-12, atol=1e-13)
    if isinstance(ALL[name], mf.PiecewiseLinear):
        single = x.float()
        assert torch.equal(away(single.to(DEVICE)).cpu() == 0, layer(single) == 0)
    half = torch.linspace(-4, 4, 400, dtype=torch.bfloat16)
    expected = layer(half.double())
    assert ((away(half.to(DEVICE)).cpu().double() - expected).abs() <= 2**-7 * (1 + expected.abs())).all()


@pytest.mark.parametrize("name", ["clipped-relu", "quantize", "gelu", "1/cosh(x)", "many knots"])
def test_compiled_it_is_the_same(name: str) -> None:
    layer = mf.torch.Activation(ALL[name]).to(DEVICE)
    x = torch.tensor(X[abs(X) < 30], device=DEVICE)
    for found, expected in zip(with_slopes(torch.compile(layer), x), with_slopes(layer, x), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


def deep() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Linear(256, 512)]
    for _ in range(10):
        layers += [mf.torch.Activation("clipped-relu", tau=0.5, m=1), nn.Linear(512, 512)]
    return nn.Sequential(*layers)


def test_weights_drawn_by_one_generator_are_the_same_wherever_the_model_is() -> None:
    models = [deep(), deep().to(DEVICE)]
    for model in models:
        edge_of_chaos_(model, last_layer="match", generator=torch.Generator().manual_seed(0))
    for here, there in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(here, there.cpu())


def test_weights_drawn_there_have_their_variance() -> None:
    model = nn.Sequential(nn.Linear(1000, 1000), nn.ReLU(), nn.Linear(1000, 1000), nn.Tanh(), nn.Linear(1000, 9))
    model = model.to(DEVICE)
    report = edge_of_chaos_(model, generator=torch.Generator(DEVICE).manual_seed(0))
    for name in ("0", "2"):
        variance = 1000 * model.get_submodule(name).weight.square().mean().item()
        assert variance == pytest.approx(report[name].sigma_w ** 2, rel=4 * math.sqrt(2 / 1e6))


def test_an_audit_there_is_that_of_the_processor() -> None:
    model = deep()
    generator = torch.Generator().manual_seed(0)
    edge_of_chaos_(model, last_layer="match", generator=generator)
    x = torch.randn(16, 256, generator=generator)
    here = audit(model, x)
    there = audit(model.to(DEVICE), x.to(DEVICE))
    assert here.departs is None is there.departs
    for a, b in zip(here.layers, there.layers, strict=True):
        for key in ("q", "q_theory", "rho", "rho_theory", "sparsity", "log_gradient"):
            assert b.record()[key] == pytest.approx(a.record()[key], rel=1e-4, abs=1e-4), key
