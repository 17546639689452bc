"""Advice for many persons at once, on all cores."""

import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import date
from itertools import islice
from typing import TypeVar, cast

from esante.core.types import Progress
from esante.services.vaccination.forecast.engine import advise
from esante.services.vaccination.forecast.model import Advice, Dose, Patient
from esante.services.vaccination.forecast.rules import RuleSet

T = TypeVar("T")
Record = tuple[Patient, Sequence[Dose]]
_CHUNK = 250
"""Persons handed to a process at once."""


class _Worker:
    """What a process of the pool works with, set once when it starts."""

    rules: RuleSet
    on: date
    measure: Callable[[Advice], object]


def _start(load: Callable[[], RuleSet], on: date, measure: Callable[[Advice], object]) -> None:
    _Worker.rules, _Worker.on, _Worker.measure = load(), on, staticmethod(measure)
    gc.freeze()  # the rules stay: the collector need not look through them again and again


def _advise_chunk(records: list[Record]) -> list[object]:
    return [_Worker.measure(advise(patient, doses, _Worker.on, _Worker.rules)) for patient, doses in records]


def advise_all(
    records: Iterable[Record],
    total: int,
    on: date,
    load: Callable[[], RuleSet],
    measure: Callable[[Advice], T],
    progress: Progress = lambda done, total, step: None,
    processes: int | None = None,
) -> Iterator[T]:
    """Yield what `measure` makes of the advice for each person, in their order.

    `load` returns the rules; it runs once in each process. `load` and `measure` are functions of modules. Persons are
    read as they are needed, so that a whole country need not fit into memory.
    """
    source = iter(records)
    workers = processes or os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    done = 0
    with ProcessPoolExecutor(workers, context, _start, (load, on, measure)) as pool:
        waiting: deque[Future[list[object]]] = deque()
        while True:
            while len(waiting) < 2 * workers and (chunk := list(islice(source, _CHUNK))):
                waiting.append(pool.submit(_advise_chunk, chunk))
            if not waiting:
                break
            results = cast(list[T], waiting.popleft().result())
            done += len(results)
            progress(done, total, "persons")
            yield from results
