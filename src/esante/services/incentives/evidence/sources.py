"""Which events of the journal are evidence (data/evidence.toml)."""

import tomllib
from collections.abc import Mapping
from functools import cache

import msgspec

from esante.core.dated_data import packaged_text
from esante.core.journal import EVENTS, Event


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event type whose entries are documents of a kind, and its fields (see the file)."""

    event: str
    kind: str
    documents: str
    professional: str
    prefix: str = ""
    provider_code: str = ""
    payee_code: str = ""
    amount: str = ""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event type whose entries take documents of a kind back."""

    event: str
    kind: str
    documents: str
    prefix: str = ""


class Sources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of the file."""

    source: tuple[Source, ...]
    withdrawal: tuple[Withdrawal, ...]
    labels: Mapping[str, str]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of evidence."""
        return frozenset(one.kind for one in self.source)

    @property
    def events(self) -> list[type[Event]]:
        """The declared event types that are followed; those that no package declares are left out."""
        names = [one.event for one in self.source] + [one.event for one in self.withdrawal] + [*self.labels.values()]
        return [EVENTS[name] for name in dict.fromkeys(names) if name in EVENTS]


@cache
def sources() -> Sources:
    """Return what is evidence, as the packaged file says."""
    return msgspec.convert(tomllib.loads(packaged_text("esante.services.incentives", "evidence.toml")), Sources)
