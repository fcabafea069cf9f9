"""Writing files whole or not at all, several of them together."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from meanfield.errors import OutputError

__all__ = ["require_places", "write_whole"]

#: Names of what this process has open already, such as /dev/stdout, by its number.
_OPEN = re.compile(rf"/(?:dev|proc/(?:self|thread-self|{os.getpid()}))/fd/([0-9]{{1,9}})")
#: Links from one name to another that are followed.
_MOST_LINKS = 40


def require_places(paths: Sequence[Path], read: Iterable[Path] = ()) -> None:
    """Refuse, before anything long is computed, what could not be written or would be lost.

    `read` are the files that the results are computed from.

    Raises:
        OutputError: a folder that is not there or takes no files, a file that is read-only or is read, or one place for
            two files.
    """
    sources = [*read]
    for path in paths:
        try:
            _require_place(path)
        except OSError as error:
            raise _refused(path, error) from None
        if any(_is_same(path, source) for source in sources):
            raise OutputError(f"cannot write {path}: the result is computed from this file; name another")
    if len(set(map(os.path.realpath, paths))) < len(paths):
        raise OutputError("two results would go to one file: give each a name of its own")


def _require_place(path: Path) -> None:
    if path.is_dir():
        raise OutputError(f"{path.resolve()} is a folder: give the name of a file in it")
    if not path.parent.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {path.parent}; make it first, or name another")
    if path.is_block_device():
        raise OutputError(f"cannot write {path}: it is a disk; name a file")
    if path.exists() and not path.is_file():
        return
    place = Path(os.path.realpath(path))
    # To the administrator every file looks writable.
    if place.exists() and not (place.stat().st_mode & 0o222 and os.access(place, os.W_OK)):
        raise OutputError(f"cannot write {path}: it is read-only; make it writable, or name another")
    if _descriptor(path) is None and not os.access(place.parent, os.W_OK):
        raise OutputError(f"cannot write {path}: the folder {place.parent} takes no files; name another")


def _is_same(path: Path, source: Path) -> bool:
    try:
        return path.is_file() and path.samefile(source)
    except (OSError, ValueError):
        # It is the name of no file.
        return False


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
                _require_place(path)
                if _descriptor(path) is not None or (path.exists() and not path.is_file()):
                    continue
                place = Path(os.path.realpath(path))
                # A name of its own: with more to it, one that is long already would be too long.
                beside = place.with_name(f".meanfield-{os.urandom(6).hex()}")
                with beside.open("xb") as file:
                    unfinished.callback(beside.unlink, missing_ok=True)
                    if place.exists():
                        beside.chmod(place.stat().st_mode & 0o777)
                    file.write(content)
                moves[path] = beside, place
            for path in [path for path in contents if path not in moves]:
                _write_as_it_is(path, contents[path])
            for path in moves:
                os.replace(*moves[path])
        except OSError as error:
            raise _refused(path, error) from None


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror}; name a file in a folder that you can write to")


def _write_as_it_is(path: Path, content: bytes) -> None:
    number = _descriptor(path)
    if number is None:
        path.write_bytes(content)
        return
    # What has been printed comes first.
    sys.stdout.flush()
    # Opened once more, a file would be written over from its start, and a socket cannot be.
    with os.fdopen(os.dup(number), "wb") as stream:
        stream.write(content)


def _descriptor(path: Path) -> int | None:
    """The number of what is open already, where the path is a name of it, as /dev/stdout and bash's >(…) are."""
    name = os.path.abspath(path)
    for _ in range(_MOST_LINKS):
        if found := _OPEN.fullmatch(name):
            return int(found[1])
        if not os.path.islink(name):
            return None
        name = os.path.abspath(os.path.join(os.path.dirname(name), os.readlink(name)))
    return None
