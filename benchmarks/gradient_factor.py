"""Which change of a gradient costs training: the tables of docs/theory.md. Run: python benchmarks/gradient_factor.py.

Networks of many shapes are drawn and trained for a few hundred steps, and chains foretell their gradients. Needs torch,
and Fashion-MNIST from Debian's package dataset-fashion-mnist. Takes an hour on one processor.

Accuracy is that above chance, relative to ReLU on its edge of chaos at the same width and depth.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import ndtri
from torch import Tensor
from torch.nn import functional

import meanfield as mf
from meanfield.infinite_width.moments import second_moment

IMAGES = Path("/usr/share/datasets/fashion-mnist")
SMOOTH = {"tanh": torch.tanh, "gelu": functional.gelu, "silu": functional.silu, "elu": functional.elu}
SHAPES = ((64, 10), (64, 30), (100, 30))
#: Which of the points, ReLU first, are tried at shapes that take long; and which off the edge.
FEW = {(200, 30): (0, 9, 16, 18, 21), (100, 60): (0, 2, 9, 15, 23)}
OFF_THE_EDGE = (0, 2, 3, 5, 13, 17, 21, 23)
CHAINS = 2000
DRAWS = 3
STEPS, WARM_UP, BATCH = 300, 50, 64
#: Of as many classes.
CLASSES = 10
#: Of ReLU's accuracy, what a network reaches that trains.
TRAINED = 0.7
FACTORS = (10, 30, 100, 300, 1000, 3000, 10_000, 100_000)
RISKS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)

#: χ₁ where gradients change by the same factor at every layer.
EVEN_GAINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)

Array = NDArray[np.float64]
Elementwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Setting:
    """Dense networks: `depth` square layers after that of the images, and one to the classes."""

    spec: str
    width: int
    depth: int
    q_star: float = 1.0
    chi1: float = 1.0

    @cached_property
    def weights(self) -> float:
        """σ_w²."""
        return self.chi1 * mf.edge_of_chaos(mf.activation(self.spec), self.q_star).sigma_w_squared

    @cached_property
    def biases(self) -> float:
        """σ_b², below 0 if there is no such network."""
        left = self.q_star - self.weights * float(second_moment(mf.activation(self.spec), self.q_star))
        return 0.0 if abs(left) < 1e-9 else left

    @cached_property
    def network(self) -> mf.MeanField:
        """With this q* and χ₁."""
        return mf.MeanField(mf.activation(self.spec), math.sqrt(self.weights), math.sqrt(self.biases))

    @property
    def phi(self) -> Elementwise:
        """The activation, for torch."""
        phi = self.network.activation
        if not isinstance(phi, mf.PiecewiseLinear):
            return SMOOTH[self.spec]
        ends = zip(phi.slopes, (-math.inf, *phi.knots), (*phi.knots, math.inf), strict=True)
        sloping = [piece for piece in ends if piece[0]]
        height = float(phi(0.0)) - sum(slope * min(max(0.0, low), high) for slope, low, high in sloping)
        return lambda h: sum(slope * torch.clamp(h, low, high) for slope, low, high in sloping) + height

    @property
    def is_neutral(self) -> bool:
        """No variance is special, and none can be left."""
        return mf.activation(self.spec).is_homogeneous and self.chi1 == 1


def points() -> Iterator[tuple[str, float]]:
    """Activations and q*: without zeros, and with 50 to 90 % of them."""
    yield from ((spec, 1.0) for spec in ("relu", "leaky-relu(0.1)", "hard-tanh", *SMOOTH))
    yield from (("hard-tanh", 0.3), ("tanh", 0.2))
    for share in (0.6, 0.7, 0.85):
        yield f"shifted-relu({ndtri(share):.5g})", 1.0
    for share in (0.5, 0.7, 0.85):
        yield f"soft-threshold({ndtri((1 + share) / 2):.5g})", 1.0
    for share, m in ((0.7, 1), (0.8, 1.2), (0.85, 0.81), (0.85, 1.17), (0.85, 1.74)):
        yield f"clipped-relu({ndtri(share):.5g}, {m})", 1.0
    for q in (1.0, 2.0, 4.0):
        yield f"clipped-relu({ndtri(0.9) * math.sqrt(q):.5g}, 1.61)", q
    for share, m in ((0.5, 1), (0.85, 0.67), (0.85, 1), (0.9, 1)):
        yield f"clipped-soft-threshold({ndtri((1 + share) / 2):.5g}, {m})", 1.0


def settings() -> Iterator[Setting]:
    """On the edge of chaos at every shape, fewer of the large ones; and off it."""
    every = list(points())
    for shape in SHAPES:
        yield from (Setting(spec, *shape, q) for spec, q in every)
    for shape, chosen in FEW.items():
        yield from (Setting(every[i][0], *shape, every[i][1]) for i in chosen)
    for i in OFF_THE_EDGE:
        for chi1 in (0.8, 0.9, 1.1, 1.2):
            off = Setting(every[i][0], *SHAPES[-1], every[i][1], chi1)
            if off.biases >= 0:
                yield off


class Images(NamedTuple):
    """Of mean square 1 once the mean image is taken off, and their classes."""

    x: Tensor
    y: Tensor


def images() -> tuple[Images, Images, Images]:
    """To train with, to choose the rate by, and to test."""
    (x, y), (x_test, y_test) = (_read("train"), _read("t10k"))
    mean = x[:20_000].mean(0)

    def scaled(x: Tensor, y: Tensor) -> Images:
        centred = x - mean
        return Images(centred / centred.square().mean(1, keepdim=True).sqrt(), y)

    chosen = slice(20_000, 22_000)
    return scaled(x[:20_000], y[:20_000]), scaled(x[chosen], y[chosen]), scaled(x_test[:4000], y_test[:4000])


def _read(part: str) -> tuple[Tensor, Tensor]:
    found = []
    for kind, header in (("images-idx3", 16), ("labels-idx1", 8)):
        raw = gzip.decompress((IMAGES / f"{part}-{kind}-ubyte.gz").read_bytes())
        found.append(torch.tensor(np.frombuffer(raw, np.uint8, offset=header)))
    return found[0].view(-1, 784) / 255, found[1].long()


class Optimiser(NamedTuple):
    """How to train, and the rates of which validation chooses one for each network."""

    kind: Callable[[list[dict[str, list[Tensor]]]], torch.optim.Optimizer]
    rates: tuple[float, ...]


ADAM = Optimiser(partial(torch.optim.Adam, fused=True), (2e-4, 4.5e-4, 1e-3))
SGD = Optimiser(partial(torch.optim.SGD, momentum=0.9), (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1))


class Networks:
    """As many as there are rates times draws, all trained side by side; the draws are the same at every rate."""

    def __init__(self, setting: Setting, optimiser: Optimiser) -> None:
        network, width, random = setting.network, setting.width, torch.Generator().manual_seed(1)

        def drawn(variance: float, *shape: int) -> Tensor:
            one = math.sqrt(variance) * torch.randn(DRAWS, *shape, generator=random)
            return one.repeat(len(optimiser.rates), 1, 1).requires_grad_()

        second = float(second_moment(network.activation, setting.q_star))
        layers = range(setting.depth)
        self.phi, self.optimiser = setting.phi, optimiser
        self.weights = [drawn(setting.q_star / 784, 784, width)]
        self.weights += [drawn(network.sigma_w_squared / width, width, width) for _ in layers]
        self.weights.append(drawn(1 / (width * second), width, CLASSES))
        self.biases = [drawn(0, 1, width), *(drawn(network.sigma_b_squared, 1, width) for _ in layers)]

    def __call__(self, x: Tensor) -> Tensor:
        """Logits, shape (networks, images, classes)."""
        first, *square, last = self.weights
        h = torch.baddbmm(self.biases[0], x.expand(len(first), -1, -1), first)
        for weights, bias in zip(square, self.biases[1:], strict=True):
            h = torch.baddbmm(bias, self.phi(h), weights)
        return torch.bmm(self.phi(h), last)

    def train(self, data: Images) -> None:
        """With a warm-up and the decay of a cosine."""
        parameters = [*self.weights, *self.biases]
        for p in parameters:
            p.grad = torch.zeros_like(p)
        rates = self.optimiser.rates
        optimiser = self.optimiser.kind([_part(parameters, i) for i in range(len(rates))])
        order = torch.randperm(len(data.x), generator=torch.Generator().manual_seed(0))
        for step, batch in zip(range(STEPS), order.split(BATCH), strict=False):
            for p in parameters:
                p.grad.zero_()
            logits = self(data.x[batch])
            loss = functional.cross_entropy(logits.flatten(0, 1), data.y[batch].repeat(len(logits)), reduction="sum")
            (loss / len(batch)).backward()
            cosine = (1 + math.cos(math.pi * max(0, step - WARM_UP) / (STEPS - WARM_UP))) / 2
            for rate, group in zip(rates, optimiser.param_groups, strict=True):
                group["lr"] = rate * min(1, (step + 1) / WARM_UP) * cosine
            optimiser.step()

    @torch.no_grad()
    def accuracies(self, data: Images) -> Tensor:
        """Shape (rates, draws)."""
        right = [self(x).argmax(-1) == y for x, y in zip(data.x.split(500), data.y.split(500), strict=True)]
        return torch.cat(right, 1).double().mean(1).view(-1, DRAWS)


def _part(parameters: list[Tensor], rate: int) -> dict[str, list[Tensor]]:
    """What of the parameters one rate trains, as a group for an optimiser."""
    own, views = slice(rate * DRAWS, (rate + 1) * DRAWS), []
    for p in parameters:
        view = p.detach()[own]
        assert p.grad is not None
        view.grad = p.grad[own]
        views.append(view)
    return {"params": views}


def trained_accuracy(setting: Setting, data: tuple[Images, Images, Images], optimiser: Optimiser = ADAM) -> float:
    """The mean over the draws, each at the rate that validation prefers."""
    networks = Networks(setting, optimiser)
    networks.train(data[0])
    best = networks.accuracies(data[1]).argmax(0)
    return float(networks.accuracies(data[2])[best, torch.arange(DRAWS)].mean())


@dataclass(frozen=True)
class Outcome:
    """What chains foretold of a setting, and how it trained."""

    setting: Setting
    log_gains: Array
    escaped: float
    accuracy: float

    def lost(self, factor: float) -> float:
        """The share of networks whose gradient changes by more than this factor, either way."""
        return float(np.mean(np.abs(self.log_gains) > math.log(factor)))

    def worst(self, factor: float) -> float:
        """The share that loses signal or gradient, whichever is larger."""
        return self.lost(factor) if self.setting.is_neutral else max(self.lost(factor), self.escaped)


def outcome(setting: Setting, data: tuple[Images, Images, Images]) -> Outcome:
    """Both for one setting; accuracy is not yet relative."""
    q, shape = setting.q_star, (setting.width, setting.depth)
    asked = mf.Experiment(
        setting.network, *shape, CHAINS, start=q, q_star=q, inputs=1, backward=True, method="chain", seed=1
    )
    found = mf.simulate(asked)
    return Outcome(setting, found["log_gradient"][:, 0], float(found.escaped[-1]), trained_accuracy(setting, data))


def relative(outcomes: list[Outcome]) -> list[Outcome]:
    """Accuracies above chance, in units of ReLU's at the same shape."""
    chance = 1 / CLASSES
    relu = {(s.width, s.depth): o.accuracy for o in outcomes if (s := o.setting).spec == "relu" and s.chi1 == 1}
    return [
        replace(o, accuracy=(o.accuracy - chance) / (relu[o.setting.width, o.setting.depth] - chance)) for o in outcomes
    ]


