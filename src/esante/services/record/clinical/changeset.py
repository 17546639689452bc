"""What one act changes in a person's clinical resources: decided, made into rows, and told of."""

import re
from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID

from esante.core.fhir import decode, parse_logical_id, store
from esante.core.fhir.store import Version
from esante.core.storage import Row, uuid7
from esante.core.web import N_, Problem
from esante.identity.access import Action, Confidentiality, Consent, RecordState, Requester, Verdict, decide
from esante.services.record import audit, rules
from esante.services.record.audit import Denied, Teller
from esante.services.record.clinical import security_labels
from esante.services.record.clinical.events import (
    ClinicalCreated,
    ClinicalDeleted,
    ClinicalEvent,
    ClinicalUpdated,
    names,
)
from esante.services.record.clinical_types import CLINICAL, KEPT, SUPPORTING, ClinicalType
from esante.services.record.documents.validation_messages import InvalidContent
from esante.services.record.indexing import sources
from esante.services.record.indexing.sources import Source

Resource = dict[str, Any]
_REFERENCE = re.compile(rb'"reference":"([^"\\]*(?:\\.[^"\\]*)*)"')
_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?")


class Changes:
    """The changes of one act to one person's resources. Nothing is done before the rows are written."""

    def __init__(self, requester: Requester, consent: Consent, base_url: str) -> None:
        self._requester, self._consent, self._base_url = requester, consent, base_url
        self._at = store.now()
        self._rows: list[Row] = []
        self._contributions: dict[UUID, Source] = {}
        self._own: dict[tuple[str, Confidentiality], Source] = {}
        self._verdicts: dict[UUID, Verdict] = {}
        self._told: dict[type[ClinicalEvent], list[tuple[Version, Verdict, Source]]] = {}
        self.endings: list[store.VersionEnd] = []
        """The versions that end by these changes."""

    @property
    def person_id(self) -> UUID:
        """Whose resources change."""
        return self._consent.person_id

    def create(self, resource: Resource, id_: UUID | None = None) -> Version:
        """A new resource. Raises `Denied` (403) where the requester may not write it, and Problem 422 for a reference
        that leads to somebody else."""
        type_ = CLINICAL.get(resource["resourceType"])
        category = _category(type_, resource, self._requester.kind) if type_ else self._beside()
        level = self._level(resource)
        source = self._own.get((category, level))
        if source is None:
            source = self._own[category, level] = sources.contribution(self._requester, category, level, self._at)
        made, row = store.create_version(resource, self.person_id, id_ or uuid7(), source.id, 1, self._at)
        self._add(ClinicalCreated, made, row, source, self._written(made.type, source))
        return made

    def update(self, before: Version, was: Source, resource: Resource) -> Version:
        """The next version of a resource that belongs to the requester. It stays its author's, and goes at most as
        far as before: only the patient lets it go further (`relabel`). Raises as `create`."""
        category = _category(CLINICAL[before.type], resource, was.author_kind)
        level = rules.stricter(was.confidentiality, self._level(resource, was.confidentiality))
        source = sources.alike(was, category, level)
        return self._next(before, source, resource, self._written(before.type, source))

    def relabel(self, before: Version, was: Source, level: Confidentiality, verdict: Verdict) -> Version:
        """The same resource with all its versions, going less or more far."""
        resource = decode(before.body)
        return self._next(before, sources.alike(was, was.category, level), resource, verdict)

    def _next(self, before: Version, source: Source, resource: Resource, verdict: Verdict) -> Version:
        resource["meta"] = security_labels.kept(
            resource.get("meta"), security_labels.meta_of(before), source.confidentiality
        )
        at = store.instant_after(before.since)
        made, row = store.create_version(resource, self.person_id, before.id, source.id, before.version + 1, at)
        self._add(ClinicalUpdated, made, row, source, verdict)
        self.endings.append(store.VersionEnd(before, source.id, at))
        return made

    def delete(self, before: Version, was: Source, verdict: Verdict) -> Version:
        """The end of a resource that belongs to the requester."""
        made, row = store.create_deletion(before, store.instant_after(before.since))
        self._add(ClinicalDeleted, made, row, was, verdict)
        self.endings.append(store.VersionEnd(before, was.id, made.since))
        return made

    @property
    def contributions(self) -> list[tuple[UUID, UUID]]:
        """The keys of the sources of what is written: person and source."""
        return [(self.person_id, key) for key in self._contributions]

    def rows(self, teller: Teller, known: Container[tuple[UUID, UUID]] = ()) -> list[Row]:
        """All rows of the act, and those that tell of it; the contributions that are `known` are there already."""
        new = (one for one in self._contributions.values() if (self.person_id, one.id) not in known)
        rows = [*self._rows, *(sources.contribution_row(self.person_id, one) for one in new)]
        for event, changed in self._told.items():
            rows += teller.rows(
                event,
                self._requester,
                self.person_id,
                changed[0][1],
                categories=tuple(sorted({source.category for _, _, source in changed})),
                **names(version for version, _, _ in changed),
            )
        return rows

    def _add(self, event: type[ClinicalEvent], made: Version, row: Row, source: Source, verdict: Verdict) -> None:
        _check_references(made, self._base_url)
        self._rows.append(row)
        self._contributions[source.id] = source
        self._told.setdefault(event, []).append((made, verdict, source))

    def _level(self, resource: Resource, was: Confidentiality = Confidentiality.NORMAL) -> Confidentiality:
        """How far a resource is to go; only the patient hides what was not hidden."""
        place = f"{resource['resourceType']}.meta.security"
        level = security_labels.level_of(resource.get("meta"), place)
        if level is Confidentiality.HIDDEN and level is not was and self._requester.kind != "patient":
            raise InvalidContent("hidden-by-author", place=place)
        return level

    def _beside(self) -> str:
        """The category of who stands beside the other resources of the act: that of the first of them."""
        return next((source.category for source in self._contributions.values()), "")

    def _written(self, type_: str, source: Source) -> Verdict:
        """The verdict on writing what has this source."""
        if (known := self._verdicts.get(source.id)) is not None:
            return known
        purpose = rules.purpose_of(self._requester)
        verdict = decide(self._consent, self._requester, Action.WRITE, rules.item_of(source), purpose, self._at)
        if not verdict.allowed:
            is_open = self._consent.state is RecordState.OPEN
            raise Denied(
                audit.no_right(type_) if is_open else audit.record_closed(), verdict, category=source.category
            )
        self._verdicts[source.id] = verdict
        return verdict


