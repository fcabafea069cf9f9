"""Labelled images to train on: a package of Debian, OpenML, scikit-learn, or a file of one's own.

The mean image of the training set is subtracted from all images, and each is then scaled to mean square 1: layer 1 has
the variance that theory counts on, whatever the image. Examples held out later are of the training set here.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_count
from meanfield.errors import DomainError, OutputError, shortened
from meanfield.lettering import counted

__all__ = ["SOURCES", "Data", "load"]

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

#: Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
#: Names at OpenML, with versions, training examples, which come first, and the shape of an image.
_OPENML = {
    "fashion-mnist": ("Fashion-MNIST", 1, 60_000, (1, 28, 28)),
    "mnist": ("mnist_784", 1, 60_000, (1, 28, 28)),
    "cifar-10": ("CIFAR_10", 1, 50_000, (3, 32, 32)),
}
#: Every fifth of scikit-learn's digits tests.
_TEST_DIGITS = 5
#: Of images as most libraries have them, in colour, in grey or with a mask.
_CHANNELS = (1, 3, 4)
#: Labels that a note tells.
_SHOWN = 5
_KEYS = ("x_train", "y_train", "x_test", "y_test")
#: An image whose mean square is less than this of the typical one is left as small as it is.
_BLANK = 1e-12
#: More labels than any data set has.
_MOST_CLASSES = 100_000
#: Squares of single precision hold these.
_LARGEST = 1e15


@dataclass(frozen=True, eq=False)
class Data:
    """Images of shape (examples, channels, height, width), or vectors (examples, features), and labels 0 … classes − 1.

    `test_on` says what the test examples are: test, or validation.
    """

    name: str
    train_inputs: Images
    train_labels: Labels
    test_inputs: Images
    test_labels: Labels
    test_on: str = "test"

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return int(max(self.train_labels.max(), self.test_labels.max())) + 1

    @property
    def sizes(self) -> str:
        """How many examples there are, of what shape, and how many classes."""
        *channels, last = self.train_inputs.shape[1:]
        shape = " × ".join(map(str, (*channels, last))) if channels else counted(last, "feature")
        examples = f"{len(self.train_labels)} + {len(self.test_labels)} examples"
        return f"{examples} of {shape}, {self.classes} class{'es' * (self.classes != 1)}"

    def notes(self) -> list[str]:
        """What may have gone wrong with a file of one's own: channels that come last, labels never trained on."""
        found = []
        shape = self.train_inputs.shape[1:]
        if len(shape) == 3 and shape[2] in _CHANNELS and min(shape[:2]) > shape[2]:
            found.append(
                f"images in {self.name} are taken for {shape[0]} channels of {shape[1]} × {shape[2]}: channels come "
                "first, (examples, channels, height, width)"
            )
        unseen = np.setdiff1d(self.test_labels, self.train_labels)
        if unseen.size:
            labels = ", ".join(map(str, unseen[:_SHOWN])) + ", …" * (unseen.size > _SHOWN)
            found.append(f"of the labels to test on in {self.name}, no training example has {labels}")
        return found

    @cached_property
    def checksum(self) -> int:
        """Of all images and labels."""
        checksum = 0
        for array in (self.train_inputs, self.train_labels, self.test_inputs, self.test_labels):
            checksum = zlib.crc32(np.ascontiguousarray(array).data, checksum)
        return checksum

    def left(self, held: int) -> int:
        """The training examples that are left when so many are held out.

        Raises:
            DomainError: there is none.
        """
        require_count("validation", held, 0)
        if held >= len(self.train_labels):
            raise DomainError(
                f"validation = {held} leaves none of {len(self.train_labels)} examples to train on: give fewer"
            )
        return len(self.train_labels) - held

    def held_out(self, count: int) -> Data:
        """The training set alone, `count` of its examples, always the same, put aside to test on; all of it if 0.

        Raises:
            DomainError: no training example would be left.
        """
        if not count:
            return self
        self.left(count)
        order = np.random.default_rng(0).permutation(len(self.train_labels))
        held, kept = np.sort(order[:count]), np.sort(order[count:])
        x, y = self.train_inputs, self.train_labels
        return Data(self.name, x[kept], y[kept], x[held], y[held], "validation")


def load(name: str | Path) -> Data:
    """The data set of that name, or in an .npz file of arrays x_train, y_train, x_test, y_test, standardised.

    Images in a file are (examples, features), (examples, height, width) or (examples, channels, height, width); labels
    are whole numbers from 0.

    Raises:
        DomainError: a name that is not known.
        OutputError: a file that cannot be read or holds something else, a package that is missing, or no network.
    """
    if isinstance(name, Path):
        name = str(name)
    if not isinstance(name, str):
        raise DomainError(f"data = {shortened(name)} is no data set: give {', '.join(SOURCES)} or an .npz file")
    if name.lower().endswith(".npz"):
        return _standardised(name, *_as_images(_from_file(Path(name))))
    if name not in SOURCES:
        raise DomainError(f"data = {shortened(name)} is not known: give {', '.join(SOURCES)} or an .npz file")
    return _standardised(name, *SOURCES[name](name))


def _standardised(name: str, x_train: Any, y_train: Any, x_test: Any, y_test: Any) -> Data:
    mean = np.mean(x_train, axis=0, dtype=np.float64).astype(np.float32)
    scaled = []
    for images, which in ((x_train, "train"), (x_test, "test")):
        centred = images.astype(np.float32) - mean
        squares = np.mean(np.square(centred), axis=tuple(range(1, centred.ndim)), keepdims=True)
        if not squares.any():
            raise OutputError(f"every image of x_{which} in {name} is the mean image: give images that differ")
        scaled.append(centred / np.sqrt(np.maximum(squares, _BLANK * squares.mean())))
    return Data(name, scaled[0], y_train.astype(np.int64), scaled[1], y_test.astype(np.int64))


