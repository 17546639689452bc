"""The pages of the patient summary, in which each line names its sources: for the person and for a professional."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import encode
from esante.core.fhir.narrative import describe_resource
from esante.core.fhir.view import ReferenceLibrary
from esante.core.time_zone import today
from esante.core.web import FHIR_JSON, NOT_FOUND, Problem, language_of, render
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.ehds.formats import BuiltDocument, BuiltSection, Formats, LineSource, Order, find_kind
from esante.services.ehds.formats.kinds import SUMMARY, DocumentKind
from esante.services.record import CATEGORIES, PageContext, PageContexts, banner_loader, no_access, page_endpoint

OWN = "/summary"
OF_PATIENT = "/patients/{person_id:uuid}/summary"
OF_REPRESENTED = "/represented/{person_id:uuid}/summary"
_MAX_WORDS = 100


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as the page shows it: what it is about, further cells with their headings, and its sources."""

    name: str
    cells: tuple[tuple[str, str], ...]
    sources: tuple[LineSource, ...]
    is_absence: bool


@dataclass(frozen=True, slots=True)
class ShownSection:
    """A section with the lines that a search finds; `total`: all of them."""

    code: str
    label: str
    lines: tuple[ShownLine, ...]
    total: int
    omitted: int


class SummaryPages:
    """The pages of the summary; those of the person and of others differ in addresses only."""

    def __init__(self, formats: Formats, access: Access, directory: Directory) -> None:
        self._formats, self._contexts = formats, PageContexts(access)
        self._banner = banner_loader(access, directory)

    def routes(self) -> list[Route]:
        """Return the pages."""
        contexts = self._contexts
        of = {
            OWN: contexts.resolve_own,
            OF_PATIENT: contexts.resolve_patient,
            OF_REPRESENTED: contexts.resolve_represented,
        }
        pages = [Route(path, page_endpoint(resolve, self.show)) for path, resolve in of.items()]
        files = [Route(f"{path}/document.json", page_endpoint(resolve, self.file)) for path, resolve in of.items()]
        return pages + files

    async def show(self, request: Request, page: PageContext) -> Response:
        """Show the sections with their lines, those that have the words of the search."""
        banner = await self._banner(page)
        built = await self._build(request, page)
        text = request.query_params.get("q", "").strip()[:_MAX_WORDS]
        sections = _shown_sections(built, language_of(request), text)
        return await render(
            request,
            "ehds/summary.html",
            headers={"Cache-Control": "no-store"},
            page=page,
            sections=sections,
            found=sum(len(one.lines) for one in sections),
            total=len(built.lines),
            text=text,
            url=f"{page.timeline_url}/summary" if not page.is_own else OWN,
            categories=CATEGORIES,
            **banner,
        )

    async def file(self, request: Request, page: PageContext) -> Response:
        """Return the summary as a FHIR document."""
        built = await self._build(request, page)
        headers = {
            "Content-Disposition": f'attachment; filename="patient-summary {today().isoformat()}.json"',
            "Cache-Control": "no-store",
        }
        return Response(encode(built.bundle), media_type=FHIR_JSON, headers=headers)

    async def _build(self, request: Request, page: PageContext) -> BuiltDocument:
        order = Order(kind=_summary_kind(), language=language_of(request))
        try:
            return await self._formats.build_document(page.requester, page.person_id, order)
        except Problem as problem:
            raise no_access() if problem.status == 404 else problem from None


def _summary_kind() -> DocumentKind:
    if (kind := find_kind(SUMMARY, today())) is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return kind


def _shown_sections(built: BuiltDocument, language: str, text: str) -> list[ShownSection]:
    library, words = ReferenceLibrary(built.bundle), text.casefold().split()
    return [_shown_section(section, library, language, words) for section in built.sections]


def _shown_section(section: BuiltSection, library: ReferenceLibrary, language: str, words: list[str]) -> ShownSection:
    lines = []
    for line in section.lines:
        name, *cells = describe_resource(line.resource, library, language) or [("", "?")]
        shown = ShownLine(name[1], tuple(cells), line.sources, line.is_absence)
        if all(word in _searched(shown) for word in words):
            lines.append(shown)
    rule = section.rule
    return ShownSection(rule.code, rule.label, tuple(lines), len(section.lines), section.omitted)


def _searched(line: ShownLine) -> str:
    said = [line.name, *(text for _, text in line.cells)]
    return " ".join([*said, *(f"{one.author} {one.organization}" for one in line.sources)]).casefold()
