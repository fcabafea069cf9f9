"""Files are written whole, all of them or none; what is no file is written to as it is."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from meanfield.atomic_files import require_places, write_whole
from meanfield.errors import OutputError


def test_several_files_are_written_or_none(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_whole({one: b"1", two: b"2"})
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")
    for wrong in (tmp_path, tmp_path / "no" / "file", one / "file"):
        with pytest.raises(OutputError):
            write_whole({one: b"new", wrong: b"new", two: b"new"})
    assert sorted(tmp_path.iterdir()) == [one, two]
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"2")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pipe_that_takes_nothing_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb"), pytest.raises(OutputError, match="cannot write /dev/fd/"):
        write_whole({target: b"new", Path(f"/dev/fd/{write}"): b"new"})
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_replaced_and_not_written_over(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with target.open("rb") as reader:
        write_whole({target: b"new"})
        # Whoever reads it meanwhile has the old one whole.
        assert reader.read() == b"old"
    assert target.read_bytes() == b"new"


def test_a_new_file_has_the_permissions_that_any_new_file_has_and_an_old_one_those_it_had(tmp_path: Path) -> None:
    usual, new, private = tmp_path / "usual", tmp_path / "new", tmp_path / "private"
    usual.touch()
    private.touch(0o600)
    write_whole({new: b"new", private: b"new"})
    assert new.stat().st_mode == usual.stat().st_mode
    assert private.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_read_only_is_refused_and_left_though_its_folder_is_not(tmp_path: Path) -> None:
    other, kept = tmp_path / "other", tmp_path / "kept"
    kept.write_bytes(b"old")
    kept.chmod(0o444)
    for refused in (lambda: write_whole({other: b"new", kept: b"new"}), lambda: require_places([other, kept])):
        with pytest.raises(OutputError, match="kept: it is read-only"):
            refused()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_name_as_long_as_the_system_allows_will_do(tmp_path: Path) -> None:
    write_whole({tmp_path / ("n" * 255): b"new"})
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]
    for refuses in (require_places, lambda paths: write_whole(dict.fromkeys(paths, b""))):
        with pytest.raises(OutputError, match="File name too long"):
            refuses([tmp_path / ("n" * 256)])


def test_what_results_are_computed_from_is_not_written_over_by_whatever_name(tmp_path: Path) -> None:
    source, link, hard = tmp_path / "source", tmp_path / "link", tmp_path / "hard"
    source.touch()
    link.symlink_to(source)
    hard.hardlink_to(source)
    for name in (source, link, hard, tmp_path / ".." / tmp_path.name / "source"):
        with pytest.raises(OutputError, match="is computed from this file"):
            require_places([tmp_path / "other", name], [tmp_path / "no file", source])
    require_places([tmp_path / "other"], [source])


def test_links_are_followed_to_files_that_are_there_and_to_those_that_are_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("there", "not there"):
        target, link, further = tmp_path / "folder" / name, tmp_path / f"link {name}", tmp_path / f"further {name}"
        if name == "there":
            target.write_bytes(b"old")
        link.symlink_to(target)
        further.symlink_to(link)
        write_whole({further: b"new"})
        assert further.is_symlink() and link.is_symlink() and not target.is_symlink()
        assert target.read_bytes() == b"new"


def test_what_a_folder_is_asked_to_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        write_whole({tmp_path: b"new"})
    with pytest.raises(OutputError, match="no folder"):
        require_places([tmp_path / "no" / "file"])


def test_two_results_in_one_file_are_refused_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with pytest.raises(OutputError, match="one file"):
        require_places([tmp_path / "file", tmp_path / "link"])
    require_places([tmp_path / "file", tmp_path / "other"])


WRITES = "import sys; from pathlib import Path; from meanfield.atomic_files import write_whole;"
WRITES += "write_whole({Path(name): b'new' for name in sys.argv[1:]})"


@pytest.mark.skipif(not Path("/proc/self/fd/1").exists(), reason="needs /proc")
def test_standard_output_is_written_to_as_a_pipe_and_as_a_file(tmp_path: Path) -> None:
    # As /dev/stdout is made; the device itself is not put at risk.
    target, stdout = tmp_path / "file", tmp_path / "stdout"
    stdout.symlink_to("/proc/self/fd/1")
    command = [sys.executable, "-c", WRITES, str(target), str(stdout)]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"new"
    assert target.read_bytes() == b"new"
    with (tmp_path / "output").open("wb") as output:
        print_first = f"print('first'); {WRITES}"
        subprocess.run([sys.executable, "-c", print_first, str(stdout)], check=True, stdout=output)
    assert (tmp_path / "output").read_bytes() == b"first\nnew"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # No socket can be opened by a name.
        subprocess.run([sys.executable, "-c", WRITES, str(stdout)], check=True, stdout=theirs)
        assert ours.recv(10) == b"new"
    assert stdout.is_symlink()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pipe_of_the_shell_is_written_to(tmp_path: Path) -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as end:
        # What bash puts in the place of >(cat).
        subprocess.run([sys.executable, "-c", WRITES, f"/dev/fd/{write}"], check=True, pass_fds=[write])
        os.close(write)
        assert end.read() == b"new"
