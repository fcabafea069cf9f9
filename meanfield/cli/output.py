"""Every rendering of a result: table, JSON, CSV, LaTeX, Markdown; and writing it whole.

A result arrives as records, one dict a row, whose keys are the names of `FIELDS`. The table is for people, with
`digits` significant digits; the other formats hold every digit unless told otherwise, and nothing but data.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meanfield.cli.options import Format
from meanfield.errors import OutputError
from meanfield.symbolic.quantities import QUANTITIES

__all__ = [
    "FIELDS",
    "FILE_WIDTH",
    "Field",
    "Record",
    "as_json",
    "deliver",
    "emit",
    "field",
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
_COLOURS = {"stable": "green", "safe": "green", "neutral": "yellow", "fragile": "red", "unstable": "red"}


@dataclass(frozen=True)
class Field:
    """How a quantity is called: `symbol` in a table, `latex` in a paper, `meaning` beside a single result."""

    symbol: str
    latex: str
    meaning: str = ""


#: The columns of `meanfield maps`, which have formulas too.
_MAPS = ("V", "dV", "d2V", "chi1", "R", "dR")

FIELDS = {
    "activation": Field("activation", r"$\phi$", "the activation as given"),
    "formula": Field("φ(x)", r"$\phi(x)$"),
    "q_star": Field("q*", r"$q^*$", "variance of a pre-activation, V(q*) = q*"),
    "sigma_w": Field("σ_w", r"$\sigma_w$", "W_ij ~ N(0, σ_w²/N)"),
    "sigma_b": Field("σ_b", r"$\sigma_b$", "b_i ~ N(0, σ_b²)"),
    "sigma_w_squared": Field("σ_w²", r"$\sigma_w^2$"),
    "sigma_b_squared": Field("σ_b²", r"$\sigma_b^2$"),
    "sparsity": Field("sparsity", "sparsity", "fraction of activations exactly 0"),
    "chi_1": Field("χ₁(q*)", r"$\chi_1(q^*)$", "gain of a squared gradient per layer"),
    "V_prime": Field("V'(q*)", r"$V'(q^*)$", "slope of the variance map"),
    "V_double_prime": Field("V''(q*)", r"$V''(q^*)$", "curvature of the variance map"),
    "width": Field("width N", r"$N$", "units in a layer"),
    "depth": Field("depth L", r"$L$", "layers"),
    "basin": Field("basin", "basin", "variances that tend to q*"),
    "sd": Field("sd of q", r"$\mathrm{sd}\,q^L$", "at layer L, predicted"),
    "stationary_mean": Field("mean, settled", r"$\overline{q^\infty}$", "of q after many layers"),
    "stationary_sd": Field("sd, settled", r"$\mathrm{sd}\,q^\infty$", "of q after many layers"),
    "margin": Field("margin", "margin", "q* to the end of its basin, in sd"),
    "escape_probability": Field("escape", "escape", "share of networks that lose q*"),
    "escape_interval": Field("95 % interval", r"95\,\% interval", "of the share (Wilson)"),
    "xi_q": Field("ξ_q", r"$\xi_q$", "layers to return by a factor e"),
    "xi_c": Field("ξ_c", r"$\xi_c$", "the same for correlations"),
    "q_chi_1_prime": Field("q*χ₁'", r"$q^*\chi_1'(q^*)$", "relative change of χ₁ with q"),
    "log_gain_mean": Field("mean ln Πχ₁", r"mean $\ln\prod\chi_1$", "gain of a gradient, all layers"),
    "log_gain_sd": Field("sd ln Πχ₁", r"sd $\ln\prod\chi_1$", "over random networks"),
    "jacobian_mean": Field("mean s²", r"$\overline{s^2}$", "squared singular values, Jacobian"),
    "jacobian_variance_gaussian": Field(
        "s² Gaussian", r"$\mathrm{var}\,s^2$, Gaussian", "variance with Gaussian weights"
    ),
    "jacobian_variance_orthogonal": Field(
        "s² orthogonal", r"$\mathrm{var}\,s^2$, orthogonal", "variance with orthogonal weights"
    ),
    "tau": Field("τ", r"$\tau$", "threshold"),
    "m": Field("m", r"$m$", "clip level"),
    "q_V_double_prime": Field("q*V''", r"$q^*V''(q^*)$"),
    "relative_basin": Field("basin/q*", r"basin$/q^*$"),
    "relative_sigma_b": Field("σ_b/√q*", r"$\sigma_b/\sqrt{q^*}$"),
    "layer": Field("layer", r"$l$"),
    "mean": Field("mean q", r"$\overline{q^l}$"),
    "layer_sd": Field("sd q", r"$\mathrm{sd}\,q^l$"),
    "networks_mean": Field("mean, networks", "mean, networks"),
    "networks_sd": Field("sd, networks", "sd, networks"),
    "escaped": Field("escaped", "escaped"),
    "rho_star": Field("ρ*", r"$\rho^*$"),
    "active_share": Field("active", "active", "fraction of units not 0"),
    "sloping_share": Field("sloping", "sloping", "fraction that pass a gradient"),
    "active_mean": Field("mean count", "mean count", "of active units, a binomial number"),
    "active_sd": Field("sd of count", "sd of count"),
    "active_bound": Field("k", r"$k$", "99.9 % of layers have no more active"),
    "capacity_ratio": Field("√(k/s)", r"$\sqrt{k/s}$", "ratio of the Rademacher bounds, sparse to dense"),
    "samples_ratio": Field("k/s", r"$k/s$", "ratio of the samples for equal bounds"),
    "phase": Field("phase", "phase", "what correlations and gradients do"),
    "verdict": Field("verdict", "verdict", "what the variance does"),
    "explanation": Field("why", "explanation"),
    "fixed_points": Field("fixed points", "fixed points"),
    "q": Field("q", r"$q$"),
    **{name: Field(q.symbol, f"${q.latex}$") for name, q in QUANTITIES.items() if name in _MAPS},
    "rho": Field("ρ", r"$\rho$"),
    "slope": Field("slope V'", r"$V'(q)$"),
    "curvature": Field("curvature V''", r"$V''(q)$"),
    "kind": Field("kind", "kind"),
    "name": Field("name", "name"),
    "aliases": Field("also", "aliases"),
    "parameters": Field("parameters", "parameters"),
    "description": Field("what it is", "description"),
}


def field(key: str) -> Field:
    """How the column `key` is called; the name of a user's parameter is called as it is."""
    return FIELDS.get(key) or Field(key, "".join(_LATEX_SPECIAL.get(c, c) for c in key))


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
    render = {Format.json: as_json, Format.csv: _csv, Format.latex: _latex, Format.markdown: _markdown}[format]
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
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def deliver(text: str, output: Path | None) -> None:
    """Print a text, or write it to `output`, whole or not at all."""
    if output is None:
        sys.stdout.write(text)
    else:
        _write_whole(output, text)


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
    _write_whole(output, buffer.getvalue())


