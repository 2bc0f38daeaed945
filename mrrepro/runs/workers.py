"""Independent items of a stage: one after another, or over the workers of a Dask cluster.

``MRREPRO_WORKERS`` decides where, never what: unset or 1 is this process, a number starts that many local processes,
and an address (``tcp://host:8786``) is a scheduler that runs already, whose workers must have this version of mrrepro
installed. Results come as they are finished, so that the caller can write each down.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

VARIABLE = "MRREPRO_WORKERS"

K = TypeVar("K")
R = TypeVar("R")


def each(function: Callable[..., R], items: Mapping[K, tuple[Any, ...]]) -> Iterator[tuple[K, R]]:
    """Yield ``key, function(*arguments)`` of every item, in the order in which they are finished.

    Raises
    ------
    ValueError
        If ``MRREPRO_WORKERS`` is neither a number of processes nor an address, or Dask is not installed.
    """
    where = os.environ.get(VARIABLE, "").strip() or "1"
    if where == "1" or len(items) < 2:
        for key, arguments in items.items():
            yield key, function(*arguments)
        return
    if not where.isdigit() and "://" not in where:
        raise ValueError(
            f"{VARIABLE} must be a number of local processes, or a scheduler's address like tcp://host:8786, but is "
            f"{where!r}."
        )
    if where == "0":
        raise ValueError(f"{VARIABLE} must be at least 1, but is 0: unset it to work in this process.")
    try:
        from distributed import Client, LocalCluster, as_completed
    except ImportError:
        raise ValueError(
            f"{VARIABLE} is {where!r}, but Dask is not installed: pip install distributed, or unset {VARIABLE}."
        ) from None
    if where.isdigit():
        cluster = LocalCluster(n_workers=int(where), threads_per_worker=1, dashboard_address=None)
        client = Client(cluster)
    else:
        cluster, client = None, Client(where)
    try:
        futures = {client.submit(function, *arguments, pure=False): key for key, arguments in items.items()}
        for future in as_completed(list(futures)):
            yield futures[future], future.result()
    finally:
        client.close()
        if cluster is not None:
            cluster.close()
