"""The operations Patient/$everything and Composition/$document.

Source: FHIR R4, patient-operation-everything.html, composition-operation-document.html.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir.rest import handling_preference, ignored_parameters, parse_date_range
from esante.core.fhir.search import ResourceKey
from esante.core.types import Json
from esante.core.web import FHIR_JSON, N_, bad_request, decode_cursor, encode_cursor, no_such_page
from esante.identity.access import Access, Requester
from esante.services.record import errors
from esante.services.record.clinical import responses
from esante.services.record.clinical.request_parameters import logical_id_of, parse_count, parse_since, uuid_of
from esante.services.record.clinical.search_api import SearchEndpoints
from esante.services.record.clinical_types import KEPT
from esante.services.record.documents.document_reference import document_reference
from esante.services.record.documents.service import Record
from esante.services.record.model import Filters, Order

_PATIENT = "Patient"
_DOCUMENTS = "DocumentReference"
_RESOURCES = "resources"
"""The first part of a cursor within the resources; of one within the documents it is `_DOCUMENTS`."""
_PARAMETERS = frozenset({"_type", "_count", "_since", "_cursor", "_format", "_pretty", "start", "end"})


@dataclass(frozen=True, slots=True)
class EverythingEndpoints:
    """The endpoints of operations on many resources; `base_url` is the address of /fhir."""

    record: Record
    searches: SearchEndpoints
    access: Access
    base_url: str

    async def everything(self, request: Request) -> Response:
        """Return the patient, their resources and their documents, as far as access and the token allow."""
        requester = await self.access.authorize(request, "Patient", "r")
        person_id, id_ = uuid_of(request.path_params["id"]), request.path_params["id"]
        params = _EverythingParams.of(request)
        entries: list[Json] = []
        following: str | None = None
        if person_id is not None:
            entries, following = await self._page(requester, person_id, params)
        if not entries and params.cursor is None and not params.is_filtered:
            raise errors.not_found()
        path, pairs = f"Patient/{id_}/$everything", request.query_params.multi_items()
        links = {"self": responses.build_url(self.base_url, path, pairs)}
        if following is not None:
            kept = [pair for pair in pairs if pair[0] != "_cursor"]
            links["next"] = responses.build_url(self.base_url, path, [*kept, ("_cursor", following)])
        if params.ignored:
            entries.append({"resource": ignored_parameters(params.ignored), "search": {"mode": "outcome"}})
        return responses.bundle_response("searchset", entries, links=links)

    async def _page(
        self, requester: Requester, person_id: UUID, params: "_EverythingParams"
    ) -> tuple[list[Json], str | None]:
        """Return the entries of a page and the next cursor: the patient, resources by type and key, then documents."""
        if params.cursor is None or params.after is not None:
            entries = await self._patient(requester, person_id, params) if params.cursor is None else []
            resources, following = await self._resources(requester, person_id, params)
            return entries + resources, following
        return await self._documents(requester, person_id, params)

    async def _patient(self, requester: Requester, person_id: UUID, params: "_EverythingParams") -> list[Json]:
        if not params.includes(_PATIENT):
            return []
        found = await self.searches.directory_references.read_patient(requester, person_id)
        return [self._entry(_PATIENT, str(person_id), orjson.dumps(one)) for one in found]

    async def _resources(
        self, requester: Requester, person_id: UUID, params: "_EverythingParams"
    ) -> tuple[list[Json], str | None]:
        types = self.searches.allowed_types(requester, _PATIENT, [()])
        readable = sorted(one for one in KEPT if params.includes(one) and (types is None or one in types))
        rows = await self.record.clinical.read_everything(
            requester,
            person_id,
            types,
            readable,
            since=params.since,
            start=params.start,
            end=params.end,
            after=params.after,
            limit=params.count + 1,
        )
        shown = rows[: params.count]
        entries = [self._entry(row.type, person_id.hex + row.id.hex, row.body) for row in shown]
        if len(rows) > params.count and shown:
            return entries, encode_cursor(_RESOURCES, shown[-1].type, shown[-1].id.hex)
        with_documents = self.access.covered_queries(requester, _DOCUMENTS, "r") == [()] and params.includes(
            _DOCUMENTS
        )
        return entries, encode_cursor(_DOCUMENTS, "", "") if with_documents else None

    async def _documents(
        self, requester: Requester, person_id: UUID, params: "_EverythingParams"
    ) -> tuple[list[Json], str | None]:
        if self.access.covered_queries(requester, _DOCUMENTS, "r") != [()]:
            return [], None
        timeline = await self.record.timeline(
            requester,
            person_id,
            Filters(since=_first_day(params.start), until=_first_day(params.end)),
            cursor=params.documents_cursor,
            limit=params.count,
            order=Order.DEPOSITED,
            matching=lambda document: params.since is None or document.changed_at > params.since,
        )
        entries = [
            self._entry(_DOCUMENTS, one.key, orjson.dumps(document_reference(one, self.base_url)))
            for one in timeline.documents
        ]
        return entries, encode_cursor(_DOCUMENTS, timeline.next, "") if timeline.next else None

    def _entry(self, type_: str, id_: str, body: bytes) -> Json:
        return responses.searchset_entry(self.base_url, type_, id_, body, "match")

    async def document(self, request: Request) -> Response:
        """Return the document that a Composition comes from, byte for byte as it was deposited (ITI-68)."""
        requester = await self.access.authorize(request, "Composition", "r")
        await self.access.authorize(request, "Bundle", "r")
        person_id, id_ = logical_id_of(request)
        composition = await self.record.clinical.read(requester, "Composition", (person_id, id_))
        if composition.version:
            raise bad_request(
                "Composition",
                N_("This Composition does not come from a document."),
                N_("Read the Composition and the resources it refers to."),
                status=422,
                code="not-supported",
            )
        document_id = await self.record.document_of(person_id, composition.source)
        _, content = await self.record.content(requester, person_id, document_id)
        return Response(content, media_type=FHIR_JSON)


@dataclass(frozen=True, slots=True)
class _EverythingParams:
    """The parameters of $everything; `start` and `end` are FHIR dates, "" for none."""

    types: frozenset[str]
    count: int
    since: datetime | None
    start: str
    end: str
    cursor: tuple[str, str, str] | None
    ignored: tuple[str, ...]

    @classmethod
    def of(cls, request: Request) -> "_EverythingParams":
        """Parse the parameters of a request. Raises: `Problem` 400."""
        params = request.query_params
        unknown = tuple(name[:64] for name in params if name not in _PARAMETERS)
        if unknown and handling_preference(request.headers) == "strict":
            raise bad_request(
                unknown[0],
                N_("This search parameter is not supported."),
                N_("See /fhir/metadata."),
                code="not-supported",
            )
        return cls(
            types=frozenset(filter(None, ",".join(params.getlist("_type")).split(","))),
            count=max(1, parse_count(params.get("_count"))),
            since=parse_since(params.get("_since")),
            start=_parse_date(params.get("start"), "start"),
            end=_parse_date(params.get("end"), "end"),
            cursor=_parse_cursor(params.get("_cursor")),
            ignored=unknown,
        )

    @property
    def is_filtered(self) -> bool:
        """Whether the request is for a part of the resources only."""
        return bool(self.types or self.since or self.start or self.end)

    def includes(self, type_: str) -> bool:
        """Return whether the request is for resources of a type."""
        return not self.types or type_ in self.types

    @property
    def after(self) -> ResourceKey | None:
        """The place after which a page of resources begins."""
        return (self.cursor[1], UUID(hex=self.cursor[2])) if self.cursor and self.cursor[0] == _RESOURCES else None

    @property
    def documents_cursor(self) -> str | None:
        """The cursor of the document list at which a page of documents begins."""
        return self.cursor[1] or None if self.cursor else None


def _first_day(text: str) -> date | None:
    """Return the day on which a FHIR date begins; None for ""."""
    return parse_date_range(text).first_day if text else None


def _parse_date(text: str | None, name: str) -> str:
    """Return a FHIR date without prefix; "" for none. Raises: `Problem` 400."""
    if (text and parse_date_range(text, name).prefix != "eq") or (text and not text[:1].isdigit()):
        raise bad_request(name, N_("This is not a valid date."), N_("Enter a date without a prefix."))
    return text or ""


def _parse_cursor(text: str | None) -> tuple[str, str, str] | None:
    """Return the parts of a cursor: its kind, then a type and key, or a cursor of documents. Raises: `Problem` 400."""
    if text is None:
        return None
    kind, first, second = decode_cursor(text, str, str, str)
    if kind == _DOCUMENTS or (kind == _RESOURCES and uuid_of(second) is not None):
        return kind, first, second
    raise no_such_page()
