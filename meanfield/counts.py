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
        shown = str(value)
        raise DomainError(
            f"{name} = {shown if len(shown) <= 30 else shown[:27] + '...'} is out of range: give a whole number from "
            f"{lowest} to {_LARGEST:g}"
        )
