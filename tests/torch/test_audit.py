"""What is measured of a model and what theory says of it, against numbers worked out apart from the package."""

from __future__ import annotations

import contextlib
import copy
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor, nn

import meanfield as mf
from meanfield.cli.audit import _ROW
from meanfield.errors import DomainError
from meanfield.quantities import QUANTITIES
from meanfield.torch import edge_of_chaos_
from meanfield.torch.audit import Audit, audit
from meanfield.torch.expecting import columns, products
from meanfield.torch.measuring import measured


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


def test_measured_values_are_those_of_the_definitions() -> None:
    model, x = mlp(nn.ReLU), normals(6, 30)
    found = audit(model, x, loss=lambda y: y.pow(3).sum())
    h, values = x, []
    for layer in model:
        h = layer(h)
        values.append(h)
    last = values[-1]
    gradients = torch.autograd.grad(last.pow(3).sum(), values[::2])
    for i, row in enumerate(found.layers):
        here = values[2 * i].detach()
        assert row.q == pytest.approx(here.square().mean().item(), rel=1e-5)
        unit = here / here.norm(dim=1, keepdim=True)
        pairs = (unit @ unit.T)[torch.triu_indices(6, 6, 1).unbind()]
        assert row.rho == pytest.approx(pairs.mean().item(), abs=1e-5)
        ratio = gradients[i].square().sum() / gradients[-1].square().sum()
        assert row.log_gradient == pytest.approx(math.log(ratio), abs=1e-4)
        assert row.sigma_w == pytest.approx(math.sqrt(row.fan_in) * model[2 * i].weight.square().mean().sqrt().item())
        if i:
            x_in = values[2 * i - 1].detach()
            assert row.sparsity == pytest.approx((x_in == 0).double().mean().item())
            assert row.dead == pytest.approx((x_in == 0).all(dim=0).double().mean().item())


def test_theory_applies_the_maps_to_what_was_measured_before() -> None:
    model, x = mlp(nn.Tanh), normals(5, 30)
    found = audit(model, x)
    h = x
    for i, row in enumerate(found.layers[1:], 1):
        h = model[2 * i - 2](h) if i == 1 else model[2 * i - 2](model[2 * i - 3](h))
        q = h.detach().double().square().mean(dim=1).numpy()

        def second(q: float) -> float:
            return quad(lambda z: math.tanh(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2), -12, 12)[0] / math.sqrt(
                2 * math.pi
            )

        # The curvature by differences: E over χ² of V(q̂) is V(q) + V''(q) q²/N.
        step = 0.01
        bent = [(second(v + step) - 2 * second(v) + second(v - step)) / step**2 for v in q]
        mean = np.mean([second(v) - b * v * v / 200 for v, b in zip(q, bent, strict=True)])
        assert row.q_theory == pytest.approx(row.sigma_w**2 * mean + row.sigma_b**2, rel=1e-5)
        assert not row.from_inputs and row.sparsity_theory == 0


def test_a_relu_layer_has_the_arc_cosine_kernel() -> None:
    # Two examples: R(ρ) = (√(1 − ρ²) + ρ(π − arccos ρ))/π (Cho and Saul 2009), and |g|² is multiplied by σ_w²/2.
    model, x = mlp(nn.ReLU, depth=3), normals(2, 30)
    found = audit(model, x)
    for before, row in zip(found.layers, found.layers[1:], strict=False):
        rho = before.rho
        assert rho is not None and row.rho_theory is not None
        assert row.rho_theory == pytest.approx(
            (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho))) / math.pi, abs=1e-5
        )
        assert row.q_theory == pytest.approx(row.sigma_w**2 * before.q / 2, rel=1e-5)
        # The mean of a logarithm is below it by half the variance, (3E φ'⁴/(E φ'²)² − 1)/N = 5/N.
        expected = row.log_gradient + math.log(row.sigma_w**2 / 2) - 2.5 / 200  # type: ignore[operator]
        assert before.log_gradient_theory == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("phi", [nn.ReLU, nn.Tanh, nn.ELU])
@pytest.mark.parametrize("form", ["dense", "convolution"])
def test_random_networks_stray_as_far_as_their_width_tells(phi: type[nn.Module], form: str) -> None:
    zs: dict[str, list[float]] = {"q": [], "rho": [], "log_gradient": []}
    for seed in range(12):
        if form == "dense":
            found = audit(mlp(phi, seed=seed), normals(12, 30, seed=100 + seed), seed=seed)
        else:
            found = audit(cnn(phi, seed=seed), normals(4, 3, 10, 10, seed=100 + seed), seed=seed)
        for layer in found.layers:
            for name, values in zs.items():
                z = getattr(layer, f"{name}_z")
                if z is not None:
                    values.append(z)
    for name, values in zs.items():
        assert bool(values) == (name == "q" or form == "dense")
        if not values:
            continue
        n, mean, square = len(values), np.mean(values), np.mean(np.square(values))
        assert abs(mean) < 4 / math.sqrt(n)
        # Gradients of several examples stray by at most what one does.
        assert square < 1 + 4 * math.sqrt(2 / n)
        assert name == "log_gradient" or square > 1 - 4 * math.sqrt(2 / n)


