"""Gradients that an audit measures: where they come back from, where they are 0, and what it costs."""

from __future__ import annotations

import copy
import math
import warnings
from typing import Any, ClassVar

import pytest
import torch
from random_models import mlp, normals
from torch import Tensor, nn

import meanfield as mf
from meanfield.errors import DomainError
from meanfield.torch import edge_of_chaos_, observing
from meanfield.torch.audit import audit
from meanfield.torch.measuring import measured


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
    monkeypatch.setattr(observing, "measured", measure)
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


def test_that_no_gradient_came_back_is_told() -> None:
    model = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 3))
    assert "Gradients are not compared" in audit(model, normals(6, 10), loss=lambda y: y.sum().detach()).verdict


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
