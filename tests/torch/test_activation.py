"""Activations as layers: their values, slopes and zeros beside the core's, and all that torch does with a layer."""

from __future__ import annotations

import copy
import inspect
import io
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from layers import ALL, NAMED, STRAIGHT, X, with_slopes
from torch import nn
from torch.autograd import forward_ad
from torch.nn import functional

import meanfield as mf

# Torch loads its decompositions, for forward mode and the like, by what it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.mark.parametrize("name", ALL)
def test_values_and_slopes_are_the_core_s(name: str) -> None:
    phi = ALL[name]
    x = X if phi(np.array([700.0]))[0] < 1e15 else X[np.abs(X) < 30]
    expected, slopes = phi.with_slopes(x)
    value, slope = (part.numpy() for part in with_slopes(mf.torch.Activation(phi), torch.tensor(x)))
    assert (np.abs(value - expected) <= 1e-14 * np.maximum(1, np.abs(expected))).all()
    assert (np.abs(slope - slopes) <= 1e-12 * np.maximum(1, np.abs(slopes))).all()


@pytest.mark.parametrize("name", ALL)
def test_zeros_are_exact(name: str) -> None:
    phi = ALL[name]
    x = np.linspace(-6, 6, 2401)
    for dtype in (torch.float64, torch.float32):
        # Single precision rounds a knot; off the knots both lie on one side of it.
        points = torch.tensor(x + math.pi * 1e-5, dtype=dtype)
        zero = phi(points.double().numpy()) == 0
        found = mf.torch.Activation(phi)(points)
        assert (found[zero] == 0).all()
        # In single precision torch's own functions reach 0 in their tails.
        if dtype == torch.float64 or isinstance(phi, mf.PiecewiseLinear):
            assert ((found == 0).numpy() == zero).all()


#: Those that torch has take its values at jumps.
WITH_KNOTS = [
    name
    for name, phi in (NAMED | STRAIGHT).items()
    if isinstance(phi, mf.PiecewiseLinear)
    and phi.knots
    and name not in ("hard-threshold", "threshold", "thresholded-relu")
]


