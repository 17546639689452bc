"""Pages of operators: people of the directory and their sign-in, staff, recoveries."""

from datetime import date
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.core.web import (
    LANGUAGES,
    N_,
    NOT_FOUND,
    Problem,
    bad_request,
    read_form,
    redirect,
    render,
)
from esante.identity.access import Access, Requester
from esante.identity.directory import Address, Directory, Identifier, Person, Practitioner
from esante.identity.signin.accounts.service import Accounts
from esante.identity.signin.activation.codes import Activation
from esante.identity.signin.activation.letter import letter_pdf
from esante.identity.signin.model import HOLDER_KINDS, CodePurpose, Holder, RecoveryState
from esante.identity.signin.pages.form_values import form_value
from esante.identity.signin.passkeys.service import Passkeys
from esante.identity.signin.terms import sign_in_terms

PLACE = "/operator/accounts"
SEXES = ("female", "male", "other", "unknown")
_OPERATOR = ("operator",)
_TASK = "search:accounts"
_FIELDS = ("family", "given", "birth_date", "sex", "matricule", "line", "postal_code", "city", "language")
_MOST = 20


class OperatorPages:
    """The pages of operators."""

    def __init__(
        self,
        access: Access,
        directory: Directory,
        accounts: Accounts,
        activation: Activation,
        passkeys: Passkeys,
    ) -> None:
        self._access, self._directory, self._accounts = access, directory, accounts
        self._activation, self._passkeys = activation, passkeys

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = f"{PLACE}/{{kind:str}}/{{holder_id:uuid}}"
        recovery = f"{PLACE}/recoveries/{{recovery_id:uuid}}"
        return [
            Route(PLACE, self.search),
            Route(f"{PLACE}/register", self.register, methods=["GET", "POST"]),
            Route(f"{PLACE}/staff", self.staff, methods=["GET", "POST"]),
            Route(f"{PLACE}/staff/{{operator_id:uuid}}/end", self.end_operator, methods=["POST"]),
            Route(f"{PLACE}/recoveries", self.recoveries),
            Route(f"{recovery}/confirm", self.confirm_recovery, methods=["POST"]),
            Route(f"{recovery}/withdraw", self.withdraw_recovery, methods=["POST"]),
            Route(one, self.show),
            Route(f"{one}/letter", self.letter, methods=["POST"]),
            Route(f"{one}/recovery", self.ask_recovery, methods=["POST"]),
        ]

    async def search(self, request: Request) -> Response:
        """Find a person by a number of theirs, professionals by number or name."""
        requester = await self._access.page_requester(request, _OPERATOR)
        text = request.query_params.get("q", "").strip()[:60]
        person, found = None, []
        if text and any(char.isdigit() for char in text):
            person_id = await self._access.look_up_person(request, requester, _TASK, text)
            person = await self._directory.person(person_id)
            found = await self._directory.find_practitioners(None, text)
        elif text:
            found = list((await self._directory.search_practitioners(text, None, None, _MOST)).items)
        return await render(
            request, "signin/accounts.html", text=text, person=person, practitioners=found, place=PLACE
        )

    async def register(self, request: Request) -> Response:
        """Register a person in the directory."""
        requester = await self._access.page_requester(request, _OPERATOR)
        values, problem = dict.fromkeys(_FIELDS, ""), None
        if request.method == "POST":
            form = await read_form(request)
            values = {name: form_value(form, name) for name in _FIELDS}
            try:
                person = await self._directory.register_person(
                    self._person_of(values), actor=requester.actor, origin=requester.origin
                )
                return redirect(f"{PLACE}/patient/{person.id}")
            except Problem as error:
                if error.status not in (400, 409):
                    raise
                problem = error
        return await render(
            request,
            "signin/register.html",
            problem.status if problem else 200,
            values=values,
            problem=problem,
            sexes=SEXES,
            languages_=LANGUAGES,
            place=PLACE,
        )

    def _person_of(self, values: dict[str, str]) -> Person:
        """Return the person of a form; the directory checks the rest. Raises: Problem 400 for what is no day."""
        try:
            born = date.fromisoformat(values["birth_date"])
        except ValueError as error:
            raise bad_request(
                "birth_date", N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value"
            ) from error
        system = self._directory.catalogue.system("matricule").uri
        return Person(
            id=uuid7(),
            identifiers=(Identifier(system, values["matricule"].replace(" ", "")),),
            family=values["family"],
            given=tuple(values["given"].split()),
            birth_date=born,
            sex=values["sex"],
            address=Address(line=values["line"], postal_code=values["postal_code"], city=values["city"]),
            languages=(values["language"],) if values["language"] in LANGUAGES else (),
        )

    async def show(self, request: Request) -> Response:
        """Show whether somebody can sign in, and what an operator can do about it."""
        requester = await self._access.page_requester(request, _OPERATOR)
        holder, entry = await self._holder(request, requester)
        return await render(
            request,
            "signin/holder.html",
            holder=holder,
            entry=entry,
            passkeys=await self._passkeys.list_of(holder.id),
            code=await self._activation.find_open(holder.id),
            place=PLACE,
        )

    async def _holder(self, request: Request, requester: Requester) -> tuple[Holder, Person | Practitioner | None]:
        """Return the holder of a page with their entry in the directory; for a person the motive is asked first.

        Raises: Problem 303 to the page that asks for the motive, 404.
        """
        kind, holder_id = request.path_params["kind"], request.path_params["holder_id"]
        if kind not in HOLDER_KINDS:
            raise Problem(404, "not-found", NOT_FOUND)
        entry: Person | Practitioner | None = None
        if kind == "patient":
            await self._access.motives.require(request, f"person:{holder_id}")
            entry = await self._directory.read_person(holder_id, actor=requester.actor, origin=requester.origin)
        elif kind == "practitioner":
            entry = await self._directory.practitioner(holder_id)
        return await self._accounts.holder(requester, kind, holder_id), entry

    async def letter(self, request: Request) -> Response:
        """Issue the code for the first passkey; answer the letter that brings it, which exists only here."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        holder, entry = await self._holder(request, requester)
        code = await self._activation.issue_first(requester, holder)
        return await self._code_page(request, holder, entry, code, CodePurpose.ACTIVATION)

    async def _code_page(
        self,
        request: Request,
        holder: Holder,
        entry: Person | Practitioner | None,
        code: str,
        purpose: CodePurpose,
    ) -> Response:
        """Answer the letter with a code as PDF; for staff, who have no address in the directory, a page with it."""
        now = clock.now()
        until = now + sign_in_terms(today()).validity[purpose]
        if entry is None:
            page = self._accounts.activation_address
            return await render(
                request, "signin/code.html", holder=holder, code=code, until=until, place=PLACE, page=page
            )
        address = await self._address_of(entry)
        pdf = letter_pdf(entry, address, code, purpose, page=self._accounts.activation_address, until=until, at=now)
        name = quote(f"{entry.family}-{now:%Y%m%d}.pdf")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
        return Response(pdf, media_type="application/pdf", headers=headers)

    async def _address_of(self, entry: Person | Practitioner) -> Address:
        """Return the address of a person, of a practitioner that of their first workplace."""
        if isinstance(entry, Person):
            return entry.address
        day = today()
        places = [role.organization_id for role in entry.roles if role.is_in_force(day)]
        found = await self._directory.organizations(places[:1])
        return next((place.address for place in found.values()), Address())

    async def ask_recovery(self, request: Request) -> Response:
        """Ask for the recovery of an account."""
        requester = await self._access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        holder, _ = await self._holder(request, requester)
        await self._accounts.ask_recovery(requester, holder.kind, holder.id, form_value(form, "reason"))
        return redirect(f"{PLACE}/recoveries")

    async def recoveries(self, request: Request) -> Response:
        """List the recoveries, by default those that are open."""
        requester = await self._access.page_requester(request, _OPERATOR)
        state = request.query_params.get("state", RecoveryState.OPEN.value)
        if state not in ("all", *RecoveryState):
            raise Problem(404, "not-found", NOT_FOUND)
        text = request.query_params.get("q", "").strip()[:60]
        cursor = request.query_params.get("cursor") or None
        page = await self._accounts.recoveries(requester, text, "" if state == "all" else state, cursor)
        return await render(
            request,
            "signin/recoveries.html",
            page=page,
            text=text,
            state=state,
            requester=requester,
            place=PLACE,
        )

    async def confirm_recovery(self, request: Request) -> Response:
        """Confirm a recovery; answer the letter with the code."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        recovery, holder, code = await self._accounts.confirm_recovery(requester, request.path_params["recovery_id"])
        entry: Any = None
        if holder.kind == "patient":
            entry = await self._directory.person(holder.id)
        elif holder.kind == "practitioner":
            entry = await self._directory.practitioner(recovery.holder_id)
        return await self._code_page(request, holder, entry, code, CodePurpose.RECOVERY)

    async def withdraw_recovery(self, request: Request) -> Response:
        """Withdraw a recovery."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        await self._accounts.withdraw_recovery(requester, request.path_params["recovery_id"])
        return redirect(f"{PLACE}/recoveries")

    async def staff(self, request: Request) -> Response:
        """List the staff, and invite somebody."""
        requester = await self._access.page_requester(request, _OPERATOR)
        if request.method == "POST":
            form: FormData = await read_form(request)
            operator, code = await self._accounts.invite(requester, form_value(form, "name"))
            holder = Holder("operator", operator.operator_id, operator.name)
            return await self._code_page(request, holder, None, code, CodePurpose.ACTIVATION)
        text = request.query_params.get("q", "").strip()[:60]
        words = text.casefold().split()
        found = [
            one
            for one in await self._accounts.operators(requester)
            if all(word in one.name.casefold() for word in words)
        ]
        return await render(request, "signin/staff.html", operators=found, text=text, requester=requester, place=PLACE)

    async def end_operator(self, request: Request) -> Response:
        """Let an operator no longer sign in."""
        requester = await self._access.page_requester(request, _OPERATOR)
        await read_form(request)
        operator_id: UUID = request.path_params["operator_id"]
        if operator_id == requester.id:
            raise Problem(
                409,
                "conflict",
                N_("You cannot end your own account."),
                remedy=N_("Ask another operator."),
            )
        await self._accounts.end(requester, operator_id)
        return redirect(f"{PLACE}/staff")
