"""The pages of events: the search, and one event in the terms of OCSF with its original."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import parse_uuid
from esante.core.web import NOT_FOUND, Problem, render
from esante.identity.access import Access
from esante.services.soc.console.event_search import EventSearch
from esante.services.soc.console.members import MemberLists
from esante.services.soc.events.schema import tables
from esante.services.soc.pages.console.source_words import PLACES, words
from esante.services.soc.pages.page_words import MAX_WORDS, page_requester
from esante.services.soc.storage.model import EventQuery

SPANS: Mapping[str, timedelta | None] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "all": None,
}
_TEXTS = ("q", "host", "user", "ip", "rule")
_MOST_ATTRIBUTES = 400
_MOST_ORIGINAL = 50_000
"""Characters of an original that a page shows."""


class EventPages:
    """What is seen of events."""

    def __init__(self, search: EventSearch, lists: MemberLists, access: Access) -> None:
        self._search, self._lists, self._access = search, lists, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            route
            for place in PLACES
            for event in [f"{place}/events/{{event_id:uuid}}"]
            for route in (
                Route(f"{place}/events", self.listed),
                Route(event, self.event),
                Route(f"{event}/original", self.original),
            )
        ]

    async def listed(self, request: Request) -> Response:
        """Search events."""
        requester, query = await page_requester(request, self._access), request.query_params
        keep = {name: value for name, value in query.items() if name not in ("cursor", "before") and value}
        span = keep.get("span", "day")
        wanted, tenant_id = _wanted(keep, span)
        page = await self._search.page(requester, wanted, tenant_id, query.get("cursor") or None)
        return await render(
            request,
            "soc/events.html",
            page=page,
            names=await self._lists.names({one.tenant_id for one in page.items}),
            wanted=wanted,
            span=span,
            spans=SPANS,
            keep=keep,
            severities=tables()["severities"],
            classes={int(number): one["name"] for number, one in tables()["classes"].items()},
            **words(request, requester),
        )

    async def event(self, request: Request) -> Response:
        """Show an event: what it says, as it was sent, and what rules found in it."""
        requester = await page_requester(request, self._access)
        event = await self._search.event(requester, request.path_params["event_id"])
        content = event.event
        raw = content.pop("raw_data", None)
        original = raw if isinstance(raw, str) else event.content.decode("utf-8", "replace")
        findings = await self._search.findings(event)
        return await render(
            request,
            "soc/event.html",
            event=event,
            name=(await self._lists.names({event.tenant_id})).get(event.tenant_id, ""),
            attributes=[*_flat(content)][:_MOST_ATTRIBUTES],
            original=original[:_MOST_ORIGINAL],
            is_cut=len(original) > _MOST_ORIGINAL,
            findings=findings,
            other_rules=[one for one in event.rules if one not in {found.rule for found in findings}],
            **words(request, requester),
        )

    async def original(self, request: Request) -> Response:
        """Download an event as it was sent."""
        requester = await page_requester(request, self._access)
        event = await self._search.event(requester, request.path_params["event_id"])
        raw = event.event.get("raw_data")
        content = raw.encode() if isinstance(raw, str) else event.content
        name = f'attachment; filename="{event.event_id}.txt"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type="application/octet-stream", headers=headers)


def _wanted(given: Mapping[str, str], span: str) -> tuple[EventQuery, UUID | None]:
    """Return what is sought, and of which member. Raises: Problem 404 for an address that no form makes."""
    text, host, user, ip, rule = (given.get(name, "").strip()[:MAX_WORDS] for name in _TEXTS)
    try:
        length = SPANS[span]
        since: datetime | None = clock.now() - length if length else None
        query = EventQuery(
            text=text,
            host=host,
            user=user,
            ip=ip,
            rule=rule,
            severity=_number(given.get("severity", "")),
            source_id=_key(given.get("source", "")),
            faults=given.get("faults") == "yes",
            since=since,
        )
        return query, _key(given.get("member", ""))
    except (KeyError, ValueError) as error:
        raise Problem(404, "not-found", NOT_FOUND) from error


def _number(text: str) -> int:
    """Return the severity in a field, 0 for none. Raises: ValueError."""
    if len(text) > 2 or not text.isascii():
        raise ValueError(text)
    return int(text or "0")


def _key(text: str) -> UUID | None:
    """Return the key in a field, None for none. Raises: ValueError."""
    return parse_uuid(text) if text else None


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the attributes of an event with their paths, such as `src_endpoint.ip`."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{number}]")
    else:
        yield path, "" if value in ({}, [], None) else str(value)
