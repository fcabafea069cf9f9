"""A command's files: refused before it begins where they could not be written, or are what it reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from meanfield.atomic_files import require_places

__all__ = ["require_files"]

#: Options that name files to write, files to read, and activations and models, which may be in files.
_WRITTEN, _READ = ("output", "data", "checkpoint"), ("networks_from", "results", "log", "style", "batch", "dataset")
_NAMED = ("act", "model")


def require_files(params: Mapping[str, Any]) -> None:
    """Refuse, by the options as they were read, files that could not be written, or that the command reads too.

    Raises:
        OutputError: there is one.
    """
    read = [Path(text) for text in _given(params, _READ)]
    read += [path for text in _given(params, _NAMED) for path in _files(str(text))]
    require_places([Path(text) for text in _given(params, _WRITTEN)], read)


def _given(params: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Any]:
    """The values of options, whether they may be repeated or not."""
    for name in names:
        value = params.get(name)
        if value is not None:
            yield from value if isinstance(value, list | tuple) else [value]


def _files(name: str) -> Iterator[Path]:
    """Where what has that name may be: in a file, which its ending tells, or in a module found where Python looks."""
    from meanfield.activations.spec import is_file_name

    if is_file_name(name):
        yield Path(name.strip())
    module, colon, _ = name.strip().partition(":")
    if colon:
        path = module.replace(".", "/")
        for folder in ("", *sys.path):
            yield from (Path(folder, f"{path}.py"), Path(folder, path, "__init__.py"))
