"""Modules written for PyTorch, JAX and Keras do what the library does, gradients included."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from export.exported import SUBJECTS, code, is_near, network, points, ran, size, slope_size

import meanfield as mf

if (found := find_spec("torch")) is None or found.origin is None:
    # Where there is no PyTorch, the folder of these tests is a package of that name.
    pytest.skip("needs PyTorch", allow_module_level=True)
torch = pytest.importorskip("torch")

# What Keras does to tensors of PyTorch is its own affair.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

WIDE = 300
#: What the frameworks have of their own loses digits on the left, where it is 1 + erf of x.
OWN = {"torch": {"gelu"}, "flax": set[str](), "keras": {"gelu", "phish", "(x + sqrt(x**2 + 4))/2 - Phi(x)"}}


def _scale(framework: str, name: str, x: np.ndarray) -> np.ndarray:
    """What values round to a few units in the last place of."""
    scale = size(SUBJECTS[name], x)
    return np.maximum(scale, np.abs(x)) if name in OWN[framework] else scale


def _slope_scale(name: str, x: np.ndarray) -> np.ndarray:
    """The same of gradients: frameworks have those of tanh, sigmoid and expm1 from the value, which may be near 1."""
    return np.maximum(slope_size(SUBJECTS[name], x), 1)


def _require_variance(drawn: Any, variance: float) -> None:
    """To four standard errors, of numbers that are normal."""
    numbers = np.asarray(drawn, dtype=float)
    assert abs(np.mean(numbers**2) / variance - 1) < 4 * (2 / numbers.size) ** 0.5


def _torch(name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = torch.tensor(x, requires_grad=True)
    values = ran(code(name, "torch"))["Activation"]()(points)
    # Of a constant nothing flows back.
    slopes = torch.autograd.grad((values + 0 * points).sum(), points)[0]
    return values.detach().numpy(), slopes.numpy()


@pytest.mark.parametrize("name", SUBJECTS)
def test_pytorch_has_the_same_function_and_gradient(name: str) -> None:
    phi = SUBJECTS[name]
    x = points(phi)
    exact, slopes = phi.with_slopes(x)
    found, sloping = _torch(name, x)
    assert is_near(found, exact, _scale("torch", name, x), 1e-14)
    assert (found[exact == 0] == 0).all()
    assert is_near(sloping, slopes, _slope_scale(name, x), 1e-12)


def test_pytorch_draws_the_weights_and_biases_of_every_layer() -> None:
    subject = network(SUBJECTS["tanh"])
    module = ran(mf.snippet(subject, "torch"))
    layers = [
        torch.nn.Linear(WIDE, 2 * WIDE),
        torch.nn.Linear(40, 50, bias=False),
        *(kind(12, 24, 3) for kind in (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)),
    ]
    model = torch.nn.Sequential(*layers, module["Activation"]())
    assert module["initialise"](model, torch.Generator().manual_seed(4)) is model
    for layer in layers:
        fan_in = layer.weight[0].numel()
        _require_variance(layer.weight.detach() * fan_in**0.5, subject.sigma_w**2)
    biases = torch.cat([layer.bias.detach() for layer in layers if layer.bias is not None])
    _require_variance(biases, subject.sigma_b**2)
    first = layers[0].weight.clone()
    module["initialise"](model, torch.Generator().manual_seed(4))
    assert (layers[0].weight == first).all() and first.requires_grad


def test_pytorch_keeps_the_precision_that_it_is_given() -> None:
    for name in SUBJECTS:
        x = torch.linspace(-3, 3, 7, dtype=torch.float32)
        assert ran(code(name, "torch"))["activation"](x).dtype == torch.float32, name


@pytest.fixture
def jax() -> Any:
    found = pytest.importorskip("jax")
    with found.enable_x64(True) if hasattr(found, "enable_x64") else found.experimental.enable_x64():
        yield found


@pytest.mark.parametrize("name", SUBJECTS)
def test_jax_has_the_same_function_and_gradient(name: str, jax: Any) -> None:
    phi = SUBJECTS[name]
    x = points(phi)
    exact, slopes = phi.with_slopes(x)
    activation = ran(code(name, "flax"))["activation"]
    found = np.asarray(jax.jit(activation)(jax.numpy.asarray(x)))
    sloping = np.asarray(jax.grad(lambda x: activation(x).sum())(jax.numpy.asarray(x)))
    assert is_near(found, exact, _scale("flax", name, x), 1e-14)
    assert (found[exact == 0] == 0).all()
    assert is_near(sloping, slopes, _slope_scale(name, x), 1e-12)


def test_flax_draws_the_weights_and_biases(jax: Any) -> None:
    linen, nnx = pytest.importorskip("flax.linen"), pytest.importorskip("flax.nnx")
    subject = network(SUBJECTS["tanh"])
    module = ran(mf.snippet(subject, "flax"))
    given = {"kernel_init": module["kernel_init"], "bias_init": module["bias_init"]}
    dense = linen.Dense(4 * WIDE, **given).init(jax.random.key(0), jax.numpy.zeros((1, WIDE)))["params"]
    linear = nnx.Linear(WIDE, 4 * WIDE, **given, rngs=nnx.Rngs(1))
    for kernel, bias in ((dense["kernel"], dense["bias"]), (linear.kernel[...], linear.bias[...])):
        _require_variance(kernel * WIDE**0.5, subject.sigma_w**2)
        _require_variance(bias, subject.sigma_b**2)


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    found = pytest.importorskip("keras")
    if found.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend")
    return found


@pytest.mark.parametrize("name", SUBJECTS)
def test_keras_has_the_same_function_and_gradient(name: str, keras: Any) -> None:
    phi = SUBJECTS[name]
    x = points(phi)
    exact, slopes = phi.with_slopes(x)
    # It may stand on an accelerator, where there is one.
    given = keras.ops.convert_to_tensor(x, dtype="float64").requires_grad_()
    values = ran(code(name, "keras"))["activation"](given)
    found = keras.ops.convert_to_numpy(values)
    sloping = keras.ops.convert_to_numpy(torch.autograd.grad((values + 0 * given).sum(), given)[0])
    assert is_near(found, exact, _scale("keras", name, x), 1e-14)
    assert (found[exact == 0] == 0).all()
    assert is_near(sloping, slopes, _slope_scale(name, x), 1e-12)


def test_keras_draws_the_weights_and_biases_of_each_layer_anew(keras: Any) -> None:
    subject = network(SUBJECTS["tanh"])
    module = ran(mf.snippet(subject, "keras"))
    keras.utils.set_random_seed(2)
    layers = [
        keras.layers.Dense(4 * WIDE, activation=module["activation"], **module["initialisers"]()) for _ in range(2)
    ]
    model = keras.Sequential([keras.Input((WIDE,)), layers[0], keras.layers.Dense(WIDE), layers[1]])
    assert model.count_params()
    kernels = [keras.ops.convert_to_numpy(layer.kernel) for layer in layers]
    assert (kernels[0] != kernels[1]).any()
    for layer, kernel in zip(layers, kernels, strict=True):
        _require_variance(kernel * WIDE**0.5, subject.sigma_w**2)
        _require_variance(keras.ops.convert_to_numpy(layer.bias), subject.sigma_b**2)
