"""Loading of a card: everything in a record that belongs to it, as a requester may see it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from esante.core.fhir import parse_logical_id
from esante.core.fhir.search import ResourceRow
from esante.core.types import Json
from esante.identity.access import Confidentiality, Requester
from esante.services.record import Record, Source
from esante.services.vaccination.card.immunization import CONTRAINDICATION_SYSTEM, dose_of
from esante.services.vaccination.card.matching import match_doses
from esante.services.vaccination.card.model import (
    AdverseEvent,
    Author,
    Card,
    Contraindication,
    Dose,
    DoseStatus,
)
from esante.services.vaccination.products.catalogue import catalogue

MAX_RESOURCES = 20_000
"""Resources of one card; more have never been seen, and are left out."""
_TYPES = ("Immunization", "Condition", "AdverseEvent")


@dataclass(frozen=True, slots=True)
class LoadedCard:
    """A card, and whether the requester has access to the record (and not only to what they wrote themselves)."""

    card: Card
    has_access: bool


class CardLoader:
    """Loads cards; every access is decided and journalled by the record."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def load(self, requester: Requester, person_id: UUID) -> LoadedCard:
        """Return what a requester may see of a person's card; nothing of a record that they may not see."""
        rows, view = await self._record.clinical.read_types(requester, person_id, _TYPES, MAX_RESOURCES)
        has_access = view.visibility.record_verdict().allowed
        return LoadedCard(card_of(person_id, rows, view.sources), has_access)

    async def doses(self, person_id: UUID) -> list[tuple[Dose, Json]]:
        """Return all doses of an open record with their resources, restricted ones too (see `compile_types`).

        For the platform's own work: what is shown to somebody is read by `load`.
        """
        rows, sources = await self._record.clinical.compile_types(person_id, _TYPES[:1], MAX_RESOURCES)
        return [(_dose(person_id, row, sources[row.source]), orjson.loads(row.body)) for row in rows]

    async def contraindications(self, person_id: UUID) -> list[tuple[Contraindication, bool]]:
        """Return all contraindications of an open record, and whether everybody with access sees each (as `doses`)."""
        rows, sources = await self._record.clinical.compile_types(person_id, _TYPES[1:2], MAX_RESOURCES)
        public = {row.id: sources[row.source].confidentiality is Confidentiality.NORMAL for row in rows}
        return [(one, public[one.id]) for one in _contraindications(rows, sources)]


def card_of(person_id: UUID, rows: list[ResourceRow], sources: Mapping[UUID, Source]) -> Card:
    """Return the card that some resources make."""
    by_type: dict[str, list[ResourceRow]] = {type_: [] for type_ in _TYPES}
    for row in rows:
        by_type[row.type].append(row)
    doses = [_dose(person_id, row, sources[row.source]) for row in by_type["Immunization"]]
    return Card(
        person_id=person_id,
        doses=tuple(match_doses(dose for dose in doses if dose.is_given)),
        refusals=_latest(dose for dose in doses if dose.status is DoseStatus.NOT_GIVEN),
        errors=_latest(dose for dose in doses if dose.status is DoseStatus.ENTERED_IN_ERROR),
        contraindications=tuple(_contraindications(by_type["Condition"], sources)),
        adverse_events=tuple(_adverse_event(row, sources[row.source]) for row in by_type["AdverseEvent"]),
    )


def _latest(doses: Iterator[Dose]) -> tuple[Dose, ...]:
    return tuple(sorted(doses, key=lambda dose: (dose.occurred, dose.id.bytes), reverse=True))


def author_of(source: Source) -> Author:
    """Return who wrote what comes from a source."""
    return Author(
        kind=source.author_kind,
        id=source.author_id,
        name=source.author,
        organization_id=source.organization_id,
        organization=source.organization,
    )


def _dose(person_id: UUID, row: ResourceRow, source: Source) -> Dose:
    resource: Json = orjson.loads(row.body)
    return dose_of(
        resource,
        catalogue(),
        person_id=person_id,
        id=row.id,
        version=resource["meta"]["versionId"],
        recorded_at=row.since,
        source_id=row.source,
        from_document=source.is_document,
        author=author_of(source),
        confidentiality=source.confidentiality.value,
    )


def _contraindications(rows: list[ResourceRow], sources: Mapping[UUID, Source]) -> Iterator[Contraindication]:
    for row in rows:
        resource: Json = orjson.loads(row.body)
        kind = _code_of(resource.get("code"), CONTRAINDICATION_SYSTEM)
        if kind and _code_of(resource.get("verificationStatus")) != "entered-in-error":
            yield Contraindication(
                id=row.id,
                version=resource["meta"]["versionId"],
                kind=kind,
                note=_text_of(resource),
                since=_day(resource.get("onsetDateTime")),
                until=_day(resource.get("abatementDateTime")),
                author=author_of(sources[row.source]),
            )


def _adverse_event(row: ResourceRow, source: Source) -> AdverseEvent:
    resource: Json = orjson.loads(row.body)
    suspected = (resource.get("suspectEntity") or [{}])[0].get("instance") or {}
    keys = parse_logical_id(str(suspected.get("reference", "")).removeprefix("Immunization/"))
    return AdverseEvent(
        id=row.id,
        dose_id=keys[1] if keys else None,
        text=str((resource.get("event") or {}).get("text", "")),
        on=str(resource.get("date", "")),
        serious=_code_of(resource.get("seriousness")).casefold() == "serious",
        author=author_of(source),
    )


def _code_of(concept: Any, system: str = "") -> str:
    """Return the first code of a concept, of a system if one is given."""
    for coding in (concept or {}).get("coding") or ():
        if system in ("", coding.get("system")):
            return str(coding.get("code", ""))
    return ""


def _text_of(resource: Json) -> str:
    return " ".join(str(one.get("text", "")) for one in resource.get("note") or ())


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10]) if text else None
    except ValueError:
        return None
