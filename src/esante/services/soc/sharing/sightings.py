"""Sightings: whether other members saw an observable, never which.

What is kept is a keyed hash (HMAC-SHA256 under a key of the agency), so the table says nothing without the key. A
member asks only about observables in its own alerts, a few times a day: guesses of it lead to nothing.
"""

import hmac
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal, event
from esante.core.storage import Connection, Database, insert, read_or_create_key
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Requester
from esante.services.soc.intelligence.observables import Observable, guess_observable
from esante.services.soc.sharing import sharing_store
from esante.services.soc.tenants.service import Tenants


@event("soc.sighting_asked")
class SightingAsked(Event, frozen=True, kw_only=True):
    """A member asked whether others saw an observable; neither it nor the answer is in the journal."""

    tenant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Sightings:
    """How many other members saw an observable lately; None: fewer than `floor`, perhaps none."""

    observable: Observable
    others: int | None
    floor: int
    days: int


@cache
def sharing_bounds() -> Mapping[str, Any]:
    """Return the bounds of what members learn of each other."""
    return tomllib.loads(files("esante.services.soc").joinpath("data/sharing.toml").read_text("utf-8"))


class SightingBook:
    """The sightings of all members; `key`: 32 bytes of the agency."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, key: bytes) -> None:
        self._db, self._journal, self._tenants, self._key = db, journal, tenants, key

    @staticmethod
    def open_key(path: Path) -> bytes:
        """Return the key in the file at `path`; it is made when it is missing."""
        return read_or_create_key(path, lambda: os.urandom(32))

    def token_of(self, one: Observable) -> bytes:
        """Return the keyed hash of an observable."""
        return hmac.digest(self._key, f"{one.kind}\n{one.value}".encode(), "sha256")

    async def record_in(
        self, conn: Connection, tenant_id: UUID, observables: Iterable[Observable], at: datetime
    ) -> None:
        """Keep that a member saw observables, in the transaction of the alerts that they are in."""
        day = at.astimezone(UTC).date()
        tokens = sorted({self.token_of(one) for one in observables})
        await sharing_store.add_sightings(conn, tokens, day, tenant_id)

    async def ask(self, requester: Requester, text: str) -> Sightings:
        """Return how many other members saw what somebody typed in the last days; operators ask about all members.

        Raises: Problem 404 for who sees no member, 400 for no observable, 429 after too many questions, 403 for an
        observable that the member has in no alert of these days.
        """
        scope = await self._tenants.scope_of(requester)
        observable = guess_observable(text)
        if observable is None:
            remedy = N_("Enter an IP address, a domain, a URL, a hash or a mail address.")
            raise bad_request("q", N_("This is no observable."), remedy, code="value")
        bounds = sharing_bounds()
        token, since = self.token_of(observable), _first_day(bounds["days"])
        async with self._db.transaction() as conn:
            if scope.tenant_id is not None:
                asked = await sharing_store.count_question(conn, scope.tenant_id, clock.now().astimezone(UTC).date())
                if asked > bounds["questions_per_day"]:
                    remedy = N_("Ask again tomorrow, or ask the agency.")
                    raise Problem(429, "throttled", N_("Your organisation has asked often today."), remedy=remedy)
            members = await sharing_store.fetch_sighting_members(conn, token, since)
            event = SightingAsked(tenant_id=scope.tenant_id)
            await insert(conn, self._journal.rows_for(requester, event))
        own = scope.tenant_id in members or scope.tenant_id is None
        others = len(members - {scope.tenant_id}) if own else 0
        shown = others if others >= bounds["floor"] else None
        return Sightings(observable, shown, bounds["floor"], bounds["days"])

    async def tidy(self) -> None:
        """Delete the sightings and questions of days that are not counted any more."""
        await sharing_store.delete_sightings(self._db, _first_day(sharing_bounds()["days"]))


def _first_day(days: int) -> date:
    return clock.now().astimezone(UTC).date() - timedelta(days=days - 1)
