"""Data sets: where they come from, how they are standardised, what is held out, and what is no data set."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import data

from meanfield.errors import DomainError, OutputError
from meanfield.training import data as source
from meanfield.training.data import Data, load

Array = np.ndarray[Any, Any]


def arrays(train: int = 30, test: int = 10, shape: tuple[int, ...] = (2, 5, 4)) -> dict[str, Array]:
    """Images and labels as an .npz file has them."""
    generator = np.random.default_rng(3)
    return {
        "x_train": generator.integers(0, 256, (train, *shape)).astype(np.uint8),
        "y_train": generator.integers(0, 4, train),
        "x_test": generator.integers(0, 256, (test, *shape)).astype(np.uint8),
        "y_test": generator.integers(0, 3, test),
    }


def loaded(folder: Path, **changed: Any) -> Data:
    """A file with these arrays, read; None leaves one out."""
    held = {name: array for name, array in {**arrays(), **changed}.items() if array is not None}
    np.savez(folder / "x.npz", **held)
    return load(str(folder / "x.npz"))


def packed(content: bytes) -> bytes:
    """Without the time, that processes which collect these tests call them alike."""
    return gzip.compress(content, mtime=0)


def idx(array: Array) -> bytes:
    """A file of MNIST's kind."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def require_standardised(raw_train: Array, raw_test: Array, found: Data) -> None:
    """Every image is a positive multiple of what is left without the training set's mean, of mean square 1."""
    mean = np.asarray(raw_train, dtype=float).mean(axis=0)
    for raw, images in ((raw_train, found.train_inputs), (raw_test, found.test_inputs)):
        flat, centred = images.reshape(len(images), -1), (raw - mean).reshape(len(images), -1)
        assert images.dtype == np.float32 and len(flat) == len(raw)
        np.testing.assert_allclose(np.square(flat).mean(axis=1), 1, rtol=1e-5)
        rms = np.sqrt(np.square(centred).mean(axis=1, keepdims=True))
        np.testing.assert_allclose(flat * rms, centred, atol=1e-5 * np.abs(centred).max())


def test_digits_are_always_there_and_standardised() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    raw = datasets.load_digits()
    found = load("digits")
    tests = np.arange(1797) % 5 == 0
    require_standardised(raw.images[~tests], raw.images[tests], found)
    assert found.train_inputs.shape == (1437, 1, 8, 8) and found.classes == 10
    np.testing.assert_array_equal(found.train_labels, raw.target[~tests])
    np.testing.assert_array_equal(found.test_labels, raw.target[tests])


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float16, np.float64])
@pytest.mark.parametrize("shape", [(7,), (5, 4), (2, 5, 4)])
def test_a_file_of_any_numbers_and_shape_is_standardised(shape: tuple[int, ...], kind: type, tmp_path: Path) -> None:
    held = {name: array.astype(kind) if name[0] == "x" else array for name, array in arrays(shape=shape).items()}
    found = loaded(tmp_path, **held)
    require_standardised(held["x_train"], held["x_test"], found)
    # Images of one channel need not say so.
    assert found.train_inputs.shape[1:] == ((1, *shape) if len(shape) == 2 else shape)
    np.testing.assert_array_equal(found.test_labels, held["y_test"])
    assert found.classes == held["y_train"].max() + 1


def test_labels_of_either_set_count_and_some_may_be_missing_in_one(tmp_path: Path) -> None:
    labels = np.zeros(10, int)
    assert loaded(tmp_path, y_test=labels).classes == 4
    labels[3] = 6
    assert loaded(tmp_path, y_test=labels).classes == 7


def test_a_file_is_told_in_numbers_and_by_what_looks_wrong(tmp_path: Path) -> None:
    found = loaded(tmp_path)
    assert (found.sizes, found.notes()) == ("30 + 10 examples of 2 × 5 × 4, 4 classes", [])
    assert loaded(tmp_path, **arrays(shape=(1,))).sizes == "30 + 10 examples of 1 feature, 4 classes"
    for shape, last in (((5, 4, 3), True), ((5, 4, 1), True), ((3, 5, 4), False), ((5, 3), False), ((5, 3, 3), False)):
        assert bool(loaded(tmp_path, **arrays(shape=shape)).notes()) == last, shape
    (unseen,) = loaded(tmp_path, y_test=np.arange(10)).notes()
    assert unseen.endswith("no training example has 4, 5, 6, 7, 8, …")


