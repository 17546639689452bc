"""The pages of advisories, sightings and coverage."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import LANGUAGES, Problem, current_agency, language_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.soc.coverage.service import CoverageOfMembers
from esante.services.soc.intelligence.model import Tlp
from esante.services.soc.pages.page_words import (
    CONTACT,
    LANGUAGE_NAMES,
    MAX_WORDS,
    OPERATOR,
    keys_of,
    page_requester,
    place_of,
    shown,
    text_of,
    words,
)
from esante.services.soc.sharing.advisories import Advisories
from esante.services.soc.sharing.exchange import to_misp, to_stix
from esante.services.soc.sharing.model import AdvisoryText
from esante.services.soc.sharing.sightings import SightingBook, Sightings
from esante.services.soc.silence.service import Silences


class SharingPages:
    """Advisories, sightings and coverage, for operators and for contacts of a member."""

    def __init__(
        self,
        advisories: Advisories,
        sightings: SightingBook,
        covered: CoverageOfMembers,
        silences: Silences,
        access: Access,
    ) -> None:
        self._advisories, self._sightings, self._covered = advisories, sightings, covered
        self._silences, self._access = silences, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        found = []
        for place in (OPERATOR, CONTACT):
            found += [
                Route(f"{place}/advisories", self.list),
                Route(f"{place}/advisories/{{advisory_id:uuid}}", self.show),
                Route(f"{place}/sightings", self.ask),
                Route(f"{place}/sightings", self.answer, methods=["POST"]),
                Route(f"{place}/coverage", self.coverage),
                Route(f"{place}/coverage.json", self.layer),
                Route(f"{place}/silences", self.silences),
            ]
        return [
            *found,
            Route(f"{CONTACT}/advisories/{{advisory_id:uuid}}/acknowledge", self.acknowledge, methods=["POST"]),
            Route(f"{OPERATOR}/advisories", self.publish, methods=["POST"]),
            Route(f"{OPERATOR}/advisories/{{advisory_id:uuid}}/withdraw", self.withdraw, methods=["POST"]),
            Route(f"{OPERATOR}/advisories/{{advisory_id:uuid}}.{{form}}.json", self.give_on),
        ]

    async def list(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """List the advisories, and show operators the form of a new one."""
        requester = await page_requester(request, self._access)
        text = request.query_params.get("q", "")[:MAX_WORDS]
        return await render(
            request,
            "soc/advisories.html",
            problem.status if problem else 200,
            problem=problem,
            form=form or {},
            text=text,
            page=await self._advisories.page(requester, text, request.query_params.get("cursor") or None),
            members=await self._covered.members(requester) if place_of(requester) == OPERATOR else (),
            **_words(request, requester),
        )

    async def publish(self, request: Request) -> Response:
        """Send an advisory."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            texts = {
                language: AdvisoryText(
                    text_of(form, f"title_{language}").strip(), text_of(form, f"text_{language}").strip()
                )
                for language in LANGUAGES
            }
            known = text_of(form, "tlp")
            sent = await self._advisories.publish(
                requester,
                texts,
                Tlp(known) if known in list(Tlp) else Tlp.AMBER,
                members=keys_of(form, "members"),
                indicators=text_of(form, "indicators"),
                is_exercise=text_of(form, "exercise") == "yes",
            )
        except Problem as problem:
            return await self.list(request, shown(problem), form)
        return redirect(f"{OPERATOR}/advisories/{sent.advisory_id}?saved=sent")

    async def show(self, request: Request) -> Response:
        """Show an advisory, and operators who confirmed it."""
        requester = await page_requester(request, self._access)
        key: UUID = request.path_params["advisory_id"]
        advisory = await self._advisories.advisory(requester, key)
        is_operator = place_of(requester) == OPERATOR
        return await render(
            request,
            "soc/advisory.html",
            advisory=advisory,
            shown=advisory.in_language(language_of(request)),
            receipts=await self._advisories.receipts(requester, key) if is_operator else (),
            **_words(request, requester),
        )

    async def acknowledge(self, request: Request) -> Response:
        """Confirm an advisory."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        await self._advisories.acknowledge(requester, request.path_params["advisory_id"])
        return redirect(f"{CONTACT}/advisories/{request.path_params['advisory_id']}?saved=read")

    async def withdraw(self, request: Request) -> Response:
        """Withdraw an advisory."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        await self._advisories.withdraw(requester, request.path_params["advisory_id"])
        return redirect(f"{OPERATOR}/advisories?saved=withdrawn")

    async def give_on(self, request: Request) -> Response:
        """Return an advisory as STIX or MISP JSON."""
        requester = await page_requester(request, self._access)
        advisory = await self._advisories.advisory(requester, request.path_params["advisory_id"])
        language = language_of(request)
        agency = current_agency().agency_name.of(language)
        write = to_stix if request.path_params["form"] == "stix" else to_misp
        name = f"{advisory.advisory_id}.{'stix' if write is to_stix else 'misp'}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(write(advisory, agency, language), media_type="application/json", headers=headers)

    async def ask(
        self, request: Request, problem: Problem | None = None, answer: Sightings | None = None, text: str = ""
    ) -> Response:
        """Show the form of a question about sightings, and its answer."""
        requester = await page_requester(request, self._access)
        status = problem.status if problem else 200
        found: dict[str, Any] = {"problem": problem, "answer": answer, "text": text}
        return await render(request, "soc/sightings.html", status, **found, **_words(request, requester))

    async def answer(self, request: Request) -> Response:
        """Answer a question about sightings."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        text = text_of(form, "q")[:2048]
        try:
            return await self.ask(request, None, await self._sightings.ask(requester, text), text)
        except Problem as problem:
            return await self.ask(request, problem if problem.status == 429 else shown(problem), None, text)

    async def coverage(self, request: Request) -> Response:
        """Show which techniques the loaded rules can see of a member."""
        requester = await page_requester(request, self._access)
        member, found = await self._covered.of_member(requester, request.query_params.get("member", ""))
        return await render(
            request,
            "soc/coverage.html",
            chosen=member,
            found=found,
            members=await self._covered.members(requester),
            kind_names=self._covered.kind_names,
            **_words(request, requester),
        )

    async def silences(self, request: Request) -> Response:
        """List the silences of sources."""
        requester, query = await page_requester(request, self._access), request.query_params
        text = query.get("q", "").strip()[:MAX_WORDS]
        return await render(
            request,
            "soc/silences.html",
            page=await self._silences.page(requester, text, query.get("cursor") or None),
            text=text,
            **_words(request, requester),
        )

    async def layer(self, request: Request) -> Response:
        """Return the coverage of a member as a layer for ATT&CK Navigator."""
        requester = await page_requester(request, self._access)
        content = await self._covered.layer(requester, request.query_params.get("member", ""))
        headers = {"Content-Disposition": 'attachment; filename="attack-coverage.json"', "Cache-Control": "no-store"}
        return Response(content, media_type="application/json", headers=headers)


def _words(request: Request, requester: Any) -> dict[str, Any]:
    return {**words(request, requester), "tlp_values": [*Tlp], "language_names": LANGUAGE_NAMES}
