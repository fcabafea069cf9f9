"""Rows as text for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from unicodedata import combining

from meanfield.errors import printable
from meanfield.lettering import ending
from meanfield.quantities import quantity
from meanfield.tables.records import Record, is_numeric, texts

__all__ = ["paragraphs", "table"]

_WIDTH, _GAP = 80, 2
#: Of a longer name its end is shown; columns of words that may go on in the next line are at least so wide.
_LONGEST, _NARROWEST = 28, 12
_FLOWING = "activation"


def table(rows: Sequence[Record], keys: Sequence[str], digits: int) -> str:
    """A line a row. The activation goes on in the next line, and then the first column is cut, where room is scarce."""
    columns = {key: texts(key, [row.get(key) for row in rows], digits) for key in keys}
    heads = {key: quantity(key).symbol for key in keys}
    numbers = {key for key in keys if is_numeric([row.get(key) for row in rows])}
    widths = {key: max(map(_length, (heads[key], *cells))) for key, cells in columns.items()}
    name = keys[0]
    widths[name] = min(widths[name], _LONGEST)
    room = _WIDTH - _GAP * (len(keys) - 1)
    if _FLOWING in widths:
        widths[_FLOWING] -= min(max(sum(widths.values()) - room, 0), max(widths[_FLOWING] - _NARROWEST, 0))
    widths[name] -= max(sum(widths.values()) - room, 0)
    lines = []
    for row in (heads, *({key: columns[key][i] for key in keys} for i in range(len(rows)))):
        row[name] = ending(row[name], widths[name])
        parts = textwrap.wrap(row[_FLOWING], widths[_FLOWING]) if _FLOWING in row else []
        for i, part in enumerate(parts or [""]):
            cells = {key: part if key == _FLOWING else "" if i else row[key] for key in keys}
            lines.append((" " * _GAP).join(_padded(cells[key], widths[key], key in numbers) for key in keys).rstrip())
    return "\n".join(lines)


def paragraphs(lines: Sequence[str]) -> str:
    """Sentences, each in lines of its own."""
    return "\n".join(textwrap.fill(printable(line), _WIDTH, subsequent_indent="  ") for line in lines)


def _length(text: str) -> int:
    return sum(not combining(c) for c in text)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _length(text))
    return space + text if right else text + space
