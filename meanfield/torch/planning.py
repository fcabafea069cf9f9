"""What each layer of a model is to be drawn with, by what it receives; or why it is left alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from meanfield.activations.activation import Activation
from meanfield.errors import DomainError, NoEdgeOfChaos
from meanfield.infinite_width.edge import EdgeOfChaos, edge_of_chaos
from meanfield.torch.caveats import caveats_between, caveats_of_layer
from meanfield.torch.incoming import Incoming, Reader, linear, role
from meanfield.torch.layers import WeightLayer, Weights
from meanfield.torch.normalising import normalised_square
from meanfield.torch.tracing import Step, Steps
from meanfield.torch.weighing import is_weighing, looked_up, weights_taken

__all__ = ["LayerRule", "Plan", "Planner", "with_ties"]

LayerRule = Literal["match", "keep"]

_TIED = "is used more than once with the same weights, which the theory takes to be independent"


@dataclass(frozen=True)
class Plan:
    """What is to be written into a layer: nothing where it is `left`."""

    name: str
    layer: WeightLayer
    label: str
    sigma_w: float = 0.0
    sigma_b: float = 0.0
    left: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planner:
    """The plans for the layers of a model; what its attributes mean is said of `edge_of_chaos_`.

    `squares` is the mean square of the model's inputs, or of what each layer received when the model ran.
    """

    q_star: float
    chi_1: float
    weights: Weights
    first_layer: LayerRule
    last_layer: LayerRule
    fallback: Activation | None
    squares: float | dict[Step, float]

    def untraced(self, layers: dict[str, WeightLayer]) -> list[Plan]:
        """By the order in which modules were registered, all with the fallback."""
        phi = self.fallback
        assert phi is not None
        note = "could not be traced: layers are taken in the order of the modules, all with the activation given"
        plans = []
        names = list(layers)
        for name, layer in layers.items():
            incoming = Incoming("activation", phi, f"{phi.name}, as given")
            if name == names[0]:
                incoming = Incoming("input", None, "the input")
            plan = Plan(name, layer, incoming.label, left="the last layer, kept")
            if name != names[-1] or self.last_layer == "match":
                plan = self._of(name, layer, Step("module", name, layer), incoming)
            plans.append(replace(plan, notes=(*plan.notes, note)))
        return plans

    def plans(self, model: nn.Module, layers: dict[str, WeightLayer], steps: Steps, reader: Reader) -> list[Plan]:
        """By what each layer receives, as the model was traced.

        Raises:
            DomainError: a layer whose uses need different weights, or that receives no signal.
            NoEdgeOfChaos: an activation has none at q*, or not with that χ₁.
        """
        last = _last(steps, reader)
        uses: dict[int, list[Step]] = {}
        for step in steps:
            uses.setdefault(id(step.operation), []).append(step)
        return [self._used(model, reader, last, name, layer, uses.get(id(layer), [])) for name, layer in layers.items()]

    def _used(
        self, model: nn.Module, reader: Reader, last: set[Step], name: str, layer: WeightLayer, uses: list[Step]
    ) -> Plan:
        if not uses:
            return Plan(name, layer, "not known", left=_unreached(model, name, layer, reader.parameters))
        found = []
        for step in uses:
            incoming = reader.incoming(step)
            if step in last and self.last_layer == "keep":
                found.append(Plan(name, layer, incoming.label, left="the last layer, kept"))
            else:
                found.append(self._of(name, layer, step, incoming))
        plan = found[0]
        if any((p.left, p.sigma_w, p.sigma_b) != (plan.left, plan.sigma_w, plan.sigma_b) for p in found):
            labels = " and ".join(dict.fromkeys(p.label for p in found))
            raise DomainError(
                f"{name} is used {len(uses)} times, and needs different weights each time (it receives {labels}): give "
                "each use a layer of its own"
            )
        notes = tuple(dict.fromkeys(note for p in found for note in p.notes))
        if len(uses) > 1 and not plan.left:
            notes = (*notes, _TIED)
        return replace(plan, notes=notes)

    def _of(self, name: str, layer: WeightLayer, step: Step, incoming: Incoming) -> Plan:
        plan = Plan(name, layer, incoming.label)
        if isinstance(layer.weight, nn.Parameter) and not layer.weight.requires_grad:
            return replace(plan, left="frozen (requires_grad is False)")
        notes = caveats_of_layer(layer, self.weights)
        if incoming.kind in ("input", "normalised"):
            if incoming.kind == "input" and self.first_layer == "keep":
                return replace(plan, left="the first layer, kept")
            square, told = self._square(step, incoming)
            if not (0 < square < math.inf):
                raise DomainError(
                    f"{name} receives numbers of mean square {square:g}: give inputs with a signal in them"
                )
            return replace(plan, sigma_w=math.sqrt(self.q_star / square), notes=(*notes, *told))
        phi = incoming.activation
        if phi is None or incoming.kind == "unknown":
            phi = self.fallback
            if phi is None:
                return replace(plan, left="no activation is known")
            plan = replace(plan, label=f"{phi.name}, as given")
        edge = self._edge(name, phi)
        notes = (*notes, *caveats_between(incoming, phi, self.q_star))
        if edge.sigma_b and layer.bias is None:
            notes = (*notes, "has no biases to hold σ_b: q falls short of q* by σ_b²")
        return replace(plan, sigma_w=edge.sigma_w, sigma_b=edge.sigma_b, notes=notes)

    def _edge(self, name: str, phi: Activation) -> EdgeOfChaos:
        try:
            return edge_of_chaos(phi, self.q_star, self.chi_1)
        except NoEdgeOfChaos as refusal:
            raise NoEdgeOfChaos(f"{name or 'the layer'} receives {phi.name}: {refusal}") from None

    def _square(self, step: Step, incoming: Incoming) -> tuple[float, tuple[str, ...]]:
        """The mean square of what a layer receives, and what there is to say of it."""
        source = incoming.source
        if incoming.kind == "normalised":
            # Side by side there are several.
            square, known = (1.0, False) if source is None else normalised_square(source)
            told = ["receives normalised numbers: q is q* whatever the layers before, as long as they stay normalised"]
            if not isinstance(self.squares, float) and (incoming.through or not known):
                square = self.squares[step]
            elif not known:
                told.append(f"is drawn for a mean square of {square:.4g}, which is a guess: give inputs, a batch")
            return square, (*told, *caveats_between(replace(incoming, feeds="layer"), linear(), self.q_star))
        if source is not None and (table := looked_up(source)) is not None:
            square = table.detach().double().square().mean().item()
            return square, tuple(caveats_between(replace(incoming, feeds="layer"), linear(), self.q_star))
        if isinstance(self.squares, float):
            through = (
                "its inputs are changed on their way to it, and their mean square with them: give inputs, a batch",
            )
            return self.squares, through if incoming.through or incoming.feeds == "embedding" else ()
        return self.squares[step], ()


def _last(steps: Steps, reader: Reader) -> set[Step]:
    """Layers from which no other layer follows."""
    consumers = ("layer", "attention", "recurrence")
    followed: set[Step] = set()
    for step in reversed(steps):
        if step in followed or role(step) in consumers or is_weighing(step, reader):
            followed.update(step.before)
    return {step for step in steps if role(step) == "layer" and step not in followed}


def _unreached(model: nn.Module, name: str, layer: WeightLayer, used: Collection[int]) -> str:
    if id(layer.weight) in used:
        return "its weights are used by a function, which the theory does not cover"
    parts = name.split(".")
    for count in range(1, len(parts)):
        owner = model.get_submodule(".".join(parts[:count]))
        if isinstance(owner, nn.MultiheadAttention):
            return "part of attention, which the theory does not cover"
    owner = model.get_submodule(".".join(parts[:-1]))
    if type(owner).__module__.startswith("torch.nn.modules.transformer"):
        return f"inside a {type(owner).__name__}: give inputs=, a batch, to look into it"
    return "not reached when the model runs"


def with_ties(plans: list[Plan], steps: Steps, reader: Reader) -> list[Plan]:
    """With what there is to say of parameters that several layers share, or a layer and a function."""
    holders = Counter(id(plan.layer.weight) for plan in plans)
    taken = frozenset[int]().union(*(weights_taken(step, reader) for step in steps if is_weighing(step, reader)))
    found = []
    for plan in plans:
        weight, notes = id(plan.layer.weight), plan.notes
        if weight in taken:
            notes = (*notes, f"{_TIED}; {_turned(plan.layer)}")
        elif holders[weight] > 1 and _TIED not in notes:
            notes = (*notes, _TIED)
        found.append(plan if plan.left else replace(plan, notes=notes))
    return found


def _turned(layer: WeightLayer) -> str:
    """What it costs that a function takes weights which are drawn for their layer."""
    told = "a function takes them as they are drawn for the layer"
    if not isinstance(layer, nn.Linear) or layer.in_features == layer.out_features:
        return told
    factor = layer.out_features / layer.in_features
    return f"{told}: turned, they sum over {layer.out_features} units, and σ_w² counts {factor:.3g} times"
