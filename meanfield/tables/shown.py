"""Results that show themselves in a notebook, by the same tables as the command prints."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from meanfield.tables.html import as_html, as_html_listing
from meanfield.tables.latex import as_array
from meanfield.tables.records import PAPER_DIGITS, PROSE, Record, holds_rows, keys_of, texts

__all__ = ["Shown", "ShownList", "ShownRows", "ShownTuple"]

T = TypeVar("T", bound="Shown")


class Shown:
    """A result with one record."""

    #: The columns that fit in a paper, all if none are named.
    paper: ClassVar[tuple[str, ...]] = ()

    def record(self) -> Record:
        """The result as a dict; docs/quantities.md says what its keys are."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = _for_paper(self.record(), self.paper)
        values = ", ".join(f"{key}={texts(key, [value], PAPER_DIGITS)[0]}" for key, value in shown.items())
        return f"<{type(self).__name__} {values}>"

    def _repr_html_(self) -> str:
        return as_html_listing(self.record())

    def _repr_latex_(self) -> str:
        return as_array([_for_paper(self.record(), self.paper)], PAPER_DIGITS)


class ShownRows:
    """A result with several records."""

    paper: ClassVar[tuple[str, ...]] = ()

    def records(self) -> list[Record]:
        """The result as rows, a dict each; docs/quantities.md says what their keys are."""
        raise NotImplementedError

    def __repr__(self) -> str:
        rows = self.records()
        return f"<{type(self).__name__} of {len(rows)} rows: {', '.join(keys_of(rows))}>"

    def _repr_html_(self) -> str:
        return as_html(self.records())

    def _repr_latex_(self) -> str:
        return as_array([_for_paper(record, self.paper) for record in self.records()], PAPER_DIGITS)


class ShownTuple(tuple[T, ...], ShownRows):
    """Results one below the other."""

    __repr__ = tuple.__repr__

    def records(self) -> list[Record]:
        """The record of each."""
        return [result.record() for result in self]


class ShownList(list[T], ShownRows):
    """The same, as a list."""

    def records(self) -> list[Record]:
        """The record of each."""
        return [result.record() for result in self]


def _for_paper(record: Record, paper: tuple[str, ...]) -> Record:
    """The columns that fit; without any named, all but sentences and tables in a cell."""
    if paper:
        return {key: record[key] for key in paper if key in record}
    return {key: value for key, value in record.items() if key not in PROSE and not holds_rows(value)}
