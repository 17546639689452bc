"""Building documents of the European format out of a record."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from esante.core import clock
from esante.core.fhir.search import SearchScope, fetch_everything
from esante.core.fhir.store import fetch_occurrences
from esante.core.storage import Database, Row
from esante.core.time_zone import day_of, today
from esante.core.types import Json
from esante.core.web import NOT_FOUND, Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory, patient_resource
from esante.services.ehds.formats.bundle import Frame, assemble
from esante.services.ehds.formats.deposited_document import rebuild, sections_of
from esante.services.ehds.formats.facts import Fact
from esante.services.ehds.formats.kinds import DocumentKind
from esante.services.ehds.formats.model import BuiltDocument, BuiltSection, DocumentBuilt, Line, LineSource
from esante.services.ehds.formats.references import fetch_referenced
from esante.services.ehds.formats.selection import Selected, SelectedEntry, select_sections
from esante.services.record import COPIED_TYPES, Record, Source, View

STORED_TYPES = COPIED_TYPES - {"DocumentReference", "Provenance"}
"""The types of resources that a record holds."""
MAX_FACTS = 50_000
"""The largest number of resources of a record that are looked at."""
COMPOSITION = "Composition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built: a document of a kind, in a language.

    `focus` ("Type/id"): what it is about, or the Composition of a document that was deposited; "": the person as a
    whole for a summary, else the latest of the kind.

    `readable`: the types of resources that the requester's token lets them read.
    """

    kind: DocumentKind
    language: str
    focus: str = ""
    readable: Collection[str] = STORED_TYPES