@pytest.mark.parametrize("name", WITH_KNOTS)
def test_knots(name: str) -> None:
    """Values at knots are the core's, and slopes those of a side: the flatter where torch has no such function."""
    phi = ALL[name]
    layer = mf.torch.Activation(phi)
    knots = np.array(phi.knots)
    value, slope = (part.numpy() for part in with_slopes(layer, torch.tensor(knots)))
    assert np.abs(value - phi(knots)).max() <= 1e-14 * np.abs(phi.intercepts).max(initial=1)
    sides = np.stack([phi.slopes[:-1], phi.slopes[1:]])
    flatter = np.where(np.abs(sides[0]) <= np.abs(sides[1]), *sides)
    if not layer.is_native:
        assert (slope == np.where(phi.jumps != 0, sides[1], flatter)).all()
    for dtype, tiny in ((torch.float64, np.float64), (torch.float32, np.float32)):
        for way in (-np.inf, np.inf):
            beside = torch.tensor(np.nextafter(knots.astype(tiny), tiny(way)), dtype=dtype)
            if (np.diff(knots) > 1e-5).all():
                assert (with_slopes(layer, beside)[1] == torch.tensor(sides[int(way > 0)], dtype=dtype)).all()


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("relu", nn.ReLU()),
        ("leaky-relu(0.1)", nn.LeakyReLU(0.1)),
        ("abs", torch.abs),
        ("hard-tanh", nn.Hardtanh()),
        ("relu6", nn.ReLU6()),
        ("soft-threshold(0.5)", nn.Softshrink(0.5)),
        ("hard-threshold(0.5)", nn.Hardshrink(0.5)),
        ("threshold(0.5, -1)", nn.Threshold(0.5, -1)),
        ("elu(0.5)", nn.ELU(0.5)),
        ("celu(0.5)", nn.CELU(0.5)),
        ("selu", nn.SELU()),
        ("gelu", nn.GELU()),
        ("gelu-tanh", nn.GELU(approximate="tanh")),
        ("silu", nn.SiLU()),
        ("mish", nn.Mish()),
        ("hard-swish", nn.Hardswish()),
        ("softsign", nn.Softsign()),
        ("tanh", nn.Tanh()),
        ("sigmoid", nn.Sigmoid()),
    ],
)
def test_what_torch_has_is_torch_s(name: str, own: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.tensor([-3.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 3.0, 6.0, *torch.linspace(-7, 7, 101)])
    for ours, theirs in zip(with_slopes(mf.torch.Activation(name), x), with_slopes(own, x), strict=True):
        assert torch.equal(ours, theirs)


def test_clipped_soft_threshold_is_flat_at_its_knots() -> None:
    _, slope = with_slopes(mf.torch.Activation("clipped-soft-threshold(0.5, 1)"), torch.tensor([-1.5, -0.5, 0.5, 1.5]))
    assert (slope == 0).all()


LAYERS = ("clipped-relu(0.5, 1)", "clipped-soft-threshold(0.5, 1)", "round(-2, 2)", "four slopes", "many knots")
SOME = {name: mf.torch.Activation(ALL.get(name, name)) for name in (*LAYERS, "silu", "tanhexp", "elish", "values")}


@pytest.mark.parametrize("name", SOME)
def test_transforms_of_functions(name: str) -> None:
    layer, x = SOME[name], torch.linspace(-3, 3, 60, dtype=torch.float64).reshape(3, 20)
    _, slope = with_slopes(layer, x)
    close = {"rtol": 1e-12, "atol": 1e-12}
    each = torch.func.vmap(torch.func.vmap(torch.func.grad(layer)))(x)
    torch.testing.assert_close(each, slope, **close)
    torch.testing.assert_close(torch.func.vmap(layer, in_dims=1, out_dims=1)(x), layer(x), **close)
    _, tangent = torch.func.jvp(layer, (x,), (torch.full_like(x, 2.0),))
    torch.testing.assert_close(tangent, 2 * slope, **close)
    with forward_ad.dual_level():
        dual = layer(forward_ad.make_dual(x, torch.ones_like(x)))
        torch.testing.assert_close(forward_ad.unpack_dual(dual).tangent, slope, **close)
    bend = torch.func.vmap(torch.func.hessian(layer))(x.flatten())
    expected = mf.activation(layer.phi).jet(x.flatten().numpy())[2]
    torch.testing.assert_close(bend, torch.tensor(expected), rtol=1e-9, atol=1e-9)
    # A batch of gradients for one batch of values.
    gradients = torch.func.vmap(lambda g: torch.func.vjp(layer, x)[1](g)[0])(torch.stack([x, torch.ones_like(x)]))
    torch.testing.assert_close(gradients, torch.stack([x * slope, slope]), **close)


@pytest.mark.parametrize(
    "name", [*LAYERS, "gelu", "tanhexp", "log-cosh", "squareplus", "tanhshrink", "smish", "values"]
)
def test_gradcheck(name: str) -> None:
    layer = mf.torch.Activation(ALL.get(name, name))
    x = torch.tensor([-2.7, -1.23, -0.61, 0.071, 0.33, 0.77, 2.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


@pytest.mark.parametrize("name", [*LAYERS, "gelu", "isru", "1/cosh(x)", "values"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_rounds_single(name: str, dtype: torch.dtype) -> None:
    layer = mf.torch.Activation(ALL.get(name, name)).to(dtype)
    x = torch.tensor([-300.0, *torch.linspace(-4, 4, 201), 300.0], dtype=dtype)
    value, slope = with_slopes(layer, x)
    assert value.dtype == slope.dtype == dtype
    exact, exact_slope = with_slopes(mf.torch.Activation(layer.phi), x.double())
    eps = torch.finfo(dtype).eps
    assert ((value - exact).abs() <= eps * exact.abs().clamp(min=1)).all()
    assert ((slope - exact_slope).abs() <= 2 * eps * exact_slope.abs().clamp(min=1)).all()


def test_single_precision_has_slopes_where_parts_overflow() -> None:
    x = torch.tensor([-1000.0, -100.0, 100.0, 1000.0])
    for name in ("tanhexp", "1/cosh(x)", "silu", "mish", "isru", "values"):
        value, slope = with_slopes(mf.torch.Activation(ALL[name]), x)
        assert value.isfinite().all() and slope.isfinite().all()


def test_autocast() -> None:
    network = nn.Sequential(nn.Linear(8, 8), mf.torch.Activation("clipped-relu(0.5, 1)"), mf.torch.Activation("isru"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = network(torch.randn(4, 8))
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert network[0].weight.grad.dtype == torch.float32


@pytest.mark.parametrize("name", SOME)
def test_copies_and_devices(name: str) -> None:
    layer, x = SOME[name], torch.linspace(-3, 3, 301, dtype=torch.float64)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer).half()):
        assert torch.equal(other(x), layer(x)) and other.phi == layer.phi
    assert not layer.state_dict() and not list(layer.parameters())
    # Whatever is made on the processor meanwhile would be refused beside a tensor without values.
    away = copy.deepcopy(layer).to("meta")
    assert away(x.to("meta").requires_grad_()).device.type == "meta"
    with torch.device("meta"):
        built = mf.torch.Activation(layer.phi)
    assert torch.equal(built.to_empty(device="cpu")(x), layer(x))


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_and_layouts(name: str) -> None:
    layer, x = SOME[name], 2 * torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    expected, slope = with_slopes(layer, x)
    seen = {
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "transposed": x.transpose(1, 3).contiguous().transpose(1, 3),
        "apart": torch.stack([x, x], dim=-1)[..., 0],
    }
    for other in seen.values():
        value, found = with_slopes(layer, other)
        assert torch.equal(value, expected) and torch.equal(found, slope)
    assert layer(seen["channels last"]).is_contiguous(memory_format=torch.channels_last)
    assert layer(x[:0]).shape == (0, 3, 5, 7) and layer(torch.tensor(0.7)).shape == ()
    assert torch.equal(layer(x[:, :1].expand(2, 3, 5, 7)), expected[:, :1].expand(2, 3, 5, 7))
    large = x.repeat(40, 1, 40, 1)
    assert torch.equal(layer(large), expected.repeat(40, 1, 40, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", WITH_KNOTS)
def test_no_number_and_infinity(name: str, dtype: torch.dtype) -> None:
    """At ±∞ φ is the end of its outer pieces, infinite where these are sloped, and so is its slope."""
    layer = mf.torch.Activation(ALL[name])
    phi, x = layer.phi, torch.tensor([math.nan, -math.inf, math.inf], dtype=dtype)
    ends = [
        math.copysign(math.inf, side * slope) if slope else phi(side)
        for side, slope in zip((-1e9, 1e9), phi.outer_slopes, strict=True)
    ]
    for function in (layer, getattr(layer.function, "compiled", layer), getattr(layer.function, "rule", layer)):
        if callable(function):
            value, slope = with_slopes(function, x)
            # In torch 2.2 its softshrink makes 0 of what is no number.
            assert value[0].isnan() or layer.is_native
            assert value[1:].tolist() == pytest.approx(ends)
            assert slope[1:].tolist() == pytest.approx(phi.outer_slopes)


@pytest.mark.parametrize("name", ["clipped-relu(0.5, 1)", "many knots", "elish"])
def test_compiled(name: str) -> None:
    torch._dynamo.reset()
    x = torch.linspace(-3, 3, 601)
    for compiled, plain in zip(
        with_slopes(torch.compile(SOME[name], fullgraph=True), x), with_slopes(SOME[name], x), strict=True
    ):
        torch.testing.assert_close(compiled, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SOME)
def test_exported(name: str) -> None:
    x = torch.linspace(-3, 3, 601)
    exported = torch.export.export(SOME[name], (x,)).module()
    torch.testing.assert_close(exported(x), SOME[name](x), rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["clipped-relu(0.5, 1)", "many knots", "Phi(2*x)*exp(x/4)"])
def test_onnx(name: str) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="ONNX files are run by onnxruntime")
    layer, x = mf.torch.Activation(ALL.get(name, name)), torch.linspace(-3, 3, 601)
    file = io.BytesIO()
    if "dynamo" in inspect.signature(torch.onnx.export).parameters:
        pytest.importorskip("onnxscript", reason="ONNX export needs onnxscript")
        file.write(torch.onnx.export(layer, (x,), dynamo=True, verbose=False).model_proto.SerializeToString())
    elif "Phi" in name:
        pytest.skip("ONNX export by tracing, all that torch before 2.5 has, knows no erfc")
    else:
        torch.onnx.export(layer, (x,), file)
    session = runtime.InferenceSession(file.getvalue())
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.tensor(found), layer(x), rtol=1e-5, atol=1e-6)


def test_forms_and_names() -> None:
    assert repr(mf.torch.Activation("soft-threshold", tau=0.5)) == "Activation(soft-threshold(tau=0.5))"
    assert repr(nn.Sequential(mf.torch.Activation("x*tanh(x)"))).splitlines()[1] == "  (0): Activation(x*tanh(x))"
    assert mf.torch.Activation("max(x, 0)").function is torch.relu
    assert mf.torch.Activation("x*Phi(x)").function is functional.gelu


@pytest.mark.parametrize(
    ("given", "said"),
    [(0.5, "no tensor"), (torch.tensor([1]), "torch.int64"), (torch.tensor([1j]), "complex"), ([1.0], "no tensor")],
)
def test_refusals(given: Any, said: str) -> None:
    with pytest.raises(mf.DomainError, match=said) as fault:
        mf.torch.Activation("relu")(given)
    assert "\n" not in str(fault.value)
    with pytest.raises(mf.ActivationError):
        mf.torch.Activation("no-such-name")
