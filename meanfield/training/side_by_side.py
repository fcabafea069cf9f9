"""Networks of one shape trained side by side, as one: their matrices are stacked, and multiplied at once.

On a GPU a small network leaves most of the machine idle, and a hundred take hardly longer than one. Each is drawn,
takes its examples and follows its gradient as it would by itself, and differs from that by the order in which numbers
are added up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from meanfield.activations.piecewise_linear import PiecewiseLinear
from meanfield.domain import require_a
from meanfield.errors import DomainError, shortened
from meanfield.processes import noted
from meanfield.tables.records import Record
from meanfield.torch.stacked_ramps import StackedRamps
from meanfield.torch.straight import Ramps
from meanfield.training.data import Data, load
from meanfield.training.device import arithmetic, device_named
from meanfield.training.ending import ended, layers
from meanfield.training.examples import Batches, Examples
from meanfield.training.losses import Losses
from meanfield.training.network import Network
from meanfield.training.optimisation import optimizer, rate
from meanfield.training.setting import Setting
from meanfield.training.trained import Trained

__all__ = ["kind", "train_side_by_side"]

#: In what networks may differ that are trained side by side; in φ if it is made of ramps.
_OWN = ("activation", "sigma_w", "sigma_b", "q_star", "weights", "learning_rate", "clip_gradient", "seed")
_SHARED = tuple(field.name for field in fields(Setting) if field.name not in _OWN)
#: As torch has it where one gradient is scaled down.
_BESIDE_NORM = 1e-6
#: Numbers from the beginning of one row to that of another: so many times this.
_APART = 64
#: Times that libraries want to have done a thing before it is recorded.
_BEFORE_RECORDING = 3


def kind(setting: Setting) -> Hashable:
    """Equal of settings that can be trained side by side: alike in all but φ, initialisation, rate, limit and seed.

    Activations that differ have straight pieces and no jumps, and as many pieces that are not flat, four or fewer.

    Raises:
        DomainError: convolutions.
    """
    if setting.model != "dense":
        raise DomainError(f"networks of model {setting.model} are trained one by one: give dense ones")
    ramps = _ramps(setting)
    return (*(getattr(setting, name) for name in _SHARED), len(ramps.ramps) if ramps and ramps.ramps else setting.phi)


def train_side_by_side(settings: Iterable[Setting], *, data: Data | None = None, device: str = "cpu") -> list[Trained]:
    """Train dense networks alike in all but φ, initialisation, rate, limit and seed; how each ended, in their order.

    Activations that differ have straight pieces and no jumps, and as many pieces that are not flat, four or fewer; a
    φ that is flat at 0 in two places is not trained beside others. Each network comes out as by `train`, but for the
    order in which numbers are added up. On a GPU many take hardly longer than one.

    `seconds` of each are its share of those that all took.

    Args:
        settings: one or more.
        data: those that the settings name, if they are loaded already.
        device: cpu, cuda, or auto for cuda where there is one.

    Raises:
        DomainError: settings that differ in more, or of convolutions; more than there is room for.
        KeyboardInterrupt: Ctrl-C; nothing is kept.
    """
    settings = _of_one_kind(settings)
    place = device_named(device)
    data = load(settings[0].data) if data is None else data
    require_a(Data, "data", data, "load('digits')")
    with arithmetic(), _memory(len(settings), place):
        examples = Examples(data.held_out(settings[0].validation), place)
        stack = _Stack(settings, examples)
        starts = [layers(network, examples) for network in stack.networks]
        with noted() as interrupted:
            while stack.done < stack.total and any(stack.going) and not interrupted():
                stack.take()
        return list(stack.ended(starts))


def _of_one_kind(settings: Iterable[Setting]) -> list[Setting]:
    if isinstance(settings, Setting | str | Mapping) or not isinstance(settings, Iterable):
        raise DomainError(f"settings = {shortened(settings)} is no list of settings: give one, such as [setting]")
    found = list(settings)
    for setting in found:
        require_a(Setting, "one of the settings", setting)
    if not found:
        raise DomainError("no settings are given: give one or more to train")
    for name in _SHARED:
        values = {getattr(setting, name): None for setting in found}
        if len(values) > 1:
            several = " and ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in [*values][:2])
            raise DomainError(f"networks of {name} {several} are not trained side by side: give ones alike in {name}")
    if len({kind(setting) for setting in found}) > 1:
        several = " and ".join([*dict.fromkeys(setting.activation for setting in found)][:2])
        raise DomainError(
            f"networks of {several} are not trained side by side: give one φ, or several of straight pieces without "
            "jumps, of which as many are not flat"
        )
    return found


@contextmanager
def _memory(count: int, place: torch.device) -> Iterator[None]:
    """Say what would do where there is no room for so many networks."""
    try:
        yield
    except RuntimeError as error:
        # Torch has a class of its own for the memory of a GPU alone.
        if "memory" not in str(error):
            raise
        of = "this machine" if place.type == "cpu" else torch.cuda.get_device_name(place)
        raise DomainError(f"{count} networks side by side do not fit in the memory of {of}: give fewer") from None


def _ramps(setting: Setting) -> Ramps | None:
    return Ramps.of(setting.phi) if isinstance(setting.phi, PiecewiseLinear) else None


class _Stack:
    """Runs as they stand.

    Attributes:
        networks: each by itself, with the weights that it has in the stack.
        done, total: steps.
    """

    def __init__(self, settings: Sequence[Setting], examples: Examples) -> None:
        self.settings, self.examples = settings, examples
        self.total, self.done = settings[0].steps(len(examples.y)), 0
        self.networks: list[Network] = []
        self._losses = [Losses(examples.classes) for _ in settings]
        self._seconds = 0.0
        # A row for each network, of all its weights and biases, and of their gradients.
        for number, setting in enumerate(settings):
            network = Network(setting, examples.x.shape[1:], examples.classes)
            drawn = parameters_to_vector(network.parameters()).detach()
            if not number:
                self._rows, self._gradients = (_rows(len(settings), len(drawn), examples.device) for _ in range(2))
            self._rows[number] = drawn
            vector_to_parameters(self._rows[number], network.to(examples.device).parameters())
            self.networks.append(network)
        self._stacked = _stacked(self.networks[0], self._rows)
        self._found = _stacked(self.networks[0], self._gradients)
        for stacked in self._stacked:
            stacked.requires_grad_()
        self._parameters = [nn.Parameter(row) for row in self._rows]
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        #: Networks of one learning rate are one group, which the optimiser goes through at once.
        self._rates = {setting.learning_rate: setting for setting in settings}
        pairs = [*zip(settings, self._parameters, strict=True)]
        groups = [[row for s, row in pairs if s.learning_rate == rate] for rate in self._rates]
        self._optimizer = optimizer(settings[0], [{"params": rows} for rows in groups])
        limits = [setting.clip_gradient for setting in settings]
        self._limits = torch.tensor(limits, device=examples.device) if min(limits) < math.inf else None
        self._phi: nn.Module = self.networks[0].phi
        if len({setting.phi for setting in settings}) > 1:
            self._phi = StackedRamps([ramps for ramps in map(_ramps, settings) if ramps]).to(examples.device)
        self._batches = Batches(examples, [setting.seed for setting in settings], settings[0].batch)
        #: Which examples each takes, of shape (networks, examples).
        self._chosen = torch.zeros(len(settings), settings[0].batch, dtype=torch.long, device=examples.device)
        self._recorded = _recorded(self._differentiate) if examples.device.type == "cuda" else None

    @property
    def going(self) -> list[bool]:
        """Of each, whether it has not diverged."""
        return [parameter.grad is not None for parameter in self._parameters]

    def take(self) -> None:
        """One step of each that has not diverged."""
        began = time.perf_counter()
        self._chosen.copy_(self._batches.at(self.done))
        values = (self._recorded or self._differentiate)().tolist()
        for parameter, losses, value in zip(self._parameters, self._losses, values, strict=True):
            if parameter.grad is None:
                continue
            if losses.stop(value):
                # A weight without a gradient stays as it is.
                parameter.grad = None
            else:
                losses.taken.append(value)
        if self._limits is not None:
            norms = self._gradients.norm(dim=1)
            parts = (self._limits / (norms + _BESIDE_NORM)).clamp(max=1)
            # Where there is no limit, a norm that overflows would make no number of ∞/∞.
            self._gradients *= torch.where(self._limits < math.inf, parts, 1.0)[:, None]
        for setting, group in zip(self._rates.values(), self._optimizer.param_groups, strict=True):
            group["lr"] = rate(setting, self.done, self.total)
        self._optimizer.step()
        self.done += 1
        self._seconds += time.perf_counter() - began

    def ended(self, starts: Sequence[Record]) -> Iterator[Trained]:
        """How each ended that found its layers at the start like that."""
        count = len(self.settings)
        share = self._seconds / count
        beside = f", {count} side by side" if count > 1 else ""
        for number, (setting, start, goes) in enumerate(zip(self.settings, starts, self.going, strict=True)):
            diverged = not (goes and bool(self._rows[number].isfinite().all()))
            after = len(self._losses[number].taken), share
            found = ended(setting, self.networks[number], self.examples, start, *after, diverged=diverged)
            yield replace(found, machine=found.machine + beside)

    def _differentiate(self) -> Tensor:
        """The loss of each network, whose gradients are put where the optimiser finds them."""
        losses = self._loss(self._chosen)
        for found, gradient in zip(self._found, torch.autograd.grad(losses.sum(), self._stacked), strict=True):
            found.copy_(gradient)
        return losses.detach()

    def _loss(self, chosen: Tensor) -> Tensor:
        """Of each network, on the examples that it takes."""
        h = self.examples.x[chosen].flatten(2)
        for number, (weight, bias) in enumerate(zip(self._stacked[::2], self._stacked[1::2], strict=True)):
            h = torch.baddbmm(bias, self._phi(h) if number else h, weight.mT)
        each = F.cross_entropy(h.flatten(0, 1), self.examples.y[chosen].flatten(), reduction="none")
        return each.view(chosen.shape).mean(1)


def _rows(count: int, length: int, device: torch.device) -> Tensor:
    """So many rows of zeros, which begin where a GPU reads fastest."""
    padded = -(-length // _APART) * _APART
    return torch.zeros(count, padded, device=device)[:, :length]


def _stacked(network: Network, rows: Tensor) -> list[Tensor]:
    """Weights (networks, outputs, inputs) and biases (networks, 1, outputs) of each layer, as they are in the rows."""
    found = []
    begin = 0
    for parameter in network.parameters():
        end = begin + parameter.numel()
        shape = parameter.shape if parameter.dim() > 1 else (1, len(parameter))
        found.append(rows[:, begin:end].view(len(rows), *shape))
        begin = end
    return found


def _recorded(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The same with all that it has a GPU do recorded, and asked for at once: to ask step by step takes longer."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(_BEFORE_RECORDING):
            function()
    torch.cuda.current_stream().wait_stream(beside)
    record = torch.cuda.CUDAGraph()
    with torch.cuda.graph(record):
        found = function()

    def again() -> Tensor:
        record.replay()
        return found

    return again
