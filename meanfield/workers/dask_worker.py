"""What a worker of `--dask local` does as it starts, by Dask's own name for it."""

from __future__ import annotations

import os

__all__ = ["dask_setup"]


def dask_setup(worker: object) -> None:
    """Print nothing: an error reaches who asked by itself, and how a worker ends is nobody's concern."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(null, stream)
    os.close(null)
