"""What lies between layers that are initialised: dropout, pooling, normalisations, PyTorch's or somebody's."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traced_models import Functions

import meanfield as mf
from meanfield.torch.initialise import edge_of_chaos_


def test_the_report_says_what_pooling_dropout_and_missing_biases_do() -> None:
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8, bias=False), nn.Tanh()),
        nn.Linear(8, 8),
    )
    report = edge_of_chaos_(model)
    # E max(z₁…z₄, 0)² = ½·(2 + …) by order statistics: 4∫ z² Φ³ ϕ over z > 0, twice of that over E relu².
    z = torch.linspace(0, 12, 400_001, dtype=torch.float64)
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    largest = torch.trapezoid(4 * z**2 * torch.special.ndtr(z) ** 3 * density, z).item() / 0.5
    assert f"1 (positions alike) to {largest:.3g} (independent)" in report["3"].notes[1]
    # (E relu²/4 + ¾ (E relu)²)/E relu², E relu = 1/√(2π).
    assert f"to {0.25 + 0.75 / math.pi:.3g} (independent)" in " ".join(report["8"].notes)
    assert "counts 1.25 times" in " ".join(report["8"].notes)
    assert any("pads with zeros" in note for note in report["3"].notes)
    assert any("no biases" in note for note in report["10"].notes)
    # A matrix at the centre of the kernel sees no zeros around.
    assert not any("zeros" in warning for warning in edge_of_chaos_(model, weights="delta-orthogonal").warnings)
    assert (report["10"].sigma_b, report["12"].left) == (0.0, "the last layer, kept")


@pytest.mark.parametrize("inputs", [None, torch.ones(2, 6)], ids=["symbolic", "recorded"])
def test_dropout_by_a_function_is_told_as_by_a_module(inputs: Tensor | None) -> None:
    for training, told in ((True, ["comes after dropout, in training σ_w² counts 1.25 times"]), (False, [])):
        model = Functions(lambda x, t=training: F.dropout(x.relu(), 0.2, training=t))
        notes = edge_of_chaos_(model, inputs=inputs, last_layer="match")["second"].notes
        assert [note.partition(";")[0] for note in notes] == told


@pytest.mark.parametrize("inputs", [None, torch.ones(2, 6)], ids=["symbolic", "recorded"])
@pytest.mark.parametrize(
    ("function", "told"),
    [
        # Of these two training=False is the default.
        (F.alpha_dropout, False),
        (F.feature_alpha_dropout, False),
        (lambda x: F.alpha_dropout(x, 0.5, True), True),
        (lambda x: F.dropout(x, 0.5, False), False),
        (lambda x: torch.dropout(x, p=0.5, train=False), False),
        (lambda x: torch.dropout(x, 0.5, False), False),
        (lambda x: torch.dropout(x, 0.5, True), True),
    ],
)
def test_functions_that_drop_are_asked_whether_they_train(function: Any, told: bool, inputs: Tensor | None) -> None:
    model = Functions(lambda x: function(x.tanh()))
    report = edge_of_chaos_(model, inputs=inputs, last_layer="match")["second"]
    assert report.activation == "tanh"
    assert any("drop" in note for note in report.notes) == told


class DropPath(nn.Module):
    def __init__(self, drop_prob: float, scale_by_keep: bool = True) -> None:
        super().__init__()
        self.drop_prob, self.scale_by_keep = drop_prob, scale_by_keep

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        keep = 1 - self.drop_prob
        mask = torch.empty(len(x), *[1] * (x.ndim - 1)).bernoulli_(keep)
        return x * (mask / keep if self.scale_by_keep else mask)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("traced", ["symbolic", "recorded"])
@pytest.mark.parametrize(
    ("module", "told"),
    [
        (nn.Dropout(0.2), "counts 1.25 times"),
        (nn.Dropout1d(0.2), "counts 1.25 times"),
        # Numbers of mean 0 and variance 1 keep these; others have another factor than 1/(1 - p).
        (nn.AlphaDropout(0.2), "random dropping"),
        (nn.FeatureAlphaDropout(0.2), "random dropping"),
        (DropPath(0.2), "counts 1.25 times"),
        (DropPath(0.2, scale_by_keep=False), "random dropping"),
    ],
    ids=repr,
)
def test_dropout_in_either_mode_is_told_of_a_model_to_be_trained(
    module: nn.Module, told: str, traced: str, training: bool
) -> None:
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), module, nn.Linear(6, 6)).train(training)
    inputs = None if traced == "symbolic" else torch.ones(2, 6)
    report = edge_of_chaos_(model, inputs=inputs, last_layer="match")["3"]
    assert report.activation == "tanh"
    assert any(told in note for note in report.notes)


class RMSNorm(nn.Module):
    """Its factors are 1 + w."""

    def __init__(self, size: int, w: float = 1.0) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((size,), w))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * (1 + self.scale)


class LayerNorm2d(nn.Module):
    """Along the channels of images, with a shift."""

    def __init__(self, channels: int, factor: float, shift: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), factor))
        self.beta = nn.Parameter(torch.full((channels,), shift))

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(1, keepdim=True)
        x = x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)
        return self.gamma[:, None, None] * x + self.beta[:, None, None]


class GRN(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.zeros(size)), nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        energy = x.norm(dim=0, keepdim=True)
        return x + self.gamma * (x * energy / (energy.mean(-1, keepdim=True) + 1e-6)) + self.beta


class ImageNorm(nn.Module):
    """Over channels and positions, with parameters under any name."""

    def __init__(self, name: str, *shape: int) -> None:
        super().__init__()
        self.name, self.shape = name, shape
        setattr(self, name, nn.Parameter(torch.full(shape, 3.0)))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.shape, getattr(self, self.name))


class ImageLayerNorm(ImageNorm):
    pass


class FrozenBatchNorm2d(nn.Module):
    """With statistics that nothing changes, as torchvision writes it."""

    def __init__(self, channels: int, mean: float, variance: float) -> None:
        super().__init__()
        self.register_buffer("weight", torch.full((channels,), 2.0))
        self.register_buffer("bias", torch.full((channels,), -1.0))
        self.register_buffer("running_mean", torch.full((channels,), mean))
        self.register_buffer("running_var", torch.full((channels,), variance))

    def forward(self, x: Tensor) -> Tensor:
        weight, bias, mean, variance = (held[:, None, None] for held in self.buffers())
        scale = weight * (variance + 1e-5).rsqrt()
        return x * scale + bias - mean * scale


class PlainBatchNorm(nn.BatchNorm2d):
    pass


def plain_frozen(channels: int, mean: float, variance: float) -> nn.Module:
    norm = PlainBatchNorm(channels).eval()
    norm.load_state_dict({**norm.state_dict(), **FrozenBatchNorm2d(channels, mean, variance).state_dict()})
    return norm


@pytest.mark.parametrize("traced", ["symbolic", "recorded"])
@pytest.mark.parametrize(
    ("norm", "shape", "square"),
    [
        (RMSNorm(6, 0.0), (6,), 1.0),
        (RMSNorm(7, 0.0), (7,), 1.0),
        (LayerNorm2d(6, 2.0, -1.0), (6, 4, 4), 2.0**2 + 1),
        (ImageLayerNorm("weight", 6, 4, 4), (6, 4, 4), 3.0**2),
        # Whatever runs through them now: the layers before are drawn anew.
        *((norm(6, 3.0, 4.0), (6, 4, 4), 2.0**2 + 1) for norm in (FrozenBatchNorm2d, plain_frozen)),
    ],
)
def test_a_norm_that_somebody_wrote_is_one(norm: nn.Module, shape: tuple[int, ...], square: float, traced: str) -> None:
    layer: Any = nn.Linear(shape[0], shape[0]) if len(shape) == 1 else nn.Conv2d(6, 6, 1)
    model = nn.Sequential(copy.deepcopy(layer), norm, layer)
    inputs = None if traced == "symbolic" else 30 * torch.randn(2, *shape)
    report = edge_of_chaos_(model, q_star=3.0, inputs=inputs, last_layer="match")["2"]
    assert report.activation == f"normalised ({type(norm).__name__})"
    assert report.sigma_w == pytest.approx(math.sqrt(3.0 / square), rel=1e-5)
    guessed = traced == "symbolic" and not [*norm.buffers()]
    assert any("which is a guess: give inputs" in note for note in report.notes) == guessed


@pytest.mark.parametrize(
    ("norm", "shape", "square"),
    [(RMSNorm(6), (6,), 2.0**2), (ImageLayerNorm("theta", 6, 4, 4), (6, 4, 4), 3.0**2)],
)
def test_what_a_norm_makes_is_measured_or_said_to_be_a_guess(
    norm: nn.Module, shape: tuple[int, ...], square: float
) -> None:
    layer: Any = nn.Linear(6, 6) if len(shape) == 1 else nn.Conv2d(6, 6, 1)
    model = nn.Sequential(copy.deepcopy(layer), norm, layer)
    measured = edge_of_chaos_(model, inputs=30 * torch.randn(2, *shape), last_layer="match")["2"]
    assert measured.sigma_w == pytest.approx(square**-0.5, rel=1e-5)
    guessed = edge_of_chaos_(model, last_layer="match")["2"]
    assert guessed.sigma_w == 1.0
    assert "is drawn for a mean square of 1, which is a guess: give inputs" in " ".join(guessed.notes)


@pytest.mark.parametrize("traced", ["symbolic", "recorded"])
def test_a_response_norm_is_a_factor(traced: str) -> None:
    inputs = None if traced == "symbolic" else torch.ones(2, 6)
    model = nn.Sequential(nn.Linear(6, 6), nn.GELU(), GRN(6), nn.Linear(6, 6))
    report = edge_of_chaos_(model, inputs=inputs, last_layer="match")["3"]
    assert (report.activation, report.sigma_w) == ("gelu", mf.edge_of_chaos(mf.activation("gelu")).sigma_w)
    assert any("a factor of its own" in note for note in report.notes)


@pytest.mark.parametrize("inputs", [None, torch.ones(2, 6)], ids=["symbolic", "recorded"])
def test_a_normalisation_has_the_mean_square_of_its_factors(inputs: Tensor | None) -> None:
    class Scaled(Functions):
        def __init__(self) -> None:
            super().__init__(None)
            self.gain, self.shift = nn.Parameter(torch.full((6,), 2.0)), nn.Parameter(torch.full((6,), -1.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.second(F.layer_norm(self.first(x), (6,), self.gain, bias=self.shift))

    by_module = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 6))
    nn.init.constant_(by_module[1].weight, 2.0)
    nn.init.constant_(by_module[1].bias, -1.0)
    for model, name in ((Scaled(), "second"), (by_module, "2")):
        report = edge_of_chaos_(model, q_star=3.0, inputs=inputs, last_layer="match")
        assert report[name].sigma_w == pytest.approx(math.sqrt(3 / (4 + 1)))


def test_numbers_that_several_norms_made_are_measured_or_said_to_be_a_guess() -> None:
    class Side(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.layer = nn.LayerNorm(6), nn.LayerNorm(6), nn.Linear(12, 6)
            nn.init.constant_(self.two.weight, 3.0)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(torch.cat([self.one(x), self.two(x)], -1))

    measured = edge_of_chaos_(Side(), inputs=30 * torch.randn(8, 6), last_layer="match")["layer"]
    assert measured.sigma_w == pytest.approx(((1 + 9) / 2) ** -0.5, rel=1e-3)
    guessed = edge_of_chaos_(Side(), inputs=4.0, last_layer="match")["layer"]
    assert guessed.sigma_w == 1.0
    assert any("which is a guess" in note for note in guessed.notes)


def test_what_stands_between_a_normalisation_and_a_layer_is_told() -> None:
    model = nn.Sequential(nn.Linear(10, 10), nn.LayerNorm(10), nn.Dropout(0.5), nn.Linear(10, 10), nn.ReLU())
    report = edge_of_chaos_(model, last_layer="match")
    assert any("comes after dropout" in note for note in report["3"].notes)