def test_an_image_like_the_mean_is_left_small(tmp_path: Path) -> None:
    x = arrays()["x_train"].astype(float)
    x[0] = x[1:].mean(axis=0)
    found = loaded(tmp_path, x_train=x)
    squares = np.square(found.train_inputs).mean(axis=(1, 2, 3))
    assert np.isfinite(found.train_inputs).all() and squares[0] < 0.01
    np.testing.assert_allclose(squares[1:], 1, rtol=1e-5)


def test_debians_files_are_read_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = arrays(shape=(5, 4))
    named = dict(zip(source._FILES, (held[name] for name in ("x_train", "y_train", "x_test", "y_test")), strict=True))
    for name, array in named.items():
        (tmp_path / f"{name}.gz").write_bytes(packed(idx(array)))
    monkeypatch.setattr(source, "DEBIAN", tmp_path)
    found = load("fashion-mnist")
    assert found.train_inputs.shape == (30, 1, 5, 4)
    require_standardised(held["x_train"], held["x_test"], found)
    np.testing.assert_array_equal(found.train_labels, held["y_train"])
    np.testing.assert_array_equal(found.test_labels, held["y_test"])


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no gzip",
        packed(b""),
        packed(idx(np.zeros((3, 2))))[:-9],
        packed(idx(np.zeros((3, 2)))[:-1]),
        packed(b"\0\0\x09\x01\0\0\0\0"),
        packed(idx(np.zeros(29))),
        packed(idx(np.zeros((30, 2)))),
    ],
)
def test_debians_files_that_are_damaged_are_told_in_one_line(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = arrays(shape=(5, 4))
    for name, key in zip(source._FILES, ("x_train", "y_train", "x_test", "y_test"), strict=True):
        (tmp_path / f"{name}.gz").write_bytes(packed(idx(held[key])))
    damaged = tmp_path / f"{source._FILES[1]}.gz"
    damaged.unlink() if content is None else damaged.write_bytes(content)
    monkeypatch.setattr(source, "DEBIAN", tmp_path)
    with pytest.raises(OutputError, match="install dataset-fashion-mnist anew") as told:
        load("fashion-mnist")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("fault", [OSError("unreachable"), ValueError("md5"), EOFError()])
@pytest.mark.parametrize("name", ["fashion-mnist", "mnist", "cifar-10"])
def test_without_a_network_what_would_do_is_told(
    name: str, fault: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("sklearn.datasets")

    def unreachable(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(datasets, "fetch_openml", unreachable)
    monkeypatch.setattr(source, "DEBIAN", tmp_path / "none")
    with pytest.raises(OutputError, match=f"{name} is not here yet .* take digits, which needs none") as told:
        load(name)
    assert ("apt-get install dataset-fashion-mnist" in str(told.value)) == (name == "fashion-mnist")


def test_what_openml_gives_is_divided_and_kept_where_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    asked: list[Any] = []

    class Found:
        data = np.random.default_rng(0).integers(0, 256, (10, 12)).astype(float)
        target = np.array([str(label % 3) for label in range(10)], dtype=object)

    def fetched(name: str, **how: Any) -> Found:
        asked.append((name, how["version"], how["data_home"]))
        return Found()

    monkeypatch.setattr(datasets, "fetch_openml", fetched)
    monkeypatch.setenv("MEANFIELD_DATA", str(tmp_path))
    monkeypatch.setitem(source._OPENML, "cifar-10", ("CIFAR_10", 1, 7, (3, 2, 2)))
    found = load("cifar-10")
    assert asked == [("CIFAR_10", 1, str(tmp_path))]
    images = Found.data.reshape(10, 3, 2, 2)
    require_standardised(images[:7], images[7:], found)
    assert found.test_labels.tolist() == [1, 2, 0]


def test_what_is_held_out_is_no_longer_trained_on_and_always_the_same() -> None:
    whole = data(count=50)
    some, again = whole.held_out(12), whole.held_out(12)
    assert some.test_on == "validation" and whole.held_out(0) is whole and whole.test_on == "test"
    for name in ("train_inputs", "train_labels", "test_inputs", "test_labels"):
        np.testing.assert_array_equal(getattr(some, name), getattr(again, name))

    def rows(*parts: Data) -> list[Any]:
        pairs = [(d.train_inputs, d.train_labels) for d in parts]
        return sorted((*x.ravel().tolist(), int(label)) for xs, ys in pairs for x, label in zip(xs, ys, strict=True))

    held = Data("", some.test_inputs, some.test_labels, some.test_inputs, some.test_labels)
    assert (len(some.train_labels), len(held.train_labels)) == (38, 12)
    # Together they are the training set, each example once; so they are disjoint, and the test set is in neither.
    assert rows(some, held) == rows(whole)
    for count in (50, 51, -1, 1.5, True):
        with pytest.raises(DomainError, match="validation"):
            whole.held_out(count)  # type: ignore[arg-type]


def test_a_checksum_is_of_every_number() -> None:
    one, same, other = data(), data(), data()
    other.test_labels[-1] += 1
    assert one.checksum == same.checksum != other.checksum


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no array": ({"x_test": None}, "has no array x_test: give x_train, y_train, x_test, y_test"),
    "words": ({"x_train": np.array(["a"] * 30)}, "x_train in .* is of shape"),
    "complex": ({"x_test": np.ones((10, 2, 5, 4), complex)}, "x_test in .* type complex128"),
    "no images": ({"x_train": np.zeros((0, 2, 5, 4)), "y_train": np.zeros(0, int)}, r"shape \(0, 2, 5, 4\)"),
    "a row": ({"x_train": np.zeros(30)}, r"shape \(30,\)"),
    "nan": ({"x_test": np.full((10, 2, 5, 4), np.nan)}, "x_test in .* holds NaN"),
    "infinity": ({"x_test": np.full((10, 2, 5, 4), -np.inf)}, "holds NaN, infinity"),
    "too large": ({"x_train": np.full((30, 2, 5, 4), 1e200)}, "more than 1e"),
    "too small": ({"x_train": arrays()["x_train"] * 1e-40}, "is the mean image"),
    "one image": ({"x_train": np.ones((30, 2, 5, 4))}, "every image of x_train in .* is the mean image"),
    "other shapes": ({"x_test": np.ones((10, 2, 4, 5))}, "x_train and x_test in .* different shapes"),
    "too few labels": ({"y_train": np.zeros(29, int)}, "has 29 labels y_train for 30 images x_train"),
    "too many labels": ({"y_test": np.zeros(11, int)}, "has 11 labels y_test for 10 images x_test"),
    "one-hot labels": ({"y_test": np.eye(10, dtype=int)}, r"y_test in .* is of shape \(10, 10\), .* give argmax"),
    "a column": ({"y_train": np.zeros((30, 1), int)}, "y_train in .* each of 30 examples"),
    "floats": ({"y_test": np.zeros(10)}, "y_test in .* no whole number"),
    "one class": ({"y_train": np.full(30, 2)}, "y_train in .* is 2 for every example: give two classes or more"),
    "negative labels": ({"y_test": np.full(10, -1)}, "y_test in .* no whole number >= 0"),
    "labels that count nothing": ({"y_test": np.full(10, 10**12)}, "holds 1000000000000: count the classes from 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_arrays_that_are_no_examples_are_told_in_one_line(case: str, tmp_path: Path) -> None:
    changed, says = WRONG[case]
    with pytest.raises(OutputError, match=says) as told:
        loaded(tmp_path, **changed)
    assert "\n" not in str(told.value)


def test_files_that_hold_no_arrays_and_names_of_nothing_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", **{**arrays(), "y_test": np.array([{}] * 10, dtype=object)})
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    (tmp_path / "nothing.npz").write_bytes(b"")
    (tmp_path / "folder.npz").mkdir()
    np.savez_compressed(tmp_path / "cut.npz", **arrays())
    whole = (tmp_path / "cut.npz").read_bytes()
    for end in range(0, len(whole), 97):
        (tmp_path / "cut.npz").write_bytes(whole[:end] + bytes(30) + whole[end + 30 :])
        try:
            load(str(tmp_path / "cut.npz"))
        except OutputError as told:
            assert "\n" not in str(told)
    np.savez(tmp_path / "locked.npz", **arrays())
    whole = (tmp_path / "locked.npz").read_bytes()
    # Marked as encrypted, in the list of the archive and before each array.
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = whole.split(mark)
        whole = mark.join(
            [parts[0], *(part[: at - 4] + bytes([part[at - 4] | 1]) + part[at - 3 :] for part in parts[1:])]
        )
    (tmp_path / "locked.npz").write_bytes(whole)
    with zipfile.ZipFile(tmp_path / "header.npz", "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            text = b"{'descr': '<f8'"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
    for name in ("objects", "one", "text", "nothing", "folder", "missing", "locked", "header"):
        with pytest.raises(OutputError, match=f"{name}.npz"):
            load(str(tmp_path / f"{name}.npz"))
    for nothing in ("imagenet", "", "digits.csv", None, 3):
        with pytest.raises(DomainError, match=r"give fashion-mnist, mnist, cifar-10, digits or an \.npz file"):
            load(nothing)  # type: ignore[arg-type]
