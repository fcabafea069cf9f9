"""Every layer of a model on the edge of chaos of the activation that it receives; docs/torch.md.

Everything is found out and checked before a weight is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from meanfield.activations.activation import Activation
from meanfield.activations.spec import activation as read_text
from meanfield.domain import require_a, require_gain, require_number, require_signal
from meanfield.errors import ActivationError, DomainError, shortened
from meanfield.infinite_width.edge import gain_in_words
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown
from meanfield.torch.elementwise import is_elementwise, named_module, sampled
from meanfield.torch.incoming import Reader, role
from meanfield.torch.layers import (
    WEIGHTS,
    WeightLayer,
    Weights,
    drawn,
    fan_in,
    kind,
    require_drawable,
    require_writable,
)
from meanfield.torch.planning import LayerRule, Plan, Planner, with_ties
from meanfield.torch.text import paragraphs, table
from meanfield.torch.tracing import Step, Steps, as_batch, recorded, symbolic
from meanfield.torch.untouched import untouched
from meanfield.torch.weighing import is_look_up, is_weighing, weights_taken

__all__ = ["Initialised", "InitialisedLayer", "edge_of_chaos_"]

#: Layers that a warning names.
_NAMED = 3


@dataclass(frozen=True, repr=False)
class InitialisedLayer(Shown):
    """What became of one layer.

    Attributes:
        module: its name in the model.
        kind: linear, conv 3x3 and the like.
        fan_in: weights that an output sums over.
        activation: what it receives.
        sigma_w, sigma_b: what it was drawn with, None where it was left alone.
        left: why it was left alone, empty where it was not.
        notes: what the theory does not cover there, and what was done.
    """

    module: str
    kind: str
    fan_in: float
    activation: str
    sigma_w: float | None = None
    sigma_b: float | None = None
    left: str = ""
    notes: tuple[str, ...] = ()

    def record(self) -> Record:
        """Every field."""
        fields = {"layer_kind" if name == "kind" else name: value for name, value in vars(self).items()}
        return {**fields, "notes": list(self.notes)}


@dataclass(frozen=True, repr=False)
class Initialised(Shown):
    """What `edge_of_chaos_` did; printed, a table and the warnings.

    Attributes:
        q_star: the variance of pre-activations that the layers were drawn for.
        chi_1: the gain χ₁ of a squared gradient at q*, 1 on the edge of chaos.
        weights: the law of the weights.
        layers: what became of each, in the order of the model's modules.
        warnings: what the theory does not cover, with the layers concerned.
    """

    q_star: float
    chi_1: float
    weights: Weights
    layers: tuple[InitialisedLayer, ...]
    warnings: tuple[str, ...]

    paper = ("q_star", "weights")

    def __getitem__(self, name: str) -> InitialisedLayer:
        """What became of the layer of that name."""
        found = next((layer for layer in self.layers if layer.module == name), None)
        if found is None:
            raise DomainError(f"no layer of weights is called {shortened(name)}")
        return found

    def record(self) -> Record:
        """What was asked, and a row for every layer."""
        rows = [layer.record() for layer in self.layers]
        return {
            "q_star": self.q_star,
            "chi_1": self.chi_1,
            "weights": self.weights,
            "layers": rows,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        rows = [
            {**layer.record(), "activation": f"{layer.activation}{', left alone' * bool(layer.left)}"}
            for layer in self.layers
        ]
        head = f"{self.weights} weights {gain_in_words(self.chi_1)} at q* = {self.q_star:g}"
        body = table(rows, ("module", "layer_kind", "fan_in", "activation", "sigma_w", "sigma_b"), 4)
        return "\n\n".join(part for part in (head, body, paragraphs(self.warnings)) if part)


def edge_of_chaos_(
    model: nn.Module,
    activation: str | Activation | nn.Module | Callable[[Any], Any] | None = None,
    q_star: float = 1.0,
    *,
    chi_1: float = 1.0,
    inputs: float | Tensor | Sequence[Tensor] | None = None,
    first_layer: LayerRule = "match",
    last_layer: LayerRule = "keep",
    weights: Weights = "gaussian",
    generator: torch.Generator | None = None,
) -> Initialised:
    """Draw the weights of every linear and convolutional layer anew, in place, on the edge of chaos.

    Each layer gets the σ_w and σ_b of the activation that *it* receives, found by tracing the model; biases are
    Gaussian, W has variance σ_w²/fan_in. A layer that receives the input, or normalised numbers, gets the weights that
    make the variance q* of their mean square, and no biases.

    Args:
        model: any module.
        activation: of layers for which none is found; such layers are left alone without it.
        q_star: q* > 0, the variance of every pre-activation.
        chi_1: χ₁ > 0 at q*, another than 1 for a model beside the edge.
        inputs: the mean square of the model's inputs (1 if it is not given), or a batch, a tensor or one for each
            argument. With a batch the model runs on it once, as it is, and what ran is what is traced.
        first_layer: "keep" leaves layers that receive the input as they are.
        last_layer: "keep" leaves the layers from which no other follows as they are; "match" draws them too.
        weights: the law of the weights: gaussian, uniform, truncated (normal, at two standard deviations), orthogonal,
            or delta-orthogonal, which has a matrix at the centre of a kernel and zeros around it.
        generator: of random numbers, PyTorch's own if not given.

    Raises:
        NoEdgeOfChaos: an activation has none at q*, or not with that χ₁.
        DomainError: weights that cannot be written (lazy, parametrised, on the meta device), are shared by layers that
            need different ones, or an option out of range. Nothing is changed then.
        ActivationError: `activation` is none.

    Source: Schoenholz et al. (2017); docs/torch.md.
    """
    _require_options(model, q_star, chi_1, first_layer, last_layer, weights)
    if generator is not None:
        require_a(torch.Generator, "generator", generator)
    fallback = None if activation is None else _fallback(activation)
    model = getattr(model, "_orig_mod", model)
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear | _ConvNd)}
    if not layers:
        raise DomainError(f"{type(model).__name__} has no linear and no convolutional layer: there is nothing to draw")
    # Tracing may run what a model does beside its work, and so may reading weights that it computes.
    with untouched(model):
        steps, squares = _traced(model, layers, inputs)
        if steps is None and fallback is None:
            raise DomainError(
                "the model cannot be traced without running it: give inputs=, a batch that it runs on, or activation=, "
                "which all its layers then get"
            )
        planner = Planner(q_star, chi_1, weights, first_layer, last_layer, fallback, squares)
        ran = steps or []
        reader = Reader(ran)
        plans = planner.untraced(layers) if steps is None else planner.plans(model, layers, steps, reader)
        _require_sound(model, plans, weights, ran, reader)
        plans = with_ties(plans, ran, reader)
    for plan in plans:
        if not plan.left:
            _write(plan, weights, generator)
    rows = tuple(_row(plan, weights) for plan in plans)
    return Initialised(float(q_star), float(chi_1), weights, rows, _warnings(plans, ran, reader))


def _require_options(model: object, q_star: float, chi_1: float, first: str, last: str, weights: str) -> None:
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        raise DomainError(f"{shortened(type(model).__name__)} is no module of PyTorch that can be traced: give one")
    require_signal(q_star)
    require_gain(chi_1)
    for name, given, known in (
        ("first_layer", first, get_args(LayerRule)),
        ("last_layer", last, get_args(LayerRule)),
        ("weights", weights, WEIGHTS),
    ):
        if given not in known:
            raise DomainError(f"{name} = {given!r} is not known: give {', '.join(known)}")


def _fallback(given: str | Activation | nn.Module | Callable[[Any], Any]) -> Activation:
    if isinstance(given, str | Activation):
        return read_text(given)
    function: Any = given() if isinstance(given, type) and issubclass(given, nn.Module) else given
    name = getattr(function, "__name__", type(function).__name__)
    phi = named_module(function) if isinstance(function, nn.Module) else None
    if phi is None and callable(function) and is_elementwise(function):
        phi = sampled(function, name)
    if phi is None:
        raise ActivationError(f"activation = {shortened(name)} is no activation that can be read: give one by its name")
    return phi


def _traced(
    model: nn.Module, layers: dict[str, WeightLayer], inputs: float | Tensor | Sequence[Tensor] | None
) -> tuple[Steps | None, float | dict[Step, float]]:
    """The steps; and the mean square of the inputs, or of what each layer receives of a batch."""
    if inputs is None or isinstance(inputs, int | float):
        require_number("inputs", 1.0 if inputs is None else inputs)
        square = 1.0 if inputs is None else float(inputs)
        if not (0 < square < math.inf):
            raise DomainError(f"inputs = {square:g} is no mean square: give a finite number > 0, or a batch")
        return symbolic(model), square
    batch = as_batch("inputs", inputs)
    for name, layer in layers.items():
        # Without numbers a model cannot run.
        require_writable(name, layer)
    found: dict[Step, float] = {}

    def observe(step: Step, args: tuple[Any, ...], value: Any) -> None:
        if isinstance(step.operation, nn.Linear | _ConvNd) and args:
            found[step] = args[0].detach().double().square().mean().item()

    with torch.no_grad():
        steps, _ = recorded(model, batch, observe)
    return steps, found


def _require_sound(model: nn.Module, plans: list[Plan], weights: Weights, steps: Steps, reader: Reader) -> None:
    """Refuse what could not be written, or would change what is to be left, with a `DomainError`."""
    written = [plan for plan in plans if not plan.left]
    for plan in written:
        require_writable(plan.name, plan.layer)
        require_drawable(plan.name, plan.layer, weights)
    owners: dict[int, list[str]] = {}
    for name, module in model.named_modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append(name)
    for step in steps:
        for taken in weights_taken(step, reader) if is_look_up(step) else ():
            owners.setdefault(taken, []).append("an embedding")
    by_name = {plan.name: plan for plan in plans}
    for plan in written:
        for parameter in (plan.layer.weight, plan.layer.bias):
            for other in owners.get(id(parameter), []):
                twin = by_name.get(other)
                alike = twin and not twin.left and twin.label == plan.label and twin.sigma_w == plan.sigma_w
                if other != plan.name and not alike:
                    raise DomainError(
                        f"{plan.name} and {other} share their weights, and need different ones: untie them before, "
                        "and tie them again afterwards"
                    )


def _write(plan: Plan, weights: Weights, generator: torch.Generator | None) -> None:
    with torch.no_grad():
        plan.layer.weight.copy_(drawn(plan.layer, plan.sigma_w, weights, generator))
        if plan.layer.bias is not None:
            place = generator.device if generator is not None else plan.layer.bias.device
            normals = torch.empty(plan.layer.bias.shape, device=place).normal_(generator=generator)
            plan.layer.bias.copy_(plan.sigma_b * normals)


def _row(plan: Plan, weights: Weights) -> InitialisedLayer:
    fan = fan_in(plan.layer, weights)
    if plan.left:
        return InitialisedLayer(plan.name, kind(plan.layer), fan, plan.label, left=plan.left)
    sigma_b = plan.sigma_b if plan.layer.bias is not None else 0.0
    return InitialisedLayer(plan.name, kind(plan.layer), fan, plan.label, plan.sigma_w, sigma_b, "", plan.notes)


def _warnings(plans: list[Plan], steps: Steps, reader: Reader) -> tuple[str, ...]:
    """What is noted, with the layers that it holds for."""
    concerned: dict[str, list[str]] = {}
    for plan in plans:
        for note in () if plan.left else plan.notes:
            concerned.setdefault(note, []).append(plan.name or "the layer")
        if plan.left:
            concerned.setdefault(f"left alone: {plan.left}", []).append(plan.name or "the layer")
    held = {id(plan.layer.weight) for plan in plans}
    for step in steps:
        if role(step) in ("attention", "recurrence") and step.kind == "module":
            what = type(step.operation).__name__
            concerned.setdefault(f"{what}: left alone, the theory does not cover it", []).append(step.name)
        if is_weighing(step, reader) and not weights_taken(step, reader) & held:
            concerned.setdefault("uses weights that no layer applies, and they are left alone", []).append(step.name)
    return tuple(f"{_names(list(dict.fromkeys(names)))} {note}" for note, names in concerned.items())


def _names(names: list[str]) -> str:
    # Instead of one more its name.
    if len(names) <= _NAMED + 1:
        return f"{', '.join(names)}:"
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more:"
