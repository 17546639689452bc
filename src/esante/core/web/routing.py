"""Routes grouped by the fixed prefix of their path: a request need not be compared with every route."""

from collections.abc import Iterable, Sequence

from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Receive, Scope, Send

_SEGMENTS = 2


class RouteGroup(BaseRoute):
    """Routes whose paths have the same fixed prefix, tried in their order."""

    def __init__(self, prefix: str, routes: Sequence[BaseRoute]) -> None:
        self.prefix, self.routes = prefix, routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the match of the first route for path and method, else of the first one for the path."""
        if scope["type"] != "http" or not scope["path"].startswith(self.prefix):
            return Match.NONE, {}
        partial: tuple[Match, Scope] = (Match.NONE, {})
        for route in self.routes:
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return match, {**child_scope, "esante.route": route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**child_scope, "esante.route": route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route that matched."""
        await scope["esante.route"].handle(scope, receive, send)


def group_routes(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Return the routes in groups by the fixed prefix of their paths, longer ones first, then the mounts.

    Routes of other kinds come first: they match paths in their own way.
    """
    groups: dict[str, list[BaseRoute]] = {}
    others: list[BaseRoute] = []
    mounts: list[BaseRoute] = []
    for route in routes:
        if isinstance(route, Route):
            groups.setdefault(_fixed_prefix(route.path), []).append(route)
        else:
            (mounts if isinstance(route, Mount) else others).append(route)
    longest_first = sorted(groups.items(), key=lambda group: -len(group[0]))
    return [*others, *(RouteGroup(prefix, members) for prefix, members in longest_first), *mounts]


def _fixed_prefix(path: str) -> str:
    """Return the first fixed segments of a path: `/fhir/List` of `/fhir/List/{id}`."""
    fixed = path.partition("{")[0].rstrip("/").split("/")
    return "/".join(fixed[: _SEGMENTS + 1]) or "/"
