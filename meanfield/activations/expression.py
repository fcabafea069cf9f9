"""Expressions in x, such as max(x - tau, 0) or x*tanh(log(1 + exp(x))), read into exact pieces.

Python's own parser makes the tree, and nothing in it is ever run: each node is looked up in the tables of `grammar` or
refused. Numbers are taken as typed (0.1 is 1/10), so what cancels on paper cancels here. What is made of straight
pieces is worked out in rational numbers; anything else becomes trees of analytic functions between breaks. What no
activation can be, such as 1/x, is refused with a pointer to the part at fault.

docs/activations.md holds the grammar.
"""

from __future__ import annotations

import ast
import keyword
import math
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fractions import Fraction
from itertools import pairwise
from typing import NoReturn

from meanfield.activations import algebra, analytic, curves
from meanfield.activations.algebra import NotPiecewiseLinear, Number, Pieces
from meanfield.activations.catalogue import find
from meanfield.activations.curves import EVERYWHERE, Curve, NotAnalytic, lifted, lowered
from meanfield.activations.elsewhere import NOT_ELEMENTWISE, key
from meanfield.activations.entry import number
from meanfield.activations.extent import grows_too_fast, undefined_at
from meanfield.activations.grammar import COMPARISONS, CONSTANTS, FACTORS, FUNCTIONS, LOGIC, REFUSED, Operation
from meanfield.activations.syntax import one_line, pointing, tree
from meanfield.activations.trees import Tree
from meanfield.errors import ActivationError, ExpressionError, shortened

__all__ = ["FUNCTIONS", "check_name", "free_names", "names_in", "parse_exactly", "parse_expression", "parse_pieces"]

_ONE = algebra.constant(Fraction(1))
_SUM = Operation(Pieces.__add__, Curve.__add__)
_DIFFERENCE = Operation(Pieces.__sub__, Curve.__sub__)
_NEGATIVE = Operation(Pieces.__neg__, Curve.__neg__)
_POWER = Operation(algebra.power, Curve.__pow__)

_FUNCTIONS_ALLOWED = f"the functions allowed are {', '.join(FUNCTIONS)}"
#: Functions that are no activation, and why.
_POLES = {
    "tan": "tan has poles, at x = pi/2 and endlessly many more: clip it, or take atan or tanh",
    "cot": "cot has poles, at x = 0 and endlessly many more",
    "atanh": "atanh has values between -1 and 1 alone, and poles there",
}


def parse_expression(text: str, parameters: Mapping[str, float]) -> Pieces | Curve:
    """The function that an expression in x stands for, with the parameters put in: `Pieces` if it is piecewise linear.

    Args:
        text: the expression; line breaks count as spaces.
        parameters: the value of every other name that occurs in it.

    Raises:
        ExpressionError: not an expression, or none that an activation can be; it points at the part at fault.
        ActivationError: a parameter that is no number, or that does not occur.
    """
    values = {}
    for name, value in parameters.items():
        check_name(name)
        values[name] = algebra.meant(number(name, value))
    return _parsed(text, values, straight=False)


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
    return list(dict.fromkeys(node.id for node in names if node.id not in FUNCTIONS and node.id not in CONSTANTS))


def parse_exactly(text: str, parameters: Mapping[str, Number]) -> Pieces:
    """A piecewise-linear function, as `parse_expression`, with exact numbers for the parameters, symbols among them.

    Raises:
        ExpressionError: also where the function is not piecewise linear.
    """
    pieces = _parsed(text, parameters, straight=True)
    assert isinstance(pieces, Pieces)
    return pieces


def parse_pieces(breaks: Sequence[float], texts: Sequence[str]) -> Curve:
    """The function whose pieces are these expressions, each of which has to be defined between its two breaks alone.

    Raises:
        ExpressionError: a text is no expression, or its function is none where it counts.
    """
    ends = tuple(map(algebra.exact, breaks))
    trees: list[Tree | None] = []
    for j, text in enumerate(texts):
        flat = one_line(text)
        reader = _Reader(flat, {}, straight=False)
        reader.domain = Curve(ends, tuple(analytic.number(int(i == j)) for i in range(len(texts))))
        piece = lifted(reader.whole(tree(flat)), reader.domain)
        found = [part for part in piece.trees if part is not None]
        if len(found) != 1:
            raise pointing(flat, 0, 1, "this has breaks of its own: give it as several pieces")
        trees += found
    return Curve(ends, tuple(trees))


