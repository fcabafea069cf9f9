"""Records, the one form of a result: a dict a row, whose keys are those of `quantities`; and what is in their cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from meanfield.errors import DomainError, printable
from meanfield.lettering import counted
from meanfield.quantities import quantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MOST_ROWS",
    "PAPER_DIGITS",
    "PROSE",
    "TABLE_DIGITS",
    "Record",
    "answered",
    "chosen",
    "few_layers",
    "grouped",
    "holds_rows",
    "is_interval",
    "is_numeric",
    "keys_of",
    "more_rows",
    "number_texts",
    "parts_of",
    "rounded",
    "row_records",
    "texts",
]

Record = dict[str, Any]

#: Significant digits of a table for people, and of one in LaTeX or Markdown; rows that a notebook shows.
TABLE_DIGITS, PAPER_DIGITS, MOST_ROWS = 6, 4, 60

#: Keys of sentences, which no narrow column holds.
PROSE = frozenset({"explanation", "remedies", "description", "keeps", "error", "signal", "gradient", "inputs"})
#: Keys of two numbers with everything between them.
_INTERVALS = frozenset({"basin", "relative_basin", "escape_interval", "share_interval", "gained_interval", "m_range"})
#: Of a longer list of numbers only the ends are shown.
_LONG, _ENDS = 12, 4
#: Layers that a table shows, as far as there are so many; and the last.
_LAYERS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)


def few_layers(depth: int) -> list[int]:
    """The layers that a table of a network of this depth shows."""
    return [*(layer for layer in _LAYERS if layer < depth), depth]


def row_records(columns: Mapping[str, NDArray[Any]]) -> list[Record]:
    """Arrays of one length as records; what is NaN is None."""
    rows = zip(*(array.tolist() for array in columns.values()), strict=True)
    return [{key: None if value != value else value for key, value in zip(columns, row, strict=True)} for row in rows]


def grouped(records: Iterable[Record], keys: Sequence[str]) -> dict[tuple[Any, ...], list[Record]]:
    """Records that are alike in these keys together, by their values, in the order in which these first occur."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(record[key] for key in keys), []).append(record)
    return groups


def keys_of(records: Sequence[Record]) -> list[str]:
    """Every key of any record, in the order in which they first occur."""
    return list(dict.fromkeys(key for record in records for key in record))


def answered(records: Sequence[Record]) -> list[Record]:
    """Those that are no refusals."""
    return [record for record in records if "error" not in record]


def more_rows(records: Sequence[Record]) -> str:
    """What is said below a table of the first `MOST_ROWS`, nothing if there are no more."""
    more = len(records) - MOST_ROWS
    return f"and {counted(more, 'more row')}" if more > 0 else ""


def chosen(records: Sequence[Record], columns: Sequence[str]) -> list[Record]:
    """The records with these columns alone, in this order; of a refusal also what it says.

    Raises:
        DomainError: a column that no record has, or one asked for twice.
    """
    known = keys_of(answered(records))
    for name in columns:
        if known and name not in known:
            lowered = {key.lower(): key for key in known}
            close = get_close_matches(name.lower(), lowered, n=1, cutoff=0.8)
            guess = f"did you mean {lowered[close[0]]}? " if close else ""
            raise DomainError(
                f"there is no column {printable(name) or 'without a name'}: {guess}choose from {', '.join(known)}"
            )
        if list(columns).count(name) > 1:
            raise DomainError(f"column {name} is asked for twice: name it once")
    return [{key: record[key] for key in (*columns, "error") if key in record} for record in records]


def rounded(value: Any, digits: int | None) -> Any:
    """A value, or all that a record or list holds, with so many significant digits; None leaves it as it is."""
    if digits is None:
        return value
    if isinstance(value, dict):
        return {key: rounded(held, digits) for key, held in value.items()}
    if isinstance(value, list):
        return [rounded(held, digits) for held in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def is_numeric(values: Sequence[Any]) -> bool:
    """Whether a column holds numbers and gaps alone."""
    return all(value is None or (isinstance(value, float | int) and not isinstance(value, bool)) for value in values)


def number_texts(values: Sequence[float | None], digits: int) -> list[str]:
    """Numbers as a column shows them: 1.25, 2.1e4, ∞; with zeros up to `digits` where one of them needs so many."""

    def known(value: float | None) -> bool:
        return isinstance(value, float) and math.isfinite(value)

    short = [f"{value:.{digits}g}" for value in values if known(value)]
    full = any(len(_significant(text)) >= digits for text in short)
    return [_number(value, f"{'#' if full else ''}.{digits}g") for value in values]


def _significant(text: str) -> str:
    return text.partition("e")[0].lstrip("-0.").replace(".", "") if "." in text else ""


def _number(value: float | None, form: str) -> str:
    if value is None or math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if isinstance(value, int) or value == 0:
        return str(int(value))
    mantissa, e, exponent = f"{value:{form}}".partition("e")
    return mantissa.removesuffix(".") + (f"e{int(exponent)}" if e else "")


def texts(key: str, values: Sequence[Any], digits: int) -> list[str]:
    """The cells of a column as a person reads them."""
    if is_numeric(values):
        return number_texts(values, digits)
    if key == "quantity":
        return [quantity(value).symbol for value in values]
    return [_text(value, digits, " to " if key in _INTERVALS else ", ") for value in values]


def is_interval(key: str, value: Any) -> bool:
    """Whether a cell holds the two ends of an interval."""
    return key in _INTERVALS and isinstance(value, list) and len(value) == 2


def holds_rows(value: Any) -> bool:
    """Whether a cell holds rows of its own."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def parts_of(row: Record) -> Record:
    """What a row in a cell says, beside what it is."""
    return {key: held for key, held in row.items() if held is not None and key != "what"}


def _text(value: Any, digits: int, between: str = ", ") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, float | int):
        return _number(value, f".{digits}g")
    if isinstance(value, dict):
        if "word" in value:
            return f"{value['word']}: {value['explanation']}"
        if {"q", "kind"} <= set(value):
            return f"{_text(value['q'], digits)} ({value['kind']})"
        told = ", ".join(f"{quantity(name).symbol} = {_text(held, digits)}" for name, held in parts_of(value).items())
        return f"{value['what']}: {told}" if "what" in value else told
    if holds_rows(value):
        return "; ".join(_text(held, digits) for held in value)
    if isinstance(value, list):
        cells = [_text(held, digits) for held in value]
        if len(cells) > _LONG:
            cells = [*cells[:_ENDS], "…", *cells[-_ENDS:], f"{len(value)} in all"]
        return between.join(cells) or "none"
    return printable(str(value))