@pytest.mark.parametrize("sigma_b", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("form", ["one", "three", "dense"])
def test_biases_of_any_size_are_no_departure(form: str, sigma_b: float) -> None:
    # Units keep their biases at every position, and theory knows these: what is random is what weights add.
    torch.manual_seed(0)
    told, zs = 0, []
    for _ in range(20):
        if form == "one":
            model, x = nn.Sequential(nn.Conv2d(3, 64, 3)), torch.randn(8, 3, 12, 12)
        elif form == "three":
            convolutions = [nn.Conv2d(n, 64, 3) for n in (8, 64, 64)]
            model = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), convolutions[2])
            x = torch.randn(4, 8, 10, 10)
        else:
            model, x = nn.Sequential(nn.Linear(50, 100), nn.Tanh(), nn.Linear(100, 100)), torch.randn(8, 50)
        for layer in model:
            if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
                nn.init.normal_(layer.weight, 0, 1.4 / math.sqrt(layer.weight[0].numel()))
                nn.init.normal_(layer.bias, 0, sigma_b)
        found = audit(model, x)
        told += found.departs is not None
        zs += [layer.q_z for layer in found.layers]
    # More than two of twenty at one in a hundred come once in a thousand times.
    assert told <= 2
    assert np.mean(np.square(zs)) < 1 + 4 * math.sqrt(2 / len(zs))


def test_a_dead_network_strays_nowhere() -> None:
    # No unit reaches the threshold: every layer after the first is its biases.
    layers: list[nn.Module] = [nn.Linear(30, 50)]
    for _ in range(4):
        layers += [mf.torch.Activation("shifted-relu", tau=9.0), nn.Linear(50, 50)]
    found = audit(nn.Sequential(*layers), normals(8, 30))
    assert found.departs is None
    assert all(layer.dead == 1 and abs(layer.q_z) < 3 for layer in found.layers[1:])
    assert found.verdict.endswith(" 2 receives zeros alone: no signal passes it, and no gradient.")


