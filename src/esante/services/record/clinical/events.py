"""What the journal tells of clinical resources, and what one requester sees of a person's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from esante.core.fhir.store import Version
from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent, Verdict
from esante.services.record.indexing.sources import Source
from esante.services.record.rules import Sight

MAX_NAMED = 20
"""Resources that an entry of the journal names; of more it tells how many."""


class ClinicalEvent(AccessEvent, frozen=True, kw_only=True):
    """Base of what is told of clinical resources: `resources` names them ("Observation/" and the own key in
    hexadecimal), unless they are many; `count` how many there were; `type` which were looked for."""

    type: str = ""
    resources: tuple[str, ...] = ()
    count: int = 0

    @property
    def entities(self) -> list[tuple[str, UUID]]:
        """The resources that are named."""
        parts = (name.partition("/") for name in self.resources)
        return [(type_, UUID(hex=key)) for type_, _, key in parts]

    @property
    def searched_type(self) -> str:
        """The type that was looked for."""
        return self.type


@event("record.clinical_read")
class ClinicalRead(ClinicalEvent, frozen=True, kw_only=True):
    """A resource, or a version of it, was read."""

    ACTION: ClassVar[str] = "R"
    WORDS: ClassVar[str] = N_("%(actor)s read an entry of your record: %(categories)s.")


@event("record.clinical_searched")
class ClinicalSearched(ClinicalEvent, frozen=True, kw_only=True):
    """Resources were looked for; `count` were shown."""

    ACTION: ClassVar[str] = "E"
    WORDS: ClassVar[str] = N_("%(actor)s searched the entries of your record: %(categories)s.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s searched the entries of your record and was refused.")


@event("record.clinical_created")
class ClinicalCreated(ClinicalEvent, frozen=True, kw_only=True):
    """Resources were created."""

    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = N_("%(actor)s added entries to your record: %(categories)s.")


@event("record.clinical_updated")
class ClinicalUpdated(ClinicalEvent, frozen=True, kw_only=True):
    """Resources got a new version."""

    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_("%(actor)s changed entries of your record: %(categories)s.")


@event("record.clinical_deleted")
class ClinicalDeleted(ClinicalEvent, frozen=True, kw_only=True):
    """Resources were deleted; their versions stay in their history."""

    ACTION: ClassVar[str] = "D"
    WORDS: ClassVar[str] = N_("%(actor)s deleted entries of your record: %(categories)s.")


@event("record.clinical_refused")
class ClinicalRefused(ClinicalEvent, frozen=True, kw_only=True):
    """A resource was asked for, or to be changed, and it was not given; `action` is what was asked."""

    ACTION: ClassVar[str] = "R"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s asked for an entry of your record and was refused.")

    action: str = ""


def names(versions: Iterable[Version]) -> dict[str, Any]:
    """The fields of an event that say which resources it is about."""
    named = tuple(dict.fromkeys(f"{version.type}/{version.id.hex}" for version in versions))
    return {"resources": named if len(named) <= MAX_NAMED else (), "count": len(named)}


@dataclass(frozen=True, slots=True)
class View:
    """What one requester sees of a person's resources at one moment: the sources, and which of them he may see."""

    person_id: UUID
    sight: Sight
    sources: Mapping[UUID, Source]

    @property
    def visible(self) -> frozenset[UUID]:
        """The sources that are there for the requester."""
        return frozenset(key for key, source in self.sources.items() if self.sight.sees(source))

    def of(self, keys: Iterable[UUID]) -> list[Source]:
        """The sources with these keys, each once."""
        return [self.sources[key] for key in dict.fromkeys(keys)]

    def verdict(self, shown: Iterable[Source]) -> Verdict:
        """The verdict on what is shown; where nothing is: on the record as a whole."""
        first = next(iter(shown), None)
        return self.sight.verdict(first) if first else self.sight.whole()
