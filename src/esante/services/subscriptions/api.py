"""The FHIR face: Subscription with its operations $status and $events.

Source: FHIR R4, Subscription; Subscriptions R5 Backport 1.1 (R4).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import CheckResult, check, encode, operation_outcome
from esante.core.fhir.rest import SearchParams, convert_posted_search, parse_token, read_resource, searchset
from esante.core.web import FHIR_JSON, N_, NOT_FOUND, Problem, decode_cursor, encode_cursor
from esante.identity.access import Access, Requester
from esante.services.subscriptions.delivery.worker import LETTERS
from esante.services.subscriptions.model import Content, Resource, Subscription, Wish
from esante.services.subscriptions.resources import PARAMETERS, notification, status_parameters, subscription_resource
from esante.services.subscriptions.service import Subscriptions
from esante.services.subscriptions.subscription_parser import wish_of
from esante.services.subscriptions.topics import TOPICS

MAX_BODY = 64 * 1024
_NUMBER = re.compile(r"[0-9]{1,18}")
_MOST = 2**63 - 1
Pairs = Sequence[tuple[str, str]]


def routes(subscriptions: Subscriptions, access: Access) -> list[Route]:
    """The routes under /fhir/Subscription."""
    face = _Face(subscriptions, access)

    async def posted(request: Request) -> Response:
        return await face.search(await convert_posted_search(request))

    both = ["GET", "POST"]
    return [
        Route("/fhir/Subscription", face.search, methods=["GET"]),
        Route("/fhir/Subscription", face.create, methods=["POST"]),
        Route("/fhir/Subscription/_search", posted, methods=["POST"]),
        Route("/fhir/Subscription/$status", face.all_status, methods=both),
        Route("/fhir/Subscription/{id}", face.read, methods=["GET"]),
        Route("/fhir/Subscription/{id}", face.update, methods=["PUT"]),
        Route("/fhir/Subscription/{id}", face.delete, methods=["DELETE"]),
        Route("/fhir/Subscription/{id}/$status", face.status, methods=both),
        Route("/fhir/Subscription/{id}/$events", face.events, methods=both),
    ]


@dataclass(frozen=True, slots=True)
class _Face:
    subscriptions: Subscriptions
    access: Access

    async def create(self, request: Request) -> Response:
        """Ask to be told; the handshake follows at once."""
        requester = await self.access.caller(request, "Subscription", "c")
        found = await _given(request)
        if not found.ok:
            return _answer(operation_outcome(found.issues), 422)
        wish = self._wish(requester, found.resource)
        owner = await self.access.caller(request, TOPICS[wish.topic].resource, LETTERS)
        made = await self.subscriptions.create(owner, wish)
        location = f"{self.subscriptions.base_url}/Subscription/{made.id}"
        return _answer(subscription_resource(made), 201, made, Location=location)

    async def read(self, request: Request) -> Response:
        """One's own subscription."""
        requester = await self.access.caller(request, "Subscription", "r")
        found = await self.subscriptions.one(requester, _key(request))
        return _answer(subscription_resource(found), 200, found)

    async def update(self, request: Request) -> Response:
        """Turn it off, ask for it again, or change its end, reason, contact or headers."""
        requester = await self.access.caller(request, "Subscription", "u")
        key = _key(request)
        found = await _given(request)
        if not found.ok:
            return _answer(operation_outcome(found.issues), 422)
        await self.subscriptions.one(requester, key)
        if found.resource.get("id") != request.path_params["id"]:
            title = N_("The id is not that of the address.")
            raise Problem(422, "invalid", title, place="Subscription.id", remedy=N_("Send the same id."))
        wish = self._wish(requester, found.resource)
        made = await self.subscriptions.update(requester, key, wish, _unless_changed(request))
        return _answer(subscription_resource(made), 200, made)

    async def delete(self, request: Request) -> Response:
        """End it, and remove it."""
        requester = await self.access.caller(request, "Subscription", "d")
        await self.subscriptions.remove(requester, _key(request))
        return Response(status_code=204)

    async def search(self, request: Request) -> Response:
        """One's own subscriptions, newest first."""
        requester = await self.access.caller(request, "Subscription", "s")
        params = SearchParams(request, PARAMETERS)
        found = [one for one in await self.subscriptions.own(requester) if _matches(one, params)]
        start = max(0, int(str(decode_cursor(params.cursor, int)[0]))) if params.cursor else 0
        end = start + params.count
        base = self.subscriptions.base_url
        following = encode_cursor(end) if params.count and end < len(found) else None
        return _answer(
            searchset(
                [subscription_resource(one) for one in found[start:end]],
                self_url=params.self_url(base),
                base_url=base,
                next_url=params.next_url(base, following),
                total=len(found),
                outcome=params.outcome,
            )
        )

    async def status(self, request: Request) -> Response:
        """The status of one subscription."""
        requester = await self.access.caller(request, "Subscription", "r")
        await _parameters(request)
        return self._statuses([await self.subscriptions.one(requester, _key(request))], request)

    async def all_status(self, request: Request) -> Response:
        """The status of all one's subscriptions, or of those with an id or a status."""
        requester = await self.access.caller(request, "Subscription", "r")
        asked = await _parameters(request)
        ids = {part for name, value in asked if name == "id" for part in value.split(",")}
        statuses = {part for name, value in asked if name == "status" for part in value.split(",")}
        found = [
            one
            for one in await self.subscriptions.own(requester)
            if (not ids or str(one.id) in ids) and (not statuses or one.status.value in statuses)
        ]
        return self._statuses(found, request)

    async def events(self, request: Request) -> Response:
        """What happened, from one number to another, as far as one may be told of it now."""
        requester = await self.access.caller(request, "Subscription", "r")
        known = await self.subscriptions.one(requester, _key(request))
        asker = await self.access.caller(request, TOPICS[known.wish.topic].resource, LETTERS)
        asked = await _parameters(request)
        first, last = _number(asked, "eventsSinceNumber", 1), _number(asked, "eventsUntilNumber", _MOST)
        content = _content(asked, known)
        found, events = await self.subscriptions.events(asker, known.id, first, last)
        base = self.subscriptions.base_url
        return _answer(notification(found, base, "query-event", events, content=content))

    def _wish(self, requester: Requester, given: Resource) -> Wish:
        only = requester.id if requester.kind == "patient" else None
        return wish_of(given, self.subscriptions.base_url, only, self.subscriptions.terms)

    def _statuses(self, found: Sequence[Subscription], request: Request) -> Response:
        base = self.subscriptions.base_url
        entries = []
        for one in found:
            status = status_parameters(one, base, "query-status", content=Content.ID_ONLY)
            urn = f"urn:uuid:{status['id']}"
            entries.append({"fullUrl": urn, "resource": status, "search": {"mode": "match"}})
        link = {"relation": "self", "url": base + request.url.path.removeprefix("/fhir")}
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "link": [link]}
        return _answer(bundle | ({"entry": entries} if entries else {}))


