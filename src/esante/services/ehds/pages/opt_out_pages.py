"""The page on which a patient opts out of the use of their record in care, and in again, with the history of that."""

from datetime import date, datetime, time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import time_zone, today
from esante.core.web import N_, Problem, read_form, redirect, render
from esante.identity.access import Access, choice_terms
from esante.services.ehds.opt_out.rules import period_at
from esante.services.ehds.opt_out.service import PrimaryOptOut, shown_first

PLACE = "/opt-out"
_UNREAD = N_("Confirm first that you have read what this can mean for you.")
_NO_DAY = N_("This is not a valid date.")


class OptOutPages:
    """The page of the opt-out."""

    def __init__(self, opt_out: PrimaryOptOut, access: Access) -> None:
        self._opt_out, self._access = opt_out, access

    def routes(self) -> list[Route]:
        """Return the page, and its form."""
        return [Route(PLACE, self.show), Route(PLACE, self.change, methods=["POST"])]

    async def show(self, request: Request, problem: Problem | None = None) -> Response:
        """Show what is in force, what was, and on a day (`on`) if one is asked for."""
        requester = await self._access.page_requester(request, kinds=("patient",))
        periods = await self._opt_out.history(requester.id)
        asked = request.query_params.get("on", "")
        day = _parse_day(asked)
        is_open, sharing = await self._opt_out.state(requester)
        return await render(
            request,
            "ehds/opt_out.html",
            problem.status if problem else 200,
            problem=problem,
            is_open=is_open,
            sharing=sharing,
            periods=shown_first(periods),
            asked=asked if day else "",
            day=day,
            on_day=[one for one in periods if day and _touches(one.since, one.until, day)] if day else [],
            at_end=period_at(periods, _end_of(day)) if day else None,
            wrong_day=_NO_DAY if asked and day is None else "",
            risk=choice_terms(today()).risks["sharing"],
            saved=request.query_params.get("saved", ""),
            url=PLACE,
        )

    async def change(self, request: Request) -> Response:
        """Opt out, which the patient confirms, or in again."""
        requester = await self._access.page_requester(request, kinds=("patient",))
        form = await read_form(request)
        opted_out = form.get("act") == "out"
        if opted_out and form.get("risk") != "yes":
            return await self.show(request, Problem(422, "required", _UNREAD))
        try:
            await self._opt_out.set(requester, opted_out=opted_out, risk_confirmed=opted_out)
        except Problem as problem:
            if problem.status not in (403, 409):
                raise
            return await self.show(request, problem)
        return redirect(f"{PLACE}?saved={'out' if opted_out else 'in'}")


def _parse_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _end_of(day: date) -> datetime:
    """Return the last moment of a day, in the zone of the country."""
    return datetime.combine(day, time.max, time_zone())


def _touches(since: datetime | None, until: datetime | None, day: date) -> bool:
    """Return whether a period has a moment in common with a day."""
    begin = datetime.combine(day, time.min, time_zone())
    return (since is None or since <= _end_of(day)) and (until is None or until > begin)
