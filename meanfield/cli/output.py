"""Every rendering of a result: table, JSON, CSV, LaTeX, Markdown.

A result arrives as records, one dict a row, whose keys are those of `quantities`. The table is for people, with
`digits` significant digits; the other formats hold every digit unless told otherwise, and nothing but data.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meanfield.atomic_files import write_whole
from meanfield.cli.options import Format
from meanfield.quantities import latex_text, quantity

__all__ = [
    "FILE_WIDTH",
    "Record",
    "as_csv",
    "as_json",
    "deliver",
    "emit",
    "few_layers",
    "grid",
    "heading",
    "listing",
    "paragraph",
    "progress",
    "show",
    "shown",
]

Record = dict[str, Any]

_TABLE_DIGITS = 6
#: Columns of a table written to a file.
FILE_WIDTH = 100
#: Layers that a table shows, as far as there are so many; and the last.
_LAYERS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
_COLOURS = {"stable": "green", "safe": "green", "neutral": "yellow", "fragile": "red", "unstable": "red"}


def emit(
    records: Sequence[Record],
    renderables: Sequence[Any],
    format: Format,
    digits: int | None,
    output: Path | None,
    *,
    single: bool = False,
    columns: Sequence[str] | None = None,
) -> None:
    """Print records, or write them to `output`: as `renderables` (rich) in a table, else as data.

    `single` records are one JSON object rather than a list of one. `columns` are those that fit in a paper, for LaTeX
    and Markdown; by default all.
    """
    if format is Format.table:
        show(renderables, output)
        return
    render = {Format.json: as_json, Format.csv: as_csv, Format.latex: _latex, Format.markdown: _markdown}[format]
    if columns and format in (Format.latex, Format.markdown):
        records = [{key: record[key] for key in columns} for record in records]
    rounded = [{key: _rounded(value, digits) for key, value in record.items()} for record in records]
    deliver(as_json(rounded[0] if single else rounded) if format is Format.json else render(rounded), output)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
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


def show(renderables: Sequence[Any], output: Path | None) -> None:
    """Print what rich renders, or write it to `output` at a width of 100."""
    from rich.console import Console

    if output is None:
        console = Console()
        for renderable in renderables:
            console.print(renderable)
        return
    buffer = io.StringIO()
    console = Console(file=buffer, width=FILE_WIDTH, no_color=True)
    for renderable in renderables:
        console.print(renderable)
    write_whole({output: buffer.getvalue().encode()})


def few_layers(depth: int) -> list[int]:
    """The layers that a table of a network of this depth shows."""
    return [*(layer for layer in _LAYERS if layer < depth), depth]


def shown(value: Any, digits: int | None) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return f"{value:.{digits or _TABLE_DIGITS}g}"
    if isinstance(value, list):
        return " to ".join(shown(end, digits or 4) for end in value)
    return str(value)


def listing(record: Record, keys: Sequence[str], digits: int | None) -> Any:
    """A rich table of one record: symbol, value, meaning, a line each; what is not there is left out."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(style="dim")
    for key in keys:
        if record[key] is not None:
            called, value = quantity(key), Text(shown(record[key], digits), _style(key, record))
            table.add_row(called.symbol, value, called.meaning)
    return table


def grid(records: Sequence[Record], keys: Sequence[str], digits: int | None) -> Any:
    """A rich table of several records, a row each."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for key in keys:
        number = all(isinstance(record[key], float) or record[key] is None for record in records)
        # In a narrow terminal a cell goes on in the next line: a number cut short would be another number.
        table.add_column(
            quantity(key).symbol, justify="right" if number else "left", no_wrap=key == "name", overflow="fold"
        )
    for record in records:
        table.add_row(*(Text(shown(record[key], digits), _style(key, record)) for key in keys))
    return table


def _style(key: str, record: Record) -> str:
    return _COLOURS[record[key]] if key == "verdict" else ""


def heading(text: str) -> Any:
    """A line above a table."""
    from rich.text import Text

    return Text(text, style="bold")


def paragraph(head: str, body: str, verdict: str = "") -> Any:
    """A rich paragraph that opens with a word in colour."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text.assemble((head, _COLOURS.get(verdict, "bold")), " ", body), (0, 0, 1, 2))


def _rounded(value: Any, digits: int | None) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(item, digits) for item in value]
    if isinstance(value, float):
        if digits is not None:
            value = float(f"{value:.{digits}g}")
        return value
    return value


def _plain(value: Any) -> Any:
    """A value as JSON knows it: infinity and NaN are not numbers there."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_json(records: Any) -> str:
    """Records as JSON, ∞ and NaN as null."""
    return json.dumps(_plain(records), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return json.dumps(_plain(value), ensure_ascii=False)
    if isinstance(value, float) and math.isnan(value):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def as_csv(records: Sequence[Record]) -> str:
    """Records as CSV, a column a key; what is None or NaN is left empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if records:
        writer.writerow(records[0])
    writer.writerows([_cell(value) for value in record.values()] for record in records)
    return buffer.getvalue()


def _prose(value: Any) -> str:
    """A list of fixed points, or the ends of an interval, as one cell of a table in a text."""
    if isinstance(value, list) and value and isinstance(value[0], float):
        return " to ".join(_prose(end) for end in value)
    if isinstance(value, list) and value and "what" in value[0]:
        return "; ".join(remedy["what"] for remedy in value)
    if isinstance(value, list):
        return "; ".join(f"{_cell(point['q'])} ({point['kind']})" for point in value) or "none"
    return "∞" if value == math.inf else _cell(value)


def _latex(records: Sequence[Record]) -> str:
    keys = list(records[0]) if records else []
    columns = "".join(r"p{0.4\linewidth}" if key in ("explanation", "fixed_points") else "l" for key in keys)
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        " & ".join(quantity(key).latex for key in keys) + r" \\",
        "\\midrule",
    ]
    for record in records:
        cells = (latex_text(_prose(value)) for value in record.values())
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def _markdown(records: Sequence[Record]) -> str:
    keys = list(records[0]) if records else []
    rows = [[quantity(key).symbol for key in keys], ["---"] * len(keys)]
    rows += [[_prose(value).replace("|", "\\|") for value in record.values()] for record in records]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
