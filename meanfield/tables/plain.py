"""Tables for programs, JSON and CSV, with every digit; and Markdown for a page."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from typing import Any

from meanfield.errors import printable
from meanfield.quantities import quantity
from meanfield.tables.records import Record, answered, is_numeric, keys_of, texts

__all__ = ["as_csv", "as_json", "as_jsonl", "as_markdown", "plain"]

#: A cell that a spreadsheet would work out rather than show begins so.
_FORMULA = re.compile(r"[=+\-@]")
#: Characters that JSON lets through and a terminal acts upon.
_ACTING = re.compile(r"[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def as_json(records: Any) -> str:
    """Records as JSON, ∞ and NaN as null."""
    return _json(records, indent=2)


def as_jsonl(records: Sequence[Record]) -> str:
    """Records as JSON, one object a line."""
    return "".join(map(_json, records))


def _json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON knows it: infinity and NaN are not numbers there."""
    if isinstance(value, dict):
        return {key: plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [plain(held) for held in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_csv(records: Sequence[Record]) -> str:
    """Records as CSV, a column a key; what is None, NaN or not in a record is left empty.

    A text that begins as a formula of a spreadsheet does, with =, +, - or @, has ' put before it.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    keys = keys_of(records)
    if records:
        writer.writerow(map(_csv_text, keys))
    writer.writerows([_csv_cell(record.get(key)) for key in keys] for record in records)
    return buffer.getvalue()


def _csv_cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list | dict):
        return _json(value).rstrip("\n")
    return repr(value) if isinstance(value, float) else _csv_text(str(value)) if isinstance(value, str) else str(value)


def _csv_text(text: str) -> str:
    shown = printable(text)
    return f"'{shown}" if _FORMULA.match(shown.lstrip()) else shown


def as_markdown(records: Sequence[Record], digits: int) -> str:
    """Records as a table in Markdown, numbers to the right; refusals are left out."""
    rows = answered(records)
    columns = {key: [row.get(key) for row in rows] for key in keys_of(rows)}
    cells = [texts(key, values, digits) for key, values in columns.items()]
    sides = ["---:" if is_numeric(values) else "---" for values in columns.values()]
    head = [[quantity(key).symbol for key in columns], sides]
    table = [*head, *zip(*cells, strict=True)]
    return "".join(f"| {' | '.join(map(_escaped, row))} |\n" for row in table)


def _escaped(cell: str) -> str:
    return re.sub(r"([|*_<`\\])", r"\\\1", cell)
