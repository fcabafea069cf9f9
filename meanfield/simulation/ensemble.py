"""Many random networks, drawn by many workers: the same numbers whatever draws them, in chunks that fit in memory.

Every network has a stream of random numbers of its own, and every worker multiplies matrices in one thread, so neither
the chunks nor the workers can be told from the result.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from meanfield.domain import require_a
from meanfield.errors import DomainError
from meanfield.finite_width.escape import is_outside, loses_gradient
from meanfield.finite_width.experiment import Experiment
from meanfield.quantities import GRADIENT_WITHIN
from meanfield.simulation.cost import require_time, workload
from meanfield.simulation.gaussian_chain import chains
from meanfield.simulation.random_network import RandomNetworks
from meanfield.simulation.run_file import RunFile
from meanfield.tables.records import Record, few_layers
from meanfield.tables.shown import ShownRows
from meanfield.workers.calls import spread

__all__ = ["Ensemble", "Interrupted", "simulate"]

Array = NDArray[np.float64]


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
        """What was asked, and the shares of the networks that have escaped, overflowed and lost their gradient."""
        return {
            "activation": self.label,
            **self.experiment.as_record(),
            "escaped": float(self.escaped[-1]),
            "overflowed": float(self.overflowed[-1]),
            "gradient_lost": self.gradient_lost,
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
        return np.asarray(is_outside(self["q"], e.q_star, e.within).mean(axis=0))

    @cached_property
    def gradient_lost(self) -> float | None:
        """The share of networks that change the square of a gradient by more than a factor f_g; None if not measured.

        f_g is the one that verdicts take where none is asked for.
        """
        if "log_gradient" not in self.experiment.quantities:
            return None
        return float(loses_gradient(self["log_gradient"][:, 0], GRADIENT_WITHIN).mean())


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
        DomainError: `memory` too small for one network; more than thirty days of work for the processes here; jobs that
            are no number of processes.
        OutputError: a record that cannot be written or is of other networks.
        ClusterError: a cluster that cannot be reached, or dask is not installed.
        Interrupted: Ctrl-C.
    """
    require_a(Experiment, "experiment", experiment)
    e = experiment
    if resume and record is None:
        raise DomainError("there is no record to resume: name the file")
    size, workers = workload(e, jobs, memory)
    if dask in (None, "local"):
        require_time(e, workers)
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


def _drawn(e: Experiment, done: int, size: int, workers: int, dask: str | None) -> Generator[Array]:
    """What is measured of the networks from number `done` on, in chunks of `size`, in order."""
    chunks = [(e, first, min(size, e.networks - first)) for first in range(done, e.networks, size)]
    return spread(_measured, chunks, workers, dask)


def _measured(e: Experiment, first: int, count: int) -> Array:
    """Networks first…first + count − 1, by one worker."""
    if e.method == "chain":
        return chains(e, first, count)
    networks = RandomNetworks(e)
    return np.array([networks.measured(index) for index in range(first, first + count)])
