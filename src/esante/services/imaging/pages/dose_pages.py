"""The page of the radiation doses of a person, for themselves and for a professional with access."""

from functools import partial

from babel.numbers import format_decimal
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import decode_offset_cursor, encode_cursor, language_of, render
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.imaging.dose.factors import dose_factors
from esante.services.imaging.dose.service import Doses, StudyDose
from esante.services.record import PageContext, PageContexts, banner_loader, display_of_type, no_access, page_endpoint

PAGE_SIZE = 20
OWN, OF_PATIENT = "/images/dose", "/patients/{person_id:uuid}/images/dose"
_MAX_WORDS = 100


class DosePages:
    """The page of doses; that of the person and that of professionals differ in addresses only."""

    def __init__(self, doses: Doses, access: Access, directory: Directory) -> None:
        self._doses, self._contexts = doses, PageContexts(access)
        self._banner = banner_loader(access, directory)

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(OWN, page_endpoint(self._contexts.resolve_own, self.doses)),
            Route(OF_PATIENT, page_endpoint(self._contexts.resolve_patient, self.doses)),
        ]

    async def doses(self, request: Request, page: PageContext) -> Response:
        """Show the sum of each year as a plot, and the examinations, the latest first."""
        query = request.query_params
        text, offset = query.get("q", "").strip()[:_MAX_WORDS], decode_offset_cursor(query.get("cursor"))
        history = await self._doses.history(page.requester, page.person_id)
        if not page.is_own and not history.doses and not history.verdict.allowed:
            raise no_access()
        show = partial(_show_number, language_of(request))
        found = [one for one in history.doses if all(word in _searched(one) for word in text.casefold().split())]
        return await render(
            request,
            "imaging/doses.html",
            page=page,
            display_of_type=display_of_type,
            list_url=OWN.rpartition("/")[0] if page.is_own else f"{page.timeline_url}/images",
            shown=found[offset : offset + PAGE_SIZE],
            total=len(history.doses),
            next=encode_cursor(offset + PAGE_SIZE) if len(found) > offset + PAGE_SIZE else None,
            text=text,
            effective=history.effective,
            by_year=[(str(year), value, show(value, 1)) for year, value in history.by_year],
            show=show,
            factors=dose_factors(today()),
            **await self._banner(page),
        )


def _show_number(language: str, value: float, digits: int) -> str:
    """Return a number in words of a language, with so many digits after the point."""
    return format_decimal(value, format=f"#,##0.{'0' * digits}", locale=language)


def _searched(one: StudyDose) -> str:
    document = one.document
    return f"{document.title} {document.organization} {one.day.isoformat()}".casefold()