def _fashion_mnist(name: str) -> tuple[Any, ...]:
    if not DEBIAN.is_dir():
        return _from_openml(name)
    arrays = [_from_idx(DEBIAN / f"{file}.gz") for file in _FILES]
    for images, labels in (arrays[:2], arrays[2:]):
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise OutputError(f"the files in {DEBIAN} do not belong together: install dataset-fashion-mnist anew")
    return _as_images(arrays)


def _from_idx(path: Path) -> NDArray[Any]:
    """A file of MNIST's kind: 0, 0, type (8, bytes), dimensions, then each in four bytes, then all numbers."""
    try:
        content = gzip.decompress(path.read_bytes())
        if content[:3] != b"\0\0\x08":
            raise ValueError
        shape = np.frombuffer(content, ">u4", content[3], 4).astype(int)
        return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)
    except (OSError, EOFError, zlib.error, IndexError, ValueError):
        raise OutputError(f"{path} is missing or damaged: install dataset-fashion-mnist anew") from None


def _as_images(arrays: Iterable[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Images that have one channel and do not say so get a dimension for it."""
    return tuple(array[:, None] if array.ndim == 3 else array for array in arrays)


def _from_openml(name: str) -> tuple[Any, ...]:
    known, version, first, shape = _OPENML[name]
    datasets = _sklearn(name)
    try:
        found = datasets.fetch_openml(known, version=version, as_frame=False, parser="liac-arff", data_home=_cache())
    except (OSError, ValueError, EOFError, HTTPException) as fault:
        here = ", or apt-get install dataset-fashion-mnist" if name == "fashion-mnist" else ""
        raise OutputError(
            f"{name} is not here yet and could not be fetched from OpenML ({type(fault).__name__}): try again with a "
            f"network{here}, or take digits, which needs none"
        ) from None
    images, labels = found.data.reshape(-1, *shape), found.target.astype(np.int64)
    return images[:first], labels[:first], images[first:], labels[first:]


def _cache() -> str | None:
    """Where scikit-learn keeps what it has fetched, unless MEANFIELD_DATA says otherwise."""
    return os.environ.get("MEANFIELD_DATA")


def _digits(name: str) -> tuple[Any, ...]:
    found = _sklearn(name).load_digits()
    images, labels = found.images[:, None], found.target
    test = np.arange(len(labels)) % _TEST_DIGITS == 0
    return images[~test], labels[~test], images[test], labels[test]


def _sklearn(name: str) -> Any:
    try:
        from sklearn import datasets
    except ImportError:
        raise OutputError(f"{name} comes by way of scikit-learn: pip install 'meanfield[train]'") from None
    return datasets


#: By name; each gives training images and labels, then those of the test set.
SOURCES: dict[str, Callable[[str], tuple[Any, ...]]] = {
    "fashion-mnist": _fashion_mnist,
    "mnist": _from_openml,
    "cifar-10": _from_openml,
    "digits": _digits,
}


def _from_file(path: Path) -> tuple[Any, ...]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            # What is no array comes as bytes.
            arrays = [np.asarray(held[key]) for key in _KEYS]
    except KeyError as missing:
        raise OutputError(f"{path} has no array {missing.args[0].split()[0]}: give {', '.join(_KEYS)}") from None
    except OSError as fault:
        raise OutputError(f"cannot read {path}: {fault.strerror or 'it is no .npz file'}") from None
    except MemoryError:
        raise
    except Exception:
        # What zipfile, its decompressors and numpy's reader of headers raise of a damaged file has no end.
        raise OutputError(f"{path} is no .npz file of plain arrays: write it with numpy.savez") from None
    _require_examples(path, "train", *arrays[:2])
    if (arrays[1] == arrays[1][0]).all():
        raise OutputError(f"y_train in {path} is {arrays[1][0]} for every example: give two classes or more")
    _require_examples(path, "test", *arrays[2:])
    if arrays[0].shape[1:] != arrays[2].shape[1:]:
        raise OutputError(f"x_train and x_test in {path} are of different shapes: give images of one kind")
    return tuple(arrays)


def _require_examples(path: Path, which: str, images: NDArray[Any], labels: NDArray[Any]) -> None:
    if images.ndim not in (2, 3, 4) or not images.size or images.dtype.kind not in "fiub":
        raise OutputError(
            f"x_{which} in {path} is of shape {images.shape} and type {images.dtype}: give numbers (examples, "
            "features), (examples, height, width) or (examples, channels, height, width)"
        )
    if not max(-float(images.min()), float(images.max())) < _LARGEST:
        raise OutputError(f"x_{which} in {path} holds NaN, infinity or more than {_LARGEST:g}: scale it")
    if labels.ndim == 2 and len(labels) == len(images) and labels.shape[1] > 1:
        raise OutputError(f"y_{which} in {path} is of shape {labels.shape}, a row an example: give argmax, its class")
    if labels.ndim == 1 and len(labels) != len(images):
        raise OutputError(
            f"{path} has {len(labels)} labels y_{which} for {len(images)} images x_{which}: give one each"
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise OutputError(f"y_{which} in {path} is no whole number >= 0 for each of {len(images)} examples: give that")
    if labels.max() >= _MOST_CLASSES:
        raise OutputError(f"y_{which} in {path} holds {labels.max()}: count the classes from 0")
