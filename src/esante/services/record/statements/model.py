"""The types of statements, and their journal event."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person stated about themselves, of a kind (a key of `data/statements.toml`).

    `opposes`: of organ donation, whether they oppose the removal of organs. `text`: their own words. `location`: where
    the original lies; `trusted_person`: who knows of it, and how to reach them. `document_id`: a document of theirs in
    the record. `active`: False where they took the statement back. `stated_at` and `version` are given by the record.
    """

    kind: str
    opposes: bool | None = None
    text: str = ""
    location: str = ""
    trusted_person: str = ""
    document_id: UUID | None = None
    active: bool = True
    stated_at: datetime | None = None
    version: int = 0


@event("record.statement_deferred")
class StatementDeferred(Event, frozen=True, kw_only=True):
    """The person did not want to state something now (`kind`), and is asked again from a day on."""

    kind: str
    ask_on: date
