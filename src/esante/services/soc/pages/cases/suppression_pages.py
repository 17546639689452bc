"""The pages of suppressions."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.soc.pages.page_words import (
    MAX_WORDS,
    OPERATOR,
    keys_of,
    number_of,
    page_requester,
    shown,
    text_of,
    words,
)
from esante.services.soc.triage.dismissals import DISMISSED_AS
from esante.services.soc.triage.suppressions import Suppressions


class SuppressionPages:
    """What is seen and done about suppressions, by operators."""

    def __init__(self, suppressions: Suppressions, access: Access) -> None:
        self._suppressions, self._access = suppressions, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        one = f"{OPERATOR}/suppressions/{{suppression_id:uuid}}"
        return [
            Route(f"{OPERATOR}/suppressions", self.listed),
            Route(f"{OPERATOR}/suppressions", self.suppress, methods=["POST"]),
            Route(f"{one}/end", self.end, methods=["POST"]),
            Route(f"{one}/dismiss", self.dismiss, methods=["POST"]),
        ]

    async def listed(self, request: Request, problem: Problem | None = None) -> Response:
        """List what is suppressed: rule, subject, owner, reason, until when, and how many alerts."""
        requester, query = await page_requester(request, self._access), request.query_params
        text = query.get("q", "").strip()[:MAX_WORDS]
        return await render(
            request,
            "soc/suppressions.html",
            problem.status if problem else 200,
            problem=problem,
            page=await self._suppressions.page(requester, text, query.get("cursor") or None),
            text=text,
            dismissed_as=DISMISSED_AS,
            **words(request, requester),
        )

    async def suppress(self, request: Request) -> Response:
        """Suppress the alerts of a rule, about a subject, or both."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            tenant = keys_of(form, "tenant")
            found = await self._suppressions.suppress(
                requester,
                rule=text_of(form, "rule") if "with_rule" in form else "",
                subject=text_of(form, "subject") if "with_subject" in form else "",
                tenant_id=tenant[0] if tenant else None,
                days=number_of(form, "days"),
                reason=text_of(form, "reason"),
            )
            if text_of(form, "dismiss"):
                await self._suppressions.dismiss_covered(requester, found.suppression_id, text_of(form, "dismiss"))
        except Problem as problem:
            return await self.listed(request, shown(problem))
        return redirect(f"{OPERATOR}/suppressions?saved=suppressed")

    async def end(self, request: Request) -> Response:
        """End a suppression."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        try:
            await self._suppressions.end(requester, request.path_params["suppression_id"])
        except Problem as problem:
            return await self.listed(request, shown(problem))
        return redirect(f"{OPERATOR}/suppressions?saved=ended")

    async def dismiss(self, request: Request) -> Response:
        """Dismiss the alerts that a suppression holds back."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            found = request.path_params["suppression_id"]
            await self._suppressions.dismiss_covered(requester, found, text_of(form, "outcome"))
        except Problem as problem:
            return await self.listed(request, shown(problem))
        return redirect(f"{OPERATOR}/suppressions?saved=dismissed")
