"""A model named as `package.module:build_model`: built, put on the edge of chaos if that is asked, and audited."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from meanfield.activations.guarded import in_words
from meanfield.activations.user_code import import_object
from meanfield.errors import DomainError, MeanFieldError, OutputError
from meanfield.tables.records import Record
from meanfield.torch.audit import audit
from meanfield.torch.initialise import edge_of_chaos_

__all__ = ["audit_named", "build_model", "read_batch"]

#: Numbers that are drawn at most for an argument of a model.
_MOST = 1_000_000_000


def audit_named(name: str, asked: Record) -> Record:
    """What `audit` and `edge_of_chaos_` find, or `error` and `lines`, the kind of an error and what it says.

    Args:
        name: of the model, as in `build_model`.
        asked: `batch`, a file, or `shapes`, of a Gaussian batch; `level`; `seed`; and `edge`, the arguments of
            `edge_of_chaos_`, or None.
    """
    try:
        return _audited(name, **asked)
    except MeanFieldError as refusal:
        return {"error": type(refusal).__name__, "lines": list(refusal.args)}


def _audited(
    name: str, batch: str | None, shapes: list[list[int]], level: float, seed: int, edge: Record | None
) -> Record:
    arrays = read_batch(Path(batch)) if batch else []
    # Drawn from one seed, weights and inputs would be the same numbers.
    of_model, of_batch, of_weights = map(int, np.random.SeedSequence(seed).generate_state(3))
    torch.manual_seed(of_model)
    model = build_model(name)
    given = _tensors(arrays) if batch else _gaussian(shapes, of_batch)
    found: Record = {
        "shapes": [list(part.shape) for part in given],
        "training": model.training,
        "audit": audit(model, given, level=level, seed=seed).record(),
    }
    if edge is not None:
        generator = torch.Generator().manual_seed(of_weights)
        initialised = edge_of_chaos_(model, **edge, inputs=given, generator=generator).record()
        after = audit(model, given, level=level, seed=seed).record()
        found |= {"before": found["audit"], "initialised": initialised, "audit": after}
    return found


def build_model(name: str) -> nn.Module:
    """The model of that name: an `nn.Module`, or what a class of it or a function makes without arguments.

    Raises:
        ActivationError: there is nothing of that name; DomainError: it makes no model.
    """
    found: Any = import_object(name)
    wanted = "name a function without arguments that returns an nn.Module, or one itself"
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise DomainError(f"{name} is no model but {type(found).__name__}: {wanted}")
    try:
        model = found()
    except BaseException as fault:
        raise DomainError(f"{name} raises {in_words(fault)}") from None
    if not isinstance(model, nn.Module):
        raise DomainError(f"{name} returns {type(model).__name__}, which is no model: {wanted}")
    return model


def read_batch(path: Path) -> list[NDArray[Any]]:
    """The arrays of an .npz or .npy, one for each argument: as arr_0, arr_1, … count them, else as they come.

    Raises:
        OutputError: a file that holds none, or what are no numbers.
    """
    try:
        arrays = _arrays(np.load(path, allow_pickle=False))
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or 'it is no .npz or .npy of numpy'}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError):
        raise OutputError(
            f"{path} holds no arrays of numbers: write them by numpy.savez, one for each argument of the model"
        ) from None
    if not arrays:
        raise OutputError(f"{path} is empty: give an array for each argument of the model")
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            raise OutputError(f"{key} in {path} holds no real numbers: give floats, or integers for an embedding")
        if not array.size:
            raise OutputError(f"{key} in {path} is of shape {array.shape} and holds nothing: give one or more examples")
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(np.float32)).all()
        if not finite:
            raise OutputError(
                f"{key} in {path} holds NaN or what is no number in single precision: give finite numbers"
            )
    return list(arrays.values())


def _arrays(held: Any) -> dict[str, Any]:
    if isinstance(held, np.ndarray):
        return {"the array": held}
    with held:
        names = list(held.files)
        if all(name.startswith("arr_") and name[4:].isdecimal() for name in names):
            names.sort(key=lambda name: int(name[4:]))
        return {name: held[name] for name in names}


def _tensors(arrays: Sequence[NDArray[Any]]) -> list[Tensor]:
    """Floats in PyTorch's precision, whole numbers as embeddings take them."""
    kinds = {"f": np.float32, "b": np.bool_}
    tensors = [torch.from_numpy(np.array(a, kinds.get(a.dtype.kind, np.int64), order="C")) for a in arrays]
    return [part.to(torch.get_default_dtype()) if part.is_floating_point() else part for part in tensors]


def _gaussian(shapes: Sequence[Sequence[int]], seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for shape in shapes:
        if np.prod([float(n) for n in shape]) > _MOST:
            raise DomainError(
                f"--shape {','.join(map(str, shape))} is of more than {_MOST:g} numbers: give a smaller one"
            )
    return [torch.randn(*shape, generator=generator) for shape in shapes]
