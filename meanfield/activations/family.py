"""An activation with parameters left open: clipped-relu(tau, m), or any expression in x and the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from meanfield.activations.catalogue import find
from meanfield.activations.expression import free_names
from meanfield.activations.spec import NamedActivation, holds_numbers, parameters_of, read_activation, split_name
from meanfield.errors import ActivationError, ExpressionError

__all__ = ["Family", "left_open"]


@dataclass(frozen=True)
class Family:
    """Activations that differ in one or two parameters.

    Args:
        spec: a name of the catalogue or an expression in x, as `meanfield.activation` takes it.
        open: the parameters left open; of two, the first sets the sparsity and the second the slope V'(q*).
        given: values of the other parameters, as pairs.

    Raises:
        ActivationError: `spec` has no such parameter, or it is given a value; or none or more than two are open.

    Example:
        >>> Family("clipped-relu", ("tau", "m")).member({"tau": 1.0, "m": 0.5}).formula
        'clip(x - 1, 0, 0.5)'
    """

    spec: str
    open: tuple[str, ...]
    given: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.spec, str):
            raise ActivationError(f"{self.spec!r:.60} is no family: give a name or an expression with open parameters")
        if isinstance(self.open, list):
            object.__setattr__(self, "open", tuple(self.open))
        if not isinstance(self.open, tuple) or len(self.open) not in (1, 2) or len(set(self.open)) != len(self.open):
            raise ActivationError(
                f"{self.spec} is to be solved for {_named(self.open)}: name one or two different "
                "parameters, such as tau,m"
            )
        for name in self.open:
            if name in dict(self.given):
                raise ActivationError(f"{self.spec} cannot be solved for {name}, which has a value: leave one out")
            if name == "x" or name not in parameters_of(self.spec):
                raise ActivationError(f"{self.spec} has no parameter {name} to solve for: name one that it has")

    def member(self, values: Mapping[str, float]) -> NamedActivation:
        """The activation with these values of the open parameters.

        Raises:
            ActivationError: there is none, because a value is out of range or the rest of the spec is wrong.
        """
        return _member(self.spec, (*self.given, *values.items()))


def left_open(spec: str, given: Mapping[str, float]) -> tuple[str, ...]:
    """The parameters of `spec` that have no value in it or in `given`, by the names of the catalogue, in order."""
    text = spec.strip()
    if holds_numbers(text):
        return ()
    named = split_name(text, given)
    if named and (entry := find(named[0])):
        names = [] if named[1].strip() else [parameter.name for parameter in entry.parameters]
    else:
        try:
            names = [] if named else free_names(text)
        except ExpressionError:
            names = []
    return tuple(name for name in names if name not in given)


def _named(names: object) -> str:
    return (", ".join(map(str, names)) if isinstance(names, tuple) else repr(names)[:40]) or "nothing"


@lru_cache(maxsize=4096)
def _member(spec: str, values: tuple[tuple[str, float], ...]) -> NamedActivation:
    return read_activation(spec, **dict(values))
