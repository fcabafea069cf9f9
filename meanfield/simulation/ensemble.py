"""Many random networks, drawn by many workers: the same numbers whatever draws them, in chunks that fit in memory.

joblib hands chunks of networks to the processes of this machine, or to a Dask cluster, and hands back what they
measured in order. Every network has a stream of random numbers of its own, and every worker multiplies matrices in one
thread, so neither the chunks nor the workers can be told from the result.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_a, require_count
from meanfield.errors import ClusterError, DomainError
from meanfield.finite_width.experiment import Experiment
from meanfield.simulation.gaussian_chain import chain_bytes, chains
from meanfield.simulation.random_network import RandomNetworks
from meanfield.simulation.run_file import RunFile
from meanfield.tables.records import Record, few_layers
from meanfield.tables.shown import ShownRows

__all__ = ["PATIENCE", "Ensemble", "Interrupted", "simulate", "workload"]

Array = NDArray[np.float64]

#: Random numbers drawn in a chunk of networks, about: a tenth of a second's work.
_CHUNK_NUMBERS = 1e7
#: Chains worked on at once stay in cache; so many of wide networks would hold too much.
_CHUNK_CHAINS = 64
#: Copies of the results that statistics make.
_COPIES = 3
#: Seconds until a cluster that does not answer is given up.
PATIENCE = 10


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble(ShownRows):
    """Random networks drawn for an experiment.

    Attributes:
        label: what the activation is called.
        experiment: what was asked; its `networks` are those drawn.
        measured: of every network, shape (networks, quantities, depth + 1), in the order of `experiment.quantities`.
    """

    label: str
    experiment: Experiment
    measured: Array

    def __getitem__(self, quantity: str) -> Array:
        """One quantity, shape (networks, depth + 1); a `DomainError` if it was not measured."""
        if quantity not in self.experiment.quantities:
            raise DomainError(f"{quantity!r} was not measured: there are {', '.join(self.experiment.quantities)}")
        found: Array = self.measured[:, self.experiment.quantities.index(quantity)]
        return found

    def record(self) -> Record:
        """What was asked, and the shares of the networks that have escaped and overflowed at the last layer."""
        return {
            "activation": self.label,
            **self.experiment.as_record(),
            "escaped": float(self.escaped[-1]),
            "overflowed": float(self.overflowed[-1]),
        }

    def records(self) -> list[Record]:
        """Mean and standard deviation over the networks, a row for every quantity and for a few layers."""
        rows: list[Record] = []
        for name in self.experiment.quantities:
            for layer in (0, *few_layers(self.experiment.depth)):
                values = self[name][:, layer]
                values = values[np.isfinite(values)]
                mean = float(values.mean()) if values.size else None
                sd = float(values.std(ddof=1)) if values.size > 1 else None
                row = {"quantity": name, "layer": layer, "ensemble_mean": mean, "ensemble_sd": sd, "count": values.size}
                rows.append(row)
        return rows

    @cached_property
    def overflowed(self) -> Array:
        """The share of networks whose variance is beyond 1e200, by layer, shape (depth + 1,)."""
        return np.asarray(np.isinf(self["q"]).mean(axis=0))

    @cached_property
    def escaped(self) -> Array:
        """The share of networks outside [q*/f, f q*] by layer, shape (depth + 1,); NaN where there is no q*."""
        e = self.experiment
        if e.q_star is None:
            return np.full(e.depth + 1, np.nan)
        outside = (self["q"] < e.q_star / e.within) | (self["q"] > e.q_star * e.within)
        return np.asarray(outside.mean(axis=0))


class Interrupted(KeyboardInterrupt):
    """A run cut short by Ctrl-C; `ensemble` holds the networks that were done, `None` if none was."""

    def __init__(self, ensemble: Ensemble | None) -> None:
        super().__init__()
        self.ensemble = ensemble


def simulate(
    experiment: Experiment,
    *,
    label: str = "",
    jobs: int = 1,
    dask: str | None = None,
    memory: float = 1e9,
    record: Path | str | None = None,
    resume: bool = False,
    advance: Callable[[int], object] | None = None,
) -> Ensemble:
    """Draw the networks of an experiment and measure them.

    Args:
        experiment: what to draw and to measure.
        label: what the activation is called.
        jobs: processes on this machine, −1 for as many as it has processors; fewer if memory would not do.
        dask: the address of a Dask scheduler whose workers draw instead, or "local" for a cluster of `jobs` processes.
        memory: a bound on the bytes of all arrays in use at once, ∞ for as many as chunks of networks take.
        record: a file that gets every network as soon as its chunk is done; see `RunFile`.
        resume: whether to go on with the networks that the file holds already.
        advance: called with the number of networks just done.

    Raises:
        DomainError: `memory` too small for one network; jobs that are no number of processes.
        OutputError: a record that cannot be written or is of other networks.
        ClusterError: a cluster that cannot be reached, or dask is not installed.
        Interrupted: Ctrl-C.
    """
    require_a(Experiment, "experiment", experiment)
    e = experiment
    if jobs != -1:
        require_count("jobs", jobs)
    if resume and record is None:
        raise DomainError("there is no record to resume: name the file")
    size, workers = workload(e, _processors() if jobs == -1 else jobs, memory)
    parts: list[Array] = []
    with nullcontext() if record is None else RunFile(Path(record), label, e, resume=resume) as run:
        if run and len(run.measured):
            parts.append(run.measured[: e.networks])
            if advance:
                advance(len(parts[0]))
        try:
            with closing(_drawn(e, sum(map(len, parts)), size, workers, dask)) as drawn:
                for part in drawn:
                    if run:
                        run.append(part)
                    parts.append(part)
                    if advance:
                        advance(len(part))
        except KeyboardInterrupt:
            # What is done already cannot be interrupted.
            if sum(map(len, parts)) < e.networks:
                raise Interrupted(_joined(label, e, parts) if parts else None) from None
    return _joined(label, e, parts)


def _joined(label: str, e: Experiment, parts: list[Array]) -> Ensemble:
    measured = np.concatenate(parts)
    return Ensemble(label, e.of(len(measured)), measured)


def _processors() -> int:
    from joblib import cpu_count

    return int(cpu_count())


def workload(e: Experiment, jobs: int, memory: float) -> tuple[int, int]:
    """How many networks a worker draws in one go, and how many of at most `jobs` workers draw at once.

    A worker holds one network at a time, or as many chains as there are in a chunk.
    """
    results = 8.0 * e.networks * len(e.quantities) * (e.depth + 1) * _COPIES
    free = memory - results
    one = chain_bytes(e) if e.method == "chain" else RandomNetworks.bytes(e)
    if one > free:
        raise DomainError(
            f"memory = {_size(memory)} is too little: one network takes {_size(one)} beside {_size(results)} of "
            f"results; allow {_size(1.1 * (results + one))}, or make it smaller"
        )
    if e.method == "chain":
        size = int(min(_CHUNK_CHAINS, max(1, 8 * _CHUNK_NUMBERS / one), free / one))
        held = size * one
    else:
        size, held = max(1, int(_CHUNK_NUMBERS / RandomNetworks.effort(e))), one
    return size, max(1, int(min(jobs, free / held, -(-e.networks // size))))


def _size(count: float) -> str:
    """A number of bytes for a person."""
    unit, name = next(
        (unit, name)
        for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes"))
        if count >= unit or unit == 1
    )
    return f"{count / unit:.3g} {name}"


def _drawn(e: Experiment, done: int, size: int, workers: int, dask: str | None) -> Generator[Array]:
    """What is measured of the networks from number `done` on, in chunks of `size`, in order."""
    if done >= e.networks:
        return
    from joblib import Parallel, delayed

    chunks = ((first, min(size, e.networks - first)) for first in range(done, e.networks, size))
    with _backend(workers, dask) as settings, _linear_algebra().limit(user_api="blas"):
        try:
            with _uninterrupted():
                results = Parallel(return_as="generator", batch_size=1, **settings)(
                    delayed(_measured)(e, *chunk) for chunk in chunks
                )
        except TimeoutError:
            raise ClusterError(f"the Dask scheduler at {dask} has no workers: start some") from None
        try:
            yield from results
        finally:
            results.close()


def _measured(e: Experiment, first: int, count: int) -> Array:
    """Networks first…first + count − 1, by one worker, which multiplies matrices in one thread from now on."""
    _linear_algebra().limit(limits=1, user_api="blas")
    if e.method == "chain":
        return chains(e, first, count)
    networks = RandomNetworks(e)
    return np.array([networks.measured(index) for index in range(first, first + count)])


@cache
def _linear_algebra() -> Any:
    """The libraries that multiply matrices in this process: how many threads they take decides how they round."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C for the moment in which workers are started: they go on to, and are stopped by this process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _backend(workers: int, dask: str | None) -> Iterator[dict[str, Any]]:
    """What joblib needs to know to reach the workers."""
    if dask is None:
        yield {"n_jobs": workers}
        return
    if dask != "local" and "://" not in dask:
        raise ClusterError(f"{dask} is no Dask scheduler: give its address, such as tcp://host:8786, or local")
    try:
        from dask import distributed
    except ImportError:
        raise ClusterError("Dask is not installed: pip install 'meanfield[dask]'") from None
    from joblib import parallel_config

    with ExitStack() as opened:
        try:
            # Its processes have nothing to say that an error does not.
            quiet: dict[str, Any] = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
            # Any port that is free: others may have clusters here too.
            quiet["scheduler_kwargs"] = {"dashboard_address": ":0"}
            local = {"n_workers": workers, "threads_per_worker": 1, **quiet}
            with _uninterrupted():
                cluster = opened.enter_context(distributed.LocalCluster(**local)) if dask == "local" else dask
            client = opened.enter_context(distributed.Client(cluster, timeout=PATIENCE, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at {dask}: start one, and give its address, such as tcp://host:8786 "
                f"({error or type(error).__name__})"
            ) from None
        opened.enter_context(parallel_config(backend="dask", client=client, wait_for_workers_timeout=PATIENCE))
        yield {}
