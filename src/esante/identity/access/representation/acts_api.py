"""The JSON API by which oppositions, representations and statements about capacity are recorded and ended.

For operators, professionals and holders; who may do what, the use cases say. The scopes are those of Consent.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Literal, TypeVar
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.storage import NIL
from esante.core.time_zone import today
from esante.core.web import N_, bad_request, read_body
from esante.identity.access.consent.oppositions import care_opposition
from esante.identity.access.model import Against, Opposition, Requester
from esante.identity.access.representation.model import Capacity, CapacityKind, Representation, RepresentationKind
from esante.identity.access.service import Access

_MAX_BODY = 16 * 1024
T = TypeVar("T")


class _NewRepresentation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """That `representative` acts for the person; `act`: what it rests on. Days are inclusive."""

    kind: RepresentationKind
    representative: UUID
    act: str
    since: date | None = None
    until: date | None = None


class _NewCapacity(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a professional states about the person's capacity; `classes`: document classes (none: everything)."""

    kind: CapacityKind
    reason: str
    classes: list[str] = []
    since: date | None = None
    until: date | None = None


class _NewOpposition(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An opposition about care on some days, or (`series`) about a document.

    `depositor`: only of a holder's own opposition. `risk_confirmed`: the person was told of the risk and confirmed it.
    """

    against: Against
    depositor: UUID | None = None
    depositor_kind: Literal["practitioner", "organization"] = "organization"
    document_class: str = ""
    care_from: date | None = None
    care_until: date | None = None
    series: UUID | None = None
    risk_confirmed: bool = False


def act_routes(access: Access) -> list[Route]:
    """Return the routes of this API."""
    api = _Acts(access)
    person = "/api/persons/{person_id:uuid}"
    return [
        Route(f"{person}/representations", api.endpoint("c", api.record), methods=["POST"]),
        Route(f"{person}/capacity", api.endpoint("c", api.state_capacity), methods=["POST"]),
        Route(f"{person}/oppositions", api.endpoint("c", api.oppose), methods=["POST"]),
        Route(f"{person}/representations/{{id:uuid}}", api.endpoint("d", api.end), methods=["DELETE"]),
        Route(f"{person}/capacity/{{id:uuid}}", api.endpoint("d", api.end), methods=["DELETE"]),
        Route(f"{person}/oppositions/{{id:uuid}}", api.endpoint("d", api.lift), methods=["DELETE"]),
    ]


class _Acts:
    def __init__(self, access: Access) -> None:
        self._access = access

    def endpoint(
        self, letter: str, act: Callable[[Request, Requester, UUID], Awaitable[UUID | None]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of an act, which answers with the key of what was recorded (201), or nothing (204)."""

        async def respond(request: Request) -> Response:
            requester = await self._access.authorize(request, "Consent", letter)
            made = await act(request, requester, request.path_params["person_id"])
            return JSONResponse({"id": str(made)}, 201) if made else Response(status_code=204)

        return respond

    async def record(self, request: Request, requester: Requester, person_id: UUID) -> UUID:
        """Record that somebody acts for a person."""
        new = await _read(request, _NewRepresentation)
        representation = Representation(
            id=NIL,
            kind=new.kind,
            representative_id=new.representative,
            since=new.since or today(),
            until=new.until,
        )
        return (await self._access.representations.record(requester, person_id, representation, new.act)).id

    async def state_capacity(self, request: Request, requester: Requester, person_id: UUID) -> UUID:
        """Record a statement about a person's capacity."""
        new = await _read(request, _NewCapacity)
        capacity = Capacity(
            id=NIL, kind=new.kind, classes=tuple(new.classes), since=new.since or today(), until=new.until
        )
        return (await self._access.representations.state_capacity(requester, person_id, capacity, new.reason)).id

    async def oppose(self, request: Request, requester: Requester, person_id: UUID) -> UUID:
        """Record an opposition: of the requester's own, or on the word of the person."""
        new = await _read(request, _NewOpposition)
        if new.series:
            opposition = Opposition(id=NIL, against=new.against, series_id=new.series)
        else:
            opposition = care_opposition(new.against, new.depositor, new.care_from, new.care_until, new.document_class)
        oppositions = self._access.oppositions
        if requester.id == person_id:
            made = await oppositions.oppose(
                requester, new.depositor_kind, opposition, risk_confirmed=new.risk_confirmed
            )
        else:
            made = await oppositions.record_on_word(
                requester, person_id, opposition, risk_confirmed=new.risk_confirmed
            )
        return made.id

    async def end(self, request: Request, requester: Requester, person_id: UUID) -> None:
        """End a representation or revoke a statement about capacity."""
        await self._access.representations.end(requester, person_id, request.path_params["id"])

    async def lift(self, request: Request, requester: Requester, person_id: UUID) -> None:
        """Lift an opposition of the requester's own."""
        await self._access.oppositions.lift(requester, request.path_params["id"])


async def _read(request: Request, type_: type[T]) -> T:
    """Return the JSON body of a request. Raises: Problem 400 that names the place of what is wrong."""
    try:
        return msgspec.json.decode(await read_body(request, _MAX_BODY), type=type_)
    except msgspec.DecodeError as error:  # ValidationError is one
        raise bad_request(
            "body", N_("This is not the JSON that is expected here."), code="structure", detail=str(error)[:200]
        ) from error
