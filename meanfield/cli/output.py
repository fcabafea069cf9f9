"""How every command prints: a table for people, or its records as `tables` writes them for programs and papers.

A result arrives as records, one dict a row, whose keys are those of `quantities`. Tables, LaTeX and Markdown show a few
significant digits; JSON and CSV hold every digit unless told otherwise, and nothing but data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from meanfield.atomic_files import write_whole
from meanfield.cli.layout import Block, as_text, grid
from meanfield.cli.options import Format
from meanfield.errors import DomainError
from meanfield.tables.plain import as_csv, as_json, as_jsonl, as_markdown
from meanfield.tables.records import PAPER_DIGITS, PROSE, Record, answered, chosen, holds_rows, keys_of, rounded

__all__ = [
    "FILE_WIDTH",
    "Printing",
    "deliver",
    "emit",
    "ending_of",
    "format_of",
    "printing",
    "progress",
    "refusal",
    "rendered",
    "require_columns",
    "show",
    "width",
]

F = TypeVar("F", bound=StrEnum)

#: Columns of a table written to a file, and of one in a terminal that does not say how wide it is.
FILE_WIDTH, _WIDTH = 100, 80
#: Columns of a row that fit on a page.
_FITTING = 6
#: Rows that a cell holds as a sentence.
_TOLD = frozenset({"remedies", "fixed_points"})
#: What the ending of a file asks for, by its name, where a command writes that.
_ENDINGS = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".csv": "csv",
    ".tex": "latex",
    ".md": "markdown",
    ".py": "python",
    ".wl": "mathematica",
}


@dataclass(frozen=True)
class Printing:
    """What the options say of how to print; `columns` None for those that the format shows by itself."""

    format: Format
    digits: int | None = None
    columns: tuple[str, ...] | None = None
    output: Path | None = None
    caption: str | None = None
    reference: str | None = None


def require_columns(how: Printing, known: Sequence[str], nested: str = "") -> None:
    """Refuse columns that rows will not have, before anything long is computed, with a `DomainError`.

    So is the one that is `nested`, where the format has no cells for rows of its own.
    """
    if how.columns is None:
        return
    chosen([dict.fromkeys(known)], how.columns)
    if nested in how.columns and how.format in (Format.table, Format.latex, Format.markdown):
        raise _no_room(nested, how.format)


def printing(
    format: Format | None,
    digits: int | None,
    columns: str | None,
    caption: str | None,
    tex_label: str | None,
    output: Path | None,
) -> Printing:
    """The options of printing as one; without --format the ending of the file decides.

    Raises:
        DomainError: options that contradict one another, or do not go with the format.
    """
    how = format_of(Format.table, format, output)
    for option, text in (("--caption", caption), ("--tex-label", tex_label)):
        if text is not None and how is not Format.latex:
            raise DomainError(f"{option} is of a table in LaTeX: add --format latex, or leave it out")
    if how is Format.latex:
        from meanfield.tables.latex import require_caption, require_reference

        if caption is not None:
            require_caption(caption)
        if tex_label is not None:
            require_reference(tex_label)
    names = None if columns is None else tuple(name.strip() for name in columns.split(","))
    return Printing(how, digits, names, output, caption, tex_label)


def ending_of(path: Path) -> Format | None:
    """The format that the ending of a file asks for; None if it asks for none."""
    return _asked(Format, path)


def format_of(default: F, format: F | None, output: Path | None) -> F:
    """What --format says, else the ending of the file, else the default, of one kind of formats.

    Raises:
        DomainError: the two contradict one another, or neither says what to write.
    """
    asked = _asked(type(default), output) if output else None
    if output and not (format or asked) and output.suffix.lower() not in ("", ".txt"):
        endings = [ending for ending, name in _ENDINGS.items() if name in type(default).__members__]
        raise DomainError(f"{output} has no ending that says what to write: give {' '.join(endings)} .txt, or --format")
    if format and asked and format is not asked:
        raise DomainError(f"--format {format} and --output {output} contradict: leave --format out, or rename the file")
    return format or asked or default


def _asked(kind: type[F], path: Path) -> F | None:
    return kind.__members__.get(_ENDINGS.get(path.suffix.lower(), ""))


def emit(
    records: Sequence[Record],
    blocks: Sequence[Block],
    how: Printing,
    *,
    single: bool = False,
    paper: Sequence[str] = (),
    about: Record | None = None,
    rows: str = "",
) -> None:
    """Print records, or write them to a file; what is said of `rendered` holds."""
    deliver(rendered(records, blocks, how, single=single, paper=paper, about=about, rows=rows), how.output)


def rendered(
    records: Sequence[Record],
    blocks: Sequence[Block],
    how: Printing,
    *,
    single: bool = False,
    paper: Sequence[str] = (),
    about: Record | None = None,
    rows: str = "",
) -> str:
    """Records as text: as `blocks` in a table, else as data.

    `single` records are one JSON object rather than a list of one. `paper` are the columns that fit on a page, for
    LaTeX and Markdown. `about` is the JSON object that holds the records, under the name `rows`.
    """
    if how.columns is not None:
        records = chosen(records, how.columns)
        blocks = [grid(answered(records), how.columns, how.digits)]
    if how.format is Format.table:
        return _laid_out(blocks, how.output)
    if how.format is Format.json and about is not None:
        return as_json(rounded({**about, rows: list(records)}, how.digits))
    return _written(records, how, single, paper)


def _written(records: Sequence[Record], how: Printing, single: bool, paper: Sequence[str]) -> str:
    exact = [rounded(record, how.digits) for record in records]
    if how.format is Format.json:
        return as_json(exact[0] if single else exact)
    if how.format is Format.jsonl:
        return as_jsonl(exact)
    if how.format is Format.csv:
        return as_csv(exact)
    fitting = answered(records)
    if how.columns is None:
        fitting = chosen(fitting, [key for key in (paper or _fitting(fitting)) if key in keys_of(fitting)])
    _require_cells(fitting, how.format)
    if how.format is Format.markdown:
        return as_markdown(fitting, how.digits or PAPER_DIGITS)
    from meanfield.tables.latex import as_latex

    return as_latex(fitting, how.digits or PAPER_DIGITS, how.caption, how.reference)


def _require_cells(records: Sequence[Record], format: Format) -> None:
    for key in keys_of(records):
        if key not in _TOLD and any(holds_rows(record.get(key)) for record in records):
            raise _no_room(key, format)


def _no_room(key: str, format: Format) -> DomainError:
    told = "a table" if format is Format.table else format
    return DomainError(f"column {key} holds rows, for which a cell of {told} has no room: take --format json")


def _fitting(records: Sequence[Record]) -> list[str]:
    """The first columns that hold numbers or words."""
    keys = [key for key in keys_of(records) if key not in PROSE]
    return [key for key in keys if not any(isinstance(record.get(key), list) for record in records)][:_FITTING]


def refusal(activation: str, error: Exception) -> Record:
    """The entry of what has no answer, in its place among those that have."""
    return {"activation": activation, "error": str(error)}


@contextmanager
def progress(what: str, total: float) -> Iterator[Callable[[float], object]]:
    """A bar on stderr while `what` is being done, gone afterwards; yields what to call with each number done.

    Shows only in a terminal.
    """
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), *times)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def deliver(text: str, output: Path | None) -> None:
    """Print a text, or write it to `output`, whole or not at all."""
    if output is None:
        sys.stdout.write(text)
    else:
        write_whole({output: text.encode()})


def width() -> int:
    """The columns of the terminal: what COLUMNS says, else what it is, else 80."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdigit() and int(asked):
        return int(asked)
    try:
        return (sys.stdout.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns) or _WIDTH
    except (OSError, ValueError):
        return _WIDTH


def show(blocks: Sequence[Block], output: Path | None) -> None:
    """Print the blocks of a table in the width and colours of the terminal, or write them to a file, 100 wide."""
    deliver(_laid_out(blocks, output), output)


def _laid_out(blocks: Sequence[Block], output: Path | None) -> str:
    return as_text(blocks, width(), colour=_wants_colour()) if output is None else as_text(blocks, FILE_WIDTH)


def _wants_colour() -> bool:
    if os.environ.get("NO_COLOR") or not (sys.stdout.isatty() or os.environ.get("FORCE_COLOR")):
        return False
    from rich.console import Console

    return Console().color_system is not None
