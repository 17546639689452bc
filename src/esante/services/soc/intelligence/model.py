"""Types of threat intelligence: indicators, feeds, what was read of them, hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_
from esante.services.soc.intelligence.observables import ObservableKind

KIND_NAMES: Mapping[str, str] = {
    ObservableKind.IP: N_("IP address"),
    ObservableKind.NETWORK: P_("addresses", "Network"),
    ObservableKind.DOMAIN: P_("internet", "Domain"),
    ObservableKind.URL: N_("Web address"),
    ObservableKind.HASH: N_("Hash of a file"),
    ObservableKind.EMAIL: N_("Mail address"),
}
"""The kinds in words (msgids)."""


class Tlp(StrEnum):
    """To whom something may be given on: the Traffic Light Protocol 2.0 (FIRST), from everybody to nobody."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def label(self) -> str:
        """The label as it is written, the same in every language."""
        return f"TLP:{self.value.upper()}"

    @property
    def rank(self) -> int:
        """The place in the order from everybody to nobody."""
        return [*Tlp].index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A value that somebody says is a sign of an attack.

    `reference` is the key that its source gave it; `confidence` from 0 to 100; `valid_until` None: until it is
    revoked. `title`: what it belongs to, in the words of the source.
    """

    kind: ObservableKind
    value: str
    reference: str
    tlp: Tlp
    confidence: int
    valid_from: datetime
    valid_until: datetime | None
    title: str
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a feed: indicators, and how many entries were left out, by reason (a msgid)."""

    indicators: Sequence[Indicator]
    skipped: Mapping[str, int] = field(default_factory=dict)
    marker: str = ""
    """Where the next reading goes on."""


class NotRead(Exception):
    """A feed or file that cannot be read: why (a msgid), and what to do."""

    def __init__(self, reason: str, remedy: str = "", detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason, self.remedy, self.detail = reason, remedy, detail


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptIndicator(Indicator):
    """An indicator that was read of a feed."""

    indicator_id: UUID
    feed: str
    added_at: datetime


class IndicatorHit(NamedTuple):
    """An observable of an event that is an indicator in force, and how it is known."""

    indicator_id: UUID
    kind: ObservableKind
    value: str
    observed: str
    feed: str
    title: str
    confidence: int
    tlp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """How the last reading of a feed went; `failure` "" when it went well."""

    feed: str
    read_at: datetime | None
    tried_at: datetime | None
    marker: str
    failure: str
    indicators: int
    skipped: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorFilter:
    """Which indicators are listed: `text` is a part of value or title."""

    text: str = ""
    kind: ObservableKind | None = None
    feed: str = ""


SKIPPED_COMMON = N_("Too common to be a sign of anything (warning lists)")
SKIPPED_KIND = N_("Of a kind that is not matched")
SKIPPED_PATTERN = N_("A pattern of more than single values")
SKIPPED_VALUE = N_("The value is broken")
SKIPPED_CONTEXT = N_("Not meant for detection, says its source")
SKIPPED_BROKEN = N_("The entry is broken")
SKIPPED_LOW = N_("Less certain than the feed has to be")


@event("soc.feed_read")
class FeedRead(Event, frozen=True, kw_only=True):
    """Indicators were read of a feed: so many are new, changed or revoked."""

    feed: str
    added: int
    changed: int
    revoked: int
    skipped: int


@event("soc.indicators_imported")
class IndicatorsImported(Event, frozen=True, kw_only=True):
    """An operator read a file of indicators."""

    feed: str
    sha256: str
    added: int
    changed: int


@event("soc.past_searched")
class PastSearched(Event, frozen=True, kw_only=True):
    """New indicators were looked for in the events of the past."""

    indicators: int
    matches: int


Json = dict[str, Any]
