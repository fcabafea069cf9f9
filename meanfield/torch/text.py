"""Rows as text for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from unicodedata import combining

from meanfield.errors import printable
from meanfield.quantities import quantity
from meanfield.tables.records import Record, is_numeric, texts

__all__ = ["paragraphs", "table"]

_WIDTH, _GAP, _DIGITS = 80, 2, 4
#: Of a longer name its end is shown.
_LONGEST = 28


def table(rows: Sequence[Record], keys: Sequence[str], flowing: str = "") -> str:
    """A line a row; the column `flowing`, if there is one, takes what room is left and goes on in the next line."""
    columns = {key: list(map(_ending, texts(key, [row.get(key) for row in rows], _DIGITS))) for key in keys}
    if flowing:
        columns[flowing] = texts(flowing, [row.get(flowing) for row in rows], _DIGITS)
    heads = {key: quantity(key).symbol for key in keys}
    numbers = {key for key in keys if is_numeric([row.get(key) for row in rows])}
    widths = {key: max(map(_length, (heads[key], *cells))) for key, cells in columns.items()}
    if flowing:
        others = sum(widths.values()) - widths[flowing] + _GAP * (len(keys) - 1)
        widths[flowing] = min(widths[flowing], max(_WIDTH - others, 12))
    lines = []
    for row in (heads, *({key: columns[key][i] for key in keys} for i in range(len(rows)))):
        flow = textwrap.wrap(row[flowing], widths[flowing]) if flowing else []
        for i, part in enumerate(flow or [""]):
            cells = {**({key: "" for key in keys} if i else row), **({flowing: part} if flowing else {})}
            lines.append((" " * _GAP).join(_padded(cells[key], widths[key], key in numbers) for key in keys).rstrip())
    return "\n".join(lines)


def paragraphs(lines: Sequence[str]) -> str:
    """Sentences, each in lines of its own."""
    return "\n".join(textwrap.fill(printable(line), _WIDTH, subsequent_indent="  ") for line in lines)


def _ending(text: str) -> str:
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"


def _length(text: str) -> int:
    return sum(not combining(c) for c in text)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _length(text))
    return space + text if right else text + space
