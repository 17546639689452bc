"""Routes found by the beginning of their path: a program with a hundred of them need not try each."""

from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Receive, Scope, Send

_SEGMENTS = 2


class Group(BaseRoute):
    """Routes whose paths begin alike, tried in their order."""

    def __init__(self, beginning: str, routes: Sequence[BaseRoute]) -> None:
        self.beginning, self.routes = beginning, routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The match of the first route that takes path and method, else of the first that takes the path."""
        if scope["type"] != "http" or not scope["path"].startswith(self.beginning):
            return Match.NONE, {}
        partial: tuple[Match, Scope] = (Match.NONE, {})
        for route in self.routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, {**found, "esante.route": route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**found, "esante.route": route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route that matched."""
        await scope["esante.route"].handle(scope, receive, send)


def grouped(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """The routes in groups by the fixed beginning of their paths, longer ones first; mounts come after them.

    A route of another kind looks at the path in a way of its own: it comes first.
    """
    groups: dict[str, list[BaseRoute]] = {}
    own: list[BaseRoute] = []
    mounts: list[BaseRoute] = []
    for route in routes:
        if isinstance(route, Route):
            groups.setdefault(_beginning(route.path), []).append(route)
        else:
            (mounts if isinstance(route, Mount) else own).append(route)
    made = sorted(groups.items(), key=lambda group: -len(group[0]))
    return [*own, *(Group(beginning, found) for beginning, found in made), *mounts]


def _beginning(path: str) -> str:
    """`/fhir/List` of `/fhir/List/{id}`: its first fixed segments."""
    fixed = path.partition("{")[0].rstrip("/").split("/")
    return "/".join(fixed[: _SEGMENTS + 1]) or "/"
