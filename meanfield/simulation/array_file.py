"""An ensemble with its theory as a numpy archive, .npz: for programs that go on from there.

`about` is JSON: the activation and the experiment. Every quantity is an array of shape (networks, depth + 1), and
beside it stand `NAME_infinite_width`, `NAME_theory_mean` and `NAME_theory_sd`, shape (depth + 1,).
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.errors import OutputError
from meanfield.finite_width.experiment import Experiment
from meanfield.simulation.comparison import Comparison
from meanfield.simulation.ensemble import Ensemble
from meanfield.simulation.run_file import DAMAGED

__all__ = ["as_arrays", "read_arrays"]


def as_arrays(comparison: Comparison) -> bytes:
    """The content of the file."""
    ensemble = comparison.ensemble
    arrays = {"about": np.array(_about(ensemble.label, ensemble.experiment))}
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
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot read {path}: it is no file; name a .npz of 'meanfield simulate'")
    try:
        with zipfile.ZipFile(path) as archive:
            text = str(_array(archive, "about"))
            about = json.loads(text)
            label, experiment = about["activation"], Experiment.from_record(about["experiment"])
            if not isinstance(label, str) or _about(label, experiment) != text:
                raise ValueError
            measured = np.stack([_array(archive, name) for name in experiment.quantities], axis=1)
            if measured.dtype != float or measured.shape[::2] != (experiment.networks, experiment.depth + 1):
                raise ValueError
            return Ensemble(label, experiment, measured)
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}") from None
    except (*DAMAGED, EOFError, NotImplementedError, zipfile.BadZipFile):
        raise OutputError(f"{path} is no result of 'meanfield simulate --output FILE.npz'") from None


def _about(label: str, experiment: Experiment) -> str:
    return json.dumps({"activation": label, "experiment": experiment.as_record()})


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array of the archive; a ValueError where the file is not as large as the array that it announces."""
    entry = archive.getinfo(f"{name}.npy")
    assert archive.fp
    there = archive.fp.seek(0, io.SEEK_END)
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > there:
        raise ValueError(name)
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, kind = read_header[version](member)
        if kind.hasobject or member.tell() + math.prod(shape) * kind.itemsize != entry.file_size:
            raise ValueError(name)
    with archive.open(entry) as member:
        found: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
        return found
