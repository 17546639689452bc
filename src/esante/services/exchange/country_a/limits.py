"""Counts the requests of other countries, as dated data limits them (`data/request_limits.toml`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Access, Requester

UNEXPECTED = "WARNING_SEC_UNEXPECTED_NUMBER_OF_REQUESTS"


@dataclass(frozen=True, slots=True)
class _Window:
    """The most requests in a window (fields: see the file)."""

    lasts: timedelta
    most: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Limits:
    """The windows from a day on."""

    valid_from: date
    legal_source: str
    verified: bool
    windows: Sequence[_Window]


class RequestLimits:
    """The counters of requests by patient, point of care and country, over all processes."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def admit(self, requester: Requester, country: str, patient: str, *, is_search: bool) -> bool:
        """Count a request; return whether it is within all limits. What exceeds one is journalled once a window.

        `patient`: the patient that it is about, in the words of the message.
        """
        subjects = {
            "country": country,
            "place": f"{country}|{requester.organization}",
            "patient": f"{country}|{patient}" if patient else "",
            "searches": str(requester.id) if is_search else "",
        }
        admitted = True
        for window in in_force(_periods(), today()).windows:
            minutes = int(window.lasts.total_seconds()) // 60
            limits = {
                f"exchange-{minutes}:{name}:{_digest(subject)}": window.most[name]
                for name, subject in subjects.items()
                if subject
            }
            try:
                await self._access.count_attempts(limits, window.lasts, requester, requester.origin)
            except Problem:
                admitted = False
        return admitted


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()[:32]


@cache
def _periods() -> tuple[_Limits, ...]:
    return parse_periods(packaged_text("esante.services.exchange", "request_limits.toml"), _parse)


def _parse(table: dict[str, Any]) -> _Limits:
    windows = []
    for one in table["window"]:
        most = {name: one[name] for name in ("country", "place", "patient", "searches")}
        windows.append(_Window(timedelta(minutes=one["minutes"]), most))
    return _Limits(table["valid_from"], table["legal_source"], table["verified"], windows)