def errors_table(outcomes: list[Outcome], where: str) -> Table:
    """How often "at most the risk loses its gradient" and "trains" disagree, the mean of both errors."""
    trains = np.array([o.accuracy >= TRAINED for o in outcomes])
    table = Table("f_g", "area", *(f"{risk:.1%}" for risk in RISKS), title=f"Balanced error, %, by the risk, {where}")
    for factor in FACTORS:
        lost = np.array([o.lost(factor) for o in outcomes])
        bad, good = lost[~trains, None], lost[trains]
        area = np.mean((bad > good) + 0.5 * (bad == good))
        errors = [50 * (np.mean(bad <= risk) + np.mean(good > risk)) for risk in RISKS]
        table.add_row(f"{factor:,}", f"{area:.3f}", *(f"{e:.0f}" for e in errors))
    return table


def words_table(outcomes: list[Outcome], factor: float = 1000, risk: float = 0.01) -> Table:
    """Accuracies of what loses at most the risk, less than half, and more."""
    heads = ("settings", "mean", "least", "most", "train")
    table = Table("share lost", *heads, title=f"Relative accuracy, f_g = {factor:g}")
    for low, high in ((-1, risk), (risk, 0.5), (0.5, 1)):
        found = np.array([o.accuracy for o in outcomes if low < o.worst(factor) <= high])
        if not found.size:
            continue
        cells = (f"{x:.2f}" for x in (found.mean(), found.min(), found.max(), np.mean(found >= TRAINED)))
        table.add_row(f"{max(low, 0):g} to {high:g}", str(len(found)), *cells)
    return table