def _answer(resource: Resource, status: int = 200, of: Subscription | None = None, **headers: str) -> Response:
    """A resource, with the version of the subscription that it is."""
    tag = {"ETag": f'W/"{of.version}"'} if of else {}
    return Response(encode(resource), status, headers={**tag, **headers}, media_type=FHIR_JSON)


async def _given(request: Request) -> CheckResult:
    return check(await read_resource(request, MAX_BODY), expect="Subscription")


def _key(request: Request) -> UUID:
    text = request.path_params["id"]
    try:
        key = UUID(text)
    except ValueError:
        key = None
    if key is None or str(key) != text:
        raise Problem(404, "not-found", NOT_FOUND)
    return key


def _unless_changed(request: Request) -> Callable[[Subscription], None]:
    """The test of If-Match (http.html, "Managing Resource Contention"); Problem 412."""
    wanted = request.headers.get("if-match")

    def check_version(found: Subscription) -> None:
        if wanted is not None and wanted.strip().removeprefix("W/").strip('"') != str(found.version):
            title, remedy = N_("This is not the current version."), N_("Read it again, and change that.")
            raise Problem(412, "conflict", title, place="If-Match", remedy=remedy)

    return check_version


def _matches(found: Subscription, params: SearchParams) -> bool:
    tests: dict[str, Callable[[str], bool]] = {
        "_id": lambda value: value == str(found.id),
        "criteria": found.wish.topic.startswith,
        "status": lambda value: parse_token(value)[1] == found.status.value,
        "url": lambda value: value == found.wish.endpoint.url,
    }
    return all(any(test(value) for value in values) for name, test in tests.items() for values in params.all(name))


async def _parameters(request: Request) -> Pairs:
    """What an operation was asked for, by GET or by a Parameters resource; Problem 422 for what is no Parameters."""
    pairs = list(request.query_params.multi_items())
    if request.method == "POST" and request.headers.get("content-length", "0") != "0":
        found = check(await read_resource(request, MAX_BODY), expect="Parameters")
        if not found.ok:
            issue = found.issues[0]
            title, remedy = N_("These are no parameters of this operation."), N_("Send a Parameters resource.")
            raise Problem(422, issue.code, title, place=issue.expression, detail=issue.diagnostics, remedy=remedy)
        for parameter in found.resource.get("parameter", ()):
            values = [value for name, value in parameter.items() if name.startswith("value")]
            pairs += [(parameter.get("name", ""), str(value)) for value in values]
    return pairs


def _number(asked: Pairs, name: str, default: int) -> int:
    values = [value for given, value in asked if given == name]
    if not values:
        return default
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]):
        raise Problem(400, "value", N_("This is not a whole number."), place=name, remedy=N_("Give one number."))
    return int(values[0])


def _content(asked: Pairs, known: Subscription) -> Content:
    given = next((value for name, value in asked if name == "content"), known.wish.content.value)
    if given not in set(Content):
        title = N_("Notifications carry no resources.")
        remedy = N_("Use id-only, and fetch the resource with your own token: that is decided and journalled.")
        raise Problem(400, "not-supported", title, place="content", remedy=remedy)
    return Content(given)
