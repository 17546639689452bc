"""The declaration of a large package in parts, one for each sub-package that has something to declare."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform, Task
from esante.core.journal import Consumer
from esante.identity.access import DispositionHandler


def _none(platform: Platform) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a sub-package adds, field by field as in `contract.Service`."""

    build: Callable[[Platform], Iterable[object]] = _none
    routes: Callable[[Platform], Sequence[BaseRoute]] = _none
    consumers: Callable[[Platform], Sequence[Consumer]] = _none
    tasks: Callable[[Platform], Sequence[Task]] = _none
    dispositions: Callable[[Platform], Sequence[DispositionHandler]] = _none
    navigation: Sequence[NavigationItem] = ()
    kept: Sequence[KeptData] = ()


def combine(parts: Sequence[Part]) -> Part:
    """Return the whole of some parts; each is built over those before it."""
    return Part(
        build=lambda platform: (made for part in parts for made in part.build(platform)),
        routes=lambda platform: [route for part in parts for route in part.routes(platform)],
        consumers=lambda platform: [consumer for part in parts for consumer in part.consumers(platform)],
        tasks=lambda platform: [task for part in parts for task in part.tasks(platform)],
        dispositions=lambda platform: [handler for part in parts for handler in part.dispositions(platform)],
        navigation=[item for part in parts for item in part.navigation],
        kept=[one for part in parts for one in part.kept],
    )
