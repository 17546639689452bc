"""The changes that one act makes to a person's clinical resources: decided, turned into rows, and journalled."""

import re
from collections.abc import Container, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from esante.core.fhir import decode, parse_logical_id, store
from esante.core.fhir.store import Version
from esante.core.storage import Row, uuid7
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Action, Confidentiality, Consent, RecordState, Requester, Verdict, decide
from esante.identity.directory import Directory
from esante.services.record import errors, rules, security_labels
from esante.services.record.audit import AuditWriter
from esante.services.record.clinical.events import (
    ClinicalCreated,
    ClinicalDeleted,
    ClinicalEvent,
    ClinicalUpdated,
    ClinicalWritten,
    resource_fields,
)
from esante.services.record.clinical.view import categories_of
from esante.services.record.clinical_types import CLINICAL, KEPT, SUPPORTING, ClinicalType, TypeRules
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.errors import Denied
from esante.services.record.indexing import source_store
from esante.services.record.indexing.source_store import SourceKey
from esante.services.record.indexing.sources import Source, contribution_source, relabelled_source

_REFERENCE = re.compile(rb'"reference":"([^"\\]*(?:\\.[^"\\]*)*)"')
_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?")


class Content(NamedTuple):
    """A resource that is written, its place in the request, and the rules of its type."""

    resource: Json
    place: str
    type_rules: TypeRules


class Changeset:
    """The changes of one act to one person's resources. Nothing is stored before its rows are written."""

    def __init__(
        self, requester: Requester, consent: Consent, type_rules: Mapping[str, TypeRules], base_url: str
    ) -> None:
        self.requester, self._consent, self.base_url = requester, consent, base_url
        self._type_rules = type_rules
        self.place = ""
        """The place of what is written next, in a request of several resources."""
        self.contents: list[Content] = []
        """The resources that are written whose type has rules of a service."""
        self._at = store.now()
        self._rows: list[Row] = []
        self._contributions: dict[UUID, Source] = {}
        self._own: dict[tuple[str, Confidentiality], Source] = {}
        self._verdicts: dict[tuple[UUID, frozenset[str]], Verdict] = {}
        self._changed: dict[type[ClinicalEvent], list[tuple[Version, Verdict, Source]]] = {}
        self.endings: list[store.VersionEnd] = []
        """The versions that end by these changes."""
        self.person_fields: Json = {}
        """How what was sent differs from the person (fields of `ClinicalWritten`)."""

    @property
    def person_id(self) -> UUID:
        """The person whose resources change."""
        return self._consent.person_id

    def create(self, resource: Json, id_: UUID | None = None) -> Version:
        """Add a new resource, and return its first version.

        Raises: `Denied` (403) where the requester may not write it; `Problem` 422 for a reference to another person.
        """
        type_ = CLINICAL.get(resource["resourceType"])
        category = _category(type_, resource, self.requester.kind) if type_ else self._supporting_category()
        level = self._requested_level(resource)
        source = self._own.get((category, level))
        if source is None:
            source = self._own[category, level] = contribution_source(self.requester, category, level, self._at)
        version, row = store.create_version(resource, self.person_id, id_ or uuid7(), source.id, 1, self._at)
        self._add(ClinicalCreated, version, row, source, self._check_write(resource, source))
        return version

    def update(self, before: Version, before_source: Source, resource: Json) -> Version:
        """Add the next version of a resource of the requester, and return it.

        It keeps its author, and its confidentiality is at least as strict as before: only the patient relaxes it
        (`relabel`). Raises: as `create`.
        """
        category = _category(CLINICAL[before.type], resource, before_source.author_kind)
        requested = self._requested_level(resource, before_source.confidentiality)
        level = rules.stricter(before_source.confidentiality, requested)
        source = relabelled_source(before_source, category, level)
        return self._add_next(before, source, resource, self._check_write(resource, source))

    def relabel(self, before: Version, before_source: Source, level: Confidentiality, verdict: Verdict) -> Version:
        """Add a version with another confidentiality, which holds for all versions of the resource; return it."""
        source = relabelled_source(before_source, before_source.category, level)
        return self._add_next(before, source, decode(before.body), verdict)

    def _add_next(self, before: Version, source: Source, resource: Json, verdict: Verdict) -> Version:
        resource["meta"] = security_labels.merge_meta(
            resource.get("meta"), security_labels.meta_of(before), source.confidentiality
        )
        at = store.instant_after(before.since)
        version, row = store.create_version(resource, self.person_id, before.id, source.id, before.version + 1, at)
        self._add(ClinicalUpdated, version, row, source, verdict)
        self.endings.append(store.VersionEnd(before, source.id, at))
        return version

    def delete(self, before: Version, before_source: Source, verdict: Verdict) -> Version:
        """Add the deletion of a resource of the requester, and return it."""
        version, row = store.create_deletion(before, store.instant_after(before.since))
        self._add(ClinicalDeleted, version, row, before_source, verdict)
        self.endings.append(store.VersionEnd(before, before_source.id, version.since))
        return version

    @property
    def contributions(self) -> list[SourceKey]:
        """The keys of the sources of the resources that are written."""
        return [(self.person_id, key) for key in self._contributions]

    def rows(self, audit_writer: AuditWriter, known: Container[SourceKey] = ()) -> list[Row]:
        """Return all rows of the act and its journal entries, without contributions that are `known` to exist."""
        new = (one for one in self._contributions.values() if (self.person_id, one.id) not in known)
        rows = [*self._rows, *(source_store.contribution_row(self.person_id, one) for one in new)]
        for event, changed in self._changed.items():
            rows += audit_writer.rows(
                event,
                self.requester,
                self.person_id,
                changed[0][1],
                categories=categories_of(source for _, _, source in changed),
                **resource_fields(version for version, _, _ in changed),
                **(self.person_fields if issubclass(event, ClinicalWritten) else {}),
            )
        return rows

    def _add(self, event: type[ClinicalEvent], version: Version, row: Row, source: Source, verdict: Verdict) -> None:
        _check_references(version, self.base_url)
        self._rows.append(row)
        self._contributions[source.id] = source
        self._changed.setdefault(event, []).append((version, verdict, source))

    def _requested_level(self, resource: Json, before: Confidentiality = Confidentiality.NORMAL) -> Confidentiality:
        """Return the confidentiality that a resource asks for; only the patient hides what was not hidden."""
        place = f"{resource['resourceType']}.meta.security"
        level = security_labels.level_of(resource.get("meta"), place)
        if level is Confidentiality.HIDDEN and level is not before and self.requester.kind != "patient":
            raise InvalidContent("hidden-by-author", place=place)
        return level

    def _supporting_category(self) -> str:
        """Return the category of a supporting resource: that of the first resource of the act."""
        return next((source.category for source in self._contributions.values()), "")

    def _check_write(self, resource: Json, source: Source) -> Verdict:
        """Return the verdict on writing a resource of this source. Raises: `Denied`."""
        type_, subjects = resource["resourceType"], frozenset[str]()
        if (type_rules := self._type_rules.get(type_)) is not None:
            subjects = type_rules.subjects(resource)
            self.contents.append(Content(resource, self.place or type_, type_rules))
        if (known := self._verdicts.get((source.id, subjects))) is not None:
            return known
        purpose, item = rules.purpose_of(self.requester), replace(rules.item_of(source), subjects=subjects)
        verdict = decide(self._consent, self.requester, Action.WRITE, item, purpose, self._at)
        if not verdict.allowed:
            is_open = self._consent.state is RecordState.OPEN
            raise Denied(
                errors.write_refused(verdict, type_) if is_open else errors.record_closed(),
                verdict,
                category=source.category,
            )
        self._verdicts[source.id, subjects] = verdict
        return verdict


