"""Expressions in x, such as max(x - tau, 0), read into exact pieces.

Python's own parser makes the tree, and nothing in it is ever run: each node is looked up in the tables below or
refused. Numbers are taken as typed (0.1 is 1/10), so what cancels on paper cancels here. Whatever leaves the
piecewise-linear functions is refused with a pointer to the part that does.

docs/activations.md holds the grammar.
"""

from __future__ import annotations

import ast
import keyword
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import NoReturn

from meanfield.activations import algebra
from meanfield.activations.algebra import NotPiecewiseLinear, Number, Pieces
from meanfield.activations.catalogue import find
from meanfield.activations.elsewhere import NOT_ELEMENTWISE, SMOOTH, key
from meanfield.activations.entry import number
from meanfield.activations.syntax import one_line, pointing, tree
from meanfield.errors import ActivationError, ExpressionError, shortened

__all__ = ["FUNCTIONS", "check_name", "free_names", "names_in", "parse_exactly", "parse_expression"]

_ZERO = algebra.constant(Fraction(0))
_ONE = algebra.constant(Fraction(1))


@dataclass(frozen=True)
class Function:
    """What a name before parentheses means: its arguments, as written in messages, and what it makes of them."""

    arguments: str
    apply: Callable[..., Pieces]
    most: int | None

    @property
    def least(self) -> int:
        """The number of arguments it needs."""
        return self.arguments.count(",") + 1 - self.arguments.count("...")


def _relu(u: Pieces) -> Pieces:
    return algebra.maximum(u, _ZERO)


def _clip(u: Pieces, low: Pieces, high: Pieces) -> Pieces:
    if algebra.comparison(">", low, high) != _ZERO:
        raise NotPiecewiseLinear("clip(u, lo, hi) with lo > hi: swap the bounds")
    return algebra.minimum(algebra.maximum(u, low), high)


#: The functions of the grammar.
FUNCTIONS: dict[str, Function] = {
    "max": Function("u, v, ...", algebra.maximum, None),
    "min": Function("u, v, ...", algebra.minimum, None),
    "abs": Function("u", algebra.absolute, 1),
    "relu": Function("u", _relu, 1),
    "clip": Function("u, lo, hi", _clip, 3),
    "sign": Function("u", algebra.sign, 1),
    "step": Function("u", algebra.step, 1),
    "round": Function("u", algebra.nearest, 1),
    "floor": Function("u", algebra.floor, 1),
    "ceil": Function("u", algebra.ceil, 1),
    "where": Function("condition, u, v", algebra.where, 3),
}

_FACTORS: dict[type[ast.operator], Callable[[Pieces, Pieces], Pieces]] = {
    ast.Mult: Pieces.__mul__,
    ast.Div: Pieces.__truediv__,
}

_LOGIC: dict[type[ast.operator] | type[ast.boolop], Callable[[Pieces, Pieces], Pieces]] = {
    ast.BitAnd: Pieces.__mul__,
    ast.And: Pieces.__mul__,
    ast.BitOr: algebra.maximum,
    ast.Or: algebra.maximum,
}

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}

_REFUSED: dict[type[ast.AST], str] = {
    ast.BitXor: "^ has no place here, and a power is not piecewise linear",
    ast.FloorDiv: "// is not available: divide with /",
    ast.Mod: "% is not available: a periodic function has no end of pieces",
    ast.MatMult: "@ is not available: multiply with *",
    ast.IfExp: "write where(condition, u, v) for u if condition else v",
    ast.Attribute: "a dot is not available: write max(x, 0), not np.maximum(x, 0)",
    ast.Subscript: "brackets [] are not available: use parentheses ()",
    ast.List: "brackets [] are not available: use parentheses ()",
    ast.Tuple: "a comma belongs between the arguments of a function; a decimal number is written with a dot",
    ast.Lambda: "write the formula in x alone, without lambda",
    ast.Starred: "* unpacks nothing here: write the arguments out",
}

_FUNCTIONS_ALLOWED = f"the functions allowed are {', '.join(FUNCTIONS)}"


def parse_expression(text: str, parameters: Mapping[str, float]) -> Pieces:
    """The function that an expression in x stands for, with the parameters put in.

    Args:
        text: the expression; line breaks count as spaces.
        parameters: the value of every other name that occurs in it.

    Raises:
        ExpressionError: not an expression, or not piecewise linear; it points at the part at fault.
        ActivationError: a parameter that is no number, or that does not occur.
    """
    values = {}
    for name, value in parameters.items():
        check_name(name)
        values[name] = algebra.meant(number(name, value))
    return parse_exactly(text, values)