def test_where_no_signal_passes_gradients_are_exactly_0() -> None:
    # Every number after the threshold is 0, and nothing is divided by it.
    layers: list[nn.Module] = [nn.Linear(30, 50, bias=False), mf.torch.Activation("shifted-relu", tau=9.0)]
    layers += [nn.Linear(50, 50, bias=False), nn.ReLU(), nn.Linear(50, 50, bias=False)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = audit(nn.Sequential(*layers), normals(8, 30))
    assert [layer.log_gradient for layer in found.layers] == [-math.inf, -math.inf, 0.0]
    assert all(layer.log_gradient_z is None for layer in found.layers) and found.departs is None


def test_a_gradient_that_ends_where_signals_do_not_is_told() -> None:
    class Still(nn.Module):
        """Passes a signal on, and no gradient."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.sign(x)

    model = nn.Sequential(nn.Linear(30, 50), nn.Linear(50, 50), Still(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 9))
    found = audit(model, normals(8, 30))
    assert "No gradient comes back to 1: it is exactly 0 there." in found.verdict
    assert [layer.log_gradient == -math.inf for layer in found.layers] == [True, True, False, False]


@pytest.mark.parametrize(
    ("sigma_w", "told"), [(0.9, "examples are alike, ρ = 0.999"), (4.0, "Squared gradients differ between layers")]
)
def test_what_is_lost_is_told_though_layers_do_what_theory_says(sigma_w: float, told: str) -> None:
    model = mlp(nn.Tanh, depth=12)
    generator = torch.Generator().manual_seed(3)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, sigma_w / math.sqrt(layer.in_features), generator=generator)
            nn.init.normal_(layer.bias, 0, 1.0 if sigma_w < 2 else 0.0, generator=generator)
    found = audit(model, normals(8, 30))
    assert found.departs is None
    assert told in found.verdict


def test_false_alarms_are_as_rare_as_asked() -> None:
    # Of thirty at one in twenty, more than seven come once in a thousand times.
    told = 0
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        layers: list[nn.Module] = [nn.Linear(100, 200)]
        for _ in range(6):
            layers += [mf.torch.Activation("clipped-relu", tau=0.5, m=1), nn.Linear(200, 200)]
        model = nn.Sequential(*layers)
        edge_of_chaos_(model, last_layer="match", generator=generator)
        told += audit(model, torch.randn(16, 100, generator=generator), level=0.05).departs is not None
    assert told <= 7


@pytest.mark.parametrize("at", [0, 4])
def test_the_first_layer_whose_weights_are_not_random_is_found(at: int) -> None:
    model = mlp(nn.ReLU, depth=4)
    assert audit(model, normals(8, 30) + 0.5).departs is None
    with torch.no_grad():
        # The same variance, all of it along one direction that all inputs have in common.
        size = model[at].weight.square().mean().sqrt()
        model[at].weight.copy_(size * torch.ones_like(model[at].weight))
    found = audit(model, normals(8, 30) + 0.5)
    assert found.departs == str(at)
    assert found.verdict.startswith(f"{at} departs first: q is ")


def test_a_trained_model_departs_where_it_has_learned() -> None:
    torch.manual_seed(0)
    model, x = mlp(nn.Tanh, width=100, depth=3), normals(64, 30) + 1
    target = torch.sin(3 * x[:, :1]).repeat(1, 100)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(200):
        optimiser.zero_grad()
        (model(x) - target).square().mean().backward()
        optimiser.step()
    assert audit(model, x).departs is not None


class Counted(nn.Module):
    """How often it runs, forward and backward; not by attributes, which an audit leaves as they were."""

    #: Forward, backward.
    runs: ClassVar[list[int]] = [0, 0]

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm, self.drop = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        self.runs[0] += 1
        self.last = x
        h = self.drop(self.norm(self.layer(x)).relu_())
        h.register_hook(self._back)
        return h

    def _back(self, gradient: Tensor) -> None:
        self.runs[1] += 1


def test_it_costs_one_forward_and_one_backward_and_leaves_the_model_as_it_was() -> None:
    first = Counted()
    model = nn.Sequential(first, nn.Linear(8, 3))
    model[1].weight.requires_grad_(False)
    model(normals(16, 8)).sum().backward()
    counts, last = tuple(first.runs), first.last
    model.eval()
    first.norm.train()
    parameters = {
        n: (p.clone(), p.requires_grad, p.grad, p.grad.clone() if p.grad is not None else None)
        for n, p in model.named_parameters()
    }
    buffers, modes = copy.deepcopy(dict(model.named_buffers())), [m.training for m in model.modules()]
    x, state = normals(16, 8), torch.get_rng_state()
    kept = x.clone()
    audit(model, x)
    assert first.runs == [counts[0] + 1, counts[1] + 1] and first.last is last
    for name, parameter in model.named_parameters():
        value, wants, grad, numbers = parameters[name]
        assert torch.equal(parameter, value) and parameter.requires_grad == wants and parameter.grad is grad
        assert grad is None or torch.equal(grad, numbers)
    assert all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(x, kept) and not x.requires_grad and x.grad is None
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_only_what_is_compared_is_measured_and_no_gradient_by_weights_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    measure = lambda step, *of: seen.append(step.name) or measured(step, *of)  # noqa: E731
    monkeypatch.setattr(sys.modules[audit.__module__], "measured", measure)
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 8))
    model, made = nn.Sequential(*layers), list[str]()
    for name, parameter in model.named_parameters():
        parameter.register_hook(lambda g, name=name: made.append(name))
    found = audit(model, normals(4, 3, 8, 8))
    assert seen == ["0", "1", "5"] and found["5"].sparsity is not None
    assert not made and all(layer.log_gradient is not None for layer in found.layers)


class Tied(nn.Module):
    """A head tied to an embedding, no biases: nothing but weights is a source of gradients."""

    def __init__(self, by_function: bool = False) -> None:
        super().__init__()
        self.embedding, self.by_function = nn.Embedding(50, 64), by_function
        self.a, self.b, self.head = (nn.Linear(64, n, bias=False) for n in (64, 64, 50))
        self.head.weight = self.embedding.weight

    def forward(self, words: Tensor) -> Tensor:
        found = nn.functional.embedding(words, self.head.weight) if self.by_function else self.embedding(words)
        return self.after(found)

    def after(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.b(torch.tanh(self.a(x)))))


class Beginning(Tied):
    """Where its gradients begin is inside."""

    def forward(self, x: Tensor) -> Tensor:
        return self.after(x.detach().requires_grad_())


@pytest.mark.parametrize(
    ("model", "batch"),
    [
        (Tied(), torch.arange(40).reshape(8, 5)),
        (Tied(by_function=True), torch.arange(40).reshape(8, 5)),
        (Beginning(), normals(8, 64)),
    ],
    ids=["module", "function", "leaf inside"],
)
def test_gradients_come_back_from_whatever_they_begin_at(model: Tied, batch: Tensor) -> None:
    made, read = list[Tensor](), lambda module, args, value: made.append(value)
    handles = [layer.register_forward_hook(read) for layer in (model.a, model.b, model.head)]
    loss = lambda y: y.pow(3).sum()  # noqa: E731
    squares = [g.square().sum().log().item() for g in torch.autograd.grad(loss(model(batch)), made)]
    for handle in handles:
        handle.remove()
    found = [layer.log_gradient for layer in audit(model, batch, loss=loss).layers]
    assert found == pytest.approx([square - squares[-1] for square in squares], abs=1e-4)


class Named(Tied):
    """Inputs of layers by name."""

    def after(self, x: Tensor) -> Tensor:
        return self.head(input=torch.tanh(self.b(input=torch.tanh(self.a(input=x)))))


def test_layers_that_are_called_with_a_keyword_are_rows() -> None:
    named, plain = Named(), Tied()
    plain.load_state_dict(named.state_dict())
    rows, same = ([layer.record() for layer in audit(m, torch.arange(40).reshape(8, 5)).layers] for m in (named, plain))
    assert len(rows) == 3 and rows == same


def test_layers_that_no_gradient_passes_have_one_themselves() -> None:
    # Words carry none, and what is made of them wants none.
    model = Words()
    model.embedding.requires_grad_(False)
    model.recurrent.requires_grad_(False)
    found = audit(model, torch.arange(12).reshape(3, 4) % 10)
    assert all(layer.log_gradient is not None for layer in found.layers)


def test_gradients_whose_squares_are_nothing_in_single_precision_are_measured() -> None:
    model, x = mlp(nn.Tanh, depth=2), normals(6, 30)
    tiny = [layer.log_gradient for layer in audit(model, x, loss=lambda y: 1e-30 * y.sum()).layers]
    usual = [layer.log_gradient for layer in audit(model, x, loss=lambda y: y.sum()).layers]
    assert tiny == pytest.approx(usual, abs=1e-5)


def test_gradients_and_their_ratios_beyond_the_smallest_number_are_measured() -> None:
    # Of n layers h → w h each |g|² is w² times that of the next: 1e-480 at the first.
    model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(61))).double()
    with torch.no_grad():
        for layer in model:
            layer.weight.fill_(1e-4)
    for scale in (1.0, 1e-60):
        found = audit(model, torch.full((4, 1), 1e50, dtype=torch.float64), loss=lambda y, c=scale: c * y.sum())
        logs = [layer.log_gradient for layer in found.layers]
        assert logs == pytest.approx([-2 * math.log(1e4) * n for n in range(60, -1, -1)])
        assert "exactly 0" not in found.verdict


def test_a_gradient_that_is_exactly_0_everywhere_is_told() -> None:
    found = audit(mlp(nn.Tanh, depth=2), normals(6, 30), loss=lambda y: 0 * y.sum())
    assert [layer.record()["gradient_is"] for layer in found.layers] == ["exactly 0"] * 3
    assert "No gradient comes back to 4: it is exactly 0 there." in found.verdict


def test_gradients_that_are_not_finite_are_told() -> None:
    # The root has no slope at 0: ∞ times 0.
    model = mlp(nn.Tanh, depth=2)
    found = audit(model, normals(6, 30), loss=lambda y: (y - y.detach()).square().sum().sqrt())
    assert "The gradient that comes back to 4 is not finite: it is not compared there." in found.verdict
    assert all(layer.gradient_is == "not finite" for layer in found.layers)
    assert all(layer.log_gradient_theory is layer.log_gradient_z is None for layer in found.layers)


def test_silent_units_of_images_are_channels() -> None:
    model, x = cnn(nn.ReLU, width=16, depth=1), normals(5, 3, 6, 6)
    with torch.no_grad():
        model[0].bias[:3] = -100.0
    row, active = audit(model, x)["2"], model[:2](x)
    assert row.sparsity == pytest.approx((active == 0).double().mean().item(), abs=1e-12)
    assert row.dead == pytest.approx(3 / 16, abs=1e-12)


def test_dropout_of_nothing_hides_nothing() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(30, 100), nn.ReLU(), nn.Linear(100, 100)]
    idle = nn.Sequential(layers[0], nn.Dropout(0.0), *layers[1:])
    records = [audit(model, normals(8, 30)).layers[1].record() for model in (nn.Sequential(*layers), idle)]
    assert {**records[0], "module": ""} == {**records[1], "module": ""} and not records[1]["from_inputs"]


def test_columns_have_the_products_asked_for_and_no_direction_is_theirs() -> None:
    gram = np.full((5, 5), 0.9) + np.diag([0.1, 0.2, 0.3, 1.0, 2.0])
    drawn = columns(400, 60, gram, np.random.default_rng(0))
    own = np.swapaxes(drawn, 1, 2) @ drawn / 60
    np.testing.assert_allclose(own, np.broadcast_to(gram, own.shape), rtol=1e-12)
    # Of a uniform direction in N dimensions x₁² has the mean 1/N and the variance 2(N − 1)/(N²(N + 2)).
    variance = 2 * 59 / (60**2 * 62)
    for column in range(5):
        share = np.square(drawn[:, 0, column]) / (60 * gram[column, column])
        assert share.mean() == pytest.approx(1 / 60, abs=4 * math.sqrt(variance / 400))
        assert share.var() == pytest.approx(variance, rel=1)


@pytest.mark.parametrize("units", [60, 3])
def test_products_of_columns_are_those_of_normals(units: int) -> None:
    drawn = products(4000, units, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, np.swapaxes(drawn, 1, 2))
    assert np.linalg.matrix_rank(drawn[0]) == min(units, 5)
    # Wishart: mean I, variances 2/N on the diagonal and 1/N beside it, where kurtosis is 3 + 12/N and 3 + 6/N.
    for i in range(5):
        for j in range(i + 1):
            values, variance, kurtosis = drawn[:, i, j], (1 + (i == j)) / units, 3 + (6 + 6 * (i == j)) / units
            assert values.mean() == pytest.approx(float(i == j), abs=4 * math.sqrt(variance / 4000))
            assert values.var() == pytest.approx(variance, rel=4.5 * math.sqrt((kurtosis - 1) / 4000))


def test_layers_are_drawn_anew_for_every_layer() -> None:
    # Layers that are one and the same differ in nothing but what is drawn for them.
    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(30, 100), nn.Linear(100, 100)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = torch.tanh(self.a(x))
            return self.b(h), self.b(h)

    torch.manual_seed(0)
    model, x = Twins(), torch.randn(8, 30)
    _, one, other = audit(model, x).layers
    assert (one.rho, one.rho_theory) == (other.rho, other.rho_theory)
    assert 0 < abs(one.rho_z - other.rho_z) < 1
    assert [layer.rho_z for layer in audit(model, x).layers[1:]] == [one.rho_z, other.rho_z]
    assert audit(model, x, seed=1).layers[1].rho_z != one.rho_z


def test_a_run_that_fails_leaves_nothing_behind() -> None:
    model = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 3), nn.Linear(4, 4))
    buffers = copy.deepcopy(dict(model.named_buffers()))
    with pytest.raises(DomainError, match="does not run on the batch given: RuntimeError: mat1 and mat2 shapes"):
        audit(model, normals(6, 8))
    assert all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_activations_in_place_are_seen_as_others_are() -> None:
    torch.manual_seed(3)
    plain = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 3)
    )
    in_place = copy.deepcopy(plain)
    for module in in_place:
        if isinstance(module, nn.ReLU):
            module.inplace = True
    x = normals(3, 3, 20, 20)
    rows = [[layer.record() for layer in audit(model, x).layers] for model in (plain, in_place)]
    assert rows[0] == rows[1]
    # After pooling theory knows what the layer receives, and no more.
    assert [row["from_inputs"] for row in rows[0]] == [True, True, False]
    assert rows[0][1]["sparsity"] is not None and rows[0][1]["rho_theory"] is None


@pytest.mark.parametrize(
    ("layers", "shape"),
    [((nn.Linear(8, 16), nn.Linear(16, 4)), (3, 5, 8)), ((nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)), (3, 8, 8))],
    ids=["positions", "an image alone"],
)
def test_what_is_a_view_and_overwritten_has_a_gradient(layers: tuple[nn.Module, nn.Module], shape: Any) -> None:
    first, second = layers
    models = [nn.Sequential(first, nn.ReLU(inplace=in_place), second) for in_place in (False, True)]
    rows, same = ([layer.record() for layer in audit(model, normals(*shape)).layers] for model in models)
    assert rows == same and rows[0]["log_gradient"] is not None


@pytest.mark.parametrize("padding", ["zeros", "circular"])
@pytest.mark.parametrize("transposed", [False, True])
def test_borders_are_counted(padding: str, transposed: bool) -> None:
    # σ_w² times the mean over outputs of the sum over what they see, by drawing the weights many times.
    if transposed and padding != "zeros":
        return
    layer: Any = (
        nn.ConvTranspose2d(4, 6, 3, stride=2) if transposed else nn.Conv2d(4, 6, 3, padding=2, padding_mode=padding)
    )
    nn.init.zeros_(layer.bias)
    x = normals(3, 4, 5, 5)
    ratios = []
    for _ in range(200):
        nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(len(ratios)))
        row = audit(nn.Sequential(layer), x)[("0")]
        ratios.append(row.q / row.q_theory)
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.std(ratios) / math.sqrt(200))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.recurrent, self.head = (
            nn.Embedding(10, 16),
            nn.GRU(16, 16, batch_first=True),
            nn.Linear(16, 4),
        )
        self.first = nn.Linear(16, 16)

    def forward(self, words: Tensor) -> dict[str, Any]:
        return {"out": self.head(self.recurrent(self.first(self.embedding(words)))[0]), "words": words}


@pytest.mark.parametrize("frozen", [False, True])
def test_words_recurrence_and_frozen_weights_are_no_obstacle(frozen: bool) -> None:
    model = Words().requires_grad_(not frozen)
    words = torch.arange(12).reshape(3, 4) % 10
    found = audit(model, words)
    assert [layer.module for layer in found.layers] == ["first", "head"]
    assert found["first"].activation == "an embedding"
    assert found["head"].activation == "recurrence: GRU"
    assert (found["first"].log_gradient is None) == frozen
    model.requires_grad_(True)
    report = edge_of_chaos_(model, inputs=words)
    assert report["first"].sigma_w == pytest.approx(1 / model.embedding.weight.square().mean().sqrt().item(), rel=1e-5)
    assert any(warning.startswith("recurrent: GRU: left alone") for warning in report.warnings)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions(dtype: torch.dtype) -> None:
    found = audit(mlp(nn.ReLU).to(dtype), normals(8, 30).to(dtype))
    plain = audit(mlp(nn.ReLU), normals(8, 30))
    assert [layer.q for layer in found.layers] == pytest.approx([layer.q for layer in plain.layers], rel=0.03)


def test_inputs_without_a_signal_are_no_departure() -> None:
    # All examples are alike, and rounding tells nothing.
    found = audit(nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64)), torch.zeros(4, 8))
    assert found["2"].rho == pytest.approx(1.0) and found["2"].rho_z is None


def test_an_image_alone_is_a_batch_of_one() -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)), normals(3, 8, 8)
    with torch.no_grad():
        model[0].bias[:2] = -100.0
    found, same = (audit(model, batch) for batch in (x, x[None]))
    assert found.examples == same.examples == 1
    assert found["2"].dead == same["2"].dead == 2 / 8
    for layer, other in zip(found.layers, same.layers, strict=True):
        assert (layer.q, layer.q_theory) == pytest.approx((other.q, other.q_theory))


def test_one_example_has_no_correlation() -> None:
    found = audit(mlp(nn.ReLU), normals(1, 30))
    assert all(layer.rho is None and layer.rho_theory is None for layer in found.layers)
    assert all(layer.q_z is not None for layer in found.layers)


def test_an_audit_is_tables_of_80_columns_and_a_record() -> None:
    found = audit(mlp(nn.GELU), normals(8, 30))
    assert isinstance(found, Audit)
    assert max(map(len, str(found).splitlines())) <= 80
    record = found.record()
    assert {*record, *record["layers"][0]} <= {*QUANTITIES}
    assert record["departs"] is None and len(record["layers"]) == 5
    assert {*record["layers"][0]} == {*_ROW}


@pytest.mark.parametrize(
    ("model", "batch", "options", "message"),
    [
        (nn.ReLU(), torch.ones(2, 2), {}, "ran no linear"),
        (nn.Linear(3, 2), torch.ones(2, 2), {}, "does not run on the batch"),
        (nn.Linear(3, 2, device="meta"), torch.ones(2, 3), {}, "meta device"),
        (nn.LazyLinear(2), torch.ones(2, 3), {}, "lazy"),
        (nn.Linear(3, 2), torch.ones(2, 3), {"loss": lambda y: y}, "no single number"),
        (nn.Linear(3, 2), torch.ones(2, 3), {"level": 2.0}, "level"),
        (nn.Linear(3, 2), torch.ones(2, 3), {"seed": -1}, "seed"),
        (nn.Linear(3, 2), 3.0, {}, "is no batch"),
        ("relu", torch.ones(2, 3), {}, "no module"),
        (nn.Linear(3, 2), torch.full((2, 3), torch.nan), {}, "input 0 makes numbers that are not finite"),
        (nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), torch.full((2, 3), 1e25), {}, "not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_audited_is_refused_in_a_line(model: Any, batch: Any, options: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message) as refusal:
        audit(model, batch, **options)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("outputs", [1, 2, 10])
@pytest.mark.parametrize("phi", [nn.ReLU, nn.GELU])
def test_few_outputs_stray_as_far_as_few_do(outputs: int, phi: type[nn.Module]) -> None:
    told = 0
    for seed in range(12):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(100, 128), phi(), nn.Linear(128, 128), phi(), nn.Linear(128, outputs))
        told += audit(model, torch.randn(64, 100)).departs is not None
    # More than two of twelve at one in a hundred come twice in ten thousand times.
    assert told <= 2


@pytest.mark.parametrize(
    "between",
    [(nn.MaxPool2d(2), nn.ReLU()), (nn.AvgPool2d(2), nn.ReLU()), (nn.Dropout(0.5), nn.ReLU())],
    ids=["maximum", "mean", "dropout"],
)
def test_what_stands_before_an_activation_is_no_departure(between: tuple[nn.Module, ...]) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 64, 5, padding=2), *between, nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(), nn.Flatten()]
    model = nn.Sequential(*layers, nn.LazyLinear(10))
    batch = torch.randn(8, 3, 16, 16)
    model(batch)
    report = edge_of_chaos_(model, inputs=batch)
    assert any("before it, and whose variance is not q*" in note for note in report["3"].notes)
    assert audit(model, batch).departs is None


class StochasticDepth(nn.Module):
    """Whole examples, as many packages write it."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.bernoulli(torch.full((len(x), 1), 1 - self.p)) / (1 - self.p) if self.training else x


@pytest.mark.parametrize(
    "module",
    [nn.Dropout(0.5), nn.AlphaDropout(0.5), nn.FeatureAlphaDropout(0.5), nn.Dropout1d(0.5), StochasticDepth(0.5)],
)
def test_dropout_that_does_not_train_is_none(module: nn.Module) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(30, 100), nn.Tanh(), module, nn.Linear(100, 100), module, nn.Tanh(), nn.Linear(100, 9)
    )
    without = nn.Sequential(*(layer if isinstance(layer, nn.Linear | nn.Tanh) else nn.Identity() for layer in model))
    rows, same = ([layer.record() for layer in audit(m.eval(), normals(8, 30)).layers] for m in (model, without))
    assert rows == same
    assert all(row["rho_theory"] is not None for row in rows[1:]) and rows[0]["log_gradient_theory"] is not None
    trained = audit(model.train(), normals(8, 30))
    assert trained["3"].from_inputs and trained["3"].rho_theory is None
    assert trained["0"].log_gradient_theory is None


