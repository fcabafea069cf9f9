"""What the theory does not cover at a layer, and what is done there, in sentences; docs/torch.md."""

from __future__ import annotations

from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from meanfield.activations.activation import Activation
from meanfield.torch.dropping import dropped_factor
from meanfield.torch.incoming import Incoming, role
from meanfield.torch.layers import WeightLayer, Weights
from meanfield.torch.pooling import pooled_factor
from meanfield.torch.tracing import Step
from meanfield.torch.written import has_own_forward

__all__ = ["caveats_between", "caveats_of_layer"]

#: What is done to numbers before an activation.
_AHEAD = {"pooling": "pooled", "dropout": "dropped at random", "padding": "padded"}


def caveats_of_layer(layer: WeightLayer, weights: Weights) -> tuple[str, ...]:
    """What is special about a layer itself."""
    notes = []
    if has_own_forward(layer):
        notes.append(f"is a {type(layer).__name__} with a forward of its own, and drawn as if it had none")
    if isinstance(layer, _ConvNd):
        pads = layer.padding
        beyond = any(size > 1 for size in layer.kernel_size) if pads == "same" else pads != "valid" and any(pads)
        if isinstance(layer, _ConvTransposeNd):
            uneven = any(k % s for k, s in zip(layer.kernel_size, layer.stride, strict=True))
            if uneven:
                notes.append("gives its output positions different numbers of weights, q* only on average")
            sides = zip(layer.kernel_size, layer.stride, layer.padding, strict=True)
            if any(isinstance(p, int) and k - s > p for k, s, p in sides):
                notes.append("has borders that fewer weights reach: q is below q* there")
            if any(layer.stride[i] > 1 and layer.dilation[i] > 1 for i in range(len(layer.stride))):
                notes.append("is strided and dilated, and gives q* only on average")
        elif beyond and layer.padding_mode == "zeros" and weights != "delta-orthogonal":
            notes.append("pads with zeros: q is below q* at borders")
    return tuple(notes)


def caveats_between(incoming: Incoming, phi: Activation, q_star: float) -> list[str]:
    """What is special about what a layer receives, φ of something."""
    notes = []
    if incoming.feeds == "normalisation":
        notes.append(
            "receives an activation of normalised numbers: their variance is that of the normalisation (1 unless it is "
            "scaled), and the layers before do not matter to it"
        )
    elif incoming.feeds == "sum":
        notes.append("comes after a sum of branches, which has more variance than each: q grows from sum to sum")
    elif incoming.kind == "activation" and incoming.feeds != "layer":
        notes.append("receives an activation of numbers that no layer makes as they are: their variance is not known")
    for found in dict.fromkeys(role(step) for step in incoming.ahead):
        told = _AHEAD.get(found, "multiplied, learned or set")
        notes.append(f"receives an activation of numbers that are {told} before it, and whose variance is not q*")
    pools = [step for step in incoming.through if role(step) == "pooling"]
    for step in incoming.through:
        found = role(step)
        if found == "pooling" and len(pools) > 1:
            notes.append("comes after several poolings, whose factors the theory does not multiply")
        elif found == "pooling":
            notes.append(_pooling_note(step, phi, q_star))
        elif found == "dropout":
            notes.append(_dropout_note(step))
        elif found == "padding":
            notes.append("comes after padding: q differs from q* at borders")
        else:
            notes.append("comes after a factor of its own, learned or set, which the theory does not know")
    return notes


def _pooling_note(step: Step, phi: Activation, q_star: float) -> str:
    factor = pooled_factor(step, phi, q_star)
    told = "changes the mean square of activations"
    if factor is not None:
        told = f"multiplies the mean square of activations by 1 (positions alike) to {factor:.3g} (independent)"
    return f"comes after pooling, which {told}; weights are those without it"


def _dropout_note(step: Step) -> str:
    times = dropped_factor(step)
    if times is not None:
        return f"comes after dropout, in training σ_w² counts {times:.4g} times; weights are those without it"
    return "comes after random dropping of units or branches; weights are those without it"
