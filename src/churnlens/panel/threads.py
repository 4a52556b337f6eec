"""Run independent chunks of array work on every core, with the same result as on one."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


def over_chunks(work: Callable[[Chunk], Result], chunks: Iterable[Chunk]) -> list[Result]:
    """Return `work(chunk)` of every chunk, in the chunks' order.

    numpy lets go of the interpreter inside its loops, so threads are enough. Matrix products are
    kept to one thread each: how a library shares one out among cores changes its last bits, and
    the bytes of a review must not depend on the machine.
    """
    chunks = list(chunks)
    with _libraries().limit(limits=1, user_api="blas"):
        if len(chunks) < 2:
            return [work(chunk) for chunk in chunks]
        with ThreadPoolExecutor(_cores()) as pool:
            return list(pool.map(work, chunks))


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _cores() -> int:
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1