class Formats:
    """Builds documents out of records, as the requester may see them; `base_url` is the address of the FHIR API."""

    def __init__(self, db: Database, record: Record, directory: Directory, base_url: str) -> None:
        self._db, self._record, self._directory, self._base_url = db, record, directory, base_url

    async def build_document(self, requester: Requester, person_id: UUID, order: Order) -> BuiltDocument:
        """Return a document out of what the requester may see of a record; journalled as one entry.

        What is hidden, restricted or absent leaves no trace: sections, sources and counts are those of what is seen.
        Raises: Problem 404 for a record that is not theirs to see, for a person who does not exist, and where there
        is nothing that such a document would be about.
        """
        view = await self._record.extracts.load_view(requester, person_id)
        person = await self._directory.person(person_id)
        if person is None or not (view.sources or view.visibility.record_verdict().allowed):
            await self._db.write(self._journal_rows(view, order.kind, (), allowed=False))
            raise _not_found()
        patient = patient_resource(person, self._directory.catalogue)
        frame = Frame(order.kind, patient, order.language, clock.now(), uuid4(), self._base_url)
        about_all = order.kind.is_summary and not order.focus
        built = await (self._summary(view, frame, order) if about_all else self._focused(view, frame, order))
        if built is None:
            await self._db.write(self._journal_rows(view, order.kind, ()))
            raise _not_found()
        await self._db.write(self._journal_rows(view, order.kind, built.lines))
        return built

    async def list_foci(self, requester: Requester, person_id: UUID, kind: DocumentKind) -> list[Fact]:
        """Return what documents of a kind could be about, the latest first; journalled as one entry."""
        view = await self._record.extracts.load_view(requester, person_id)
        found = await self._foci(view, kind, STORED_TYPES)
        categories = {view.sources[fact.source].category for fact in found}
        verdict = view.verdict(view.sources_of(fact.source for fact in found))
        rows = self._record.extracts.audit_rows(
            DocumentBuilt, view, categories, (), verdict=verdict, document_kind=kind.name
        )
        await self._db.write(rows)
        return found

    async def _summary(self, view: View, frame: Frame, order: Order) -> BuiltDocument:
        types = {type_ for rule in order.kind.sections for type_ in rule.types} & set(order.readable)
        facts = await self._fetch(view, types)
        selected = select_sections(order.kind, facts, today().isoformat())
        return await self._assemble(view, frame, order, selected)

    async def _focused(self, view: View, frame: Frame, order: Order) -> BuiltDocument | None:
        foci = await self._foci(view, order.kind, order.readable)
        focus = next((fact for fact in foci if order.focus in ("", fact.address)), None)
        if focus is None:
            return None
        if focus.type == COMPOSITION:
            return await self._rebuild(view, frame, order, focus)
        around = await fetch_referenced(
            self._db, view, [focus, *await self._related(view, focus, order)], order.readable
        )
        selected = select_sections(order.kind, list(around.values()), today().isoformat())
        return await self._assemble(view, frame, order, selected, focus)

    async def _foci(self, view: View, kind: DocumentKind, readable: Collection[str]) -> list[Fact]:
        """Return what a document of a kind can be about, the latest first.

        These are documents of the kind that were deposited, and resources of its focus that are in none of them.
        """
        facts = await self._fetch(view, {*kind.focus, COMPOSITION} & set(readable))
        deposited = [one for one in facts if one.type == COMPOSITION and _is_of(kind, one)]
        sources = {one.source for one in deposited}
        loose = [
            one
            for one in facts
            if one.type in kind.focus
            and one.source not in sources
            and not one.is_void
            and (not kind.categories or kind.categories & one.category_codes)
        ]
        return sorted([*deposited, *loose], key=lambda fact: (fact.date, fact.address), reverse=True)

    async def _related(self, view: View, focus: Fact, order: Order) -> list[Fact]:
        """Return what belongs to the focus and does not stand in its references: of a stay and of a prescription."""
        types = {type_ for rule in order.kind.sections for type_ in rule.types} & set(order.readable)
        if focus.type == "Encounter":
            return [fact for fact in await self._fetch(view, types) if _reference(fact, "encounter") == focus.address]
        group = focus.resource.get("groupIdentifier")
        if focus.type == "MedicationRequest" and group:
            requests = await self._fetch(view, {"MedicationRequest"})
            return [fact for fact in requests if fact.resource.get("groupIdentifier") == group]
        return []

    async def _rebuild(self, view: View, frame: Frame, order: Order, composition: Fact) -> BuiltDocument:
        """Return a deposited document again, out of the resources that the record holds from it."""
        scope = SearchScope(view.person_id, clock.now(), frozenset({composition.source}))
        rows = await fetch_everything(self._db, scope, sorted(order.readable), limit=MAX_FACTS)
        facts = {fact.address: fact for fact in map(Fact.of, rows)}
        source = _line_source(view.sources[composition.source])
        return BuiltDocument(order.kind, rebuild(frame, composition, facts), sections_of(composition, facts, source))

    async def _fetch(self, view: View, types: Iterable[str]) -> list[Fact]:
        scope = SearchScope(view.person_id, clock.now(), view.visible_sources)
        wanted = sorted(types)
        if not wanted:
            return []
        return [Fact.of(row) for row in await fetch_everything(self._db, scope, wanted, limit=MAX_FACTS)]

    async def _assemble(
        self, view: View, frame: Frame, order: Order, selected: Sequence[Selected], focus: Fact | None = None
    ) -> BuiltDocument:
        entries = [one for section in selected for one in section.entries]
        shown = [one.fact for one in entries] + ([focus] if focus else [])
        facts = await fetch_referenced(self._db, view, shown, order.readable)
        sources = await self._sources_by_line(view, entries)
        sections = tuple(
            BuiltSection(
                section.rule,
                tuple(Line(one.fact.resource, sources[one.fact.address], one.is_absence) for one in section.entries),
                section.omitted,
            )
            for section in selected
        )
        return BuiltDocument(order.kind, assemble(frame, sections, facts, focus), sections)

    async def _sources_by_line(
        self, view: View, entries: Sequence[SelectedEntry]
    ) -> Mapping[str, tuple[LineSource, ...]]:
        """Return the visible sources of each line by the address of its fact, the latest first."""
        line_of = {(each.type, each.id): one.fact.address for one in entries for each in one.equal}
        if not line_of:
            return {}
        types, ids = {type_ for type_, _ in line_of}, {key for _, key in line_of}
        occurrences = await fetch_occurrences(self._db, view.person_id, types, ids, view.visible_sources)
        found: dict[str, dict[LineSource, None]] = {one.fact.address: {} for one in entries}
        for one in occurrences:
            if (address := line_of.get((one.type, one.id))) is not None:
                found[address][_line_source(view.sources[one.source])] = None
        return {address: tuple(sources) for address, sources in found.items()}

    def _journal_rows(self, view: View, kind: DocumentKind, lines: Sequence[Line], **fields: bool) -> list[Row]:
        ids = {source.id for line in lines for source in line.sources}
        shown = [source for source in view.sources.values() if source.id in ids]
        return self._record.extracts.audit_rows(
            DocumentBuilt,
            view,
            {source.category for source in shown},
            [source.id for source in shown if source.is_document],
            verdict=view.verdict(shown),
            document_kind=kind.name,
            count=len(lines),
            **fields,
        )


def _is_of(kind: DocumentKind, composition: Fact) -> bool:
    concept: Json = composition.resource.get("type") or {}
    return any(coding.get("code") in kind.types for coding in concept.get("coding") or ())


def _reference(fact: Fact, name: str) -> str:
    value = fact.resource.get(name)
    return str(value.get("reference", "")) if isinstance(value, dict) else ""


def _line_source(source: Source) -> LineSource:
    day = source.event_date or day_of(source.at)
    return LineSource(source.id, source.is_document, source.category, source.author, source.organization, day)


def _not_found() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)