class DroppingDropPath(StochasticDepth):
    """In eval mode too."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.bernoulli(torch.full((len(x), 1), 1 - self.p)) / (1 - self.p)


class WritingDropPath(StochasticDepth):
    """Likewise, in place."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(torch.bernoulli(torch.full((len(x), 1), 1 - self.p)) / (1 - self.p))


class DroppingDropout(nn.Dropout):
    """Likewise."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, self.p, training=True)


@pytest.mark.parametrize("module", [DroppingDropPath(0.5), WritingDropPath(0.5), DroppingDropout(0.5)])
def test_what_drops_in_either_mode_is_no_nothing(module: nn.Module) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(30, 100), nn.GELU(), module, nn.Linear(100, 100)).eval()
    found = audit(model, normals(8, 30))
    assert (found["3"].activation, found["3"].from_inputs, found["3"].rho_theory) == ("gelu", True, None)
    assert found["0"].log_gradient_theory is None


class RMSNorm(nn.Module):
    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        self.g = nn.Parameter(scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.g * x / x.square().mean(-1, keepdim=True).sqrt()


class LayerNorm2d(nn.LayerNorm):
    """Channels first, units not on the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def test_a_norm_that_somebody_wrote_has_its_variance() -> None:
    torch.manual_seed(0)
    uneven = torch.cat([torch.full((100,), 0.1), torch.full((100,), 2.0)])
    for scale, standard in ((torch.full((200,), 2.0), True), (torch.full((201,), 2.0), True), (uneven, False)):
        width = len(scale)
        model = nn.Sequential(nn.Linear(30, width), RMSNorm(scale), nn.ReLU(), nn.Linear(width, 200))
        found = audit(model, normals(16, 30))
        assert found.departs is None
        assert found["3"].from_inputs != standard
        if standard:
            # σ_w² E relu² at variance 4, and nothing for the curvature of a line.
            assert found["3"].q_theory == pytest.approx(found["3"].sigma_w ** 2 * 2 + found["3"].sigma_b ** 2, rel=1e-4)


