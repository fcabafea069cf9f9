"""A model on real data beside what theory says of random weights, layer by layer, and where the two part first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from meanfield.domain import require_count, require_share
from meanfield.errors import DomainError, MeanFieldError, shortened
from meanfield.quantities import GRADIENT_WITHIN
from meanfield.tables.records import Record
from meanfield.tables.shown import Shown
from meanfield.torch.expecting import Expected, expected_gain, expected_rho, expected_variance, expected_zeros
from meanfield.torch.incoming import Incoming, Reader, role
from meanfield.torch.layers import fan_in, kind, require_writable
from meanfield.torch.measuring import Measured, Weighed
from meanfield.torch.normalising import is_standard
from meanfield.torch.observing import Observed
from meanfield.torch.text import paragraphs, table
from meanfield.torch.tracing import Step, Steps, as_batch, recorded
from meanfield.torch.untouched import untouched
from meanfield.torch.written import has_own_forward

__all__ = ["Audit", "AuditedLayer", "audit"]

#: Correlation of examples beyond which nothing is left to tell them apart in half precision.
_ALIKE = 1 - 1e-3


@dataclass(frozen=True, repr=False)
class AuditedLayer(Shown):
    """One layer of weights as it was used, and what theory says of it.

    Every `…_theory` is what random weights of this σ_w and σ_b make of what was *measured* one layer before; every z is
    the distance from it in standard deviations of theory at these widths. None is what there is nothing to say of.

    Attributes:
        module, kind, activation: its name, what it is, what it receives.
        units, fan_in: its outputs (channels), and the weights that each sums over.
        sigma_w, sigma_b: √(fan_in · mean W²) and √(mean b²) as they are.
        q, q_theory, q_sd, q_z: the mean square of its pre-activations; no theory of a layer with a forward of its own.
        from_inputs: whether q_theory rests on the mean square of what the layer receives, because it does not receive
            an activation of another layer or of a normalisation straight: after pooling, dropout, a sum of branches.
        rho, rho_theory, rho_sd, rho_z: mean correlation of two examples, not centred.
        sparsity, sparsity_theory: share of zeros in the activations that it receives, before any pooling.
        dead: share of their units that are 0 for every example; None where it is not known which axis counts units.
        log_gradient, log_gradient_theory, log_gradient_sd, log_gradient_z: ln |g|²/|g^L|², g the gradient by its
            pre-activations, g^L that of the last layer that has one; −∞ where g is exactly 0. The deviation is that of
            one example, which several have at most.
    """

    module: str
    kind: str
    activation: str
    units: int
    fan_in: float
    sigma_w: float
    sigma_b: float
    q: float
    q_theory: float | None
    q_sd: float | None
    q_z: float | None
    from_inputs: bool
    rho: float | None = None
    rho_theory: float | None = None
    rho_sd: float | None = None
    rho_z: float | None = None
    sparsity: float | None = None
    sparsity_theory: float | None = None
    dead: float | None = None
    log_gradient: float | None = None
    log_gradient_theory: float | None = None
    log_gradient_sd: float | None = None
    log_gradient_z: float | None = None

    @property
    def gradient_is(self) -> str | None:
        """In words why log_gradient is no finite number: the gradient is "exactly 0", or "not finite"."""
        if self.log_gradient is None or math.isfinite(self.log_gradient):
            return None
        return "exactly 0" if self.log_gradient == -math.inf else "not finite"

    def record(self) -> Record:
        """Every field, and `gradient_is`."""
        fields = {"layer_kind" if name == "kind" else name: value for name, value in vars(self).items()}
        return {**fields, "gradient_is": self.gradient_is}


@dataclass(frozen=True, repr=False)
class Audit(Shown):
    """What `audit` found; printed, tables and the verdict.

    Attributes:
        layers: a row for every use of a layer of weights, as they ran.
        examples: in the batch.
        level: the probability of a departure somewhere, were theory right.
        threshold: the z from which on a departure counts.
        departs: the first layer that departs, None if none does.
        verdict: whether layers do what theory says of random weights; and whether signal, gradient or the difference of
            examples is lost all the same.
    """

    layers: tuple[AuditedLayer, ...]
    examples: int
    level: float
    threshold: float
    departs: str | None
    verdict: str

    paper = ("examples", "departs", "verdict")

    def __getitem__(self, name: str) -> AuditedLayer:
        """The first use of the layer of that name."""
        found = next((layer for layer in self.layers if layer.module == name), None)
        if found is None:
            raise DomainError(f"no layer of weights that ran is called {shortened(name)}")
        return found

    def record(self) -> Record:
        """The verdict, and a row for every layer."""
        rows = [layer.record() for layer in self.layers]
        return {
            "examples": self.examples,
            "level": self.level,
            "threshold": self.threshold,
            "departs": self.departs,
            "verdict": self.verdict,
            "layers": rows,
        }

    def __str__(self) -> str:
        rows = [layer.record() for layer in self.layers]
        forward = ("module", "activation", "q", "q_theory", "q_z", "rho", "rho_theory")
        backward = ("module", "sparsity", "sparsity_theory", "dead", "log_gradient", "log_gradient_theory")
        return "\n\n".join((table(rows, forward, 3), table(rows, backward, 3), paragraphs([self.verdict])))


def audit(
    model: nn.Module,
    batch: Tensor | Sequence[Tensor],
    *,
    loss: Callable[[Any], Tensor] | None = None,
    level: float = 0.01,
    seed: int = 0,
) -> Audit:
    """Run a model forward and backward once, and lay theory beside every layer of weights.

    Args:
        model: any module, as it is: in the mode that it is in, with the weights that it has.
        batch: a tensor, or one for each argument; its first axis counts examples.
        loss: of what the model returns, a number to carry back; without it a random linear function of the outputs.
        level: the probability that a model which does what theory says is told to depart.
        seed: of that function, and of the layers drawn for the spread of correlations.

    The model is left as it was: mode, gradients, buffers, and PyTorch's random numbers.

    Raises:
        DomainError: the model does not run on the batch, has no layer of weights, or weights without numbers.
    """
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        raise DomainError(f"{shortened(type(model).__name__)} is no module of PyTorch that can be traced: give one")
    require_share("level", level, "a probability")
    require_count("seed", seed, 0)
    inputs = as_batch("batch", batch)
    if loss is not None and not callable(loss):
        raise DomainError(f"loss = {shortened(loss)} is no function: give one from what the model returns to a number")
    model = getattr(model, "_orig_mod", model)
    observed = Observed()
    with untouched(model), torch.enable_grad():
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear | _ConvNd) and not _is_computed(module):
                require_writable(name, module)
        steps, returned = recorded(model, inputs, observed)
        observed.require_finite()
        observed.carry_back(returned, loss, seed)
        layers = tuple(_rows(steps, observed, np.random.default_rng(seed)))
    if not layers and any(role(step) == "layer" for step in steps):
        shapes = ", ".join(str(tuple(part.shape)) for part in inputs)
        raise DomainError(
            f"a batch of the shape {shapes} leaves nothing to measure: its first axis counts examples, of which one or "
            "more are needed, such as (16, 784)"
        )
    if not layers:
        raise DomainError(f"{type(model).__name__} ran no linear and no convolutional layer: there is nothing to audit")
    comparisons = [z for layer in layers for _, z in _told(layer)]
    threshold = float(norm.isf(0.5 * level / max(len(comparisons), 1)))
    first = next((layer for layer in layers if any(abs(z) > threshold for _, z in _told(layer))), None)
    examples = next((1 if part.ndim in observed.alone else len(part) for part in inputs if part.ndim), 1)
    verdict = " ".join([_verdict(first, threshold, len(comparisons)), *_lost(layers)])
    return Audit(layers, examples, level, threshold, first.module if first else None, verdict)


def _is_computed(module: nn.Module) -> bool:
    return not isinstance(getattr(module, "weight", None), nn.Parameter)


def _rows(steps: Steps, observed: Observed, random: np.random.Generator) -> Iterator[AuditedLayer]:
    reader = Reader(steps, as_it_is=True)
    layers = [step for step in steps if step in observed.weights and step in observed.values]
    incoming = {step: reader.incoming(step) for step in layers}
    followers = _followers(steps, layers, reader)
    logs = [observed.gradients[step] for step in layers if step in observed.gradients]
    last = next((log for log in reversed(logs) if math.isfinite(log)), 0.0)
    for step in layers:
        row = _forward(step, incoming[step], observed, random)
        if step in observed.gradients:
            row = replace(row, log_gradient=observed.gradients[step] - last)
            row = _with_gain(row, step, followers.get(step), incoming, observed, last)
        yield row


def _forward(step: Step, incoming: Incoming, observed: Observed, random: np.random.Generator) -> AuditedLayer:
    layer, here, weights = step.operation, observed.values[step], observed.weights[step]
    phi, source = incoming.activation, incoming.source
    before = observed.values.get(source) if source is not None and phi is not None else None
    made = observed.silent.get(incoming.made) if incoming.made is not None else None
    # Units of a sum have means of their own, and are no Gaussian numbers of mean 0.
    if incoming.feeds not in ("layer", "normalisation") or (before and not np.isfinite(before.q).all()):
        before = None
    # Nor are those that dropout or a maximum has passed, or that a normalisation has shifted.
    if incoming.ahead or (source is not None and incoming.feeds == "normalisation" and not is_standard(source)):
        before = None
    # Of some positions alone the variance may be another.
    straight = incoming.kind == "activation" and not incoming.through
    straight = straight and before is not None and before.size == weights.count
    q = None if has_own_forward(layer) else _variance(weights, here, before if straight else None, phi)
    row = AuditedLayer(
        module=step.name,
        kind=kind(layer),
        activation=incoming.label,
        units=here.units,
        fan_in=fan_in(layer),
        sigma_w=weights.sigma_w,
        sigma_b=weights.sigma_b,
        q=float(here.q.mean()),
        q_theory=q.value if q else None,
        q_sd=q.sd if q else None,
        q_z=q.z_of_square(float(here.q.mean())) if q else None,
        from_inputs=not straight,
        rho=here.rho,
    )
    if made is not None and incoming.kind == "activation":
        row = replace(row, sparsity=made.zeros, dead=made.dead)
    if before is None or phi is None or incoming.kind != "activation":
        return row
    row = replace(row, sparsity_theory=expected_zeros(before, phi))
    known = straight and weights.sigma_w > 0 and not has_own_forward(layer)
    rho = expected_rho(weights, here, before, phi, random) if known else None
    return replace(row, rho_theory=rho[0].value, rho_sd=rho[0].sd, rho_z=rho[1]) if rho else row


def _variance(weights: Weighed, here: Measured, before: Measured | None, phi: Any) -> Expected:
    try:
        return expected_variance(weights, here, before, phi)
    except MeanFieldError:
        # Signals beyond what φ can be averaged under.
        return expected_variance(weights, here)


def _followers(steps: Steps, layers: list[Step], reader: Reader) -> dict[Step, Step]:
    """By layer the one layer that its outputs reach through nothing but an activation."""
    users: dict[Step, list[Step]] = {}
    for step in steps:
        for before in step.before:
            users.setdefault(before, []).append(step)
    found = {}
    for layer in layers:
        open_, reached = [layer], set[Step]()
        while open_:
            after = users.get(open_.pop(), [])
            passing = [step for step in after if reader.role(step) in ("elementwise", "shape")]
            ends = [step for step in after if step not in passing]
            # What is returned, or goes into a sum, carries a gradient of its own.
            reached.update(ends)
            open_.extend(passing)
        if len(reached) == 1 and (follower := reached.pop()) in layers and follower is not layer:
            found[layer] = follower
    return found


def _with_gain(
    row: AuditedLayer,
    step: Step,
    follower: Step | None,
    incoming: dict[Step, Incoming],
    observed: Observed,
    last: float,
) -> AuditedLayer:
    if follower is None or not math.isfinite(observed.gradients.get(follower, math.nan)):
        return row
    phi, weights = incoming[follower].activation, observed.weights[follower]
    if phi is None or not phi.is_continuous or weights.sigma_w <= 0 or has_own_forward(follower.operation):
        return row
    gain = expected_gain(weights, observed.values[step], observed.values[follower], phi)
    there = replace(gain, value=gain.value + observed.gradients[follower] - last)
    row = replace(row, log_gradient_theory=there.value, log_gradient_sd=there.sd)
    return row if row.gradient_is else replace(row, log_gradient_z=there.z(row.log_gradient))


def _told(layer: AuditedLayer) -> list[tuple[str, float]]:
    """What is held against theory, by what it is called."""
    found = (("q", layer.q_z), ("rho", layer.rho_z), ("log_gradient", layer.log_gradient_z))
    return [(name, z) for name, z in found if z is not None]


def _lost(layers: Sequence[AuditedLayer]) -> Iterator[str]:
    """What no comparison with theory shows: layers may do what theory says and lose signal, gradient or inputs."""
    if silent := next((layer for layer in layers if layer.dead == 1), None):
        yield f"{silent.module} receives zeros alone: no signal passes it, and no gradient."
        return
    if alike := next((layer for layer in layers if layer.rho is not None and layer.rho > _ALIKE), None):
        yield f"From {alike.module} on examples are alike, ρ = {alike.rho:.6f}."
    logs = [layer.log_gradient for layer in layers if layer.log_gradient is not None]
    if not logs:
        yield "Gradients are not compared: none came back."
    if wild := next((layer for layer in reversed(layers) if layer.gradient_is == "not finite"), None):
        yield f"The gradient that comes back to {wild.module or 'the layer'} is not finite: it is not compared there."
    if ended := next((layer for layer in reversed(layers) if layer.gradient_is == "exactly 0"), None):
        yield f"No gradient comes back to {ended.module or 'the layer'}: it is exactly 0 there."
    logs = [log for log in logs if math.isfinite(log)]
    if logs and (spread := max(logs) - min(logs)) > math.log(GRADIENT_WITHIN):
        yield f"Squared gradients differ between layers by a factor e^{spread:.3g}, more than {GRADIENT_WITHIN:g}."


def _verdict(first: AuditedLayer | None, threshold: float, comparisons: int) -> str:
    if not comparisons:
        return "Nothing can be compared with theory: no layer has a spread that is known."
    if first is None:
        return (
            f"Every layer does what theory says of random weights, as far as its width tells: of {comparisons} "
            f"comparisons none is beyond {threshold:.3g} standard deviations."
        )
    name, z = max(_told(first), key=lambda told: abs(told[1]))
    seen, theory = getattr(first, name), getattr(first, f"{name}_theory")
    called = {"q": "q", "rho": "ρ between examples", "log_gradient": "ln of the squared gradient"}[name]
    return (
        f"{first.module or 'The layer'} departs first: {called} is {seen:.4g} where random weights make {theory:.4g} "
        f"of what was measured before them, {abs(z):.3g} standard deviations away; the width explains {threshold:.3g}."
    )
