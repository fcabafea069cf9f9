"""Many networks: the same bits whoever draws them, within the memory allowed, and nothing lost when cut short."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import heeding_signals
from examples import clipped_relu

import meanfield as mf
from meanfield.cli.options import number_of_bytes
from meanfield.errors import ClusterError, DomainError
from meanfield.finite_width.experiment import Experiment
from meanfield.simulation.comparison import compare, departures, resolution
from meanfield.simulation.cost import duration, seconds, workload
from meanfield.simulation.ensemble import Ensemble, Interrupted, simulate
from meanfield.simulation.gaussian_chain import chain_bytes
from meanfield.simulation.random_network import RandomNetworks
from meanfield.simulation.reading import read_ensemble
from meanfield.workers import calls

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


def test_what_nobody_waits_for_is_refused_before_it_begins(tmp_path: Path) -> None:
    for much in (SMALL.of(10**11), replace(SMALL, depth=10**12), replace(SMALL, width=10**9)):
        with pytest.raises(DomainError, match=r"take about .* (days|years), more than about 30 days"):
            simulate(much, memory=np.inf, record=tmp_path / "run.jsonl")
    assert list(tmp_path.iterdir()) == []
    # More processes, less time.
    assert seconds(SMALL, 2) == seconds(SMALL, 1) / 2
    assert [duration(time) for time in (1.2, 300, 7200, 3e6, 1e11)] == [
        "about 1 s",
        "about 5 minutes",
        "about 2 hours",
        "about 35 days",
        "about 3169 years",
    ]


def test_jobs_that_are_none_are_refused() -> None:
    with pytest.raises(DomainError, match="jobs = 0"):
        simulate(SMALL, jobs=0)


def test_a_cluster_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(calls, "PATIENCE", 1)
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1:9"):
        simulate(SMALL, dask="tcp://127.0.0.1:9")
    for address in ("", "host", "tcp://", "tcp://host", "tcp://host:99999", "tcp://a b:1", "nowhere://x:1"):
        with pytest.raises(ClusterError, match="tcp://host:8786, or local"):
            simulate(SMALL, dask=address)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with pytest.raises(ClusterError, match="is no Dask scheduler"):
            simulate(SMALL, dask="tcp://{}:{}".format(*mute.getsockname()))
    with distributed.LocalCluster(n_workers=0, **NO_DASHBOARD) as idle:
        with pytest.raises(ClusterError, match="has no workers"):
            simulate(SMALL, dask=idle.scheduler_address)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(ClusterError, match=r"meanfield\[dask\]"):
        simulate(SMALL, dask="local")


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


Ender = Callable[[subprocess.Popen[str]], None]


def until_some_are_done(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait for a few networks in the file."""
    end = time.monotonic() + 60
    while not (path.exists() and path.read_bytes().count(b"\n") > 4):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_file(tmp_path: Path) -> None:
    path, other = tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    process = subprocess.Popen(long_run(path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until_some_are_done(path, process)
    process.kill()
    # Its workers end with it, and let go of what they would print to.
    assert process.communicate(timeout=10) == ("", "")
    killed = path.read_bytes()
    assert killed.count(b"\n") < 25
    # Torn as by a crash in the middle of a line.
    path.write_bytes(killed[:-20])
    subprocess.run([*long_run(path), "--resume"], check=True, capture_output=True, timeout=120)
    experiment = read_ensemble(path).experiment
    simulate(experiment, label="clipped-relu(tau=1.0364, m=1)", record=other, jobs=2)
    assert path.read_bytes() == other.read_bytes()
    assert other.read_bytes().startswith(killed[:-20])


@pytest.mark.parametrize(
    ("workers", "end"),
    [
        ([], lambda process: os.killpg(process.pid, signal.SIGINT)),
        ([], lambda process: process.terminate()),
        (["--dask", "local"], lambda process: os.killpg(process.pid, signal.SIGINT)),
    ],
    ids=["processes", "processes that are not asked", "dask"],
)
def test_ctrl_c_shows_what_is_done_and_how_to_go_on(tmp_path: Path, workers: list[str], end: Ender) -> None:
    path = tmp_path / "run.jsonl"
    process = subprocess.Popen(
        heeding_signals(*long_run(path), *workers),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until_some_are_done(path, process)
    end(process)
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
