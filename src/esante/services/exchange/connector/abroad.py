"""A professional abroad as a requester of the access decision (`data/professionals_abroad.toml`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.identity.access import Requester
from esante.services.exchange.consent import country_key

MAX_NAME = 200
"""Characters of a name that are kept: it comes from abroad, and goes into the journal."""
_NAMESPACE = UUID("b4f6f4f4-6a58-5b0c-8c1f-0d4b7c0a9e11")


@dataclass(frozen=True, slots=True)
class _Professions:
    """The professions of the matrix by role, from a day on."""

    valid_from: date
    legal_source: str
    verified: bool
    professions: Mapping[str, str]


def professional_abroad(
    country: str, home: str, name_id: str, name: str, role: str, place: str, *, on: date, origin: str = ""
) -> Requester:
    """Return who asks from another country, as the access decision knows them.

    `home`: the OID of its community; `name_id`, `name`, `role` (ISCO) and `place` of care as verified assertions say.
    The organisation for which they ask is the country: patients give their consent to it.
    """
    return Requester(
        kind="practitioner",
        id=uuid5(_NAMESPACE, f"{home}|{name_id}"),
        name=name[:MAX_NAME],
        profession=in_force(_periods(), on).professions.get(role, ""),
        organization_id=country_key(country),
        organization=f"{place[:MAX_NAME]} ({country})",
        origin=origin,
    )


@cache
def _periods() -> tuple[_Professions, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "professionals_abroad.toml"), _parse)


def _parse(table: dict[str, Any]) -> _Professions:
    return _Professions(table["valid_from"], table["legal_source"], table["verified"], table["professions"])
