"""The journal events of the choices of persons about their records, and of who acts for them.

`risk`: that of which the person was told before (a key of `data/choices.toml`); "" where they were not told here.
"""

from datetime import date
from uuid import UUID

from esante.core.journal import Event, event


@event("access.sharing_changed", version=2)
class SharingChanged(Event, frozen=True, kw_only=True):
    """The person opted out of sharing, or in again (`sharing`)."""

    sharing: bool
    risk: str = ""


@event("access.block_changed", version=2)
class BlockChanged(Event, frozen=True, kw_only=True):
    """The person blocked a practitioner or an organisation, or lifted the block."""

    subject_kind: str
    subject_id: UUID
    subject: str
    blocked: bool
    risk: str = ""


@event("access.opposition_changed")
class OppositionChanged(Event, frozen=True, kw_only=True):
    """The person opposed a deposit, or that their representatives are told of something (`against`), or no longer do.

    `on_word`: a professional recorded what the person said. About care by a depositor on some days, or about the
    documents of a series. `document_class` "": of every class.
    """

    opposition_id: UUID
    against: str
    ended: bool = False
    on_word: bool = False
    depositor_id: UUID | None = None
    depositor: str = ""
    document_class: str = ""
    care_from: date | None = None
    care_until: date | None = None
    series_id: UUID | None = None
    risk: str = ""


@event("access.representation_changed")
class RepresentationChanged(Event, frozen=True, kw_only=True):
    """That somebody acts for the person was recorded, or ended (`ended`); `act`: what it rests on."""

    representation_id: UUID
    kind: str
    representative_id: UUID
    representative: str
    act: str
    since: date
    until: date | None = None
    ended: bool = False


@event("access.capacity_changed")
class CapacityChanged(Event, frozen=True, kw_only=True):
    """A professional stated something about the person's capacity (`kind`), or it was revoked (`ended`).

    `classes`: the document classes that it is about (none: everything); `act`: the reason.
    """

    capacity_id: UUID
    kind: str
    classes: tuple[str, ...]
    act: str
    since: date
    until: date | None = None
    ended: bool = False
