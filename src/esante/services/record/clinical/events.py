"""Journal events of access to clinical resources."""

from collections.abc import Iterable
from typing import Any, ClassVar
from uuid import UUID

from esante.core.fhir.store import Version
from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent
from esante.services.record.model import difference_words

MAX_NAMED = 20
"""The largest number of resources that a journal entry names; of more it has the count only."""


class ClinicalEvent(AccessEvent, frozen=True, kw_only=True):
    """Base of the events of clinical resources.

    `resources` names them ("Observation/" and the resource's own key in hexadecimal), up to `MAX_NAMED`; `count`:
    their number; `type`: the type that was searched for.
    """

    type: str = ""
    resources: tuple[str, ...] = ()
    count: int = 0

    @property
    def entities(self) -> list[tuple[str, UUID]]:
        """The type and key of each resource that is named."""
        parts = (name.partition("/") for name in self.resources)
        return [(type_, UUID(hex=key)) for type_, _, key in parts]

    @property
    def searched_type(self) -> str:
        """The type that was searched for."""
        return self.type


@event("record.clinical_read", version=2)
class ClinicalRead(ClinicalEvent, frozen=True, kw_only=True):
    """A resource, or a version of it, was read."""

    ACTION: ClassVar[str] = "R"
    WORDS: ClassVar[str] = N_("%(actor)s viewed information in your record: %(categories)s.")


@event("record.clinical_searched", version=2)
class ClinicalSearched(ClinicalEvent, frozen=True, kw_only=True):
    """Resources were searched; `count` were shown."""

    ACTION: ClassVar[str] = "E"
    WORDS: ClassVar[str] = N_("%(actor)s searched your record: %(categories)s.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to search your record. Access was refused.")


class ClinicalWritten(ClinicalEvent, frozen=True, kw_only=True):
    """Base of the events of resources that were sent with what they say of their patient.

    `differs` and `justification` are those of `PersonConfirmedEvent`.
    """

    differs: tuple[str, ...] = ()
    justification: str = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The differences in words (msgids)."""
        return difference_words(self.differs)


@event("record.clinical_created", version=2)
class ClinicalCreated(ClinicalWritten, frozen=True, kw_only=True):
    """Resources were created."""

    ACTION: ClassVar[str] = "C"
    WORDS: ClassVar[str] = N_("%(actor)s added information to your record: %(categories)s.")


@event("record.clinical_updated", version=2)
class ClinicalUpdated(ClinicalWritten, frozen=True, kw_only=True):
    """Resources were updated."""

    ACTION: ClassVar[str] = "U"
    WORDS: ClassVar[str] = N_("%(actor)s changed information in your record: %(categories)s.")


@event("record.clinical_deleted", version=2)
class ClinicalDeleted(ClinicalEvent, frozen=True, kw_only=True):
    """Resources were deleted; their versions stay in their history."""

    ACTION: ClassVar[str] = "D"
    WORDS: ClassVar[str] = N_("%(actor)s deleted information from your record: %(categories)s.")


@event("record.clinical_refused", version=2)
class ClinicalRefused(ClinicalEvent, frozen=True, kw_only=True):
    """A read or change of a resource was refused; `action` is the interaction that was requested."""

    ACTION: ClassVar[str] = "R"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view information in your record. Access was refused.")

    action: str = ""


def resource_fields(versions: Iterable[Version]) -> dict[str, Any]:
    """Return the fields of a `ClinicalEvent` that name the resources of versions."""
    named = tuple(dict.fromkeys(f"{version.type}/{version.id.hex}" for version in versions))
    return {"resources": named if len(named) <= MAX_NAMED else (), "count": len(named)}