def free_names(text: str) -> list[str]:
    """The names in an expression other than x and functions, in order of appearance.

    Raises:
        ExpressionError: not an expression.
    """
    return [name for name in names_in(text) if name != "x"]


def names_in(text: str) -> list[str]:
    """As `free_names`, with x where it occurs."""
    nodes = list(ast.walk(tree(one_line(text))))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = [node for node in nodes if isinstance(node, ast.Name) and id(node) not in called]
    names.sort(key=lambda node: node.col_offset)
    return list(dict.fromkeys(node.id for node in names if node.id not in FUNCTIONS))


def parse_exactly(text: str, parameters: Mapping[str, Number]) -> Pieces:
    """As `parse_expression`, with exact numbers for the parameters, symbols among them."""
    flat = one_line(text)
    values = {unicodedata.normalize("NFKC", name): algebra.constant(value) for name, value in parameters.items()}
    reader = _Reader(flat, values)
    try:
        pieces = reader.read(tree(flat))
    except RecursionError:
        raise pointing(flat, 0, 1, "the expression is nested too deeply: simplify it") from None
    unused = [name for name in values if name not in reader.used]
    if unused:
        raise ActivationError(f"parameter {unused[0]!a} does not occur in {shortened(flat)!r}: leave it out, or use it")
    return pieces


class _Reader:
    """Reads a syntax tree of `text` node by node; `used` collects the parameters met on the way."""

    def __init__(self, text: str, parameters: Mapping[str, Pieces]) -> None:
        self.text, self.parameters = text, parameters
        self.shift = len(text) - len(text.lstrip())
        self.bytes = text.lstrip().encode()
        self.used: set[str] = set()

    def read(self, node: ast.expr) -> Pieces:
        """The function a node stands for."""
        try:
            return self._read(node)
        except NotPiecewiseLinear as fault:
            self.refuse(node, str(fault))
        except ExpressionError:
            raise
        except ActivationError as fault:
            self.refuse(node, str(fault))

    def _read(self, node: ast.expr) -> Pieces:
        match node:
            case ast.Constant(value=value):
                return self.constant(node, value)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=u):
                return -self.read(u)
            case ast.UnaryOp(op=ast.UAdd(), operand=u):
                return self.read(u)
            case ast.UnaryOp(operand=u):
                return _ONE - self.condition(u)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.sum(node)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self.product(node)
            case ast.BinOp(left=u, op=ast.Pow(), right=v):
                return algebra.power(self.read(u), self.read(v))
            case ast.BinOp(op=op) if type(op) in _LOGIC:
                first, links = _chain(node, type(op))
                return algebra.in_halves(_LOGIC[type(op)], [*map(self.condition, (first, *(v.right for v in links)))])
            case ast.BinOp(op=op):
                self.refuse(node, _REFUSED.get(type(op), "this operator is not available: use + - * /"))
            case ast.BoolOp(op=logic, values=operands):
                return algebra.in_halves(_LOGIC[type(logic)], [*map(self.condition, operands)])
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self.comparison(left, ops, comparators)
            case ast.Call(func=function, args=arguments, keywords=keywords):
                return self.call(node, function, arguments, keywords)
        self.refuse(node, _REFUSED.get(type(node), f"this has no place in an expression; {_FUNCTIONS_ALLOWED}"))

    def sum(self, node: ast.BinOp) -> Pieces:
        """Terms joined by + and -."""
        first, links = _chain(node, ast.Add, ast.Sub)
        terms = [self.read(first)]
        for link in links:
            term = self.read(link.right)
            terms.append(term if isinstance(link.op, ast.Add) else -term)
        return algebra.in_halves(Pieces.__add__, terms)

    def product(self, node: ast.BinOp) -> Pieces:
        """Factors joined by * and /, from left to right."""
        first, links = _chain(node, *_FACTORS)
        product = self.read(first)
        for link in links:
            factor = self.read(link.right)
            try:
                product = _FACTORS[type(link.op)](product, factor)
            except (NotPiecewiseLinear, ActivationError) as fault:
                self.refuse(link, str(fault))
        return product

    def constant(self, node: ast.expr, value: object) -> Pieces:
        """A number, exactly as typed."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(node, "this is not a real number")
        if not abs(value) < 2**1024:
            self.refuse(node, "this number is larger than 1.8e308: rescale")
        mantissa = self.source(node).casefold().partition("e")[0]
        if value == 0 and any(digit in mantissa for digit in "123456789"):
            self.refuse(node, "this number is smaller than 5e-324: rescale")
        return algebra.constant(Fraction(value) if isinstance(value, int) else algebra.exact(value))

    def source(self, node: ast.expr) -> str:
        """The text of a node."""
        return self.bytes[node.col_offset : node.end_col_offset].decode()

    def name(self, node: ast.expr, name: str) -> Pieces:
        """x or a parameter."""
        if name == "x":
            return algebra.x
        if name in self.parameters:
            self.used.add(name)
            return self.parameters[name]
        if name in FUNCTIONS:
            self.refuse(node, f"{name} is a function: write {name}({FUNCTIONS[name].arguments})")
        close = get_close_matches(name, ["x", *self.parameters, *FUNCTIONS], n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        self.refuse(node, f"unknown name {name}: {hint}-p {name}=value ({name}=value in Python) gives it a value")

    def condition(self, node: ast.expr) -> Pieces:
        """A comparison, or comparisons joined with and, or, not."""
        match node:
            case (
                ast.Compare()
                | ast.BoolOp()
                | ast.UnaryOp(op=ast.Not() | ast.Invert())
                | ast.BinOp(op=ast.BitAnd() | ast.BitOr())
            ):
                return self.read(node)
        self.refuse(
            node, "this is not a condition: compare it, as in x > 0; & and | need parentheses, (x > 0) & (x < 1)"
        )

    def comparison(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> Pieces:
        """1 where every link of the chain holds, else 0."""
        result, u = _ONE, self.read(left)
        for op, node in zip(ops, comparators, strict=True):
            if type(op) not in _COMPARISONS:
                self.refuse(node, "in and is compare nothing here: use < <= > >= == !=")
            v = self.read(node)
            result, u = result * algebra.comparison(_COMPARISONS[type(op)], u, v), v
        return result

    def call(self, node: ast.expr, called: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Pieces:
        """A function of the table, applied."""
        if not isinstance(called, ast.Name):
            self.refuse(called, _REFUSED.get(type(called), "this is not a function: multiply with *"))
        if called.id not in FUNCTIONS:
            self.refuse(called, self.not_a_function(called.id))
        function = FUNCTIONS[called.id]
        if keywords:
            form = f"{called.id}({function.arguments})"
            self.refuse(keywords[0].value, f"{called.id} takes no named arguments: write {form}")
        if len(arguments) < function.least or (function.most and len(arguments) > function.most):
            takes = f"{function.least} argument{'s' * (function.least > 1)}{' or more' * (not function.most)}"
            form = f"{called.id}({function.arguments})"
            self.refuse(node, f"{called.id} takes {takes}, not {len(arguments)}: write {form}")
        if called.id == "where":
            condition, *rest = arguments
            return function.apply(self.condition(condition), *map(self.read, rest))
        return function.apply(*map(self.read, arguments))

    def not_a_function(self, name: str) -> str:
        """Why a name cannot be called."""
        if name == "x" or name in self.parameters:
            return f"{name} is not a function: multiply with *"
        if key(name) in SMOOTH:
            return f"{name} is not piecewise linear; {_FUNCTIONS_ALLOWED}"
        if key(name) in NOT_ELEMENTWISE:
            return f"{name} is no function of one number; {_FUNCTIONS_ALLOWED}"
        if entry := find(name):
            return f"{name} is no function of expressions: write {entry.formula} out, with what you mean for x"
        close = get_close_matches(name, FUNCTIONS, n=1)
        hint = f": did you mean {close[0]}?" if close else ";"
        return f"unknown function {name}{hint} {_FUNCTIONS_ALLOWED}"

    def refuse(self, node: ast.expr, reason: str) -> NoReturn:
        """Raise an `ExpressionError` that points at the node."""
        # The parser counts bytes; a person counts characters.
        start = len(self.bytes[: node.col_offset].decode()) + self.shift
        raise pointing(self.text, start, len(self.source(node)), reason) from None


def _chain(node: ast.expr, *operators: type[ast.operator]) -> tuple[ast.expr, list[ast.BinOp]]:
    """What a + b − c + … begins with, and its links from left to right. A tree of n terms is n deep."""
    links: list[ast.BinOp] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, operators):
        links.append(node)
        node = node.left
    return node, links[::-1]


def check_name(name: str) -> None:
    """Refuse what cannot name a parameter, with an `ActivationError`."""
    if name == "x" or name in FUNCTIONS:
        taken = "the variable" if name == "x" else "a function"
        raise ActivationError(f"{name} is {taken} of expressions: give the parameter another name")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ActivationError(f"{name!a} cannot name a parameter: use letters, such as a or tau")
