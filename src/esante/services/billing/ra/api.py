"""The REST service of accelerated reimbursement under /ra/v1, path by path that of the agency (epione 3.0.0).

Beside it: `POST .../document/{id}/send` (try again what was given up) and `POST /cns/reimbursements` (the insurance
reports what it paid). Amounts are numbers as there, and in `amount` texts with two decimals.
"""

import asyncio
from base64 import b64encode
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from esante.core.web import N_, Page, Problem, decode_offset_cursor, language_of, read_body
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory, Person, Practitioner
from esante.services.billing.answers import NO_STORE, Endpoint, answering, fault_json
from esante.services.billing.note.model import NoteQuery
from esante.services.billing.note.package import MAX_ZIP
from esante.services.billing.note.pdf import note_pdf
from esante.services.billing.note.rules import is_insurance
from esante.services.billing.note.service import Notes, days
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.model import NoteConsent
from esante.services.billing.ra.parameters import (
    consent_of,
    consent_type_of,
    day_of_query,
    document_id_of,
    page_of,
    report_of,
    ssn_of,
)
from esante.services.billing.ra.service import Progress, Reimbursements
from esante.services.billing.ra.team import BillingTeam

PATH = "/ra/v1"
_MAX_JSON = 10_000
_BILLER = f"{PATH}/practitioner/{{eHealthId}}"
_DOCUMENT = f"{_BILLER}/person/{{ssn}}/document"
_PERSON = f"{PATH}/person/{{ssn}}"


