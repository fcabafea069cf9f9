"""What is measured of a model and what theory says of it, against numbers worked out apart from the package."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from random_models import cnn, mlp, normals
from scipy.integrate import quad
from torch import Tensor, nn

import meanfield as mf
from meanfield.cli.audit import _ROW
from meanfield.errors import DomainError
from meanfield.quantities import QUANTITIES
from meanfield.torch import edge_of_chaos_
from meanfield.torch.audit import Audit, audit
from meanfield.torch.expecting import columns, products


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
