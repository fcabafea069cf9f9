"""Tables for papers: LaTeX that compiles as printed, with the packages named in its first line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from meanfield.errors import DomainError
from meanfield.lettering import latex_name, latex_text
from meanfield.quantities import QUANTITIES
from meanfield.tables.mathematics import Notation, expression_latex, is_expression, label_latex
from meanfield.tables.records import (
    MOST_ROWS,
    PROSE,
    Record,
    answered,
    holds_rows,
    is_interval,
    is_numeric,
    keys_of,
    more_rows,
    number_texts,
    parts_of,
    texts,
)

__all__ = ["as_array", "as_latex", "latex_label", "require_caption", "require_reference"]

_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:e(-?)(\d+))?")
_SIGNS = {"—": "---", "∞": r"$\infty$", "-∞": r"$-\infty$"}
#: A name of the catalogue, no difference such as x-1; and one with values, as in soft-threshold(tau=0.5).
_NAME = re.compile(r"(?!.*\bx\b)[A-Za-z][\w-]*")
_MEMBER = re.compile(r"([A-Za-z][\w-]*) ?\(([^()=]+=[^()]+)\)")


def as_latex(records: Sequence[Record], digits: int, caption: str | None = None, reference: str | None = None) -> str:
    r"""Records as a tabular of booktabs, its numbers aligned at the point by siunitx; refusals are left out.

    Numbers stand bare in columns S, so that siunitx sets minus signs and powers of ten; every other cell of such a
    column stands in braces. With a caption, in LaTeX, or a `reference` for \ref it stands in a table that floats.
    """
    columns = [_column(key, values, digits) for key, values in _columns(records)]
    kinds = " ".join(kind for kind, *_ in columns)
    head, *body = (" & ".join(line) + r" \\" for line in zip(*(cells for _, *cells in columns), strict=True))
    tabular = [f"\\begin{{tabular}}{{{kinds}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    tabular.append(r"\end{tabular}")
    if caption is not None or reference is not None:
        named = [f"\\caption{{{require_caption(caption)}}}"] if caption is not None else []
        named += [f"\\label{{{require_reference(reference)}}}"] if reference is not None else []
        tabular = [r"\begin{table}", r"\centering", *named, *tabular, r"\end{table}"]
    letters = ",amssymb" if any(r"\mathbb" in line for line in tabular) else ""
    return "\n".join([f"% needs \\usepackage{{booktabs,siunitx{letters}}}", *tabular]) + "\n"


def as_array(records: Sequence[Record], digits: int) -> str:
    """Records as an array inside mathematics, which a notebook shows and its export to PDF sets without packages.

    Of many the first, and how many more there are.
    """
    rows = answered(records)
    listed = _columns(rows[:MOST_ROWS])
    columns = [
        [_inside(cell) for cell in (_head(key), *_column(key, values, digits)[2:])]
        for key, values in listed
        if key not in PROSE
    ]
    head, *body = (" & ".join(line) + r" \\" for line in zip(*columns, strict=True))
    kinds = "".join("r" if is_numeric(values) else "l" for key, values in listed if key not in PROSE)
    more = ["", more_rows(rows)] if more_rows(rows) else []
    return "\n".join([f"$\\begin{{array}}{{{kinds}}}", head, r"\hline", *body, r"\end{array}$", *more])


def _columns(records: Sequence[Record]) -> list[tuple[str, list[Any]]]:
    rows = answered(records)
    return [(key, [row.get(key) for row in rows]) for key in keys_of(rows)]


def _head(key: str) -> str:
    """A column's name: a quantity as papers write it, a user's parameter as mathematics."""
    return QUANTITIES[key].latex if key in QUANTITIES else f"${latex_name(key)}$"


def _column(key: str, values: list[Any], digits: int) -> list[str]:
    """What aligns a column, its name, and its cells."""
    if not is_numeric(values):
        shown = texts(key, values, digits)
        cells = [_cell(key, value, text, digits) for value, text in zip(values, shown, strict=True)]
        return [r"p{0.4\linewidth}" if key in PROSE else "l", _head(key), *cells]
    numbers = number_texts(values, digits)
    cells = [text if _NUMBER.fullmatch(text) else f"{{{_SIGNS[text]}}}" for text in numbers]
    return [_aligned(numbers), f"{{{_head(key)}}}", *cells]


def _aligned(texts: list[str]) -> str:
    """The column of siunitx with room for all of these numbers."""
    numbers = [match for match in map(_NUMBER.fullmatch, texts) if match]
    whole = max((len(match[2]) for match in numbers), default=1)
    decimals = max((len(match[3] or "") for match in numbers), default=0)
    exponent = max((len(match[5] or "") for match in numbers), default=0)
    minus = "-" if any(match[1] for match in numbers) else ""
    below = "-" if any(match[4] for match in numbers) else ""
    return f"S[table-format={minus}{whole}.{decimals}{f'e{below}{exponent}' if exponent else ''}]"


def _inside(cell: str) -> str:
    """A cell as it stands inside mathematics."""
    bare = cell[1:-1] if cell.startswith("{") and cell.endswith("}") else cell
    if match := _NUMBER.fullmatch(bare):
        mantissa, e, exponent = match[0].partition("e")
        return mantissa + (rf" \times 10^{{{exponent}}}" if e else "")
    whole = re.fullmatch(r"\$([^$]*)\$", bare)
    return whole[1] if whole else rf"\text{{{bare}}}"


def _cell(key: str, value: Any, text: str, digits: int) -> str:
    """A name, an interval, a list of numbers, changes to a network or a word."""
    if key == "remedies" and holds_rows(value):
        return "; ".join(_remedy(row, digits) for row in value)
    if key == "activation":
        # Control characters are shown in the text, which is no `Notation` any more.
        return latex_label(Notation(text) if isinstance(value, Notation) else text)
    if key == "formula":
        return _formula(text)
    if key == "parameters":
        return ", ".join(_parameter(part) for part in text.split(", ") if part)
    if key == "quantity" and value in QUANTITIES:
        return QUANTITIES[value].latex
    if isinstance(value, list) and value and is_numeric(value):
        between = "--" if is_interval(key, value) else ", "
        parts = text.split(" to " if is_interval(key, value) else ", ")
        return between.join(f"${part.replace('∞', chr(92) + 'infty')}$" for part in parts)
    return latex_text(text).replace("—", "---")


def _remedy(row: Record, digits: int) -> str:
    """A change to a network and its numbers: initialisation: $q^* = 1$, $\\sigma_w = 1.5$."""
    told = []
    for key, value in parts_of(row).items():
        (text,), name = texts(key, [value], digits), _head(key)
        sign = re.fullmatch(r"\$([^$]*)\$", name)
        number = expression_latex(text) if is_numeric([value]) else ""
        told.append(f"${sign[1]} = {number}$" if sign and number else f"{name} {f'${number}$' if number else text}")
    return f"{latex_text(row['what'])}: {', '.join(told)}"


def latex_label(label: str) -> str:
    """What an activation is called, as a paper writes it: text, and mathematics where it is a `Notation`."""
    if not isinstance(label, Notation):
        return latex_text(label)
    if match := _MEMBER.fullmatch(label):
        pairs = [part.partition("=") for part in match[2].split(",")]
        values = ", ".join(
            f"${latex_name(name.strip())} = {expression_latex(value.strip())}$" for name, _, value in pairs
        )
        return f"{latex_text(match[1])} ({values})"
    return latex_text(label) if _NAME.fullmatch(label) else label_latex(label)


def _formula(text: str) -> str:
    """An expression as mathematics; what stands in its place, in words, as text."""
    return f"${expression_latex(text)}$" if is_expression(text) else latex_text(text)


def _parameter(text: str) -> str:
    """A parameter with its bounds: tau >= 0, bits from 1 to 12."""
    name, between, bounds = text.partition(" from ")
    return f"${expression_latex(name)}$" + (f" from {latex_text(bounds)}" if between else "")


def require_caption(caption: str) -> str:
    """A caption in LaTeX, with what is special outside mathematics escaped.

    Raises:
        DomainError: braces or dollars that do not pair, which would swallow what follows.
    """
    depth = 0
    for mark in re.findall(r"(?<!\\)[{}]", caption):
        depth += 1 if mark == "{" else -1
        if depth < 0:
            break
    parts = re.split(r"(?<!\\)\$", caption)
    if depth or len(parts) % 2 == 0 or caption.endswith("\\"):
        raise DomainError(f"--caption {caption} is no LaTeX: pair every {{ with }} and every $ with another")
    return "$".join(
        re.sub(r"(?<!\\)[%&#]" if i % 2 else r"(?<!\\)[%&#_^]", lambda found: f"\\{found[0]}", part)
        for i, part in enumerate(parts)
    ).replace(r"\^", r"\textasciicircum{}")


def require_reference(reference: str) -> str:
    """A name for \\ref.

    Raises:
        DomainError: it holds what LaTeX takes for something else.
    """
    if not re.fullmatch(r"[A-Za-z0-9:.+/_-]+", reference):
        raise DomainError(
            f"--tex-label {reference} is no name for \\ref: use letters, digits and :.-_ as in tab:designs"
        )
    return reference
