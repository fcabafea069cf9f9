"""Which layer gets what, what is left alone and why, and what is refused before anything is changed."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune, spectral_norm
from traced_models import Functions, chain, found

import meanfield as mf
from meanfield.errors import ActivationError, DomainError, NoEdgeOfChaos
from meanfield.quantities import QUANTITIES
from meanfield.torch.initialise import Initialised, edge_of_chaos_


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (nn.ReLU(inplace=True), "relu"),
        (nn.LeakyReLU(0.2), "leaky-relu(slope=0.2)"),
        (nn.GELU(approximate="tanh"), "gelu-tanh"),
        (nn.Hardtanh(-2.0, 2.0), "hard-tanh(min_val=-2, max_val=2)"),
        (nn.ELU(0.5), "elu(alpha=0.5)"),
        (nn.PReLU(4), "prelu(init=0.25)"),
        (nn.SiLU(), "silu"),
        (nn.Softshrink(0.3), "soft-threshold(tau=0.3)"),
    ],
)
def test_every_layer_gets_the_edge_of_its_own_activation(module: nn.Module, name: str) -> None:
    model = chain(module, nn.Tanh(), width=4)
    report = edge_of_chaos_(model, last_layer="match", q_star=1.3)
    assert [layer.activation for layer in report.layers] == ["the input", name, "tanh"]
    for layer, phi in zip(report.layers[1:], (name, "tanh"), strict=True):
        edge = mf.edge_of_chaos(mf.activation(phi), 1.3)
        assert (layer.sigma_w, layer.sigma_b) == (edge.sigma_w, edge.sigma_b)


def test_every_layer_gets_the_gain_that_is_asked_for() -> None:
    model = chain(nn.ReLU(), nn.Tanh(), width=4)
    report = edge_of_chaos_(model, last_layer="match", q_star=1.3, chi_1=0.9)
    for layer, phi in zip(report.layers[1:], ("relu", "tanh"), strict=True):
        edge = mf.edge_of_chaos(mf.activation(phi), 1.3, 0.9)
        assert (layer.sigma_w, layer.sigma_b) == (edge.sigma_w, edge.sigma_b)
    # What receives the input has the variance q* and no gain of its own.
    assert report.layers[0].sigma_w == pytest.approx(math.sqrt(1.3)) and report.layers[0].sigma_b == 0
    assert report.chi_1 == report.record()["chi_1"] == 0.9
    assert str(report).startswith("gaussian weights with χ₁ = 0.9 at q* = 1.3\n")
    assert str(edge_of_chaos_(model)).startswith("gaussian weights on the edge of chaos at q* = 1\n")


@pytest.mark.parametrize(
    ("c", "error", "said"),
    [
        (0.0, DomainError, "chi_1 = 0 is no gain"),
        (math.nan, DomainError, "chi_1 = nan is no gain"),
        (1.1, NoEdgeOfChaos, r"receives relu: at q\* = 1, χ₁ = 1.1 .* χ₁ <= 1 would do"),
    ],
)
def test_a_gain_that_no_layer_can_have_is_refused(c: float, error: type[Exception], said: str) -> None:
    model = chain(nn.ReLU(), width=4)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(error, match=said):
        edge_of_chaos_(model, last_layer="match", chi_1=c)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


class Swish(nn.Module):
    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(beta))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.beta * x)


@pytest.mark.parametrize("inputs", [None, torch.ones(2, 6)], ids=["symbolic", "recorded"])
@pytest.mark.parametrize(
    ("function", "phi"),
    [
        (F.relu, "relu"),
        (lambda x: F.leaky_relu(x, 0.1), "leaky-relu(0.1)"),
        (lambda x: F.gelu(x, approximate="tanh"), "gelu-tanh"),
        (lambda x: x.tanh(), "tanh"),
        (lambda x: x * torch.sigmoid(x), "silu"),
        (lambda x: x.clamp(-1, 1), "hard-tanh"),
        (lambda x: 0.5 * x.clone().relu_(), "max(x, 0)/2"),
        (lambda x: F.dropout(F.softplus(x, 1, 20) - math.log(2), 0.0).flatten(1), "softplus(x) - log(2)"),
        (Swish(1.5), "swish(1.5)"),
        (lambda x: x + 0.5 * torch.tanh(x), "x + tanh(x)/2"),
    ],
)
def test_functions_and_code_are_read_whichever_way_it_is_traced(function: Any, phi: str, inputs: Tensor | None) -> None:
    # An independent φ at a q* at which all of them have an edge.
    edge = mf.edge_of_chaos(mf.activation(phi), 4.0)
    report = edge_of_chaos_(Functions(function), q_star=4.0, last_layer="match", inputs=inputs)
    assert report["second"].sigma_w == pytest.approx(edge.sigma_w, rel=1e-9)
    assert report["second"].sigma_b == pytest.approx(edge.sigma_b, rel=1e-6, abs=1e-9)


class Branches(nn.Module):
    """A norm, a residual sum, a concatenation, a gate and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.inner, self.after_sum = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.after_cat, self.after_norm, self.gated = nn.Linear(16, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.mixed, self.head = nn.Linear(16, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        h = h + self.inner(h.tanh())
        h = self.after_sum(F.relu(h))
        h = self.after_cat(torch.cat([h.relu(), F.relu(-h)], dim=-1) if self.training else F.relu(h).repeat(1, 1, 2))
        h = self.after_norm(self.norm(h))
        h = self.gated(h * torch.sigmoid(self.stem(x)))
        h = self.mixed(torch.cat([h.relu(), h.tanh()], -1))
        return self.head(self.attention(h, h, h)[0])


def test_what_lies_between_is_told_and_nothing_is_guessed() -> None:
    report = edge_of_chaos_(Branches(), inputs=torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(0)))
    told = {layer.module: (layer.activation, layer.left) for layer in report.layers}
    assert told["inner"] == ("tanh", "")
    assert told["after_sum"] == ("relu", "")
    assert any("sum of branches" in note for note in report["after_sum"].notes)
    assert told["after_norm"] == ("normalised (LayerNorm)", "")
    assert told["gated"][1] == told["mixed"][1] == "no activation is known"
    assert "relu and tanh side by side" in told["mixed"][0]
    assert told["attention.out_proj"][1] == "part of attention, which the theory does not cover"
    assert told["head"][1] == "the last layer, kept"
    assert any(warning.startswith("attention: MultiheadAttention: left alone") for warning in report.warnings)
    # -h is a stretch of its own: max(-x, 0) is not max(x, 0), and no edge is taken for both.
    assert told["after_cat"][1] == "no activation is known"


def test_a_fallback_is_for_layers_of_which_nothing_is_known() -> None:
    x = torch.ones(4, 5, 8)
    report = edge_of_chaos_(Branches(), "gelu", inputs=x)
    gelu = mf.edge_of_chaos(mf.activation("gelu"))
    assert report["gated"].sigma_w == report["mixed"].sigma_w == gelu.sigma_w
    assert report["inner"].activation == "tanh"


class Wilful(nn.Module):
    """What depends on numbers cannot be traced without them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        return self.third(self.second(h.relu() if h.sum() > 1e9 else h.tanh()).sin())


def test_a_model_that_cannot_be_traced_needs_a_batch_or_an_activation() -> None:
    model = Wilful()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(DomainError, match=r"cannot be traced .* give inputs="):
        edge_of_chaos_(model)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert found(model, inputs=torch.ones(2, 4)) == ["the input", "tanh", "sin"]
    assert found(model, activation="tanh") == ["the input", "tanh, as given", "tanh, as given"]


def test_first_and_last_layers_can_be_kept() -> None:
    model = chain(nn.ReLU(), nn.ReLU())
    before = copy.deepcopy(model.state_dict())
    report = edge_of_chaos_(model, first_layer="keep")
    assert [layer.left for layer in report.layers] == ["the first layer, kept", "", "the last layer, kept"]
    changed = {key for key, value in model.state_dict().items() if not torch.equal(before[key], value)}
    assert changed == {"2.weight", "2.bias"}


def test_all_ends_of_a_model_are_last_layers() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 1), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h = self.body(x).relu()
            return self.one(h).tanh(), self.two(h)

    assert [layer.left for layer in edge_of_chaos_(Heads()).layers] == ["", *["the last layer, kept"] * 2]


@pytest.mark.parametrize(
    ("layer", "fan_in", "kind"),
    [
        (nn.Conv1d(6, 64, 5), 30, "conv 5"),
        (nn.Conv2d(6, 64, (3, 1), stride=2, groups=2), 9, "conv 3x1 /2, 2 groups"),
        (nn.Conv3d(2, 64, 3), 54, "conv 3x3x3"),
        (nn.Conv2d(6, 96, 3, groups=6), 9, "depthwise 3x3"),
        (nn.ConvTranspose2d(6, 64, 4, stride=2), 24, "transposed conv 4x4 /2"),
        (nn.ConvTranspose1d(6, 64, 6, stride=3, groups=2), 6, "transposed conv 6 /3, 2 groups"),
    ],
)
@pytest.mark.parametrize("weights", ["gaussian", "uniform", "truncated", "orthogonal"])
def test_outputs_sum_over_fan_in_weights(layer: nn.Module, fan_in: int, kind: str, weights: Any) -> None:
    # Of constant inputs, all 1, in the middle an output has variance σ_w² over weights drawn anew.
    model, generator = nn.Sequential(layer), torch.Generator().manual_seed(2)
    dimensions = layer.weight.ndim - 2  # type: ignore[union-attr,operator]
    x = torch.ones(1, 6 if dimensions < 3 else 2, *[15] * dimensions)
    squares = []
    for _ in range(40):
        report = edge_of_chaos_(model, last_layer="match", weights=weights, generator=generator)
        with torch.no_grad():
            middle = layer(x)[(slice(None), slice(None), *[slice(6, 9)] * dimensions)]
        squares.append(middle.square().mean().item())
    (row,) = report.layers
    assert (row.fan_in, row.kind, row.sigma_w) == (fan_in, kind, 1.0)
    mean, sd = torch.tensor(squares).mean().item(), torch.tensor(squares).std().item()
    assert mean == pytest.approx(1.0, abs=4 * sd / math.sqrt(len(squares)))


@pytest.mark.parametrize(("rows", "columns"), [(5, 8), (8, 5), (6, 6)])
def test_rows_or_columns_are_orthogonal(rows: int, columns: int) -> None:
    model = nn.Sequential(nn.Linear(columns, rows).double())
    edge_of_chaos_(model, last_layer="match", weights="orthogonal", q_star=2.0)
    w = model[0].weight.detach()
    gram = w @ w.T if rows <= columns else w.T @ w
    # Entries of variance 2/fan_in either way.
    size = 2.0 if rows <= columns else 2.0 * rows / columns
    assert torch.allclose(gram, size * torch.eye(min(rows, columns), dtype=torch.float64), atol=1e-12)


def test_delta_orthogonal_weights_stand_at_the_centre() -> None:
    model = nn.Sequential(nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 5, groups=2)).double()
    report = edge_of_chaos_(model, last_layer="match", weights="delta-orthogonal")
    w = model[2].weight.detach()
    for group in w.chunk(2):
        centre = group[:, :, 2, 2]
        assert torch.allclose(centre @ centre.T, 2 * torch.eye(3, dtype=torch.float64), atol=1e-12)
    w[:, :, 2, 2] = 0
    assert not w.any()
    assert [layer.fan_in for layer in report.layers] == [4, 3]


def _shared() -> nn.Module:
    model = chain(nn.ReLU(), nn.Tanh(), nn.ReLU())
    model[4].weight = model[2].weight
    return model


def _tied() -> nn.Module:
    model = nn.Sequential(nn.Embedding(8, 8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    model[3].weight = model[0].weight
    return model


def _used_twice() -> nn.Module:
    layer = nn.Linear(8, 8)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(8, 8))


def _changed(model: nn.Module, change: Any) -> nn.Module:
    change(model[2])  # type: ignore[index]
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 4)), "2 is lazy"),
        (lambda: chain(nn.ReLU(), nn.ReLU()).to("meta"), "of 0 is on the meta device"),
        (lambda: _changed(chain(nn.ReLU(), nn.ReLU()), parametrizations.weight_norm), "weight of 2 is computed"),
        (lambda: _changed(chain(nn.ReLU(), nn.ReLU()), spectral_norm), "weight of 2 is computed"),
        (
            lambda: _changed(chain(nn.ReLU(), nn.ReLU()), lambda m: prune.random_unstructured(m, "weight", 0.5)),
            "2 is computed",
        ),
        (
            lambda: _changed(chain(nn.ReLU(), nn.ReLU()), lambda m: prune.random_unstructured(m, "bias", 0.5)),
            "bias of 2 is",
        ),
        (lambda: _shared(), "2 and 4 share their weights"),
        (lambda: _tied(), "3 and 0 share their weights"),
        (lambda: _used_twice(), "0 is used 2 times, and needs different weights"),
        (
            lambda: nn.Sequential(nn.Linear(2, 2, dtype=torch.complex64), nn.ReLU(), nn.Linear(2, 2)),
            "holds torch.complex64",
        ),
        (lambda: nn.Sequential(nn.Flatten(), nn.ReLU()), "no linear and no convolutional layer"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_what_cannot_be_done_is_refused_in_a_line(make: Callable[[], nn.Module], message: str) -> None:
    model = make()
    before = {key: value for key, value in model.state_dict().items() if not value.is_meta}
    copies = {k: v.clone() for k, v in before.items() if not isinstance(v, nn.parameter.UninitializedParameter)}
    with pytest.raises(DomainError, match=message) as refusal:
        edge_of_chaos_(model)
    assert "\n" not in str(refusal.value)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in copies.items())


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"q_star": -1.0}, DomainError, "q_star"),
        ({"inputs": 0.0}, DomainError, "no mean square"),
        ({"inputs": True}, DomainError, "inputs = True is not a number"),
        ({"inputs": "3"}, DomainError, "inputs = 3 is no batch"),
        ({"inputs": torch.full((2, 8), torch.nan)}, DomainError, "receives numbers of mean square nan"),
        ({"generator": 3}, DomainError, "generator = 3 is no Generator"),
        ({"inputs": torch.zeros(2, 8)}, DomainError, "receives numbers of mean square 0"),
        ({"inputs": torch.ones(2, 7)}, DomainError, "does not run on the batch"),
        ({"first_layer": "match it"}, DomainError, "first_layer"),
        ({"weights": "laplace"}, DomainError, "gaussian, orthogonal"),
        ({"activation": "rleu"}, ActivationError, "rleu"),
        ({"activation": nn.Softmax(-1)}, ActivationError, "Softmax"),
    ],
)
def test_options_are_honoured_or_refused(options: dict[str, Any], kind: Any, message: str) -> None:
    model = chain(nn.ReLU(), nn.ReLU())
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(kind, match=message):
        edge_of_chaos_(model, **options)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_an_activation_without_an_edge_is_refused_before_anything_is_drawn() -> None:
    model = chain(nn.ReLU(), nn.Sigmoid(), nn.ReLU())
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    with pytest.raises(NoEdgeOfChaos, match=r"^4 receives sigmoid: at q\* = 1, "):
        edge_of_chaos_(model)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_delta_orthogonal_weights_need_a_centre() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 4), nn.ReLU(), nn.Conv2d(4, 4, 3))
    with pytest.raises(DomainError, match=r"0, conv 4x4: a kernel of even size has no centre"):
        edge_of_chaos_(model, weights="delta-orthogonal")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_drawn_in_single(dtype: torch.dtype) -> None:
    model = chain(nn.ReLU(), nn.ReLU(), width=256).to(dtype)
    edge_of_chaos_(model, generator=torch.Generator().manual_seed(0))
    w = model[2].weight.detach()
    assert w.dtype == dtype
    assert 256 * w.float().square().mean().item() == pytest.approx(2.0, rel=4 * math.sqrt(2) / 256)


def test_the_same_generator_draws_the_same_weights_and_leaves_pytorchs_own() -> None:
    state, drawn = torch.get_rng_state(), []
    models = [chain(nn.Tanh(), nn.Tanh()) for _ in range(2)]
    state = torch.get_rng_state()
    for model in models:
        edge_of_chaos_(model, generator=torch.Generator().manual_seed(9))
        drawn.append(model[2].weight)
    assert torch.equal(*drawn)
    assert torch.equal(state, torch.get_rng_state())


def test_a_batch_leaves_nothing_behind_in_the_model() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2))
    model.eval()
    model[1].train()
    buffers, x = copy.deepcopy(dict(model.named_buffers())), torch.randn(16, 8)
    kept = x.clone()
    state = torch.get_rng_state()
    edge_of_chaos_(model, inputs=x, generator=torch.Generator().manual_seed(9))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(x, kept) and not x.requires_grad
    assert all(torch.equal(buffers[name], buffer) for name, buffer in model.named_buffers())
    assert [m.training for m in model] == [False, True, False, False, False]
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_frozen_layers_are_left_alone() -> None:
    model = chain(nn.ReLU(), nn.ReLU())
    model[2].requires_grad_(False)
    assert edge_of_chaos_(model)["2"].left == "frozen (requires_grad is False)"


@pytest.mark.parametrize("inputs", [None, torch.ones(2, 6)], ids=["symbolic", "recorded"])
def test_what_a_function_makes_of_parameters_is_one(inputs: Tensor | None) -> None:
    class Scaled(Functions):
        def __init__(self) -> None:
            super().__init__(None)
            self.gain, self.own = nn.Parameter(torch.ones(1, 6, 1)), nn.Parameter(torch.ones(6))

        def forward(self, x: Tensor) -> Tensor:
            h = F.layer_norm(self.first(x), (6,), self.own.exp())
            return self.second(h.tanh() * self.gain.view(1, -1)[:, : x.shape[-1]])

    report = edge_of_chaos_(Scaled(), inputs=inputs, last_layer="match")["second"]
    assert report.activation == "tanh"
    assert any("a factor of its own" in note for note in report.notes)


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.layer = nn.Embedding(9, 16), nn.Embedding(4, 16), nn.Linear(16, 400)

    def forward(self, words: Tensor) -> Tensor:
        return self.layer(self.words(words) + self.places(torch.arange(4)))


def test_what_is_made_of_inputs_alone_is_an_input() -> None:
    # A batch is measured where a layer receives it; a number cannot tell, and that is noted.
    x = 3 * torch.rand(64, 50, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Identity(), nn.Linear(50, 400))
    model.forward = lambda x: model[1]((x - 0.5) / 0.2)  # type: ignore[method-assign]
    scaled = ((x - 0.5) / 0.2).square().mean().item()
    report = edge_of_chaos_(model, inputs=x, last_layer="match")
    assert (report["1"].activation, report["1"].notes) == ("the input", ())
    assert report["1"].sigma_w == pytest.approx(scaled**-0.5)
    words = torch.arange(36).reshape(9, 4) % 9
    report = edge_of_chaos_(Words(), inputs=words, last_layer="match", generator=torch.Generator().manual_seed(0))
    assert report["layer"].activation == "a sum of inputs"
    # Two independent embeddings of variance 1.
    assert report["layer"].sigma_w == pytest.approx(0.5**0.5, rel=0.2)
    assert any("give inputs" in note for note in edge_of_chaos_(Words(), last_layer="match")["layer"].notes)


def test_the_report_is_a_table_of_80_columns_and_a_record() -> None:
    report = edge_of_chaos_(chain(nn.ReLU(), nn.GELU(), nn.Tanh()))
    assert isinstance(report, Initialised)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["module", "kind", "fan_in", "activation", "σ_w", "σ_b"]
    with pytest.raises(DomainError, match="no layer of weights is called 1"):
        report["1"]
    record = report.record()
    assert {*record, *record["layers"][0]} <= {*QUANTITIES}
    assert [row["module"] for row in record["layers"]] == ["0", "2", "4", "6"]
    assert record["layers"][1]["sigma_w"] == mf.edge_of_chaos(mf.activation("relu")).sigma_w


def holding(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(10, 10)
    layer.weight = nn.Parameter(weight)
    return layer


def inferred() -> nn.Linear:
    with torch.inference_mode():
        return nn.Linear(10, 10)


@pytest.mark.parametrize(
    "build",
    [
        lambda: holding(torch.zeros(1, 1).expand(10, 10)),
        lambda: holding(torch.ones(10, 10).to_sparse()),
        inferred,
    ],
    ids=["expanded", "sparse", "inference"],
)
def test_weights_that_cannot_be_written_leave_all_others(build: Callable[[], nn.Linear]) -> None:
    model = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), build(), nn.ReLU(), nn.Linear(10, 3))
    before = model[0].weight.clone()
    with pytest.raises(DomainError, match="is sparse, expanded or made in inference mode"):
        edge_of_chaos_(model)
    assert torch.equal(model[0].weight, before)


def test_layers_are_measured_however_they_are_called() -> None:
    class Named(Functions):
        def forward(self, x: Tensor) -> Tensor:
            return self.second(input=self.first(input=x).relu())

    report = edge_of_chaos_(Named(None), inputs=torch.full((2, 6), 2.0), last_layer="match")
    assert [(layer.activation, layer.sigma_w) for layer in report.layers] == [
        ("the input", 0.5),
        ("relu", mf.edge_of_chaos(mf.activation("relu")).sigma_w),
    ]


def test_a_lazy_last_layer_is_left_as_others_are() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.LazyLinear(3))
    assert edge_of_chaos_(model)["2"].left == "the last layer, kept"


class Overwriting(nn.Module):
    """In place, what is returned not used; a gate; steps that meet again."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(20, 20) for _ in range(4))
        self.act, self.e = nn.ReLU(inplace=True), nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        F.tanh(h)
        F.relu_(h)
        h = self.b(h)
        self.act(h)
        h = self.c(h)
        for _ in range(12):
            h = h + 0.1 * torch.tanh(h)
        u, v = self.d(h).chunk(2, -1)
        return self.e(F.silu(u) * v)


@pytest.mark.parametrize("inputs", [None, torch.ones(4, 20)], ids=["traced", "recorded"])
def test_what_works_in_place_meets_again_or_is_a_gate_is_read_alike(inputs: Tensor | None) -> None:
    report = edge_of_chaos_(Overwriting(), last_layer="match", inputs=inputs)
    assert [report[name].activation for name in "bcd"] == ["relu", "relu", "tanh then mul then add"]
    assert (report["e"].activation, report["e"].left) == ("product", "no activation is known")


def test_numbers_written_into_a_tensor_are_not_known() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(10, 10), nn.Linear(10, 3)

        def forward(self, x: Tensor) -> Tensor:
            h = self.a(x)
            h[h < 0] = 0
            return self.b(h)

    report = edge_of_chaos_(Masked(), last_layer="match", inputs=torch.ones(4, 10))
    assert report["b"].left == "no activation is known"
