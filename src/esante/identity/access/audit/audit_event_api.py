"""A person's access log as AuditEvents over FHIR R4: for the person, and for whom the access matrix lets read it."""

from datetime import datetime, timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import DateRange, SearchParams, fhir_response, searchset
from esante.core.journal import Entry, Journal
from esante.core.storage import NIL, uuid7_floor
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, decode_uuid_cursor, encode_cursor
from esante.identity.access.audit.access_log import log_types
from esante.identity.access.audit.audit_event import audit_event
from esante.identity.access.audit.log_scan import scan_entries
from esante.identity.access.events import LogRead, LogViewed
from esante.identity.access.model import Action, Item, Purpose, Requester, Verdict
from esante.identity.access.rules import ACCESS_LOG, decide
from esante.identity.access.service import Access

_PRECISION = timedelta(milliseconds=1)
"""The precision of the moments of AuditEvents."""
_READERS = ("patient", "practitioner")


def audit_event_routes(access: Access, journal: Journal, base_url: str) -> list[Route]:
    """Return the routes of AuditEvent; `base_url` is the platform's address as clients know it."""
    events = _AuditEventEndpoints(access, journal, base_url)
    return [Route("/fhir/AuditEvent", events.search), Route("/fhir/AuditEvent/{id}", events.read)]


def audit_event_capability() -> Json:
    """Return the entry of AuditEvent in CapabilityStatement.rest.resource."""
    return {
        "type": "AuditEvent",
        "documentation": "A patient's access log, in the shape of IHE BALP: for the patient, and for the professionals"
        " whom the access matrix lets read it.",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [
            {"name": "patient", "type": "reference", "documentation": "The patient whose log it is."},
            {"name": "date", "type": "date", "documentation": "When it was recorded."},
        ],
    }


class _AuditEventEndpoints:
    def __init__(self, access: Access, journal: Journal, base_url: str) -> None:
        self._access, self._journal, self._base_url = access, journal, base_url

    async def search(self, request: Request) -> Response:
        """Answer with a page of a person's entries, newest first; none of a person whose log is not to be read."""
        requester = await self._authorize(request, "s")
        fhir_url = f"{self._base_url}/fhir"
        params = SearchParams(request, {"patient", "date"})
        patient, count = params.get("patient"), params.count
        if patient is None:
            raise bad_request(
                "patient", N_("The parameter patient is missing."), N_("Enter the patient's id."), code="required"
            )
        person_id = _parse_uuid(patient.removeprefix("Patient/"))
        entries: list[Entry] = []
        following = None
        if count and await self._may_read(requester, person_id, journalled=params.cursor is None):
            entries, following = await _fetch_entries(
                self._journal, person_id, params.dates("date"), params.cursor, count
            )
        return fhir_response(
            searchset(
                [audit_event(entry, self._base_url) for entry in entries],
                self_url=params.self_url(fhir_url),
                base_url=fhir_url,
                next_url=params.next_url(fhir_url, following),
                outcome=params.outcome,
            )
        )

    async def read(self, request: Request) -> Response:
        """Answer with one entry of a person."""
        requester = await self._authorize(request, "r")
        keys = parse_logical_id(request.path_params["id"])
        entry = None
        if keys and await self._may_read(requester, keys[0], journalled=requester.kind != "patient"):
            entry = await self._journal.entry_of(*keys)
        if entry is None or entry.event is None or type(entry.event) not in log_types():
            raise Problem(404, "not-found", NOT_FOUND)
        return fhir_response(audit_event(entry, self._base_url))

    async def _authorize(self, request: Request, letter: str) -> Requester:
        requester = await self._access.authorize(request, "AuditEvent", letter)
        if requester.kind not in _READERS:
            raise Problem(
                403,
                "forbidden",
                N_("Only the patient and their referring doctor can see this access history."),
                remedy=N_("Sign in as the patient or as a professional."),
            )
        return requester

    async def _may_read(self, requester: Requester, person_id: UUID, *, journalled: bool) -> bool:
        """Return whether a requester may read a person's log; with `journalled`, journal that they do, or tried."""
        if requester.kind == "patient":
            own = person_id in await self._access.volumes(requester.id)
            if journalled and own:
                await self._journal.append_for(requester, LogRead(face="api"), person_id=person_id)
            return own
        consent = await self._access.consent(person_id)
        item, now = Item(category=ACCESS_LOG), clock.now()
        verdict = decide(consent, requester, Action.READ, item, Purpose.TREATMENT, now)
        if journalled:
            await self._journal.append_for(requester, _viewed(verdict), person_id=person_id)
        return verdict.allowed


def _viewed(verdict: Verdict) -> LogViewed:
    return LogViewed(
        allowed=verdict.allowed,
        rule=verdict.rule,
        reason=verdict.reason,
        grant_id=verdict.grant.id if verdict.grant else None,
        grant_kind=verdict.grant.kind.value if verdict.grant else "",
        context=verdict.context,
        categories=(ACCESS_LOG,),
    )


async def _fetch_entries(
    journal: Journal, person_id: UUID, dates: list[DateRange], cursor: str | None, count: int
) -> tuple[list[Entry], str | None]:
    """Return a page of a person's entries that were recorded in all of `dates`, and the cursor of the next page."""
    before = decode_uuid_cursor(cursor)
    latest = [found.high for found in dates if found.prefix in ("eq", "lt", "le", "eb")]
    if latest and before is None:
        before = uuid7_floor(min(latest))
    earliest = [found.low for found in dates if found.prefix in ("eq", "gt", "ge", "sa")]

    def wanted(entry: Entry) -> bool:
        in_time = all(found.matches(entry.at, entry.at + _PRECISION) for found in dates)
        return in_time and entry.event is not None

    since: datetime | None = max(earliest) if earliest else None
    page = await scan_entries(journal, [person_id], log_types(), wanted, before=before, since=since, limit=count)
    return page.items, encode_cursor(page.next) if page.next else None


def _parse_uuid(text: str) -> UUID:
    """Return the UUID of a text, or the nil UUID, which is nobody's."""
    try:
        return UUID(text)
    except ValueError:
        return NIL
