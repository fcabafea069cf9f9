"""The file of a run: a first line that says what was asked, then a line for every network, in order, as JSON.

Lines only ever grow at the end, so a run that is cut short leaves every network that it had finished, and at worst a
torn last line, which going on repairs. A network depends on nothing but the experiment, its number among them excepted:
a run that went on ends with the same bytes as one that was never cut short.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.errors import OutputError
from meanfield.simulation.experiment import Experiment

__all__ = ["RunFile", "read_run"]

Array = NDArray[np.float64]

_FORMAT = "meanfield simulation 1"


class RunFile:
    """Networks already in the file at `path`, and where the next ones go.

    Args:
        path: of the file.
        label: what the activation is called, for those who read the file.
        experiment: what is measured; its number of networks may differ from run to run.
        resume: whether to go on with a file that is there; one that is not there is begun.

    Raises:
        OutputError: a file that is there although nothing is to be resumed, that holds something else, or cannot be
            written; it is left as it was.
    """

    def __init__(self, path: Path, label: str, experiment: Experiment, *, resume: bool = False) -> None:
        self._path, self._experiment = path, experiment
        try:
            if path.exists() and not path.is_file():
                raise OutputError(f"cannot write {path}: it is no file; name one that networks can be added to")
            there = path.exists() and path.stat().st_size > 0
            if there and not resume:
                raise OutputError(f"{path} is there already: go on with it by --resume, or name another file")
            content = path.read_bytes() if there else b""
            kept, self.done = _kept(path, content, label, experiment)
            self._file = path.open("r+b" if there else "wb")
            self._file.truncate(kept)
            self._file.seek(kept)
            if kept == 0:
                self._file.write(_header(label, experiment))
                self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}; name a file that you can write to") from None

    def append(self, measured: Array) -> None:
        """Write the next networks, shape (networks, quantities, depth + 1), and hand them to the operating system."""
        names = self._experiment.quantities
        lines = []
        for rows in measured:
            record: dict[str, Any] = {"network": self.done}
            record |= {name: _numbers(row) for name, row in zip(names, rows, strict=True)}
            lines.append(json.dumps(record, allow_nan=False) + "\n")
            self.done += 1
        self._file.write("".join(lines).encode())
        self._file.flush()

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def networks(self, count: int) -> Array:
        """The first `count` networks in the file, fewer if there are not as many."""
        with self._path.open("rb") as file:
            next(file)
            rows = [_row(self._experiment, json.loads(line)) for line, _ in zip(file, range(count), strict=False)]
        return np.array(rows).reshape(len(rows), len(self._experiment.quantities), self._experiment.depth + 1)


def read_run(path: Path) -> tuple[str, Experiment, Array]:
    """The label, the experiment and the networks of a file, as many as there are whole lines.

    Raises:
        OutputError: a file that is none of these, or holds no network.
    """
    try:
        lines = _whole_lines(path.read_bytes())
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}") from None
    try:
        first = json.loads(next(lines))
        if first["format"] != _FORMAT:
            raise ValueError
        experiment = Experiment.from_record({**first["experiment"], "networks": 1})
    except (StopIteration, KeyError, TypeError, ValueError, AttributeError):
        raise OutputError(f"{path} is no run of 'meanfield simulate --output FILE.jsonl'") from None
    rows = []
    for line in lines:
        try:
            rows.append(_row(experiment, json.loads(line)))
        except (KeyError, TypeError, ValueError):
            raise OutputError(
                f"{path}, line {len(rows) + 2}, is not network {len(rows)}: the file is damaged"
            ) from None
    if not rows:
        raise OutputError(f"{path} holds no network yet: let 'meanfield simulate' finish some")
    return first["activation"], experiment.of(len(rows)), np.array(rows)


def _header(label: str, experiment: Experiment) -> bytes:
    asked = experiment.as_record()
    del asked["networks"]
    return (json.dumps({"format": _FORMAT, "activation": label, "experiment": asked}) + "\n").encode()


def _kept(path: Path, content: bytes, label: str, experiment: Experiment) -> tuple[int, int]:
    """How many bytes of a file are whole lines of this run, and how many networks they hold."""
    header = _header(label, experiment)
    if header.startswith(content):
        return len(content) if content == header else 0, 0
    if not content.startswith(header):
        raise OutputError(f"{path} {_difference(content, label, experiment)}: name another file, or ask for the same")
    kept = content.rfind(b"\n") + 1
    networks = 0
    for line in _whole_lines(content[len(header) : kept]):
        try:
            record = json.loads(line)
            _row(experiment, record)
            fits = record["network"] == networks
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits:
            raise OutputError(
                f"{path}, line {networks + 2}, is not network {networks}: the file is damaged; name another"
            )
        networks += 1
    return kept, networks


def _difference(content: bytes, label: str, experiment: Experiment) -> str:
    """What a file holds instead."""
    try:
        first = json.loads(content.split(b"\n", 1)[0])
        if (other := first["activation"]) != label:
            return f"holds networks of another activation ({other}, not {label})"
        there, here = first["experiment"], experiment.as_record()
        name = next(name for name, value in there.items() if here[name] != value)
        return f"holds networks of another kind ({name} = {there[name]}, not {here[name]})"
    except (StopIteration, KeyError, TypeError, ValueError):
        return "holds something else than networks of this kind"


def _whole_lines(content: bytes) -> Iterator[bytes]:
    end = content.rfind(b"\n")
    yield from content[: max(end, 0)].split(b"\n") if end >= 0 else ()


def _numbers(row: Array) -> list[float | None]:
    """As JSON, which knows neither ∞ nor NaN."""
    return [value if np.isfinite(value) else None for value in row.tolist()]


def _row(experiment: Experiment, record: dict[str, Any]) -> Array:
    """What `_numbers` wrote: q that is no number has overflowed."""
    rows = []
    for name in experiment.quantities:
        values = np.array(record[name], dtype=float)
        if values.shape != (experiment.depth + 1,):
            raise ValueError(name)
        rows.append(np.where(np.isnan(values), np.inf if name == "q" else np.nan, values))
    return np.array(rows)