class Keeping(nn.Module):
    """Keeps what it makes and counts what it is applied to; results of a run cannot be copied."""

    applied: ClassVar[list[tuple[int, ...]]] = []

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.last = nn.Parameter(torch.ones(200)), None

    def forward(self, x: Tensor) -> Tensor:
        Keeping.applied.append((id(self), *x.shape))
        self.last = x.square().mean(-1, keepdim=True)
        return self.made(x)


class KeepingRMSNorm(Keeping):
    def made(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(self.last + 1e-6)


class KeepingTanh(Keeping):
    def made(self, x: Tensor) -> Tensor:
        return x.tanh()


class Penalised(nn.Module):
    """Returns what a module of its own keeps, too."""

    def __init__(self, inner: Keeping) -> None:
        super().__init__()
        self.a, self.inner, self.b, self.c = nn.Linear(30, 200), inner, nn.Linear(200, 200), nn.Linear(200, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.c(torch.tanh(self.b(self.inner(self.a(x)))))
        return {"y": y, "penalty": self.inner.last.mean()}


@pytest.mark.parametrize("inner", [KeepingRMSNorm, KeepingTanh])
@pytest.mark.parametrize("ran", [False, True], ids=["fresh", "run before"])
def test_a_module_runs_on_what_the_model_gives_it_alone(inner: type[Keeping], ran: bool) -> None:
    model, x, told = Penalised(inner()), normals(8, 30), []
    penalty = model.a(x).square().mean().item()
    if ran:
        model(5 * x)

    def loss(returned: dict[str, Tensor]) -> Tensor:
        told.append(returned["penalty"].item())
        return returned["y"].sum() + returned["penalty"]

    kept = model.inner.last
    for look in (lambda: audit(model, x, loss=loss), lambda: edge_of_chaos_(model, inputs=x)):
        Keeping.applied.clear()
        look()
        assert [shape for owner, *shape in Keeping.applied if owner == id(model.inner)] == [[8, 200]]
        assert model.inner.last is kept
    assert told == [pytest.approx(penalty, rel=1e-5)]


def test_units_are_channels_wherever_a_norm_has_them() -> None:
    torch.manual_seed(0)
    z = torch.linspace(-9, 9, 2001, dtype=torch.float64)

    def second(q: Tensor) -> Tensor:
        density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return torch.trapezoid(torch.tanh(q.sqrt()[..., None] * z) ** 2 * density, z)

    # As many columns of an image as there are channels tell nothing of which are which.
    for norm, size in ((LayerNorm2d(32), 32), (nn.LayerNorm((32, 8, 8)), 8)):
        model, x = nn.Sequential(nn.Conv2d(3, 32, 1), norm, nn.Tanh(), nn.Conv2d(32, 32, 1)), normals(4, 3, size, size)
        row = audit(model, x)["3"]
        q = model[:2](x).detach().double().square().mean(dim=1)
        step = 0.02 * q
        bend = (second(q + step) - 2 * second(q) + second(q - step)) / step**2
        expected = (second(q) - bend * q**2 / 32).mean().item()
        assert not row.from_inputs
        assert row.q_theory == pytest.approx(row.sigma_w**2 * expected + row.sigma_b**2, rel=1e-4)


class ChannelsLast(nn.Module):
    """Channels last."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((nn.Conv1d(3, 6, 1), nn.ReLU(), nn.Conv1d(6, 2, 1)), (4, 3, 10)),
        ((nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2)), (4, 5, 10, 3)),
        ((nn.Conv1d(3, 6, 1), nn.Dropout(0.1), nn.ReLU(), nn.Conv1d(6, 2, 1)), (4, 3, 10)),
        ((nn.Conv1d(3, 6, 1), nn.MaxPool1d(2), nn.ReLU(), nn.Conv1d(6, 2, 1)), (4, 3, 10)),
        ((nn.Linear(3, 6), nn.Dropout(0.1), nn.ReLU(), nn.Linear(6, 2)), (4, 5, 10, 3)),
        ((nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 2, 1)), (3, 5, 7)),
        ((nn.Conv1d(3, 6, 1), nn.ReLU(), nn.Conv1d(6, 2, 1)), (3, 7)),
        ((nn.Conv2d(3, 6, 1), ChannelsLast(), nn.ReLU(), nn.Linear(6, 2)), (4, 3, 5, 7)),
        ((nn.Conv2d(3, 6, 1), nn.Flatten(2), nn.ReLU(), nn.Conv1d(6, 2, 1)), (4, 3, 5, 7)),
        ((nn.Conv2d(3, 6, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.ReLU(), nn.Linear(6, 2)), (4, 3, 5, 7)),
    ],
)
def test_the_dead_are_units(layers: tuple[nn.Module, ...], shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    # Two of six units never fire, all others do.
    with torch.no_grad():
        layers[0].weight.mul_(0.01)
        layers[0].bias.copy_(torch.tensor([1.0, 1.0, -1.0, 1.0, -1.0, 1.0]))
    assert audit(nn.Sequential(*layers).eval(), normals(*shape).clamp(-3, 3)).layers[1].dead == pytest.approx(2 / 6)


class Heads(ChannelsLast):
    """Units in pieces."""

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (2, 3))


def test_units_that_are_in_pieces_are_not_counted_dead() -> None:
    model = nn.Sequential(nn.Linear(3, 6), Heads(), nn.ReLU(), nn.Flatten(2), nn.Linear(6, 2))
    row = audit(model, normals(4, 5, 3))["4"]
    assert row.dead is None and row.sparsity is not None


class Counting(nn.Module):
    """What it does beside its work."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.last, self.seen = nn.Linear(10, 10), nn.Linear(10, 3), None, []
        self.register_buffer("n", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.n = self.n + 1
        self.last = x
        self.seen.append(x)
        self.register_buffer("mask", torch.ones(()))
        return self.b(torch.relu(self.a(x + 0 * np.random.rand())))


def test_nothing_of_a_model_is_left_changed() -> None:
    spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(10, 10))
    for model in (Counting(), nn.Sequential(nn.Linear(10, 10), nn.ReLU(), spectral, nn.ReLU(), nn.Linear(10, 3))):
        buffers = copy.deepcopy(dict(model.named_buffers()))
        numbers = np.random.get_state()[1].copy()
        audit(model, normals(6, 10))
        with contextlib.suppress(DomainError):
            edge_of_chaos_(model)
        with contextlib.suppress(DomainError):
            edge_of_chaos_(model, inputs=normals(6, 10))
        assert [*buffers] == [name for name, _ in model.named_buffers()]
        assert all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
        assert not getattr(model, "seen", [])
        assert (np.random.get_state()[1] == numbers).all()
        assert getattr(model, "last", None) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": torch.randn(10)}, r"shape \(10,\) leaves nothing to measure: its first axis counts examples"),
        ({"batch": torch.randn(0, 10)}, r"shape \(0, 10\) leaves nothing to measure"),
        ({"batch": torch.randn(4, 10), "loss": 3}, "loss = 3 is no function"),
        ({"batch": torch.randn(4, 10), "level": "a"}, "level = 'a' is not a number"),
    ],
)
def test_what_cannot_be_audited_is_told(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        audit(nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3)), **arguments)