def shown(value: Any, digits: int | None) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return "∞" if value == math.inf else f"{value:.{digits or _TABLE_DIGITS}g}"
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
            table.add_row(field(key).symbol, Text(shown(record[key], digits), _style(key, record)), field(key).meaning)
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
            field(key).symbol, justify="right" if number else "left", no_wrap=key == "name", overflow="fold"
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
    return repr(value) if isinstance(value, float) else str(value)


def _csv(records: Sequence[Record]) -> str:
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
    if isinstance(value, list):
        return "; ".join(f"{_cell(point['q'])} ({point['kind']})" for point in value) or "none"
    return "∞" if value == math.inf else _cell(value)


_LATEX_SPECIAL = {
    **{c: "\\" + c for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "σ": r"$\sigma$",
    "χ": r"$\chi$",
    "φ": r"$\phi$",
    "ξ": r"$\xi$",
    "τ": r"$\tau$",
    "≈": r"$\approx$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "²": r"$^2$",
    "₁": r"$_1$",
}


def _latex(records: Sequence[Record]) -> str:
    keys = list(records[0]) if records else []
    columns = "".join(r"p{0.4\linewidth}" if key in ("explanation", "fixed_points") else "l" for key in keys)
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        " & ".join(field(key).latex for key in keys) + r" \\",
        "\\midrule",
    ]
    for record in records:
        cells = ("".join(_LATEX_SPECIAL.get(c, c) for c in _prose(value)) for value in record.values())
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def _markdown(records: Sequence[Record]) -> str:
    keys = list(records[0]) if records else []
    rows = [[field(key).symbol for key in keys], ["---"] * len(keys)]
    rows += [[_prose(value).replace("|", "\\|") for value in record.values()] for record in records]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _write_whole(path: Path, text: str) -> None:
    """Write beside `path` and move into place, so that no half-written file ever stands there.

    A link is followed, a file keeps its permissions, and what is no file (a pipe, a device) is written to as it is.
    """
    path = path.resolve()
    if path.is_dir():
        raise OutputError(f"{path} is a folder: give the name of a file in it")
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
        ) as file:
            try:
                file.write(text)
                file.close()
                os.chmod(file.name, mode)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror}; name a file in a folder that you can write to"
        ) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
