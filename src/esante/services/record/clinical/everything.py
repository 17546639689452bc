"""All of a person (Patient/$everything), and the document that a Composition stands for (Composition/$document).

Source: FHIR R4, patient-operation-everything.html, composition-operation-document.html.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir.rest import parse_date_range
from esante.core.fhir.search import Place
from esante.core.web import FHIR_JSON, N_, Problem, decode_cursor, encode_cursor
from esante.identity.access import Access, Requester
from esante.services.record import audit
from esante.services.record.clinical import responses
from esante.services.record.clinical.interactions import count_of, key, since_of, uuid_of
from esante.services.record.clinical.search_api import SearchFace
from esante.services.record.clinical_types import KEPT
from esante.services.record.documents.document_reference import document_reference
from esante.services.record.documents.service import Record
from esante.services.record.model import Filters, Order

Json = dict[str, Any]
_DOCUMENTS = "DocumentReference"
_PLACE = "resources"


@dataclass(frozen=True, slots=True)
class EverythingFace:
    """The endpoints of what is made of many resources; `base_url` is the address of /fhir."""

    record: Record
    searches: SearchFace
    access: Access
    base_url: str

    async def everything(self, request: Request) -> Response:
        """The patient, her resources and her documents, as far as they and the token reach."""
        requester = await self.access.caller(request, "Patient", "r")
        person_id, id_ = uuid_of(request.path_params["id"]), request.path_params["id"]
        wanted = _Wanted.of(request)
        entries: list[Json] = []
        following: str | None = None
        if person_id is not None:
            entries, following = await self._page(requester, person_id, wanted)
        if not entries and wanted.cursor is None and not wanted.narrowed:
            raise audit.not_found()
        path, pairs = f"Patient/{id_}/$everything", request.query_params.multi_items()
        links = {"self": responses.url(self.base_url, path, pairs)}
        if following is not None:
            kept = [pair for pair in pairs if pair[0] != "_cursor"]
            links["next"] = responses.url(self.base_url, path, [*kept, ("_cursor", following)])
        return responses.bundle("searchset", entries, links=links)

    async def _page(self, requester: Requester, person_id: UUID, wanted: "_Wanted") -> tuple[list[Json], str | None]:
        """First the patient and her resources, by type and key; then her documents."""
        if wanted.cursor is None or wanted.after is not None:
            entries = await self._patient(requester, person_id, wanted) if wanted.cursor is None else []
            resources, following = await self._resources(requester, person_id, wanted)
            return entries + resources, following
        return await self._documents(requester, person_id, wanted)

    async def _patient(self, requester: Requester, person_id: UUID, wanted: "_Wanted") -> list[Json]:
        if not wanted.has("Patient"):
            return []
        found = await self.searches.outside.patient(requester, person_id)
        return [self._entry("Patient", str(person_id), orjson.dumps(one)) for one in found]

    async def _resources(
        self, requester: Requester, person_id: UUID, wanted: "_Wanted"
    ) -> tuple[list[Json], str | None]:
        types = self.searches.types(requester, "Patient", [()])
        readable = sorted(one for one in KEPT if wanted.has(one) and (types is None or one in types))
        rows = await self.record.clinical.everything(
            requester,
            person_id,
            types,
            readable,
            since=wanted.since,
            start=wanted.start,
            end=wanted.end,
            after=wanted.after,
            limit=wanted.count + 1,
        )
        shown = rows[: wanted.count]
        entries = [self._entry(row.type, person_id.hex + row.id.hex, row.body) for row in shown]
        if len(rows) > wanted.count and shown:
            return entries, encode_cursor(_PLACE, shown[-1].type, shown[-1].id.hex)
        reaches = self.access.within(requester, _DOCUMENTS, "r") == [()] and wanted.has(_DOCUMENTS)
        return entries, encode_cursor(_DOCUMENTS, "", "") if reaches else None

    async def _documents(
        self, requester: Requester, person_id: UUID, wanted: "_Wanted"
    ) -> tuple[list[Json], str | None]:
        if self.access.within(requester, _DOCUMENTS, "r") != [()]:
            return [], None
        timeline = await self.record.timeline(
            requester,
            person_id,
            Filters(since=wanted.day(wanted.start), until=wanted.day(wanted.end)),
            cursor=wanted.documents_cursor,
            limit=wanted.count,
            order=Order.DEPOSITED,
            matching=lambda document: wanted.since is None or document.changed_at > wanted.since,
        )
        entries = [
            self._entry(_DOCUMENTS, one.key, orjson.dumps(document_reference(one, self.base_url)))
            for one in timeline.documents
        ]
        return entries, encode_cursor(_DOCUMENTS, timeline.next, "") if timeline.next else None

    def _entry(self, type_: str, id_: str, body: bytes) -> Json:
        return responses.entry(self.base_url, type_, id_, body, "match")

    async def document(self, request: Request) -> Response:
        """The document that a Composition was taken from, byte for byte as it came in (ITI-68)."""
        requester = await self.access.caller(request, "Composition", "r")
        await self.access.caller(request, "Bundle", "r")
        person_id, id_ = key(request)
        composition = await self.record.clinical.read(requester, "Composition", (person_id, id_))
        if composition.version:
            raise Problem(
                422,
                "not-supported",
                N_("This Composition was not taken from a document."),
                place="Composition",
                remedy=N_("Read the Composition and what it refers to."),
            )
        _, content = await self.record.content(requester, person_id, composition.source)
        return Response(content, media_type=FHIR_JSON)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is asked for of everything."""

    types: frozenset[str]
    count: int
    since: datetime | None
    start: str
    end: str
    cursor: tuple[str, str, str] | None

    @classmethod
    def of(cls, request: Request) -> "_Wanted":
        """From the parameters of a request; Problem 400."""
        params = request.query_params
        unknown = next((name for name in params if name not in _PARAMETERS), None)
        if unknown is not None and "handling=strict" in request.headers.get("prefer", ""):
            raise Problem(
                400,
                "not-supported",
                N_("This search parameter is not supported."),
                place=unknown[:64],
                remedy=N_("See /fhir/metadata."),
            )
        return cls(
            types=frozenset(filter(None, ",".join(params.getlist("_type")).split(","))),
            count=max(1, count_of(params.get("_count"))),
            since=since_of(params.get("_since")),
            start=_date(params.get("start"), "start"),
            end=_date(params.get("end"), "end"),
            cursor=_cursor(params.get("_cursor")),
        )

    @property
    def narrowed(self) -> bool:
        """Whether less than all is asked for."""
        return bool(self.types or self.since or self.start or self.end)

    def has(self, type_: str) -> bool:
        """Whether resources of a type are asked for."""
        return not self.types or type_ in self.types

    @property
    def after(self) -> Place | None:
        """Where a page of resources begins."""
        return (self.cursor[1], UUID(hex=self.cursor[2])) if self.cursor and self.cursor[0] == _PLACE else None

    @property
    def documents_cursor(self) -> str | None:
        """Where a page of documents begins."""
        return self.cursor[1] or None if self.cursor else None

    @staticmethod
    def day(text: str) -> date | None:
        """The day on which a date begins."""
        return parse_date_range(text).low.date() if text else None


_PARAMETERS = frozenset({"_type", "_count", "_since", "_cursor", "_format", "_pretty", "start", "end"})


def _date(text: str | None, name: str) -> str:
    """A date without prefix."""
    if (text and parse_date_range(text, name).prefix != "eq") or (text and not text[:1].isdigit()):
        raise Problem(400, "invalid", N_("This is not a date."), place=name, remedy=N_("Give a date without prefix."))
    return text or ""


def _cursor(text: str | None) -> tuple[str, str, str] | None:
    if text is None:
        return None
    kind, first, second = (str(part) for part in decode_cursor(text, str, str, str))
    if kind == _DOCUMENTS or (kind == _PLACE and uuid_of(second) is not None):
        return kind, first, second
    raise audit.no_such_page()
