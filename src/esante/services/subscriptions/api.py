"""FHIR endpoints of Subscription, with its operations $status and $events.

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
from esante.core.fhir.rest import (
    SearchParams,
    convert_posted_search,
    parse_token,
    read_resource,
    require_whole,
    searchset,
)
from esante.core.types import Json
from esante.core.web import (
    FHIR_JSON,
    N_,
    NOT_FOUND,
    Problem,
    bad_request,
    decode_offset_cursor,
    encode_cursor,
)
from esante.identity.access import Access, Requester
from esante.services.subscriptions.delivery.worker import TOPIC_INTERACTIONS
from esante.services.subscriptions.model import PayloadContent, Subscription, SubscriptionRequest
from esante.services.subscriptions.resources import (
    SEARCH_PARAMS,
    notification,
    status_parameters,
    subscription_resource,
)
from esante.services.subscriptions.service import Subscriptions
from esante.services.subscriptions.subscription_parser import parse_subscription
from esante.services.subscriptions.topics import TOPICS

MAX_BODY = 64 * 1024
"""The most bytes of a request's body."""
_NUMBER = re.compile(r"[0-9]{1,18}")
_MAX_NUMBER = 2**63 - 1
Pairs = Sequence[tuple[str, str]]


def routes(subscriptions: Subscriptions, access: Access) -> list[Route]:
    """Return the routes under /fhir/Subscription."""
    endpoints = _SubscriptionEndpoints(subscriptions, access)

    async def search_by_post(request: Request) -> Response:
        return await endpoints.search(await convert_posted_search(request))

    both = ["GET", "POST"]
    return [
        Route("/fhir/Subscription", endpoints.search, methods=["GET"]),
        Route("/fhir/Subscription", endpoints.create, methods=["POST"]),
        Route("/fhir/Subscription/_search", search_by_post, methods=["POST"]),
        Route("/fhir/Subscription/$status", endpoints.all_status, methods=both),
        Route("/fhir/Subscription/{id}", endpoints.read, methods=["GET"]),
        Route("/fhir/Subscription/{id}", endpoints.update, methods=["PUT"]),
        Route("/fhir/Subscription/{id}", endpoints.delete, methods=["DELETE"]),
        Route("/fhir/Subscription/{id}/$status", endpoints.status, methods=both),
        Route("/fhir/Subscription/{id}/$events", endpoints.events, methods=both),
    ]


@dataclass(frozen=True, slots=True)
class _SubscriptionEndpoints:
    subscriptions: Subscriptions
    access: Access

    async def create(self, request: Request) -> Response:
        """Create a subscription; the handshake follows at once."""
        requester = await self.access.authorize(request, "Subscription", "c")
        checked = await _read_subscription(request)
        if not checked.ok:
            return _respond(operation_outcome(checked.issues), 422)
        parsed = self._parse(requester, checked.resource)
        owner = await self.access.authorize(request, TOPICS[parsed.topic].resource, TOPIC_INTERACTIONS)
        created = await self.subscriptions.create(owner, parsed)
        location = f"{self.subscriptions.base_url}/Subscription/{created.id}"
        return _respond(subscription_resource(created), 201, created, Location=location)

    async def read(self, request: Request) -> Response:
        """Return one of the requester's subscriptions."""
        requester = await self.access.authorize(request, "Subscription", "r")
        subscription = await self.subscriptions.get(requester, _subscription_id(request))
        return _respond(subscription_resource(subscription), 200, subscription)

    async def update(self, request: Request) -> Response:
        """Turn a subscription off, request it again, or change its end, reason, contact or headers."""
        requester = await self.access.authorize(request, "Subscription", "u")
        subscription_id = _subscription_id(request)
        checked = await _read_subscription(request)
        if not checked.ok:
            return _respond(operation_outcome(checked.issues), 422)
        await self.subscriptions.get(requester, subscription_id)
        if checked.resource.get("id") != request.path_params["id"]:
            title, remedy = N_("The id does not match the id in the address."), N_("Use the same id.")
            raise bad_request("Subscription.id", title, remedy, status=422)
        parsed = self._parse(requester, checked.resource)
        updated = await self.subscriptions.update(requester, subscription_id, parsed, _if_match(request))
        return _respond(subscription_resource(updated), 200, updated)

    async def delete(self, request: Request) -> Response:
        """End a subscription, and delete it."""
        requester = await self.access.authorize(request, "Subscription", "d")
        await self.subscriptions.remove(requester, _subscription_id(request))
        return Response(status_code=204)

    async def search(self, request: Request) -> Response:
        """Search the requester's subscriptions, newest first."""
        requester = await self.access.authorize(request, "Subscription", "s")
        params = SearchParams(request, SEARCH_PARAMS)
        found = [one for one in await self.subscriptions.list_own(requester) if _matches(one, params)]
        start = decode_offset_cursor(params.cursor)
        end = start + params.count
        base = self.subscriptions.base_url
        following = encode_cursor(end) if params.count and end < len(found) else None
        return _respond(
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
        """Return the status of one subscription."""
        requester = await self.access.authorize(request, "Subscription", "r")
        await _read_parameters(request)
        return self._statuses([await self.subscriptions.get(requester, _subscription_id(request))], request)

    async def all_status(self, request: Request) -> Response:
        """Return the status of all the requester's subscriptions, or of those with an id or a status."""
        requester = await self.access.authorize(request, "Subscription", "r")
        params = await _read_parameters(request)
        ids = {part for name, value in params if name == "id" for part in value.split(",")}
        statuses = {part for name, value in params if name == "status" for part in value.split(",")}
        found = [
            one
            for one in await self.subscriptions.list_own(requester)
            if (not ids or str(one.id) in ids) and (not statuses or one.status.value in statuses)
        ]
        return self._statuses(found, request)

    async def events(self, request: Request) -> Response:
        """Return the events from one number to another that the requester may see now."""
        requester = await self.access.authorize(request, "Subscription", "r")
        known = await self.subscriptions.get(requester, _subscription_id(request))
        owner = await self.access.authorize(request, TOPICS[known.request.topic].resource, TOPIC_INTERACTIONS)
        params = await _read_parameters(request)
        first = _parse_number(params, "eventsSinceNumber", 1)
        last = _parse_number(params, "eventsUntilNumber", _MAX_NUMBER)
        content = _parse_content(params, known)
        current, events = await self.subscriptions.events(owner, known.id, first, last)
        base = self.subscriptions.base_url
        return _respond(notification(current, base, "query-event", events, content=content))

    def _parse(self, requester: Requester, resource: Json) -> SubscriptionRequest:
        own_id = requester.id if requester.kind == "patient" else None
        return parse_subscription(resource, self.subscriptions.base_url, own_id, self.subscriptions.policy)

    def _statuses(self, found: Sequence[Subscription], request: Request) -> Response:
        base = self.subscriptions.base_url
        entries = []
        for one in found:
            status = status_parameters(one, base, "query-status", content=PayloadContent.ID_ONLY)
            urn = f"urn:uuid:{status['id']}"
            entries.append({"fullUrl": urn, "resource": status, "search": {"mode": "match"}})
        link = {"relation": "self", "url": base + request.url.path.removeprefix("/fhir")}
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "link": [link]}
        return _respond(bundle | ({"entry": entries} if entries else {}))


