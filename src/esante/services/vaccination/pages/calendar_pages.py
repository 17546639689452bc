"""The page of operators about the calendar in force, and what a new one would change."""

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import N_, Problem, bad_request, read_form, redirect, render
from esante.identity.access import Access
from esante.services.vaccination.coverage.trials import COHORT, MAX_TEXT, CalendarTrials
from esante.services.vaccination.products.catalogue import catalogue
from esante.services.vaccination.reminders.forecasts import rules_in_force

PLACE = "/operator/vaccination-calendar"
PAGE_SIZE = 20
FORM_LIMIT = 2_000_000
"""Bytes of the two files of a calendar with their form."""
_SHOWN_IN_FORM = (400, 409)


class CalendarPages:
    """What operators see of calendars."""

    def __init__(self, trials: CalendarTrials, access: Access) -> None:
        self._trials, self._access = trials, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [Route(PLACE, self.show), Route(PLACE, self.ask, methods=["POST"])]

    async def show(self, request: Request, problem: Problem | None = None) -> Response:
        """Show the rules in force with their sources, and the trials of new calendars."""
        requester = await self._access.page_requester(request, ("operator",))
        query = request.query_params
        text, at = query.get("q", "").strip()[:60], query.get("from", "0")
        offset = int(at) if at.isascii() and at.isdigit() and len(at) < 6 else 0
        rules = rules_in_force()
        words = text.casefold().split()
        found = [
            one
            for key, one in sorted(rules.rules.items())
            if all(word in f"{key} {one.text} {one.source}".casefold() for word in words)
        ]
        page = await self._trials.page(requester, query.get("cursor") or None)
        return await render(
            request,
            "vaccination/calendar.html",
            problem.status if problem else 200,
            problem=problem,
            name=rules.name,
            rules=found[offset : offset + PAGE_SIZE],
            total=len(found),
            more=offset + PAGE_SIZE if len(found) > offset + PAGE_SIZE else None,
            text=text,
            page=page,
            changes={one.id: self._trials.changes(one) for one in page.items if one.ended_at},
            antigens=catalogue().antigens,
            cohort=COHORT,
        )

    async def ask(self, request: Request) -> Response:
        """Begin the trial of a new calendar."""
        requester = await self._access.page_requester(request, ("operator",))
        try:
            form = await read_form(request, FORM_LIMIT)
            found = [one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename]
            await self._trials.ask(requester, {str(one.filename): await _text(one) for one in found})
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.show(request, problem)
        return redirect(f"{PLACE}#trials")


async def _text(file: UploadFile) -> str:
    """Return the text of a file in a form. Raises: `Problem` 400 for a file that is no text."""
    try:
        return (await file.read(4 * MAX_TEXT + 1)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_request("files", N_("Choose all files of the calendar."), detail="UTF-8", code="value") from error