def _parsed(text: str, parameters: Mapping[str, Number], straight: bool) -> Pieces | Curve:
    flat = one_line(text)
    values = {unicodedata.normalize("NFKC", name): algebra.constant(value) for name, value in parameters.items()}
    reader = _Reader(flat, values, straight)
    try:
        function = reader.whole(tree(flat))
    except RecursionError:
        raise pointing(flat, 0, 1, "the expression is nested too deeply: simplify it") from None
    unused = [name for name in values if name not in reader.used]
    if unused:
        raise ActivationError(f"parameter {unused[0]!a} does not occur in {shortened(flat)!r}: leave it out, or use it")
    return function


class _Reader:
    """Reads a syntax tree of `text` node by node; `used` collects the parameters met on the way.

    `straight` is whether straight pieces alone will do. `domain` is where what is read counts: in a branch of where(…),
    where its condition holds.
    """

    def __init__(self, text: str, parameters: Mapping[str, Pieces], straight: bool) -> None:
        self.text, self.parameters, self.straight = text, parameters, straight
        self.shift = len(text) - len(text.lstrip())
        self.bytes = text.lstrip().encode()
        self.used: set[str] = set()
        self.domain = EVERYWHERE
        self.curves: list[tuple[ast.expr, Curve]] = []

    def whole(self, node: ast.expr) -> Pieces | Curve:
        """The function that the whole expression stands for."""
        function = self.read(node)
        if isinstance(function, Curve) and _fault(function):
            # The first part that has a fault is the smallest.
            for part, curve in self.curves:
                if fault := _fault(curve):
                    self.refuse(part, fault)
        return function

    def read(self, node: ast.expr) -> Pieces | Curve:
        """The function a node stands for."""
        try:
            function = self._read(node)
        except (NotPiecewiseLinear, NotAnalytic) as fault:
            self.refuse(node, str(fault))
        except ExpressionError:
            raise
        except ActivationError as fault:
            self.refuse(node, str(fault))
        if isinstance(function, Curve):
            self.curves.append((node, function))
        return function

    def _read(self, node: ast.expr) -> Pieces | Curve:
        match node:
            case ast.Constant(value=value):
                return self.constant(node, value)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=u):
                return self.made(_NEGATIVE, self.read(u))
            case ast.UnaryOp(op=ast.UAdd(), operand=u):
                return self.read(u)
            case ast.UnaryOp(operand=u):
                return self.made(_DIFFERENCE, _ONE, self.condition(u))
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self.sum(node)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return self.product(node)
            case ast.BinOp(left=u, op=ast.Pow(), right=v):
                return self.made(_POWER, self.read(u), self.read(v))
            case ast.BinOp(op=op) if type(op) in LOGIC:
                first, links = _chain(node, type(op))
                return self.joined(LOGIC[type(op)], [*map(self.condition, (first, *(v.right for v in links)))])
            case ast.BinOp(op=op):
                self.refuse(node, REFUSED.get(type(op), "this operator is not available: use + - * /"))
            case ast.BoolOp(op=logic, values=operands):
                return self.joined(LOGIC[type(logic)], [*map(self.condition, operands)])
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self.comparison(left, ops, comparators)
            case ast.Call(func=function, args=arguments, keywords=keywords):
                return self.call(node, function, arguments, keywords)
        self.refuse(node, REFUSED.get(type(node), f"this has no place in an expression; {_FUNCTIONS_ALLOWED}"))

    def made(self, operation: Operation, *operands: Pieces | Curve) -> Pieces | Curve:
        """What an operation makes of functions: straight pieces of straight pieces, wherever it can."""
        straight = [f for f in operands if isinstance(f, Pieces)]
        if operation.exactly and len(straight) == len(operands):
            try:
                return operation.exactly(*straight)
            except NotPiecewiseLinear:
                if self.straight or operation.analytically is curves.stepped:
                    raise
        return lowered(operation.analytically(*(lifted(f, self.domain) for f in operands)))

    def joined(self, operation: Operation, operands: list[Pieces | Curve]) -> Pieces | Curve:
        """Operands of an associative operation."""
        return algebra.in_halves(lambda f, g: self.made(operation, f, g), operands)

    def sum(self, node: ast.BinOp) -> Pieces | Curve:
        """Terms joined by + and -."""
        first, links = _chain(node, ast.Add, ast.Sub)
        terms = [self.read(first)]
        for link in links:
            term = self.read(link.right)
            terms.append(term if isinstance(link.op, ast.Add) else self.made(_NEGATIVE, term))
        return self.joined(_SUM, terms)

    def product(self, node: ast.BinOp) -> Pieces | Curve:
        """Factors joined by * and /, from left to right."""
        first, links = _chain(node, *FACTORS)
        product = self.read(first)
        for link in links:
            factor = self.read(link.right)
            try:
                product = self.made(FACTORS[type(link.op)], product, factor)
            except (NotPiecewiseLinear, NotAnalytic, ActivationError) as fault:
                self.refuse(link, str(fault))
            if isinstance(product, Curve):
                self.curves.append((link, product))
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
        if name in CONSTANTS:
            if self.straight:
                self.refuse(node, f"{name} has no exact value here: give one, such as 22/7")
            return algebra.constant(algebra.exact(CONSTANTS[name]))
        if name in FUNCTIONS:
            self.refuse(node, f"{name} is a function: write {name}({FUNCTIONS[name].arguments})")
        close = get_close_matches(name, ["x", *self.parameters, *CONSTANTS, *FUNCTIONS], n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        self.refuse(node, f"unknown name {name}: {hint}-p {name}=value ({name}=value in Python) gives it a value")

    def condition(self, node: ast.expr) -> Pieces | Curve:
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

    def comparison(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> Pieces | Curve:
        """1 where every link of the chain holds, else 0."""
        result: Pieces | Curve = _ONE
        u = self.read(left)
        for op, node in zip(ops, comparators, strict=True):
            if type(op) not in COMPARISONS:
                self.refuse(node, "in and is compare nothing here: use < <= > >= == !=")
            v, sign = self.read(node), COMPARISONS[type(op)]
            compared = Operation(
                lambda f, g, sign=sign: algebra.comparison(sign, f, g),
                lambda f, g, sign=sign: curves.comparison(sign, f, g),
            )
            result, u = self.made(LOGIC[ast.And], result, self.made(compared, u, v)), v
        return result

    def call(
        self, node: ast.expr, called: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]
    ) -> Pieces | Curve:
        """A function of the table, applied."""
        if not isinstance(called, ast.Name):
            self.refuse(called, REFUSED.get(type(called), "this is not a function: multiply with *"))
        if called.id not in FUNCTIONS or (self.straight and FUNCTIONS[called.id].operation.exactly is None):
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
            return self.where(function.operation, *arguments)
        return self.made(function.operation, *map(self.read, arguments))

    def where(self, operation: Operation, condition: ast.expr, *branches: ast.expr) -> Pieces | Curve:
        """Either branch, read where it counts."""
        holds, domain = self.condition(condition), self.domain
        if self.straight:
            return self.made(operation, holds, *map(self.read, branches))
        read = []
        for branch, truth in zip(branches, (1, 0), strict=True):
            self.domain = curves.both(domain, lifted(holds, domain), truth)
            read.append(self.read(branch))
        self.domain = domain
        return self.made(operation, holds, *read)

    def not_a_function(self, name: str) -> str:
        """Why a name cannot be called."""
        if name == "x" or name in self.parameters:
            return f"{name} is not a function: multiply with *"
        if name in FUNCTIONS:
            return f"{name} is not piecewise linear, and formulas are of straight pieces alone"
        if name in _POLES:
            return _POLES[name]
        if key(name) in NOT_ELEMENTWISE:
            return f"{name} is no function of one number ({NOT_ELEMENTWISE[key(name)]}); {_FUNCTIONS_ALLOWED}"
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


def _fault(curve: Curve) -> str:
    """Why a function is no activation, all over where it is defined; "" if it is one."""
    ends = pairwise((-math.inf, *map(float, curve.breaks), math.inf))
    for part, (left, right) in zip(curve.trees, ends, strict=True):
        if part is None:
            continue
        for end, way in ((left, -1), (right, 1)):
            if math.isinf(end) and (x := grows_too_fast(part, way)) is not None:
                return (
                    f"this grows too fast for Gaussian means to exist, past 1e300 at x = {x:.4g}: growth slower than "
                    "exp(x**2) would do, such as exp(x)"
                )
        if (x := undefined_at(part, left, right)) is not None:
            return (
                f"this is no number at x = {x:.6g}, where its parts overflow: write it with tanh, sigmoid or softplus, "
                "or with exp of what falls"
            )
    return ""


def check_name(name: str) -> None:
    """Refuse what cannot name a parameter, with an `ActivationError`."""
    if name == "x" or name in FUNCTIONS or name in CONSTANTS:
        taken = "the variable" if name == "x" else "a function" if name in FUNCTIONS else "a number"
        raise ActivationError(f"{name} is {taken} of expressions: give the parameter another name")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ActivationError(f"{name!a} cannot name a parameter: use letters, such as a or tau")