async def check_contents(changeset: Changeset, directory: Directory) -> None:
    """Check what a changeset writes by the rules of services. Raises: `Problem` of `TypeRules.check`."""
    person = await directory.person(changeset.person_id) if changeset.contents else None
    if person is None:
        return
    for content in changeset.contents:
        try:
            content.type_rules.check(changeset.requester, person, content.resource)
        except Problem as problem:
            problem.place = content.place + problem.place.removeprefix(content.resource["resourceType"])
            raise


def _category(type_: ClinicalType, resource: Mapping[str, Any], author_kind: str) -> str:
    """Return the access category of a resource of an author."""
    return type_.category_of(resource, by_patient=author_kind == "patient")


def _check_references(version: Version, base_url: str) -> None:
    """Raise `Problem` 422 for a reference to another person, or to a resource that cannot exist here."""
    for reference in _REFERENCE.findall(version.body):
        if fault := _reference_fault(reference, version.person_id, base_url):
            raise bad_request(
                version.type,
                fault,
                N_("Refer to this patient's resources by the ids they have here."),
                status=422,
                code="value",
                detail=reference.decode()[:200],
            )


@lru_cache(8192)
def _reference_fault(reference: bytes, person_id: UUID, base_url: str) -> str | None:
    """Return what is wrong with a reference (a msgid), or None."""
    address = reference.decode().removeprefix(f"{base_url}/")
    if "?" in address and not address.startswith(("http:", "https:")):
        return N_("You can only use a conditional reference (a search) in a transaction.")
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
        return N_("This refers to a type of resource that is not supported.")
    return None
