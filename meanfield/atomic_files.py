"""Writing files whole or not at all, several of them together."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from meanfield.errors import OutputError

__all__ = ["require_places", "write_whole"]


def require_places(paths: Sequence[Path]) -> None:
    """Refuse, before anything long is computed, what could not be written.

    Raises:
        OutputError: a folder that is not there, or one place for two files.
    """
    for path in paths:
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}; make it first, or name another")
    if len(set(map(Path.resolve, paths))) < len(paths):
        raise OutputError("two results would go to one file: give each a name of its own")


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write every file beside its place, then move all into place, so that no half-written file ever stands there.

    A link is followed, a file keeps its permissions, and what is no file (a pipe, a device) is written to as it is.

    Raises:
        OutputError: a place that cannot be written to; then no file is written.
    """
    with ExitStack() as unfinished:
        moves: list[tuple[str, Path]] = []
        for path, content in contents.items():
            try:
                target = path.resolve()
                if target.is_dir():
                    raise OutputError(f"{target} is a folder: give the name of a file in it")
                if target.is_file() or not target.exists():
                    beside = _written_beside(target, content)
                    unfinished.callback(_remove, beside)
                    moves.append((beside, target))
            except (OSError, RuntimeError) as error:
                raise _refused(path, error) from None
        for path, content in contents.items():
            if path.exists() and not path.is_file():
                try:
                    path.write_bytes(content)
                except OSError as error:
                    raise _refused(path, error) from None
        for beside, target in moves:
            try:
                os.replace(beside, target)
            except OSError as error:
                raise _refused(target, error) from None


def _written_beside(target: Path, content: bytes) -> str:
    """A temporary file with the content, in the folder of the target and with its permissions."""
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        try:
            file.write(content)
            file.close()
            os.chmod(file.name, mode)
        except BaseException:
            _remove(file.name)
            raise
    return file.name


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)


def _refused(path: Path, error: OSError | RuntimeError) -> OutputError:
    why = getattr(error, "strerror", None) or error
    return OutputError(f"cannot write {path}: {why}; name a file in a folder that you can write to")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