def _category(type_: ClinicalType, resource: Mapping[str, Any], author_kind: str) -> str:
    """The category that a resource of an author counts as."""
    return type_.by_patient if author_kind == "patient" else type_.category_of(resource)


def _check_references(version: Version, base_url: str) -> None:
    """Problem 422 for a reference to another person, or to a resource that can be nobody's here."""
    for found in _REFERENCE.findall(version.body):
        if fault := _fault(found, version.person_id, base_url):
            raise Problem(
                422,
                "value",
                fault,
                place=version.type,
                detail=found.decode()[:200],
                remedy=N_("Refer to resources of this patient by the ids that they have here."),
            )


@lru_cache(8192)
def _fault(found: bytes, person_id: UUID, base_url: str) -> str | None:
    """What is wrong with a reference."""
    address = found.decode().removeprefix(f"{base_url}/")
    if "?" in address and not address.startswith(("http:", "https:")):
        return N_("A reference by search can be made in a transaction only.")
    match = _LOCAL.fullmatch(address)
    if match is None:
        return None
    type_, id_ = match.groups()
    if type_ == "Patient":
        return None if id_.lower() == str(person_id) else N_("This refers to another patient.")
    keys = parse_logical_id(id_)
    if keys is not None and keys[0] != person_id:
        return N_("This refers to another patient.")
    if keys is None and type_ in KEPT and type_ not in SUPPORTING:
        return N_("This refers to a resource that cannot be here.")
    return None
