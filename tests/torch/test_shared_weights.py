"""Weights that several layers, functions or an embedding take: what is told of them, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from meanfield.errors import DomainError
from meanfield.torch.initialise import edge_of_chaos_


def test_weights_that_no_layer_holds_are_told() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.layer = nn.Parameter(torch.ones(4, 4)), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(F.linear(x, self.weight).relu())

    for inputs in (None, torch.ones(2, 4)):
        model = Own()
        report = edge_of_chaos_(model, inputs=inputs, last_layer="match")
        assert report["layer"].activation == "relu"
        assert "linear: uses weights that no layer applies, and they are left alone" in report.warnings
        assert model.weight.eq(1).all()


def test_layers_that_share_a_parameter_are_told() -> None:
    a, b = nn.Linear(10, 10), nn.Linear(10, 10)
    b.weight = a.weight
    report = edge_of_chaos_(nn.Sequential(nn.Linear(10, 10), nn.ReLU(), a, nn.ReLU(), b, nn.ReLU(), nn.Linear(10, 3)))
    assert any(warning.startswith("2, 4: is used more than once") for warning in report.warnings)


@pytest.mark.parametrize("inputs", [None, torch.ones(2, 8)], ids=["symbolic", "recorded"])
@pytest.mark.parametrize(
    "decode",
    [
        lambda h, w: F.linear(h, w.t()),
        lambda h, w: F.linear(h, w.transpose(0, 1)),
        lambda h, w: F.linear(h, w.T),
        lambda h, w: h @ w,
        lambda h, w: h @ w.T.mT,
        lambda h, w: torch.einsum("bi,ij->bj", h, w),
        lambda h, w: torch.addmm(torch.zeros(8), h, w),
    ],
)
def test_weights_that_a_function_takes_again_are_told(decode: Any, inputs: Tensor | None) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.inner = nn.Linear(8, 6), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            h = self.inner(self.e(x).to(self.inner.weight.dtype).relu())
            return decode(h.relu(), self.e.weight)

    report = edge_of_chaos_(Tied(), inputs=inputs)
    # The function is the last layer, and the precision of weights is no use of them.
    assert [layer.left for layer in report.layers] == ["", ""]
    assert any("used more than once with the same weights" in note for note in report["e"].notes)
    assert len(report.warnings) == 1


class Taking(nn.Module):
    """A function that takes the weights of `a`."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], inside: int, outside: int) -> None:
        super().__init__()
        self.a, self.b, self.function = nn.Linear(inside, outside), nn.Linear(inside, inside), function

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.function(self.a(x).relu(), self.a.weight).relu())


@pytest.mark.parametrize("inputs", [None, torch.ones(2, 50)], ids=["symbolic", "recorded"])
@pytest.mark.parametrize(
    "function",
    [
        lambda h, w: F.linear(h, w.t()),
        lambda h, w: F.linear(h, w.T * 1.0),
        lambda h, w: F.linear(h, w.data.T),
        lambda h, w: h @ (w / 1.0),
    ],
)
def test_what_it_costs_that_a_function_takes_weights_is_told(function: Any, inputs: Tensor | None) -> None:
    model = Taking(function, 50, 400)
    report = edge_of_chaos_(model, inputs=inputs, last_layer="match", generator=torch.Generator().manual_seed(0))
    (note,) = (note for note in report["a"].notes if "used more than once" in note)
    assert note.endswith("turned, they sum over 400 units, and σ_w² counts 8 times")
    assert not any("no layer applies" in warning for warning in report.warnings)
    # The mean square of 20 000 weights is known to 1 %, and that of h as well.
    random = torch.Generator().manual_seed(1)
    h, x, w = torch.randn(400, 400, generator=random), torch.randn(400, 50, generator=random), model.a.weight
    assert report["a"].sigma_w == 1.0
    assert function(h, w).square().mean().item() == pytest.approx(8, rel=0.05)
    # With E relu² = E relu' = 1/2; 400 units know either to 10 %.
    assert function((x @ w.T).relu(), w).square().mean().item() == pytest.approx(8 / 2 + (8 / 2) ** 2, rel=0.1)


class LookedUp(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor], own: bool) -> None:
        super().__init__()
        self.a, self.h, self.o = nn.Linear(64, 64), nn.Linear(64, 50, bias=False), nn.Linear(50, 5)
        self.table = nn.Parameter(3 * torch.ones(50, 64)) if own else None
        self.function = function

    def forward(self, words: Tensor) -> Tensor:
        table = self.h.weight if self.table is None else self.table
        return self.o(torch.tanh(self.h(torch.tanh(self.a(F.embedding(words, self.function(table)))))))


@pytest.mark.parametrize("inputs", [None, torch.arange(8)], ids=["symbolic", "recorded"])
def test_a_function_may_be_an_embedding(inputs: Tensor | None) -> None:
    report = edge_of_chaos_(LookedUp(lambda w: w, own=True), inputs=inputs)
    assert (report["a"].activation, report["a"].sigma_w) == ("an embedding", pytest.approx(1 / 3))
    report = edge_of_chaos_(LookedUp(lambda w: 2 * w, own=True), inputs=inputs)
    assert report["a"].sigma_w == pytest.approx(1.0 if inputs is None else 1 / 6)
    assert any("give inputs, a batch" in note for note in report["a"].notes) == (inputs is None)
    # Drawn anew, the weights would be another embedding than that which `a` is drawn for.
    for function in (lambda w: w, lambda w: 8.0 * w):
        model = LookedUp(function, own=False)
        before = model.h.weight.clone()
        with pytest.raises(DomainError, match="h and an embedding share their weights"):
            edge_of_chaos_(model, inputs=inputs)
        assert torch.equal(model.h.weight, before)
