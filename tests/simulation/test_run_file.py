"""The files that networks go to: whole, resumed bit for bit, and nothing in them changed unseen."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from examples import RELU, clipped_relu

import meanfield as mf
from meanfield.errors import OutputError
from meanfield.finite_width.experiment import Experiment
from meanfield.infinite_width.mean_field import MeanField
from meanfield.simulation.array_file import as_arrays
from meanfield.simulation.comparison import compare
from meanfield.simulation.ensemble import simulate
from meanfield.simulation.reading import read_ensemble
from meanfield.simulation.run_file import RunFile

EDGE = mf.edge_of_chaos(clipped_relu(1.0364, 1.0)).mean_field
SMALL = Experiment(EDGE, 20, 5, 12, backward=True, q_star=1.0, seed=9)


@pytest.fixture
def whole(tmp_path: Path) -> tuple[Path, bytes]:
    """The file of an uninterrupted run."""
    path = tmp_path / "whole.jsonl"
    simulate(SMALL, label="crelu", record=path)
    return path, path.read_bytes()


def cuts(content: bytes) -> Iterator[int]:
    """Lengths at which a file may have been cut: in the header, after it, in a line, at the end of one, at the end."""
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    yield from (0, 10, ends[0] - 1, ends[0], ends[0] + 1, ends[4] - 7, ends[4], ends[-1] - 1, ends[-1])


def test_a_run_cut_anywhere_ends_with_the_same_file(tmp_path: Path, whole: tuple[Path, bytes]) -> None:
    _, content = whole
    for cut in cuts(content):
        path = tmp_path / f"cut-{cut}.jsonl"
        path.write_bytes(content[:cut])
        drawn = simulate(SMALL, label="crelu", record=path, resume=True)
        assert path.read_bytes() == content
        np.testing.assert_array_equal(drawn.measured, simulate(SMALL).measured)


def test_only_what_is_missing_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    drawn = simulate(SMALL).measured
    # What is there is taken for what was drawn: a mark shows that it is not drawn again.
    marked = drawn[:8].copy()
    marked[0, 0, 0] = 1.25
    with RunFile(path, "crelu", SMALL) as run:
        run.append(marked)
    done: list[int] = []
    ours = simulate(SMALL, label="crelu", record=path, resume=True, advance=done.append)
    assert sum(done) == 12 and done[0] == 8
    np.testing.assert_array_equal(ours.measured[:8], marked)
    np.testing.assert_array_equal(ours.measured[8:], drawn[8:])


def test_a_run_may_go_on_with_more_networks(tmp_path: Path, whole: tuple[Path, bytes]) -> None:
    path, content = whole
    more = simulate(SMALL.of(15), label="crelu", record=path, resume=True)
    assert len(more.measured) == 15 and path.read_bytes().startswith(content)
    fewer = simulate(SMALL.of(4), label="crelu", record=path, resume=True)
    assert len(fewer.measured) == 4 and path.read_bytes().count(b"\n") == 16


@pytest.mark.parametrize(
    ("change", "says"),
    [({"seed": 1}, "seed = 9, not 1"), ({"width": 21}, "width = 20, not 21"), ({"backward": False}, "back")],
)
def test_a_file_of_other_networks_is_refused_and_left(whole: tuple[Path, bytes], change: dict, says: str) -> None:
    path, content = whole
    with pytest.raises(OutputError, match=says):
        simulate(replace(SMALL, **change), label="crelu", record=path, resume=True)
    assert path.read_bytes() == content


def test_a_file_that_is_there_is_not_overwritten(whole: tuple[Path, bytes]) -> None:
    path, content = whole
    with pytest.raises(OutputError, match="--resume"):
        simulate(SMALL, label="crelu", record=path)
    assert path.read_bytes() == content


def test_a_header_alone_is_no_network_lost(tmp_path: Path, whole: tuple[Path, bytes]) -> None:
    path = tmp_path / "header.jsonl"
    path.write_bytes(whole[1].splitlines(keepends=True)[0])
    simulate(SMALL, label="crelu", record=path)
    assert path.read_bytes() == whole[1]


def test_another_version_or_name_is_told_as_such(whole: tuple[Path, bytes]) -> None:
    path, content = whole
    with pytest.raises(OutputError, match=r"another activation \(crelu, not relu\)"):
        simulate(SMALL, label="relu", record=path, resume=True)
    for version, says in ((b"9", "another version"), (b"1", "of an older meanfield .*no checksum")):
        path.write_bytes(content.replace(b"simulation 2", b"simulation " + version))
        with pytest.raises(OutputError, match=says):
            simulate(SMALL, label="crelu", record=path, resume=True)
    with pytest.raises(OutputError, match=r"of an older meanfield .*draw its networks again"):
        read_ensemble(path)


@pytest.mark.parametrize("damage", [b"not a run\n", b"{}\n", b"\x00\xff", b"[1, 2]"])
def test_a_file_of_something_else_is_refused_and_left(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(damage)
    with pytest.raises(OutputError, match="something else"):
        simulate(SMALL, record=path, resume=True)
    assert path.read_bytes() == damage
    with pytest.raises(OutputError, match="is no run"):
        read_ensemble(path)


def test_a_line_damaged_in_the_middle_is_told_of(whole: tuple[Path, bytes]) -> None:
    path, content = whole
    lines = content.splitlines(keepends=True)
    for damaged in ([*lines[:3], b"{}\n", *lines[4:]], [*lines[:3], *lines[4:]], [*lines[:3], lines[3][:50] + b"\n"]):
        path.write_bytes(b"".join(damaged))
        with pytest.raises(OutputError, match="line 4"):
            simulate(SMALL, label="crelu", record=path, resume=True)
        with pytest.raises(OutputError, match="line 4"):
            read_ensemble(path)
        assert path.read_bytes() == b"".join(damaged)


def read_and_resumed(path: Path) -> Iterator[Callable[[], object]]:
    """What takes the networks of a file for what they are."""
    yield lambda: read_ensemble(path)
    yield lambda: RunFile(path, "crelu", TINY, resume=True)


TINY = Experiment(EDGE, 3, 2, 2, backward=True, q_star=1.0, seed=9)


def test_no_digit_of_a_file_can_change_unseen(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    simulate(TINY, label="crelu", record=path)
    content = path.read_bytes()
    digits = [at for at, byte in enumerate(content) if chr(byte).isdigit()]
    assert len(digits) > 200
    for at in digits:
        changed = content[:at] + (b"7" if content[at] == ord("2") else b"2") + content[at + 1 :]
        path.write_bytes(changed)
        for takes in read_and_resumed(path):
            with pytest.raises(OutputError):
                takes()
        assert path.read_bytes() == changed


def test_a_line_of_other_types_keys_or_of_another_run_is_refused(tmp_path: Path) -> None:
    path, other = tmp_path / "run.jsonl", tmp_path / "other.jsonl"
    simulate(TINY, label="crelu", record=path)
    simulate(replace(TINY, seed=8), label="crelu", record=other)
    header, first, second = path.read_bytes().splitlines(keepends=True)
    wrong = [
        second.replace(b'"network": 1', instead)
        for instead in (b'"network": true', b'"network": 1.0', b'"more": 0, "network": 1', b'"network":  1')
    ]
    for line in (*wrong, first, other.read_bytes().splitlines(keepends=True)[2], second.replace(b"}", b', "a": 1}')):
        path.write_bytes(header + first + line)
        for takes in read_and_resumed(path):
            with pytest.raises(OutputError, match="line 3, is not network 1"):
                takes()


def test_a_line_without_an_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    simulate(TINY, label="crelu", record=path)
    header = path.read_bytes().splitlines(keepends=True)[0]
    for content in (b" " * 50_000_000, header + b" " * 50_000_000):
        path.write_bytes(content)
        tracemalloc.start()
        for takes in read_and_resumed(path):
            with pytest.raises(OutputError):
                takes()
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
        tracemalloc.stop()


def test_a_place_that_cannot_be_written_to_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        simulate(SMALL, record=tmp_path)
    with pytest.raises(OutputError, match="cannot write"):
        simulate(SMALL, record=tmp_path / "no" / "run.jsonl")


def test_what_is_read_is_what_was_drawn(tmp_path: Path, whole: tuple[Path, bytes]) -> None:
    drawn = simulate(SMALL, label="crelu")
    archive = tmp_path / "run.npz"
    archive.write_bytes(as_arrays(compare(drawn)))
    for path in (whole[0], archive):
        found = read_ensemble(path)
        assert (found.label, found.experiment) == ("crelu", SMALL)
        np.testing.assert_array_equal(found.measured, drawn.measured)
    arrays = np.load(archive)
    assert json.loads(str(arrays["about"]))["experiment"]["width"] == 20
    assert arrays["q"].shape == (12, 6) and arrays["q_theory_sd"].shape == (6,)


def test_what_overflowed_is_read_back_as_such(tmp_path: Path) -> None:
    e = Experiment(MeanField(RELU, 1e6), 10, 60, 3, backward=True)
    drawn = simulate(e, record=tmp_path / "over.jsonl")
    np.testing.assert_array_equal(read_ensemble(tmp_path / "over.jsonl").measured, drawn.measured)
    assert "Infinity" not in (tmp_path / "over.jsonl").read_text()


def announced(shape: tuple[int, ...], name: str, path: Path) -> bytes:
    """The archive at `path` with an array that is announced in another shape."""
    there, made = io.BytesIO(path.read_bytes()), io.BytesIO()
    with zipfile.ZipFile(there) as read, zipfile.ZipFile(made, "w") as write:
        for entry in read.namelist():
            content = read.read(entry)
            if entry == f"{name}.npy":
                header = io.BytesIO()
                np.lib.format.write_array_header_1_0(header, {"shape": shape, "fortran_order": False, "descr": "<f8"})
                content = header.getvalue() + content[-8:]
            write.writestr(entry, content)
    return made.getvalue()


def test_an_archive_that_announces_more_than_it_holds_is_refused_without_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    path.write_bytes(as_arrays(compare(simulate(SMALL, label="crelu"))))
    whole = path.read_bytes()
    for wrong in (
        announced((10**12,), "q", path),
        announced((12, 6), "q", path),
        announced((10**12,), "about", path),
        whole.replace('"seed": 9'.encode("utf-32-le"), '"seed": 8'.encode("utf-32-le")),
    ):
        path.write_bytes(wrong)
        with pytest.raises(OutputError, match="is no result of"):
            read_ensemble(path)
        path.write_bytes(whole)
    assert read_ensemble(path).label == "crelu"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"{}"])
def test_what_is_no_archive_is_told_of(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(OutputError, match="no result of"):
        read_ensemble(tmp_path / "x.npz")
    with pytest.raises(OutputError, match="cannot read"):
        read_ensemble(tmp_path / "missing.npz")
