"""Independent pieces of work: one after another, or over the workers of a Dask cluster, which only this module makes.

A *place* says where, never what: 1 is this process, a larger number starts that many local processes, and an address
(``tcp://host:8786``) is a scheduler that runs already, whose workers must have this version of mrrepro installed.
``MRREPRO_WORKERS`` names the place for the items of a stage, and for a sweep that is not told another. Results come as
they are finished, so that the caller can write each down.

Local workers share the cores of the machine among them, and each of them sees one GPU where there are GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from mrrepro.runs.machine import DEVICE_VARIABLE

VARIABLE = "MRREPRO_WORKERS"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_LOOK_S = 1.0
"""How often the number of workers is looked at while all are busy [s]."""
_PATIENCE_S = 15
"""How long a scheduler may take to answer, and its first worker to appear [s]."""

K = TypeVar("K")
R = TypeVar("R")


class ClusterLost(RuntimeError):
    """The scheduler went away while work was under way; what had been finished is kept."""


class WorkersDied(RuntimeError):
    """Every worker that took an item died with it."""


def each(function: Callable[..., R], items: Mapping[K, tuple[Any, ...]]) -> Iterator[tuple[K, R]]:
    """Yield ``key, function(*arguments)`` of every item, in the order in which they are finished.

    Where is decided by ``MRREPRO_WORKERS``; this process where it is not set.

    Raises
    ------
    ValueError
        If ``MRREPRO_WORKERS`` is neither a number of processes nor an address, or Dask is not installed.
    """
    place = named_place() or "1"
    if place == "1" or len(items) < 2:
        for key, arguments in items.items():
            yield key, function(*arguments)
        return
    with connected(place) as client:
        from distributed import as_completed

        futures = {client.submit(function, *arguments, pure=False): key for key, arguments in items.items()}
        for future in as_completed(list(futures)):
            yield futures[future], future.result()


def settled(
    function: Callable[..., R], items: Mapping[K, tuple[Any, ...]], place: str
) -> Iterator[tuple[K, R | Exception]]:
    """Yield ``key, function(*arguments)`` of every item as it is finished, or ``key, error`` where it failed.

    No more items are under way than there are workers, so that an item which kills its worker takes none along that
    was only waiting. An item whose worker died goes to another one; after the fourth worker that dies with it, Dask
    gives it up, and the error is `WorkersDied`.

    Raises
    ------
    ValueError
        Dask is not installed, or no scheduler with workers answers at the address.
    ClusterLost
        The scheduler went away.
    """
    if place == "1":
        for key, arguments in items.items():
            try:
                yield key, function(*arguments)
            except Exception as error:
                yield key, error
        return
    with connected(place) as client:
        yield from _one_a_worker(client, function, items)


def _one_a_worker(client: Any, function: Callable[..., R], items: Mapping[K, tuple[Any, ...]]) -> Iterator[Any]:
    from distributed import CancelledError, KilledWorker, wait

    waiting = list(items)
    running: dict[Any, K] = {}
    while waiting or running:
        try:
            while waiting and len(running) < max(1, len(client.nthreads())):
                key = waiting.pop(0)
                running[client.submit(function, *items[key], pure=False)] = key
            done = wait(list(running), timeout=_LOOK_S, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            continue
        except (CancelledError, OSError):
            raise ClusterLost("the scheduler went away; run again, and it goes on from here.") from None
        for future in done:
            failure = future.exception()
            if isinstance(failure, KilledWorker):
                failure = WorkersDied("each worker that took it died, one after the other: is there memory enough?")
            yield running.pop(future), failure or future.result()


def named_place() -> str | None:
    """Return the place that ``MRREPRO_WORKERS`` names, checked; None where it is not set."""
    named = os.environ.get(VARIABLE, "").strip()
    return require_place(VARIABLE, named) if named else None


def require_place(name: str, value: str) -> str:
    """Return a place as text, ``"3"`` or ``"tcp://host:8786"``; ``name`` is what the user knows it by."""
    if value.isascii() and value.isdigit():
        if int(value) == 0:
            raise ValueError(f"{name} must be at least 1, but is {value}: 1 works in this process.")
        return str(int(value))
    if "://" not in value:
        raise ValueError(
            f"{name} must be a number of local processes, or a scheduler's address like tcp://host:8786, but is "
            f"{value!r}."
        )
    return value


@contextmanager
def connected(place: str) -> Iterator[Any]:
    """Open a Dask client: of local workers that end with the block, or of a scheduler that goes on.

    Raises
    ------
    ValueError
        Dask is not installed, or no scheduler with workers answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ValueError(
            f"{place} workers need Dask, which is not installed: pip install distributed, or work with 1."
        ) from None
    if place.isdigit():
        with _local_cluster(int(place)) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(place, timeout=_PATIENCE_S)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"No scheduler answers at {place} ({error}): start one with `dask scheduler`, or give its right address."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except TimeoutError:
            raise ValueError(
                f"The scheduler at {place} has no worker: start one with `dask worker {place} --nthreads 1`."
            ) from None
        yield client


@contextmanager
def _local_cluster(count: int) -> Iterator[Any]:
    import logging

    from distributed import Nanny, Scheduler, SpecCluster

    host = {"host": "127.0.0.1"}
    options = {**host, "nthreads": 1, "dashboard": False, "memory_limit": 0, "silence_logs": logging.CRITICAL}
    workers = {
        number: {"cls": Nanny, "options": {**options, "env": variables}}
        for number, variables in enumerate(worker_variables(count))
    }
    scheduler = {"cls": Scheduler, "options": {**host, "port": 0, "dashboard": False, "dashboard_address": None}}
    cluster = SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL)
    try:
        yield cluster
    finally:
        cluster.close()


def worker_variables(count: int) -> list[dict[str, str]]:
    """Environment of each of ``count`` local workers: its share of the cores, and its GPU where there are GPUs.

    Workers times threads is at most the number of cores, unless there are more workers than cores; a smaller
    ``OMP_NUM_THREADS`` stays as it is. With more workers than GPUs, several share one.
    """
    share = threads_each(count)
    found = [dict.fromkeys(THREAD_VARIABLES, str(share)) for _ in range(count)]
    gpus = visible_gpus()
    for number, variables in enumerate(found):
        if gpus:
            variables["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
            if os.environ.get(DEVICE_VARIABLE, "").strip():
                variables[DEVICE_VARIABLE] = "cuda"  # cuda:1 is cuda:0 where only it is seen
    return found


def threads_each(count: int) -> int:
    """Threads for each of ``count`` local workers, at least 1."""
    share = max(1, core_count() // count)
    named = os.environ.get("OMP_NUM_THREADS", "").strip()
    return min(share, int(named)) if named.isdigit() and int(named) > 0 else share


def core_count() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def visible_gpus() -> tuple[str, ...]:
    """Names, as in ``CUDA_VISIBLE_DEVICES``, of the GPUs to compute on; none where ``MRREPRO_DEVICE`` is no CUDA."""
    named = os.environ.get(DEVICE_VARIABLE, "").strip()
    if named and not named.startswith("cuda"):
        return ()
    import torch

    count = torch.cuda.device_count()
    listed = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    gpus = tuple(listed[:count]) if listed else tuple(str(number) for number in range(count))
    _, _, number = named.partition(":")
    if not number:
        return gpus
    if not number.isdigit() or int(number) >= len(gpus):
        raise ValueError(f"{DEVICE_VARIABLE} is {named!r}, but this machine shows {len(gpus)} GPUs: name one of them.")
    return (gpus[int(number)],)
