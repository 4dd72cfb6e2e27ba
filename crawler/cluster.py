"""Runs stages of work as Ray Data on a cluster, on this machine or elsewhere. The only door to Ray."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from db.errors import BmpError, SourceError, UsageError

CONNECT_SECONDS = 5.0
OBJECT_STORE_BYTES = 1024**3  # of a cluster on this machine; what does not fit is put on disk

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to Ray's makers
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

RowStage = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster: that at `address`, or one of this machine's own; `workers` embed, None for one a core."""

    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Stages:
    """What is done with every item, one stage after the other, each a callable that can be sent to another machine.

    Attributes:
        make_read: makes what reads an item; it is called once and runs on this machine, where the file is.
        parse: runs anywhere.
        make_embed: makes what embeds an item; it is called once in each worker, and has one core.
    """

    make_read: Callable[[], RowStage]
    parse: RowStage
    make_embed: Callable[[], RowStage]


class _Made:
    """A stage that is made where it runs."""

    def __init__(self, make: Callable[[], RowStage]) -> None:
        self._stage = make()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return self._stage(row)


def require_ray() -> None:
    """Refuse to go on without Ray.

    Raises:
        UsageError: it is not installed.
    """
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pyarrow") is None:
        raise UsageError("Ray is not installed", "`pip install bmprinciples[ray]` brings it")


def run_stages(
    cluster: Cluster, stages: Stages, items: Sequence[dict[str, Any]]
) -> Generator[dict[str, Any], None, None]:
    """Yield what comes of the items, in whatever order they are done; an item whose worker dies is done again.

    Raises:
        SourceError: the cluster cannot be reached, or an item fails for good.
    """
    with _connected(cluster) as ray, _errors_in_a_line(cluster):
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
        workers = cluster.workers or max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)
        data = (
            ray.data.from_items(list(items), override_num_blocks=len(items))
            .map(_Made, fn_constructor_args=(stages.make_read,), concurrency=1, num_cpus=0, label_selector=here)
            .map(stages.parse, num_cpus=1)
            .map(_Made, fn_constructor_args=(stages.make_embed,), concurrency=workers, num_cpus=1)
        )
        yield from data.iter_rows()


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    """Give Ray, connected to the cluster, with the handlers of signals left as they were."""
    if cluster.address:
        _require_answer(cluster.address)
    os.environ.update(_QUIET)
    import ray
    import ray.data

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with _errors_in_a_line(cluster):
            _start(ray, cluster)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        yield ray
    finally:
        ray.shutdown()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _start(ray: Any, cluster: Cluster) -> None:
    common = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.CRITICAL}
    if cluster.address:
        del common["include_dashboard"]  # it is the cluster's own matter
        ray.init(address=cluster.address, **common)
    else:
        # One core more than there are workers, in name only: parsing, which is little, waits for no worker.
        cores = (cluster.workers or os.cpu_count() or 1) + 1
        ray.init(
            address="local",
            _node_ip_address="127.0.0.1",
            num_cpus=cores,
            object_store_memory=OBJECT_STORE_BYTES,
            **common,
        )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.retried_io_errors = []
    for name in ("ray", "ray.data"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False


def _require_answer(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # `auto`, or what Ray itself makes of it
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str | None, error: Exception) -> SourceError:
    told = " ".join(str(error).split())[:160]
    return SourceError(
        f"the Ray cluster at {address} cannot be reached: {told}", "`ray status` on its head tells its address"
    )


@contextmanager
def _errors_in_a_line(cluster: Cluster) -> Iterator[None]:
    """Turn what Ray raises into an error of one line."""
    from ray.exceptions import RayError

    try:
        yield
    except BmpError:
        raise
    except (ConnectionError, TimeoutError) as error:
        raise _unreachable(cluster.address or "this machine", error) from error
    except (RayError, RuntimeError, ValueError, OSError) as error:
        raise SourceError(f"a worker of the cluster failed: {_last_line(error)}", "run it again; it goes on") from error


def _last_line(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:200]