def _respond(resource: Json, status: int = 200, of: Subscription | None = None, **headers: str) -> Response:
    """Return a response with a resource, and as its ETag the version of the subscription `of`."""
    tag = {"ETag": f'W/"{of.version}"'} if of else {}
    return Response(encode(resource), status, headers={**tag, **headers}, media_type=FHIR_JSON)


async def _read_subscription(request: Request) -> CheckResult:
    checked = check(await read_resource(request, MAX_BODY), expect="Subscription")
    require_whole(checked.resource)
    return checked


def _subscription_id(request: Request) -> UUID:
    """Return the id in the path, in its canonical form. Raises: `Problem` 404 for anything else."""
    text = request.path_params["id"]
    try:
        key = UUID(text)
    except ValueError:
        key = None
    if key is None or str(key) != text:
        raise Problem(404, "not-found", NOT_FOUND)
    return key


def _if_match(request: Request) -> Callable[[Subscription], None]:
    """Return the check of If-Match (http.html, "Managing Resource Contention"), which raises `Problem` 412."""
    wanted = request.headers.get("if-match")

    def check_version(subscription: Subscription) -> None:
        if wanted is not None and wanted.strip().removeprefix("W/").strip('"') != str(subscription.version):
            title, remedy = (
                N_("This is not the current version."),
                N_("Read the subscription again and change its current version."),
            )
            raise Problem(412, "conflict", title, place="If-Match", remedy=remedy)

    return check_version


def _matches(subscription: Subscription, params: SearchParams) -> bool:
    tests: dict[str, Callable[[str], bool]] = {
        "_id": lambda value: value == str(subscription.id),
        "criteria": subscription.request.topic.startswith,
        "status": lambda value: parse_token(value)[1] == subscription.status.value,
        "url": lambda value: value == subscription.request.endpoint.url,
    }
    return all(any(test(value) for value in values) for name, test in tests.items() for values in params.all(name))


async def _read_parameters(request: Request) -> Pairs:
    """Return the parameters of an operation, from the query and from a Parameters resource in the body.

    Raises: `Problem` 422 for a body that is not a Parameters resource.
    """
    pairs = list(request.query_params.multi_items())
    if request.method == "POST" and request.headers.get("content-length", "0") != "0":
        checked = check(await read_resource(request, MAX_BODY), expect="Parameters")
        if not checked.ok:
            issue = checked.issues[0]
            title, remedy = N_("These parameters are not valid for this operation."), N_("Send a Parameters resource.")
            place, detail = issue.expression, issue.diagnostics
            raise bad_request(place, title, remedy, status=422, code=issue.code, detail=detail)
        for parameter in checked.resource.get("parameter", ()):
            values = [value for name, value in parameter.items() if name.startswith("value")]
            pairs += [(parameter.get("name", ""), str(value)) for value in values]
    return pairs


def _parse_number(params: Pairs, name: str, default: int) -> int:
    """Return the value of a parameter that may be given once. Raises: `Problem` 400."""
    values = [value for given, value in params if given == name]
    if not values:
        return default
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]):
        raise bad_request(name, N_("This is not a whole number."), N_("Enter one number."), code="value")
    return int(values[0])


def _parse_content(params: Pairs, subscription: Subscription) -> PayloadContent:
    """Return the payload content that is asked for, by default the subscription's own. Raises: `Problem` 400."""
    text = next((value for name, value in params if name == "content"), subscription.request.content.value)
    if text not in set(PayloadContent):
        title = N_("Notifications cannot contain resources.")
        remedy = N_("Use id-only and fetch the resource with your own token. Access is then checked and logged.")
        raise bad_request("content", title, remedy, code="not-supported")
    return PayloadContent(text)
