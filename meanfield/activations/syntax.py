"""From the text of an expression to a syntax tree, or a pointer to where the text is wrong."""

from __future__ import annotations

import ast
import re
import warnings

from meanfield.errors import ExpressionError, shortened

__all__ = ["DEEPEST", "LONGEST", "MOST_OPERATORS", "one_line", "pointing", "tree"]

#: Longer than anyone types, short enough to be read at once: characters, operators, parentheses within parentheses.
LONGEST, MOST_OPERATORS, DEEPEST = 10_000, 2000, 100

#: Of a long expression an error shows so many characters on either side of the fault.
_MARGIN = 80

_OPERATOR = re.compile(r"[-+*/&|<>~]|\b(?:and|or|not)\b")


def pointing(text: str, column: int, width: int, reason: str) -> ExpressionError:
    """The error for that part of the text; of a long text, only what lies around it."""
    if len(text) <= 2 * _MARGIN:
        return ExpressionError(text, column, width, reason)
    start, end = max(column - _MARGIN, 0), column + _MARGIN
    before, after = "..." * (start > 0), "..." * (end < len(text))
    shown = f"{before}{text[start:end]}{after}"
    column += len(before) - start
    return ExpressionError(shown, column, min(width, len(shown) - column), reason)


def one_line(text: str) -> str:
    """The text on one line, every character of it printable.

    Raises:
        ExpressionError: it is empty, too long, or holds what is no part of an expression.
    """
    line = "".join(" " if character.isspace() else character for character in text[:LONGEST])
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    if len(text) > LONGEST:
        raise pointing(shown, 0, 1, f"the expression is {len(text)} characters long: write at most {LONGEST}")
    for column, character in enumerate(line):
        if not character.isprintable() or character == "#":
            raise pointing(shown, column, 1, f"{character!a} has no place in an expression: delete it")
    if not line.strip():
        raise pointing(line, 0, 1, "the expression is empty: write one in x, such as max(x, 0)")
    operators = len(_OPERATOR.findall(line))
    if operators > MOST_OPERATORS:
        raise pointing(line, 0, 1, f"the expression has {operators} operators: write it with at most {MOST_OPERATORS}")
    return line


def tree(text: str) -> ast.expr:
    """The syntax tree of a text on one line.

    Raises:
        ExpressionError: it is no expression; it points at the part at fault.
    """
    _check_parentheses(text)
    shift = len(text) - len(text.lstrip())
    try:
        # The tokeniser warns about 1if and the like; the answer below says more.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as fault:
        raise _syntax_error(text, shift, fault) from None
    except (RecursionError, MemoryError):
        raise pointing(text, 0, 1, "the expression is nested too deeply: simplify it") from None
    except ValueError:
        raise pointing(text, 0, 1, "this is not an expression in x") from None


def _syntax_error(text: str, shift: int, fault: SyntaxError) -> ExpressionError:
    """The error for where the parser gave up; its own words depend on the Python version."""
    end = len(text.rstrip())
    if "digits" in fault.msg:
        return pointing(text, shift, 1, "a number in it is larger than 1.8e308: rescale")
    # The parser finds a missing end on a second line, at no column.
    column = fault.offset - 1 + shift if fault.lineno == 1 and fault.offset else end
    if column >= end:
        return pointing(text, end, 1, "the expression ends too early: something is missing here")
    width = (fault.end_offset or 0) - (fault.offset or 0) if fault.end_lineno == 1 else 1
    width = min(max(width, 1), end - column)
    if "decimal literal" in fault.msg:
        return pointing(text, column, width, "a number and a name run together: write a product as 2*x")
    if text[column] in "\"'":
        return pointing(text, column, width, "quotes have no place in an expression: delete them")
    return pointing(text, column, width, f"{shortened(text[column : column + width])} is not expected here")


def _check_parentheses(text: str) -> None:
    """Point at a parenthesis without its partner; the parser's own words depend on the Python version."""
    opened: list[int] = []
    for column, character in enumerate(text):
        if character == "(":
            opened.append(column)
            if len(opened) > DEEPEST:
                raise pointing(text, column, 1, f"parentheses are nested too deeply: at most {DEEPEST} are read")
        elif character == ")":
            if not opened:
                raise pointing(text, column, 1, "this ) closes nothing: a ( is missing before it")
            opened.pop()
    if opened:
        raise pointing(text, opened[-1], 1, "this ( is never closed: a ) is missing after it")
