"""Which events of the journal are facts (data/health_sources.toml)."""

import tomllib
from functools import cache

import msgspec

from esante.core.dated_data import packaged_text
from esante.core.journal import EVENTS, Event
from esante.identity.access import AccessEvent


class Sources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The names of event types by what they say (see the file)."""

    opened: frozenset[str]
    listed: frozenset[str]
    care: frozenset[str]
    noted: frozenset[str]
    note_ended: frozenset[str]
    lookups: frozenset[str]
    rejected: frozenset[str]
    granted: frozenset[str]
    grant_ended: frozenset[str]
    stay_ended: frozenset[str]
    stay_proved: frozenset[str]
    stay_reported: frozenset[str]
    emergency: frozenset[str]
    referring: frozenset[str]
    deceased: frozenset[str]
    clock: frozenset[str]

    @property
    def reading(self) -> frozenset[str]:
        """The event types by which something was only seen."""
        return self.opened | self.listed | self.lookups

    @property
    def events(self) -> list[type[Event]]:
        """The declared event types that are followed: those of the file, and every access, which may be refused."""
        named = frozenset[str]().union(*(getattr(self, name) for name in self.__struct_fields__))
        return [
            type_
            for name, type_ in sorted(EVENTS.items())
            if name in named or (issubclass(type_, AccessEvent) and name != "access.review_read")
        ]


@cache
def sources() -> Sources:
    """Return what is a fact, as the packaged file says."""
    return msgspec.convert(tomllib.loads(packaged_text("esante.services.soc", "health_sources.toml")), Sources)
