"""The pages of operators about federations: list, proposal, one agreement with its decision and its end."""

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import N_, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.healthnet.federation.model import AgreementState, FederationKind
from esante.services.healthnet.federation.service import Federations

PLACE = "/operator/healthnet/federations"
STATES = {
    AgreementState.PROPOSED: N_("Waits for a second person"),
    AgreementState.ACTIVE: N_("In force"),
    AgreementState.REFUSED: N_("Refused"),
    AgreementState.SUPERSEDED: N_("Replaced by a newer agreement"),
    AgreementState.ENDED: N_("Ended"),
}
TONES = {AgreementState.PROPOSED: "warn", AgreementState.ACTIVE: "good"}
KINDS = {
    FederationKind.OPERATOR: N_("Network of another operator"),
    FederationKind.CROSS_BORDER: N_("Gateway to other countries"),
}
_OPERATOR = ("operator",)
_MAX_WORDS = 60


class FederationPages:
    """Federations, for operators."""

    def __init__(self, federations: Federations, access: Access) -> None:
        self._federations, self._access = federations, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        one = f"{PLACE}/{{agreement_id:uuid}}"
        return [
            Route(PLACE, self.show_all),
            Route(f"{PLACE}/proposals", self.propose, methods=["POST"]),
            Route(one, self.show),
            Route(f"{one}/decision", self.decide, methods=["POST"]),
            Route(f"{one}/end", self.end, methods=["POST"]),
            Route(f"{one}/document.txt", self.export),
        ]

    async def show_all(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show the agreements, and the form of a proposal."""
        requester, query = await self._access.page_requester(request, _OPERATOR), request.query_params
        text = query.get("q", "").strip()[:_MAX_WORDS]
        return await render(
            request,
            "healthnet/federations.html",
            problem.status if problem else 200,
            problem=problem,
            values={name: str(form.get(name, ""))[:20_000] for name in form} if form else {},
            page=await self._federations.page(requester, text, query.get("cursor") or None),
            text=text,
            own_key=str(self._federations.signer.verifier),
            **_words(),
        )

    async def propose(self, request: Request) -> Response:
        """Propose an agreement."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        try:
            made = await self._federations.propose(
                requester, str(form.get("document", "")), str(form.get("peer_key", ""))
            )
        except Problem as problem:
            return await self.show_all(request, problem, form)
        return redirect(f"{PLACE}/{made.agreement_id}?saved=proposed")

    async def show(self, request: Request, problem: Problem | None = None) -> Response:
        """Show an agreement."""
        requester = await self._access.page_requester(request, _OPERATOR)
        found = await self._federations.find(requester, request.path_params["agreement_id"])
        return await render(
            request,
            "healthnet/federation.html",
            problem.status if problem else 200,
            problem=problem,
            one=found,
            is_own=found.proposed_by_id == requester.id,
            is_in_force=found.state is AgreementState.ACTIVE and found.terms.is_in_force(today()),
            saved=request.query_params.get("saved", ""),
            **_words(),
        )

    async def decide(self, request: Request) -> Response:
        """Approve or refuse a proposal."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        agreement_id, approved = request.path_params["agreement_id"], form.get("decision") == "approve"
        try:
            await self._federations.decide(
                requester, agreement_id, approved=approved, reason=str(form.get("reason", ""))
            )
        except Problem as problem:
            if problem.status == 404:
                raise
            return await self.show(request, problem)
        return redirect(f"{PLACE}/{agreement_id}?saved={'approved' if approved else 'refused'}")

    async def end(self, request: Request) -> Response:
        """End an agreement at once."""
        requester, form = await self._access.page_requester(request, _OPERATOR), await read_form(request)
        agreement_id = request.path_params["agreement_id"]
        try:
            await self._federations.end(requester, agreement_id, str(form.get("reason", "")))
        except Problem as problem:
            if problem.status == 404:
                raise
            return await self.show(request, problem)
        return redirect(f"{PLACE}/{agreement_id}?saved=ended")

    async def export(self, request: Request) -> Response:
        """Return our side of an agreement, signed, for the other operator."""
        requester = await self._access.page_requester(request, _OPERATOR)
        found = await self._federations.find(requester, request.path_params["agreement_id"])
        document = await self._federations.export(requester, found.agreement_id)
        name = f'attachment; filename="{found.terms.federation}-{found.number}.txt"'
        return PlainTextResponse(document, headers={"Content-Disposition": name, "Cache-Control": "no-store"})


def _words() -> dict[str, Any]:
    return {"states": STATES, "tones": TONES, "kinds": KINDS}
