"""Calls of one function, spread over the processes of this machine or a Dask cluster, by joblib.

Every worker multiplies matrices in one thread, so that a result does not depend on who works it out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from meanfield.errors import ClusterError, MeanFieldError
from meanfield.processes import end_with, undisturbed

__all__ = ["PATIENCE", "processors", "spread"]

#: Seconds until a cluster that does not answer is given up.
PATIENCE = 5
#: Of a scheduler.
_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(?P<host>[^\s/:\[\]]+|\[[0-9a-fA-F:.]+\]):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


def processors() -> int:
    """How many this process may use."""
    from joblib import cpu_count

    return int(cpu_count())


def spread(
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    workers: int,
    dask: str | None = None,
    *,
    in_order: bool = True,
) -> Generator[Any]:
    """What `function` returns for each tuple of arguments.

    Args:
        function: of a module, as are its arguments and results, so that processes can hand them over.
        calls: the arguments.
        workers: processes on this machine.
        dask: the address of a Dask scheduler whose workers do it instead, or "local" for a cluster of `workers`.
        in_order: whether results come in the order of the calls; else each as it is done.

    Raises:
        ClusterError: a cluster that cannot be reached, dask is not installed, or a process was ended.
    """
    if not calls:
        return
    from joblib import Parallel, delayed

    how = "generator" if in_order else "generator_unordered"
    with _backend(workers, dask) as settings, _linear_algebra().limit(user_api="blas"):
        try:
            with undisturbed():
                results = Parallel(return_as=how, batch_size=1, **settings)(
                    delayed(_in_one_thread)(function, call) for call in calls
                )
        except TimeoutError:
            raise ClusterError(f"the Dask scheduler at {dask} has no workers: start some") from None
        try:
            yield from results
        except BrokenProcessPool:
            raise ClusterError(
                "a process that did a part of the work was ended by something else, perhaps for want of memory: "
                "give a smaller number of jobs"
            ) from None
        except Exception as error:
            if dask is None or isinstance(error, MemoryError | MeanFieldError):
                raise
            raise ClusterError(
                f"the Dask cluster at {dask} has given up ({type(error).__name__}): start it anew"
            ) from None
        finally:
            results.close()


def _in_one_thread(function: Callable[..., Any], call: tuple[Any, ...]) -> Any:
    """The call, by a worker that multiplies matrices in one thread from now on."""
    _linear_algebra().limit(limits=1, user_api="blas")
    return function(*call)


def _start_trackers() -> None:
    """What cleans up after workers, started before them: as it starts, signals that were put off are let through."""
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as joblib_tracker

    with undisturbed():
        resource_tracker.ensure_running()
        joblib_tracker.ensure_running()


@cache
def _linear_algebra() -> Any:
    """The libraries that multiply matrices in this process: how many threads they take decides how they round."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _knock(address: str) -> None:
    """Refuse an address that is none, or where nothing listens: Dask would go on trying.

    Raises:
        ClusterError: it is such.
    """
    found = _ADDRESS.fullmatch(address)
    if not found or int(found["port"]) > _LAST_PORT:
        raise ClusterError(f"{address} is no Dask scheduler: give its address, such as tcp://host:8786, or local")
    try:
        socket.create_connection((found["host"].strip("[]"), int(found["port"])), PATIENCE).close()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({why}): start one, and give its address, such as tcp://host:8786"
        ) from None


def _greet(address: str) -> None:
    """Refuse what listens at an address but is no scheduler: Dask would wait for its greeting.

    Raises:
        ClusterError: it is such.
    """
    from distributed.core import connect

    async def greeting() -> None:
        comm = await asyncio.wait_for(connect(address, timeout=PATIENCE), PATIENCE)
        comm.abort()

    # This thread may have a loop of its own, as in Jupyter.
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(asyncio.run, greeting()).result()
        except Exception:
            raise ClusterError(
                f"what listens at {address} is no Dask scheduler, or one that trusts others: give its address, such as "
                "tcp://host:8786"
            ) from None


@contextmanager
def _backend(workers: int, dask: str | None) -> Iterator[dict[str, Any]]:
    """What joblib needs to know to reach the workers."""
    if dask is None:
        if workers > 1:
            _start_trackers()
        yield {"n_jobs": workers, "initializer": end_with, "initargs": (os.getpid(),)}
        return
    if dask != "local":
        _knock(dask)
    try:
        from dask import distributed
    except ImportError:
        raise ClusterError("Dask is not installed: pip install 'meanfield[dask]'") from None
    if dask != "local":
        _greet(dask)
    from joblib import parallel_config

    with ExitStack() as opened:
        try:
            # Its processes have nothing to say that an error does not.
            quiet: dict[str, Any] = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
            # Any port that is free: others may have clusters here too.
            quiet["scheduler_kwargs"] = {"dashboard_address": ":0"}
            quiet["preload"] = ["meanfield.workers.dask_worker"]
            local = {"n_workers": workers, "threads_per_worker": 1, **quiet}
            if dask == "local":
                _start_trackers()
            # Dask ends its processes by the other signals.
            with undisturbed([signal.SIGINT]):
                cluster = opened.enter_context(distributed.LocalCluster(**local)) if dask == "local" else dask
            client = opened.enter_context(distributed.Client(cluster, timeout=PATIENCE, set_as_default=False))
        except (OSError, ValueError) as error:
            raise ClusterError(f"no workers from Dask at {dask}: {error or type(error).__name__}") from None
        opened.enter_context(parallel_config(backend="dask", client=client, wait_for_workers_timeout=PATIENCE))
        yield {}
