"""Writing files whole or not at all, several of them together."""

from __future__ import annotations

import os
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
    if len(set(map(os.path.realpath, paths))) < len(paths):
        raise OutputError("two results would go to one file: give each a name of its own")


def write_whole(contents: Mapping[Path, bytes]) -> None:
    """Write every file beside its place, then move all into place, so that no half-written file ever stands there.

    A link is followed, a file keeps its permissions, and what is no file (a pipe, a device) is written to as it is.

    Raises:
        OutputError: a place that cannot be written to; then no file is written.
    """
    moves: dict[Path, tuple[Path, Path]] = {}
    with ExitStack() as unfinished:
        try:
            for path, content in contents.items():
                if path.is_dir():
                    raise OutputError(f"{path.resolve()} is a folder: give the name of a file in it")
                if path.exists() and not path.is_file():
                    continue
                place = Path(os.path.realpath(path))
                beside = place.with_name(f".{place.name}.{os.urandom(4).hex()}")
                with beside.open("xb") as file:
                    unfinished.callback(beside.unlink, missing_ok=True)
                    if place.exists():
                        beside.chmod(place.stat().st_mode & 0o777)
                    file.write(content)
                moves[path] = beside, place
            for path in [path for path in contents if path not in moves]:
                path.write_bytes(contents[path])
            for path in moves:
                os.replace(*moves[path])
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror}; name a file in a folder that you can write to"
            ) from None
