"""Where a run works, and how it adds up and rounds there."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from meanfield.errors import DomainError

__all__ = ["arithmetic", "device_named", "machine"]


def device_named(name: str) -> torch.device:
    """cpu, cuda, or auto for cuda where there is one.

    Raises:
        DomainError: none of these, or not here.
    """
    here = torch.cuda.is_available()
    if name not in ("cpu", "cuda", "auto"):
        raise DomainError(f"device = {name!r:.40} is not known: give cpu, cuda or auto")
    if name == "cuda" and not here:
        raise DomainError("device = cuda is not here: give cpu, or auto for the best that is")
    return torch.device("cuda" if here and name != "cpu" else "cpu")


def machine(device: torch.device) -> str:
    """What results say of it."""
    return f"{platform.machine()}, one thread" if device.type == "cpu" else torch.cuda.get_device_name(device)


@contextmanager
def arithmetic() -> Iterator[None]:
    """How numbers are added up and rounded while a run goes on.

    How many threads add up numbers decides how they round; and small layers are no faster in several. Below the normal
    numbers everything is 0: the moments that Adam keeps of units that no longer learn fall there and stay, without a
    share in any weight, and processors take ten times as long for them.
    """
    threads, flushed = torch.get_num_threads(), not torch.tensor(1e-40).mul(1.0).item()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushed)
