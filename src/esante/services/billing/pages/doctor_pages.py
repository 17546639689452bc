"""The pages on which a professional bills: entry with live simulation, following, correction, their account."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, language_of, read_form, redirect, render, render_part
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.billing.adjudication.model import Adjudication
from esante.services.billing.adjudication.words import explain
from esante.services.billing.nomenclature import nomenclature
from esante.services.billing.note.service import days
from esante.services.billing.pages.note_form import (
    count_rows,
    new_values,
    read_values,
    replaced_id,
    request_of,
)
from esante.services.billing.payment.model import PAYEE_NAMES
from esante.services.billing.payment.payees import Payees
from esante.services.billing.pid.model import Confirmations, NoteRequest, Objection, PidUnavailable
from esante.services.billing.pid.service import ImmediatePayments
from esante.services.billing.ra.service import Reimbursements
from esante.services.billing.statements.billed_notes import BILLED_NAMES, BilledNotes

LIST, NEW, ACCOUNT = "/billing", "/billing/new", "/billing/account"
_DOCTOR = ("practitioner",)
_SHOWN_IN_FORM = (400, 403, 404, 409, 410, 422, 503)
_CONFIRMED = ("doctor", "patient", "personal_share")


class DoctorPages:
    """The pages of billing for professionals."""

    def __init__(
        self,
        billed: BilledNotes,
        pid: ImmediatePayments,
        reimbursements: Reimbursements,
        payees: Payees,
        directory: Directory,
        access: Access,
    ) -> None:
        self._billed, self._pid, self._reimbursements = billed, pid, reimbursements
        self._payees, self._directory, self._access = payees, directory, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        one, simulation = f"{LIST}/notes/{{note_id:uuid}}", f"{LIST}/simulations/{{simulation_id:uuid}}"
        return [
            Route(LIST, self.listed),
            Route(NEW, self.new),
            Route(NEW, self.bill, methods=["POST"]),
            Route(f"{LIST}/preview", self.preview, methods=["POST"]),
            Route(ACCOUNT, self.account),
            Route(ACCOUNT, self.propose, methods=["POST"]),
            Route(simulation, self.simulation),
            Route(simulation, self.validate, methods=["POST"]),
            Route(f"{simulation}/contest", self.contest, methods=["POST"]),
            Route(one, self.show),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(f"{one}/correct", self.correct),
            Route(f"{one}/send", self.send_again, methods=["POST"]),
        ]

    # Following

    async def listed(self, request: Request) -> Response:
        """List the notes that were billed, the latest first, and what is owed back."""
        requester = await self._access.page_requester(request, _DOCTOR)
        biller = await self._billed.biller(requester)
        codes, query = self._billed.codes(biller), request.query_params
        since, until = _day(query.get("since", "")), _day(query.get("until", ""))
        return await render(
            request,
            "billing/billed.html",
            page=await self._billed.search(requester, days(since, until), query.get("cursor")),
            since=since.isoformat() if since else "",
            until=until.isoformat() if until else "",
            codes=codes,
            owed=[(code, await self._pid.payments.recoverable(code)) for code in codes],
            standings=BILLED_NAMES,
        )

    async def show(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a note: its lines with the decision, the payment, what the insurance said."""
        requester = await self._access.page_requester(request, _DOCTOR)
        billed, content, person = await self._billed.read(requester, request.path_params["note_id"])
        return await render(
            request,
            "billing/billed_note.html",
            problem.status if problem else 200,
            billed=billed,
            content=content,
            person=person,
            problem=problem,
            standings=BILLED_NAMES,
            decision=_decision(billed.adjudication, language_of(request)),
        )

    async def cancel(self, request: Request) -> Response:
        """Cancel a note, on the way on which it went."""
        requester = await self._access.page_requester(request, _DOCTOR)
        motive, note_id = str((await read_form(request)).get("motive", "")), request.path_params["note_id"]
        billed, content, _ = await self._billed.read(requester, note_id)
        try:
            if billed.payment is not None:
                await self._pid.reversals.cancel(requester, note_id, motive)
            else:
                biller = await self._billed.biller(requester)
                await self._reimbursements.cancel(requester, biller, content.patient.matricule, note_id, motive)
        except Problem as problem:
            return await self.show(request, _shown(problem))
        return redirect(f"{LIST}/notes/{note_id}")

    async def send_again(self, request: Request) -> Response:
        """Let what could not be delivered be tried again."""
        requester = await self._access.page_requester(request, _DOCTOR)
        await read_form(request)
        note_id: UUID = request.path_params["note_id"]
        _, content, _ = await self._billed.read(requester, note_id)
        biller = await self._billed.biller(requester)
        await self._reimbursements.send_again(requester, biller, content.patient.matricule, note_id)
        return redirect(f"{LIST}/notes/{note_id}")

    # Billing

    async def new(self, request: Request) -> Response:
        """Show an empty form."""
        requester = await self._access.page_requester(request, _DOCTOR)
        return await self._form(request, requester, new_values("", today()))

    async def correct(self, request: Request) -> Response:
        """Show the form with the lines of a note that it is to replace."""
        requester = await self._access.page_requester(request, _DOCTOR)
        billed, content, _ = await self._billed.read(requester, request.path_params["note_id"])
        values = new_values(content.patient.matricule, content.issued_on, content.biller.provider_code)
        values["replaces"] = str(billed.note.note_id)
        for row, line in enumerate(content.lines):
            code = "".join((*line.act.prefixes, line.act.code, *line.act.suffixes))
            values |= {f"code-{row}": code, f"quantity-{row}": str(line.quantity), f"place-{row}": line.place}
            values[f"on-{row}"] = line.period.start.isoformat()
        return await self._form(request, requester, values)

    async def bill(self, request: Request) -> Response:
        """Freeze the decision on the note of a form; where that cannot be had, offer the other way."""
        requester = await self._access.page_requester(request, _DOCTOR)
        form = await read_form(request)
        values = read_values(form)
        try:
            wanted, replaces_id = request_of(values), replaced_id(values)
            if form.get("way") == "ra":
                return await self._deposit(requester, wanted, replaces_id)
            simulation = await self._pid.simulate_request(requester, wanted, replaces_id=replaces_id)
        except Problem as problem:
            return await self._form(request, requester, values, _shown(problem))
        return redirect(f"{LIST}/simulations/{simulation.id}")

    async def _deposit(self, requester: Requester, wanted: NoteRequest, replaces_id: UUID | None) -> Response:
        """Deposit the note of a form for accelerated reimbursement, with the same UUID."""
        if replaces_id is not None:
            raise bad_request("way", N_("Cancel the other fee note first."), code="value")
        biller = await self._billed.biller(requester)
        note = await self._pid.priced(requester, wanted)
        progress = await self._reimbursements.deposit_note(requester, biller, note)
        return redirect(f"{LIST}/notes/{progress.note.note_id}")

    async def preview(self, request: Request) -> Response:
        """Show what the rules give on a form as it is being filled in; nothing is kept."""
        requester = await self._access.page_requester(request, _DOCTOR)
        values = read_values(await read_form(request))
        problem, adjudication = None, None
        try:
            adjudication = await self._pid.preview(requester, request_of(values))
        except Problem as error:
            problem = _shown(error)
        content = await render_part(
            request,
            "billing/preview.html",
            adjudication=adjudication,
            problem=problem,
            decision=_decision(adjudication, language_of(request)),
        )
        return Response(content, media_type="text/html", headers={"Cache-Control": "no-store"})

    async def _form(
        self, request: Request, requester: Requester, values: dict[str, str], problem: Problem | None = None
    ) -> Response:
        codes = self._billed.codes(await self._billed.biller(requester))
        if not values.get("provider_code") and codes:
            values["provider_code"] = codes[0]
        language, day = language_of(request), today()
        return await render(
            request,
            "billing/bill.html",
            problem.status if problem else 200,
            values=values,
            rows=range(count_rows(values)),
            codes=codes,
            problem=problem,
            unavailable=isinstance(problem, PidUnavailable),
            acts=[(act.code, act.labels.get(language, "")) for act in nomenclature().acts(day)],
            is_sample=nomenclature().is_sample,
        )

    async def simulation(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a frozen decision, to be confirmed."""
        requester = await self._access.page_requester(request, _DOCTOR)
        found = await self._pid.find(requester, request.path_params["simulation_id"])
        if found.payment is not None and problem is None:
            return redirect(f"{LIST}/notes/{found.simulation.note.id}")
        person = await self._directory.person(found.simulation.person_id)
        return await render(
            request,
            "billing/simulation.html",
            problem.status if problem else 200,
            simulation=found.simulation,
            recoverable=found.recoverable,
            person=person,
            problem=problem,
            contestations=await self._pid.contestations.of_simulation(found.simulation.id),
            decision=_decision(found.simulation.adjudication, language_of(request)),
        )

    async def validate(self, request: Request) -> Response:
        """Have the note of a simulation paid, with the three confirmations."""
        requester = await self._access.page_requester(request, _DOCTOR)
        form, simulation_id = await read_form(request), request.path_params["simulation_id"]
        given = Confirmations(**{name: form.get(name) == "yes" for name in _CONFIRMED})
        try:
            payment = await self._pid.validate(requester, simulation_id, given)
        except Problem as problem:
            return await self.simulation(request, _shown(problem))
        return redirect(f"{LIST}/notes/{payment.note_id}")

    async def contest(self, request: Request) -> Response:
        """Contest a finding of a simulation."""
        requester = await self._access.page_requester(request, _DOCTOR)
        form, simulation_id = await read_form(request), request.path_params["simulation_id"]
        try:
            finding_id = UUID(str(form.get("finding", "")))
        except ValueError:
            raise Problem(404, "not-found", NOT_FOUND) from None
        objection = Objection(finding_id=finding_id, code="1", text=str(form.get("text", "")))
        try:
            await self._pid.contest(requester, simulation_id, [objection])
        except Problem as problem:
            return await self.simulation(request, _shown(problem))
        return redirect(f"{LIST}/simulations/{simulation_id}")

    # The account

    async def account(
        self, request: Request, problem: Problem | None = None, values: Mapping[str, str] | None = None
    ) -> Response:
        """Show the accounts to which the requester is paid."""
        requester = await self._access.page_requester(request, _DOCTOR)
        biller = await self._billed.biller(requester)
        codes = self._billed.codes(biller)
        return await render(
            request,
            "billing/account.html",
            problem.status if problem else 200,
            codes=codes,
            names=PAYEE_NAMES,
            payees=[one for code in codes for one in await self._payees.of_provider(requester, code)],
            problem=problem,
            values=values or {"iban": "", "name": biller.name, "provider_code": codes[0] if codes else ""},
        )

    async def propose(self, request: Request) -> Response:
        """Name an account; the bank is asked whether the name is its holder's."""
        requester = await self._access.page_requester(request, _DOCTOR)
        form = await read_form(request)
        values = {name: str(form.get(name, ""))[:100] for name in ("iban", "name", "provider_code")}
        try:
            await self._payees.propose(requester, values["provider_code"], values["iban"], values["name"])
        except Problem as problem:
            return await self.account(request, _shown(problem), values)
        return redirect(ACCOUNT)


def _decision(adjudication: Adjudication | None, language: str) -> dict[str, object]:
    """Return what templates need of a decision: by line, and each finding with its words."""
    if adjudication is None:
        return {"lines": {}, "explanations": []}
    findings = [*adjudication.findings, *(one for line in adjudication.lines for one in line.findings)]
    return {
        "lines": {one.number: one for one in adjudication.lines},
        "explanations": [(finding, explain(finding, language)) for finding in findings],
    }


def _day(text: str) -> date | None:
    """Return the day in a field, None for none and for what is no day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _shown(problem: Problem) -> Problem:
    """Return a problem that a form shows; raise any other."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem
