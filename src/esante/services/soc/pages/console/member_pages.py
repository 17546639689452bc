"""The pages of members: the list, admission, and one member with its quota, contacts and sources."""

from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.storage import parse_uuid
from esante.core.web import N_, Problem, bad_request, read_form, redirect, render
from esante.identity.access import Access
from esante.services.soc.console.members import MemberLists
from esante.services.soc.pages.console.source_words import INTERVALS, PLACES, interval_of, kind_of, words
from esante.services.soc.pages.page_words import (
    CONTACT,
    LANGUAGE_NAMES,
    MAX_WORDS,
    OPERATOR,
    page_requester,
    place_of,
    shown,
    text_of,
)
from esante.services.soc.sources.service import Sources
from esante.services.soc.tenants.service import DEFAULT_QUOTA, MAX_QUOTA, Tenants


class MemberPages:
    """What is seen and done about members."""

    def __init__(self, lists: MemberLists, tenants: Tenants, sources: Sources, access: Access) -> None:
        self._lists, self._tenants, self._sources, self._access = lists, tenants, sources, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        member = f"{OPERATOR}/members/{{tenant_id:uuid}}"
        return [
            Route(f"{OPERATOR}/members", self.listed),
            Route(f"{OPERATOR}/members/admit", self.admit, methods=["POST"]),
            Route(f"{CONTACT}/members", self.own),
            *(Route(f"{place}/members/{{tenant_id:uuid}}", self.member) for place in PLACES),
            *(
                Route(f"{place}/members/{{tenant_id:uuid}}/sources", self.add_source, methods=["POST"])
                for place in PLACES
            ),
            Route(member, self.change, methods=["POST"]),
            Route(f"{member}/contacts", self.add_contact, methods=["POST"]),
            *(
                Route(
                    f"{place}/members/{{tenant_id:uuid}}/contacts/{{practitioner_id:uuid}}/address",
                    self.set_address,
                    methods=["POST"],
                )
                for place in PLACES
            ),
            Route(f"{member}/contacts/{{practitioner_id:uuid}}/end", self.end_contact, methods=["POST"]),
        ]

    async def listed(self, request: Request, problem: Problem | None = None) -> Response:
        """List the members, and find organisations to admit."""
        requester, query = await page_requester(request, self._access), request.query_params
        text, wanted = (query.get(name, "").strip()[:MAX_WORDS] for name in ("q", "organization"))
        return await render(
            request,
            "soc/members.html",
            problem.status if problem else 200,
            problem=problem,
            page=await self._lists.page(requester, text, query.get("cursor") or None),
            text=text,
            wanted=wanted,
            found=await self._lists.admissible(requester, wanted),
            default_quota=DEFAULT_QUOTA,
            **words(request, requester),
        )

    async def own(self, request: Request) -> Response:
        """Lead a contact to their member."""
        scope = await self._lists.own(await page_requester(request, self._access))
        return redirect(f"{CONTACT}/members/{scope.tenant_id}")

    async def admit(self, request: Request) -> Response:
        """Make an organisation a member."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            tenant = await self._tenants.admit(requester, _key(form, "organization"), _quota(form))
        except Problem as problem:
            return await self.listed(request, shown(problem))
        return redirect(f"{OPERATOR}/members/{tenant.tenant_id}?saved=admitted")

    async def member(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a member: quota, contacts, sources, and the forms to change them."""
        requester, query = await page_requester(request, self._access), request.query_params
        tenant_id: UUID = request.path_params["tenant_id"]
        tenant = await self._tenants.tenant(requester, tenant_id)
        text = query.get("professional", "").strip()[:MAX_WORDS]
        is_operator = requester.kind == "operator"
        return await render(
            request,
            "soc/member.html",
            problem.status if problem else 200,
            problem=problem,
            values={name: text_of(form, name)[:MAX_WORDS] for name in form} if form else {},
            tenant=tenant,
            contacts=await self._tenants.contacts(requester, tenant_id),
            sources=await self._sources.all(requester, tenant_id),
            text=text,
            found=await self._lists.nameable(requester, tenant, text) if is_operator else [],
            most_quota=MAX_QUOTA,
            intervals=INTERVALS,
            language_names=LANGUAGE_NAMES,
            **words(request, requester),
        )

    async def change(self, request: Request) -> Response:
        """Change the quota of a member, and whether it is active."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        tenant_id: UUID = request.path_params["tenant_id"]
        try:
            await self._tenants.change(requester, tenant_id, is_active="active" in form, quota=_quota(form))
        except Problem as problem:
            return await self.member(request, shown(problem), form)
        return redirect(f"{OPERATOR}/members/{tenant_id}?saved=changed")

    async def add_source(self, request: Request) -> Response:
        """Add a source to a member."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        tenant_id: UUID = request.path_params["tenant_id"]
        try:
            name, kind, every = text_of(form, "name"), kind_of(form), interval_of(form)
            source = await self._sources.add(requester, tenant_id, name, kind, every)
        except Problem as problem:
            return await self.member(request, shown(problem), form)
        return redirect(f"{place_of(requester)}/members/{tenant_id}/sources/{source.source_id}?saved=added")

    async def add_contact(self, request: Request) -> Response:
        """Make a professional a contact of a member."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        tenant_id: UUID = request.path_params["tenant_id"]
        try:
            await self._tenants.add_contact(requester, tenant_id, _key(form, "practitioner"))
        except Problem as problem:
            return await self.member(request, shown(problem), form)
        return redirect(f"{OPERATOR}/members/{tenant_id}?saved=contact")

    async def set_address(self, request: Request) -> Response:
        """Set where a contact gets messages."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        params = request.path_params
        tenant_id: UUID = params["tenant_id"]
        given = text_of(form, "email"), text_of(form, "language")
        try:
            await self._tenants.set_address(requester, tenant_id, params["practitioner_id"], *given)
        except Problem as problem:
            return await self.member(request, shown(problem))
        return redirect(f"{place_of(requester)}/members/{tenant_id}?saved=address")

    async def end_contact(self, request: Request) -> Response:
        """End that a professional is a contact of a member."""
        requester, params = await page_requester(request, self._access), request.path_params
        await read_form(request)
        await self._tenants.end_contact(requester, params["tenant_id"], params["practitioner_id"])
        return redirect(f"{OPERATOR}/members/{params['tenant_id']}?saved=contact-ended")


def _key(form: FormData, name: str) -> UUID:
    """Return the key in a field. Raises: Problem 400."""
    try:
        return parse_uuid(text_of(form, name))
    except ValueError as error:
        raise bad_request(name, N_("Choose a value of the list."), code="value") from error


def _quota(form: FormData) -> int:
    """Return the quota of a form; one that is no number is out of every range."""
    text = text_of(form, "quota").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
