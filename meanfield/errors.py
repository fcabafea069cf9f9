"""Every way a question can be wrong, one exception each.

All derive from `MeanFieldError`, so one `except` catches them. Their message is one line for a person:
what was given, what is wrong with it, and what would do. `ExpressionError` adds two lines that point at
the place. The command line turns those of `NO_ANSWER` into exit code 1 and every other one into 2.
"""

from __future__ import annotations

__all__ = [
    "NO_ANSWER",
    "ActivationError",
    "ClusterError",
    "DerivationError",
    "DomainError",
    "ExpressionError",
    "MeanFieldError",
    "NoDesign",
    "NoEdgeOfChaos",
    "NoFormula",
    "NoSignal",
    "OutputError",
    "UndecidedOrder",
    "UndefinedCorrelation",
    "printable",
    "shortened",
]


#: Characters of a text that a message shows.
_LONGEST = 80


def printable(text: str) -> str:
    """The text with every character that a terminal would obey, such as an escape or a line end, written out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(value: object) -> str:
    """The beginning of a text, or of how a value is written, as a message shows it: on one line, printable."""
    try:
        text = value if isinstance(value, str) else str(value)
    except ValueError:
        # Python refuses to write out whole numbers of thousands of digits.
        return "a number of thousands of digits"
    line = printable(text[: _LONGEST + 1])
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


class MeanFieldError(ValueError):
    """Any question that meanfield refuses; the message says why and what would do.

    It stands on one line, or as many as are given, and holds nothing that a terminal would obey: names of files, and
    what they hold, are quoted in it.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(*map(printable, lines))

    def __str__(self) -> str:
        return "\n".join(self.args)


class ActivationError(MeanFieldError):
    """The activation is not one: unknown name, bad parameter, a pole, zero everywhere."""


class ExpressionError(ActivationError):
    """An expression that is not piecewise linear in x, or not an expression.

    Attributes: `expression` (str), the text; `column` and `width` (int), the part of it at fault;
    `reason` (str), what is wrong with that part.
    """

    def __init__(self, expression: str, column: int, width: int, reason: str) -> None:
        self.expression, self.column, self.width, self.reason = expression, column, width, reason
        pointer = " " * column + "^" * max(width, 1)
        super().__init__(reason, f"  {expression}", f"  {pointer}")


class UndecidedOrder(ActivationError):
    """The pieces depend on which of two numbers with symbols is larger, and the assumptions do not tell."""


class DomainError(MeanFieldError):
    """A number outside the domain of a map: q < 0, |ρ| > 1, σ_w ≤ 0, NaN, infinity."""


class UndefinedCorrelation(MeanFieldError):
    """R is asked where V(q) is 0, so that no signal is left to correlate, or too large for a double."""


class DerivationError(MeanFieldError):
    """A formula disagrees with the numeric core, and is withheld: a fault in meanfield."""


class NoFormula(MeanFieldError):
    """A quantity whose formula would be too long to be of use; its values are computed without."""


class NoEdgeOfChaos(MeanFieldError):
    """No (σ_w, σ_b) puts this activation on the edge of chaos, or beside it, as asked; the message says which would."""


class NoDesign(MeanFieldError):
    """No member of a family of activations is as asked; the message says what the family reaches."""


class NoSignal(MeanFieldError):
    """The network has no fixed point q* > 0, so there is no signal to keep."""


class OutputError(MeanFieldError):
    """A result cannot be written where it was asked to go, or a file is not what it should be; nothing was written."""


class ClusterError(MeanFieldError):
    """The workers that were asked for cannot be reached."""


#: The question was understood and has no answer.
NO_ANSWER = (NoEdgeOfChaos, NoDesign, NoSignal)
