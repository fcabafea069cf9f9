"""Tables for people, laid out in the width of a terminal: no number and no name is broken over lines.

A block is a function from the width to lines; where a row does not fit, rows become blocks of a line a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from meanfield.errors import printable
from meanfield.quantities import quantity
from meanfield.tables.records import PROSE, TABLE_DIGITS, Record, is_numeric, texts

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["Block", "as_text", "exactly", "grid", "heading", "lines", "listing", "paragraph", "shown"]

Block = Callable[[int], "list[Text]"]

_INDENT, _GAP = 2, 3
#: Between columns where room is scarce.
_CLOSE = 2
#: Columns of words that may go on in the next line, and the least width in which they are read.
_FLOWING, _NARROWEST = PROSE | {"formula", "parameters", "aliases", "fixed_points"}, 14
_COLOURS = {"stable": "green", "safe": "green", "neutral": "yellow", "fragile": "red", "unstable": "red"}


def as_text(blocks: Iterable[Block], width: int, *, colour: bool = False) -> str:
    """The blocks one below the other, without a space at the end of a line."""
    written: list[Text] = []
    for line in (line for block in blocks for line in block(width)):
        line.rstrip()
        if line.plain or not written or written[-1].plain:
            written.append(line)
    if not colour:
        return "".join(f"{line.plain}\n" for line in written)
    import io

    from rich.console import Console

    console = Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False)
    with console.capture() as captured:
        for line in written:
            console.print(line, soft_wrap=True)
    return captured.get()


def lines(text: str, indent: int = 0, style: str = "") -> Block:
    """A text broken between words, never within one."""

    def block(width: int) -> list[Text]:
        return _wrapped(printable(text), width, indent, style)

    return block


def shown(value: Any, digits: int | None) -> str:
    """A number as a person reads it."""
    return texts("", [value], digits or TABLE_DIGITS)[0]


def exactly(text: str, style: str = "") -> Block:
    """Lines that are laid out already."""
    return lambda width: [_text(line, style) for line in text.split("\n")]


def heading(text: str) -> Block:
    """A line above a table."""
    return lines(text, style="bold")


def paragraph(head: str, body: str, verdict: str = "") -> Block:
    """A paragraph that opens with a word in colour."""

    def block(width: int) -> list[Text]:
        written = _wrapped(f"{printable(head)} {printable(body)}".lstrip(), width, _INDENT)
        written[0].stylize(_COLOURS.get(verdict, "bold"), _INDENT, _INDENT + len(head))
        return [*written, _text("")]

    return block


def listing(record: Record, keys: Sequence[str], digits: int | None) -> Block:
    """One record: symbol, value, meaning, a line each; what is not there is left out."""

    def block(width: int) -> list[Text]:
        rows = []
        for key in keys:
            if record.get(key) is not None:
                (value,) = texts(key, [record[key]], digits or TABLE_DIGITS)
                rows.append((quantity(key).symbol, value, quantity(key).meaning, _style(key, record)))
        symbols = max((_length(row[0]) for row in rows), default=0)
        values = max((_length(row[1]) for row in rows), default=0)
        begin = _INDENT + symbols + _GAP
        room = width - begin - values - _GAP
        written = [_text("")]
        for symbol, value, meaning, style in rows:
            line = _text(" " * _INDENT + _padded(symbol, symbols) + " " * _GAP)
            line.append(value, style)
            told = _wrapped(meaning, max(room, 0), 0, "dim") if room >= _NARROWEST else []
            for i, part in enumerate(told):
                if i:
                    written.append(line)
                    line = _text(" " * begin)
                line.append(" " * (begin + values + _GAP - _length(line.plain)))
                line.append(part)
            written.append(line)
        return [*written, _text("")]

    return block


def grid(
    records: Sequence[Record],
    keys: Sequence[str],
    digits: int | None,
    flowing: Sequence[str] = (),
    dispensable: Sequence[str] = (),
) -> Block:
    """Several records, a row each; where that is too wide, a line for every cell.

    Sentences go on in the next line, and what is in the columns `flowing`. Rows do without what is `dispensable` where
    there is no room for it.
    """
    words = _FLOWING.union(flowing)

    def block(width: int) -> list[Text]:
        cells = {key: _columns(key, [record.get(key) for record in records], digits) for key in keys}
        heads = {key: quantity(key).symbol for key in keys}
        widths = {key: max(map(_length, [heads[key], *cells[key]])) for key in keys}
        flowing = [key for key in keys if key in words and not is_numeric([record.get(key) for record in records])]
        spare = width - _INDENT - 1 - _GAP * (len(keys) - 1) - sum(widths[key] for key in keys if key not in flowing)
        gap = _GAP if spare >= sum(min(widths[key], _NARROWEST) for key in flowing) else _CLOSE
        spare += (_GAP - gap) * (len(keys) - 1)
        for left, key in zip(range(len(flowing), 0, -1), sorted(flowing, key=widths.__getitem__), strict=True):
            widths[key] = min(widths[key], spare // left)
            spare -= widths[key]
        if spare < 0 or any(widths[key] < min(_NARROWEST, _widest([heads[key], *cells[key]])) for key in flowing):
            if any(key in keys for key in dispensable):
                return grid(records, [key for key in keys if key not in dispensable], digits, [*words])(width)
            return _stacked(records, heads, cells, width)
        return _rows(records, heads, cells, widths, gap)

    return block


def _columns(key: str, values: Sequence[Any], digits: int | None) -> list[str]:
    """The cells of a column, each rounded for itself."""
    return [texts(key, [value], digits or TABLE_DIGITS)[0].replace("—", "-") for value in values]


def _widest(cells: Sequence[str]) -> int:
    return max(map(_length, cells), default=0)


def _rows(
    records: Sequence[Record], heads: dict[str, str], cells: dict[str, list[str]], widths: dict[str, int], gap: int
) -> list[Text]:
    right = {key for key in heads if is_numeric([record.get(key) for record in records])}

    def row(parts: dict[str, str], styles: dict[str, str]) -> list[Text]:
        wrapped = {key: [t.plain for t in _wrapped(part, widths[key])] or [""] for key, part in parts.items()}
        written = []
        for i in range(max(map(len, wrapped.values()))):
            line = _text(" " * _INDENT)
            for j, (key, part) in enumerate(wrapped.items()):
                line.append(" " * gap * (j > 0))
                line.append(_padded(part[i] if i < len(part) else "", widths[key], key in right), styles.get(key, ""))
            written.append(line)
        return written

    rule = _text(" " * (_INDENT - 1) + "─" * (sum(widths.values()) + gap * (len(widths) - 1) + 2))
    body = [
        line
        for i, record in enumerate(records)
        for line in row({key: column[i] for key, column in cells.items()}, {key: _style(key, record) for key in heads})
    ]
    return [_text(""), *row(heads, dict.fromkeys(heads, "bold")), rule, *body, _text("")]


def _stacked(records: Sequence[Record], heads: dict[str, str], cells: dict[str, list[str]], width: int) -> list[Text]:
    """A block a record, a line a cell."""
    symbols = max(map(_length, heads.values()))
    begin = _INDENT + symbols + _GAP
    written = [_text("")]
    for i, record in enumerate(records):
        for key, head in heads.items():
            line, cell = _text(" " * _INDENT + _padded(head, symbols) + " " * _GAP), cells[key][i]
            if not cell:
                continue
            if _length(cell) <= width - begin:
                written.append(line.append(cell, _style(key, record)))
            else:
                written += [line, *_wrapped(cell, width, 2 * _INDENT)]
        written.append(_text(""))
    return written


def _style(key: str, record: Record) -> str:
    return _COLOURS.get(str(record.get(key)), "") if key == "verdict" else ""


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style, end="")


def _length(text: str) -> int:
    """How many columns of a terminal the text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int, right: bool = False) -> str:
    space = " " * (width - _length(text))
    return space + text if right else text + space


def _wrapped(text: str, width: int, indent: int = 0, style: str = "") -> list[Text]:
    """The text in lines of at most `width`, broken between words; a word that is longer has a line of its own."""
    written: list[str] = []
    for word in text.split(" "):
        if written and _length(written[-1]) + 1 + _length(word) <= width - indent:
            written[-1] += f" {word}"
        else:
            written.append(word)
    return [_text(" " * indent).append(line, style) for line in written]
