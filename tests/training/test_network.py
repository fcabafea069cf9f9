"""Networks as they are drawn: the variance of every layer, and gradients as by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import examples, setting

import meanfield as mf
from meanfield.errors import DomainError
from meanfield.training.measures import by_layer, performance
from meanfield.training.network import Network
from meanfield.training.setting import Setting
from meanfield.training.sparse_settings import settings_of

#: So many standard errors that a right mean fails once in a million tests.
_FAR = 5.0


def normal(*shape: int) -> torch.Tensor:
    """Inputs that are not the numbers that weights are, as those of a seed of torch might be."""
    return torch.tensor(np.random.default_rng(1).normal(size=shape)).float()


def variances(asked: dict[str, Any], x: torch.Tensor, networks: int) -> np.ndarray[Any, Any]:
    """The mean square of h¹ … h^L and of the logits, of so many networks; inputs are drawn anew for each."""
    found = []
    for seed in range(networks):
        network = Network(setting(**asked, seed=seed), x.shape[2:], 40)
        with torch.no_grad():
            hidden = [*network.preactivations(x[seed])]
            found.append([float(h.square().mean()) for h in (*hidden, network.logits(hidden[-1]))])
    return np.array(found)


def require_mean(found: np.ndarray[Any, Any], expected: list[float]) -> None:
    error = found.std(axis=0, ddof=1) / math.sqrt(len(found))
    assert (error < 0.1 * np.array(expected)).all()
    assert (np.abs(found.mean(axis=0) - expected) < _FAR * error).all(), (found.mean(axis=0), expected, error)


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        *(("dense", weights) for weights in ("gaussian", "orthogonal")),
        *(("conv", weights) for weights in ("gaussian", "orthogonal", "delta-orthogonal")),
    ],
)
@pytest.mark.parametrize(("sigma_w", "sigma_b", "q_star"), [(2**0.5, 0.0, 1.0), (1.2, 0.8, 3.0)])
def test_every_layer_of_relu_has_the_variance_of_theory(
    model: str, weights: str, sigma_w: float, sigma_b: float, q_star: float
) -> None:
    # E max(0, h)² = q/2: the mean over networks is linear in q, and so without error of order 1/N.
    shape = (12,) if model == "dense" else (3, 7, 6)
    x = normal(200, 8, *shape)
    asked = {"model": model, "weights": weights, "sigma_w": sigma_w, "sigma_b": sigma_b, "q_star": q_star, "width": 16}
    expected = [q_star]
    for _ in range(3):
        expected.append(sigma_w**2 * expected[-1] / 2 + sigma_b**2)
    # The last layer has E φ² at q* in its denominator, and no biases.
    require_mean(variances({**asked, "depth": 4}, x, 200), [*expected, expected[-1] / q_star])


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("model", ["dense", "conv"])
def test_one_or_two_layers_are_networks_too(model: str, depth: int) -> None:
    for shape in ((3, 5, 5), (1, 1, 1), (2, 1, 4), (1, 28, 28)):
        x = normal(200, 4, *shape)
        x /= x.square().mean((2, 3, 4), keepdim=True).sqrt()
        found = variances({"model": model, "depth": depth, "width": 20}, x, 200)
        require_mean(found, [1.0] * (depth + 1))


@pytest.mark.parametrize("q_star", [1.0, 2.0])
def test_a_wide_network_on_the_edge_keeps_q_star_and_its_sparsity(q_star: float) -> None:
    (asked,) = settings_of("clipped-relu", sparsity=0.85, slope=0.5, q_star=q_star, width=800, depth=6, batch=8)
    x = torch.tensor(examples(20, (40,))[0])
    found, zeros = [], []
    for seed in range(20):
        network = Network(Setting(**{**asked.as_record(), "clip_gradient": math.inf, "seed": seed}), (40,), 40)
        layers = by_layer(network, x, torch.zeros(20, dtype=torch.long))
        logits = performance(network, x, torch.zeros(20, dtype=torch.long)).loss
        assert math.isfinite(logits)
        found.append([*layers["q"], float(network(x).detach().square().mean())])
        zeros.append(layers["sparsity"])
    require_mean(np.array(found), [q_star] * 6 + [1.0])
    require_mean(np.array(zeros), [0.85] * 6)


@pytest.mark.parametrize("size", [(5, 7), (6, 4), (3, 3), (1, 2), (28, 28)])
@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_two_layers_of_convolutions_keep_every_second_position(size: tuple[int, int], depth: int) -> None:
    network = Network(setting(model="conv", depth=depth, width=4), (2, *size), 3)
    shapes = [tuple(h.shape) for h in network.preactivations(torch.zeros(5, 2, *size))]
    once = tuple(math.ceil(n / 2) for n in size)
    twice = tuple(math.ceil(n / 2) for n in once)
    middle = depth // 2 or depth
    assert shapes == [(5, 4, *once)] * middle + [(5, 4, *twice)] * (depth - middle)
    assert network(torch.zeros(5, 2, *size)).shape == (5, 3)


def test_positions_are_on_a_torus() -> None:
    # A network whose strides are those of the first layer alone moves with its input, two positions there for one here.
    network = Network(setting(model="conv", depth=1, width=4), (2, 6, 8), 3)
    x = normal(1, 2, 6, 8)
    (here,), (moved,) = network.preactivations(x), network.preactivations(x.roll((2, -4), (2, 3)))
    torch.testing.assert_close(moved, here.roll((1, -2), (2, 3)))


def test_gradients_are_those_worked_out_by_hand() -> None:
    network = Network(setting(activation="tanh", depth=2, width=7), (12,), 3)
    x, y = (torch.tensor(a) for a in examples(9))
    found = by_layer(network, x, y)
    w1, w2, last = (layer.weight.detach().double().numpy() for layer in (*network.hidden, network.last))
    h1 = x.double().numpy() @ w1.T
    h2 = np.tanh(h1) @ w2.T
    logits = np.tanh(h2) @ last.T
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    g2 = ((p - np.eye(3)[y]) @ last) * (1 - np.tanh(h2) ** 2)
    g1 = (g2 @ w2) * (1 - np.tanh(h1) ** 2)
    assert found["q"] == pytest.approx([np.square(h).mean() for h in (h1, h2)], rel=1e-5)
    assert found["gradient_norm"] == pytest.approx([np.sqrt(np.square(g).sum()) for g in (g1, g2)], rel=1e-5)
    assert found["sparsity"] == [0, 0]
    told = performance(network, x, y)
    assert told.accuracy == pytest.approx((logits.argmax(1) == y.numpy()).mean())
    assert told.loss == pytest.approx(-np.log(p[np.arange(9), y]).mean(), rel=1e-5)


def test_performance_is_of_all_examples_however_many_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(setting(), (12,), 3)
    x, y = (torch.tensor(a) for a in examples(23))
    whole = performance(network, x, y)
    monkeypatch.setattr("meanfield.training.measures._CHUNK", 7)
    assert performance(network, x, y) == pytest.approx(whole, rel=1e-6)
    assert 0.3 < whole.sparsity < 0.7


def test_a_network_is_drawn_from_its_seed_alone() -> None:
    torch.manual_seed(5)
    first = Network(setting(), (12,), 3).state_dict()
    torch.manual_seed(6)
    again = Network(setting(), (12,), 3).state_dict()
    other = Network(setting(seed=1), (12,), 3).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["hidden.1.weight"], other["hidden.1.weight"])


def test_vectors_have_no_positions() -> None:
    with pytest.raises(DomainError, match=r"shape \(12,\) have no positions .* give model dense"):
        Network(setting(model="conv"), (12,), 3)


def test_phi_is_the_layer_whose_zeros_are_exact() -> None:
    network = Network(setting(activation="soft-threshold(tau=1)", sigma_w=1.5), (12,), 3)
    assert isinstance(network.phi, mf.torch.Activation)
    assert network.phi(torch.tensor([0.5, -0.9, 2.0])).tolist() == [0, 0, 1]
