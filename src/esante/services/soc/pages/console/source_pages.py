"""The page of a source: what came, keys with how to use them, what could not be read, how often something comes."""

from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import N_, Problem, bad_request, read_form, redirect, render
from esante.identity.access import Access
from esante.services.soc.console.event_search import EventSearch
from esante.services.soc.console.sender_setup import PLACEHOLDER, setups
from esante.services.soc.pages.console.hours_form import DAY_NAMES, read_hours, shown_hours
from esante.services.soc.pages.console.source_words import INTERVALS, PLACES, interval_of, kind_of, minutes_of, words
from esante.services.soc.pages.page_words import MAX_WORDS, OPERATOR, page_requester, place_of, shown, text_of
from esante.services.soc.silence.service import Silences
from esante.services.soc.sources.service import Sources

_DAYS = ("90", "365", "825")
MAX_CERTIFICATE = 32 * 1024


class SourcePages:
    """What is seen and done about a source; `host` is where the intake is reached."""

    def __init__(self, sources: Sources, silences: Silences, search: EventSearch, access: Access, host: str) -> None:
        self._sources, self._silences, self._search = sources, silences, search
        self._access, self._host = access, host

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            route
            for place in PLACES
            for source in [f"{place}/members/{{tenant_id:uuid}}/sources/{{source_id:uuid}}"]
            for route in (
                Route(source, self.source),
                Route(source, self.change, methods=["POST"]),
                Route(f"{source}/end", self.end, methods=["POST"]),
                *([Route(f"{source}/hours", self.set_hours, methods=["POST"])] if place == OPERATOR else []),
                Route(f"{source}/keys", self.back),
                Route(f"{source}/keys", self.issue_key, methods=["POST"]),
                Route(f"{source}/certificates", self.register_certificate, methods=["POST"]),
                Route(f"{source}/keys/{{key_id:uuid}}/revoke", self.revoke, methods=["POST"]),
            )
        ]

    async def source(
        self,
        request: Request,
        problem: Problem | None = None,
        form: FormData | None = None,
        secret: str = "",
    ) -> Response:
        """Show a source; `secret`: the key that was just made."""
        requester, params = await page_requester(request, self._access), request.path_params
        of = params["tenant_id"], params["source_id"]
        source = await self._sources.source(requester, *of)
        every = minutes_of(source.expected_every)
        hours = await self._silences.hours(requester, *of)
        return await render(
            request,
            "soc/source.html",
            problem.status if problem else 200,
            problem=problem,
            values={name: text_of(form, name)[:MAX_WORDS] for name in form} if form else {},
            source=source,
            member=f"{place_of(requester)}/members/{source.tenant_id}",
            keys=await self._sources.keys(requester, *of),
            faults=await self._search.faults(requester, *of),
            hours=_shown(form) if form and "day0" in form else shown_hours(hours),
            day_names=DAY_NAMES,
            secret=secret,
            setups=setups(self._host, secret or PLACEHOLDER),
            every=every,
            intervals=(*INTERVALS, *((every,) if every not in INTERVALS else ())),
            days=_DAYS,
            **words(request, requester),
        )

    async def change(self, request: Request) -> Response:
        """Change name, kind and expectation of a source."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            await self._sources.change(
                requester,
                *_of(request),
                name=text_of(form, "name"),
                kind=kind_of(form),
                expected_every=interval_of(form),
            )
        except Problem as problem:
            return await self.source(request, shown(problem), form)
        return await self._saved(request, "changed")

    async def set_hours(self, request: Request) -> Response:
        """Say when the source is expected to send."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            await self._silences.set_hours(requester, *_of(request), read_hours(form))
        except Problem as problem:
            return await self.source(request, shown(problem), form)
        return await self._saved(request, "hours")

    async def end(self, request: Request) -> Response:
        """End a source."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        try:
            await self._sources.end(requester, *_of(request))
        except Problem as problem:
            return await self.source(request, shown(problem))
        return await self._saved(request, "ended")

    async def back(self, request: Request) -> Response:
        """Lead back to the source: a key that was made is not shown again."""
        await self._sources.source(await page_requester(request, self._access), *_of(request))
        return await self._saved(request, "")

    async def issue_key(self, request: Request) -> Response:
        """Make a key, and show it this once."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        days = text_of(form, "days")
        try:
            _, secret = await self._sources.issue_key(requester, *_of(request), int(days) if days in _DAYS else 0)
        except Problem as problem:
            return await self.source(request, shown(problem), form)
        return await self.source(request, secret=secret)

    async def register_certificate(self, request: Request) -> Response:
        """Register a client certificate."""
        requester = await page_requester(request, self._access)
        form = await read_form(request, MAX_CERTIFICATE)
        file = form.get("certificate")
        try:
            if not isinstance(file, UploadFile) or not file.filename:
                raise bad_request("certificate", N_("Choose a file."), code="required")
            await self._sources.register_certificate(requester, *_of(request), await file.read(MAX_CERTIFICATE))
        except Problem as problem:
            return await self.source(request, shown(problem), form)
        return await self._saved(request, "certificate")

    async def revoke(self, request: Request) -> Response:
        """Revoke a key or a certificate."""
        requester, params = await page_requester(request, self._access), request.path_params
        await read_form(request)
        await self._sources.revoke(requester, params["tenant_id"], params["key_id"])
        return await self._saved(request, "revoked")

    async def _saved(self, request: Request, what: str) -> Response:
        requester = await page_requester(request, self._access)
        tenant_id, source_id = _of(request)
        url = f"{place_of(requester)}/members/{tenant_id}/sources/{source_id}"
        return redirect(f"{url}?saved={what}" if what else url)


def _shown(form: FormData) -> list[str]:
    """Return the hours of a form as they were entered."""
    return [text_of(form, f"day{day}")[:MAX_WORDS] for day in range(7)]


def _of(request: Request) -> tuple[UUID, UUID]:
    """Return the member and the source of an address."""
    return request.path_params["tenant_id"], request.path_params["source_id"]
