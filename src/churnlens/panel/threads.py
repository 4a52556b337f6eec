"""Run independent chunks of array work on every core, with the same result as on one."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Other = TypeVar("Other")
ROWS = 1_000  # clients at a time, so that all that is made of them stays in the cache


def over_chunks(work: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> list[Result]:
    """Return `work(chunk)` of every chunk, in the chunks' order.

    numpy lets go of the interpreter inside its loops, so threads are enough.
    """
    chunks = list(chunks)
    with products_on_one_core():
        if len(chunks) < 2 or _cores() < 2:
            return [work(chunk) for chunk in chunks]
        with ThreadPoolExecutor(_cores()) as pool:
            return list(pool.map(work, chunks))


def over_rows(work: Callable[[slice], None], rows: int) -> None:
    """Call `work` with slices that cover all rows, on every core; it fills in what it finds."""
    over_chunks(work, [slice(low, low + ROWS) for low in range(0, rows, ROWS)])


def beside(work: Callable[[], Result], other: Callable[[], Other]) -> tuple[Result, Other]:
    """Return what two pieces of work give that need nothing of each other, done side by side."""
    with products_on_one_core():
        if _cores() < 2:
            return work(), other()
        with ThreadPoolExecutor(1) as pool:
            later = pool.submit(other)
            return work(), later.result()


def import_ahead(module: str) -> None:
    """Begin to import a slow module beside array work; whoever imports it then waits for the rest.

    An error of the import is raised to whoever imports it in earnest.
    """

    def load() -> None:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)

    threading.Thread(target=load).start()


@contextlib.contextmanager
def products_on_one_core() -> Iterator[None]:
    """Keep matrix products to one thread each, in a `with` or as a decorator.

    How a library shares a product out among cores changes its last bits, and the bytes of a review
    must not depend on the machine. For the many small ones it is faster, too.
    """
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _cores() -> int:
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1
