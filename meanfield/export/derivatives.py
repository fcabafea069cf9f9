"""The derivative of an analytic function as a tree again: what is written out of φ can be written out of φ' too."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from meanfield.activations.analytic import call, negative, number, power, product, quotient, summed
from meanfield.activations.trees import Call, Number, Power, Product, Quotient, Sum, Tree, X

__all__ = ["derivative"]


def _real(value: float) -> Tree:
    return Number(Fraction(value))


def _square(u: Tree) -> Tree:
    return power(u, number(2))


def _bell(u: Tree) -> Tree:
    """σ(u) σ(−u), which keeps its digits where σ is 1."""
    return product([call("sigmoid", u), call("sigmoid", negative(u))])


#: The derivatives of the primitives, in forms that neither overflow nor cancel.
_SLOPES: dict[str, Callable[[Tree], Tree]] = {
    "tanh": lambda u: product([number(4), _bell(product([number(2), u]))]),
    "sigmoid": _bell,
    "softplus": lambda u: call("sigmoid", u),
    "logsigmoid": lambda u: call("sigmoid", negative(u)),
    "tanhshrink": lambda u: _square(call("tanh", u)),
    "exp": lambda u: call("exp", u),
    "expm1": lambda u: call("exp", u),
    "log": lambda u: quotient(number(1), u),
    "log1p": lambda u: quotient(number(1), summed([u, number(1)])),
    "sqrt": lambda u: quotient(number(Fraction(1, 2)), call("sqrt", u)),
    "sin": lambda u: call("cos", u),
    "cos": lambda u: negative(call("sin", u)),
    "atan": lambda u: quotient(number(1), summed([_square(u), number(1)])),
    "asinh": lambda u: quotient(number(1), call("sqrt", summed([_square(u), number(1)]))),
    "sinh": lambda u: call("cosh", u),
    "cosh": lambda u: call("sinh", u),
    "logcosh": lambda u: call("tanh", u),
    "squareplus": lambda u: quotient(call("squareplus", u), call("sqrt", summed([_square(u), number(4)]))),
    "erf": lambda u: product([_real(2 / math.sqrt(math.pi)), call("exp", negative(_square(u)))]),
    "Phi": lambda u: product(
        [_real(1 / math.sqrt(2 * math.pi)), call("exp", product([number(Fraction(-1, 2)), _square(u)]))]
    ),
}


def derivative(tree: Tree) -> Tree:
    """f' of a tree that is made of primitives."""
    match tree:
        case Number():
            return number(0)
        case Sum(parts=parts):
            return summed(map(derivative, parts))
        case Product(parts=parts):
            return summed(
                product([*parts[:k], derivative(part), *parts[k + 1 :]])
                for k, part in enumerate(parts)
                if not isinstance(part, Number)
            )
        case Quotient(over=over, under=under):
            # From f · under = over: a product of quotients overflows later than a quotient of products.
            falling = negative(product([tree, derivative(under)]))
            return quotient(summed([derivative(over), falling]), under)
        case Power(base=base, exponent=n):
            return product([Number(n), power(base, Number(n - 1)), derivative(base)])
        case Call(name=name, argument=u):
            return product([_SLOPES[name](u), derivative(u)])
    assert tree == X
    return number(1)
