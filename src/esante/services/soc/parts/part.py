"""A part of the declaration."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Task
from esante.core.journal import Consumer
from esante.identity.access import DispositionHandler


def _nothing(platform: Platform) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a part adds, field by field as in `contract.Service`; it is built over the parts before it."""

    build: Callable[[Platform], Iterable[object]] = _nothing
    routes: Callable[[Platform], Sequence[BaseRoute]] = _nothing
    consumers: Callable[[Platform], Sequence[Consumer]] = _nothing
    tasks: Callable[[Platform], Sequence[Task]] = _nothing
    dispositions: Callable[[Platform], Sequence[DispositionHandler]] = _nothing
    kept: Sequence[KeptData] = ()
