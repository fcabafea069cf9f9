"""The results of an experiment, JSON lines in a file that grows: verdicts, fixed before training, and runs.

{"foretold": …} is what theory says of the networks of one activation, initialisation, shape and law of weights.
{"run": …, "result": …} is a setting and how its run ended. Anyone may add lines; a setting that is there is not run
again.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from meanfield.atomic_files import require_places
from meanfield.domain import path_of, require_number
from meanfield.errors import OutputError
from meanfield.tables.records import Record
from meanfield.training.data import Data
from meanfield.training.setting import Setting

__all__ = ["Results", "read_results", "subject_of"]

#: What a verdict depends on.
_SUBJECT = ("activation", "sigma_w", "sigma_b", "q_star", "depth", "width", "model", "weights")

#: What is told of how a run ended, numbers if it finished.
_MEASURED = ("test_accuracy", "train_accuracy", "train_sparsity", "test_sparsity")
#: Of the lines: what was cut short begins like one of them, and anything else is somebody's own text.
_BEGINNINGS = (b'{"foretold": ', b'{"run": ')


def subject_of(setting: Setting) -> tuple[Any, ...]:
    """What a verdict is of: settings that differ in data or optimiser share it."""
    return tuple(getattr(setting, name) for name in _SUBJECT)


class Results:
    """Results in a file.

    Args:
        path: of the file, begun if it is not there; None to keep them in memory alone.

    Attributes: `verdicts`, a record for each subject; `runs`, how each setting ended.

    Raises:
        OutputError: a file that cannot be read or written, or holds something else.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = path = None if path is None else path_of("path", path)
        self.verdicts: dict[tuple[Any, ...], Record] = {}
        self.runs: dict[Setting, Record] = {}
        if path is None:
            return
        require_places([path])
        if path.exists() and not path.is_file():
            raise OutputError(f"cannot write {path}: it is no file; name one that lines can be added to")
        try:
            content = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from None
        self._size = self.take_all(content, path)

    def take_all(self, content: bytes, path: Path) -> int:
        """Take what a file holds; the number of its bytes but for a line that was cut short, which is written anew.

        Raises:
            OutputError: it holds something else.
        """
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                held = json.loads(line)
                self._take(held)
                if "foretold" not in held:
                    _require_told(held["result"])
                elif held["foretold"].get("share_lost") is not None:
                    _require_finite("share_lost", held["foretold"]["share_lost"])
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                raise _no_result(path, number) from None
        rest = content[len(whole) :]
        if not any(rest.startswith(begin[: len(rest)]) for begin in _BEGINNINGS):
            raise _no_result(path, whole.count(b"\n") + 1)
        return len(whole)

    def _take(self, line: Record) -> None:
        if "foretold" in line:
            subject = tuple(line["foretold"][name] for name in _SUBJECT)
            # What was said first stands.
            self.verdicts.setdefault(subject, line["foretold"])
        else:
            self.runs[Setting.from_record(line["run"])] = line["result"]

    def require_of(self, data: Data) -> None:
        """Refuse to go on with data that have changed under the name that they had when others were trained on them.

        Raises:
            OutputError: they have.
        """
        for setting, result in self.runs.items():
            if setting.data == data.name and result.get("data_checksum", data.checksum) != data.checksum:
                raise OutputError(f"{self.path} is of other data, that {data.name} held before: name another file")

    def foretell(self, setting: Setting, verdict: Record) -> None:
        """Keep what is said of the networks of a setting before they are trained; what was said first stands."""
        if subject_of(setting) not in self.verdicts:
            self._add({"foretold": {**dict(zip(_SUBJECT, subject_of(setting), strict=True)), **verdict}})

    def add(self, setting: Setting, result: Record) -> None:
        """Keep how a run ended."""
        self._add({"run": setting.as_record(), "result": result})

    def _add(self, line: Record) -> None:
        self._take(line)
        if self.path is None:
            return
        content = (json.dumps(line, allow_nan=False) + "\n").encode()
        try:
            # Begun so that of two processes that do it neither fails.
            self.path.open("ab").close()
            with self.path.open("r+b") as file:
                _lock(file)
                # Lines that others have added meanwhile stay, and what they have taken away is not made up for.
                self._size = min(self._size, file.seek(0, io.SEEK_END))
                file.seek(self._size)
                self._size += file.read().rfind(b"\n") + 1
                file.truncate(self._size)
                file.seek(self._size)
                file.write(content)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}; make room, then run it again") from None
        self._size += len(content)


def _lock(file: IO[bytes]) -> None:
    """Wait while another process adds a line, and let the next one wait until the file is closed.

    Where the system has no such locks, the files of two processes may lose a line.
    """
    with suppress(ImportError, OSError):
        from fcntl import LOCK_EX, flock

        flock(file, LOCK_EX)


def _no_result(path: Path, line: int) -> OutputError:
    return OutputError(f"{path}, line {line}, is no result of an experiment: name another file")


def _require_told(result: Record) -> None:
    """Refuse, with an error that `take_all` turns into its own, a result that does not tell how a run ended."""
    if result["outcome"] not in ("finished", "diverged") or not isinstance(result["machine"], str):
        raise ValueError
    for name in (*(_MEASURED if result["outcome"] == "finished" else ()), "seconds"):
        _require_finite(name, result[name])


def _require_finite(name: str, value: Any) -> None:
    require_number(name, value)
    if not math.isfinite(value):
        raise ValueError


def read_results(paths: str | Path | Iterable[str | Path]) -> Results:
    """What one file or several hold together, to look at: they need not be writable.

    Raises:
        OutputError: a file that cannot be read or holds something else.
    """
    found = Results(None)
    for path in (path_of("paths", path) for path in ([paths] if isinstance(paths, str | Path) else paths)):
        try:
            found.take_all(path.read_bytes(), path)
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from None
    return found
