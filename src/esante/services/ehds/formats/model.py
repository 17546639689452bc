"""A document that was built out of a record: its Bundle, and where each line comes from."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from esante.core.journal import event
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import AccessEvent
from esante.services.ehds.formats.kinds import DocumentKind, SectionRule


@dataclass(frozen=True, slots=True)
class LineSource:
    """A document, or what somebody entered directly, that tells a line.

    `category` is a key of the record's categories; `day` the day of care or of the entry.
    """

    id: UUID
    is_document: bool
    category: str
    author: str
    organization: str
    day: date

    @property
    def document_id(self) -> UUID | None:
        """The key of the document; None for what was entered directly."""
        return self.id if self.is_document else None


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of a document: its resource as the record holds it, and all the sources that tell it, latest first.

    `is_absence`: it says that nothing of the kind is known (no known allergies), in coded form.
    """

    resource: Json
    sources: tuple[LineSource, ...]
    is_absence: bool = False

    @property
    def address(self) -> str:
        """The relative URL: type and logical id."""
        return f"{self.resource['resourceType']}/{self.resource['id']}"


@dataclass(frozen=True, slots=True)
class BuiltSection:
    """A section with its lines; none: the record says nothing that the requester may see. `omitted`: lines over the
    limit, the oldest."""

    rule: SectionRule
    lines: tuple[Line, ...]
    omitted: int = 0


@dataclass(frozen=True, slots=True)
class BuiltDocument:
    """A document of a kind; `lines` are those of all sections."""

    kind: DocumentKind
    bundle: Json
    sections: tuple[BuiltSection, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all sections, in their order."""
        return tuple(line for section in self.sections for line in section.lines)


@event("ehds.document_built")
class DocumentBuilt(AccessEvent, frozen=True, kw_only=True):
    """A document of a kind was built out of a record for somebody; `count`: its lines."""

    ACTION: ClassVar[str] = "R"
    WORDS: ClassVar[str] = N_("%(actor)s viewed a summary or report made from your record: %(categories)s.")
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to view a summary of your record. Access was refused.")

    document_kind: str
    count: int = 0


@event("ehds.document_rejected")
class DocumentRejected(AccessEvent, frozen=True, kw_only=True):
    """A document was not taken into a record since it breaks the rules of its kind.

    `guide`: whose rules; `broken`: the rules. What the document says is not kept.
    """

    ACTION: ClassVar[str] = "C"
    REFUSED_WORDS: ClassVar[str] = N_("%(actor)s tried to add a document to your record, but it could not be added.")

    guide: str = ""
    broken: tuple[str, ...] = ()
