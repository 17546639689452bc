"""Advice for many persons at once, on all cores."""

import gc
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import date
from itertools import islice
from typing import Generic, TypeVar, cast

from esante.core.types import Progress
from esante.services.vaccination.forecast.engine import advise
from esante.services.vaccination.forecast.model import Advice, Dose, Patient
from esante.services.vaccination.forecast.rules import RuleSet

T = TypeVar("T")
Record = tuple[Patient, Sequence[Dose]]
CHUNK = 250
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


class AdvicePool(Generic[T]):
    """Processes that advise, one a core; to be used in a `with` statement, since they are slow to start.

    `load` returns the rules; it runs once in each process. `measure` is what is made of an advice. Both are functions
    of modules.
    """

    def __init__(
        self, on: date, load: Callable[[], RuleSet], measure: Callable[[Advice], T], processes: int | None = None
    ) -> None:
        self.workers = processes or os.cpu_count() or 1
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(self.workers, context, _start, (load, on, measure))

    def __enter__(self) -> "AdvicePool[T]":
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def submit(self, records: Sequence[Record]) -> "Future[list[T]]":
        """Let a process advise persons; the future has what `measure` makes of the advice for each, in their order."""
        return cast("Future[list[T]]", self._executor.submit(_advise_chunk, list(records)))

    def submit_all(self, records: Sequence[Record]) -> "list[Future[list[T]]]":
        """Let the processes advise many persons, some hundred at a time."""
        return [self.submit(records[start : start + CHUNK]) for start in range(0, len(records), CHUNK)]


def advise_all(
    records: Iterable[Record],
    total: int,
    on: date,
    load: Callable[[], RuleSet],
    measure: Callable[[Advice], T],
    progress: Progress = lambda done, total, step: None,
    processes: int | None = None,
) -> Iterator[T]:
    """Yield what `measure` makes of the advice for each person, in their order (see `AdvicePool`).

    Persons are read as they are needed, so that a whole country need not fit into memory.
    """
    source, done = iter(records), 0
    with AdvicePool(on, load, measure, processes) as pool:
        waiting: deque[Future[list[T]]] = deque()
        while True:
            while len(waiting) < 2 * pool.workers and (chunk := list(islice(source, CHUNK))):
                waiting.append(pool.submit(chunk))
            if not waiting:
                break
            results = waiting.popleft().result()
            done += len(results)
            progress(done, total, "persons")
            yield from results
