"""An ensemble with its theory as a numpy archive, .npz: for programs that go on from there.

`about` is JSON: the activation and the experiment. Every quantity is an array of shape (networks, depth + 1), and
beside it stand `NAME_infinite_width`, `NAME_theory_mean` and `NAME_theory_sd`, shape (depth + 1,).
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from meanfield.errors import OutputError
from meanfield.finite_width.experiment import Experiment
from meanfield.simulation.comparison import Comparison
from meanfield.simulation.ensemble import Ensemble
from meanfield.simulation.run_file import DAMAGED

__all__ = ["as_arrays", "read_arrays"]


def as_arrays(comparison: Comparison) -> bytes:
    """The content of the file."""
    ensemble = comparison.ensemble
    about = {"activation": ensemble.label, "experiment": ensemble.experiment.as_record()}
    arrays = {"about": np.array(json.dumps(about))}
    for name, p in comparison.predicted.items():
        arrays[name] = ensemble[name]
        arrays |= {f"{name}_infinite_width": p.value, f"{name}_theory_mean": p.mean, f"{name}_theory_sd": p.sd}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_arrays(path: Path) -> Ensemble:
    """The ensemble in a file.

    Raises:
        OutputError: a file that holds none.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            experiment = Experiment.from_record(about["experiment"])
            measured = np.stack([arrays[name] for name in experiment.quantities], axis=1)
            if measured.shape[::2] != (experiment.networks, experiment.depth + 1):
                raise ValueError
            return Ensemble(about["activation"], experiment, measured)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from None
    except (*DAMAGED, EOFError, NotImplementedError, zipfile.BadZipFile):
        raise OutputError(f"{path} is no result of 'meanfield simulate --output FILE.npz'") from None
