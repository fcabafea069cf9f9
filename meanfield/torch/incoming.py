"""Which activation each layer of weights receives, of what, and what stands between them.

From the input of a layer back: what only rearranges numbers is passed; what changes their mean square, pooling, dropout
or padding, is passed and noted; the longest stretch of elementwise steps that depends on one step alone is the
activation, x·sigmoid(x) as much as relu. What the activation is applied to is another layer in the theory, and may be a
normalisation or a sum in a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd

from meanfield.activations.activation import Activation
from meanfield.activations.spec import activation
from meanfield.torch.dropping import is_idle
from meanfield.torch.elementwise import call_name, in_double, is_elementwise, named_call, named_module, sampled
from meanfield.torch.tracing import Step, Steps
from meanfield.torch.written import written

__all__ = ["Incoming", "Reader", "Role", "is_layer", "linear", "role"]

Role = Literal[
    "input",
    "layer",
    "elementwise",
    "shape",
    "pooling",
    "dropout",
    "padding",
    "affine",
    "normalisation",
    "sum",
    "concatenation",
    "product",
    "attention",
    "recurrence",
    "embedding",
    "unknown",
]
Kind = Literal["activation", "input", "normalised", "linear", "sum", "unknown"]

_ROLES: dict[Role, str] = {
    "shape": "flatten view reshape squeeze unsqueeze permute transpose contiguous clone detach to type float half get "
    "getattr double bfloat16 getitem chunk split unbind narrow select swapaxes swapdims movedim moveaxis t expand roll "
    "unflatten pixel_shuffle pixel_unshuffle channel_shuffle tensor_split view_as reshape_as expand_as type_as",
    "pooling": "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d mean amax "
    "max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d lp_pool1d lp_pool2d "
    "interpolate upsample",
    "dropout": "dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout "
    "stochastic_depth",
    "padding": "pad",
    "normalisation": "batch_norm layer_norm group_norm instance_norm rms_norm",
    "affine": "local_response_norm",
    "concatenation": "cat concat concatenate hstack stack",
    "attention": "scaled_dot_product_attention softmax matmul bmm baddbmm einsum multi_head_attention_forward",
    "embedding": "embedding embedding_bag",
}
_BY_NAME: dict[str, Role] = {name: role for role, names in _ROLES.items() for name in names.split()}
_POOLS = (
    *(nn.modules.pooling._AvgPoolNd, nn.modules.pooling._MaxPoolNd, nn.modules.pooling._LPPoolNd, nn.Upsample),
    *(nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd),
)
_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm)
_PADS = (
    *(nn.modules.padding._ConstantPadNd, nn.modules.padding._ReflectionPadNd),
    *(nn.modules.padding._ReplicationPadNd, nn.modules.padding._CircularPadNd),
)
_SHAPES = (nn.Flatten, nn.Unflatten, nn.Identity, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle)
#: What comes into a model, before any layer.
_GIVEN: tuple[Role, ...] = ("input", "embedding")


def is_layer(step: Step) -> bool:
    """Whether it is a layer whose weights are written or measured."""
    return isinstance(step.operation, nn.Linear | _ConvNd)


def role(step: Step) -> Role:
    """What a step is to the layers after it, elementwise and sums apart."""
    if step.kind == "input":
        return "input"
    if step.kind == "function":
        return _BY_NAME.get(call_name(step.name), "unknown")
    module = step.operation
    if step.kind != "module":
        return "unknown"
    if is_layer(step):
        return "layer"
    classes: tuple[tuple[Role, Any], ...] = (
        *(("shape", _SHAPES), ("pooling", _POOLS), ("dropout", _DropoutNd), ("normalisation", _NORMS)),
        *(("padding", _PADS), ("attention", nn.MultiheadAttention), ("embedding", nn.Embedding | nn.EmbeddingBag)),
        ("affine", nn.LocalResponseNorm),
        ("recurrence", nn.RNNBase | nn.RNNCellBase),
    )
    for found, known in classes:
        if isinstance(module, known):
            return found
    # With more than numbers to normalise it does more.
    return (written(module) if len(step.before) == 1 else None) or "unknown"


@dataclass(frozen=True, eq=False)
class Incoming:
    """What a layer of weights receives.

    Attributes:
        kind: an `activation`; the model's `input`; numbers that are `normalised`; another layer, `linear`; a `sum` of
            branches, without an activation; or `unknown`.
        activation: φ, None where there is none.
        label: what it is, in a few words.
        source: the step whose numbers φ is applied to.
        made: the step that makes φ of it.
        through: the steps between φ and the layer that change a mean square, the last first.
        ahead: the steps between the source and the layer before it that do.
        feeds: the role of what the source's numbers come from.
    """

    kind: Kind
    activation: Activation | None
    label: str
    source: Step | None = None
    made: Step | None = None
    through: tuple[Step, ...] = ()
    ahead: tuple[Step, ...] = ()
    feeds: Role = "unknown"


class Reader:
    """Reads what layers receive; activations that look alike are looked at once.

    `as_it_is`, a dropout in eval mode is none; else the model is to be trained.
    """

    def __init__(self, steps: Steps, as_it_is: bool = False) -> None:
        self._as_it_is = as_it_is
        #: Of functions of parameters alone, which by `id`.
        self._made_of: dict[Step, frozenset[int]] = {}
        for step in steps:
            # Where a part begins, and how long it is, may be told by data.
            before = step.before[:1] if role(step) == "shape" else step.before
            if step.kind == "function" and before and role(step) != "embedding" and not self._varying(before):
                self._made_of[step] = frozenset[int]().union(*map(self.made_of, before))
        used = (held.operation for step in steps for held in step.before if held.kind == "parameter")
        #: By `id`, the parameters that are used outside of the layers that hold them.
        self.parameters = {id(held) for held in used}
        self._alone: dict[Step, Step | None] = {}
        self._unary: dict[Step, bool] = {}
        self._read: dict[Any, Activation | None] = {}

    def role(self, step: Step) -> Role:
        """What a step is to the layers after it; `affine` where all else in it is parameters."""
        found = role(step)
        if found == "dropout" and is_idle(step, self._as_it_is):
            # It passes on what it gets.
            return "shape"
        if found != "unknown" or step.kind in ("parameter", "unknown"):
            return found
        if self._source(step) is not None:
            return "elementwise"
        name = call_name(step.name) if step.kind == "function" else ""
        alone = len(self._data(step)) == 1
        if name in ("add", "sub", "rsub", "mul", "div", "addcmul", "addcdiv") and alone:
            return "affine"
        several: dict[str, Role] = {"add": "sum", "sub": "sum", "rsub": "sum", "mul": "product"}
        return several.get(name, "unknown")

    def made_of(self, step: Step) -> frozenset[int]:
        """The parameters, by `id`, of which alone a step is made; none of what data has a part in."""
        return frozenset((id(step.operation),)) if step.kind == "parameter" else self._made_of.get(step, frozenset())

    def _data(self, step: Step) -> list[Step]:
        """The steps before it that are not parameters, or made of these alone."""
        return self._varying(step.before)

    def _varying(self, steps: Sequence[Step]) -> list[Step]:
        return [s for s in steps if not self.made_of(s)]

    def before(self, step: Step) -> list[Step]:
        """The steps whose numbers it passes on, parameters apart; of what only changes their shape the first."""
        data = self._data(step)
        return data[:1] if self.role(step) in ("shape", "pooling", "dropout", "padding") else data

    def incoming(self, layer: Step) -> Incoming:
        """What a layer receives."""
        data = self._data(layer)
        return self._from(data[0]) if data else Incoming("unknown", None, "no input")

    def _from(self, step: Step) -> Incoming:
        through: list[Step] = []
        while True:
            found = self.role(step)
            if found == "elementwise":
                read = self._activation(step)
                if read.feeds in _GIVEN:
                    read = Incoming("input", None, "the input", read.source, through=(step,), feeds=read.feeds)
                if read.activation is None or not _is_identity(read.activation):
                    return replace(read, through=(*through, *read.through))
                assert read.made is not None
                step = self._source(read.made) or step
            elif found in ("shape", "pooling", "dropout", "padding", "affine") and self.before(step):
                if found != "shape":
                    through.append(step)
                step = self.before(step)[0]
            elif found == "concatenation":
                read = self._together([self._from(branch) for branch in self._data(step)])
                return replace(read, through=(*through, *read.through))
            elif found == "sum" and all(self.feeds(branch) in _GIVEN for branch in self._data(step)):
                return Incoming("input", None, "a sum of inputs", step, through=(step, *through), feeds="input")
            else:
                return replace(_without_activation(step, found), through=tuple(through))

    def _together(self, branches: list[Incoming]) -> Incoming:
        """Of branches side by side: what they all are, if they are alike."""
        if len(branches) == 1:
            return branches[0]
        kinds = {branch.kind for branch in branches}
        if branches and len(kinds) == 1 and len({branch.activation for branch in branches}) == 1:
            through = tuple(dict.fromkeys(step for branch in branches for step in branch.through))
            return replace(branches[0], source=None, made=None, through=through)
        labels = " and ".join(dict.fromkeys(branch.label for branch in branches))
        return Incoming("unknown", None, f"{labels} side by side")

    def _activation(self, end: Step) -> Incoming:
        source = self._source(end)
        assert source is not None
        phi = self._phi(end, source)
        if phi is None:
            return Incoming("unknown", None, f"{_told(end)}, no activation that can be read", source, end)
        while self.role(source) == "shape" and self.before(source):
            source = self.before(source)[0]
        *ahead, origin = self._back(source)
        changed = tuple(step for step in ahead if self.role(step) != "shape")
        label = str(phi.name or _told(end))
        return Incoming("activation", phi, label, source, end, ahead=changed, feeds=self.role(origin))

    def feeds(self, step: Step) -> Role:
        """What numbers come from that have only been rearranged, pooled or dropped since."""
        return self.role(self._back(step)[-1])

    def _back(self, step: Step) -> list[Step]:
        """The steps back from one, it among them, as far as numbers are only rearranged, pooled or dropped."""
        found = [step]
        while self.role(step) in ("shape", "pooling", "dropout", "padding", "affine") and self.before(step):
            step = self.before(step)[0]
            found.append(step)
        return found

    def _source(self, step: Step) -> Step | None:
        """The one step that a stretch of elementwise ones depends on; None where the last is none of these."""
        # Deep models have long stretches of other steps, which are not entered.
        if step not in self._alone:
            self._alone[step] = None
            if role(step) == "unknown" and step.kind in ("module", "function") and self._is_elementwise(step):
                sources = {self._source(s) or s for s in step.before}
                self._alone[step] = sources.pop() if len(sources) == 1 else None
        return self._alone[step]

    def _is_elementwise(self, step: Step) -> bool:
        if step not in self._unary:
            known = step.before and all(s.kind != "parameter" or s.operation.numel() == 1 for s in step.before)
            named = step.kind == "module" and named_module(step.operation) is not None
            tried = named or is_elementwise(lambda x: _applied(step, dict.fromkeys(step.before, x)))
            self._unary[step] = bool(known) and tried
        return self._unary[step]

    def _phi(self, end: Step, source: Step) -> Activation | None:
        key = self._key(end, source)
        if key not in self._read:
            alone = _named(end) if end.before == [source] else None
            self._read[key] = alone or sampled(lambda x: _carried(end, source, x), _told_stretch(end, source))
        return self._read[key]

    def _key(self, end: Step, source: Step) -> Any:
        """What tells one stretch of steps from another that computes something else: each step, and what it takes."""
        places: dict[Step, int] = {source: 0}
        key: list[Any] = []
        for step in _stretch(end, source):
            if step.kind == "parameter":
                own: Any = tuple(step.operation.reshape(-1).tolist())
            elif step.kind == "module":
                values = tuple(tuple(p.reshape(-1).tolist()) for p in step.operation.parameters())
                own = (type(step.operation), repr(step.operation), values, getattr(step.operation, "phi", None))
            else:
                own = step.name
            constants = _mapped((step.args, dict(step.kwargs)), lambda s: "·")
            key.append((own, tuple(places[s] for s in step.before), repr(constants)))
            places[step] = len(places)
        return tuple(key)


def _without_activation(step: Step, found: Role) -> Incoming:
    if found == "input":
        return Incoming("input", None, "the input", step, feeds=found)
    if found == "embedding":
        return Incoming("input", None, "an embedding", step, feeds=found)
    if found == "normalisation":
        return Incoming("normalised", None, f"normalised ({_told(step)})", step, feeds=found)
    if found == "layer":
        return Incoming("linear", linear(), "none: linear", step, step, feeds=found)
    if found == "sum":
        return Incoming("sum", linear(), "a sum of branches", step, step, feeds=found)
    if found == "unknown":
        return Incoming("unknown", None, f"not known: {_told(step)}", step, feeds=found)
    # Names of functions are long, and say no more.
    label = found if step.kind == "function" else f"{found}: {_told(step)}"
    return Incoming("unknown", None, label, step, feeds=found)


def linear() -> Activation:
    """φ(x) = x, of what receives no activation."""
    return activation("identity")


def _is_identity(phi: Activation) -> bool:
    return phi == linear()


def _told(step: Step) -> str:
    if step.kind == "module":
        return type(step.operation).__name__
    return call_name(step.name) if step.kind == "function" else step.name


def _told_stretch(end: Step, source: Step) -> str:
    steps = [step for step in _stretch(end, source) if step.kind != "parameter"]
    return " then ".join(dict.fromkeys(map(_told, steps)))


def _stretch(end: Step, source: Step) -> list[Step]:
    """The steps from a source to the end of what is made of it, each after those that it takes."""
    found: dict[Step, None] = {}
    seen, open_ = {source}, [end]
    while open_:
        step = open_[-1]
        ahead = [s for s in step.before if s not in seen]
        if ahead:
            open_.append(ahead[-1])
            continue
        open_.pop()
        if step not in seen:
            seen.add(step)
            found[step] = None
    return list(found)


def _mapped(value: Any, of: Callable[[Step], Any]) -> Any:
    if isinstance(value, Step):
        return of(value)
    if isinstance(value, dict):
        return {key: _mapped(held, of) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(held, of) for held in value) if type(value) in (list, tuple) else value
    return value


def _named(step: Step) -> Activation | None:
    """What the catalogue has by the name of a step."""
    if step.kind == "module":
        return named_module(step.operation)
    if step.args and len(step.before) == 1 and step.args[0] is step.before[0]:
        return named_call(step.name, step.args[1:], step.kwargs)
    return None


def _applied(step: Step, values: dict[Step, Tensor]) -> Any:
    """One step, at the values of the steps before it."""

    def of(s: Step) -> Any:
        return values[s] if s.kind != "parameter" else s.operation.detach().double().reshape(()).cpu()

    args, kwargs = _mapped(tuple(step.args), of), _mapped(dict(step.kwargs), of)
    if step.kind == "module":
        return in_double(step.operation)(*args, **kwargs)
    return step.operation(*args, **kwargs)


def _carried(step: Step, source: Step, x: Tensor, done: dict[Step, Any] | None = None) -> Any:
    """A stretch of elementwise steps, at a value of its source; what is `done` is not done again."""
    done = {source: x} if done is None else done
    if step not in done:
        done[step] = _one_further(step, source, x, done)
    # A step may work in place.
    return done[step].clone()


def _one_further(step: Step, source: Step, x: Tensor, done: dict[Step, Any]) -> Any:
    values = {s: _carried(s, source, x, done) for s in step.before if s.kind != "parameter"}
    # PyTorch's own softplus jumps by 2e-9 where it takes x.
    if len(values) == 1 and (phi := _named(step)) is not None:
        (value,) = values.values()
        return torch.from_numpy(phi.values(value.numpy()))
    return _applied(step, values)
