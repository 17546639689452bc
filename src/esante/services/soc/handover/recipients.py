"""Who may receive what (data/handover.toml)."""

import tomllib
from functools import cache
from typing import Annotated, Literal

import msgspec

from esante.core.dated_data import packaged_text
from esante.services.soc.cases.model import Tlp

Part = Literal["alerts", "indicators", "notes", "evidence"]


class HandoverRecipient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may receive cases: up to which marking, of which kinds of organisation (none: all), and which parts."""

    key: str
    label: str
    most: Tlp
    kinds: tuple[str, ...]
    parts: Annotated[tuple[Part, ...], msgspec.Meta(min_length=1)]
    legal_source: str
    verified: bool

    def accepts(self, kind: str) -> bool:
        """Return whether cases of an organisation of a kind go there."""
        return not self.kinds or kind in self.kinds


class IndicatorKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of events whose values are indicators, with the type of a MISP attribute."""

    fields: tuple[str, ...]
    type: str


class HandoverRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may receive what."""

    recipient: tuple[HandoverRecipient, ...]
    indicator: tuple[IndicatorKind, ...]


@cache
def handover_rules() -> HandoverRules:
    """Return the rules of the program."""
    return msgspec.convert(tomllib.loads(packaged_text("esante.services.soc", "handover.toml")), HandoverRules)
