"""Tables for notebooks and pages: HTML without a style of its own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from meanfield.quantities import quantity
from meanfield.tables.records import (
    MOST_ROWS,
    TABLE_DIGITS,
    Record,
    answered,
    holds_rows,
    is_numeric,
    keys_of,
    more_rows,
    texts,
)

__all__ = ["as_html", "as_html_listing"]

_LEFT, _RIGHT = 'style="text-align:left"', 'style="text-align:right"'


def as_html(records: Sequence[Record]) -> str:
    """Records as a table, a row each; of many the first, and how many more there are."""
    rows = answered(records)
    shown = rows[:MOST_ROWS]
    head, columns = [], []
    for key in keys_of(rows):
        values = [row.get(key) for row in shown]
        called, side = quantity(key), _RIGHT if is_numeric(values) else _LEFT
        head.append(f'<th {side} title="{escape(called.meaning)}">{escape(called.symbol)}</th>')
        columns.append([f"<td {side}>{text}</td>" for text in _cells(key, values)])
    body = "".join(f"<tr>{''.join(row)}</tr>\n" for row in zip(*columns, strict=True))
    more = f"<p>{more_rows(rows)}</p>\n" if more_rows(rows) else ""
    return f"<table>\n<thead><tr>{''.join(head)}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n{more}"


def as_html_listing(record: Record) -> str:
    """One record as a table: symbol, value, meaning, a line each; what is not there is left out."""
    lines = []
    for key, value in record.items():
        if value is not None and value != []:
            called = quantity(key)
            cells = f"<td {_LEFT}>{_cells(key, [value])[0]}</td><td {_LEFT}>{escape(called.meaning)}</td>"
            lines.append(f"<tr><th {_LEFT}>{escape(called.symbol)}</th>{cells}</tr>\n")
    return f"<table>\n<tbody>\n{''.join(lines)}</tbody>\n</table>\n"


def _cells(key: str, values: Sequence[Any]) -> list[str]:
    return [
        as_html(value) if holds_rows(value) else escape(text)
        for value, text in zip(values, texts(key, values, TABLE_DIGITS), strict=True)
    ]