def even_table(data: tuple[Images, Images, Images]) -> Table:
    """Gradients that change by the same factor at every layer, in hard tanh at one q*: nothing else changes much."""
    table = Table("chi1", "mean ln G", "SGD", "Adam", title="Accuracy, hard tanh, 64 x 30")
    for chi1 in EVEN_GAINS:
        found = outcome(Setting("hard-tanh", 64, 30, chi1=chi1), data)
        by_sgd = trained_accuracy(found.setting, data, SGD)
        table.add_row(f"{chi1:g}", f"{found.log_gains.mean():.1f}", f"{by_sgd:.2f}", f"{found.accuracy:.2f}")
    return table


def main() -> None:
    """Print every setting, and the tables."""
    torch.set_num_threads(1)
    # Gradients that vanish are no slower than others.
    torch.set_flush_denormal(True)
    console, data, outcomes = Console(width=110), images(), []
    for setting in settings():
        outcomes.append(found := outcome(setting, data))
        what = f"{setting.spec}, q* = {setting.q_star:g}, chi1 = {setting.chi1:g}, {setting.width} x {setting.depth}"
        console.print(f"{what}: {found.lost(1000):.3f} lost, accuracy {found.accuracy:.3f}")
    outcomes = relative(outcomes)
    console.print(errors_table([o for o in outcomes if o.setting.chi1 == 1], "on the edge of chaos"))
    console.print(errors_table(outcomes, "everywhere"))
    console.print(words_table(outcomes))
    console.print(even_table(data))


if __name__ == "__main__":
    main()