def test_that_no_gradient_came_back_is_told() -> None:
    model = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3))
    assert "Gradients are not compared" in audit(model, normals(6, 10), loss=lambda y: y.sum().detach()).verdict


class Gated(nn.Module):
    """Two parts of one layer, one the gate of the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(30, 200), nn.Linear(100, 100), nn.Linear(100, 5)

    def forward(self, x: Tensor) -> Tensor:
        u, v = self.a(x).chunk(2, -1)
        return self.c(torch.relu(self.b(nn.functional.silu(u) * v)))


class Returning(Gated):
    """Features beside the output."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.b(torch.relu(self.a(x)[:, :100]))
        return self.c(torch.relu(features)), features


class Last(Gated):
    """The last of several positions alone."""

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.linspace(0.1, 5, 10)[:, None, None]
        return self.c(torch.relu(self.a(x)[-1, :, :100]))


def shifted() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(30, 100), nn.LayerNorm(100), nn.ReLU(), nn.Linear(100, 100))
    nn.init.ones_(model[1].bias)
    return model


def delta() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(64, 64, 3, padding=1)]
    for _ in range(4):
        layers += [nn.Tanh(), nn.Conv2d(64, 64, 3, padding=1)]
    model = nn.Sequential(*layers)
    edge_of_chaos_(model, weights="delta-orthogonal", last_layer="match")
    return model


@pytest.mark.parametrize(
    ("build", "shape"),
    [
        (Gated, (16, 30)),
        (Returning, (16, 30)),
        (Last, (10, 16, 30)),
        (shifted, (16, 30)),
        (delta, (4, 64, 6, 6)),
    ],
)
def test_random_weights_are_no_departure_whatever_the_model_makes_of_them(
    build: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    assert audit(build(), torch.randn(shape)).departs is None


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda y: y.square().sum() * math.inf, "loss is inf"),
        (lambda y: y.nothing, "loss does not take what the model returns"),
    ],
)
def test_a_loss_that_gives_no_gradient_is_told(loss: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        audit(nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3)), normals(6, 10) + 5, loss=loss)
