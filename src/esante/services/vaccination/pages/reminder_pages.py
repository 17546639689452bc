"""The pages of reminders: a person's choice and calendar file, the list of a professional."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, gettext_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.vaccination.products.catalogue import catalogue
from esante.services.vaccination.reminders.calendar_file import MEDIA_TYPE, calendar_file
from esante.services.vaccination.reminders.service import Reminders

OWN, LIST = "/vaccinations/reminders", "/due-vaccinations"
AHEAD = timedelta(days=2 * 365)
"""How far ahead the person sees doses."""
_MAX_WORDS = 100


class ReminderPages:
    """What a person sees of their reminders, and a professional of their patients; `base_url`: of the portal."""

    def __init__(self, reminders: Reminders, access: Access, base_url: str) -> None:
        self._reminders, self._access, self._base_url = reminders, access, base_url

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(OWN, self.own),
            Route(OWN, self.choose, methods=["POST"]),
            Route(f"{OWN}.ics", self.calendar),
            Route(LIST, self.listed),
        ]

    async def own(self, request: Request) -> Response:
        """Show a person what is due and will be, and whether they are reminded."""
        requester = await self._access.page_requester(request, ("patient",))
        return await render(
            request,
            "vaccination/reminders.html",
            doses=await self._reminders.due(requester.id, AHEAD),
            pending=await self._reminders.is_pending(requester.id),
            wanted=await self._reminders.is_wanted(requester.id),
            today=today(),
            saved=request.query_params.get("saved", ""),
            antigens=catalogue().antigens,
        )

    async def choose(self, request: Request) -> Response:
        """Save whether a person wants reminders."""
        requester = await self._access.page_requester(request, ("patient",))
        wanted = str((await read_form(request)).get("wanted", ""))
        if wanted not in ("yes", "no"):
            raise Problem(400, "value", NOT_FOUND, place="wanted")
        await self._reminders.choose(requester, wanted=wanted == "yes")
        return redirect(f"{OWN}?saved={wanted}")

    async def calendar(self, request: Request) -> Response:
        """Return the calendar file."""
        requester = await self._access.page_requester(request, ("patient",))
        doses = await self._reminders.due(requester.id, AHEAD)
        made = calendar_file(requester.id, doses, clock.now(), f"{self._base_url}/vaccinations", gettext_of(request))
        headers = {"Content-Disposition": 'attachment; filename="vaccinations.ics"', "Cache-Control": "no-store"}
        return Response(made, media_type=MEDIA_TYPE, headers=headers)

    async def listed(self, request: Request) -> Response:
        """Show a professional the patients to whom something is due."""
        requester = await self._access.page_requester(request, ("practitioner",))
        query = request.query_params
        shown, text = query.get("show", "all"), query.get("q", "").strip()[:_MAX_WORDS]
        if shown not in ("all", "overdue"):
            raise Problem(404, "not-found", NOT_FOUND)
        found = await self._reminders.list_due(
            requester, text, query.get("cursor") or None, overdue=shown == "overdue"
        )
        return await render(
            request,
            "vaccination/due_list.html",
            found=found,
            pending=not found.items and not text and await self._reminders.is_any_pending(requester),
            shown=shown,
            text=text,
            antigens=catalogue().antigens,
        )
