"""Ensembles from the files that `meanfield simulate` wrote."""

from __future__ import annotations

from pathlib import Path

from meanfield.simulation.array_file import read_arrays
from meanfield.simulation.ensemble import Ensemble
from meanfield.simulation.run_file import read_run

__all__ = ["read_ensemble"]


def read_ensemble(path: Path | str) -> Ensemble:
    """The networks in a .jsonl, which may still grow, or in an .npz.

    Raises:
        OutputError: a file that holds none.
    """
    path = Path(path)
    return read_arrays(path) if path.suffix.lower() == ".npz" else Ensemble(*read_run(path))
