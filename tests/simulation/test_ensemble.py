"""Many networks: the same bits whoever draws them, within the memory allowed, and nothing lost when cut short."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from examples import RELU, clipped_relu

import meanfield as mf
from meanfield.cli.options import number_of_bytes
from meanfield.errors import ClusterError, DomainError, OutputError
from meanfield.finite_width.experiment import Experiment
from meanfield.infinite_width.mean_field import MeanField
from meanfield.simulation import ensemble as ensembles
from meanfield.simulation.array_file import as_arrays
from meanfield.simulation.comparison import compare, departures, resolution
from meanfield.simulation.ensemble import Ensemble, Interrupted, simulate, workload
from meanfield.simulation.gaussian_chain import chain_bytes
from meanfield.simulation.random_network import RandomNetworks
from meanfield.simulation.reading import read_ensemble

EDGE = mf.edge_of_chaos(clipped_relu(1.0364, 1.0)).mean_field
SMALL = Experiment(EDGE, 20, 5, 12, backward=True, q_star=1.0, seed=9)
#: Nor a fixed port, which others may use.
NO_DASHBOARD = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": ":0"}}
#: Enough networks for several chunks of each.
KINDS = {
    "dense": replace(SMALL, networks=200),
    "orthogonal": replace(SMALL, weights="orthogonal", networks=200),
    "convolutional": replace(SMALL, kernel=3, size=4, padding="zero", networks=200),
    "chain": replace(SMALL, method="chain", networks=150),
    "chain of many inputs": replace(SMALL, method="chain", networks=70, inputs=7, rho=0.3),
}


@pytest.fixture(scope="module", params=KINDS)
def drawn(request: pytest.FixtureRequest) -> Ensemble:
    """Networks of one kind, drawn in this process."""
    return simulate(KINDS[request.param])


def test_chunks_cannot_be_told_from_the_result(drawn: Ensemble) -> None:
    e = drawn.experiment
    chunks: list[int] = []
    # Memory for few chains at once makes other chunks of them.
    np.testing.assert_array_equal(simulate(e, memory=4e6, advance=chunks.append).measured, drawn.measured)
    assert len(chunks) > 1
    # So do fewer networks.
    for networks in (1, 5, 67):
        np.testing.assert_array_equal(simulate(e.of(networks)).measured, drawn.measured[:networks])


def test_workers_cannot_be_told_from_the_result(drawn: Ensemble) -> None:
    np.testing.assert_array_equal(simulate(drawn.experiment, jobs=2).measured, drawn.measured)


def test_a_dask_cluster_of_two_processes_draws_the_same_bits() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, **NO_DASHBOARD) as cluster:
        for kind in KINDS.values():
            ours = simulate(kind, dask=cluster.scheduler_address)
            np.testing.assert_array_equal(ours.measured, simulate(kind).measured)


def test_linear_algebra_on_one_thread_whatever_the_machine_has() -> None:
    # Matrices that one and two threads multiply with other roundings.
    e = Experiment(EDGE, 40, 2, 2, kernel=3, size=9, weights="orthogonal", backward=True)
    from threadpoolctl import threadpool_info, threadpool_limits

    with threadpool_limits(2, user_api="blas"):
        before = threadpool_info()
        two = simulate(e).measured
        # The process has its threads back.
        assert threadpool_info() == before
    with threadpool_limits(1, user_api="blas"):
        np.testing.assert_array_equal(simulate(e).measured, two)


def test_memory_does_not_grow_with_the_networks() -> None:
    def peak(networks: int) -> int:
        tracemalloc.start()
        simulate(replace(SMALL, width=300, networks=networks))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)
    few, many = peak(2), peak(20)
    # A weight matrix is 0.72 MB; the results of a network are 200 bytes.
    assert few > 0.72e6
    assert many - few < 0.1e6


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_reckoned_with_are_those_used(kind: str) -> None:
    e = replace(KINDS[kind], width=200, networks=8)
    simulate(e.of(1))
    tracemalloc.start()
    simulate(e)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    reckoned = 8 * chain_bytes(e) if kind.startswith("chain") else RandomNetworks.bytes(e)
    assert 0.4 * reckoned < used < 1.3 * reckoned


def test_too_little_memory_is_refused_with_what_would_do() -> None:
    wide = replace(SMALL, width=1000, networks=2)
    with pytest.raises(DomainError, match=r"allow \d+") as refused:
        simulate(wide, memory=1e6)
    enough = number_of_bytes("--memory", str(refused.value).split("allow ")[1].split(",")[0])
    assert len(simulate(wide, memory=enough).measured) == 2
    with pytest.raises(DomainError, match=r"allow \d+"):
        simulate(wide, memory=0.8 * enough)


def test_without_a_bound_wide_chains_are_worked_on_one_by_one() -> None:
    wide = Experiment(EDGE, 10**6, 1, 3, method="chain")
    tracemalloc.start()
    drawn = simulate(wide, memory=np.inf)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 1.5 * chain_bytes(wide)
    np.testing.assert_array_equal(simulate(wide.of(1)).measured, drawn.measured[:1])


def test_workers_share_the_memory() -> None:
    e = replace(SMALL, width=400, networks=200)
    assert workload(e, 8, 3.5 * RandomNetworks.bytes(e) + 1e5)[1] == 3
    assert workload(e, 2, 1e9)[1] == 2
    # No more workers than chunks.
    assert workload(SMALL.of(1), 8, 1e9)[1] == 1


def test_jobs_that_are_none_are_refused() -> None:
    with pytest.raises(DomainError, match="jobs = 0"):
        simulate(SMALL, jobs=0)


def test_a_cluster_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(ensembles, "PATIENCE", 1)
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1:9"):
        simulate(SMALL, dask="tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match="nowhere"):
        simulate(SMALL, dask="nowhere://x")
    for address in ("", "host"):
        with pytest.raises(ClusterError, match="tcp://host:8786, or local"):
            simulate(SMALL, dask=address)
    with distributed.LocalCluster(n_workers=0, **NO_DASHBOARD) as idle:
        with pytest.raises(ClusterError, match="has no workers"):
            simulate(SMALL, dask=idle.scheduler_address)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ClusterError, match=r"meanfield\[dask\]"):
        simulate(SMALL, dask="local")


# The file of a run.


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


def test_only_what_is_missing_is_drawn(tmp_path: Path, whole: tuple[Path, bytes]) -> None:
    _, content = whole
    path = tmp_path / "cut.jsonl"
    # What is there is taken for what was drawn: a mark shows that it is not drawn again.
    lines = content.splitlines(keepends=True)[:9]
    first = json.loads(lines[1])
    marked = json.dumps(first).replace(str(first["q"][0]), "1.25", 1).encode() + b"\n"
    path.write_bytes(b"".join([lines[0], marked, *lines[2:]]))
    done: list[int] = []
    ours = simulate(SMALL, label="crelu", record=path, resume=True, advance=done.append)
    assert sum(done) == 12 and done[0] == 8
    assert ours["q"][0, 0] == 1.25
    np.testing.assert_array_equal(ours.measured[1:], simulate(SMALL).measured[1:])


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
    path.write_bytes(content.replace(b"simulation 1", b"simulation 9"))
    with pytest.raises(OutputError, match="another version"):
        simulate(SMALL, label="crelu", record=path, resume=True)


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


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"{}"])
def test_what_is_no_archive_is_told_of(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(OutputError, match="no result of"):
        read_ensemble(tmp_path / "x.npz")
    with pytest.raises(OutputError, match="cannot read"):
        read_ensemble(tmp_path / "missing.npz")


def test_an_interrupt_hands_over_what_is_done(tmp_path: Path, drawn: Ensemble) -> None:
    def stop(done: int) -> None:
        counted.append(done)
        raise KeyboardInterrupt

    counted: list[int] = []
    with pytest.raises(Interrupted) as cut:
        simulate(drawn.experiment, record=tmp_path / "run.jsonl", advance=stop)
    assert cut.value.ensemble is not None
    (done,) = counted
    np.testing.assert_array_equal(cut.value.ensemble.measured, drawn.measured[:done])
    assert (tmp_path / "run.jsonl").read_bytes().count(b"\n") == 1 + done


def long_run(path: Path) -> list[str]:
    """A command of many seconds."""
    act = ["--act", "clipped-relu(tau=1.0364, m=1)", "--width", "400", "--depth", "30", "--networks", "24"]
    return [sys.executable, "-m", "meanfield", "simulate", *act, "--inputs", "1", "--jobs", "2", "-o", str(path)]


def until_some_are_done(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait for a few networks in the file."""
    end = time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") > 4):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_file(tmp_path: Path) -> None:
    path, other = tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    process = subprocess.Popen(
        long_run(path), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until_some_are_done(path, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    killed = path.read_bytes()
    assert killed.count(b"\n") < 25
    # Torn as by a crash in the middle of a line.
    path.write_bytes(killed[:-20])
    subprocess.run([*long_run(path), "--resume"], check=True, capture_output=True, timeout=120)
    experiment = read_ensemble(path).experiment
    simulate(experiment, label="clipped-relu(tau=1.0364, m=1)", record=other, jobs=2)
    assert path.read_bytes() == other.read_bytes()
    assert other.read_bytes().startswith(killed[:-20])


@pytest.mark.parametrize("workers", [[], ["--dask", "local"]], ids=["processes", "dask"])
def test_ctrl_c_shows_what_is_done_and_how_to_go_on(tmp_path: Path, workers: list[str]) -> None:
    path = tmp_path / "run.jsonl"
    process = subprocess.Popen(
        [*long_run(path), *workers], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until_some_are_done(path, process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the variance of a pre-activation" in out
    (line,) = err.splitlines()
    assert "--resume" in line
    # The last line may have been written and not yet counted.
    done, written = int(line.split()[3]), path.read_bytes().count(b"\n") - 1
    assert line.startswith("meanfield: interrupted after ") and done <= written <= done + 2


@pytest.mark.parametrize("networks", [10, 60])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_mean_counts_from_the_distance_that_is_said_to_be_visible(networks: int, side: int) -> None:
    edge = mf.edge_of_chaos(clipped_relu(1.0364, 1.0))
    ensemble = simulate(Experiment(edge.mean_field, width=100, depth=3, networks=networks, q_star=1.0))
    comparison = compare(ensemble)
    _, count, _ = departures(comparison)
    seen = resolution(comparison, "q", count)
    assert seen is not None and seen.layer == 3 and seen.mean is not None
    for factor, departs in ((0.99, False), (1.01, True)):
        moved = ensemble.measured.copy()
        moved[:, 0, 3] += comparison.predicted["q"].mean[3] - moved[:, 0, 3].mean() + side * factor * seen.mean
        found, again, _ = departures(compare(replace(ensemble, measured=moved)))
        assert again == count
        assert any((d.quantity, d.layer, d.moment) == ("q", 3, "mean") for d in found) is departs
