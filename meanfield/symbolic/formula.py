"""What a formula is: its symbols, what stands in it for what, and what is left to say below it, read after others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

from sympy import Expr, Function, Integral, Symbol
from sympy.core.function import AppliedUndef

from meanfield.quantities import FormulaQuantity

__all__ = ["SYMBOLS", "VARIANCE_MAP", "Formula", "in_order"]

#: The symbols that every formula may hold besides the activation's parameters, by name.
SYMBOLS: dict[str, Symbol] = {
    "q": Symbol("q", positive=True),
    "q_star": Symbol("q_star", positive=True),
    "sigma_w": Symbol("sigma_w", positive=True),
    "sigma_b": Symbol("sigma_b", nonnegative=True),
    "rho": Symbol("rho", real=True),
}

#: V(q), as it stands in the correlation map.
VARIANCE_MAP: Expr = Function("V")(SYMBOLS["q"])

_SIGMA_W2 = SYMBOLS["sigma_w"] ** 2

#: What a formula, by the name of its quantity, is itself the definition of.
_DEFINES = {"V": VARIANCE_MAP, "sigma_w2": _SIGMA_W2}


@dataclass(frozen=True)
class Formula:
    """A quantity and its formula.

    Attributes:
        quantity: what it is.
        arguments: the names of what it is a function of, in order, the activation's parameters last.
        short: the formula as printed, in terms of `definitions`.
        definitions: what stands in it for what, V(q), h = τ/√q and φ(x); none refers to one before it.
        edge: on the edge of chaos, σ_w² as a function of q*, where σ_w occurs.
    """

    quantity: FormulaQuantity
    arguments: tuple[str, ...]
    short: Expr
    definitions: Mapping[Expr, Expr]
    edge: Expr | None = None

    @property
    def where(self) -> dict[Expr, Expr]:
        """What is printed below the formula: its definitions, and σ_w² on the edge of chaos."""
        return {**self.definitions, **({} if self.edge is None else {_SIGMA_W2: self.edge})}

    @cached_property
    def expression(self) -> Expr:
        """The formula with its definitions put in, those of functions at any argument."""
        result = self.short
        for name, value in self.definitions.items():
            if isinstance(name, AppliedUndef):
                result = result.replace(name.func, partial(_at, name, value))
            else:
                result = result.xreplace({name: value})
        return result

    @property
    def is_integral(self) -> bool:
        """Whether it is left as an integral, for no closed form is known."""
        return any(value.has(Integral) for value in (self.short, *self.where.values()))


def _at(name: AppliedUndef, value: Expr, *arguments: Expr) -> Expr:
    return value.xreplace(dict(zip(name.args, arguments, strict=True)))


def in_order(formulas: Iterable[Formula]) -> Iterator[tuple[Formula, dict[Expr, Expr]]]:
    """Each formula, and what is to stand below it: of its `where`, what none before it has said."""
    said: set[Expr] = set()
    for formula in formulas:
        yield formula, {name: value for name, value in formula.where.items() if name not in said}
        said |= {*formula.where, _DEFINES.get(formula.quantity.name)}
