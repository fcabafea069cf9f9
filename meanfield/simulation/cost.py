"""What an ensemble costs, before any of it is drawn: bytes, seconds, and how it is divided among workers."""

from __future__ import annotations

from meanfield.domain import require_count
from meanfield.errors import DomainError
from meanfield.finite_width.experiment import Experiment
from meanfield.simulation.gaussian_chain import chain_bytes, chain_effort
from meanfield.simulation.random_network import RandomNetworks
from meanfield.workers.calls import processors

__all__ = ["duration", "require_theory", "require_time", "seconds", "workload"]

#: Random numbers drawn in a second, about; what else there is to do is reckoned in them.
_NUMBERS = 1e8
#: And in a chunk of networks.
_CHUNK_NUMBERS = _NUMBERS / 10
#: Chains worked on at once stay in cache; so many of wide networks would hold too much.
_CHUNK_CHAINS = 64
#: Copies of the results that statistics make.
_COPIES = 3
#: Theory's arrays over all pairs of positions between borders of zeros, and its seconds for a pair and layer.
_PAIR_ARRAYS, _PAIR_SECONDS = 27, 2e-6
#: More than so many seconds of work are asked for by mistake: thirty days.
_LONGEST = 30 * 86400.0


def workload(e: Experiment, jobs: int, memory: float) -> tuple[int, int]:
    """How many networks a worker draws in one go, and how many of at most `jobs` workers (−1: all) draw at once.

    A worker holds one network at a time, or as many chains as there are in a chunk.

    Raises:
        DomainError: `memory` too small for one network; jobs that are no number of processes.
    """
    if jobs == -1:
        jobs = processors()
    require_count("jobs", jobs)
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
        size, held = max(1, int(_CHUNK_NUMBERS / _effort(e))), one
    return size, max(1, int(min(jobs, free / held, -(-e.networks // size))))


def _effort(e: Experiment) -> float:
    return chain_effort(e) if e.method == "chain" else RandomNetworks.effort(e)


def seconds(e: Experiment, workers: int) -> float:
    """About how long the networks and their theory take."""
    pairs = e.positions**2 if e.padding == "zero" else 0
    return e.networks * _effort(e) / (_NUMBERS * workers) + e.depth * pairs * _PAIR_SECONDS


def require_time(e: Experiment, workers: int) -> None:
    """Refuse what nobody waits for, with a `DomainError`."""
    needed = seconds(e, workers)
    if needed > _LONGEST:
        raise DomainError(
            f"{e.networks} networks of width {e.width}, depth {e.depth} and {e.inputs} inputs take {duration(needed)}, "
            f"more than {duration(_LONGEST)}: ask for fewer, or for smaller ones"
        )


def require_theory(e: Experiment, memory: float) -> None:
    """Refuse positions between zeros whose theory needs more memory than that, with a `DomainError`."""
    needed = 8.0 * _PAIR_ARRAYS * e.positions**2
    if e.padding == "zero" and needed > memory:
        most = int((memory / (8 * _PAIR_ARRAYS)) ** 0.25)
        raise DomainError(
            f"theory for zeros around {e.size}x{e.size} positions takes {_size(needed)}, and memory = {_size(memory)}: "
            f"allow more, give size <= {most}, or circular padding"
        )


def duration(time: float) -> str:
    """A number of seconds for a person."""
    for unit, name in ((365.25 * 86400, "years"), (86400, "days"), (3600, "hours"), (60, "minutes")):
        if time >= 2 * unit:
            return f"about {time / unit:.2g} {name}" if time < 100 * unit else f"about {time / unit:.0f} {name}"
    return f"about {time:.0f} s"


def _size(count: float) -> str:
    """A number of bytes for a person."""
    unit, name = next(
        (unit, name)
        for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes"))
        if count >= unit or unit == 1
    )
    return f"{count / unit:.3g} {name}"
