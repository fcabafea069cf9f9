"""The tables of docs/comparison.md: how a number is written there, and where a table stands."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["DASH", "PAGE", "block", "markdown", "power", "ratio", "rewritten", "time"]

PAGE = Path(__file__).parent.parent / "docs/comparison.md"
DASH = "–"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(error: float) -> str:
    """The nearest power of ten; what is below the rounding of a double is that."""
    if math.isnan(error):
        return "NaN"
    if error < 10**-15.5:
        # A space that no line is broken at.
        return "≤\N{NO-BREAK SPACE}10⁻¹⁶"
    exponent = round(math.log10(error))
    return "10" + str(exponent).translate(_RAISED) if exponent else "1"


def time(seconds: float) -> str:
    """Two digits, with a unit."""
    for unit, size in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 999 * size:
            return f"{two_digits(seconds / size)} {unit}"
    return f"{two_digits(seconds)} s"


def ratio(times: float) -> str:
    """Two digits, and of many digits one and a power of ten."""
    if times < 1e5:
        return two_digits(times)
    digit, exponent = f"{times:.0e}".split("e+")
    return f"{digit}·10" + str(int(exponent)).translate(_RAISED)


def two_digits(number: float) -> str:
    """Without an exponent."""
    rounded = float(f"{number:.1e}")
    places = 1 - math.floor(math.log10(rounded))
    return f"{rounded:,.{max(places, 0)}f}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table on its side, for ways have longer names than what they are asked: the head is its first column."""
    first, *rest = zip(head, *rows, strict=True)
    return "\n".join(f"| {' | '.join(line)} |" for line in (first, ["---"] * len(first), *rest))


def block(page: str, name: str) -> str:
    """What stands between the comments of this name."""
    found = re.search(_block(name), page, re.DOTALL)
    if found is None:
        raise ValueError(f"{PAGE.name} has no block {name!r}: it begins with <!-- begin {name} -->")
    return found[2].strip()


def rewritten(page: str, name: str, text: str) -> str:
    """The page with another text there."""
    block(page, name)
    return re.sub(_block(name), lambda found: f"{found[1]}\n\n{text}\n\n{found[3]}", page, flags=re.DOTALL)


def _block(name: str) -> str:
    return rf"(<!-- begin {re.escape(name)} -->)(.*?)(<!-- end {re.escape(name)} -->)"