class RaEndpoints:
    """The endpoints over the use cases."""

    def __init__(
        self,
        access: Access,
        directory: Directory,
        notes: Notes,
        reimbursements: Reimbursements,
        consents: NoteConsents,
        team: BillingTeam,
    ) -> None:
        self._access, self._directory, self._notes = access, directory, notes
        self._ra, self._consents, self._team = reimbursements, consents, team

    def routes(self) -> list[Route]:
        """Return the routes; every refusal is JSON with its cause."""
        listed: list[tuple[str, str, Endpoint]] = [
            ("POST", _DOCUMENT, self.deposit),
            ("GET", f"{_DOCUMENT}/{{idDocument}}", self.document_of_biller),
            ("PATCH", f"{_DOCUMENT}/{{idDocument}}", self.cancel),
            ("POST", f"{_DOCUMENT}/{{idDocument}}/send", self.send_again),
            ("GET", f"{_BILLER}/documents", self.documents_of_biller),
            ("GET", f"{_BILLER}/members", self.members),
            ("GET", f"{_BILLER}/member/{{identifier}}", self.member),
            ("POST", f"{_BILLER}/member/{{identifier}}", self.add_member),
            ("DELETE", f"{_BILLER}/member/{{identifier}}", self.remove_member),
            ("GET", f"{PATH}/person/info", self.person_info),
            ("GET", f"{_PERSON}/documents", self.documents_of_person),
            ("GET", f"{_PERSON}/cns/documents", self.documents_at_insurance),
            ("GET", f"{_PERSON}/document/{{idDocument}}", self.document),
            ("PUT", f"{_PERSON}/document/{{idDocument}}", self.send),
            ("GET", f"{_PERSON}/document/{{idDocument}}/pdf", self.pdf),
            ("GET", f"{_PERSON}/consents", self.consents),
            ("POST", f"{_PERSON}/consent", self.give_consent),
            ("GET", f"{_PERSON}/consent/{{consentType}}", self.consent),
            ("DELETE", f"{_PERSON}/consent/{{consentType}}", self.end_consent),
            ("POST", f"{PATH}/practitioner/{{ssn}}/consent", self.give_consent),
            ("GET", f"{PATH}/practitioner/{{ssn}}/consent/{{consentType}}", self.consent),
            ("POST", f"{PATH}/cns/reimbursements", self.report),
        ]
        return [Route(path, answering(endpoint), methods=[method]) for method, path, endpoint in listed]

    # Billers

    async def deposit(self, request: Request) -> Response:
        """Answer the deposit of a package."""
        requester, biller = await self._acting(request, "c")
        package = await read_body(request, MAX_ZIP)
        progress = await self._ra.deposit(requester, biller, ssn_of(request), package)
        return await self._answer(request, progress)

    async def cancel(self, request: Request) -> Response:
        """Answer the cancellation of a note; with a package in the body, its replacement."""
        requester, biller = await self._acting(request, "u")
        package = await read_body(request, MAX_ZIP)
        reason = unquote(request.headers.get("x-cancel-reason", ""))
        key = ssn_of(request), document_id_of(request)
        if package:
            progress = await self._ra.replace(requester, biller, *key, package, reason)
        else:
            progress = await self._ra.cancel(requester, biller, *key, reason)
        return await self._answer(request, progress)

    async def send_again(self, request: Request) -> Response:
        """Answer the wish to try again what was given up."""
        requester, biller = await self._acting(request, "u")
        progress = await self._ra.send_again(requester, biller, ssn_of(request), document_id_of(request))
        return await self._answer(request, progress)

    async def document_of_biller(self, request: Request) -> Response:
        """Answer with a note of a biller."""
        requester, _ = await self._acting(request, "r")
        return await self._document(request, requester)

    async def documents_of_biller(self, request: Request) -> Response:
        """Answer with a page of the notes of a biller."""
        requester, biller = await self._acting(request, "s")
        created = days(day_of_query(request, "createdFrom"), day_of_query(request, "createdTo"))
        page = await self._ra.of_biller(requester, biller, created, *page_of(request))
        return await self._list(request, page)

    async def members(self, request: Request) -> Response:
        """Answer with the team of a biller."""
        requester, ehealth_id = await self._requester(request, "r"), request.path_params["eHealthId"]
        members = await self._team.members(requester, ehealth_id)
        return _json({"eHealthId": ehealth_id, "members": [self._member(one) for one in members]})

    async def member(self, request: Request) -> Response:
        """Answer whether somebody is in the team of a biller."""
        return _json(self._member(await self._team.member(*await self._of_team(request, "r"))))

    async def add_member(self, request: Request) -> Response:
        """Answer the addition of somebody to the team of a biller."""
        await self._team.add(*await self._of_team(request, "u"))
        return Response(status_code=200, headers=NO_STORE)

    async def remove_member(self, request: Request) -> Response:
        """Answer the removal of somebody from the team of a biller."""
        await self._team.remove(*await self._of_team(request, "u"))
        return Response(status_code=200, headers=NO_STORE)

    # Persons

    async def person_info(self, request: Request) -> Response:
        """Answer a patient who they are."""
        requester = await self._requester(request, "r")
        person = await self._directory.person(requester.only_person_id) if requester.only_person_id else None
        if requester.kind != "patient" or person is None:
            raise Problem(403, "forbidden", N_("Only the person themselves can do this."))
        given = " ".join(person.given)
        return _json({"firstname": given, "lastname": person.family, "ssn": self._matricule(person)})

    async def document(self, request: Request) -> Response:
        """Answer with a note of a person."""
        return await self._document(request, await self._requester(request, "r"))

    async def documents_of_person(self, request: Request) -> Response:
        """Answer with a page of the notes of a person."""
        return await self._of_person_list(request, NoteQuery())

    async def documents_at_insurance(self, request: Request) -> Response:
        """Answer with a page of the notes of a person that the insurance has."""
        return await self._of_person_list(request, NoteQuery(sent=True))

    async def send(self, request: Request) -> Response:
        """Answer a patient who sends a note to the insurance."""
        requester, person = await self._of_person(request, "u")
        return await self._answer(request, await self._ra.send(requester, person.id, document_id_of(request)))

    async def pdf(self, request: Request) -> Response:
        """Answer with the PDF of a note."""
        requester, person = await self._of_person(request, "r")
        kept, note = await self._notes.read(requester, person.id, document_id_of(request), part="pdf")
        content = await asyncio.to_thread(note_pdf, note, None, language_of(request), kept.received_at)
        return Response(content, media_type="application/pdf", headers=NO_STORE)

    # Consents

    async def consents(self, request: Request) -> Response:
        """Answer with the consents of a person."""
        requester, person = await self._of_person(request, "r")
        found = await self._consents.of_person(requester, person.id)
        shown = [self._consent(one, ssn_of(request)) for one in found]
        return _json(shown) if shown else Response(status_code=204, headers=NO_STORE)

    async def consent(self, request: Request) -> Response:
        """Answer with a consent of a type."""
        requester, person = await self._of_person(request, "r")
        found = await self._consents.of_type(requester, person.id, consent_type_of(request.path_params["consentType"]))
        return _json(self._consent(found, ssn_of(request)))

    async def give_consent(self, request: Request) -> Response:
        """Answer a consent that is given."""
        requester, person = await self._of_person(request, "u")
        kind, until = consent_of(await read_body(request, _MAX_JSON))
        given = await self._consents.give(requester, person.id, kind, until)
        return _json(self._consent(given, ssn_of(request)))

    async def end_consent(self, request: Request) -> Response:
        """Answer a consent that is ended."""
        requester, person = await self._of_person(request, "u")
        await self._consents.end(requester, person.id, consent_type_of(request.path_params["consentType"]))
        return Response(status_code=200, headers=NO_STORE)

    # The insurance

    async def report(self, request: Request) -> Response:
        """Answer the insurance, which reports what it paid."""
        requester = await self._requester(request, "u")
        reported = report_of(await read_body(request, _MAX_JSON))
        return await self._answer(request, await self._ra.report(requester, *reported))

    # Parts

    async def _requester(self, request: Request, letters: str) -> Requester:
        return await self._access.authorize(request, "Claim", letters)

    async def _acting(self, request: Request, letters: str) -> tuple[Requester, Practitioner]:
        requester = await self._requester(request, letters)
        return await self._team.acting(requester, request.path_params["eHealthId"])

    async def _of_team(self, request: Request, letters: str) -> tuple[Requester, str, str]:
        requester = await self._requester(request, letters)
        return requester, request.path_params["eHealthId"], request.path_params["identifier"]

    async def _of_person(self, request: Request, letters: str) -> tuple[Requester, Person]:
        requester = await self._requester(request, letters)
        return requester, await self._ra.person(ssn_of(request))

    async def _of_person_list(self, request: Request, query: NoteQuery) -> Response:
        """Answer with notes of a person; to the insurance, nobody is somebody of whom it has no note."""
        requester = await self._requester(request, "s")
        try:
            person = await self._ra.person(ssn_of(request))
        except Problem as problem:
            if problem.status == 404 and is_insurance(requester):
                return _json([])
            raise
        return await self._list(request, await self._ra.of_person(requester, person.id, query, *page_of(request)))

    async def _document(self, request: Request, requester: Requester) -> Response:
        person = await self._ra.person(ssn_of(request))
        progress = await self._ra.progress(requester, person.id, document_id_of(request))
        body = await self._shown(request, progress)
        return _json(body | {"file": b64encode(await self._notes.body(progress.note)).decode()})

    async def _answer(self, request: Request, progress: Progress) -> Response:
        return _json(await self._shown(request, progress))

    async def _list(self, request: Request, page: Page[Progress]) -> Response:
        headers = dict(NO_STORE)
        if page.next is not None:
            _, size = page_of(request)
            number = decode_offset_cursor(page.next) // size
            following = request.url.include_query_params(page=number, size=size)
            headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
        persons = await self._directory.persons({one.note.person_id for one in page.items})
        billers = await self._directory.practitioners({one.note.biller_id for one in page.items})
        shown = [self._json_of(one, persons, billers, language_of(request)) for one in page.items]
        return JSONResponse(shown, headers=headers)

    async def _shown(self, request: Request, progress: Progress) -> dict[str, Any]:
        persons = await self._directory.persons([progress.note.person_id])
        billers = await self._directory.practitioners([progress.note.biller_id])
        return self._json_of(progress, persons, billers, language_of(request))

    def _json_of(
        self, one: Progress, persons: dict[UUID, Person], billers: dict[UUID, Practitioner], language: str
    ) -> dict[str, Any]:
        """Return a note as the Document of the interface, with what the platform adds."""
        note, how = one.note, one.reimbursement
        biller, person = billers.get(note.biller_id), persons.get(note.person_id)
        return {
            "uuid": str(note.note_id),
            "docType": "MH",
            "status": how.state.value,
            "isPaid": note.settled,
            "price": float(note.total),
            "amount": f"{note.total:.2f}",
            "memoireDate": f"{note.issued_on.isoformat()}T00:00:00Z",
            "createAt": note.received_at.isoformat(timespec="seconds"),
            "practitionerFirstname": " ".join(biller.given) if biller else "",
            "practitionerLastName": biller.family if biller else note.biller,
            "author": note.provider_code,
            "ssn": self._matricule(person) if person else "",
            "reimbursed": None if how.amount is None else f"{how.amount:.2f}",
            "reimbursedOn": how.reimbursed_on.isoformat() if how.reimbursed_on else None,
            "replaces": str(note.replaces_id) if note.replaces_id else None,
            "replacedBy": str(note.replaced_by_id) if note.replaced_by_id else None,
            "anomalies": [{"type": it.type, "code": it.code, "motif": it.reason} for it in how.anomalies],
            "remarks": [fault_json(it, language) for it in one.remarks],
            "failed": one.waiting.last_error if one.waiting and one.waiting.dead else None,
        }

    def _matricule(self, person: Person) -> str:
        uri = self._directory.catalogue.system("matricule").uri
        return next((one.value for one in person.identifiers if one.system == uri), "")

    def _member(self, member: Practitioner) -> dict[str, str]:
        uri = self._directory.catalogue.system("ehealth_id").uri
        number = next((one.value for one in member.identifiers if one.system == uri), "")
        return {"identifier": number or str(member.id), "name": member.name}

    @staticmethod
    def _consent(one: NoteConsent, ssn: str) -> dict[str, Any]:
        return {
            "type": one.type.value,
            "startAt": one.since.isoformat(timespec="seconds"),
            "endAt": one.until.isoformat(timespec="seconds"),
            "author": one.author,
            "ssn": ssn,
        }


def _json(body: Any) -> Response:
    return JSONResponse(body, headers=NO_STORE)
