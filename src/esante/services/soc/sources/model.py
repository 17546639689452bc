"""Types of sources and their keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class SourceKind(StrEnum):
    """What a source mostly sends; each may send everything that is understood."""

    SYSLOG = "syslog"
    AUDIT = "audit"
    WINDOWS = "windows"
    APPLICATION = "application"
    FILES = "files"


SOURCE_KIND_NAMES: Mapping[str, str] = {
    SourceKind.SYSLOG: N_("Syslog"),
    SourceKind.AUDIT: N_("Audit records of health software (ATNA, BALP)"),
    SourceKind.WINDOWS: N_("Windows events"),
    SourceKind.APPLICATION: N_("Events of an application (JSON, OCSF)"),
    SourceKind.FILES: N_("Files"),
}
"""The kinds in words (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of a member.

    `expected_every`: how often at least something comes; None: nothing is expected. `events`, `faults`: how many came,
    and how many of them could not be read; counted within seconds.
    """

    tenant_id: UUID
    source_id: UUID
    name: str
    kind: str
    expected_every: timedelta | None
    last_event_at: datetime | None
    events: int
    faults: int
    added_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKey:
    """A key of a source: a bearer key, or a client certificate (DER). The secret itself is not kept."""

    tenant_id: UUID
    source_id: UUID
    key_id: UUID
    hash: bytes
    certificate: bytes | None
    added_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        """Return whether the key works at a moment."""
        return self.revoked_at is None and now < self.expires_at


@event("soc.source_changed")
class SourceChanged(Event, frozen=True, kw_only=True):
    """A source of a member was added, changed or ended (`ended`)."""

    tenant_id: UUID
    source_id: UUID
    name: str
    ended: bool = False


@event("soc.key_changed")
class KeyChanged(Event, frozen=True, kw_only=True):
    """A source got a key or a certificate, or one was revoked (`revoked`)."""

    tenant_id: UUID
    source_id: UUID
    key_id: UUID
    revoked: bool = False
