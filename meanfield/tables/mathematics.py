"""Expressions in x, written as in Python, as mathematics in LaTeX."""

from __future__ import annotations

import ast
import re

from meanfield.lettering import latex_name

__all__ = ["Notation", "expression_latex", "is_expression", "label_latex"]

_TOKEN = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[^\W\d]\w*|\*\*|[<>=!]=|\s+|.")
_POWER_OF_TEN = re.compile(r"(.*)[eE]([+-]?)0*(\d+)")
_OPERATORS = ("max", "min")
_SIGNS = {
    **{"<=": r"\le ", ">=": r"\ge ", "==": "=", "!=": r"\ne ", "%": r"\%", "#": r"\#", "$": r"\$", "∞": r"\infty "},
    **{word: rf"\mathrel{{\mathrm{{{word}}}}}" for word in ("and", "or", "if", "else")},
    **{"&": r"\mathrel{\mathrm{and}}", "|": r"\mathrel{\mathrm{or}}"},
    **{"not": r"\mathop{\mathrm{not}}", "~": r"\mathop{\mathrm{not}}", "inf": r"\infty "},
}
#: What ends a chain of factors.
_ENDS = {"+", "-", ",", "<", ">", "<=", ">=", "==", "!=", "=", "and", "or", "if", "else", "&", "|"}
#: Parameters behind an expression, as in clip(x, -b, b), b=1/3.
_VALUES = re.compile(r"((?:, [^\W\d]\w*=[^=,()\s]+)*)$")


class Notation(str):
    """The name of an activation as it was read, an expression or a name with parameters; any other name is a text."""

    __slots__ = ()


def is_expression(text: str) -> bool:
    """Whether it is no description in words."""
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def label_latex(label: str) -> str:
    """An expression as a label, with the values of its parameters beside it: clip(x, -b, b), b=1/3."""
    behind = _VALUES.search(label)
    values = behind[1] if behind else ""
    formula = label.removesuffix(values)
    return ", ".join(f"${expression_latex(part)}$" for part in (formula, *values.split(", ")[1:]))


def expression_latex(text: str) -> str:
    """An expression inside mathematics: 2**3*x is 2^{3}\\,x, 1e-3*x is 10^{-3}\\,x."""
    return _written(_TOKEN.findall(text.strip())).strip()


def _written(tokens: list[str]) -> str:
    written, i = "", 0
    # For each open parenthesis, whether its factors so far divide: 1/3 x without a dot would read as 1/(3x).
    divided = [False]
    while i < len(tokens):
        token, after = tokens[i], _next(tokens, i + 1)
        if token == "**":
            power, i = _power(tokens, i + 1)
            written = f"{written.rstrip()}^{{{power}}}"
            continue
        if token == "*":
            dotted = divided[-1] or tokens[after][:1].isdigit() if after < len(tokens) else False
            written, i = written.rstrip() + (r" \cdot " if dotted else r"\,"), after
            continue
        if token == "(":
            divided.append(False)
        elif token == ")" and len(divided) > 1:
            divided.pop()
        elif token == "/":
            divided[-1] = True
        elif token in _ENDS:
            divided[-1] = False
        raised = after < len(tokens) and tokens[after] == "**"
        written += _atom(token, called=after < len(tokens) and tokens[after] == "(", raised=raised)
        i += 1
    return written


def _next(tokens: list[str], i: int) -> int:
    """Where the next token stands that is no space."""
    while i < len(tokens) and tokens[i].isspace():
        i += 1
    return i


def _power(tokens: list[str], i: int) -> tuple[str, int]:
    """The exponent that begins here, without parentheses around it, and where it ends."""
    begin = i = _next(tokens, i)
    while i < len(tokens) and tokens[i] in "+-":
        i = _next(tokens, i + 1)
    first = i
    i += 1
    if first < len(tokens) and (tokens[first] == "(" or (_next(tokens, i) < len(tokens) and _calls(tokens, first))):
        i = _closed(tokens, first if tokens[first] == "(" else _next(tokens, i))
    end, after = i, _next(tokens, i)
    if after < len(tokens) and tokens[after] == "**":
        power, end = _power(tokens, after + 1)
        return f"{_written(tokens[begin:i])}^{{{power}}}", end
    whole = begin == first and first < len(tokens) and tokens[first] == "("
    return _written(tokens[begin + 1 : i - 1] if whole else tokens[begin:i]), end


def _calls(tokens: list[str], i: int) -> bool:
    return tokens[i][:1].isalpha() and tokens[_next(tokens, i + 1)] == "("


def _closed(tokens: list[str], i: int) -> int:
    """Behind the parenthesis that closes the one here."""
    depth = 0
    for k in range(i, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[k], 0)
        if not depth:
            return k + 1
    return len(tokens)


def _atom(token: str, *, called: bool, raised: bool) -> str:
    if token in _SIGNS:
        return _SIGNS[token]
    if token[0].isdigit() or (token[0] == "." and len(token) > 1):
        return _number(token, raised)
    if token[0].isalpha() or token[0] == "_":
        word = token.replace("_", r"\_")
        return f"\\{token}" if token in _OPERATORS else f"\\mathrm{{{word}}}" if called else latex_name(token)
    return token


def _number(token: str, raised: bool) -> str:
    match = _POWER_OF_TEN.fullmatch(token)
    if not match:
        return token
    mantissa, sign, exponent = match[1], match[2].removeprefix("+"), match[3]
    power = f"10^{{{sign}{exponent}}}"
    written = power if mantissa.rstrip("0").rstrip(".") == "1" else rf"{mantissa} \cdot {power}"
    return f"({written})" if raised else written
