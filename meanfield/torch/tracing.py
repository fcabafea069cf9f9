"""What a model computes, step by step: by torch.fx without running it, or recorded on a batch as it runs.

Both ways give the same graph. A step is a call of a module that is not looked into, or of a function outside of such;
its arguments hold the steps that made them in place of tensors.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.conv import _ConvNd
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from meanfield.activations.activation import Activation
from meanfield.activations.guarded import in_words
from meanfield.errors import DomainError, shortened
from meanfield.torch.elementwise import is_elementwise
from meanfield.torch.written import written

__all__ = ["Step", "Steps", "as_batch", "leaves", "recorded", "symbolic"]

#: Operators that work in place.
_WRITING = frozenset("__setitem__ setitem iadd isub imul itruediv __iadd__ __isub__ __imul__ __itruediv__".split())
#: Their inside is no chain of layers and activations.
_WHOLE = (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)


@dataclass(eq=False, repr=False)
class Step:
    """One operation: `name` is that of a module in the model, of a function, or of an input or output.

    `operation` is the module or the function; of an input it is None, of a parameter the tensor. `passes` tells that a
    module was seen to return the very tensor that it was given, with nothing written into it.
    """

    kind: Literal["input", "parameter", "module", "function", "output", "unknown"]
    name: str
    operation: Any = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    passes: bool = False

    @property
    def before(self) -> list[Step]:
        """The steps among its arguments, each once."""
        return list(dict.fromkeys(_steps_in((self.args, self.kwargs))))


Steps = list[Step]
Observer = Callable[[Step, tuple[Any, ...], Any], None]


def _steps_in(value: Any) -> Iterator[Step]:
    if isinstance(value, Step):
        yield value
    elif isinstance(value, Mapping):
        yield from _steps_in(list(value.values()))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for held in value:
            yield from _steps_in(held)


def leaves(model: nn.Module) -> dict[str, nn.Module]:
    """The modules that are one step, by their name in the model: layers, and what somebody wrote and is known to do."""
    found: dict[str, nn.Module] = {}
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if inside and name.startswith(inside):
            continue
        if isinstance(module, _WHOLE) or _is_step(module):
            found[name] = module
            inside = (*inside, f"{name}." if name else "")
    return found


def _is_step(module: nn.Module) -> bool:
    if isinstance(getattr(module, "phi", None), Activation) or isinstance(module, nn.Linear | _ConvNd):
        return True
    if next(module.children(), None) is not None:
        return False
    return type(module).__module__.startswith("torch.nn") or written(module) is not None or is_elementwise(module)


def symbolic(model: nn.Module) -> Steps | None:
    """By torch.fx, in order; None where the model cannot be traced so."""
    steps = leaves(model)
    if "" in steps:
        batch = Step("input", "input")
        return [batch, Step("module", "", model, (batch,))]
    known = {id(module) for module in steps.values()}

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return id(m) in known

    try:
        # What has a default is left at it: a mask that is None is not asked about.
        given = inspect.signature(model.forward).parameters.values()
        defaults = {p.name: p.default for p in given if p.default is not p.empty}
        graph = Tracer().trace(model, concrete_args=defaults or None)
        return _from_fx(graph, model)
    except Exception:
        return None


def _from_fx(graph: fx.Graph, model: nn.Module) -> Steps:
    made: dict[fx.Node, Step] = {}
    steps: Steps = []
    step_of: Any = made.__getitem__
    for node in graph.nodes:
        if node.op == "output":
            continue
        args, kwargs = fx.node.map_arg(node.args, step_of), fx.node.map_arg(node.kwargs, step_of)
        if node.op == "placeholder":
            made[node] = Step("input", str(node.target))
        elif node.op == "get_attr":
            tensor: Any = model
            for part in str(node.target).split("."):
                tensor = getattr(tensor, part)
            made[node] = Step("parameter", str(node.target), tensor)
        elif node.op == "call_module":
            made[node] = Step("module", str(node.target), model.get_submodule(str(node.target)), args, kwargs)
        elif node.op == "call_method":
            made[node] = Step("function", str(node.target), getattr(Tensor, str(node.target)), args, kwargs)
        elif node.op == "call_function":
            made[node] = Step("function", node.target.__name__, node.target, args, kwargs)
        steps.append(made[node])
        if node.args and isinstance(node.args[0], fx.Node) and _is_in_place(made[node]):
            # What was there is no more, whoever asks for it.
            made[node.args[0]] = made[node]
    return steps


def _is_in_place(step: Step) -> bool:
    if step.kind == "module":
        return bool(getattr(step.operation, "inplace", False))
    written = step.name.endswith("_") and not step.name.endswith("__")
    return written or step.name in _WRITING or step.kwargs.get("inplace") is True


def as_batch(name: str, given: object) -> tuple[Tensor, ...]:
    """What a model runs on, a tensor for each of its arguments; `name` is what messages call it.

    Raises:
        DomainError: it is neither a tensor nor several.
    """
    batch = tuple(given) if isinstance(given, list | tuple) else (given,)
    if not batch or not all(isinstance(part, Tensor) for part in batch):
        raise DomainError(f"{name} = {shortened(given)} is no batch: give a tensor, or one for each argument")
    return batch


def recorded(model: nn.Module, batch: tuple[Tensor, ...], observe: Observer | None = None) -> tuple[Steps, Any]:
    """As the model runs on a batch, in order; and what it returns.

    `observe` is called after every step with it, the values of its arguments, named ones last, and its value; its own
    steps are not recorded. An input has no arguments.

    Raises:
        DomainError: the model does not run on the batch.
    """
    recorder = _Recorder(model, observe)
    batch = tuple(recorder.entered(value, f"input {i}") for i, value in enumerate(batch))
    handles = []
    for name, module in leaves(model).items():
        handles.append(module.register_forward_pre_hook(recorder.enters(name), with_kwargs=True, prepend=True))
        handles.append(module.register_forward_hook(recorder.leaves(), with_kwargs=True, always_call=False))
    try:
        with recorder:
            returned = model(*batch)
    except Exception as fault:
        raise DomainError(f"the model does not run on the batch given: {in_words(fault)}") from None
    finally:
        for handle in handles:
            handle.remove()
    if kept := [recorder.origin(held) for held in _flat(returned) if isinstance(held, Tensor)]:
        recorder.steps.append(Step("output", "output", None, tuple(kept)))
    return recorder.steps, returned


class _Recorder(TorchFunctionMode):
    def __init__(self, model: nn.Module, observe: Observer | None) -> None:
        super().__init__()
        self._held = {id(held) for held in (*model.parameters(), *model.buffers())}
        self.steps: Steps = []
        self._observe = observe
        self._made: Any = WeakIdKeyDictionary()
        #: With the version of what each was given.
        self._open: list[tuple[Step, int]] = []

    def entered(self, value: Tensor, name: str) -> Tensor:
        """The value as an input of the model; another tensor, so that the caller's stays as it is."""
        step = Step("input", name)
        self.steps.append(step)
        own = value.detach().clone()
        # A leaf that wants a gradient may not be overwritten, its clone may.
        alias = own.requires_grad_().clone() if own.is_floating_point() and torch.is_grad_enabled() else own
        self._made[alias] = step
        if self._observe is not None:
            self._observe(step, (), alias)
        return alias

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._open:
            return func(*args, **kwargs)
        step = Step("function", getattr(func, "__name__", str(func)), func, *self._origins(args, kwargs))
        value = func(*args, **kwargs)
        self._record(step, (*args, *kwargs.values()), value)
        if args and isinstance(args[0], Tensor) and _is_in_place(step):
            self._overwritten(step, args[0])
        return value

    def _overwritten(self, step: Step, target: Tensor) -> None:
        """Part of a tensor, or what it is a view of, is no longer what made it."""
        whole = target if step.name.endswith("setitem__") else target._base
        if whole is not None:
            self._made[whole] = Step("unknown", "numbers written in place")

    def enters(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            # One within another, called from there, is part of it.
            self._open.append((Step("module", name, module, *self._origins(args, kwargs)), _version(args)))

        return hook

    def leaves(self) -> Callable[..., None]:
        # No bound method: who copies a module would copy the recorder with it.
        def hook(module: nn.Module, args: Any, kwargs: Any, value: Any) -> None:
            step, version = self._open.pop()
            step.passes = bool(args) and value is args[0] and _version(args) == version
            if not self._open:
                self._record(step, (*args, *kwargs.values()), value)

        return hook

    def _origins(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        return tuple(map(self.origin, args)), {key: self.origin(value) for key, value in kwargs.items()}

    def origin(self, value: Any) -> Any:
        """The step that made a tensor, in place of it."""
        if isinstance(value, Tensor):
            found = self._made.get(value)
            if found is not None:
                return found
            if id(value) in self._held:
                return Step("parameter", "a parameter", value)
            if not value.ndim:
                return Step("parameter", "a number", value.detach())
            return Step("unknown", "code that PyTorch does not show")
        if isinstance(value, list | tuple) and any(isinstance(held, Tensor) for held in value):
            return [self.origin(held) for held in value]
        return value

    def _record(self, step: Step, args: Any, value: Any) -> None:
        tensors = [held for held in _flat(value) if isinstance(held, Tensor)]
        if not tensors:
            return
        self.steps.append(step)
        for tensor in tensors:
            self._made[tensor] = step
        if isinstance(value, list | tuple):
            # Each part is a step of its own: a gate multiplies two parts of one.
            for i, held in enumerate(value):
                if isinstance(held, Tensor):
                    self._made[held] = Step("function", "getitem", operator.getitem, (step, i))
                    self.steps.append(self._made[held])
        if self._observe is not None:
            with torch._C.DisableTorchFunction():
                self._observe(step, args, value)


def _version(args: Any) -> int:
    """Counts what has been written into the first, as long as anything does."""
    counted = args and isinstance(args[0], Tensor) and not args[0].is_inference()
    return args[0]._version if counted else 0


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for held in value:
            yield from _flat(held)
    else:
        yield value
