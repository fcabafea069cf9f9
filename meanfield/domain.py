"""Whole numbers of units, layers, samples: what is none is refused."""

from __future__ import annotations

from operator import index

from meanfield.errors import DomainError

__all__ = ["require_count"]

#: No network has more of anything.
_LARGEST = 10**15


def require_count(name: str, value: object, lowest: int = 1) -> None:
    """Refuse what is not a whole number from `lowest` to 1e15, with a `DomainError`."""
    try:
        # True is 1 to Python, yet width=True is a slip.
        fits = not isinstance(value, bool) and lowest <= index(value) <= _LARGEST  # type: ignore[arg-type]
    except TypeError:
        fits = False
    if not fits:
        raise DomainError(
            f"{name} = {_shown(value)} is out of range: give a whole number from {lowest} to {_LARGEST:g}"
        )


def _shown(value: object) -> str:
    try:
        text = str(value)
    except ValueError:
        # Python refuses to write out whole numbers of thousands of digits.
        return "a number of thousands of digits"
    return text if len(text) <= 30 else f"{text[:27]}..."
