"""An audit of dropout, norms and other code, anybody's: what theory says there, and which axis counts units."""

from __future__ import annotations

import contextlib
import copy
import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from random_models import cnn, normals
from torch import Tensor, nn

from meanfield.errors import DomainError
from meanfield.torch import edge_of_chaos_
from meanfield.torch.audit import audit


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
